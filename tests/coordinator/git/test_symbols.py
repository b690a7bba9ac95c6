"""Work in parts of one file: judged, landed, merged and given up by symbols."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pucs.coordinator import finalizing, landing, leases, releasing, salvaging, syncing, verifying
from pucs.coordinator.agents import register
from pucs.coordinator.symbols import shared_files
from pucs.coordinator.tasks import import_tasks, tasks
from pucs.core.errors import Refused
from pucs.crosslog.records import Query
from pucs.tasks.records import Task

pytestmark = pytest.mark.git

SHOP = "shop.py"
TEXT = """\
\"\"\"A shop.\"\"\"

import os

LIMIT = 3


def price(item):
    return 1


def total(items):
    return len(items)


class Cart:
    def add(self, item):
        self.items.append(item)

    def clear(self):
        self.items = []
"""


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    """Return a world whose base has the shop."""
    return make_world(files={SHOP: TEXT, "core/a.py": "a = 1\n"})


def change(world: Any, agent: str, *replacements: tuple[str, str]) -> None:
    """Replace texts in an agent's version of the shop."""
    path = world.places[agent] / SHOP
    text = path.read_text()
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def landed_rows(world: Any) -> list[tuple[str, int]]:
    """Return what the newest landing is recorded as."""
    with world.context.store.read() as tx:
        return list(tx.landings.all("S1")[-1].paths)


def entries(world: Any, action: str) -> list[Any]:
    """Return what the log says of an action."""
    with world.context.store.read() as tx:
        return [entry for entry in tx.entries.select(Query(limit=200)) if entry.action == action]


@pytest.mark.slow
def test_two_agents_in_two_functions_of_one_file(world: Any) -> None:
    """Both hold a function at once, both land, the results merge, and rows and log name the symbols."""
    world.agent("one")
    world.agent("two")
    first = world.lock("one", f"{SHOP}::price")
    second = world.lock("two", f"{SHOP}::total")
    change(world, "one", ("return 1", "return 2"))
    change(world, "two", ("return len(items)", "return sum(map(price, items))"))
    world.clock.pass_s(1)
    one = world.land("one")
    assert (one.paths, one.symbols) == ((SHOP,), (f"{SHOP}::price",))
    assert landed_rows(world) == [(f"{SHOP}::price", first[f"{SHOP}::price"])]
    two = world.land("two")
    assert two.released == (second[f"{SHOP}::total"],)
    text = world.text("core", SHOP)
    assert "return 2" in text
    assert "sum(map(price" in text
    assert world.held("one") == world.held("two") == []
    with world.context.store.read() as tx:
        assert [row.id for row in tx.landings.last_on("S1", [f"{SHOP}::price"])] == [1]
        assert [row.id for row in tx.landings.last_on("S1", [SHOP])] == [2]
        assert not tx.landings.last_on("S1", [f"{SHOP}::Cart"])
        (shared,) = shared_files(tx, "S1")
    assert (shared.file, shared.agents) == (SHOP, ("one", "two"))
    assert shared.symbols == (f"{SHOP}::price", f"{SHOP}::total")
    entry = entries(world, "landed")[-1]
    assert (list(entry.files), entry.details["symbols"]) == ([SHOP], [f"{SHOP}::total"])
    assert verifying.verify(world.context).ok


def test_two_streams_in_two_functions_of_one_file(world: Any) -> None:
    """An agent of another stream need not sync for another function, and both results merge in the end."""
    world.agent("one", "core")
    world.agent("two", "api")
    world.lock("one", f"{SHOP}::price")
    world.lock("two", f"{SHOP}::total")
    change(world, "one", ("return 1", "return 2"))
    change(world, "two", ("len(items)", "len(items) + 1"))
    world.land("one")
    world.land("two")
    assert "return 2" not in world.text("api", SHOP)
    finalizing.finalize(world.context)
    with world.context.store.read() as tx:
        result = world.git("show", f"{tx.sessions.get('S1').branch}:{SHOP}")
    assert "return 2" in result
    assert "len(items) + 1" in result


