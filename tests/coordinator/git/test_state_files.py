"""The designs' state files: out of a store, into another one, and out again; and files that want to break something."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pucs.conflicts.records import Kind
from pucs.coordinator import agents, intents, leases, sessions
from pucs.coordinator.conflicts import record
from pucs.coordinator.context import unit
from pucs.coordinator.exporting import EXPORTABLE, documents, registry
from pucs.coordinator.importing import PROGRAM, Imported, import_files
from pucs.coordinator.log import log
from pucs.core.errors import Refused, Usage
from pucs.core.instants import parse_iso
from pucs.core.modes import Mode
from pucs.core.severities import Severity
from pucs.crosslog.records import Level, Query
from pucs.crosslog.statefiles import FILES, named
from pucs.messages.handoffs import Contents, HandOff
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git
NOW = "2025-12-06T10:00:00"
LATER = "2025-12-06T10:30:00"
TIMES = {
    "acquired", "acquired_at", "expires", "expires_at", "signaled_at", "timestamp", "started_at", "locked_at",
}  # fmt: skip


def exported(world: World, *only: str) -> dict[str, str]:
    return {one.path: one.text for one in documents(world.context, only=only)}


def document(world: World, name: str) -> Any:
    return json.loads(exported(world, name)[name])


def lines(world: World, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported(world, name)[name].splitlines()]


def imported(world: World, name: str, content: Any, **named_: Any) -> Imported:
    """Import one file, given as text, bytes or the document it holds."""
    text = content if isinstance(content, (str, bytes)) else json.dumps(content)
    data = text.encode() if isinstance(text, str) else text
    (one,) = import_files(world.context, {f"state/{name}": data}, **named_)
    return one


def lock_file(**locks: dict[str, Any]) -> dict[str, Any]:
    """Return 001's file with one lock for each path; ``__`` stands for ``/`` and a dot is added before ``py``."""
    made = {"agent": "ann", "stream": "core", "acquired": NOW, "expires": LATER, "task": "T-1"}
    return {"locks": {path: {**made, **lock} for path, lock in locks.items()}, "version": 1}


def held(world: World) -> dict[str, str]:
    with world.context.store.read() as tx:
        return {lease.resource: lease.agent for lease in tx.leases.live()}


def timeless(value: Any) -> Any:
    """Return a document without its times."""
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in TIMES}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def busy(world: World) -> World:
    """Let agents hold, plan, warn and hand over."""
    for agent in ("ann", "bob"):
        agents.register(world.context, agent=agent, stream="core")
    leases.acquire(world.context, agent="ann", resources=["core/a.py"], task="VAT")
    leases.acquire(world.context, agent="bob", resources=["docs/"], mode=Mode.SHARED_READ)
    intents.signal(
        world.context,
        agent="ann",
        files=["core/new.py"],
        description="a new module",
        estimated_duration_s=45 * 60,
    )
    log(
        world.context, agent="bob", action="Modified b.py", files=["core/b.py"], details={"lines_changed": 45}
    )
    log(
        world.context,
        agent="bob",
        action="b.py imports a.py",
        level=Level.CONFLICT,
        details={"severity": "high"},
    )
    given_at = world.context.clock.now().wall()
    with unit(world.context) as opened:
        for done in ("first", "second"):
            contents = Contents(completed=(done,), test_status="passing", notes=f"{done} notes")
            handoff = HandOff(
                session="S1",
                giver="ann",
                to=("bob",),
                contents=contents,
                given_at=given_at,
                signal="TASK_COMPLETE",
            )
            opened.tx.handoffs.add(handoff)
            given_at = world.context.clock.now().wall(60.0)
    return world


