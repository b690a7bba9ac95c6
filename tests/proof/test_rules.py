"""Each rule of the checker: a history that holds it and one that breaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from proof import checker
from proof.records import Claim, Task


def broken(rule: Any, told: Any) -> list[str]:
    """Return what a rule finds in a made-up session."""
    return [violation.what for violation in rule(told.case())]


def linear(told: Any) -> None:
    """Tell of two attempts, one after the other, landed on their streams and merged in order."""
    first = told.works("one", 10, 20)
    second = told.works("two", 30, 40, task="t2", seen=(first,))
    told.commit("c1", "base", changes=("x",), tokens=(5,))
    told.commit("c2", "c1", stream="shop", changes=("x",), tokens=(7,), task="t2")
    told.commit("m1", "base", "c1", PUCS_Agent="")
    told.commit("m2", "m1", "c2", stream="shop", PUCS_Agent="")
    for branch, tip in (("core", "c1"), ("shop", "c2"), ("result", "m2")):
        told.tip(branch, tip)
    told.result(first, second)


def test_session_in_order_breaks_nothing(told: Any) -> None:
    """A plain session passes every rule."""
    linear(told)
    assert checker.check(told.case()) == []


def test_every_rule_is_named() -> None:
    """Violations carry the names that the table shows."""
    assert len(checker.NAMES) == len(set(checker.NAMES)) == len(checker.RULES)


def test_overlapping_work_breaks_exclusion(told: Any) -> None:
    """Two attempts at one file at the same time are found, and named by the overlap."""
    told.works("one", 10, 30)
    told.works("two", 20, 40, task="t2")
    assert ["still worked on x" in what for what in broken(checker.exclusion, told)] == [True]


def test_child_that_goes_on_breaks_exclusion(told: Any) -> None:
    """The marks of a child count for the attempt that started it."""
    told.works("one", 10, 20)
    told.say(50, "one", "still", role="child", files=["x"])
    told.works("two", 30, 40, task="t2")
    assert len(broken(checker.exclusion, told)) == 1


def test_long_holder_is_compared_with_all_that_follow(told: Any) -> None:
    """One that overlaps the next but one is found even if the next was short."""
    told.works("one", 10, 100)
    told.works("two", 20, 30, task="t2")
    told.works("three", 50, 60, task="t2")
    assert len(broken(checker.exclusion, told)) == 2


def test_undeclared_work_is_no_lease(told: Any) -> None:
    """What an agent touches without a lease says nothing about exclusion."""
    told.works("one", 10, 30)
    told.works("two", 20, 40, task="t2", how="undeclared")
    assert broken(checker.exclusion, told) == []


def test_missing_line_breaks_fresh_base(told: Any) -> None:
    """Who begins without what had landed before worked on a stale base."""
    first = told.works("one", 10, 20)
    told.works("two", 30, 40, task="t2")
    told.result(first)
    assert ["began on x without" in what for what in broken(checker.fresh_base, told)] == [True]


def test_killed_attempts_line_need_not_be_seen(told: Any) -> None:
    """What never landed is nothing to build on."""
    told.works("one", 10, 20)
    told.works("two", 30, 40, task="t2")
    assert broken(checker.fresh_base, told) == []


def test_looking_needs_no_fresh_base(told: Any) -> None:
    """Who leases a file and changes nothing may find what its worktree has."""
    told.result(told.works("one", 10, 20))
    told.works("two", 30, 40, task="t2", how="looked")
    assert broken(checker.fresh_base, told) == []


def test_parallel_commits_break_fresh_base(told: Any) -> None:
    """Two commits under a lease on one file must stand in one line, by git alone."""
    told.commit("c1", "base", changes=("x",), tokens=(5,))
    told.commit("c2", "base", stream="shop", changes=("x",), tokens=(7,), task="t2")
    told.tip("core", "c1")
    told.tip("shop", "c2")
    assert ["is not built on" in what for what in broken(checker.fresh_base, told)] == [True]


def test_line_nowhere_is_lost(told: Any) -> None:
    """A line that was written and is on no ref and no disk is lost; on a salvage ref or on the disk it is not."""
    line = told.works("one", 10, 20)
    told.claim(t1="pending")
    assert broken(checker.nothing_lost, told) == []
    told.kept.clear()
    assert len(broken(checker.nothing_lost, told)) == 1
    told.on_disk.add(line)
    assert broken(checker.nothing_lost, told) == []


def test_done_task_must_be_in_the_result(told: Any) -> None:
    """A task that is called done and is not in the result is lost, even if a ref has it."""
    told.claim(t1="done")
    line = told.works("one", 10, 20)
    assert ["the result lacks" in what for what in broken(checker.nothing_lost, told)] == [True]
    told.result(line)
    assert broken(checker.nothing_lost, told) == []


def test_half_a_task_is_not_enough(told: Any) -> None:
    """Of several lines of a done task each must be there."""
    told.claim(t1="done")
    line = told.works("one", 10, 20)
    told.works("one", 30, 40, file="core/a")
    told.result(line)
    assert len(broken(checker.nothing_lost, told)) == 1


def test_two_attempts_at_one_task_are_doubled(told: Any) -> None:
    """A task whose work came in twice, by two attempts, is found; so is work of a failed task."""
    told.claim(t1="done")
    lines = told.works("one", 10, 20), told.works("again", 30, 40)
    told.result(*lines)
    assert ["several attempts" in what for what in broken(checker.nothing_lost, told)] == [True]
    told.claim(t1="failed")
    assert len(broken(checker.nothing_lost, told)) == 3


def test_line_twice_is_doubled(told: Any) -> None:
    """The same line twice in a file is found."""
    line = told.works("one", 10, 20)
    told.result(line, line)
    assert any("2 times" in what for what in broken(checker.nothing_doubled, told))


def test_conflict_markers_are_found(told: Any) -> None:
    """What git leaves in a file it could not merge is found."""
    told.result("<<<<<<< ours", "=======", ">>>>>>> theirs")
    assert any("conflict markers" in what for what in broken(checker.nothing_doubled, told))


def test_changed_base_line_is_found(told: Any) -> None:
    """Anything in a file beside its base and agents' lines is found."""
    told.files["x"] = "[alpha]\nother\n"
    assert any("differs from its base" in what for what in broken(checker.nothing_doubled, told))


