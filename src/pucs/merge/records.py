"""What goes into a merge of one file and what comes out.

A file under merge is a row of pieces: lines that are settled, and clashes. Resolvers turn a clash into pieces, so that
one that settles a part leaves a smaller clash.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Lines: TypeAlias = tuple[str, ...]
"""Lines with their ends, which are ``\\n`` while a merge is under way; only a file's last line may lack one."""


class Tier(StrEnum):
    """How far a resolution is trusted."""

    AUTO = "auto"
    """Proved by syntax and guards; applied."""
    REVIEW = "review"
    """Proposed: usually right, but someone has to look; a conflict unless the caller accepts it."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The three versions of one file as bytes."""

    base: bytes | None
    """None: both sides added the file."""
    ours: bytes
    theirs: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """Lines that nobody changed, or one side, or both alike."""

    lines: Lines


@dataclass(frozen=True, slots=True)
class Settled:
    """Lines that a resolver put in the place of a clash."""

    lines: Lines
    resolver: str
    """Name of the rule, as docs and the cross-log know it: ``imports``."""
    tier: Tier
    clash: Clash
    """What it stands for, so that guards can judge it and a later step can put it back."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a clash begins in each version, as indexes of lines from 0; -1: unknown."""

    base: int = -1
    ours: int = -1
    theirs: int = -1

    def after(self, passed: Clash) -> Place:
        """Return where the lines behind a part of the clash begin."""
        if self.base < 0:
            return self
        lengths = (len(passed.base), len(passed.ours), len(passed.theirs))
        return Place(self.base + lengths[0], self.ours + lengths[1], self.theirs + lengths[2])


@dataclass(frozen=True, slots=True)
class Clash:
    """A place that both sides changed."""

    base: Lines
    ours: Lines
    theirs: Lines
    at: Place = Place()
    entity: str = ""
    """Qualified name of the innermost definition around it: ``Class.method``; empty: none, or unknown."""
    reason: str = ""
    """Why it was not settled, in a few words."""


Piece: TypeAlias = Kept | Settled | Clash
Pieces: TypeAlias = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Objection:
    """What a guard holds against a result."""

    words: str
    """One sentence, without the line; equal words mean the same fault."""
    line: int = 0
    """Where it shows in the result, from 1; 0: nowhere in particular."""
    about: str = ""
    """A name or a line that it is about: places that have it in one of their versions may be guilty; empty: none."""
    broken: bool = False
    """The result cannot be read at all."""
    untidy: bool = False
    """It breaks nothing: worth avoiding where PUCS merges, no reason to stop a merge that git found clean."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.words}" if self.line else self.words


@dataclass(frozen=True, slots=True)
class Texts:
    """The three versions as lines, encoding and line ends set aside."""

    base: Lines
    ours: Lines
    theirs: Lines


@dataclass(frozen=True, slots=True)
class Resolution:
    """One place that PUCS settled, for the report, the label and the cross-log."""

    resolver: str
    tier: Tier
    first_line: int
    """In the result, from 1."""
    lines: int
    """How many lines of the result; 0: the place is empty now."""
    entity: str = ""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """One conflict that stays."""

    first_line: int
    """Line of its first marker in the result, from 1."""
    lines: int
    """With its markers."""
    entity: str
    reason: str


class Origin(StrEnum):
    """Whose result it is."""

    GIT = "git"
    """git's line merge, byte for byte."""
    PUCS = "pucs"


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome of one merge of a file."""

    content: bytes
    """With conflict markers where ``conflicts`` says so."""
    origin: Origin
    conflicts: tuple[Unresolved, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    objections: tuple[str, ...] = ()
    """What is wrong with a result without conflicts, each in one sentence: a guard's word against git's clean merge."""

    @property
    def tier(self) -> Tier:
        """REVIEW if any resolution is."""
        review = any(one.tier is Tier.REVIEW for one in self.resolutions)
        return Tier.REVIEW if review else Tier.AUTO

    @property
    def clean(self) -> bool:
        """Whether nothing is left to resolve; a clean result of tier REVIEW still has to be accepted."""
        return not self.conflicts


def clashes(pieces: Sequence[Piece]) -> list[Clash]:
    """Return what is not settled."""
    return [piece for piece in pieces if isinstance(piece, Clash)]
