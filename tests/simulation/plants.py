"""Bugs planted on purpose: each replaces one rule, or one step of a verb, by a wrong one.

Each is put into the running code from outside, so the product holds no hooks for it. What it replaces must be there, or
the plant would wither unseen when the product changes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast
from weakref import WeakKeyDictionary

from pucs.coordinator import (
    asking,
    claiming,
    conflicts,
    granting,
    handoffs,
    leases,
    limits,
    liveness,
    pausing,
    waiting,
)
from pucs.coordinator.context import Unit, unit
from pucs.core import resources
from pucs.core.modes import Mode
from pucs.core.resources import is_named
from pucs.locks import front, rules
from pucs.locks.records import EndReason, LeaseState, Limit
from pucs.store.rows import database
from pucs.store.rows.requests import RequestRows
from pucs.store.sqlite import SQLiteStore
from pucs.store.tokens import Memory, Said, Taken

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
    """Searches that must find it: ``machine``, ``simulator``, ``simulator on disk``."""


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
    patch.setattr(conflicts, "decide_in", lambda *_: None)


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


def _an_upgrade_forgets_readers(patch: Patch) -> None:
    real = rules.decide

    def decide(request: Request, live: Sequence[Lease], *others: Any, **named: Any) -> Any:
        mine = rules.weaker(request.agent, request.resources, live)
        own = {lease.resource for lease in mine}
        left = [one for one in live if one.agent == request.agent or one.resource not in own]
        return real(request, left, *others, **named)

    patch.setattr(asking, "decide", decide)


def _an_upgrade_passes_everybody(patch: Patch) -> None:
    def waiting_because(agent: str, _: object, queue: Sequence[Request]) -> tuple[int, ...]:
        return tuple(other.id for other in queue if other.agent != agent)

    patch.setattr(rules, "waiting_because", waiting_because)


def _an_upgrade_waits_for_itself(patch: Patch) -> None:
    patch.setattr(rules, "waiting_because", lambda *_: ())


def _a_downgrade_leaves_a_gap(patch: Patch) -> None:
    def downgrade(context: Context, *, agent: str, resources: Sequence[str], to: Mode, **_: Any) -> Any:
        with unit(context) as opened:
            held = [lease for lease in opened.tx.leases.of_agent(agent) if lease.resource in resources]
            granting.end_and_serve(opened, held, EndReason.CONVERTED, context=context)
        return leases.acquire(context, agent=agent, resources=resources, mode=to).tokens

    patch.setattr(leases, "downgrade", downgrade)


def _growth_is_not_checked_for_circles(patch: Patch) -> None:
    patch.setattr(asking, "_circle", lambda *_: ())


def _planners_share(patch: Patch) -> None:
    def compatible(held: Mode, asked: Mode) -> bool:
        return Mode.EXCLUSIVE not in {held, asked}

    patch.setattr(front, "compatible", compatible)
    patch.setattr(rules, "compatible", compatible)


def _one_more_than_the_rate(patch: Patch) -> None:
    def full(self: Limit, ahead: int) -> bool:
        return self.rate > 0 and len(self.recent_s) + ahead > self.rate

    patch.setattr(Limit, "full", full)


def _the_window_is_counted_by_ends(patch: Patch) -> None:
    real = limits._recent_s

    def recent_s(tx: Any, now: Any, name: str, limit: Any) -> tuple[float, ...]:
        found = real(tx, now, name, limit)
        standing = {lease.granted_s for lease in tx.leases.overlapping((name,))}
        return tuple(at_s for at_s in found if at_s in standing)

    patch.setattr(limits, "_recent_s", recent_s)


def _reservations_take_no_slot(patch: Patch) -> None:
    real = rules.decide

    def decide(request: Request, live: Sequence[Lease], *others: Any, **named: Any) -> Any:
        left = [lease for lease in live if lease.state is LeaseState.HELD or not is_named(lease.resource)]
        return real(request, left, *others, **named)

    patch.setattr(asking, "decide", decide)


def _a_change_of_mode_renews_the_limit(patch: Patch) -> None:
    for room in (granting, waiting):
        patch.setattr(room, "in_place_of", lambda _, new, __: new)


def _classes_do_not_hold_their_methods(patch: Patch) -> None:
    real = resources.ancestors
    patch.setattr(front, "ancestors", lambda name: [one for one in real(name) if "::" not in one])


def _symbols_do_not_belong_to_their_file(patch: Patch) -> None:
    real = resources.ancestors

    def ancestors(name: str) -> list[str]:
        return [one for one in real(name) if "::" not in name or "::" in one]

    patch.setattr(front, "ancestors", ancestors)


def _a_lost_part_does_not_matter(patch: Patch) -> None:
    def uncovered(agent: str, asked: Any, live: Any) -> Any:
        del agent, asked
        return (), tuple(live)

    patch.setattr(waiting, "uncovered", uncovered)


def _the_paused_are_served(patch: Patch) -> None:
    patch.setattr(RequestRows, "pause", lambda *_, **__: [])


def _a_turn_is_granted_twice(patch: Patch) -> None:
    patch.setattr(claiming, "claim_reserved", lambda *_: [])


def _a_turn_is_for_a_part(patch: Patch) -> None:
    patch.setattr(granting, "_not_had", lambda _, request, __: request.resources[:1])


def _resuming_serves_nobody(patch: Patch) -> None:
    patch.setattr(pausing, "serve", lambda *_, **__: [])


def _the_giver_keeps_its_leases(patch: Patch) -> None:
    patch.setattr(handoffs, "end", lambda *_, **__: None)


def _tokens_begin_again_after_a_restore(patch: Patch) -> None:
    def following(self: Memory, said: Said, *_: Any) -> Taken:
        del self
        return Taken(epoch=max(said.epoch, 1), first=said.last + 1, changed_ns=0)

    patch.setattr(Memory, "next", following)


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
    "a turn is granted twice": Plant(
        wrong="a suspended agent that asks again gets a second lease beside what is reserved for it",
        install=_a_turn_is_granted_twice,
        caught_by=("simulator",),
    ),
    "a turn is for a part": Plant(
        wrong="only the first resource of a set is reserved for a suspended agent",
        install=_a_turn_is_for_a_part,
        caught_by=("simulator",),
    ),
    "late claims are accepted": Plant(
        wrong="a reservation that has passed its time can still be claimed",
        install=_late_claims_are_accepted,
        caught_by=("simulator",),
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
        caught_by=("simulator",),
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
        caught_by=BOTH,
    ),
    "an upgrade forgets readers": Plant(
        wrong="whoever asks for a stronger mode gets it although others read", install=_an_upgrade_forgets_readers,
        caught_by=("simulator",),
    ),
    "an upgrade passes everybody": Plant(
        wrong="an upgrade comes before all who wait, not only before those who wait because of it",
        install=_an_upgrade_passes_everybody,
        caught_by=("simulator",),
    ),
    "an upgrade waits for itself": Plant(
        wrong="an upgrade lines up behind those who wait for the very lease it would make stronger",
        install=_an_upgrade_waits_for_itself,
        caught_by=("simulator",),
    ),
    "a downgrade leaves a gap": Plant(
        wrong="a lease is given up and a weaker one asked for, in two transactions", install=_a_downgrade_leaves_a_gap,
        caught_by=("simulator",),
    ),
    "growth is not checked for circles": Plant(
        wrong="whoever holds something may wait for whoever waits for it", install=_growth_is_not_checked_for_circles,
        caught_by=BOTH,
    ),
    "planners share": Plant(
        wrong="two agents may hold one resource in mode INTENT", install=_planners_share, caught_by=BOTH
    ),
    "one more than the rate": Plant(
        wrong="a rate lets one grant more through in each window", install=_one_more_than_the_rate,
        caught_by=("simulator",),
    ),
    "a window forgets what was given back": Plant(
        wrong="only grants that are still held count against a rate", install=_the_window_is_counted_by_ends,
        caught_by=("simulator",),
    ),
    "reservations take no slot": Plant(
        wrong="what is reserved but not yet claimed does not count against the concurrency",
        install=_reservations_take_no_slot,
        caught_by=("simulator",),
    ),
    "a change of mode renews the limit": Plant(
        wrong="the longest life of a lease begins anew with each change of mode",
        install=_a_change_of_mode_renews_the_limit,
        caught_by=("simulator",),
    ),
    "classes do not hold their methods": Plant(
        wrong="a lease on a class does not overlap one on a method of it", install=_classes_do_not_hold_their_methods,
        caught_by=("simulator",),
    ),
    "symbols do not belong to their file": Plant(
        wrong="a lease on a file does not overlap one on a function in it", install=_symbols_do_not_belong_to_their_file,
        caught_by=("simulator",),
    ),
    "a lost part does not matter": Plant(
        wrong="a set is claimed although a lease that belonged to it ended during the wait",
        install=_a_lost_part_does_not_matter,
        caught_by=("simulator",),
    ),
    "the paused are served": Plant(
        wrong="a paused agent is given what it waited for", install=_the_paused_are_served, caught_by=("simulator",)
    ),
    "resuming serves nobody": Plant(
        wrong="whoever is resumed or stood behind the paused waits for somebody else's release",
        install=_resuming_serves_nobody,
        caught_by=("simulator",),
    ),
    "the giver keeps its leases": Plant(
        wrong="accepting a hand-off grants its leases without ending the giver's", install=_the_giver_keeps_its_leases,
        caught_by=("simulator",),
    ),
    "tokens begin again after a restore": Plant(
        wrong="a store that was put back from a backup gives out its tokens once more",
        install=_tokens_begin_again_after_a_restore,
        caught_by=("simulator on disk",),
    ),
}  # fmt: skip
"""Every planted bug by name."""
