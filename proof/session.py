"""Runs one session of the system under proof, from outside, while a killer is at work, and gathers the evidence."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof import checker, history, killer, processes, world
from proof.records import Claim, Evidence, Violation, evidence_to_json, read_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proof.database import Database

HERE = Path(__file__).parent
AGENTS = 7
"""Agents at once."""
BESIDE = 0.25
"""Share of sessions that begin with two runs at the same time."""
BESIDE_MARK = "two-runs"
"""Empty file in the directory of such a session."""
IDLE_RUNS_MAX = 3
"""Runs in a row that nobody disturbed and that still leave something; the first should have been enough."""
RUNS_MAX = 25
"""Runs of one session: each kill of the supervisor costs one, and a few more for what that left."""
RUN_S_MAX = 120.0
"""Longest time of one run; sessions take about fifteen seconds."""
TOOL_S_MAX = 60.0
"""Longest time of any other command."""
SETTLE_S = 5.0
"""Time that processes of the last run have to be gone."""
CONFIGURED = 0.5
"""Share of sessions in a database that find it through the configuration; the others through ``PUCS_STORE``."""
UNREACHABLE = 4
"""Exit status of a command that does not reach its store."""
FINISHED = frozenset({"done", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one session."""

    name: str
    violations: list[Violation]
    counts: Counter[str] = field(default_factory=Counter)
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which session to run and how."""

    name: str
    seed: str
    events: Sequence[killer.Event] | None = None
    """What the killer does; None: drawn from the seed."""
    plant: str = ""
    """Name of a planted bug; empty: none."""
    profile: str = ""
    """How its streams share files; empty: drawn from the seed."""
    server: Database | None = None
    """Where its store is; None: a file."""


def run(order: Order, place: Path) -> Outcome:
    """Run one session in an empty directory and judge it; everything it made stays there."""
    began = time.monotonic()
    rng = random.Random(order.seed)
    mark = secrets.token_hex(16)
    store = order.server.store(f"{order.name}_{mark}") if order.server else ""
    own = random.Random(f"{order.seed}/store")
    configured = store if own.random() < CONFIGURED else ""
    made = world.make(place, order.name, rng, order.profile, configured)
    plan = list(order.events) if order.events is not None else killer.events(rng)
    if order.server and order.server.ours and order.events is None:
        plan = killer.with_server(plan, own)
    tool = (
        [sys.executable, str(HERE / "plants.py"), order.plant]
        if order.plant
        else [sys.executable, "-m", "pucs"]
    )
    environment = world.environment(place, mark) | {
        "PROOF_PYTHON": sys.executable,
        "PROOF_AGENT": str(HERE / "agent.py"),
        "PROOF_TOOL": json.dumps(tool),
    }
    if store and not configured:
        environment["PUCS_STORE"] = store
    system = System(tool, made.repository, environment, place)
    before = world.checkout_of(made.repository)
    likely = sum(1 for task in made.tasks.values() if not task.doomed)
    chaos = killer.Killer(mark, plan, place / "done", likely, order.seed, server=order.server)
    try:
        statuses, claims, unreachable = _runs(system, made, chaos, rng)
        chaos.stop()
        if chaos.is_alive():
            chaos.join()  # it does not leave a server down
        survivors = _survivors(mark)
        verified, text = system.call("verify", "--json")
        waits = system.call("conflicts", "--json")[1].count('"FILE_LOCK"')
    finally:
        chaos.stop()
        if chaos.is_alive():
            chaos.join()
        _end(mark)
        if order.server:
            order.server.drop(store)
    evidence = Evidence(
        name=order.name,
        base=made.base,
        result=f"pucs/session-{order.name}",
        branches={name: f"pucs/stream/{name}-{order.name}" for name in made.streams},
        streams=made.streams,
        tasks=made.tasks,
        claims=claims,
        verified=verified,
        verified_text=text,
        checkout_before=before,
        checkout_after=world.checkout_of(made.repository),
        survivors=tuple(survivors),
        statuses=tuple(statuses),
        unreachable=unreachable,
        finished=set(made.tasks) == {name for name, claim in claims.items() if claim.state in FINISHED},
    )
    (place / "evidence.json").write_text(evidence_to_json(evidence), encoding="utf-8")
    (place / "kills.txt").write_text("\n".join(chaos.told) + "\n", encoding="utf-8")
    outcome = judge(place, evidence)
    outcome.counts.update(chaos.counts)
    outcome.counts["waits"] = waits
    outcome.counts["runs"] = len(statuses)
    outcome.counts["began with two"] = int((place / BESIDE_MARK).exists())
    return replace(outcome, duration_s=time.monotonic() - began)


def judge(place: Path, evidence: Evidence) -> Outcome:
    """Judge a session from what is on the disk."""
    notes = read_notes(place / "notes")
    case = checker.Case(evidence, notes, history.read(place / "shop", evidence))
    violations = checker.check(case)
    attempts = case.attempts
    tasks = {attempt.task for attempt in attempts}
    counts = Counter({
        "agents": len({note.fields["agent"] for note in notes if note.kind == "start"}),
        "attempts": len(attempts),
        "leases": sum(1 for attempt in attempts for how in attempt.how.values() if how != "undeclared"),
        "handed over": sum(len(files) - 1 for files in _workers(case).values()),
        "landings": len({(one.trailer("PUCS-Agent"), one.trailer("PUCS-Task")) for one in case.work}),
        "retries": len(attempts) - len(tasks),
        "salvage refs": sum(1 for ref in case.history.refs if ref.startswith("refs/pucs/salvage/")),
        "lines": sum(len(attempt.lines) for attempt in attempts),
        "failed tasks": sum(1 for claim in evidence.claims.values() if claim.state == "failed"),
    })
    return Outcome(name=evidence.name, violations=violations, counts=counts)


class System:
    """The command line of the system under proof."""

    def __init__(self, tool: list[str], repository: Path, environment: dict[str, str], place: Path) -> None:
        self._tool = tool
        self._repository = repository
        self._environment = environment
        self._place = place
        self._runs = 0

    def call(self, *arguments: str) -> tuple[int, str]:
        """Run one command and return its exit status and output."""
        try:
            done = subprocess.run(
                [*self._tool, *arguments],
                cwd=self._repository,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=TOOL_S_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 124, f"{arguments[0]} took longer than {TOOL_S_MAX:.0f} s"
        return done.returncode, done.stdout + done.stderr

    def work(self, chaos: killer.Killer, *, beside: bool) -> list[int]:
        """Run the tasks, ``beside`` twice at the same time, until each run ends or is killed; return exit statuses."""
        runs = [self._start(chaos) for _ in range(2 if beside else 1)]
        until = time.monotonic() + RUN_S_MAX
        statuses = []
        for run in runs:
            try:
                statuses.append(run.wait(max(0.0, until - time.monotonic())))
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
                statuses.append(124)
        return statuses

    def _start(self, chaos: killer.Killer) -> subprocess.Popen[bytes]:
        self._runs += 1
        arguments = ["run", "--tasks", str(self._place / "tasks.yaml"), "--agents", str(AGENTS), "--json"]
        with (self._place / f"run-{self._runs}.log").open("wb") as output:
            run = subprocess.Popen(
                [*self._tool, *arguments],
                cwd=self._repository,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        chaos.supervisors.add(run.pid)
        return run

    def claims(self) -> dict[str, Claim]:
        """Return what the system says of each task."""
        status, text = self.call("task", "list", "--json")
        if status != 0:
            return {}
        found: list[dict[str, Any]] = json.loads(text)
        return {one["id"]: Claim(state=one["state"], result=one["result"]) for one in found}


def _runs(
    system: System, made: world.World, chaos: killer.Killer, rng: random.Random
) -> tuple[list[int], dict[str, Claim], int]:
    """Run until every task is done or failed and a run has merged them undisturbed.

    Return the exit statuses, what the system says of each task, and how many of the statuses say that the store could
    not be reached while its server was killed.
    """
    statuses: list[int] = []
    status, text = system.call("init", "--session", made.name)
    if status != 0:
        (made.place / "init.log").write_text(text, encoding="utf-8")
        return [status], {}, 0
    claims: dict[str, Claim] = {}
    chaos.start()
    idle = unreachable = 0
    beside = rng.random() < BESIDE
    if beside:
        (made.place / BESIDE_MARK).touch()
    for number in range(RUNS_MAX):
        disturbed, outages = len(chaos.told), chaos.outages
        ended = system.work(chaos, beside=beside and number == 0)
        statuses += ended
        if chaos.outages != outages or outages % 2:
            unreachable += ended.count(UNREACHABLE)
            ended = [status for status in ended if status != UNREACHABLE]
        if not set(ended) <= {0, 1, -signal.SIGKILL}:
            break
        if len(ended) != 1 or -signal.SIGKILL in ended:
            continue
        claims = system.claims()
        over = all(name in claims and claims[name].state in FINISHED for name in made.tasks)
        # A run that was disturbed may rightly say that something is left; the next one must finish it.
        idle = idle + 1 if len(chaos.told) == disturbed and not outages % 2 else 0
        if (over and (idle or statuses[-1] == 0)) or idle >= IDLE_RUNS_MAX:
            break
    return statuses, claims or system.claims(), unreachable


def _workers(case: checker.Case) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for attempt in case.attempts:
        for file, how in attempt.how.items():
            if how != "undeclared":
                found.setdefault(file, set()).add(attempt.nonce)
    return found


def _survivors(mark: str) -> list[str]:
    until = time.monotonic() + SETTLE_S
    while True:
        alive = [f"{one.kind} {one.pid}: {one.command[:120]}" for one in processes.of_session(mark)]
        if not alive or time.monotonic() > until:
            return alive
        time.sleep(0.05)


def _end(mark: str) -> None:
    """Leave no process of the session behind, whatever happened."""
    for _ in range(100):
        alive = list(processes.of_session(mark))
        if not alive:
            return
        for one in alive:
            processes.send(one.pid, signal.SIGKILL, mark)
        time.sleep(0.05)
