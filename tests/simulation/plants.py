"""Bugs planted on purpose: each replaces one rule, or one step of a verb, by a wrong one.

Each is put into the running code from outside, so the product holds no hooks for it. What it replaces must be there, or
the plant would wither unseen when the product changes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast
from weakref import WeakKeyDictionary

from pucs.coordinator import asking, granting, leases, liveness, waiting
from pucs.coordinator.context import Unit, unit
from pucs.locks import rules
from pucs.store.rows import database
from pucs.store.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pucs.coordinator.context import Context
    from pucs.locks.records import Lease, Request


class Patch(Protocol):
    """Replaces attributes, and puts them back later (``pytest.MonkeyPatch``)."""

    def setattr(self, target: object, name: str, value: object) -> None:
        """Replace one; it must be there."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One planted bug."""

    wrong: str
    """What is wrong, in a clause."""
    install: Callable[[Patch], None]
    caught_by: tuple[str, ...]
    """Searches that must find it: ``machine``, ``simulator``."""


def _overlap_without_descendants(patch: Patch) -> None:
    patch.setattr(database, "descendants_range", lambda _: None)


def _newcomers_ignore_the_queue(patch: Patch) -> None:
    def decide(request: Request, live: Sequence[Lease], _: object, *others: Any, **named: Any) -> Any:
        return rules.decide(request, live, [], *others, **named)

    patch.setattr(asking, "decide", decide)


def _serving_ignores_who_stays(patch: Patch) -> None:
    def served(queue: Sequence[Request], *others: Any, **named: Any) -> list[Request]:
        return [one for one in queue if rules.served([one], *others, **named)]

    patch.setattr(granting, "served", served)


def _late_claims_are_accepted(patch: Patch) -> None:
    patch.setattr(waiting, "over", lambda *_: [])


def _tokens_shrink(patch: Patch) -> None:
    numbers = itertools.count(10**9, -10)
    patch.setattr(SQLiteStore, "_take_tokens", lambda *_: lambda count: next(numbers) - count)


def _decisions_on_an_old_reading(patch: Patch) -> None:
    real: Callable[..., Any] = granting.settled
    earlier: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    def settled(context: Context, *arguments: Any) -> Any:
        store = getattr(context.store, "world", context).store
        stale = earlier.get(store, ([], []))
        earlier[store] = real(context, *arguments)
        return stale

    patch.setattr(asking, "settled", settled)


def _release_serves_nobody(patch: Patch) -> None:
    def end_and_serve(opened: Unit, ended: Sequence[Lease], reason: Any, **_: Any) -> list[Request]:
        granting.end(opened, ended, reason)
        return []

    patch.setattr(leases, "end_and_serve", end_and_serve)


def _renewal_passes_the_limit(patch: Patch) -> None:
    patch.setattr(granting, "renewed_until", lambda _, now_s, duration_s: now_s + duration_s)


def _part_of_a_set_is_granted(patch: Patch) -> None:
    real = granting.grant

    def grant(opened: Unit, request: Request, needed: Any, *others: Any, **named: Any) -> Any:
        return real(opened, request, needed[:1], *others, **named)

    patch.setattr(granting, "grant", grant)
    patch.setattr(asking, "grant", grant)


def _ends_leave_no_entry(patch: Patch) -> None:
    real = Unit.log

    def log(self: Unit, action: str, **named: Any) -> None:
        if action != "lease expired":
            real(self, action, **named)

    patch.setattr(Unit, "log", log)


def _waits_stay_open(patch: Patch) -> None:
    patch.setattr(granting, "decide_in", lambda *_: None)


def _expiry_is_met_too_late(patch: Patch) -> None:
    real = rules.expired
    patch.setattr(liveness, "expired", lambda lease, boot, now_s: real(lease, boot, now_s - 3.0))


def _dead_waiters_are_served(patch: Patch) -> None:
    patch.setattr(granting, "withdrawn", lambda *_: False)


def _cancelling_loses_the_reservation(patch: Patch) -> None:
    patch.setattr(waiting, "serve", lambda *_, **__: [])


def _checks_outside_the_transaction(patch: Patch) -> None:
    """Decide in one transaction, and grant in another what was decided there."""
    real: Callable[..., Any] = granting.settled

    def settled(context: Context, opened: Unit, names: Sequence[str], *others: Any) -> Any:
        del opened, names, others
        return seen.pop(id(context), ([], []))

    real_acquire = leases.acquire
    seen: dict[int, Any] = {}

    def acquire(context: Context, *, resources: Sequence[str], **named: Any) -> Any:
        with unit(context) as opened:
            seen[id(context)] = real(context, opened, resources)
        return real_acquire(context, resources=resources, **named)

    patch.setattr(asking, "settled", settled)
    patch.setattr(leases, "acquire", acquire)


