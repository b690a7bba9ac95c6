"""Tasks: import them, hand them out, and write down what came of each attempt.

A task is taken in one transaction, so two agents never get the same one. An attempt that fails goes to another agent if
there is one, as often as configured; what it had changed is on a salvage ref that the next attempt is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.agents.records import Phase
from pucs.conflicts.records import Strategy
from pucs.coordinator.agents import acting, step, stream_named
from pucs.coordinator.conflicts import settle_in
from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.messages import send_in
from pucs.coordinator.partition import boundaries_of
from pucs.core.errors import NotFound, Refused, Usage
from pucs.core.resources import file_resource
from pucs.crosslog.records import Level
from pucs.messages.records import MessageKind
from pucs.tasks import schedule
from pucs.tasks.records import Task, TaskState

if TYPE_CHECKING:
    from collections.abc import Sequence

TASKS_MAX = 10_000
"""Most tasks of a session: handing one out reads them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import changed, as task ids."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    kept: tuple[str, ...]
    """Done or at work: left as they are."""


def import_tasks(context: Context, *, tasks: Sequence[Task]) -> Imported:
    """Bring the tasks of a file into the session; one transaction, safe to repeat.

    Tasks that are done or at work stay as they are; pending ones take the new text; failed ones get another chance.
    Declared files become canonical resources. A task without a stream belongs to the one that covers its files.

    Raises:
        Usage: too many tasks, an id or title that cannot stand in a commit, tasks that wait for each other, or files of
            several streams and no stream named.
        NotFound: an unknown stream.
    """
    for task in tasks:
        _check_words(task)
    declared = {
        task.id: context.worktrees.canonical(context.repository.root, task.files) if task.files else ()
        for task in tasks
    }
    added: list[str] = []
    updated: list[str] = []
    kept: list[str] = []
    with unit(context) as opened:
        session = opened.active()
        known = {task.id: task for task in opened.tx.tasks.all(session.id)}
        if len(known) + len(tasks) > TASKS_MAX:
            raise Usage(f"{len(tasks)} tasks are too many.", remedy=f"At most {TASKS_MAX} a session.")
        for position, task in enumerate(tasks, 1):
            old = known.get(task.id)
            if old is not None and old.state in {TaskState.DONE, TaskState.RUNNING}:
                kept.append(task.id)
                continue
            stream = _stream_of(opened, task, declared[task.id])
            fresh = replace(
                task, session=session.id, stream=stream, files=declared[task.id], position=position
            )
            if old is not None and old.state is TaskState.PENDING:
                fresh = replace(fresh, attempts=old.attempts, tried_by=old.tried_by, salvage=old.salvage)
            elif old is not None:
                fresh = replace(fresh, salvage=old.salvage)
            opened.tx.tasks.put(fresh)
            (updated if old else added).append(task.id)
        _check_order(opened.tx.tasks.all(session.id))
        opened.log("tasks imported", added=added, updated=updated, kept=kept)
    return Imported(added=tuple(added), updated=tuple(updated), kept=tuple(kept))


def _check_words(task: Task) -> None:
    """Refuse an id or a title that could not stand in a commit, whichever door it came through."""
    from pucs.tasks.file import TASK_ID, TITLE_CHARACTERS_MAX  # noqa: PLC0415 - it loads the YAML reader

    if not TASK_ID.fullmatch(task.id):
        raise Usage(
            f"{task.id!r} cannot be the id of a task.",
            remedy="Use letters, digits, - _ . and at most 64 of them.",
        )
    if not task.title.strip() or not task.title.isprintable() or len(task.title) > TITLE_CHARACTERS_MAX:
        raise Usage(
            f"The title of task {task.id} is not one line of at most {TITLE_CHARACTERS_MAX} characters.",
            remedy='Write something like "feat: add discounts".',
        )


def _check_order(tasks: Sequence[Task]) -> None:
    """Refuse prerequisites that do not exist or wait for each other; the transaction is rolled back."""
    graph = {task.id: task.after for task in tasks}
    for task in tasks:
        for name in task.after:
            if name not in graph:
                raise Usage(
                    f"Task {task.id} comes after {name!r}, which does not exist.",
                    remedy="See: pucs task list",
                )
    round_trip = schedule.cycle(graph)
    if round_trip:
        raise Usage(
            f"These tasks wait for each other: {' → '.join(round_trip)}.", remedy="Take one of the steps out."
        )


def _stream_of(opened: Unit, task: Task, files: Sequence[str]) -> str:
    session = opened.active()
    if task.stream:
        return stream_named(opened.tx, session.id, task.stream).stream.name
    boundaries = boundaries_of(opened.tx, session.id)
    owners = {owner for owner in (boundaries.owner(file_resource(file)) for file in files) if owner}
    if len(owners) == 1:
        return owners.pop()
    if not opened.tx.sessions.streams(session.id):
        raise Usage(
            f"There is no stream for task {task.id}: the configuration has none.",
            remedy="Add one under streams: and call: pucs config apply",
        )
    why = f"its files belong to {', '.join(sorted(owners))}" if owners else "no stream covers its files"
    raise Usage(
        f"Task {task.id} names no stream, and {why}.",
        remedy="Add stream: NAME, or declare files of one stream.",
    )


