"""``pucs message``, ``pucs handoff``, ``pucs pause``, ``pucs resume`` and ``pucs stop``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pucs import AgentMessage, PUCSClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git
GIVE = ("handoff", "give", "--agent", "ann", "--completed", "VAT", "--tests", "42 pass")


@pytest.fixture(autouse=True)
def agents(session: Path, pucs: Pucs) -> None:
    """Let ann hold a file and bob be there."""
    pucs.ok("lock", "app/a.py", "--agent", "ann", "--stream", "app")
    pucs.ok("lock", "app/b.py", "--agent", "bob", "--stream", "app")
    for name in ("ann", "bob"):
        pucs.ok("message", "inbox", "--agent", name, "--ack")


def test_words_are_sent_shown_quoted_and_acknowledged(pucs: Pucs) -> None:
    """The inbox says whose words they are; with --json the text is data beside its quotation."""
    number = pucs.json("message", "send", "look at\napp/a.py", "--agent", "ann", "--to", "bob")["message"]
    (one,) = pucs.json("message", "inbox", "--agent", "bob")
    assert (one["id"], one["from"], one["text"], one["deliveries"]) == (number, "ann", "look at\napp/a.py", 1)
    assert one["quoted"].splitlines()[1:] == ["> look at", "> app/a.py"]
    assert "No new messages" in pucs.ok("message", "inbox", "--agent", "bob")
    assert "1 message acknowledged" in pucs.ok("message", "ack", str(number), "--agent", "bob")
    shown = pucs.ok("message", "inbox", "--agent", "bob", "--all")
    assert "acknowledged" in shown
    assert "look at\N{REPLACEMENT CHARACTER}app/a.py" in shown
    assert pucs("message", "ack", "999", "--agent", "bob").status == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("x", "--to", "bop"), 1, "Did you mean bob?"),
        (("x",), 2, "no receiver"),
        (("x", "--to", "bob", "--all"), 2, "no receiver"),
        (("x" * 5000, "--to", "bob"), 2, "At most 4,000"),
        (("x", "--to", "bob", "--kind", "terminate"), 2, "--kind"),
    ],
)
def test_a_wrong_message_is_refused(pucs: Pucs, arguments: tuple[str, ...], status: int, said: str) -> None:
    """Nobody, everybody and somebody, too long, or an order in another's name."""
    answer = pucs("message", "send", "--agent", "ann", *arguments)
    assert answer.status == status
    assert said in answer.err


def test_everybody_and_whoever_runs_the_session_can_be_written_to(pucs: Pucs) -> None:
    """A reported conflict opens a record for a person to decide."""
    pucs.ok("message", "send", "I rename total()", "--agent", "ann", "--all")
    assert "> I rename total()" in pucs.ok("message", "inbox", "--agent", "bob", "--ack")
    said = pucs.ok(
        "message", "send", "rules differ", "--agent", "ann", "--to", "pucs", "--kind", "report_conflict"
    )
    assert "is open" in said
    assert "> rules differ" in pucs.ok("message", "inbox", "--agent", "pucs")
    assert [one["kind"] for one in json.loads(pucs("conflicts", "--unresolved", "--json").out)] == [
        "SEMANTIC"
    ]


def test_a_hand_off_is_given_listed_shown_and_accepted(pucs: Pucs, session: Path) -> None:
    """From one agent to the other, with its lease, in each of the three forms."""
    refused = pucs(
        "handoff", "give", "--agent", "ann", "--to", "bob", "--completed", "VAT", "--review", "gone.py"
    )
    assert refused.status == 1
    assert "state of the tests is not stated" in refused.err
    assert "gone.py does not exist" in refused.err
    given = pucs.json(*GIVE, "--to", "bob", "--pending", "docs", "--review", "app/a.py", "--warning", "slow")
    assert (given["to"], given["signal"], given["contents"]["locked_files"]) == (
        ["bob"],
        "PARTIAL_SUCCESS",
        ["app/a.py"],
    )
    number = str(given["id"])
    assert "PARTIAL_SUCCESS" in pucs.ok("handoff", "list", "--agent", "bob")
    head, *lines = pucs.ok("handoff", "show", number).splitlines()
    assert "words of ann, not instructions of the coordinator" in head
    assert all(line.startswith(">") for line in lines)
    assert ">   - slow" in lines
    assert pucs.json("handoff", "show", number)["quoted"].splitlines() == [head, *lines]
    assert json.loads(pucs.ok("handoff", "show", number, "--format", "001"))["to_agents"] == ["bob"]
    assert (
        json.loads(pucs.ok("handoff", "show", number, "--format", "002"))["stream_context"]["stream_id"]
        == "app"
    )
    done = pucs.json("handoff", "accept", number, "--agent", "bob")
    assert (list(done["tokens"]), done["taken_by"]) == (["app/a.py"], "bob")
    assert {lock["resource"]: lock["agent"] for lock in pucs.json("locks")}["app/a.py"] == "bob"
    assert pucs.ok("handoff", "list") == "No hand-offs.\n"
    assert [one["state"] for one in pucs.json("handoff", "list", "--all")] == ["accepted"]
    assert pucs("handoff", "show", "77").status == 1


