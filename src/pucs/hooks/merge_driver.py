"""The second step of ``pucs-merge``: one file that git's line merge left in conflict, merged by what is in it.

Started by git for each such file, so it loads only what the merge needs. The file that git reads afterwards holds git's own
result before this begins and is replaced as a whole or not at all, so that a crash, a kill and a lack of time cost nothing
but the attempt. Exit status as git takes it: 0 merged, 1 conflict.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pucs.merge.merging import BYTES_MAX, LineMerge, merge
from pucs.merge.pieces import PROPOSED
from pucs.merge.records import Origin, Tier, Versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from pucs.merge.records import Merged, Resolution

LIMIT_S = 10.0
"""Longest time of one file: the slowest merges take half a second, and a person waits meanwhile."""
GRACE_S = 2.0
"""Time after which a merge that does not even hear the limit, deep in a parser, is ended by force."""
SHOWN_MAX = 4
"""Places that the one line about a file names; more are counted."""
_ARGUMENTS = 10


def main() -> NoReturn:
    """Merge what the arguments name; see ``pucs-merge`` for their order."""
    status = 1
    path = sys.argv[7] if len(sys.argv) > _ARGUMENTS else "?"
    gc.disable()  # the process ends before memory does
    try:
        with limited(path):
            status = _merged(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - a door: whatever fails here, git's own result is there already
        say(f"{shown(path)}: git's own merge stays: {type(error).__name__}: {shown(str(error))}")
    os._exit(status)  # nothing is left to tidy


def _merged(arguments: list[str]) -> int:
    tier, base, ours, theirs, target, size, path, conflicts, *labels = arguments
    lines = LineMerge(read(target, 4 * BYTES_MAX), int(conflicts))
    merged = merged_file(
        path,
        Versions(read(base) or None, read(ours), read(theirs)),
        lines,
        accept=Tier(tier),
        labels=(labels[0], labels[1]),
        marker_size=int(size),
    )
    if merged.origin is Origin.PUCS:
        replace(target, merged.content)
    say(told(path, merged))
    return 0 if merged.clean else 1


@contextmanager
def limited(path: str) -> Iterator[None]:
    """End this process with status 1 after ``LIMIT_S``, saying so; one that does not hear, after ``GRACE_S`` more.

    Only for the main thread.
    """

    def late(_number: int, _frame: FrameType | None) -> NoReturn:
        say(f"{shown(path)}: git's own merge stays: more was not found within {LIMIT_S:.0f} s")
        os._exit(1)

    before = signal.signal(signal.SIGALRM, late)
    left_s, interval_s = signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    with Path(os.devnull).open("w", encoding="ascii") as silence:
        # A thread outside the interpreter, which a parser in C cannot hold up.
        faulthandler.dump_traceback_later(LIMIT_S + GRACE_S, exit=True, file=silence)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, left_s, interval_s)
            signal.signal(signal.SIGALRM, before)


def merged_file(path: str, versions: Versions, lines: LineMerge, *, accept: Tier, **how: Any) -> Merged:
    """Return the merge of one file that git left in conflict.

    A guess that nobody accepts does not come out of it as a merge: git's own result does.
    """
    found = merge(path, versions, lines, accept=accept, **how)
    if found.clean and found.tier is Tier.REVIEW and accept is not Tier.REVIEW:
        return merge("", versions, lines, **how)
    return found


def read(path: str, most: int = BYTES_MAX) -> bytes:
    """Return the content of a file, of a larger one a byte more than ``most``: what is too large shows, and does no harm."""
    with Path(path).open("rb") as file:
        return file.read(most + 1)


def replace(target: str, content: bytes) -> None:
    """Replace a file's content as a whole or not at all; its mode stays, and a symlink stays one.

    Raises:
        OSError: it cannot be written; in a directory that cannot be, the file itself is written instead.
    """
    place = Path(target).resolve()
    aside = place.with_name(f"{place.name}.new.{os.getpid()}")
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except PermissionError:
        with place.open("r+b") as file:
            file.write(content)
            file.truncate()
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), stat.S_IMODE(place.stat().st_mode))
        aside.replace(place)
    except BaseException:
        aside.unlink()
        raise


def told(path: str, merged: Merged) -> str:
    """Return one line about what was settled in a file, by what, and what is left."""
    name = shown(path)
    if merged.origin is Origin.GIT:
        left = len(merged.conflicts)
        return f"{name}: {left} conflict{'s' if left != 1 else ''} left, as git found {'them' if left != 1 else 'it'}"
    settled = [_settled(group) for group in _grouped(merged.resolutions)]
    kept = [
        f"line {one.first_line}"
        + (
            f" ({shown(': '.join(filter(None, (one.entity, one.reason))))})"
            if one.entity or one.reason
            else ""
        )
        for one in merged.conflicts
    ]
    said = [] if kept else ["merged"]
    if settled:
        said.append("settled " + _listed(settled))
    if kept:
        said.append(f"{len(kept)} conflict{'s' if len(kept) != 1 else ''} left: " + _listed(kept))
    if any(one.reason.endswith(PROPOSED) for one in merged.conflicts):
        said.append("what is proposed is taken with --accept review")
    return f"{name}: {'; '.join(said)}"


def _grouped(resolutions: Sequence[Resolution]) -> list[list[Resolution]]:
    """Return resolutions by rule and tier: a rule that works element by element has many."""
    groups: dict[tuple[str, Tier], list[Resolution]] = {}
    for one in resolutions:
        groups.setdefault((one.resolver, one.tier), []).append(one)
    return list(groups.values())


def _settled(group: list[Resolution]) -> str:
    lines = list(dict.fromkeys(one.first_line for one in group))
    where = f"line {lines[0]}" if len(lines) == 1 else f"{len(lines)} places from line {min(lines)}"
    return f"{group[0].resolver} ({where}, {group[0].tier.value})"


def shown(text: str) -> str:
    """Return a text that stays on its line and moves no cursor."""
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    )


def say(line: str) -> None:
    """Write a line to standard error, if there is anybody to read it."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"pucs: {line}\n")
        sys.stderr.flush()


def _listed(parts: list[str]) -> str:
    more = f" and {len(parts) - SHOWN_MAX} more" if len(parts) > SHOWN_MAX else ""
    return ", ".join(parts[:SHOWN_MAX]) + more
