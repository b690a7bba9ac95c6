"""The tables of one transaction, as the verbs see them; ``store`` implements them with the same SQL for every driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pucs.agents.records import Agent, Conversation, Phase
    from pucs.conflicts.records import Conflict
    from pucs.conflicts.requests import Waiver
    from pucs.coordinator.records import Intention
    from pucs.crosslog.records import Entry, Query
    from pucs.intents.records import Intent, Partition
    from pucs.locks.records import EndReason, Lease, Request
    from pucs.messages.handoffs import HandOff
    from pucs.messages.records import Ending, Message
    from pucs.streams.checks import TestRun
    from pucs.streams.records import Landing, Session, StreamRow
    from pucs.streams.settings import Configuration
    from pucs.tasks.records import Task


T = TypeVar("T")


class LeaseRows(Protocol):
    """Leases, live and ended."""

    def overlapping(self, resources: Iterable[str]) -> list[Lease]:
        """Return the live leases (held or reserved) that overlap any of the resources."""
        ...

    def granted_after(self, token: int, resource: str) -> list[Lease]:
        """Return leases, live or ended, with a higher token that overlap the resource."""
        ...

    def of_agent(self, agent: str) -> list[Lease]:
        """Return the live leases of an agent, by resource."""
        ...

    def of_request(self, request: int) -> list[Lease]:
        """Return the live leases granted to a request."""
        ...

    def live(self) -> list[Lease]:
        """Return every live lease, by resource."""
        ...

    def by_tokens(self, tokens: Iterable[int]) -> list[Lease]:
        """Return the leases with these tokens, live or ended."""
        ...

    def last_of(self, agent: str, resource: str) -> list[Lease]:
        """Return the leases of an agent, live or ended, that contain the resource, newest first."""
        ...

    def ended_on(self, resource: str, count: int) -> list[Lease]:
        """Return the newest ended leases on exactly this resource, newest first, at most ``count``."""
        ...

    def add(self, lease: Lease) -> None:
        """Record a granted lease."""
        ...

    def replace(self, lease: Lease) -> None:
        """Write back a lease that was claimed, renewed, marked for a landing or ended."""
        ...

    def disown(self, tokens: Iterable[int]) -> None:
        """Let leases end by time only, whatever becomes of their owner."""
        ...

    def end(self, tokens: Iterable[int], ended_s: float, reason: EndReason) -> None:
        """End leases."""
        ...


class RequestRows(Protocol):
    """The queue."""

    def add(self, request: Request) -> None:
        """Put a request into the queue; its id is the id of its conflict record, which grows."""
        ...

    def get(self, request: int) -> Request | None:
        """Return a request that still waits, None if it was served, withdrawn or is unknown."""
        ...

    def overlapping(self, resources: Iterable[str]) -> list[Request]:
        """Return the waiting requests that overlap any of the resources, in order; those of paused agents are left out."""
        ...

    def waiting(self) -> list[Request]:
        """Return the whole queue in order."""
        ...

    def pause(self, agent: str, *, paused: bool) -> list[Request]:
        """Leave an agent's requests out of ``overlapping``, or take them in again at their old place; return them."""
        ...

    def of_agent(self, agent: str) -> list[Request]:
        """Return an agent's requests in order, also while it is paused."""
        ...

    def agents(self) -> set[str]:
        """Return the agents that wait."""
        ...

    def any_paused(self) -> bool:
        """Tell whether any request is passed over because its agent is paused."""
        ...

    def count(self) -> int:
        """Return how many requests wait."""
        ...

    def remove(self, request: int) -> None:
        """Take a request out of the queue."""
        ...


