"""Landing: what arrives, what is parked, what conflicts, and what a kill leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pucs.conflicts.records import Kind
from pucs.coordinator import agents, conflicts, intentions, landing, leases, salvaging, settling, syncing
from pucs.core.errors import Refused
from pucs.locks.records import EndReason

pytestmark = pytest.mark.git


def steps(first: int, last: int, quick: set[int]) -> list[Any]:
    """Return the changes to die after: a few in every run, all of them in the slow ones."""
    return [at if at in quick else pytest.param(at, marks=pytest.mark.slow) for at in range(first, last + 1)]


def test_land_brings_work_and_ends_leases(world: Any) -> None:
    """Edits under leases reach the stream's branch with protocol and trailers; the leases end with the landing."""
    place = world.agent("a1")
    tokens = world.lock("a1", "core/a.py", "core/new dir/")
    world.edit("a1", "core/a.py", "a = 2\n")
    world.edit("a1", "core/new dir/n.py", "n = 1\n")
    outcome = world.land("a1", message="feat: change a\n\nBecause.")
    assert outcome.paths == ("core/a.py", "core/new dir/n.py")
    assert world.held("a1") == []
    assert world.text("core", "core/a.py") == "a = 2"
    message = world.git("log", "-1", "--format=%B", world.branch("core"))
    assert message.startswith(
        "[PUCS-core] feat: change a\n\nBecause.\n\nPUCS-Agent: a1\nPUCS-Stream: core\nPUCS-Session: S1"
    )
    assert all(f"PUCS-Token: {token}" in message for token in tokens.values())
    assert world.git("status", "--porcelain", at=place) == ""
    with world.context.store.read() as tx:
        (row,) = tx.landings.all("S1")
        assert dict(row.paths) == {
            "core/a.py": tokens["core/a.py"],
            "core/new dir/n.py": tokens["core/new dir/"],
        }
        assert {lease.end_reason for lease in tx.leases.by_tokens(tokens.values())} == {EndReason.LANDED}
        assert tx.intentions.all() == []


def test_land_nothing_releases(world: Any) -> None:
    """Where nothing changed, the leases are released and no landing is recorded."""
    world.agent("a1")
    world.lock("a1", "core/a.py")
    outcome = world.land("a1")
    assert (outcome.paths, world.held("a1")) == ((), [])
    with world.context.store.read() as tx:
        assert tx.landings.all("S1") == []


def test_second_landing_merges(world: Any) -> None:
    """Two agents of a stream that land one after the other are merged, and both worktrees go on from the result."""
    world.agent("a1")
    place = world.agent("a2")
    for name, path in (("a1", "core/a.py"), ("a2", "core/b.py")):
        world.lock(name, path)
        world.edit(name, path, f"by = {name!r}\n")
    world.land("a1")
    outcome = world.land("a2", message="fix: b")
    assert world.text("core", "core/a.py") == "by = 'a1'"
    assert world.text("core", "core/b.py") == "by = 'a2'"
    assert outcome.stream_commit != outcome.commit
    assert world.git("log", "-1", "--format=%s", world.branch("core")) == "[PUCS-core] fix: b"
    assert f"PUCS-Landing: {outcome.commit}" in world.git("log", "-1", "--format=%B", world.branch("core"))
    assert world.git("rev-parse", "HEAD", at=place) == outcome.stream_commit


@pytest.mark.slow
def test_conflict_changes_nothing_then_resolves(world: Any) -> None:
    """A landing that conflicts keeps the lease and names files and command; resolved in the worktree, it lands."""
    place = world.agent("a1")
    world.agent("a2")
    for name in ("a1", "a2"):
        world.edit(name, "core/a.py", f"a = {name!r}\n")
    world.land("a2")
    before = world.git("rev-parse", world.branch("core"))
    world.lock("a1", "core/a.py")
    refused = world.not_landed("a1")
    assert (refused.reason, refused.conflicts) == ("conflict", ("core/a.py",))
    assert f"git merge {world.branch('core')}" in refused.remedy
    assert world.held("a1") == ["core/a.py"]
    assert world.git("rev-parse", world.branch("core")) == before
    with pytest.raises(Exception, match="returned non-zero"):
        world.git("merge", world.branch("core"), at=place)
    with pytest.raises(Refused, match="conflict markers"):
        landing.land(world.context, agent="a1")
    world.edit("a1", "core/a.py", "a = 'both'\n")
    assert world.land("a1").paths == ("core/a.py",)
    assert world.text("core", "core/a.py") == "a = 'both'"
    assert world.git("log", "-1", "--format=%s", world.branch("core")).startswith("[PUCS-core] ")


