"""Finds the files that much of the repository relies on, by what is really used of each, through re-exports too."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from pucs.code.records import CriticalFile, Risk
from pucs.core.sources import is_test
from pucs.syntax.facts import DefinitionKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pucs.code.resolving import Code

CRITICAL_FILES_MAX: Final = 20
"""Files listed for their score: more than that nobody watches."""
_BASES_MAX: Final = 10
"""Files listed besides, because classes elsewhere inherit from theirs."""
_USERS_MIN: Final = 2
_OUTSIDE_MIN: Final = 3
"""Streams other than its own whose files use a file that is of high risk."""
_TOP: Final = 3
_MANY_USERS: Final = 10
_SUBCLASSES_MIN: Final = 2


def users_of(code: Code) -> dict[str, set[str]]:
    """Return, for each file, the other files that use something it defines, wherever they import it from."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for path in code.facts:
        for other in code.used(path):
            users[other].add(path)
    return dict(users)


def subclasses_of(code: Code) -> dict[str, dict[str, set[str]]]:
    """Return, for each file, its classes that have subclasses, each with the files that define one."""
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path, facts in code.facts.items():
        for definition in facts.definitions:
            if definition.kind is DefinitionKind.CLASS:
                for base in definition.bases:
                    place = code.place(path, base)
                    if place is not None and place.symbol and not is_test(path):
                        found[place.path][place.symbol].add(f"{path}::{definition.name}")
    return {path: dict(classes) for path, classes in found.items()}


def critical_files(
    code: Code, *, stream_of: Callable[[str], str], changes: Mapping[str, int]
) -> tuple[CriticalFile, ...]:
    """Return the files to be careful with, the most critical first.

    The score is (users in other streams + tests) * (1 + other streams) * (1 + changes), of which only the order within
    one repository means something: users in its own stream need no coordination between streams. Risk is HIGH for the
    first three and where three other streams use a file, MEDIUM where ten files do or where classes inherit from one of
    its classes; files of the last kind are listed in any case.

    Args:
        code: The repository.
        stream_of: Stream or module of a file; empty if it is in none.
        changes: Commits of the history looked at that changed each file.
    """
    users, families = users_of(code), subclasses_of(code)
    rated: list[tuple[float, str]] = []
    for path, found in users.items():
        # What only tests use is theirs.
        if is_test(path) or all(is_test(user) for user in found) or len(found) < _USERS_MIN:
            continue
        home = stream_of(path)
        elsewhere = [user for user in found if is_test(user) or stream_of(user) != home]
        streams = {stream for user in elsewhere if not is_test(user) and (stream := stream_of(user))}
        rated.append((len(elsewhere) * (1 + len(streams)) * (1 + changes.get(path, 0)), path))
    rated.sort(key=lambda item: (-item[0], item[1]))
    listed = [item for item in rated[:CRITICAL_FILES_MAX] if item[0] > 0]
    bases = [item for item in rated[len(listed) :] if _heirs(families.get(item[1], {}))[1] >= _SUBCLASSES_MIN]
    return tuple(
        _told(
            item,
            rank,
            users[item[1]],
            families.get(item[1], {}),
            stream_of,
            changes=changes.get(item[1], 0),
        )
        for rank, item in enumerate([*listed, *bases[:_BASES_MAX]])
    )


def _told(
    item: tuple[float, str],
    rank: int,
    users: set[str],
    classes: Mapping[str, set[str]],
    stream_of: Callable[[str], str],
    *,
    changes: int,
) -> CriticalFile:
    score, path = item
    own = sorted(user for user in users if not is_test(user))
    streams = sorted({stream for user in own if (stream := stream_of(user))})
    outside = [stream for stream in streams if stream != stream_of(path)]
    base, heirs = _heirs(classes)
    if rank < _TOP or len(outside) >= _OUTSIDE_MIN:
        risk = Risk.HIGH
    elif heirs >= _SUBCLASSES_MIN or len(own) >= _MANY_USERS:
        risk = Risk.MEDIUM
    else:
        risk = Risk.LOW
    reasons = [f"{len(own)} files use it" if len(own) != 1 else "1 file uses it"]
    if outside:
        reasons.append(f"{len(outside)} other {'streams' if len(outside) > 1 else 'stream'}")
    if heirs >= _SUBCLASSES_MIN:
        reasons.append(f"{heirs} classes inherit from {base}")
    if changes:
        reasons.append(f"changed {changes} {'times' if changes > 1 else 'time'}")
    return CriticalFile(
        path=path,
        risk=risk,
        users=tuple(own),
        tests=tuple(sorted(user for user in users if is_test(user))),
        streams=tuple(streams),
        changes=changes,
        score=score,
        reason=", ".join(reasons),
    )


def _heirs(classes: Mapping[str, set[str]]) -> tuple[str, int]:
    """Return the class of a file with the most subclasses, and how many it has."""
    return max(
        ((name, len(found)) for name, found in classes.items()),
        key=lambda item: (item[1], item[0]),
        default=("", 0),
    )
