"""One agent from its registration to its end: takes tasks, runs their commands, lands or parks what they did.

Every failure ends the agent: whoever tries the task next is a new agent in a new worktree. What an attempt changed
is kept on a salvage ref before anything is restored or released.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pucs.coordinator import agents as registry
from pucs.coordinator import leases, pausing, places, tasks
from pucs.core.errors import PucsError, Refused, Terminated
from pucs.launch import environment, events, keeping
from pucs.launch.agents import Command, Keeper
from pucs.launch.attempts import Attempt
from pucs.launch.conversing import converse
from pucs.launch.pulse import Pulse
from pucs.launch.verdicts import Abandoned, Done, Failure, Interrupted, Verdict, explained
from pucs.tasks.records import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.launch.dispatching import Dispatcher
    from pucs.launch.settings import RunSettings
    from pucs.streams.settings import Configuration
    from pucs.tasks.records import Task

NUMBERS_MAX = 10_000
"""Agents of one stream in one session: each made a worktree and a branch."""
REGISTRATIONS_MAX = 20
"""Tries at an unused agent number: another run at the same moment takes one at a time."""
SETUP_OUTPUT_BYTES_MAX = 10 * 1024 * 1024
"""Output kept of a worktree's set-up."""
FILE_NAME_LENGTH_MAX = 200
"""Longest name of an output file; file systems allow 255 bytes."""


class AgentFailed(Exception):
    """The agent could not begin to work; carries the reason in one sentence."""


class AgentStuck(AgentFailed):
    """Something the agent started does not die, so the agent stays as it is."""


class StreamFull(Exception):
    """Another run took the last place in the stream."""


class Stopped(Exception):
    """The run was stopped before the agent could begin."""


