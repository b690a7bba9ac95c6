"""Each rule over a killed or stopped landing: a case that holds it, and one that breaks it; and where the faults hit."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from proof import faults_landing_judge as judge
from proof import faults_landing_plants as plants
from proof.faults_landing_judge import Move, Seen
from proof.faults_landing_points import KILL, SCENES, STOP, Point, points_of, sample
from proof.faults_landing_reading import chain
from proof.records import Commit, Evidence, History, Stream

A, B = "core/a.txt", "core/b.txt"
FIRST, SECOND, LATER = "~ a1 a", "~ a1 b", "~ a2 a"
NS = 1_000_000_000


def note(t_s: float, kind: str, agent: str = "a1", **fields: Any) -> dict[str, Any]:
    return {"t": int(t_s * NS), "kind": kind, "pid": int(agent[1:]), "agent": agent, **fields}


def wrote(t_s: float, agent: str, file: str, line: str) -> dict[str, Any]:
    return note(t_s, "wrote", agent, file=file, line=line, change=agent)


def entry(action: str, commit: str = "", stream: str = "core", **details: Any) -> dict[str, Any]:
    return {"action": action, "stream": stream, "details": {"commit": commit, **details}}


def commit(name: str, parent: str, agent: str, token: int, **changes: tuple[str, str]) -> Commit:
    trailers = (
        ("PUCS-Agent", agent),
        ("PUCS-Stream", "core"),
        ("PUCS-Session", "S1"),
        ("PUCS-Token", str(token)),
    )
    return Commit(
        id=name,
        parents=(parent,) if parent else (),
        subject=f"[PUCS-core] feat: {name}",
        time_s=0,
        trailers=trailers,
        changes=changes,
    )


def landed() -> Seen:
    """Return a case: a1 lands two files, then a2 is granted one of them, sees it and lands; both come to the result."""
    one = {A: (FIRST,), B: (SECOND,)}
    two = {A: (FIRST, LATER), B: (SECOND,)}
    merge = Commit(
        id="m1",
        parents=("base", "c2"),
        subject="[PUCS-core] chore: Merge stream core",
        time_s=0,
        trailers=(("PUCS-Agent", "pucs"), ("PUCS-Stream", "core"), ("PUCS-Session", "S1")),
    )
    base = Commit(id="base", parents=(), subject="base", time_s=0)
    tips = {"core": "c2", "api": "base", "result": "m1"}
    return Seen(
        notes=[
            note(1, "granted", files=[A, B], tokens=[5, 6]),
            wrote(2, "a1", A, FIRST),
            wrote(2, "a1", B, SECOND),
            note(3, "calls", verb="land"),
            note(4, "answered", verb="land", ok=True, paths=[A, B]),
            note(5, "ends"),
            note(6, "asks", "a2", files=[A]),
            note(7, "granted", "a2", files=[A], tokens=[7]),
            note(8, "sees", "a2", file=A, lines=[FIRST]),
            wrote(9, "a2", A, LATER),
            note(10, "answered", "a2", verb="land", ok=True, paths=[A]),
            note(11, "ends", "a2"),
        ],
        moves={
            "core": [Move(tip="base", lines={}), Move(tip="c1", lines=one), Move(tip="c2", lines=two)],
            "api": [Move(tip="base", lines={})],
            "session": [Move(tip="base", lines={}), Move(tip="m1", lines=two)],
            "release": [Move(tip="base", lines={}), Move(tip="m1", lines=two)],
        },
        passed={"core": ("base", "c1", "c2")},
        evidence=Evidence(
            name="S1",
            base="base",
            result="result",
            branches={"core": "core", "api": "api"},
            streams={"core": Stream(prefix="core/"), "api": Stream(prefix="api/", after=("core",))},
            tasks={},
            checkout_before={"HEAD": "x"},
            checkout_after={"HEAD": "x"},
        ),
        history=History(
            commits={
                each.id: each
                for each in (
                    base,
                    commit("c1", "base", "a1", 6, **{A: ("", "1"), B: ("", "1")}),
                    commit("c2", "c1", "a2", 7, **{A: ("1", "2")}),
                    merge,
                )
            },
            refs={f"refs/heads/{name}": tip for name, tip in tips.items()},
            kept=frozenset({FIRST, SECOND, LATER}),
        ),
        entries=[
            entry("lock granted", tokens=[5, 6]),
            entry("landed", "c1"),
            entry("lock granted", tokens=[7]),
            entry("landed", "c2"),
            entry("merged", "m1"),
            entry("target moved", "m1", stream=""),
        ],
        statuses={"run": 0, "verify": 0},
        expected=("a2",),
    )


def broken(seen: Seen) -> set[str]:
    return {rule for rule, _ in judge.judge(seen)}


def edited(seen: Seen, of: str, agent: str, **fields: Any) -> Seen:
    """Return a case in which the notes of one kind say something else."""
    notes = [{**one, **fields} if (one["kind"], one["agent"]) == (of, agent) else one for one in seen.notes]
    return replace(seen, notes=notes)


def moved(seen: Seen, *moves: Move) -> Seen:
    """Return a case in which the stream has moved otherwise."""
    return replace(seen, moves={**seen.moves, "core": list(moves)})


def test_work_that_came_through_breaks_nothing() -> None:
    """Two landings in order, granted and answered, are held against no rule."""
    assert judge.judge(landed()) == []


def test_a_line_that_is_nowhere_is_lost() -> None:
    """On a ref or on the disk, either is enough."""
    seen = landed()
    gone = replace(seen, history=replace(seen.history, kept=frozenset({FIRST, LATER})))
    assert broken(gone) == {"nothing lost"}
    assert not broken(replace(gone, history=replace(gone.history, on_disk=frozenset({SECOND}))))


def test_what_was_answered_must_be_there() -> None:
    """A landing whose lines are gone, and a token that the log does not know."""
    seen = landed()
    _, first, _ = seen.moves["core"]
    without = Move(tip="c2", lines={A: (LATER,), B: (SECOND,)})
    assert "acknowledged" in broken(moved(seen, Move(tip="base", lines={}), first, without))
    assert broken(replace(seen, entries=seen.entries[1:])) == {"acknowledged"}


@pytest.mark.parametrize(
    "lines", [(FIRST, FIRST, LATER), (FIRST, LATER, SECOND), (FIRST, LATER, "<<<<<<< ours")]
)
def test_lines_are_once_and_where_they_belong(lines: tuple[str, ...]) -> None:
    """Twice, in another file, or with what git leaves of a conflict."""
    seen = landed()
    start, first, _ = seen.moves["core"]
    assert "nothing doubled" in broken(
        moved(seen, start, first, Move(tip="c2", lines={A: lines, B: (SECOND,)}))
    )


def test_a_branch_goes_forward_only() -> None:
    """A move that does not contain the one before, and a place where the branch was and is no more."""
    seen = landed()
    start, first, second = seen.moves["core"]
    assert broken(moved(seen, start, first, replace(second, follows=False))) == {"straight line"}
    assert broken(replace(seen, passed={"core": ("c9",)})) == {"straight line"}


def test_half_a_change_is_seen_even_if_the_rest_follows() -> None:
    """Each move is looked at, not only the end."""
    seen = landed()
    start, first, second = seen.moves["core"]
    assert broken(moved(seen, start, replace(first, lines={A: (FIRST,)}), second)) == {"whole changes"}


@pytest.mark.parametrize("commits", [["c1"], ["c2", "c1"], ["c1", "c1", "c2"], ["c1", "c9", "c2"]])
def test_entries_are_the_moves(commits: list[str]) -> None:
    """One is missing, out of order, twice, or of a move that never was."""
    seen = landed()
    others = [one for one in seen.entries if one["action"] != "landed"]
    assert broken(replace(seen, entries=[*others, *(entry("landed", name) for name in commits)])) == {
        "records"
    }


def test_a_stream_is_merged_once() -> None:
    """A second entry of the same merge is one too many; another stream's is not."""
    seen = landed()
    assert broken(replace(seen, entries=[*seen.entries, entry("merged", "m1")])) == {"records"}
    assert not broken(replace(seen, entries=[*seen.entries, entry("merged", "m1", stream="api")]))


