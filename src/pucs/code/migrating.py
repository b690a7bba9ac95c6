"""Moves the users of a module, or of a name in one, to where it is now: one file in, the changed file out.

An import keeps its form, its place and its comments; only the names in it change. A name that a file has bound stays
bound, under its new name where every use of it is plain to see and nobody takes it from there, else by ``as``.
What cannot be changed without a doubt is left as it is and reported.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pucs.code.moves import Target
from pucs.code.statements import Planned, Renderer
from pucs.syntax.definitions import Unparsable
from pucs.syntax.occurrences import QUOTED_MAX, occurrences
from pucs.syntax.rewriting import Edit, Source, Unchangeable, literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.code.moves import Move
    from pucs.syntax.occurrences import Chain, Statement

_STRING_MAX: Final = 300


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One place of a file that is changed."""

    line: int
    kind: str
    """``import``, ``use`` or ``string``."""
    before: str
    after: str


@dataclass(frozen=True, slots=True, order=True)
class Left:
    """One place that is left as it is, or needs a look."""

    path: str
    line: int
    """0: the file as a whole."""
    reason: str


@dataclass(frozen=True, slots=True)
class Migrated:
    """One file, before and after."""

    path: str
    before: bytes
    after: bytes
    changes: tuple[Change, ...]
    left: tuple[Left, ...]


def migrated(move: Move, path: str, source: bytes) -> Migrated:
    """Return a file after a move; unchanged where nothing is to be done, or not without a doubt."""
    inside = move.old.inside
    if path == move.old.path or (inside and not move.old.name and path.startswith(inside)):
        return Migrated(path, source, source, (), ())
    if path.endswith(".ipynb"):
        return _left(move, path, source, 0, "is a notebook: change it by hand")
    try:
        text = Source(source)
    except Unparsable as error:
        return _left(move, path, source, error.line, f"is not parsed ({error}): change it by hand")
    try:
        return _File(move, path, text).result(source)
    except Unchangeable as error:
        return Migrated(path, source, source, (), (Left(path, 0, f"is left as it is: {error}"),))


def _left(move: Move, path: str, source: bytes, line: int, reason: str) -> Migrated:
    """Return an unchanged file, reported if it seems to name what moves."""
    named = move.old.dotted.encode() in source
    facts = move.code.facts.get(path)
    for fact in facts.imports if facts is not None else ():
        named = named or move.old.path in move.code.imported(path, fact)
    return Migrated(path, source, source, (), (Left(path, line, reason),) if named else ())


@dataclass(slots=True)
class _Root:
    """A name that a file binds by imports to one module, with what is read through it."""

    module: str
    where: list[tuple[Statement, int]] = field(default_factory=list)
    """The imports that bind it: statement, and number of the name in it."""
    hits: list[tuple[Chain, int, Target]] = field(default_factory=list)
    """What is read through it and moves: chain, how many of its parts, and what takes their place."""
    lacking: list[tuple[Chain, str]] = field(default_factory=list)
    """What is read through it that the new side has not."""

    @property
    def plain(self) -> bool:
        """Whether every import that binds it names a module in full: what is read changes with it."""
        return all(_is_plain(*one) for one in self.where)

    @property
    def mixed(self) -> bool:
        """Whether some of them do and others give it a name of its own."""
        return not self.plain and any(_is_plain(*one) for one in self.where)


def _is_plain(statement: Statement, number: int) -> bool:
    return isinstance(statement.node, ast.Import) and statement.node.names[number].asname is None


