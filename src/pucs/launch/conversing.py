"""One attempt of an agent program at a task: it is told the task, waits without a process, goes on, and its work lands.

A launch ends with the program's turn. What comes next is decided here: whoever is in the queue for a file is suspended
(its process is gone, its conversation is not) and resumed at its turn; a landing that is refused is told to the program
as one more turn; everything else is the end of the attempt.
"""

from __future__ import annotations

import secrets
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.agents.output import Broke, TurnEnded
from pucs.coordinator import credentials, guarding, launching, syncing, turns
from pucs.core.errors import PucsError
from pucs.launch import environment, events, telling_programs
from pucs.launch.agents import Command, Ending
from pucs.launch.launched import Launched, called_in
from pucs.launch.programs import Brief, Endpoint
from pucs.launch.transcript import Transcript
from pucs.launch.verdicts import Abandoned, Done, Failure, Interrupted, Verdict, explained, one_line

if TYPE_CHECKING:
    from pucs.coordinator.answering import Acquired
    from pucs.launch.attempts import Attempt
    from pucs.launch.programs import Launch, Program
    from pucs.tasks.records import Task

LAUNCHES_MAX = 50
"""Launches of one attempt: each is a wait for a file, a pause or a refused landing; fifty mean that it goes in circles."""
CHANCES_MAX = 2
"""Refused landings that the program may put right: who could not in two turns hands over to another agent."""
CIRCLES_MAX = 3
"""Circles of waiters that an attempt gets out of by landing what it has: each leaves it with nothing in its hands."""


def converse(attempt: Attempt, task: Task, program: Program, waited_s: float) -> Verdict:
    """Give a task to a program that waited so long for its declared files, and land what it did."""
    return _Conversing(attempt, task, program, waited_s).work()


