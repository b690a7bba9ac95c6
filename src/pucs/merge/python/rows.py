"""What stands between two brackets, as elements with their comments, and how such a row is merged and written.

Elements are compared by key (the name of a parameter, of a keyword, of a dictionary's key, or the element itself), so that
two sides may each add, drop and change elements of their own. Meaning decides the order: what one side inserts stands
behind the neighbour that it had there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from pucs.merge.python.lexing import CLOSE, OPEN
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pucs.merge.python.lexing import Token

Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a row, without its comma."""

    key: Key
    value: Key
    """All of its code; equal values are equal elements."""
    code: str
    """As it is written, line ends inside kept."""
    above: tuple[str, ...] = ()
    """Comments on lines of their own before it, without indentation; an empty one is a blank line."""
    note: str = ""
    """Comment behind it."""
    fresh: bool = False
    """It is the first on its line."""
    column: int = 0
    """Where it begins in its line."""


@dataclass(frozen=True, slots=True)
class Row:
    """Elements of one bracket, or of a stretch of it."""

    elements: tuple[Element, ...]
    comma: bool = False
    """Behind the last one."""
    below: tuple[str, ...] = ()
    """Comments behind the last one on lines of their own."""

    @property
    def keys(self) -> list[Key]:
        """The keys in order."""
        return [one.key for one in self.elements]

    @property
    def by_key(self) -> dict[Key, Element]:
        """The elements by their keys."""
        return {one.key: one for one in self.elements}

    @property
    def stacked(self) -> bool:
        """Whether every element begins a line."""
        return bool(self.elements) and all(one.fresh for one in self.elements)

    @property
    def commented(self) -> bool:
        """Whether a comment stands among the elements, which therefore cannot share a line."""
        return bool(self.below) or any(one.note or any(one.above) for one in self.elements)


KeyOf: TypeAlias = "Callable[[Sequence[Token]], Key]"


def row(text: str, code: Sequence[Token], key: KeyOf) -> Row | None:
    """Read the tokens between brackets, comments among them; None: not a row of elements with commas between."""
    found: list[Element] = []
    above: list[str] = []
    part: list[Token] = []
    depth, comma = 0, False
    line = -1  # where the last comma or element ended
    for token in code:
        if token.kind == "comment":
            begins = not text[text.rfind("\n", 0, token.start) + 1 : token.start].strip()
            if part:
                if depth == 0 and text[part[-1].end : token.start].strip(" \t") == "":
                    note = token.text  # behind an element without a comma: only the last one may be
                    found.append(_element(text, part, key, above, note))
                    part, above = [], []
                    comma = False
                    line = token.end
                continue
            if begins:
                above.extend([""] * _blank(text, line, token.start))
                above.append(token.text)
            elif found and not found[-1].note:
                found[-1] = replace(found[-1], note=token.text)
            else:
                return None
            line = token.end
            continue
        if depth == 0 and token.text == ",":
            if part:
                found.append(_element(text, part, key, above, ""))
            elif comma or not found or not found[-1].note:
                return None  # two commas, or one in front
            part, above, comma, line = [], [], True, token.end
            continue
        if not part and found and not comma:
            return None  # an element behind one without a comma
        if not part:
            above.extend([""] * _blank(text, line, token.start))
        depth += (token.text in OPEN) - (token.text in CLOSE) if token.kind == "sign" else 0
        part.append(token)
    if part:
        found.append(_element(text, part, key, above, ""))
        above, comma = [], False
    return Row(tuple(found), comma, tuple(above))


def _blank(text: str, since: int, start: int) -> int:
    """Return how many blank lines lie before the line at ``start``, since an offset."""
    return max(0, text.count("\n", since, start) - 1) if since >= 0 else 0


def _element(text: str, part: Sequence[Token], key: KeyOf, above: Sequence[str], note: str) -> Element:
    start, end = part[0].start, part[-1].end
    column = start - (text.rfind("\n", 0, start) + 1)
    fresh = not text[start - column : start].strip()
    value = tuple(token.key for token in part if token.kind != "comment")
    return Element(key(part), value, text[start:end], tuple(above), note, fresh, column)