def test_undeclared_change_takes_late_lease(world: Any) -> None:
    """A change nobody declared lands under a lease taken at landing, if the file is free."""
    world.agent("a1")
    world.edit("a1", "core/a.py", "a = 2\n")
    outcome = world.land("a1")
    assert (outcome.paths, len(outcome.late), world.held("a1")) == (("core/a.py",), 1, [])


def test_held_by_another_is_parked(world: Any) -> None:
    """Of two undeclared changes, the one somebody else holds is parked with a record, the other lands."""
    place = world.agent("a1")
    world.agent("a2")
    world.lock("a2", "core/a.py")
    world.edit("a1", "core/a.py", "a = 'mine'\n")
    world.edit("a1", "core/b.py", "b = 2\n")
    outcome = world.land("a1")
    assert outcome.paths == ("core/b.py",)
    (parked,) = outcome.parked
    assert parked.paths == ("core/a.py",)
    assert world.git("show", f"{parked.ref}:core/a.py") == "a = 'mine'"
    assert world.text("core", "core/a.py").startswith("a = 1")
    assert world.git("status", "--porcelain", at=place) == ""
    (record,) = conflicts.conflicts(world.context)
    assert (record.kind, record.evidence["salvage"]) == (Kind.FILE_LOCK, parked.ref)
    assert "a2" in record.evidence["reason"]


def test_foreign_path_committed_by_agent_is_parked(world: Any) -> None:
    """A path of another stream, though committed by the agent itself, stays out of the landing and is kept."""
    place = world.agent("a1")
    world.edit("a1", "api/x.py", "x = 'reached over'\n")
    world.edit("a1", "core/b.py", "b = 2\n")
    world.git("add", "-A", at=place)
    world.git("commit", "-q", "-m", "my own way", at=place)
    outcome = world.land("a1")
    assert outcome.paths == ("core/b.py",)
    assert world.text("core", "api/x.py") == "x = 1"
    assert world.git("show", f"{outcome.parked[0].ref}:api/x.py") == "x = 'reached over'"
    assert conflicts.conflicts(world.context)[0].kind is Kind.BOUNDARY
    assert world.git("log", "-1", "--format=%s", world.branch("core")).startswith("[PUCS-core] ")
    assert world.land("a1").parked == ()


def test_all_parked_is_not_landed(world: Any) -> None:
    """Where nothing may land, that is the answer, and the work is on a salvage ref."""
    place = world.agent("a1")
    world.edit("a1", "api/x.py", "x = 'reached over'\n")
    refused = world.not_landed("a1")
    assert refused.reason == "parked"
    assert (place / "api/x.py").read_text() == "x = 1\n"
    (kept,) = salvaging.salvages(world.context)
    assert (kept.agent, kept.stream, kept.paths) == ("a1", "core", ("api/x.py",))


def test_expired_and_regranted_is_parked(world: Any) -> None:
    """Fencing: a change under a lease that ended is parked once somebody else was granted the file since."""
    world.agent("a1")
    world.agent("a2")
    world.lock("a1", "core/a.py")
    world.edit("a1", "core/a.py", "a = 'late'\n")
    world.clock.pass_s(3600)
    world.lock("a2", "core/a.py")
    leases.release(world.context, agent="a2")
    refused = world.not_landed("a1")
    assert refused.reason == "parked"
    assert world.git("show", f"{refused.parked[0].ref}:core/a.py") == "a = 'late'"
    assert world.text("core", "core/a.py").startswith("a = 1")


def test_expired_but_nobody_since_lands(world: Any) -> None:
    """A change under a lease that ended lands if nobody was granted the file since."""
    world.agent("a1")
    world.lock("a1", "core/")
    world.edit("a1", "core/a.py", "a = 'late'\n")
    world.clock.pass_s(3600)
    leases.cleanup(world.context)
    world.agent("a2")
    world.lock("a2", "core/b.py")
    assert world.land("a1").paths == ("core/a.py",)


