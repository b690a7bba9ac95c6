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
    pad: str = ""
    """White space before it, if it is the first on its line."""


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
Mix: TypeAlias = "Callable[[Element, Element, Element], Element | None]"


def row(text: str, code: Sequence[Token], key: KeyOf) -> Row | None:  # noqa: C901, PLR0912 - one pass, one state
    """Read the tokens between brackets, comments among them; None: not a row of elements with commas between."""
    found: list[Element] = []
    above: list[str] = []
    part: list[Token] = []
    depth, lambdas, comma = 0, 0, False
    line = -1  # where the last comma or element ended
    for token in code:
        if token.kind == "comment":
            begins = not text[text.rfind("\n", 0, token.start) + 1 : token.start].strip()
            if part and depth:
                continue  # inside an element
            if part:  # behind an element without a comma: only the last one may be
                found.append(_element(text, part, key, above, "" if begins else token.text))
                line, part, above, comma = part[-1].end, [], [], False
                if not begins:
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
        if depth == 0 and token.text in {
            "lambda",
            ":",
        }:  # commas between the parameters of a lambda divide nothing
            lambdas = lambdas + 1 if token.text == "lambda" else max(0, lambdas - 1)
        if depth == 0 and not lambdas and token.text == ",":
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
    pad = text[start - column : start]
    fresh = not pad.strip()
    value = tuple(token.key for token in part if token.kind != "comment")
    return Element(key(part), value, text[start:end], tuple(above), note, fresh, column, pad if fresh else "")


def merged(
    base: Row, ours: Row, theirs: Row, *, free: bool = False, mix: Mix | None = None
) -> tuple[list[Element], str] | None:
    """Merge the elements of three rows; with them, which side they are written like.

    ``free``: the order means nothing, as in a set. ``mix`` may merge an element that both sides changed. None where they
    changed one element otherwise, put different ones in the place of one, or an element occurs twice.
    """
    rows = (base, ours, theirs)
    if any(len(one.elements) > ELEMENTS_MAX or len(set(one.keys)) != len(one.keys) for one in rows):
        return None
    b, o, t = (one.by_key for one in rows)
    chosen = _choices(b, o, t, mix)
    if chosen is None or _rivals(base, ours, theirs):
        return None
    turned_ours, turned_theirs = _turned(base.keys, ours.keys), _turned(base.keys, theirs.keys)
    if turned_ours and turned_theirs and not free and ours.keys != theirs.keys:
        return None
    like = _fuller(base, ours, theirs)
    if turned_ours != turned_theirs:
        like = "ours" if turned_ours else "theirs"
    if not turned_ours and not turned_theirs:
        order = _in_place(rows, chosen)
    elif free or all(key[0] in NAMED for one in rows for key in one.keys):
        order = _behind(b, ours.keys, theirs.keys, chosen, like)
    else:
        return None
    if free:
        order = sorted_again(rows, order)
    return [chosen[key] for key in order], like


ELEMENTS_MAX = 1_000
"""Elements of one row beyond which they are data: finding a place for each takes 0.1 s."""
NAMED = frozenset({"name", "key"})
"""Kinds of keys that say what an element is, wherever it stands."""


def _choices(
    base: dict[Key, Element], ours: dict[Key, Element], theirs: dict[Key, Element], mix: Mix | None
) -> dict[Key, Element] | None:
    """Return what becomes of every key that stays, None where both sides changed one."""
    found: dict[Key, Element] = {}
    for key in {**ours, **theirs}:
        versions = base.get(key), ours.get(key), theirs.get(key)
        element = _chosen(*versions)
        if element is _CLASH:
            b, o, t = versions
            element = mix(b, o, t) if mix and b and o and t else None
            if element is None:
                return None
        if element is not None:
            found[key] = element
    return found


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
    """Return the changed element with the comments of the other where only those changed, or a clash of comments."""
    form = other if changed.code == base.code else changed
    for was, mine, its in ((base.note, changed.note, other.note), (base.above, changed.above, other.above)):
        if was not in {mine, its} and mine != its:
            return _CLASH
    note = other.note if changed.note == base.note else changed.note
    above = other.above if changed.above == base.above else changed.above
    return replace(changed, note=note, above=above, code=form.code, column=form.column)


def _rivals(base: Row, ours: Row, theirs: Row) -> bool:
    """Tell whether both sides put something in the place of one element, or one did and the other dropped it.

    Two additions about one thing, which are those that begin with the same string, are rivals as well.
    """
    keys = base.keys
    for region in regions(keys, ours.keys, theirs.keys, apart=0):
        if region.changed != "clash":
            continue
        was = set(keys[slice(*region.base)])
        here, there = set(ours.keys[slice(*region.ours)]), set(theirs.keys[slice(*region.theirs)])
        both_dropped = was - here - there
        if both_dropped and here - was != there - was:
            return True
    known = set(keys)
    mine = {_about(one) for one in ours.elements if one.key not in known}
    return any(
        _about(one) in mine and one not in ours.elements and one.key not in ours.by_key
        for one in theirs.elements
        if one.key not in known and _about(one)
    )


def _about(element: Element) -> str:
    """Return the string that tells what a longer element is about, empty: none does."""
    if len(element.value) == 1:
        return ""
    return next((part for part in element.value if part[-1] in "\"'"), "")


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


def _in_place(rows: tuple[Row, Row, Row], chosen: dict[Key, Element]) -> list[Key]:
    """Return the keys where both sides have them; of two additions at one place ours come first."""
    b, o, t = (one.keys for one in rows)
    order: dict[Key, None] = {}
    for region in regions(b, o, t, apart=0):
        here, there = o[slice(*region.ours)], t[slice(*region.theirs)]
        for key in (
            here if region.changed == "ours" else there if region.changed == "theirs" else here + there
        ):
            if key in chosen:
                order[key] = None
    return list(order)


def _behind(
    base: dict[Key, Element], ours: list[Key], theirs: list[Key], chosen: dict[Key, Element], like: str
) -> list[Key]:
    """Return the keys in the order of one side, with what the other added behind its neighbours there."""
    first, second = (ours, theirs) if like == "ours" else (theirs, ours)
    order = [key for key in first if key in chosen]
    placed, known = set(order), set(second)
    previous: Key | None = None
    for key in second:
        if key not in placed and key in chosen:
            at = order.index(previous) + 1 if previous is not None else 0
            if not known & set(order[at:]) or key == second[-1]:
                at = len(order)  # last there, last here
            while like == "ours" and at < len(order) and order[at] not in base and order[at] not in known:
                at += 1  # what ours added at the same place comes first
            order.insert(at, key)
            placed.add(key)
        if key in placed:
            previous = key
    return order


def sorted_again(rows: tuple[Row, Row, Row], order: list[Key]) -> list[Key]:
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


WAYS: tuple[Callable[[Key], tuple[object, ...]], ...] = (_plain, _by_kind, _caseless, _by_kind_caseless)
"""Ways in which people and tools sort names."""
