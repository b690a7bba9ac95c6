"""``pucs partition`` as people and agents call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git

CODE = "def price():\n    return 1\n\n\ndef total():\n    return 2\n"


@pytest.fixture
def planned(session: Path, pucs: Pucs) -> Path:
    """Stand in a session in which ada and bob plan two functions of one file."""
    (session / "settings.py").write_text(CODE, encoding="utf-8")
    pucs.ok("intent", "--agent", "ada", "--files", "settings.py", "--description", "rework price")
    assert (
        pucs("intent", "--agent", "bob", "--files", "settings.py", "--description", "fix total").status == 1
    )
    return session


def test_a_contested_plan_is_divided(planned: Path, pucs: Pucs) -> None:
    """Proposed, accepted by one and then by the other; both plans are active and their leases do not clash."""
    said = pucs.ok("partition", "propose", "settings.py")
    assert said.startswith("Proposal 1 for settings.py, open until ")
    assert "  ada takes settings.py::price\n  bob takes settings.py::total\n" in said
    assert pucs.ok("partition", "accept", "1", "--agent", "ada") == "Proposal 1 waits for bob.\n"
    (listed,) = pucs.json("partition", "list", "--open")
    assert (listed["state"], listed["accepted"]) == ("proposed", ["ada"])
    assert pucs.ok("partition", "accept", "1", "--agent", "bob").startswith("settings.py is divided.\n")
    assert pucs.json("partition", "list", "--open") == []
    assert "accepted by all parties" in pucs.ok("partition", "list")
    assert [one["state"] for one in pucs.json("intent", "--list")] == ["active", "active"]
    pucs.ok("lock", "settings.py::price", "--agent", "ada")
    pucs.ok("lock", "settings.py::total", "--agent", "bob")


def test_the_documents(planned: Path, pucs: Pucs) -> None:
    """The proposal with scopes that can be leased as they stand, and what an answer did."""
    document = pucs.json("partition", "propose", "settings.py", "--agents", "bob,ada")
    assert set(document) == {
        "success", "file", "parties", "scopes", "waits", "unassigned", "queued", "reason", "proposal", "deadline_at",
    }  # fmt: skip
    assert document["scopes"] == {"ada": ["settings.py::price"], "bob": ["settings.py::total"]}
    closed = pucs.json("partition", "refuse", "1", "--agent", "bob", "--reason", "nearly done")
    assert (closed["state"], closed["why"]) == ("refused", "refused by bob: nearly done")
    said = pucs("partition", "accept", "1", "--json")
    assert said.status == 1
    assert json.loads(said.out)["error"]["code"] == "refused"


def test_what_cannot_be_divided_says_why(planned: Path, pucs: Pucs) -> None:
    """Exit status 1, the reason, and who waits for the whole file."""
    (planned / "settings.py").write_text("def price(:\n", encoding="utf-8")
    said = pucs("partition", "propose", "settings.py")
    assert said.status == 1
    assert said.out.startswith("settings.py cannot be divided: The functions of settings.py cannot be told")
    assert said.out.endswith("bob waits for the whole file.\n")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["propose", "settings.py"], 2, "no two agents"),
        (["propose", "app/"], 2, "no functions to divide"),
        (["propose", "../x.py"], 2, "outside"),
        (["propose", "settings.py", "--agents", "ada,nobody"], 1, "no active agent"),
        (["accept", "0"], 2, "0"),
        (["accept", "9"], 1, "no proposal 9"),
        (["refuse", "9"], 1, "no proposal 9"),
        (["accept", "x"], 2, "integer"),
    ],
)
def test_bad_calls_say_what_is_wrong(
    session: Path, pucs: Pucs, arguments: list[str], status: int, words: str
) -> None:
    """Nothing is proposed, and the status says of what kind the mistake is."""
    said = pucs("partition", *arguments)
    assert (said.status, words in said.err) == (status, True), said.err
    assert pucs.ok("partition", "list") == "No proposals.\n"