def test_every_file_has_the_form_of_its_design(world: World) -> None:
    """The documents of 001 and 002, key by key, with times in UTC."""
    busy(world)
    assert document(world, "file_locks.json") == {
        "locks": {
            "core/a.py": {
                "agent": "ann",
                "stream": "core",
                "acquired": "2025-12-06T10:00:00.000Z",
                "expires": "2025-12-06T10:30:00.000Z",
                "task": "VAT",
            }
        },
        "version": 1,
    }
    locks = document(world, "pucs_locks.json")
    assert locks["version"] == 2
    assert set(locks["locks"]["core/a.py"]) == {"agent_id", "stream_id", "acquired_at", "expires_at", "task"}
    (intent,) = document(world, "pucs_intents.json")["intents"]
    assert intent == {
        "agent_id": "ann",
        "stream_id": "core",
        "files": ["core/new.py"],
        "description": "a new module",
        "estimated_duration_min": 45,
        "signaled_at": "2025-12-06T10:00:00.000Z",
    }
    session = document(world, "pucs_session.json")
    assert (session["session_id"], session["agents"]) == ("S1", ["ann", "bob"])
    assert session["streams"]["core"] == {"status": "active", "agents": ["ann", "bob"]}
    orchestrator = document(world, "orchestrator_state.json")
    assert set(orchestrator) == {"streams", "started_at"}
    assert orchestrator["streams"]["core"]["locked_files"][0]["path"] == "core/a.py"
    handoffs = document(world, "handoffs.json")["handoffs"]
    assert [one["completed_tasks"] for one in handoffs] == [["first"], ["second"]]
    assert document(world, "handoff.json")["context"]["completed"] == ["second"]


def test_logs_have_the_keys_of_both_designs(world: World) -> None:
    """001's timestamp, agent, stream and action with what else was said; then the logger's; warnings with severity."""
    busy(world)
    line = next(line for line in lines(world, "agent_activity.jsonl") if line["action"] == "Modified b.py")
    assert line["agent"] == line["agent_id"] == "bob"
    assert line["stream"] == line["stream_id"] == "core"
    assert (line["file"], line["files_affected"], line["lines_changed"]) == ("core/b.py", ["core/b.py"], 45)
    assert (line["level"], line["pucs_level"], line["category"]) == ("info", "CHANGE", "agent")
    warning = lines(world, "conflict_warnings.jsonl")[-1]
    assert {key: warning[key] for key in ("agent", "warning", "severity")} == {
        "agent": "bob",
        "warning": "b.py imports a.py",
        "severity": "high",
    }
    text = exported(world, "logs")["logs/bob.log"]
    assert "CHANGE   Modified b.py  core/b.py\n" in text
    whole = lines(world, "pucs_log.json")
    assert set(whole[0]) == {"seq", "timestamp", "agent", "stream", "level", "action", "files", "details"}


def test_the_level_of_the_configuration_is_exported(world: World) -> None:
    """DEBUG entries stay in the store and out of the files, unless the configuration wants them."""
    busy(world)
    with unit(world.context) as opened:
        opened.log("whisper", agent="ann", level=Level.DEBUG)
    assert "whisper" not in exported(world)["pucs_log.json"]
    with world.context.store.transaction() as tx:
        tx.sessions.put_configuration(replace(tx.sessions.configuration(), logging_level="DEBUG"))
    assert "whisper" in exported(world)["pucs_log.json"]


def test_what_a_form_has_no_place_for_is_named(world: World) -> None:
    """Shared leases and older hand-offs are left out aloud, and a file without data is not made."""
    assert "handoff.json" not in exported(world)
    busy(world)
    left = {one.path: one.left_out for one in documents(world.context) if one.left_out}
    assert set(left) == {"file_locks.json", "pucs_locks.json", "handoff.json"}
    assert all(words[0].endswith(": 1") for words in left.values())


def test_only_known_names_are_exported(world: World) -> None:
    """A file of a later subject says which; an unknown one lists what there is."""
    with pytest.raises(Usage, match="comes with circuit breakers"):
        documents(world.context, only=["circuit_breaker.json"])
    with pytest.raises(Usage, match=r"no state file 'x.json'"):
        documents(world.context, only=["x.json"])
    assert list(exported(world, "pucs_session.json")) == ["pucs_session.json"]


def test_the_registry_says_what_is_exported() -> None:
    """What can be made is registered as such, and nothing else."""
    assert len(registry()) == len(FILES)
    assert {file.name for file in FILES if file.exported} == {
        "*.log" if name == "logs" else name for name in EXPORTABLE
    }