def test_stale_base_must_sync_first(world: Any) -> None:
    """A shared file that another stream landed must be in the worktree before a change of it lands."""
    world.agent("a1")
    world.agent("x1", "api")
    world.lock("x1", "shared.txt")
    world.edit("x1", "shared.txt", "s\nby x1\n")
    world.land("x1")
    world.lock("a1", "shared.txt")
    assert len(syncing.required(world.context, agent="a1", resources=["shared.txt"])) == 1
    world.edit("a1", "shared.txt", "by a1\ns\n")
    refused = world.not_landed("a1")
    assert refused.reason == "stale"
    assert isinstance(syncing.sync(world.context, agent="a1"), syncing.Synced)
    assert syncing.required(world.context, agent="a1", resources=["shared.txt"]) == []
    assert world.land("a1").paths == ("shared.txt",)
    assert world.text("core", "shared.txt") == "by a1\ns\nby x1"


@pytest.mark.slow
def test_undoing_what_was_synced_is_own(world: Any) -> None:
    """Dropping another stream's change in a merge is a change of the agent's own, and judged."""
    place = world.agent("a1")
    world.agent("x1", "api")
    world.edit("x1", "api/x.py", "x = 2\n")
    world.land("x1")
    world.git("merge", "-q", "-s", "ours", "-m", "take it", world.branch("api"), at=place)
    world.edit("a1", "core/b.py", "b = 2\n")
    outcome = world.land("a1")
    assert "core/b.py" in outcome.paths
    assert outcome.parked[0].paths == ("api/x.py",)
    assert world.text("core", "api/x.py") == "x = 2"


def test_files_narrow_a_landing(world: Any) -> None:
    """Only the named files land; a lease over what stays uncommitted is kept."""
    place = world.agent("a1")
    world.lock("a1", "core/a.py", "core/b.py")
    world.edit("a1", "core/a.py", "a = 2\n")
    world.edit("a1", "core/b.py", "b = 2\n")
    assert world.land("a1", files=["core/a.py"]).paths == ("core/a.py",)
    assert world.held("a1") == ["core/b.py"]
    assert (place / "core/b.py").read_text() == "b = 2\n"
    assert world.land("a1", release=False).paths == ("core/b.py",)
    assert world.held("a1") == ["core/b.py"]


def test_generated_files_need_no_lease(make_world: Callable[..., Any]) -> None:
    """A declared generated file lands without a lease even while another agent holds its directory."""
    world = make_world(generated=("*.lock",))
    world.agent("a1")
    world.agent("a2")
    world.lock("a2", "deps.lock")
    world.edit("a1", "deps.lock", "x\n")
    world.edit("a1", "core/a.py", "a = 2\n")
    assert world.land("a1").paths == ("core/a.py", "deps.lock")


def test_person_lands_through_temporary_index(world: Any) -> None:
    """From the main checkout, uncommitted edits land while HEAD, index and files stay; landing again does nothing."""
    agents.register(world.context, agent="ann", program="person")
    world.lock("ann", "core/a.py")
    (world.root / "core/a.py").write_text("a = 'ann'\n")
    (world.root / "unrelated.txt").write_text("u\n")
    world.git("commit", "-q", "--allow-empty", "-m", "hers alone")
    head = world.git("rev-parse", "HEAD")
    outcome = world.land("ann", message="feat: by hand", files=["core/a.py"])
    assert (outcome.stream, outcome.paths) == ("core", ("core/a.py",))
    assert world.text("core", "core/a.py") == "a = 'ann'"
    assert "hers alone" not in world.git("log", "--format=%s", world.branch("core"))
    assert world.git("rev-parse", "HEAD") == head
    assert world.git("status", "--porcelain").split("\n") == ["M core/a.py", "?? unrelated.txt"]
    assert world.land("ann", files=["core/a.py"]).paths == ()


def test_half_a_change_does_not_land(world: Any) -> None:
    """Who lost the lease on one of its files lands none of them: what belongs together is kept together."""
    place = world.agent("a1")
    world.agent("a2")
    world.lock("a1", "core/a.py", "core/b.py")
    world.edit("a1", "core/a.py", "a = 'a1'\n")
    world.edit("a1", "core/b.py", "b = 'a1'\n")
    world.clock.pass_s(3 * 3600)
    world.lock("a2", "core/b.py")
    refused = world.not_landed("a1")
    assert refused.reason == "parked"
    assert [parked.paths for parked in refused.parked] == [("core/a.py", "core/b.py")]
    assert world.text("core", "core/a.py") == "a = 1\n\n\nz = 1"
    assert world.git("show", f"{refused.parked[0].ref}:core/a.py") == "a = 'a1'"
    assert world.git("status", "--porcelain", at=place) == ""


