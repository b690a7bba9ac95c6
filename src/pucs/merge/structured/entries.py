"""What keeps entries of a change log or a list from standing side by side although each of them stands for itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pucs.merge.structured.orders import version_key
from pucs.merge.structured.outline import Node, lines_of
from pucs.merge.structured.pairing import renamed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

_COMING = re.compile(
    r"(?i)\bun-?released\b|\bnot\s+(yet\s+)?released\b|\byet\s+to\s+be\b|\bto\s+be\s+(released|decided|determined|announced)\b"
    r"|\bin\s+(development|progress)\b|\bupcoming\b|\bnext\s+release\b|\btba\b|\btbd\b|\bdevel\b|\bmaster\b"
    r"|\bX+[-/X]+X\b|\bYYYY\b|\?{2}"
)
"""How a release says that it is still to come."""
_DATE = re.compile(
    r"(?i)\b\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\b|\b\d{1,2}[-/.]\d{1,2}[-/.]\d{4}\b"
    r"|\b(jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]*\.?\b.{0,9}\b\d{4}\b"
)
_RELEASE = re.compile(r"[-*+]\s+(:release:)?\W*v?\d+(\.\d+)+\b")
"""How an entry begins that with a date stands for a release: those above or below it are its own."""
_NOTHING = re.compile(
    r"(?i)[-*+]?\s*[_*(]*(none|nothing|n/?a|tbd|no (\w+ )?changes)( (here|so far|yet))?[_*).!]*"
)
"""An entry that says that there is none."""
FEW = 4
"""One part of how many that were there is no list any more, but the rest of one."""
_COMING_STAGE, _UNSAID_STAGE, _DATED_STAGE = range(3)


def is_section(key: str) -> bool:
    """Tell whether a key is a heading: of a section of prose, or a comment over lines of a list."""
    return key.startswith("#")


def refused(base: Node, ours: Node, theirs: Node) -> str:
    """Return why two versions of one section are not to be put together, empty: nothing is in the way.

    What a side adds to a release that the other side has published meanwhile is no part of that release; where both have
    published it, their words are about the same things.
    """
    if not (is_section(ours.key) and ours.apart and theirs.apart):
        return ""
    was, mine, other = map(_stage, (base, ours, theirs))
    if not base.head:
        both = mine == other == _DATED_STAGE and _adds(base, ours, theirs) and _adds(base, theirs, ours)
        return "both sides wrote of one release" if both else ""
    if mine > was == other and _adds(base, theirs, ours):
        return "ours released what theirs adds to"
    if other > was == mine and _adds(base, ours, theirs):
        return "theirs released what ours adds to"
    return ""


def _stage(node: Node) -> int:
    """Return how far a release is by what its heading says and what stands below it before the first entry."""
    told = list(node.head)
    for kid in node.kids:
        if is_section(kid.key) or not kid.apart:
            break
        told.extend(kid.head)
    text = "".join(told)
    if _COMING.search(text):
        return _COMING_STAGE
    return _DATED_STAGE if _DATE.search(text) else _UNSAID_STAGE


def _adds(base: Node, side: Node, other: Node) -> bool:
    """Tell whether a side has an entry, here or in a section below, that neither the base nor the other side has."""
    known, there = ({kid.key: kid for kid in node.kids} for node in (base, other))
    for kid in renamed(base.kids, side.kids):
        if kid.key not in known and kid.key not in there:
            return True
        if is_section(kid.key) and kid.key in there:
            empty = Node(kid.key)
            if _adds(known.get(kid.key, empty), kid, there[kid.key]):
                return True
    return False


def stranded(
    base: Sequence[Node], side: Sequence[Node], other: Sequence[Node], elsewhere: AbstractSet[str]
) -> bool:
    """Tell whether a side added parts among parts of which the other kept hardly any, ``elsewhere`` in its text or here.

    What has moved to another file should be followed there.
    """
    known, there = {kid.key for kid in base}, {kid.key for kid in other}
    for headed in (True, False):
        added = [kid for kid in side if kid.key not in known | there and is_section(kid.key) is headed]
        were = [kid for kid in base if is_section(kid.key) is headed]
        if added and were:
            kept = sum(kid.key in there or _told(kid) <= elsewhere for kid in were)
            if kept == 0 or (not headed and kept * FEW < len(were)):
                return True
    return False


def _told(node: Node) -> set[str]:
    return {text for line in lines_of(node) if (text := line.strip())}


def untold(ours: Sequence[Node], theirs: Sequence[Node]) -> bool:
    """Tell whether parts that both sides added at one place cannot stand there together.

    One says that there is nothing, stands for a release, or stands where the other side has begun a section; or each has
    begun one for what is not released, of which one has no number.
    """
    news = [*ours, *theirs]
    said = [kid for kid in news if not kid.apart]
    if said and len(said) < len(news) and any(kid.apart and is_section(kid.key) for kid in news):
        return True
    releases = sum(bool(_RELEASE.match(kid.key) and _DATE.search(kid.key)) for kid in said)
    nothing = len(news) > 1 and any(_NOTHING.fullmatch(kid.key) for kid in said)
    coming = [[kid.name for kid in side if kid.apart and _coming(kid)] for side in (ours, theirs)]
    return (
        nothing
        or 0 < releases < len(said)
        or (all(coming) and not all(map(version_key, (*coming[0], *coming[1]))))
    )


def _coming(node: Node) -> bool:
    return is_section(node.key) and _stage(node) == _COMING_STAGE