def test_old_work_does_not_land_over_newer() -> None:
    """Whoever is granted a file later has to see what earlier holders have on the stream."""
    assert broken(edited(landed(), "sees", "a2", lines=[])) == {"fencing"}


def test_tokens_grow() -> None:
    """From grant to grant, and along the commits of a file."""
    seen = landed()
    entries = [*seen.entries, entry("lock granted", tokens=[4])]
    assert broken(replace(edited(seen, "granted", "a2", tokens=[4]), entries=entries)) == {"tokens"}
    older = commit("c2", "c1", "a2", 3, **{A: ("1", "2")})
    commits = {**seen.history.commits, "c2": older}
    assert broken(replace(seen, history=replace(seen.history, commits=commits))) == {"tokens"}


def test_the_next_agent_is_served_in_time() -> None:
    """It gets the file, soon, and its work lands."""
    seen = landed()
    assert broken(edited(seen, "asks", "a2", t=0)) == set()
    assert broken(replace(edited(seen, "asks", "a2", t=-9 * NS), serve_s_max=5.0)) == {"served"}
    refused = edited(seen, "granted", "a2", kind="refused", reason="held")
    assert "served" in broken(refused)
    start, first, _ = seen.moves["core"]
    assert "served" in broken(moved(seen, start, first))


