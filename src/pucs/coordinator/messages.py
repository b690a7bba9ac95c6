"""Messages between agents and the coordinator: sent inside other verbs, read and acknowledged (000 §6.2).

Whoever looks into an inbox ends what is over there; no sweeper is needed. A message has one receiver: ``pucs`` (the
coordinator, which means whoever runs the session) or an agent; a broadcast is one message for each active agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.coordinator.context import unit
from pucs.core.errors import NotFound, Refused
from pucs.crosslog.records import Level
from pucs.messages import rules
from pucs.messages.records import COORDINATOR, Ending, Message, MessageKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pucs.coordinator.context import Context, Unit
    from pucs.core.instants import Instant

_LEVELS = {MessageKind.CONFLICT_ALERT: Level.CONFLICT, MessageKind.REPORT_CONFLICT: Level.CONFLICT}
NAMES_SUGGESTED = 3
"""Agents named when the one that was meant does not exist."""
RESOURCES_NAMED = 5
"""Resources named in an alert; the conflict record has all of them."""


def send_in(
    opened: Unit,
    kind: MessageKind,
    to: str,
    *,
    sender: str = COORDINATOR,
    text: str = "",
    conflict: int = 0,
    **details: Any,
) -> int:
    """Send a message inside an open unit and return its id; of a broadcast (``to`` empty) the first, 0 to nobody.

    What it makes untrue, as RESUME an unread PAUSE, ends with it.

    Raises:
        Usage: text or details are too long.
        NotFound: there is no such agent in the session.
        Refused: an agent's message to an agent that has ended, or one whose inbox is full; whoever runs the session can
            always be written to.
    """
    return deliver_in(opened, kind, to, sender=sender, text=text, conflict=conflict, details=details)


def alert(
    opened: Unit,
    conflict: int,
    parties: Iterable[str],
    resources: Sequence[str],
    *,
    text: str,
    about: str = "",
) -> None:
    """Tell the active agents among these parties of a conflict inside an open unit; others are passed over.

    With ``about`` an agent that has such an alert open already gets no second one.
    """
    session = opened.active().id
    for party in dict.fromkeys(parties):
        agent = opened.tx.agents.get(party)
        if agent is None or not agent.active or agent.session != session:
            continue
        if about and any(one.about == about for one in opened.tx.messages.open(party, session)):
            continue
        details = {"files": list(resources[:RESOURCES_NAMED])}
        deliver_in(
            opened,
            MessageKind.CONFLICT_ALERT,
            party,
            sender=COORDINATOR,
            text=text,
            conflict=conflict,
            details=details,
            about=about,
        )


def deliver_in(
    opened: Unit,
    kind: MessageKind,
    to: str,
    *,
    sender: str,
    text: str,
    conflict: int,
    details: Mapping[str, Any],
    about: str = "",
) -> int:
    """Send a message inside an open unit like ``send_in``, with details of any name."""
    if sender == COORDINATOR:
        text, details = rules.fitted(text, details)
    rules.checked(text, details)
    session = opened.active().id
    receivers = [to] if to else _everybody(opened, sender)
    if to:
        _check_receiver(opened, to, from_agent=sender != COORDINATOR)
    ids = []
    for receiver in receivers:
        if not _has_room(opened, kind, receiver, from_agent=sender != COORDINATOR):
            if to:
                raise Refused(
                    f"The inbox of {to} is full ({rules.INBOX_MAX} messages nobody has acknowledged).",
                    remedy="Wait until it has read some, or write to pucs.",
                )
            continue  # who does not read keeps nobody from hearing a broadcast
        message = Message(
            session=session,
            kind=kind,
            sender=sender,
            to=receiver,
            text=text,
            details=dict(details),
            conflict=conflict,
            about=about,
            boot_id=opened.now.boot_id,
            expires_s=opened.now.boot_s + rules.life_s(kind),
            sent_at=opened.now.wall(),
        )
        ids.append(opened.tx.messages.add(message))
        if ids[-1] % rules.PRUNED_EVERY == 0:
            _prune(opened)
    if ids:
        opened.log(
            "message sent",
            agent="" if sender == COORDINATOR else sender,
            level=_LEVELS.get(kind, Level.DEBUG if rules.routine(kind) else Level.INFO),
            kind=kind.value,
            to=to or receivers,
            message=ids[0],
            conflict=conflict,
        )
    return ids[0] if ids else 0


def _prune(opened: Unit) -> None:
    gone = opened.tx.messages.prune(rules.ENDED_KEPT)
    if gone:
        opened.log("messages pruned", level=Level.DEBUG, count=gone)


def _everybody(opened: Unit, sender: str) -> list[str]:
    found = [
        agent.id for agent in opened.tx.agents.all(opened.active().id) if agent.active and agent.id != sender
    ]
    if len(found) > rules.ADDRESSEES_MAX:
        raise Refused(
            f"{len(found):,} agents are too many for one message.",
            remedy=f"At most {rules.ADDRESSEES_MAX:,}; write to those concerned.",
        )
    return found


def _check_receiver(opened: Unit, to: str, *, from_agent: bool) -> None:
    if to == COORDINATOR:
        return
    known = opened.tx.agents.get(to)
    if known is None or known.session != opened.active().id:
        raise unknown_agent(opened, to)
    if from_agent and not known.active:
        raise Refused(
            f"Agent {to} has ended ({known.phase}) and reads no more messages.",
            remedy="Write to another agent, or to pucs.",
        )


def unknown_agent(opened: Unit, name: str) -> NotFound:
    """Return the error for an agent that the session does not know; it names those with a similar id."""
    from difflib import get_close_matches  # noqa: PLC0415 - only when a name is mistyped

    names = [agent.id for agent in opened.tx.agents.all(opened.active().id)]
    close = get_close_matches(name, names, n=NAMES_SUGGESTED) or names[:NAMES_SUGGESTED]
    remedy = f"Did you mean {' or '.join(close)}?" if close else "Nobody has registered yet."
    return NotFound(f"There is no agent {name!r} in this session.", remedy=f"{remedy} See: pucs agents")


def _has_room(opened: Unit, kind: MessageKind, receiver: str, *, from_agent: bool) -> bool:
    """Make room in an inbox: end what is over or overtaken there, and what has to give way when it is full.

    False: it is full, and what stands there may not give way. An agent's message never pushes another agent's words out,
    so that nobody can be silenced by flooding.
    """
    session = opened.active().id
    if not rules.overtakes(kind) and opened.tx.messages.count(receiver, session) < rules.INBOX_MAX:
        return True  # the usual case, without looking at each
    standing = _standing(opened, receiver)
    old = rules.overtaken(kind, standing)
    _end(opened, receiver, old, Ending.SUPERSEDED)
    gone = {message.id for message in old}
    left = [message for message in standing if message.id not in gone]
    surplus = rules.displaced(left)
    if surplus and receiver == COORDINATOR:
        crowding = rules.crowding(left)
        surplus = [crowding] if crowding is not None else []
    elif surplus and from_agent:
        surplus = [message for message in surplus if rules.routine(message.kind)]
        if not surplus:
            return False
    _end(opened, receiver, surplus, Ending.DISPLACED)
    return True


def _standing(opened: Unit, receiver: str) -> list[Message]:
    """Return the open messages of a receiver after ending those that are over."""
    found = opened.tx.messages.open(receiver, opened.active().id)
    standing: list[Message] = []
    over: dict[Ending, list[Message]] = {}
    for message in found:
        ending = rules.over(message, opened.now.boot_id, opened.now.boot_s)
        (standing if ending is None else over.setdefault(ending, [])).append(message)
    for ending, messages in over.items():
        _end(opened, receiver, messages, ending)
    return standing


def _end(opened: Unit, receiver: str, messages: Sequence[Message], ending: Ending) -> None:
    if not messages:
        return
    opened.tx.messages.end([message.id for message in messages], ending, opened.now.wall())
    opened.log(
        f"messages {ending.value}",
        agent="" if receiver == COORDINATOR else receiver,
        level=Level.DEBUG,
        messages=[message.id for message in messages],
        kinds=[message.kind.value for message in messages],
    )


def forget_in(opened: Unit, agent: str, *, but: MessageKind | None = None) -> None:
    """End what the coordinator said to an earlier incarnation of an agent, ``but`` one kind; words of other agents stay."""
    found = opened.tx.messages.open(agent, opened.active().id)
    old = [one for one in found if one.sender == COORDINATOR and one.kind is not but]
    _end(opened, agent, old, Ending.SUPERSEDED)


def unsay_in(opened: Unit, agent: str, kind: MessageKind, conflict: int) -> None:
    """End what the coordinator said to an agent about a conflict and nobody has acknowledged, because it is not true any more."""
    found = opened.tx.messages.open(agent, opened.active().id)
    said = [
        one for one in found if one.sender == COORDINATOR and (one.kind, one.conflict) == (kind, conflict)
    ]
    _end(opened, agent, said, Ending.SUPERSEDED)


def inbox(
    context: Context,
    *,
    agent: str,
    acknowledge: bool = False,
    chars_max: int = 0,
    wanted: Callable[[Message], bool] | None = None,
) -> tuple[Message, ...]:
    """Return what is due for an agent (or for ``pucs``) now, and count it as delivered; one transaction, or one read.

    What is not acknowledged comes again after ``rules.REDELIVERY_S``. With ``acknowledge`` all of it is acknowledged at
    once. With ``chars_max`` only as many are given as take no more characters when quoted, the first in any case; with
    ``wanted`` only those that it says yes to. An agent that has ended may still read: TERMINATE is such a message.

    Raises:
        NotFound: there is no such agent.
    """
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        known = session is not None and (agent == COORDINATOR or tx.agents.get(agent) is not None)
        if known and session is not None and not tx.messages.waiting(agent, session.id):
            return ()
    with unit(context) as opened:
        _check_receiver(opened, agent, from_agent=False)
        found = rules.due(_standing(opened, agent), opened.now.boot_id, opened.now.boot_s)
        if wanted is not None:
            found = [message for message in found if wanted(message)]
        if chars_max:
            found = rules.fitting(found, chars_max)
        if not found:
            return ()
        given = [_delivered(message, opened.now) for message in found]
        for message in given:
            opened.tx.messages.replace(message)
        opened.log(
            "messages delivered",
            agent="" if agent == COORDINATOR else agent,
            level=Level.DEBUG,
            messages=[message.id for message in given],
        )
        if acknowledge:
            _end(opened, agent, given, Ending.ACKNOWLEDGED)
        return tuple(given)


def _delivered(message: Message, now: Instant) -> Message:
    return rules.delivered(message, now.boot_id, now.boot_s, now.wall())


def acknowledge(context: Context, *, agent: str, messages: Sequence[int]) -> tuple[int, ...]:
    """Say that messages were read, so that they are not delivered again; one transaction, safe to repeat.

    Returns those that were still open.

    Raises:
        NotFound: no such message, or one to somebody else; nothing was acknowledged.
    """
    with unit(context) as opened:
        found = [(number, opened.tx.messages.get(number)) for number in dict.fromkeys(messages)]
        for number, message in found:
            if message is None or message.to != agent or message.session != opened.active().id:
                raise NotFound(
                    f"There is no message {number} to {agent}.",
                    remedy=f"See: pucs message inbox --agent {agent}",
                )
        still = [message for _, message in found if message is not None and message.ending is None]
        _end(opened, agent, still, Ending.ACKNOWLEDGED)
        return tuple(message.id for message in still)


def messages(context: Context, *, agent: str = "", limit: int = 1000) -> list[Message]:
    """Return the newest messages of the session, of one receiver or all, oldest first; nothing counts as delivered."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        return tx.messages.all(session.id, recipient=agent, limit=limit) if session else []
