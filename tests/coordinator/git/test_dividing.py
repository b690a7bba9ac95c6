"""Dividing a file between agents that need it: what is proposed, and how leases become leases on symbols at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from pucs.conflicts.records import Kind, Status, Strategy
from pucs.coordinator import leases
from pucs.coordinator.agents import retire
from pucs.coordinator.conflicts import conflicts
from pucs.coordinator.dividing import accept, refuse
from pucs.coordinator.inspecting import queue
from pucs.coordinator.intents import intents, signal
from pucs.coordinator.leases import Acquired
from pucs.coordinator.negotiating import negotiate, partitions
from pucs.coordinator.pausing import terminate
from pucs.coordinator.sessions import end as end_session
from pucs.core.errors import NotFound, PucsError, Refused, Usage
from pucs.core.modes import Mode
from pucs.crosslog.records import Query
from pucs.intents.records import IntentState, PartitionState
from pucs.locks.records import EndReason
from pucs.streams.settings import Limits

pytestmark = pytest.mark.git

CART = "core/cart.py"
TEXT = """\
LIMIT = 3


def price(item):
    return 1


class Cart:
    size = 0

    def total(self):
        return 0

    def add(self, item):
        self.items.append(item)


def train_model():
    pass
"""


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    """Return a world whose base has the cart, and two agents of its stream."""
    made = make_world(
        files={CART: TEXT, "core/b.py": "b = 1\n", "shared.txt": "s\n"},
        limits=Limits(default_duration_s=600.0, max_duration_s=1000.0, claim_ttl_s=2.0),
    )
    made.agent("ann")
    made.agent("bob")
    return made


def change(world: Any, agent: str, old: str, new: str) -> None:
    path = world.places[agent] / CART
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def plan(world: Any, agent: str, description: str, *files: str) -> None:
    signal(world.context, agent=agent, files=files or (CART,), description=description)


def named(**scopes: str) -> dict[str, tuple[str, ...]]:
    return {agent: tuple(f"{CART}::{name}" for name in text.split()) for agent, text in scopes.items()}


def actions(world: Any) -> list[str]:
    with world.context.store.read() as tx:
        return [entry.action for entry in tx.entries.select(Query(limit=500))]


def waiting(world: Any, during: Callable[[], None], agent: str = "bob", *files: str, **more: Any) -> Acquired:
    """Let an agent wait for files, acting once while it sleeps and letting time pass afterwards."""
    acted: list[bool] = []

    def step(_: float) -> None:
        if not acted:
            acted.append(True)
            during()
        else:
            world.clock.pass_s(1)

    world.context.bells.during = step
    answer = leases.acquire(
        world.context, agent=agent, resources=files or (CART,), wait_s=30, task="train model", **more
    )
    assert acted
    return answer


def test_what_was_changed_and_what_is_planned_makes_disjoint_scopes(world: Any) -> None:
    """The holder's edits are certain, the other's words are likely; the rest is nobody's."""
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "Train the model faster: train_model, and price")
    found = negotiate(world.context, file=CART, agents=["bob", "ann"])
    assert found.success
    assert found.parties == ("ann", "bob")
    assert found.scopes == named(ann="Cart.total", bob="price train_model")
    assert found.unassigned == (f"{CART}::Cart.add", f"{CART}::Cart.size", f"{CART}::LIMIT")
    assert (found.waits, found.queued, found.reason) == ({}, (), "")
    assert [one.state for one in partitions(world.context)] == [PartitionState.PROPOSED]
    assert world.held("ann") == [CART]


def test_without_names_all_around_the_file_are_asked(world: Any) -> None:
    """Who holds, awaits or plans it is a party."""
    plan(world, "ann", "price")
    plan(world, "bob", "train_model")
    assert negotiate(world.context, file=f"{CART}::price").parties == ("ann", "bob")


