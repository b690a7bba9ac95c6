"""Settles a clash statement by statement, and where both sides changed one, token by token.

Logical lines of base and side are paired by likeness, so that a repeated line does not tie unlike places together.
Layout is merged beside the words: one side may wrap lines, change quotes or indent a block while the other side changes
words in it; what a side inserts into a block that the other side indented moves along.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from pucs.merge.matching import matching
from pucs.merge.pieces import joined
from pucs.merge.python.chains import chained
from pucs.merge.python.tokens import BRANCH, QUOTES, Token, Unit, aligned, tokens, units
from pucs.merge.python.version import PART
from pucs.merge.records import Clash, Kept, Settled, Tier
from pucs.merge.texts import split
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Piece, Pieces

TOKENS_MAX = 3_000
"""Tokens of one version of a clash beyond which words are not compared: about 300 lines, and 0.2 s."""
PAIRS_MAX = 10_000
"""Units of a gap times units of the other side beyond which likeness is not worked out: about 0.1 s."""
APART_TOKENS = 3
"""Unchanged tokens between words of different sides from which on a reader takes them for two changes, not one."""
ALIKE = 0.5
"""Share of common words from which on a statement counts as the same one, changed."""


def formatting(clash: Clash, _scene: Scene) -> Pieces | None:
    """Settle a clash in which one side changed nothing but layout, or both made the same change in other layout."""
    base, ours, theirs = (
        tokens("".join(lines), fragment=True) for lines in (clash.base, clash.ours, clash.theirs)
    )
    if max(len(base), len(ours), len(theirs)) > TOKENS_MAX:
        return None
    keys = [[token.key for token in side] for side in (base, ours, theirs)]
    if keys[1] == keys[2]:
        resolver = "spacing"
    elif keys[0] in keys[1:]:
        resolver = "formatting"
    else:
        return None
    merged = words(base, ours, theirs)
    if merged is None:
        return None
    # A line that replaces a blank one still ends.
    end = "\n" if merged.text and not merged.text.endswith("\n") and _all_end(clash) else ""
    return (Settled(split(merged.text + end), resolver, Tier.AUTO, clash),)


def _all_end(clash: Clash) -> bool:
    return all(side[-1].endswith("\n") for side in (clash.base, clash.ours, clash.theirs) if side)


@dataclass(slots=True)
class _Row:
    """What one statement, or what was put in before it, is in each version."""

    base: list[Unit] = field(default_factory=list)
    ours: list[Unit] = field(default_factory=list)
    theirs: list[Unit] = field(default_factory=list)
    merged: str | None = None
    by: str = ""
    """Resolver; empty: nobody changed anything; ``clash``: nobody could settle it."""
    tier: Tier = Tier.AUTO


def statements(clash: Clash, _scene: Scene) -> Pieces | None:
    """Settle what of a clash can be, statement by statement; None: nothing gets smaller."""
    if not all(side and side[-1].endswith("\n") for side in (clash.base, clash.ours, clash.theirs)):
        return None
    base, ours, theirs = (units(lines) for lines in (clash.base, clash.ours, clash.theirs))
    if max(sum(len(unit.tokens) for unit in side) for side in (base, ours, theirs)) > TOKENS_MAX:
        return None
    rows = _rows(base, ours, theirs)
    _doubt(rows)
    if all(row.by == "clash" for row in rows if row.base or row.ours or row.theirs):
        return None
    return joined(_pieces(rows, clash))


def _rows(base: Sequence[Unit], ours: Sequence[Unit], theirs: Sequence[Unit]) -> list[_Row]:
    """Lay the three versions side by side: before each statement of the base what was inserted, then itself."""
    here, there = dict(_paired(base, ours)), dict(_paired(base, theirs))
    rows: list[_Row] = []
    mine = other = 0
    for index, unit in enumerate(base):
        at, also = here.get(index), there.get(index)
        gap = _Row()
        if at is not None:
            gap.ours, mine = list(ours[mine:at]), at + 1
        if also is not None:
            gap.theirs, other = list(theirs[other:also]), also + 1
        row = _Row([unit], [ours[at]] if at is not None else [], [theirs[also]] if also is not None else [])
        rows += [gap, row]
    for row in rows:
        _judge(row)
    _indent(rows)
    return rows


def _indent(rows: list[_Row]) -> None:
    """Move what one side inserted into a block along with the block, where the other side indented that anew."""
    for index in range(0, len(rows), 2):
        gap = rows[index]
        if gap.merged is None or bool(gap.ours) == bool(gap.theirs):
            continue
        side = "theirs" if gap.ours else "ours"
        shifts = {_shift(rows[near], side) for near in (index - 1, index + 1) if 0 <= near < len(rows)} - {
            None
        }
        if len(shifts) > 1:
            gap.merged = None
        elif shifts and (shift := shifts.pop()) not in {None, ("", "")}:
            gap.merged = "".join(unit.shifted(shift) for unit in gap.ours or gap.theirs)


def _shift(row: _Row, side: str) -> tuple[str, str] | None:
    """Return what a side took from the indentation of a statement and what it put there, None where it has none."""
    (unit,), now = row.base, getattr(row, side)
    if not now or not unit.tokens[0].text or "\n" not in unit.tokens[0].layout:
        return None
    old, new = unit.indent, now[0].indent
    if new.endswith(old):
        return "", new.removesuffix(old)
    return (old.removesuffix(new), "") if old.endswith(new) else (old, new)


def _judge(row: _Row) -> None:
    """Settle one row if it can be."""
    if not row.base:
        _judge_insertion(row)
    elif row.ours and row.theirs:
        _judge_change(row, row.base[0], row.ours[0], row.theirs[0])
    elif all(unit.keys == row.base[0].keys for unit in (*row.ours, *row.theirs)):
        row.merged, row.by = "", "adjacent"  # deleted by one, by the other at most laid out anew


def _judge_insertion(row: _Row) -> None:
    if not row.ours or not row.theirs or _keys(row.ours) == _keys(row.theirs):
        row.by = "adjacent" if row.ours or row.theirs else ""
        row.merged = _text(row.ours or row.theirs)
    elif _at_an_end(row.ours, row.theirs):
        row.merged, row.by, row.tier = _text(row.theirs), "contained", Tier.REVIEW
    elif _at_an_end(row.theirs, row.ours):
        row.merged, row.by, row.tier = _text(row.ours), "contained", Tier.REVIEW


def _judge_change(row: _Row, base: Unit, ours: Unit, theirs: Unit) -> None:
    worded = words(base.tokens, ours.tokens, theirs.tokens)
    if worded is None:
        further = _further(base.keys, ours, theirs)
        if further is not None:
            row.merged, row.by, row.tier = further.text, "contained", Tier.REVIEW
        return
    row.merged = worded.text
    if ours.text == theirs.text:
        row.by = ""
    elif base.keys in {ours.keys, theirs.keys} or ours.keys == theirs.keys:
        row.by = "adjacent"
    else:
        row.by = "wording"
        row.tier = Tier.AUTO if worded.apart >= APART_TOKENS else Tier.REVIEW


def _further(base: Sequence[str], ours: Unit, theirs: Unit) -> Unit | None:
    """Return the side that made the other's change and more, None if neither did."""
    for one, other in ((ours, theirs), (theirs, ours)):
        made = [Counter(side.keys) - Counter(base) for side in (one, other)]
        gone = [Counter(base) - Counter(side.keys) for side in (one, other)]
        if (
            any(word[:1].isalnum() for word in made[1])
            and not gone[1] - gone[0]
            and _within(other.keys, one.keys)
        ):
            return one
    return None