def take(context: Context, *, agent: str) -> Task | None:
    """Hand the agent the next ready task of its stream and return it, None if there is none now; one transaction.

    A paused agent gets none.
    """
    with unit(context) as opened:
        who = acting(opened, agent)
        if who.paused:
            return None
        tasks = opened.tx.tasks.all(who.session)
        leased = [lease.resource for lease in opened.tx.leases.live() if lease.agent != agent]
        others = {
            other.id
            for other in opened.tx.agents.all(who.session)
            if other.active and other.stream == who.stream
        }
        chosen = schedule.next_task(
            tasks, agent=agent, stream=who.stream, busy_resources=leased, others=others - {agent}
        )
        if chosen is None:
            return None
        taken = schedule.begin(chosen, agent=agent)
        opened.tx.tasks.put(taken)
        step(opened, who, Phase.ACQUIRE_LOCKS, task=taken.id)
        opened.log(
            "task started",
            agent=agent,
            stream=who.stream,
            task=taken.id,
            title=taken.title,
            attempt=taken.attempts,
        )
        send_in(opened, MessageKind.TASK_ASSIGNED, agent, text=taken.title, task=taken.id)
        return taken


def _own(opened: Unit, task: str, agent: str) -> Task:
    found = opened.tx.tasks.get(opened.active().id, task)
    if found is None:
        raise NotFound(f"There is no task {task!r}.", remedy="See: pucs task list")
    if found.state is TaskState.RUNNING and found.assignee != agent:
        raise Refused(
            f"Task {task} is at work in the hands of {found.assignee}.", remedy="See: pucs task list"
        )
    return found


def finish(context: Context, *, agent: str, task: str, result: str = "", by_keeper: bool = False) -> Task:
    """Mark a task as done; one transaction, safe to repeat.

    With ``by_keeper`` whoever launched the agent says so: its work has landed, even if it was terminated since.

    Raises:
        Refused: another agent is at work on it.
    """
    with unit(context) as opened:
        done = schedule.finish(
            replace(_own(opened, task, agent), assignee=agent), result=result, at=opened.now.wall()
        )
        opened.tx.tasks.put(done)
        if opened.tx.intents.of_agent(agent) is not None:
            from pucs.coordinator.contesting import clear_in  # noqa: PLC0415 - most tasks are done without a plan

            clear_in(context, opened, agent, f"task {task} is done", task=task)
        known = opened.tx.agents.get(agent) if by_keeper else None
        who = known or acting(opened, agent)
        if who.active:
            step(opened, who, Phase.REPORT, task="")
        opened.log("task done", agent=agent, stream=who.stream, task=task, title=done.title, result=result)
        if done.conflict:  # what led to a request is settled when that is done
            said = f"stream {done.stream} did it as task {done.id}"
            settle_in(opened, done.conflict, said, by=agent, strategy=Strategy.QUEUE)
        return done


def fail(context: Context, *, agent: str, task: str, reason: str, salvage: str = "") -> Task:
    """Write down a failed attempt; the task waits for another, or has failed for good. One transaction.

    When it failed for good, so have the tasks that come after it.
    """
    with unit(context) as opened:
        found = _own(opened, task, agent)
        changed = schedule.fail(
            opened.tx.tasks.all(found.session),
            found,
            reason=reason,
            attempts_max=opened.tx.sessions.configuration().agents.attempts,
            at=opened.now.wall(),
            salvage=salvage,
        )
        for one in changed:
            opened.tx.tasks.put(one)
            opened.log(
                "task failed" if one.state is TaskState.FAILED else "attempt failed",
                agent=agent if one.id == task else "",
                stream=one.stream,
                level=Level.ERROR,
                task=one.id,
                title=one.title,
                reason=one.result,
                salvage=one.salvage,
            )
        return changed[0]


def give_back(context: Context, *, agent: str, task: str, reason: str, salvage: str = "") -> Task:
    """Return an interrupted task to the pending ones; this does not count as an attempt. One transaction."""
    with unit(context) as opened:
        found = _own(opened, task, agent)
        if found.state is not TaskState.RUNNING:
            return found
        back = replace(schedule.give_back(found), salvage=salvage or found.salvage, result=reason)
        opened.tx.tasks.put(back)
        opened.log(
            "task given back",
            agent=agent,
            stream=found.stream,
            task=task,
            title=found.title,
            reason=reason,
            salvage=salvage,
        )
        return back


def tasks(context: Context) -> list[Task]:
    """Return the tasks of the session in the order of the tasks file."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        return tx.tasks.all(session.id) if session else []


def unfinished(context: Context) -> list[Task]:
    """Return pending and running tasks in the order of the tasks file."""
    return [task for task in tasks(context) if task.state in {TaskState.PENDING, TaskState.RUNNING}]