def test_a_symbol_that_both_need_goes_to_the_first(world: Any) -> None:
    """The second gets what is left of its needs and is told what it waits for."""
    plan(world, "ann", "rework price and `LIMIT`")
    plan(world, "bob", "use price in train_model")
    found = negotiate(world.context, file=CART)
    assert found.scopes == named(ann="LIMIT price", bob="train_model")
    assert found.waits == named(bob="price")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("rework price", "rework price", "All that bob needs is needed by others first: price"),
        ("rework price", "something else", "It is not known which functions or classes bob needs"),
        ("this", "something else", "It is not known which functions or classes ann and bob need."),
    ],
)
def test_where_nothing_can_be_divided_the_second_queues(
    world: Any, first: str, second: str, words: str
) -> None:
    """There is no proposal, and the reason says why."""
    plan(world, "ann", first)
    plan(world, "bob", second)
    found = negotiate(world.context, file=CART)
    assert not found.success
    assert (found.scopes, found.proposal, found.queued) == ({}, 0, ("bob",))
    assert words in found.reason
    assert partitions(world.context) == []
    assert actions(world)[-1] == "partition not possible"


def test_saying_it_again_gives_the_same_proposal(world: Any) -> None:
    """A new one replaces it only when the needs have changed."""
    plan(world, "ann", "price")
    plan(world, "bob", "train_model")
    first = negotiate(world.context, file=CART).proposal
    assert negotiate(world.context, file=CART).proposal == first
    plan(world, "ann", "price and LIMIT")
    assert negotiate(world.context, file=CART).proposal == first + 1
    assert [one.state for one in partitions(world.context)] == [
        PartitionState.REFUSED,
        PartitionState.PROPOSED,
    ]


def test_acceptance_turns_the_lease_and_serves_the_waiter_in_one_step(world: Any) -> None:
    """The holder's file lease becomes symbol leases with its limits; the waiter is granted its symbols and wakes."""
    token = world.lock("ann", CART)[CART]
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")
    world.clock.pass_s(50)

    def divide() -> None:
        number = negotiate(world.context, file=CART).proposal
        assert accept(world.context, proposal=number, agent="bob").missing == ("ann",)
        assert world.held("ann") == [CART]
        before = len(actions(world))
        done = accept(world.context, proposal=number, agent="ann")
        assert done.partition.state is PartitionState.ACCEPTED
        assert set(done.tokens["ann"]) == {f"{CART}::Cart.total"}
        assert set(done.tokens["bob"]) == {f"{CART}::train_model"}
        assert {"lease converted", "lock granted", "lock reserved", "partition accepted"} <= set(
            actions(world)[before:]
        )

    answer = waiting(world, divide)
    assert answer.granted, answer.reason
    assert list(answer.tokens) == [f"{CART}::train_model"]
    assert answer.base == {f"{CART}::train_model": world.git("rev-parse", "main")}
    assert (world.held("ann"), world.held("bob")) == ([f"{CART}::Cart.total"], [f"{CART}::train_model"])
    with world.context.store.read() as tx:
        (old,) = tx.leases.by_tokens([token])
        (new,) = tx.leases.of_agent("ann")
    assert old.end_reason is EndReason.CONVERTED
    assert new.token > token
    assert (new.limit_s, new.expires_s, new.task) == (old.limit_s, old.expires_s, old.task)
    (wait,) = [found for found in conflicts(world.context) if found.kind is Kind.FILE_LOCK]
    assert (wait.status, wait.strategy) == (Status.RESOLVED, Strategy.PARTITION)
    assert "ann: Cart.total; bob: train_model" in wait.decision


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_leaves_all_or_nothing(world: Any, killed: type[BaseException], at: int) -> None:
    """Whoever accepts may die after any step: the file is divided for everybody or for nobody."""
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    context, death = world.dying(at)
    with suppress(killed):
        accept(context, proposal=number)
    (found,) = partitions(world.context)
    if found.state is PartitionState.PROPOSED:
        assert death.dead
        assert world.held("ann") == [CART]
        accept(world.context, proposal=number)
    assert world.held("ann") == [f"{CART}::Cart.total"]
    assert [one.resources for one in intents(world.context)] == [(f"{CART}::train_model",)]


