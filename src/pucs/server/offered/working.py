"""Tools for an agent's work: join, see, land, sync, test, finish."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from pucs.coordinator import agents
from pucs.coordinator.context import Context
from pucs.coordinator.landing import Landed
from pucs.coordinator.liveness import standing
from pucs.coordinator.status import status as glance
from pucs.coordinator.syncing import Synced
from pucs.coordinator.tasks import unfinished
from pucs.messages.rules import marked, quoted_words
from pucs.server.acting import Turn
from pucs.server.answers import LISTED_MAX, Answer, lease_document, named, plain

OUTPUT_LINES_MAX = 60
"""Last lines of a test run that a model is shown."""


def register(
    turn: Turn,
    *,
    stream: Annotated[
        str, Field(description="Stream (part of the code) you work on; leave out to stay without one.")
    ] = "",
) -> Answer:
    """Join the session, and say which stream you work on. An agent that PUCS launched has joined already.

    Answers your id: if you were asked to pass agent, pass it in every later call.
    """
    known = turn.agent_row()
    if stream and stream.casefold() != known.stream.casefold():
        known = agents.claim_stream(turn.context, agent=turn.agent, stream=stream)
    place = known.worktree or turn.context.repository.root
    return Answer(
        f"You are agent {known.id}{f' of stream {known.stream}' if known.stream else ', without a stream'}; "
        f"you work in {place}.",
        {"agent": known.id, "stream": known.stream, "worktree": place, "branch": known.branch},
    )


def status(turn: Turn) -> Answer:
    """Show the session: who you are and hold, who else is at work on what, streams, open conflicts, tasks, messages.

    Call it first, and whenever you have lost track. It changes nothing.
    """
    found = session_document(turn.context, turn.agent)
    you = found["you"]
    return Answer(
        f"You are {you['agent']}, stream {you['stream'] or 'none'}, hold {len(you['holds'])} "
        f"resources and have {you['messages']} messages; others hold {len(found['held_by_others'])}.",
        found,
    )


def session_document(context: Context, agent: str = "") -> dict[str, Any]:
    """Return the session as an agent needs it; without an agent as anybody does."""
    found = glance(context)
    with context.store.read() as tx:
        known = tx.agents.get(agent) if agent else None
        held = standing(context.processes, context.clock.now(), tx.leases.live())
        letters = len(tx.messages.open(agent, found["session"])) if agent else 0
    mine = [lease_document(one) for one in held if one.agent == agent]
    others = [lease_document(one) for one in held if one.agent != agent]
    document: dict[str, Any] = {"session": found["session"]}
    if known is not None:
        document["you"] = {
            "agent": known.id,
            "stream": known.stream,
            "worktree": known.worktree or context.repository.root,
            "branch": known.branch,
            "enforcement": known.enforcement.value,
            "paused": known.paused,
            "holds": mine[:LISTED_MAX],
            "tasks": _tasks(context, known.stream),
            "messages": letters,
        }
    return document | {
        "held_by_others": others[:LISTED_MAX],
        "agents": [
            {"id": one["id"], "stream": one["stream"], "life": one["life"]}
            for one in found["agents"]
            if one["life"] != "ended" and one["id"] != agent
        ][:LISTED_MAX],
        "streams": [
            {"name": one["name"], "state": one["state"], "percent": one["percent"]}
            for one in found["streams"]
        ],
        "conflicts_open": found["conflicts"]["open"],
    }


def _tasks(context: Context, stream: str) -> list[dict[str, Any]]:
    """Return the open tasks of a stream; titles are words of whoever planned or asked for them."""
    return [
        {
            "id": one.id,
            "title": quoted_words("title", one.title),
            "state": one.state.value,
            "files": one.files,
        }
        for one in unfinished(context)
        if stream and one.stream.casefold() == stream.casefold()
    ][:LISTED_MAX]


def land(
    turn: Turn,
    *,
    message: Annotated[
        str, Field(description="Title of the commit; leave out to let PUCS write it from the task.")
    ] = "",
) -> Answer:
    """Bring your finished work onto your stream's branch and give up the leases on it. Commit nothing by hand before.

    Call it as soon as a piece of work is whole, so that others can go on. If it does not land, nothing was given up: do
    what the answer says (usually sync, resolve, test) and call it again.
    """
    done = turn.client.land(message)
    kept = "".join(f" Kept aside on {one.ref}: {plain(one.reason)}" for one in done.parked)
    if not isinstance(done, Landed):
        return Answer(
            f"Not landed. {plain(done.message)} {plain(done.remedy)}{kept}",
            {"landed": False, "reason": done.reason, "conflicts": done.conflicts, "missing": done.missing},
        )
    text = f"Landed on {done.stream}: {named(done.paths)}." if done.paths else "There was nothing to land."
    return Answer(
        text + kept,
        {
            "landed": bool(done.paths),
            "commit": done.commit,
            "paths": done.paths[:LISTED_MAX],
            "warnings": done.warnings,
        },
    )


def sync(turn: Turn) -> Answer:
    """Bring what others have landed into your worktree; your own edits are committed first.

    Call it when you are told that you work on a stale base, or before you use what others have changed.
    """
    done = turn.client.sync()
    if not isinstance(done, Synced):
        return Answer(
            f"Not synced. {plain(done.message)} {plain(done.remedy)}",
            {"synced": False, "conflicts": done.conflicts},
        )
    text = (
        f"Synced; changed by others: {named(done.paths)}." if done.paths else "Synced; nothing new came in."
    )
    return Answer(text, {"synced": True, "commit": done.commit, "paths": done.paths[:LISTED_MAX]})


def run_tests(
    turn: Turn,
    *,
    command: Annotated[
        str, Field(description="Command to run; leave out for the one that is configured.")
    ] = "",
) -> Answer:
    """Run the tests of your stream on what is in your worktree, and record how they ended. Call it before land."""
    done = turn.client.run_tests(command)
    tail = marked("\n".join(done.output.splitlines()[-OUTPUT_LINES_MAX:]))
    text = f"Tests {done.result.value} after {done.duration_s:.0f} s."
    if tail and done.result.value != "passed":
        text = "\n".join([f"{text} The last lines of their output:", *tail])
    return Answer(text, {"result": done.result.value, "exit_status": done.status, "command": done.command})


def complete_task(
    turn: Turn,
    *,
    task: Annotated[str, Field(description="Id of the task.")],
    result: Annotated[str, Field(description="What came of it, in a sentence.")] = "",
) -> Answer:
    """Say that a task is done, after its work has landed. Whoever waits for it can begin."""
    turn.client.complete_task(task, result)
    return Answer(f"Task {plain(task)} is done.")


def log_change(
    turn: Turn,
    *,
    action: Annotated[str, Field(min_length=1, description="What you did, in a few words.")],
    files: Annotated[list[str] | None, Field(description="Files it concerns.")] = None,
    details: Annotated[dict[str, Any] | None, Field(description="Anything else worth keeping.")] = None,
) -> Answer:
    """Record something you did in the log that everybody can read: a decision, a finding, a change of an interface."""
    turn.client.log_change(action, files or (), details)
    return Answer("Recorded.")


def request(
    turn: Turn,
    *,
    files: Annotated[list[str], Field(min_length=1, description="Files that another stream covers.")],
    reason: Annotated[str, Field(min_length=1, description="What has to be changed there, and why.")],
    waive: Annotated[
        bool,
        Field(description="True: ask a person to let you change them yourself; false: ask that stream."),
    ] = False,
) -> Answer:
    """Ask for a change in files that belong to another stream. Call it when acquire_locks refuses at a boundary."""
    done = turn.client.request(files, reason, waive=waive)
    parts = [f"task {one.id} for stream {one.stream}" for one in done.tasks]
    parts += [f"waiver {one.id}, to be approved by a person" for one in done.waivers]
    text = f"Asked for: {'; '.join(parts)}." if parts else ""
    if done.free:
        text = f"{text} No request is needed for {named(done.free)}: call acquire_locks.".strip()
    return Answer(
        text, {"tasks": [one.id for one in done.tasks], "waivers": [one.id for one in done.waivers]}
    )
