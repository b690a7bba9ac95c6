"""Test runs: what is run where, what is recorded, and what a landing without one comes to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pucs.coordinator import checks, releasing
from pucs.coordinator.checks import run_tests, runs
from pucs.coordinator.finalizing import finalize
from pucs.coordinator.status import status
from pucs.core.errors import NotFound, Refused, Usage
from pucs.crosslog.records import Level, Query
from pucs.streams.checks import TestResult
from pucs.streams.records import CriticalFile, Stream
from pucs.streams.settings import Configuration, MergeSettings, TestSettings, WorktreeSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git
PASSING = "grep -q a core/a.py"


def configured(world: World, *, stream: dict[str, Any] | None = None, **settings: Any) -> World:
    """Give the stream core these settings, and the session the others."""
    core = Stream(name="core", files_pattern=("core/**",), **(stream or {}))
    others = (Stream(name="api", files_pattern=("api/**",)), Stream(name="docs", files_pattern=("docs/**",)))
    with world.context.store.transaction() as tx:
        tx.sessions.put_configuration(Configuration(streams=(core, *others), **settings))
        row = next(row for row in tx.sessions.streams("S1") if row.stream.name == "core")
        tx.sessions.put_stream(replace(row, stream=core))
    return world


def logged(world: World, action: str) -> list[Any]:
    with world.context.store.read() as tx:
        return [entry for entry in tx.entries.select(Query()) if entry.action == action]


def test_the_tests_of_a_stream_run_on_its_branch(world: World) -> None:
    """In a worktree of its own that is set up first, on the files the pattern matches; the record says everything."""
    configured(
        world,
        stream={"test_pattern": ("core/**/*.py",)},
        tests=TestSettings(command="cat ready && ls {files} && pwd"),
        worktrees=WorktreeSettings(setup="echo set up >ready"),
    )
    run = run_tests(world.context, stream="CORE")
    assert (run.result, run.status, run.stream, run.agent) == (TestResult.PASSED, 0, "core", "")
    assert run.command == "cat ready && ls core/a.py core/b.py && pwd"
    assert run.output.startswith("set up\ncore/a.py\ncore/b.py\n")
    assert str(world.root) not in run.output
    assert run.commit == world.git("rev-parse", world.branch("core"))
    assert run.tree == world.git("rev-parse", f"{world.branch('core')}^{{tree}}")
    assert runs(world.context) == runs(world.context, stream="core") == [run]
    (entry,) = logged(world, "tests passed")
    assert (entry.level, entry.stream, entry.details["run"]) == (Level.INFO, "core", run.id)
    assert status(world.context)["tests"]["passed"] is True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "result", "exit_status"),
    [
        ("exit 3", TestResult.FAILED, 3),
        ("no-such-program-anywhere", TestResult.COULD_NOT_RUN, 127),
        ("sh -c 'exit 5' pytest", TestResult.COULD_NOT_RUN, 5),
        ("echo No module named pytest; exit 1 # pytest", TestResult.COULD_NOT_RUN, 1),
    ],
)
def test_how_it_ended_is_told_apart(world: World, command: str, result: TestResult, exit_status: int) -> None:
    """Failed tests are not the same as tests that could not run."""
    run = run_tests(world.context, stream="core", command=command)
    assert (run.result, run.status) == (result, exit_status)
    (entry,) = logged(world, f"tests {result.value}")
    assert entry.level is Level.ERROR
    found = status(world.context)["tests"]
    assert (found["passed"], found["streams"]["core"]["result"]) == (False, result.value)


def test_tests_that_hang_are_ended(world: World) -> None:
    """The limit ends them and everything they started."""
    run = run_tests(world.context, stream="core", command="sleep 60", timeout_s=0.2)
    assert run.result is TestResult.TIMED_OUT


def test_output_is_cut_at_its_beginning(world: World) -> None:
    """The end of a long output is kept: the summary is there."""
    run = run_tests(world.context, stream="core", command="seq 100000")
    assert run.output.endswith("100000\n")
    assert len(run.output) <= 4096


def test_what_cannot_be_tested_is_said(world: World) -> None:
    """No pattern and no command is wrong use; a pattern without files and a failing set-up are records."""
    with pytest.raises(Usage, match="names no tests"):
        run_tests(world.context, stream="core")
    with pytest.raises(Usage, match="No stream"):
        run_tests(world.context)
    with pytest.raises(NotFound, match="nowhere"):
        run_tests(world.context, stream="nowhere")
    with pytest.raises(NotFound):
        run_tests(world.context, stream="core", agent="nobody", command="true")
    configured(world, stream={"test_pattern": ("tests/**",)})
    none = run_tests(world.context, stream="core")
    assert (none.result, none.status, none.output) == (
        TestResult.COULD_NOT_RUN,
        None,
        "No file matches tests/**.",
    )
    configured(world, worktrees=WorktreeSettings(setup="echo broken; exit 9"))
    unready = run_tests(world.context, stream="core", command="true")
    assert (unready.result, unready.status) == (TestResult.COULD_NOT_RUN, 9)
    assert "broken" in unready.output


def test_the_merge_command_stands_in(world: World) -> None:
    """A stream without a pattern is tested as the merged result is."""
    configured(world, merge=MergeSettings(test_command=PASSING))
    assert run_tests(world.context, stream="core").command == PASSING


def test_an_agents_uncommitted_work_is_tested_where_it_is(world: World) -> None:
    """The record is about that content, also once it has been committed; nothing of the worktree changes."""
    place = world.agent("ann")
    world.lock("ann", "core/a.py")
    world.edit("ann", "core/a.py", "changed = 1\n")
    run = run_tests(world.context, agent="ann", command=f"grep -q changed core/a.py && test $PWD = {place}")
    assert (run.result, run.agent, run.stream) == (TestResult.PASSED, "ann", "core")
    assert world.git("status", "--porcelain", at=place) == "M core/a.py"
    world.land("ann")
    assert world.git("rev-parse", f"{world.branch('core')}^{{tree}}") == run.tree


def test_content_that_changes_meanwhile_is_covered_by_nothing(world: World) -> None:
    """A run during which files changed says so and has no tree."""
    world.agent("ann")
    run = run_tests(world.context, agent="ann", command="echo x >>core/a.py")
    assert (run.result, run.tree) == (TestResult.PASSED, "")
    assert "changed while the tests ran" in run.output


def ready(world: World, **named: Any) -> World:
    """Let an agent have something to land on a stream that is configured so."""
    configured(world, **named)
    world.agent("ann")
    world.lock("ann", "core/a.py")
    world.edit("ann", "core/a.py", "a = 2\n")
    return world


def test_a_landing_without_tests_is_warned_of(world: World) -> None:
    """It lands; the answer and the log say what is missing and how to get it."""
    ready(world, stream={"test_pattern": ("core/**",)})
    landed = world.land("ann")
    assert landed.paths == ("core/a.py",)
    assert landed.warnings == (
        (
            "No passing test run of stream core covers what ann lands (tests.required). "
            "Run: pucs test --stream core --agent ann"
        ),
    )
    (entry,) = logged(world, "landed without tests")
    assert entry.details["warning"] in landed.warnings[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("named", "because"),
    [
        ({"stream": {"test_required": True}}, "stream core"),
        (
            {
                "critical_files": (
                    CriticalFile(path="core/*.py", max_lock_duration_s=9.0, test_required=True),
                )
            },
            "critical file core/*.py",
        ),
        (
            {"stream": {"test_pattern": ("core/**",)}, "tests": TestSettings(required="refuse")},
            "tests.required",
        ),
    ],
)
def test_a_landing_without_tests_is_refused_where_configured(
    world: World, named: dict[str, Any], because: str
) -> None:
    """Nothing lands and every lease is kept, until the tests have passed on just that."""
    ready(world, **named)
    refused = world.not_landed("ann")
    assert (refused.reason, because in refused.message) == ("tests", True)
    assert "pucs test --stream core --agent ann" in refused.remedy
    assert world.held("ann") == ["core/a.py"]
    assert world.text("core", "core/a.py").startswith("a = 1")
    run_tests(world.context, agent="ann", command="false")
    assert world.not_landed("ann").reason == "tests"
    run_tests(world.context, agent="ann", command="true")
    assert world.land("ann").warnings == ()


@pytest.mark.slow
def test_a_run_on_other_content_does_not_count(world: World) -> None:
    """What is changed after the tests passed has not been tested, and the newest run of a content decides."""
    ready(world, stream={"test_required": True})
    run_tests(world.context, agent="ann", command="true")
    world.edit("ann", "core/a.py", "a = 3\n")
    assert world.not_landed("ann").reason == "tests"
    run_tests(world.context, agent="ann", command="true")
    run_tests(world.context, agent="ann", command="false")
    assert world.not_landed("ann").reason == "tests"


@pytest.mark.slow
def test_giving_up_untested_work_is_refused_too(world: World) -> None:
    """Leases and work stay; whoever leaves for good has the work kept on a salvage ref."""
    ready(world, stream={"test_required": True})
    with pytest.raises(Refused, match="No passing test run"):
        releasing.give_up(world.context, agent="ann")
    assert world.held("ann") == ["core/a.py"]
    left = releasing.give_up(world.context, agent="ann", leaving=True)
    assert left.parked[0].ref.startswith("refs/pucs/salvage/")
    assert world.held("ann") == []


def test_giving_up_untested_work_warns(world: World) -> None:
    """Where tests are wanted but not required, what is landed by giving up says so."""
    ready(world, stream={"test_pattern": ("core/**",)})
    given_up = releasing.give_up(world.context, agent="ann")
    assert given_up.landed == ("core/a.py",)
    assert "No passing test run" in given_up.warnings[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{}, {"stream": {"test_pattern": ("core/**",)}, "tests": TestSettings(required="off")}]
)
def test_streams_that_want_no_tests_are_left_alone(world: World, settings: dict[str, Any]) -> None:
    """No pattern, or tests.required off: no warning, and no git for it."""
    ready(world, **settings)
    assert world.land("ann").warnings == ()
    assert not logged(world, "landed without tests")


def test_the_gate_of_a_merge_leaves_a_record(make_world: Callable[..., World]) -> None:
    """What finalize tested is a run of no stream; a failing one is a record as well."""
    world = make_world(merge=MergeSettings(test_command=PASSING))
    world.agent("ann")
    world.lock("ann", "core/a.py")
    world.edit("ann", "core/a.py", "a = 2\n")
    world.land("ann")
    result = finalize(world.context)
    (run,) = runs(world.context)
    assert (run.stream, run.result, run.commit, run.command) == (
        "",
        TestResult.PASSED,
        result.commit,
        PASSING,
    )
    assert list(status(world.context)["tests"]["streams"]) == ["merged"]


def test_a_landing_that_wants_tests_asks_git_only_if_there_were_any(world: World) -> None:
    """Without any run there is nothing to compare, so the warning costs no git."""
    ready(world, stream={"test_pattern": ("core/**",)})
    blind = replace(world.context, git=None)  # type: ignore[arg-type]
    found = checks.unmet(blind, session="S1", stream="core", agent="ann", paths=["core/a.py"], commit="x")
    assert found is not None
    assert not found.refuse
