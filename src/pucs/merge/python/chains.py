"""Two sides that add operands to one chain, such as ``int | str``: both stay, ours first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pucs.merge.python.tokens import tokens
from pucs.merge.records import Settled, Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.python.scene import Scene
    from pucs.merge.python.tokens import Token
    from pucs.merge.records import Clash, Pieces

UNION: Final = "|"
OPERATORS: Final = frozenset({UNION, "and", "or"})
_TYPES: Final = frozenset({
    "None", "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple",
    "type",
})  # fmt: skip
"""Types that are not named like classes."""
_COMPARING: Final = frozenset({"==", "!=", "<", ">", "<=", ">=", "in", "is", "not"})
_LOOSER: Final = frozenset({
    ",", ":", "=", ":=", ";", "->", "if", "else", "for", "lambda", "await", "yield", "and", "or", "|", "^", "&", "<<", ">>",
})  # fmt: skip
"""What ends an operand, or makes something else of the chain."""


def chains(clash: Clash, scene: Scene) -> Pieces | None:
    """Keep both sides' operands where each stands on lines of its own; None: they are none."""
    if any(line.strip() for line in clash.base):
        return None
    ours, theirs = (tokens("".join(side))[:-1] for side in (clash.ours, clash.theirs))
    found = chained(ours, theirs)
    if found is None:
        return None
    told = clash.at.ours in scene.layouts[1].strings
    tier = Tier.AUTO if found.certain and not told else Tier.REVIEW
    return (Settled((*clash.ours, *clash.theirs), "wording", tier, clash),)


class Chained(NamedTuple):
    """Two insertions, one after the other."""

    tokens: list[Token]
    certain: bool
    """Order says nothing: alternative types, or flags. With ``|`` people also build pipelines."""


def chained(ours: Sequence[Token], theirs: Sequence[Token]) -> Chained | None:
    """Put together two insertions into one text; None: they are not different operands of one chain."""
    for leading in (True, False):
        mine, its = _operands(ours, leading=leading), _operands(theirs, leading=leading)
        if mine is None or its is None or mine[0] != its[0]:
            continue
        if set(mine[1]) & set(its[1]):
            return None
        found = [*ours, *theirs]
        return Chained(found, mine[0] == UNION and all(map(_type_like, (*mine[1], *its[1]))))
    return None


def _type_like(operand: Sequence[str]) -> bool:
    """Tell whether an operand is named as types and flags are, with parameters in square brackets at most."""
    name = operand[0].rpartition(".")[2]
    return (name in _TYPES or name[:1].isupper()) and operand[1:2] in ((), ("[",))


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
    operands = [tuple(one if leading else reversed(one)) for one in found]
    return (operator, operands) if depth == 0 and all(operands) else None


def _ends(sign: str, operator: str) -> bool:
    if sign == operator:
        return False
    return sign in _LOOSER or "#" in sign or (operator == UNION and sign in _COMPARING)
