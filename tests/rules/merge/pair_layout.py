"""Kinds of pairs in which one agent changes how the code looks or reads, and the other what is beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.rules.merge.pair_edits import (
    a_function,
    altered,
    altering,
    changing,
    in_code,
    row_added,
    row_changed,
    straight,
    together,
)
from tests.rules.merge.pair_kinds import Kind, Owed, kind

if TYPE_CHECKING:
    import random

    from tests.rules.merge.pair_files import File, Function
    from tests.rules.merge.pair_kinds import Made

READING: list[Kind] = []


@kind(READING, Owed.BOTH, 1.0)
def wrapped_and_edited(file: File, chance: random.Random) -> Made | None:
    """One wraps a signature over several lines, the other changes the first row below it."""
    found = a_function(file, chance, lambda one: len(one.parameters) > 1 and altered(one.body[0], 1))
    if found is None:
        return None

    def wrap(each: Function) -> None:
        each.wrapped = True

    row = found.body[0]
    return changing(found.key, wrap), together(
        altering(found.key, row), changing(found.key, lambda each: each.doc.clear())
    )


@kind(READING, Owed.BOTH, 1.0)
def wrapped_and_extended(file: File, chance: random.Random) -> Made | None:
    """One wraps a signature over several lines, the other adds a parameter."""
    found = a_function(file, chance, lambda one: len(one.parameters) > 1)
    if found is None:
        return None

    def wrap(each: Function) -> None:
        each.wrapped = True

    return changing(found.key, wrap), changing(found.key, lambda each: each.parameters.append("strict=False"))


def _quotes(file: File) -> None:
    """Write short strings with single quotes, as a formatter may."""

    def turned(row: str) -> str:
        return row if '"""' in row or "'" in row else row.replace('"', "'")

    for function in file.functions():
        function.body = [turned(row) for row in function.body]
        function.parameters = [turned(each) for each in function.parameters]
        function.decorators = [turned(row) for row in function.decorators]
    for code in file.codes():
        code.rows = [turned(row) for row in code.rows]


@kind(READING, Owed.BOTH, 1.0)
def quotes_and_edited(file: File, chance: random.Random) -> Made | None:
    """One turns all quotes, the other changes a row."""
    found = a_function(file, chance, lambda one: any('"' in row for row in straight(one)))
    if found is None:
        return None
    row = chance.choice([each for each in straight(found) if '"' in each])
    new = altered(row, 1) or ""
    at = found.body.index(row)

    def edit(each: Function) -> None:
        each.body[at] = (
            new.replace('"', each.body[at][each.body[at].index("'")]) if "'" in each.body[at] else new
        )

    return _quotes, changing(found.key, edit)


@kind(READING, Owed.BOTH, 1.0)
def list_wrapped_and_extended(file: File, chance: random.Random) -> Made | None:
    """One writes a list with one entry a line, the other adds an entry."""
    found = [(one, i) for one in file.codes() for i, row in enumerate(one.rows) if re.search(r"\[.+\]$", row)]
    if not found:
        return None
    code, at = chance.choice(found)
    begin, inside = re.split(r"\[", code.rows[at][:-1], maxsplit=1)
    word = chance.choice(["alpha", "beta", "gamma"])
    rows = [f"    {each.strip()}," for each in inside.split(",")]
    last = f'    "{word}",'

    def wrap(each: list[str]) -> None:
        each[at : at + 1] = [f"{begin}[", *rows, "]"]

    def extend(each: list[str]) -> None:
        each[at] = f'{begin}[{inside}, "{word}"]'

    def both(each: list[str]) -> None:
        each[at : at + 1] = [f"{begin}[", *rows, last, "]"]

    return in_code(code.key, wrap), in_code(code.key, extend), in_code(code.key, both)


@kind(READING, Owed.BOTH, 0.0, 1.0)
def docstrings_apart(file: File, chance: random.Random) -> Made | None:
    """Both change a docstring, in sentences on neighbouring lines."""
    found = a_function(file, chance, lambda one: len(one.doc) > 3)
    if found is None:
        return None
    return (
        changing(found.key, lambda each: each.doc.__setitem__(2, "This is said in other words.")),
        changing(found.key, lambda each: each.doc.__setitem__(3, "And this as well.")),
    )


@kind(READING, Owed.BOTH, 0.0, 1.0)
def docstring_of_one_line(file: File, chance: random.Random) -> Made | None:
    """Both change a docstring of one line, in different sentences."""
    found = a_function(file, chance, lambda one: len(one.doc) == 1 and one.doc[0].count(". ") == 1)
    if found is None:
        return None
    head, tail = found.doc[0].split(". ")

    def both(each: Function) -> None:
        each.doc = ["Do what the name says. Nothing else is touched."]

    return (
        changing(found.key, lambda each: each.doc.__setitem__(0, f"Do what the name says. {tail}")),
        changing(found.key, lambda each: each.doc.__setitem__(0, f"{head}. Nothing else is touched.")),
        changing(found.key, both),
    )