def test_person_lands_only_what_is_leased(world: Any) -> None:
    """Several people share a checkout: what an agent never leased stays for its owner to land."""
    agents.register(world.context, agent="ann", program="person")
    agents.register(world.context, agent="bob", program="person")
    world.lock("ann", "core/a.py")
    world.lock("bob", "core/b.py")
    (world.root / "core/a.py").write_text("a = 'ann'\n")
    (world.root / "core/b.py").write_text("b = 'bob'\n")
    (world.root / "core/notes.txt").write_text("nobody's\n")
    assert world.land("ann").paths == ("core/a.py",)
    assert world.text("core", "core/b.py") == "b = 1"
    assert world.land("bob").paths == ("core/b.py",)
    assert world.held("bob") == []


def test_refusing_hook_is_told(world: Any) -> None:
    """A commit hook that refuses stops the landing, with its words; lease and edits stay."""
    place = world.agent("a1")
    hook = world.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho please format\nexit 1\n")
    hook.chmod(0o755)
    world.lock("a1", "core/a.py")
    world.edit("a1", "core/a.py", "a = 2\n")
    refused = world.not_landed("a1")
    assert (refused.reason, "please format" in refused.message) == ("refused", True)
    assert (place / "core/a.py").read_text() == "a = 2\n"
    assert world.held("a1") == ["core/a.py"]


def test_hook_that_changes_more_is_judged_again(world: Any) -> None:
    """What a hook adds to the commit is judged like any change: here it reached into another stream."""
    world.agent("a1")
    hook = world.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'x = 9' > api/x.py\ngit add api/x.py\n")
    hook.chmod(0o755)
    world.lock("a1", "core/a.py")
    world.edit("a1", "core/a.py", "a = 2\n")
    outcome = world.land("a1")
    assert outcome.paths == ("core/a.py",)
    assert [parked.paths for parked in outcome.parked] == [("api/x.py",)]
    assert world.text("core", "api/x.py") == "x = 1"


