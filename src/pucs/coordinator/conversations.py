"""Conversations of agent programs: whose a call is, and what is kept of a conversation (DESIGN §5).

Whoever names an agent that has a secret must prove it. A conversation that names nobody is a person's: it is registered
with the checkout it works in, without stream and branch, so that nothing is ever written there.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.agents.records import Agent, Conversation, Enforcement
from pucs.coordinator.context import unit
from pucs.coordinator.credentials import digest, matches
from pucs.core.errors import NotFound, Refused, Usage
from pucs.crosslog.records import Level

if TYPE_CHECKING:
    from pucs.agents.calls import Call
    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant

CONVERSATION_CHARS_MAX = 200
"""Longest id of a conversation: programs use 36."""
NAME_CHARS = (8, 12, 16, 24)
"""Characters of a conversation's id that tell its agent from others; more, where the first are taken."""
ALIVE_EVERY_S = 30.0
"""Time between two renewals by calls: a call costs no write in between, and a lease lasts minutes."""
DENIED_MAX = 20
"""Denials kept of a conversation since its last allowed edit."""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_UNSAFE = re.compile("[^A-Za-z0-9_-]")


def identified(context: Context, call: Call) -> Agent:
    """Return the agent that a call comes from, registering a conversation that nobody knows and that names nobody.

    Raises:
        Usage: the conversation has no usable id.
        Refused: there is no session; or the call names an agent that it is not, which is logged; or it comes from another
            agent's worktree.
    """
    if not call.conversation or len(call.conversation) > CONVERSATION_CHARS_MAX:
        raise Usage(
            "The call names no conversation.",
            remedy=f"Give the program's own id of it, at most {CONVERSATION_CHARS_MAX} characters.",
        )
    if _NO_TEXT.search(call.program + call.conversation + call.agent):
        raise Usage("The call names itself by what is no text.", remedy="Use ids of plain characters.")
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        if session is None:
            raise Refused("There is no active session.", remedy="Start one with: pucs init")
        named = call.agent or (tx.secrets.agent(digest(call.secret)) if call.secret else "")
        known = tx.conversations.get(call.program, call.conversation, session.id)
        lie = _lie(tx, call, session.id, named, known)
        agent = tx.agents.get(named or (known.agent if known is not None else ""))
    if lie:
        _report(context, call, named, lie)
        raise Refused(lie, remedy="Set PUCS_AGENT and PUCS_SECRET as they were given, or neither of them.")
    if named and agent is not None:
        return agent if known is not None else _recorded(context, call, agent)
    if known is not None and agent is not None and (agent.active or agent.terminated or agent.launched):
        return agent
    return _registered(context, call)


def _lie(tx: Transaction, call: Call, session: str, named: str, known: Conversation | None) -> str:
    """Say what is wrong with what a call says of itself, empty if nothing is."""
    if call.secret and not named:
        return "No agent has the secret of this call."
    agent = tx.agents.get(named) if named else None
    if named and (agent is None or agent.session != session):
        return f"There is no agent {named!r} in session {session}."
    if named and known is not None and known.agent != named:
        return f"This conversation is one of agent {known.agent}, not of {named}."
    whose = named or (known.agent if known is not None else "")
    expected = tx.secrets.digest(whose) if whose else ""
    if expected and not matches(expected, call.secret):
        return f"The call comes without the secret of agent {whose}, so it is not from that agent."
    if not expected and call.secret and tx.secrets.agent(digest(call.secret)):
        return f"The secret of this call is not that of agent {whose}."
    return ""


def _report(context: Context, call: Call, named: str, why: str) -> None:
    with unit(context) as opened:
        opened.log(
            "identity refused",
            agent=named if opened.tx.agents.get(named) is not None else "",
            level=Level.CONFLICT,
            program=call.program,
            conversation=call.conversation,
            reason=why,
        )


def _recorded(context: Context, call: Call, agent: Agent) -> Agent:
    """Note a conversation of a named agent."""
    with unit(context) as opened:
        _begin(opened, call, agent.id, agent.worktree or context.repository.root)
    return agent


def _registered(context: Context, call: Call) -> Agent:
    """Register an agent for a conversation of a person's program, or register it again after it ended."""
    found = context.worktrees.locate(call.cwd, ".")
    if not found.ours or found.internal:
        raise Refused(
            f"{call.cwd} is in no checkout of this repository.", remedy="Start the program inside of one."
        )
    with unit(context) as opened:
        session = opened.active().id
        other = next(
            (
                agent.id
                for agent in opened.tx.agents.all(session)
                if agent.active
                and agent.branch
                and agent.worktree
                and context.worktrees.locate(agent.worktree, ".").path == found.checkout
            ),
            None,
        )
        if other is not None:
            raise Refused(
                f"{found.checkout} is the worktree of agent {other}, and this call does not come from it.",
                remedy="Start the program in a checkout of your own.",
            )
        from pucs.coordinator.agents import register_in  # noqa: PLC0415 - once in a conversation

        agent = register_in(
            context,
            opened,
            Agent(
                id=_name(opened, call),
                session=session,
                incarnation=1,
                program=call.program,
                worktree=found.checkout,
                enforcement=Enforcement.ADVISORY,
            ),
        )
        if opened.tx.conversations.get(call.program, call.conversation, session) is None:
            _begin(opened, call, agent.id, found.checkout)
        return agent


