"""What every verb is called with, and the one way to open its transaction."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pucs.core.errors import Refused
from pucs.crosslog.records import Entry, Level
from pucs.streams.records import SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.coordinator.ports import (
        Ahead,
        Bells,
        Clock,
        Git,
        Processes,
        Repository,
        Store,
        Transaction,
        Worktrees,
    )
    from pucs.core.instants import Instant
    from pucs.streams.records import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The hands a verb works with, chosen once by ``wiring``."""

    store: Store
    clock: Clock
    processes: Processes
    bells: Bells
    git: Git
    door: str
    """Surface the call came through (``cli``, ``client``, ``classic``, ``run``); recorded in every entry."""
    session: str = ""
    """Session to act in; empty: the active one."""

    @property
    def repository(self) -> Repository:
        """Objects and refs of the repository."""
        return self.git.repository

    @property
    def worktrees(self) -> Worktrees:
        """Agents' checkouts on disk."""
        return self.git.worktrees


@dataclass(slots=True)
class Unit:
    """One open write transaction with the instant it happens at and the bells to ring after it."""

    tx: Transaction
    now: Instant
    door: str
    session: Session | None
    rings: list[str] = field(default_factory=list)

    def active(self) -> Session:
        """Return the session this unit acts in.

        Raises:
            Refused: there is none.
        """
        if self.session is None:
            check_not_moved(self.tx.sessions.latest())
            raise Refused("There is no active session.", remedy="Start one with: pucs init")
        return self.session

    def log(
        self,
        action: str,
        *,
        agent: str = "",
        stream: str = "",
        level: Level = Level.INFO,
        files: Sequence[str] = (),
        **details: Any,
    ) -> None:
        """Append an entry in this transaction; a state change without one is a defect (rule 6)."""
        self.tx.entries.add(
            Entry(
                timestamp=self.now.wall(),
                session=self.session.id if self.session else "",
                agent=agent,
                stream=stream,
                level=level,
                action=action,
                files=tuple(files),
                details={"door": self.door, **details},
            )
        )


def check_not_moved(session: Session | None) -> None:
    """Check that a session goes on in this store.

    Raises:
        Refused: it was moved to another one.
    """
    if session is not None and session.state is SessionState.MOVED:
        raise Refused(
            f"Session {session.id} was moved from this store to another one.",
            remedy="Name that one with --store or PUCS_STORE, or take the session back: pucs import FILE",
        )


@contextmanager
def unit(context: Context, *, durable: bool = False, ahead: Ahead | None = None) -> Iterator[Unit]:
    """Open a write transaction as a unit; waiters' bells ring once it has committed. ``ahead``: ``Store.transaction``."""
    with context.store.transaction(durable=durable, ahead=ahead) as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        if session is None and context.session:
            raise Refused(f"There is no session {context.session!r}.", remedy="See: pucs status")
        if context.session:
            check_not_moved(session)
        opened = Unit(tx, context.clock.now(), context.door, session)
        yield opened
    for name in opened.rings:
        context.bells.ring(name)
