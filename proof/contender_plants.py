"""Bugs planted into contending processes: what a store could do wrong so that histories are no longer linearizable.

Each replaces functions in the process of a contender from outside, before it begins. The judge has to find each.
"""

from __future__ import annotations

import importlib
import threading
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
    return _other(f"coordinator.{name}")


def _other(name: str) -> Any:
    return importlib.import_module(f"pucs.{name}")


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


def _ignores_readers() -> None:
    """Grant a lease in a stronger mode, whoever else holds it."""
    asking, rules, records = _room("asking"), _other("locks.rules"), _other("locks.records")
    decide = asking.decide

    def grants(request: Any, live: Any, *others: Any) -> Any:
        verdict = decide(request, live, *others)
        needed, kept = rules.uncovered(request.agent, request.resources, live)
        converted = rules.weaker(request.agent, needed, live)
        return records.Granted(needed, kept, converted) if converted else verdict

    _replace(asking, "decide", grants)


def _passes_waiters() -> None:
    asking = _room("asking")
    decide = asking.decide
    _replace(
        asking,
        "decide",
        lambda request, live, _, limits=None, queue=None: decide(request, live, (), limits or {}, queue),
    )


def _last_first() -> None:
    rules = _other("locks.rules")
    in_turn = rules.in_turn
    _replace(rules, "in_turn", lambda waiting: in_turn(waiting)[::-1])


def _gap_in_downgrade() -> None:
    leases = _room("leases")

    def downgrade(context: Any, *, agent: str, resources: Any, to: Any, token: int) -> Any:
        with context.store.read() as tx:
            lease = next((one for one in tx.leases.of_agent(agent) if one.token == token), None)
        if (
            lease is None
            or not leases.release(context, agent=agent, resources=resources, token=token).resources
        ):
            return {}
        time.sleep(WIDE_S)
        left_s = lease.expires_s - context.clock.now().boot_s
        if left_s <= 0:
            return {}
        return leases.acquire(context, agent=agent, resources=resources, mode=to, duration_s=left_s).tokens

    _replace(leases, "downgrade", downgrade)


def _entry_not_written() -> None:
    log = _room("log")
    write = log.log
    count = 0

    def sometimes(context: Any, **named: Any) -> int:
        nonlocal count
        count += 1
        return 0 if count % 5 == 0 else int(write(context, **named))

    _replace(log, "log", sometimes)


def _release_in_two_commits() -> None:
    """End the lease in one transaction and write its entry in the next."""
    leases, context_room, granting = (_room(name) for name in ("leases", "context", "granting"))
    records = _other("locks.records")

    def release(context: Any, *, agent: str, resources: Any, token: int) -> Any:
        with context_room.unit(context) as opened:
            held = [
                lease
                for lease in opened.tx.leases.of_agent(agent)
                if lease.token == token and lease.state is records.LeaseState.HELD
            ]
            opened.tx.leases.end(
                [lease.token for lease in held], opened.now.boot_s, records.EndReason.RELEASED
            )
            granting.serve(opened, [lease.resource for lease in held], context=context)
        time.sleep(WIDE_S)
        with context_room.unit(context) as opened:
            if held:
                opened.log("lock released", agent=agent, files=list(resources), tokens=[token])
        return leases.Released(resources=tuple(lease.resource for lease in held))

    _replace(leases, "release", release)


def _done_again() -> None:
    """Let a server forget what it was asked before."""
    repeats = _other("server.repeats")

    async def once(_: Any, __: str, ___: str, ____: bytes, begin: Any) -> Any:
        return await begin(threading.Event())

    _replace(repeats.Repeats, "once", once)


def _mark_after_commit() -> None:
    """Write the number by which a lost answer is looked up when the commit is done, not with it."""
    from types import SimpleNamespace  # noqa: PLC0415 - used by this bug alone

    room = _other("store.postgres_connection")
    send_commit, randbits = room.Connection._send_commit, room.secrets.randbits  # noqa: SLF001 - it is replaced

    def late(self: Any) -> None:
        send_commit(self)
        self.mark = room.Mark(self.mark.number, randbits(62) + 1)
        self._line.leave()
        time.sleep(WIDE_S)
        self._line.enter()
        slot = self.mark.number % room.COMMITS_KEPT
        self._line.send(b"UPDATE commits SET nonce = $2 WHERE slot = $1", (slot, self.mark.nonce))

    _replace(room.Connection, "_send_commit", late)
    _replace(room, "secrets", SimpleNamespace(randbits=lambda _: 0))


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
    "an upgrade ignores readers": Plant(
        "whoever holds a resource gets it in a stronger mode, whoever else holds it",
        _ignores_readers,
        ("linearizable", "log"),
    ),
    "a downgrade leaves a gap": Plant(
        "a lease is given up and asked for again in a weaker mode, in two transactions", _gap_in_downgrade
    ),
    "a waiter is passed over": Plant("whoever asks does not look at the queue", _passes_waiters),
    "last come, first served": Plant("the queue is served from its end", _last_first),
    "an entry that is not written": Plant(
        "now and then an entry is acknowledged and not written", _entry_not_written, ("entries",)
    ),
    "a release in two commits": Plant(
        "a lease ends in one transaction, and its entry is written in the next",
        _release_in_two_commits,
        ("log",),
    ),
    "done again": Plant(
        "a server does what it is asked again after a lost answer a second time",
        _done_again,
        ("entries",),
        ("served",),
    ),
    "the mark after the commit": Plant(
        "the number by which a lost commit is looked up is written after it",
        _mark_after_commit,
        ("entries", "linearizable", "log"),
        ("cut",),
        ("postgresql",),
    ),
}


def install(name: str) -> None:
    """Put a bug into this process; the empty name: none."""
    if name:
        PLANTS[name].install()
