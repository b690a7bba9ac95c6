"""Configurations as JSON for the store's rows, with the standard library only, because hot paths decode them.

A field that is missing in the text takes its default and one that is unknown is ignored, so that rows written by the
neighbouring version stay readable; the store's schema number refuses anything further away.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from pucs.streams.records import CriticalFile, Stream

if TYPE_CHECKING:
    from pucs.streams.settings import Configuration

_Record = TypeVar("_Record")


def encode(configuration: Configuration) -> str:
    """Return a configuration as one line of ASCII JSON."""
    return _dump(asdict(configuration))


def decode(text: str) -> Configuration:
    """Return the configuration that ``encode`` wrote."""
    from pucs.streams import settings  # noqa: PLC0415 - light commands decode streams only

    data = json.loads(text)
    parts: dict[str, type[Any]] = {
        "limits": settings.Limits,
        "worktrees": settings.WorktreeSettings,
        "branches": settings.BranchSettings,
        "merge": settings.MergeSettings,
        "agents": settings.AgentSettings,
        "tests": settings.TestSettings,
        "readiness": settings.ReadinessSettings,
    }
    lists: dict[str, type[Any]] = {
        "streams": Stream,
        "critical_files": CriticalFile,
        "resources": settings.ResourceLimit,
    }
    agents = data.get("agents", {})
    if "programs" in agents:
        agents["programs"] = [_record(settings.ProgramSettings, item) for item in agents["programs"]]
    for name, record in parts.items():
        if name in data:
            data[name] = _record(record, data[name])
    for name, record in lists.items():
        if name in data:
            data[name] = tuple(_record(record, item) for item in data[name])
    return _record(settings.Configuration, data)


def encode_stream(stream: Stream) -> str:
    """Return one stream as one line of ASCII JSON."""
    return _dump(asdict(stream))


def decode_stream(text: str) -> Stream:
    """Return the stream that ``encode_stream`` wrote."""
    return _record(Stream, json.loads(text))


def _dump(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"))


def _record(record: type[_Record], data: dict[str, Any]) -> _Record:
    known = {field.name for field in fields(record)}  # type: ignore[arg-type]
    return record(**{name: _frozen(value) for name, value in data.items() if name in known})


def _frozen(value: Any) -> Any:
    """Return JSON lists as tuples, at any depth."""
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value
