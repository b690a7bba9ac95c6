"""Which symbols an edit changes, and whether it stays inside those that are held."""

import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.syntax.changes import Changes, changed_symbols, common, outside
from pucs.syntax.definitions import definitions

SHOP = """\
\"\"\"A shop.\"\"\"

import os
from decimal import Decimal

LIMIT = 3
RATE = LIMIT + 1


def price(item):
    return 1


def total(items):
    return sum(price(item) for item in items)


class Cart:
    \"\"\"Holds things.\"\"\"

    size = 0

    def add(self, item):
        self.size += 1

    def clear(self):
        self.size = 0


print(total([]))
"""


def edited(*replacements: tuple[str, str]) -> Changes:
    """Return what replacing texts in the shop changes."""
    text = SHOP
    for old, new in replacements:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return changed_symbols(SHOP.encode(), text.encode())


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        pytest.param("return 1", "return 2", "price", id="function"),
        pytest.param("return 1", "return 1  # cheap", "price", id="comment inside"),
        pytest.param("def price(item)", "def price( item )", "price", id="formatting"),
        pytest.param("def price", "# Costly.\ndef price", "price", id="words above"),
        pytest.param("    return 1\n", "    return 1\n    # done\n", "price", id="words below"),
        pytest.param("def price", "@cache\ndef price", "price", id="decorator"),
        pytest.param("LIMIT = 3", "LIMIT = 4", "LIMIT", id="constant"),
        pytest.param("self.size += 1", "self.size += 2", "Cart.add", id="method"),
        pytest.param("\n    size = 0\n\n", "\n    size = 1\n\n", "Cart.size", id="class variable"),
        pytest.param("class Cart:", "class Cart(Base):", "Cart", id="bases"),
        pytest.param("Holds things", "Holds more", "Cart", id="class docstring"),
        pytest.param("class Cart:", "@final\nclass Cart:", "Cart", id="class decorator"),
        pytest.param("    size = 0\n\n", "    size = 0\n    print()\n\n", "Cart", id="loose in class"),
    ],
)
def test_an_edit_changes_the_symbol_it_is_in(old: str, new: str, changed: str) -> None:
    """One edit changes one symbol; a class itself only by its header, its text and its loose statements."""
    assert edited((old, new)) == Changes(changed=(changed,))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("\n\n\ndef total", "\n\ndef total", id="blank lines"),
        pytest.param("\n\n    def clear", "\n\n\n    def clear", id="blank lines in a class"),
        pytest.param("print(total([]))\n", "print(total([]))", id="last line end"),
        pytest.param("import os\n", "import os  # of the system\n", id="words beside an import"),
        pytest.param("import os\nfrom decimal import Decimal", "from decimal import (\n    Decimal,\n)\nimport os", id="order of imports"),
        pytest.param("import os\n", "# For paths.\nimport os\n", id="words above an import"),
    ],
)  # fmt: skip
def test_what_nobody_owns_changes_nothing(old: str, new: str) -> None:
    """Blank lines between definitions, order and layout of imports are no change."""
    assert edited((old, new)).nothing


def test_blank_lines_inside_a_text_count() -> None:
    """A blank line in a string or a body is text of its symbol."""
    assert edited(("return 1", "\n    return 1")).changed == ("price",)
    assert edited(("A shop.", "A shop.\n\nOf ours.")).outside
    assert edited(("Holds things.", "Holds things.\n\n")).changed == ("Cart",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("A shop", "The shop", id="module docstring"),
        pytest.param("print(total([]))", "print(0)", id="statement"),
        pytest.param("\n\nLIMIT", "\n\n# Of an order.\n\nLIMIT", id="loose comment"),
        pytest.param("LIMIT = 3", "if LIMIT_ON:\n    LIMIT = 3", id="condition"),
    ],
)
def test_what_belongs_to_no_symbol_is_outside(old: str, new: str) -> None:
    """Statements, comments and conditions at module level are the whole file's."""
    assert edited((old, new)).outside