@kind(READING, Owed.BOTH, 1.0)
def put_inside_and_edited(file: File, chance: random.Random) -> Made | None:
    """One puts a block inside `try`, `with` or `if`, the other changes a row in it."""
    found = a_function(file, chance, lambda one: len(one.body) > 2 and straight(one))
    if found is None:
        return None
    row = chance.choice(straight(found))
    before, after = chance.choice([
        (["try:"], ["except ValueError:", "    raise"]),
        (["with open(__file__):"], []),
        (["if __debug__:"], []),
    ])

    def wrap(each: Function) -> None:
        inside = [f"    {one}" if one else "" for one in each.body]
        each.body = [*before, *inside, *after]

    def edit(each: Function) -> None:
        at = next(i for i, one in enumerate(each.body) if one.strip() == row)
        each.body[at] = each.body[at].replace(row, altered(row, 1) or "")

    return changing(found.key, wrap), changing(found.key, edit)


@kind(READING, Owed.BOTH, 1.0)
def hints_and_body(file: File, chance: random.Random) -> Made | None:
    """One adds type hints to a signature, the other changes the first row of the body."""
    found = a_function(file, chance, lambda one: altered(one.body[0], 1) and "=" not in one.parameters[:1])
    if found is None:
        return None

    def typed(each: Function) -> None:
        each.parameters = [
            one if "=" in one or one == "self" else f"{one}: object" for one in each.parameters
        ]
        each.returns = "object"

    row = found.body[0]
    return (
        together(changing(found.key, typed), changing(found.key, lambda each: each.doc.clear())),
        altering(found.key, row),
    )


@kind(READING, Owed.BOTH, 1.0)
def comment_and_code(file: File, chance: random.Random) -> Made | None:
    """One adds a comment above a row, the other changes the row."""
    found = a_function(file, chance, straight)
    if found is None:
        return None
    row = chance.choice(straight(found))
    at = found.body.index(row)
    return (
        changing(found.key, lambda each: each.body.insert(at, "# This is what everybody expects.")),
        changing(found.key, lambda each: _alter_in(each, row)),
    )


def _alter_in(each: Function, row: str) -> None:
    each.body[each.body.index(row)] = altered(row, 1) or ""


@kind(READING, Owed.BOTH, 1.0)
def comment_above_and_signature(file: File, chance: random.Random) -> Made | None:
    """One changes the comment above a function, the other its signature."""
    found = a_function(file, chance, lambda one: one.above)
    if found is None:
        return None
    word = chance.choice(["Called at night.", "Slow for many.", "Kept for old callers."])
    return (
        changing(found.key, lambda each: each.above.__setitem__(0, f"# {word}")),
        changing(found.key, lambda each: each.parameters.append("strict=False")),
    )


@kind(READING, Owed.BOTH, 1.0)
def formatted_strings_and_rows(file: File, chance: random.Random) -> Made | None:
    """One turns `%` into an f-string, the other adds a row below."""
    pattern = re.compile(r'"([^"]*)%[ds]([^"]*)" % (.*)\)$')
    found = [(one.key, row) for one in file.functions() for row in one.body if pattern.search(row)]
    if not found:
        return None
    key, row = chance.choice(found)
    turn = row_changed(key, row, pattern.sub(r'f"\1{\3}\2")', row))
    add = row_added(key, row, "checked = True")
    return turn, add, together(add, turn)


@kind(READING, Owed.BOTH, 1.0)
def formatted_string_and_row_above(file: File, chance: random.Random) -> Made | None:
    """One turns `%` into an f-string, the other changes the row above."""
    pattern = re.compile(r'"([^"]*)%[ds]([^"]*)" % (.*)\)$')
    found = [
        (one.key, above, row)
        for one in file.functions()
        for above, row in zip(one.body, one.body[1:], strict=False)
        if pattern.search(row) and above in straight(one)
    ]
    if not found:
        return None
    key, above, row = chance.choice(found)
    return row_changed(key, row, pattern.sub(r'f"\1{\3}\2")', row)), altering(key, above)


@kind(READING, Owed.BOTH, 1.0)
def asynchronous_and_edited(file: File, chance: random.Random) -> Made | None:
    """One makes a function asynchronous, the other changes its docstring on the line below."""
    found = a_function(file, chance, lambda one: len(one.doc) == 1)
    if found is None:
        return None

    def turned(each: Function) -> None:
        each.word = "async def"

    return changing(found.key, turned), changing(found.key, lambda each: each.doc.__setitem__(0, "Say more."))
