"""Dividing a module: scopes never overlap, needs are kept in the order of turns, words are understood with care."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.core.modes import Mode
from pucs.intents.narrowing import as_divided, narrowed, narrowed_plan
from pucs.intents.partition import Division, Party, divide, mentioned, overlapping
from pucs.intents.records import Partition, PartitionState

SYMBOLS = frozenset({
    "Cart", "Cart.total", "Cart.add", "FillPredictor", "FillPredictor.fit", "train_model", "add", "VAT_RATE",
    "Order", "Order.total", "_quiet", "__all__",
})  # fmt: skip
names = st.frozensets(st.sampled_from(sorted(SYMBOLS)), max_size=4)
words = st.lists(
    st.sampled_from([*sorted(SYMBOLS), "Cart's total", "the train model", "VAT", "and", "add()"]), max_size=5
)


@st.composite
def parties(draw: st.DrawFn) -> list[Party]:
    """Make two to four agents with needs of all kinds."""
    return [
        Party(
            agent=f"a{n}",
            changed=draw(names),
            named=draw(names),
            words=" ".join(draw(words)),
            holds=draw(st.booleans()),
        )
        for n in range(draw(st.integers(2, 4)))
    ]


@given(parties())
def test_scopes_are_disjoint_and_made_of_definitions(asked: list[Party]) -> None:
    """No symbol, and no class with one of its members, is in two scopes; nothing unknown is in any."""
    found = divide(SYMBOLS, asked)
    given_to = [(agent, symbol) for agent, scope in found.scopes.items() for symbol in scope]
    for agent, symbol in given_to:
        assert symbol in SYMBOLS
        for other, another in given_to:
            assert agent == other or not overlapping(symbol, another)
    for free in found.unassigned:
        assert not any(overlapping(free, symbol) for _, symbol in given_to)


@given(parties())
def test_every_agent_is_served_or_queued(asked: list[Party]) -> None:
    """What is certain is in the scope or waited for; whoever has nothing is queued; a reason stands for no division."""
    found = divide(SYMBOLS, asked)
    if found.reason:
        assert found == Division(queued=tuple(party.agent for party in asked[1:]), reason=found.reason)
        return
    assert set(found.scopes) | set(found.queued) == {party.agent for party in asked}
    assert not set(found.scopes) & set(found.queued)
    assert len(found.scopes) > 1
    for party in asked:
        has = found.scopes.get(party.agent, ())
        waits = found.waits.get(party.agent, ())
        assert has or not party.holds
        for symbol in (party.changed | party.named) if has else ():
            assert any(symbol == one or symbol.startswith(f"{one}.") for one in (*has, *waits))


@given(parties())
def test_what_the_first_certainly_needs_it_gets(asked: list[Party]) -> None:
    """Nobody is before it."""
    found = divide(SYMBOLS, asked)
    first = asked[0]
    assert (
        found.reason
        or first.agent not in found.waits
        or not (first.changed | first.named) & set(found.waits[first.agent])
    )


def test_what_is_certain_comes_before_what_is_mentioned() -> None:
    """Whoever came later keeps what it has changed; of a class that is mentioned the rest is given."""
    found = divide(
        SYMBOLS,
        [
            Party(agent="ann", words="rework the Cart class"),
            Party(agent="bob", changed=frozenset({"Cart.total"})),
        ],
    )
    assert found.scopes == {"ann": ("Cart.add",), "bob": ("Cart.total",)}


def test_a_class_whose_members_are_all_taken_is_waited_for() -> None:
    """There is nothing left of it to give."""
    found = divide(
        {"Cart", "Cart.total", "price"},
        [Party(agent="ann", changed=frozenset({"Cart.total"})), Party(agent="bob", words="Cart, price")],
    )
    assert (found.scopes["bob"], found.waits) == (("price",), {"bob": ("Cart",)})


def test_a_name_that_does_not_exist_yet_is_given_to_who_plans_it() -> None:
    """A new function belongs to who adds it."""
    found = divide(
        {"price"}, [Party(agent="ann", named=frozenset({"discount"})), Party(agent="bob", words="price")]
    )
    assert found.scopes == {"ann": ("discount",), "bob": ("price",)}


def test_a_third_without_a_scope_waits_for_the_file() -> None:
    """The others are divided all the same, unless it is the third that holds the whole file."""
    two = [Party(agent="ann", words="price"), Party(agent="bob", words="total")]
    known = {"price", "total"}
    assert divide(known, [*two, Party(agent="cy")]).queued == ("cy",)
    assert "cy" in divide(known, [Party(agent="cy", holds=True), *two]).reason
    behind = divide(known, [*two, Party(agent="cy", words="price", holds=True)])
    assert behind.reason == "All that cy needs is needed by others first: price."


def test_one_agent_alone_divides_nothing() -> None:
    """It takes two."""
    assert divide(SYMBOLS, [Party(agent="ann", words="Cart")]).reason == (
        "There are no two agents to divide it between."
    )


def test_changes_of_the_module_itself_need_the_whole_file() -> None:
    """What belongs to no symbol cannot be given to anybody."""
    found = divide(
        SYMBOLS, [Party(agent="ann", words="Cart"), Party(agent="bob", words="Order", beyond=("<module>",))]
    )
    assert (found.scopes, found.queued) == ({}, ("bob",))
    assert found.reason == "bob has changed what belongs to no function or class: <module>."


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Add VAT to total of the cart", {"Cart.total"}),
        ("improve the fill predictor in shop/cart.py", {"FillPredictor"}),
        ("use `add` here", {"add"}),
        ("call add() twice", {"add"}),
        ("add a thing", set()),
        ("rework Cart.total and train model", {"Cart.total", "train_model"}),
        ("change total", set()),
        ("shop.cart.Cart.add()", {"Cart.add"}),
        ("other.Thing.run()", set()),
        ("Vat rate", {"VAT_RATE"}),
        ("TRAINMODEL", set()),
        ("`fit` must be fast", {"FillPredictor.fit"}),
        ("quiet, all", set()),
        ("make _quiet loud and fix __all__", {"_quiet", "__all__"}),
        ("", set()),
        ("x" * 100_000, set()),
    ],
)
def test_names_in_words_are_found(text: str, symbols: set[str]) -> None:
    """Dotted names, code, and words in a row; paths and everyday words are no names."""
    assert mentioned(text, SYMBOLS) == symbols


@given(st.text(max_size=200))
def test_any_words_are_read(text: str) -> None:
    """Whatever is said, only known symbols are found, and none with one of its members."""
    found = mentioned(text, SYMBOLS)
    assert found <= SYMBOLS
    assert not any(one != other and overlapping(one, other) for one in found for other in found)


def test_a_set_is_narrowed_in_its_strongest_mode() -> None:
    """Symbols stand in place of the file and of its parts; what is elsewhere stays."""
    asked = (("b.py", Mode.SHARED_READ), ("a.py", Mode.SHARED_READ), ("a.py::f", Mode.EXCLUSIVE))
    assert narrowed(asked, "a.py", ("a.py::g", "a.py::h")) == (
        ("a.py::g", Mode.EXCLUSIVE), ("a.py::h", Mode.EXCLUSIVE), ("b.py", Mode.SHARED_READ),
    )  # fmt: skip
    assert narrowed(asked[:1], "a.py", ("a.py::g",)) == asked[:1]


def test_a_plan_is_narrowed_at_its_earliest_place() -> None:
    """One for the directory around the file stays as it is."""
    assert narrowed_plan((("a.py", 4), ("a.py::f", 2), ("b", 1)), "a.py", ("a.py::g",)) == (
        ("a.py::g", 2), ("b", 1),
    )  # fmt: skip
    assert narrowed_plan((("d/", 4),), "d/a.py", ("d/a.py::g",)) == (("d/", 4),)


def test_a_request_goes_on_as_the_accepted_divisions_left_it() -> None:
    """Only those that were accepted and that name the request."""

    def division(number: int, file: str, state: PartitionState, requests: tuple[int, ...]) -> Partition:
        return Partition(
            id=number,
            session="S",
            file=file,
            parties=("ann", "bob"),
            scopes={"bob": (f"{file}::f",)},
            waits={},
            requests={"bob": requests},
            state=state,
            boot_id="boot",
            deadline_s=1.0,
            proposed_at="",
            deadline_at="",
        )

    asked = tuple((file, Mode.EXCLUSIVE) for file in ("a.py", "b.py", "c.py"))
    divisions = [
        division(1, "a.py", PartitionState.ACCEPTED, (7,)),
        division(2, "b.py", PartitionState.REFUSED, (7,)),
        division(3, "c.py", PartitionState.ACCEPTED, (8,)),
    ]
    assert [name for name, _ in as_divided(asked, "bob", 7, divisions)] == ["a.py::f", "b.py", "c.py"]
    assert as_divided(asked, "ann", 7, divisions) == asked
