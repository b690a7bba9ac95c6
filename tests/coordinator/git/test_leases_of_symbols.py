"""Leasing a function instead of its file: which symbols there are, and who stands in whose way."""

from __future__ import annotations

import pytest

from pucs.coordinator import agents, leases
from pucs.coordinator.inspecting import why
from pucs.coordinator.noting import note
from pucs.core.errors import Refused, Usage
from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git

SHOP = """\
RATE = 0.2


def total(items):
    return sum(items)


class Cart:
    def add(self, item):
        pass

    def drop(self, item):
        pass
"""


@pytest.fixture
def shop(world: World) -> World:
    """Two agents whose worktrees hold a module with two functions' worth of work."""
    for agent in ("one", "two"):
        world.agent(agent)
        world.edit(agent, "core/shop.py", SHOP)
    return world


def test_two_agents_hold_two_functions_of_one_file(shop: World) -> None:
    """A class holds its methods, the file holds all, and other symbols are free."""
    shop.lock("one", "core/shop.py::Cart.add")
    shop.lock("two", "core/shop.py::Cart.drop", "core/shop.py::total", "core/shop.py::RATE")
    for wanted in ("core/shop.py::Cart", "core/shop.py", "core/"):
        answer = leases.acquire(shop.context, agent="two", resources=[wanted])
        assert "core/shop.py::Cart.add is held by one" in answer.reason
    found = why(shop.context, resource="core/shop.py::Cart.add")
    assert (found.stream, [lease.agent for lease in found.holders]) == ("core", ["one"])


@pytest.mark.parametrize(
    ("symbol", "meant"),
    [
        ("totl", "Did you mean total?"),
        ("add", "Did you mean Cart.add?"),
        ("cart.drop", "Did you mean Cart.drop"),
        ("quite_another", "It defines, for example, Cart, "),
    ],
)
def test_an_unknown_symbol_is_refused_with_the_nearest_names(shop: World, symbol: str, meant: str) -> None:
    """Nothing is taken, and the remedy says to whom a new definition belongs."""
    with pytest.raises(Usage, match="defines no") as refused:
        leases.acquire(shop.context, agent="one", resources=[f"core/shop.py::{symbol}", "core/a.py"])
    assert meant in (refused.value.remedy or "")
    assert "belongs to whoever adds it" in (refused.value.remedy or "")
    assert shop.held("one") == []


@pytest.mark.parametrize(
    ("path", "text", "why_not"),
    [
        ("core/broken.py", "def total(:\n", "cannot be told apart: .*line 1"),
        ("core/missing.py", None, "There is no file"),
        ("core/shop.ts", "function total() {}\n", "not Python"),
    ],
)
def test_a_file_without_known_definitions_is_leased_whole(
    shop: World, path: str, text: str | None, why_not: str
) -> None:
    """Python that does not parse, files that are not there, and other languages."""
    if text is not None:
        shop.edit("one", path, text)
    with pytest.raises(Usage, match=why_not) as refused:
        leases.acquire(shop.context, agent="one", resources=[f"{path}::total"])
    assert "Lease the file" in (refused.value.remedy or "")


def test_a_symlink_is_not_followed_for_symbols(shop: World) -> None:
    """Its target is leased by its own name."""
    (shop.places["one"] / "core" / "link.py").symlink_to("shop.py")
    with pytest.raises((Refused, Usage)):
        leases.acquire(shop.context, agent="one", resources=["core/link.py::total"])


def test_a_held_symbol_may_have_been_renamed(shop: World) -> None:
    """Asking again for what one holds is never wrong."""
    first = shop.lock("one", "core/shop.py::total")
    shop.edit("one", "core/shop.py", SHOP.replace("total", "grand_total"))
    assert shop.lock("one", "core/shop.py::total") == first


def test_symbols_are_looked_for_where_the_agent_works(shop: World) -> None:
    """In its own worktree; an agent without one works in the main checkout."""
    with pytest.raises(Usage, match="There is no file"):
        leases.acquire(shop.context, agent="person", resources=["core/shop.py::total"])
    agents.register(shop.context, agent="three", stream="core")
    assert leases.acquire(shop.context, agent="three", resources=["core/a.py::a"]).granted


def test_a_symbol_is_noted_as_its_file(shop: World) -> None:
    """So that giving up an unchanged one needs no git."""
    noted = note(shop.context, agent="one", resources=["core/shop.py::total", "core/shop.py", "res:db"])
    assert noted["core/shop.py::total"] == noted["core/shop.py"] != ""
    assert noted["res:db"] == ""
