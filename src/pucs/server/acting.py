"""Who acts when a tool is called, and what the tool is given to act with."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.client.embedded import PUCSClient
from pucs.coordinator import agents, releasing
from pucs.coordinator.credentials import matches
from pucs.core.errors import NotFound, PucsError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.server.access import Caller

CLIENTS_MAX = 10_000
"""Numbers that are tried for a client without a name of its own; ids of dead ones are used again."""
NAME_CHARACTERS_MAX = 40
"""Part of a client's name that becomes part of its agent's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One call of a tool."""

    context: Context
    client: PUCSClient
    """Acts for the agent."""
    cancelled: Callable[[], bool]
    """Tells whether nobody waits for the answer any more."""
    tell: Callable[[float, str], None]
    """Reports progress: seconds spent, and a sentence."""

    @property
    def agent(self) -> str:
        """The agent that acts."""
        return self.client.agent_id

    def agent_row(self) -> Agent:
        """Return what is known of the agent.

        Raises:
            NotFound: it is gone.
        """
        with self.context.store.read() as tx:
            known = tx.agents.get(self.agent)
        if known is None:
            raise NotFound(f"There is no agent {self.agent!r}.", remedy="Call register first.")
        return known

    def resources(self, files: Sequence[str]) -> tuple[str, ...]:
        """Return the canonical resources of files as the agent names them, from its own worktree."""
        place = self.agent_row().worktree or self.context.repository.root
        return self.context.worktrees.canonical(place, files)


def at_work(context: Context, agent: str) -> Agent | None:
    """Return an agent of the active session that has not ended, None if there is none of this id."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        known = tx.agents.get(agent)
    if session is None:
        raise Refused("There is no active session.", remedy="A person starts one with: pucs init")
    return known if known is not None and known.session == session.id and known.active else None


def over_http(context: Context, caller: Caller, named: str, *, joining: bool) -> str:
    """Return the agent that a request acts for: the bearer of its secret, or whom the operator's program names.

    Args:
        context: where the agents are.
        caller: who sent the request.
        named: agent that the call names, empty: none.
        joining: the agent need not exist yet.

    Raises:
        Refused: it names another agent than the one whose secret it bears, or none at all.
        NotFound: there is no such agent yet.
    """
    if caller.bound:
        if named not in {"", caller.agent}:
            raise Refused(
                f"You are agent {caller.agent}, not {named!r}.", remedy="Leave out the argument agent."
            )
        if at_work(context, caller.agent) is None:
            raise unknown(caller.agent)
        return caller.agent
    agent = named or caller.agent
    if not agent:
        raise Refused(
            "It is not known which agent you are.",
            remedy="Pass agent with your id in every call, or let the header X-Pucs-Agent name it. "
            "Without an id: choose one and call register.",
        )
    if at_work(context, agent) is None:
        if not joining:
            raise unknown(agent)
        _ = agents.register(context, agent=agent, program="client")
    return agent


def unknown(agent: str) -> NotFound:
    """Return what is raised for an agent that is not at work."""
    return NotFound(
        f"There is no agent {agent!r} at work in this session.",
        remedy="Use the id that PUCS told you, or call register to join under this one.",
    )


class OnStdio:
    """Who acts in a server that one client has started for itself."""

    def __init__(
        self, context: Context, *, fixed: str = "", launched: bool = False, secret: str = ""
    ) -> None:
        """Know what the server was started with.

        Args:
            context: where the agents are.
            fixed: the one agent that acts; empty: any that the client names, or one of its own.
            launched: that agent came from the environment (``PUCS_AGENT``), so it may be owned by a supervisor.
            secret: proof of it.
        """
        self._context = context
        self.fixed = fixed
        """The one agent that acts; empty: it depends on the call."""
        self._launched = launched
        self._secret = secret
        self._own: set[str] = set()
        self.unnamed = ""
        """Agent of a client that names none, once it has called."""
        self._one_by_one = threading.Lock()

    def __call__(self, client_name: str, named: str, *, joining: bool) -> str:
        """Return the agent that a call acts for, and see to it that it is registered.

        Raises:
            Refused: another agent than the server's own is named, or one whose secret is missing.
            NotFound: there is no such agent yet.
        """
        if self.fixed:
            if named not in {"", self.fixed}:
                raise Refused(
                    f"You are agent {self.fixed}, not {named!r}.", remedy="Leave out the argument agent."
                )
            self._check_secret(self.fixed)
            return self._joined(self.fixed)
        if named and named not in self._own:
            self._check_secret(named)
            if at_work(self._context, named) is not None:
                return named
            if not joining:
                raise unknown(named)
        return self._joined(named) if named else self._joined_unnamed(client_name)

    def _check_secret(self, agent: str) -> None:
        with self._context.store.read() as tx:
            digest = tx.secrets.digest(agent)
        if digest and not matches(digest, self._secret):
            raise Refused(
                f"Agent {agent} has a secret, and this server was started without it.",
                remedy="Whoever launched the agent passes it in PUCS_SECRET. Leave out agent to join under an id of your own.",
            )

    def _joined(self, agent: str) -> str:
        """See to it that an agent is there: one that others started stays theirs, any other belongs to this process."""
        known = at_work(self._context, agent)
        me = self._context.processes.current()
        if known is not None and (known.owner == me or self._of_others(known)):
            return agent
        _ = agents.register(
            self._context,
            agent=agent,
            program="client",
            owner=me,
            worktree=known.worktree if known else "",
            branch=known.branch if known else "",
        )
        self._own.add(agent)
        return agent

    def _of_others(self, known: Agent) -> bool:
        """Tell whether somebody else minds the agent: its supervisor, or the hooks of its program."""
        if known.owner is not None:
            lives = self._context.processes.alive(known.owner) is not False
            return self._launched and (known.launched or lives)
        with self._context.store.read() as tx:
            return bool(tx.conversations.of_agent(known.id))

    def _joined_unnamed(self, client_name: str) -> str:
        """Register the client under the first free number, once."""
        with self._one_by_one:
            self.unnamed = self._joined(self.unnamed) if self.unnamed else self._numbered(client_name)
            return self.unnamed

    def _numbered(self, client_name: str) -> str:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", client_name)[:NAME_CHARACTERS_MAX].strip("-") or "client"
        for number in range(1, CLIENTS_MAX):
            agent = f"mcp-{stem}-{number}"
            with self._context.store.read() as tx:
                known = tx.agents.get(agent)
            if known is not None and known.active and self._may_live(known):
                continue
            try:
                return self._joined(agent)
            except Refused:
                if at_work(self._context, agent) is None:
                    raise  # otherwise another client was faster
        raise Refused("Too many clients have joined.", remedy="Start this server with --agent ID.")

    def _may_live(self, known: Agent) -> bool:
        return known.owner is None or self._context.processes.alive(known.owner) is not False

    def leave(self) -> None:
        """End the agents that are this process's own; their work is landed or kept, their leases are free."""
        for agent in tuple(self._own):
            try:
                _ = releasing.give_up(self._context, agent=agent, leaving=True)
                _ = agents.retire(self._context, agent=agent)
            except PucsError:
                continue  # the end of this process frees them as well


def client_for(context: Context, agent: str) -> PUCSClient:
    """Return the client through which a tool acts for an agent."""
    return PUCSClient.acting_for(context, agent)
