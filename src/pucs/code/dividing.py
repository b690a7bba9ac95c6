"""Divides source files by directories, each as large as one stream should be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LARGE_SHARE: Final = 0.25
"""A directory with more than this share of the files is divided into what lies in it."""
LARGE_FILES: Final = 24
"""One with no more files than this is never too large: two agents find separate work in it."""
PARTS_MAX: Final = 40
"""One with more parts than this (plug-ins, integrations) stays whole: nobody oversees so many streams."""
_SUBDIRECTORIES_MIN: Final = 3
"""A repository with one source directory is divided below it if it has so many parts."""
_SMALL_REPOSITORY: Final = 100
"""Files below which a single one makes a part; in a larger repository it takes two."""
_CONTAINERS: Final = frozenset({"src", "packages", "apps", "crates", "libs", "services", "projects"})
"""Directories at the root that only hold others."""


def divided(sources: Sequence[str], parts_max: int) -> dict[str, str]:
    """Return the directory that each file belongs to; files beside divided directories, and small parts, are left out.

    Parts are the directories at the root; of ``src`` and its like, and of a single package, those below. One that holds
    more than a quarter of the files, most of them deeper, is divided again, at any depth. Of more than ``parts_max``
    the largest are taken.
    """
    parts = _below("", sources)
    for container in [directory for directory in parts if directory.lower() in _CONTAINERS]:
        inner = _inner(container, sources)
        if len(inner) == 1:
            inner = _inner(next(iter(inner)), sources) or inner
        if inner:
            del parts[container]
            parts |= inner
    if len(parts) == 1:
        inner = _inner(next(iter(parts)), sources)
        parts = inner if len(inner) >= _SUBDIRECTORIES_MIN else parts
    most = max(len(sources) * LARGE_SHARE, LARGE_FILES)
    waiting = [directory for directory, count in parts.items() if count > most]
    while waiting:
        directory = waiting.pop()
        inner = _inner(directory, sources)
        if 1 <= len(inner) <= PARTS_MAX:
            del parts[directory]
            parts |= inner
            waiting += [deeper for deeper, count in inner.items() if count > most]
    least = 1 if len(sources) < _SMALL_REPOSITORY else 2
    large = sorted((-count, directory) for directory, count in parts.items() if count >= least)[:parts_max]
    kept = {directory for _, directory in large}
    found = {}
    for path in sources:
        directory = path
        while directory := directory.rpartition("/")[0]:
            if directory in kept:
                found[path] = directory
                break
    return found


def _inner(directory: str, sources: Sequence[str]) -> dict[str, int]:
    """Return the parts of a directory if they hold most of its source files; else nothing: it is one piece."""
    inner = _below(directory, sources)
    return (
        inner if sum(inner.values()) * 2 >= sum(path.startswith(f"{directory}/") for path in sources) else {}
    )


def _below(directory: str, sources: Iterable[str]) -> dict[str, int]:
    """Return the directories directly below one that hold source files at any depth, with how many."""
    start = f"{directory}/" if directory else ""
    counts: Counter[str] = Counter()
    for path in sources:
        if path.startswith(start):
            part, slash, _ = path[len(start) :].partition("/")
            if slash:
                counts[start + part] += 1
    return dict(counts)
