"""Settles clashes inside brackets: lists, sets, dictionaries, arguments, element by element.

Both sides may add, drop and change elements of their own; one element that both changed stays a clash, and so do two that
came to stand in the place of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from pucs.merge.python.frames import brackets, rest
from pucs.merge.python.rows import NAMED, Element, merged
from pucs.merge.python.writing import written
from pucs.merge.records import Place, Settled, Tier

if TYPE_CHECKING:
    from pucs.merge.python.frames import Bracket
    from pucs.merge.python.lexing import Token
    from pucs.merge.python.rows import Key, Mix
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Pieces

Arrange: TypeAlias = Callable[[Sequence[Element], "Bracket"], "Sequence[Element] | None"]
LEVELS_MAX = 4
"""Brackets around each other that are tried."""


def members(clash: Clash, scene: Scene) -> Pieces | None:
    """Merge the elements of the innermost bracket that holds all that differs; None: there is none, or they collide."""
    for bracket in islice(brackets(clash, scene, _key), LEVELS_MAX):
        if bracket.signature or _grouping(bracket):
            continue
        found = settled(clash, scene, bracket, "members")
        if found is not None:
            return found
    return None


def _grouping(bracket: Bracket) -> bool:
    """Tell whether a version has one expression in parentheses, which is no tuple and may not become one."""
    plain = bracket.sign == "(" and not bracket.called and not bracket.imports
    return plain and any(len(frame.row.elements) == 1 and not frame.row.comma for frame in bracket.frames)


def _key(part: Sequence[Token]) -> Key:
    """Return the name of a keyword argument, the key of a dictionary's entry, or all of the element."""
    texts = [token.key for token in part if token.kind != "comment"]
    if len(texts) > 1 and texts[1] == "=" and part[0].kind == "word":
        return ("name", texts[0])
    depth = 0
    for index, text in enumerate(texts):
        depth += (text in "([{") - (text in ")]}")
        if text == ":" and depth == 0 and index and "lambda" not in texts[:index]:
            return ("key", *texts[:index])
    return ("item", *texts)


def settled(
    clash: Clash,
    scene: Scene,
    bracket: Bracket,
    resolver: str,
    *,
    tier: Callable[[Bracket], Tier] | None = None,
    arrange: Arrange | None = None,
    mix: Mix | None = None,
) -> Pieces | None:
    """Merge one bracket of a clash, and leave what follows its line as a smaller clash.

    ``arrange`` puts the merged elements in the order that their place asks for, or refuses them with None.
    """
    tail = _tail(bracket)
    free = bracket.sign == "{" or bracket.imports or "__all__" in bracket.header
    base, ours, theirs = (frame.row for frame in bracket.frames)
    said = [
        ([one.value for one in frame.row.elements], frame.tail_keys if bracket.signature else ())
        for frame in bracket.frames
    ]
    if said[0] in said[1:] or said[1] == said[2]:
        return None  # one side changed other things: statements know better
    found = merged(base, ours, theirs, free=free, mix=mix)
    if tail is None or found is None:
        return None
    elements, like = found
    arranged = arrange(elements, bracket) if arrange else elements
    lines = written(bracket, arranged, like, tail, scene.width) if arranged is not None else None
    if lines is None:
        return None
    b, o, t = rest(clash, bracket)
    x, y, z = (len(side) - len(left) for side, left in ((clash.base, b), (clash.ours, o), (clash.theirs, t)))
    part = replace(clash, base=clash.base[:x], ours=clash.ours[:y], theirs=clash.theirs[:z])
    pieces: Pieces = (Settled(lines, resolver, (tier or _tier)(bracket), part),)
    if b or o or t:
        at = Place(clash.at.base + x, clash.at.ours + y, clash.at.theirs + z)
        pieces = (*pieces, replace(clash, base=b, ours=o, theirs=t, at=at))
    return pieces


def _tier(bracket: Bracket) -> Tier:
    """Return AUTO where both sides only added or dropped elements that no order or position gives a meaning."""
    base, ours, theirs = (frame.row for frame in bracket.frames)
    known = base.by_key
    changed = any(
        one.key in known and one.value != known[one.key].value for one in (*ours.elements, *theirs.elements)
    )
    elements = (*base.elements, *ours.elements, *theirs.elements)
    named = all(one.key[0] in NAMED for one in elements)
    strings = all(len(one.value) == 1 and one.value[0][-1:] in {"'", '"'} for one in elements)
    listed = bracket.sign != "(" and not (bracket.sign == "[" and bracket.called)
    if changed or not (named or listed or (strings and not bracket.called)):
        return Tier.REVIEW
    return Tier.AUTO


def _tail(bracket: Bracket) -> str | None:
    """Return what follows the bracket, changed by one side at most."""
    base, ours, theirs = bracket.frames
    if ours.tail_keys == base.tail_keys:
        same = theirs.tail_keys == base.tail_keys
        return ours.tail if same and theirs.tail == base.tail else theirs.tail
    return ours.tail if theirs.tail_keys in (base.tail_keys, ours.tail_keys) else None
