"""Which files are read, and what is kept of them."""

import pytest

from pucs.syntax.facts import FORMAT, FileFacts, Language
from pucs.syntax.packing import packed, unpacked
from pucs.syntax.reading import facts, language, reader, unread


@pytest.mark.parametrize("path", ["README.md", "py", "dir.py/file", "a.pyc", "Makefile", "a.PY/b", "a.", ""])
def test_other_files_are_not_read(path: str) -> None:
    """By the ending of the name alone."""
    assert reader(path) == ""
    assert facts(path, b"import a\n") is None


@pytest.mark.parametrize("path", ["a.py", "deep/er/a.pyi", "A.PY", "odd name.x.py", ".py"])
def test_python_files_are_read(path: str) -> None:
    """Whatever else is in the name, and with a way of reading that says which grammar it was."""
    told = facts(path, b"import a\n")
    assert told is not None
    assert [fact.module for fact in told.imports] == ["a"]
    assert language(path) is told.language is Language.PYTHON
    assert reader(path).startswith(f"{FORMAT}.python3.")


def test_ways_of_reading_are_told_apart() -> None:
    """The same bytes as a notebook are something else."""
    assert reader("a.py") == reader("b.pyi") != reader("a.ipynb")
    told = facts("a.ipynb", b'{"cells": [{"cell_type": "code", "source": "import a"}, {"cell_type": "raw"}]}')
    assert told is not None
    assert [fact.module for fact in told.imports] == ["a"]


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"{",
        b"[]",
        b'{"cells": 1}',
        b'{"cells": [{"cell_type": "code", "source": 5}]}',
        b"\xff",
        b"[" * 5000,
    ],
)
def test_notebooks_that_are_none_have_a_problem(source: bytes) -> None:
    """Damaged, of another form, or deep."""
    told = facts("a.ipynb", source)
    assert told is not None
    assert told.problem


def test_facts_of_a_file_that_could_not_be_read_say_why() -> None:
    """Of the language that it would have been."""
    assert unread("a.py", "gone") == FileFacts(Language.PYTHON, 0, problem="gone")


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", b"{}", packed(FileFacts(Language.PYTHON, 1))[:-1]])
def test_damaged_bytes_are_no_facts(data: bytes) -> None:
    """Never an error: they are told anew."""
    assert unpacked(data) is None


def test_text_that_cannot_be_written_down_leaves_the_rest_out() -> None:
    """Half of a surrogate pair where nobody has looked for one."""
    kept = unpacked(packed(FileFacts(Language.PYTHON, 7, exports=("\ud800",), description="x")))
    assert kept == FileFacts(Language.PYTHON, 7, problem="holds text that cannot be written down")
