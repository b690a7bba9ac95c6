"""Merges that other tools are known to get wrong without a word: here each is right or a conflict.

The ideas come from the trackers and test suites of two tools for structured merging; the texts are our own.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from textwrap import dedent

import pytest

from pucs.merge.merging import LineMerge, merge
from pucs.merge.pieces import by_lines, side_of
from pucs.merge.records import Merged, Tier, Versions, clashes
from pucs.merge.texts import texts, written


def cut(text: str) -> bytes:
    """Return an indented text as bytes."""
    return dedent(text).lstrip("\n").encode()


def merged(
    base: str | None, ours: str, theirs: str, path: str = "shop.py", accept: Tier = Tier.REVIEW
) -> Merged:
    """Merge with the line merge of the same versions in the place of git's."""
    versions = Versions(None if base is None else cut(base), cut(ours), cut(theirs))
    read, form = texts(versions)
    pieces = by_lines(read.base, read.ours, read.theirs)
    found = clashes(pieces)
    content = (
        b"<<<<<<< ours\n=======\n>>>>>>> theirs\n" * 100 if found else written(side_of(pieces, "ours"), form)
    )
    return merge(path, versions, LineMerge(content, len(found)), accept=accept)


@dataclass
class Case:
    """Three versions of a file, and what has to be in every result that is clean."""

    base: str | None
    ours: str
    theirs: str
    kept: tuple[str, ...]
    gone: tuple[str, ...] = ()


CASES = {
    "a class is not made of fragments": Case(
        """
        class Cart:
            def add(self, item):
                self.items.append(item)
                return self

            def total(self):
                return sum(self.items)
        """,
        """
        class Cart:
            def add(self, item):
                if item is None:
                    return self
                self.items.append(item)
                return self

            def total(self):
                return sum(self.items)

            def clear(self):
                self.items.clear()
        """,
        """
        class Cart:
            def add(self, item, count=1):
                self.items.extend([item] * count)
                return self

            def total(self):
                return sum(self.items) * self.rate

            def first(self):
                return self.items[0]
        """,
        ("def clear(self):", "def first(self):", "* self.rate", "if item is None:", "count=1"),
    ),
    "an import of several lines is not cut off": Case(
        """
        from shop.cart import (
            Cart,
            Item,
        )

        cart = Cart(Item())
        """,
        """
        from shop.cart import (
            Cart,
            Item,
            Order,
        )

        cart = Cart(Item())
        order = Order(cart)
        """,
        """
        from shop.cart import (
            Cart,
            Item,
            Price,
        )

        cart = Cart(Item(Price(1)))
        """,
        ("Order,", "Price,", "Item(Price(1))", "order = Order(cart)"),
    ),
    "an assignment between imports stays": Case(
        """
        import os
        DEBUG = os.environ.get("DEBUG")
        import sys

        print(DEBUG, sys.path)
        """,
        """
        import os
        import json
        DEBUG = os.environ.get("DEBUG")
        import sys

        print(json.dumps([DEBUG, sys.path]))
        """,
        """
        import os
        import re
        DEBUG = os.environ.get("DEBUG")
        LEVEL = 2
        import sys

        print(DEBUG, sys.path, re.escape(str(LEVEL)))
        """,
        ('DEBUG = os.environ.get("DEBUG")', "LEVEL = 2", "import json", "import re"),
    ),
    "an import deleted here and extended there is not left hollow": Case(
        """
        from shop.cart import (
            Cart,
            Item,
        )

        cart = Cart()
        item = Item()
        """,
        """
        import shop.cart

        cart = shop.cart.Cart()
        item = shop.cart.Item()
        """,
        """
        from shop.cart import (
            Cart,
            Item,
            Order,
        )

        cart = Cart()
        item = Item()
        order = Order()
        """,
        ("Order", "order = Order()", "import shop.cart"),
    ),
    "names in brackets are added by both": Case(
        "from shop import (Cart, Item)\n\nprint(Cart, Item)\n",
        "from shop import (Cart, Item, Order)\n\nprint(Cart, Item)\nprint(Order)\n",
        "from shop import (Basket, Cart, Item)\n\nprint(Basket)\nprint(Cart, Item)\n",
        ("Order", "Basket", "print(Order)", "print(Basket)"),
    ),
    "argument lists of different lengths are not paired wrongly": Case(
        "draw(left, right)\n",
        "draw(left, right, width=2)\n",
        "draw(right)\n",
        ("width=2",),
        ("left",),
    ),
    "both add similar methods": Case(
        """
        class Shop:
            def open(self):
                return True
        """,
        """
        class Shop:
            def open(self):
                return True

            def price_of(self, item):
                found = self.prices[item]
                return found * self.rate
        """,
        """
        class Shop:
            def open(self):
                return True

            def count_of(self, item):
                found = self.counts[item]
                return found * self.boxes
        """,
        ("def price_of(self, item):", "def count_of(self, item):", "found * self.rate", "found * self.boxes"),
    ),
    "both change the modifiers of a method": Case(
        """
        class Shop:
            def name(self):
                return "shop"
        """,
        """
        class Shop:
            @property
            def name(self):
                return "shop"
        """,
        """
        class Shop:
            @cached
            def name(self):
                return "shop"
        """,
        ("@property", "@cached"),
    ),
    "one moves a function and the other changes it": Case(
        """
        def first():
            return 1


        def second():
            return 2


        def third():
            return 3
        """,
        """
        def second():
            return 2


        def third():
            return 3


        def first():
            return 1
        """,
        """
        def first():
            return 10


        def second():
            return 2


        def third():
            return 3
        """,
        ("return 10",),
        ("return 1\n",),
    ),
    "one deletes a function and the other changes it": Case(
        "def old():\n    return 1\n\n\ndef new():\n    return 2\n",
        "def new():\n    return 2\n",
        "def old():\n    return 10\n\n\ndef new():\n    return 2\n",
        ("return 10",),
    ),
    "both add the same name with other contents": Case(
        "import os\n",
        "import os\n\n\ndef helper():\n    return os.sep\n",
        "import os\n\n\ndef helper(path):\n    return os.path.split(path)\n",
        ("NEVER CLEAN",),
    ),
}


