"""``land`` and ``sync``: an agent's work out, others' work in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pucs.cli.door import Door, common_options
from pucs.cli.locks import AGENT_OPTION

if TYPE_CHECKING:
    from pucs.coordinator.landing import Landed


@click.command()
@AGENT_OPTION
@click.option(
    "--message", "-m", metavar="TEXT", default="", help='What the work does, such as "feat: add discounts".'
)
@common_options
def land(door: Door, agent: str, message: str) -> None:
    """Commit an agent's work, bring it onto its stream's branch, and give up the leases on it, in one step.

    A landing that conflicts changes nothing, keeps the leases and names the files.

    \b
    Example: pucs land --agent shop-agent-1 -m "feat: add discounts"
    """
    from pucs.coordinator.landing import Landed  # noqa: PLC0415
    from pucs.coordinator.landing import land as bring  # noqa: PLC0415

    answer = bring(door.context(), agent=agent, message=message or None)
    if isinstance(answer, Landed):
        where = f" as {answer.stream_commit[:12]}" if answer.stream_commit else ""
        text = (
            f"{agent} landed {', '.join(_named(answer))}{where}."
            if answer.paths
            else f"{agent} has nothing to land."
        )
        if answer.parked:
            text += "".join(f" Kept aside on {parked.ref}: {parked.reason}" for parked in answer.parked)
        text += "".join(f"\nWarning: {warning}" for warning in answer.warnings)
        door.say({"landed": True, **_fields(answer)}, text)
        return
    door.say({"landed": False, **_fields(answer)}, f"Not landed: {answer.message} {answer.remedy}")
    raise SystemExit(1)


@click.command()
@AGENT_OPTION
@common_options
def sync(door: Door, agent: str) -> None:
    """Bring others' landed work into an agent's worktree; its own edits are committed to its branch first.

    A sync that conflicts changes nothing and names the files.

    \b
    Example: pucs sync --agent shop-agent-1
    """
    from pucs.coordinator.syncing import Synced  # noqa: PLC0415
    from pucs.coordinator.syncing import sync as bring  # noqa: PLC0415

    answer = bring(door.context(), agent=agent)
    if isinstance(answer, Synced):
        door.say({"synced": True, **_fields(answer)}, f"{agent} is up to date at {answer.commit[:12]}.")
        return
    door.say({"synced": False, **_fields(answer)}, f"Not synced: {answer.message} {answer.remedy}")
    raise SystemExit(1)


def _named(answer: Landed) -> list[str]:
    """Return landed symbols, and the files that landed as a whole."""
    from pucs.core.resources import file_resource  # noqa: PLC0415

    parts = {file_resource(name) for name in answer.symbols}
    return [*answer.symbols, *(path for path in answer.paths if path not in parts)]


def _fields(record: object) -> dict[str, object]:
    import dataclasses  # noqa: PLC0415

    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}  # type: ignore[arg-type]
