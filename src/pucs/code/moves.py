"""What a move of a module, or of a name in one, means to the files of a repository: where each import leads before and after."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from pucs.code.resolving import Code
from pucs.core.errors import NotFound, Usage
from pucs.syntax.facts import FileFacts, Language

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NEAR: Final = 3
"""Names suggested."""


@dataclass(frozen=True, slots=True)
class Side:
    """One end of a move."""

    module: str
    """Dotted name of the module."""
    path: str
    """Its file, or its directory with a slash."""
    name: str = ""
    """Name in the module; empty: the module itself."""

    @property
    def dotted(self) -> str:
        """Module and name in one."""
        return f"{self.module}.{self.name}" if self.name else self.module

    @property
    def inside(self) -> str:
        """Directory of a package with a slash; empty: it is a plain module."""
        return directory_of(self.path)


@dataclass(frozen=True, slots=True)
class Target:
    """The module that takes the place of another."""

    module: str
    path: str
    """Empty: it does not exist."""


class Move:
    """A move from one side to the other, over the files of a repository."""

    def __init__(self, code: Code, old: Side, new: Side, *, force: bool = False) -> None:
        """Take both sides; with ``force`` whatever is missing on the new side is taken to come."""
        self.code, self.old, self.new, self.force = code, old, new, force

    def origin(self, path: str, level: int, module: str) -> str | None:
        """Return the file or directory that an import of a file names."""
        modules = self.code.modules
        if level:
            return modules.relative(path, level, module)
        found = modules.absolute(path, module)
        if found is None and path in self.code.facts and self.code.facts[path].changes_path:
            return modules.loose(module)
        return found

    def part(self, path: str, name: str) -> str | None:
        """Return the module of this name in a package, unless the package has something else of that name."""
        directory = directory_of(path)
        found = self.code.modules.at(directory.rstrip("/"), name) if directory else None
        if found is None or path not in self.code.facts:
            return found
        if name in self.code.defines(path):
            return None
        for fact in self.code.facts[path].imports:
            for taken, bound in fact.names:
                if bound == name:
                    origin = self.origin(path, fact.level, fact.module)
                    if origin is None or self._plain_part(origin, taken) != found:
                        return None
        return found

    def _plain_part(self, origin: str, name: str) -> str | None:
        directory = directory_of(origin)
        return self.code.modules.at(directory.rstrip("/"), name) if directory else None

    def target(self, path: str) -> Target | None:
        """Return what takes the place of a module; None: it does not move."""
        if self.old.name:
            return None
        if path == self.old.path:
            return Target(self.new.module, self.new.path)
        inside = self.old.inside
        if not inside or not path.startswith(inside):
            return None
        rest = path[len(inside) :].rstrip("/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        home = self.new.inside.rstrip("/")
        found = self.code.modules.at(home, rest) if home else None
        return Target(f"{self.new.module}.{rest}", found or "")

    def has(self, path: str, name: str) -> bool:
        """Tell whether a module of the new side has a name, as far as its text shows."""
        if self.force or name.startswith("__"):
            return True
        facts = self.code.facts.get(path)
        if self._plain_part(path, name) is not None:
            return True
        return facts is not None and self._binds(path, facts, name)

    def _binds(self, path: str, facts: FileFacts, name: str) -> bool:
        if facts.problem or "__getattr__" in self.code.defines(path) or name in self.code.defines(path):
            return True
        for fact in facts.imports:
            bound = [one for _, one in fact.names] if fact.names else [fact.bound.partition(".")[0]]
            if name in bound or (bound == ["*"] and self.code.external(path, fact)):
                return True
        return self.code.place(path, name) is not None

    def near(self, path: str, name: str) -> list[str]:
        """Return names of a module that look like one it has not."""
        names = [one for one in self.code.defines(path) if "." not in one] if path in self.code.facts else []
        return get_close_matches(name, names, _NEAR)

    def spelled(self, importer: str, target: Target, *, level: int, written: str) -> str | None:
        """Return how a file names a module of the new side, as far as possible as it named the old one.

        Relative where it was relative and both lie in one top-level package, else absolute, from the same root.
        None: it cannot be named from there.
        """
        if level:
            near = self._relative(importer, target)
            if near is not None:
                return near
        names = [target.module]
        if not level and written.endswith(f".{self.old.module}"):
            names.insert(0, written.removesuffix(self.old.module) + target.module)
        if target.path:
            names.append(self.code.modules.name_of(target.path))
        for name in names:
            if not target.path or self.origin(importer, 0, name) == target.path:
                return name
        return None

    def _relative(self, importer: str, target: Target) -> str | None:
        modules = self.code.modules
        root = modules.root_of(importer)
        inner = importer[len(root) + 1 :] if root else importer
        home = inner.split("/")[:-1]
        parts = target.module.split(".")
        same = 0
        while same < min(len(home), len(parts)) and home[same] == parts[same]:
            same += 1
        if not same:
            return None
        level, rest = len(home) - same + 1, ".".join(parts[same:])
        if target.path and modules.relative(importer, level, rest) != target.path:
            return None
        return "." * level + rest


def directory_of(path: str) -> str:
    """Return the directory of a package with a slash; empty: the path is a plain module."""
    if path.endswith("/"):
        return path
    directory, _, file = path.rpartition("/")
    return f"{directory}/" if file.startswith("__init__.") and directory else ""


def move(facts: Mapping[str, FileFacts], old: str, new: str, *, force: bool = False) -> Move:
    """Return the move between two dotted names.

    Args:
        facts: Of all files.
        old: A module, or a name in one. It may be gone already, as long as somebody imports it.
        new: The same, where it is now.
        force: Whether the new side may be missing.

    Raises:
        Usage: they do not name two different things of one kind.
        NotFound: there is no such module or name.
    """
    for dotted in (old, new):
        if not all(part.isidentifier() for part in dotted.split(".")):
            raise Usage(f"{dotted!r} is no dotted name.", remedy="Write it as an import does: package.module")
    if old == new:
        raise Usage(f"Both sides of the move are {old}.", remedy="Name where it is now as the second.")
    code = Code(facts)
    after = _side(code, new)
    before = _side(code, old)
    if before is None:
        before = _gone(code, old, named=after is not None and bool(after.name))
        code = Code({**facts, before.path: _NOTHING} if before.path not in facts else facts)
        after = _side(code, new)
        if not before.name and not any(_imports(code, before)):
            raise NotFound(f"There is no {old}, and no file imports it.", remedy=_meant(code, old))
    if after is None:
        if not force:
            raise NotFound(f"There is no {new}.", remedy=f"{_meant(code, new)} To go on without: --force")
        after = _gone(code, new, named=bool(before.name))
        code = Code({
            **facts,
            before.path: facts.get(before.path, _NOTHING),
            after.path: facts.get(after.path, _NOTHING),
        })
    if bool(before.name) != bool(after.name):
        module, name = (before, after) if after.name else (after, before)
        raise Usage(
            f"{module.dotted} is a module and {name.dotted} is a name in one.",
            remedy=f"Name two modules ({before.module} {after.module}) or two names: "
            f"{before.module}.{before.name or after.name} {after.module}.{after.name or before.name}",
        )
    if (before.path, before.name) == (after.path, after.name):
        raise Usage(f"{old} and {new} are both {before.path}.", remedy="Name where it is now as the second.")
    return Move(code, before, after, force=force)


_NOTHING: Final = FileFacts(Language.PYTHON, 0)


def _side(code: Code, dotted: str) -> Side | None:
    """Return the module or the name of a module that a dotted name means; None: there is none."""
    found = code.modules.absolute("", dotted)
    if found is not None:
        return Side(dotted, found)
    module, _, name = dotted.rpartition(".")
    found = code.modules.absolute("", module) if module else None
    if found is None or found.endswith("/") or found not in code.facts:
        return None
    known = Move(code, Side("", ""), Side("", ""))
    return Side(module, found, name) if known.has(found, name) else None


def _gone(code: Code, dotted: str, *, named: bool) -> Side:
    """Return what a dotted name meant or will mean that leads nowhere."""
    module, _, name = dotted.rpartition(".")
    found = code.modules.absolute("", module) if module else None
    if module and (named or (found is not None and not directory_of(found))):
        if found is None:
            return Side(module, f"{module.replace('.', '/')}.py", name)
        return Side(module, found, name)
    home = directory_of(found) if found is not None else f"{module.replace('.', '/')}/" if module else ""
    return Side(dotted, f"{home}{name}.py")


def _imports(code: Code, side: Side) -> Iterator[str]:
    for path, facts in code.facts.items():
        for fact in facts.imports:
            if side.path in code.imported(path, fact):
                yield path


def _meant(code: Code, dotted: str) -> str:
    """Return a sentence with names that look like one that leads nowhere."""
    module, _, name = dotted.rpartition(".")
    found = code.modules.absolute("", module) if module else None
    if found is not None and found in code.facts and not directory_of(found):
        names = [f"{module}.{one}" for one in code.defines(found) if "." not in one]
    else:
        names = [code.modules.name_of(path) for path in code.facts]
    last = [one for one in names if one.rpartition(".")[2] == name]
    near = list(dict.fromkeys([*get_close_matches(dotted, names, _NEAR), *sorted(last)]))[:_NEAR]
    return f"Like it are: {', '.join(near)}." if near else "Look for its name with: pucs analyze"
