"""What Python, its names and its definitions hold against a merge, and what they leave alone."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pucs.merge.python.guards import objections
from pucs.merge.records import Lines, Texts
from pucs.merge.texts import split


def cut(text: str) -> Lines:
    """Return the lines of an indented text."""
    return split(dedent(text).lstrip("\n"))


def said(merged: str, *sides: str) -> list[str]:
    """Return what is held against a text of which the sides had no part unless given; the first of them is the base."""
    base, ours, theirs = (*sides, *("",) * (3 - len(sides)))
    return [one.words for one in objections(Texts(cut(base), cut(ours), cut(theirs)), cut(merged))]


FAULTS = {
    "a function twice": (
        "def f():\n    return 1\n\n\ndef g():\n    f()\n\n\ndef f():\n    return 2\n",
        "`f` is defined twice",
    ),
    "a method twice": (
        """
        class Shop:
            def buy(self):
                return 1

            price = 2

            def buy(self):
                return 2
        """,
        "`Shop.buy` is defined twice",
    ),
    "a view twice": (
        """
        import web

        @web.route("/a")
        def index():
            return 1

        @web.route("/b")
        def index():
            return 2
        """,
        "`index` is defined twice",
    ),
    "a parameter twice": (
        "def f(a, b, a):\n    return a\n",
        "Python cannot read it: duplicate argument 'a' in function definition",
    ),
    "a keyword twice": (
        "print(1, end='', end='')\n",
        "Python cannot read it: keyword argument repeated: end",
    ),
    "a key twice": ("x = {'a': 1, 'b': 2, 'a': 1}\n", "'a' is a key twice"),
    "a name added to that has no value": (
        "def f(a):\n    if a:\n        text = 'x'\n    else:\n        text += 'y'\n    return text\n",
        "`text` has no value yet where `f` uses it",
    ),
    "a name read before it is set": (
        "class A:\n    async def f(self):\n        with open(path) as path:\n            pass\n",
        "`path` has no value yet where `f` uses it",
    ),
    "a name of `__all__` twice": ("__all__ = ['a', 'b', 'a']\na = b = 1\n", "a list of names has 'a' twice"),
    "a field twice": (
        "class A:\n    size: int = 1\n    name = ''\n    size: int = 2\n",
        "`A.size` gets a value twice",
    ),
    "a constant twice": ("LIMIT = 1\nOTHER = 3\nLIMIT = 2\n", "`LIMIT` gets a value twice"),
    "a statement twice": ("x = []\nx.append(1)\nx.append(1)\n", "it stands twice in a row: x.append(1)"),
    "a block twice": (
        "def f(a):\n    if a:\n        a()\n    if a:\n        a()\n",
        "it stands twice in a row: if a:",
    ),
    "a value at once overwritten": (
        "def f(a):\n    size = 1\n    size = 2\n    return size\n",
        "`size` gets another value at once",
    ),
    "two returns": ("def f():\n    return 1\n    return 2\n", "it is never reached: return 2"),
    "code after a raise": ("def f():\n    raise OSError\n    print()\n", "it is never reached: print()"),
    "two docstrings": ('def f():\n    """One."""\n    """Two."""\n', 'two texts stand in a row: """Two."""'),
    "a handler twice": (
        "try:\n    print()\nexcept OSError:\n    print(1)\nexcept OSError:\n    print(2)\n",
        "a handler stands twice: OSError",
    ),
    "a condition twice": (
        "def f(a):\n    if a:\n        return 1\n    elif a:\n        return 2\n",
        "a condition stands twice: a",
    ),
    "a decorator twice": ("import d\n@d.a\n@d.a\ndef f():\n    return 1\n", "a decorator stands twice: d.a"),
    "a name that is gone": ("def f():\n    return helper()\n", "`helper` is used but not defined"),
    "a name only an import of everything may have": (
        "from os import *\nprint(path)\n",
        "`path` is used, and only an import of everything may define it",
    ),
    "a name of `__all__` that is gone": ("__all__ = ['a']\n", "`a` is in `__all__` but not defined"),
    "an import twice": (
        "import os\nimport re\nimport os\nprint(os, re)\n",
        "`os` is defined again before its first definition is used",
    ),
    "a return outside": ("x = 1\nreturn x\n", "Python cannot read it: 'return' outside function"),
    "a missing bracket": ("x = (1,\ny = 2\n", "Python cannot read it: '(' was never closed"),
    "a lost indentation": (
        "def f():\nreturn 1\n",
        "Python cannot read it: expected an indented block after function definition on line 1",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_no_side_had_is_told(name: str) -> None:
    """Each in a sentence of its own."""
    merged, words = FAULTS[name]
    assert words in said(merged)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_one_side_had_is_its_own_business(name: str) -> None:
    """A merge is not there to mend what people or agents wrote before."""
    merged, _ = FAULTS[name]
    more = f"added_line = 1\n{dedent(merged).lstrip()}"
    assert said(more, "", merged, "added_line = 1\n") == []
    assert said(more, "", "added_line = 1\n", merged) == []


@pytest.mark.parametrize(
    "source",
    [
        """
        class A:
            @property
            def x(self):
                return self._x

            @x.setter
            def x(self, value):
                self._x = value
        """,
        """
        from typing import overload

        @overload
        def f(a: int) -> int: ...
        @overload
        def f(a: str) -> str: ...
        def f(a):
            return a
        """,
        """
        try:
            import json
        except ImportError:
            json = None
        """,
        """
        import sys
        if sys.platform == "win32":
            def f():
                return 1
        else:
            def f():
                return 2
        """,
        "x = 1\nx = x + 1\nprint(x, end='')\nprint(x)\n",
        "pair = ('a', 'a')\n",
        "def f(a):\n    if a:\n        return 1\n    return 2\n",
        "x: int\nx = 1\n",
        "a = 1; b = 2\n",
        "x = {**{}, **{}}\n",
        "total = 0\nimport os\nunused = os\n",
    ],
)
def test_what_only_looks_doubled_is_left_alone(source: str) -> None:
    """Properties, overloads, stand-ins, branches, values made from themselves."""
    assert said(source) == []


@pytest.mark.parametrize(
    "body",
    [
        "if a:\n    x = 1\nreturn x",
        "for i in a:\n    if i:\n        x = i\n    else:\n        return x",
        "try:\n    import x\nexcept ImportError as e:\n    return e\nreturn x",
        "while (x := a()):\n    print(x)\nreturn x",
        "with a() as x, x.b() as y:\n    return y",
        "global x\nprint(x)\nx = 1",
        "def g():\n    return x\nx = 1\nreturn g",
        "match a:\n    case [x, *y]:\n        return x, y\n    case {1: z, **rest}:\n        return z, rest",
        "y = [x for x in a]\nx = y\nreturn x",
        "from b import x.y as z\nreturn z".replace("x.y", "x"),
        "print([y := a])\nreturn y",
    ],
)
def test_what_may_have_a_value_is_left_alone(body: str) -> None:
    """Branches, loops, handlers, patterns, and what runs later or has names of its own."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    assert said(f"def f(a):\n{lines}") == []


