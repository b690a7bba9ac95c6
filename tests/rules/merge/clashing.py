"""Three versions of a file through one resolver, as a test wants to see it."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from pucs.merge.pieces import by_lines, lines_of, settle
from pucs.merge.python.scene import Scene
from pucs.merge.records import Clash, Settled, Texts
from pucs.merge.texts import split

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.merge.records import Pieces

    Resolver = Callable[[Clash, Scene], Pieces | None]


def pieces(resolve: Resolver, base: str, ours: str, theirs: str) -> Pieces:
    """Merge three texts line by line and let one resolver look at what clashes."""
    texts = Texts(split(dedent(base)), split(dedent(ours)), split(dedent(theirs)))
    scene = Scene(texts)
    return settle(by_lines(texts.base, texts.ours, texts.theirs), [lambda clash: resolve(clash, scene)])


def merged(resolve: Resolver, base: str, ours: str, theirs: str) -> str | None:
    """Return the merged text, None if a clash is left."""
    lines = lines_of(pieces(resolve, base, ours, theirs))
    return None if lines is None else "".join(lines)


def tiers(resolve: Resolver, base: str, ours: str, theirs: str) -> set[str]:
    """Return how far the resolutions are trusted."""
    return {one.tier.value for one in pieces(resolve, base, ours, theirs) if isinstance(one, Settled)}
