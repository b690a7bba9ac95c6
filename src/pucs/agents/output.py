"""What launched agent programs put out, normalised: the same few events whichever program speaks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """The model's own words."""

    text: str


@dataclass(frozen=True, slots=True)
class UsedTool:
    """A tool is used; ``about`` is one line for people: a path, a command."""

    tool: str
    about: str


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """The program says that it changed a file."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Tokens and money of the conversation so far: a total, not an increase."""

    input_tokens: int = 0
    """Without what came from a cache."""
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    """None: the program does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The program has ended its turn and waits for words or for its end."""

    text: str = ""
    """Its last words."""
    interrupted: bool = False
    """It was told to end the turn."""


@dataclass(frozen=True, slots=True)
class Broke:
    """The program, its login or its model failed; the turn is over."""

    reason: str


ProgramEvent = Said | UsedTool | ChangedFile | Spent | TurnEnded | Broke
