"""What is told of one Python file: imports with their kinds, definitions, uses by scope, and bad input."""

import ast
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.syntax.definitions import SOURCE_BYTES_MAX
from pucs.syntax.facts import USE_LINES_MAX, DefinitionKind, FileFacts, ImportKind, Language
from pucs.syntax.packing import packed, unpacked
from pucs.syntax.python_facts import python_facts

TOP, OPTIONAL, LAZY, TYPING = ImportKind.TOP, ImportKind.OPTIONAL, ImportKind.LAZY, ImportKind.TYPING


def told(text: str) -> FileFacts:
    facts = python_facts(dedent(text).encode())
    assert facts.problem == ""
    return facts


def kinds(text: str) -> dict[str, ImportKind]:
    return {fact.module: fact.kind for fact in told(text).imports}


def uses(text: str) -> dict[str, tuple[int, ...]]:
    return {use.name: use.lines for use in told(text).uses}


# Imports ------------------------------------------------------------------------------------------------------------


def test_imports_are_told_as_written() -> None:
    """Module, dots, names with what they are bound to, and line of each import."""
    facts = told("""\
        import os, a.b.c as abc
        from .. import near
        from ..pkg.mod import (one,
            two as second)
        from far import *
    """)
    found = [(fact.module, fact.level, fact.names, fact.bound, fact.line) for fact in facts.imports]
    assert found == [
        ("os", 0, (), "os", 1),
        ("a.b.c", 0, (), "abc", 1),
        ("", 2, (("near", "near"),), "", 2),
        ("pkg.mod", 2, (("one", "one"), ("two", "second")), "", 3),
        ("far", 0, (("*", "*"),), "", 5),
    ]


def test_a_plain_import_of_a_part_keeps_its_whole_name() -> None:
    """``import a.b`` binds ``a``; the whole name tells it from ``import a``."""
    [fact] = told("import a.b\n").imports
    assert (fact.module, fact.bound) == ("a.b", "a.b")


def test_imports_for_type_checkers_are_told_apart() -> None:
    """Under ``if TYPE_CHECKING`` nothing is loaded; what stands under its ``else`` is."""
    assert kinds("""\
        import typing
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import a
        else:
            import b
        if typing.TYPE_CHECKING:
            import c
        if not TYPE_CHECKING:
            import d
        else:
            import e
    """) == {"typing": TOP, "a": TYPING, "b": TOP, "c": TYPING, "d": TOP, "e": TYPING}


def test_optional_imports_are_those_whose_absence_is_caught() -> None:
    """A ``try`` that catches something else, or nothing, does not make an import optional."""
    assert kinds("""\
        from contextlib import suppress
        try:
            import a
        except ImportError:
            import b
        try:
            import c
        except (ModuleNotFoundError, OSError):
            pass
        try:
            import d
        except:
            pass
        try:
            import e
        except ValueError:
            pass
        try:
            import f
        finally:
            pass
        with suppress(ImportError):
            import g
        with suppress(KeyError):
            import h
        with open("x") as file:
            import i
    """) == {
        "contextlib": TOP, "a": OPTIONAL, "b": OPTIONAL, "c": OPTIONAL, "d": OPTIONAL,
        "e": TOP, "f": TOP, "g": OPTIONAL, "h": TOP, "i": TOP,
    }  # fmt: skip


def test_imports_inside_functions_are_lazy() -> None:
    """In a function, a method or a nested one; those of a class body or a block are carried out at once."""
    assert kinds("""\
        def f():
            import a
            try:
                import b
            except ImportError:
                pass
        class C:
            import c
            async def m(self):
                def inner():
                    from d import x
        if True:
            import e
        for _ in ():
            import g
        match 1:
            case 1:
                import h
    """) == {"a": LAZY, "b": LAZY, "c": TOP, "d": LAZY, "e": TOP, "g": TOP, "h": TOP}


# Definitions --------------------------------------------------------------------------------------------------------


def test_definitions_are_those_of_module_and_class_level() -> None:
    """Functions, classes, methods and variables with their lines; what is inside functions is nobody else's."""
    facts = told("""\
        LIMIT: int = 3
        a, (b, *c) = 1, (2, 3)
        @decorate(1)
        class Shop(Base[int], pkg.Other, metaclass=M):
            size = 0
            @property
            def total(self): return self.size
            class Inner:
                async def deep(self):
                    local = 1
        if LIMIT:
            def g():
                def hidden(): ...
    """)
    found = [(each.name, each.kind, each.line, each.last_line) for each in facts.definitions]
    function, klass = DefinitionKind.FUNCTION, DefinitionKind.CLASS
    method, variable = DefinitionKind.METHOD, DefinitionKind.VARIABLE
    assert found == [
        ("LIMIT", variable, 1, 1),
        ("a", variable, 2, 2),
        ("b", variable, 2, 2),
        ("Shop", klass, 4, 10),
        ("Shop.size", variable, 5, 5),
        ("Shop.total", method, 7, 7),
        ("Shop.Inner", klass, 8, 10),
        ("Shop.Inner.deep", method, 9, 10),
        ("g", function, 12, 13),
    ]
    shop = facts.definitions[3]
    assert (shop.bases, shop.decorators) == (("Base", "pkg.Other"), ("decorate",))
    assert facts.definitions[5].decorators == ("property",)