def test_both_land_after_the_division(world: Any) -> None:
    """What the holder had edited before lands under its symbols, and the other's beside it."""
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")

    def divide() -> None:
        accept(world.context, proposal=negotiate(world.context, file=CART).proposal)

    assert waiting(world, divide).granted
    change(world, "bob", "pass", "return 2")
    assert world.land("ann").symbols == (f"{CART}::Cart.total",)
    assert world.land("bob").symbols == (f"{CART}::train_model",)
    landed = world.text("core", CART)
    assert "return 1\n\n    def add" in landed
    assert landed.endswith("return 2")


def test_a_waiter_for_more_than_the_file_gets_all_or_nothing(world: Any) -> None:
    """Its set keeps the other file; while that is held, it goes on waiting for the whole of it."""
    world.agent("cy")
    world.lock("cy", "core/b.py")
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")

    def divide() -> None:
        accept(world.context, proposal=negotiate(world.context, file=CART).proposal)
        assert world.held("bob") == []
        (request,) = queue(world.context)
        assert [name for name, _ in request.resources] == ["core/b.py", f"{CART}::train_model"]
        leases.release(world.context, agent="cy")

    assert sorted(waiting(world, divide, "bob", CART, "core/b.py").tokens) == [
        "core/b.py",
        f"{CART}::train_model",
    ]


def test_a_divided_wait_that_times_out_leaves_nothing(world: Any) -> None:
    """The narrowed request goes with its waiter."""
    world.agent("cy")
    world.lock("cy", "core/b.py")
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")

    def divide() -> None:
        accept(world.context, proposal=negotiate(world.context, file=CART).proposal)

    answer = waiting(world, divide, "bob", CART, "core/b.py")
    assert not answer.granted
    assert (queue(world.context), world.held("bob")) == ([], [])


def test_who_came_before_the_waiter_is_not_passed_over(world: Any) -> None:
    """A third that waits for the whole file keeps its place: the divided request stays behind it."""
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")
    world.agent("cy")
    seen: list[list[str]] = []

    def second() -> None:
        def divide() -> None:
            accept(
                world.context, proposal=negotiate(world.context, file=CART, agents=["ann", "bob"]).proposal
            )
            seen.append(world.held("bob"))
            seen.append([request.agent for request in queue(world.context)])

        assert not waiting(world, divide).granted

    waiting(world, second, "cy")
    assert seen == [[], ["cy", "bob"]]


def test_plans_alone_become_plans_for_symbols(world: Any) -> None:
    """Nobody is given a lease; the plans do not overlap any more, and their conflict is settled by PARTITION."""
    plan(world, "ann", "price", CART, "core/b.py")
    plan(world, "bob", "train_model")
    accept(world.context, proposal=negotiate(world.context, file=CART).proposal)
    found = {one.agent: (one.state, one.resources) for one in intents(world.context)}
    assert found == {
        "ann": (IntentState.ACTIVE, ("core/b.py", f"{CART}::price")),
        "bob": (IntentState.ACTIVE, (f"{CART}::train_model",)),
    }
    (record,) = conflicts(world.context)
    assert (record.kind, record.strategy, record.status) == (
        Kind.INTENT_OVERLAP, Strategy.PARTITION, Status.RESOLVED,
    )  # fmt: skip
    assert world.held("ann") == world.held("bob") == []


