"""Which files are read for what they say, and how: by the ending of their names."""

from __future__ import annotations

import re
import sys
from functools import partial
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
    "js": "javascript",
    "jsx": "javascript",
    "mjs": "javascript",
    "cjs": "javascript",
    "ts": "typescript",
    "mts": "typescript",
    "cts": "typescript",
    "tsx": "tsx",
    "vue": "embedded",
    "svelte": "embedded",
}
_DECLARATIONS: Final = re.compile(r"\.d\.(?:[\w-]+\.)?[mc]?ts$", re.IGNORECASE)
"""TypeScript that only declares what another file, maybe of another kind, has."""


def reader(path: str) -> str:
    """Return a name for the way in which a file is read; empty: it is not read.

    The facts of equal bytes are equal as long as this name is. It is short and has no spaces.
    """
    kind = _kind(path)
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
    kind = _kind(path)
    if kind.endswith(_PYTHON):
        return Language.PYTHON
    return Language.JAVASCRIPT if kind in {"javascript", "embedded"} else Language.TYPESCRIPT


def _kind(path: str) -> str:
    kind = _READERS.get(_ending(path), "")
    return "declarations" if kind == "typescript" and _DECLARATIONS.search(path) else kind


def _ending(path: str) -> str:
    _, dot, ending = path.rpartition("/")[2].rpartition(".")
    return ending.lower() if dot else ""


def _reading(path: str) -> Callable[[bytes], FileFacts] | None:
    kind = _kind(path)
    if not kind:
        return None
    # Each brings a parser of its own: loaded where there is something to parse.
    if kind == _PYTHON:
        from pucs.syntax.python_facts import python_facts  # noqa: PLC0415

        return python_facts
    if kind.endswith(_PYTHON):
        from pucs.syntax.notebooks import notebook_facts  # noqa: PLC0415

        return notebook_facts
    if kind == "embedded":
        from pucs.syntax.components import component_facts  # noqa: PLC0415

        return component_facts
    from pucs.syntax.script_facts import script_facts  # noqa: PLC0415

    return partial(script_facts, kind)
