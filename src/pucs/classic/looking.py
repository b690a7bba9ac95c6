"""What an agent sees before it plans or changes something: who holds it, waits for it, builds on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.coordinator import conflicts, inspecting
from pucs.coordinator.status import status
from pucs.core.resources import file_path, is_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.classic.places import Place
    from pucs.locks.records import Lease, Request

FOUND_MAX = 10
"""Findings in an answer; ``existing_count`` says how many there are."""


def before_change(place: Place, agent: str, path: str, *, stream: str) -> dict[str, Any]:
    """Return who is in the way of a change, with the keys of ``AgentLogger.check_conflicts_before_change``."""
    name = place.canonical([path])[0]
    covered_by = inspecting.why(place.context, resource=name).stream
    held = [lease for lease in place.holders(path) if lease.agent != agent]
    waiting = [request for request in place.waiting(path) if request.agent != agent]
    dependents = _dependents(place, name, covered_by)
    crossed = bool(covered_by and stream) and covered_by.casefold() != stream.casefold()
    found = [*map(_held, held), *map(_waits, waiting), *(_depends(name, other) for other in dependents)]
    return {
        "proposed_feature": path,
        "matched_categories": [each for each in (covered_by, *dependents) if each],
        "existing_count": len(found),
        "existing_implementations": found[:FOUND_MAX],
        "warnings": list(_warnings(held, waiting, covered_by if crossed else "")),
        "recommendations": list(_recommendations(held, dependents, covered_by if crossed else "")),
        "conflict_risk": "high" if held or crossed else "medium" if waiting else "low",
    }


def _held(lease: Lease) -> dict[str, str]:
    return {
        "kind": "lock",
        "file": lease.resource,
        "agent": lease.agent,
        "stream": lease.stream,
        "details": f"{lease.mode.value} until {lease.expires_at} for: {lease.task}",
    }


def _waits(request: Request) -> dict[str, str]:
    return {
        "kind": "queue",
        "file": ", ".join(name for name, _ in request.resources),
        "agent": request.agent,
        "stream": request.stream,
        "details": f"waits for: {request.task}",
    }


def _depends(name: str, stream: str) -> dict[str, str]:
    return {
        "kind": "dependency",
        "file": name,
        "agent": "",
        "stream": stream,
        "details": f"stream {stream} builds on it",
    }


def _dependents(place: Place, name: str, covered_by: str) -> list[str]:
    """Return the streams whose dependencies mean this path or the stream that covers it."""
    with place.context.store.read() as tx:
        session = tx.sessions.get(place.context.session) if place.context.session else tx.sessions.active()
        streams = [row.stream for row in tx.sessions.streams(session.id)] if session else []
    path = "" if is_named(name) else file_path(name)
    return [
        each.name
        for each in streams
        if each.name != covered_by and any(_means(entry, path, covered_by) for entry in each.dependencies)
    ]


def _means(entry: str, path: str, covered_by: str) -> bool:
    """Tell whether a dependency means a path: by the name of the stream that covers it, or as a path around it."""
    if covered_by and entry.casefold() == covered_by.casefold():
        return True
    root = entry.strip("/").removesuffix(".py")
    return bool(path) and f"{path.removesuffix('.py')}/".startswith(f"{root}/")


def _warnings(held: Sequence[Lease], waiting: Sequence[Request], crossed: str) -> Iterator[str]:
    for lease in held:
        yield f"{lease.resource} is held by {lease.agent} until {lease.expires_at} for: {lease.task}"
    for request in waiting:
        yield f"{request.agent} waits for it: {request.task}"
    if crossed:
        yield f"It belongs to stream {crossed}"


def _recommendations(held: Sequence[Lease], dependents: Sequence[str], crossed: str) -> Iterator[str]:
    for lease in held:
        yield f"Wait for {lease.agent} or work on different files"
    if crossed:
        yield f"Ask an agent of {crossed} to make the change"
    if dependents:
        yield f"Keep its interface, or tell the agents of {', '.join(dependents)}"


def planning_context(place: Place) -> str:
    """Return the session as Markdown for an agent that plans."""
    found = status(place.context)
    lines = [
        "# Planning Context",
        "",
        f"Session {found['session']}, started {found['started_at']}",
        "",
        "## Streams",
        "",
    ]
    lines += [
        f"- {row['name']}: {row['percent']} %, agents: {', '.join(row['agents']) or 'none'}"
        for row in found["streams"]
    ]
    lines += ["", "## Locks", ""]
    lines += [
        f"- {lock['resource']}: {lock['agent']} ({lock['mode']}) until {lock['expires_at']}, for: {lock['task']}"
        for lock in found["locks"]
    ] or ["- none"]
    lines += ["", "## Open conflicts", ""]
    lines += [
        f"- {each.kind.value} on {', '.join(each.resources)}: {', '.join(each.parties)}"
        for each in conflicts.conflicts(place.context, unresolved=True)
    ] or ["- none"]
    return "\n".join(lines) + "\n"
