"""Kinds of pairs in which both agents add something near the other's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rules.merge.pair_edits import (
    a_function,
    added,
    bracket,
    changing,
    constants,
    entry,
    in_code,
    method,
    row_added,
    together,
    top,
    two,
)
from tests.rules.merge.pair_files import Class, parsed
from tests.rules.merge.pair_kinds import Kind, Owed, kind
from tests.rules.merge.pair_templates import ADDITIONS, IMPORTS, METHODS, TEST_FUNCTIONS

if TYPE_CHECKING:
    import random

    from tests.rules.merge.pair_files import Edit, File, Function
    from tests.rules.merge.pair_kinds import Made

ADDING: list[Kind] = []


@kind(ADDING, Owed.BOTH, 1.0)
def functions_at_the_end(file: File, chance: random.Random) -> Made | None:
    """Both add a function at the end."""
    one, other = two(chance, ADDITIONS)
    return added(one), added(other)


@kind(ADDING, Owed.BOTH, 1.0)
def functions_at_one_place(file: File, chance: random.Random) -> Made | None:
    """Both add a function at the same place."""
    one, other = two(chance, ADDITIONS)
    after = chance.choice(top(file)).key
    return added(one, after), added(other, after)


@kind(ADDING, Owed.BOTH, 1.0)
def two_functions_and_one(file: File, chance: random.Random) -> Made | None:
    """One adds two functions, the other one."""
    one, other, third = chance.sample(ADDITIONS, 3)
    return together(added(one), added(other)), added(third)


@kind(ADDING, Owed.BOTH, 1.0)
def one_function_twice_and_another(file: File, chance: random.Random) -> Made | None:
    """Both add the same function, and one another beside it."""
    one, other = two(chance, ADDITIONS)
    return together(added(one), added(other)), added(one), together(added(one), added(other))


@kind(ADDING, Owed.BOTH, 1.0)
def methods_at_the_end(file: File, chance: random.Random) -> Made | None:
    """Both add a method at the end of a class."""
    if not file.classes():
        return None
    owner = chance.choice(file.classes()).key
    one, other = two(chance, METHODS)
    return method(one, owner), method(other, owner)


@kind(ADDING, Owed.BOTH, 1.0)
def methods_between(file: File, chance: random.Random) -> Made | None:
    """Both add a method between two methods."""
    found = [one for owner in file.classes() for one in owner.methods[:-1]]
    if not found:
        return None
    after = chance.choice(found).key
    one, other = two(chance, METHODS)
    return added(one, after), added(other, after)


@kind(ADDING, Owed.BOTH, 1.0)
def a_function_and_a_class(file: File, chance: random.Random) -> Made | None:
    """One adds a function, the other a class, at the end."""
    source = chance.choice(ADDITIONS)
    members = [parsed(chance.choice(METHODS))]
    new = Class("Failure", "class Failure(Exception):", ["What can go wrong."], ["code = 1"], members)
    return added(source), lambda each: each.parts.append(new)


@kind(ADDING, Owed.BOTH, 1.0)
def routes(file: File, chance: random.Random) -> Made | None:
    """Both add a route."""
    if not any("@app.route" in row for one in top(file) for row in one.decorators):
        return None
    one, other = two(chance, ADDITIONS)
    names = [source[4 : source.index("(")] for source in (one, other)]
    after = chance.choice(["list_orders", "create_order", "cancel_order"])
    return (
        added(f'@app.route("/{names[0]}")\n{one}', after),
        added(f'@app.route("/{names[1]}")\n{other}', after),
    )


def _tests(file: File) -> bool:
    return "pytest" in dict(file.imports)


@kind(ADDING, Owed.BOTH, 1.0)
def tests_of_one_fixture(file: File, chance: random.Random) -> Made | None:
    """Both add a test with the same fixture."""
    one, other = two(chance, TEST_FUNCTIONS)
    return (added(one), added(other)) if _tests(file) else None


@kind(ADDING, Owed.BOTH, 1.0)
def fixtures(file: File, chance: random.Random) -> Made | None:
    """Both add a fixture."""
    if not _tests(file):
        return None
    sources = [
        f'@pytest.fixture\ndef {name}():\n    """Return the cart of one more."""\n'
        f'    found = Cart("{name}")\n    found.add(Item("{name}", PRICE))\n    return found\n'
        for name in chance.sample(["carla", "dora", "emil", "frieda"], 2)
    ]
    after = chance.choice(["cart", "empty"])
    return added(sources[0], after), added(sources[1], after)


@kind(ADDING, Owed.BOTH, 1.0)
def a_test_and_its_fixture(file: File, chance: random.Random) -> Made | None:
    """Both add a test and the same new fixture for it."""
    if not _tests(file):
        return None
    fixture = (
        '@pytest.fixture\ndef full():\n    """Return a full cart."""\n    return Cart("full", items=99)\n'
    )
    one, other = (
        added(source.replace("(cart)", "(full)").replace("cart.", "full."))
        for source in two(chance, TEST_FUNCTIONS)
    )
    first = added(fixture, "empty")
    return together(first, one), together(first, other), together(first, one, other)


@kind(ADDING, Owed.BOTH, 1.0)
def cases(file: File, chance: random.Random) -> Made | None:
    """Both add a case to a test."""
    if not _tests(file):
        return None

    def case(count: int) -> Edit:
        row = f"        ({count}, {count * 250}),"
        return changing("test_total", lambda one: one.decorators.insert(-2, row))

    one, other = chance.sample(range(4, 40), 2)
    return case(one), case(other)


@kind(ADDING, Owed.BOTH, 1.0)
def imports_of_modules(file: File, chance: random.Random) -> Made | None:
    """Both add imports at the same place."""
    one, other = chance.sample(IMPORTS, 2)
    at = chance.randrange(len(file.imports) + 1)
    return (
        lambda each: each.imports.insert(at, one),
        lambda each: each.imports.insert(at, other),
    )


@kind(ADDING, Owed.BOTH, 1.0)
def names_of_one_module(file: File, chance: random.Random) -> Made | None:
    """Both import another name of one module."""
    found = [index for index, (_, names) in enumerate(file.imports) if names]
    at = chance.choice(found)
    one, other = chance.sample(["aware", "bare", "checked", "zoned"], 2)
    return (
        lambda each: each.imports[at][1].append(one),
        lambda each: each.imports[at][1].append(other),
    )


@kind(ADDING, Owed.BOTH, 1.0)
def entries(file: File, chance: random.Random) -> Made | None:
    """Both add an entry at the end of a list or dict."""
    found = bracket(file, chance)
    if found is None:
        return None
    rows = [entry(found, word) for word in chance.sample(["alpha", "beta", "gamma", "delta"], 2)]
    return (
        in_code(found.key, lambda each: each.insert(-1, rows[0])),
        in_code(found.key, lambda each: each.insert(-1, rows[1])),
    )


@kind(ADDING, Owed.BOTH, 1.0)
def public_names(file: File, chance: random.Random) -> Made | None:
    """Both add a function and its name to `__all__`."""
    if all(one.key != "__all__" for one in file.codes()):
        return None
    one, other = two(chance, ADDITIONS)

    def public(source: str) -> Edit:
        name = source[4 : source.index("(")]
        listed = in_code(
            "__all__", lambda rows: rows.__setitem__(slice(1, -1), sorted([*rows[1:-1], f'    "{name}",']))
        )
        return together(listed, added(source))

    return public(one), public(other)


@kind(ADDING, Owed.BOTH, 1.0)
def entries_of_a_short_list(file: File, chance: random.Random) -> Made | None:
    """Both add an entry to a list on one line."""
    found = [one for one in file.codes() if one.rows[-1].endswith("]") and len(one.rows[-1]) > 3]
    if not found:
        return None
    code = chance.choice(found)
    words = chance.sample(["alpha", "beta", "gamma", "delta"], 2)

    def listed(word: str) -> Edit:
        def change(rows: list[str]) -> None:
            at = next(i for i, row in enumerate(rows) if row.endswith("]"))
            rows[at] = f'{rows[at][:-1]}, "{word}"]'

        return in_code(code.key, change)

    return listed(words[0]), listed(words[1])


@kind(ADDING, Owed.BOTH, 1.0)
def members_of_an_enum(file: File, chance: random.Random) -> Made | None:
    """Both add a member to an enum."""
    found = [one for one in file.classes() if "Enum" in one.head]
    if not found:
        return None
    one, other = chance.sample(["LOST", "RETURNED", "HELD", "SPLIT", "GIVEN"], 2)
    return (
        lambda each: each.class_("State").rows.append(f'{one} = "{one.lower()}"'),
        lambda each: each.class_("State").rows.append(f'{other} = "{other.lower()}"'),
    )


@kind(ADDING, Owed.BOTH, 1.0)
def fields(file: File, chance: random.Random) -> Made | None:
    """Both add a field to a dataclass."""
    found = [one.key for one in file.classes() if one.decorators]
    if not found:
        return None
    owner = chance.choice(found)
    rows = chance.sample(['note: str = ""', "weight: float = 0.0", "tags: tuple[str, ...] = ()"], 2)
    return (
        lambda each: each.class_(owner).rows.append(rows[0]),
        lambda each: each.class_(owner).rows.append(rows[1]),
    )


@kind(ADDING, Owed.BOTH, 1.0)
def options(file: File, chance: random.Random) -> Made | None:
    """Both add an option to a command line."""
    if "argparse" not in dict(file.imports):
        return None
    rows = [
        f'found.add_argument("--{word}", {rest})'
        for word, rest in chance.sample(
            [
                ("dry-run", 'action="store_true"'),
                ("verbose", 'action="count"'),
                ("jobs", "type=int, default=1"),
                ("level", 'default="info"'),
            ],
            2,
        )
    ]
    after = file.function("parser").body[-2]
    return row_added("parser", after, rows[0]), row_added("parser", after, rows[1])


@kind(ADDING, Owed.BOTH, 1.0)
def constants_at_one_place(file: File, chance: random.Random) -> Made | None:
    """Both add a constant at the same place."""
    found = constants(file)
    if not found:
        return None
    code = chance.choice(found)
    at = chance.randrange(1, len(code.rows) + 1)
    rows = chance.sample(["DEPTH = 4", 'COLOUR = "blue"', "STRICT = True", "SHARE = 0.5"], 2)
    return (
        in_code(code.key, lambda each: each.insert(at, rows[0])),
        in_code(code.key, lambda each: each.insert(at, rows[1])),
    )


@kind(ADDING, Owed.BOTH, 1.0)
def parameters(file: File, chance: random.Random) -> Made | None:
    """Both add a parameter to one function."""
    found = a_function(file, chance, lambda one: not any("fixture" in row for row in one.decorators))
    if found is None or _tests(file):
        return None
    one, other = chance.sample(["strict=False", "log=None", "unit=1", 'prefix=""'], 2)
    return (
        changing(found.key, lambda each: each.parameters.append(one)),
        changing(found.key, lambda each: each.parameters.append(other)),
    )


@kind(ADDING, Owed.BOTH, 0.0, 1.0)
def decorators(file: File, chance: random.Random) -> Made | None:
    """Both add a decorator."""
    found = a_function(file, chance, lambda one: not one.decorators)
    if found is None:
        return None
    one, other = chance.sample(["@traced", "@cached", "@retried(3)"], 2)

    def known(row: str) -> Edit:
        name = row[1:].partition("(")[0]
        return together(
            lambda each: each.imports.append(("shop.wrapping." + name, [name])),
            changing(found.key, lambda each: each.decorators.append(row)),
        )

    return known(one), known(other)


@kind(ADDING, Owed.BOTH, 1.0)
def branches(file: File, chance: random.Random) -> Made | None:
    """Both append to a chain of `elif`."""
    found = a_function(file, chance, lambda one: sum(row.startswith("elif") for row in one.body) > 1)
    if found is None:
        return None
    at = found.body.index("else:")
    subject = found.parameters[0]
    assigned = found.body[1].split(" = ")[0].strip()

    def branch(value: str) -> Edit:
        rows = [f"elif {subject} == {value}:", f'    {assigned} = "special {value.strip(chr(34))}"']
        return changing(found.key, lambda each: each.body.__setitem__(slice(at, at), rows))

    one, other = chance.sample(['"alpha"', '"beta"', "0", '"gamma"'], 2)
    return branch(one), branch(other)


@kind(ADDING, Owed.BOTH, 0.0, 1.0)
def independent_statements(file: File, chance: random.Random) -> Made | None:
    """Both add statements that have nothing to do with each other, at one place in a function."""
    found = a_function(file, chance, lambda one: len(_flat(one)) > 1)
    if found is None:
        return None
    after = chance.choice(_flat(found)[:-1])
    rows = chance.sample(["started = True", 'print("working")', "seen = set()", "depth = 0"], 2)
    return row_added(found.key, after, rows[0]), row_added(found.key, after, rows[1])


def _flat(found: Function) -> list[str]:
    """Return rows of a function's own level that another can follow."""
    return [
        row
        for row in found.body
        if " = " in row
        and not row.startswith((" ", "#"))
        and not row.endswith((":", "("))
        and found.body.count(row) == 1
    ]


@kind(ADDING, Owed.BOTH, 1.0)
def a_field_and_a_method(file: File, chance: random.Random) -> Made | None:
    """One adds a field to a class, the other a method right below."""
    found = [one.key for one in file.classes() if one.methods and one.rows]
    if not found:
        return None
    owner = chance.choice(found)
    new = parsed(chance.choice(METHODS))
    return (
        lambda each: each.class_(owner).rows.append("note: str = ''"),
        lambda each: each.class_(owner).methods.insert(0, new),
    )
