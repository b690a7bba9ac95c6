"""Pairs of changes that two agents make to one file at once, of the kinds that they make, with what a merge owes.

A kind makes two edits of a file's parts. What is right is made by doing both to the same parts, in either order; no
merge of texts is asked. Kinds that contradict each other have no right result: a conflict, or an objection to what git
merged, is all that a merge may answer.
"""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from pucs.merge.records import Tier, Versions
from tests.rules.merge.pair_additions import ADDING
from tests.rules.merge.pair_changes import CHANGING
from tests.rules.merge.pair_contradictions import CONTRADICTING
from tests.rules.merge.pair_files import applied, read
from tests.rules.merge.pair_kinds import Kind, Owed
from tests.rules.merge.pair_layout import READING
from tests.rules.merge.pair_templates import FILES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.merge.records import Merged
    from tests.rules.merge.pair_files import File

PAIRS = 200
SEED = 7
FREE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
"""Statements whose order in a body nobody owes."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two changes of one file."""

    kind: Kind
    path: str
    base: str
    ours: str
    theirs: str
    right: tuple[str, ...]
    """Results that contain both changes; empty: there is none."""

    def exchanged(self) -> Pair:
        """Return the same pair with ours as theirs."""
        return replace(self, ours=self.theirs, theirs=self.ours)


KINDS: tuple[Kind, ...] = (*ADDING, *CHANGING, *READING, *CONTRADICTING)


def pairs(count: int = PAIRS, seed: int = SEED) -> list[Pair]:
    """Return so many pairs, all kinds in turn; the same seed gives the same pairs."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    files = {path: read(text) for path, text in FILES.items()}
    found: list[Pair] = []
    seen: set[tuple[str, str]] = set()
    while len(found) < count:
        for one in KINDS:
            paths = list(files)
            chance.shuffle(paths)
            for path in paths * 3:
                pair = _pair(one, path, files[path], chance)
                if pair is not None and (pair.ours, pair.theirs) not in seen:
                    seen.add((pair.ours, pair.theirs))
                    found.append(pair)
                    break
    return found[:count]


def _pair(one: Kind, path: str, file: File, chance: random.Random) -> Pair | None:
    made = one.make(file, chance)
    if made is None:
        return None
    ours, theirs, *both = made
    right: tuple[File, ...] = ()
    if one.owed is Owed.ONCE:
        right = (applied(file, ours),)
    elif one.owed is not Owed.NOTHING:
        orders = [(ours, theirs), (theirs, ours)]
        right = tuple(applied(file, *edits) for edits in ([(each,) for each in both] or orders))
    return Pair(
        one,
        path,
        file.text(),
        applied(file, ours).text(),
        applied(file, theirs).text(),
        tuple(each.text() for each in right),
    )


class Outcome(Enum):
    """What became of a pair."""

    RIGHT = "right"
    CONFLICT = "conflict"
    OBJECTED = "objected"
    """Merged by git, and a guard says what is wrong with it."""
    WRONG = "wrong"


def outcome(pair: Pair, merged: Merged) -> Outcome:
    """Judge a merge of a pair."""
    if merged.conflicts:
        return Outcome.CONFLICT
    if pair.kind.owed is Owed.GUESS and merged.tier is Tier.AUTO and not merged.objections:
        return Outcome.WRONG
    text = merged.content.decode()
    if any(likeness(text) == likeness(right) for right in pair.right):
        return Outcome.RIGHT if not merged.objections else Outcome.OBJECTED
    return Outcome.OBJECTED if merged.objections else Outcome.WRONG


def versions(pair: Pair) -> Versions:
    """Return the three files as bytes."""
    return Versions(pair.base.encode(), pair.ours.encode(), pair.theirs.encode())


def likeness(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Return what two results of one merge share if they differ in layout and in the order of definitions alone.

    None for a text that does not parse, which is never right.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    comments = sorted(line.strip() for line in text.splitlines() if line.strip().startswith("#"))
    return _plain(tree), tuple(comments)


def _plain(node: ast.AST) -> str:
    found = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if name in {"type_comment", "kind"}:
            continue
        if not isinstance(value, list):
            found.append(f"{name}={_plain(value) if isinstance(value, ast.AST) else repr(value)}")
            continue
        rows = [_plain(one) if isinstance(one, ast.AST) else repr(one) for one in value]
        if name == "body":
            placed = [row for row, one in zip(rows, value, strict=True) if not isinstance(one, FREE)]
            rows = [*sorted(_atoms(value)), *placed]
        found.append(f"{name}=[{', '.join(rows)}]")
    return f"({' '.join(found)})"


def _atoms(body: list[ast.stmt]) -> Iterator[str]:
    """Yield definitions, and what is imported name by name."""
    for one in body:
        if isinstance(one, (ast.Import, ast.ImportFrom)):
            origin = ("." * one.level, one.module) if isinstance(one, ast.ImportFrom) else ()
            yield from (repr((*origin, alias.name, alias.asname)) for alias in one.names)
        elif isinstance(one, FREE):
            yield _plain(one)
