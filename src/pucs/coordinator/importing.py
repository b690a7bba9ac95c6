"""Importing: what the designs' state files say, brought into the session without breaking a rule (REQUIREMENTS A14).

A lock becomes a lease only if it is free, not over, and of an agent that is not at work here; a plan becomes an intent
the same way; log lines and hand-offs are added, marked as imported, each once however often they are read. What could
not be taken is named with the reason, and a file that cannot be read harms nothing but itself.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pucs.coordinator import agents, intents, leases
from pucs.coordinator.context import Context, unit
from pucs.coordinator.liveness import standing
from pucs.coordinator.log import ACTION_LENGTH_MAX
from pucs.coordinator.sessions import current
from pucs.core.errors import Refused, Usage
from pucs.core.instants import iso, parse_iso
from pucs.crosslog import statefiles
from pucs.crosslog.records import Entry, Level, Query
from pucs.crosslog.statefiles import FileFormat
from pucs.messages import forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant
    from pucs.messages.handoffs import HandOff

    WallTime = Callable[[str], float]
    """Reads a time as the files write it, in seconds since 1970; the door knows which zone naive ones are in."""
    Reader = Callable[["_Reading", Sequence[tuple[int, dict[str, Any]]]], None]
    """Takes the objects of one file, each with its line."""

PROGRAM = "imported"
"""What an agent is that is known from a file alone; its leases end by time."""
LINES_MAX = 100_000
"""Lines of one file that are read: as many as an export writes."""
BATCH = 200
"""Entries added in one transaction: it stays short, and a kill in between leaves whole lines."""
DETAILS_LENGTH_MAX = 20_000
"""Longest line kept in an entry's details, as JSON."""
ESTIMATE_MIN_MAX = 30 * 24 * 60
"""Longest estimate that is taken for one: a month."""
NAMED_MAX = 1000
"""Problems and refusals named for one file; the first ones say what is wrong with it."""
_LEVELS = {"debug": Level.DEBUG, "error": Level.ERROR, "critical": Level.ERROR, "warning": Level.CONFLICT}
_AGENT_LOGGER = ("level", "category", "event_type", "message", "data", "git_info", "task_info")
"""Keys of ``AgentLogger`` that say something of their own."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that cannot be read."""

    file: str
    line: int
    """0: the whole file."""
    column: int
    message: str


@dataclass(slots=True)
class Imported:
    """What came of one file."""

    file: str
    taken: list[str] = field(default_factory=list)
    """What is in the session now, or would be."""
    left: list[str] = field(default_factory=list)
    """What could not be taken, each with the reason, in one sentence."""
    lines: int = 0
    """Log lines that are entries now, or would be."""
    known: int = 0
    """Log lines and hand-offs that were there already."""
    problems: list[Problem] = field(default_factory=list)

    def leave(self, what: str, why: str) -> None:
        """Name something that was not taken."""
        if len(self.left) < NAMED_MAX:
            self.left.append(f"{what}: {why}")

    def wrong(self, message: str, line: int = 0, column: int = 0) -> None:
        """Name something that cannot be read."""
        if len(self.problems) < NAMED_MAX:
            self.problems.append(Problem(self.file, line, column, message))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What earlier files of the same call told already: several of them tell of the same happenings."""

    handoffs: list[HandOff] = field(default_factory=list)
    entries: set[tuple[Any, ...]] = field(default_factory=set)
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Canonical resources of names met before: many lines name few files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One file being read."""

    context: Context
    session: str
    now: Instant
    wall: WallTime
    dry: bool
    out: Imported
    seen: _Seen


def import_files(
    context: Context, files: Mapping[str, bytes], *, wall: WallTime = parse_iso, dry_run: bool = False
) -> list[Imported]:
    """Bring state files (by name, as ``statefiles.FILES`` registers them) into the active session.

    Each lease, intent and hand-off is a transaction of its own; log lines go in batches. With ``dry_run`` nothing is
    written, and the answer says what would be. ``wall`` reads times without a zone.

    Raises:
        Refused: there is no active session.
        Usage: none of the files is one that can be imported.
    """
    session = current(context)
    chosen = {path: file for path in files if (file := statefiles.named(path)) is not None and file.imported}
    if not chosen:
        names = ", ".join(file.name for file in statefiles.FILES if file.imported)
        raise Usage("No file that can be imported was named.", remedy=f"Importable: {names}.")
    order = list(_READERS)
    done = []
    seen = _Seen()
    for path in sorted(chosen, key=lambda path: (order.index(chosen[path].name), path)):
        reading = _Reading(
            context=context,
            session=session.id,
            now=context.clock.now(),
            wall=wall,
            dry=dry_run,
            out=Imported(path),
            seen=seen,
        )
        _read(reading, chosen[path], files[path])
        done.append(reading.out)
    return done