@pytest.mark.parametrize(
    ("source", "signature"),
    [
        ("def f(a, /, b: int = 1, *, c) -> None: return None\n", "def f(a, /, b: int = 1, *, c) -> None"),
        ("async def f(\n    a,\n    b={1: 2},\n):\n    pass\n", "async def f( a, b={1: 2}, )"),
        ("def f():  # why: so\n    # more\n\n    pass\n", "def f()"),
        ("def f(a=':  # no comment'):\n    @x\n    def g(): ...\n", "def f(a=': # no comment')"),
        ("class C:\n    def ä(self): return 'ö'\n", "def ä(self)"),
        ("x = 1\x0c\ndef f(one):\n    pass\n", "def f(one)"),
        ("if 1:\r\n    def f(two):\r\n        pass\r\n", "def f(two)"),
    ],
)
def test_signatures_are_headers_as_written(source: str, signature: str) -> None:
    """White space and comments behind apart, whatever ends the lines."""
    found = [each.signature for each in python_facts(source.encode()).definitions if each.signature]
    assert found == [signature]


def test_what_a_module_says_of_itself() -> None:
    """First line of its text, names it exports, how many lines it has."""
    facts = told('''\
        """

        Counts apples.

        More."""
        __all__ = ["one"]
        __all__ += ("two",)
        __all__.extend(["three"])
    ''')
    assert facts.description == "Counts apples."
    assert facts.exports == ("one", "two", "three")
    assert (facts.lines, python_facts(b"").lines, python_facts(b"a\nb").lines) == (8, 0, 2)
    assert facts.language is Language.PYTHON


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('"""Old.\n\nDeprecated: use new.py.\n"""\n', "Deprecated: use new.py."),
        ('import warnings\nwarnings.warn("gone soon", DeprecationWarning, stacklevel=2)\n', "gone soon"),
        ("from warnings import warn\nwarn(text(), category=PendingDeprecationWarning)\n", "warns with"),
        ('import warnings\nwarnings.warn("careful", UserWarning)\n', ""),
        ('import warnings\ndef f():\n    warnings.warn("f is old", DeprecationWarning)\n', ""),
        ('"""Finds deprecations."""\n', ""),
    ],
)
def test_deprecated_modules_say_so(source: str, words: str) -> None:
    """By their text, or by warning when they are loaded; a warning of one function is not the module's."""
    said = python_facts(source.encode()).deprecated
    assert said.startswith(words) if words else said == ""


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("sys.path.insert(0, 'x')", True),
        ("sys.path.append('x')", True),
        ("sys.path += ['x']", True),
        ("sys.path = []", True),
        ("site.addsitedir('x')", True),
        ("print(sys.path)", False),
        ("sys.path.sort", False),
    ],
)
def test_modules_that_change_the_import_path(line: str, changes: bool) -> None:  # noqa: FBT001 - a case
    """Putting a directory on ``sys.path`` is told, reading it is not."""
    assert told(f"import sys, site\n{line}\n").changes_path is changes


# Uses ---------------------------------------------------------------------------------------------------------------


def test_uses_are_dotted_names_that_begin_with_a_name_of_the_module() -> None:
    """Up to five parts, each line once, other names left out."""
    assert uses("""\
        import config
        from models import Breaker as B
        x = config.a.b.c.d.e.f + config.load()
        x = B.limit + B.limit; print(unknown.name)
        config.load
    """) == {"config.a.b.c.d": (3,), "config.load": (3, 5), "B.limit": (4,)}


def test_methods_do_not_hide_names_of_the_module_and_locals_do() -> None:
    """A method called like an import leaves it alone; a parameter or a local variable is something else."""
    assert uses("""\
        from a import run, load, keep, lazy
        class C:
            def run(self): return load()
            def go(self): return run(), self.run()
        def f(load): return load.x
        def g():
            keep = 1
            return keep, [run for run in keep]
        def h():
            return [keep for _ in lazy.all()]
    """) == {"load": (3,), "run": (4,), "keep": (10,), "lazy.all": (10,)}


def test_what_a_class_body_binds_hides_nothing_from_its_methods() -> None:
    """Scopes of classes are skipped from within functions, as at run time."""
    assert uses("""\
        from a import size
        class C:
            size = size
            def m(self): return size
    """) == {"size": (4,)}


