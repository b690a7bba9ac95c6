"""Finds the file that an import of JavaScript or TypeScript means, as Node, TypeScript and bundlers would.

A path is tried as it is written, with the endings that may be left out, with the ending of the source where that of the
output is written (``.js`` for ``.ts``), then as a directory. A name is looked up in ``imports`` of the package around the
importer, in ``paths`` and ``baseUrl`` of its TypeScript configuration, among the packages of the workspace, and by the custom
that ``@/`` and ``~/`` mean the package's own sources. Where a package exports what is built, the sources it is built from
are taken. What is not found is outside of the repository.
"""

from __future__ import annotations

import re
from posixpath import normpath
from typing import TYPE_CHECKING, Any, Final

from pucs.code.packages import Package, Packages, parsed, resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ENDINGS: Final = (
    ".ts",
    ".tsx",
    ".mts",
    ".cts",
    ".js",
    ".jsx",
    ".mjs",
    ".cjs",
    ".vue",
    ".svelte",
    ".d.ts",
    ".d.mts",
    ".d.cts",
)
"""What may be left out, in the order in which it is tried: code before declarations of it."""
_SOURCES_OF: Final = {
    ".js": (".ts", ".tsx", ".d.ts", ".jsx"),
    ".jsx": (".tsx", ".d.ts"),
    ".mjs": (".mts", ".d.mts", ".ts"),
    ".cjs": (".cts", ".d.cts", ".ts"),
}
"""What a written ending may have been made from."""
_BUILT: Final = frozenset({
    "dist",
    "lib",
    "build",
    "out",
    "esm",
    "cjs",
    "es",
    "output",
    "types",
    "umd",
    "module",
    "commonjs",
})
"""Directories that builds put their output into."""
_BUILT_ENDING: Final = re.compile(r"(?:\.min|\.prod|\.umd|\.esm|\.module|\.cjs)?(?:\.d)?\.[cm]?[jt]sx?$")
_SCRIPT: Final = re.compile(r"\.(?:[cm]?[jt]s|[jt]sx|vue|svelte)$", re.IGNORECASE)
_CONFIGURATION: Final = re.compile(
    r"(?:^|/)(?:package\.json|jsconfig[^/]*\.json|pnpm-workspace\.yaml|lerna\.json|[^/]*tsconfig[^/]*\.json)$"
    r"|(?:^|/)[^/]*tsconfig[^/]*/[^/]+\.json$"
)
CONFIGURATIONS_MAX: Final = 2000
"""Files of configuration that are looked at, those nearest to the root first: more packages no repository has of its own."""
_EXTENDS_MAX: Final = 20
_NOT_PATH: Final = re.compile(r"[?#].*$", re.DOTALL)


def is_script(path: str) -> bool:
    """Tell whether a path names JavaScript, TypeScript or a component that holds some."""
    return _SCRIPT.search(path) is not None


def configurations(paths: Iterable[str]) -> list[str]:
    """Return the files whose text ``Scripts`` needs: none where there is no script."""
    found, scripts = [], False
    for path in paths:
        if _CONFIGURATION.search(path) and "node_modules" not in path.split("/"):
            found.append(path)
        scripts = scripts or is_script(path)
    return sorted(found, key=lambda path: (path.count("/"), path))[:CONFIGURATIONS_MAX] if scripts else []


