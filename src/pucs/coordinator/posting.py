"""What agents say in their own words, and the ten agent messages of 000 §6.2 as calls of the verbs behind them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pucs.conflicts.records import Kind, Severity, Strategy
from pucs.coordinator import agents, handoffs, intents, leases, log, releasing, tasks
from pucs.coordinator.agents import acting
from pucs.coordinator.conflicts import record
from pucs.coordinator.context import unit
from pucs.coordinator.messages import deliver_in, send_in
from pucs.core.errors import NotFound, Usage
from pucs.messages import rules
from pucs.messages.handoffs import from_plain
from pucs.messages.records import COORDINATOR, WORDS, AgentMessage, MessageKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pucs.coordinator.context import Context
    from pucs.messages.handoffs import HandOff


def send(
    context: Context,
    *,
    agent: str,
    to: str,
    text: str,
    kind: MessageKind = MessageKind.REQUEST_HELP,
    conflict: int = 0,
    details: Mapping[str, Any] | None = None,
) -> int:
    """Send an agent's words to another agent, to ``pucs``, or with ``to`` empty to every other active agent.

    One transaction; returns the id of the (first) message.

    Raises:
        Usage: nothing is said, too much is said, or a kind that stands for a verb.
        NotFound: there is no such agent, or nobody to read a broadcast.
        Refused: the receiver has ended, or its inbox is full.
    """
    if kind not in WORDS:
        raise Usage(
            f"{kind.value} is no message of an agent's own words.",
            remedy=f"Kinds: {', '.join(sorted(WORDS))}.",
        )
    if not text.strip():
        raise Usage("The message says nothing.", remedy="Give a text.")
    with unit(context) as opened:
        who = acting(opened, agent)
        if to == who.id:
            raise Usage(f"{to} would write to itself.", remedy="Name another agent, or pucs.")
        sent = deliver_in(
            opened, kind, to, sender=who.id, text=text, conflict=conflict, details=details or {}
        )
        if not sent:
            raise NotFound("Nobody else is there to read it.", remedy="See: pucs agents")
        return sent


def report_conflict(
    context: Context,
    *,
    agent: str,
    text: str,
    resources: Sequence[str] = (),
    others: Sequence[str] = (),
    kind: Kind = Kind.SEMANTIC,
) -> int:
    """Record a conflict that an agent has noticed and tell whoever runs the session; one transaction.

    It is for a person to decide (ARBITRATE); ``others`` are the agents or streams concerned, who get an alert.

    Raises:
        Usage: nothing is said, or too much.
    """
    if not text.strip():
        raise Usage("The report says nothing.", remedy="Say what does not fit together.")
    rules.checked(text, {})
    with unit(context) as opened:
        who = acting(opened, agent)
        number = record(
            opened,
            kind,
            (who.id, *others),
            resources,
            severity=Severity.MEDIUM,
            strategy=Strategy.ARBITRATE,
            reported=rules.quoted_words(who.id, text),
        )
        send_in(opened, MessageKind.REPORT_CONFLICT, COORDINATOR, sender=who.id, text=text, conflict=number)
        return number


def _handed_over(context: Context, *, agent: str, **said: Any) -> HandOff:
    """Hand over with the contents as plain fields."""
    terms = {name: said.pop(name) for name in _TERMS if name in said}
    return handoffs.hand_off(context, agent=agent, contents=from_plain(said), **terms)


_TERMS = ("to", "signal", "task", "transfer", "incomplete")
_VERBS: dict[AgentMessage, Callable[..., Any]] = {
    AgentMessage.REGISTER: agents.register,
    AgentMessage.CLAIM_STREAM: agents.claim_stream,
    AgentMessage.SIGNAL_INTENT: intents.signal,
    AgentMessage.ACQUIRE_LOCK: leases.acquire,
    AgentMessage.RELEASE_LOCK: releasing.give_up,
    AgentMessage.LOG_ACTION: log.log,
    AgentMessage.REPORT_CONFLICT: report_conflict,
    AgentMessage.REQUEST_HELP: partial(send, to=COORDINATOR),
    AgentMessage.COMPLETE_TASK: tasks.finish,
    AgentMessage.HANDOFF: _handed_over,
}


def post(context: Context, *, agent: str, kind: AgentMessage | MessageKind | str, **fields: Any) -> Any:
    """Do what a message of an agent asks for and return what the verb behind it returns (000 §6.2).

    ``fields`` are the further arguments of that verb: ``agents.register``, ``agents.claim_stream``, ``intents.signal``,
    ``leases.acquire``, ``releasing.give_up``, ``log.log``, ``report_conflict``, ``send`` (to ``pucs`` unless said
    otherwise), ``tasks.finish`` and ``handoffs.hand_off``.

    Raises:
        Usage: no message of an agent.
    """
    try:
        wanted = AgentMessage(str(kind))
    except ValueError as error:
        raise Usage(
            f"{kind} is no message of an agent.", remedy=f"Kinds: {', '.join(AgentMessage)}."
        ) from error
    return _VERBS[wanted](context, agent=agent, **fields)


def verb_of(kind: AgentMessage) -> Callable[..., Any]:
    """Return the verb behind a message of an agent."""
    return _VERBS[kind]
