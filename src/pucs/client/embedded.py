"""The in-process client (000 §9, 001 §9)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pucs.client.joining import join
from pucs.coordinator import (
    agents,
    checks,
    dividing,
    handoffs,
    inspecting,
    landing,
    leases,
    log,
    messages,
    negotiating,
    posting,
    releasing,
    requesting,
    syncing,
    tasks,
)
from pucs.coordinator.intents import check, clear, signal
from pucs.coordinator.noting import note
from pucs.core.errors import Usage
from pucs.core.modes import Mode
from pucs.messages.handoffs import from_plain
from pucs.messages.records import MessageKind
from pucs.wiring import open_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from pucs.agents.records import Agent
    from pucs.coordinator.answering import Acquired
    from pucs.coordinator.context import Context
    from pucs.coordinator.dividing import Divided
    from pucs.coordinator.handoffs import Accepted
    from pucs.coordinator.inspecting import Explanation
    from pucs.coordinator.intents import Signalled
    from pucs.coordinator.negotiating import PartitionResult
    from pucs.coordinator.requesting import Requested
    from pucs.intents.records import Contest, Intent, Partition
    from pucs.locks.records import Lease
    from pucs.messages.handoffs import HandOff
    from pucs.messages.records import Message
    from pucs.streams.checks import TestRun


class PUCSClient:
    """One agent's way to the coordinator; registers by itself, and a context manager that releases at the end.

    The process that makes it owns the agent: when it dies, the agent's leases are free at once. A process that a
    supervisor launched (``PUCS_AGENT`` names the agent already) acts for that agent instead of owning it.
    """

    over_http: ClassVar[Callable[[], type[PUCSClient]]]
    """Returns the class of clients of a server; the room sets it, because that class is made of this one."""

    def __new__(
        cls,
        agent_id: str = "",
        stream: str = "",
        repo: str | Path = ".",
        store: str | None = None,
        session: str = "",
    ) -> Self:
        """Make the client that fits the store: one over HTTP for the URL of a server."""
        del agent_id, stream, repo, session
        if cls is PUCSClient and is_url(_named(store)):
            return object.__new__(cls.over_http())  # type: ignore[return-value] # it is one
        return object.__new__(cls)

    def __init__(
        self,
        agent_id: str,
        stream: str = "",
        repo: str | Path = ".",
        store: str | None = None,
        session: str = "",
    ) -> None:
        """Open the repository's store and name the agent that acts.

        Raises:
            EnvironmentFailure: not a git repository, or no store; the message says what to do.
        """
        self.agent_id = agents.checked_name(agent_id)
        self.stream = stream
        self._repo = str(repo)
        self._context = open_context(
            repo, store=_named(store), session=session or os.environ.get("PUCS_SESSION", ""), door="client"
        )
        self._registered = False

    @classmethod
    def acting_for(cls, context: Context, agent: str, place: str = "") -> Self:
        """Return a client that acts for an agent that another process owns, or nobody; it never registers by itself.

        Whoever calls this has made sure that the agent wants it. Paths are relative to ``place``, else to the agent's own
        worktree.
        """
        with context.store.read() as tx:
            known = tx.agents.get(agent)
        client = object.__new__(cls)
        client.agent_id = agents.checked_name(agent)
        client.stream = known.stream if known else ""
        own = known.worktree if known else ""
        client._repo = place or own or context.repository.root
        client._context = context
        client._registered = True
        return client

    def register(self) -> Agent:
        """Register the agent and claim its stream; done by itself at the first verb.

        Raises:
            Refused: the id lives in another process, or the stream is unknown or full.
        """
        agent = join(
            self._context,
            agent=self.agent_id,
            stream=self.stream,
            owner=self._context.processes.current(),
            launched=os.environ.get("PUCS_AGENT") == self.agent_id,
        )
        self._registered = True
        return agent

    def _ensure(self) -> None:
        if not self._registered:
            self.register()

    def _canonical(self, files: Iterable[str]) -> tuple[str, ...]:
        if isinstance(files, str):
            raise Usage("files is one string.", remedy=f"Pass a list: [{files!r}].")
        return self._context.worktrees.canonical(self._repo, files)

    def acquire_locks(
        self,
        files: Sequence[str],
        mode: str = "EXCLUSIVE",
        duration_min: float | None = None,
        wait_s: float = 0.0,
        task: str = "",
        *,
        cancelled: Callable[[], bool] = bool,
    ) -> Acquired:
        """Lease files, directories, ``file.py::Class.method`` or ``res:NAME``, all or none; see ``.granted .tokens .reason``.

        Asking in a stronger mode for what one holds turns the lease into that. ``cancelled`` is asked about once a second
        while it waits, and ends the wait with True.

        Raises:
            Usage: unknown mode, empty set, a path outside the repository, a symbol that is not defined.
        """
        self._ensure()
        wanted = _mode(mode)
        names = self._canonical(files)
        return leases.acquire(
            self._context,
            agent=self.agent_id,
            resources=names,
            noted=note(self._context, agent=self.agent_id, resources=names),
            mode=wanted,
            duration_s=None if duration_min is None else duration_min * 60,
            wait_s=wait_s,
            task=task,
            cancelled=cancelled,
        )

    def renew_locks(self, duration_min: float | None = None) -> list[Lease]:
        """Renew every lease held, up to its longest life, and return them."""
        self._ensure()
        duration_s = None if duration_min is None else duration_min * 60
        return leases.renew(self._context, agent=self.agent_id, duration_s=duration_s)

    def release_locks(self, files: Sequence[str] | None = None, to: str | None = None) -> releasing.GivenUp:
        """Give up leases; unlanded edits under them are landed if they can be, else kept on a salvage ref.

        With ``to``, the name of a weaker mode, they are kept in that mode, and nobody else can write in between.

        Raises:
            Usage: unknown mode, or none that is weaker than any.
        """
        self._ensure()
        names = None if files is None else self._canonical(files)
        mode = None if to is None else _mode(to)
        return releasing.give_up(self._context, agent=self.agent_id, resources=names, to=mode)

    def check_lock(self, file: str) -> Explanation:
        """Return who covers, holds and waits for a file."""
        return inspecting.why(self._context, resource=self._canonical([file])[0])

    def land(self, message: str = "") -> landing.Landed | landing.NotLanded:
        """Bring the work of the agent's worktree onto its stream's branch and give up the leases on it."""
        self._ensure()
        return landing.land(self._context, agent=self.agent_id, message=message or None)

    def run_tests(self, command: str = "") -> TestRun:
        """Run the tests of the agent's stream on what is in its worktree, and record how they ended."""
        self._ensure()
        return checks.run_tests(self._context, agent=self.agent_id, command=command)

    def sync(self) -> syncing.Synced | syncing.NotSynced:
        """Bring others' landed work into the agent's worktree."""
        self._ensure()
        return syncing.sync(self._context, agent=self.agent_id)

    def signal_intent(
        self, files: Sequence[str], description: str, estimated_duration_min: float = 30, *, task: str = ""
    ) -> Signalled:
        """Declare what is going to be changed; see ``.success .conflicts .suggestions .files`` (000 §3.4).

        Raises:
            Usage: no files, a path outside the repository, or something is too long.
        """
        self._ensure()
        return signal(
            self._context,
            agent=self.agent_id,
            files=self._canonical(files),
            description=description,
            estimated_duration_s=estimated_duration_min * 60,
            task=task,
        )

    def clear_intent(self) -> Intent | None:
        """Take the declared plan back."""
        self._ensure()
        return clear(self._context, agent=self.agent_id)

    def check_conflicts(self, files: Sequence[str]) -> tuple[Contest, ...]:
        """Return what a plan to change these files would meet; nothing is recorded."""
        self._ensure()
        return check(self._context, files=self._canonical(files), agent=self.agent_id).conflicts

    def request(self, files: Sequence[str], reason: str, *, waive: bool = False) -> Requested:
        """Ask for a change in files that another stream covers: a task of that stream, or a waiver to be approved.

        Raises:
            Usage: no file, or no reason.
        """
        self._ensure()
        return requesting.request(
            self._context, files=self._canonical(files), reason=reason, agent=self.agent_id, waive=waive
        )

    def negotiate_partition(self, file: str, *agents: str) -> PartitionResult:
        """Propose to divide a file between this agent and others; without names, all that hold, await or plan it."""
        self._ensure()
        parties = (self.agent_id, *agents) if agents else ()
        return negotiating.negotiate(self._context, file=self._canonical([file])[0], agents=parties)

    def accept_partition(self, proposal: int) -> Divided:
        """Accept such a proposal; once all parties have, leases on the file are leases on their symbols."""
        self._ensure()
        return dividing.accept(self._context, proposal=proposal, agent=self.agent_id)

    def refuse_partition(self, proposal: int, reason: str = "") -> Partition:
        """Turn such a proposal down."""
        self._ensure()
        return dividing.refuse(self._context, proposal=proposal, agent=self.agent_id, reason=reason)

    def log_change(
        self, action: str, files: Sequence[str] = (), details: Mapping[str, Any] | None = None
    ) -> None:
        """Record a change in the cross-log."""
        self._ensure()
        log.log(
            self._context, agent=self.agent_id, action=action, files=self._canonical(files), details=details
        )

    def complete_task(self, task: str, result: str = "") -> None:
        """Mark a task of the session as done."""
        self._ensure()
        tasks.finish(self._context, agent=self.agent_id, task=task, result=result)

    def messages(self, *, acknowledge: bool = False) -> tuple[Message, ...]:
        """Return the messages that are due now; what is not acknowledged comes again after a minute.

        Show a text to a model only as ``pucs.messages.rules.quoted`` gives it: it is somebody's words.
        """
        self._ensure()
        return messages.inbox(self._context, agent=self.agent_id, acknowledge=acknowledge)

    def acknowledge(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Say that messages were read, so that they do not come again."""
        self._ensure()
        return messages.acknowledge(self._context, agent=self.agent_id, messages=numbers)

    def send_message(
        self, to: str, text: str, kind: str = "request_help", *, details: Mapping[str, Any] | None = None
    ) -> int:
        """Send words to an agent, to ``pucs``, or with ``to`` empty to every other active agent; returns the id.

        Raises:
            Usage: too long, empty, or a kind that is no message of words.
            NotFound: there is no such agent.
        """
        self._ensure()
        wanted = next((one for one in MessageKind if one == kind), None)
        if wanted is None:
            raise Usage(f"There is no kind {kind!r} of message.", remedy=f"Kinds: {', '.join(MessageKind)}.")
        return posting.send(
            self._context, agent=self.agent_id, to=to, text=text, kind=wanted, details=details
        )

    def report_conflict(self, text: str, files: Sequence[str] = (), others: Sequence[str] = ()) -> int:
        """Record a conflict that the agent has noticed, for a person to decide; returns its id."""
        self._ensure()
        return posting.report_conflict(
            self._context, agent=self.agent_id, text=text, resources=self._canonical(files), others=others
        )

    def handoff(
        self,
        to: str | Sequence[str] = (),
        completed: Sequence[str] = (),
        pending: Sequence[str] = (),
        warnings: Sequence[str] = (),
        *,
        context: Mapping[str, Any] | None = None,
        files_to_review: Sequence[str] = (),
        signal: str = "",
        task: str = "",
        transfer: bool = True,
        incomplete: bool = False,
    ) -> HandOff:
        """Hand the agent's work over to others, or with ``to`` empty to any agent of its stream.

        ``context`` holds whatever else there is to tell: ``test_status``, ``notes``, ``new_interfaces``, ``breaking_changes``,
        ``commits`` and the other fields of ``pucs.messages.handoffs.Contents``. Closing the client then keeps what is handed
        over.

        Raises:
            Refused: something is missing; the message names it.
        """
        self._ensure()
        said = {"completed": completed, "pending": pending, "warnings": warnings}
        return handoffs.hand_off(
            self._context,
            agent=self.agent_id,
            to=[to] if isinstance(to, str) else to,
            contents=from_plain({**said, "files_to_review": files_to_review, **(context or {})}),
            signal=signal,
            task=task,
            transfer=transfer,
            incomplete=incomplete,
        )

    def handoffs(self) -> list[HandOff]:
        """Return the open hand-offs that the agent may accept, or gave."""
        self._ensure()
        return handoffs.handoffs(self._context, pending=True, agent=self.agent_id)

    def accept_handoff(self, number: int) -> Accepted:
        """Accept a hand-off; leases and worktree become the agent's own if it is the first."""
        self._ensure()
        return handoffs.accept(self._context, agent=self.agent_id, handoff=number)

    def close_handoff(self, number: int) -> HandOff:
        """Take a hand-off back that nobody has taken."""
        self._ensure()
        return handoffs.close(self._context, agent=self.agent_id, handoff=number)

    def post(self, kind: str, **fields: Any) -> Any:
        """Do what an ``AgentMessage`` asks for (000 §6.2); ``fields`` are the arguments of its verb."""
        if kind != MessageKind.REGISTER:
            self._ensure()
        for name in ("files", "resources"):
            if name in fields:
                fields[name] = self._canonical(fields[name])
        return posting.post(self._context, agent=self.agent_id, kind=kind, **fields)

    def close(self) -> None:
        """Give up leases without losing work, and the connection; the client can be used again."""
        if self._registered:
            leave(self._context, agent=self.agent_id)
        self._context.store.close()

    def __enter__(self) -> Self:
        """Register and return the client."""
        self._ensure()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client, whatever happened."""
        self.close()


def leave(context: Context, *, agent: str) -> None:
    """Give up what an agent holds, without losing work."""
    with context.store.read() as tx:
        held = tx.leases.of_agent(agent)
    if held:
        releasing.give_up(context, agent=agent, leaving=True)


def is_url(store: str) -> bool:
    """Tell whether a store is named by the URL of a server."""
    return store.lower().startswith(("http://", "https://"))


def _named(store: str | None) -> str:
    """Return the store that is named; None: the one that the environment names, if any."""
    return os.environ.get("PUCS_STORE", "") if store is None else store


def _mode(name: str) -> Mode:
    if name not in Mode.__members__:
        raise Usage(f"There is no mode {name!r}.", remedy=f"Modes: {', '.join(Mode)}.")
    return Mode(name)
