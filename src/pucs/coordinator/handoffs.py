"""Hand-offs: work changes hands with its context, its leases and its worktree (000 §6.1 step 9; 001 §3.6, 002 §3.2).

Each hand-off is a row of its own, so none overwrites another. What it tells goes to everybody it is addressed to; leases
and worktree go to the first of them who accepts, in one transaction: the giver's leases end and the same resources are
granted to the receiver under new tokens, so that nobody can slip between and a late landing of the giver is judged as one
without its lease. The longest life of each lease counts on from the giver's grant.

Between giving and accepting the leases stay the giver's own, and its death does not free them; they end by time. A giver
may have ended when its work is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pucs.agents.records import Phase
from pucs.coordinator.agents import acting, step
from pucs.coordinator.asking import circle_of
from pucs.coordinator.contesting import clear_in
from pucs.coordinator.context import unit
from pucs.coordinator.granting import end, serve
from pucs.coordinator.messages import deliver_in, unknown_agent
from pucs.coordinator.pausing import minded
from pucs.core.errors import NotFound, PucsError, Refused, Usage
from pucs.crosslog.records import Level
from pucs.locks.records import EndReason, Lease, LeaseState
from pucs.locks.rules import expired
from pucs.messages import handoffs as rules
from pucs.messages.handoffs import Contents, HandOff, HandOffState
from pucs.messages.records import MessageKind
from pucs.tasks.records import TaskState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.ports import Transaction
    from pucs.streams.records import Session

COMMITS_NAMED_MAX = 20
"""Commits named by PUCS itself: the newest; the branch has all of them."""
RECEIVERS_MAX = 50
"""Most receivers that can be named; for more there is the stream."""
OPEN_MAX = 1_000
"""Open hand-offs of a session: each is read by everybody who looks for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What came of accepting a hand-off."""

    handoff: HandOff
    tokens: dict[str, int]
    """Token of each lease that is the receiver's own now, by resource."""
    not_transferred: tuple[str, ...] = ()
    """What did not come along, each with the reason, in one sentence."""
    worktree: str = ""
    """Where the giver's work is, if that worktree is the receiver's own now."""
    branch: str = ""
    """Branch of the giver's work; merged by hand where the worktree was not transferred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The giver's worktree as it was seen before accepting."""

    worktree: str = ""
    free: bool = False
    """It is there, and the receiver can move in."""
    left: str = ""
    """Why it does not move, as a clause; empty: it moves, or there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """A hand-off before it is recorded."""

    to: tuple[str, ...]
    contents: Contents
    signal: str
    task: str
    transfer: bool


def hand_off(
    context: Context,
    *,
    agent: str,
    to: Sequence[str] = (),
    contents: Contents,
    signal: str = "",
    task: str = "",
    transfer: bool = True,
    incomplete: bool = False,
) -> HandOff:
    """Hand an agent's work over to other agents, or with ``to`` empty to any agent of its stream.

    Branch, commits and leased files are filled in where they are not given. With ``transfer`` leases and worktree go to
    the first who accepts. What is missing is looked for before; the record itself is one transaction.

    Raises:
        Usage: unknown signal, or too much of something.
        NotFound: a receiver does not exist.
        Refused: something is missing (the message names all of it, ``fields["missing"]`` lists it), unless ``incomplete``;
            the giver or a receiver has ended.
    """
    contents = rules.checked(contents)
    signal = rules.one_line(signal, "The signal")
    if signal:
        rules.signal_of(signal)
    if len(to) > RECEIVERS_MAX:
        raise Usage(
            f"{len(to)} receivers are too many.",
            remedy=f"At most {RECEIVERS_MAX}; or hand over to the stream.",
        )
    contents = _filled(context, agent, contents)
    wish = _Wish(
        to=tuple(dict.fromkeys(to)),
        contents=contents,
        signal=signal or rules.fitting_signal(contents),
        task=rules.one_line(task, "The task"),
        transfer=transfer,
    )
    lacks = () if incomplete else _missing(context, agent, wish)
    if lacks:
        raise Refused(
            f"The hand-off is not complete: {'; '.join(lacks)}.",
            remedy="Add what is missing, or hand over as it is with --incomplete.",
            missing=lacks,
        )
    with unit(context) as opened:
        return _give(opened, acting(opened, agent), wish)


def _give(opened: Unit, who: Agent, wish: _Wish) -> HandOff:
    for receiver in wish.to:
        known = opened.tx.agents.get(receiver)
        if known is None or known.session != who.session:
            raise unknown_agent(opened, receiver)
        if not known.active:
            raise Refused(
                f"Agent {receiver} has ended ({known.phase}).",
                remedy="Hand over to another, or to the stream.",
            )
        if receiver == who.id:
            raise Usage(f"{receiver} would hand over to itself.", remedy="Name another agent.")
    if len(opened.tx.handoffs.all(who.session, pending=True)) >= OPEN_MAX:
        raise Refused(f"{OPEN_MAX} hand-offs are open.", remedy="Accept or close some: pucs handoff list")
    given = HandOff(
        session=who.session,
        giver=who.id,
        to=wish.to,
        stream=who.stream,
        task=wish.task or who.task,
        signal=wish.signal,
        contents=wish.contents,
        transfer=wish.transfer,
        given_at=opened.now.wall(),
    )
    given = replace(given, id=opened.tx.handoffs.add(given))
    if wish.transfer:
        promised = set(wish.contents.locked_files)
        opened.tx.leases.disown(
            lease.token for lease in opened.tx.leases.of_agent(who.id) if lease.resource in promised
        )
    step(opened, who, Phase.HANDOFF)
    opened.log(
        "handed over",
        agent=who.id,
        stream=who.stream,
        files=wish.contents.locked_files,
        handoff=given.id,
        to=list(wish.to),
        signal=wish.signal,
        task=given.task,
    )
    for receiver in wish.to or _others(opened, given):
        _tell(
            opened,
            who.id,
            receiver,
            given,
            f"{given.signal}. See it with: pucs handoff show {given.id}. Take it with: pucs handoff accept {given.id}.",
        )
    return given


def _others(opened: Unit, given: HandOff) -> list[str]:
    return [
        agent.id
        for agent in opened.tx.agents.all(given.session)
        if agent.active and given.concerns(agent.id, agent.stream)
    ][:RECEIVERS_MAX]


def _tell(opened: Unit, sender: str, receiver: str, given: HandOff, text: str) -> None:
    """Send word of a hand-off; a full inbox does not undo it, for it is listed all the same."""
    try:
        deliver_in(
            opened,
            MessageKind.HANDOFF,
            receiver,
            sender=sender,
            text=text,
            conflict=0,
            details={"handoff": given.id, "task": given.task, "signal": given.signal},
        )
    except Refused as error:
        opened.log(
            "message refused", agent=receiver, level=Level.DEBUG, handoff=given.id, reason=error.message
        )


def _filled(context: Context, agent: str, contents: Contents) -> Contents:
    """Add what PUCS knows itself: branch, own commits, leased files."""
    with context.store.read() as tx:
        session = _session(context, tx)
        known = tx.agents.get(agent)
        held = [lease.resource for lease in tx.leases.of_agent(agent) if lease.state is LeaseState.HELD]
        landed = [row.commit for row in tx.landings.all(session.id) if row.agent == agent]
    branch = contents.branch or (known.branch if known is not None else "")
    commits = contents.commits
    if not commits and known is not None and known.branch:
        tip = context.repository.resolve(f"refs/heads/{known.branch}")
        base = context.repository.resolve(f"refs/heads/{session.branch}") or session.base
        also = [f"refs/heads/{row.branch}" for row in _streams(context, session.id)]
        own = context.repository.commits(base, tip, also_not=also) if tip else []
        commits = tuple([*landed, *(facts.id for facts in own)][-COMMITS_NAMED_MAX:])
    return replace(
        contents,
        branch=branch,
        commits=commits or tuple(landed[-COMMITS_NAMED_MAX:]),
        locked_files=contents.locked_files or tuple(held[: rules.ITEMS_MAX]),
    )


def _streams(context: Context, session: str) -> Sequence[Any]:
    with context.store.read() as tx:
        return tx.sessions.streams(session)


def _session(context: Context, tx: Transaction) -> Session:
    session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
    if session is None:
        raise Refused("There is no active session.", remedy="Start one with: pucs init")
    return session


def _missing(context: Context, agent: str, wish: _Wish) -> tuple[str, ...]:
    """Look in the repository and in the giver's worktree for what the hand-off names."""
    contents = wish.contents
    files = dict.fromkeys((*contents.files_to_review, *contents.related_files, *contents.changed_files))
    return rules.missing(
        contents,
        wish.signal,
        branch_known=not contents.branch
        or context.repository.resolve(f"refs/heads/{contents.branch}") is not None,
        unknown_commits=[
            commit
            for commit in contents.commits
            if context.repository.resolve(f"{commit}^{{commit}}") is None
        ],
        unknown_files=_unknown_files(context, agent, list(files)) if files else (),
    )