@pytest.mark.slow
def test_unlanded_edits_outside_the_scope_stop_the_acceptance(world: Any) -> None:
    """What the holder changed since the proposal is named; nothing has changed hands."""
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    change(world, "ann", "return 1\n\n\nclass", "return 2\n\n\nclass")
    with pytest.raises(Refused, match=r"ann has changed price in core/cart.py and not landed"):
        accept(world.context, proposal=number)
    assert world.held("ann") == [CART]
    assert [one.state for one in partitions(world.context)] == [PartitionState.PROPOSED]
    found = negotiate(world.context, file=CART)
    assert found.scopes["ann"] == named(ann="Cart.total price")["ann"]
    accept(world.context, proposal=found.proposal)
    assert world.held("ann") == list(found.scopes["ann"])


class Meanwhile:
    """A store in which something else happens right before a chosen transaction."""

    def __init__(self, store: Any, at: int, act: Callable[[], object]) -> None:
        self._store, self._left, self._act = store, at, act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def transaction(self, **options: Any) -> Any:
        """Act first if this is the one."""
        self._left -= 1
        if self._left == 0:
            self._act()
        return self._store.transaction(**options)


def test_parties_that_accept_at_one_moment_are_looked_at_all_the_same(world: Any) -> None:
    """Whoever turns out to be the last has looked for unlanded edits before anything changes hands."""
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    change(world, "ann", "return 1\n\n\nclass", "return 2\n\n\nclass")
    raced = Meanwhile(world.context.store, 2, lambda: accept(world.context, proposal=number, agent="bob"))
    with pytest.raises(Refused, match="ann has changed price"):
        accept(replace(world.context, store=raced), proposal=number, agent="ann")
    assert world.held("ann") == [CART]
    change(world, "ann", "return 2\n\n\nclass", "return 1\n\n\nclass")
    assert accept(world.context, proposal=number, agent="ann").partition.state is PartitionState.ACCEPTED


def test_a_terminated_agent_answers_nothing(world: Any) -> None:
    """Acting is over for it; the others may still refuse."""
    plan(world, "ann", "price")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    terminate(world.context, agent="ann", by="operator")
    for answer in (accept, refuse):
        with pytest.raises(Refused, match="ann"):
            answer(world.context, proposal=number, agent="ann")
    assert refuse(world.context, proposal=number, agent="bob").state is PartitionState.REFUSED


def test_edits_outside_every_symbol_cannot_be_divided(world: Any) -> None:
    """Whoever changes the module itself needs the whole file."""
    world.lock("ann", CART)
    change(world, "ann", "LIMIT = 3\n", "LIMIT = 3\nprint(LIMIT)\n")
    plan(world, "bob", "train_model")
    assert "belongs to no function or class" in negotiate(world.context, file=CART).reason


def test_a_refusal_leaves_the_waiter_waiting(world: Any) -> None:
    """The proposal is closed with who and why; the leases stay."""
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    closed = refuse(world.context, proposal=number, agent="ann", reason="nearly done")
    assert (closed.state, closed.why) == (PartitionState.REFUSED, "refused by ann: nearly done")
    with pytest.raises(Refused, match="is refused"):
        accept(world.context, proposal=number, agent="bob")
    with pytest.raises(Refused, match="is refused"):
        refuse(world.context, proposal=number)
    assert world.held("ann") == [CART]


def test_after_a_refusal_the_later_plan_waits(world: Any) -> None:
    """The conflict of the plans is settled by QUEUE, with who refused; the later plan stays contested."""
    plan(world, "ann", "price")
    plan(world, "bob", "train_model")
    refuse(world.context, proposal=negotiate(world.context, file=CART).proposal, agent="ann")
    (record,) = conflicts(world.context)
    assert (record.strategy, record.status, record.decided_by) == (Strategy.QUEUE, Status.RESOLVED, "ann")
    assert [one.state for one in intents(world.context)] == [IntentState.ACTIVE, IntentState.CONTESTED]
    assert actions(world)[-1] == "message sent"


