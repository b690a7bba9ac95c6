"""``task add``, ``task import``, ``task list`` and ``task show``."""

from __future__ import annotations

from pathlib import Path

import click

from pucs.cli.door import Door, common_options, count, table
from pucs.core.errors import NotFound, Usage


@click.group()
@common_options
def task(door: Door) -> None:
    """Add, import, list and show tasks.

    \b
    Example: pucs task add --id docs --title "docs: explain prices" --stream catalog --command "python tools/doc.py"
    """
    del door


@task.command("add")
@click.option("--id", "name", metavar="I", required=True, help="Name of the task.")
@click.option("--title", metavar="T", required=True, help='What it does, such as "feat: add discounts".')
@click.option("--stream", metavar="S", default="", help="Stream; default: the one that covers its files.")
@click.option("--after", metavar="ID", multiple=True, help="A task that must be done first; may be repeated.")
@click.option("--files", metavar="A,B", default="", help="Files it will change, separated by commas.")
@click.option("--priority", metavar="N", type=int, default=0, show_default=True, help="Higher first.")
@click.option("--command", metavar="CMD", default="", help="Shell command run in the agent's worktree.")
@click.option("--prompt", metavar="TEXT", default="", help="What a model-driven agent is asked.")
@common_options
def add(
    door: Door,
    name: str,
    title: str,
    stream: str,
    after: tuple[str, ...],
    files: str,
    priority: int,
    command: str,
    prompt: str,
) -> None:
    """Add one task to the session.

    \b
    Example: pucs task add --id docs --title "docs: explain prices" --files catalog/prices.py --command "make docs"
    """
    from pucs.coordinator.tasks import import_tasks  # noqa: PLC0415
    from pucs.tasks.records import Task  # noqa: PLC0415

    if bool(command) == bool(prompt):
        raise Usage("A task needs a command or a prompt, and not both.", remedy="Give --command or --prompt.")
    wanted = Task(
        id=name,
        title=title,
        stream=stream,
        after=after,
        files=tuple(file.strip() for file in files.split(",") if file.strip()),
        priority=priority,
        command=command,
        prompt=prompt,
    )
    done = import_tasks(door.context(), tasks=(wanted,))
    door.say(
        done, f"Task {name} {'added' if done.added else 'updated' if done.updated else 'was left as it is'}."
    )


@task.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@common_options
def import_(door: Door, file: Path) -> None:
    """Bring the tasks of a file into the session, without running them.

    Safe to repeat: pending tasks take the new text, failed ones get another chance, and those that are done or at work
    stay as they are.

    \b
    Example: pucs task import tasks.yaml
    """
    from pucs.cli.settings import read_text  # noqa: PLC0415
    from pucs.coordinator.tasks import import_tasks  # noqa: PLC0415
    from pucs.tasks.file import parse_tasks  # noqa: PLC0415

    done = import_tasks(door.context(), tasks=parse_tasks(read_text(file), str(file)))
    door.say(
        done,
        f"{count(len(done.added), 'task')} added, {len(done.updated)} updated, {len(done.kept)} left as they are.",
    )


@task.command("list")
@common_options
def list_(door: Door) -> None:
    """List the tasks of the session.

    \b
    Example: pucs task list --json
    """
    from pucs.coordinator.tasks import tasks as all_tasks  # noqa: PLC0415

    found = all_tasks(door.context())
    rows = [(t.id, t.stream, t.state.value, t.assignee, t.attempts, t.title) for t in found]
    door.say(
        found, table(rows, ("ID", "STREAM", "STATE", "AGENT", "ATTEMPTS", "TITLE")) if rows else "No tasks."
    )


@task.command("show")
@click.argument("name", metavar="ID")
@common_options
def show(door: Door, name: str) -> None:
    """Show one task with everything known of it.

    \b
    Example: pucs task show docs
    """
    from pucs.coordinator.tasks import tasks as all_tasks  # noqa: PLC0415

    found = next((one for one in all_tasks(door.context()) if one.id == name), None)
    if found is None:
        raise NotFound(f"There is no task {name!r}.", remedy="See: pucs task list")
    lines = [
        f"{field:<10} {getattr(found, field)}"
        for field in (
            "id",
            "title",
            "stream",
            "state",
            "assignee",
            "attempts",
            "result",
            "salvage",
            "command",
        )
    ]
    door.say(found, "\n".join(lines))