class EntryRows(Protocol):
    """The cross-log."""

    def add(self, entry: Entry) -> int:
        """Append an entry and return its sequence number."""
        ...

    def select(self, query: Query) -> list[Entry]:
        """Return the newest entries that match, oldest first."""
        ...

    def first_since(self, since: str) -> int:
        """Return the sequence number of the first entry at or after a wall time, 0 if there is none."""
        ...

    def count(self, *, after_seq: int = 0, actions: Sequence[str] = ()) -> int:
        """Return how many entries there are behind one, of these actions or of any."""
        ...

    def oldest(self, after_seq: int, limit: int) -> list[Entry]:
        """Return the oldest entries behind one, in order."""
        ...

    def remove(self, entries: Iterable[Entry]) -> None:
        """Remove entries for good; see ``crosslog.retention`` for which may be."""
        ...


class AgentRows(Protocol):
    """Agents of all sessions; ids are unique in the store."""

    def get(self, agent: str) -> Agent | None:
        """Return one agent."""
        ...

    def put(self, agent: Agent) -> None:
        """Insert or overwrite one agent."""
        ...

    def step(self, agent: str, phase: Phase, task: str) -> None:
        """Change where an agent is in its life and what it works on."""
        ...

    def all(self, session: str) -> list[Agent]:
        """Return the agents of a session by id."""
        ...


class SessionRows(Protocol):
    """Sessions, their streams and the compiled configuration."""

    def active(self) -> Session | None:
        """Return the active session, if any."""
        ...

    def latest(self) -> Session | None:
        """Return the newest session, active or not."""
        ...

    def get(self, session: str) -> Session | None:
        """Return one session."""
        ...

    def put(self, session: Session) -> None:
        """Insert or overwrite a session."""
        ...

    def streams(self, session: str) -> list[StreamRow]:
        """Return the streams of a session in configured order."""
        ...

    def put_stream(self, row: StreamRow) -> None:
        """Insert or overwrite a stream of a session."""
        ...

    def configuration(self) -> Configuration:
        """Return the compiled configuration; decoded once per revision and process."""
        ...

    def derived(self, key: tuple[str, str], make: Callable[[], T]) -> T:
        """Return what ``make`` makes of sessions, streams and configuration; made anew only after one of them changed."""
        ...

    def put_configuration(self, configuration: Configuration) -> None:
        """Compile a configuration into the store."""
        ...


class ConflictRows(Protocol):
    """Conflict records."""

    def add(self, conflict: Conflict) -> int:
        """Record a conflict and return its id."""
        ...

    def get(self, conflict: int) -> Conflict | None:
        """Return one conflict."""
        ...

    def put(self, conflict: Conflict) -> None:
        """Overwrite a conflict."""
        ...

    def all(self, session: str, *, unresolved: bool = False) -> list[Conflict]:
        """Return the conflicts of a session by id."""
        ...

    def same(self, wanted: Conflict) -> int:
        """Return the first record of the same kind, parties, resources and decision in a session, 0 if there is none."""
        ...

    def parked(self, session: str) -> list[Conflict]:
        """Return the open conflicts of a session that hold a parked change, by id."""
        ...


class WaiverRows(Protocol):
    """Waivers of boundaries, asked for and decided."""

    def add(self, waiver: Waiver) -> int:
        """Record a waiver and return its id."""
        ...

    def get(self, waiver: int) -> Waiver | None:
        """Return one waiver."""
        ...

    def put(self, waiver: Waiver) -> None:
        """Overwrite a waiver that was decided."""
        ...

    def all(self, session: str) -> list[Waiver]:
        """Return the waivers of a session by id."""
        ...


class TaskRows(Protocol):
    """Tasks."""

    def get(self, session: str, task: str) -> Task | None:
        """Return one task."""
        ...

    def put(self, task: Task) -> None:
        """Insert or overwrite a task."""
        ...

    def all(self, session: str) -> list[Task]:
        """Return the tasks of a session in the order of the tasks file."""
        ...


class LandingRows(Protocol):
    """Landings: which token covered which path on its way to a stream branch."""

    def add(self, landing: Landing) -> int:
        """Record a landing and return its id."""
        ...

    def last_on(self, session: str, resources: Iterable[str]) -> list[Landing]:
        """Return the newest landing of each stream that touched any of the resources, oldest first."""
        ...

    def all(self, session: str, stream: str = "") -> list[Landing]:
        """Return landings in order, of one stream or all."""
        ...


