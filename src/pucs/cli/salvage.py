"""``salvage list``, ``salvage show`` and ``salvage restore``: work that was kept aside."""

from __future__ import annotations

import click

from pucs.cli.door import Door, common_options, table


@click.group()
@common_options
def salvage(door: Door) -> None:
    """List, show and restore work that was kept aside instead of being lost.

    \b
    Example: pucs salvage list
    """
    del door


@salvage.command("list", short_help="List what is kept, and why.")
@common_options
def list_(door: Door) -> None:
    """List what is kept: which agent's work, for which task, and why it did not land.

    \b
    Example: pucs salvage list --json
    """
    from pucs.coordinator.salvaging import salvages  # noqa: PLC0415

    found = salvages(door.context(), session=door.session)
    rows = [(s.ref, s.agent, s.task, s.reason) for s in found]
    door.say(found, table(rows, ("REF", "AGENT", "TASK", "WHY")) if rows else "Nothing is kept aside.")


@salvage.command("show", short_help="Show the change on a salvage ref.")
@click.argument("ref")
@common_options
def show(door: Door, ref: str) -> None:
    """Show the change on a salvage ref.

    \b
    Example: pucs salvage show refs/pucs/salvage/PUCS-20251206-001/shop-agent-1/1
    """
    from pucs.coordinator.salvaging import show as read  # noqa: PLC0415

    found, change = read(door.context(), ref=ref)
    door.say({"salvage": found, "change": change}, change)


@salvage.command("restore", short_help="Make a branch at the kept work.")
@click.argument("ref")
@click.option("--branch", metavar="NAME", default="", help="Branch to make [pucs/restored/AGENT-N].")
@common_options
def restore(door: Door, ref: str, branch: str) -> None:
    """Make a branch at the kept work, ready to be merged or looked at; no checkout is touched.

    \b
    Example: pucs salvage restore refs/pucs/salvage/PUCS-20251206-001/shop-agent-1/1 --branch rescue
    """
    from pucs.coordinator.salvaging import restore as bring_back  # noqa: PLC0415

    name = branch or "pucs/restored/" + "-".join(ref.rstrip("/").split("/")[-2:])
    commit = bring_back(door.context(), ref=ref, branch=name)
    door.say(
        {"branch": name, "commit": commit},
        f"Branch {name} is at {commit[:12]}. Look: git diff {name}^ {name}",
    )
