"""``finalize`` and ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, common_options, count, table

if TYPE_CHECKING:
    from pucs.coordinator.context import Context


@click.command()
@click.option("--stream", "streams", metavar="S", multiple=True, help="Only this stream; may be repeated.")
@click.option(
    "--target", metavar="B", default="", help="Branch to move to the result, if no checkout has it out."
)
@click.option(
    "--accept",
    type=click.Choice(["auto", "review"]),
    default=None,
    help="Where git cannot merge: only what is proved, or guesses as well; without it merge.accept of pucs.yaml.",
)
@click.option("--dry-run", is_flag=True, help="Show the merge order; merge nothing.")
@common_options
def finalize(door: Door, streams: tuple[str, ...], target: str, accept: str | None, *, dry_run: bool) -> None:
    """Merge the streams in dependency order into the session branch, test, and end the session if all is in.

    What cannot be merged becomes a conflict; its stream stays unmerged and intact. Your checkout is never touched: the
    last line says how to take the result.

    \b
    Example: pucs finalize --dry-run
    """
    document = finalized(door.context(), streams=streams, target=target, accept=accept or "", dry_run=dry_run)
    door.say(document, lambda: _told(document))
    if not document["ok"]:
        raise SystemExit(1)


def finalized(
    context: Context,
    *,
    streams: tuple[str, ...] = (),
    target: str = "",
    accept: str = "",
    dry_run: bool = False,
) -> dict[str, Any]:
    """Do what ``pucs finalize`` does and return its document."""
    from pucs.coordinator.conflicts import conflicts  # noqa: PLC0415
    from pucs.coordinator.finalizing import finalize as merge_all  # noqa: PLC0415
    from pucs.coordinator.sessions import end  # noqa: PLC0415
    from pucs.coordinator.tasks import unfinished  # noqa: PLC0415
    from pucs.wiring import mark_active  # noqa: PLC0415

    with context.store.read() as tx:
        active = tx.sessions.active()
    result = merge_all(
        context, streams=streams or None, target=target or None, dry_run=dry_run, accept=accept
    )
    left = [task.id for task in unfinished(context)]
    document = {
        "session": result.session,
        "branch": result.branch,
        "phases": [[list(group) for group in phase] for phase in result.phases],
        "merged_streams": list(result.merged),
        "already_merged": list(result.already),
        "unmerged_streams": list(result.unmerged),
        "reasons": {one.stream: one.message for one in result.held},
        "tests_passed": result.tests_passed,
        "how_to_take": result.how_to_take,
        "target": result.target,
        "target_commit": result.target_commit,
        "open_conflicts": len(conflicts(context, unresolved=True)),
        "unfinished_tasks": left,
        "ended": False,
        "dry_run": dry_run,
        "ok": not result.unmerged,
    }
    still_active = active is not None and active.id == result.session
    if still_active and document["ok"] and not dry_run and not streams and not left:
        end(context)
        mark_active(context)
        document["ended"] = True
    return document


def _told(document: dict[str, Any]) -> str:
    rows = [
        (number, " + ".join(group)) for number, phase in enumerate(document["phases"], 1) for group in phase
    ]
    lines = [table(rows, ("PHASE", "STREAMS"))] if rows else ["No streams have landed work."]
    if document["dry_run"]:
        return "\n".join(lines)
    if document["merged_streams"]:
        tested = {True: "; tests passed", False: "; TESTS FAILED", None: ""}[document["tests_passed"]]
        lines.append(f"Merged into {document['branch']}: {', '.join(document['merged_streams'])}{tested}.")
    lines += [f"{name} is not merged, and intact: {why}" for name, why in document["reasons"].items()]
    if not document["merged_streams"] and not document["reasons"]:
        lines.append("Nothing is left to merge.")
    if document["open_conflicts"]:
        lines.append(
            f"{count(document['open_conflicts'], 'conflict')} to decide: pucs conflicts --unresolved"
        )
    if document["unfinished_tasks"]:
        lines.append(
            f"Unfinished tasks keep the session open: {', '.join(document['unfinished_tasks'][:10])}."
        )
    if document["ended"]:
        lines.append(f"Session {document['session']} is finalized.")
    if document["target_commit"]:
        lines.append(f"Branch {document['target']} is now at {document['target_commit'][:12]}.")
    if document["how_to_take"]:
        lines.append(f"Take the result: {document['how_to_take']}")
    return "\n".join(lines)


@click.command()
@common_options
def verify(door: Door) -> None:
    """Check that every change is accounted for: landed, merged, kept aside, or still in a worktree. Else status 1.

    \b
    Example: pucs verify
    """
    from pucs.coordinator.verifying import verify as check  # noqa: PLC0415

    found = check(door.context())
    rows = [(finding.severity.value, finding.kind, finding.message) for finding in found.findings]
    text = table(rows, ("LEVEL", "KIND", "FINDING")) + "\n" if rows else ""
    door.say(
        found, text + ("Every change is accounted for." if found.ok else "Something is not accounted for.")
    )
    if not found.ok:
        raise SystemExit(1)