def _a_late_owner_ends_its_successor(patch: Patch) -> None:
    real = leases.release

    def release(context: Context, *, token: int | None = None, agent: str, **named: Any) -> Any:
        if token is None:
            return real(context, agent=agent, **named)
        with context.store.read() as tx:
            meant = [lease.resource for lease in tx.leases.by_tokens([token])]
            named["resources"] = meant
            now = [lease.agent for lease in tx.leases.live() if lease.resource in meant]
        return real(context, agent=now[0] if now else agent, **named)

    patch.setattr(leases, "release", release)


def _old_work_lands_over_newer(patch: Patch) -> None:
    from pucs.coordinator import judging  # noqa: PLC0415 - heavy, and only this plant needs it

    patch.setattr(judging, "may_land", lambda *_: True)


def _the_dead_keep_their_leases(patch: Patch) -> None:
    real = liveness.ended_by

    def ended_by(processes: Any, now: Any, live: Any) -> list[Lease]:
        del processes
        return real(cast("Any", _Immortal()), now, live)

    patch.setattr(granting, "ended_by", ended_by)


class _Immortal:
    def alive(self, _: object) -> bool:
        return True


BOTH = ("machine", "simulator")
PLANTS: Mapping[str, Plant] = {
    "overlap without descendants": Plant(
        wrong="a directory does not overlap what is in it",
        install=_overlap_without_descendants,
        caught_by=BOTH,
    ),
    "newcomers ignore the queue": Plant(
        wrong="whoever asks is compared with the holders alone, and passes those who wait",
        install=_newcomers_ignore_the_queue,
        caught_by=BOTH,
    ),
    "serving ignores who stays": Plant(
        wrong="a waiter is served although an earlier one must go on waiting for the same",
        install=_serving_ignores_who_stays,
        caught_by=BOTH,
    ),
    "late claims are accepted": Plant(
        wrong="a reservation that has passed its time can still be claimed",
        install=_late_claims_are_accepted,
        caught_by=("machine",),
    ),
    "tokens shrink": Plant(
        wrong="each grant takes a smaller token than the one before", install=_tokens_shrink, caught_by=BOTH
    ),
    "decisions on an old reading": Plant(
        wrong="a request is decided by what an earlier one saw",
        install=_decisions_on_an_old_reading,
        caught_by=BOTH,
    ),
    "check outside the transaction": Plant(
        wrong="what is free is looked up in one transaction and taken in the next",
        install=_checks_outside_the_transaction,
        caught_by=("simulator",),
    ),
    "release serves nobody": Plant(
        wrong="a release leaves the queue to whoever looks next",
        install=_release_serves_nobody,
        caught_by=BOTH,
    ),
    "renewal passes the limit": Plant(
        wrong="a renewal goes beyond the longest life of a lease",
        install=_renewal_passes_the_limit,
        caught_by=BOTH,
    ),
    "part of a set is granted": Plant(
        wrong="only the first resource of a set is leased", install=_part_of_a_set_is_granted, caught_by=BOTH
    ),
    "ends leave no entry": Plant(
        wrong="a lease that expires is ended without an entry", install=_ends_leave_no_entry, caught_by=BOTH
    ),
    "waits stay open": Plant(
        wrong="the record of a wait stays open when the wait has ended",
        install=_waits_stay_open,
        caught_by=BOTH,
    ),
    "expiry is met too late": Plant(
        wrong="a lease counts as live for three seconds too long",
        install=_expiry_is_met_too_late,
        caught_by=BOTH,
    ),
    "dead waiters are served": Plant(
        wrong="a place in the queue is kept for a process that died", install=_dead_waiters_are_served,
        caught_by=BOTH,
    ),
    "cancelling loses the reservation": Plant(
        wrong="whoever gives up what was reserved for it passes it on to nobody",
        install=_cancelling_loses_the_reservation,
        caught_by=BOTH,
    ),
    "a late owner ends its successor": Plant(
        wrong="a release by token ends whatever lease is on that resource now",
        install=_a_late_owner_ends_its_successor,
        caught_by=BOTH,
    ),
    "old work lands over newer": Plant(
        wrong="a change under a lost lease lands although somebody else held the file since",
        install=_old_work_lands_over_newer,
        caught_by=("simulator",),
    ),
    "the dead keep their leases": Plant(
        wrong="leases of a dead owner stay until they expire", install=_the_dead_keep_their_leases,
        caught_by=("machine",),
    ),
}  # fmt: skip
"""Every planted bug by name."""
