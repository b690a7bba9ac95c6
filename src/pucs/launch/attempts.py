"""One attempt at one task: leases, a current base, the command, the landing.

Nothing here decides about the task's record or about what is parked; the worker does, from the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.coordinator import checks, landing, leases, syncing
from pucs.core.resources import is_symbol
from pucs.launch import environment, events
from pucs.launch.agents import Command, Ending
from pucs.launch.verdicts import Abandoned, Done, Failure, Interrupted, Verdict, explained, last_line
from pucs.streams.checks import TestResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.launch.agents import Keeper
    from pucs.launch.programs import Program
    from pucs.launch.pulse import Pulse
    from pucs.launch.settings import RunSettings
    from pucs.streams.settings import Configuration
    from pucs.tasks.records import Task

LATE_MAX = 10
"""Waits begun anew because the machine was too busy for this process to claim its grant in time."""
LANDINGS_MAX = 5
"""Tries to land against others who land on the same files: each needs another sync, and a lease should prevent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What every attempt of one agent works with."""

    context: Context
    configuration: Configuration
    settings: RunSettings
    keeper: Keeper
    pulse: Pulse
    agent: Agent
    env: Mapping[str, str]
    output: Callable[[Task], str]
    """File for the output of an attempt."""
    stopping: Callable[[], bool]
    emit: Callable[[events.Event], None]
    converse: Callable[[Attempt, Task, Program, float], Verdict]
    """Gives a leased task to an agent program; the last argument is the time that its leases took."""

    def work(self, task: Task) -> Verdict:
        """Do a task: lease its files, sync, run its command, land."""
        word = task.agent or self.settings.program
        program = self.settings.programs.get(word) if not task.command else None
        command = task.command or word
        if not command:
            return Failure("the task has a prompt, and no program to give it to (--agent PROGRAM)")
        if any(is_symbol(name) for name in task.files):
            # Only what is there can be leased, and an earlier task may have added it.
            synced = syncing.sync(self.context, agent=self.agent.id)
            if isinstance(synced, syncing.NotSynced):
                return Failure(synced.message)
        answer = self._leased(task) if task.files else None
        if answer is not None and not answer.granted:
            return Interrupted() if self.stopping() else Failure(answer.reason)
        stale = self._up_to_date(task)
        if stale:
            return Failure(stale)
        self.pulse.rest(self.stopping, task.files)
        waited_s = answer.waited_s if answer else 0.0
        if program is not None:
            return self.converse(self, task, program, waited_s)
        return self._ran(task, command, waited_s)

    def _ran(self, task: Task, command: str, waited_s: float) -> Verdict:
        output = self.output(task)
        self.emit(events.CommandStarted(task=task.id, agent=self.agent.id, output=output, waited_s=waited_s))
        timeout_s = task.timeout_s or self.configuration.agents.timeout_s
        outcome = self.keeper.run(
            Command(
                shell=command,
                cwd=self.agent.worktree,
                env=environment.of_task(self.env, task),
                output=output,
                output_bytes_max=self.configuration.agents.output_bytes_max,
                timeout_s=timeout_s,
                stop_grace_s=self.settings.stop_grace_s,
            ),
            on_wait=lambda: self.pulse.look(task.files),
            wait_s=self.pulse.look_s,
            cancelled=lambda: self.stopping() or self.pulse.terminated,
        )
        if outcome.succeeded:
            return self.landed()
        if outcome.ending is Ending.STUCK:
            return Abandoned(outcome.error)
        return Interrupted() if outcome.ending is Ending.STOPPED else Failure(explained(outcome, timeout_s))

    def _leased(self, task: Task) -> leases.Acquired:
        """Lease the declared files, however often the agent is paused before it can."""
        while True:
            answer = self._asked(task)
            if not answer.paused or self.stopping() or self.pulse.terminated:
                return answer
            self.pulse.rest(self.stopping)

    def _asked(self, task: Task) -> leases.Acquired:
        """Lease the declared files, in the queue if need be; whoever waits is seen to wait."""
        answer = leases.acquire(self.context, agent=self.agent.id, resources=task.files, task=task.id)
        if answer.granted or not answer.queue_position:
            return answer
        self.emit(
            events.TaskWaiting(
                task=task.id, agent=self.agent.id, position=answer.queue_position, reason=answer.reason
            )
        )
        for _ in range(LATE_MAX):
            answer = leases.acquire(
                self.context,
                agent=self.agent.id,
                resources=task.files,
                task=task.id,
                wait_s=self.configuration.limits.queue_timeout_s,
                cancelled=self.stopping,
            )
            if not answer.late:
                break
        return answer

    def _up_to_date(self, task: Task) -> str:
        """Sync, and return why the work may still not begin; empty if it may (DESIGN §3.5)."""
        synced = syncing.sync(self.context, agent=self.agent.id)
        if isinstance(synced, syncing.NotSynced):
            return synced.message
        missing = syncing.required(self.context, agent=self.agent.id, resources=task.files)
        return f"its worktree lacks landed work on its files: {', '.join(missing)}" if missing else ""

    def landed(self) -> Done | Failure:
        """Land, after another sync if others landed meanwhile what this work touches."""
        told = ""
        tested = False
        for _ in range(LANDINGS_MAX):
            answer = landing.land(self.context, agent=self.agent.id)
            if isinstance(answer, landing.Landed):
                return Done(_result(answer))
            told = answer.message
            if answer.reason == "tests" and not tested:
                tested = True
                run = checks.run_tests(self.context, agent=self.agent.id, stream=self.agent.stream)
                if run.result is TestResult.PASSED:
                    continue
                failed = f"its tests {run.result.value}: {last_line(run.output)}"
                return Failure(failed, remedy="Make them pass.")
            if answer.reason not in {"stale", "busy"}:
                salvage = answer.parked[-1].ref if answer.parked else ""
                return Failure(told, salvage=salvage, remedy=answer.remedy)
            synced = syncing.sync(self.context, agent=self.agent.id)
            if isinstance(synced, syncing.NotSynced):
                return Failure(synced.message, remedy=synced.remedy)
        return Failure(told)


def _result(landed: landing.Landed) -> str:
    if not landed.paths and not landed.parked:
        return "nothing had changed"
    files = "1 file" if len(landed.paths) == 1 else f"{len(landed.paths)} files"
    kept = "".join(
        f"; {', '.join(parked.paths)} parked on {parked.ref}: {parked.reason}" for parked in landed.parked
    )
    return f"landed {files} as {landed.stream_commit[:12]}{kept}"