def _at_an_end(part: Sequence[Unit], whole: Sequence[Unit]) -> bool:
    """Tell whether one insertion begins or ends with the other, whole blocks with whole blocks."""
    if part[-1].opens or (len(whole) > len(part) and whole[-len(part)].opens == BRANCH):
        return False
    some, every = _keys(part), _keys(whole)
    return every[: len(some)] == some or every[-len(some) :] == some


def _within(part: Sequence[Hashable], whole: Sequence[Hashable]) -> bool:
    """Tell whether one sequence is the other with some elements left out."""
    rest = iter(whole)
    return all(element in rest for element in part)


def _doubt(rows: list[_Row]) -> None:
    """Take back what was settled beside a clash of meanings: an insertion next to what the other side deleted."""
    for row in rows:
        if row.merged is None:
            row.by = "clash"
    for index in range(0, len(rows), 2):
        gap = rows[index]
        for near in (index - 1, index + 1):
            if not 0 <= near < len(rows):
                continue
            row = rows[near]
            if (gap.ours and row.base and not row.theirs) or (gap.theirs and row.base and not row.ours):
                gap.by = row.by = "clash"
    for side, other in (("ours", "theirs"), ("theirs", "ours")):
        _doubt_repeated(rows, side, other)
        _doubt_swept(rows, side, other)
        _doubt_branches(rows, side, other)
        _doubt_alike(rows, side, other)
    _doubt_parts(rows)