def test_what_pucs_met_itself_is_a_warning_too(world: World) -> None:
    """In words of its own with files and who was in the way; as urgent as the conflict, if there is a record."""
    agents.register(world.context, agent="ann", stream="core")
    leases.acquire(world.context, agent="ann", resources=["api/x.py"])
    with unit(world.context) as opened:
        number = record(opened, Kind.SEMANTIC, ("ann",), ("core/a.py",), severity=Severity.HIGH)
        opened.log(
            "landing conflicts", agent="ann", level=Level.CONFLICT, files=["core/a.py"], conflict=number
        )
        opened.log(
            "lock queued",
            agent="bob",
            level=Level.CONFLICT,
            files=["core/a.py"],
            behind=["ann"],
            conflict=10**6,
        )
        opened.log("odd", level=Level.CONFLICT, severity=7, conflict="none")
    assert [
        (line["agent"], line["warning"], line["severity"]) for line in lines(world, "conflict_warnings.jsonl")
    ] == [
        ("ann", "boundary refused: api/x.py", "low"),
        ("ann", "landing conflicts: core/a.py", "high"),
        ("bob", "lock queued: core/a.py (ann)", "medium"),
        ("", "odd", "medium"),
    ]


def test_what_was_exported_can_be_imported_and_exported_again(make_world: Callable[..., World]) -> None:
    """Locks, intents and hand-offs come out of an empty store as they went in, up to times; log lines are all there."""
    first, second = busy(make_world()), make_world()
    second.clock.pass_s(1.0)
    files = exported(first)
    done = import_files(second.context, {name: text.encode() for name, text in files.items()})
    assert [one.left for one in done] == [[]] * len(done)
    assert [one.problems for one in done] == [[]] * len(done)
    again = exported(second)
    for name in ("file_locks.json", "pucs_locks.json", "pucs_intents.json", "handoffs.json", "handoff.json"):
        assert timeless(json.loads(again[name])) == timeless(json.loads(files[name])), name
    for name in ("agent_activity.jsonl", "conflict_warnings.jsonl"):
        told = ["entry_id"]
        before = [
            {key: value for key, value in json.loads(line).items() if key not in told}
            for line in files[name].splitlines()
        ]
        after = [
            {key: value for key, value in json.loads(line).items() if key not in {*told, "imported", "line"}}
            for line in again[name].splitlines()
        ]
        for line in before:
            assert any(_says(line, other) for other in after), line


def _says(line: dict[str, Any], other: dict[str, Any]) -> bool:
    fixed = {"data", "door"}
    return all(other.get(key) == value for key, value in line.items() if key not in fixed)


def test_importing_twice_changes_nothing(world: World) -> None:
    """Nor does importing what one's own store exported: every happening is there once."""
    files = {name: text.encode() for name, text in exported(busy(world)).items() if named(name)}
    with world.context.store.read() as tx:
        before = tx.entries.count()
    done = import_files(world.context, files)
    assert sum(one.lines for one in done) == 0
    assert sum(one.known for one in done) > 10
    with world.context.store.read() as tx:
        added = tx.entries.select(Query(after_seq=before))
        assert all("imported" not in entry.details for entry in added)
        assert len(tx.handoffs.all("S1")) == 2


def test_locks_become_leases_that_end_when_they_said(world: World) -> None:
    """Of an agent that is known from the file alone, in its stream, with its task; times without a zone are the reader's."""
    one = imported(
        world,
        "file_locks.json",
        lock_file(**{"core/a.py": {}, "api/x.py": {"agent": "cid", "stream": "api"}}),
    )
    assert (sorted(one.taken), one.left) == (["api/x.py", "core/a.py"], [])
    with world.context.store.read() as tx:
        (lease,) = tx.leases.of_agent("ann")
        agent = tx.agents.get("ann")
    assert (lease.resource, lease.stream, lease.task, lease.left_s(world.clock.boot_s)) == (
        "core/a.py",
        "core",
        "T-1",
        1800.0,
    )
    assert agent is not None
    assert (agent.program, agent.owner) == (PROGRAM, None)
    elsewhere = lambda text: parse_iso(text) + 600.0  # noqa: E731 - a zone ten minutes behind
    one = imported(
        world,
        "pucs_locks.json",
        {
            "locks": {
                "core/b.py": {
                    "agent_id": "dan",
                    "stream_id": "core",
                    "acquired_at": NOW,
                    "expires_at": LATER,
                    "task": "",
                }
            },
            "version": 2,
        },
        wall=elsewhere,
    )
    assert one.taken == ["core/b.py"]
    with world.context.store.read() as tx:
        assert tx.leases.of_agent("dan")[0].left_s(world.clock.boot_s) == 2400.0


