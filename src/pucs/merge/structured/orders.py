"""In which order the parts of a merged file stand."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pucs.merge.structured.outline import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

SORTED_MIN = 4
"""Parts from which on an order counts as kept on purpose: fewer are in order by chance too often."""

AROUND = 2
"""Parts before and after those that were added that are looked at, to see which order they keep there."""


def merged_order(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], alive: Container[str], kind: Kind
) -> list[str] | None:
    """Return the keys that are ``alive`` in the order of the result, None: both sides changed the order.

    The order is that of the side that changed it, else ours; what the other side added stands after what it stood after,
    ours before theirs, and what has a heading behind what has none. Where all versions are in order (of letters or of
    versions), as a whole or around there, the result is.
    """
    known, here, there = set(base), set(ours), set(theirs)
    common = known & here & there
    was, mine, other = ([key for key in side if key in common] for side in (base, ours, theirs))
    if len({tuple(was), tuple(mine), tuple(other)}) > 2:  # noqa: PLR2004 - one side may differ
        return None
    ours_lead = mine != was or other == was
    lead, rest = (ours, theirs) if ours_lead else (theirs, ours)
    leading = [key for key in lead if key in alive]
    result = _inserted(leading, [key for key in rest if key in alive], known, after_news=ours_lead)
    if ours_lead:
        result = _early(result, rest, here)
    result = _each_run(result, known, lambda first, last: _headed_last(result[first:last], here, there))
    for key_of in (_newest_first, _oldest_first):
        if kind is not Kind.ROW and all(_sorted(_sections(side), key_of) for side in (ours, theirs)):
            falling = iter(sorted(_sections(result), key=key_of))
            return [next(falling) if _is_section(key) else key for key in result]
    kept = kind is Kind.MAP and all(
        len(side) >= SORTED_MIN and _sorted(side, _letters) for side in (ours, theirs)
    )
    if kept:
        return sorted(result, key=_letters)
    return _each_run(result, known, lambda first, last: _as_around(result, first, last, (here, there), kind))


def _each_run(
    keys: Sequence[str], known: Container[str], arranged: Callable[[int, int], Sequence[str]]
) -> list[str]:
    """Return the keys, those of parts that were added side by side as they are arranged; it gets where they are."""
    found: list[str] = []
    first = 0
    while first < len(keys):
        last = first
        while last < len(keys) and keys[last] not in known:
            last += 1
        found.extend([*arranged(first, last), *keys[last : last + 1]])
        first = last + 1
    return found


def _headed_last(run: Sequence[str], *sides: Container[str]) -> list[str]:
    """Return parts that were added side by side, those first that have no heading over them: behind one they get it."""
    headed: set[str] = set()
    for side in sides:
        below = False
        for key in run:
            if key in side:
                below = below or key.startswith("#")
                headed |= {key} if below else set()
    return sorted(run, key=lambda key: key in headed)


def _as_around(
    keys: list[str], first: int, last: int, sides: Sequence[Container[str]], kind: Kind
) -> Sequence[str]:
    """Return the keys between two places in the order that both sides keep around there, if they keep one."""
    run, around = keys[first:last], keys[max(0, first - AROUND) : last + AROUND]
    for key_of, least in ((_newest_first, 2), (_oldest_first, 2), (_letters, SORTED_MIN)):
        letters = key_of is _letters
        if kind is Kind.ROW or (letters and kind is not Kind.MAP):
            continue
        placed = [key for key in run if letters or _is_section(key)]
        kept = [[key for key in around if key in side and (letters or _is_section(key))] for side in sides]
        if len(placed) > 1 and all(len(side) >= least and _sorted(side, key_of) for side in kept):
            falling = iter(sorted(placed, key=key_of))
            return [next(falling) if key in placed else key for key in run]
    return run


def _sections(keys: Sequence[str]) -> list[str]:
    return [key for key in keys if _is_section(key)]


def _is_section(key: str) -> bool:
    """Tell whether a key is the heading of a version, as ``prose`` writes them."""
    return key.startswith("#") and bool(version(key))


def _inserted(leading: list[str], rest: list[str], known: set[str], *, after_news: bool) -> list[str]:
    """Return ``leading`` with what only ``rest`` has, each after what it follows there."""
    places = set(leading)
    after: dict[str | None, list[str]] = {}
    last: str | None = None
    for key in rest:
        if key in places:
            last = key
        else:
            after.setdefault(last, []).append(key)
    others = set(rest)
    result: list[str] = []
    waiting = after.get(None, [])
    if not after_news:
        result, waiting = list(waiting), []
    for key in leading:
        if waiting and (key in known or key in others):
            result.extend(waiting)
            waiting = []
        result.append(key)
        if after_news:
            waiting = [*waiting, *after.get(key, ())]
        else:
            result.extend(after.get(key, ()))
    return [*result, *waiting]


def _early(result: Sequence[str], theirs: Sequence[str], ours: Container[str]) -> list[str]:
    """Return the keys with those that theirs has before parts that ours took away behind what they follow there.

    What ours has in the place of such a part comes after them.
    """
    placed = set(result)
    found = list(result)
    run: list[str] = []
    last: str | None = None
    for key in theirs:
        if key in placed and key not in ours:
            run.append(key)
            continue
        if run and key not in placed:
            found = [one for one in found if one not in run]
            at = found.index(last) + 1 if last is not None else 0
            found[at:at] = run
        run = []
        last = key if key in placed else last
    return found


def _letters(key: str) -> tuple[object, ...]:
    """Return what sorts parts by their names; a table of several of one name has its content behind it."""
    name = key.partition("]]")[0] if key.startswith("[[") else key
    return (name.casefold(),)


def _newest_first(key: str) -> tuple[object, ...]:
    """Return what sorts versions in falling order, empty for what is no version."""
    numbers = version(key)
    return (tuple(-number for number in numbers),) if numbers else ()


def _oldest_first(key: str) -> tuple[object, ...]:
    numbers = version(key)
    return (numbers,) if numbers else ()


_VERSION = re.compile(
    r"(?<![\w.])v?(\d+(?:\.(?:\d+|x))+)(?:[-. ]?(alpha|a|beta|b|rc|canary|c|pre|dev|next)[-. ]?(\d*))?",
    re.IGNORECASE,
)
_STAGES = {"dev": 0, "canary": 0, "next": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2, "pre": 3, "c": 3, "rc": 3}
_FINAL = 4
_UNRELEASED = re.compile(
    r"#?\W*(un-?released|next|upcoming|develop|development|dev|main|master|head|in progress)\b", re.IGNORECASE
)
_COMING = 10**9
"""Number of what has no number yet: newer than all that have one."""
_PARTS = 6
"""Numbers of a version that are compared; 1.2 and 1.2.0 are one."""


def version(text: str) -> tuple[int, ...]:
    """Return the first version in a text as numbers that can be compared, empty if there is none."""
    found = _VERSION.search(text)
    if found is None:
        return (_COMING,) if _UNRELEASED.match(text) else ()
    numbers = [int(part) if part.isdigit() else _COMING for part in found[1].lower().split(".")[:_PARTS]]
    numbers += [0] * (_PARTS - len(numbers))
    stage = _STAGES[found[2].lower()] if found[2] else _FINAL
    return (*numbers, stage, int(found[3] or 0) if found[2] else 0)


def _sorted(keys: Sequence[str], key_of: Callable[[str], tuple[object, ...]]) -> bool:
    values: list[Any] = [key_of(key) for key in keys]
    return len(values) > 1 and all(one <= other for one, other in pairwise(values))


def version_key(title: str) -> str:
    """Return what tells the section of a version from others, in the form that ``version`` reads; empty: it names none."""
    numbers = version(title)
    if len(numbers) < _PARTS:
        return ""
    stage = next((name for name, stage in _STAGES.items() if stage == numbers[_PARTS]), "")
    after = f"{stage}{numbers[-1]}" if stage else ""
    return ".".join("x" if number == _COMING else str(number) for number in numbers[:_PARTS]) + after