def test_strange_line_is_found(told: Any) -> None:
    """A line that nobody noted, or that was noted for another section, is found."""
    told.result("~ ghost")
    assert any("nobody noted" in what for what in broken(checker.nothing_doubled, told))
    told.result(told.works("one", 10, 20, section="beta"))
    assert any("was written to [beta]" in what for what in broken(checker.nothing_doubled, told))


def test_lines_stand_in_the_order_of_work(told: Any) -> None:
    """A section whose lines are in another order than they were written in was merged, not built on."""
    lines = told.works("one", 10, 20), told.works("two", 30, 40, task="t2")
    told.result(*lines)
    assert broken(checker.nothing_doubled, told) == []
    told.result(*reversed(lines))
    assert any("another order" in what for what in broken(checker.nothing_doubled, told))


def test_vanished_file_is_found(told: Any) -> None:
    """A file of the base that the result lacks is found."""
    told.files = {"y": ""}
    assert any("x is gone" in what for what in broken(checker.nothing_doubled, told))


def test_any_change_of_the_checkout_is_found(told: Any) -> None:
    """A changed, a new and a vanished file are three violations."""
    before, after = {"HEAD": "a", "f": "1", "g": "1"}, {"HEAD": "a", "f": "2", "h": "1"}
    told.evidence = replace(told.evidence, checkout_before=before, checkout_after=after)
    assert [what.rsplit(" ", 1)[1] for what in broken(checker.checkout, told)] == ["changed", "gone", "new"]
    told.evidence = replace(told.evidence, checkout_after=before)
    assert broken(checker.checkout, told) == []


def test_commit_outside_the_protocol_is_found(told: Any) -> None:
    """Subject, trailers and token are each demanded."""
    told.commit("c1", "base", changes=("x",), subject="hello", PUCS_Agent="")
    told.tip("core", "c1")
    found = broken(checker.protocol, told)
    assert [word in " ".join(found) for word in ("follow", "PUCS-Agent", "no token")] == [True] * 3


def test_undoing_needs_no_token(told: Any) -> None:
    """A commit that only sets a file back to what its history had is no work."""
    told.commit("c1", "base", changes=("x",), tokens=(3,))
    told.commit("c2", "c1", changes=("x",))
    told.commits["c2"] = replace(told.commits["c2"], changes={"x": ("after c1", "before c1")})
    told.tip("core", "c2")
    assert broken(checker.protocol, told) == []


def test_tokens_must_grow(told: Any) -> None:
    """A commit on top of another that changed the same file must have the higher token."""
    linear(told)
    assert broken(checker.tokens, told) == []
    told.commit("c2", "c1", stream="shop", changes=("x",), tokens=(4,), task="t2")
    assert ["has token 4" in what for what in broken(checker.tokens, told)] == [True]


