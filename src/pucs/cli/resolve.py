"""``resolve``: settle a conflict, by a strategy or by a decision."""

from __future__ import annotations

import click

from pucs.cli.door import Door, common_options
from pucs.conflicts.records import Strategy

_STRATEGIES = [strategy.value.lower() for strategy in Strategy]


@click.command()
@click.argument("number", metavar="ID", type=int)
@click.option(
    "--strategy",
    type=click.Choice(_STRATEGIES, case_sensitive=False),
    default=None,
    help="How; without it the one that fits is taken.",
)
@click.option(
    "--winner", metavar="SIDE", default="", help="arbitrate: the agent, stream or salvage ref that stands."
)
@click.option("--reason", metavar="TEXT", default="", help="Why, for the record and those concerned.")
@click.option(
    "--accept",
    type=click.Choice(["auto", "review"]),
    default=None,
    help="merge: what is applied, only what is proved or guesses as well; without it merge.accept of pucs.yaml.",
)
@click.option("--by", metavar="NAME", default="", help="Who decides [operator].")
@common_options
def resolve(
    door: Door, number: int, strategy: str | None, winner: str, reason: str, accept: str | None, by: str
) -> None:
    """Resolve a conflict. Whatever is decided, the side that does not stand is kept on a salvage ref.

    queue: do it again on top of what landed, or wait. partition: divide the file. merge: merge the parked change with what
    landed since; a merge that is a guess is shown as a patch and only applied with --accept review. arbitrate: the side you
    name with --winner stands. rollback: the parked change stays out. A conflict that was decided keeps its first decision.
    Status 1 if somebody still has to decide.

    \b
    Example: pucs resolve 3 --strategy merge
    Example: pucs resolve 3 --strategy merge --accept review
    Example: pucs resolve 3 --strategy arbitrate --winner shop-agent-1 --reason "the customer asked for it"
    """
    from pucs.coordinator.resolving import resolve as settle  # noqa: PLC0415

    done = settle(
        door.context(),
        conflict=number,
        strategy=Strategy(strategy.upper()) if strategy else None,
        decision=reason,
        by=by,
        winner=winner,
        accept=accept or "",
    )
    lines = [f"Conflict {done.conflict} ({done.strategy.value}): {done.message}"]
    if done.commit:
        lines.append(f"The stream is at {done.commit[:12]}.")
    if done.kept and done.kept not in done.message:
        lines.append(f"Kept: {done.kept}")
    if done.proposal:
        lines += ["", done.proposal.rstrip("\n")]
    door.say(done, "\n".join(lines))
    if not done.resolved and done.strategy in {Strategy.ARBITRATE, Strategy.MERGE}:
        raise SystemExit(1)
