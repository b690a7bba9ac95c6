"""Hand-offs: one record for the three forms of the designs, and what has to be in one before it is accepted.

001 §3.6 has many receivers and what they have to know of interfaces; 002 §3.2 has one receiver, the stream and its leases;
004 has a Markdown form with deliverables, context and artifacts; 003 has the signals. A record holds all of it; each form
is a view, and each form is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pucs.core.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

ITEMS_MAX = 200
"""Items of one list: more is a report, and belongs into a file that the hand-off names."""
ITEM_LENGTH_MAX = 1_000
"""Longest item in characters: a sentence or two."""
LINE_LENGTH_MAX = 200
"""Longest task and signal: they are names."""
NOTES_LENGTH_MAX = 8_000
"""Longest notes: two pages."""
EXTRA_LENGTH_MAX = 8_000
"""Longest further context as JSON."""
BLOCKED_ON = "BLOCKED_ON_"


class Signal(StrEnum):
    """Why work is handed over (003)."""

    READY_FOR_REVIEW = "READY_FOR_REVIEW"
    """Done, and to be looked at."""
    BLOCKED_ON = "BLOCKED_ON"
    """Cannot go on before something else is there; said as ``BLOCKED_ON_x``."""
    DISCOVERED_ISSUE = "DISCOVERED_ISSUE"
    """Found something that somebody else has to deal with."""
    TASK_COMPLETE = "TASK_COMPLETE"
    """Done."""
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    """Done in part."""


class HandOffStatus(StrEnum):
    """How far the work is (004)."""

    COMPLETE = "COMPLETE"
    BLOCKED = "BLOCKED"
    PARTIAL = "PARTIAL"


class HandOffState(StrEnum):
    """Whether anybody still has to take it."""

    OPEN = "open"
    ACCEPTED = "accepted"
    """By everybody it was addressed to."""
    CLOSED = "closed"
    """By the giver, without having been accepted by all."""


_STATUS = {
    Signal.READY_FOR_REVIEW: HandOffStatus.COMPLETE,
    Signal.TASK_COMPLETE: HandOffStatus.COMPLETE,
    Signal.BLOCKED_ON: HandOffStatus.BLOCKED,
    Signal.DISCOVERED_ISSUE: HandOffStatus.PARTIAL,
    Signal.PARTIAL_SUCCESS: HandOffStatus.PARTIAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a giver tells; lists hold one sentence or path each."""

    completed: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    """What is left to do, or recommended next."""
    warnings: tuple[str, ...] = ()
    """Known issues."""
    findings: tuple[str, ...] = ()
    prerequisites: tuple[str, ...] = ()
    """What the next agent can rely on."""
    new_interfaces: tuple[str, ...] = ()
    breaking_changes: tuple[str, ...] = ()
    test_status: str = ""
    """Such as ``all 47 tests passing`` or ``not run``."""
    notes: str = ""
    commits: tuple[str, ...] = ()
    branch: str = ""
    locked_files: tuple[str, ...] = ()
    """Resources the giver held."""
    related_files: tuple[str, ...] = ()
    changed_files: tuple[str, ...] = ()
    files_to_review: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    """Where results are that are not code."""
    dependencies_added: tuple[str, ...] = ()
    configuration_changes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    """Further context, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOff:
    """One hand-off from one agent to named agents, or to any agent of a stream."""

    id: int = 0
    """0 while not recorded."""
    session: str = ""
    giver: str
    to: tuple[str, ...] = ()
    """Receivers; empty: any agent of the stream."""
    stream: str = ""
    """Stream of the work; empty: none."""
    task: str = ""
    signal: str = Signal.TASK_COMPLETE.value
    """One of ``Signal``; ``BLOCKED_ON_x`` names x."""
    contents: Contents = field(default_factory=Contents)
    transfer: bool = True
    """Leases and worktree go to the first who accepts."""
    state: HandOffState = HandOffState.OPEN
    accepted_by: tuple[str, ...] = ()
    """Who accepted, in order."""
    taken_by: str = ""
    """Who got leases and worktree."""
    given_at: str = ""
    """Wall time."""
    closed_at: str = ""
    """Wall time."""

    @property
    def status(self) -> HandOffStatus:
        """How far the work is, in the words of 004."""
        return _STATUS[signal_of(self.signal)[0]]

    def concerns(self, agent: str, stream: str) -> bool:
        """Tell whether an agent of a stream may accept it."""
        if agent == self.giver:
            return False
        if self.to:
            return agent in self.to
        return not self.stream or self.stream.casefold() == stream.casefold()

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return {
            "id": self.id,
            "from": self.giver,
            "to": list(self.to),
            "stream": self.stream,
            "task": self.task,
            "signal": self.signal,
            "status": self.status.value,
            "state": self.state.value,
            "transfer": self.transfer,
            "accepted_by": list(self.accepted_by),
            "taken_by": self.taken_by,
            "given_at": self.given_at,
            "closed_at": self.closed_at,
            "contents": as_plain(self.contents),
        }


def as_plain(contents: Contents) -> dict[str, Any]:
    """Return contents as JSON values."""
    found = {one.name: getattr(contents, one.name) for one in fields(contents)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def from_plain(values: Mapping[str, Any]) -> Contents:
    """Return the contents that ``as_plain`` wrote; what has no field of its own goes into ``extra``.

    Raises:
        Usage: a value of the wrong type, or too much of something.
    """
    known = {one.name for one in fields(Contents)}
    given: dict[str, Any] = {}
    extra = dict(values.get("extra") or {})
    for name, value in values.items():
        if name == "extra":
            continue
        if name not in known:
            extra[name] = value
        elif name in {"test_status", "notes", "branch"}:
            given[name] = _text(name, value)
        else:
            given[name] = _items(name, value)
    return checked(Contents(**given, extra=extra))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Usage(f"{name} of a hand-off is no text.", remedy="Give a string.")
    return value


def _items(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise Usage(f"{name} of a hand-off is no list of texts.", remedy="Give a list of strings.")
    return tuple(value)


def checked(contents: Contents) -> Contents:
    """Return contents with each item on one line, within the limits.

    Raises:
        Usage: too many items, or too long ones; nothing is cut.
    """
    tidy: dict[str, Any] = {}
    for one in fields(contents):
        value = getattr(contents, one.name)
        if isinstance(value, tuple):
            items = tuple(text for item in value if (text := " ".join(item.split())))
            if len(items) > ITEMS_MAX or any(len(item) > ITEM_LENGTH_MAX for item in items):
                raise Usage(
                    f"{one.name} of the hand-off is too long.",
                    remedy=f"At most {ITEMS_MAX} items of {ITEM_LENGTH_MAX:,} characters; put the rest into a file.",
                )
            tidy[one.name] = items
    for name, limit in (
        ("notes", NOTES_LENGTH_MAX),
        ("test_status", ITEM_LENGTH_MAX),
        ("branch", ITEM_LENGTH_MAX),
    ):
        if len(getattr(contents, name)) > limit:
            raise Usage(f"{name} of the hand-off is too long.", remedy=f"At most {limit:,} characters.")
    try:
        length = len(json.dumps(contents.extra))
    except (TypeError, ValueError) as error:
        raise Usage(
            f"The context of the hand-off is no JSON: {error}.", remedy="Use plain values."
        ) from error
    if length > EXTRA_LENGTH_MAX:
        raise Usage(
            "The context of the hand-off is too long.",
            remedy=f"At most {EXTRA_LENGTH_MAX:,} characters as JSON; put the rest into a file.",
        )
    notes = "\n".join(line.rstrip() for line in contents.notes.strip().splitlines())
    return replace(contents, **tidy, notes=notes, test_status=" ".join(contents.test_status.split()))


def one_line(text: str, what: str) -> str:
    """Return a text on one line.

    Raises:
        Usage: it is too long.
    """
    line = " ".join(text.split())
    if len(line) > LINE_LENGTH_MAX:
        raise Usage(f"{what} of the hand-off is too long.", remedy=f"At most {LINE_LENGTH_MAX} characters.")
    return line


def signal_of(text: str) -> tuple[Signal, str]:
    """Return a signal and what it is blocked on.

    Raises:
        Usage: no such signal.
    """
    if text.startswith(BLOCKED_ON):
        return Signal.BLOCKED_ON, text.removeprefix(BLOCKED_ON).strip()
    if text != Signal.BLOCKED_ON and text in {signal.value for signal in Signal}:
        return Signal(text), ""
    names = [BLOCKED_ON + "x" if signal is Signal.BLOCKED_ON else signal.value for signal in Signal]
    raise Usage(f"There is no signal {text!r}.", remedy=f"Signals: {', '.join(names)}.")


def fitting_signal(contents: Contents) -> str:
    """Return the signal that contents speak for: something is left, or nothing is."""
    return (Signal.PARTIAL_SUCCESS if contents.pending else Signal.TASK_COMPLETE).value


def missing(
    contents: Contents,
    signal: str,
    *,
    unknown_commits: Collection[str] = (),
    unknown_files: Collection[str] = (),
    branch_known: bool = True,
) -> tuple[str, ...]:
    """Return what a hand-off lacks so that another agent can go on from it (004's checklist), each as a clause.

    What exists is told by the caller, who can look.
    """
    kind, blocker = signal_of(signal)
    lacks: list[str] = []
    if not contents.completed and not contents.pending:
        lacks.append("neither what is completed nor what is pending is stated")
    if contents.completed and not contents.test_status:
        lacks.append("the state of the tests is not stated (say so if they were not run)")
    if kind is Signal.PARTIAL_SUCCESS and not contents.pending:
        lacks.append("PARTIAL_SUCCESS does not say what is pending")
    if kind is Signal.DISCOVERED_ISSUE and not contents.warnings:
        lacks.append("DISCOVERED_ISSUE does not say what the issue is (warnings)")
    if kind is Signal.BLOCKED_ON and not blocker:
        lacks.append("BLOCKED_ON_ does not say on what")
    if kind in {Signal.TASK_COMPLETE, Signal.READY_FOR_REVIEW} and not contents.completed:
        lacks.append(f"{signal} does not say what is completed")
    if contents.branch and not branch_known:
        lacks.append(f"branch {contents.branch} does not exist")
    lacks += [f"commit {commit} does not exist" for commit in contents.commits if commit in unknown_commits]
    named = dict.fromkeys((*contents.files_to_review, *contents.related_files, *contents.changed_files))
    lacks += [f"file {file} does not exist" for file in named if file in unknown_files]
    return tuple(lacks)
