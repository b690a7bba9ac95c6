"""Agent programs: how each is started, spoken to and understood.

A program is an object with a few methods, found by the entry point group ``pucs.programs``; whoever writes one for another
agent installs it as a package of its own. Conversations are sans-IO: they take and give bytes, and the supervisor moves
those between them and the process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pucs.agents.calls import Call, Ruling
    from pucs.agents.output import ProgramEvent

GROUP = "pucs.programs"
"""Entry point group."""


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where hooks and MCP reach this run."""

    url: str
    """``http://127.0.0.1:PORT``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What a program is started with."""

    agent: str
    secret: str
    """Proves the agent's id at hooks and MCP; also in the environment as ``PUCS_SECRET``."""
    worktree: str
    prompt: str
    """What the program is told first in this launch."""
    conversation: str = ""
    """Conversation to take up again; empty: a new one."""
    model: str = ""
    """Model, in the program's own words; empty: its default."""
    directory: str
    """Absolute path of a private directory (0700) for settings files of this agent."""
    endpoint: Endpoint | None = None
    """None: hooks are answered by the ``pucs-hook`` program."""
    hook: Sequence[str] = ()
    """Command line of ``pucs-hook`` without the program's name."""
    arguments: Sequence[str] = ()
    """Extra arguments from the configuration."""
    decide: Callable[[Call], Ruling]
    """The hook decision, for programs that ask over their own protocol."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment that the program will see."""
    executable: str = ""
    """The program's file; empty: found by its name on the search path of the environment."""
    called_in: Callable[[], bool] = _always
    """Tells whether the program's hook has called in since this launch: nothing is said to it before."""


class Conversation(Protocol):
    """One launch of a program."""

    id: str
    """The program's id of the conversation; empty until it is known."""
    enforced: bool
    """The program has confirmed, in this launch, that it asks before each edit."""

    def receive(self, line: bytes) -> Sequence[ProgramEvent]:
        """Take one line of its output, without the line's end; a malformed one is an event, never an exception."""
        ...

    def outgoing(self) -> bytes:
        """Return what is to be written to the program now; each byte is returned once."""
        ...

    def tell(self, text: str) -> None:
        """Say something more: to be read at once if it is at work, else as the next turn."""
        ...

    def interrupt(self) -> None:
        """End the turn under way; the conversation can go on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start the process, and the conversation with it."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    """Added to the agent's environment."""
    conversation: Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of an installed program."""

    version: str = ""
    """Empty: it is not there or does not start."""
    problem: str = ""
    """Why it cannot be used; empty: it can."""
    remedy: str = ""
    warning: str = ""
    """It can be used, but look at this: an untried version, for example."""


class Program(Protocol):
    """An agent program that PUCS can launch."""

    name: str
    """Word on the command line: ``claude``."""
    resumable: bool
    """A conversation can be taken up again, so that waiting needs no process."""

    def look(self, environment: Mapping[str, str], executable: str = "") -> Found:
        """Find the program (that file, or by its name) and its version; takes at most some seconds."""
        ...

    def launch(self, brief: Brief) -> Launch:
        """Write what the program needs into the brief's directory and return how to start it."""
        ...
