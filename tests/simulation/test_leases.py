"""The lease verbs hold every rule of DESIGN §3 in any order of events, and the judge catches bugs planted on purpose."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from pucs.coordinator import asking, granting, leases, liveness, waiting
from pucs.coordinator.context import Unit
from pucs.locks import rules
from pucs.store.rows import database
from pucs.store.sqlite import SQLiteStore
from tests.simulation.machine import LeaseMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pucs.coordinator.context import Context
    from pucs.locks.records import Lease, Request

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
SHORT = settings(max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=QUIET)
LONG = settings(max_examples=600, stateful_step_count=60, deadline=None, suppress_health_check=QUIET)
HUNT = settings(
    max_examples=400, stateful_step_count=40, deadline=None, database=None, derandomize=True,
    phases=[Phase.generate], suppress_health_check=QUIET, print_blob=False,
)  # fmt: skip


def test_no_order_of_events_breaks_a_rule() -> None:
    """A short search through histories of asking, waiting, dying and coming back."""
    run_state_machine_as_test(LeaseMachine, settings=SHORT)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_long_history_breaks_a_rule() -> None:
    """The same search, longer and deeper."""
    run_state_machine_as_test(LeaseMachine, settings=LONG)


def _overlap_without_descendants(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(database, "descendants_range", lambda _: None)


def _newcomers_ignore_the_queue(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(asking, "decide", lambda request, live, _, *more: rules.decide(request, live, [], *more))


def _serving_ignores_who_stays(patch: pytest.MonkeyPatch) -> None:
    def served(waiting: Sequence[Request], live: Sequence[Lease], limits: Any) -> list[Request]:
        return [one for one in waiting if rules.served([one], live, limits)]

    patch.setattr(granting, "served", served)


def _late_claims_are_accepted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(waiting, "over", lambda *_: [])


def _tokens_shrink(patch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count(10**9, -10)
    patch.setattr(SQLiteStore, "_take_tokens", lambda *_: lambda count: next(numbers) - count)


def _decisions_on_an_old_reading(patch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = granting.settled
    earlier: WeakKeyDictionary[SQLiteStore, Any] = WeakKeyDictionary()

    def settled(context: Context, *arguments: Any) -> Any:
        store = cast("SQLiteStore", context.store)
        stale = earlier.get(store, ([], []))
        earlier[store] = real(context, *arguments)
        return stale

    patch.setattr(asking, "settled", settled)


def _release_serves_nobody(patch: pytest.MonkeyPatch) -> None:
    def end_and_serve(opened: Unit, ended: Sequence[Lease], reason: Any, **_: Any) -> list[Request]:
        granting.end(opened, ended, reason)
        return []

    patch.setattr(leases, "end_and_serve", end_and_serve)


def _renewal_passes_the_limit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(granting, "renewed_until", lambda _, now_s, duration_s: now_s + duration_s)


def _part_of_a_set_is_granted(patch: pytest.MonkeyPatch) -> None:
    real = granting.grant

    def grant(opened: Unit, request: Request, needed: Any, *arguments: Any, **more: Any) -> list[Lease]:
        return real(opened, request, needed[:1], *arguments, **more)

    patch.setattr(granting, "grant", grant)
    patch.setattr(asking, "grant", grant)


def _ends_leave_no_entry(patch: pytest.MonkeyPatch) -> None:
    real = Unit.log
    patch.setattr(
        Unit,
        "log",
        lambda self, action, **more: None if action == "lease expired" else real(self, action, **more),
    )


def _waits_stay_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(granting, "decide_in", lambda *_: None)


def _expiry_is_met_too_late(patch: pytest.MonkeyPatch) -> None:
    real = rules.expired
    patch.setattr(liveness, "expired", lambda lease, boot, now_s: real(lease, boot, now_s - 3.0))


PLANTS = [
    _overlap_without_descendants,
    _newcomers_ignore_the_queue,
    _serving_ignores_who_stays,
    _late_claims_are_accepted,
    _tokens_shrink,
    _decisions_on_an_old_reading,
    _release_serves_nobody,
    _renewal_passes_the_limit,
    _part_of_a_set_is_granted,
    _ends_leave_no_entry,
    _waits_stay_open,
    _expiry_is_met_too_late,
]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_judge_has_nothing_to_say_without_one() -> None:
    """The very histories that expose the planted bugs pass when nothing is planted."""
    run_state_machine_as_test(LeaseMachine, settings=HUNT)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "plant",
    PLANTS,
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_the_judge_catches_a_planted_bug(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that finds nothing says something only if it finds what is there."""
    plant(monkeypatch)
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(LeaseMachine, settings=HUNT)
