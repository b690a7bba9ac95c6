"""What agents do to a file, as edits of its parts, and what in a file can be edited so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.rules.merge.pair_files import Code, Edit, File, Function, parsed

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def added(source: str, after: str | None = None) -> Edit:
    """Return the edit that adds a function after another one, or at the end."""

    def edit(file: File) -> None:
        new = parsed(source)
        if after is None:
            file.parts.append(new)
            return
        old = file.function(after)
        row = file.row_of(old)
        row.insert(next(i for i, one in enumerate(row) if one is old) + 1, new)

    return edit


def method(source: str, owner: str) -> Edit:
    """Return the edit that adds a method at the end of a class."""
    return lambda file: file.class_(owner).methods.append(parsed(source))


def changing(key: str, change: Callable[[Function], None]) -> Edit:
    """Return an edit of one function."""
    return lambda file: change(file.function(key))


def in_code(key: str, change: Callable[[list[str]], None]) -> Edit:
    """Return an edit of rows outside functions."""
    return lambda file: change(file.code(key).rows)


def together(*edits: Edit) -> Edit:
    """Return several edits as one."""

    def edit(file: File) -> None:
        for one in edits:
            one(file)

    return edit


def row_changed(key: str, old: str, new: str) -> Edit:
    """Return the edit that replaces one row of a function."""

    def change(found: Function) -> None:
        found.body[found.body.index(old)] = new

    return changing(key, change)


def row_added(key: str, after: str, new: str) -> Edit:
    """Return the edit that adds a row to a function below another."""
    return changing(key, lambda found: found.body.insert(found.body.index(after) + 1, new))


def altered(row: str, salt: int) -> str | None:
    """Return a row with another value in it, another one for each salt; None: nothing to alter."""
    if number := re.search(r"(?<![\w.\"])\d+(?![\w.\"])", row):
        return row[: number.start()] + str(int(number[0]) + salt) + row[number.end() :]
    if text := re.search(r'"(\w+)"', row):
        return row[: text.end(1)] + f"_{salt}" + row[text.end(1) :]
    return None


def altering(key: str, row: str, salt: int = 1) -> Edit:
    """Return the edit that alters the value in one row of a function."""
    new = altered(row, salt)
    assert new is not None
    return row_changed(key, row, new)


def deleted(key: str) -> Edit:
    """Return the edit that deletes a function."""

    def edit(file: File) -> None:
        old = file.function(key)
        row = file.row_of(old)
        del row[next(i for i, one in enumerate(row) if one is old)]

    return edit


def moved_to_end(key: str) -> Edit:
    """Return the edit that moves a function to the end of what it stands in."""

    def edit(file: File) -> None:
        old = file.function(key)
        row = file.row_of(old)
        del row[next(i for i, one in enumerate(row) if one is old)]
        row.append(old)

    return edit


def renamed(key: str, new: str) -> Edit:
    """Return the edit that gives a function another name, also where the file calls it."""

    def edit(file: File) -> None:
        old = file.function(key)
        pattern = re.compile(rf"\b{re.escape(old.name)}\b(?=\()")
        old.name = new
        for one in file.functions():
            one.body = [pattern.sub(new, row) for row in one.body]

    return edit


def free(file: File) -> list[Function]:
    """Return functions that nothing else in the file calls, so that they can go or take another name alone."""
    text = file.text()
    return [
        one
        for one in file.functions()
        if len(re.findall(rf"\b{one.name}\b", text)) == 1 and not one.name.startswith("__")
    ]


def top(file: File) -> list[Function]:
    """Return functions outside classes."""
    return [one for one in file.parts if isinstance(one, Function)]


def straight(found: Function) -> list[str]:
    """Return the rows on a function's own level that a value can be altered in."""
    return [
        row
        for row in found.body
        if not row.startswith((" ", "#", "if", "for", "with", "else", "elif"))
        and found.body.count(row) == 1
        and altered(row, 1)
    ]


def two(chance: random.Random, pool: tuple[str, ...]) -> tuple[str, str]:
    """Return two different ones."""
    one, other = chance.sample(pool, 2)
    return one, other


def a_function(
    file: File, chance: random.Random, fits: Callable[[Function], object] = bool
) -> Function | None:
    """Return a function that fits, None if there is none."""
    found = [one for one in file.functions() if fits(one)]
    return chance.choice(found) if found else None


def bracket(file: File, chance: random.Random, begins: tuple[str, ...] = ("[", "{")) -> Code | None:
    """Return a list or dict with one entry a line."""
    found = [one for one in file.codes() if len(one.rows) > 2 and one.rows[0].endswith(begins)]
    return chance.choice(found) if found else None


def entry(code: Code, word: str) -> str:
    """Return a row that fits into a list or dict."""
    return f'    "{word}": "{word}_value",' if code.rows[0].endswith("{") else f'    "{word}",'


def constants(file: File) -> list[Code]:
    """Return blocks of constants, one a line."""
    return [one for one in file.codes() if len(one.rows) >= 3 and all(" = " in row for row in one.rows)]