def test_only_the_killed_say_nothing() -> None:
    """A process that ends by itself without an answer is a defect, and so is a refusal without words."""
    seen = landed()
    silent = replace(seen, notes=[one for one in seen.notes if one["t"] not in {4 * NS, 5 * NS}])
    assert broken(silent) == {"told"}
    assert not broken(replace(silent, killed=frozenset({1})))
    assert "told" in broken(edited(seen, "answered", "a1", ok=False, message=""))


def test_a_stopped_holder_of_the_gate_is_named_in_time() -> None:
    """Who meets it is answered within the bound, with the process and what to do."""
    seen = replace(landed(), busy_s=1.0)
    said = {"code": "store_busy", "verb": "take", "remedy": "Continue it."}
    stopped = [note(1.5, "stops")]

    def after(*more: dict[str, Any]) -> Seen:
        return replace(seen, notes=sorted([*seen.notes, *stopped, *more], key=lambda one: one["t"]))

    named = [note(12, "fails", "a2", message="process 1 holds its gate", **said), note(12, "ends", "a2")]
    assert not broken(after(*named))
    vague = [note(12, "fails", "a2", message="it is busy", **said), note(12, "ends", "a2")]
    assert broken(after(*vague)) == {"gate"}
    late = [note(30, "fails", "a2", message="process 1", **said), note(30, "ends", "a2")]
    assert broken(after(*late)) == {"gate"}


def test_the_checkout_stays() -> None:
    """Nothing of it may differ."""
    seen = landed()
    assert broken(replace(seen, evidence=replace(seen.evidence, checkout_after={"HEAD": "y"}))) == {
        "checkout"
    }


def test_commits_say_whose_they_are() -> None:
    """A landed commit without trailers is held against the protocol."""
    seen = landed()
    bare = replace(seen.history.commits["c2"], trailers=())
    commits = {**seen.history.commits, "c2": bare}
    assert "protocol" in broken(replace(seen, history=replace(seen.history, commits=commits)))


def test_the_end_is_clean() -> None:
    """Nothing held, every command well, and the result complete."""
    seen = landed()
    assert broken(replace(seen, held=("core/a.txt",))) == {"clean end"}
    assert broken(replace(seen, statuses={"verify": 1})) == {"clean end"}
    short = {**seen.moves, "release": [Move(tip="base", lines={}), Move(tip="m1", lines={})]}
    assert broken(replace(seen, moves=short)) == {"clean end"}


def test_what_a_killed_git_wrote_down_and_did_not_do_is_no_move() -> None:
    """Git writes the record of a ref before it moves the ref."""
    assert chain([("0", "base"), ("base", "c1"), ("c1", "c2")], "c2") == ["base", "c1", "c2"]
    assert chain([("0", "base"), ("base", "c9"), ("base", "c1")], "c1") == ["base", "c1"]
    assert chain([("0", "base"), ("base", "c1"), ("c1", "c9")], "c1") == ["base", "c1"]
    assert chain([("0", "base"), ("base", "c1"), ("base", "c1")], "c1") == ["base", "c1"]


STEPS = [("a: reads", "reads"), ("b: opens", "opens"), ("b: commits", "commits"), ("c: git x", "git")]


def test_every_step_is_met_in_every_way() -> None:
    """Before and after, inside git's work, and stopped with the transaction open; a step that comes again again."""
    points = list(points_of("land", [*STEPS, STEPS[-1]]))
    ways = {(point.name, point.time, point.when, point.how) for point in points}
    assert len(ways) == len(points)
    assert {when for name, _, when, how in ways if name == "c: git x" and how == KILL} == {
        "before",
        "after",
        "inside",
    }
    assert {time for name, time, *_ in ways if name == "c: git x"} == {1, 2}
    assert {name for name, _, _, how in ways if how == STOP} == {name for name, _ in STEPS}
    assert {(point.name, point.when) for point in points if point.how == STOP and point.in_gate} == {
        ("b: opens", "after"),
        ("b: commits", "before"),
    }


def test_the_sample_follows_from_the_seed() -> None:
    """It has kills, stops and a stop inside the gate."""
    points = [point for scene in SCENES for point in points_of(scene, STEPS * 3)]
    one, other = (sample(points, random.Random("seed")) for _ in range(2))  # noqa: S311 - no secret
    assert one == other
    assert {(point.how, point.in_gate) for point in one} >= {(KILL, False), (STOP, False), (STOP, True)}


def test_every_plant_names_rules_that_exist_and_one_way_to_meet_it() -> None:
    """A plant whose step is gone must not pass as caught."""
    for plant in plants.PLANTS.values():
        assert set(plant.caught_by) <= set(judge.NAMES)
        assert plant.points({plant.scene: [(f"{plant.step} x", "commits")]}) == [
            Point(scene=plant.scene, name=f"{plant.step} x", of="commits", when=plant.when, how=plant.how)
        ]
    with pytest.raises(AssertionError, match="must follow"):
        plants.PLANTS["no compare"].points({"land": STEPS})
    assert set(plants.SHORT) <= set(plants.NAMES)
