"""What a kind of pairs is."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from tests.rules.merge.pair_files import Edit, File

Made: TypeAlias = tuple[Edit, ...]
"""Edits of ours, of theirs, and then what both may come to together if that is not one after the other."""
Maker: TypeAlias = Callable[[File, random.Random], "Made | None"]
"""Returns None for a file that lacks what the kind is about."""


class Owed(Enum):
    """What is right."""

    BOTH = "both"
    """Both edits, in either order."""
    ONCE = "once"
    """What ours did: theirs did the same."""
    GUESS = "guess"
    """Both edits, in either order, but the orders mean different things: never without somebody who looks."""
    NOTHING = "nothing"
    """No result: they contradict each other."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of pairs."""

    name: str
    owed: Owed
    floor: float
    """Smallest share of its pairs that has to be merged by AUTO; the others may conflict. 0: all may."""
    guessed: float
    """The same where guesses are accepted."""
    make: Maker


def kind(
    into: list[Kind], owed: Owed, floor: float = 0.0, guessed: float | None = None
) -> Callable[[Maker], Maker]:
    """Make a function a kind; its docstring is the name."""

    def named(make: Maker) -> Maker:
        name = (make.__doc__ or "").rstrip(".")
        into.append(Kind(name, owed, floor, floor if guessed is None else guessed, make))
        return make

    return named