def _read(reading: _Reading, file: statefiles.StateFile, content: bytes) -> None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        reading.out.wrong("this is not UTF-8 text", line, column)
        return
    if file.format is FileFormat.JSON_LINES:
        _lines(reading, text, _READERS[file.name])
        return
    document = _parsed(reading, text, 1)
    if document is not None:
        _READERS[file.name](reading, [(0, document)])
    if not reading.dry and reading.out.taken:
        with unit(reading.context) as opened:
            opened.log(
                "imported", file=reading.out.file, taken=len(reading.out.taken), left=len(reading.out.left)
            )


def _parsed(reading: _Reading, text: str, line: int) -> dict[str, Any] | None:
    """Return a JSON object, or name what is wrong with it."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        reading.out.wrong(f"this is no JSON: {error.msg}", line + error.lineno - 1, error.colno)
    except RecursionError:
        reading.out.wrong("this is nested too deeply", line)
    except ValueError as error:
        reading.out.wrong(f"this is no JSON: {error}", line)  # a number of many thousand digits
    else:
        if isinstance(document, dict):
            return document
        reading.out.wrong("this is no JSON object", line, 1)
    return None


def _lines(reading: _Reading, text: str, read: Reader) -> None:
    lines = text.removesuffix("\n").split("\n")  # not splitlines: JSON may hold other line separators
    if len(lines) > LINES_MAX:
        reading.out.wrong(f"the file has {len(lines)} lines; only the newest {LINES_MAX} are read")
    first = max(0, len(lines) - LINES_MAX)
    found = []
    for number, line in enumerate(lines[first:], first + 1):
        document = _parsed(reading, line, number) if line.strip() else None
        if document is not None:
            found.append((number, document))
    read(reading, found)


def _text(document: Mapping[str, Any], *names: str) -> str:
    """Return the first of these values that is a text."""
    return next((value for name in names if isinstance(value := document.get(name), str)), "")


def _live_elsewhere(reading: _Reading, tx: Transaction, agent: str) -> bool:
    """Tell whether an agent is at work here, so that a file may not speak for it."""
    known = tx.agents.get(agent)
    if known is None or not known.active or known.session != reading.session or known.program == PROGRAM:
        return False
    return known.owner is None or reading.context.processes.alive(known.owner) is not False


def _locks(reading: _Reading, documents: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Take the locks of 001 or 002 as leases."""
    for _, document in documents:
        locks = document.get("locks")
        if not isinstance(locks, dict):
            reading.out.wrong("there is no object `locks` in it")
            continue
        for path, lock in locks.items():
            if not isinstance(lock, dict):
                reading.out.leave(path, "its lock is no object")
                continue
            with _naming(reading, path):
                _lock(reading, path, lock)


def _lock(reading: _Reading, path: str, lock: Mapping[str, Any]) -> None:
    context, out = reading.context, reading.out
    agent = agents.checked_name(_text(lock, "agent", "agent_id"))
    left_s = _when(reading, _text(lock, "expires", "expires_at")) - reading.now.wall_s
    if left_s <= 0:
        out.leave(path, f"the lock of {agent} was over at {_text(lock, 'expires', 'expires_at')}")
        return
    names = context.worktrees.canonical(context.repository.root, (path,))
    with context.store.read() as tx:
        if _live_elsewhere(reading, tx, agent):
            out.leave(path, f"{agent} is at work here and asks for itself")
            return
        live = standing(context.processes, reading.now, tx.leases.overlapping(names))
    others = sorted({lease.agent for lease in live if lease.agent != agent})
    if reading.dry:
        if others:
            out.leave(path, f"it is held by {', '.join(others)}")
        else:
            out.taken.append(path)
        return
    _known(reading, agent, _text(lock, "stream", "stream_id"))
    answer = leases.acquire(
        context, agent=agent, resources=names, duration_s=left_s, task=_text(lock, "task")
    )
    if answer.granted:
        out.taken.append(path)
    else:
        out.leave(path, answer.reason)


