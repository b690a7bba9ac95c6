"""``lock``, ``unlock``, ``locks``, ``queue``, ``cleanup`` and ``why``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, common_options, one_line, span, table
from pucs.core.modes import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context
    from pucs.locks.records import Lease

_MODES = {"exclusive": Mode.EXCLUSIVE, "intent": Mode.INTENT, "shared": Mode.SHARED_READ}
AGENT_OPTION = click.option(
    "--agent", metavar="A", envvar="PUCS_AGENT", required=True, help="Agent that acts [PUCS_AGENT]."
)


def _canonical(context: Context, door: Door, names: Sequence[str]) -> tuple[str, ...]:
    return context.worktrees.canonical(door.repo, names)


@click.command()
@click.argument("resources", nargs=-1, required=True, metavar="RESOURCE...")
@AGENT_OPTION
@click.option(
    "--stream", metavar="S", default="", envvar="PUCS_STREAM", help="Stream it works for [PUCS_STREAM]."
)
@click.option(
    "--task", metavar="T", default="", envvar="PUCS_TASK", help="What for, shown to others [PUCS_TASK]."
)
@click.option(
    "--mode",
    type=click.Choice(sorted(_MODES)),
    default="exclusive",
    show_default=True,
    help="exclusive: to change it; intent: to change it next, while others may still read; shared: to rely on it, "
    "together with others.",
)
@click.option(
    "--duration",
    metavar="MIN",
    type=click.FloatRange(min=0, min_open=True),
    help="Minutes [locks.default_duration_min].",
)
@click.option(
    "--wait", metavar="S", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait in the queue."
)
@common_options
def lock(
    door: Door,
    resources: tuple[str, ...],
    agent: str,
    stream: str,
    task: str,
    mode: str,
    duration: float | None,
    wait: float,
) -> None:
    """Lease files, directories, functions or named resources, all of them or none.

    Write path/to/file.py::Class.method for a part of a Python file and res:NAME for what is no file, a port or a
    database. Asking in a stronger mode for what one holds turns the lease into that. Exit status 1 if they cannot be
    had; the reason names who holds what, and until when.

    \b
    Example: pucs lock shop/cart.py shop/tax/ --agent shop-agent-1 --stream shop --task "VAT" --wait 60
    """
    from pucs.coordinator.leases import acquire  # noqa: PLC0415 - after the options are checked
    from pucs.coordinator.noting import note  # noqa: PLC0415

    context = door.context()
    names = _canonical(context, door, resources)
    answer = acquire(
        context,
        agent=agent,
        resources=names,
        mode=_MODES[mode],
        duration_s=None if duration is None else duration * 60,
        wait_s=wait,
        task=task,
        stream=stream,
        noted=note(context, agent=agent, resources=names),
    )
    document = {
        "granted": answer.granted,
        "tokens": answer.tokens,
        "expires_at": answer.expires_at,
        "queue_position": answer.queue_position,
        "wait_time": answer.wait_time,
        "estimated_wait_s": answer.estimated_wait_s,
        "reason": answer.reason,
        "base": answer.base,
        "planned_by": list(answer.planned_by),
    }
    held = ", ".join(answer.tokens)
    planned = f" Planned too by {', '.join(answer.planned_by)}." if answer.planned_by else ""
    usual = ""
    if answer.estimated_wait_s is not None:
        usual = f" Free {_free(answer.wait_time, answer.estimated_wait_s)}."
    door.say(
        document,
        f"{agent} holds {held} until {answer.expires_at}.{planned}"
        if answer.granted
        else f"Not granted: {answer.reason}{usual}",
    )
    if not answer.granted:
        raise SystemExit(1)


def _free(longest_s: float, usual_s: float | None) -> str:
    """Say when something is free, for people."""
    if usual_s is None:
        return f"in {span(longest_s)} at the latest; how long it usually takes is not known yet"
    return f"usually in about {span(usual_s)}; in {span(longest_s)} at the latest"


@click.command()
@click.argument("resources", nargs=-1, metavar="[RESOURCE...]")
@AGENT_OPTION
@click.option("--token", metavar="N", type=int, help="Only the lease with this token.")
@click.option(
    "--to",
    "weaker",
    type=click.Choice(sorted(set(_MODES) - {"exclusive"})),
    help="Hold on in this weaker mode instead; nobody else can write in between.",
)
@common_options
def unlock(door: Door, resources: tuple[str, ...], agent: str, token: int | None, weaker: str | None) -> None:
    """Give up leases: the named ones, or all of the agent's. Unlanded work is landed or kept aside first.

    A suspended agent also gives up its places in the queue for them.

    \b
    Example: pucs unlock shop/cart.py --agent shop-agent-1
    """
    from pucs.coordinator.releasing import give_up  # noqa: PLC0415 - after the options are checked

    context = door.context()
    names = _canonical(context, door, resources) if resources else None
    to = _MODES[weaker] if weaker else None
    done = give_up(context, agent=agent, resources=names, token=token, to=to)
    if done.resources and to is not None:
        text = f"{agent} holds {', '.join(done.resources)} as {to.value} now."
    elif done.resources:
        text = f"{agent} gave up {', '.join(done.resources)}."
    elif to is not None:
        text = f"{agent!r} holds nothing{' of ' + ', '.join(names) if names else ''} that is stronger than {to.value}."
    else:
        text = f"{agent!r} holds {('none of ' + ', '.join(names)) if names else 'nothing'}."
    if done.left:
        left = f"{agent} does not wait for {', '.join(done.left)} any more."
        text = f"{text} {left}" if done.resources else left
    if done.landed:
        text += f" Landed first: {', '.join(done.landed)}."
    if done.parked:
        text += "".join(f" Kept aside on {parked.ref}: {parked.reason}" for parked in done.parked)
    text += "".join(f"\nWarning: {warning}" for warning in done.warnings)
    door.say(done, text)
    if not done.resources and not done.left:
        raise SystemExit(1)


@click.command()
@click.option("--stream", metavar="S", default="", help="Only this stream.")
@common_options
def locks(door: Door, stream: str) -> None:
    """Show the live leases.

    \b
    Example: pucs locks --stream shop
    """
    from pucs.coordinator.inspecting import locks as live_locks  # noqa: PLC0415

    context = door.context()
    leases = live_locks(context, stream=stream)
    now_s = context.clock.now().boot_s
    rows = [
        (
            lease.resource,
            lease.mode.value if lease.claim_by_s is None else f"{lease.mode.value}, reserved",
            lease.agent,
            lease.stream,
            lease.task,
            span(lease.left_s(now_s) if lease.claim_by_s is None else max(0.0, lease.claim_by_s - now_s)),
        )
        for lease in leases
    ]
    text = table(rows, ("RESOURCE", "MODE", "AGENT", "STREAM", "TASK", "LEFT")) if rows else "No leases."
    door.say([lease_document(lease) for lease in leases], text)


def lease_document(lease: Lease) -> dict[str, Any]:
    """Return a lease as its JSON document."""
    return {
        "resource": lease.resource,
        "mode": lease.mode.value,
        "agent": lease.agent,
        "stream": lease.stream,
        "task": lease.task,
        "token": lease.token,
        "state": lease.state.value,
        "granted_at": lease.granted_at,
        "expires_at": lease.expires_at,
    }


@click.command()
@click.argument("resources", nargs=-1, metavar="[RESOURCE...]")
@common_options
def queue(door: Door, resources: tuple[str, ...]) -> None:
    """Show who waits, in order, for these resources or for any.

    \b
    Example: pucs queue shop/cart.py
    """
    from pucs.coordinator.inspecting import DELAYS_MAX, Delay, delays  # noqa: PLC0415
    from pucs.coordinator.inspecting import queue as waiting_for  # noqa: PLC0415

    context = door.context()
    requests = waiting_for(context, resources=_canonical(context, door, resources) if resources else ())
    expected: list[Delay | None] = [*delays(context, requests), *[None] * max(0, len(requests) - DELAYS_MAX)]
    documents: list[dict[str, Any]] = [
        {
            "position": position,
            "agent": request.agent,
            "stream": request.stream,
            "task": request.task,
            "resources": [resource for resource, _ in request.resources],
            "suspended": request.suspended,
            "waited_s": round(context.clock.now().boot_s - request.asked_s, 1),
            "longest_wait_s": delay.longest_s if delay else None,
            "estimated_wait_s": delay.usual_s if delay else None,
        }
        for position, (request, delay) in enumerate(zip(requests, expected, strict=True), 1)
    ]
    rows = [
        (
            d["position"],
            f"{d['agent']} (suspended)" if d["suspended"] else d["agent"],
            d["stream"],
            ", ".join(d["resources"]),
            f"{d['waited_s']} s",
            "unknown" if d["estimated_wait_s"] is None else span(d["estimated_wait_s"]),
            "unknown" if d["longest_wait_s"] is None else span(d["longest_wait_s"]),
        )
        for d in documents
    ]
    columns = ("#", "AGENT", "STREAM", "WAITS FOR", "SINCE", "USUALLY", "AT THE LATEST")
    door.say(documents, table(rows, columns) if rows else "Nobody waits.")


@click.command()
@common_options
def cleanup(door: Door) -> None:
    """End leases whose time is over or whose owner is dead, and serve who waits. Work in worktrees stays.

    Also removes the oldest entries of the log beyond logging.max_entries that nothing open needs.

    \b
    Example: pucs cleanup
    """
    from pucs.coordinator.leases import cleanup as end_what_is_over  # noqa: PLC0415
    from pucs.coordinator.retention import trim  # noqa: PLC0415

    context = door.context()
    ended = end_what_is_over(context)
    trim(context)
    names = ", ".join(f"{lease.resource} ({lease.agent})" for lease in ended)
    door.say(
        [lease_document(lease) for lease in ended],
        f"Ended {len(ended)}: {names}" if ended else "Nothing was over.",
    )


@click.command()
@click.argument("resource", metavar="FILE")
@common_options
def why(door: Door, resource: str) -> None:
    """Explain a file: its stream, who holds it, who waits and who changed it last.

    \b
    Example: pucs why shop/cart.py
    """
    from pucs.coordinator.inspecting import why as explain  # noqa: PLC0415

    context = door.context()
    found = explain(context, resource=_canonical(context, door, (resource,))[0])
    document = {
        "resource": found.resource,
        "stream": found.stream,
        "holders": [lease_document(lease) for lease in found.holders],
        "waiting": [request.agent for request in found.waiting],
        "suspended": [request.agent for request in found.waiting if request.suspended],
        "base": found.base,
        "changed_by": found.changed_by,
        "longest_wait_s": found.delay.longest_s,
        "estimated_wait_s": found.delay.usual_s,
        "planned": [
            {"agent": plan.agent, "state": plan.state.value, "description": plan.description}
            for plan in found.planned
        ],
    }
    door.say(document, lambda: _explained(document))


def _explained(document: dict[str, Any]) -> str:
    lines = [f"{document['resource']}", f"  stream   {document['stream'] or 'none: shared by all'}"]
    for lease in document["holders"]:
        task = f", for {lease['task']!r}" if lease["task"] else ""
        how = "reserved for" if lease["state"] == "reserved" else "held by "
        lines.append(f"  {how} {lease['agent']} ({lease['mode']}{task}) until {lease['expires_at']}")
    if not document["holders"]:
        lines.append("  held by  nobody")
    waiting = [
        f"{agent} (suspended)" if agent in document["suspended"] else agent for agent in document["waiting"]
    ]
    lines.append(f"  waiting  {', '.join(waiting) or 'nobody'}")
    if document["longest_wait_s"]:
        lines.append(f"  free     {_free(document['longest_wait_s'], document['estimated_wait_s'])}")
    lines += [
        f"  planned  by {plan['agent']} ({plan['state']}): {one_line(plan['description'])}"
        for plan in document["planned"]
    ]
    changed = (
        f"{document['changed_by']} in {document['base'][:12]}"
        if document["changed_by"]
        else f"nobody since {document['base'][:12]}"
    )
    lines.append(f"  changed  by {changed}")
    return os.linesep.join(lines)