def test_a_proposal_lapses(world: Any) -> None:
    """After the time for decisions nobody can accept it."""
    plan(world, "ann", "price")
    plan(world, "bob", "train_model")
    found = negotiate(world.context, file=CART)
    assert found.deadline_at == world.clock.now().wall(900.0)
    world.clock.pass_s(900)
    assert [one.state for one in partitions(world.context)] == [PartitionState.LAPSED]
    assert partitions(world.context, undecided=True) == []
    with pytest.raises(Refused, match="is lapsed: nobody decided by"):
        accept(world.context, proposal=found.proposal)
    assert actions(world)[-1] == "partition lapsed"


def test_an_acceptance_that_does_not_fit_any_more_is_refused(world: Any) -> None:
    """Somebody else has the file by now, a party relies on it, or a party is gone."""
    plan(world, "ann", "price")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    world.agent("cy")
    world.lock("cy", CART)
    with pytest.raises(Refused, match=r"cy holds core/cart.py now"):
        accept(world.context, proposal=number)
    leases.release(world.context, agent="cy")
    leases.acquire(world.context, agent="ann", resources=[CART], mode=Mode.SHARED_READ)
    with pytest.raises(Refused, match=r"ann holds core/cart.py \(SHARED_READ\) now"):
        accept(world.context, proposal=number)
    retire(world.context, agent="bob")
    with pytest.raises(NotFound, match="bob"):
        accept(world.context, proposal=number)
    assert [one.state for one in partitions(world.context)] == [PartitionState.PROPOSED]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setup", "words"),
    [
        (lambda w: w.lock("ann", "core/"), "ann holds core/, which is more than core/cart.py"),
        (
            lambda w: leases.acquire(w.context, agent="ann", resources=[CART], mode=Mode.SHARED_READ),
            "ann relies on core/cart.py as it is",
        ),
        (lambda w: (w.agent("cy"), w.lock("cy", CART)), "cy holds core/cart.py too and is not asked"),
        (lambda w: (w.places["ann"] / CART).write_text("def ("), "cannot be told"),
    ],
)  # fmt: skip
def test_what_rules_a_division_out_is_said(world: Any, setup: Callable[[Any], object], words: str) -> None:
    """The reason names who and what."""
    plan(world, "ann", "price")
    plan(world, "bob", "train_model")
    setup(world)
    found = negotiate(world.context, file=CART, agents=["ann", "bob"])
    assert not found.success
    assert words in found.reason


def test_symbols_that_are_held_already_stay_as_they_are(world: Any) -> None:
    """A lease on a symbol is part of its holder's scope and keeps its token; only a lease on the file is turned."""
    token = world.lock("ann", f"{CART}::price")[f"{CART}::price"]
    plan(world, "ann", "price and add")
    plan(world, "bob", "train_model")
    found = negotiate(world.context, file=CART)
    assert found.scopes == named(ann="price", bob="train_model")
    done = accept(world.context, proposal=found.proposal)
    assert done.tokens == {"ann": {f"{CART}::price": token}, "bob": {}}


def test_a_symbol_that_was_leased_since_stops_the_acceptance(world: Any) -> None:
    """The division did not know of it."""
    plan(world, "ann", "price")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    world.lock("ann", f"{CART}::LIMIT")
    with pytest.raises(Refused, match=r"ann holds core/cart.py::LIMIT now"):
        accept(world.context, proposal=number)


def test_a_lease_that_is_changing_hands_stops_the_acceptance(world: Any) -> None:
    """What is reserved for a waiter that has not claimed it yet is nobody's to turn."""
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    change(world, "ann", "return 1\n\n    def", "return 0\n\n    def")
    seen: list[str] = []

    def let_go() -> None:
        leases.release(world.context, agent="ann")
        with pytest.raises(Refused, match="is just changing hands") as refused:
            accept(world.context, proposal=number)
        seen.append(refused.value.remedy)

    assert waiting(world, let_go).granted
    assert seen[0].startswith("Try again in a moment")


