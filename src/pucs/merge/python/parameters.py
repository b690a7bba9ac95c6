"""Settles clashes in signatures, parameter by parameter: both sides may add, drop, rename and annotate their own.

Parameters are compared by name; annotation and default of one parameter are merged apart. What both sides add stands ours
before theirs, and before what has to stand last: defaults, ``*`` and ``**``.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from pucs.merge.python.frames import brackets
from pucs.merge.python.members import LEVELS_MAX, settled
from pucs.merge.records import Tier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.python.frames import Bracket
    from pucs.merge.python.lexing import Token
    from pucs.merge.python.rows import Element, Key, Row
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Pieces


def parameters(clash: Clash, scene: Scene) -> Pieces | None:
    """Merge the signature that the clash is about; None: it is about none, or both changed the same parameter."""
    for bracket in islice(brackets(clash, scene, _key), LEVELS_MAX):
        if bracket.signature:
            return settled(clash, scene, bracket, "parameters", tier=_tier, arrange=_arranged, mix=_mixed)
    return None


def _tier(bracket: Bracket) -> Tier:
    """Return AUTO where nobody dropped a parameter, and no caller can mean one side's by the place of the other's.

    Callers of a test name nothing by place: a fixture is asked for by its name.
    """
    base, ours, theirs = (frame.row for frame in bracket.frames)
    known = base.by_key
    kept = all(
        key in ours.by_key
        and key in theirs.by_key
        and known[key].value in {ours.by_key[key].value, theirs.by_key[key].value}
        for key in known
    )
    tested = bracket.header[-1:] and bracket.header[-1].startswith("test_")
    required = [
        any(one.key not in known and not _divided(one)[2] for one in side.elements) for side in (ours, theirs)
    ]
    return Tier.AUTO if kept and (tested or not all(required)) else Tier.REVIEW


def _key(part: Sequence[Token]) -> Key:
    """Return the name of a parameter with its stars."""
    texts = [token.key for token in part if token.kind != "comment"]
    return ("name", *(texts[:2] if texts[0] in {"*", "**"} else texts[:1]))


def _divided(element: Element) -> tuple[Key, Key, Key]:
    """Return name, annotation and default of a parameter, as code."""
    depth = 0
    colon = equals = len(element.value)
    for index, text in enumerate(element.value):
        depth += (text in "([{") - (text in ")]}")
        if depth == 0 and text == ":" and index < colon and "lambda" not in element.value[:index]:
            colon = index
        elif depth == 0 and text == "=" and index < equals:
            equals = index
    colon = min(colon, equals)
    return element.value[:colon], element.value[colon:equals], element.value[equals:]


def _mixed(base: Element, ours: Element, theirs: Element) -> Element | None:
    """Merge a parameter of which one side changed the annotation and the other the default."""
    parts = [_divided(one) for one in (base, ours, theirs)]
    if any("\n" in one.code or "#" in one.code for one in (base, ours, theirs)):
        return None
    for mine, other, changed, kept in ((1, 2, ours, theirs), (2, 1, theirs, ours)):
        annotated = parts[mine][1] != parts[0][1] and parts[other][1] == parts[0][1]
        defaulted = parts[other][2] != parts[0][2] and parts[mine][2] == parts[0][2]
        if annotated and defaulted:
            cut = _equals(changed)
            default = kept.code[_equals(kept) :].lstrip()
            head = changed.code[:cut].rstrip()
            if not default:
                return replace(changed, code=head, value=(*parts[mine][0], *parts[mine][1]))
            typed = bool(parts[mine][1])
            sign = " = " if typed else "="
            value = (*parts[mine][0], *parts[mine][1], *parts[other][2])
            return replace(changed, code=head + sign + default.removeprefix("=").lstrip(), value=value)
    return None


def _equals(element: Element) -> int:
    """Return where the default of a parameter begins in its code, its end if there is none."""
    depth = 0
    quote = ""
    for index, sign in enumerate(element.code):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        else:
            depth += (sign in "([{") - (sign in ")]}")
            if sign == "=" and depth == 0:
                return index
    return len(element.code)


def _arranged(elements: Sequence[Element], bracket: Bracket) -> Sequence[Element] | None:
    """Return parameters in an order that Python takes: required, defaulted, ``*``, named only, ``**``."""
    last = [one for one in elements if one.value[0] == "**"]
    stars = [one for one in elements if one.value[0] == "*"]
    if len(last) > 1 or len(stars) > 1:
        return None
    named = {key for frame in bracket.frames for key in _named_only(frame.row)}
    others = [one for one in elements if one not in last and one not in stars]
    front = [one for one in others if not (stars and one.key in named)]
    back = [one for one in others if stars and one.key in named]
    slash = next((i for i, one in enumerate(front) if one.value == ("/",)), -1)
    found = [*_required_first(front[:slash]), *front[slash : slash + 1]] if slash >= 0 else []
    rest = _required_first(front[slash + 1 :])
    if any(_divided(one)[2] for one in found) and any(not _divided(one)[2] for one in rest):
        return None
    if stars and stars[0].value == ("*",) and not back:
        return None  # nothing is left behind the bare star
    return [*found, *rest, *stars, *back, *last]


def _named_only(side: Row) -> Iterator[Key]:
    """Yield the parameters that stand behind a star."""
    starred = False
    for one in side.elements:
        if starred:
            yield one.key
        starred |= one.value[0] == "*"


def _required_first(elements: Sequence[Element]) -> list[Element]:
    required = [one for one in elements if not _divided(one)[2]]
    return [*required, *(one for one in elements if one not in required)]