def test_an_import_never_breaks_exclusion(world: World) -> None:
    """What is held here stays held; what could not be taken is named with its holder."""
    leases.acquire(world.context, agent="zoe", resources=["core/"], task="all of it")
    one = imported(world, "file_locks.json", lock_file(**{"core/a.py": {}, "shared.txt": {}}))
    assert one.taken == ["shared.txt"]
    assert len(one.left) == 1
    assert 'core/ is held by zoe ("all of it")' in one.left[0]
    assert held(world) == {"core/": "zoe", "shared.txt": "ann"}


@pytest.mark.parametrize("alive", [True, None])
def test_a_file_does_not_speak_for_an_agent_at_work_here(world: World, *, alive: bool | None) -> None:
    """Neither for one whose process lives nor for one whose life is unknown; for a dead one it does."""
    owner = FakeProcesses.process(77)
    agents.register(world.context, agent="ann", stream="core", owner=owner if alive else None)
    one = imported(world, "file_locks.json", lock_file(**{"core/a.py": {}}))
    assert one.left == ["core/a.py: ann is at work here and asks for itself"]
    plan = {
        "agent_id": "ann",
        "stream_id": "core",
        "files": ["core/a.py"],
        "description": "d",
        "estimated_duration_min": 30,
        "signaled_at": NOW,
    }
    assert "speaks for itself" in imported(world, "pucs_intents.json", {"intents": [plan]}).left[0]
    assert held(world) == {}
    if alive:
        world.processes.kill(owner)
        assert imported(world, "file_locks.json", lock_file(**{"core/a.py": {}})).taken == ["core/a.py"]


@pytest.mark.parametrize(
    ("path", "lock", "why"),
    [
        ("core/a.py", {"expires": "2025-12-06T09:59:59"}, "was over at 2025-12-06T09:59:59"),
        ("core/a.py", {"expires": "soon"}, "'soon' is no time"),
        ("core/a.py", {"expires": None}, "'' is no time"),
        ("core/a.py", {"agent": "../../etc"}, "cannot be an agent id"),
        ("core/a.py", {"agent": 7}, "cannot be an agent id"),
        ("../outside.py", {}, "outside"),
        ("/etc/passwd", {}, "outside"),
        ("core/a\x00.py", {}, "is not a path"),
        ("api/x.py", {}, "belongs to stream api"),
    ],
)
def test_a_lock_that_cannot_be_taken_is_named(
    world: World, path: str, lock: dict[str, Any], why: str
) -> None:
    """Each alone; the lock beside it is taken."""
    one = imported(world, "file_locks.json", lock_file(**{path: lock, "shared.txt": {"agent": "bea"}}))
    assert one.taken == ["shared.txt"]
    assert len(one.left) == 1
    assert why in one.left[0]
    assert not one.problems


