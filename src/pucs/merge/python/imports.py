"""Settles clashes of imports: what both versions import as sets of names, written into the statements of one side.

A name that a side dropped goes, unless the other side uses it in new places; what a side added stays. Contending sources
of one name, and imports between other statements, stay clashes. Statements keep their form; sorted ones stay sorted.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from pucs.merge.python.frames import brackets
from pucs.merge.python.import_blocks import Zone, emitted, zones
from pucs.merge.python.import_sets import merged_atoms
from pucs.merge.python.import_weaving import woven
from pucs.merge.python.members import settled
from pucs.merge.records import Kept, Place, Settled, Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.python.lexing import Token
    from pucs.merge.python.rows import Key
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Lines, Piece, Pieces

NAME = "imports"


def imports(clash: Clash, scene: Scene) -> Pieces | None:
    """Settle the imports of a clash, and leave what stands before and after them as smaller ones; None: it has none."""
    read = _zones(clash, scene)
    if read is None:
        return _inside(clash, scene)
    base, ours, theirs = read
    if not ours.blocks and not theirs.blocks and not base.blocks:
        return None
    found = merged_atoms(base, ours, theirs, scene)
    if found is None:
        return None
    atoms, tier = found
    blocks = woven(base, ours, theirs, atoms, scene.width)
    if blocks is None:
        return None
    trail = theirs.trail if ours.trail == base.trail else ours.trail
    lines = (*emitted(blocks), *("\n",) * trail)
    parts: list[tuple[Lines, Lines, Lines]] = [
        (base.before, ours.before, theirs.before),
        (base.middle, ours.middle, theirs.middle),
        (base.after, ours.after, theirs.after),
    ]
    pieces: list[Piece] = []
    at = clash.at
    for index, (b, o, t) in enumerate(parts):
        part = replace(clash, base=b, ours=o, theirs=t, at=at)
        at = Place(at.base + len(b), at.ours + len(o), at.theirs + len(t))
        if index == 1:
            pieces.append(Settled(lines, NAME, tier, part))
        elif b or o or t:
            pieces.append(_beside(part))
    return tuple(pieces)


def _zones(clash: Clash, scene: Scene) -> tuple[Zone, Zone, Zone] | None:
    places = (clash.at.base, clash.at.ours, clash.at.theirs)
    lengths = (len(clash.base), len(clash.ours), len(clash.theirs))
    spans = [(one, at, at + length) for one, at, length in zip(scene.layouts, places, lengths, strict=True)]
    found = zones(spans)
    if found is None:
        return None
    without = [line for one in found if not one.blocks for line in one.before]
    if any(one.before and one.blocks for one in found) and any(line.strip() for line in without):
        return None  # does what has no imports stand before the others' imports, or behind?
    found = [one if one.blocks else _behind(one) for one in found]
    if any(
        one.lines != side for one, side in zip(found, (clash.base, clash.ours, clash.theirs), strict=True)
    ):
        return None  # blank lines with white space in them, or a last line without an end
    base, ours, theirs = found
    return base, ours, theirs


def _behind(one: Zone) -> Zone:
    """Return a zone without imports as one whose statements all stand behind them."""
    lines = one.before
    gap = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    if gap == len(lines):
        return Zone((), (), gap, ())
    return Zone((), (), gap, lines[gap:])


def _beside(part: Clash) -> Piece:
    """Return what becomes of the lines beside the imports: settled if one side changed them at most."""
    if part.base == part.ours == part.theirs:
        return Kept(part.ours)
    if part.theirs in (part.ours, part.base):
        return Settled(part.ours, NAME, Tier.REVIEW if part.base else Tier.AUTO, part)
    if part.ours == part.base:
        return Settled(part.theirs, NAME, Tier.REVIEW if part.base else Tier.AUTO, part)
    return part


def _inside(clash: Clash, scene: Scene) -> Pieces | None:
    """Merge names between the brackets of one statement."""
    for bracket in islice(brackets(clash, scene, _key), 1):
        if bracket.imports:
            return settled(clash, scene, bracket, NAME)
    return None


def _key(part: Sequence[Token]) -> Key:
    return ("item", *(token.text for token in part if token.kind != "comment"))
