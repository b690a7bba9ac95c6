"""Repositories that exist only here."""

from __future__ import annotations

from pucs.code.resolving import Code
from pucs.syntax.reading import facts


def tree(files: dict[str, str]) -> Code:
    """Return what is told of files by path and text."""
    told = {path: facts(path, text.encode()) for path, text in files.items()}
    return Code({path: known for path, known in told.items() if known is not None})