@pytest.mark.parametrize("name", ["file_locks.json", "pucs_intents.json", "handoffs.json"])
@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ('{"locks": {\n  "a": tru', (2, 8), "no JSON"),
        ("", (1, 1), "no JSON"),
        ("[1, 2]", (1, 1), "no JSON object"),
        (b'{"a": "\xff"}', (1, 8), "not UTF-8"),
        ("[" * 200_000, (1, 0), "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", (1, 0), "no JSON"),
    ],
)
def test_garbled_files_are_named_with_the_place(
    world: World, name: str, content: str | bytes, place: tuple[int, int], words: str
) -> None:
    """File, line and column; the file beside it is read, and nothing else is harmed."""
    data = content.encode() if isinstance(content, str) else content
    good = json.dumps(lock_file(**{"core/a.py": {}})).encode()
    bad, fine = sorted(
        import_files(world.context, {name: data, "pucs_locks.json": good}),
        key=lambda one: one.file == "pucs_locks.json",
    )
    assert fine.taken == ["core/a.py"]
    (problem,) = bad.problems
    assert ((problem.line, problem.column), problem.file) == (place, name)
    assert words in problem.message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("file_locks.json", {}),
        ("file_locks.json", {"locks": [1]}),
        ("file_locks.json", {"locks": {"core/a.py": "mine"}}),
        ("pucs_intents.json", {"intents": {}}),
        (
            "pucs_intents.json",
            {"intents": [3, {"agent_id": "ann", "files": "x"}, {"agent_id": "ann", "files": [1]}]},
        ),
        (
            "pucs_intents.json",
            {
                "intents": [
                    {"agent_id": "ann", "files": ["x"], "estimated_duration_min": minutes, "signaled_at": NOW}
                    for minutes in (None, "9", -1, 0, 1e9)
                ]
            },
        ),
        ("handoffs.json", {"handoffs": {}}),
        (
            "handoffs.json",
            {
                "handoffs": [
                    1,
                    {},
                    {"from_agent": 3, "to_agents": []},
                    {"from_agent": "ann", "to_agents": 5, "completed_tasks": 8},
                ]
            },
        ),
        ("handoff.json", {"from_agent": "ann", "to_agent": "bob", "context": [], "timestamp": NOW}),
    ],
)
def test_wrong_shapes_are_named_and_take_nothing(world: World, name: str, content: Any) -> None:
    """Whatever the file holds instead of what it should."""
    one = imported(world, name, content)
    assert one.taken == []
    assert one.left or one.problems
    assert held(world) == {}


def test_one_bad_line_spoils_no_other(world: World) -> None:
    """Lines of a log are read each by itself; a bad one is named by its number."""
    good = {"timestamp": NOW, "agent": "ann", "stream": "core", "action": "started", "task": "Fill"}
    content = "\n".join([
        json.dumps(good),
        "{broken",
        "",
        json.dumps({**good, "timestamp": "then"}),
        json.dumps({"timestamp": NOW}),
        json.dumps({**good, "action": "ended"}),
    ])
    one = imported(world, "agent_activity.jsonl", content)
    assert one.lines == 2
    assert [(problem.line, problem.message.split(":")[0]) for problem in one.problems] == [
        (2, "this is no JSON"),
        (4, "'then' is no time"),
        (5, "it has neither action, warning nor message"),
    ]
    with world.context.store.read() as tx:
        found = [entry for entry in tx.entries.select(Query(agent="ann")) if "imported" in entry.details]
    assert [(entry.action, entry.timestamp, entry.details["task"]) for entry in found] == [
        ("started", "2025-12-06T10:00:00.000Z", "Fill"),
        ("ended", "2025-12-06T10:00:00.000Z", "Fill"),
    ]
    assert found[0].details["imported"] == "state/agent_activity.jsonl"


