"""Which task an agent takes next, and what the end of one does to the others. Pure: records in, records out."""

from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from pucs.core.errors import Usage
from pucs.core.resources import ancestors, is_directory, is_named, is_symbol, parse
from pucs.tasks.records import Task, TaskState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


class _Claims:
    """Declared resources, asked in time that depends on the depth of a path and not on how many there are.

    Files are declared as written, so ``shop`` without a slash may turn out a directory: it counts as both.
    """

    def __init__(self) -> None:
        self.claimed: set[str] = set()
        self.above: set[str] = set()

    def add(self, files: Iterable[str]) -> None:
        """Claim declared files."""
        for resource in _canonical(files):
            self.claimed.add(resource)
            self.above.update(ancestors(resource))

    def conflict(self, files: Iterable[str]) -> bool:
        """Tell whether any of these overlaps something claimed."""
        return any(
            resource in self.claimed
            or resource in self.above
            or any(ancestor in self.claimed for ancestor in ancestors(resource))
            for resource in _canonical(files)
        )


def ready(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks that could begin now: pending, every prerequisite done; higher priority and earlier first."""
    done = {task.id for task in tasks if task.state is TaskState.DONE}
    found = [task for task in tasks if task.state is TaskState.PENDING and done.issuperset(task.after)]
    return sorted(found, key=lambda task: (-task.priority, task.position))


def next_task(
    tasks: Sequence[Task],
    *,
    agent: str,
    stream: str = "",
    busy_resources: Iterable[str] = (),
    others: Collection[str] = (),
) -> Task | None:
    """Return the task an agent should take: by priority, then those that meet nobody, then in the order of the file.

    ``stream`` empty means any. ``busy_resources`` are leased by others; files declared by running tasks count as busy
    too. A task that this agent failed is left to one of the ``others`` that has not tried it, if there is one.
    """
    claims = _Claims()
    claims.add(busy_resources)
    for task in tasks:
        if task.state is TaskState.RUNNING and task.assignee != agent:
            claims.add(task.files)
    mine = [
        task
        for task in ready(tasks)
        if (not stream or task.stream.casefold() == stream.casefold())
        and (agent not in task.tried_by or set(others) <= {agent, *task.tried_by})
    ]
    return min(
        mine, key=lambda task: (-task.priority, claims.conflict(task.files), task.position), default=None
    )


def begin(task: Task, *, agent: str) -> Task:
    """Return the task as taken by an agent; the attempt counts."""
    return replace(task, state=TaskState.RUNNING, assignee=agent, attempts=task.attempts + 1)


def give_back(task: Task) -> Task:
    """Return the task as not begun: its agent was stopped and the attempt does not count."""
    return replace(task, state=TaskState.PENDING, assignee="", attempts=max(0, task.attempts - 1))


def finish(task: Task, *, result: str, at: str) -> Task:
    """Return the task as done; ``at`` is wall time."""
    return replace(task, state=TaskState.DONE, result=result, ended_at=at)


def fail(
    tasks: Sequence[Task], task: Task, *, reason: str, attempts_max: int, at: str, salvage: str = ""
) -> list[Task]:
    """Return the tasks that change when an attempt fails, the failed one first.

    It may be tried again until ``attempts_max`` attempts have begun. Then it has failed, and with it every pending task
    that waits for it, directly or through others; each says why.
    """
    tried = tuple(dict.fromkeys((*task.tried_by, task.assignee))) if task.assignee else task.tried_by
    task = replace(task, tried_by=tried, result=reason, salvage=salvage or task.salvage)
    if task.attempts < attempts_max:
        return [replace(task, state=TaskState.PENDING)]
    changed = {task.id: replace(task, state=TaskState.FAILED, ended_at=at)}
    grew = True
    while grew:
        grew = False
        for other in tasks:
            cause = next((name for name in other.after if name in changed), None)
            if other.state is TaskState.PENDING and other.id not in changed and cause is not None:
                why = f"its prerequisite {cause} failed"
                changed[other.id] = replace(other, state=TaskState.FAILED, result=why, ended_at=at)
                grew = True
    return list(changed.values())


def waves(tasks: Sequence[Task]) -> list[list[Task]]:
    """Return the plan of a run: tasks of one wave need only earlier waves and declare no overlapping files.

    Finished tasks are left out, and so is whatever can never begin.
    """
    done = {task.id for task in tasks if task.state is TaskState.DONE}
    left = [task for task in tasks if task.state in {TaskState.PENDING, TaskState.RUNNING}]
    left.sort(key=lambda task: (task.state is not TaskState.RUNNING, -task.priority, task.position))
    plan: list[list[Task]] = []
    while left:
        claims = _Claims()
        wave: list[Task] = []
        for task in left:
            if done.issuperset(task.after) and not claims.conflict(task.files):
                claims.add(task.files)
                wave.append(task)
        if not wave:
            break
        taken = {task.id for task in wave}
        left = [task for task in left if task.id not in taken]
        done |= taken
        plan.append(wave)
    return plan


def blocked_reason(task: Task, tasks: Iterable[Task]) -> str:
    """Return why a task cannot begin, in a few words; empty: nothing blocks it."""
    states = {other.id: other.state for other in tasks}
    if task.state is not TaskState.PENDING:
        return f"it is {task.state.value}" + (f": {task.result}" if task.result else "")
    failed = [name for name in task.after if states.get(name) is TaskState.FAILED]
    if failed:
        return f"its prerequisite {failed[0]} failed"
    missing = [name for name in task.after if name not in states]
    if missing:
        return f"there is no task {missing[0]} to wait for"
    open_ = [name for name in task.after if states[name] is not TaskState.DONE]
    return f"it waits for {', '.join(open_)}" if open_ else ""


def cycle(graph: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return one cycle in the order "waits for", its first node repeated at the end; empty: there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return ()


def _canonical(files: Iterable[str]) -> list[str]:
    """Return what declared files may stand for; what is no resource stands for nothing."""
    resources: list[str] = []
    for file in files:
        try:
            resource = parse(file)
        except Usage:  # told about where it was read
            continue
        resources.append(resource)
        if not (is_directory(resource) or is_symbol(resource) or is_named(resource)):
            resources.append(resource + "/")
    return resources
