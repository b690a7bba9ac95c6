"""What a file defines, told from its bytes alone."""

import sysconfig
from pathlib import Path

import pytest

from pucs.syntax.definitions import (
    SOURCE_BYTES_MAX,
    Outline,
    SymbolKind,
    Unparsable,
    definitions,
    supports,
)

SHOP = b'''\
"""A shop."""

from __future__ import annotations

LIMIT = 3
"""Most items of one order."""


# What a thing costs.
@cached
@traced(
    "price",
)
def price(item: str) -> int:
    def inner() -> int:
        return 1

    return inner()
    # nothing comes after this


class Cart:
    """Holds things."""

    size: int = 0

    # Not in the basket of others.
    async def add(self, item):
        pass

    class Line:
        def total(self):
            return 0

    @property
    def owner(self):
        return self._owner

    @owner.setter
    def owner(self, value):
        self._owner = value


if __name__ == "__main__":
    result = price("tea")
'''


def spans(outline: Outline) -> dict[str, tuple[tuple[int, int], ...]]:
    return {symbol.name: symbol.spans for symbol in outline.symbols}


def test_functions_classes_methods_and_constants_are_symbols() -> None:
    """Each definition at module level or in a class has a qualified name, whatever the depth of classes."""
    outline = definitions(SHOP)
    assert [(symbol.name, symbol.kind, symbol.parent) for symbol in outline.symbols] == [
        ("LIMIT", SymbolKind.VARIABLE, ""),
        ("price", SymbolKind.FUNCTION, ""),
        ("Cart", SymbolKind.CLASS, ""),
        ("Cart.size", SymbolKind.VARIABLE, "Cart"),
        ("Cart.add", SymbolKind.METHOD, "Cart"),
        ("Cart.Line", SymbolKind.CLASS, "Cart"),
        ("Cart.Line.total", SymbolKind.METHOD, "Cart.Line"),
        ("Cart.owner", SymbolKind.METHOD, "Cart"),
    ]
    assert outline.names() == {symbol.name for symbol in outline.symbols}


def test_a_span_takes_decorators_and_the_words_about_it() -> None:
    """Decorators, the comment block directly above and a text directly below an assignment go with the symbol."""
    found = spans(definitions(SHOP))
    assert found["LIMIT"] == ((5, 6),)
    assert found["price"] == ((9, 19),)
    assert found["Cart.add"] == ((27, 29),)


def test_a_name_defined_twice_is_one_symbol() -> None:
    """A setter stands beside its getter, and variants under `if` and `try` beside each other."""
    assert spans(definitions(SHOP))["Cart.owner"] == ((35, 37), (39, 41))
    variants = b"try:\n    import fast\nexcept ImportError:\n    fast = None\nif fast:\n    def go(): return fast\nelse:\n    def go(): return 0\n"
    assert spans(definitions(variants)) == {"fast": ((4, 4),), "go": ((6, 6), (8, 8))}


def test_what_a_program_does_when_run_defines_nothing() -> None:
    """The block under `if __name__ == "__main__"` is one piece that belongs to no symbol."""
    outline = definitions(SHOP)
    assert "result" not in outline.names()
    assert '    result = price("tea")' in outline.loose


def test_assignments_to_parts_of_things_define_nothing() -> None:
    """Only simple names can be leased; of an unpacking every name is a symbol."""
    assert spans(definitions(b"a.b = 1\na[0] = 2\nc, (d, *e) = f = 3\ng: int\ng += 1\nx.y = z = 2\n")) == {
        "c": ((3, 3),), "d": ((3, 3),), "e": ((3, 3),), "f": ((3, 3),), "g": ((4, 4), (5, 5)),
    }  # fmt: skip


def test_lines_are_the_parsers_lines() -> None:
    """Form feeds and other separators that only look like line ends do not shift a span; CRLF and CR are line ends."""
    assert spans(definitions(b"a = '\x0c'\n\x0c\ndef f():\n    '\xc2\x85'\n"))["f"] == ((3, 4),)
    assert spans(definitions(b"a = 1\r\n\r\ndef f():\r\n    pass\r\n"))["f"] == ((3, 4),)
    assert spans(definitions(b"a = 1\r\rdef f():\r    pass\r"))["f"] == ((3, 4),)


@pytest.mark.parametrize(
    "source",
    [
        "# -*- coding: latin-1 -*-\ndef café(): pass\n".encode("latin-1"),
        "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\ndef café(): '€'\n".encode("cp1252"),
        "def café(): pass\n".encode("utf-8-sig"),
    ],
)
def test_the_declared_encoding_is_used(source: bytes) -> None:
    """A cookie in the first two lines or a byte order mark says how to read the file, and belongs to no symbol."""
    outline = definitions(source)
    assert outline.names() == {"café"}
    assert outline.symbols[0].spans[0][0] == len(outline.lines) - 1


@pytest.mark.parametrize(
    ("source", "line"),
    [
        pytest.param(b"def f(:\n", 1, id="syntax"),
        pytest.param(b"a = 1\n\n  b = 2\n", 3, id="indent"),
        pytest.param(b"print 'x'\n", 1, id="python 2"),
        pytest.param(b"a = '\xff'\n", 0, id="not utf-8"),
        pytest.param(b"# coding: no-such\n", 0, id="unknown encoding"),
        pytest.param(b"# coding: rot13\nn = 1\n", 0, id="encoding of something else"),
        pytest.param(b"a = '\0'\n", 0, id="null byte"),
        pytest.param(b"a = " + b"(" * 500 + b")" * 500, 1, id="brackets"),
        pytest.param(b"a = " + b"-" * 200_000 + b"1", 0, id="deep expression"),
        pytest.param(b"a = 1" + b"+1" * 100_000, 0, id="long expression"),
        pytest.param(b"if a: pass\n" + b"elif a: pass\n" * 20_000, 0, id="long chain"),
        pytest.param(b"#" * (SOURCE_BYTES_MAX + 1), 0, id="too large"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(source: bytes, line: int) -> None:
    """Bad bytes, bad syntax, nesting and size end in one error with the line, never in a crash or a warning."""
    with pytest.raises(Unparsable) as caught:
        definitions(source)
    assert str(caught.value)
    assert line in {0, caught.value.line}


def test_doubtful_escapes_are_read_in_silence() -> None:
    """A file with an invalid escape is parsed without a warning on anybody's screen."""
    assert definitions(b"a = '\\d'\n").names() == {"a"}


def test_nothing_defines_nothing() -> None:
    """An empty file and one of comments have no symbols."""
    assert not definitions(b"").symbols
    assert not definitions(b"# only words\n\n# and more\n").symbols


def test_only_python_is_supported() -> None:
    """Other files are leased whole."""
    assert supports("a/b.py")
    assert supports("a/b.pyi")
    assert not supports("a/b.python")
    assert not supports("a/py")


def test_siblings_share_no_line_but_those_they_are_written_on() -> None:
    """In every file of this interpreter's json, email and asyncio packages, spans of siblings are disjoint."""
    library = Path(sysconfig.get_path("stdlib"))
    for path in (path for room in ("json", "email", "asyncio") for path in (library / room).glob("*.py")):
        outline = definitions(path.read_bytes())
        below: dict[str, int] = {}
        pairs = [(span, each) for each in outline.symbols for span in each.spans if each.kind != "variable"]
        for (first, last), symbol in sorted(pairs, key=lambda pair: pair[0]):
            assert first > below.get(symbol.parent, 0), (path, symbol)
            below[symbol.parent] = last