def _unknown_files(context: Context, agent: str, files: Sequence[str]) -> list[str]:
    """Return which names are neither in the giver's worktree, as file or directory, nor in its last commit."""
    with context.store.read() as tx:
        known = tx.agents.get(agent)
    place = known.worktree if known is not None and known.worktree else context.repository.root
    listed = set(context.repository.files(context.worktrees.head(place)))
    unknown = []
    for name in files:
        wanted = context.worktrees.canonical(place, [name])[0]
        inside = wanted.endswith("/") and any(f"{path}".startswith(wanted) for path in listed)
        if not inside and wanted not in listed and context.worktrees.read(place, wanted) is None:
            unknown.append(name)
    return unknown


def accept(context: Context, *, agent: str, handoff: int) -> Accepted:
    """Accept a hand-off: its context is the receiver's to know, and for the first who accepts, leases and worktree move.

    One transaction; safe to repeat. The worktree moves only to an agent that has none of its own, or a clean one without
    unlanded work, which stays on disk.

    Raises:
        NotFound: there is no such hand-off.
        Refused: it is for others, closed, or taken; the receiver is paused; or the giver's program still runs.
    """
    place = _place(context, agent, handoff)
    with unit(context) as opened:
        who = acting(opened, agent)
        found = _found(opened, handoff)
        if not found.concerns(who.id, who.stream):
            whose = ", ".join(found.to) or f"agents of {found.stream}"
            raise Refused(f"Hand-off {handoff} is for {whose}.", remedy="See: pucs handoff list")
        if who.id in found.accepted_by:
            return _as_before(opened, who, found)
        if found.state is not HandOffState.OPEN:
            by = found.taken_by or ", ".join(found.accepted_by) or found.giver
            raise Refused(f"Hand-off {handoff} is {found.state} by {by}.", remedy="See: pucs handoff list")
        return _accepted(context, opened, who, found, place)


