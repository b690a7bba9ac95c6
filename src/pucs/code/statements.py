"""Writes import statements anew after a move, with as few changes as will do."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pucs.syntax.rewriting import Edit, Layout, Unchangeable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pucs.code.moves import Move, Target
    from pucs.syntax.occurrences import Statement
    from pucs.syntax.rewriting import Source

_WIDTH: Final = 88
"""Longest line of a new statement before its names stand below each other."""


@dataclass(slots=True)
class Planned:
    """What becomes of one statement."""

    statement: Statement
    taken: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """``from``: number of a name → module as written, name there, and path of the module."""
    modules: dict[int, Target] = field(default_factory=dict)
    """``from``: number of a name → module at the top that it is now."""
    texts: dict[int, list[str]] = field(default_factory=dict)
    """``import``: number of a name → what stands there instead."""
    dropped: set[int] = field(default_factory=set)
    added: list[str] = field(default_factory=list)
    """Statements behind it."""
    renamed: set[str] = field(default_factory=set)
    """Names that the file now knows by their new name."""

    def text(self, number: int, source: Source) -> str:
        """Return how a name that is taken from elsewhere is written now."""
        alias = self.statement.node.names[number]
        _, name, _ = self.taken[number]
        if name == alias.name:
            return source.text[slice(*source.span(alias))]
        bound = alias.asname or (name if alias.name in self.renamed else alias.name)
        return name if bound == name else f"{name} as {bound}"

    def bound(self, number: int) -> str:
        """Return the name that it is bound to now."""
        alias = self.statement.node.names[number]
        return alias.asname or (self.taken[number][1] if alias.name in self.renamed else alias.name)


class Renderer:
    """Turns plans for the statements of one file into edits."""

    def __init__(
        self,
        move: Move,
        path: str,
        source: Source,
        statements: Sequence[Statement],
        plans: Mapping[int, Planned],
    ) -> None:
        self._move, self._path, self._source = move, path, source
        self._statements, self._plans = statements, plans
        self._said: dict[int, str] = {}

    def edits(self) -> Iterator[Edit]:
        """Give the edits of all statements."""
        for plan in self._plans.values():
            layout = Layout(self._source, plan.statement.node)
            for number, entry in enumerate(layout.entries):
                name = plan.statement.node.names[number].name
                if not self._source.text.startswith(name, entry.start):
                    raise Unchangeable(
                        f"{name} is not written in one piece in line {plan.statement.node.lineno}"
                    )
            if isinstance(plan.statement.node, ast.ImportFrom):
                yield from self._from(plan, layout)
            else:
                yield from self._import(plan, layout)

    def said(self, plan: Planned) -> str:
        """Return what a statement has become, in one line."""
        return self._said.get(id(plan), "")

    def _from(self, plan: Planned, layout: Layout) -> Iterator[Edit]:
        count = len(layout.entries)
        groups: dict[str, list[int]] = {}
        for number in sorted(plan.taken):
            groups.setdefault(plan.taken[number][0], []).append(number)
        added, merged = self._alone(plan), []
        for module, numbers in list(groups.items()):
            there = self._there(plan, layout, numbers)
            if there is not None:
                merged += numbers
                yield from there
                del groups[module]
        gone = {*merged, *plan.dropped, *plan.modules}
        kept = [number for number in range(count) if number not in gone and number not in plan.taken]
        first = "" if kept or not groups else next(iter(groups))
        moved = {number for module, numbers in groups.items() if module != first for number in numbers}
        added += [
            self._statement(plan, layout, module, numbers)
            for module, numbers in groups.items()
            if module != first
        ]
        added += dict.fromkeys(plan.added)
        said = [self._one_line(plan, module, numbers) for module, numbers in groups.items()]
        extra = [*self._alone(plan), *plan.added]
        names = ", ".join(plan.statement.node.names[number].name for number in merged)
        self._said[id(plan)] = "; ".join([*said, *dict.fromkeys(extra)]) or f"{names}: imported there already"
        away = gone | moved
        if len(away) == count:
            if added:
                yield layout.statements(added, instead=True)
            else:
                yield layout.gone(only=len(plan.statement.block) == 1)
            return
        if first:
            yield layout.module_edit(first)
            for number in groups[first]:
                entry = layout.entries[number]
                yield Edit(entry.start, entry.end, plan.text(number, self._source))
        yield from layout.without(away)
        if added:
            yield layout.statements(added)

    def _alone(self, plan: Planned) -> list[str]:
        """Return the statements for modules that have no package around them any more."""
        found = []
        for number, target in sorted(plan.modules.items()):
            alias = plan.statement.node.names[number]
            bound = alias.asname or alias.name
            found.append(f"import {target.module}" + (f" as {bound}" if bound != target.module else ""))
        return found

    def _one_line(self, plan: Planned, module: str, numbers: Sequence[int]) -> str:
        return f"from {module} import {', '.join(plan.text(number, self._source) for number in numbers)}"

    def _statement(self, plan: Planned, layout: Layout, module: str, numbers: Sequence[int]) -> str:
        line = self._one_line(plan, module, numbers)
        comments = [
            layout.entries[number].comment if layout.entries[number].line else "" for number in numbers
        ]
        if not layout.alone or (not any(comments) and len(layout.indent) + len(line) <= _WIDTH):
            return line
        names = [
            f"    {plan.text(number, self._source)},{'  ' if comment else ''}{comment}"
            for number, comment in zip(numbers, comments, strict=True)
        ]
        return "\n".join([f"from {module} import (", *names, ")"])

    def _there(self, plan: Planned, layout: Layout, numbers: Sequence[int]) -> list[Edit] | None:
        """Return the edits that give names to an import of the same module beside this one; None: there is none."""
        whole = len(numbers) == len(layout.entries)
        if layout.comment_behind or (layout.comments and whole) or (whole and not layout.alone):
            return None
        if any(layout.entries[number].comment for number in numbers):
            return None
        path = plan.taken[numbers[0]][2]
        for other in self._statements:
            node = other.node
            if (
                other.block is not plan.statement.block
                or id(other) in self._plans
                or not isinstance(node, ast.ImportFrom)
                or node.names[0].name == "*"
                or self._move.origin(self._path, node.level, node.module or "") != path
                or not path
                or not _beside(plan.statement, other)
            ):
                continue
            known = {(alias.name, alias.asname or alias.name) for alias in node.names}
            bound = {alias.asname or alias.name for alias in node.names}
            fresh = [number for number in numbers if (plan.taken[number][1], plan.bound(number)) not in known]
            if any(plan.bound(number) in bound for number in fresh):
                return None
            return [
                self._given(Layout(self._source, node), plan.text(number, self._source)) for number in fresh
            ]
        return None

    def _given(self, layout: Layout, text: str) -> Edit:
        """Return the edit that adds a name to a statement."""
        last = layout.entries[-1]
        if last.line is not None and last.after > last.end:
            start, end = last.line
            indent = self._source.text[start : last.start]
            return Edit(end, end, f"{indent}{text},{self._source.line_mark(last.start)}")
        return Edit(last.end, last.end, f", {text}")

    def _import(self, plan: Planned, layout: Layout) -> Iterator[Edit]:
        known = self._imported_beside(plan.statement)
        gone: set[int] = set()
        texts: list[str] = []
        for number, alias in enumerate(plan.statement.node.names):
            if number not in plan.texts:
                known.add(f"{alias.name} as {alias.asname}" if alias.asname else alias.name)
        for number, words in sorted(plan.texts.items()):
            fresh = [word for word in dict.fromkeys(words) if word not in known]
            known.update(fresh)
            texts += fresh
            entry = layout.entries[number]
            if fresh:
                yield Edit(entry.start, entry.end, ", ".join(fresh))
            else:
                gone.add(number)
        self._said[id(plan)] = f"import {', '.join(texts)}" if texts else "imported there already"
        if len(gone) == len(layout.entries):
            yield layout.gone(only=len(plan.statement.block) == 1)
        elif gone:
            yield from layout.without(gone)

    def _imported_beside(self, statement: Statement) -> set[str]:
        """Return what ``import`` statements in the same block bind already."""
        return {
            f"{alias.name} as {alias.asname}" if alias.asname else alias.name
            for other in self._statements
            if other.block is statement.block
            and isinstance(other.node, ast.Import)
            and id(other) not in self._plans
            and _beside(statement, other)
            for alias in other.node.names
        }


def _beside(statement: Statement, other: Statement) -> bool:
    """Tell whether another import of the block has been carried out before anything could use this one's names."""
    block = statement.block
    here = next(number for number, one in enumerate(block) if one is statement.node)
    there = next(number for number, one in enumerate(block) if one is other.node)
    return there < here or all(isinstance(one, ast.Import | ast.ImportFrom) for one in block[here:there])