def test_line_ends_and_encoding_are_the_files() -> None:
    """A file that is only saved with other line ends or a byte order mark has changed, although no symbol has."""
    shop = SHOP.encode()
    assert changed_symbols(shop, shop.replace(b"\n", b"\r\n")) == Changes(outside=True)
    assert changed_symbols(shop, b"\xef\xbb\xbf" + shop) == Changes(outside=True)


def test_new_definitions_are_additions() -> None:
    """What is new is named once, at module level or in its class; members of a new class go with it."""
    assert edited(("def total", "def tax(): pass\n\n\nclass Till:\n    def open(self): pass\n\n\ndef total")) == (
        Changes(added=("tax", "Till"))
    )  # fmt: skip
    assert edited(("    def clear", "    def drop(self): pass\n\n    def clear")) == Changes(added=("Cart.drop",))  # fmt: skip


def test_what_is_gone_is_removed() -> None:
    """A removed symbol is named, and a class that is gone without its members."""
    assert edited(("    def clear(self):\n        self.size = 0\n", "")) == Changes(removed=("Cart.clear",))
    start, end = SHOP.index("class Cart"), SHOP.index("print(")
    assert edited((SHOP[start:end], "")) == Changes(removed=("Cart",))


def test_a_new_name_on_the_same_body_is_a_rename() -> None:
    """A function, method, class or constant that only has another name is renamed, wherever it stands."""
    assert edited(("def total(items)", "def total_of(items)"), ("print(total([]))", "print(total([]))")) == (
        Changes(renamed=(("total", "total_of"),))
    )
    assert edited(("def clear", "def empty")) == Changes(renamed=(("Cart.clear", "Cart.empty"),))
    assert edited(("class Cart", "class Basket")) == Changes(renamed=(("Cart", "Basket"),))
    assert edited(("RATE =", "FACTOR =")) == Changes(renamed=(("RATE", "FACTOR"),))


def test_a_new_name_and_body_is_one_gone_and_one_new() -> None:
    """Without the same body nothing says that two names are one thing."""
    assert edited(("def clear(self):\n        self.size = 0", "def empty(self):\n        pass")) == (
        Changes(added=("Cart.empty",), removed=("Cart.clear",))
    )


def test_functions_may_change_places() -> None:
    """The order of functions and methods is nothing; a variable that moved is changed, the others are not."""
    price = "def price(item):\n    return 1\n\n\n"
    assert edited((price, ""), ("print(", price + "print(")).nothing
    three = b"A = 1\nB = 2\nC = 3\nD = 4\n"
    assert changed_symbols(three, b"B = 2\nC = 3\nD = 4\nA = 1\n") == Changes(changed=("A",))
    assert changed_symbols(three, b"D = 4\nA = 1\nB = 2\nC = 3\n") == Changes(changed=("D",))


def test_variants_count_with_the_block_they_stand_in() -> None:
    """Functions that change places between the branches of a condition have changed."""
    one = b"if fast:\n    def go(): return 1\nelse:\n    def slow(): return 2\n"
    other = b"if fast:\n    def slow(): return 2\nelse:\n    def go(): return 1\n"
    assert changed_symbols(one, other) == Changes(changed=("go", "slow"))


@pytest.mark.parametrize(
    ("line", "added", "changed"),
    [
        pytest.param("import re", ("re",), (), id="plain"),
        pytest.param("import os.path", ("os",), (), id="submodule"),
        pytest.param("from re import match, sub as put", ("match", "put"), (), id="from"),
        pytest.param("if TYPE_CHECKING:\n    from shop import Till", ("Till",), (), id="for types"),
        pytest.param("from re import *", (), ("*",), id="everything"),
        pytest.param("from __future__ import annotations", (), ("annotations",), id="future"),
        pytest.param("from shop import price", (), ("price",), id="takes a name"),
        pytest.param("import posix as os", (), ("os",), id="takes an import's name"),
    ],
)
def test_new_imports_are_additions(line: str, added: tuple[str, ...], changed: tuple[str, ...]) -> None:
    """An import is an addition unless it changes what a name of the file means."""
    source = SHOP.replace('shop."""\n', f'shop."""\n{line}\n').encode()
    assert changed_symbols(SHOP.encode(), source) == Changes(imports_added=added, imports_changed=changed)