@pytest.mark.slow
def test_the_same_function_on_another_stream_is_stale(world: Any) -> None:
    """Who takes a function that another stream landed has to sync first; one who takes another function has not."""
    world.agent("one", "core")
    world.agent("two", "api")
    world.lock("one", f"{SHOP}::price")
    change(world, "one", ("return 1", "return 2"))
    commit = world.land("one").stream_commit
    world.lock("two", f"{SHOP}::price")
    change(world, "two", ("return 1", "return 3"))
    assert world.not_landed("two").reason == "stale"
    assert syncing.required(world.context, agent="two", resources=[f"{SHOP}::price"]) == [commit]
    assert syncing.required(world.context, agent="two", resources=[f"{SHOP}::total"]) == []


@pytest.mark.slow
def test_an_edit_beyond_its_symbol_takes_it_late_if_free(world: Any) -> None:
    """A change of a function nobody holds takes a late lease on that function, or on the file for its other lines."""
    world.agent("one")
    world.lock("one", f"{SHOP}::price")
    change(world, "one", ("return 1", "return 2"), ("len(items)", "0"))
    done = world.land("one")
    assert len(done.late) == 1
    assert done.symbols == (f"{SHOP}::price", f"{SHOP}::total")
    world.lock("one", f"{SHOP}::price")
    change(world, "one", ("return 2", "return 3"), ("A shop", "The shop"))
    done = world.land("one")
    assert len(done.late) == 1
    assert (done.paths, done.symbols) == ((SHOP,), ())
    assert verifying.verify(world.context).ok


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        pytest.param(("len(items)", "0"), "total", id="another's function"),
        pytest.param(("import os\n", ""), "its imports", id="imports", marks=pytest.mark.slow),
        pytest.param(
            ("A shop", "The shop"), "what belongs to no definition", id="loose", marks=pytest.mark.slow
        ),
        pytest.param(
            ("return len(items)", "return ("),
            "what belongs to no definition",
            id="unparsable",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_edit_into_anothers_symbol_is_parked(world: Any, edit: tuple[str, str], named: str) -> None:
    """What reaches beyond its symbols while somebody holds those is kept with a reason that names both; nothing is lost."""
    world.agent("one")
    world.agent("two")
    world.lock("one", f"{SHOP}::price")
    world.lock("two", f"{SHOP}::total")
    change(world, "one", ("return 1", "return 2"), edit)
    edited = (world.places["one"] / SHOP).read_text()
    refused = world.not_landed("one")
    assert refused.reason == "parked"
    (parked,) = refused.parked
    assert named in parked.reason
    assert "two" in parked.reason
    assert world.git("show", f"{parked.ref}:{SHOP}") == edited.strip()
    assert (world.places["one"] / SHOP).read_text() == TEXT
    with world.context.store.read() as tx:
        conflict = tx.conflicts.get(parked.conflict)
        assert conflict.kind.value == "FILE_LOCK"
    assert world.held("one") == [f"{SHOP}::price"]
    change(world, "two", ("len(items)", "9"))
    world.land("two")
    assert verifying.verify(world.context).ok


@pytest.mark.slow
def test_removing_what_nobody_holds_takes_the_file(world: Any) -> None:
    """A function that the edit removes or renames without a lease on it takes a late lease on the whole file."""
    world.agent("one")
    world.lock("one", f"{SHOP}::price")
    change(world, "one", ("def total(items):\n    return len(items)\n\n\n", ""))
    done = world.land("one")
    assert (done.paths, done.symbols, len(done.late)) == ((SHOP,), (), 1)
    world.agent("two")
    world.lock("one", f"{SHOP}::price")
    world.lock("two", f"{SHOP}::LIMIT")
    change(world, "one", ("class Cart", "class Basket"))
    (parked,) = world.not_landed("one").parked
    assert "(Cart)" in parked.reason
    assert "two" in parked.reason


@pytest.mark.slow
def test_committed_edits_are_judged_like_uncommitted_ones(world: Any) -> None:
    """What an agent committed itself beyond its symbol is parked and taken back by a commit of its own."""
    place = world.agent("one")
    world.agent("two")
    world.lock("one", f"{SHOP}::price")
    world.lock("two", f"{SHOP}::total")
    change(world, "one", ("return 1", "return 2"), ("len(items)", "0"))
    world.git("commit", "-qam", "too much", at=place)
    assert world.not_landed("one").reason == "parked"
    assert (place / SHOP).read_text() == TEXT
    change(world, "one", ("return 1", "return 2"))
    world.git("commit", "-qam", "just enough", at=place)
    assert world.land("one").symbols == (f"{SHOP}::price",)


def test_a_renamed_function_lands(world: Any) -> None:
    """A rename counts under the lease on the old name, and the row has both."""
    world.agent("one")
    world.agent("two")
    token = world.lock("one", f"{SHOP}::price")[f"{SHOP}::price"]
    world.lock("two", f"{SHOP}::total")
    change(world, "one", ("def price", "def price_of"))
    world.land("one")
    assert landed_rows(world) == [(f"{SHOP}::price", token), (f"{SHOP}::price_of", token)]


@pytest.mark.slow
def test_additions_belong_to_who_makes_them(world: Any) -> None:
    """New functions, methods and imports land under any lease on a symbol of the file, each with a row of its own."""
    world.agent("one")
    world.agent("two")
    token = world.lock("one", f"{SHOP}::price")[f"{SHOP}::price"]
    world.lock("two", f"{SHOP}::Cart.add")
    change(
        world,
        "one",
        ("import os\n", "import os\nimport re\n"),
        ("def total", "def tax(item):\n    return 0\n\n\ndef total"),
        ("    def clear", "    def size(self):\n        return 0\n\n    def clear"),
    )
    world.land("one")
    assert landed_rows(world) == [(f"{SHOP}::Cart.size", token), (f"{SHOP}::tax", token)]
    world.lock("one", f"{SHOP}::price")
    change(world, "one", ("import re\n", "import re\nimport sys\n"))
    world.land("one")
    assert [name for name, _ in landed_rows(world)] == [f"{SHOP}::price"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("held", "edit"),
    [
        pytest.param(
            "Cart", ("    def clear", "    def size(self):\n        return 0\n\n    def clear"), id="class"
        ),
        pytest.param("tax", ("def total", "def tax(item):\n    return 0\n\n\ndef total"), id="name to come"),
        pytest.param("price_of", ("def price", "def price_of"), id="new name"),
    ],
)
def test_additions_to_what_another_holds_are_parked(world: Any, held: str, edit: tuple[str, str]) -> None:
    """A new definition inside a class that another holds, or under a name that another reserved, is not one's own."""
    world.agent("one")
    world.agent("two")
    world.lock("one", f"{SHOP}::price")
    change(world, "two", edit)
    world.lock("two", f"{SHOP}::{held}")
    change(world, "one", edit)
    (parked,) = world.not_landed("one").parked
    assert "two" in parked.reason


@pytest.mark.slow
def test_one_new_name_of_two_streams_is_a_conflict(world: Any) -> None:
    """Where git would keep two definitions of one name, the second is stale, and its sync names the file instead."""
    world.agent("one", "core")
    world.agent("two", "api")
    world.lock("one", f"{SHOP}::price")
    world.lock("two", f"{SHOP}::Cart")
    change(world, "one", ("def price", "def tax(item):\n    return 0\n\n\ndef price"))
    change(world, "two", ("class Cart", "def tax(item):\n    return 5\n\n\nclass Cart"))
    world.land("one")
    assert world.not_landed("two").reason == "stale"
    refused = syncing.sync(world.context, agent="two")
    assert isinstance(refused, syncing.NotSynced)
    assert refused.conflicts == (SHOP,)


@pytest.mark.slow
def test_the_same_import_of_both_merges(world: Any) -> None:
    """Two agents who add the same import line at the same place do not stand in each other's way."""
    for agent, symbol in (("one", "price"), ("two", "total")):
        world.agent(agent)
        world.lock(agent, f"{SHOP}::{symbol}")
        change(world, agent, ("import os\n", "import os\nimport re\n"))
    change(world, "one", ("return 1", "return re.I"))
    change(world, "two", ("len(items)", "re.M"))
    world.land("one")
    world.land("two")
    assert world.text("core", SHOP).count("import re") == 1


@pytest.mark.slow
def test_the_same_new_name_of_both_is_a_conflict(world: Any) -> None:
    """Git would keep both definitions of one name; what neither side had is not merged in silence."""
    world.agent("one")
    world.agent("two")
    world.lock("one", f"{SHOP}::price")
    world.lock("two", f"{SHOP}::Cart")
    change(world, "one", ("def price", "def tax(item):\n    return 0\n\n\ndef price"))
    change(world, "two", ("class Cart", "def tax(item):\n    return 5\n\n\nclass Cart"))
    world.land("one")
    refused = world.not_landed("two")
    assert (refused.reason, refused.conflicts) == ("conflict", (SHOP,))
    assert world.held("two") == [f"{SHOP}::Cart"]


@pytest.mark.slow
def test_neighbours_that_git_cannot_merge_land_by_syntax(world: Any) -> None:
    """Different symbols on neighbouring lines conflict as text; both changes land, and nothing else changes."""
    world.agent("one")
    world.agent("two")
    world.lock("one", f"{SHOP}::price")
    world.lock("two", f"{SHOP}::LIMIT")
    change(
        world, "one", ("\n\ndef price(item):\n    return 1", "\n\n# Costly.\ndef price(item):\n    return 2")
    )
    change(world, "two", ("LIMIT = 3\n\n\n", "LIMIT = 4\n"))
    world.land("one")
    assert world.land("two").symbols == (f"{SHOP}::LIMIT",)
    text = world.text("core", SHOP)
    assert ("LIMIT = 4" in text, "LIMIT = 3" in text) == (True, False)
    assert "# Costly.\ndef price(item):\n    return 2" in text


@pytest.mark.slow
def test_a_lost_symbol_is_parked_only_if_it_was_changed(world: Any) -> None:
    """Whose lease on a function ended and passed on is parked; a grant on another function of the file is no reason."""
    for agent in ("one", "two", "three"):
        world.agent(agent)
    world.lock("one", f"{SHOP}::price")
    change(world, "one", ("return 1", "return 2"))
    leases.release(world.context, agent="one")
    world.lock("two", f"{SHOP}::total")
    done = world.land("one")
    assert len(done.late) == 1
    assert done.symbols == (f"{SHOP}::price",)
    world.lock("one", f"{SHOP}::price")
    change(world, "one", ("return 2", "return 3"))
    leases.release(world.context, agent="one")
    world.lock("three", f"{SHOP}::price")
    (parked,) = world.not_landed("one").parked
    assert f"the lease on {SHOP}::price ended, and three was granted {SHOP}::price since" in parked.reason


@pytest.mark.slow
def test_what_came_by_sync_is_not_ones_own(world: Any) -> None:
    """After taking in two streams' landings on other functions, an agent is judged by its own edits alone."""
    for agent, stream, symbol in (
        ("one", "core", "price"),
        ("two", "api", "total"),
        ("three", "docs", "Cart"),
    ):
        world.agent(agent, stream)
        world.lock(agent, f"{SHOP}::{symbol}")
    change(world, "one", ("return 1", "return 2"))
    change(world, "two", ("len(items)", "0"))
    commits = [world.land("one").stream_commit, world.land("two").stream_commit]
    place = world.places["three"]
    change(world, "three", ("self.items = []", "self.items.clear()"))
    world.git("commit", "-qam", "mine", at=place)
    for commit in commits:
        world.git("merge", "-q", "--no-edit", commit, at=place)
    done = world.land("three")
    assert done.symbols == (f"{SHOP}::Cart.clear",)
    text = world.text("docs", SHOP)
    assert "return 2" in text
    assert "return 0" in text
    assert "clear()" in text


@pytest.mark.slow
def test_parking_keeps_what_came_by_sync(world: Any) -> None:
    """What is taken back after it was parked is the agent's own edit, not what two other streams had landed before."""
    for agent, stream, symbol in (
        ("one", "core", "price"),
        ("two", "api", "total"),
        ("three", "docs", "Cart"),
    ):
        world.agent(agent, stream)
        world.lock(agent, f"{SHOP}::{symbol}")
    change(world, "one", ("return 1", "return 2"))
    change(world, "two", ("len(items)", "0"))
    commits = [world.land("one").stream_commit, world.land("two").stream_commit]
    place = world.places["three"]
    world.agent("four")
    world.lock("four", f"{SHOP}::LIMIT")
    change(world, "three", ("LIMIT = 3", "LIMIT = 4"))
    world.git("commit", "-qam", "too much", at=place)
    for commit in commits:
        world.git("merge", "-q", "--no-edit", commit, at=place)
    assert world.not_landed("three").reason == "parked"
    text = (place / SHOP).read_text()
    assert "LIMIT = 3" in text
    assert "return 2" in text
    assert "return 0" in text


@pytest.mark.slow
def test_a_file_resolved_by_hand_is_not_put_back(world: Any) -> None:
    """Where two streams' landings conflict and an agent resolved that, parking its edit does not undo one of them."""
    for agent, stream, symbol in (
        ("one", "core", "price"),
        ("two", "api", "LIMIT"),
        ("three", "docs", "Cart"),
    ):
        world.agent(agent, stream)
        world.lock(agent, f"{SHOP}::{symbol}")
    change(
        world, "one", ("\n\ndef price(item):\n    return 1", "\n\n# Costly.\ndef price(item):\n    return 2")
    )
    change(world, "two", ("LIMIT = 3\n\n\n", "LIMIT = 4\n"))
    commits = [world.land("one").stream_commit, world.land("two").stream_commit]
    world.agent("four")
    world.lock("four", f"{SHOP}::total")
    place = world.places["three"]
    change(world, "three", ("len(items)", "0"))
    world.git("commit", "-qam", "too much", at=place)
    world.git("merge", "-q", "--no-edit", commits[0], at=place)
    with pytest.raises(subprocess.CalledProcessError):
        world.git("merge", "-q", "--no-edit", commits[1], at=place)
    resolved = (
        TEXT.replace("LIMIT = 3", "LIMIT = 4").replace("return 1", "return 2").replace("len(items)", "0")
    )
    (place / SHOP).write_text(resolved)
    world.git("commit", "-qam", "both", at=place)
    with pytest.raises(Refused, match="cannot be put back"):
        landing.land(world.context, agent="three")
    assert (place / SHOP).read_text() == resolved
    assert [kept.agent for kept in salvaging.salvages(world.context)] == ["three"]
    (place / SHOP).write_text(resolved.replace("return 0", "return len(items)"))
    world.lock("three", f"{SHOP}::price", f"{SHOP}::LIMIT")
    assert world.land("three").stream == "docs"


@pytest.mark.slow
@pytest.mark.parametrize("alone", [True, False])
def test_a_symlink_in_place_of_a_file_is_the_whole_file(world: Any, *, alone: bool) -> None:
    """What is no regular file has no definitions: it lands under the whole file, or is parked if somebody works in it."""
    place = world.agent("one")
    world.agent("two")
    world.lock("one", f"{SHOP}::price")
    if not alone:
        world.lock("two", f"{SHOP}::total")
    (place / SHOP).unlink()
    (place / SHOP).symlink_to("core/a.py")
    if alone:
        done = world.land("one")
        assert (done.symbols, len(done.late)) == ((), 1)
    else:
        assert "two" in world.not_landed("one").parked[0].reason
        assert (place / SHOP).read_text() == TEXT


@pytest.mark.slow
def test_undoing_anothers_landed_function_is_an_edit_of_it(world: Any) -> None:
    """Who sets a synced function back to what it was before has changed it, and does not hold it."""
    world.agent("one")
    world.agent("two")
    world.lock("one", f"{SHOP}::price")
    change(world, "one", ("return 1", "return 2"))
    world.land("one")
    world.lock("two", f"{SHOP}::total")
    syncing.sync(world.context, agent="two")
    world.lock("one", f"{SHOP}::price")
    change(world, "two", ("return 2", "return 1"), ("len(items)", "0"))
    (parked,) = world.not_landed("two").parked
    assert "(price)" in parked.reason


def test_a_sync_names_the_tokens_of_symbols(world: Any) -> None:
    """The commit of an agent's own edits before a sync says under which leases on symbols they were made."""
    place = world.agent("one")
    tokens = world.lock("one", f"{SHOP}::price", f"{SHOP}::Cart")
    change(world, "one", ("return 1", "return 2"))
    syncing.sync(world.context, agent="one")
    message = world.git("log", "-1", "--format=%B", at=place)
    assert all(f"PUCS-Token: {token}" in message for token in tokens.values())


@pytest.mark.slow
def test_giving_one_of_two_symbols_up(world: Any) -> None:
    """An untouched function is simply given up; one that was edited lands first, and so does all else in the file."""
    world.agent("one")
    world.lock("one", f"{SHOP}::price", f"{SHOP}::total", f"{SHOP}::Cart")
    change(world, "one", ("return 1", "return 2"))
    given = releasing.give_up(world.context, agent="one", resources=[f"{SHOP}::total"])
    assert (given.resources, given.landed) == ((f"{SHOP}::total",), ())
    assert world.held("one") == [f"{SHOP}::Cart", f"{SHOP}::price"]
    given = releasing.give_up(world.context, agent="one", resources=[f"{SHOP}::price"])
    assert given.landed == (SHOP,)
    assert world.held("one") == [f"{SHOP}::Cart"]


@pytest.mark.slow
def test_leases_on_symbols_outlive_a_landing_that_leaves_the_file(world: Any) -> None:
    """Landing another file keeps the lease on a function whose edit stays uncommitted."""
    world.agent("one")
    world.lock("one", f"{SHOP}::price", "core/a.py")
    change(world, "one", ("return 1", "return 2"))
    world.edit("one", "core/a.py", "a = 2\n")
    world.land("one", files=["core/a.py"])
    assert world.held("one") == [f"{SHOP}::price"]
    assert world.land("one", files=[f"{SHOP}::price"]).symbols == (f"{SHOP}::price",)


@pytest.mark.slow
def test_a_hook_that_formats_is_judged_again(world: Any) -> None:
    """What a commit hook writes into another function is judged like any edit, not landed unseen."""
    world.agent("one")
    world.agent("two")
    world.lock("one", f"{SHOP}::price")
    world.lock("two", f"{SHOP}::total")
    hook = Path(world.root, ".git", "hooks", "pre-commit")
    hook.write_text("#!/bin/sh\nsed -i 's/len(items)/len( items )/' shop.py\ngit add shop.py\n")
    hook.chmod(0o755)
    change(world, "one", ("return 1", "return 2"))
    (parked,) = world.not_landed("one").parked
    assert "(total)" in parked.reason
    hook.unlink()
    assert world.text("core", SHOP) == TEXT.strip()


@pytest.mark.slow
def test_a_person_lands_a_function(world: Any) -> None:
    """In a person's checkout a landed function does not count again when another one lands."""
    register(world.context, agent="me", stream="core")
    world.places["me"] = world.root
    world.lock("me", f"{SHOP}::price")
    change(world, "me", ("return 1", "return 2"))
    assert world.land("me").symbols == (f"{SHOP}::price",)
    world.agent("two")
    world.lock("two", f"{SHOP}::price")
    world.lock("me", f"{SHOP}::total")
    change(world, "me", ("len(items)", "0"))
    assert world.land("me").symbols == (f"{SHOP}::total",)
    text = world.text("core", SHOP)
    assert "return 2" in text
    assert "return 0" in text


@pytest.mark.slow
def test_one_after_the_other_is_not_at_once(world: Any) -> None:
    """Agents who hold their functions one after the other have not shared the file."""
    for agent, old in (("one", "return 1"), ("two", "len(items)")):
        world.agent(agent)
        world.lock(agent, f"{SHOP}::price" if agent == "one" else f"{SHOP}::total")
        change(world, agent, (old, "return 0" if agent == "one" else "0"))
        world.clock.pass_s(1)
        world.land(agent)
    with world.context.store.read() as tx:
        assert shared_files(tx, "S1") == []


def test_a_task_of_a_function_belongs_to_the_stream_of_its_file(make_world: Callable[..., Any]) -> None:
    """A task may declare a symbol; its stream is told by the file, and the symbol is what gets leased."""
    world = make_world(files={"core/shop.py": TEXT})
    import_tasks(
        world.context,
        tasks=[Task(id="t", title="t", stream="", files=("core/shop.py::price",), command="true")],
    )
    (task,) = tasks(world.context)
    assert (task.stream, task.files) == ("core", ("core/shop.py::price",))


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, 11))
def test_kill_at_each_step(world: Any, killed: type[BaseException], at: int) -> None:
    """Killed after any change it makes, the landing of a function is completed by the next one; it lands once."""
    world.agent("one")
    place = world.agent("two", pid=7)
    world.lock("one", f"{SHOP}::price")
    world.lock("two", f"{SHOP}::total")
    change(world, "one", ("return 1", "return 2"))
    change(world, "two", ("len(items)", "0"))
    world.land("one")
    dying, death = world.dying(at)
    try:
        landing.land(dying, agent="two")
    except killed:
        world.bury(at)
    assert death.dead == (at <= 9), death.count
    landing.land(world.context, agent="two")
    text = world.text("core", SHOP)
    assert "return 0" in text
    assert "return 2" in text
    assert world.git("status", "--porcelain", at=place) == ""
    with world.context.store.read() as tx:
        assert tx.intentions.all() == []
        assert tx.leases.live() == []
        rows = [row.paths[0][0] for row in tx.landings.all("S1")]
    assert rows == [f"{SHOP}::price", f"{SHOP}::total"]
    assert verifying.verify(world.context).ok