@pytest.mark.parametrize("accept", Tier)
@pytest.mark.parametrize("name", CASES)
def test_a_known_trap_is_merged_rightly_or_left_as_a_conflict(name: str, accept: Tier) -> None:
    """Clean: it reads, and holds what both sides brought once. Else both sides are still there to choose from."""
    case = CASES[name]
    found = merged(case.base, case.ours, case.theirs, accept=accept)
    text = found.content.decode()
    if not found.clean:
        return
    ast.parse(text)
    for part in case.kept:
        assert text.count(part) == max(
            cut(case.ours).decode().count(part), cut(case.theirs).decode().count(part)
        )
        assert part in text
    for part in case.gone:
        assert part not in text


SOLVED = (
    "an import of several lines is not cut off",
    "names in brackets are added by both",
    "both add similar methods",
)


@pytest.mark.parametrize("name", SOLVED)
def test_traps_that_can_be_merged_are(name: str) -> None:
    """A conflict would be safe, and less than these deserve."""
    case = CASES[name]
    assert merged(case.base, case.ours, case.theirs).clean


def test_one_function_added_at_two_places_is_told_of_a_merge_that_git_finds_clean() -> None:
    """The lines merge, the function is there twice, and the result is git's: the guard says so."""
    base = "import os\n\nA = 1\nB = 2\nC = 3\nD = os.sep\n"
    function = "\n\ndef twice():\n    return 2\n\n\n"
    found = merged(
        base, base.replace("A = 1\n", f"A = 1\n{function}"), base.replace("C = 3\n", f"C = 3\n{function}")
    )
    assert found.clean
    assert any("`twice` is defined twice" in one for one in found.objections)


def test_a_name_that_one_side_removes_and_the_other_begins_to_use_is_told() -> None:
    """Lines far apart merge cleanly and break the code."""
    base = "import os\nimport re\n\n\ndef f():\n    return os.sep\n\n\ndef g():\n    return 1\n"
    ours = base.replace("import re\n", "")
    theirs = base.replace("return 1", "return re.escape('1')")
    found = merged(base, ours, theirs)
    assert found.clean
    assert found.objections == ("line 9: `re` is used but not defined",)