class _File:
    """One file while it is looked at."""

    def __init__(self, move: Move, path: str, source: Source) -> None:
        self._move, self._path, self._source = move, path, source
        self._names = occurrences(source.tree)
        self._facts = move.code.facts.get(path)
        self._left: list[Left] = []
        self._edits: list[Edit] = []
        self._changes: list[Change] = []
        self._plans: dict[int, Planned] = {}
        self._bindings: defaultdict[str, list[tuple[Statement, int]]] = defaultdict(list)
        for statement in self._names.statements:
            for number, alias in enumerate(statement.node.names):
                plain = isinstance(statement.node, ast.Import)
                self._bindings[
                    alias.asname or (alias.name.partition(".")[0] if plain else alias.name)
                ].append((statement, number))

    def result(self, source: bytes) -> Migrated:
        """Return the file, changed."""
        for statement in self._names.statements:
            if isinstance(statement.node, ast.ImportFrom):
                self._from(statement, statement.node)
        self._through_modules()
        self._renamed()
        self._strings()
        moving = self._plans and self._path == self._move.new.path
        if moving:
            reason = f"is {self._move.new.module} itself and imports {self._move.old.dotted}: move that code here first"
            return Migrated(self._path, source, source, (), (Left(self._path, self._first(), reason),))
        renderer = Renderer(self._move, self._path, self._source, self._names.statements, self._plans)
        self._edits += renderer.edits()
        if not self._edits:
            return Migrated(self._path, source, source, (), tuple(sorted(set(self._left))))
        after = self._source.changed(self._edits)
        for plan in self._plans.values():
            node = plan.statement.node
            before = " ".join((ast.get_source_segment(self._source.text, node) or "").split())
            self._changes.append(Change(node.lineno, "import", before, renderer.said(plan)))
        return Migrated(
            self._path, source, after, tuple(sorted(set(self._changes))), tuple(sorted(set(self._left)))
        )

    def _first(self) -> int:
        return min(plan.statement.node.lineno for plan in self._plans.values())

    def _report(self, line: int, reason: str) -> None:
        self._left.append(Left(self._path, line, reason))

    def _plan(self, statement: Statement) -> Planned:
        return self._plans.setdefault(id(statement), Planned(statement))

    # from a import b --------------------------------------------------------------------------------------------------

    def _from(self, statement: Statement, node: ast.ImportFrom) -> None:
        move = self._move
        origin = move.origin(self._path, node.level, node.module or "")
        if origin is None:
            return
        target = move.target(origin)
        for number, alias in enumerate(node.names):
            line = alias.lineno
            if alias.name == "*":
                if target is not None or (move.old.name and origin == move.old.path):
                    self._report(line, f"takes everything from {move.old.module}: name what it needs first")
                continue
            part = move.part(origin, alias.name)
            moved = move.target(part) if part is not None else None
            if moved is not None:
                self._module_taken(statement, number, moved)
            elif target is not None:
                if not move.has(target.path, alias.name):
                    self._lacking(line, alias.name, target)
                    continue
                self._taken(statement, number, target, alias.name)
            elif move.old.name and origin == move.old.path and alias.name == move.old.name:
                self._taken(statement, number, Target(move.new.module, move.new.path), move.new.name)

    def _lacking(self, line: int, name: str, target: Target) -> None:
        near = self._move.near(target.path, name)
        also = f" (it has {', '.join(near)})" if near else ""
        self._report(line, f"{name} stays: {target.module} has no such name{also}")

    def _module_taken(self, statement: Statement, number: int, target: Target) -> None:
        """Plan ``from a import b`` where ``b`` is a module that moves."""
        alias = statement.node.names[number]
        if not target.path and not self._move.force:
            self._report(alias.lineno, f"{alias.name} stays: there is no {target.module}")
            return
        missing = self._missing(alias.asname or alias.name, target)
        if missing:
            for line, name in missing:
                self._lacking(line, name, target)
            return
        home, _, name = target.module.rpartition(".")
        if not home:
            self._plan(statement).modules[number] = target
            return
        found = self._move.code.modules.absolute("", home)
        self._taken(statement, number, Target(home, found or ""), name)

    def _missing(self, bound: str, target: Target) -> list[tuple[int, str]]:
        """Return names that are read from a module under this name and that its new place has not."""
        return [
            (chain.nodes[0].lineno, chain.parts[1])
            for chain in self._names.chains.get(bound, ())
            if len(chain.parts) > 1 and not self._move.has(target.path, chain.parts[1])
        ]

    def _taken(self, statement: Statement, number: int, target: Target, name: str) -> None:
        node = statement.node
        level, written = (node.level, node.module or "") if isinstance(node, ast.ImportFrom) else (0, "")
        spelled = self._move.spelled(self._path, target, level=level, written=written)
        if spelled is None:
            self._report(
                node.lineno, f"{target.module} cannot be named from here: another module has this name"
            )
            return
        self._plan(statement).taken[number] = (spelled, name, target.path)

    # import a.b, and what is read through modules ---------------------------------------------------------------------

    def _through_modules(self) -> None:
        for name in sorted(self._bindings):
            modules = {self._stands_for(statement, number) for statement, number in self._bindings[name]}
            known = sorted(module for module in modules if module is not None)
            if not known:
                continue
            roots = [_Root(module, self._bindings[name]) for module in known]
            for root in roots:
                self._follow(name, root)
            concerned = [root for root in roots if root.hits or root.lacking or self._own(root)]
            if not concerned:
                continue
            mixed = concerned[0].mixed and self._move.target(concerned[0].module) is not None
            if len(modules) > 1 or mixed or (self._names.bound[name] and concerned[0].hits):
                line = self._bindings[name][0][0].node.lineno
                if any(root.hits for root in roots) or any(self._own(root) for root in roots):
                    self._report(line, f"{name} stands for different things in this file: change it by hand")
                continue
            self._rooted(name, concerned[0])

    def _stands_for(self, statement: Statement, number: int) -> str | None:
        """Return the module that an imported name is; None: none of the repository."""
        node, alias = statement.node, statement.node.names[number]
        if isinstance(node, ast.Import):
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            return self._move.origin(self._path, 0, module)
        origin = self._move.origin(self._path, node.level, node.module or "")
        return self._move.part(origin, alias.name) if origin is not None else None

    def _own(self, root: _Root) -> list[tuple[Statement, int, Target]]:
        """Return the names of ``import`` statements that are a module which moves."""
        found = []
        for statement, number in root.where:
            if isinstance(statement.node, ast.Import):
                path = self._move.origin(self._path, 0, statement.node.names[number].name)
                target = self._move.target(path) if path is not None else None
                if target is not None:
                    found.append((statement, number, target))
        return found

    def _follow(self, name: str, root: _Root) -> None:
        """Find what is read through a name and moves."""
        move = self._move
        for chain in self._names.chains.get(name, ()):
            found = self._first_moved(chain, root.module)
            if found is None:
                continue
            at, target = found
            after = chain.parts[at] if at < len(chain.parts) and not move.old.name else ""
            if (after and not move.has(target.path, after)) or not (target.path or move.force):
                root.lacking.append((chain, after))
                self._lacking(chain.nodes[0].lineno, after or ".".join(chain.parts[:at]), target)
            elif at > 1 or root.plain:
                root.hits.append((chain, at, target))

    def _first_moved(self, chain: Chain, module: str) -> tuple[int, Target] | None:
        """Return how many parts of a chain are what moves, and what takes their place."""
        move = self._move
        path: str | None = module
        for at, part in enumerate((*chain.parts[1:], ""), start=1):
            if path is None:
                break
            target = move.target(path)
            if target is not None:
                return at, target
            if move.old.name and path == move.old.path and part == move.old.name:
                return at + 1, Target(move.new.module, move.new.path)
            path = move.part(path, part) if part else None
        return None

    def _rooted(self, name: str, root: _Root) -> None:
        """Plan the imports that bind a name, and change what is read through it."""
        own = self._own(root)
        named = [one for one in own if one[0].node.names[one[1]].asname]
        plain = [one for one in own if not one[0].node.names[one[1]].asname]
        for statement, number, target in named:
            if not root.lacking:
                self._imported(statement, number, target)
        if not root.hits and (not plain or root.lacking):
            return
        if self._move.old.name and self._move.old.path == self._move.new.path:
            for chain, at, _ in root.hits:
                self._use(chain, at, f"{'.'.join(chain.parts[: at - 1])}.{self._move.new.name}")
            return
        needed = {target.module for _, _, target in root.hits} | {target.module for _, _, target in plain}
        clash = next(
            (top for top in sorted({one.partition(".")[0] for one in needed}) if self._clashes(top, name)), ""
        )
        line = root.where[0][0].node.lineno
        if clash:
            self._report(line, f"{clash} is the name of something else in this file: change {name} by hand")
            return
        spelled = {
            target.module: self._move.spelled(self._path, target, level=0, written=target.module)
            for _, _, target in [*root.hits, *plain]
        }
        if any(one is None or one[:1] == "." * 1 for one in spelled.values()):
            self._report(
                line, f"{self._move.new.module} cannot be named from here: another module has this name"
            )
            return
        providers = [(statement, number) for statement, number, _ in plain] or root.where
        if not all(
            any(chain.functions[: len(one.functions)] == one.functions for one, _ in providers)
            for chain, _, _ in root.hits
        ):
            self._report(line, f"{name} is imported in one function and used in another: change it by hand")
            return
        words = {module: one or module for module, one in spelled.items()}
        for chain, at, target in root.hits:
            end = f".{self._move.new.name}" if self._move.old.name else ""
            self._use(chain, at, words[target.module] + end)
        self._provide(name, root, plain, words)

    def _clashes(self, top: str, name: str) -> bool:
        """Tell whether binding a top-level package would take a name that stands for something else."""
        if self._names.bound[top]:
            return True
        if top == name:
            return False
        found = self._move.origin(self._path, 0, top)
        return any(self._stands_for(*one) != found for one in self._bindings.get(top, ())) or (
            top not in self._bindings and top in self._names.chains
        )

    def _provide(
        self, name: str, root: _Root, plain: Sequence[tuple[Statement, int, Target]], words: dict[str, str]
    ) -> None:
        """Plan imports of what is now read, and drop those that nothing is read through any more."""
        hit = {id(chain) for chain, _, _ in root.hits}
        rest = [chain for chain in self._names.chains.get(name, ()) if id(chain) not in hit]
        still = bool(rest) or name in self._names.quoted or self._exported(name) or self._doubtful_strings()
        if plain:
            tops = {word.partition(".")[0] for word in words.values()}
            others = [one for one in root.where if one not in [(each[0], each[1]) for each in plain]]
            for statement, number, target in plain:
                new = [words[target.module]]
                if root.lacking or self._doubtful_strings():
                    new.append(statement.node.names[number].name)
                elif still and name not in tops and not any(one.functions == () for one, _ in others):
                    new.append(name)
                self._plan(statement).texts[number] = new
            return
        needed = sorted({words[target.module] for _, _, target in root.hits})
        for statement, number in root.where:
            leads = self._stands_for(statement, number) == self._move.old.path or (
                isinstance(statement.node, ast.Import)
                and self._move.origin(self._path, 0, statement.node.names[number].name) == self._move.old.path
            )
            plan = self._plan(statement)
            if isinstance(statement.node, ast.ImportFrom):
                plan.added += [f"import {one}" for one in needed]
                if leads and not still:
                    plan.dropped.add(number)
            else:
                alias = statement.node.names[number]
                own = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
                plan.texts[number] = needed if leads and not still else [own, *needed]

    def _imported(self, statement: Statement, number: int, target: Target) -> None:
        """Plan ``import a.b as c``."""
        alias = statement.node.names[number]
        spelled = self._move.spelled(self._path, target, level=0, written=alias.name)
        if not target.path and not self._move.force:
            self._report(statement.node.lineno, f"{alias.name} stays: there is no {target.module}")
        elif spelled is None:
            self._report(
                statement.node.lineno,
                f"{target.module} cannot be named from here: another module has this name",
            )
        else:
            self._plan(statement).texts[number] = [f"{spelled} as {alias.asname}"]

    def _use(self, chain: Chain, parts: int, text: str) -> None:
        start = self._source.span(chain.nodes[0])[0]
        end = self._source.span(chain.nodes[parts - 1])[1]
        before = ".".join(chain.parts[:parts])
        if self._source.text[start:end] != before:
            raise Unchangeable(f"{before} is not written in one piece in line {chain.nodes[0].lineno}")
        self._edits.append(Edit(start, end, text))
        self._changes.append(Change(chain.nodes[0].lineno, "use", before, text))

    # Names and strings ------------------------------------------------------------------------------------------------

    def _renamed(self) -> None:
        """Give names their new name in the file, or keep the old one by ``as``."""
        new_names: defaultdict[str, set[str]] = defaultdict(set)
        for plan in self._plans.values():
            for number, (_, name, _) in plan.taken.items():
                alias = plan.statement.node.names[number]
                if alias.asname is None and name != alias.name:
                    new_names[alias.name].add(name)
        for bound, names in sorted(new_names.items()):
            name = next(iter(names))
            places = {id(plan.statement): plan for plan in self._plans.values()}
            whole = all(
                id(statement) in places
                and number in places[id(statement)].taken
                and statement.node.names[number].asname is None
                for statement, number in self._bindings[bound]
            )
            if whole and len(names) == 1 and self._free(bound, name):
                for chain in self._names.chains.get(bound, ()):
                    start, end = self._source.span(chain.nodes[0])
                    self._edits.append(Edit(start, end, name))
                    self._changes.append(Change(chain.nodes[0].lineno, "use", bound, name))
                for plan in self._plans.values():
                    plan.renamed.add(bound)

    def _free(self, bound: str, name: str) -> bool:
        """Tell whether a name can take the place of another all over the file."""
        names = self._names
        if names.bound[bound] or names.bound[name] or name in self._bindings or name in names.chains:
            return False
        return not (bound in names.quoted or self._exported(bound))

    def _exported(self, bound: str) -> bool:
        """Tell whether others may take a name from this file."""
        facts = self._facts
        if facts is None or bound in facts.exports or self._path.rpartition("/")[2].startswith("__init__."):
            return True
        code = self._move.code
        own = f"{code.modules.name_of(self._path)}.{bound}"
        return any(
            self._takes(other, bound) or any(each.name.startswith(own) for each in known.strings)
            for other, known in code.facts.items()
            if other != self._path
        )

    def _takes(self, other: str, bound: str) -> bool:
        """Tell whether a file takes a name from this one, by import or through it."""
        move, known = self._move, self._move.code.facts[other]
        for fact in known.imports:
            if (
                any(name in {bound, "*"} for name, _ in fact.names)
                and move.origin(other, fact.level, fact.module) == self._path
            ):
                return True
            if self._path in move.code.imported(other, fact) and any(
                f".{bound}" in use.name for use in known.uses
            ):
                return True
        return False

    def _strings(self) -> None:
        """Change dotted names in strings, such as the targets of patches."""
        for node in self._names.strings:
            if isinstance(node.value, str):
                self._string(node, node.value)
        for node in self._names.formatted:
            text = node.value if isinstance(node.value, str) else ""
            if text == self._move.old.dotted or text.startswith(f"{self._move.old.dotted}."):
                self._report(
                    node.lineno, f"names {self._move.old.dotted} in a formatted string: change it by hand"
                )

    def _string(self, node: ast.Constant, value: str) -> None:
        after = self._string_after(node.lineno, value)
        if after is None:
            if self._in_code(value):
                self._report(
                    node.lineno, f"names {self._move.old.dotted} in a quoted expression: change it by hand"
                )
            return
        place = literal(self._source, node, value)
        if place is None:
            self._report(node.lineno, f"{value!r} is not written in one piece: change it by hand")
            return
        self._edits.append(Edit(*place, after))
        self._changes.append(Change(node.lineno, "string", value, after))

    def _string_after(self, line: int, value: str) -> str | None:
        """Return a dotted name after the move; None: it is none, or does not move."""
        move = self._move
        old = move.old.dotted
        if (
            len(value) > _STRING_MAX
            or not (value == old or value.startswith(f"{old}."))
            or not _dotted(value)
        ):
            return None
        rest = value[len(old) + 1 :]
        first, _, inner = rest.partition(".")
        if rest and not move.old.name:
            part = move.part(move.old.path, first)
            while (
                part is not None
                and inner
                and (deeper := move.part(part, inner.partition(".")[0])) is not None
            ):
                part, inner = deeper, inner.partition(".")[2]
            target = move.target(part) if part is not None else Target(move.new.module, move.new.path)
            assert target is not None
            wanted = inner.partition(".")[0] if part is not None else first
            if (part is not None and not target.path and not move.force) or (
                wanted and not move.has(target.path, wanted)
            ):
                self._report(line, f"{value!r} stays: {target.module} has no {wanted or 'such module'}")
                return None
        return f"{move.new.dotted}.{rest}" if rest else move.new.dotted

    def _in_code(self, value: str) -> bool:
        """Tell whether a text is an expression that reads what moves, such as a quoted annotation."""
        old = self._move.old.dotted
        if old not in value or len(value) > QUOTED_MAX or _dotted(value):
            return False
        try:
            inside = ast.parse(value.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return any(isinstance(one, ast.Attribute) and ast.unparse(one) == old for one in ast.walk(inside))

    def _doubtful_strings(self) -> bool:
        return any(isinstance(node.value, str) and self._in_code(node.value) for node in self._names.strings)


def _dotted(value: str) -> bool:
    return all(part.isidentifier() for part in value.split("."))


def all_migrated(move: Move, files: Iterable[tuple[str, bytes]]) -> list[Migrated]:
    """Return the files that a move changes or has something to say about, in order of their paths.

    A file that does not name the last part of the old side, and what that is in or a relative import, cannot use it and
    is passed over.
    """
    around, _, last = move.old.dotted.rpartition(".")
    word = _word(last)
    near = [_word(around.rpartition(".")[2]), re.compile(rb"\bfrom\s*\.")] if around else [word]
    found = [
        migrated(move, path, source)
        for path, source in sorted(files)
        if word.search(source) and any(each.search(source) for each in near)
    ]
    return [one for one in found if one.changes or one.left]


def _word(text: str) -> re.Pattern[bytes]:
    # Characters outside of ASCII are no word to bytes.
    ends = rb"\b" if text.isascii() else b""
    return re.compile(ends + re.escape(text.encode()) + ends)