def _doubt_repeated(rows: list[_Row], side: str, other: str) -> None:
    """Take back a change that makes a statement of what the other side put in nearby: both did the same in two ways."""
    inserted = {unit.keys for row in rows if not row.base for unit in getattr(row, other)}
    for row in rows:
        if row.base and row.merged and any(unit.keys in inserted for unit in getattr(row, side)):
            row.by = "clash"


def _doubt_branches(rows: list[_Row], side: str, other: str) -> None:
    """Take back an added branch where the other side built blocks anew: it would belong to another head."""
    rebuilt = any(
        any(unit.opens for unit in getattr(row, other))
        if not row.base
        else _shift(row, other) not in {None, ("", "")}
        for row in rows
    )
    for row in rows:
        added: list[Unit] = [] if row.base else getattr(row, side)
        if rebuilt and any(unit.opens == BRANCH for unit in added):
            row.by = "clash"


def _doubt_swept(rows: list[_Row], side: str, other: str) -> None:
    """Leave it to a reader where one side did away with a word here and the other side put in more that uses it."""
    changed = [row for row in rows if row.base and not row.base[0].comment and getattr(row, side)]
    before = {word for row in changed for word in row.base[0].words if word.isidentifier()}
    gone = before - {word for row in changed for word in getattr(row, side)[0].words}
    for row in rows:
        if not row.base and any(gone.intersection(unit.words) for unit in getattr(row, other)):
            row.tier = Tier.REVIEW


def _doubt_alike(rows: list[_Row], side: str, other: str) -> None:
    """Take back a change of one of two like statements where the other side deleted one: nobody knows which."""
    deleted = {row.base[0].keys for row in rows if row.base and not getattr(row, other)}
    for index, row in enumerate(rows):
        if row.base and getattr(row, other) and row.base[0].keys in deleted:
            now = [keys for near in rows[index - 1 : index + 2] for keys in _keys(getattr(near, side))]
            if now and row.base[0].keys not in now:
                row.by = "clash"


def _doubt_parts(rows: list[_Row]) -> None:
    """Leave it to a reader where each side raised another part of one version number: nobody meant both together."""
    parts = [row for row in rows if row.base and PART.match(row.base[0].text)]
    if all(any(_keys(getattr(row, side)) != _keys(row.base) for row in parts) for side in ("ours", "theirs")):
        for row in parts:
            row.tier = Tier.REVIEW


def _pieces(rows: Sequence[_Row], clash: Clash) -> list[Piece]:
    found: list[Piece] = []
    place = clash.at
    for (changed, tier), group in groupby(rows, key=_kind):
        members = list(group)
        base, ours, theirs = (
            _lines("".join(_text(getattr(row, side)) for row in members))
            for side in ("base", "ours", "theirs")
        )
        part = Clash(base, ours, theirs, place, clash.entity, clash.reason or _why(members))
        place = place.after(part)
        merged = _lines("".join(row.merged or "" for row in members))
        if changed == "clash":
            found.append(part)
        elif changed:
            by = next(
                (by for by in ("contained", "wording") if any(row.by == by for row in members)), "adjacent"
            )
            found.append(Settled(merged, by, tier, part))
        else:
            found.append(Kept(merged))
    return found


def _why(rows: Sequence[_Row]) -> str:
    """Return in a few words why rows were not settled."""
    changed = [row for row in rows if row.base]
    if not changed:
        return "both inserted here"
    if any(not row.ours for row in changed):
        return "ours deleted what theirs changed"
    if any(not row.theirs for row in changed):
        return "theirs deleted what ours changed"
    return "both changed the same words"


def _kind(row: _Row) -> tuple[str, Tier]:
    return (row.by if row.by in {"", "clash"} else "settled"), row.tier


def _lines(text: str) -> tuple[str, ...]:
    return split(text[1:] + "\n") if text else ()


def _keys(side: Sequence[Unit]) -> list[tuple[str, ...]]:
    return [unit.keys for unit in side]


