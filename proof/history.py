"""Reads what git holds after a session, with git alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from proof.records import LINE, Commit, Evidence, History

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORMAT = "%x02%H%x1f%P%x1f%ct%x1f%s%x1f%(trailers:only,unfold,separator=%x1e,key_value_separator=%x1d)%x03"


def git(place: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """Run git and return what it printed; nothing of the user's own settings takes part."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("PROOF_HOME", "/nonexistent"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
    call = ["git", "-C", str(place), *arguments]
    return subprocess.run(call, env=environment, input=stdin, capture_output=True, check=True).stdout


def read(place: Path, evidence: Evidence) -> History:
    """Return everything that the checker asks of git."""
    refs = _refs(place)
    blobs = _blobs(place)
    result = f"refs/heads/{evidence.result}"
    landed: set[str] = set()
    for branch in evidence.branches.values():
        if f"refs/heads/{branch}" in refs:
            for text in files_of(place, f"refs/heads/{branch}").values():
                landed.update(lines_of(text))
    on_disk: set[str] = set()
    unexplained: list[str] = []
    for worktree in worktrees(place):
        for path, text in _dirty(worktree):
            on_disk.update(lines_of(text))
            if _blob_id(place, text) not in blobs:
                unexplained.append(f"{worktree.name}/{path}")
    return History(
        commits=_commits(place),
        refs=refs,
        base_files=files_of(place, evidence.base),
        result_files=files_of(place, result) if result in refs else {},
        landed=frozenset(landed),
        kept=frozenset(line for text in blobs.values() for line in lines_of(text)),
        on_disk=frozenset(on_disk),
        unexplained=tuple(unexplained),
    )


def lines_of(text: str) -> list[str]:
    """Return the lines that agents wrote."""
    return [line for line in text.split("\n") if line.startswith(LINE)]


def files_of(place: Path, revision: str) -> dict[str, str]:
    """Return the text of every file at a commit."""
    found: dict[str, str] = {}
    entries = git(place, "ls-tree", "-r", "-z", revision).decode("utf-8", "surrogateescape")
    named = [entry.split("\t", 1) for entry in entries.split("\0") if entry]
    texts = _contents(place, [facts.split()[2] for facts, _ in named])
    for facts, path in named:
        found[path] = texts[facts.split()[2]]
    return found


def worktrees(place: Path) -> list[Path]:
    """Return every worktree but the main one that is on the disk."""
    listed = git(place, "worktree", "list", "--porcelain", "-z").decode("utf-8", "surrogateescape")
    paths = [Path(field[9:]) for field in listed.split("\0") if field.startswith("worktree ")]
    return [path for path in paths[1:] if path.is_dir()]


def _refs(place: Path) -> dict[str, str]:
    lines = git(place, "for-each-ref", "--format=%(refname) %(objectname)").decode().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def _commits(place: Path) -> dict[str, Commit]:
    options = ("--topo-order", "--reverse", "--raw", "--no-abbrev", "--no-renames", "-z", "--root")
    text = git(place, "log", "--all", *options, "--diff-merges=first-parent", f"--format={_FORMAT}").decode(
        "utf-8", "surrogateescape"
    )
    found: dict[str, Commit] = {}
    for chunk in text.split("\x02")[1:]:
        header, _, rest = chunk.partition("\x03")
        commit, parents, time_s, subject, trailers = header.split("\x1f")
        items = rest.strip("\0\n").split("\0")
        changes: dict[str, tuple[str, str]] = {}
        for at, item in enumerate(items):
            if item.startswith(":") and at + 1 < len(items):
                before, after = item.split(" ")[2:4]
                changes[items[at + 1]] = (before, after)
        pairs = [pair.split("\x1d", 1) for pair in trailers.split("\x1e") if "\x1d" in pair]
        found[commit] = Commit(
            id=commit,
            parents=tuple(parents.split()),
            subject=subject,
            time_s=int(time_s),
            trailers=tuple((key, value) for key, value in pairs),
            changes=changes,
        )
    return found


def _blobs(place: Path) -> dict[str, str]:
    """Return the text of every blob that a ref leads to."""
    listed = git(place, "rev-list", "--objects", "--all").decode("utf-8", "surrogateescape")
    return _contents(place, {line.split(" ", 1)[0] for line in listed.splitlines()})


def _contents(place: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the text of those of these objects that are blobs."""
    wanted = list(dict.fromkeys(names))
    output = git(place, "cat-file", "--batch", stdin="".join(f"{name}\n" for name in wanted).encode())
    found: dict[str, str] = {}
    at = 0
    for name in wanted:
        end = output.index(b"\n", at)
        _, kind, size = output[at:end].split(b" ")
        if kind == b"blob":
            found[name] = output[end + 1 : end + 1 + int(size)].decode("utf-8", "surrogateescape")
        at = end + 1 + int(size) + 1
    return found


def _dirty(worktree: Path) -> list[tuple[str, str]]:
    """Return files of a worktree that differ from its HEAD, with their text."""
    try:
        listed = git(worktree, "status", "--porcelain", "-z", "-uall", "--no-renames")
    except subprocess.CalledProcessError:
        return []
    names = [item[3:] for item in listed.decode("utf-8", "surrogateescape").split("\0") if item]
    paths = [(name, worktree / name) for name in names]
    return [(name, path.read_text(encoding="utf-8")) for name, path in paths if path.is_file()]


def _blob_id(place: Path, text: str) -> str:
    return (
        git(place, "hash-object", "--stdin", stdin=text.encode("utf-8", "surrogateescape")).decode().strip()
    )