@pytest.mark.parametrize("form", ["001", "002", "004"])
def test_each_form_that_is_shown_can_be_given_again(pucs: Pucs, tmp_path: Path, form: str) -> None:
    """What one installation writes another one reads."""
    number = str(pucs.json(*GIVE, "--to", "bob", "--notes", "be quick")["id"])
    source = tmp_path / "handoff.txt"
    source.write_text(pucs.ok("handoff", "show", number, "--format", form), encoding="utf-8")
    again = pucs.json("handoff", "give", "--agent", "ann", "--from", str(source), "--incomplete")
    assert again["to"] == ["bob"]
    assert again["contents"]["completed"] == ["VAT"]
    source.write_text("{oops", encoding="utf-8")
    assert pucs("handoff", "give", "--agent", "ann", "--from", str(source)).status == 2


def test_several_hand_offs_in_a_file_are_given_one_by_one(pucs: Pucs, tmp_path: Path) -> None:
    """001's file holds many; which one is meant has to be clear."""
    one = {
        "from_agent": "ann",
        "to_agents": ["bob"],
        "completed_tasks": ["x"],
        "context": {"test_status": "ok"},
    }
    source = tmp_path / "handoffs.json"
    source.write_text(json.dumps({"handoffs": [one, one]}), encoding="utf-8")
    assert "one by one" in pucs("handoff", "give", "--agent", "ann", "--from", str(source)).err
    source.write_text(json.dumps({"handoffs": [one]}), encoding="utf-8")
    assert (
        pucs.json("handoff", "give", "--agent", "ann", "--from", str(source))["contents"]["test_status"]
        == "ok"
    )


def test_a_hand_off_can_be_taken_back(pucs: Pucs) -> None:
    """By the agent that gave it."""
    number = str(pucs.json(*GIVE, "--keep")["id"])
    assert pucs("handoff", "close", number, "--agent", "bob").status == 1
    assert "closed" in pucs.ok("handoff", "close", number, "--agent", "ann")
    assert pucs("handoff", "accept", number, "--agent", "bob").status == 1


def test_agents_are_paused_resumed_and_stopped(pucs: Pucs) -> None:
    """One or all, with who and why; a stopped agent acts no more."""
    assert "ann: paused" in pucs.ok("pause", "ann", "--reason", "look here")
    assert "paused by operator" in pucs.ok("agents")
    assert "paused by operator" in pucs.ok("status")
    refused = pucs("lock", "app/c.py", "--agent", "ann")
    assert refused.status == 1
    assert 'ann is paused by operator: "look here"' in refused.out
    assert [one["halt"] for one in pucs.json("resume", "--all")] == ["", ""]
    assert pucs("lock", "app/c.py", "--agent", "ann").status == 0
    (stopped,) = pucs.json("stop", "ann", "--by", "eve")
    assert (stopped["phase"], stopped["by"]) == ("FAILED", "eve")
    gone = pucs("lock", "app/c.py", "--agent", "ann")
    assert gone.status == 1
    assert "was terminated by eve" in gone.err
    assert pucs("pause").status == 2
    assert pucs("pause", "zoe").status == 1
    assert pucs("pause", "ann", "--all").status == 2


def test_a_stop_ends_what_an_agent_without_a_program_held(pucs: Pucs) -> None:
    """Its leases are free; all agents may be stopped, and then there is nobody."""
    assert len(pucs.json("stop", "--all")) == 2
    assert pucs.json("locks") == []
    assert "No agent is active" in pucs.ok("pause", "--all")


def test_a_program_talks_and_hands_over(session: Path, pucs: Pucs) -> None:
    """The client has the same verbs; what it hands over outlives it, and everything else is given up."""
    with PUCSClient("prog", stream="lib") as client:
        assert [one.kind for one in client.messages(acknowledge=True)] == ["registered", "stream_assigned"]
        client.acquire_locks(["lib/b.py", "lib/c.py"])
        number = client.send_message("bob", "hello")
        assert client.post(AgentMessage.REQUEST_HELP, text="which rule?") > number
        assert client.report_conflict("does not fit", ["lib/b.py"], ["bob"]) > 0
        client.release_locks(["lib/c.py"])
        client.acquire_locks(["lib/d.py"])
        (session / "lib/b.py").write_text("b = 2\n", encoding="utf-8")
        given = client.handoff(
            completed=["half"],
            pending=["rest"],
            context={"test_status": "not run", "locked_files": ["lib/b.py"]},
        )
        assert [one.id for one in client.handoffs()] == [given.id]
    held = {lock["resource"]: lock["agent"] for lock in pucs.json("locks")}
    assert held["lib/b.py"] == "prog"
    assert "lib/d.py" not in held
    with PUCSClient("next", stream="lib") as client:
        (told,) = client.handoffs()
        assert list(client.accept_handoff(told.id).tokens) == ["lib/b.py"]
        assert client.acknowledge([one.id for one in client.messages()])
        mine = client.handoff("bob", ["x"], context={"test_status": "ok"}, transfer=False)
        assert client.close_handoff(mine.id).state == "closed"
