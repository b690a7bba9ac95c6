"""Turns a division of files into glob patterns that a person can read, whole directories where possible."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_SPECIAL: Final = frozenset("*?[]{}\\,")


def escaped(path: str) -> str:
    """Return the pattern that matches one path as it is spelt (the language of ``pucs.streams.patterns``)."""
    quoted = "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in path)
    return f"\\{quoted}" if quoted.startswith("!") else quoted


class _Directory:
    """What lies in one directory."""

    __slots__ = ("below", "files", "parts")

    def __init__(self) -> None:
        self.files: list[str] = []
        self.below: dict[str, _Directory] = {}
        self.parts: set[str] = set()
        """Owners of files at any depth; empty name: nobody's."""


def patterns(
    owner_of: Mapping[str, str], *, nobodys: Collection[str] = (), stems: bool = False
) -> dict[str, tuple[str, ...]]:
    """Return for each owner the patterns that match all of its files and no file of another owner.

    A directory that one owner has alone becomes ``directory/``, files directly in one ``directory/*.ending``, what is left
    is named path by path. Files that are in neither argument do not count and may be matched.

    Args:
        owner_of: The owner of each file.
        nobodys: Files that no pattern may match.
        stems: Files of one owner whose names begin alike, up to a ``_``, become one pattern: ``test_cart_*.py``.
    """
    root = _Directory()
    for path, owner in [*owner_of.items(), *((path, "") for path in nobodys)]:
        _put(root, path, owner)
    found: defaultdict[str, list[str]] = defaultdict(list)
    _emit(root, "", owner_of, found, stems=stems)
    return {owner: tuple(found[owner]) for owner in sorted(found)}


def _put(root: _Directory, path: str, owner: str) -> None:
    place = root
    place.parts.add(owner)
    *directories, _ = path.split("/")
    for name in directories:
        place = place.below.setdefault(name, _Directory())
        place.parts.add(owner)
    place.files.append(path)


def _emit(
    place: _Directory,
    start: str,
    owner_of: Mapping[str, str],
    found: defaultdict[str, list[str]],
    *,
    stems: bool,
) -> None:
    for ending, paths in sorted(_by_ending(place.files).items()):
        owners = {owner_of.get(path, "") for path in paths}
        if len(owners) == 1 and len(paths) > 1 and ending:
            owner = next(iter(owners))
            if owner:
                found[owner].append(f"{escaped(start)}*{escaped(ending)}")
            continue
        if stems and ending:
            _emit_stems(start, ending, paths, owner_of, found)
            continue
        for path in sorted(paths):
            if owner := owner_of.get(path, ""):
                found[owner].append(escaped(path))
    for name in sorted(place.below):
        inner, directory = place.below[name], f"{start}{name}/"
        if len(inner.parts) == 1:
            owner = next(iter(inner.parts))
            if owner:
                found[owner].append(escaped(directory))
        else:
            _emit(inner, directory, owner_of, found, stems=stems)


def _emit_stems(
    start: str,
    ending: str,
    paths: Iterable[str],
    owner_of: Mapping[str, str],
    found: defaultdict[str, list[str]],
) -> None:
    """Give patterns of files of one directory and ending, by the words that their names begin with."""
    waiting = [(start, sorted(paths))]
    while waiting:
        stem, group = waiting.pop()
        owners = {owner_of.get(path, "") for path in group}
        if len(group) == 1 or (len(owners) == 1 and stem != start):
            owner = next(iter(owners))
            if owner:
                found[owner].append(
                    escaped(group[0]) if len(group) == 1 else f"{escaped(stem)}*{escaped(ending)}"
                )
            continue
        parts: defaultdict[str, list[str]] = defaultdict(list)
        for path in group:
            word, more, _ = path[len(stem) :].partition("_")
            parts[f"{stem}{word}{more}"].append(path)
        waiting += sorted(parts.items(), reverse=True)


def _by_ending(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return files by the endings of their names; those without one are alike in nothing."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        _, dot, ending = path.rpartition("/")[2].rpartition(".")
        found[f"{dot}{ending}" if dot else ""].append(path)
    return dict(found)
