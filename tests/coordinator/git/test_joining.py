"""Merges by syntax where git stops: in landings, syncs and finalize, with guards on what git merges cleanly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pucs.coordinator import finalizing, joining, landing, patterns, syncing, verifying
from pucs.coordinator.joining import MERGED_BY_RULE, join
from pucs.crosslog.records import Entry, Query
from pucs.streams.settings import MergeSettings

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.git

BASE = '''"""Prices."""

import os


def total(prices: list[float]) -> float:
    """Add up."""
    return sum(prices)


def place() -> str:
    """Say where."""
    return os.getcwd()
'''
MEAN = "\n\ndef mean(prices: list[float]) -> float:\n    return total(prices) / len(prices)\n"
MOST = "\n\ndef most(prices: list[float]) -> float:\n    return max(prices)\n"
FILES = {"core/prices.py": BASE, "core/b.py": "b = 1\n", "api/x.py": "x = 1\n", "shared.py": BASE}


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(FILES)


def decisions(world: Any) -> list[Entry]:
    """Return the entries about merges by rule."""
    with world.context.store.read() as tx:
        return [entry for entry in tx.entries.select(Query()) if entry.action == MERGED_BY_RULE]


def both(world: Any, mine: str, theirs: str, path: str = "core/prices.py") -> None:
    """Let two agents change one file, and the second land; the first has yet to."""
    world.agent("a1")
    world.agent("a2")
    world.edit("a1", path, mine)
    world.edit("a2", path, theirs)
    world.land("a2")


def test_both_add_a_function_at_the_end_of_a_file(world: Any) -> None:
    """Git conflicts; both land all the same, the log says by what rule, and everything is accounted for."""
    both(world, BASE + MEAN, BASE + MOST)
    landed = world.land("a1")
    text = world.text("core", "core/prices.py")
    assert (text.count("def mean("), text.count("def most("), "<<<" in text) == (1, 1, False)
    compile(text, "prices.py", "exec")
    (entry,) = decisions(world)
    assert (entry.agent, entry.stream, entry.files) == ("a1", "core", ("core/prices.py",))
    assert (entry.details["commit"], entry.details["tier"]) == (landed.stream_commit, "auto")
    (place,) = entry.details["places"]
    assert entry.details["rules"] == [place["rule"]]
    lines = text.splitlines()[place["first_line"] - 1 :][: place["lines"]]
    assert any("def mean(" in line for line in lines)
    assert finalizing.finalize(world.context).merged == ("core",)
    assert verifying.verify(world.context).ok


@pytest.mark.slow
def test_both_add_imports_and_a_sync_brings_them_together(world: Any) -> None:
    """The worktree gets both, a commit of the merge, and an entry; the landing then has nothing left to merge."""
    both(
        world,
        BASE.replace("import os\n", "import os\nimport re\n"),
        BASE.replace("import os\n", "import os\nimport sys\n"),
    )
    outcome = syncing.sync(world.context, agent="a1")
    assert isinstance(outcome, syncing.Synced)
    text = (world.places["a1"] / "core/prices.py").read_text()
    assert all(f"import {name}\n" in text for name in ("os", "re", "sys"))
    (entry,) = decisions(world)
    assert (entry.details["commit"], entry.files) == (outcome.commit, ("core/prices.py",))
    assert world.land("a1").paths == ("core/prices.py",)
    assert len(decisions(world)) == 1


def test_what_nothing_settles_is_a_conflict_that_names_the_place(world: Any) -> None:
    """Nothing moves, the lease is kept, and the message says which function both sides changed."""
    both(
        world,
        BASE.replace("return sum(prices)", "return round(sum(prices), 2)"),
        BASE.replace("return sum(prices)", "return math.fsum(prices)"),
    )
    before = world.git("rev-parse", world.branch("core"))
    refused = world.not_landed("a1")
    assert (refused.reason, refused.conflicts) == ("conflict", ("core/prices.py",))
    assert refused.reasons[0].startswith("both sides change the same lines of core/prices.py, in total")
    assert refused.reasons[0] in refused.message
    assert world.git("rev-parse", world.branch("core")) == before
    assert world.held("a1") == ["core/prices.py"]
    assert decisions(world) == []


def test_one_name_defined_at_two_places_is_a_conflict_although_git_merges_it(world: Any) -> None:
    """Git emits both definitions without a word; the guard's words are the reason, and a corrected merge lands."""
    early = BASE.replace("\n\ndef total", f"{MEAN}\n\ndef total")
    both(world, BASE + MEAN.replace("mean(prices", "mean(values"), early)
    refused = world.not_landed("a1")
    assert (refused.reason, refused.conflicts) == ("conflict", ("core/prices.py",))
    assert "`mean`" in refused.message
    place = world.places["a1"]
    world.git("merge", "-q", world.branch("core"), at=place)
    world.edit("a1", "core/prices.py", early)
    assert isinstance(landing.land(world.context, agent="a1"), landing.Landed)


