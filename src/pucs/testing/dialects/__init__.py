"""The languages in which agent programs speak to models: requests understood, answers put into words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

INPUT_TOKENS = 100
"""What every request counts as input: round, so that sums are told at a glance."""
OUTPUT_TOKENS = 20
"""What every answer counts as output."""
DETOUR = "detour"
"""Ids of tool calls that no step asked for begin so: looking up a tool that was not offered yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that the program offers to the model."""

    name: str
    namespace: str = ""
    """Group it is called in (OpenAI Responses); empty: none."""
    freeform: bool = False
    """It takes text instead of arguments."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Its arguments by name, as JSON schema says them."""
    required: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of an agent program."""

    dialect: str
    model: str
    system: str
    """Standing instructions."""
    sights: tuple[str, ...]
    """What the model saw: its first prompt, then what followed each of its turns. Its own words are left out."""
    tools: tuple[Tool, ...]
    streams: bool
    """The answer is wanted piece by piece."""
    body: Mapping[str, Any]
    """The request as it came."""

    @property
    def turns(self) -> int:
        """Turns of the model that lie behind, those not counted that looked up a tool."""
        return len(self.sights) - 1

    @property
    def text(self) -> str:
        """Everything that the model saw."""
        return "\n".join([self.system, *self.sights])


@dataclass(frozen=True, slots=True)
class Say:
    """Words; they end the turn."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A tool call."""

    id: str
    tool: Tool
    arguments: Mapping[str, Any]
    text: str = ""
    """What a freeform tool is given."""


Reply = Say | Use


class Dialect(Protocol):
    """One of the languages; modules are its instances."""

    def understand(self, body: Mapping[str, Any]) -> Asked:
        """Read a request."""
        ...

    def whole(self, asked: Asked, reply: Reply) -> Mapping[str, Any]:
        """Return an answer in one piece."""
        ...

    def pieces(self, asked: Asked, reply: Reply) -> Iterator[bytes]:
        """Return an answer as server-sent events."""
        ...


class Sights:
    """Collects what a model saw between its turns."""

    def __init__(self) -> None:
        """Begin before the first turn."""
        self._parts: list[list[str]] = [[]]
        self._open = True

    def see(self, *texts: str) -> None:
        """Add what came from outside."""
        self._parts[-1] += [text for text in texts if text]
        self._open = True

    def turn(self) -> None:
        """Note a turn of the model; what it says in several pieces is one."""
        if self._open:
            self._parts.append([])
        self._open = False

    def all(self) -> tuple[str, ...]:
        """Return what was collected."""
        return tuple("\n".join(parts) for parts in self._parts)


def words(content: object) -> list[str]:
    """Return every text inside a piece of a request, in order; names of fields and kinds are left out."""
    if isinstance(content, str):
        return [content]
    if isinstance(content, Mapping):
        hidden = {"type", "id", "tool_use_id", "call_id", "role", "cache_control", "signature"}
        return [word for key, value in content.items() if key not in hidden for word in words(value)]
    if isinstance(content, Sequence):
        return [word for part in content for word in words(part)]
    return []


def pieces_of(text: str, size: int = 40) -> list[str]:
    """Cut a text as a model's words arrive: in pieces; an empty text is one."""
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]
