"""Random edits of real Python files that leave them readable, and a plain reckoning of what a merge of them owes."""

from __future__ import annotations

import ast
import random
import re
import sysconfig
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NAMES = (
    "abc.py", "bisect.py", "copy.py", "fnmatch.py", "getopt.py", "graphlib.py", "keyword.py",
    "queue.py", "reprlib.py", "sched.py",
)  # fmt: skip
"""Modules of Python's own library: several hands, several styles, short enough to merge often."""


@cache
def real(name: str) -> str:
    """Return the source of a module of Python's own library."""
    return (Path(sysconfig.get_path("stdlib")) / name).read_text(encoding="utf-8")


@dataclass
class Side:
    """A mutated file and what was done to it."""

    text: str
    added: set[str]
    """Words that occur nowhere else."""
    removed: set[str]
    """Lines, stripped, that the base has once."""


def mutated(text: str, seed: int, edits: int, mark: str, around: float | None = None) -> Side:
    """Apply some edits; ``mark`` makes the words that they add differ from those of the other side.

    ``around`` is a place in the file, from 0 to 1, near which they are done, so that two sides meet.
    """
    chance = random.Random(seed)  # noqa: S311 - the same edits again for the same seed
    now = text
    for number in range(edits):
        edit = chance.choice((
            _inserted,
            _inserted,
            _deleted,
            _replaced,
            _replaced,
            _with_a_function,
            _renamed,
        ))
        after = edit(now, _Choice(chance, now, around), f"{mark}{number}")
        if after is not None and _reads(after):
            now = after
    known = set(re.findall(r"\w+", text))
    words = set(re.findall(r"\w+", now)) - known
    base, left = Counter(_stripped(text)), set(_stripped(now))
    gone = {line for line, count in base.items() if count == 1 and re.search(r"\w", line)} - left
    return Side(now, {word for word in words if word.startswith(mark)}, gone)


@dataclass
class _Choice:
    """Picks nodes of a text by chance, near a place if one is given."""

    chance: random.Random
    text: str
    around: float | None

    def of(self, *kinds: type[ast.AST]) -> ast.AST | None:
        found = [node for node in ast.walk(ast.parse(self.text)) if isinstance(node, kinds)]
        if self.around is not None:
            line = self.around * self.text.count("\n")
            found.sort(key=lambda node: abs(getattr(node, "lineno", 0) - line))
            found = found[:NEAR]
        return self.chance.choice(found) if found else None


NEAR = 5
"""How many of the nodes nearest to a place are chosen from."""


def owed(ours: Side, theirs: Side, base: str, merged: str) -> list[str]:
    """Return what a merge without conflicts lost of both sides, reckoned from what was done, not from how it merges."""
    words = set(re.findall(r"\w+", merged))
    lines = set(_stripped(merged))
    lost = [f"added and lost: {word}" for word in sorted((ours.added | theirs.added) - words)]
    back = [f"removed and back: {line}" for line in sorted((ours.removed | theirs.removed) & lines)]
    known = set(re.findall(r"\w+", base + ours.text + theirs.text))
    return [*lost, *back, *(f"made up: {word}" for word in sorted(words - known))]


def _stripped(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _reads(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _span(statement: ast.AST) -> tuple[int, int, str]:
    """Return first and last line of a statement, as a slice, and its indentation."""
    assert isinstance(statement, ast.stmt)
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(one.lineno for one in decorators)])
    return first - 1, statement.end_lineno or statement.lineno, " " * statement.col_offset


def _inserted(text: str, choice: _Choice, mark: str) -> str | None:
    statement = choice.of(ast.stmt)
    if statement is None:
        return None
    first, last, pad = _span(statement)
    at = choice.chance.choice((first, last))
    lines = text.splitlines(keepends=True)
    return "".join((*lines[:at], f"{pad}{mark}_here = {mark!r}\n", *lines[at:]))


def _deleted(text: str, choice: _Choice, _mark: str) -> str | None:
    statement = choice.of(ast.stmt)
    if statement is None:
        return None
    first, last, _ = _span(statement)
    lines = text.splitlines(keepends=True)
    return "".join((*lines[:first], *lines[last:]))


def _replaced(text: str, choice: _Choice, mark: str) -> str | None:
    """Put a new name where a name, a number or a short text was."""
    node = choice.of(ast.Constant, ast.Name)
    if not isinstance(node, ast.Constant | ast.Name) or node.lineno != node.end_lineno:
        return None
    lines = text.splitlines(keepends=True)
    line = lines[node.lineno - 1]
    if not line.isascii():
        return None
    lines[node.lineno - 1] = f"{line[: node.col_offset]}{mark}_value{line[node.end_col_offset :]}"
    return "".join(lines)


def _with_a_function(text: str, choice: _Choice, mark: str) -> str | None:
    """Add a function after another one, or a method after another one."""
    node = choice.of(ast.FunctionDef)
    if node is None:
        return None
    _, at, pad = _span(node)
    lines = text.splitlines(keepends=True)
    new = f"\n{pad}def {mark}_method(self, {mark}_one):\n{pad}    return {mark}_one\n"
    return "".join((*lines[:at], new, *lines[at:]))


def _renamed(text: str, choice: _Choice, mark: str) -> str | None:
    """Rename one function wherever it is named."""
    node = choice.of(ast.FunctionDef)
    if not isinstance(node, ast.FunctionDef):
        return None
    return re.sub(rf"\b{re.escape(node.name)}\b", f"{mark}_{node.name}", text)