def test_imports_of_functions_count_as_the_modules() -> None:
    """What a function imports stands for the same thing wherever it is read in the file."""
    assert uses("""\
        def f():
            from a import tool
            return tool.cut()
        def g():
            global state
            state = 1
    """) == {"tool.cut": (3,)}


def test_annotations_in_quotes_are_code_and_literals_are_not() -> None:
    """Quoted annotations are read at every depth; the values of ``Literal`` are no names."""
    assert uses("""\
        import a, b, c, d, e
        def f(x: "a.One", y: list["b.Two | None"] = c.THREE) -> "not code at all!": ...
        z: Literal["d"] | t.Literal["e"]
    """) == {"a.One": (2,), "b.Two": (2,), "c.THREE": (2,)}


def test_every_kind_of_expression_is_looked_into() -> None:
    """Patterns, comprehensions, lambdas, strings with values, slices, decorators, defaults, keywords."""
    found = uses("""\
        import a
        @a.decorator(key=a.keyword)
        class C(a.Base, metaclass=a.Meta):
            x: a.annotated = a.value
        def f(one=a.default, *rest: a.rest, two=a.keyword_default, **more) -> a.returned:
            with a.manager() as m, a.second:
                yield from a.generator[a.low:a.high]
            try: raise a.Error from a.cause
            except a.Caught as caught: del a.deleted
            match a.subject:
                case a.Klass(field=a.FIELD) if a.guard: pass
                case {"k": a.KEYED, **left}: left
                case [a.FIRST, *others] | None as both: others, both
            lambda q=a.lambda_default, *z: q + a.in_lambda + z
            {a.k: a.v for p in a.outer if a.test for r in p.inner}
            f"{a.shown!r:>{a.width}}"
            assert a.asserted, a.why
            a.target.x = a.item[0] = 1
            a.counted += (w := a.walrus)
            return (a.called(*a.star, **a.stars).method, await_(a.yes if a.condition else not a.no))
    """)
    assert found.keys() >= {
        *([
            "a.decorator",
            "a.keyword",
            "a.Base",
            "a.Meta",
            "a.annotated",
            "a.value",
            "a.default",
            "a.rest",
            "a.keyword_default",
        ]),
        *([
            "a.returned",
            "a.manager",
            "a.second",
            "a.generator",
            "a.low",
            "a.high",
            "a.Error",
            "a.cause",
            "a.Caught",
            "a.deleted",
        ]),
        *([
            "a.subject",
            "a.Klass",
            "a.FIELD",
            "a.guard",
            "a.KEYED",
            "a.FIRST",
            "a.lambda_default",
            "a.in_lambda",
            "a.k",
            "a.v",
        ]),
        *([
            "a.outer",
            "a.test",
            "a.shown",
            "a.width",
            "a.asserted",
            "a.why",
            "a.target.x",
            "a.item",
            "a.counted",
            "a.walrus",
        ]),
        *(["a.called", "a.star", "a.stars", "a.yes", "a.condition", "a.no"]),
    }


def test_after_a_star_import_any_name_may_come_from_there() -> None:
    """Unknown names are kept then, those of the language are not."""
    assert uses("""\
        from tools import *
        hammer(len(nails.all), __file__)
        def f(x): return x
    """) == {"hammer": (2,), "nails.all": (2,)}


def test_dotted_strings_are_kept_as_targets() -> None:
    """What a patch or a configuration names in quotes; sentences, numbers and relative names are none."""
    facts = told("""\
        patch("pkg.mod.Class")
        x = ["pkg.mod.Class", "no", "two words.", "1.5", ".rel", f"{1}.x", b"by.tes"]
    """)
    assert [(one.name, one.lines) for one in facts.strings] == [("pkg.mod.Class", (1, 2))]


def test_lines_of_a_use_are_limited() -> None:
    """A name on every line of a generated file is told with its first lines."""
    [use] = told("import a\n" + "a.b\n" * 100).uses
    assert use.lines == tuple(range(2, 2 + USE_LINES_MAX))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="grammar of Python 3.12")