@pytest.mark.slow
def test_a_fault_that_a_side_brought_along_is_not_the_merges(world: Any) -> None:
    """A name that was undefined before stays so; neither side's landing is held up for it."""
    broken = BASE + "\n\ndef late() -> int:\n    return undefined_anywhere\n"
    world.agent("b1")
    world.edit("b1", "core/prices.py", broken)
    world.land("b1")
    for agent in ("a1", "a2"):
        world.agent(agent)
    world.edit("a1", "core/prices.py", broken.replace("import os\n", "import os\nimport re\n"))
    world.edit("a2", "core/prices.py", broken + MOST)
    world.land("a2")
    world.land("a1")
    assert decisions(world) == []


@pytest.mark.slow
def test_what_is_deleted_here_and_changed_there_stays_a_conflict(world: Any) -> None:
    """Whether a change of what is gone still matters no rule knows; other files' merges do not hide it."""
    world.agent("a1")
    world.agent("a2")
    world.edit("a2", "core/b.py", "b = 2\n")
    world.edit("a2", "core/prices.py", BASE + MOST)
    world.land("a2")
    (world.places["a1"] / "core/b.py").unlink()
    world.edit("a1", "core/prices.py", BASE + MEAN)
    refused = world.not_landed("a1")
    assert refused.conflicts == ("core/b.py", "core/prices.py")
    assert refused.reasons == ("core/b.py: one side changed it, the other deleted it",)


@pytest.mark.slow
def test_functions_under_their_own_leases_land_side_by_side(world: Any) -> None:
    """Two agents hold two functions and each adds one at the same place: merged, each under its own token."""
    for agent, name in (("a1", "total"), ("a2", "place")):
        world.agent(agent)
        world.lock(agent, f"core/prices.py::{name}")
    theirs = BASE.replace("def place() -> str:", "def place(up: int = 0) -> str:") + MOST
    world.edit("a2", "core/prices.py", theirs)
    world.edit("a1", "core/prices.py", BASE.replace("sum(prices)\n", "float(sum(prices))\n") + MEAN)
    world.land("a2")
    assert "core/prices.py::total" in world.land("a1").symbols
    text = world.text("core", "core/prices.py")
    assert all(words in text for words in ("place(up: int = 0)", "float(sum", "def mean(", "def most("))
    assert len(decisions(world)) == 1
    assert patterns.detect(world.context) == ()  # they were in different functions, whoever merged


