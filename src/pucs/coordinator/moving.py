"""Moving: an idle session, whole, from one store to another.

It is closed here first, and then written: so there is never a file that somebody could go on from while the session is still
at work here. Its rows stay. Whoever is killed in between writes the file again, which comes out the same. The form of the file
is told in docs/reference/session-file.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.sessions import stream_ref
from pucs.core.errors import NotFound, Refused, Usage
from pucs.crosslog.records import Level
from pucs.streams.records import Session, SessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pucs.coordinator.ports import Transaction

FORMAT = "pucs session"
"""First thing in such a file."""
VERSION = 1
"""Form of the file; a newer one is refused."""
BATCH = 500
"""Rows that are looked up and added at once."""
SHOWN_MAX = 5
"""Things in the way that are named; more are counted."""
_SCALARS = (str, int, float, type(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """A session that was closed here to go on elsewhere."""

    session: str
    moves: int
    """How often it has moved, this time included."""
    again: bool
    """It was closed before; only its file is written again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the file says before its rows."""

    session: str
    state: str
    """As it was at work: active or finalized."""
    moves: int
    token: int
    """Higher than every token of the session."""
    store: str
    """Where it comes from."""
    written_at: str
    base: str
    refs: dict[str, str]
    """Branches of the session and of its streams, with the commits they stand at; empty: there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A session that came in."""

    session: str
    state: str
    moves: int
    back: bool
    """It had left from here."""
    rows: dict[str, int] = field(default_factory=dict)
    """Rows by table."""


def depart(context: Context, *, dry_run: bool = False) -> Departed:
    """Close a session that is idle, so that it can go on in another store; one transaction. Its rows stay here.

    Raises:
        Refused: somebody is at work in it, or holds something; or there is no such session.
    """
    with context.store.read() as tx:
        session = _leaving(context, tx)
        if session.state is SessionState.MOVED:
            return Departed(session=session.id, moves=_moves(tx, session.id), again=True)
        if dry_run:
            _check_idle(context, tx, session)
            return Departed(session=session.id, moves=_moves(tx, session.id) + 1, again=False)
    with unit(replace(context, session=session.id), durable=True) as opened:
        session = opened.active()
        _check_idle(context, opened.tx, session)
        moves = _moves(opened.tx, session.id) + 1
        note = {"moves": moves, "state": session.state.value, "token": opened.tx.tokens(1)}
        opened.tx.sessions.put(replace(session, state=SessionState.MOVED))
        opened.tx.moves.tell(session.id, note)
        opened.log("session moved", moves=moves)
    return Departed(session=session.id, moves=moves, again=False)


def _moves(tx: Transaction, session: str) -> int:
    return int(tx.moves.told(session).get("moves", 0))


def _leaving(context: Context, tx: Transaction) -> Session:
    """Return the named session, else the active one, else the last one if its file may have to be written again."""
    if context.session:
        found = tx.sessions.get(context.session)
        if found is None:
            raise NotFound(f"There is no session {context.session!r}.", remedy="See: pucs status")
        return found
    found = tx.sessions.active() or tx.sessions.latest()
    if found is None or found.state is SessionState.FINALIZED:
        raise Refused("There is no active session.", remedy="Name one that is over with --session.")
    return found


def _check_idle(context: Context, tx: Transaction, session: Session) -> None:
    """Check that nobody is at work in a session.

    Raises:
        Refused: somebody is; the message names what is in the way.
    """
    found = [
        f"{lease.agent} holds {lease.resource}" for lease in tx.leases.live() if lease.session == session.id
    ]
    found += [f"{one.agent} waits for a lease" for one in tx.requests.waiting() if one.session == session.id]
    found += [
        f"{one.verb} of {one.agent} is not finished"
        for one in tx.intentions.all()
        if one.session == session.id
    ]
    for agent in tx.agents.all(session.id):
        alive = context.processes.alive(agent.owner) if agent.active and agent.owner else False
        if alive:
            found.append(f"{agent.id} is at work")
        elif alive is None and agent.owner:
            found.append(f"{agent.id} may be at work on {agent.owner.host}")
    if found:
        more = f"; and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
        raise Refused(
            f"Session {session.id} is not idle: {'; '.join(found[:SHOWN_MAX])}{more}. Nothing was changed.",
            remedy="Let them finish or end them (pucs stop AGENT), then: pucs cleanup",
            in_the_way=found,
        )


def written(context: Context, session: str) -> Iterator[str]:
    """Return the lines of the file of a session that was closed, read in one transaction as they are asked for.

    Raises:
        Refused: it was not closed.
    """
    with context.store.read() as tx:
        known = tx.sessions.get(session)
        streams = tx.sessions.streams(session)
    if known is None or known.state is not SessionState.MOVED:
        raise Refused(f"Session {session} is at work here.", remedy="Close it first: pucs export --move FILE")
    branches = [known.branch, *(row.branch for row in streams)]
    refs = {branch: context.repository.resolve(stream_ref(branch)) or "" for branch in branches}
    with context.store.read() as tx:
        note = tx.moves.told(session)
        head = {
            "format": FORMAT,
            "version": VERSION,
            "session": session,
            "state": note["state"],
            "moves": note["moves"],
            "token": note["token"],
            "store": context.store.path,
            "written_at": context.clock.now().wall(),
            "base": known.base,
            "refs": refs,
        }
        digest = hashlib.sha256()
        rows = 0
        for line in chain([json.dumps(head) + "\n"], body(tx, session, note["state"])):
            rows += line.startswith("[")
            digest.update(line.encode())
            yield line
        yield json.dumps({"rows": rows, "sha256": digest.hexdigest()}) + "\n"


def body(tx: Transaction, session: str, state: str) -> Iterator[str]:
    """Return the lines of the file between its first and its last one; ``state``: of the session at work."""
    for table, columns in tx.moves.tables().items():
        yield json.dumps({"table": table, "columns": columns}) + "\n"
        page = tx.moves.page(table, session, None)
        while page:
            for row in page:
                yield json.dumps(_at_work(columns, row, state) if table == "sessions" else row) + "\n"
            page = tx.moves.page(table, session, page[-1])


def _at_work(columns: Sequence[str], row: Sequence[Any], state: str) -> list[Any]:
    return [state if name == "state" else value for name, value in zip(columns, row, strict=True)]


def is_session_file(start: bytes) -> bool:
    """Tell from the first bytes of a file whether it holds a session."""
    return start.startswith(json.dumps({"format": FORMAT})[:-1].encode())


def session_of(line: bytes) -> str:
    """Return the id of the session whose file begins with this line.

    Raises:
        Usage: no such file does.
    """
    return _header(next(_documents([line], hashlib.sha256()), None)).session


def arrive(context: Context, lines: Callable[[], Iterable[bytes]], *, dry_run: bool = False) -> Arrived:
    """Bring a session into this store, whole or not at all; one transaction, as long as the file.

    ``lines`` gives the file from its start each time it is called; it is read through once before anything is changed. Rows keep
    their numbers and times. Tokens that are granted from now on are higher than all that the session has known. A session that
    had left from here takes the place of what stayed.

    Raises:
        Usage: it is no such file, it is cut or changed, or it is of a newer form.
        Refused: a session is active here, it is here already, it went on since the file was written, numbers of it are
            another session's here, or the repository lacks its commits.
    """
    with context.store.read() as tx:
        tables = tx.moves.tables()
    header, digest, counted = _checked(lines(), tables)
    _check_repository(context, header)
    context = replace(context, session="")
    if dry_run:
        with context.store.read() as tx:
            back = _check_place(tx, header)
            for table, columns, rows in _batches(lines(), hashlib.sha256()):
                _check_numbers(tx, header, table, columns, rows)
        return _arrived(header, counted, back=back)
    with unit(context, durable=True) as opened:
        back = _check_place(opened.tx, header)
        _take(opened, header, lines(), digest)
    return _arrived(header, counted, back=back)


def _arrived(header: Header, counted: dict[str, int], *, back: bool) -> Arrived:
    return Arrived(session=header.session, state=header.state, moves=header.moves, back=back, rows=counted)


def _take(opened: Unit, header: Header, lines: Iterable[bytes], digest: str) -> None:
    """Put the rows of a file in the place of what is known of its session."""
    moves = opened.tx.moves
    moves.forget(header.session)
    sha = hashlib.sha256()
    for table, columns, rows in _batches(lines, sha):
        _check_numbers(opened.tx, header, table, columns, rows)
        moves.put(table, columns, rows)
    if sha.hexdigest() != digest:
        raise Usage("The file was changed while it was read. Nothing was taken.", remedy="Try again.")
    moves.above(header.token)
    moves.tell(header.session, {"moves": header.moves})
    # Written like the rows around it, because a store counts entries by what it has added itself. It belongs to no session:
    # what moves on from here is what came, and what happened since.
    details = {"door": opened.door, "session": header.session, "moves": header.moves, "store": header.store}
    entry = {
        "seq": moves.last_entry() + 1,
        "timestamp": opened.now.wall(),
        "session": "",
        "agent": "",
        "stream": "",
        "level": Level.INFO.value,
        "action": "session taken in",
        "files": "[]",
        "details": json.dumps(details),
    }
    moves.put("entries", tuple(entry), [tuple(entry.values())])


def _check_place(tx: Transaction, header: Header) -> bool:
    """Check that a session may come into this store, and tell whether it had left from here."""
    active, known = tx.sessions.active(), tx.sessions.get(header.session)
    if known is not None and known.state is not SessionState.MOVED:
        raise Refused(
            f"Session {header.session} is in this store already. Nothing was taken.",
            remedy="A session that has left comes back with what happened since: move it from where it is at work.",
        )
    if active is not None:
        raise Refused(
            f"Session {active.id} is active in this store. Nothing was taken.",
            remedy="Finalize or move that one first, or name another store.",
        )
    if known is not None and _moves(tx, known.id) > header.moves:
        raise Refused(
            f"Session {header.session} has moved on since this file was written (move {header.moves}; it left here with "
            f"move {_moves(tx, known.id)}). Nothing was taken.",
            remedy="Take the file of its last move.",
        )
    return known is not None


def _check_numbers(
    tx: Transaction, header: Header, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    first = columns.index(tx.moves.tables()[table][0])
    taken = tx.moves.taken(table, header.session, [row[first] for row in rows])
    if taken:
        number, session = taken[0]
        whose = f"session {session}" if session else "no session"
        raise Refused(
            f"This store has {table} {number} of its own, of {whose}, and rows keep their numbers. Nothing was taken.",
            remedy="Take the session into a new store, or the one it came from.",
        )


def _check_repository(context: Context, header: Header) -> None:
    """Check that a repository has what a session stands on."""
    repository = context.repository
    missing = [] if repository.resolve(header.base) else [f"commit {header.base[:12]}"]
    for branch, commit in header.refs.items():
        tip = repository.resolve(stream_ref(branch)) if commit else None
        if commit and (tip is None or not (tip == commit or repository.contains(tip, commit))):
            missing.append(f"branch {branch} at {commit[:12]}")
    if missing:
        raise Refused(
            f"This repository lacks what session {header.session} stands on: {', '.join(missing[:SHOWN_MAX])}. "
            "Nothing was taken.",
            remedy="Fetch the session's branches and refs/pucs/* from the repository it was at work in.",
        )


def _checked(
    lines: Iterable[bytes], tables: dict[str, tuple[str, ...]]
) -> tuple[Header, str, dict[str, int]]:
    """Read a file through; return its header, its checksum and its rows by table.

    Raises:
        Usage: it is no such file, or not whole.
    """
    counted = dict.fromkeys(tables, 0)
    sha = hashlib.sha256()
    documents = _documents(lines, sha)
    header = _header(next(documents, None))
    table, columns = "", list[str]()
    for document in documents:
        if isinstance(document, dict):
            table, columns = _columns(document, tables)
        elif (
            not isinstance(document, list)
            or len(document) != len(columns)
            or not all(type(each) in _SCALARS for each in document)
        ):
            raise _unreadable(f"a row of {table or 'no table'} does not fit its columns")
        else:
            counted[table] += 1
    return header, sha.hexdigest(), counted


def _columns(document: dict[str, Any], tables: dict[str, tuple[str, ...]]) -> tuple[str, list[str]]:
    table, columns = document.get("table"), document.get("columns")
    known = tables.get(table) if isinstance(table, str) else None
    if (
        known is None
        or not isinstance(columns, list)
        or known[0] not in columns
        or not set(columns) <= set(known)
    ):
        raise _unreadable(f"it has a table {table!r} or columns in it that this PUCS does not know")
    return str(table), columns


def _documents(lines: Iterable[bytes], sha: Any) -> Iterator[Any]:
    """Return what the lines say, all but the last one, which must vouch for them."""
    rows, ended = 0, False
    try:
        for line in lines:
            document = json.loads(line)
            if ended:
                raise _unreadable("something stands behind its end")
            if isinstance(document, dict) and "sha256" in document:
                ended = True
                if document != {"rows": rows, "sha256": sha.hexdigest()}:
                    raise _unreadable("it was changed")
            else:
                rows += isinstance(document, list)
                yield document
            sha.update(line)
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"it is garbled: {error}") from error
    if not ended:
        raise _unreadable("its end is missing")


def _batches(lines: Iterable[bytes], sha: Any) -> Iterator[tuple[str, list[str], list[list[Any]]]]:
    """Return the rows of a file, some of one table at a time."""
    table, columns, rows = "", list[str](), list[list[Any]]()
    for document in _documents(lines, sha):
        if isinstance(document, list):
            rows.append(document)
        if rows and (isinstance(document, dict) or len(rows) == BATCH):
            yield table, columns, rows
            rows = []
        if isinstance(document, dict) and "table" in document:
            table, columns = document["table"], document["columns"]
    if rows:
        yield table, columns, rows


def _header(document: Any) -> Header:
    known = document if isinstance(document, dict) and document.get("format") == FORMAT else {}
    version = known.get("version")
    if type(version) is not int:
        raise _unreadable("it does not begin as one")
    if version > VERSION:
        raise Usage(f"The file is of form {version}; this PUCS reads {VERSION}.", remedy="Update PUCS.")
    names = Header.__dataclass_fields__
    if not set(names) <= set(known):
        raise _unreadable("its first line lacks something")
    return Header(**{name: known[name] for name in names})


def _unreadable(why: str) -> Usage:
    return Usage(
        f"This is no whole file of a session: {why}. Nothing was taken.",
        remedy="Write it again where it comes from: pucs export --move FILE",
    )