def test_type_parameters_are_read_where_python_has_them() -> None:
    """Their bounds are uses, their names hide what is called the same; an alias is a definition."""
    facts = told("""\
        import a, T
        type Pair[K: a.Key] = dict[K, a.Value]
        def f[T: a.Bound](x: T) -> None: T.x
        class C[S: a.Other]: ...
    """)
    assert [use.name for use in facts.uses if use.name[0] == "a"] == [
        "a.Bound",
        "a.Key",
        "a.Other",
        "a.Value",
    ]
    assert [each.name for each in facts.definitions] == ["Pair", "f", "C"]


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (b"import a\nfrom .b import c as d, e # f\nprint 'two'\n", "line 3"),
        (b"import a\nfrom .b import c as d, e\n\0\n", "zero byte"),
        (b"# coding: nonsense\nimport a\nfrom .b import c as d, e\n", "nonsense"),
        (b"import a\nfrom .b import c as d, e\nx = '\xff'\n", "utf-8"),
        (b"import a\nfrom .b import c as d, e\nx = " + b"(" * 500 + b")" * 500, "line"),
        (b"import a\nfrom .b import c as d, e\nx = " + b"-" * 100_000 + b"1", "nested too deeply"),
        (b"import a\nfrom .b import c as d, e\n" + b"#" * SOURCE_BYTES_MAX, "larger than"),
    ],
    ids=["python-2", "zero-byte", "encoding", "not-text", "brackets", "deep", "large"],
)
def test_of_what_is_no_python_its_lines_are_looked_at(source: bytes, problem: str) -> None:
    """Whatever is wrong, the problem is named and imports are found by their lines."""
    facts = python_facts(source)
    assert problem in facts.problem
    found = [(fact.module, fact.level, fact.names, fact.bound, fact.line) for fact in facts.imports]
    first = source.split(b"\n").index(b"import a") + 1
    assert found == [("a", 0, (), "a", first), ("b", 1, (("c", "d"), ("e", "e")), "", first + 1)]


@pytest.mark.parametrize("filling", [b".", b" ", b"a", b"a.", b"a, ", b"\t.", b" import"])
def test_long_lines_of_a_broken_file_take_no_longer_than_others(filling: bytes) -> None:
    """However much of an import there is on one line, it is looked at once."""
    for start in (b"from ", b"import ", b"from . import ", b" "):
        facts = python_facts(b"(\n" + start + filling * (50_000 // len(filling)) + b"!\nimport end\n")
        assert facts.imports[-1].module == "end"


def test_ways_to_write_an_import_are_known_line_by_line() -> None:
    """Spaces are optional around dots; names that begin like a keyword are names."""
    source = b"(\nfrom .import x\nfrom.a import y\nfrom b import*\nfrom imports import (z, # w\nimport q , r.s as t\n"
    found = [(fact.level, fact.module, fact.names) for fact in python_facts(source).imports]
    assert found == [
        (1, "", (("x", "x"),)),
        (1, "a", (("y", "y"),)),
        (0, "b", (("*", "*"),)),
        (0, "imports", (("z", "z"),)),
        (0, "q", ()),
        (0, "r.s", ()),
    ]


def test_indented_lines_of_a_broken_file_count_as_lazy() -> None:
    """Most of what is indented stands in a function."""
    facts = python_facts(b"import a.b, c\ndef f():\n  import d\n  print x\n")
    assert [(fact.module, fact.bound, fact.kind) for fact in facts.imports] == [
        ("a.b", "a.b", TOP),
        ("c", "c", TOP),
        ("d", "d", LAZY),
    ]


def test_a_long_chain_of_elif_is_no_deep_nesting() -> None:
    """Generated code decides among hundreds of cases; all of it is read."""
    text = "import a\nif x == 0: pass\n" + "".join(f"elif x == {n}: a.f{n}\n" for n in range(400))
    facts = python_facts(text.encode())
    assert (facts.problem, len(facts.uses)) == ("", 400)


@pytest.mark.slow
def test_a_generated_file_of_fifty_thousand_lines_is_read_in_full() -> None:
    """As long as it stays below the limit of bytes."""
    text = "import a\n" + "".join(f"def f{n}(x): return a.g{n}(x)\n" for n in range(49_999))
    assert len(text) < SOURCE_BYTES_MAX
    facts = python_facts(text.encode())
    assert (facts.problem, facts.lines, len(facts.definitions), len(facts.uses)) == (
        "",
        50_000,
        49_999,
        49_999,
    )


def test_halves_of_characters_do_not_stop_what_is_kept() -> None:
    """An escape may make text that cannot be written down."""
    facts = python_facts(rb'"""\ud800 half"""' + b"\n__all__ = ['\\udc00']\n")
    assert facts.description == "? half"
    assert unpacked(packed(facts)) == facts


def test_warnings_about_somebodys_code_stay_unsaid(recwarn: pytest.WarningsRecorder) -> None:
    """A doubtful escape, in quotes of an annotation too, is not reported while files are read."""
    told("x = '\\d'\ny: \"'\\\\d'\" = 1\n1 is 1\n")
    assert not recwarn.list


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_answered(source: bytes) -> None:
    """Nothing that a file holds raises, and what is told can be kept."""
    facts = python_facts(source)
    assert unpacked(packed(facts)) == facts


def test_a_real_module_is_read_in_full() -> None:
    """Every function and class that the standard parser sees at the top of its own module is told."""
    data = Path(ast.__file__).read_bytes()
    defined = {each.name for each in python_facts(data).definitions}
    tree = ast.parse(data)
    assert {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)} <= defined