class MessageRows(Protocol):
    """Messages, open and ended."""

    def add(self, message: Message) -> int:
        """Record a message and return its id."""
        ...

    def get(self, message: int) -> Message | None:
        """Return one message."""
        ...

    def open(self, recipient: str, session: str) -> list[Message]:
        """Return the messages of a receiver that have not ended, oldest first."""
        ...

    def waiting(self, recipient: str, session: str) -> bool:
        """Tell whether there is any open message for a receiver."""
        ...

    def count(self, recipient: str, session: str) -> int:
        """Return how many open messages there are for a receiver."""
        ...

    def prune(self, kept: int) -> int:
        """Remove ended messages but the newest so many, and return how many that were."""
        ...

    def all(self, session: str, *, recipient: str = "", limit: int = 1000) -> list[Message]:
        """Return the newest messages of a session, of one receiver or all, oldest first."""
        ...

    def replace(self, message: Message) -> None:
        """Write back a message that was delivered."""
        ...

    def end(self, messages: Iterable[int], ending: Ending, at: str) -> None:
        """End messages; one that has ended keeps its first ending."""
        ...


class IntentRows(Protocol):
    """Intents: what agents plan to change."""

    def add(self, intent: Intent) -> Intent:
        """Record an intent and return it with its id, which is also its place where it had none."""
        ...

    def get(self, intent: int) -> Intent | None:
        """Return one intent, open or ended."""
        ...

    def of_agent(self, agent: str) -> Intent | None:
        """Return the open intent of an agent."""
        ...

    def overlapping(self, resources: Iterable[str], *, bare: bool = False) -> list[Intent]:
        """Return the open intents that overlap any of the resources, by id; ``bare`` without what stands in their way."""
        ...

    def open(self, session: str) -> list[Intent]:
        """Return the open intents of a session, by id."""
        ...

    def count(self, session: str) -> int:
        """Return how many intents of a session are open."""
        ...

    def put(self, intent: Intent) -> None:
        """Overwrite what may change in an intent; one that has ended is found by its id alone."""
        ...


class PartitionRows(Protocol):
    """Proposals to divide a file between agents."""

    def add(self, partition: Partition) -> int:
        """Record a proposal and return its id."""
        ...

    def get(self, partition: int) -> Partition | None:
        """Return one proposal."""
        ...

    def put(self, partition: Partition) -> None:
        """Overwrite a proposal."""
        ...

    def all(self, session: str, *, undecided: bool = False) -> list[Partition]:
        """Return the proposals of a session by id."""
        ...


class HandOffRows(Protocol):
    """Hand-offs; each is a row of its own, so that none overwrites another."""

    def add(self, handoff: HandOff) -> int:
        """Record a hand-off and return its id."""
        ...

    def get(self, handoff: int) -> HandOff | None:
        """Return one hand-off."""
        ...

    def put(self, handoff: HandOff) -> None:
        """Write back who accepted a hand-off, and its state."""
        ...

    def all(self, session: str, *, pending: bool = False) -> list[HandOff]:
        """Return the hand-offs of a session, or only the open ones, by id."""
        ...

    def promised(self, giver: str) -> frozenset[str]:
        """Return the resources an agent hands over in open hand-offs that nobody has taken yet."""
        ...


class IntentionRows(Protocol):
    """Refs about to move."""

    def add(self, intention: Intention) -> int:
        """Record an intention and return its id."""
        ...

    def remove(self, intention: int) -> bool:
        """Remove an intention; False if somebody else already closed it."""
        ...

    def all(self) -> list[Intention]:
        """Return every open intention, oldest first."""
        ...