class Scripts:
    """The scripts of a repository with what its configuration says of their imports."""

    def __init__(self, paths: Iterable[str], texts: Mapping[str, bytes]) -> None:
        """Take the paths of scripts, and the content of the files that ``configurations`` names."""
        self._files = {path for path in paths if is_script(path)}
        self._texts = texts
        self._packages = Packages(texts)
        self._settings: dict[str, _Settings] = {}
        self._around: dict[str, _Settings] = {}
        self._found: dict[tuple[str, str], str | None] = {}

    def imported(self, importer: str, specifier: str) -> str | None:
        """Return the file that an import means; None: it is outside, or no script."""
        key = (importer.rpartition("/")[0], specifier)
        if key not in self._found:
            self._found[key] = next(
                (path for place in self._places(*key) if (path := self.at(place)) is not None), None
            )
        return self._found[key]

    def external(self, importer: str, specifier: str) -> str:
        """Return the package that an import takes from outside the repository; empty: it is inside, or no package."""
        if specifier.startswith((".", "/", "#")) or self.imported(importer, specifier) is not None:
            return ""
        name = _split(_NOT_PATH.sub("", specifier))[0]
        return "" if self._packages.named(name, importer) is not None else name

    def at(self, place: str) -> str | None:
        """Return the file that a path means, which may lack its ending or be a directory; None: nothing."""
        return self._file(place) or self._directory(place)

    def _file(self, place: str) -> str | None:
        if place in self._files:
            return place
        stem, dot, ending = place.rpartition(".")
        for source in _SOURCES_OF.get(dot + ending, ()):
            if (path := stem + source) in self._files:
                return path
        for ending in _ENDINGS:
            if (path := place + ending) in self._files:
                return path
        return None

    def _directory(self, place: str) -> str | None:
        package = self._packages.at(place)
        if package is not None:
            for target in resolved(package, ""):
                if (path := self._target(package, target)) is not None:
                    return path
        return self._file(f"{place}/index" if place else "index")

    def _places(self, directory: str, specifier: str) -> Iterator[str]:
        """Give the paths that an import may mean, without endings, the likeliest first."""
        plain = specifier if specifier.startswith("#") else _NOT_PATH.sub("", specifier)
        if not plain or ":" in plain.partition("/")[0] or "\\" in plain or len(plain) > 1000:  # noqa: PLR2004 - no path
            return
        package = self._packages.around(directory)
        if plain.startswith("."):
            if (place := _joined(directory, plain)) is not None:
                yield place
                if package is not None and place.startswith(f"{package.directory}/".lstrip("/")):
                    # What is built here later is built of something.
                    yield from filter(
                        None, (self._target(package, place[len(package.directory) :].lstrip("/")),)
                    )
            return
        home = package.directory if package is not None else ""
        if plain.startswith("/"):
            # Served from the directory of the package, or from the one that it calls public.
            yield from filter(None, (_joined(home, plain[1:]), _joined(home, f"public{plain}")))
            return
        if package is not None and plain.startswith("#"):
            for target in resolved(package, plain):
                if (path := self._target(package, target)) is not None:
                    yield path
        yield from self._settings_around(directory).places(plain)
        yield from self._in_packages(directory, plain)
        if plain.startswith(("@/", "~/")):
            yield from filter(None, (_joined(home, f"src/{plain[2:]}"), _joined(home, plain[2:])))

    def _in_packages(self, directory: str, specifier: str) -> Iterator[str]:
        name, inner = _split(specifier)
        package = self._packages.named(name, f"{directory}/")
        if package is None:
            return
        for target in resolved(package, f"./{inner}" if inner else ""):
            if (path := self._target(package, target)) is not None:
                yield path
        for start in ("", "src/"):
            if (place := _joined(package.directory, f"{start}{inner or 'index'}")) is not None:
                yield place

    def _target(self, package: Package, target: str) -> str | None:
        """Return the file that a package names, or the source from which that is built."""
        place = _joined(package.directory, target)
        if place is None:
            return None
        found = self._file(place) or self._file(f"{place}/index")
        if found is not None:
            return found
        parts = _BUILT_ENDING.sub("", target.removeprefix("./")).split("/")
        deep = 0
        while deep < len(parts) - 1 and parts[deep] in _BUILT:
            deep += 1
            for start in (["src"], [], ["source"], ["lib"]):
                found = self._file(_joined(package.directory, "/".join([*start, *parts[deep:]])) or "")
                if found is not None:
                    return found
        return None

    # TypeScript's configuration ----------------------------------------------------------------------------------------

    def _settings_around(self, directory: str) -> _Settings:
        """Return the nearest configuration of TypeScript, or of JavaScript, at or above a directory."""
        passed, found = [], _Settings()
        while True:
            if (known := self._around.get(directory)) is not None:
                found = known
                break
            passed.append(directory)
            paths = [f"{directory}/{name}".lstrip("/") for name in ("tsconfig.json", "jsconfig.json")]
            if (path := next((path for path in paths if path in self._texts), None)) is not None:
                found = self._read_with_parts(path)
                break
            if not directory:
                break
            directory = directory.rpartition("/")[0]
        self._around.update(dict.fromkeys(passed, found))
        return found

    def _read_with_parts(self, path: str) -> _Settings:
        """Read a configuration; where it only names others (``references``), these are taken together."""
        settings = self._read(path)
        if settings.aliases or settings.base is not None:
            return settings
        parts = [settings]
        for reference in _list(self._json(path).get("references")):
            named = reference.get("path") if isinstance(reference, dict) else None
            place = _joined(path.rpartition("/")[0], named) if isinstance(named, str) else None
            if place is not None:
                inner = place if place in self._texts else f"{place}/tsconfig.json"
                # Another directory has a configuration of its own.
                if inner in self._texts and inner.rpartition("/")[0] == path.rpartition("/")[0]:
                    parts.append(self._read(inner))
        base = next((part.base for part in parts if part.base is not None), None)
        return _Settings(base, [alias for part in parts for alias in part.aliases])

    def _read(self, path: str, deep: int = 0) -> _Settings:
        """Read one configuration with those that it extends, each once, whatever circles there are."""
        known = self._settings.get(path)
        if known is not None:
            return known
        settings = self._settings[path] = _Settings()  # what a circle comes back to
        if deep > _EXTENDS_MAX:
            return settings
        content = self._json(path)
        directory = path.rpartition("/")[0]
        extended = content.get("extends")
        for one in [extended] if isinstance(extended, str) else _list(extended):
            parent = self._extended(directory, one) if isinstance(one, str) else None
            if parent is not None:
                inherited = self._read(parent, deep + 1)
                settings = _Settings(
                    inherited.base if inherited.base is not None else settings.base,
                    inherited.aliases or settings.aliases,
                )
        options = content.get("compilerOptions")
        if isinstance(options, dict):
            settings = _own(directory, options, settings)
        self._settings[path] = settings
        return settings

    def _extended(self, directory: str, named: str) -> str | None:
        places: list[str | None] = []
        if named.startswith("."):
            places.append(_joined(directory, named))
        else:
            name, inner = _split(named)
            package = self._packages.named(name, f"{directory}/")
            if package is not None:
                places.append(_joined(package.directory, inner or "tsconfig.json"))
        for place in places:
            for path in (place, f"{place}.json", f"{place}/tsconfig.json"):
                if path is not None and path in self._texts:
                    return path
        return None

    def _json(self, path: str) -> dict[str, Any]:
        return parsed(self._texts[path])


