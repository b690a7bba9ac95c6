"""Two sides that add operands to one chain, such as ``int | str``: both stay, ours first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pucs.merge.python.tokens import QUOTES, tokens
from pucs.merge.records import Settled, Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.python.scene import Scene
    from pucs.merge.python.tokens import Token
    from pucs.merge.records import Clash, Pieces

ANY_ORDER: Final = frozenset({"|"})
"""Operators whose operands people add in no particular order: types, flags, sets."""
OPERATORS: Final = ANY_ORDER | {"and", "or"}
_COMPARING: Final = frozenset({"==", "!=", "<", ">", "<=", ">=", "in", "is", "not"})
_LOOSER: Final = frozenset({
    ",", ":", "=", ":=", ";", "->", "if", "else", "for", "lambda", "await", "yield", "and", "or", "|", "^", "&", "<<", ">>",
})  # fmt: skip
"""What ends an operand, or makes something else of the chain."""


def chains(clash: Clash, _: Scene) -> Pieces | None:
    """Keep both sides' operands where each stands on lines of its own; None: they are none."""
    if any(line.strip() for line in clash.base):
        return None
    ours, theirs = (tokens("".join(side))[:-1] for side in (clash.ours, clash.theirs))
    found = chained(ours, theirs)
    if found is None:
        return None
    tier = Tier.AUTO if certain(found[1], found[0]) else Tier.REVIEW
    return (Settled((*clash.ours, *clash.theirs), "wording", tier, clash),)


def certain(operator: str, around: Sequence[Token]) -> bool:
    """Tell whether order says nothing. Tokens do not tell what stands in strings, where it may say anything."""
    return operator in ANY_ORDER and not any(token.text in QUOTES for token in around)


def chained(ours: Sequence[Token], theirs: Sequence[Token]) -> tuple[list[Token], str] | None:
    """Return both insertions with their operator; None: they are not different operands of one chain."""
    for leading in (True, False):
        mine, its = _operands(ours, leading=leading), _operands(theirs, leading=leading)
        if mine is None or its is None or mine[0] != its[0]:
            continue
        return None if set(mine[1]) & set(its[1]) else ([*ours, *theirs], mine[0])
    return None


def _operands(side: Sequence[Token], *, leading: bool) -> tuple[str, list[tuple[str, ...]]] | None:
    """Return the operator in front of (or behind) each operand of an insertion, and the operands; None: it has others."""
    operator = side[0 if leading else -1].text if side else ""
    if operator not in OPERATORS:
        return None
    found: list[list[str]] = []
    depth = 0
    for token in side if leading else reversed(side):
        depth += token.depth if leading else -token.depth
        inside = depth > 0 or token.depth != 0
        if depth < 0 or (not inside and _ends(token.text, operator)):
            return None
        if not inside and token.text == operator:
            found.append([])
        else:
            found[-1].append(token.text)
    return (operator, [tuple(one) for one in found]) if depth == 0 and all(found) else None


def _ends(sign: str, operator: str) -> bool:
    if sign == operator:
        return False
    return sign in _LOOSER or "#" in sign or (operator in ANY_ORDER and sign in _COMPARING)
