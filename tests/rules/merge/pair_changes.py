"""Kinds of pairs in which at least one agent changes what the code does, and both changes have room."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.rules.merge.pair_edits import (
    a_function,
    added,
    altered,
    altering,
    bracket,
    changing,
    constants,
    deleted,
    entry,
    free,
    in_code,
    moved_to_end,
    renamed,
    row_added,
    row_changed,
    straight,
    together,
    top,
)
from tests.rules.merge.pair_files import parsed
from tests.rules.merge.pair_kinds import Kind, Owed, kind
from tests.rules.merge.pair_templates import ADDITIONS, IMPORTS, METHODS

if TYPE_CHECKING:
    import random

    from tests.rules.merge.pair_files import Code, Edit, File, Function
    from tests.rules.merge.pair_kinds import Made

CHANGING: list[Kind] = []


@kind(CHANGING, Owed.BOTH, 1.0)
def import_added_and_removed(file: File, chance: random.Random) -> Made | None:
    """One removes an import, the other adds one right below."""
    at = chance.randrange(len(file.imports))
    gone, new = file.imports[at], chance.choice(IMPORTS)
    used = gone[1] or [gone[0]]
    if any(len(re.findall(rf"\b{name}\b", file.text())) > 1 for name in used):
        return None

    def remove(each: File) -> None:
        each.imports.remove(gone)

    def add(each: File) -> None:
        where = each.imports.index(gone) + 1 if gone in each.imports else at
        each.imports.insert(where, new)

    return remove, add


@kind(CHANGING, Owed.BOTH, 1.0)
def names_added_and_removed(file: File, chance: random.Random) -> Made | None:
    """One removes a name from an import of several, the other adds one to it."""
    found = [
        (module, name)
        for module, names in file.imports
        if len(names) > 1
        for name in names
        if len(re.findall(rf"\b{name}\b", file.text())) == 1
    ]
    if not found:
        return None
    module, name = chance.choice(found)
    new = chance.choice(["aware", "bare", "checked", "zoned"])
    return (
        lambda each: dict(each.imports)[module].remove(name),
        lambda each: dict(each.imports)[module].append(new),
    )


@kind(CHANGING, Owed.BOTH, 1.0)
def parameter_and_default(file: File, chance: random.Random) -> Made | None:
    """One adds a parameter, the other changes the default of another."""
    found = a_function(file, chance, lambda one: any(altered(each, 1) for each in one.parameters))
    if found is None:
        return None
    at = next(i for i, each in enumerate(found.parameters) if altered(each, 1))
    new = altered(found.parameters[at], 5) or ""
    return (
        changing(found.key, lambda each: each.parameters.append("strict=False")),
        changing(found.key, lambda each: each.parameters.__setitem__(at, new)),
    )


@kind(CHANGING, Owed.BOTH, 1.0)
def parameter_and_docstring(file: File, chance: random.Random) -> Made | None:
    """One adds a parameter, the other rewrites the docstring below."""
    found = a_function(file, chance, lambda one: len(one.doc) == 1)
    if found is None:
        return None
    return (
        changing(found.key, lambda each: each.parameters.append("strict=False")),
        changing(found.key, lambda each: each.doc.__setitem__(0, "Say it better.")),
    )


@kind(CHANGING, Owed.BOTH, 1.0)
def parameter_and_body(file: File, chance: random.Random) -> Made | None:
    """One adds a parameter, the other changes a row of the body."""
    found = a_function(file, chance, straight)
    if found is None:
        return None
    row = chance.choice(straight(found))
    return changing(found.key, lambda each: each.parameters.append("strict=False")), altering(found.key, row)


@kind(CHANGING, Owed.BOTH, 1.0)
def parameter_and_result(file: File, chance: random.Random) -> Made | None:
    """One adds a parameter, the other the type of the result."""
    found = a_function(file, chance)
    if found is None:
        return None

    def typed(each: Function) -> None:
        each.returns = "object"

    return changing(found.key, lambda each: each.parameters.append("strict=False")), changing(
        found.key, typed
    )


@kind(CHANGING, Owed.BOTH, 1.0)
def decorator_and_signature(file: File, chance: random.Random) -> Made | None:
    """One adds a decorator, the other a parameter on the line below."""
    found = a_function(file, chance, lambda one: not any("pytest" in row for row in one.decorators))
    if found is None:
        return None
    known = ("shop.wrapping", ["traced"])
    return (
        together(
            lambda each: each.imports.append(known),
            changing(found.key, lambda each: each.decorators.append("@traced")),
        ),
        changing(found.key, lambda each: each.parameters.append("strict=False")),
    )


@kind(CHANGING, Owed.BOTH, 1.0)
def renamed_and_edited(file: File, chance: random.Random) -> Made | None:
    """One renames a function, the other changes its body."""
    found = [one for one in file.functions() if straight(one) and not one.name.startswith("__")]
    one = chance.choice(found)
    row = chance.choice(straight(one))
    return renamed(one.key, f"{one.name}_now"), altering(one.key, row)


@kind(CHANGING, Owed.BOTH, 0.0, 1.0)
def renamed_and_extended(file: File, chance: random.Random) -> Made | None:
    """One renames a function, the other adds a parameter to it."""
    one = chance.choice(free(file))
    return (
        renamed(one.key, f"{one.name}_now"),
        changing(one.key, lambda each: each.parameters.append("strict=False")),
    )


@kind(CHANGING, Owed.BOTH, 1.0)
def moved_and_edited(file: File, chance: random.Random) -> Made | None:
    """One moves a function to the end, the other changes its body."""
    found = [
        one
        for one in file.functions()
        if straight(one) and one is not file.row_of(one)[-1] and "fixture" not in "".join(one.decorators)
    ]
    one = chance.choice(found)
    return moved_to_end(one.key), altering(one.key, chance.choice(straight(one)))


@kind(CHANGING, Owed.BOTH, 1.0)
def deleted_and_added(file: File, chance: random.Random) -> Made | None:
    """One deletes a function, the other adds one right below it."""
    one = chance.choice(free(file))
    source = chance.choice(ADDITIONS if one in top(file) else METHODS)
    add, delete = added(source, one.key), deleted(one.key)
    return delete, add, together(add, delete)


def _extracted(found: Function, count: int) -> tuple[Edit, list[str]] | None:
    """Return the edit that takes the first rows out into a new function, and those rows."""
    rows = found.body[:count]
    if any(row.startswith((" ", "if", "for", "with", "return", "#")) for row in rows):
        return None
    if "." in found.key or any(" = " not in row for row in rows):
        return None
    names = [row.split(" = ")[0] for row in rows]
    if any(not name.isidentifier() for name in names) or "(" in "".join(found.parameters):
        return None
    arguments = [one.partition("=")[0] for one in found.parameters]
    result = ", ".join(names)
    name = f"{found.name}_parts"
    source = "\n".join([
        f"def {name}({', '.join(arguments)}):",
        *(f"    {row}" for row in rows),
        f"    return {result}",
        "",
    ])

    def edit(file: File) -> None:
        old = file.function(found.key)
        new = parsed(source)
        new.body[:count] = old.body[:count]
        old.body[:count] = [f"{result} = {name}({', '.join(arguments)})"]
        file.parts.insert(next(i for i, one in enumerate(file.parts) if one is old), new)

    return edit, rows


@kind(CHANGING, Owed.BOTH, 1.0)
def extracted_and_edited_elsewhere(file: File, chance: random.Random) -> Made | None:
    """One takes a helper out of a function, the other changes another row of it."""
    found = a_function(
        file, chance, lambda one: _extracted(one, 2) and set(straight(one)) & set(one.body[2:])
    )
    if found is None:
        return None
    made = _extracted(found, 2)
    assert made is not None
    row = chance.choice([each for each in straight(found) if each in found.body[2:]])
    return made[0], altering(found.key, row)


@kind(CHANGING, Owed.BOTH)
def extracted_and_edited_there(file: File, chance: random.Random) -> Made | None:
    """One takes a helper out of a function, the other changes a row that went out."""
    found = a_function(
        file, chance, lambda one: _extracted(one, 2) and set(straight(one)) & set(one.body[:2])
    )
    if found is None:
        return None
    made = _extracted(found, 2)
    assert made is not None
    edit = altering(found.key, chance.choice([each for each in straight(found) if each in made[1]]))
    return made[0], edit, together(edit, made[0])


@kind(CHANGING, Owed.ONCE, 1.0)
def same_fix(file: File, chance: random.Random) -> Made | None:
    """Both fix the same bug alike."""
    found = a_function(file, chance, straight)
    if found is None:
        return None
    edit = altering(found.key, chance.choice(straight(found)))
    return edit, edit


@kind(CHANGING, Owed.BOTH, 1.0)
def same_fix_and_more(file: File, chance: random.Random) -> Made | None:
    """Both fix the same bug alike, and one adds a row below."""
    found = a_function(file, chance, lambda one: any(" = " in row for row in straight(one)))
    if found is None:
        return None
    row = chance.choice([each for each in straight(found) if " = " in each])
    fix = altering(found.key, row)
    more = together(row_added(found.key, row, "checked = True"), fix)
    return more, fix, more


@kind(CHANGING, Owed.ONCE, 1.0)
def version_alike(file: File, chance: random.Random) -> Made | None:
    """Both raise the version to the same number."""
    edit = _versioned(file, "3.0.0")
    return None if edit is None else (edit, edit)


@kind(CHANGING, Owed.BOTH, 1.0)
def version_apart(file: File, chance: random.Random) -> Made | None:
    """Both raise the version, one of them further: the higher one counts."""
    lower, higher = _versioned(file, "2.9.1"), _versioned(file, "3.0.0")
    if lower is None or higher is None:
        return None
    return (lower, higher, higher) if chance.random() < 0.5 else (higher, lower, higher)


def _versioned(file: File, number: str) -> Edit | None:
    pattern = re.compile(r'(__version__|VERSION) = ".*"')
    found = next((code for code in file.codes() if any(map(pattern.fullmatch, code.rows))), None)
    if found is None:
        return None
    rows = [pattern.sub(rf'\1 = "{number}"', row) for row in found.rows]
    return in_code(found.key, lambda each: each.__setitem__(slice(None), rows))


def _block(file: File, chance: random.Random) -> tuple[Code, int] | None:
    found = [(one, i) for one in constants(file) for i, row in enumerate(one.rows) if altered(row, 1)]
    return chance.choice(found) if found else None


@kind(CHANGING, Owed.BOTH, 1.0)
def constant_changed_and_added(file: File, chance: random.Random) -> Made | None:
    """One changes a constant, the other adds one right below."""
    block = _block(file, chance)
    if block is None:
        return None
    code, at = block
    new = altered(code.rows[at], 5) or ""
    return (
        in_code(code.key, lambda rows: rows.__setitem__(at, new)),
        in_code(code.key, lambda rows: rows.insert(at + 1, "DEPTH = 4")),
    )


@kind(CHANGING, Owed.BOTH, 1.0)
def adjacent_constants(file: File, chance: random.Random) -> Made | None:
    """Both change a constant, one right below the other."""
    found = [
        (one, i)
        for one in constants(file)
        for i in range(len(one.rows) - 1)
        if altered(one.rows[i], 1) and altered(one.rows[i + 1], 1)
    ]
    if not found:
        return None
    code, at = chance.choice(found)
    one, other = altered(code.rows[at], 5) or "", altered(code.rows[at + 1], 7) or ""
    return (
        in_code(code.key, lambda rows: rows.__setitem__(at, one)),
        in_code(code.key, lambda rows: rows.__setitem__(at + 1, other)),
    )


@kind(CHANGING, Owed.BOTH, 1.0)
def adjacent_rows(file: File, chance: random.Random) -> Made | None:
    """Both change a row of one function, one right below the other."""
    found = [
        (one.key, row, after)
        for one in file.functions()
        for row, after in zip(one.body, one.body[1:], strict=False)
        if row in straight(one) and after in straight(one)
    ]
    if not found:
        return None
    key, row, after = chance.choice(found)
    return altering(key, row), altering(key, after, 3)


@kind(CHANGING, Owed.BOTH, 1.0)
def entry_deleted_and_added(file: File, chance: random.Random) -> Made | None:
    """One deletes an entry of a list or dict, the other adds one beside it."""
    found = bracket(file, chance)
    if found is None:
        return None
    gone = found.rows[-2]
    new = entry(found, chance.choice(["alpha", "beta", "gamma"]))
    return in_code(found.key, lambda rows: rows.remove(gone)), in_code(
        found.key, lambda rows: rows.insert(-1, new)
    )


@kind(CHANGING, Owed.BOTH, 0.0, 1.0)
def arguments_of_one_call(file: File, chance: random.Random) -> Made | None:
    """One changes an argument of a call, the other adds one to the same call."""
    pattern = re.compile(r"\w\(([^(),]+), [^()]+\)$")
    found = [(one.key, row) for one in file.functions() for row in one.body if pattern.search(row)]
    if not found:
        return None
    key, row = chance.choice(found)
    first = pattern.search(row)
    assert first is not None
    new = f"{row[: first.start(1)]}{first[1]} or None{row[first.end(1) :]}"
    return (
        row_changed(key, row, new),
        row_changed(key, row, f"{row[:-1]}, strict=True)"),
        row_changed(key, row, f"{new[:-1]}, strict=True)"),
    )


@kind(CHANGING, Owed.BOTH, 1.0)
def edited_and_added_below(file: File, chance: random.Random) -> Made | None:
    """One changes the last row of a function, the other adds a function below it."""
    found = [one for one in file.functions() if altered(one.body[-1], 1) and not one.body[-1].startswith(" ")]
    if not found:
        return None
    one = chance.choice(found)
    source = chance.choice(ADDITIONS if one in top(file) else METHODS)
    return altering(one.key, one.body[-1]), added(source, one.key)


@kind(CHANGING, Owed.BOTH, 1.0)
def base_and_attribute(file: File, chance: random.Random) -> Made | None:
    """One gives a class a base, the other an attribute at the top."""
    found = [one.key for one in file.classes() if "(" not in one.head and one.rows]
    if not found:
        return None
    key = chance.choice(found)

    def based(each: File) -> None:
        each.class_(key).head = f"class {key}(object):"

    def attribute(each: File) -> None:
        each.class_(key).doc = ["What it is."]
        each.class_(key).rows.insert(0, "kind: str")

    return based, attribute


@kind(CHANGING, Owed.BOTH)
def moved_two_ways(file: File, chance: random.Random) -> Made | None:
    """Both move the same function, to different places: it may stand at either, once."""
    row = top(file)
    if len(row) < 4:
        return None
    one = row[1]

    def up(each: File) -> None:
        old = each.function(one.key)
        each.parts.remove(old)
        each.parts.insert(each.parts.index(each.function(row[0].key)), old)

    return moved_to_end(one.key), up, up


@kind(CHANGING, Owed.BOTH)
def row_moved_and_edited(file: File, chance: random.Random) -> Made | None:
    """One moves a row of a function down, the other changes it."""
    found = [
        (one.key, row)
        for one in file.functions()
        for row, after in zip(one.body, one.body[1:], strict=False)
        if row in straight(one) and after in straight(one) and " = " in row
    ]
    if not found:
        return None
    key, row = chance.choice(found)
    new = altered(row, 1) or ""

    def down(each: Function) -> None:
        at = next(i for i, one in enumerate(each.body) if one in {row, new})
        each.body.insert(at + 1, each.body.pop(at))

    return changing(key, down), altering(key, row)


@kind(CHANGING, Owed.BOTH, 1.0)
def condition_gone_and_extended(file: File, chance: random.Random) -> Made | None:
    """One takes a condition or loop away from around a row, the other adds a row inside."""
    found = [
        (one.key, at)
        for one in file.functions()
        for at, row in enumerate(one.body[:-1])
        if row.startswith(("if ", "for ", "with "))
        and one.body[at + 1].startswith("    ")
        and not one.body[at + 1].startswith(("    if", "    return", "    for"))
        and (at + 2 == len(one.body) or not one.body[at + 2].startswith((" ", "el")))
    ]
    if not found:
        return None
    key, at = chance.choice(found)

    def gone(each: Function) -> None:
        end = next((i for i in range(at + 1, len(each.body)) if each.body[i][:1] != " "), len(each.body))
        each.body[at:end] = [row[4:] for row in each.body[at + 1 : end]]

    def more(each: Function) -> None:
        each.body.insert(at + 2, '    print("working")')

    return changing(key, gone), changing(key, more), together(changing(key, more), changing(key, gone))


@kind(CHANGING, Owed.BOTH, 1.0)
def parameters_turned_and_added(file: File, chance: random.Random) -> Made | None:
    """One lets two parameters change places, the other adds one at the end."""
    found = a_function(
        file,
        chance,
        lambda one: len(one.parameters) > 1 and "=" not in one.parameters[1] and one.parameters[0] != "self",
    )
    if found is None:
        return None

    def turn(each: Function) -> None:
        each.parameters[:2] = each.parameters[1::-1]

    return changing(found.key, turn), changing(found.key, lambda each: each.parameters.append("strict=False"))


@kind(CHANGING, Owed.BOTH)
def inlined_and_edited(file: File, chance: random.Random) -> Made | None:
    """One writes a variable's value where it is used and deletes the variable, the other changes the value."""
    found = [
        (one.key, row)
        for one in file.functions()
        for row in straight(one)
        if " = " in row
        and len(re.findall(rf"\b{re.escape(row.split(' = ')[0])}\b", "\n".join(one.body))) == 2
        and row.split(" = ")[0].isidentifier()
    ]
    if not found:
        return None
    key, row = chance.choice(found)
    name, _, value = row.partition(" = ")

    def inlined(value: str) -> Edit:
        def inline(each: Function) -> None:
            each.body.remove(row)
            each.body = [re.sub(rf"\b{name}\b", lambda _: f"({value})", one) for one in each.body]

        return changing(key, inline)

    return inlined(value), altering(key, row), inlined((altered(row, 1) or "").removeprefix(f"{name} = "))
