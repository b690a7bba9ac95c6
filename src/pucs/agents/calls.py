"""What an agent program reports while it works, and what it is answered: the same for every program.

Doors translate a program's own JSON into a ``Call`` and a ``Ruling`` back. Nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Moment(StrEnum):
    """When a program reports."""

    START = "start"
    """A conversation begins or is taken up again."""
    PROMPT = "prompt"
    """Somebody told it something."""
    BEFORE = "before"
    """It is about to use a tool; only now can an edit be stopped."""
    AFTER = "after"
    """A tool has done its work."""
    STOP = "stop"
    """It wants to end its turn."""
    END = "end"
    """The conversation is over."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """One exchange of text inside a file."""

    old: str
    new: str
    everywhere: bool = False
    """All places where ``old`` stands, not only the one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One file that a tool is about to change, or has changed; at most one of the ways of saying how is set."""

    path: str
    """As the program names it: absolute, or relative to its working directory."""
    content: bytes | None = None
    """Whole new content."""
    replacements: tuple[Replacement, ...] = ()
    """Exchanges, one after the other."""
    hunks: str = ""
    """Body of an update in the ``apply_patch`` format (see ``pucs.agents.patches``)."""
    deletes: bool = False
    """The file goes away."""
    sure: bool = True
    """False: read out of a shell command, which may do otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One report of an agent program."""

    moment: Moment
    program: str
    """``claude``, ``codex`` and so on."""
    conversation: str
    """The program's own id of its conversation; the same after a resume."""
    cwd: str
    """Absolute path of its working directory."""
    tool: str = ""
    """The program's own name of the tool."""
    edits: tuple[Edit, ...] = ()
    """Files it changes."""
    reads: tuple[str, ...] = ()
    """Files it reads whole or in part, named like those of edits."""
    command: str = ""
    """Shell text, if the tool is a shell."""
    again: bool = False
    """At ``STOP``: it was refused before in this turn."""
    agent: str = ""
    """Agent it says it is (``PUCS_AGENT``); empty: it names none and is told apart by its conversation."""
    secret: str = ""
    """Proof of that, for agents that have a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The answer to a call."""

    allowed: bool = True
    """False: the tool must not run, or (at ``STOP``) the turn must not end yet."""
    reason: str = ""
    """Why not, and what to do instead: told to the model."""
    context: str = ""
    """What the model is told beside an allowed call: briefing, messages, warnings."""
    suspend: bool = False
    """The turn has to end here: the agent is paused, terminated, or waits for its turn and cannot do anything else."""
