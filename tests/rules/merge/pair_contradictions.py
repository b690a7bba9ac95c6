"""Kinds of pairs that contradict each other: whatever is made of them silently is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.rules.merge.pair_edits import (
    a_function,
    added,
    altered,
    bracket,
    changing,
    constants,
    deleted,
    free,
    in_code,
    method,
    renamed,
    row_added,
    row_changed,
    straight,
    top,
    two,
)
from tests.rules.merge.pair_files import parsed
from tests.rules.merge.pair_kinds import Kind, Owed, kind
from tests.rules.merge.pair_templates import ADDITIONS, METHODS

if TYPE_CHECKING:
    import random

    from tests.rules.merge.pair_files import Edit, File, Function
    from tests.rules.merge.pair_kinds import Made

CONTRADICTING: list[Kind] = []


@kind(CONTRADICTING, Owed.NOTHING)
def deleted_and_edited(file: File, chance: random.Random) -> Made | None:
    """One deletes a function, the other changes it."""
    found = [one for one in free(file) if straight(one)]
    one = chance.choice(found)
    row = chance.choice(straight(one))
    return deleted(one.key), row_changed(one.key, row, altered(row, 1) or "")


@kind(CONTRADICTING, Owed.NOTHING)
def one_row_two_ways(file: File, chance: random.Random) -> Made | None:
    """Both change the same value in the same row, differently."""
    found = a_function(file, chance, straight)
    if found is None:
        return None
    row = chance.choice(straight(found))
    return row_changed(found.key, row, altered(row, 2) or ""), row_changed(
        found.key, row, altered(row, 5) or ""
    )


@kind(CONTRADICTING, Owed.NOTHING)
def fixed_two_ways(file: File, chance: random.Random) -> Made | None:
    """Both fix the same bug, differently."""
    found = a_function(file, chance, lambda one: one.body[-1].startswith("return ") and " " in one.body[-1])
    if found is None:
        return None
    row = found.body[-1]
    value = row.removeprefix("return ")
    checked = changing(found.key, lambda each: each.body.__setitem__(-1, f"return ({value}) or None"))

    def early(each: Function) -> None:
        each.body[-1:] = [
            f"result = {value}",
            "if not result:",
            '    raise ValueError("nothing")',
            "return result",
        ]

    return checked, changing(found.key, early)


@kind(CONTRADICTING, Owed.NOTHING)
def rewritten_two_ways(file: File, chance: random.Random) -> Made | None:
    """Both write the body of a function anew."""
    found = a_function(file, chance, lambda one: len(one.body) > 2)
    if found is None:
        return None
    one, other = two(chance, tuple(text for text in ADDITIONS if "    return" in text))

    def body(source: str) -> Edit:
        return changing(found.key, lambda each: setattr(each, "body", parsed(source).body))

    return body(one), body(other)


@kind(CONTRADICTING, Owed.NOTHING)
def one_name_two_bodies(file: File, chance: random.Random) -> Made | None:
    """Both add a function of the same name at the same place, with different bodies."""
    one, other = two(chance, ADDITIONS)
    return added(_named(one, "shared")), added(_named(other, "shared"))


@kind(CONTRADICTING, Owed.NOTHING)
def one_name_two_places(file: File, chance: random.Random) -> Made | None:
    """Both add a function of the same name at different places, with different bodies."""
    one, other = two(chance, ADDITIONS)
    return added(_named(one, "shared"), top(file)[0].key), added(_named(other, "shared"))


def _named(source: str, name: str) -> str:
    return re.sub(r"def \w+\(", f"def {name}(", source, count=1)


@kind(CONTRADICTING, Owed.NOTHING)
def one_function_two_places(file: File, chance: random.Random) -> Made | None:
    """Both add the same function at different places."""
    source = chance.choice(ADDITIONS)
    return added(source, top(file)[0].key), added(source)


@kind(CONTRADICTING, Owed.NOTHING)
def one_method_two_bodies(file: File, chance: random.Random) -> Made | None:
    """Both add a method of the same name, with different bodies."""
    if not file.classes():
        return None
    owner = chance.choice(file.classes()).key
    one, other = two(chance, METHODS)
    return method(_named(one, "shared"), owner), method(_named(other, "shared"), owner)


@kind(CONTRADICTING, Owed.NOTHING)
def import_gone_and_used(file: File, chance: random.Random) -> Made | None:
    """One removes an import that is not used, the other begins to use it."""
    found = [
        (module, name or module)
        for module, names in file.imports
        for name in names or [""]
        if len(re.findall(rf"\b{name or module}\b", file.text())) == 1
    ]
    if not found:
        return None
    module, name = chance.choice(found)

    def remove(each: File) -> None:
        names = dict(each.imports)[module]
        if name in names:
            names.remove(name)
        if not names:
            each.imports = [one for one in each.imports if one[0] != module]

    one = chance.choice(top(file))
    return remove, changing(one.key, lambda each: each.body.insert(0, f"print({name})"))


@kind(CONTRADICTING, Owed.NOTHING)
def function_gone_and_called(file: File, chance: random.Random) -> Made | None:
    """One deletes a function, the other adds one that calls it."""
    found = [one for one in free(file) if one in top(file)]
    if not found:
        return None
    one = chance.choice(found)
    caller = f'def again():\n    """Do it again."""\n    return {one.name}()\n'
    return deleted(one.key), added(caller)


@kind(CONTRADICTING, Owed.NOTHING)
def function_renamed_and_called(file: File, chance: random.Random) -> Made | None:
    """One renames a function, the other adds a call of it by its old name."""
    one = chance.choice(top(file))
    caller = f'def again():\n    """Do it again."""\n    return {one.name}()\n'
    return renamed(one.key, f"{one.name}_now"), added(caller)


@kind(CONTRADICTING, Owed.NOTHING)
def variable_renamed_and_used(file: File, chance: random.Random) -> Made | None:
    """One renames a variable of a function, the other adds a use of it by its old name."""
    found = a_function(file, chance, _local)
    if found is None:
        return None
    name = _local(found)

    def rename(each: Function) -> None:
        each.body = [re.sub(rf"(?<![\w.\"]){name}\b(?!\")", f"{name}_new", row) for row in each.body]

    last = found.body[-1]
    return (
        changing(found.key, rename),
        changing(found.key, lambda each: each.body.insert(each.body.index(last), f"print({name})")),
    )


def _local(found: Function) -> str:
    """Return a variable that is assigned on the function's own level and used at its end."""
    if not found.body[-1].startswith("return") or len(found.body) < 4:
        return ""
    for row in found.body[:-3]:
        name, _, value = row.partition(" = ")
        if value and name.isidentifier() and len(re.findall(rf"\b{name}\b", "\n".join(found.body))) > 1:
            return name
    return ""


