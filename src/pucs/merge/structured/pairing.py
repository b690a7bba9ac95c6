"""Which part of one version is which of another when its words were changed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING

from pucs.merge.matching import matching
from pucs.merge.structured.outline import Node, lines_of
from pucs.merge.threeway import edits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAIRS_MAX = 400
"""Pairs of parts that are compared at one place: a rewritten list of 20 entries; beyond, nothing is the same part."""
WORDS_MAX = 400
"""Words of one part that are compared; what follows them counts as equal."""
EDITED = 0.6
"""Share of common words from which on an entry in the place of another is that one, edited."""
REPLACED = 0.25
"""The same where as many entries came as went: they stand for each other."""
VALUE_MIN = 8
"""Words and signs from which on a value is nobody else's by chance; shorter ones are ``true`` and ``"1.0"``."""
TWICE = 0.8
"""Share of common words from which on two new entries tell the same thing."""
_WORD = re.compile(r"\w+|[^\w\s]")
SWEPT_MIN = 3
"""Deleted parts with a phrase in common from which on they were deleted for what it says: a Python version, say."""
_PHRASED = re.compile(r"\d+(?:\.\w+){2,}|\w+|[^\w\s]")
_NAME = re.compile(r"[^\W\d]\w|\d+\.")
_ISSUE = re.compile(r"(?:#|issues?/|pull/|:(?:issue|pr|pull|ghissue|ghpull):`|bpo-)(\d+)")


def renamed(base: Sequence[Node], side: Sequence[Node]) -> list[Node]:
    """Return the parts of a side, those that are edited ones of the base under their keys in the base."""
    found = list(side)
    if not any(kid.loose for kid in side):
        return found
    known = {kid.key for kid in base}
    here = {kid.key for kid in side}
    pairs = matching([kid.key for kid in base], [kid.key for kid in side])
    for edit in edits(pairs, len(base), len(side)):
        gone = [kid for kid in base[edit.start : edit.end] if kid.loose and kid.key not in here]
        new = [k for k in range(edit.first, edit.last) if side[k].loose and side[k].key not in known]
        if not gone or not new or len(gone) * len(new) > PAIRS_MAX:
            continue
        if len(gone) == len(new) and all(likeness(*pair) >= REPLACED for pair in _beside(gone, new, side)):
            for old, k in zip(gone, new, strict=True):
                found[k] = replace(side[k], key=old.key)
            continue
        for k in new:
            shares = [(likeness(kid, side[k]), -place) for place, kid in enumerate(gone)]
            share, place = max(shares, default=(0.0, 0))
            if share >= EDITED:
                found[k] = replace(side[k], key=gone.pop(-place).key)
    return found


def _beside(gone: Sequence[Node], new: Sequence[int], side: Sequence[Node]) -> Iterator[tuple[Node, Node]]:
    for old, k in zip(gone, new, strict=True):
        yield old, side[k]


def alike(ours: Sequence[Node], theirs: Sequence[Node]) -> Iterator[tuple[Node, Node]]:
    """Yield pairs of new parts that seem to tell the same thing; nothing if there are too many to look at."""
    if len(ours) * len(theirs) > PAIRS_MAX:
        return
    for one in ours:
        for other in theirs:
            mine, his = issues(one), issues(other)
            if mine and his and not mine & his:
                continue
            if likeness(one, other) >= TWICE:
                yield one, other


def swept(base: Sequence[Node], side: Sequence[Node], added: Sequence[Node]) -> set[str]:
    """Return the keys of ``added`` parts with a phrase that a side took out of all parts of the base that had it.

    A phrase is two words or signs side by side, one of them a word. Where one side renamed a folder in all entries of a
    list, what the other side adds with the old name is most likely not meant to have it. Of parts that it deleted only
    those count that had a phrase in common.
    """
    left = {kid.key for kid in side}
    gone = Counter(phrase for kid in base if kid.key not in left for phrase in _phrases([kid]))
    lost = _phrases([kid for kid in base if kid.loose or kid.key in left])
    lost |= {phrase for phrase, times in gone.items() if times >= SWEPT_MIN}
    lost -= _phrases(side)
    return {kid.key for kid in added if lost & _phrases([kid])} if lost else set()


def _phrases(nodes: Sequence[Node]) -> set[tuple[str, str]]:
    """Return the pairs of neighbouring words and signs, one of them a word or a version, that parts have."""
    rows = [_PHRASED.findall("".join(lines_of(node)))[:WORDS_MAX] for node in nodes]
    return {pair for row in rows for pair in pairwise(row) if any(_NAME.match(word) for word in pair)}


def relabelled(gone: Sequence[Node], added: Sequence[Node]) -> set[str]:
    """Return the keys of ``added`` parts that say, under another name, what a part said that both sides took away.

    One side renamed what the other deleted.
    """
    values = {tuple(value) for kid in gone if len(value := _value(kid)) >= VALUE_MIN}
    return {kid.key for kid in added if tuple(_value(kid)) in values}


def _value(node: Node) -> list[str]:
    """Return the words and signs of a part behind its name, none if it does not begin with it."""
    said, name = words(node), _WORD.findall(node.key)
    return said[len(name) :] if said[: len(name)] == name and not node.loose else []


def issues(node: Node) -> set[str]:
    """Return the numbers of issues that a part names."""
    return set(_ISSUE.findall("".join(lines_of(node))))


def likeness(one: Node, other: Node) -> float:
    """Return the share of words that two parts have in common, from 0 to 1."""
    if one.kind is not other.kind:
        return 0
    mine, his = words(one), words(other)
    matcher = SequenceMatcher(None, mine, his, autojunk=False)
    if matcher.real_quick_ratio() < REPLACED or matcher.quick_ratio() < REPLACED:
        return 0
    return matcher.ratio()


def words(node: Node) -> list[str]:
    """Return the words and signs of a part."""
    return _WORD.findall("".join(lines_of(node)))[:WORDS_MAX]