def test_an_import_or_a_variable_that_nobody_uses_is_no_fault() -> None:
    """Merges leave some behind, and they break nothing."""
    assert said("import os\n\n\ndef f():\n    x = 1\n") == []


def test_an_objection_says_where_and_about_what() -> None:
    """Line of the result, and the name by which guilty places are found."""
    [found] = objections(Texts((), (), ()), cut("import os\nprint(os, gone)\n"))
    assert (found.line, found.about, found.broken) == (2, "gone", False)
    assert str(found) == "line 2: `gone` is used but not defined"


OLD = "def f():\n    print 'one'\n"


def test_files_of_another_python_are_held_to_what_their_versions_were() -> None:
    """What this Python cannot parse may not get worse."""
    assert said(f"{OLD}    print 'two'\n", OLD, f"{OLD}    print 'two'\n", OLD) == []
    assert said(f"{OLD}    print 'two'\n\n", OLD, f"{OLD}    print 'two'\n", OLD) == []
    assert said(f"{OLD}    print ('two'\n]\n", OLD, f"{OLD}    print 'two'\n", OLD) != []


def test_a_side_that_is_broken_does_not_excuse_the_merge_for_more() -> None:
    """One broken place of ours explains one, not two."""
    ours, theirs = "x = (\n", "y = 1\n"
    assert said("x = (\ny = 1\n", "", ours, theirs) == []
    assert (
        said("x = (\ny = 1\n\n\ndef f():\n    return ]\n\n\ndef g():\n    return }\n", "", ours, theirs) != []
    )


DEEP = 10_000


@pytest.mark.parametrize(
    "merged",
    [
        "x = " + "(" * DEEP + ")" * DEEP + "\n",
        "x = " + "[" * DEEP + "\n",
        "x = " + "-" * DEEP + "1\n",
        "x = " + "+".join(["1"] * DEEP) + "\n",
        "x = a" + ".b" * DEEP + "\n",
        "x = " + "9" * DEEP + "\n",
        "x = {0x" + "f" * DEEP + ": 1, 0x" + "f" * DEEP + ": 2}\n",
        "".join(" " * depth + "if x:\n" for depth in range(150)) + " " * 150 + "pass\n",
        "x = '" + "a" * 200_000 + "'\n",
        "if x:\n    pass\n" + "elif x:\n    pass\n" * 3_000,
        "\x00\n",
        "\udcff = 1\n",
        "# coding: no-such-thing\nx = 1\n",
        "# coding: latin-1\nx = '\udce9'\n",
        "'\\d' is 1\nassert (1, 2)\n",
        "x = f'{x!r:{y}}'\n\f\nmatch x:\n    case [1, *_]:\n        pass\n",
        "\r\rx = 1\r",
        "",
    ],
    ids=range(18),
)
def test_no_text_makes_a_guard_raise(merged: str) -> None:
    """Deep, huge, broken or strange: an objection or none, no exception and no warning."""
    lines = split(merged)
    for texts in (Texts((), (), ()), Texts(lines, (*lines, "x = 1\n"), ("y = 1\n", *lines))):
        objections(texts, lines)
        objections(texts, (*lines, "z = 1\n"))