@kind(CONTRADICTING, Owed.NOTHING)
def constant_gone_and_used(file: File, chance: random.Random) -> Made | None:
    """One deletes a constant, the other begins to use it."""
    found = [
        (one, row)
        for one in constants(file)
        for row in one.rows
        if len(re.findall(rf"\b{row.split(' = ')[0]}\b", file.text())) == 1
    ]
    if not found:
        return None
    code, row = chance.choice(found)
    user = f'def setting():\n    """Return what is set."""\n    return {row.split(" = ")[0]}\n'
    return in_code(code.key, lambda rows: rows.remove(row)), added(user)


@kind(CONTRADICTING, Owed.NOTHING)
def one_constant_two_values(file: File, chance: random.Random) -> Made | None:
    """Both change the same constant, differently."""
    found = [(one, i) for one in constants(file) for i, row in enumerate(one.rows) if altered(row, 1)]
    if not found:
        return None
    code, at = chance.choice(found)
    one, other = altered(code.rows[at], 2) or "", altered(code.rows[at], 5) or ""
    return (
        in_code(code.key, lambda rows: rows.__setitem__(at, one)),
        in_code(code.key, lambda rows: rows.__setitem__(at, other)),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def one_key_two_values(file: File, chance: random.Random) -> Made | None:
    """Both add an entry of the same key to a dict, with different values."""
    code = bracket(file, chance, ("{",))
    if code is None:
        return None
    return (
        in_code(code.key, lambda rows: rows.insert(-1, '    "alpha": "one",')),
        in_code(code.key, lambda rows: rows.insert(-1, '    "alpha": "two",')),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def one_parameter_two_defaults(file: File, chance: random.Random) -> Made | None:
    """Both add the same parameter, with different defaults."""
    found = a_function(file, chance)
    if found is None:
        return None
    return (
        changing(found.key, lambda each: each.parameters.append("strict=False")),
        changing(found.key, lambda each: each.parameters.append("strict=True")),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def one_renamed_two_ways(file: File, chance: random.Random) -> Made | None:
    """Both give a function another name."""
    one = chance.choice(free(file))
    return renamed(one.key, f"{one.name}_now"), renamed(one.key, f"{one.name}_all")


@kind(CONTRADICTING, Owed.NOTHING)
def one_sentence_two_ways(file: File, chance: random.Random) -> Made | None:
    """Both write the same sentence of a docstring anew."""
    found = a_function(file, chance, lambda one: one.doc)
    if found is None:
        return None
    return (
        changing(found.key, lambda each: each.doc.__setitem__(0, "Do what is asked.")),
        changing(found.key, lambda each: each.doc.__setitem__(0, "Say how it goes.")),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def dependent_statements(file: File, chance: random.Random) -> Made | None:
    """Both add a statement at one place that sets the same variable."""
    found = a_function(file, chance, lambda one: any(" = " in row for row in straight(one)))
    if found is None:
        return None
    row = chance.choice([each for each in straight(found) if " = " in each])
    name = row.split(" = ")[0]
    return row_added(found.key, row, f"{name} = first({name})"), row_added(
        found.key, row, f"{name} = last({name})"
    )


@kind(CONTRADICTING, Owed.NOTHING)
def list_gone_and_extended(file: File, chance: random.Random) -> Made | None:
    """One deletes a list or dict, the other adds to it."""
    code = bracket(file, chance)
    if code is None or len(re.findall(rf"\b{code.key}\b", file.text())) > 1:
        return None
    first = code.rows[1]
    return (
        lambda each: each.parts.remove(each.code(code.key)),
        in_code(code.key, lambda rows: rows.insert(-1, re.sub(r'"\w+"', '"alpha"', first, count=1))),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def written_and_read(file: File, chance: random.Random) -> Made | None:
    """One adds a statement that sets a variable, the other at the same place one that reads it."""
    found = a_function(file, chance, lambda one: any(" = " in row for row in straight(one)))
    if found is None:
        return None
    row = chance.choice([each for each in straight(found) if " = " in each])
    name = row.split(" = ")[0]
    return row_added(found.key, row, f"{name} = next({name})"), row_added(found.key, row, f"print({name})")


@kind(CONTRADICTING, Owed.NOTHING)
def left_and_added(file: File, chance: random.Random) -> Made | None:
    """One leaves a function early, the other adds a statement at the same place."""
    found = a_function(file, chance, lambda one: any(" = " in row for row in straight(one)))
    if found is None:
        return None
    row = chance.choice([each for each in straight(found) if " = " in each])
    return row_added(found.key, row, "return None"), row_added(found.key, row, 'print("working")')


@kind(CONTRADICTING, Owed.GUESS, 0.0, 1.0)
def arguments_by_place(file: File, chance: random.Random) -> Made | None:
    """Both add an argument without a name to one call."""
    found = [
        (one.key, row)
        for one in file.functions()
        for row in one.body
        if re.search(r"\w\([\w.]+\)$", row) and one.body.count(row) == 1
    ]
    if not found:
        return None
    key, row = chance.choice(found)
    one, other = chance.sample(["12", "None", "key", "False"], 2)
    return (
        row_changed(key, row, f"{row[:-1]}, {one})"),
        row_changed(key, row, f"{row[:-1]}, {other})"),
        row_changed(key, row, f"{row[:-1]}, {one}, {other})"),
        row_changed(key, row, f"{row[:-1]}, {other}, {one})"),
    )


@kind(CONTRADICTING, Owed.GUESS, 0.0, 1.0)
def required_parameters(file: File, chance: random.Random) -> Made | None:
    """Both add a parameter that every caller has to give by its place."""
    found = a_function(file, chance, lambda one: "=" not in "".join(one.parameters) and not one.decorators)
    if found is None or "pytest" in dict(file.imports):
        return None
    one, other = chance.sample(["strict", "log", "unit"], 2)
    return (
        changing(found.key, lambda each: each.parameters.append(one)),
        changing(found.key, lambda each: each.parameters.append(other)),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def one_member_two_values(file: File, chance: random.Random) -> Made | None:
    """Both add a member of the same name to an enum, with different values."""
    if not any("Enum" in one.head for one in file.classes()):
        return None
    one, other = chance.sample(["lost", "gone", "away"], 2)
    return (
        lambda each: each.class_("State").rows.append(f'LOST = "{one}"'),
        lambda each: each.class_("State").rows.append(f'LOST = "{other}"'),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def two_members_one_number(file: File, chance: random.Random) -> Made | None:
    """Both add a member to an enum and take the same next value, so that one becomes another name of the other."""
    if not any("Enum" in one.head for one in file.classes()):
        return None
    one, other = chance.sample(["LOST", "RETURNED", "HELD"], 2)
    value = chance.choice(["4", '"other"'])
    return (
        lambda each: each.class_("State").rows.append(f"{one} = {value}"),
        lambda each: each.class_("State").rows.append(f"{other} = {value}"),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def one_option_two_meanings(file: File, chance: random.Random) -> Made | None:
    """Both add the same option to a command line, with different meanings."""
    if "argparse" not in dict(file.imports):
        return None
    after = chance.choice(file.function("parser").body[1:-1])
    one, other = chance.sample(["type=int", 'action="store_true"', 'default="no"'], 2)
    return (
        row_added("parser", after, f'found.add_argument("--jobs", {one})'),
        row_added("parser", after, f'found.add_argument("--jobs", {other})'),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def one_name_two_modules(file: File, chance: random.Random) -> Made | None:
    """Both import the same name from different modules."""
    at = chance.randrange(len(file.imports) + 1)
    one, other = chance.sample(["shop.first", "shop.second", "tools"], 2)
    return (
        lambda each: each.imports.insert(at, (one, ["loads"])),
        lambda each: each.imports.insert(at, (other, ["loads"])),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def one_new_constant_two_values(file: File, chance: random.Random) -> Made | None:
    """Both add the same constant at the same place, with different values."""
    found = constants(file)
    if not found:
        return None
    code = chance.choice(found)
    at = chance.randrange(1, len(code.rows) + 1)
    one, other = chance.sample(["4", "5", '"x"', "None"], 2)
    return (
        in_code(code.key, lambda rows: rows.insert(at, f"DEPTH = {one}")),
        in_code(code.key, lambda rows: rows.insert(at, f"DEPTH = {other}")),
    )


@kind(CONTRADICTING, Owed.NOTHING)
def named_and_edited(file: File, chance: random.Random) -> Made | None:
    """One gives a number a name, the other changes the number where it stands."""
    found = [
        (one.key, row)
        for one in file.functions()
        for row in straight(one)
        if re.search(r"(?<![\w.\"])\d+(?![\w.\"])", row)
    ]
    if not found or not file.codes():
        return None
    key, row = chance.choice(found)
    number = re.search(r"(?<![\w.\"])\d+(?![\w.\"])", row)
    assert number is not None

    def name(file_: File) -> None:
        file_.codes()[0].rows.append(f"NAMED = {number[0]}")
        row_changed(key, row, f"{row[: number.start()]}NAMED{row[number.end() :]}")(file_)

    return name, row_changed(key, row, altered(row, 3) or "")
