"""``conflicts``, ``resolve`` and ``request``: what a person sees and types when something clashes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pucs.client import PUCSClient
from pucs.coordinator.places import prepare_worktree
from pucs.wiring import open_context

pytestmark = pytest.mark.git


def git(*arguments: str) -> str:
    """Run git here and return what it printed."""
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def parked(session: Path, pucs: Any) -> int:
    """Let a change of ada be parked because ben holds the file, and ben land his own; return the conflict."""
    context = open_context(str(session))
    places = {}
    for agent in ("ada", "ben"):
        pucs.ok("lock", "app/none.py", "--agent", agent, "--stream", "app")
        pucs.ok("unlock", "--agent", agent)
        places[agent] = Path(prepare_worktree(context, agent=agent).worktree)
    pucs.ok("lock", "app/a.py", "--agent", "ben")
    (places["ada"] / "app" / "a.py").write_text("a = 'ada'\n", encoding="utf-8")
    assert pucs("land", "--agent", "ada").status == 1
    (places["ben"] / "app" / "a.py").write_text("a = 'ben'\n", encoding="utf-8")
    pucs.ok("land", "--agent", "ben")
    (found,) = json.loads(pucs("conflicts", "--unresolved", "--json").out)
    return int(found["id"])


@pytest.mark.slow
def test_an_open_conflict_is_listed_and_explained(parked: int, pucs: Any) -> None:
    """Status 1 while it is open; one conflict alone says what can be done and what holds otherwise."""
    listed = pucs("conflicts", "--unresolved")
    assert listed.status == 1
    assert "open until" in listed.out
    said = pucs("conflicts", str(parked))
    assert said.status == 1
    assert "possible     merge, queue, arbitrate, rollback" in said.out
    assert "proposed     arbitrate (Manual)" in said.out
    assert "no merge     both sides change the same lines of app/a.py" in said.out
    assert "by default   what landed first stands" in said.out
    assert f"pucs resolve {parked} --strategy" in said.out
    document = json.loads(pucs("conflicts", str(parked), "--json").out)
    assert document["possible"] == ["MERGE", "QUEUE", "ARBITRATE", "ROLLBACK"]
    assert (document["severity"], document["deadline"] > document["opened_at"]) == ("medium", True)


@pytest.mark.slow
def test_conflicts_are_narrowed_by_kind(parked: int, pucs: Any) -> None:
    """Under any name a kind has; an unknown one is wrong use."""
    assert pucs("conflicts", "--kind", "locked", "--json").status == 1
    assert pucs.json("conflicts", "--kind", "semantic") == []
    said = pucs("conflicts", "--kind", "quarrel")
    assert (said.status, "FILE_LOCK" in said.err) == (2, True)
    assert parked


@pytest.mark.slow
def test_a_person_decides(parked: int, pucs: Any) -> None:
    """The change that stands is on the stream, the other on a salvage ref; then nothing is unresolved."""
    done = pucs.json(
        "resolve",
        str(parked),
        "--strategy",
        "arbitrate",
        "--winner",
        "ada",
        "--reason",
        "it is tested",
        "--by",
        "kim",
    )
    assert (done["status"], done["decided_by"], done["winner"]) == ("resolved", "kim", "ada")
    assert git("show", f"{done['commit']}:app/a.py") == "a = 'ada'\n"
    assert git("show", f"{done['kept']}:app/a.py") == "a = 'ben'\n"
    assert pucs.ok("conflicts", "--unresolved") == "No unresolved conflicts.\n"
    said = pucs.ok("conflicts", str(parked))
    assert "decided by   kim" in said
    assert "it is tested (ARBITRATE)" in said
    assert pucs.ok("verify")


@pytest.mark.slow
def test_a_second_decision_is_refused(parked: int, pucs: Any) -> None:
    """With the first one in the message."""
    done = pucs.ok("resolve", str(parked), "--strategy", "rollback", "--by", "kim")
    assert "kept on refs/pucs/salvage/S-1/ada/1" in done
    said = pucs("resolve", str(parked), "--strategy", "arbitrate", "--winner", "ada")
    assert said.status == 1
    assert "stays out" in said.err
    assert "by kim" in said.err


@pytest.mark.slow
def test_what_does_not_merge_says_so(parked: int, pucs: Any) -> None:
    """Both changed the same line: refused, with the ways out; without a strategy somebody is asked."""
    said = pucs("resolve", str(parked), "--strategy", "merge")
    assert (said.status, "both sides change the same lines of app/a.py" in said.err) == (1, True)
    asked = pucs("resolve", str(parked))
    assert asked.status == 1
    assert "--winner SIDE" in asked.out


@pytest.mark.slow
def test_a_guess_is_shown_as_a_patch_and_taken_when_it_is_accepted(session: Path, pucs: Any) -> None:
    """Status 1 and nothing changed until somebody accepts it; the log then says whose idea it was."""
    base = "def f():\n    one = 1\n\n    two = 2\n\n    return one + two\n"
    context = open_context(str(session))
    places = {}
    for agent, text in (("ben", base), ("ada", base.replace("1", "11")), ("ben", base.replace("2", "22"))):
        pucs.ok("lock", "app/none.py", "--agent", agent, "--stream", "app")
        pucs.ok("unlock", "--agent", agent)
        places[agent] = Path(prepare_worktree(context, agent=agent).worktree)
        if agent == "ada":
            pucs.ok("sync", "--agent", agent)
            pucs.ok("lock", "app/f.py", "--agent", "ben")
        (places[agent] / "app" / "f.py").write_text(text, encoding="utf-8")
        assert pucs("land", "--agent", agent).status == (1 if agent == "ada" else 0)
    explained = pucs("conflicts", "1")
    assert "guess        there is one; see it: pucs resolve 1 --strategy merge" in explained.out
    shown = pucs("resolve", "1", "--strategy", "merge")
    assert shown.status == 1
    assert "To accept it: pucs resolve 1 --strategy merge --accept review." in shown.out
    assert "\n-    one = 1\n+    one = 11\n" in shown.out
    document = json.loads(pucs("resolve", "1", "--strategy", "merge", "--json").out)
    assert (document["status"], "+    one = 11\n" in document["proposal"]) == ("open", True)
    done = pucs.json("resolve", "1", "--strategy", "merge", "--accept", "review")
    assert (done["status"], done["proposal"]) == ("resolved", "")
    assert git("show", f"{done['commit']}:app/f.py") == base.replace("1", "11").replace("2", "22")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("resolve", "99"), 1),
        (("resolve", "one"), 2),
        (("resolve", "1", "--strategy", "wish"), 2),
        (("conflicts", "99"), 1),
        (("request",), 2),
        (("request", "lib/b.py"), 2),
        (("request", "lib/b.py", "--list"), 2),
        (("request", "--approve", "9"), 1),
        (("request", "--refuse", "9"), 1),
        (("request", "--approve", "9", "--minutes", "0"), 2),
        (("request", "../b.py", "--reason", "r"), 2),
    ],
)
@pytest.mark.usefixtures("session")
def test_wrong_use_is_told_from_what_is_not_there(pucs: Any, arguments: tuple[str, ...], status: int) -> None:
    """The exit status says which; the message what to do."""
    said = pucs(*arguments)
    assert said.status == status, said.out + said.err
    assert "bug" not in said.err


@pytest.mark.usefixtures("session")
def test_work_is_asked_of_the_stream_that_covers_it(pucs: Any) -> None:
    """A task of that stream, listed with who asked; what nobody else covers needs no request."""
    said = pucs.ok("request", "lib/b.py", "README.md", "--reason", "name it", "--agent", "ada")
    assert "Task request-1 asks stream lib: lib/b.py." in said
    assert "README.md: lease it, no request is needed" in said
    (task,) = pucs.json("task", "list")
    assert (task["stream"], task["requested_by"], task["reason"]) == ("lib", "ada", "name it")
    listed = pucs.ok("request", "--list").splitlines()
    assert listed[1].split()[:5] == ["request-1", "task", "ada", "lib", "pending"]


@pytest.mark.usefixtures("session")
def test_a_waiver_is_asked_for_approved_used_and_ended(pucs: Any) -> None:
    """Leases and the check of boundaries honour it while it lasts."""
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--stream", "app")
    assert pucs("lock", "lib/b.py", "--agent", "ada").status == 1
    said = pucs.ok("request", "lib/b.py", "--reason", "both sides", "--agent", "ada", "--waive")
    assert "pucs request --approve 1" in said
    assert pucs("check", "boundary", "lib/b.py", "--stream", "app").status == 1
    approved = pucs.json("request", "--approve", "1", "--minutes", "5", "--by", "kim")
    assert (approved["state"], approved["decided_by"]) == ("approved", "kim")
    pucs.ok("lock", "lib/b.py", "--agent", "ada")
    assert "waiver 1 lets it pass" in pucs.ok("check", "boundary", "lib/b.py", "--stream", "app")
    assert "approved by kim until" in pucs.ok("request", "--refuse", "1", "--reason", "done")
    pucs.ok("unlock", "lib/b.py", "--agent", "ada")
    assert pucs("lock", "lib/b.py", "--agent", "ada").status == 1
    assert "waiver" in pucs.ok("request", "--list")


def test_a_client_asks_for_itself(session: Path, pucs: Any) -> None:
    """The method of agents: files as it writes them, in its own name."""
    with PUCSClient("ada", "app", repo=session) as client:
        made = client.request(["lib/b.py"], "name it")
        assert made.tasks[0].requested_by == "ada"
        assert client.request(["lib/b.py"], "name it", waive=True).waivers[0].asked_by == "ada"
    assert "Nothing was asked for." not in pucs.ok("request", "--list")