def test_lines_of_every_design_are_read(world: World) -> None:
    """001's, the logger's, warnings and our own, each with its level."""
    logger = {
        "entry_id": "dfa4",
        "timestamp": f"{NOW}+00:00",
        "level": "error",
        "category": "agent",
        "event_type": "task_failed",
        "message": "it broke",
        "data": {"recoverable": True},
        "source": "agent:bob",
        "session_id": "x",
        "agent_id": "bob",
        "stream_id": None,
        "files_affected": ["core/a.py", "/etc/passwd"],
        "git_info": {},
        "task_info": {},
    }
    one = imported(world, "agent_activity.jsonl", json.dumps(logger))
    assert (one.lines, len(one.left)) == (1, 1)
    imported(
        world,
        "conflict_warnings.jsonl",
        json.dumps({"timestamp": NOW, "agent": "not an id!", "warning": "a imports b", "severity": "high"}),
    )
    imported(
        world,
        "pucs_log.json",
        json.dumps({
            "seq": 9,
            "timestamp": f"{NOW}Z",
            "agent": "cid",
            "stream": "core",
            "level": "CHANGE",
            "action": "landed",
            "files": ["core/a.py"],
            "details": {"commit": "c"},
        }),
    )
    with world.context.store.read() as tx:
        found = {entry.action: entry for entry in tx.entries.select(Query()) if "imported" in entry.details}
    assert {action: entry.level for action, entry in found.items()} == {
        "it broke": Level.ERROR,
        "a imports b": Level.CONFLICT,
        "landed": Level.CHANGE,
    }
    assert (found["it broke"].agent, found["it broke"].files) == ("bob", ("core/a.py",))
    assert (found["a imports b"].agent, found["a imports b"].details["agent"]) == ("", "not an id!")
    assert found["landed"].details["commit"] == "c"


def test_half_a_character_spoils_one_line(world: World) -> None:
    """A surrogate that no store can keep is named; the others are taken."""
    text = '{"timestamp": "%s", "agent": "ann", "action": "%s"}'
    one = imported(world, "agent_activity.jsonl", "\n".join([text % (NOW, "fine"), text % (NOW, "\\ud800")]))
    assert (one.lines, [problem.line for problem in one.problems]) == (1, [2])


def test_a_huge_line_is_cut(world: World) -> None:
    """An action has its longest length, and details beyond theirs are replaced by a note."""
    imported(
        world,
        "agent_activity.jsonl",
        json.dumps({"timestamp": NOW, "agent": "ann", "action": "x" * 9000, "more": "y" * 90_000}),
    )
    with world.context.store.read() as tx:
        entry = tx.entries.select(Query(agent="ann"))[-1]
    assert len(entry.action) == 500
    assert set(entry.details) == {"cut", "door", "imported", "line"}


def test_a_dry_run_says_the_same_and_writes_nothing(make_world: Callable[..., World]) -> None:
    """What would be taken and left is what is; the store is as it was."""
    files = {name: text.encode() for name, text in exported(busy(make_world())).items()}
    files["file_locks.json"] = json.dumps(
        lock_file(**{"core/a.py": {}, "core/b.py": {"agent": "eve"}})
    ).encode()
    other = make_world()
    other.clock.pass_s(1.0)
    leases.acquire(other.context, agent="zoe", resources=["core/b.py"])
    before = other.context.store.version()
    dry = import_files(other.context, files, dry_run=True)
    assert other.context.store.version() == before
    real = import_files(other.context, files)
    assert [(one.file, one.taken, one.lines, len(one.left)) for one in dry] == [
        (one.file, one.taken, one.lines, len(one.left)) for one in real
    ]


def test_there_has_to_be_something_to_import_and_a_session(world: World) -> None:
    """A name that stands for nothing, one that is only exported, and a session that is over."""
    for name in ("notes.txt", "pucs_session.json", "logs/ann.log"):
        with pytest.raises(Usage, match="No file that can be imported"):
            import_files(world.context, {name: b"{}"})
    sessions.end(world.context)
    with pytest.raises(Refused, match="no active session"):
        import_files(world.context, {"file_locks.json": b"{}"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([
                "locks",
                "intents",
                "handoffs",
                "agent",
                "agent_id",
                "files",
                "expires",
                "timestamp",
                "action",
                "from_agent",
                "to_agents",
                "context",
                "core/a.py",
            ]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([file.name for file in FILES if file.imported]), JSON)
def test_no_document_can_break_an_import(world: World, name: str, content: Any) -> None:
    """Whatever JSON a file holds, it is taken, left or named; no exception gets out."""
    imported(world, name, json.dumps(content))


def test_an_export_of_nothing_is_refused(world: World) -> None:
    """Without a session there is nothing to export."""
    with world.context.store.transaction() as tx:
        tx.sessions.put_configuration(Configuration())
    with pytest.raises(Refused, match="no session"):
        documents(replace(world.context, session="none"))
