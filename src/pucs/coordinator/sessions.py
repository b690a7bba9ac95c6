"""Sessions: start one, apply a configuration to it, end it (000 §9 ``init``, §5.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.coordinator.context import Context, Unit, check_not_moved, unit
from pucs.core.errors import NotFound, Refused, Usage
from pucs.streams.records import Session, SessionState, StreamRow
from pucs.streams.settings import BranchSettings, Configuration

if TYPE_CHECKING:
    from pucs.core.instants import Instant

SESSIONS_A_DAY_MAX = 999
"""Numbers in a session id; beyond it a person has to name the session."""
ID_LENGTH_MAX = 64
"""Longest session id: it becomes part of branch names."""
_PREFIX = "PUCS-"
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True, slots=True)
class Started:
    """What ``start`` did."""

    session: Session
    streams: tuple[str, ...]
    created: bool
    """False if the session was there already."""


def branch_of(template: str, *, session: str, stream: str = "", agent: str = "") -> str:
    """Return a branch name from its template (000 §5.1); the session's ``PUCS-`` prefix is left out."""
    return template.format(
        session=session.removeprefix(_PREFIX), stream=stream.lower().replace(" ", "-"), agent=agent
    )


def stream_ref(branch: str) -> str:
    """Return the full ref name of a branch."""
    return f"refs/heads/{branch}"


def start(context: Context, *, configuration: Configuration, session: str = "") -> Started:
    """Start a session on the commit the main checkout is at, or continue the active one; safe to repeat.

    Session, streams and configuration are written in one transaction, then the session branch and one branch for each
    stream are made; whoever comes first after a kill in between makes them. The checkout is not touched.

    Raises:
        Refused: another session is active, or the last one goes on in another store and no id was given for one here.
        Usage: the id cannot be part of a branch name.
    """
    with context.store.read() as tx:
        active = tx.sessions.active()
        if active is None and not session:
            check_not_moved(tx.sessions.latest())
    if active is not None:
        if session and session != active.id:
            raise Refused(f"Session {active.id} is active.", remedy="Finalize it first: pucs finalize")
        return Started(active, apply(context, configuration=configuration), created=False)
    base, target = context.repository.head()
    chosen = _checked_id(session) if session else _next_id(context, configuration.branches)
    if (
        context.repository.resolve(stream_ref(branch_of(configuration.branches.session, session=chosen)))
        is not None
    ):
        raise Refused(f"The branch of session {chosen} exists already.", remedy="Choose another --session.")
    branch = branch_of(configuration.branches.session, session=chosen)
    with unit(context, durable=True) as opened:
        if opened.tx.sessions.active() is not None:
            raise Refused("Another session was started at this moment.", remedy="See: pucs status")
        begun = Session(
            id=chosen,
            state=SessionState.ACTIVE,
            base=base,
            target=target,
            branch=branch,
            started_at=opened.now.wall(),
        )
        opened.tx.sessions.put(begun)
        opened.session = begun
        names = _apply_in(opened, configuration)
        opened.log("session started", base=base, target=target, streams=list(names))
    _make_branches(context)
    return Started(begun, names, created=True)


def apply(context: Context, *, configuration: Configuration) -> tuple[str, ...]:
    """Compile a configuration into the store for the active session and return its stream names; one transaction.

    Raises:
        Refused: it leaves out a stream that has landed work or agents.
    """
    with unit(context) as opened:
        names = _apply_in(opened, configuration)
        opened.log("configuration applied", source=configuration.source, streams=list(names))
    _make_branches(context)
    return names


def _apply_in(opened: Unit, configuration: Configuration) -> tuple[str, ...]:
    session = opened.active()
    known = {row.stream.name.casefold(): row for row in opened.tx.sessions.streams(session.id)}
    wanted = {stream.name.casefold() for stream in configuration.streams}
    for folded, row in known.items():
        if folded not in wanted:
            raise Refused(
                f"Stream {row.stream.name} of the running session is missing in {configuration.source or 'the configuration'}.",
                remedy="Keep it until the session is finalized.",
            )
    opened.tx.sessions.put_configuration(configuration)
    for stream in configuration.streams:
        old = known.get(stream.name.casefold())
        opened.tx.sessions.put_stream(
            replace(old, stream=stream)
            if old is not None
            else StreamRow(
                session=session.id,
                stream=stream,
                branch=branch_of(configuration.branches.stream, session=session.id, stream=stream.name),
            )
        )
    return tuple(stream.name for stream in configuration.streams)


def _make_branches(context: Context) -> None:
    """Make the branches that do not exist yet; each starts at the session's base."""
    with context.store.read() as tx:
        session = tx.sessions.active()
        rows = tx.sessions.streams(session.id) if session else []
    if session is None:
        return
    branches = (session.branch, *(row.branch for row in rows))
    context.repository.make_refs([stream_ref(branch) for branch in branches], session.base)


def _next_id(context: Context, branches: BranchSettings) -> str:
    day = _day(context.clock.now())
    with context.store.read() as tx:
        for number in range(1, SESSIONS_A_DAY_MAX + 1):
            candidate = f"{_PREFIX}{day}-{number:03d}"
            ref = stream_ref(branch_of(branches.session, session=candidate))
            if tx.sessions.get(candidate) is None and context.repository.resolve(ref) is None:
                return candidate
    raise Usage("There is no free session number left today.", remedy="Name one with --session.")


def _day(now: Instant) -> str:
    return now.wall()[:10].replace("-", "")


def _checked_id(session: str) -> str:
    plain = set(session) <= _ID_CHARACTERS and session[:1].isalnum()
    if not plain or len(session) > ID_LENGTH_MAX or ".." in session or session.endswith((".lock", ".")):
        raise Usage(f"{session!r} cannot be a session id.", remedy="Write something like PUCS-20251206-001.")
    return session


def current(context: Context) -> Session:
    """Return the session to act in: the named one, else the active one.

    Raises:
        NotFound: the named one does not exist.
        Refused: none is active.
    """
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
    if session is None:
        if context.session:
            raise NotFound(f"There is no session {context.session!r}.", remedy="See: pucs status")
        with context.store.read() as tx:
            check_not_moved(tx.sessions.latest())
        raise Refused("There is no active session.", remedy="Start one with: pucs init")
    return session


def end(context: Context) -> Session:
    """Mark the session as finalized; its branches and refs stay. One transaction."""
    with unit(context, durable=True) as opened:
        ended = replace(opened.active(), state=SessionState.FINALIZED, ended_at=opened.now.wall())
        if opened.tx.intents.count(ended.id):
            from pucs.coordinator.contesting import clear_all_in  # noqa: PLC0415 - most verbs load this without a plan

            clear_all_in(opened, "the session has ended")
        opened.tx.sessions.put(ended)
        opened.log("session finalized")
        return ended
