"""Reads the code cells of a Jupyter notebook as one Python file; lines are counted through its code."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from pucs.syntax.definitions import SOURCE_BYTES_MAX
from pucs.syntax.facts import FileFacts, Language
from pucs.syntax.python_facts import python_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_PYTHON: Final = re.compile(r"^[ \t]*(?:[%!?]|.*\?$)")
"""Lines for the notebook's program: magics, shell commands, questions."""
_INDENT: Final = re.compile(r"[ \t]*")


class _Cell(msgspec.Struct):
    cell_type: str
    source: str | list[str] = ""


class _Notebook(msgspec.Struct):
    cells: list[_Cell]


def notebook_facts(source: bytes) -> FileFacts:
    """Return the facts of a notebook's Python."""
    if len(source) > SOURCE_BYTES_MAX:
        return FileFacts(Language.PYTHON, 0, problem=f"larger than {SOURCE_BYTES_MAX} bytes")
    try:
        notebook = msgspec.json.decode(source, type=_Notebook)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return FileFacts(Language.PYTHON, 0, problem="no notebook that can be read")
    except RecursionError:
        return FileFacts(Language.PYTHON, 0, problem="nested too deeply")
    code = "\n".join(_lines(notebook))
    # What is defined in a notebook nobody can import.
    return replace(python_facts(code.encode("utf-8", "replace")), definitions=(), exports=())


def _lines(notebook: _Notebook) -> Iterator[str]:
    for cell in notebook.cells:
        text = cell.source if isinstance(cell.source, str) else "".join(cell.source)
        if cell.cell_type != "code" or text.lstrip().startswith("%%"):
            continue
        for line in text.split("\n"):
            indent = _INDENT.match(line)
            yield f"{indent[0] if indent else ''}pass" if _NOT_PYTHON.match(line) else line