class Worker:
    """One agent in one slot."""

    def __init__(
        self,
        context: Context,
        configuration: Configuration,
        settings: RunSettings,
        dispatcher: Dispatcher,
        emit: Callable[[events.Event], None],
    ) -> None:
        """Start the agent's keeper; nothing is recorded yet."""
        self._context = context
        self._configuration = configuration
        self._settings = settings
        self._dispatcher = dispatcher
        self._emit = emit
        self._keeper = Keeper()
        self.agent = ""
        """Its id, once it has one."""
        self._salvage = ""

    def stop(self, *, fast: bool) -> None:
        """Stop the command under way; may be called from any thread, again to hurry."""
        self._keeper.stop(grace_s=0 if fast else None)

    def work(self, stream: str) -> None:
        """Live as an agent of the stream until it has nothing left for it, an attempt fails or the run stops.

        The slot counts as about to take a task when this begins.

        Raises:
            AgentFailed: it could not begin.
            AgentStuck: something it started does not die.
            StreamFull: there is no place for it now.
            Stopped: the run was stopped before it could begin.
            PucsError: the store, git or the disk failed beyond what an attempt can answer for.
        """
        eager = True
        try:
            if self._dispatcher.stopping():
                raise Stopped
            agent = self._begun(stream)
            failure = ""
            while True:
                task = self._next(agent)
                self._dispatcher.taken(stream)
                eager = False
                if task is not None:
                    failure = self._tried(agent, task)
                    self._dispatcher.changed()
                ended = partial(self._ordered_out, agent)
                if failure or not self._dispatcher.more(stream, idle=task is None, ended=ended):
                    break
                eager = True
            self._end(agent, failure or self._why_out(agent))
        finally:
            if eager:
                self._dispatcher.taken(stream)
            if not self._keeper.close():
                pid = self._keeper.process.pid
                self._emit(
                    events.Problem(message=f"A killed process does not die; keeper {pid} waits for it.")
                )

    def _next(self, agent: Agent) -> Task | None:
        if self._dispatcher.stopping() or self._ordered_out(agent):
            return None
        try:
            return tasks.take(self._context, agent=agent.id)
        except Terminated:
            return None

    def _ordered_out(self, agent: Agent) -> bool:
        return self._why_out(agent) != ""

    def _why_out(self, agent: Agent) -> str:
        """Return who told the agent to end, and why; empty: nobody did."""
        with self._context.store.read() as tx:
            known = tx.agents.get(agent.id)
        return pausing.ended_because(known) if known is not None and known.terminated else ""

    def _begun(self, stream: str) -> Agent:
        agent = self._registered(stream)
        self.agent = agent.id
        try:
            agent = places.prepare_worktree(self._context, agent=agent.id)
            self._set_up(agent)
        except (PucsError, AgentFailed) as error:
            if self._dispatcher.stopping():
                self._end(agent, "")
                raise Stopped from error
            self._end(agent, str(error))
            raise AgentFailed(f"Agent {agent.id} could not begin: {error}") from error
        self._emit(events.AgentStarted(agent=agent.id, stream=stream, worktree=agent.worktree))
        return agent

    def _registered(self, stream: str) -> Agent:
        """Register under the first unused number of the stream."""
        for _ in range(REGISTRATIONS_MAX):
            name = self._unused(stream)
            try:
                owner = self._keeper.process
                return registry.register(self._context, agent=name, stream=stream, owner=owner)
            except Refused as error:
                now = registry.agents(self._context)
                if any(agent.id == name for agent in now):
                    continue  # another run took the number
                places = self._dispatcher.limit(stream)
                if sum(agent.active and agent.stream == stream for agent in now) >= places:
                    raise StreamFull from error
                raise
        raise AgentFailed(
            f"Other runs took {REGISTRATIONS_MAX} agent numbers of {stream} just before this one."
        )

    def _unused(self, stream: str) -> str:
        """Return an id that no agent of any session has had: its worktree might still be there."""
        slug = "-".join(stream.casefold().split())
        with self._context.store.read() as tx:
            for number in range(1, NUMBERS_MAX + 1):
                if tx.agents.get(f"{slug}-agent-{number}") is None:
                    return f"{slug}-agent-{number}"
        raise AgentFailed(f"Stream {stream} has had {NUMBERS_MAX} agents.")

    def _set_up(self, agent: Agent) -> None:
        settings = self._configuration.worktrees
        if not settings.setup:
            return
        pulse = self._pulse(agent)
        outcome = self._keeper.run(
            Command(
                shell=settings.setup,
                cwd=agent.worktree,
                env=self._environment(agent),
                output=self._output(f"{agent.id}.setup"),
                output_bytes_max=SETUP_OUTPUT_BYTES_MAX,
                timeout_s=settings.setup_timeout_s,
                stop_grace_s=self._settings.stop_grace_s,
            ),
            on_wait=pulse.look,
            wait_s=pulse.look_s,
            cancelled=self._dispatcher.stopping,
        )
        if not outcome.succeeded:
            raise AgentFailed(
                f"the set-up of its worktree failed: {explained(outcome, settings.setup_timeout_s)}"
            )

    def _tried(self, agent: Agent, task: Task) -> str:
        """Try a task; returns why the agent must end, empty if it may go on."""
        self._emit(events.TaskTaken(task=task.id, agent=agent.id, attempt=task.attempts))
        attempt = Attempt(
            context=self._context,
            configuration=self._configuration,
            settings=self._settings,
            keeper=self._keeper,
            pulse=self._pulse(agent),
            agent=agent,
            env=self._environment(agent),
            output=lambda task: self._output(f"{task.id}.{task.attempts}.{agent.id}"),
            stopping=self._dispatcher.stopping,
            emit=self._emit,
            converse=converse,
        )
        try:
            verdict: Verdict = attempt.work(task)
        except PucsError as error:
            verdict = Failure(str(error))
        told = self._why_out(agent)
        if told and isinstance(verdict, Interrupted | Failure):
            self._ended_on_order(agent, task, told)
            return told
        match verdict:
            case Done(result):
                tasks.finish(self._context, agent=agent.id, task=task.id, result=result, by_keeper=True)
                self._emit(events.TaskDone(task=task.id, agent=agent.id, result=result))
                return ""
            case Interrupted():
                self._given_back(agent, task)
                return ""
            case Failure(reason, parked):
                self._failed(agent, task, reason, parked)
                return f"{task.id}: {reason}"
            case Abandoned(reason):
                # Recovery takes over once the keeper, and with it the last process, is gone.
                raise AgentStuck(f"{task.id} cannot be ended: {reason}")

    def _kept(self, agent: Agent, reason: str) -> str:
        self._salvage = keeping.kept(self._context, agent, reason, self._emit)
        return self._salvage

    def _given_back(self, agent: Agent, task: Task) -> None:
        salvage = self._kept(agent, f"{task.id}: the run was stopped")
        leases.release(self._context, agent=agent.id)
        tasks.give_back(
            self._context, agent=agent.id, task=task.id, reason="the run was stopped", salvage=salvage
        )
        self._emit(events.TaskGivenBack(task=task.id, agent=agent.id, salvage=salvage))

    def _ended_on_order(self, agent: Agent, task: Task, told: str) -> None:
        """Keep what the agent did and end it before its task goes to another; it counts as no attempt."""
        salvage = self._kept(agent, f"{task.id}: {told}")
        registry.retire(self._context, agent=agent.id, failed=True, reason=told)
        tasks.give_back(self._context, agent=agent.id, task=task.id, reason=told, salvage=salvage)
        self._emit(events.TaskGivenBack(task=task.id, agent=agent.id, salvage=salvage))

    def _failed(self, agent: Agent, task: Task, reason: str, parked: str) -> None:
        salvage = self._kept(agent, f"{task.id}: {reason}") or parked
        leases.release(self._context, agent=agent.id)
        told = tasks.fail(self._context, agent=agent.id, task=task.id, reason=reason, salvage=salvage)
        final = told.state is TaskState.FAILED
        self._emit(
            events.AttemptFailed(task=task.id, agent=agent.id, reason=reason, salvage=salvage, final=final)
        )

    def _end(self, agent: Agent, failure: str) -> None:
        reason = failure or (
            "the run was stopped" if self._dispatcher.stopping() else "nothing is left for its stream"
        )
        registry.retire(self._context, agent=agent.id, failed=bool(failure), reason=reason)
        self._emit(
            events.AgentEnded(agent=agent.id, stream=agent.stream, failed=bool(failure), reason=reason)
        )
        if not self._settings.keep_worktrees:
            keeping.removed(self._context, agent, self._salvage, self._emit)

    def _pulse(self, agent: Agent) -> Pulse:
        return Pulse(self._context, agent.id, self._configuration.limits.default_duration_s, self._keeper)

    def _environment(self, agent: Agent) -> dict[str, str]:
        return environment.of_agent(
            self._settings.environment,
            agent,
            repository=self._context.repository.root,
            store=self._settings.store,
        )

    def _output(self, name: str) -> str:
        return str(Path(self._settings.output) / f"{quote(name, safe='')[-FILE_NAME_LENGTH_MAX:]}.log")
