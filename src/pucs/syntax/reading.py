"""Which files are read for what they say, and how: by the ending of their names."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from pucs.syntax.definitions import SOURCE_BYTES_MAX
from pucs.syntax.facts import FORMAT, FileFacts, Language

if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES_MAX: Final = SOURCE_BYTES_MAX + 1
"""How much of a file has to be read: one byte more than is parsed shows that it is too large."""
_PYTHON: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""Another version of Python reads other grammar."""
_READERS: Final = {
    "py": _PYTHON,
    "pyi": _PYTHON,
    "ipynb": f"notebook-{_PYTHON}",
}


def reader(path: str) -> str:
    """Return a name for the way in which a file is read; empty: it is not read.

    The facts of equal bytes are equal as long as this name is. It is short and has no spaces.
    """
    kind = _READERS.get(_ending(path), "")
    return f"{FORMAT}.{kind}" if kind else ""


def facts(path: str, source: bytes) -> FileFacts | None:
    """Return what a file says of itself; None: files of this name are not read.

    Whatever the bytes are, this does not raise; of a file that cannot be read in full the facts name the problem.
    More than ``READ_BYTES_MAX`` bytes are never needed.
    """
    read = _reading(path)
    return None if read is None else read(source)


def unread(path: str, problem: str) -> FileFacts:
    """Return the facts of a file whose content is not known."""
    return FileFacts(language(path), 0, problem=problem)


def language(path: str) -> Language:
    """Return the language of a file that is read."""
    kind = _READERS[_ending(path)]
    return Language.PYTHON if kind.endswith(_PYTHON) else Language(kind)


def _ending(path: str) -> str:
    _, dot, ending = path.rpartition("/")[2].rpartition(".")
    return ending.lower() if dot else ""


def _reading(path: str) -> Callable[[bytes], FileFacts] | None:
    kind = reader(path).partition(".")[2]
    if not kind:
        return None
    # Each brings a parser of its own: loaded where there is something to parse.
    if kind == _PYTHON:
        from pucs.syntax.python_facts import python_facts  # noqa: PLC0415

        return python_facts
    from pucs.syntax.notebooks import notebook_facts  # noqa: PLC0415

    return notebook_facts