class _Settings:
    """What a configuration of TypeScript says of names."""

    __slots__ = ("aliases", "base")

    def __init__(
        self, base: str | None = None, aliases: list[tuple[str, str, tuple[str, ...]]] | None = None
    ) -> None:
        self.base = base
        """Directory in which names are looked up; None: they are not."""
        self.aliases = aliases or []
        """What names begin and end with, and the paths they stand for, ``*`` for the part between."""

    def places(self, specifier: str) -> Iterator[str]:
        """Give the paths that a name may stand for."""
        fitting = [
            (len(start), number, start, end, targets)
            for number, (start, end, targets) in enumerate(self.aliases)
            if (end == "\0" and specifier == start)
            or (
                end != "\0"
                and len(specifier) >= len(start) + len(end)
                and specifier.startswith(start)
                and specifier.endswith(end)
            )
        ]
        # The longest beginning wins; one without a star wins over all.
        fitting.sort(key=lambda item: (item[3] != "\0", -item[0], item[1]))
        for _, _, start, end, targets in fitting:
            between = "" if end == "\0" else specifier[len(start) : len(specifier) - len(end)]
            for target in targets:
                if (place := _joined("", target.replace("*", between, 1))) is not None:
                    yield place
        if self.base is not None and (place := _joined(self.base, specifier)) is not None:
            yield place


def _own(directory: str, options: dict[str, Any], inherited: _Settings) -> _Settings:
    """Return what options say, each over what was inherited."""
    base = inherited.base
    if isinstance(options.get("baseUrl"), str):
        base = _joined(directory, options["baseUrl"].replace("${configDir}", "."))
    paths = options.get("paths")
    if not isinstance(paths, dict):
        return _Settings(base, inherited.aliases)
    start = base if base is not None else directory
    aliases = []
    for name, targets in paths.items():
        before, star, behind = name.partition("*")
        places = tuple(
            place
            for target in _list(targets)
            if isinstance(target, str)
            and (place := _joined(start, target.replace("${configDir}", "."))) is not None
        )
        if places:
            aliases.append((before, behind if star else "\0", places))
    return _Settings(base, aliases)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _joined(directory: str, path: str) -> str | None:
    """Return a path below a directory without dots; None: it leads out of the repository."""
    place = normpath(f"{directory}/{path}" if directory else path)
    if place.startswith(("../", "/")) or place == "..":
        return None
    return "" if place == "." else place


def _split(specifier: str) -> tuple[str, str]:
    """Return the package that a name begins with, and what it asks for inside."""
    parts = specifier.split("/")
    length = 2 if specifier.startswith("@") else 1
    return "/".join(parts[:length]), "/".join(parts[length:])
