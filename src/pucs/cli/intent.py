"""``intent``: say what one is going to change, look who is in the way, take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, clip, common_options, count, one_line, span, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.intents import Signalled
    from pucs.intents.records import Intent

PLAN_WIDTH = 60
"""Characters of a description in a table."""
FILES_SHOWN = 3
"""Files of an intent in a table, as 002 §4.3 shows them."""
_MINUTE_S = 60


@click.command()
@click.option("--agent", metavar="A", envvar="PUCS_AGENT", default="", help="Agent that plans [PUCS_AGENT].")
@click.option(
    "--stream", metavar="S", default="", envvar="PUCS_STREAM", help="Stream it works for [PUCS_STREAM]."
)
@click.option(
    "--files", metavar="A,B", multiple=True, help="What it is going to change; commas, or several times."
)
@click.option("--description", metavar="D", default="", help="What it is going to do.")
@click.option(
    "--duration",
    metavar="MIN",
    type=click.FloatRange(min=0, min_open=True),
    default=30,
    show_default=True,
    help="Minutes it expects to need; the intent counts for twice that.",
)
@click.option(
    "--task", metavar="T", default="", envvar="PUCS_TASK", help="Task whose end clears it [PUCS_TASK]."
)
@click.option("--check", "only_check", is_flag=True, help="Only look who would be in the way.")
@click.option("--clear", "only_clear", is_flag=True, help="Take the agent's intent back.")
@click.option("--list", "only_list", is_flag=True, help="Show every open intent.")
@common_options
def intent(
    door: Door,
    agent: str,
    stream: str,
    files: tuple[str, ...],
    description: str,
    duration: float,
    task: str,
    only_check: bool,
    only_clear: bool,
    only_list: bool,
) -> None:
    """Say what an agent is going to change, before it begins. An intent holds nothing and keeps nobody out.

    Exit status 1 if somebody is in the way: leases, earlier intents, or files of other streams. The intent is recorded
    all the same, as contested, and becomes active when the way is free.

    \b
    Example: pucs intent --agent shop-agent-1 --stream shop --files shop/cart.py,shop/tax.py --description "VAT" --duration 45
    """
    if only_check + only_clear + only_list > 1:
        raise click.UsageError("--check, --clear and --list exclude each other.")
    if only_list:
        _list(door)
        return
    if only_clear:
        _clear(door, _needed(agent, "--agent"))
        return
    names = [name.strip() for text in files for name in text.split(",") if name.strip()]
    _needed(" ".join(names), "--files")
    context = door.context()
    resources = context.worktrees.canonical(door.repo, names)
    if only_check:
        from pucs.coordinator.intents import check  # noqa: PLC0415 - after the options are checked

        answer = check(context, files=resources, agent=agent, stream=stream)
        said = "Nobody is in the way."
    else:
        from pucs.coordinator.intents import signal  # noqa: PLC0415 - after the options are checked

        answer = signal(
            context,
            agent=_needed(agent, "--agent"),
            files=resources,
            description=_needed(description, "--description"),
            estimated_duration_s=duration * _MINUTE_S,
            stream=stream,
            task=task,
        )
        said = f"Intent signaled successfully for {len(names)} files"
    door.say(answer_document(answer), lambda: said if answer.success else _conflicts(answer))
    if not answer.success:
        raise SystemExit(1)


def _needed(value: str, option: str) -> str:
    if not value.strip():
        raise click.UsageError(f"Missing option '{option}'.")
    return value


def answer_document(answer: Signalled) -> dict[str, Any]:
    """Return the answer to a plan as its JSON document; each conflict has its names of 000 and of 002."""
    return {
        "success": answer.success,
        "files": list(answer.files),
        "conflicts": [
            {
                "kind": found.kind.value,
                "file": found.file,
                "holder": found.holder,
                "holder_stream": found.holder_stream,
                "details": found.details,
                "conflict_type": found.conflict_type,
                "file_path": found.file_path,
                "holder_agent": found.holder_agent,
                "conflict": found.conflict,
            }
            for found in answer.conflicts
        ],
        "suggestions": list(answer.suggestions),
        "waiting": [{"agent": one.agent, "resources": list(one.resources)} for one in answer.waiting],
        "intent": answer.intent,
        "state": answer.state,
        "expires_at": answer.expires_at,
    }


def _conflicts(answer: Signalled) -> str:
    """Return the conflicts as 002 §4.3 prints them."""
    lines = ["CONFLICTS DETECTED:"]
    for found in answer.conflicts:
        lines += [
            f"  - {found.conflict_type}: {one_line(found.file_path)}",
            f"    Holder: {found.holder_agent} ({found.holder_stream})",
            f"    Details: {one_line(found.details)}",
        ]
    if answer.suggestions:
        lines += ["", "Suggestions:", *(f"  - {one_line(text)}" for text in answer.suggestions)]
    return "\n".join(lines)


def _clear(door: Door, agent: str) -> None:
    from pucs.coordinator.intents import clear  # noqa: PLC0415 - after the options are checked

    ended = clear(door.context(), agent=agent)
    text = f"{agent} has no intent any more." if ended else f"{agent!r} had no intent."
    door.say({"cleared": ended is not None, "files": list(ended.resources) if ended else []}, text)


def _list(door: Door) -> None:
    from pucs.coordinator.intents import intents  # noqa: PLC0415 - after the options are checked

    context = door.context()
    found = intents(context)
    now_s = context.clock.now().boot_s
    rows = [
        (
            one.agent,
            one.stream,
            one.state.value,
            files_text(one.resources),
            span(one.left_s(now_s)),
            one.description,
        )
        for one in found
    ]
    header = ("AGENT", "STREAM", "STATE", "FILES", "LEFT", "PLAN")
    text = table([(*row[:-1], clip(row[-1], PLAN_WIDTH)) for row in rows], header)
    door.say(
        [intent_document(one) for one in found],
        f"{text}\n{count(len(found), 'intent')}" if found else "No intents.",
    )


def files_text(resources: Sequence[str]) -> str:
    """Return the first files of an intent."""
    more = "..." if len(resources) > FILES_SHOWN else ""
    return ", ".join(resources[:FILES_SHOWN]) + more


def intent_document(found: Intent) -> dict[str, Any]:
    """Return an intent as its JSON document."""
    return {
        "id": found.id,
        "agent": found.agent,
        "stream": found.stream,
        "task": found.task,
        "files": list(found.resources),
        "description": found.description,
        "estimated_duration_min": found.estimated_duration_s / _MINUTE_S,
        "state": found.state.value,
        "declared_at": found.declared_at,
        "expires_at": found.expires_at,
        "contested_by": [
            {
                "kind": one.kind.value,
                "file": one.file,
                "holder": one.holder,
                "holder_stream": one.holder_stream,
            }
            for one in found.contests
        ],
    }