def _known(reading: _Reading, agent: str, stream: str) -> None:
    """Register the agent of a file, in its stream if that is one of the session's."""
    with reading.context.store.read() as tx:
        names = {row.stream.name.casefold() for row in tx.sessions.streams(reading.session)}
    agents.register(
        reading.context, agent=agent, stream=stream if stream.casefold() in names else "", program=PROGRAM
    )


@contextmanager
def _naming(reading: _Reading, what: str) -> Iterator[None]:
    """Turn what is refused or malformed in one item of a file into a named refusal, so that the others go on."""
    try:
        yield
    except (Refused, Usage) as error:
        reading.out.leave(what, error.message)


def _when(reading: _Reading, text: str) -> float:
    """Return a time in seconds since 1970.

    Raises:
        Usage: it is none.
    """
    try:
        return reading.wall(text)
    except (ValueError, OverflowError, OSError) as error:
        raise Usage(f"{text!r} is no time") from error


def _intents(reading: _Reading, documents: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Take 002's intents as plans; they count from now on for twice their estimate."""
    for _, document in documents:
        found = document.get("intents")
        if not isinstance(found, list):
            reading.out.wrong("there is no list `intents` in it")
            continue
        for number, intent in enumerate(found, 1):
            if not isinstance(intent, dict):
                reading.out.leave(f"intent {number}", "it is no object")
                continue
            with _naming(reading, f"intent of {_text(intent, 'agent_id')!r}"):
                _intent(reading, intent)


def _intent(reading: _Reading, intent: Mapping[str, Any]) -> None:
    context, out = reading.context, reading.out
    agent = agents.checked_name(_text(intent, "agent_id"))
    files = intent.get("files")
    minutes = intent.get("estimated_duration_min")
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise Usage("its files are no list of texts")
    if not isinstance(minutes, (int, float)) or not 0 < minutes <= ESTIMATE_MIN_MAX:
        raise Usage("it has no estimated duration in minutes")
    ends_s = _when(reading, _text(intent, "signaled_at")) + 2 * 60 * minutes
    if ends_s <= reading.now.wall_s:
        out.leave(f"intent of {agent}", f"it was over at {iso(ends_s)}")
        return
    names = context.worktrees.canonical(context.repository.root, files)
    with context.store.read() as tx:
        if _live_elsewhere(reading, tx, agent):
            out.leave(f"intent of {agent}", f"{agent} is at work here and speaks for itself")
            return
    if not reading.dry:
        _known(reading, agent, _text(intent, "stream_id"))
        intents.signal(
            context,
            agent=agent,
            files=names,
            description=_text(intent, "description"),
            estimated_duration_s=minutes * 60,
        )
    out.taken.append(f"intent of {agent} on {', '.join(names[:3])}")


def _handoffs(reading: _Reading, documents: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Add hand-offs in the forms of 001 and 002; none replaces another."""
    for _, document in documents:
        several = document.get("handoffs", [document])
        if not isinstance(several, list):
            reading.out.wrong("`handoffs` is no list")
            continue
        for number, one in enumerate(several, 1):
            if not isinstance(one, dict):
                reading.out.leave(f"hand-off {number}", "it is no object")
                continue
            with _naming(reading, f"hand-off {number} of {_text(one, 'from_agent')!r}"):
                _handoff(reading, one)


def _handoff(reading: _Reading, document: Mapping[str, Any]) -> None:
    read = forms.from_document(document)
    agents.checked_name(read.giver)
    handoff = replace(
        read, session=reading.session, transfer=False, given_at=iso(_when(reading, read.given_at))
    )
    with reading.context.store.read() as tx:
        told = [*reading.seen.handoffs, *tx.handoffs.all(reading.session)]
    if any(_same(handoff, other) for other in told):
        reading.out.known += 1
        return
    reading.seen.handoffs.append(handoff)
    if not reading.dry:
        with unit(reading.context) as opened:
            number = opened.tx.handoffs.add(handoff)
            opened.log(
                "hand-off imported",
                agent=handoff.giver,
                handoff=number,
                to=list(handoff.to),
                imported=reading.out.file,
            )
    reading.out.taken.append(f"hand-off of {handoff.giver} to {', '.join(handoff.to) or 'any agent'}")


def _same(one: HandOff, other: HandOff) -> bool:
    """Tell whether two hand-offs are one in different forms: 002's names only the first receiver."""
    to_both = not one.to or not other.to or bool(set(one.to) & set(other.to))
    return (one.giver, one.given_at) == (other.giver, other.given_at) and to_both


def _log_lines(reading: _Reading, documents: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Add lines of a log as entries under their own times, each once."""
    with reading.context.store.read() as tx:
        query = Query(session=reading.session, limit=LINES_MAX)
        there = reading.seen.entries
        there.update(_identity(entry) for entry in tx.entries.select(query))
    entries: list[Entry] = []
    for number, line in documents:
        try:
            entry = _entry(reading, line, number)
        except Usage as error:
            reading.out.wrong(error.message, number)
            continue
        if _identity(entry) in there:
            reading.out.known += 1
            continue
        there.add(_identity(entry))
        entries.append(entry)
        reading.out.lines += 1
    for start in range(0, 0 if reading.dry else len(entries), BATCH):
        with reading.context.store.transaction() as tx:
            for entry in entries[start : start + BATCH]:
                tx.entries.add(entry)


def _identity(entry: Entry) -> tuple[Any, ...]:
    """Return what makes two entries the same happening, whichever file tells of it."""
    return entry.timestamp, entry.agent, entry.action, entry.files


def _entry(reading: _Reading, line: Mapping[str, Any], number: int) -> Entry:
    """Return a line as an entry, whichever design wrote it."""
    timestamp = iso(_when(reading, _text(line, "timestamp")))
    action = _text(line, "action", "warning", "message", "event_type")
    if not action.strip():
        raise Usage("it has neither action, warning nor message")
    files = _files(reading, line)
    agent = _text(line, "agent", "agent_id")
    details = _details(line)
    try:
        agents.checked_name(agent)
    except Usage:
        details, agent = {**details, "agent": agent}, ""
    if len(json.dumps(details)) > DETAILS_LENGTH_MAX:
        details = {"cut": f"the details of line {number} were longer than {DETAILS_LENGTH_MAX} characters"}
    stream = _text(line, "stream", "stream_id")
    try:
        f"{action}{stream}".encode()
    except UnicodeEncodeError as error:
        raise Usage("it holds half a character") from error
    return Entry(
        timestamp=timestamp,
        session=reading.session,
        agent=agent,
        stream=stream[: agents.NAME_LENGTH_MAX],
        level=_level(line),
        action=action[:ACTION_LENGTH_MAX],
        files=files,
        details={
            **details,
            "door": reading.context.door,
            "imported": reading.out.file,
            "line": number,
        },
    )


def _level(line: Mapping[str, Any]) -> Level:
    said = _text(line, "pucs_level", "level")
    if said in Level.__members__:
        return Level(said)
    return Level.CONFLICT if "warning" in line else _LEVELS.get(said, Level.INFO)


def _details(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else a line says, so that an export writes it as it was."""
    own = line.get("details")
    if isinstance(own, dict):
        return {key: value for key, value in own.items() if key not in {"line", "imported"}}
    if "severity" in line:
        return {"severity": line["severity"], "warning": _text(line, "warning")}
    if "event_type" in line and "pucs_level" not in line:
        found = {key: line[key] for key in _AGENT_LOGGER if key in line}
        return {("log_level" if key == "level" else key): value for key, value in found.items()}
    if isinstance(line.get("data"), dict) and "pucs_level" in line:
        return dict(line["data"])
    fixed = {"timestamp", "agent", "stream", "action", "file", "files"}
    return {key: value for key, value in line.items() if key not in fixed}


def _files(reading: _Reading, line: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files of a line as canonical resources; what is outside the repository is left out."""
    named = line.get("files_affected") or line.get("files") or [line.get("file")]
    texts = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    known = reading.seen.files
    for name in texts:
        if name not in known:
            known[name] = ()
            with _naming(reading, f"file {name!r}"):
                known[name] = reading.context.worktrees.canonical(reading.context.repository.root, (name,))
    return tuple(dict.fromkeys(resource for name in texts for resource in known[name]))


_READERS: dict[str, Reader] = {
    "file_locks.json": _locks,
    "pucs_locks.json": _locks,
    "pucs_intents.json": _intents,
    "handoffs.json": _handoffs,
    "handoff.json": _handoffs,
    "pucs_log.json": _log_lines,
    "agent_activity.jsonl": _log_lines,
    "conflict_warnings.jsonl": _log_lines,
}
"""How each file is read, in the order in which they are: locks first, what is told of them last."""
