"""``pucs state --json`` is the document of seed 000 §3.2: held against a schema that was drawn from it alone."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.coordinator import agents, leases
from pucs.coordinator.context import Context
from pucs.coordinator.intents import signal
from pucs.coordinator.log import log
from pucs.coordinator.status import state
from pucs.core.modes import Mode
from pucs.core.resources import ROOT
from pucs.streams.records import CriticalFile, Session, SessionState, Stream, StreamRow, StreamState
from pucs.streams.settings import Configuration
from pucs.tasks.records import Task, TaskState
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Kept

SEED: dict[str, Any] = {
    "session_id": "PUCS-20251206-001",
    "started_at": "2025-12-06T10:00:00Z",
    "streams": {
        "execution": {
            "status": "active",
            "agents": ["exec-agent-1", "exec-agent-2"],
            "locked_files": [
                {
                    "path": "execution/fill_predictor.py",
                    "agent": "exec-agent-1",
                    "intent": "Adding ML model feature",
                    "locked_at": "2025-12-06T10:15:00Z",
                    "expires_at": "2025-12-06T10:45:00Z",
                }
            ],
            "completed_tasks": 5,
            "pending_tasks": 12,
        }
    },
    "critical_files": {
        "config/__init__.py": {
            "status": "locked",
            "owner": "risk-agent-1",
            "queue": ["llm-agent-3", "exec-agent-1"],
        }
    },
    "conflicts": [],
    "cross_log": [],
}
"""The document as the seed draws it (000 §3.2)."""
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "null": type(None),
}  # fmt: skip
KNOWN = {
    "$schema", "title", "description", "type", "properties", "required", "additionalProperties", "items", "enum",
    "pattern", "minimum", "minLength",
}  # fmt: skip


def problems(schema: dict[str, Any], value: Any, place: str = "$") -> Iterator[str]:
    """Yield where a value breaks a schema; only the words of JSON Schema that ours uses, and no others."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    wanted = schema.get("type", [])
    names = [wanted] if isinstance(wanted, str) else wanted
    if names and not any(isinstance(value, TYPES[name]) and not isinstance(value, bool) for name in names):
        yield f"{place} is no {' or '.join(names)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is {value!r}"
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0) or not re.search(schema.get("pattern", ""), value):
            yield f"{place} is {value!r}"
    elif isinstance(value, int) and value < schema.get("minimum", value):
        yield f"{place} is {value}"
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from problems(schema.get("items", {}), item, f"{place}[{number}]")
    elif isinstance(value, dict):
        yield from _members(schema, value, place)


def _members(schema: dict[str, Any], value: dict[str, Any], place: str) -> Iterator[str]:
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    yield from (f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value)
    for name, member in value.items():
        if name in known or isinstance(more, dict):
            yield from problems(known.get(name, more), member, f"{place}.{name}")
        elif more is False:
            yield f"{place}.{name} is too much"


