"""Merges are compared with what people committed by what they say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.merging.judging import judged
from pucs.merge.agreement import Verdict, verdict

CODE = '''\
"""Doc."""

import os
from a import b, c

__all__ = ["one", "two"]


def one(x):
    if x:
        return os.path
    return b


def two():
    return c
'''
LATER = CODE.replace("import os\nfrom a import b, c\n", "from a import c\nfrom a import b\nimport os\n")


@pytest.mark.parametrize(
    ("merged", "expected"),
    [
        pytest.param(CODE, Verdict.EXACT, id="same"),
        pytest.param(CODE.replace("(x)", "( x )") + "\n", Verdict.SPACE, id="white space"),
        pytest.param(CODE.replace("return c", "return (c)  # see a"), Verdict.SYNTAX, id="layout"),
        pytest.param(LATER, Verdict.ORDER, id="imports"),
        pytest.param(CODE.replace('"one", "two"', '"two", "one"'), Verdict.ORDER, id="names of __all__"),
        pytest.param(
            CODE.replace("        return os.path", "        pass\n    return os.path"),
            Verdict.DIFFERS,
            id="another statement",
        ),
        pytest.param(
            CODE.replace("    return b\n", "        return b\n"), Verdict.DIFFERS, id="indented otherwise"
        ),
        pytest.param(CODE.replace("import os", "import sys"), Verdict.DIFFERS, id="another import"),
        pytest.param(CODE.replace("(x)", "(x"), Verdict.UNPARSABLE, id="broken"),
    ],
)
def test_python_is_compared_by_what_it_says(merged: str, expected: Verdict) -> None:
    """Layout, order of imports and names do not count, everything else does; indentation is not mere white space."""
    assert verdict("a.py", merged.encode(), CODE.encode(), (CODE.encode(),)) == expected


BLOCKS = st.sampled_from([
    "import os\n",
    "import os, re\n",
    "from a import b\nfrom .a import c as d\n",
    '__all__ = ["x", "y"]\n',
    '__all__ = ["y", "x"]\n',
    "def f():\n    import re\n    return re\n",
    "def g(): return 'one  two'\n",
    "def g():\n    return 'one two'\n",
    "class A:\n    def f(self): ...\n    def g(self): ...\n",
    "class A:\n    def g(self): ...\n    def f(self): ...\n",
    "x = u'1'\n",
    "x  =  '1'\n",
    "if x:\n    f()\n    g()\n",
    "if x:\n    f()\ng()\n",
])  # fmt: skip


@given(st.lists(BLOCKS, max_size=5), st.lists(BLOCKS, max_size=5))
def test_the_benchmark_judges_alike_without_this_code(one: list[str], other: list[str]) -> None:
    """Except where only indentation makes the difference, which its plain comparison takes for white space."""
    merged, committed = "".join(one).encode(), "".join(other).encode()
    own, plain = verdict("a.py", merged, committed), judged(merged, committed)
    assert own == plain or (own, plain) == (Verdict.DIFFERS, "white space")


def test_definitions_may_stand_in_another_order_at_every_depth() -> None:
    """Methods of a class and functions of a module; statements between them may not."""
    one = "class A:\n    def f(self): ...\n    def g(self): ...\ndef h(): ...\n"
    other = "def h(): ...\nclass A:\n    def g(self): ...\n    def f(self): ...\n"
    assert verdict("a.py", one.encode(), other.encode()) == Verdict.ORDER
    assert verdict("a.py", b"f()\ng()\n", b"g()\nf()\n") == Verdict.DIFFERS


def test_a_result_is_not_blamed_for_versions_that_nobody_can_parse() -> None:
    """Where a version or people's result does not parse, only bytes are compared."""
    old = b"print 'one'\n"
    assert verdict("a.py", b"print 'two'\n", b"print 1\n", (old,)) == Verdict.DIFFERS
    assert verdict("a.py", b"print  'two'\n", b"print 'two'\n", (old,)) == Verdict.SPACE
    assert verdict("a.py", b"print 'two'\n", b"x = 1\n", (old,)) == Verdict.DIFFERS


@pytest.mark.parametrize(
    ("path", "merged", "committed", "expected"),
    [
        ("a.json", '{"a": 1,\n"b": 2}', '{"a":1,"b":2}', Verdict.SPACE),
        ("a.json", '{"b": 2, "a": 1}', '{"a": 1, "b": 2}', Verdict.ORDER),
        ("a.json", '{"a": 2}', '{"a": 1}', Verdict.DIFFERS),
        ("a.json", '{"a": ,}', '{"a": 1}', Verdict.UNPARSABLE),
        ("a.toml", "# note\na = 1\n", "a = 1\n", Verdict.SYNTAX),
        ("a.toml", "a = = 1\n", "a = 1\n", Verdict.UNPARSABLE),
        ("a.txt", "one  two\n", "one two\n", Verdict.SPACE),
        ("a.txt", "two one\n", "one two\n", Verdict.DIFFERS),
    ],
)
def test_other_files_are_compared_as_far_as_they_are_understood(
    path: str, merged: str, committed: str, expected: Verdict
) -> None:
    """JSON and TOML by their values, everything else by its bytes."""
    assert verdict(path, merged.encode(), committed.encode(), (committed.encode(),)) == expected


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(["a.py", "a.json", "a.toml", "a"]))
def test_any_bytes_have_a_verdict(merged: bytes, committed: bytes, path: str) -> None:
    """And what equals itself is exact."""
    assert isinstance(verdict(path, merged, committed, (committed,)), Verdict)
    assert verdict(path, merged, merged) == Verdict.EXACT


def test_deep_nesting_has_a_verdict() -> None:
    """What no parser can follow is compared by its bytes."""
    deep = ("x = " + "(" * 5000 + ")" * 5000).encode()
    assert verdict("a.py", deep, b"x = 1\n", (deep,)) == Verdict.DIFFERS
    assert verdict("a.json", b"[" * 100_000, json.dumps([1]).encode(), (b"[" * 100_000,)) == Verdict.DIFFERS