def _accepted(context: Context, opened: Unit, who: Agent, found: HandOff, place: _Place) -> Accepted:
    giver = opened.tx.agents.get(found.giver)
    tokens: dict[str, int] = {}
    left: list[str] = []
    worktree = ""
    if found.transfer and not found.taken_by:
        if who.paused:
            raise Refused(
                f"{who.id} is paused and gets no leases.", remedy=f"Resume it first: pucs resume {who.id}"
            )
        if who.stream and found.stream and who.stream.casefold() != found.stream.casefold():
            left.append(
                f"leases and worktree stay for an agent of {found.stream}: {who.id} works for {who.stream}"
            )
        else:
            if giver is not None and giver.active and minded(context, giver):
                raise Refused(
                    f"The program of {giver.id} still runs, and would go on writing.",
                    remedy=f"Accept when it has ended, or end it: pucs stop {giver.id}",
                )
            tokens, left = _move_leases(context, opened, who, found)
            serve(opened, list(tokens), context=context)  # the receiver itself may wait for one of them
            worktree = _move_worktree(opened, who, giver, place)
            if not worktree and place.left:
                left.append(place.left)
            known = opened.tx.agents.get(who.id) or who
            step(opened, known, Phase.ACQUIRE_LOCKS, task=found.task or None)
            _move_task(opened, who, found)
            clear_in(context, opened, found.giver, f"handed over to {who.id}", task=found.task)
            found = replace(found, taken_by=who.id)
    accepted_by = (*found.accepted_by, who.id)
    # A stream's hand-off is done with the first who takes it, one to named agents with the last of them.
    done = set(found.to) <= set(accepted_by) and (
        bool(found.taken_by) or not found.transfer or bool(found.to)
    )
    found = replace(
        found,
        accepted_by=accepted_by,
        state=HandOffState.ACCEPTED if done else HandOffState.OPEN,
        closed_at=opened.now.wall() if done else "",
    )
    opened.tx.handoffs.put(found)
    opened.log(
        "hand-off accepted",
        agent=who.id,
        stream=who.stream,
        files=list(tokens),
        handoff=found.id,
        giver=found.giver,
        tokens=list(tokens.values()),
        worktree=worktree,
        left=left,
    )
    if giver is not None and giver.active:
        _tell(opened, who.id, giver.id, found, f"Hand-off {found.id} is accepted.")
    return Accepted(
        handoff=found,
        tokens=tokens,
        not_transferred=tuple(left),
        worktree=worktree,
        branch=found.contents.branch,
    )


