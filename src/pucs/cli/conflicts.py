"""``conflicts``: what clashed, and what can be done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, clip, common_options, one_line, table

if TYPE_CHECKING:
    from pucs.coordinator.resolving import Explained

RESOURCES_WIDTH = 40
"""Characters of a conflict's resources; --json says the rest."""
DECISION_WIDTH = 90
"""Characters of a decision in the list; one conflict alone shows all of it."""


@click.command()
@click.argument("number", metavar="[ID]", required=False, type=int)
@click.option("--unresolved", is_flag=True, help="Only those that somebody still has to act on.")
@click.option(
    "--kind", metavar="K", default="", help="Only this kind: FILE_LOCK, BOUNDARY, SEMANTIC, and so on."
)
@common_options
def conflicts(door: Door, number: int | None, kind: str, *, unresolved: bool) -> None:
    """Show conflicts: waits, refusals at boundaries, changes that did not fit together. Status 1 if one is open.

    With ID one conflict is shown whole, with the strategies that are possible for it and what holds if nobody decides.

    \b
    Example: pucs conflicts --unresolved
    Example: pucs conflicts 3
    """
    if number is not None:
        _show(door, number)
        return
    from pucs.conflicts.views import kind_named  # noqa: PLC0415
    from pucs.coordinator.conflicts import conflicts as recorded  # noqa: PLC0415

    wanted = kind_named(kind) if kind else None
    found = [
        one for one in recorded(door.context(), unresolved=unresolved) if wanted is None or one.kind is wanted
    ]
    documents = [conflict.document() for conflict in found]
    none = "No unresolved conflicts." if unresolved else "No conflicts."
    header = ("ID", "KIND", "SEVERITY", "STATUS", "PARTIES", "RESOURCES", "DECISION")
    door.say(documents, table([_row(d) for d in documents], header) if documents else none)
    if any(d["status"] == "open" for d in documents):
        raise SystemExit(1)


def _row(document: dict[str, Any]) -> tuple[Any, ...]:
    until = f" until {document['deadline']}" if document["deadline"] else ""
    return (
        document["id"],
        document["kind"],
        document["severity"],
        document["status"],
        ", ".join(document["parties"]),
        clip(", ".join(document["resources"]), RESOURCES_WIDTH),
        clip(document["decision"], DECISION_WIDTH) or f"open{until}",
    )


def _show(door: Door, number: int) -> None:
    from pucs.coordinator.resolving import explained  # noqa: PLC0415

    answer = explained(door.context(), conflict=number)
    found, plan = answer.conflict, answer.plan
    document = found.document()
    if not found.decision:
        document |= {
            "proposed": plan.strategy,
            "possible": list(plan.possible),
            "default": plan.default.decision,
            "clash": list(answer.clash),
            "proposal": answer.proposal,
        }
    door.say(document, "\n".join(_lines(answer)))
    if not found.decision:
        raise SystemExit(1)


def _lines(answer: Explained) -> list[str]:
    found, plan = answer.conflict, answer.plan
    document = found.document()
    shown = {
        "conflict": found.id,
        "kind": found.kind.value,
        "severity": found.severity.value,
        "status": found.status.value,
        "parties": ", ".join(found.parties),
        "resources": ", ".join(found.resources),
        "opened": found.opened_at,
    }
    if found.decision:
        strategy = f" ({found.strategy.value})" if found.strategy else ""
        shown |= {
            "decision": f"{found.decision}{strategy}",
            "decided by": found.decided_by,
            "resolved": found.resolved_at,
        }
    else:
        shown |= {
            "possible": ", ".join(strategy.value.lower() for strategy in plan.possible),
            "proposed": f"{plan.strategy.value.lower()} ({plan.automation.value})",
            "by default": plan.default.decision
            + (f", from {found.deadline_at} on" if found.deadline_at else ""),
            **({"no merge": "; ".join(answer.clash)} if answer.clash else {}),
            **(
                {"guess": f"there is one; see it: pucs resolve {found.id} --strategy merge"}
                if answer.proposal
                else {}
            ),
        }
    shown |= {
        name: value
        for name, value in document["evidence"].items()
        if name != "announced" and value not in ("", [], {}, None)
    }
    lines = [one_line(f"{name:<12} {_text(value)}") for name, value in shown.items()]
    if not found.decision:
        lines.append(f"Resolve it: pucs resolve {found.id} --strategy {plan.strategy.value.lower()}")
    return lines


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return " ".join(str(value).split())
