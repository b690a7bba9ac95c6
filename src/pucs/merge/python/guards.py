"""What Python itself, its names and its definitions hold against a merge; only what neither side brought along.

Code is parsed and compiled, never run. Versions that this Python cannot parse (another Python's, broken ones) are judged
by how many places of the result a tolerant parser cannot read.
"""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pucs.merge.python.doubles import doubles
from pucs.merge.python.names import misnamed
from pucs.merge.records import Objection

if TYPE_CHECKING:
    from pucs.merge.records import Lines, Texts

_KEPT: Final = 8
"""Judged texts that are remembered: the two sides, and the results with either side that are judged again in parts."""
_DEEP: Final = "it is nested too deeply to be proved"
_UNREADABLE: Final = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
"""What the parser and the compiler raise for text that they do not take."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """One text, by itself."""

    unreadable: Objection | None
    """Why Python does not take it."""
    parsed: bool
    """It is Python as far as the parser goes, though the compiler may refuse it."""
    faults: tuple[Objection, ...] = ()


def objections(texts: Texts, merged: Lines) -> tuple[Objection, ...]:
    """Return what is wrong with a merge and was with neither side. Takes any text and raises nothing."""
    if merged in (texts.ours, texts.theirs):
        return ()
    result = _judged(merged)
    if result.unreadable is None and not result.faults:
        return ()
    sides = (_judged(texts.ours), _judged(texts.theirs))
    if result.unreadable is not None:
        if all(side.unreadable is None or (side.parsed and not result.parsed) for side in sides):
            return (result.unreadable,)
        return _more_errors(texts, merged)
    known: Counter[str] = Counter()
    for side in sides:
        known |= Counter(fault.words for fault in side.faults)
    return tuple(fault for fault in result.faults if not known[fault.words])


@lru_cache(maxsize=_KEPT)
def _judged(lines: Lines) -> _Judged:
    source = "".join(lines).encode("utf-8", "surrogateescape")
    parsed = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            parsed = True
            compile(tree, "merged", "exec", dont_inherit=True)
            return _Judged(None, parsed=True, faults=(*misnamed(tree), *doubles(tree, lines)))
    except _UNREADABLE as error:
        line = error.lineno or 0 if isinstance(error, SyntaxError) else 0
        why = error.msg if isinstance(error, SyntaxError) else _DEEP
        return _Judged(Objection(f"Python cannot read it: {why}", line, "", broken=True), parsed)


def _more_errors(texts: Texts, merged: Lines) -> tuple[Objection, ...]:
    """Return an objection if a tolerant parser trips over more places than the sides' changes explain."""
    base, ours, theirs, result = (
        _errors("".join(lines).encode("utf-8", "surrogateescape"))
        for lines in (texts.base, texts.ours, texts.theirs, merged)
    )
    if len(result) <= max(len(ours), len(theirs), len(ours) + len(theirs) - len(base)):
        return ()
    return tuple(
        Objection("it cannot be read here, as it could in each version", line, "", broken=True)
        for line in result
    )


def _errors(source: bytes) -> list[int]:
    """Return the lines of the places that do not fit Python's grammar, old or new."""
    from tree_sitter import Language, Parser  # noqa: PLC0415 - loads native code, for broken or old files only
    from tree_sitter_python import language  # noqa: PLC0415

    found: list[int] = []
    waiting = [Parser(Language(language())).parse(source).root_node]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            found.append(node.start_point[0] + 1)
        elif node.has_error:
            waiting.extend(node.children)
    return found
