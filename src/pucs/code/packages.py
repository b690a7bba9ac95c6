"""Packages of JavaScript in a repository: which there are by what ``package.json`` says, and what they export."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from posixpath import normpath
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JSON_BYTES_MAX: Final = 1_000_000
"""Largest configuration that is read: people write none larger."""
_GLOB_MAX: Final = 200
_STARS_MAX: Final = 6
"""Stars of a pattern; what has more would take its time, and nobody writes it."""
_LEAVES_MAX: Final = 50
"""Targets of one export that are tried."""
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|//[^\n]*+|/\*.*?(?:\*/|\Z)', re.DOTALL)
_COMMA: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|,(?=\s*+[}\]])', re.DOTALL)
_LOCAL: Final = re.compile(r"(?:file|link|portal|workspace):(\.{0,2}/?[^*^~].*)")
_LISTED: Final = re.compile(r"^\s*-\s*['\"]?([^'\"#]+?)['\"]?\s*(?:#.*)?$")
_FIRST: Final = ("source", "development", "import", "module", "default", "node", "browser", "require")
"""Conditions of an export in the order in which they are tried; others come behind, ``types`` last of all."""
_MAINS: Final = ("source", "module", "main", "browser", "types", "typings")
_DEPENDENCIES: Final = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    """One ``package.json``."""

    directory: str
    name: str
    content: dict[str, Any]


class Packages:
    """The packages of a repository."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        """Take the content of files by path; only those count that tell of packages."""
        self._by_directory: dict[str, Package] = {}
        for path in sorted(texts):
            if path.rpartition("/")[2] == "package.json":
                directory, content = path.rpartition("/")[0], parsed(texts[path])
                name = content.get("name")
                self._by_directory[directory] = Package(
                    directory, name if isinstance(name, str) else "", content
                )
        self._members: defaultdict[str, list[Package]] = defaultdict(list)
        workspaces = [
            (directory, globs) for directory, globs in _workspaces(self._by_directory, texts) if globs
        ]
        for package in self._by_directory.values():
            if package.name and any(_holds(start, globs, package.directory) for start, globs in workspaces):
                self._members[package.name].append(package)

    def at(self, directory: str) -> Package | None:
        """Return the package whose directory this is."""
        return self._by_directory.get(directory)

    def around(self, directory: str) -> Package | None:
        """Return the innermost package that holds a directory."""
        return next(self._outwards(directory), None)

    def named(self, name: str, importer: str) -> Package | None:
        """Return the package of the repository that an importer means by a name.

        One around the importer, the place that its own package gives for it, or a member of a workspace: of several the one
        that shares most directories with the importer.
        """
        directory = importer.rpartition("/")[0]
        for number, package in enumerate(self._outwards(directory)):
            if package.name == name:
                return package
            if number == 0 and (local := self._local(package, name)) is not None:
                return local
        found = self._members.get(name)
        if not found:
            return None
        return max(
            found, key=lambda package: (_shared(package.directory, directory), -len(package.directory))
        )

    def _outwards(self, directory: str) -> Iterator[Package]:
        while True:
            if (package := self._by_directory.get(directory)) is not None:
                yield package
            if not directory:
                return
            directory = directory.rpartition("/")[0]

    def _local(self, package: Package, name: str) -> Package | None:
        for group in _DEPENDENCIES:
            listed = package.content.get(group)
            version = listed.get(name) if isinstance(listed, dict) else None
            if isinstance(version, str) and (match := _LOCAL.fullmatch(version)) is not None:
                place = normpath(f"{package.directory}/{match[1]}" if package.directory else match[1])
                return self._by_directory.get("" if place == "." else place)
        return None


def resolved(package: Package, asked: str) -> Iterator[str]:
    """Give the paths in its directory that a package names for something: itself (empty), ``./part`` or ``#name``."""
    exports = package.content.get("imports" if asked.startswith("#") else "exports")
    if exports is not None:
        yield from _exported(exports, asked or ".")
    if not asked:
        for key in _MAINS:
            main = package.content.get(key)
            if isinstance(main, str):
                yield main


def parsed(text: bytes) -> dict[str, Any]:
    """Return a JSON object that may have comments and commas too many; empty: it is none, or too large."""
    if len(text) > JSON_BYTES_MAX:
        return {}
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        found = _decoded(text)
        if found is None:
            found = _decoded(_plain(text))
    except RecursionError:
        return {}
    return found if isinstance(found, dict) else {}