@pytest.mark.slow
def test_a_merge_that_changes_what_neither_leased_is_a_conflict(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where leases are on symbols, the merge room's word is held against them like git's."""
    for agent, name in (("a1", "total"), ("a2", "place")):
        world.agent(agent)
        world.lock(agent, f"core/prices.py::{name}")
    world.edit("a2", "core/prices.py", BASE + MOST)
    world.edit("a1", "core/prices.py", BASE + MEAN)
    world.land("a2")
    replacing: Callable[..., str] = type(world.context.repository).tree_replacing

    def careless(self: Any, tree: str, files: dict[Any, tuple[str, bytes]]) -> str:
        wrong = {
            path: (mode, content.replace(b"max(prices)", b"min(prices)"))
            for path, (mode, content) in files.items()
        }
        return replacing(self, tree, wrong)

    monkeypatch.setattr(type(world.context.repository), "tree_replacing", careless)
    refused = world.not_landed("a1")
    assert refused.reasons == (
        "core/prices.py: the merge makes something of a definition that neither side had",
    )
    assert "most" in world.text("core", "core/prices.py")
    assert "mean" not in world.text("core", "core/prices.py")
    assert decisions(world) == []


@pytest.mark.slow
def test_streams_that_conflict_in_lines_alone_merge_by_syntax(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finalize brings both in, and the entry names the stream; with the target in the way it does the same there."""
    world.agent("x1", "api")
    world.edit("x1", "shared.py", BASE + MEAN)
    world.agent("a1", "core")
    world.edit("a1", "shared.py", BASE + MOST)
    world.land("a1")
    with monkeypatch.context() as patch:
        patch.setattr(syncing, "missing", lambda *_: [])  # as if it had landed before the other stream did
        world.land("x1")
    outcome = finalizing.finalize(world.context)
    assert (outcome.merged, outcome.held) == (("core", "api"), ())
    text = world.git("show", f"{outcome.branch}:shared.py")
    assert (text.count("def mean("), text.count("def most(")) == (1, 1)
    (entry,) = decisions(world)
    assert (entry.stream, entry.files, entry.details["commit"]) == ("api", ("shared.py",), outcome.commit)
    world.git("branch", "release")
    world.git("switch", "-q", "release")
    (world.root / "shared.py").write_text(
        BASE + "\n\ndef least(prices: list[float]) -> float:\n    return min(prices)\n"
    )
    world.git("commit", "-qam", "by hand")
    world.git("switch", "-q", "-")
    taken = finalizing.finalize(world.context, target="release")
    text = world.git("show", "release:shared.py")
    assert taken.target_commit == world.git("rev-parse", "release")
    assert all(f"def {name}(" in text for name in ("mean", "most", "least"))
    assert [entry.details["commit"] for entry in decisions(world)][1:] == [taken.target_commit]


def commits(
    world: Any, base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> tuple[str, str]:
    """Return two commits on a common one."""
    made: list[str] = []
    branch = world.git("symbolic-ref", "--short", "HEAD")
    parent = world.git("rev-parse", "HEAD")
    for files in (base, ours, theirs):
        world.git("switch", "-q", "--detach", parent)
        for name, text in files.items():
            (world.root / name).parent.mkdir(exist_ok=True)
            (world.root / name).write_text(text)
        world.git("add", "-A")
        world.git("commit", "-qm", "one", "--allow-empty")
        made.append(world.git("rev-parse", "HEAD"))
        parent = made[0]
    world.git("switch", "-q", branch)
    return made[1], made[2]


GUESSING = [f"def f({names}):\n    return a\n" for names in ("a", "a, b", "a, c")]
"""In which order a function takes what two sides added nobody can tell from the file."""


@pytest.mark.slow
def test_a_guess_is_not_applied_unless_the_configuration_accepts_it(make_world: Any) -> None:
    """With ``merge.accept: review`` it is; without, the conflict says that there is one, and for which files."""
    careful, trusting = make_world(FILES), make_world(FILES, merge=MergeSettings(accept="review"))
    for world in (careful, trusting):
        sides = commits(world, {"g.py": GUESSING[0]}, {"g.py": GUESSING[1]}, {"g.py": GUESSING[2]})
        joined = join(world.context, *sides)
        if world is careful:
            assert (joined.tree, joined.conflicts, joined.settled) == ("", ("g.py",), ())
            assert [one.tier for one in joined.guesses] == ["review"]
            assert "There is a guess at how to merge it" in joined.told("It does not merge")
            assert join(world.context, *sides, accept="review").tree == joined.proposal
        else:
            assert joined.conflicts == ()
            assert [one.tier for one in joined.settled] == ["review"]


@pytest.mark.slow
def test_merging_by_syntax_can_be_switched_off(make_world: Any) -> None:
    """``conflict_resolution.auto_merge: false`` leaves conflicts to people, unless somebody asks for the merge by name."""
    world = make_world(FILES, auto_merge=False)
    sides = commits(world, {"m.py": BASE}, {"m.py": BASE + MEAN}, {"m.py": BASE + MOST})
    joined = join(world.context, *sides)
    assert (joined.conflicts, joined.settled) == (("m.py",), ())
    assert "conflict_resolution.auto_merge" in joined.told("It does not merge")
    assert join(world.context, *sides, accept="auto").tree


@pytest.mark.slow
def test_what_is_looked_into_is_bounded(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limits of number and time a conflict is left as git has it."""
    names = [f"m{number}.py" for number in range(3)]
    sides = commits(
        world,
        dict.fromkeys(names, BASE),
        dict.fromkeys(names, BASE + MEAN),
        dict.fromkeys(names, BASE + MOST),
    )
    assert len(join(world.context, *sides).settled) == len(names)
    for limit in ("FILES_MAX", "TIME_MAX_S"):
        with monkeypatch.context() as patch:
            patch.setattr(joining, limit, 2 if limit == "FILES_MAX" else -1)
            joined = join(world.context, *sides)
        assert joined.conflicts == tuple(names)
        assert "m2.py: there are too many conflicts to look into" in joined.reasons
        assert joined.proposal == ""


@pytest.mark.slow
def test_other_files_and_versions_with_markers_are_left_to_people(world: Any) -> None:
    """No rule knows plain text, and a base that holds a conflict is no ground to stand on."""
    marked = BASE + "<<<<<<< ours\na = 1\n=======\na = 2\n>>>>>>> theirs\n"
    sides = commits(
        world,
        {"t.xyz": "a\n", "m.py": marked},
        {"t.xyz": "b\n", "m.py": marked + MEAN},
        {"t.xyz": "c\n", "m.py": marked + MOST},
    )
    assert set(join(world.context, *sides).reasons) == {
        "both sides change the same lines of t.xyz",
        "m.py: a version of it holds conflict markers",
    }