def _as_before(opened: Unit, who: Agent, found: HandOff) -> Accepted:
    promised = set(found.contents.locked_files) if found.taken_by == who.id else set()
    held = [lease for lease in opened.tx.leases.of_agent(who.id) if lease.resource in promised]
    return Accepted(
        handoff=found,
        tokens={lease.resource: lease.token for lease in held if lease.state is LeaseState.HELD},
        worktree=who.worktree if who.branch == found.contents.branch else "",
        branch=found.contents.branch,
    )


def _move_leases(
    context: Context, opened: Unit, who: Agent, found: HandOff
) -> tuple[dict[str, int], list[str]]:
    """End the giver's leases and grant the same to the receiver; nothing else can happen between."""
    now = opened.now
    held = {
        lease.resource: lease
        for lease in opened.tx.leases.of_agent(found.giver)
        if lease.state is LeaseState.HELD and not expired(lease, now.boot_id, now.boot_s)
    }
    moved = [held[name] for name in dict.fromkeys(found.contents.locked_files) if name in held]
    if any(lease.landing is not None for lease in moved):
        raise Refused(
            f"{found.giver} is landing this very moment.", remedy="Accept again when it is through."
        )
    left = [
        f"{name}: the lease of {found.giver} has ended; ask for it with pucs lock"
        for name in found.contents.locked_files
        if name not in held
    ]
    if not moved:
        return {}, left
    end(opened, moved, EndReason.HANDED_OVER, context=context)
    first = opened.tx.tokens(len(moved))
    length_s = opened.tx.sessions.configuration().limits.default_duration_s
    granted = [
        _granted(opened, lease, who, token=first + index, length_s=length_s)
        for index, lease in enumerate(moved)
    ]
    for lease in granted:
        opened.tx.leases.add(lease)
    opened.log(
        "lock granted",
        agent=who.id,
        stream=who.stream,
        files=[lease.resource for lease in granted],
        tokens=[lease.token for lease in granted],
        mode=granted[0].mode.value,
        handoff=found.id,
    )
    told = circle_of(context, opened, who.id)
    if told:
        raise Refused(
            f"With these leases nobody in this circle could go on: {told}.",
            remedy=f"Let {who.id} end its wait first, or somebody else accept.",
        )
    return {lease.resource: lease.token for lease in granted}, left


def _granted(opened: Unit, lease: Lease, who: Agent, *, token: int, length_s: float) -> Lease:
    now = opened.now
    expires_s = max(lease.expires_s, min(now.boot_s + length_s, lease.limit_s))
    return replace(
        lease,
        token=token,
        agent=who.id,
        stream=who.stream or lease.stream,
        session=who.session,
        request=0,
        boot_id=now.boot_id,
        granted_s=now.boot_s,
        granted_at=now.wall(),
        expires_s=expires_s,
        expires_at=now.wall(expires_s - now.boot_s),
        noted="",  # the file is as the giver left it, which nobody noted
        owner=who.owner,
    )