def test_imports_that_go_or_change_are_named() -> None:
    """Removing an import, importing from elsewhere, and defining what was imported concern the whole file."""
    assert edited(("import os\n", "")).imports_changed == ("os",)
    assert edited(("from decimal", "from money")).imports_changed == ("Decimal",)
    assert edited(("def total", "def Decimal(): pass\n\n\ndef total")).imports_changed == ("Decimal",)
    assert edited(("import os\n", "if TYPE_CHECKING:\n    import os\n")).imports_changed == ("os",)


def test_a_file_that_comes_is_all_additions() -> None:
    """In a new file everything is new; a file that goes takes along what belongs to no symbol."""
    shop = SHOP.encode()
    come = changed_symbols(None, shop)
    assert come == Changes(added=("LIMIT", "RATE", "price", "total", "Cart"), imports_added=("os", "Decimal"))
    gone = changed_symbols(shop, None)
    assert gone.removed == come.added
    assert gone.outside
    assert changed_symbols(None, None).nothing


def test_what_cannot_be_parsed_is_the_whole_file() -> None:
    """If either version is no Python, nothing is known of its symbols."""
    broken = b"def f(:\n"
    assert changed_symbols(SHOP.encode(), broken) == Changes(outside=True, parsed=False)
    assert changed_symbols(broken, SHOP.encode()) == Changes(outside=True, parsed=False)
    assert changed_symbols(broken, broken).nothing
    assert outside(changed_symbols(broken, b""), ["f"]) == ("<module>",)


@pytest.mark.parametrize(
    ("replacements", "held", "beyond"),
    [
        pytest.param([("return 1", "return 2")], ["price"], (), id="its own"),
        pytest.param([("return 1", "return 2")], ["total"], ("price",), id="another"),
        pytest.param([("size += 1", "size += 2")], ["Cart"], (), id="class covers method"),
        pytest.param([("class Cart:", "class Cart(B):")], ["Cart.add"], ("Cart",), id="method is not its class"),
        pytest.param([("return 1", "return 2"), ("size += 1", "size += 2")], ["price"], ("Cart.add",), id="two"),
        pytest.param([("def total(items)", "def sum_of(items)")], ["total"], (), id="rename keeps the lease"),
        pytest.param([("def total(items)", "def sum_of(items)")], ["price"], ("total",), id="another's rename"),
        pytest.param([("def total", "def tax(): 0\n\n\ndef total")], ["price"], (), id="addition"),
        pytest.param([("    def clear", "    def x(self): 0\n\n    def clear")], ["price"], (), id="new method"),
        pytest.param([("import os", "import os\nimport re")], ["price"], (), id="new import"),
        pytest.param([("import os\n", "")], ["price"], ("<imports>",), id="import gone"),
        pytest.param([("A shop", "The shop")], ["price"], ("<module>",), id="loose"),
        pytest.param([("RATE = LIMIT + 1\n", "")], ["RATE"], (), id="removed"),
    ],
)  # fmt: skip
def test_an_edit_is_inside_what_is_held_or_names_what_is_not(
    replacements: list[tuple[str, str]], held: list[str], beyond: tuple[str, ...]
) -> None:
    """Changes need a lease on the symbol or a class around it; additions need none of their own."""
    assert outside(edited(*replacements), held) == beyond


def test_every_file_equals_itself() -> None:
    """For every file of some large packages, the file and its copy with one blank line more differ in nothing."""
    library = Path(sysconfig.get_path("stdlib"))
    for path in (path for room in ("json", "email") for path in (library / room).glob("*.py")):
        source = path.read_bytes()
        assert changed_symbols(source, source).nothing
        assert changed_symbols(source, source + b"\n").nothing