@pytest.fixture(scope="module")
def schema(project: Path) -> dict[str, Any]:
    """Return the published schema."""
    text = (project / "docs/reference/state.schema.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


@pytest.fixture
def context(kept: Kept) -> Context:
    """Return a session in which everything that the document shows is going on."""
    clock = FakeClock()
    made = Context(
        store=kept(clock),
        clock=clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Any", None),
        door="test",
    )
    streams = tuple(Stream(name=name, files_pattern=(f"{name}/**",)) for name in ("shop", "till", "docs"))
    critical = (
        CriticalFile(path="setup.cfg", max_lock_duration_s=900.0),
        CriticalFile(path="*.lock", max_lock_duration_s=900.0),
    )
    with made.store.transaction() as tx:
        started_at = clock.now().wall()
        tx.sessions.put(
            Session(id="S", state=SessionState.ACTIVE, base="b", target="", branch="s", started_at=started_at)
        )
        tx.sessions.put_configuration(Configuration(streams=streams, critical_files=critical))
        for stream, state_ in zip(
            streams, (StreamState.ACTIVE, StreamState.CONFLICTED, StreamState.MERGED), strict=True
        ):
            tx.sessions.put_stream(StreamRow(session="S", stream=stream, branch=stream.name, state=state_))
        for number, task_state in enumerate(TaskState):
            tx.tasks.put(Task(id=f"T-{number}", title="t", stream="shop", session="S", state=task_state))
    for agent, name in (("ann", "shop"), ("bob", "till"), ("cid", "shop")):
        agents.register(made, agent=agent, stream=name)
    leases.acquire(made, agent="ann", resources=["shop/a.py", "setup.cfg"], task="VAT")
    leases.acquire(made, agent="bob", resources=["till/"], mode=Mode.SHARED_READ)
    leases.acquire(made, agent="dan", resources=["README.md"])
    leases.acquire(made, agent="bob", resources=["shop/b.py"])
    log(made, agent="ann", action="Modified a.py", files=["shop/a.py"], details={"lines_changed": 45})
    return made


def test_the_seeds_own_document_is_valid(schema: dict[str, Any]) -> None:
    """What the seed drew passes as it stands."""
    assert list(problems(schema, SEED)) == []


def test_a_busy_session_is_valid(schema: dict[str, Any], context: Context) -> None:
    """Streams in every state, leases, a critical file, tasks, conflicts and a log; also once it went through JSON."""
    found = json.loads(json.dumps(state(context)))
    assert list(problems(schema, found)) == []
    assert {name: stream["status"] for name, stream in found["streams"].items()} == {
        "shop": "active", "till": "conflicted", "docs": "merged",
    }  # fmt: skip
    assert found["streams"]["shop"]["agents"] == ["ann", "cid"]
    assert (found["streams"]["shop"]["completed_tasks"], found["streams"]["shop"]["pending_tasks"]) == (1, 3)
    assert found["critical_files"]["setup.cfg"] == {"status": "locked", "owner": "ann", "queue": []}
    assert found["critical_files"]["*.lock"] == {"status": "free", "owner": None, "queue": []}
    assert found["conflicts"]
    assert found["cross_log"][-1]["details"]["lines_changed"] == 45


def test_the_keys_are_the_seeds_and_no_others(context: Context) -> None:
    """At every level that the seed drew, the sets of keys are equal."""
    found = state(context)
    assert list(found) == list(SEED)
    stream, drawn = found["streams"]["shop"], SEED["streams"]["execution"]
    assert list(stream) == list(drawn)
    assert list(stream["locked_files"][0]) == list(drawn["locked_files"][0])
    assert list(found["critical_files"]["setup.cfg"]) == list(SEED["critical_files"]["config/__init__.py"])


def test_the_queue_of_a_critical_file_is_shown_in_order(context: Context) -> None:
    """Who waits for the file, or for a directory around it."""
    shown: list[Any] = []

    def look(_: float) -> None:
        if not shown:
            shown.append(state(context)["critical_files"]["setup.cfg"]["queue"])
            context.clock.pass_s(10_000.0)  # type: ignore[attr-defined]

    context.bells.during = look  # type: ignore[attr-defined]
    assert not leases.acquire(context, agent="eve", resources=[ROOT], wait_s=5.0).granted
    assert shown == [["eve"]]


def test_a_lease_says_what_it_is_held_for(context: Context) -> None:
    """The task it was taken for, else the plan that its agent declared for it, else nothing."""
    signal(context, agent="cid", files=["shop/c.py"], description="Adding ML model feature")
    for resource in ("shop/c.py", "shop/d.py"):
        leases.acquire(context, agent="cid", resources=[resource])
    held = state(context)["streams"]["shop"]["locked_files"]
    assert {one["path"]: one["intent"] for one in held} == {
        "setup.cfg": "VAT",
        "shop/a.py": "VAT",
        "shop/c.py": "Adding ML model feature",
        "shop/d.py": "",
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("session_id",), None),
        (("session_id",), ""),
        (("started_at",), "10:00"),
        (("started_at",), "2025-12-06T10:00:00"),
        (("streams", "execution", "status"), "busy"),
        (("streams", "execution", "agents"), "exec-agent-1"),
        (("streams", "execution", "completed_tasks"), -1),
        (("streams", "execution", "completed_tasks"), 1.5),
        (("streams", "execution", "pending_tasks"), True),
        (("streams", "execution", "more"), 1),
        (("streams", "execution", "locked_files", 0, "expires_at"), "soon"),
        (("streams", "execution", "locked_files", 0, "token"), 7),
        (("critical_files", "config/__init__.py", "owner"), 3),
        (("critical_files", "config/__init__.py", "queue", 0), 3),
        (("conflicts",), [{}]),
        (("cross_log",), [{"seq": 0}]),
        (("surplus",), {}),
    ],
)
def test_every_deviation_is_found(schema: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    """A wrong type, a wrong word, a key too many: the check that the others rely on sees it."""
    document = copy.deepcopy(SEED)
    at: Any = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    assert list(problems(schema, document))


@pytest.mark.parametrize("key", list(SEED))
def test_a_missing_key_is_found(schema: dict[str, Any], key: str) -> None:
    """Each of the six is needed."""
    assert list(problems(schema, {name: value for name, value in SEED.items() if name != key})) == [
        f"$.{key} is missing"
    ]
