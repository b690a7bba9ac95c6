"""The configuration that an analysis proposes, as ``analyze --write`` and ``init`` write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pucs.cli.analysis_text import lower_first, places
from pucs.cli.door import count
from pucs.streams.proposal import Watched, render
from pucs.streams.records import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WATCHED_MAX: Final = 15
"""Critical files in a proposed configuration: a longer list nobody would read."""
HIGH_MIN: Final = 30
MEDIUM_MIN: Final = 60
"""Longest leases: half of what any file may be held is short enough for files that others only sometimes need."""
_TIES_TOLD: Final = 4
_PLACES: Final = 8
_UNCOVERED_MAX: Final = 400
"""Length of the list of shared places, in letters, that a comment bears."""


def configuration_text(document: Mapping[str, Any]) -> str:
    """Return the text of the ``pucs.yaml`` that a document of an analysis proposes."""
    streams = [
        Stream(
            name=name,
            description=" ".join(stream["description"].split()),
            files_pattern=tuple(stream["files_pattern"]),
            max_agents=stream["max_agents"],
            dependencies=tuple(stream["dependencies"]),
            test_pattern=tuple(stream["test_pattern"]),
        )
        for name, stream in document["streams"].items()
    ]
    if not streams:
        # There is nothing to go by, yet sessions work: all agents are in one stream.
        streams = [
            Stream(name="main", description="The whole repository.", files_pattern=("**",), max_agents=2)
        ]
    return render(
        streams,
        watched=list(_watched(document)),
        about=list(_about(document)),
        notes={name: _note(name, document) for name in document["streams"]},
    )


def _note(name: str, document: Mapping[str, Any]) -> str:
    """Return what was found of a stream: its size, and whom it imports most."""
    stream = document["streams"][name]
    said = f"{count(stream['files'], 'file')}, {stream['lines']:,} lines"
    ties = sorted(
        ((tie["imports"], tie["imported"]) for tie in document["ties"] if tie["importer"] == name),
        reverse=True,
    )
    users = sum(tie["imported"] == name for tie in document["ties"])
    if not ties and not users:
        return f"{said}; imports no other stream, and none imports it."
    if ties:
        told = ", ".join(f"{other} ({imports})" for imports, other in ties[:_TIES_TOLD])
        more = f" and {len(ties) - _TIES_TOLD} more" if len(ties) > _TIES_TOLD else ""
        said += f"; {stream['independence_pct']} % of its imports stay inside, others lead to {told}{more}"
    else:
        said += "; imports no other stream"
    return f"{said}; {count(users, 'stream imports', 'streams import')} it." if users else f"{said}."


def _watched(document: Mapping[str, Any]) -> Iterator[Watched]:
    """Give the files that several streams rely on, the most critical first."""
    shared = [
        one for one in document["critical_files"] if one["risk"] == "HIGH" or " other stream" in one["reason"]
    ]
    listed = [one for one in shared if one["risk"] in {"HIGH", "MEDIUM"}]
    for one in listed[:WATCHED_MAX]:
        high = one["risk"] == "HIGH"
        tests = f", {count(len(one['tests']), 'test file')}" if one["tests"] else ""
        yield Watched(
            path=one["path"],
            lock_duration_min=HIGH_MIN if high else MEDIUM_MIN,
            requires_review=high,
            reason=f"{one['risk']}: {one['reason']}{tests}",
        )


def _about(document: Mapping[str, Any]) -> Iterator[str]:
    """Give what whoever adjusts the file should know, in sentences."""
    if not document["streams"]:
        return
    by = {"directories": "by directories", "imports": "by who imports whom"}.get(document["method"], "")
    cut = next((one for one in document["proposals"] if one["method"] == document["method"]), None)
    if cut is not None and len(document["streams"]) > 1:
        yield f"Proposed {by}: {cut['cut_pct']:.0f} % of the imports lead from one stream to another."
    for one in document["proposals"]:
        if one["method"] != document["method"] and len(one["streams"]) > 1:
            yield (
                f"Another proposal, {len(one['streams'])} streams by {one['method']}, would cut "
                f"{one['cut_pct']:.0f} %: pucs analyze --streams {one['method']}"
            )
    advice = document["advice"]
    if advice and advice["method"] != document["method"] and len(document["proposals"]) > 1:
        yield f"The figures speak for the one by {advice['method']}: {lower_first(advice['reason'])}"
    if document["circles"]:
        told = ", ".join(f"{importer} -> {imported}" for importer, imported in document["circles"][:_PLACES])
        yield f"Streams that import each other are ordered by the heavier direction; left out: {told}."
    if document["uncovered"]:
        told = ", ".join(places(document["uncovered"], _PLACES))
        yield f"In no stream, and so shared: {told[:_UNCOVERED_MAX]}."
    if document["skipped"]:
        yield f"{count(document['skipped'], 'file')} could not be read in time; pucs analyze reads them all."