def test_two_landings_race(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A landing that loses the branch to another in the last moment tries again and brings both."""
    world.agent("a1")
    world.agent("a2")
    for name, path in (("a1", "core/a.py"), ("a2", "core/b.py")):
        world.lock(name, path)
        world.edit(name, path, f"by = {name!r}\n")
    original = intentions.swap
    calls: list[str] = []

    def swap(context: Any, intention: Any) -> bool:
        calls.append(intention.agent)
        if len(calls) == 1:
            world.land("a2")
        return original(context, intention)

    monkeypatch.setattr(intentions, "swap", swap)
    world.land("a1")
    assert calls == ["a1", "a2", "a1"]
    assert world.text("core", "core/a.py") == "by = 'a1'"
    assert world.text("core", "core/b.py") == "by = 'a2'"
    with world.context.store.read() as tx:
        assert [row.agent for row in tx.landings.all("S1")] == ["a2", "a1"]
        assert [lease.landing for lease in tx.leases.live()] == []


def test_next_landing_closes_the_one_before(world: Any, killed: type[BaseException]) -> None:
    """Who lands on top of a landing that its process has not closed yet closes it, so rows follow the branch."""
    for name, path in (("a1", "core/a.py"), ("a2", "core/b.py")):
        world.agent(name)
        world.lock(name, path)
        world.edit(name, path, f"by = {name!r}\n")
    slow, _ = world.dying(3)
    with pytest.raises(killed):
        landing.land(slow, agent="a1")
    assert world.text("core", "core/a.py") == "by = 'a1'"
    assert world.held("a1") == ["core/a.py"]
    world.processes.unknown.add(slow.processes.current())
    world.land("a2")
    with world.context.store.read() as tx:
        assert [row.agent for row in tx.landings.all("S1")] == ["a1", "a2"]
    assert world.held("a1") == []


def test_rows_follow_the_branch(
    world: Any, killed: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does who lost the race to a landing whose process then stopped before closing it."""
    for name, path in (("a1", "core/a.py"), ("a2", "core/b.py")):
        world.agent(name)
        world.lock(name, path)
        world.edit(name, path, f"by = {name!r}\n")
    slow, _ = world.dying(3)
    world.processes.unknown.add(slow.processes.current())
    original = intentions.swap

    def swap(context: Any, intention: Any) -> bool:
        monkeypatch.setattr(intentions, "swap", original)
        with pytest.raises(killed):
            landing.land(slow, agent="a1")
        return original(context, intention)

    monkeypatch.setattr(intentions, "swap", swap)
    world.land("a2")
    with world.context.store.read() as tx:
        assert [row.agent for row in tx.landings.all("S1")] == ["a1", "a2"]
        assert tx.leases.live() == []
        assert tx.intentions.all() == []


def test_lease_is_held_while_landing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between intention and closing, a lease that has run out is still not granted to anybody else."""
    world.agent("a1")
    world.agent("a2")
    world.lock("a1", "core/a.py")
    world.edit("a1", "core/a.py", "a = 2\n")
    original = intentions.swap

    def swap(context: Any, intention: Any) -> bool:
        world.clock.pass_s(24 * 3600)
        assert not leases.acquire(world.context, agent="a2", resources=["core/a.py"]).granted
        return original(context, intention)

    monkeypatch.setattr(intentions, "swap", swap)
    world.land("a1")
    world.lock("a2", "core/a.py")


@pytest.mark.parametrize("at", steps(1, 13, {9}))
def test_kill_at_each_step(world: Any, killed: type[BaseException], at: int) -> None:
    """Killed after any change it makes, a landing is completed by the next one; nothing is lost or lands twice."""
    place = world.agent("a1", pid=7)
    world.agent("a2")
    world.edit("a2", "core/b.py", "b = 2\n")
    world.land("a2")
    world.lock("a1", "core/a.py")
    world.edit("a1", "core/a.py", "a = 2\n")
    world.edit("a1", "api/x.py", "x = 'reached over'\n")
    dying, death = world.dying(at)
    try:
        landing.land(dying, agent="a1")
    except killed:
        world.bury(at)
    assert death.dead == (at <= 12), death.count
    landing.land(world.context, agent="a1")
    assert world.text("core", "core/a.py") == "a = 2"
    assert world.text("core", "core/b.py") == "b = 2"
    assert world.text("core", "api/x.py") == "x = 1"
    kept = salvaging.salvages(world.context)
    assert kept
    assert {world.git("show", f"{each.ref}:api/x.py") for each in kept} == {"x = 'reached over'"}
    assert world.git("status", "--porcelain", at=place) == ""
    with world.context.store.read() as tx:
        assert tx.intentions.all() == []
        assert tx.leases.live() == []
        rows = [row for row in tx.landings.all("S1") if row.agent == "a1"]
    assert [[path for path, _ in row.paths] for row in rows] == [["core/a.py"]]


def test_unknown_and_live_owners_are_left_alone(world: Any, killed: type[BaseException]) -> None:
    """An intention is settled only once its owner is known to be dead, and settling twice does nothing."""
    world.agent("a1")
    world.lock("a1", "core/a.py")
    world.edit("a1", "core/a.py", "a = 2\n")
    dying, _ = world.dying(2)
    with pytest.raises(killed):
        landing.land(dying, agent="a1")
    assert settling.settle(world.context) == 0
    owner = dying.processes.current()
    world.processes.unknown.add(owner)
    assert settling.settle(world.context) == 0
    world.processes.unknown.clear()
    world.bury(2)
    assert settling.settle(world.context, ["core/b.py"]) == 0
    assert settling.settle(world.context, ["core/"]) == 1
    assert settling.settle(world.context) == 0
    assert world.text("core", "core/a.py") == "a = 2"
    assert world.held("a1") == []


def test_park_what_cannot_land(world: Any) -> None:
    """Work that conflicts, even if it is committed, can be parked: the worktree is as before, nothing is unlanded."""
    world.agent("a1")
    place = world.agent("a2")
    world.edit("a1", "core/a.py", "a = 2\n")
    world.land("a1")
    world.edit("a2", "core/a.py", "a = 'clash'\n")
    world.git("commit", "-q", "-a", "-m", "raw", at=place)
    world.lock("a2", "core/a.py")
    assert world.not_landed("a2").reason == "conflict"
    assert landing.unlanded(world.context, agent="a2") == ["core/a.py"]
    (parked,) = landing.park_unlanded(world.context, agent="a2", resources=["core/"], reason="it conflicts")
    assert world.git("show", f"{parked.ref}:core/a.py") == "a = 'clash'"
    assert landing.unlanded(world.context, agent="a2") == []
    assert (place / "core/a.py").read_text().startswith("a = 1")
    assert landing.park_unlanded(world.context, agent="a2", resources=["core/"], reason="again") == []
    assert world.land("a2").paths == ()
