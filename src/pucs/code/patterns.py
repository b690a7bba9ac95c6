"""Turns a division of files into glob patterns that a person can read, whole directories where possible."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_SPECIAL: Final = frozenset("*?[]{}\\,")


def escaped(path: str) -> str:
    """Return the pattern that matches one path as it is spelt (the language of ``pucs.streams.patterns``)."""
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in path)


class _Directory:
    """What lies in one directory."""

    __slots__ = ("below", "files", "parts")

    def __init__(self) -> None:
        self.files: list[str] = []
        self.below: dict[str, _Directory] = {}
        self.parts: set[str] = set()
        """Owners of files at any depth; empty name: nobody's."""


def patterns(owner_of: Mapping[str, str], *, nobodys: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Return for each owner the patterns that match all of its files and no file of another owner.

    A directory that one owner has alone becomes ``directory/``, files directly in one ``directory/*.ending``, what is left
    is named path by path. Files that are in neither argument do not count and may be matched.

    Args:
        owner_of: The owner of each file.
        nobodys: Files that no pattern may match.
    """
    root = _Directory()
    for path, owner in [*owner_of.items(), *((path, "") for path in nobodys)]:
        _put(root, path, owner)
    found: defaultdict[str, list[str]] = defaultdict(list)
    _emit(root, "", owner_of, found)
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
    place: _Directory, start: str, owner_of: Mapping[str, str], found: defaultdict[str, list[str]]
) -> None:
    for ending, paths in sorted(_by_ending(place.files).items()):
        owners = {owner_of.get(path, "") for path in paths}
        if len(owners) == 1 and len(paths) > 1:
            owner = next(iter(owners))
            if owner:
                found[owner].append(f"{escaped(start)}*{escaped(ending)}")
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
            _emit(inner, directory, owner_of, found)


def _by_ending(paths: Iterable[str]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        name = path.rpartition("/")[2]
        stem, dot, ending = name.rpartition(".")
        found[f".{ending}" if dot and stem else ""].append(path)
    return dict(found)
