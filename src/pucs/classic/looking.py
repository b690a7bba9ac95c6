"""What an agent sees before it changes something: who holds it, plans it, waits for it, builds on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.coordinator import conflicts, inspecting, intents
from pucs.coordinator.status import status
from pucs.core.resources import file_path, is_named
from pucs.intents.records import Obstacle

if TYPE_CHECKING:
    from pucs.classic.places import Place
    from pucs.intents.records import Contest, Waiting

FOUND_MAX = 10
"""Findings in an answer; ``existing_count`` says how many there are."""


def before_change(place: Place, agent: str, path: str, *, stream: str) -> dict[str, Any]:
    """Return who is in the way of a change, with the keys of ``AgentLogger.check_conflicts_before_change``."""
    name = place.canonical([path])[0]
    covered_by = inspecting.why(place.context, resource=name).stream
    seen = intents.check(place.context, files=[name], agent=agent, stream=stream)
    dependents = _dependents(place, name, covered_by)
    found = [
        *map(_contest, seen.conflicts),
        *map(_waits, seen.waiting),
        *(_depends(name, other) for other in dependents),
    ]
    notice = [f"Keep its interface, or tell the agents of {', '.join(dependents)}"] if dependents else []
    return {
        "proposed_feature": path,
        "matched_categories": [each for each in (covered_by, *dependents) if each],
        "existing_count": len(found),
        "existing_implementations": found[:FOUND_MAX],
        "warnings": [
            *(contest.details for contest in seen.conflicts),
            *(f"{waiting.agent} waits for {', '.join(waiting.resources)}" for waiting in seen.waiting),
        ],
        "recommendations": [*seen.suggestions, *notice],
        "conflict_risk": _risk({contest.kind for contest in seen.conflicts}, waited=bool(seen.waiting)),
    }


def _risk(kinds: set[Obstacle], *, waited: bool) -> str:
    """Return how likely a change would be in vain: it would be refused, others want it too, or nobody minds."""
    if kinds - {Obstacle.INTENT_OVERLAP}:
        return "high"
    return "medium" if kinds or waited else "low"


def _contest(contest: Contest) -> dict[str, str]:
    return {
        "kind": contest.conflict_type,
        "file": contest.file,
        "agent": contest.holder,
        "stream": contest.holder_stream,
        "details": contest.details,
    }


def _waits(waiting: Waiting) -> dict[str, str]:
    return {
        "kind": "QUEUED",
        "file": ", ".join(waiting.resources),
        "agent": waiting.agent,
        "stream": "",
        "details": "waits for it",
    }


def _depends(name: str, stream: str) -> dict[str, str]:
    return {
        "kind": "DEPENDENT",
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
    lines += ["", "## Intents", ""]
    lines += [
        f"- {one.agent}: {', '.join(one.resources)} ({one.state.value}), for: {one.description}"
        for one in intents.intents(place.context)
    ] or ["- none"]
    lines += ["", "## Open conflicts", ""]
    lines += [
        f"- {each.kind.value} on {', '.join(each.resources)}: {', '.join(each.parties)}"
        for each in conflicts.conflicts(place.context, unresolved=True)
    ] or ["- none"]
    return "\n".join(lines) + "\n"