def _text(side: Sequence[Unit]) -> str:
    return "".join(unit.text for unit in side)


def _paired(base: Sequence[Unit], side: Sequence[Unit]) -> list[tuple[int, int]]:
    """Return which units correspond: equal ones first, between them the most alike; the last ones always do."""
    pairs: list[tuple[int, int]] = []
    a = b = 0
    same = matching([unit.keys for unit in base[:-1]], [unit.keys for unit in side[:-1]])
    for i, j in [*same, (len(base) - 1, len(side) - 1)]:
        pairs += [(a + x, b + y) for x, y in _alike(base[a:i], side[b:j])]
        pairs.append((i, j))
        a, b = i + 1, j + 1
    return pairs


def _alike(base: Sequence[Unit], side: Sequence[Unit]) -> list[tuple[int, int]]:
    """Return the pairs of like units, in order, with the greatest likeness in all."""
    if not base or not side or len(base) * len(side) > PAIRS_MAX:
        return []
    counts = [[Counter(unit.words) for unit in units_] for units_ in (base, side)]
    best = [[0.0] * (len(side) + 1) for _ in range(len(base) + 1)]
    likeness = [
        [
            _likeness(one, other, same=base[i].name == side[j].name != "")
            if (base[i].opens, base[i].comment) == (side[j].opens, side[j].comment)
            else 0.0
            for j, other in enumerate(counts[1])
        ]
        for i, one in enumerate(counts[0])
    ]
    for i in range(len(base) - 1, -1, -1):
        for j in range(len(side) - 1, -1, -1):
            pair = likeness[i][j] + best[i + 1][j + 1] if likeness[i][j] else 0.0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], pair)
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(base) and j < len(side):
        if likeness[i][j] and best[i][j] == likeness[i][j] + best[i + 1][j + 1]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def _likeness(one: Counter[str], other: Counter[str], *, same: bool) -> float:
    """Return the share of common words, 0 below ``ALIKE``; statements that define the ``same`` name are alike anyway."""
    share = 2 * (one & other).total() / (one.total() + other.total())
    return max(share, ALIKE) if same else share if share >= ALIKE else 0.0


@dataclass(frozen=True, slots=True)
class Worded:
    """A merge of tokens."""

    text: str
    apart: int
    """Fewest unchanged tokens between changes of different sides."""


def words(base: Sequence[Token], ours: Sequence[Token], theirs: Sequence[Token]) -> Worded | None:
    """Merge three rows of tokens, layout beside; None where both sides changed the same ones or brackets come apart."""
    keys = [[token.key for token in side] for side in (base, ours, theirs)]
    found: list[Token] = []
    last, since, apart = "", 0, len(base)
    for region in regions(*keys, apart=1, match=aligned):
        b, o, t = (
            side[slice(*span)]
            for side, span in ((base, region.base), (ours, region.ours), (theirs, region.theirs))
        )
        if region.changed == "clash":
            chain = chained(o, t) if not b else None
            if chain is None:
                return None
            # Tokens do not tell what stands in strings, where order may say anything.
            apart = apart if chain.certain and not QUOTES.intersection(keys[0]) else 0
            o, t = chain.tokens, ()
        if region.changed == "":
            since = len(b)
            found += [_token(*three) for three in zip(b, o, t, strict=True)]
            continue
        found += t if region.changed == "theirs" else o
        if last and last != region.changed:
            apart = min(apart, since)
        last = region.changed
    depths = [sum(token.depth for token in side) for side in (base, ours, theirs, found)]
    if depths[3] != depths[1] + depths[2] - depths[0]:
        return None
    return Worded("".join(token.layout + token.text for token in found), apart)


def _token(base: Token, ours: Token, theirs: Token) -> Token:
    """Merge a token that all have: its layout, and how its quotes are written."""
    return Token(
        _layout(base.layout, ours.layout, theirs.layout),
        _either(base.text, ours.text, theirs.text),
        ours.depth,
    )


def _layout(base: str, ours: str, theirs: str) -> str:
    """Merge the white space before a token: line ends and blank lines apart from the indentation behind them."""
    parts = [side.rpartition("\n") for side in (base, ours, theirs)]
    return "".join(_either(*three) for three in zip(*parts, strict=True))


def _either(base: str, ours: str, theirs: str) -> str:
    """Return what a side made of something; ours where both changed it."""
    return theirs if ours == base else ours
