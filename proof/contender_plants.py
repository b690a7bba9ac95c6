"""Bugs planted into contending processes: what a store could do wrong so that histories are no longer linearizable.

Each replaces functions in the process of a contender from outside, before it begins. The judge has to find each.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WIDE_S = 0.002
"""How long a plant draws out the moment between looking and acting, so that others come in between."""


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted bug."""

    wrong: str
    """What is wrong, in a clause."""
    install: Callable[[], None]
    caught_by: tuple[str, ...] = ("linearizable",)
    """Rules, any of which counts as catching it."""
    needs: tuple[str, ...] = ()
    """What must be around the store: ``served``, ``cut``, ``struck``."""
    stores: tuple[str, ...] = ("sqlite", "postgresql")
    """Where it can be planted."""


def _room(name: str) -> Any:
    return importlib.import_module(f"pucs.coordinator.{name}")


def _replace(owner: Any, name: str, by: Any) -> None:
    assert hasattr(owner, name), f"{owner} has no {name} any more; the plant must follow"
    setattr(owner, name, by)


def _check_then_act() -> None:
    leases, asking, granting, context_room = (
        _room(name) for name in ("leases", "asking", "granting", "context")
    )
    settled, acquire = granting.settled, leases.acquire
    seen: list[Any] = []

    def first_looks(context: Any, *, resources: Any, **named: Any) -> Any:
        with context_room.unit(context) as opened:
            seen[:] = [settled(context, opened, resources)]
        time.sleep(WIDE_S)
        return acquire(context, resources=resources, **named)

    _replace(asking, "settled", lambda *_: seen[0])
    _replace(leases, "acquire", first_looks)


def _stale_copy() -> None:
    """Decide and answer by what was true some calls ago."""
    inspecting = _room("inspecting")
    why = inspecting.why
    copies: dict[str, tuple[int, Any]] = {}

    def stale(context: Any, *, resource: str) -> Any:
        uses, copy = copies.get(resource, (0, None))
        if copy is None or uses > 2:
            uses, copy = 0, why(context, resource=resource)
        copies[resource] = (uses + 1, copy)
        return copy

    _replace(inspecting, "why", stale)


def _same_token_again() -> None:
    from dataclasses import replace  # noqa: PLC0415 - used by this bug alone

    leases = _room("leases")
    acquire = leases.acquire
    first: dict[str, int] = {}

    def again(*arguments: Any, **named: Any) -> Any:
        found = acquire(*arguments, **named)
        return replace(
            found, tokens={name: first.setdefault(name, token) for name, token in found.tokens.items()}
        )

    _replace(leases, "acquire", again)


def _any_token_releases() -> None:
    leases = _room("leases")
    release = leases.release

    def anybodys(context: Any, *, agent: str, resources: Any, token: int) -> Any:
        del token
        with context.store.read() as tx:
            holders = [lease.agent for lease in tx.leases.overlapping(resources)]
        return release(context, agent=holders[0] if holders else agent, resources=resources)

    _replace(leases, "release", anybodys)


def _lost_release() -> None:
    leases = _room("leases")
    release = leases.release
    count = 0

    def sometimes(context: Any, *, resources: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count % 5:
            return release(context, resources=resources, **named)
        with context.store.read() as tx:
            held = any(lease.token == named["token"] for lease in tx.leases.overlapping(resources))
        return leases.Released(resources=tuple(resources) if held else ())

    _replace(leases, "release", sometimes)


def _part_of_a_set() -> None:
    granting, asking = _room("granting"), _room("asking")
    grant = granting.grant

    def part(opened: Any, request: Any, needed: Any, *others: Any, **named: Any) -> Any:
        return grant(opened, request, needed[:1], *others, **named)

    _replace(asking, "grant", part)


def _ends_early() -> None:
    liveness = _room("liveness")
    expired = liveness.expired
    _replace(liveness, "expired", lambda lease, boot, now_s: expired(lease, boot, now_s + 0.2))


PLANTS: dict[str, Plant] = {
    "check, then act": Plant(
        "what is free is looked up in one transaction and taken in the next", _check_then_act
    ),
    "a token given out twice": Plant(
        "a new lease is answered with the token of an old one", _same_token_again
    ),
    "any token releases": Plant("a release ends whatever lease is on the resource", _any_token_releases),
    "a lost release": Plant("now and then a release is answered and not done", _lost_release),
    "a stale copy": Plant("who holds what is answered from an earlier reading", _stale_copy),
    "a part of a set": Plant("only the first resource of a set is leased", _part_of_a_set, ("whole sets",)),
    "leases end early": Plant("a lease is over 0.2 s before its time", _ends_early),
}


def install(name: str) -> None:
    """Put a bug into this process; the empty name: none."""
    if name:
        PLANTS[name].install()
