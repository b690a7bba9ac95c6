"""The loop behind ``pucs run`` and ``pucs launch-stream``: as many agents as allowed until nothing is left to do.

One thread per agent slot; the calling thread waits for them and answers signals. The first SIGINT, SIGTERM or SIGHUP
stops every agent in order, the second kills. Whatever happens to this process, keepers end the agents, and the next
run recovers what they left.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import threading
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.coordinator import agents as registry
from pucs.coordinator import sessions
from pucs.coordinator import tasks as todo
from pucs.core.errors import NotFound, PucsError
from pucs.launch import events, recovery
from pucs.launch.dispatching import Dispatcher, Outlook
from pucs.launch.settings import RunResult, RunSettings
from pucs.launch.telling import Teller
from pucs.launch.worker import AgentFailed, AgentStuck, Stopped, StreamFull, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pucs.coordinator.context import Context
    from pucs.streams.records import StreamRow
    from pucs.streams.settings import Configuration

SLOTS_MAX = 256
"""Most agents of one run: each costs a thread, a keeper of twelve megabytes and a worktree."""
START_FAILURES_MAX = 3
"""Agents of one stream that may fail to begin before nothing more is begun for it: the cause is not chance."""
RECOVER_S = 5.0
"""Pause between looks for agents of other runs that died meanwhile."""
RECOVER_TRIES_MAX = 3
"""Looks in a row that fail in the same words before the run is ended: a full disk does not pass by waiting."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """One run over the tasks of a session."""

    def __init__(
        self, context: Context, settings: RunSettings, on_event: Callable[[events.Event], None] | None = None
    ) -> None:
        """Prepare a run; ``on_event`` is called in a thread of its own and may take its time."""
        self._context = context
        self._settings = settings
        self._teller = Teller(on_event)
        self._guard = threading.Lock()
        self._workers: set[Worker] = set()
        self._agents: list[str] = []
        self._problems: list[str] = []
        self._start_failures: Counter[str] = Counter()
        self._stuck: set[str] = set()
        """Agents that cannot be ended: their tasks will not get on."""
        self._stops = 0
        self._slots_ended = 0
        self._waking, self._wake = socket.socketpair()
        self._wake.settimeout(0)

    def stop(self) -> None:
        """Ask the run to stop, a second time to hurry; safe in a signal handler and from any thread."""
        self._stops += 1
        self._nudge()

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):  # full: it will be awake; closed: the run is over
            self._wake.send(b"!")

    def run(self) -> RunResult:
        """Recover what an earlier run left, work until nothing is left to do or stopped, and tell what came of it.

        Raises:
            NotFound: a stream in the settings does not exist.
            Refused: there is no active session.
            PucsError: the store or the repository cannot be used at all.
        """
        try:
            return self._run()
        finally:
            self._teller.close()
            self._waking.close()
            self._wake.close()

    def _run(self) -> RunResult:
        began_s = self._context.clock.now().boot_s
        session = sessions.current(self._context)
        with self._context.store.read() as tx:
            configuration = tx.sessions.configuration()
            streams = _chosen(tx.sessions.streams(session.id), self._settings.streams)
        Path(self._settings.output).mkdir(mode=0o700, parents=True, exist_ok=True)
        dispatcher = Dispatcher({row.stream.name: row.stream.max_agents for row in streams}, self._look)
        with self._signals():
            self._recover()
            if not self._settings.keep_worktrees:
                recovery.sweep(self._context)
            if self._stops:
                dispatcher.stop()
            self._serve(configuration, dispatcher, self._slots(configuration, streams))
        self._teller.close()
        if self._teller.failure:
            self._problems.append(f"Progress was not shown to the end: {_described(self._teller.failure)}")
        chosen = {row.stream.name for row in streams}
        with self._context.store.read() as tx:
            tasks = tuple(task for task in tx.tasks.all(session.id) if task.stream in chosen)
        return RunResult(
            tasks=tasks,
            agents=tuple(self._agents),
            interrupted=self._stops > 0,
            problems=tuple(self._problems),
            duration_s=self._context.clock.now().boot_s - began_s,
        )

    def _serve(self, configuration: Configuration, dispatcher: Dispatcher, slots: int) -> None:
        threads = [
            threading.Thread(target=self._slot, args=(configuration, dispatcher), name=f"slot-{number}")
            for number in range(1, slots + 1)
        ]
        for thread in threads:
            thread.start()
        try:
            self._attend(dispatcher, slots)
        except BaseException:
            dispatcher.stop()
            self._stop_workers(fast=True)
            raise
        finally:
            for thread in threads:
                thread.join()

    def _attend(self, dispatcher: Dispatcher, slots: int) -> None:
        """Answer requests to stop until every slot has ended, and look after dead agents of other runs meanwhile."""
        answered = 0
        failures: Counter[str] = Counter()
        poll = select.poll()
        poll.register(self._waking, select.POLLIN)
        while self._slots_ended < slots:
            if poll.poll(RECOVER_S * 1000):
                self._waking.recv(4096)
            elif not self._stops:
                failed = self._try_recover()
                failures = Counter({failed: failures[failed] + 1}) if failed else Counter()
                if failures.total() >= RECOVER_TRIES_MAX:
                    self._say(events.Problem(message="The run ends here; what is not done stays to be done."))
                    dispatcher.stop()
                    self._stop_workers(fast=False)
            if self._stops > answered:
                answered = self._stops
                self._say(events.Stopping(fast=answered > 1))
                dispatcher.stop()
                self._stop_workers(fast=answered > 1)

    def _stop_workers(self, *, fast: bool) -> None:
        with self._guard:
            working = list(self._workers)
        for worker in working:
            worker.stop(fast=fast)

    def _slot(self, configuration: Configuration, dispatcher: Dispatcher) -> None:
        """Be one agent after the other; the last edge before a thread's end, so nothing is let through."""
        try:
            while (stream := dispatcher.stream()) is not None:
                self._agent(configuration, dispatcher, stream)
        except Exception as error:  # noqa: BLE001 - the launch supervisor's edge: other agents go on
            self._say(events.Problem(message=_described(error)))
        finally:
            self._context.store.close()  # this thread's connection
            with self._guard:
                self._slots_ended += 1
            self._nudge()

    def _agent(self, configuration: Configuration, dispatcher: Dispatcher, stream: str) -> None:
        began = False
        try:
            worker = Worker(self._context, configuration, self._settings, dispatcher, self._say)
            with self._guard:
                self._workers.add(worker)
            if self._stops:
                worker.stop(fast=self._stops > 1)
            began = True
            try:
                worker.work(stream)
            except AgentStuck:
                with self._guard:
                    self._stuck.add(worker.agent)
                raise
            finally:
                with self._guard:
                    self._workers.discard(worker)
        except StreamFull:
            dispatcher.rest()
        except Stopped:
            pass
        except (AgentFailed, PucsError) as error:
            self._say(events.Problem(message=str(error)))
            self._start_failures[stream] += 1
            if self._start_failures[stream] >= START_FAILURES_MAX:
                dispatcher.drop(stream)
                self._say(events.Problem(message=f"No more agents are started for {stream}."))
        finally:
            if not began:
                dispatcher.taken(stream)
            dispatcher.leave(stream)

    def _try_recover(self) -> str:
        """Recover, and return what could not be put right; empty: nothing."""
        try:
            failed = self._recover()
        except PucsError as error:
            failed = str(error)
            self._say(events.Problem(message=failed))
        return failed

    def _recover(self) -> str:
        """Look after dead agents, and return what could not be put right; a problem is told once."""
        with self._guard:
            working = {worker.agent for worker in self._workers}
        failed = ""
        for found in recovery.recover(self._context, self._settings, working=working):
            if isinstance(found, events.Problem):
                failed += found.message
                if found.message in self._problems:
                    continue
            self._say(found)
        return failed

    def _look(self) -> Outlook:
        with self._guard:
            mine = {*self._agents, *(worker.agent for worker in self._workers)} - self._stuck
            stuck = set(self._stuck)
        agents = registry.agents(self._context)
        others = Counter(agent.stream for agent in agents if agent.active and agent.id not in mine)
        return Outlook(todo.tasks(self._context), others, stuck)

    def _slots(self, configuration: Configuration, streams: list[StreamRow]) -> int:
        places = sum(row.stream.max_agents for row in streams)
        wanted = self._settings.agents or configuration.agents.count or places
        names = {row.stream.name for row in streams}
        left = sum(1 for task in todo.unfinished(self._context) if task.stream in names)
        return min(wanted, places, left, SLOTS_MAX)

    def _say(self, event: events.Event) -> None:
        with self._guard:
            if isinstance(event, events.AgentStarted):
                self._agents.append(event.agent)
            elif isinstance(event, events.Problem):
                self._problems.append(event.message)
        self._teller.say(event)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Answer signals while a run is on, if this is the thread that gets them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # What is ignored already (nohup, a background job of a shell) stays ignored.
        answered = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in answered}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _chosen(rows: list[StreamRow], names: tuple[str, ...]) -> list[StreamRow]:
    known = {row.stream.name.casefold(): row for row in rows}
    missing = [name for name in names if name.casefold() not in known]
    if missing:
        streams = ", ".join(row.stream.name for row in rows) or "none is configured"
        raise NotFound(f"There is no stream {missing[0]!r}.", remedy=f"Streams: {streams}.")
    return [known[name.casefold()] for name in names] if names else rows


def _described(error: Exception) -> str:
    if isinstance(error, PucsError):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"A defect of PUCS: {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