def _decoded(text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _plain(text: bytes) -> bytes:
    bare = _TOKEN.sub(lambda match: match[0] if match[0].startswith(b'"') else b" ", text)
    return _COMMA.sub(lambda match: b" " if match[0] == b"," else match[0], bare)


def _exported(exports: object, asked: str) -> Iterator[str]:
    """Give the targets of one entry of ``exports`` or ``imports``."""
    if not isinstance(exports, dict) or not any(key.startswith((".", "#")) for key in exports):
        if asked == ".":
            yield from _leaves(exports)
        return
    if asked in exports:
        yield from _leaves(exports[asked])
        return
    fitting = []
    for key, target in exports.items():
        before, star, behind = key.partition("*")
        if key.endswith("/") and not star:  # how folders were exported once
            before, star = key, "*"
        if star and asked.startswith(before) and asked.endswith(behind) and len(asked) > len(before + behind):
            fitting.append((-len(before), key, asked[len(before) : len(asked) - len(behind)], target))
    for _, key, between, target in sorted(fitting, key=lambda item: item[:2]):
        for leaf in _leaves(target):
            yield leaf.replace("*", between) if "*" in key else leaf + between


def _leaves(target: object) -> Iterator[str]:
    waiting, given = [target], 0
    while waiting and given < _LEAVES_MAX:
        one = waiting.pop()
        if isinstance(one, str):
            given += 1
            yield one
        elif isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, dict):
            waiting += [one[key] for key in sorted(one, key=_rank, reverse=True)]


def _rank(condition: str) -> tuple[int, str]:
    if condition in _FIRST:
        return _FIRST.index(condition), ""
    return len(_FIRST) + (condition == "types"), condition


def _workspaces(
    packages: Mapping[str, Package], texts: Mapping[str, bytes]
) -> Iterator[tuple[str, list[str]]]:
    """Give the directories that are workspaces, with the patterns of their members."""
    for directory, package in packages.items():
        listed = package.content.get("workspaces")
        if isinstance(listed, dict):
            listed = listed.get("packages")
        yield directory, _globs(listed)
    for path in sorted(texts):
        directory, _, name = path.rpartition("/")
        if name == "lerna.json":
            yield directory, _globs(parsed(texts[path]).get("packages"))
        elif name == "pnpm-workspace.yaml":
            yield directory, _globs(_listed(texts[path]))


def _listed(text: bytes) -> list[str]:
    """Return the list under ``packages:`` of a file that has little else, without the whole of YAML."""
    found: list[str] = []
    inside = False
    for line in text[:JSON_BYTES_MAX].decode("utf-8", "replace").splitlines():
        if line.startswith("packages:"):
            inside = True
            found += re.findall(r"['\"]([^'\"]+)['\"]", line)
        elif inside and (match := _LISTED.match(line)):
            found.append(match[1])
        elif line.strip() and not line.lstrip().startswith("#"):
            inside = False
    return found


def _globs(listed: object) -> list[str]:
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []


def _holds(start: str, globs: list[str], directory: str) -> bool:
    """Tell whether a directory is a member of a workspace; the workspace itself is one."""
    if directory == start:
        return True
    if start and not directory.startswith(f"{start}/"):
        return False
    inner = directory[len(start) + 1 :] if start else directory
    held = False
    for glob in globs:
        pattern = glob.removeprefix("!")
        if (expression := _expression(pattern)) is not None and expression.fullmatch(inner):
            held = not glob.startswith("!")
    return held


def _expression(glob: str) -> re.Pattern[str] | None:
    glob = glob.removeprefix("./").rstrip("/").removesuffix("/package.json")
    if len(glob) > _GLOB_MAX or glob.count("*") > _STARS_MAX:
        return None
    parts = re.split(r"(\*\*/?|\*|\?|\{[^{}]*\})", glob)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "": ""}
    return re.compile(
        "".join(
            words[part]
            if part in words
            else f"(?:{'|'.join(map(re.escape, part[1:-1].split(',')))})"
            if part.startswith("{")
            else re.escape(part)
            for part in parts
        )
    )


def _shared(one: str, other: str) -> int:
    """Count the directories that two paths have in common at their beginnings."""
    count = 0
    for left, right in zip(one.split("/"), other.split("/"), strict=False):
        if left != right:
            break
        count += 1
    return count