def merged(
    base: Row, ours: Row, theirs: Row, *, free: bool = False, whole: bool = False
) -> tuple[list[Element], str] | None:
    """Merge the elements of three rows; with them, which side they are written like.

    ``free``: the order means nothing, as in a set. ``whole``: an element dropped by one side and replaced by the other is
    dropped. None where both sides changed one element, put different ones in one's place, or an element occurs twice.
    """
    rows = (base, ours, theirs)
    if any(len(set(one.keys)) != len(one.keys) for one in rows):
        return None
    b, o, t = (one.by_key for one in rows)
    chosen: dict[Key, Element] = {}
    for key in {**o, **t}:
        element = _chosen(b.get(key), o.get(key), t.get(key))
        if element is _CLASH:
            return None
        if element is not None:
            chosen[key] = element
    if not whole and _rivals(base, ours, theirs):
        return None
    turned_ours, turned_theirs = _turned(base.keys, ours.keys), _turned(base.keys, theirs.keys)
    if turned_ours and turned_theirs and not free and ours.keys != theirs.keys:
        return None
    like = "theirs" if turned_theirs and not turned_ours else _fuller(base, ours, theirs)
    order = _ordered(b, ours.keys, theirs.keys, chosen, like)
    if free:
        order = _sorted_again(rows, order)
    return [chosen[key] for key in order], like


_CLASH = Element(("",), (), "")


def _chosen(base: Element | None, ours: Element | None, theirs: Element | None) -> Element | None:
    """Return what becomes of one key, None: it goes."""
    if base is None:
        if ours is None or theirs is None:
            return ours or theirs
        return ours if ours.value == theirs.value else _CLASH
    if ours is None or theirs is None:
        left = ours or theirs
        return None if left is None or left.value == base.value else _CLASH
    if theirs.value == base.value:
        return _annotated(base, ours, theirs)
    if ours.value == base.value:
        return _annotated(base, theirs, ours)
    return ours if ours.value == theirs.value else _CLASH


def _annotated(base: Element, changed: Element, other: Element) -> Element:
    """Return the changed element with the comments of the other where only those changed."""
    note = other.note if changed.note == base.note else changed.note
    above = other.above if changed.above == base.above else changed.above
    code = other.code if changed.code == base.code else changed.code
    return replace(changed, note=note, above=above, code=code)


def _rivals(base: Row, ours: Row, theirs: Row) -> bool:
    """Tell whether both sides put something in the place of one element, or one did and the other dropped it."""
    keys = base.keys
    for region in regions(keys, ours.keys, theirs.keys, apart=0):
        if region.changed != "clash":
            continue
        was = set(keys[slice(*region.base)])
        here, there = set(ours.keys[slice(*region.ours)]), set(theirs.keys[slice(*region.theirs)])
        both_dropped = was - here - there
        if both_dropped and here - was != there - was:
            return True
    return False


def _turned(base: Sequence[Key], side: Sequence[Key]) -> bool:
    """Tell whether a side changed the order of what it kept."""
    kept, known = set(side), set(base)
    return [key for key in base if key in kept] != [key for key in side if key in known]


def _fuller(base: Row, ours: Row, theirs: Row) -> str:
    """Return the side whose form counts: the one that changed it, else the one with more elements of its own."""
    if ours.stacked != theirs.stacked:
        return "ours" if ours.stacked != base.stacked else "theirs"
    mine = sum(one not in base.elements for one in ours.elements)
    other = sum(one not in base.elements for one in theirs.elements)
    return "ours" if mine >= other else "theirs"


def _ordered(
    base: dict[Key, Element], ours: list[Key], theirs: list[Key], chosen: dict[Key, Element], like: str
) -> list[Key]:
    """Return the keys in the order of one side, with what the other added behind its neighbours there."""
    first, second = (ours, theirs) if like == "ours" else (theirs, ours)
    order = [key for key in first if key in chosen]
    placed = set(order)
    previous: Key | None = None
    for key in second:
        if key not in placed and key in chosen:
            at = order.index(previous) + 1 if previous is not None else 0
            if like == "ours":  # what ours added at the same place comes first
                known = set(second)
                while at < len(order) and order[at] not in base and order[at] not in known:
                    at += 1
            order.insert(at, key)
            placed.add(key)
        if key in placed:
            previous = key
    return order


def _sorted_again(rows: tuple[Row, Row, Row], order: list[Key]) -> list[Key]:
    """Sort again what every version keeps sorted, in the same way."""
    for way in WAYS:
        if all(one.keys == sorted(one.keys, key=way) for one in rows):
            return sorted(order, key=way)
    return order


def _plain(key: Key) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in key[1:])


def _caseless(key: Key) -> tuple[str, ...]:
    return tuple(part.lower() for part in _plain(key))


def _by_kind(key: Key) -> tuple[int, tuple[str, ...]]:
    """Sort constants, then classes, then the rest, as isort and Ruff do."""
    name = _plain(key)[0] if key[1:] else ""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, _plain(key)


def _by_kind_caseless(key: Key) -> tuple[int, tuple[str, ...]]:
    return _by_kind(key)[0], _caseless(key)


WAYS: tuple[Callable[[Key], object], ...] = (_plain, _by_kind, _caseless, _by_kind_caseless)
"""Ways in which people and tools sort names."""