class _Conversing:
    """One attempt of a program; used once."""

    def __init__(self, attempt: Attempt, task: Task, program: Program, waited_s: float) -> None:
        """Prepare; nothing runs yet."""
        self._attempt = attempt
        self._context = attempt.context
        self._agent = attempt.agent
        self._task = task
        self._program = program
        self._waited_s = waited_s
        self._secret = secrets.token_urlsafe(32)
        self._output = Path(attempt.output(task))
        self._timeout_s = task.timeout_s or attempt.configuration.agents.timeout_s
        self._worked_s = 0.0
        self._chances = CHANCES_MAX
        self._circles = CIRCLES_MAX
        self._conversation = ""

    def work(self) -> Verdict:
        """Give the program its task, and land what it did."""
        bytes_max = self._attempt.configuration.agents.output_bytes_max
        directory = self._output.with_suffix(".launch")
        transcript = Transcript(str(self._output), str(self._output.with_suffix(".jsonl")), bytes_max)
        try:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(mode=0o700)
            credentials.remember(self._context, agent=self._agent.id, secret=self._secret)
            verdict = self._rounds(transcript, str(directory))
        except OSError as error:
            verdict = Failure(f"what {self._program.name} needs cannot be written: {error}")
        finally:
            transcript.close()
            shutil.rmtree(directory, ignore_errors=True)
            turns.leave(self._context, agent=self._agent.id)
        if isinstance(verdict, Done):  # every other verdict ends the agent as well
            launching.ended(self._context, agent=self._agent.id)
        return verdict

    def _rounds(self, transcript: Transcript, directory: str) -> Verdict:
        """Launch the program until there is nothing more to tell it."""
        attempt = self._attempt
        first = told = telling_programs.task(self._task, self._agent, self._leased())
        for number in range(LAUNCHES_MAX):
            attempt.pulse.rest(attempt.stopping)
            if attempt.stopping() or attempt.pulse.terminated:
                return Interrupted()
            transcript.note(f"{self._program.name} is told: {told}")
            launched = self._launched(told, transcript, directory, first=number == 0)
            verdict = self._broken(launched) or self._ended(launched)
            if not isinstance(verdict, str):
                return verdict
            if launched.spoke and self._program.resumable:
                self._conversation = launched.conversation
                told = verdict
            elif launched.spoke:
                told = f"{first}\n\n{telling_programs.BEGUN}\n\n{verdict}"
        return Failure(f"{self._program.name} was launched {LAUNCHES_MAX} times and is not done")

    def _launched(self, told: str, transcript: Transcript, directory: str, *, first: bool) -> Launched:
        """Run the program for one turn."""
        attempt, name = self._attempt, self._program.name
        launching.started(self._context, agent=self._agent.id, program=name, conversation=self._conversation)
        launch = self._program.launch(self._brief(told, directory))
        launched = Launched(attempt, self._task, self._program, launch, transcript)
        if first:
            attempt.emit(
                events.CommandStarted(
                    task=self._task.id,
                    agent=self._agent.id,
                    output=str(self._output),
                    waited_s=self._waited_s,
                    program=name,
                )
            )
        launched.run(self._command(launch))
        self._worked_s += launched.outcome.duration_s
        return launched

    def _brief(self, told: str, directory: str) -> Brief:
        """Return what the program is started with."""
        attempt = self._attempt
        chosen = attempt.configuration.agents.program(self._program.name)
        url = attempt.settings.endpoint
        return Brief(
            agent=self._agent.id,
            secret=self._secret,
            worktree=self._agent.worktree,
            prompt=told,
            conversation=self._conversation,
            model=chosen.model,
            directory=directory,
            endpoint=Endpoint(url=url) if url else None,
            hook=attempt.settings.hook,
            arguments=chosen.arguments,
            decide=lambda call: guarding.guard(self._context, call),
            environment=environment.of_task(attempt.env, self._task),
            executable=chosen.executable,
            called_in=lambda: called_in(self._context, self._agent.id),
        )

    def _leased(self) -> tuple[str, ...]:
        with self._context.store.read() as tx:
            return tuple(sorted(lease.resource for lease in tx.leases.of_agent(self._agent.id)))

    def _broken(self, launched: Launched) -> Verdict | None:
        """Return the verdict over a launch that did not get to the end of a turn, None if it did."""
        attempt, outcome = self._attempt, launched.outcome
        attempt.pulse.look()
        if outcome.ending is Ending.STUCK:
            return Abandoned(outcome.error)
        if attempt.stopping() or attempt.pulse.terminated:
            return Interrupted()
        if launched.refused:
            return Failure(launched.refused)
        if launched.last is None and not launched.paused:
            return Failure(f"{self._program.name}: {explained(outcome, self._timeout_s)}")
        return None

    def _ended(self, launched: Launched) -> Verdict | str:
        """Return the verdict over a turn that has ended, or what the program is to be told next."""
        last = launched.last
        paused = launched.paused or self._attempt.pulse.paused
        if isinstance(last, Broke) and not paused:
            return Failure(f"{self._program.name}: {one_line(last.reason)}")
        awaited = turns.awaited(self._context, agent=self._agent.id)
        if awaited:
            return self._suspended(awaited)
        # A turn that was cut short, from here or by the hook, is not the end of the task.
        if not isinstance(last, TurnEnded) or last.interrupted or paused:
            return telling_programs.GO_ON
        refused = launching.refused_in_circles(self._context, agent=self._agent.id)
        if refused and self._circles:
            return self._out_of_circle(refused)
        return self._landed()

    def _out_of_circle(self, refused: tuple[str, ...]) -> Verdict | str:
        """Land what others wait for, so that the agent may wait for what it was refused."""
        self._circles -= 1
        verdict = self._landed()
        if not isinstance(verdict, Done):
            return verdict
        changed, trouble = self._synced()
        parts = (
            telling_programs.out_of_circle(refused, verdict.result),
            telling_programs.changed(changed),
            trouble,
        )
        return "\n".join(part for part in parts if part)

    def _landed(self) -> Verdict | str:
        try:
            verdict = self._attempt.landed()
        except PucsError as error:
            verdict = Failure(str(error), remedy="Put that right.")
        if isinstance(verdict, Done) or not verdict.remedy or not self._chances:
            return verdict
        self._chances -= 1
        return telling_programs.not_landed(verdict.reason, verdict.remedy)

    def _suspended(self, awaited: tuple[str, ...]) -> Verdict | str:
        """Wait for the agent's turn without a process; return what it is told then."""
        task, agent = self._task.id, self._agent.id
        landed = self._given_way()
        launching.suspended(self._context, agent=agent, resources=awaited)
        self._attempt.emit(events.AgentSuspended(task=task, agent=agent, resources=awaited))
        began = time.monotonic()
        answer = turns.wait(
            self._context,
            agent=agent,
            wait_s=self._attempt.configuration.limits.queue_timeout_s,
            cancelled=self._over,
        )
        waited_s = time.monotonic() - began
        if self._over():
            return Interrupted()
        if answer is None and turns.awaited(self._context, agent=agent):
            return Failure(f"waited {waited_s:.0f} s for {', '.join(awaited[:3])} in vain")
        changed, trouble = self._synced()
        got = tuple(answer.tokens) if answer is not None and answer.granted else ()
        launching.resumed(self._context, agent=agent, resources=got, waited_s=waited_s)
        self._attempt.emit(
            events.AgentResumed(task=task, agent=agent, resources=got, waited_s=waited_s, changed=changed)
        )
        parts = [landed, _turn(answer, awaited, got), telling_programs.changed(changed), trouble]
        return "\n".join(part for part in (*parts, telling_programs.GO_ON) if part)

    def _given_way(self) -> str:
        """Land what is done so far if others wait for what the agent holds; return what it is told about that."""
        waiting = launching.wanted_by_others(self._context, agent=self._agent.id)
        if not waiting:
            return ""
        try:
            verdict = self._attempt.landed()
        except PucsError:
            return ""  # it keeps what it holds; the others wait for the end of its task
        return telling_programs.gave_way(waiting, verdict.result) if isinstance(verdict, Done) else ""

    def _synced(self) -> tuple[tuple[str, ...], str]:
        """Bring in what others landed; return the files that changed, and what went wrong in words."""
        synced = syncing.sync(self._context, agent=self._agent.id)
        if isinstance(synced, syncing.NotSynced):
            return (), f"{synced.message} {synced.remedy}"
        return synced.paths, ""

    def _over(self) -> bool:
        """Show life while the agent waits, and tell whether it should not wait any more."""
        self._attempt.pulse.look()
        return self._attempt.stopping() or self._attempt.pulse.terminated

    def _command(self, launch: Launch) -> Command:
        """Return how the process is started."""
        attempt = self._attempt
        return Command(
            argv=launch.argv,
            cwd=self._agent.worktree,
            env={**environment.of_task(attempt.env, self._task), **launch.env},
            output=str(self._output.with_suffix(".err")),
            output_bytes_max=attempt.configuration.agents.output_bytes_max,
            timeout_s=max(1.0, self._timeout_s - self._worked_s),
            stop_grace_s=attempt.settings.stop_grace_s,
        )


def _turn(answer: Acquired | None, awaited: tuple[str, ...], got: tuple[str, ...]) -> str:
    if got:
        return telling_programs.your_turn(got)
    reason = answer.reason if answer is not None else ""
    return telling_programs.no_turn(awaited, reason)
