"""What Python itself, its names and its definitions hold against a merge; only what neither side brought along.

Code is parsed and compiled, never run. Versions that this Python cannot parse (another Python's, broken ones) are judged
by how many places of the result a tolerant parser cannot read.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pucs.merge.python.doubles import doubles
from pucs.merge.python.names import misnamed
from pucs.merge.python.unset import functions, unset
from pucs.merge.records import Objection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.merge.python.unset import Function
    from pucs.merge.records import Lines, Texts

_KEPT: Final = 4
"""Texts whose judgement is remembered: two sides, and the results with either side in the place of what clashes."""
_DECLARED: Final = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_UNREADABLE: Final = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
"""What the parser and the compiler raise for text that they do not take."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What the parser and the compiler made of one text."""

    tree: ast.Module | None
    """None: it is not this Python."""
    refused: Objection | None = None
    """Why the parser or the compiler does not take it."""


def objections(texts: Texts, merged: Lines) -> tuple[Objection, ...]:
    """Return what is wrong with a merge and was with neither side. Raises nothing."""
    sides = (texts.ours, texts.theirs)
    if merged in sides:
        return ()
    broken = unreadable(texts, merged)
    if broken:
        return broken
    new: list[Objection] = []
    for judge in (_doubled, _misnamed):
        found = {fault.words: fault for fault in judge(merged)}
        for side in sides:
            if found:  # most results have no fault at all, and then no side is looked at
                found = {words: fault for words, fault in found.items() if words not in _words(judge(side))}
        new.extend(found.values())
    return (*new, *_without_value(texts, merged))


def _without_value(texts: Texts, merged: Lines) -> list[Objection]:
    """Return the names that have no value yet where a function uses them; functions of either side are not read."""
    sides = ["".join(side) for side in (texts.ours, texts.theirs)]
    found: list[Objection] = []
    try:
        for function in _functions(merged):
            text = "".join(merged[function.lineno - 1 : function.end_lineno])
            if not any(text in side for side in sides):
                found += unset(function)
        for side in (texts.ours, texts.theirs):
            known = {fault.words for each in _functions(side) for fault in unset(each)} if found else ()
            found = [fault for fault in found if fault.words not in known]
    except RecursionError:  # too deep to be walked through; the rest is proved
        return []
    return found


def _functions(lines: Lines) -> Iterator[Function]:
    tree = _read(lines).tree
    return functions(tree.body if tree is not None else ())


def unreadable(texts: Texts, merged: Lines) -> tuple[Objection, ...]:
    """Return why Python refuses a merge, if it takes both sides; if not, what a tolerant parser has against it."""
    strange = _strange(texts, merged)
    if strange:
        return strange
    result = _read(merged)
    if result.refused is None:
        return ()
    for side in map(_read, (texts.ours, texts.theirs)):
        if side.refused is not None and (side.tree is None or result.tree is not None):
            return _more_errors(texts, merged)
    return (result.refused,)


def readable(texts: Texts) -> bool:
    """Tell whether Python takes both sides, so that what it says of a merge proves something."""
    return all(_read(side).refused is None for side in (texts.ours, texts.theirs))


def _strange(texts: Texts, merged: Lines) -> tuple[Objection, ...]:
    """Return lines in another encoding than the one that the result declares: read with that, they say something else.

    Only where the sides declare different ones; a line is in the encoding of the sides that have it.
    """
    declared = [_declared(side) for side in (texts.ours, texts.theirs)]
    if declared[0] == declared[1]:
        return ()
    wanted = _declared(merged)
    known = [
        set(side) for side, name in zip((texts.ours, texts.theirs), declared, strict=True) if name == wanted
    ]
    return tuple(
        Objection(f"not in the encoding that the file declares, {wanted}", at, line.strip(), broken=True)
        for at, line in enumerate(merged, start=1)
        if not line.isascii() and not any(line in side for side in known)
    )


def _declared(lines: Lines) -> str:
    """Return the encoding that a file declares in one of its first two lines (PEP 263)."""
    for line in lines[:2]:
        found = _DECLARED.match(line)
        if found:
            return found[1].lower().replace("_", "-")
    return "utf-8"


def _words(faults: tuple[Objection, ...]) -> set[str]:
    return {fault.words for fault in faults}


@lru_cache(maxsize=_KEPT)
def _read(lines: Lines) -> _Read:
    source = "".join(lines).encode("utf-8", "surrogateescape")
    tree = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            compile(tree, "merged", "exec", dont_inherit=True)
    except _UNREADABLE as error:
        line = error.lineno or 0 if isinstance(error, SyntaxError) else 0
        why = error.msg if isinstance(error, SyntaxError) else "it is too much for the parser"
        return _Read(tree, Objection(f"Python cannot read it: {why}", line, "", broken=True))
    return _Read(tree)


@lru_cache(maxsize=_KEPT)
def _misnamed(lines: Lines) -> tuple[Objection, ...]:
    tree = _read(lines).tree
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(misnamed(tree)) if tree is not None else ()


@lru_cache(maxsize=_KEPT)
def _doubled(lines: Lines) -> tuple[Objection, ...]:
    tree = _read(lines).tree
    return doubles(tree, lines) if tree is not None else ()


def _more_errors(texts: Texts, merged: Lines) -> tuple[Objection, ...]:
    """Return an objection for each place of a result that has more faulty ones than the sides' changes explain."""
    base, ours, theirs, result = (
        _errors("".join(lines).encode("utf-8", "surrogateescape"))
        for lines in (texts.base, texts.ours, texts.theirs, merged)
    )
    if len(result) <= max(len(ours), len(theirs), len(ours) + len(theirs) - len(base)):
        return ()
    words = "it cannot be read here, where each version could be"
    return tuple(Objection(words, line, broken=True) for line in result)


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
