"""Settles a clash token by token: both sides changed other words of the same lines.

Layout is merged beside the tokens, so that one side may wrap lines, change quotes or indent a block while the other side
changes words in it. What a side inserts into a block that the other side indented moves along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.merge.python.tokens import aligned, tokens
from pucs.merge.records import Settled, Tier
from pucs.merge.texts import split
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from pucs.merge.python.scene import Scene
    from pucs.merge.python.tokens import Token
    from pucs.merge.records import Clash, Pieces

TOKENS_MAX = 3_000
"""Tokens of one version of a clash beyond which words are not compared: about 300 lines, and 0.2 s."""


def wording(clash: Clash, _scene: Scene) -> Pieces | None:
    """Merge the tokens of a clash, None where both sides changed the same ones."""
    if not clash.base or not clash.ours or not clash.theirs:
        return None
    base, ours, theirs = (tokens("".join(lines)) for lines in (clash.base, clash.ours, clash.theirs))
    if max(len(base), len(ours), len(theirs)) > TOKENS_MAX:
        return None
    merged = _merged(base, ours, theirs)
    if merged is None:
        return None
    keys = [[token.key for token in side] for side in (base, ours, theirs)]
    if keys[0] in keys[1:]:
        resolver, tier = "formatting", Tier.AUTO
    elif keys[1] == keys[2]:
        resolver, tier = "spacing", Tier.AUTO
    else:
        resolver, tier = "wording", Tier.REVIEW
    return (Settled(split(merged), resolver, tier, clash),)


def _merged(base: list[Token], ours: list[Token], theirs: list[Token]) -> str | None:
    keys = [[token.key for token in side] for side in (base, ours, theirs)]
    found: list[str] = []
    for region in regions(*keys, apart=1, match=aligned):
        if region.changed == "clash":
            return None
        b, o, t = (
            side[slice(*span)]
            for side, span in ((base, region.base), (ours, region.ours), (theirs, region.theirs))
        )
        if region.changed == "":
            for one, mine, other in zip(b, o, t, strict=True):
                found.append(_either(one.layout, mine.layout, other.layout))
                found.append(_either(one.text, mine.text, other.text))
        elif region.changed == "same":
            for mine, other in zip(o, t, strict=True):
                found.append(mine.layout)
                found.append(mine.text)
        else:
            for token in o if region.changed == "ours" else t:
                found.append(token.layout)
                found.append(token.text)
    return "".join(found)


def _either(base: str, ours: str, theirs: str) -> str:
    """Return what a side made of something; ours where both changed it."""
    return theirs if ours == base else ours