class TestRunRows(Protocol):
    """Test runs of streams."""

    def add(self, run: TestRun) -> int:
        """Record a run and return its id."""
        ...

    def keep(self, session: str, newest: int) -> None:
        """Remove the runs of a session but the newest so many."""
        ...

    def latest(self, session: str) -> list[TestRun]:
        """Return the newest run of each stream of a session, by stream."""
        ...

    def passed(self, session: str, stream: str, tree: str) -> TestRun | None:
        """Return the newest run of a stream on this content if it passed."""
        ...

    def all(self, session: str, stream: str = "", *, limit: int = 100) -> list[TestRun]:
        """Return the newest runs, of one stream or all, oldest first."""
        ...


class ConversationRows(Protocol):
    """Conversations of agent programs."""

    def get(self, program: str, conversation: str, session: str) -> Conversation | None:
        """Return one conversation."""
        ...

    def of_agent(self, agent: str) -> list[Conversation]:
        """Return an agent's conversations, oldest first."""
        ...

    def put(self, conversation: Conversation) -> None:
        """Insert or overwrite one conversation."""
        ...


class SecretRows(Protocol):
    """Digests of the secrets by which agents prove who they are."""

    def digest(self, agent: str) -> str:
        """Return the digest of an agent's secret, empty if it has none."""
        ...

    def agent(self, digest: str) -> str:
        """Return the agent whose secret has this digest, empty if there is none."""
        ...

    def put(self, agent: str, digest: str) -> None:
        """Set an agent's digest; empty: it has no secret any more."""
        ...


class SightRows(Protocol):
    """What agents saw of files when they read them last, and under which lease they had what landed on them.

    Observations like a heartbeat, so they have no entries.
    """

    def get(self, agent: str, path: str) -> str:
        """Return the digest of what an agent saw last in a file, empty if it has not read it."""
        ...

    def put(self, agent: str, path: str, digest: str) -> None:
        """Note what an agent saw."""
        ...

    def based(self, agent: str, path: str) -> int:
        """Return the token under which an agent's worktree last had everything that landed on a file, 0 if none."""
        ...

    def base(self, agent: str, path: str, token: int) -> None:
        """Note that under this token an agent's worktree has everything that landed on a file."""
        ...

    def forget(self, agent: str, paths: Iterable[str] | None = None) -> None:
        """Forget what an agent saw, of these paths or all."""
        ...


class RefusalRows(Protocol):
    """What agents were refused that have no place in the queue, to be told once when it is free."""

    def of_agent(self, agent: str) -> list[str]:
        """Return the resources an agent was refused, sorted."""
        ...

    def add(self, agent: str, resources: Iterable[str]) -> None:
        """Remember that an agent was refused these."""
        ...

    def forget(self, agent: str, resources: Iterable[str] | None = None) -> None:
        """Forget that it was refused these, or any."""
        ...


class MoveRows(Protocol):
    """The rows of a whole session as they stand in the tables, and what is known of its moves."""

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of every table that moves, in the order in which they are written."""
        ...

    def page(self, table: str, session: str, after: Sequence[Any] | None) -> list[tuple[Any, ...]]:
        """Return the next rows of a session behind one of them (None: the first ones), in one order in every store."""
        ...

    def taken(self, table: str, session: str, firsts: Sequence[Any]) -> list[tuple[Any, str]]:
        """Return which of these first columns stand for a row of another session, each with that session."""
        ...

    def put(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows as they are; numbers given from now on are higher."""
        ...

    def last_entry(self) -> int:
        """Return the number of the newest entry of any session, 0 if there is none."""
        ...

    def forget(self, session: str) -> None:
        """Remove every row of a session."""
        ...

    def above(self, token: int) -> None:
        """Let every token that is granted from now on be higher; what was remembered of sessions is read anew."""
        ...

    def told(self, session: str) -> dict[str, Any]:
        """Return what was noted of a session's moves, empty if it never moved."""
        ...

    def tell(self, session: str, note: dict[str, Any]) -> None:
        """Note something of a session's moves in place of what was noted."""
        ...