def test_what_lapsed_is_replaced_by_the_next_proposal(world: Any) -> None:
    """Asking again after the deadline, or after a reboot, makes a new one and closes the old."""
    plan(world, "ann", "price", CART)
    plan(world, "bob", "train_model")
    negotiate(world.context, file=CART)
    world.clock.pass_s(900)
    assert negotiate(world.context, file=CART).proposal == 2
    with world.context.store.read() as tx:
        assert [one.state for one in tx.partitions.all("S1")] == [
            PartitionState.LAPSED, PartitionState.PROPOSED,
        ]  # fmt: skip


def test_a_holder_whose_work_cannot_be_looked_at_is_not_divided(world: Any) -> None:
    """What is not known to be inside its symbols does not change hands."""
    world.lock("ann", CART)
    change(world, "ann", "return 0", "return 1")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    world.git("switch", "-q", "-c", "elsewhere", at=world.places["ann"])
    with pytest.raises(Refused, match="is on elsewhere instead of"):
        accept(world.context, proposal=number)
    assert world.held("ann") == [CART]
    assert not negotiate(world.context, file=CART).success


def test_an_empty_module_has_nothing_to_divide(world: Any) -> None:
    """Nor has one that does not exist."""
    for name in ("core/empty.py", "core/missing.py"):
        for agent in ("ann", "bob"):
            if "empty" in name:
                (world.places[agent] / name).write_text("# nothing yet\n")
            plan(world, agent, "price", name)
        assert "There are no functions or classes" in negotiate(world.context, file=name).reason


def test_without_a_session_nothing_is_divided(world: Any) -> None:
    """The message says how to start one."""
    end_session(world.context)
    with pytest.raises(Refused, match="no active session"):
        negotiate(world.context, file=CART)


def test_only_python_files_are_divided(world: Any) -> None:
    """Of other files no functions are known."""
    plan(world, "ann", "price", "shared.txt")
    plan(world, "bob", "train_model", "shared.txt")
    assert "only Python files are read" in negotiate(world.context, file="shared.txt").reason


def test_the_configuration_turns_it_off(make_world: Callable[..., Any]) -> None:
    """``conflict_resolution.partition_enabled: false``."""
    world = make_world(files={CART: TEXT}, partition_enabled=False)
    for agent, words in (("ann", "price"), ("bob", "train_model")):
        world.agent(agent)
        plan(world, agent, words)
    found = negotiate(world.context, file=CART)
    assert (found.success, found.queued) == (False, ("bob",))
    assert "partition_enabled is false" in found.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda c: negotiate(c, file="core/"), Usage, "no functions to divide"),
        (lambda c: negotiate(c, file="res:port"), Usage, "no functions to divide"),
        (lambda c: negotiate(c, file=CART), Usage, "no two agents"),
        (lambda c: negotiate(c, file=CART, agents=["ann", "ann"]), Usage, "no two agents"),
        (lambda c: negotiate(c, file=CART, agents=["ann", "nobody"]), NotFound, "nobody"),
        (lambda c: negotiate(c, file=CART, agents=[f"a{n}" for n in range(21)]), Usage, "too many"),
        (lambda c: accept(c, proposal=7), NotFound, "no proposal 7"),
        (lambda c: refuse(c, proposal=7), NotFound, "no proposal 7"),
    ],
)  # fmt: skip
def test_bad_calls_are_refused(
    world: Any, call: Callable[[Any], object], error: type[PucsError], words: str
) -> None:
    """The message says what is wrong."""
    with pytest.raises(error, match=words):
        call(world.context)


def test_only_a_party_accepts(world: Any) -> None:
    """A stranger is told who the parties are."""
    plan(world, "ann", "price")
    plan(world, "bob", "train_model")
    number = negotiate(world.context, file=CART).proposal
    with pytest.raises(Refused, match="cy is no party"):
        accept(world.context, proposal=number, agent="cy")