def _move_worktree(opened: Unit, who: Agent, giver: Agent | None, place: _Place) -> str:
    """Give the giver's worktree to the receiver if it can move in; the giver keeps none to write to."""
    if giver is None or not place.free or giver.worktree != place.worktree:
        return ""
    known = opened.tx.agents.get(who.id) or who
    opened.tx.agents.put(
        replace(known, worktree=giver.worktree, branch=giver.branch, enforcement=giver.enforcement)
    )
    opened.tx.agents.put(replace(giver, worktree="", branch=""))
    opened.log(
        "worktree handed over",
        agent=who.id,
        stream=who.stream,
        giver=giver.id,
        worktree=giver.worktree,
        branch=giver.branch,
    )
    return giver.worktree


def _move_task(opened: Unit, who: Agent, found: HandOff) -> None:
    task = opened.tx.tasks.get(found.session, found.task) if found.task else None
    if task is None or task.state is not TaskState.RUNNING or task.assignee != found.giver:
        return
    opened.tx.tasks.put(replace(task, assignee=who.id))
    opened.log(
        "task handed over", agent=who.id, stream=who.stream, task=task.id, giver=found.giver, handoff=found.id
    )


def _place(context: Context, agent: str, number: int) -> _Place:
    """Look, outside any transaction, where the giver's work is and whether the receiver can move in.

    It can if it has no worktree of its own, or one without unlanded work, so that it leaves nothing behind.
    """
    from pucs.coordinator.landing import unlanded  # noqa: PLC0415 - only for an agent with a worktree

    with context.store.read() as tx:
        known = tx.agents.get(agent)
        found = tx.handoffs.get(number)
        giver = tx.agents.get(found.giver) if found is not None else None
    if giver is None or not giver.worktree or not giver.branch:
        return _Place()
    if giver.worktree == context.repository.root or giver.worktree not in context.worktrees.paths():
        return _Place(
            left=f"worktree: {giver.id} has none of its own any more; its work is on {giver.branch or 'no branch'}"
        )
    if known is not None and known.worktree not in {"", context.repository.root}:
        try:
            busy = bool(unlanded(context, agent=agent))
        except PucsError:
            busy = True  # what cannot be looked at may hold work
        if busy:
            return _Place(
                left=f"worktree: {agent} has unlanded work in its own; merge {giver.branch} there by hand"
            )
    return _Place(worktree=giver.worktree, free=True)


def close(context: Context, *, agent: str, handoff: int) -> HandOff:
    """Take an open hand-off back, as its giver; what was not taken stays the giver's. One transaction, safe to repeat.

    Raises:
        NotFound: there is no such hand-off.
        Refused: somebody else gave it.
    """
    with unit(context) as opened:
        found = _found(opened, handoff)
        if found.giver != agent:
            raise Refused(
                f"Hand-off {handoff} was given by {found.giver}.", remedy="Only the giver closes it."
            )
        if found.state is not HandOffState.OPEN:
            return found
        closed = replace(found, state=HandOffState.CLOSED, closed_at=opened.now.wall())
        opened.tx.handoffs.put(closed)
        opened.log("hand-off closed", agent=agent, stream=found.stream, handoff=handoff)
        return closed


def handoff(context: Context, *, number: int) -> HandOff:
    """Return one hand-off of the session.

    Raises:
        NotFound: there is none.
    """
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        found = tx.handoffs.get(number)
    if found is None or session is None or found.session != session.id:
        raise NotFound(f"There is no hand-off {number}.", remedy="See: pucs handoff list")
    return found


def handoffs(context: Context, *, pending: bool = False, agent: str = "") -> list[HandOff]:
    """Return the hand-offs of the session by id, all or the open ones; of those that ``agent`` gave or may accept."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        found = tx.handoffs.all(session.id, pending=pending) if session else []
        known = tx.agents.get(agent) if agent else None
    stream = known.stream if known is not None else ""
    return [
        one
        for one in found
        if not agent
        or one.giver == agent
        or (one.concerns(agent, stream) and not (pending and agent in one.accepted_by))
    ]


def _found(opened: Unit, number: int) -> HandOff:
    found = opened.tx.handoffs.get(number)
    if found is None or found.session != opened.active().id:
        raise NotFound(f"There is no hand-off {number}.", remedy="See: pucs handoff list")
    return found
