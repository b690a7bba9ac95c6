"""Tools for leases and plans."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import Field

from pucs.coordinator import inspecting
from pucs.coordinator.dividing import Divided
from pucs.coordinator.leases import Acquired
from pucs.coordinator.noting import note
from pucs.coordinator.turns import line_up, wait
from pucs.core.errors import PucsError
from pucs.core.modes import Mode
from pucs.intents.records import Contest
from pucs.messages.rules import quoted_words
from pucs.server.acting import Turn
from pucs.server.answers import LISTED_MAX, Answer, lease_document, named, plain

WAIT_S_MAX = 300.0
"""Longest wait in one call; clients cut calls off after a minute or some, and asking again keeps nothing from anybody."""
TOLD_EVERY_S = 5.0
"""Time between two reports of a wait in which nothing has changed: it shows that the server lives."""

Files = Annotated[
    list[str],
    Field(
        min_length=1,
        description="Files, directories with a slash at their end, path/to/file.py::Class.method for one definition, or "
        "res:NAME for a named resource. Paths are relative to your worktree.",
    ),
]
Minutes = Annotated[
    float | None, Field(gt=0, description="Minutes you need them; leave out for the usual time.")
]


def acquire_locks(
    turn: Turn,
    *,
    files: Files,
    mode: Annotated[
        Literal["EXCLUSIVE", "INTENT", "SHARED_READ"],
        Field(
            description="EXCLUSIVE to change them; INTENT to be the next to change them; SHARED_READ to rely on them "
            "staying as they are."
        ),
    ] = "EXCLUSIVE",
    duration_min: Minutes = None,
    wait_s: Annotated[
        float,
        Field(
            ge=0,
            le=WAIT_S_MAX,
            description="Seconds to wait in line; keep below the time your client allows a tool call, often 60.",
        ),
    ] = 0.0,
    task: Annotated[str, Field(max_length=200, description="What for, in a few words; others see it.")] = "",
) -> Answer:
    """Reserve what you are about to change, all of it or nothing. Call it before the first edit of a file.

    Answers granted with an expiry, or not granted with who holds what, until when, and your place in line. If it is not
    granted, do not edit these files: do other work and ask again, wait with wait_s, or write to the holder. If `base`
    names a commit that your checkout does not have, call sync before you edit.
    """
    cancelled = _Watch(turn, files) if wait_s > 0 else bool
    if mode == Mode.EXCLUSIVE and duration_min is None and turn.agent_row().launched:
        return _acquired(_in_turn(turn, files, task, wait_s, cancelled), keeps=True)
    return _acquired(
        turn.client.acquire_locks(files, mode, duration_min, wait_s, task, cancelled=cancelled), keeps=False
    )


def _in_turn(
    turn: Turn, files: list[str], task: str, wait_s: float, cancelled: Callable[[], bool]
) -> Acquired:
    """Ask for an agent that a supervisor resumes at its turn: it keeps its place in line when this call is over."""
    names = turn.resources(files)

    def ask() -> Acquired:
        noted = note(turn.context, agent=turn.agent, resources=names)
        return line_up(turn.context, agent=turn.agent, resources=names, task=task, noted=noted)

    answer = ask()
    if wait_s > 0 and not answer.granted and answer.queue_position:
        wait(turn.context, agent=turn.agent, wait_s=wait_s, cancelled=cancelled)
        answer = ask()
    return answer


class _Watch:
    """Asked at each wake-up of a wait whether to give up; tells meanwhile who is in the way."""

    def __init__(self, turn: Turn, files: list[str]) -> None:
        self._turn = turn
        self._names = turn.resources(files)
        self._began_s = turn.context.clock.now().boot_s
        self._told = ("", 0.0)

    def __call__(self) -> bool:
        spent_s = self._turn.context.clock.now().boot_s - self._began_s
        with suppress(PucsError):  # the wait itself says what is wrong
            text = self._text()
            if text != self._told[0] or spent_s - self._told[1] >= TOLD_EVERY_S:
                self._told = (text, spent_s)
                self._turn.tell(round(spent_s, 1), text)
        return self._turn.cancelled()

    def _text(self) -> str:
        queue = [request.agent for request in inspecting.queue(self._turn.context, resources=self._names)]
        place = queue.index(self._turn.agent) + 1 if self._turn.agent in queue else 0
        with self._turn.context.store.read() as tx:
            found = tx.leases.overlapping(self._names)
        holders = sorted({lease.agent for lease in found} - {self._turn.agent})
        return (
            f"number {place} in line; held by {', '.join(holders) or 'nobody'}"
            if place
            else "about to be decided"
        )


def _acquired(answer: Acquired, *, keeps: bool) -> Answer:
    document: dict[str, object] = {"granted": answer.granted}
    if answer.granted:
        document |= {"tokens": answer.tokens, "expires_at": answer.expires_at, "base": answer.base}
        text = f"Granted until {answer.expires_at}: {named(list(answer.tokens))}."
        if answer.planned_by:
            text += f" Planned too by {', '.join(answer.planned_by)}: write to them before you change it."
        return Answer(text, document)
    if answer.queue_position:
        document |= {
            "queue_position": answer.queue_position,
            "free_in_s_at_the_latest": answer.wait_time,
            "usually_free_in_s": answer.estimated_wait_s,
        }
    text = f"Not granted. {plain(answer.reason)} Do not edit these files now."
    if keeps and answer.queue_position:
        text += " You keep your place in line, and are told when it is your turn."
    return Answer(text, document)


def renew_locks(turn: Turn, *, duration_min: Minutes = None) -> Answer:
    """Keep everything you hold for longer. Call it when work takes longer than the lease; what has ended is not revived."""
    held = turn.client.renew_locks(duration_min)
    if not held:
        return Answer(
            "You hold nothing. Call acquire_locks for what you still have to change.", {"leases": []}
        )
    leases = [{"resource": one.resource, "until": one.expires_at} for one in held[:LISTED_MAX]]
    return Answer(f"Renewed: {named([one.resource for one in held])}.", {"leases": leases})


def release_locks(
    turn: Turn,
    *,
    files: Annotated[
        list[str] | None, Field(description="What to give up; leave out for everything you hold.")
    ] = None,
    to: Annotated[
        Literal["SHARED_READ", "INTENT"] | None,
        Field(description="Hold on in this weaker mode instead."),
    ] = None,
) -> Answer:
    """Give up what you do not need any more, so that others can go on. After finished work call land instead.

    Changes under what you give up are landed first if they can be; if not, they are kept aside and the answer names where.
    It also gives up your place in line for files that you were refused and can do without.
    """
    done = turn.client.release_locks(files, to)
    if not done.resources and not done.left:
        return Answer("There was nothing to give up.", {"resources": []})
    text = f"Given up: {named(done.resources)}." if done.resources else ""
    if done.left:
        text = f"{text} You do not wait for {named(done.left)} any more.".strip()
    if done.landed:
        text += f" Landed first: {named(done.landed)}."
    for one in done.parked:
        text += f" Kept aside on {one.ref}: {plain(one.reason)}"
    document = {"resources": done.resources[:LISTED_MAX], "tokens": done.tokens, "warnings": done.warnings}
    return Answer(text, document)


def check_lock(
    turn: Turn, *, file: Annotated[str, Field(description="One file or other resource.")]
) -> Answer:
    """Say who covers, holds, waits for and plans a file. Call it to find out whom to write to; it changes nothing."""
    found = turn.client.check_lock(file)
    if found.holders:
        text = f"{found.resource} is held by {', '.join(sorted({one.agent for one in found.holders}))}."
    else:
        text = f"{found.resource} is free."
    if found.waiting:
        text += f" In line: {', '.join(one.agent for one in found.waiting[:LISTED_MAX])}."
    return Answer(
        text,
        {
            "stream": found.stream,
            "holders": [lease_document(one) for one in found.holders[:LISTED_MAX]],
            "waiting": [one.agent for one in found.waiting[:LISTED_MAX]],
            "planned_by": [quoted_words(one.agent, one.description) for one in found.planned[:LISTED_MAX]],
            "last_changed_in": found.base,
            "last_changed_by": found.changed_by,
            "free_in_s_at_the_latest": found.delay.longest_s,
            "usually_free_in_s": found.delay.usual_s,
        },
    )


def signal_intent(
    turn: Turn,
    *,
    files: Files,
    description: Annotated[str, Field(min_length=1, description="What you are going to do to them.")],
    estimated_duration_min: Annotated[float, Field(gt=0, description="Minutes you think it takes.")] = 30.0,
    task: Annotated[str, Field(description="Task it is planned for; its end clears the plan.")] = "",
) -> Answer:
    """Say what you are going to change before you start on it, and learn who is in the way. It reserves nothing.

    You have one plan at a time; a new one replaces it. If something is in the way, follow the suggestions.
    """
    done = turn.client.signal_intent(files, description, estimated_duration_min, task=task)
    if done.success:
        text = f"Recorded; nothing is in the way of {named(done.files)}."
    else:
        text = f"Recorded, but contested: {_in_the_way(done.conflicts)}."
    text += "".join(f" {plain(one)}" for one in done.suggestions)
    return Answer(
        text,
        {
            "success": done.success,
            "files": done.files[:LISTED_MAX],
            "conflicts": _contests(done.conflicts),
            "expires_at": done.expires_at,
        },
    )


def _in_the_way(found: tuple[Contest, ...]) -> str:
    """Say what is in the way of a plan; its details hold words of the other agent."""
    return "; ".join(
        f"{one.file}: {quoted_words(one.holder or 'PUCS', one.details)}" for one in found[:LISTED_MAX]
    )


def _contests(found: tuple[Contest, ...]) -> list[dict[str, object]]:
    return [
        {"kind": one.kind.value, "files": one.files[:LISTED_MAX], "holder": one.holder}
        for one in found[:LISTED_MAX]
    ]


def clear_intent(turn: Turn) -> Answer:
    """Take your plan back, because you will not do it or have done it."""
    gone = turn.client.clear_intent()
    return Answer("Your plan is taken back." if gone else "You had no plan.")


def check_conflicts(turn: Turn, *, files: Files) -> Answer:
    """Say what a plan to change these files would meet, without recording one."""
    found = turn.client.check_conflicts(files)
    if not found:
        return Answer("Nothing is in the way.", {"conflicts": []})
    return Answer(f"In the way: {_in_the_way(found)}.", {"conflicts": _contests(found)})


def negotiate_partition(
    turn: Turn,
    *,
    file: Annotated[str, Field(description="Python file that several need.")],
    agents: Annotated[
        list[str] | None,
        Field(description="The others; leave out for all who hold, await or plan it."),
    ] = None,
) -> Answer:
    """Propose to divide a file by its functions and classes, so that several can change it at once.

    Call it when you and the holder need different definitions. Nothing changes until every party accepts.
    """
    done = turn.client.negotiate_partition(file, *(agents or ()))
    if not done.success:
        return Answer(f"No proposal: {plain(done.reason)}", {"proposal": 0})
    return Answer(
        f"Proposal {done.proposal}: your part is {named(done.scopes.get(turn.agent, ()))}. "
        "The other parties have been told and have to accept.",
        {"proposal": done.proposal, "scopes": done.scopes, "waits": done.waits},
    )


def accept_partition(
    turn: Turn, *, proposal: Annotated[int, Field(description="Number of the proposal.")]
) -> Answer:
    """Agree to a proposal to divide a file. Once all have, your lease on the file is one on your definitions."""
    return _divided(turn, turn.client.accept_partition(proposal))


def _divided(turn: Turn, done: Divided) -> Answer:
    if done.missing:
        return Answer(
            f"You have accepted; {', '.join(done.missing)} still has to.", {"missing": done.missing}
        )
    scopes = done.partition.scopes.get(turn.agent, ())
    tokens = done.tokens.get(turn.agent, {})
    return Answer(
        f"{done.partition.file} is divided; your part is {named(scopes)}.",
        {"scopes": scopes, "tokens": tokens},
    )


def refuse_partition(
    turn: Turn,
    *,
    proposal: Annotated[int, Field(description="Number of the proposal.")],
    reason: Annotated[str, Field(description="Why; the others are told.")] = "",
) -> Answer:
    """Turn a proposal to divide a file down."""
    done = turn.client.refuse_partition(proposal, reason)
    return Answer(f"Proposal {done.id} is {done.state.value}.")