def _name(opened: Unit, call: Call) -> str:
    """Return a free id for the agent of a conversation, or the one it had before."""
    from pucs.coordinator.agents import checked_name  # noqa: PLC0415 - once in a conversation

    plain = _UNSAFE.sub("-", call.conversation)
    tails = [plain[:length] for length in NAME_CHARS]
    tails.append(hashlib.sha256(call.conversation.encode("utf-8", "surrogatepass")).hexdigest()[:32])
    for tail in tails:
        name = checked_name(f"{call.program}-{tail}")
        if opened.tx.agents.get(name) is None:
            return name
        if any(
            (one.program, one.id) == (call.program, call.conversation)
            for one in opened.tx.conversations.of_agent(name)
        ):
            return name
    raise Refused(
        f"No free agent id was found for conversation {call.conversation}.", remedy="Start another one."
    )


def _begin(opened: Unit, call: Call, agent: str, place: str) -> None:
    opened.tx.conversations.put(
        Conversation(
            program=call.program,
            id=call.conversation,
            session=opened.active().id,
            agent=agent,
            place=place,
            begun_at=opened.now.wall(),
        )
    )
    opened.log("conversation begun", agent=agent, program=call.program, conversation=call.conversation)


def enforced(context: Context, *, agent: str) -> None:
    """Count an agent as enforced, because its program was seen to ask before it edits; one transaction, safe to repeat.

    Raises:
        NotFound: no such agent.
    """
    with context.store.read() as tx:
        known = tx.agents.get(agent)
    if known is not None and known.enforcement is Enforcement.ENFORCED:
        return
    with unit(context) as opened:
        known = opened.tx.agents.get(agent)
        if known is None:
            raise NotFound(f"There is no agent {agent!r}.", remedy="See: pucs agents")
        if known.enforcement is not Enforcement.ENFORCED:
            opened.tx.agents.put(replace(known, enforcement=Enforcement.ENFORCED))
            opened.log("enforced", agent=agent, stream=known.stream, before=known.enforcement.value)


def lease_s(tx: Transaction, agent: Agent) -> float | None:
    """Return how long a lease that an edit takes lasts; None: as configured.

    Nobody but its own calls renews a person's agent, and a person thinks, reads and has lunch in between.
    """
    return None if agent.owner is not None else tx.sessions.configuration().limits.max_duration_s


def keep_alive(context: Context, agent: Agent, now: Instant) -> None:
    """Let a call count as a sign of life of an agent that no process minds, and renew its leases; seldom a write."""
    if agent.owner is not None or not agent.active or agent.terminated:
        return
    if agent.boot_id == now.boot_id and now.boot_s - agent.heartbeat_s < ALIVE_EVERY_S:
        return
    with unit(context) as opened:
        known = opened.tx.agents.get(agent.id)
        if known is None or not known.active:
            return
        opened.tx.agents.put(replace(known, heartbeat_s=opened.now.boot_s, boot_id=opened.now.boot_id))
        from pucs.coordinator.granting import renew_in  # noqa: PLC0415 - seldom, see above

        renew_in(opened, agent.id, lease_s(opened.tx, known))


def count_denial(context: Context, call: Call, path: str) -> int:
    """Note that an edit of a file was denied; return how often that was since an edit was last allowed."""
    with unit(context) as opened:
        known = opened.tx.conversations.get(call.program, call.conversation, opened.active().id)
        if known is None:
            return 1
        denied = (*known.denied, path)[:DENIED_MAX]
        opened.tx.conversations.put(replace(known, denied=denied))
        opened.log(
            "edit denied", agent=known.agent, level=Level.DEBUG, files=(path,), times=denied.count(path)
        )
        return denied.count(path)


def forget_denials(context: Context, call: Call) -> None:
    """Begin to count denials anew, because an edit was allowed or a turn began; a write only if there were any."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        known = tx.conversations.get(call.program, call.conversation, session.id) if session else None
    if known is None or not known.denied:
        return
    with unit(context) as opened:
        again = opened.tx.conversations.get(call.program, call.conversation, known.session)
        if again is not None:
            opened.tx.conversations.put(replace(again, denied=()))