NAMES = st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon", "zeta"])
BODIES = st.sampled_from([
    "return 0",
    "x = 1",
    "'''a\n\n    b'''",
    "# word\n    pass",
    "if a:\n        b()\n    c()",
])


@st.composite
def parts(draw: st.DrawFn) -> dict[str, str]:
    """Draw a module as the text of each of its symbols, methods under their qualified names."""
    made: dict[str, str] = {}
    for name in draw(st.lists(NAMES, unique=True, min_size=1)):
        above = draw(st.sampled_from(["", "# About it.\n", "@traced\n", "@a(\n    1,\n)\n"]))
        kind = draw(st.sampled_from(["def", "async def", "variable", "class"]))
        if kind == "variable":
            made[name] = f"{name} = {draw(st.integers(0, 9))}\n"
        elif kind != "class":
            made[name] = f"{above}{kind} {name}(a):\n    {draw(BODIES)}\n"
        else:
            made[name] = f"{above}class {name}:\n    '''Text.'''\n"
            for member in draw(st.lists(NAMES, unique=True)):
                body = draw(BODIES).replace("\n", "\n    ")
                made[f"{name}.{member}"] = f"    def {member}(self):\n        {body}\n"
    return made


def module(texts: dict[str, str], blanks: st.DataObject | None = None) -> bytes:
    gaps = (blanks.draw(st.integers(0, 3)) if blanks else 1 for _ in texts)
    return "".join("\n" * gap + text for gap, text in zip(gaps, texts.values(), strict=True)).encode()


@given(parts())
def test_any_module_is_read_as_it_was_written(texts: dict[str, str]) -> None:
    """The symbols are those that were written, and each span holds its own text."""
    outline = definitions(module(texts))
    assert outline.names() == texts.keys()
    for symbol in outline.symbols:
        assert outline.source(symbol).startswith(texts[symbol.name].rstrip("\n"))


@given(parts(), st.data())
def test_editing_one_symbol_changes_that_one(texts: dict[str, str], data: st.DataObject) -> None:
    """Whatever the module and the blank lines between, an edit of one symbol is a change of it alone, both ways."""
    name = data.draw(st.sampled_from(sorted(texts)))
    new = {**texts, name: texts[name].replace("\n", "  # edited\n", 1)}
    if texts[name].startswith("# About"):
        new[name] = texts[name].replace("About", "All about")
    old_source, new_source = module(texts), module(new, data)
    assert changed_symbols(old_source, new_source) == Changes(changed=(name,))
    assert changed_symbols(new_source, old_source) == Changes(changed=(name,))


@given(parts(), st.data())
def test_taking_a_symbol_out_and_putting_it_back(texts: dict[str, str], data: st.DataObject) -> None:
    """Without a symbol it is removed, seen from the other side it is added, and nothing else is touched."""
    name = data.draw(st.sampled_from(sorted(texts)))
    rest = {key: text for key, text in texts.items() if key != name and not key.startswith(f"{name}.")}
    assert changed_symbols(module(texts), module(rest)) == Changes(removed=(name,))
    assert changed_symbols(module(rest), module(texts)) == Changes(added=(name,))


def test_what_both_comparisons_find_is_what_neither_parent_had() -> None:
    """Of a merge compared with its two parents, only a text that neither had is left."""
    ours, theirs = SHOP.replace("return 1", "return 2"), SHOP.replace("size += 1", "size += 2")
    merged = ours.replace("size += 1", "size += 2")
    both = [changed_symbols(side.encode(), merged.encode()) for side in (ours, theirs)]
    assert common(*both).nothing
    mixed = merged.replace("def total", "def price(): 0\n\n\ndef total").encode()
    assert common(*(changed_symbols(side.encode(), mixed) for side in (ours, theirs))) == (
        Changes(changed=("price",))
    )
    broken = changed_symbols(ours.encode(), b"def f(:\n")
    assert not common(broken, both[0]).parsed
