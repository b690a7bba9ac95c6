"""The end of a turn and of a conversation: what was forgotten is told, at most twice; what was not used is given up.

A launched agent is landed and reported by its supervisor, so that it may end its turn, once it has heard what it must
hear. One that nobody minds would leave its leases and its work behind: it is told what is left to do. Whether anything
changed under a lease is judged by the file as it was noted at the grant, so that ending a turn starts no git.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.agents.calls import Ruling
from pucs.coordinator import leases as lease_verbs
from pucs.coordinator.asking import ABOUT_A_WAIT
from pucs.coordinator.briefing import listed, ordered
from pucs.coordinator.context import unit
from pucs.coordinator.liveness import standing
from pucs.coordinator.messages import inbox
from pucs.coordinator.noting import note
from pucs.core.modes import Mode
from pucs.core.resources import is_named
from pucs.crosslog.records import Level
from pucs.locks.records import LeaseState
from pucs.messages.records import MessageKind
from pucs.messages.rules import quoted
from pucs.tasks.records import TaskState

if TYPE_CHECKING:
    from pucs.agents.calls import Call
    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.locks.records import Lease
    from pucs.messages.records import Message

REFUSALS_MAX = 2
"""Refusals to end a turn in a row: whoever has heard it twice will not do it, and each costs a turn of the model."""
MESSAGES_CHARS_MAX = 2_500
"""Longest messages in one refusal, which is cut where an answer ends; a longer one rides on a later call."""
_IMPORTANT = frozenset({
    MessageKind.PAUSE,
    MessageKind.RESUME,
    MessageKind.TERMINATE,
    MessageKind.HANDOFF,
    MessageKind.TASK_ASSIGNED,
    MessageKind.CONFLICT_ALERT,
    MessageKind.LOCK_GRANTED,
})
"""What an agent is to hear before it ends its turn."""


def stopped(context: Context, agent: Agent, call: Call) -> Ruling:
    """Decide whether an agent may end its turn.

    Nobody is refused more than ``REFUSALS_MAX`` times before the next prompt. Leases under which nothing changed are given
    up on the way, unless a supervisor minds the agent.
    """
    if agent.terminated or agent.paused or not agent.active:
        halted = ordered(agent)
        return replace(halted, reason=halted.context, suspend=True)
    said = _refusals(context, agent, call)
    if agent.launched:
        left: list[str] = []
    else:
        changed = _give_up_untouched(context, agent)
        left = _left_to_do(context, agent, changed)
    if said >= REFUSALS_MAX:
        return Ruling()
    due = inbox(
        context,
        agent=agent.id,
        acknowledge=True,
        chars_max=MESSAGES_CHARS_MAX,
        wanted=lambda message: _matters(agent, message),
    )
    shown = [quoted(message) for message in due]
    if not left and not shown:
        return Ruling()
    with unit(context) as opened:
        known = opened.tx.conversations.get(call.program, call.conversation, agent.session)
        if known is not None:
            opened.tx.conversations.put(replace(known, refusals=known.refusals + 1))
        opened.log(
            "stop refused",
            agent=agent.id,
            stream=agent.stream,
            level=Level.DEBUG,
            left=left,
            messages=len(shown),
        )
    head = (
        ["[PUCS] Before you end:", *(f"- {one}" for one in left)]
        if left
        else ["[PUCS] Read this before you end:"]
    )
    return Ruling(allowed=False, reason="\n".join([*head, *shown]))


def ended(context: Context, agent: Agent, call: Call) -> Ruling:
    """Give up what an agent leaves unused at the end of its conversation.

    What changed under a lease stays where it is, and the lease as long as it lasts: the conversation may be taken up
    again. A launched agent is looked after by its supervisor.
    """
    if agent.launched or not agent.active:
        return Ruling()
    changed = _give_up_untouched(context, agent)
    with unit(context) as opened:
        opened.log(
            "conversation ended",
            agent=agent.id,
            stream=agent.stream,
            files=[lease.resource for lease in changed],
            program=call.program,
            conversation=call.conversation,
        )
    return Ruling()


def _refusals(context: Context, agent: Agent, call: Call) -> int:
    with context.store.read() as tx:
        known = tx.conversations.get(call.program, call.conversation, agent.session)
    if known is None:
        return REFUSALS_MAX if call.again else 0  # nobody counts, so that once is enough
    return known.refusals


def _matters(agent: Agent, message: Message) -> bool:
    """Tell whether an agent is to hear a message before it ends its turn."""
    # Whoever is landed as soon as its turn ends need not hear that somebody waits for what it holds.
    landed_soon = agent.launched and message.about.startswith(ABOUT_A_WAIT)
    # Without words it only confirms a lease that another process of the agent's waited for.
    confirms = message.kind is MessageKind.LOCK_GRANTED and not message.text
    fits = len(quoted(message)) <= MESSAGES_CHARS_MAX
    return message.kind in _IMPORTANT and fits and not landed_soon and not confirms


def _give_up_untouched(context: Context, agent: Agent) -> list[Lease]:
    """Give up the leases under which nothing changed, and return those under which something did; others are left alone."""
    with context.store.read() as tx:
        live = standing(context.processes, context.clock.now(), tx.leases.of_agent(agent.id))
    noted = [
        lease
        for lease in live
        if lease.noted
        and lease.state is LeaseState.HELD
        and lease.landing is None
        and lease.mode is Mode.EXCLUSIVE
        and not is_named(lease.resource)
    ]
    if not noted:
        return []
    now = note(context, agent=agent.id, resources=[lease.resource for lease in noted])
    for lease in noted:
        if now[lease.resource] == lease.noted:
            lease_verbs.release(context, agent=agent.id, resources=[lease.resource], token=lease.token)
    return [lease for lease in noted if now[lease.resource] != lease.noted]


def _left_to_do(context: Context, agent: Agent, changed: list[Lease]) -> list[str]:
    """Return what an agent that nobody minds would leave behind, each with what to do about it."""
    me = f"--agent {agent.id}"
    left: list[str] = []
    if changed:
        names = listed([lease.resource for lease in changed])
        left.append(
            f'You changed {names}, and nobody else may before it lands: pucs land {me} -m "feat: …" (or the tool land). What is not '
            f"done yet may stay; say so. To give the leases up: pucs unlock {me}."
        )
    with context.store.read() as tx:
        tasks = [
            task.id
            for task in tx.tasks.all(agent.session)
            if task.assignee == agent.id and task.state is TaskState.RUNNING
        ]
        handed = [
            one
            for one in tx.handoffs.all(agent.session, pending=True)
            if agent.id in one.to and agent.id not in one.accepted_by
        ]
    if tasks:
        left.append(
            f"Your task {listed(tasks)} is not reported: say that it is done with the tool complete_task, or why not."
        )
    left += [
        f"Hand-off {one.id} from {one.giver} waits for you: pucs handoff show {one.id}, pucs handoff accept {one.id} {me}."
        for one in handed[:REFUSALS_MAX]
    ]
    return left