def test_token_belongs_to_one_agent(told: Any) -> None:
    """A token that two agents used is found, whatever their files."""
    told.commit("c1", "base", changes=("core/a",), tokens=(5,))
    told.commit("c2", "base", stream="shop", changes=("shop/a",), tokens=(5,), task="t2")
    told.tip("core", "c1")
    told.tip("shop", "c2")
    assert broken(checker.tokens, told) == ["token 5 was used by core-1, shop-1"]


def test_file_of_another_stream_is_found(told: Any) -> None:
    """A stream's commit in another's directory is found; shared files are everybody's."""
    told.commit("c1", "base", changes=("shop/a", "x"), tokens=(5,))
    told.tip("core", "c1")
    assert len(broken(checker.boundaries, told)) == 1


def test_merge_before_a_dependency_is_found(told: Any) -> None:
    """A stream that depends on another may not come first, unless there was nothing to wait for."""
    told.commit("c1", "base", changes=("core/a",), tokens=(5,))
    told.commit("c2", "base", stream="shop", changes=("shop/a",), tokens=(7,), task="t2")
    told.commit("m1", "base", "c2", stream="shop", time_s=20)
    told.commit("m2", "m1", "c1", time_s=20)
    for branch, tip in (("core", "c1"), ("shop", "c2"), ("result", "m2")):
        told.tip(branch, tip)
    assert any("before all of core" in what for what in broken(checker.merge_order, told))
    told.commit("c1", "base", changes=("core/a",), tokens=(5,), time_s=30)  # landed after shop had merged
    assert broken(checker.merge_order, told) == []


def test_synced_stream_waits_for_the_other(told: Any) -> None:
    """A stream that holds another's commits may not bring them in before that one merges."""
    linear(told)
    told.commit("m2", "base", "c2", stream="shop")
    told.tip("result", "m2")
    assert any("do not belong together" in what for what in broken(checker.merge_order, told))


def test_streams_that_synced_from_each_other_leave_as_one(told: Any) -> None:
    """Neither of two streams that hold each other's commits can come first; together they may."""
    linear(told)
    told.commit("c3", "c2", changes=("x",), tokens=(9,))
    told.tip("core", "c3")
    told.commit("m3", "base", "c3", PUCS_Agent="")
    told.tip("result", "m3")
    assert broken(checker.merge_order, told) == []


def test_session_branch_takes_merges_only(told: Any) -> None:
    """A plain commit, a merge of something strange, and a stream left out are each found."""
    linear(told)
    told.commit("s1", "base", changes=("x",))
    told.commit("m1", "s1", "alien")
    told.tip("result", "m1")
    found = " ".join(broken(checker.merge_order, told))
    assert [word in found for word in ("is no merge", "what no stream has", "stream shop is not")] == [
        True
    ] * 3
    told.commit("root")
    told.tip("result", "root")
    assert any("does not begin at the base" in what for what in broken(checker.merge_order, told))


def test_survivors_and_unexplained_files_are_found(told: Any) -> None:
    """A process or a file that is left over is found."""
    told.evidence = replace(told.evidence, survivors=("keeper 7",))
    case = told.case()
    case = replace(case, history=replace(case.history, unexplained=("a1/x",)))
    assert len(list(checker.clean_end(case))) == 2


def test_own_check_must_agree(told: Any) -> None:
    """A system that says of itself that something is not accounted for is believed."""
    told.evidence = replace(told.evidence, verified=1, verified_text="open")
    assert len(broken(checker.honest, told)) == 1


def test_unfinished_session_is_found(told: Any) -> None:
    """A task that hangs, one that fails without need, one that fails without a word, a crash: each is found."""
    tasks = {name: Task(stream="core") for name in ("hangs", "fails", "silent")} | {
        "ghost": Task(stream="core", doomed=True)
    }
    claims = {
        "hangs": Claim(state="running"),
        "fails": Claim(state="failed", result="bad luck"),
        "silent": Claim(state="failed"),
        "ghost": Claim(state="done"),
    }
    told.evidence = replace(told.evidence, tasks=tasks, claims=claims, finished=False, statuses=(-9, 3))
    assert len(broken(checker.progress, told)) == 6


def test_doomed_task_may_fail(told: Any) -> None:
    """What was meant to fail and says why breaks nothing; so does a run that was killed."""
    tasks = {"t": Task(stream="core", doomed=True)}
    claims = {"t": Claim(state="failed", result="exit 1")}
    told.evidence = replace(told.evidence, tasks=tasks, claims=claims, statuses=(-9, 1))
    assert broken(checker.progress, told) == []
