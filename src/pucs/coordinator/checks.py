"""Test runs: a stream's tests run on one content and kept as a record; what a landing without one comes to (000 §11).

The tests run outside any transaction, in a throwaway worktree of the stream's branch or in an agent's own worktree. A
record says by the tree which content it is about, so that it stays true whoever commits that content afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.coordinator import salvaging
from pucs.coordinator.agents import stream_named
from pucs.coordinator.context import Context, unit
from pucs.coordinator.partition import critical_files
from pucs.coordinator.records import Ran
from pucs.coordinator.sessions import current, stream_ref
from pucs.core.errors import EnvironmentFailure, Usage
from pucs.crosslog.records import Level
from pucs.streams.checks import Demand, TestResult, TestRun, command_of, demand, matching, result_of, tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.ports import Transaction
    from pucs.streams.records import Session, Stream
    from pucs.streams.settings import Configuration

RUNS_KEPT = 1000
"""Runs kept of one session: a day of many agents, in four megabytes; what is older covers nothing that still lands."""
RUNS_SHOWN = 100
"""Newest runs that are listed."""


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where tests run, and on what."""

    place: str
    commit: str
    setup: bool
    """The worktree was made just now and has to be set up."""


def run_tests(
    context: Context, *, stream: str = "", agent: str = "", command: str = "", timeout_s: float | None = None
) -> TestRun:
    """Run the tests of a stream and record how they ended; the record is one transaction at the end.

    With ``agent`` they run in its worktree, on what is there, committed or not; else in a throwaway worktree of the
    stream's branch, set up as agents' worktrees are. The command is ``command``, else ``tests.command`` on the files
    that the stream's ``test_pattern`` matches, else ``merge.test_command``.

    Raises:
        NotFound: no such stream or agent.
        Refused: no session, or more test files than a command takes.
        Usage: neither stream nor agent was named, or nothing says what to run.
    """
    session = current(context)
    bench = salvaging.bench_of(context, agent) if agent else None
    name = stream or (bench.stream if bench is not None else "")
    if not name:
        raise Usage("No stream was named.", remedy="Name one with --stream.")
    with context.store.read() as tx:
        row = stream_named(tx, session.id, name)
        configuration = tx.sessions.configuration()
    asked = _Asked(
        session=session,
        stream=row.stream,
        agent=bench.agent if bench else "",
        task=bench.task if bench else "",
        command=command,
        timeout_s=timeout_s,
    )
    if bench is not None:
        at = _content(context, bench)
        run = _run(context, asked, _Bench(bench.place, at, setup=False), configuration)
        if _content(context, bench, then=at) != at:
            run = replace(run, tree="", output=f"The files changed while the tests ran.\n{run.output}")
    else:
        commit = context.repository.resolve(stream_ref(row.branch)) or session.base
        with context.worktrees.detached(commit) as place:
            context.worktrees.copy(place, configuration.worktrees.copy)
            run = _run(context, asked, _Bench(place, commit, setup=True), configuration)
    return record(context, run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a run is about, before it."""

    session: Session
    stream: Stream
    agent: str
    task: str
    command: str
    """Command to run instead of the configured one; empty: that one."""
    timeout_s: float | None


def _content(context: Context, bench: salvaging.Bench, *, then: str = "") -> str:
    """Return a commit with what is in a checkout now; ``then`` if that commit has the same content."""
    made = context.worktrees.snapshot(bench.place, "tests", author=bench.agent)
    now = made or context.worktrees.head(bench.place)
    return then if then and (now == then or not context.repository.changed(then, now)) else now


def _run(
    context: Context,
    about: _Asked,
    bench: _Bench,
    configuration: Configuration,
) -> TestRun:
    """Run the tests; whatever happens becomes a record."""
    chosen, limit_s = _chosen(context, about.stream, bench.commit, configuration, about.command)
    limit_s = limit_s if about.timeout_s is None else about.timeout_s
    began_s = context.clock.now().boot_s
    ran, result = _ran(context, bench, configuration, chosen, limit_s)
    now = context.clock.now()
    return TestRun(
        session=about.session.id,
        stream=about.stream.name,
        agent=about.agent,
        task=about.task,
        commit=bench.commit,
        tree=_tree(context, bench.commit),
        command=chosen or configuration.tests.command,
        result=result,
        status=None if ran is None else ran.status,
        duration_s=round(now.boot_s - began_s, 3),
        output=tail(
            ran.output if ran is not None else f"No file matches {', '.join(about.stream.test_pattern)}."
        ),
        at=now.wall(),
    )


def _chosen(
    context: Context, stream: Stream, commit: str, configuration: Configuration, command: str
) -> tuple[str, float]:
    """Return the command and its limit; empty: the stream's patterns match no file."""
    limit_s = configuration.tests.timeout_s
    if command and "{files}" not in command:
        return command, limit_s
    if stream.test_pattern:
        files = matching(stream.test_pattern, context.repository.files(commit))
        return (command_of(command or configuration.tests.command, files) if files else ""), limit_s
    if configuration.merge.test_command and not command:
        return configuration.merge.test_command, configuration.merge.test_timeout_s
    raise Usage(
        f"Stream {stream.name} names no tests.",
        remedy="Name them with test_pattern in the configuration, or give --command.",
    )


def _ran(
    context: Context, bench: _Bench, configuration: Configuration, command: str, limit_s: float
) -> tuple[Ran | None, TestResult]:
    if not command:
        return None, TestResult.COULD_NOT_RUN
    setup = configuration.worktrees.setup if bench.setup else ""
    try:
        if setup:
            ready = context.worktrees.run(
                bench.place, setup, timeout_s=configuration.worktrees.setup_timeout_s
            )
            if ready.status != 0:
                return replace(ready, output=f"{setup}:\n{ready.output}"), TestResult.COULD_NOT_RUN
        ran = context.worktrees.run(bench.place, command, timeout_s=limit_s)
    except EnvironmentFailure as error:
        return Ran(-1, str(error)), TestResult.COULD_NOT_RUN
    return ran, result_of(ran.status, timed_out=ran.timed_out, command=command, output=ran.output)


def _tree(context: Context, commit: str) -> str:
    return context.repository.tree_with(commit, (), commit)


def record(context: Context, run: TestRun) -> TestRun:
    """Record a test run with its entry, in one transaction, and return it with its id."""
    with unit(context) as opened:
        opened.session = opened.tx.sessions.get(run.session)
        recorded = replace(run, id=opened.tx.test_runs.add(run))
        opened.tx.test_runs.keep(run.session, RUNS_KEPT)
        opened.log(
            f"tests {run.result.value}",
            agent=run.agent,
            stream=run.stream,
            level=Level.INFO if run.result is TestResult.PASSED else Level.ERROR,
            run=recorded.id,
            commit=run.commit,
            command=run.command[:200],
            duration_s=run.duration_s,
        )
    return recorded


def record_merged(
    context: Context, *, session: str, commit: str, command: str, ran: Ran, duration_s: float
) -> TestRun:
    """Record what the gate of a merge tested: the result of several streams, which belongs to none."""
    return record(
        context,
        TestRun(
            session=session,
            stream="",
            commit=commit,
            tree=_tree(context, commit),
            command=command,
            result=result_of(ran.status, timed_out=ran.timed_out, command=command, output=ran.output),
            status=ran.status,
            duration_s=round(duration_s, 3),
            output=tail(ran.output),
            at=context.clock.now().wall(),
        ),
    )


def runs(context: Context, *, stream: str = "") -> list[TestRun]:
    """Return the newest test runs of the session, of one stream or all, oldest first."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        if session is None:
            return []
        name = stream_named(tx, session.id, stream).stream.name if stream else ""
        return tx.test_runs.all(session.id, name, limit=RUNS_SHOWN)


@dataclass(frozen=True, slots=True)
class Unmet:
    """A landing that no passing test run covers."""

    reason: str
    """What is missing and why it is wanted, in one sentence."""
    remedy: str
    refuse: bool
    """The configuration says that such a landing is refused; else it is warned of."""


def unmet(
    context: Context, *, session: str, stream: str, agent: str, paths: Sequence[str], commit: str
) -> Unmet | None:
    """Tell whether a landing of this content lacks the passing test run that is wanted; None: it may land.

    Streams without a ``test_pattern`` want none, unless they or a touched critical file say ``test_required``.
    """
    with context.store.read() as tx:
        wanted, because = _demanded(tx, session, stream, paths)
        if wanted is Demand.OFF:
            return None
        tested = bool(tx.test_runs.all(session, stream, limit=1))
    if tested:
        tree = _tree(context, commit)
        with context.store.read() as tx:
            if tx.test_runs.passed(session, stream, tree) is not None:
                return None
    return Unmet(
        reason=f"No passing test run of stream {stream} covers what {agent} lands ({because}).",
        remedy=f"Run: pucs test --stream {stream} --agent {agent}",
        refuse=wanted is Demand.REFUSE,
    )


def _demanded(tx: Transaction, session: str, stream: str, paths: Sequence[str]) -> tuple[Demand, str]:
    configuration = tx.sessions.configuration()
    row = next((row for row in tx.sessions.streams(session) if row.stream.name == stream), None)
    strict = [file for file in configuration.critical_files if file.test_required]
    touched = [file for path in paths for file in critical_files(path, strict)] if strict else []
    return demand(row.stream if row else None, configuration.tests.required, touched)


def warn(context: Context, *, agent: str, stream: str, found: Unmet, commit: str) -> None:
    """Record that something landed without the test run that is wanted; one transaction."""
    with unit(context) as opened:
        opened.log("landed without tests", agent=agent, stream=stream, warning=found.reason, commit=commit)
