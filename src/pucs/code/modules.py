"""Finds the file that a Python import means, from the names of files alone.

An import is tried from the root of the importer's own package, then from the roots of the repository (itself, ``src``
and directories that hold top-level packages), then beside the importer where a script would find it. A package wins over
a module of the same name, as it does at run time; a directory without ``__init__.py`` is a package as long as nothing
else is.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from pucs.core.sources import is_test

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_SOURCES: Final = (".py", ".pyi")
_CONVENTIONAL: Final = ("", "src", "lib", "python")
"""Roots by convention, as directories of the repository; one that does not exist finds nothing."""
_INSTALLED: Final = frozenset({"site-packages", "dist-packages", "node_modules"})
"""Directories of installed packages, which count only for what is installed there."""
_STANDARD: Final = sys.stdlib_module_names


def is_python(path: str) -> bool:
    """Tell whether a path names Python source; a notebook imports others and is never imported itself."""
    return path.endswith((*_SOURCES, ".ipynb"))


class Modules:
    """The Python files of a repository as modules."""

    def __init__(self, paths: Iterable[str], *, roots: Collection[str] = ()) -> None:
        """Take the paths of files, and directories that are on ``sys.path`` besides the usual ones."""
        self._files = {path for path in paths if is_python(path)}
        self._packages = {
            path.rpartition("/")[0] for path in self._files if path.rpartition("/")[2].startswith("__init__.")
        }
        self._directories = {"": True}
        for path in self._files:
            directory = path.rpartition("/")[0]
            while directory and directory not in self._directories:
                self._directories[directory] = True
                directory = directory.rpartition("/")[0]
        self._roots = tuple(
            dict.fromkeys(root for root in (*roots, *_CONVENTIONAL) if root in self._directories)
        )
        self._elsewhere = self._homes()
        self._loose = self._scripts()
        self._root_of: dict[str, str] = {}

    def _homes(self) -> dict[str, tuple[str, ...]]:
        """Return, for each name of a top-level package, the directories that hold one of this name."""
        homes: defaultdict[str, list[str]] = defaultdict(list)
        for package in sorted(self._packages):
            parent, _, name = package.rpartition("/")
            if parent not in self._packages and _INSTALLED.isdisjoint(parent.split("/")):
                homes[name].append(parent)
        return {name: tuple(parents) for name, parents in homes.items()}

    def _scripts(self) -> dict[str, str]:
        """Return the files outside of packages whose names no other such file has, by these names."""
        named: defaultdict[str, list[str]] = defaultdict(list)
        for path in self._files:
            directory, _, file = path.rpartition("/")
            if directory not in self._packages and path.endswith(".py"):
                named[file.removesuffix(".py")].append(path)
        return {name: paths[0] for name, paths in named.items() if len(paths) == 1 and name not in _STANDARD}

    def shadowed(self) -> dict[str, str]:
        """Return modules that no import can reach because a package has their name, with that package."""
        return {
            path: f"{package}/__init__{path[-3:]}"
            for path in sorted(self._files)
            if path.endswith(".py")
            and (package := path.removesuffix(".py")) in self._packages
            and f"{package}/__init__.py" in self._files
        }

    def root_of(self, path: str) -> str:
        """Return the directory from which a file's own package is imported; its own directory if it is in none.

        A directory without ``__init__.py`` inside a package belongs to it.
        """
        directory = path.rpartition("/")[0]
        found = self._root_of.get(directory)
        if found is None:
            around = directory
            while around and around not in self._packages:
                around = around.rpartition("/")[0]
            found = around if around in self._packages else directory
            while found in self._packages and found:
                found = found.rpartition("/")[0]
            self._root_of[directory] = found
        return found

    def name_of(self, path: str) -> str:
        """Return the dotted name by which a file would be imported, as seen from the root of its package."""
        root = self.root_of(path)
        inner = path[len(root) + 1 :] if root else path
        stem = inner.rpartition(".")[0].removesuffix("__init__").rstrip("/")
        return stem.replace("/", ".")

    def at(self, directory: str, dotted: str) -> str | None:
        """Return what a dotted name means below a directory: a file, or a directory with a slash; None: nothing."""
        place = f"{directory}/" if directory else ""
        place += dotted.replace(".", "/")
        if place in self._packages:
            for source in _SOURCES:
                if (path := f"{place}/__init__{source}") in self._files:
                    return path
        for source in _SOURCES:
            if (path := place + source) in self._files:
                return path
        return f"{place}/" if place in self._directories and dotted else None

    def relative(self, importer: str, level: int, module: str) -> str | None:
        """Return what a relative import means."""
        directory = importer.rpartition("/")[0]
        for _ in range(level - 1):
            if not directory:
                return None
            directory = directory.rpartition("/")[0]
        if module:
            return self.at(directory, module)
        for source in _SOURCES:
            if (path := f"{directory}/__init__{source}".lstrip("/")) in self._files:
                return path
        return f"{directory}/"

    def absolute(self, importer: str, module: str) -> str | None:
        """Return what an absolute import means."""
        directory = importer.rpartition("/")[0]
        beside = () if directory in self._packages else (directory,)
        top = module.partition(".")[0]
        namespace = None
        for root in dict.fromkeys((*beside, self.root_of(importer), *self._roots)):
            # Beside a script or a test, names of the standard library keep their meaning.
            if root not in self._roots and top in _STANDARD and beside:
                continue
            found = self.at(root, module)
            if found is not None and not found.endswith("/"):
                return found
            namespace = namespace or found
        homes = self._elsewhere.get(top, ())
        if not _for_tests(directory):
            # What only tests have at hand, the product does not import.
            homes = tuple(home for home in homes if not _for_tests(home))
        if len(homes) == 1 and top not in _STANDARD:
            found = self.at(homes[0], module)
            if found is not None and not found.endswith("/"):
                return found
            namespace = namespace or found
        return namespace

    def loose(self, module: str) -> str | None:
        """Return the one file outside of all packages that has this name, for who puts directories on ``sys.path``."""
        return self._loose.get(module)


def _for_tests(directory: str) -> bool:
    return is_test(f"{directory}/any.py")