def test_a_merge_that_git_finds_clean_and_that_is_right_has_no_objections() -> None:
    """Nothing is said of what a side had before."""
    base = "import os\n\n\ndef f():\n    return gone\n\n\ndef g():\n    return 1\n"
    found = merged(base, base.replace("import os", "import re"), base.replace("return 1", "return 2"))
    assert (found.clean, found.objections) == (True, ())


def test_an_import_that_both_sides_add_is_no_reason_to_stop_a_merge_that_git_finds_clean() -> None:
    """Twice the same import is untidy and breaks nothing; the same name from two modules does."""
    base = "A = 1\nB = 2\nC = 3\nD = 4\n"
    ours, theirs = base.replace("A = 1", "import os\nA = os"), base.replace("C = 3", "import os\nC = os")
    assert (merged(base, ours, theirs).clean, merged(base, ours, theirs).objections) == (True, ())
    other = base.replace("C = 3", "import path as os\nC = os")
    unused = base.replace("A = 1", "import os\nA = 1")
    assert merged(base, unused, other).objections != ()


TWICE = """import os
import re
import sys
import urllib


def f():
    return os.sep


def g(a):
    return re.I, sys.path, urllib
"""
"""Two sides add the same import to it, each where it thinks best, as two agents do."""


def test_an_import_that_both_sides_add_stays_once_where_one_of_them_is_in_a_conflict() -> None:
    """The side that git took elsewhere at the top has it already, so the conflict is about the rest."""
    ours = TWICE.replace("import os\n", "import json\nimport os\n").replace("os.sep", "json.dumps(os.sep)")
    theirs = TWICE.replace("import os\n", "import abc\nimport os\n")
    theirs = theirs.replace("urllib\n\n", "urllib\nimport json\n\n").replace("(a)", "(a, b=json, c=abc)")
    found = merged(TWICE, ours, theirs)
    assert (found.clean, found.tier) == (True, Tier.AUTO)
    assert found.content.decode().startswith(
        "import abc\nimport os\nimport re\nimport sys\nimport urllib\nimport json\n"
    )


def test_an_import_in_a_function_does_not_stand_for_one_at_the_top() -> None:
    """Who left out the other would take the name from the rest of the file."""
    ours = TWICE.replace("import os\n", "import json\nimport os\n").replace("os.sep", "json.dumps(os.sep)")
    theirs = TWICE.replace("import os\n", "import abc\nimport os\n")
    theirs = theirs.replace("(a):\n", "(a):\n    import json\n\n    print(json, abc)\n")
    found = merged(TWICE, ours, theirs)
    assert "import abc\nimport json\nimport os\n" in found.content.decode()


def test_an_import_that_both_sides_add_elsewhere_does_not_hold_a_conflict_open() -> None:
    """What git put together beside its conflicts is as untidy as where it finds none, and breaks as little."""
    ours = TWICE.replace("import os\n", "import json\nimport os\n").replace("(a)", "(a, b=json)")
    theirs = TWICE.replace("urllib\n\n", "urllib\nimport json\n\n").replace("(a)", "(a, c=json)")
    found = merged(TWICE, ours, theirs)
    assert (found.clean, found.tier) == (True, Tier.AUTO)
    assert "def g(a, b=json, c=json):" in found.content.decode()


def test_two_new_files_of_json_become_one_that_reads_or_a_conflict() -> None:
    """Nothing was there before, so no line says what belongs together."""
    ours = '{\n  "name": "shop",\n  "port": 80\n}\n'
    theirs = '{\n  "name": "shop",\n  "host": "here"\n}\n'
    found = merged(None, ours, theirs, path="shop.json")
    if found.clean:
        assert json.loads(found.content) == {"name": "shop", "port": 80, "host": "here"}


def test_two_new_python_files_become_one_that_reads_or_a_conflict() -> None:
    """The same without a base for Python."""
    found = merged(
        None,
        "import os\n\n\ndef f():\n    return os.sep\n",
        "import re\n\n\ndef f():\n    return re.escape('1')\n",
    )
    assert not found.clean
