"""The conversation with Codex, line by line, without Codex: what it is told, what it is allowed, and what it may not break."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pucs.agents.calls import Call, Edit, Moment, Ruling
from pucs.agents.output import Broke, ChangedFile, ProgramEvent, Said, Spent, TurnEnded, UsedTool
from pucs.launch.programs import Brief
from pucs.launch.programs.codex_talk import NOISE_LINES_MAX, RETRIES_MAX, TURNS_MORE_MAX, CodexTalk

THREAD = "0198-thread"
STRONG = {"approvalPolicy": "on-request", "sandbox": {"type": "readOnly"}, "approvalsReviewer": "user"}
HELD = Ruling(allowed=False, reason="held by agent-2 until 14:05")
PATCH = {"path": "/w/a.py", "kind": {"type": "update", "move_path": None}, "diff": "@@ -1 +1 @@\n-a\n+b\n"}


class Codex:
    """The other side: keeps what it is sent, answers what it is asked, and says what a test wants it to say."""

    def __init__(self, decide: Callable[[Call], Ruling | None] = lambda _: None, **brief: Any) -> None:
        self.calls: list[Call] = []
        self.events: list[ProgramEvent] = []
        self.inbox: list[dict[str, Any]] = []
        self.turns = 0

        def decided(call: Call) -> Ruling:
            self.calls.append(call)
            return decide(call) or Ruling()

        known = {"agent": "me", "secret": "s", "worktree": "/w", "prompt": "Do it.", "directory": "/d"}
        self.talk = CodexTalk(Brief(**{**known, **brief}, decide=decided), "1", ("pucs",))
        self.read()

    def read(self) -> list[dict[str, Any]]:
        """Take what was sent since."""
        new = [json.loads(line) for line in self.talk.outgoing().splitlines()]
        self.inbox += new
        return new

    def says(self, message: object) -> list[dict[str, Any]]:
        """Say a line and return what is sent upon it."""
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.events += self.talk.receive(line)
        return self.read()

    def notes(self, method: str, **params: Any) -> list[dict[str, Any]]:
        """Tell something about the thread."""
        return self.says({"method": method, "params": {"threadId": THREAD, **params}})

    def answers(self, method: str, result: Any = None, error: str = "") -> list[dict[str, Any]]:
        """Answer the last request of a kind."""
        request = next(m for m in reversed(self.inbox) if m.get("method") == method)
        body = {"error": {"code": -1, "message": error}} if error else {"result": result or {}}
        return self.says({"id": request["id"], **body})

    def begins(self, echo: object = None, account: object = None) -> list[dict[str, Any]]:
        """Go through the beginning, up to the first turn's request."""
        self.answers("initialize", {"userAgent": "pucs/0.169.0"})
        ask = "thread/resume" if self.talk.id else "thread/start"
        self.answers(ask, {"thread": {"id": THREAD}, **STRONG} if echo is None else echo)
        return self.answers("account/read", account or {"account": None, "requiresOpenaiAuth": False})

    def turn(self) -> str:
        """Begin the turn that was asked for."""
        self.turns += 1
        name = f"turn-{self.turns}"
        self.answers("turn/start", {"turn": {"id": name}})
        self.notes("turn/started", turn={"id": name})
        return name

    def works(self) -> Codex:
        """Be in the middle of the first turn."""
        self.begins()
        self.turn()
        return self

    def ends(self, status: str = "completed", error: object = None) -> list[dict[str, Any]]:
        """End the turn."""
        return self.notes("turn/completed", turn={"id": "turn", "status": status, "error": error})

    def asks_to_patch(self, *changes: object, item: str = "i1") -> list[dict[str, Any]]:
        """Begin a file change and ask for it."""
        listed = list(changes) or [PATCH]
        self.notes(
            "item/started", turnId="turn-1", item={"type": "fileChange", "id": item, "changes": listed}
        )
        return self.asks("item/fileChange/requestApproval", itemId=item, grantRoot=None)

    def asks(self, method: str, **params: Any) -> list[dict[str, Any]]:
        """Ask something in the first turn."""
        return self.says({
            "id": 0,
            "method": method,
            "params": {"threadId": THREAD, "turnId": "turn-1", **params},
        })

    def words(self, method: str) -> list[str]:
        """Return the texts of all requests of a kind."""
        asked = [m["params"]["input"][0]["text"] for m in self.inbox if m.get("method") == method]
        return [str(text) for text in asked]

    def moments(self) -> list[str]:
        """Return when it was decided."""
        return [call.moment.value for call in self.calls]


def on(moment: Moment, *rulings: Ruling) -> Callable[[Call], Ruling | None]:
    """Answer one moment with these rulings, one after the other, and everything else with yes."""
    left = list(rulings)
    return lambda call: left.pop(0) if call.moment is moment and left else None


# Beginning -----------------------------------------------------------------------------------------------------


def test_conversation_begins_with_what_makes_codex_ask() -> None:
    """Policy, reviewer and sandbox are asked for when the thread starts and again with each turn."""
    codex = Codex(model="gpt-5.5")
    codex.works()
    start = next(m["params"] for m in codex.inbox if m["method"] == "thread/start")
    assert start == {
        "cwd": "/w",
        "approvalPolicy": "on-request",
        "approvalsReviewer": "user",
        "sandbox": "read-only",
        "model": "gpt-5.5",
    }
    turn = next(m["params"] for m in codex.inbox if m["method"] == "turn/start")
    assert (turn["approvalPolicy"], turn["approvalsReviewer"]) == ("on-request", "user")
    assert turn["sandboxPolicy"] == {"type": "readOnly", "networkAccess": False}
    assert codex.talk.enforced
    assert codex.talk.id == THREAD


@pytest.mark.parametrize(
    ("echo", "about"),
    [
        ({**STRONG, "approvalPolicy": "never"}, "its approval policy is never"),
        ({**STRONG, "approvalPolicy": {"granular": {}}}, "its approval policy is {'granular'"),
        ({**STRONG, "sandbox": {"type": "dangerFullAccess"}}, "its sandbox is"),
        ({**STRONG, "sandbox": None}, "its sandbox is None"),
        ({**STRONG, "approvalsReviewer": "auto_review"}, "its approvals are given by auto_review"),
        ({}, "its approval policy is None"),
    ],
)
def test_codex_that_asks_less_is_not_used(echo: dict[str, Any], about: str) -> None:
    """Whatever Codex made of the request is checked; not one word is said to one that would not ask."""
    codex = Codex()
    codex.answers("initialize")
    codex.answers("thread/start", {"thread": {"id": THREAD}, **echo})
    assert isinstance(codex.events[-1], Broke)
    assert about in codex.events[-1].reason
    assert not codex.talk.enforced
    assert codex.calls == []
    assert "turn/start" not in [message["method"] for message in codex.inbox]


def test_briefing_stands_before_the_first_prompt() -> None:
    """The model reads how to work here, then the briefing, then its task."""
    codex = Codex(on(Moment.START, Ruling(context="You work on shop.")))
    codex.begins()
    (words,) = codex.words("turn/start")
    assert words.startswith("You work as agent me in your own checkout")
    assert words.endswith("PUCS: You work on shop.\n\nDo it.")
    assert codex.moments() == ["start", "prompt"]
    assert {(call.program, call.conversation, call.agent, call.secret) for call in codex.calls} == {
        ("codex", THREAD, "me", "s")
    }


def test_conversation_is_taken_up_again_without_the_manners() -> None:
    """A resumed thread is asked for by its id, as strictly as a new one, and is not told again how to work."""
    codex = Codex(conversation=THREAD)
    codex.begins()
    resumed = next(m["params"] for m in codex.inbox if m["method"] == "thread/resume")
    assert resumed["threadId"] == THREAD
    assert resumed["sandbox"] == "read-only"
    assert codex.words("turn/start") == ["Do it."]


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("initialize", "Codex does not start a conversation: too old"),
        ("thread/start", "Codex could not begin a conversation: too old"),
        ("turn/start", "Codex does not begin a turn: too old"),
    ],
)
def test_refusal_to_begin_is_told(method: str, told: str) -> None:
    """An error in the beginning ends the attempt with its reason."""
    codex = Codex()
    if method == "thread/start":
        codex.answers("initialize")
    elif method == "turn/start":
        codex.begins()
    codex.answers(method, error="too old")
    assert codex.events[-1] == Broke(told)


def test_lost_conversation_is_told() -> None:
    """A thread that Codex does not find names itself."""
    codex = Codex(conversation="gone")
    codex.answers("initialize")
    codex.answers("thread/resume", error="no rollout found")
    assert codex.events == [Broke("Codex could not take up conversation gone again: no rollout found")]


def test_missing_login_is_told_before_a_word_is_said() -> None:
    """Whoever has to log in is told how."""
    codex = Codex()
    codex.begins(account={"account": None, "requiresOpenaiAuth": True})
    assert codex.events == [Broke("Codex is not logged in. Run `codex login`, then start again.")]
    assert codex.words("turn/start") == []


@pytest.mark.parametrize(
    ("ruling", "event"),
    [
        (Ruling(allowed=False, reason="terminated"), Broke("terminated")),
        (Ruling(suspend=True), TurnEnded(interrupted=True)),
    ],
)
def test_agent_that_may_not_begin_does_not(ruling: Ruling, event: ProgramEvent) -> None:
    """No turn is begun for an agent that was ended or paused meanwhile."""
    codex = Codex(on(Moment.START, ruling))
    codex.begins()
    assert codex.events == [event]
    assert codex.words("turn/start") == []


# Approvals -----------------------------------------------------------------------------------------------------


def test_refused_patch_is_declined_after_its_reason_is_in_the_turn() -> None:
    """The reason goes first, so that the model reads it together with the refusal."""
    codex = Codex(on(Moment.BEFORE, HELD)).works()
    (steer,) = codex.asks_to_patch()
    assert steer["method"] == "turn/steer"
    assert steer["params"]["expectedTurnId"] == "turn-1"
    assert codex.words("turn/steer") == ["PUCS refused the patch of /w/a.py: held by agent-2 until 14:05"]
    assert codex.answers("turn/steer") == [{"id": 0, "result": {"decision": "decline"}}]
    before = codex.calls[-1]
    assert before.tool == "apply_patch"
    assert before.edits == (Edit(path="/w/a.py", hunks=PATCH["diff"]),)  # type: ignore[arg-type]


def test_reason_that_came_too_late_is_told_with_the_next_turn() -> None:
    """A turn that takes no words any more ends; the next one begins with them."""
    codex = Codex(on(Moment.BEFORE, HELD)).works()
    codex.asks_to_patch()
    assert codex.answers("turn/steer", error="no active turn") == [
        {"id": 0, "result": {"decision": "decline"}}
    ]
    codex.ends()
    assert codex.words("turn/start")[1:] == ["PUCS refused the patch of /w/a.py: held by agent-2 until 14:05"]


def test_allowed_patch_is_accepted_at_once_and_reported_afterwards() -> None:
    """Without anything to say, yes is said in one step; what was changed is told when it is done."""
    codex = Codex().works()
    added = {"path": "/w/n.py", "kind": {"type": "add"}, "diff": "new\n"}
    deleted = {"path": "/w/d.py", "kind": {"type": "delete"}, "diff": "old\n"}
    assert codex.asks_to_patch(added, deleted) == [{"id": 0, "result": {"decision": "accept"}}]
    expected = (Edit(path="/w/n.py", content=b"new\n"), Edit(path="/w/d.py", deletes=True))
    assert codex.calls[-1].edits == expected
    item = {"type": "fileChange", "id": "i1", "changes": [added, deleted], "status": "completed"}
    codex.notes("item/completed", turnId="turn-1", item=item)
    assert codex.calls[-1].moment is Moment.AFTER
    assert codex.calls[-1].edits == expected
    assert codex.events == [
        UsedTool("apply_patch", "/w/n.py, /w/d.py"),
        ChangedFile("/w/n.py"),
        ChangedFile("/w/d.py"),
    ]


def test_moved_file_is_two_edits() -> None:
    """The old path goes away, the new one gets the hunks, without the line that Codex adds to them."""
    codex = Codex().works()
    diff = "@@ -2 +2 @@\n-a\n+b\n\n\nMoved to: /w/c.py"
    codex.asks_to_patch({**PATCH, "kind": {"type": "update", "move_path": "/w/c.py"}, "diff": diff})
    assert codex.calls[-1].edits == (
        Edit(path="/w/a.py", deletes=True),
        Edit(path="/w/c.py", hunks="@@ -2 +2 @@\n-a\n+b\n"),
    )


def test_messages_ride_on_an_allowed_patch() -> None:
    """What an agent has to know goes into the turn before the patch is accepted, and after it is done."""
    codex = Codex(lambda call: Ruling(context=f"news {call.moment}")).works()
    codex.asks_to_patch()
    assert codex.answers("turn/steer") == [{"id": 0, "result": {"decision": "accept"}}]
    item = {"type": "fileChange", "id": "i1", "changes": [PATCH], "status": "completed"}
    codex.notes("item/completed", turnId="turn-1", item=item)
    assert codex.words("turn/steer") == ["PUCS: news before", "PUCS: news after"]


@pytest.mark.parametrize(
    "changes",
    [[], [{}], [{"path": "/w/a.py"}], [{**PATCH, "kind": {"type": "chmod"}}], "all of them", [PATCH] * 501],
)
def test_patch_of_unknown_files_is_declined(changes: object) -> None:
    """What cannot be told whole is not let through, nor decided in part."""
    codex = Codex().works()
    codex.notes("item/started", item={"type": "fileChange", "id": "i1", "changes": changes})
    codex.asks("item/fileChange/requestApproval", itemId="i1")
    assert codex.answers("turn/steer") == [{"id": 0, "result": {"decision": "decline"}}]
    assert Moment.BEFORE not in [call.moment for call in codex.calls]


def test_patch_without_its_item_is_declined() -> None:
    """An approval that comes before or without its item changes nothing."""
    codex = Codex().works()
    codex.asks("item/fileChange/requestApproval", itemId="never-begun")
    assert codex.answers("turn/steer") == [{"id": 0, "result": {"decision": "decline"}}]
    assert "It is not clear which files it changes" in codex.words("turn/steer")[0]


def test_lasting_write_access_is_not_given() -> None:
    """Neither a patch that asks for a whole root, nor a request for permissions, gets more than one patch."""
    codex = Codex().works()
    codex.notes("item/started", item={"type": "fileChange", "id": "i1", "changes": [PATCH]})
    codex.asks("item/fileChange/requestApproval", itemId="i1", grantRoot="/w")
    assert codex.answers("turn/steer") == [{"id": 0, "result": {"decision": "decline"}}]
    codex.asks("item/permissions/requestApproval", permissions={"fileSystem": {"write": ["/"]}})
    assert codex.answers("turn/steer") == [{"id": 0, "result": {"permissions": {}, "scope": "turn"}}]


def test_command_out_of_the_sandbox_is_decided_by_its_text() -> None:
    """What it seems to change is told to the decision; the model learns why it may not run."""
    codex = Codex(on(Moment.BEFORE, HELD)).works()
    codex.asks(
        "item/commandExecution/requestApproval", command="/bin/bash -lc 'sed -i s/a/b/ a.py'", cwd="/w/x"
    )
    call = codex.calls[-1]
    assert (call.tool, call.cwd, [edit.path for edit in call.edits]) == ("Bash", "/w/x", ["a.py"])
    assert codex.answers("turn/steer") == [{"id": 0, "result": {"decision": "decline"}}]
    assert codex.words("turn/steer") == [
        """PUCS refused the command "/bin/bash -lc 'sed -i s/a/b/ a.py'": held by agent-2 until 14:05"""
    ]


def test_tools_of_other_mcp_servers_are_decided_and_ours_are_not() -> None:
    """A foreign server's tool may change files; our own decides for itself."""
    codex = Codex(on(Moment.BEFORE, HELD)).works()
    asked = {"codex_approval_kind": "mcp_tool_call", "tool_name": "write"}
    (ours,) = codex.asks("mcpServer/elicitation/request", serverName="pucs", _meta=asked)
    assert ours["result"]["action"] == "accept"
    codex.asks("mcpServer/elicitation/request", serverName="files", _meta=asked)
    assert codex.calls[-1].tool == "mcp__files__write"
    assert codex.answers("turn/steer")[0]["result"]["action"] == "decline"


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("mcpServer/elicitation/request", {"action": "decline", "content": None, "_meta": None}),
        ("item/tool/requestUserInput", {"answers": {}}),
        ("applyPatchApproval", {"decision": "denied"}),
        ("execCommandApproval", {"decision": "denied"}),
    ],
)
def test_what_only_a_person_could_answer_is_declined(method: str, answer: dict[str, Any]) -> None:
    """Nobody sits there, and requests of an older protocol are not trusted."""
    codex = Codex().works()
    sent = codex.asks(method, serverName="pucs")
    if sent and sent[0].get("method") == "turn/steer":
        sent = codex.answers("turn/steer")
    assert sent == [{"id": 0, "result": answer}]
    assert Moment.BEFORE not in [call.moment for call in codex.calls]


def test_unknown_request_is_answered_with_an_error() -> None:
    """A request of a later version is refused, so that Codex does not wait for ever."""
    codex = Codex().works()
    (answer,) = codex.asks("item/teleport/requestApproval")
    assert answer == {
        "id": 0,
        "error": {"code": -32601, "message": "PUCS does not answer item/teleport/requestApproval."},
    }


def test_requests_under_way_together_keep_their_answers_apart() -> None:
    """Two approvals at once, answered in the other order, get each its own decision."""
    codex = Codex(lambda call: HELD if call.edits and call.edits[0].path == "/w/a.py" else None).works()
    codex.asks_to_patch(item="i1")
    codex.notes(
        "item/started", item={"type": "fileChange", "id": "i2", "changes": [{**PATCH, "path": "/w/b.py"}]}
    )
    second = {"threadId": THREAD, "turnId": "turn-1", "itemId": "i2"}
    assert codex.says({"id": 1, "method": "item/fileChange/requestApproval", "params": second}) == [
        {"id": 1, "result": {"decision": "accept"}}
    ]
    assert codex.answers("turn/steer") == [{"id": 0, "result": {"decision": "decline"}}]


# Suspending, interrupting, telling -----------------------------------------------------------------------------


def test_suspended_agent_leaves_its_reason_in_the_history() -> None:
    """An interrupted turn forgets what was put into it, so the reason is put into the thread after it."""
    codex = Codex(
        on(Moment.BEFORE, Ruling(allowed=False, reason="you are 1st in line", suspend=True))
    ).works()
    answer, interrupt = codex.asks_to_patch()
    assert answer == {"id": 0, "result": {"decision": "decline"}}
    assert interrupt["method"] == "turn/interrupt"
    (inject,) = codex.ends("interrupted")
    assert inject["method"] == "thread/inject_items"
    assert "you are 1st in line" in json.dumps(inject["params"]["items"])
    assert TurnEnded(interrupted=True) not in codex.events
    codex.answers("thread/inject_items")
    assert codex.events[-1] == TurnEnded(interrupted=True)


def test_interrupt_before_the_turn_has_a_name_is_made_up_for() -> None:
    """A turn that was only asked for is interrupted as soon as it can be named."""
    codex = Codex()
    codex.begins()
    codex.talk.interrupt()
    assert codex.read() == []
    codex.turn()
    assert [m["params"]["turnId"] for m in codex.inbox if m["method"] == "turn/interrupt"] == [
        "turn-1",
        "turn-1",
    ]
    codex.ends("completed")
    assert codex.events == [TurnEnded(interrupted=True)]
    assert "stop" not in codex.moments()


def test_interrupt_without_a_turn_does_nothing() -> None:
    """There is nothing to end."""
    codex = Codex()
    codex.talk.interrupt()
    assert codex.read() == []


def test_words_go_into_the_turn_under_way() -> None:
    """What is said meanwhile is read with the model's next step; what comes too late begins the next turn."""
    codex = Codex().works()
    codex.talk.tell("Look at b.py too.")
    codex.read()
    codex.answers("turn/steer")
    codex.talk.tell("And at c.py.")
    codex.read()
    codex.answers("turn/steer", error="no active turn")
    codex.ends()
    assert codex.words("turn/steer") == ["Look at b.py too.", "And at c.py."]
    assert codex.words("turn/start")[1:] == ["And at c.py."]
    assert codex.moments().count("prompt") == 2


def test_words_before_the_beginning_and_after_the_end_begin_turns() -> None:
    """Nothing that is said gets lost, whenever it is said."""
    codex = Codex()
    codex.talk.tell("Early.")
    codex.begins()
    codex.talk.tell("While it begins.")
    codex.turn()
    codex.ends()
    codex.turn()
    codex.ends()
    assert codex.events[-1] == TurnEnded()
    codex.talk.tell("Late.")
    codex.read()
    first, second, third = codex.words("turn/start")
    assert first.endswith("Do it.\n\nEarly.")
    assert (second, third) == ("While it begins.", "Late.")


def test_words_that_are_no_text_are_sent_as_text() -> None:
    """Bytes of a file's name would make Codex refuse the whole line."""
    codex = Codex(prompt="Mind caf\udce9.py.")
    codex.begins()
    assert codex.words("turn/start")[0].endswith("Mind caf?.py.")


# Ends ----------------------------------------------------------------------------------------------------------


def test_agent_that_may_not_stop_goes_on_with_the_reason() -> None:
    """It is told why, and the second time that it was refused before."""
    codex = Codex(on(Moment.STOP, Ruling(allowed=False, reason="a.py is still leased"))).works()
    codex.ends()
    assert codex.words("turn/start")[1:] == ["PUCS: a.py is still leased"]
    codex.turn()
    codex.notes("item/completed", item={"type": "agentMessage", "text": "Released."})
    codex.ends()
    assert codex.events == [Said("Released."), TurnEnded(text="Released.")]
    assert [call.again for call in codex.calls if call.moment is Moment.STOP] == [False, True]
    assert codex.moments().count("prompt") == 1


def test_turns_that_are_added_are_bounded() -> None:
    """An agent that never may stop stops."""
    codex = Codex(lambda call: HELD if call.moment is Moment.STOP else None).works()
    for _ in range(TURNS_MORE_MAX):
        codex.ends()
        codex.turn()
    assert codex.events == []
    codex.ends()
    assert codex.events == [TurnEnded()]


def test_words_that_name_their_sender_are_left_as_they_are() -> None:
    """Whoever reads them in the person's place sees once whose they are."""
    codex = Codex(on(Moment.STOP, Ruling(allowed=False, reason="[PUCS] Read this before you end:"))).works()
    codex.ends()
    assert codex.words("turn/start")[1:] == ["[PUCS] Read this before you end:"]


def test_agent_is_suspended_at_its_end() -> None:
    """A paused agent does not begin another turn."""
    codex = Codex(on(Moment.STOP, Ruling(suspend=True))).works()
    codex.ends()
    assert codex.events == [TurnEnded(interrupted=True)]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"message": "exceeded retry limit", "codexErrorInfo": "serverOverloaded"}, "exceeded retry limit"),
        (
            {"message": "401", "codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 401}}},
            "401. Run `codex login`.",
        ),
        ({"message": "No.", "codexErrorInfo": "usageLimitExceeded"}, "No. The account's limit is used up."),
        ({"message": "Broken", "additionalDetails": "pipe"}, "Broken: pipe"),
        (None, "no reason given"),
        ("odd", "no reason given"),
    ],
)
def test_failed_turn_says_why(error: object, told: str) -> None:
    """The model's trouble is told in one line, with what to do where that is known."""
    codex = Codex().works()
    codex.ends("failed", error)
    assert codex.events == [Broke(f"Codex could not go on: {told}")]


def test_model_that_is_not_reached_ends_the_attempt() -> None:
    """Attempts are counted, so that settings of ten thousand retries do not wait for a server that is down."""
    codex = Codex().works()
    trouble = {"error": {"message": "Reconnecting"}, "willRetry": True}
    for _ in range(RETRIES_MAX + 5):
        codex.notes("error", **trouble)
    assert codex.events == [Broke(f"The model was not reached {RETRIES_MAX} times in a row: Reconnecting")]
    assert [m["method"] for m in codex.inbox].count("turn/interrupt") == 1


def test_codex_that_is_made_to_ask_less_is_stopped() -> None:
    """Settings that change under way count like those of the beginning."""
    codex = Codex().works()
    settings = {
        "approvalPolicy": "on-request",
        "sandboxPolicy": {"type": "readOnly"},
        "approvalsReviewer": "user",
    }
    codex.notes("thread/settings/updated", threadSettings=settings)
    assert codex.events == []
    codex.notes("thread/settings/updated", threadSettings={**settings, "approvalPolicy": "never"})
    assert codex.events == [Broke("Codex stopped asking before each edit: its approval policy is never.")]
    assert not codex.talk.enforced
    assert codex.inbox[-1]["method"] == "turn/interrupt"


def test_closed_thread_in_the_middle_of_a_turn_is_trouble() -> None:
    """It is an end only after the end of a turn."""
    codex = Codex().works()
    codex.notes("thread/closed")
    assert codex.events == [Broke("Codex closed the conversation in the middle of a turn.")]


# What it reports -----------------------------------------------------------------------------------------------


def test_commands_are_reported_with_what_they_read() -> None:
    """A command that only looks is a reading; any other one may have changed something."""
    codex = Codex().works()
    action = {"type": "read", "path": "/w/a.py"}
    item = {"type": "commandExecution", "id": "c", "command": "cat a.py", "cwd": "/w", "status": "completed"}
    codex.notes("item/started", item={**item, "status": "inProgress"})
    codex.notes("item/completed", item={**item, "commandActions": [action, {"type": "search"}]})
    looked = codex.calls[-1]
    assert (looked.tool, looked.reads, looked.command) == ("Read", ("/w/a.py",), "")
    codex.notes("item/completed", item={**item, "commandActions": [action, {"type": "unknown"}]})
    ran = codex.calls[-1]
    assert (ran.tool, ran.reads, ran.command) == ("Bash", ("/w/a.py",), "cat a.py")
    codex.notes("item/completed", item={**item, "status": "declined"})
    assert codex.calls[-1] is ran
    assert codex.events == [UsedTool("shell", "cat a.py")]


def test_tokens_of_all_threads_are_one_total() -> None:
    """Agents that Codex starts by itself count too; what came from a cache counts apart."""
    codex = Codex().works()
    codex.notes(
        "thread/tokenUsage/updated",
        tokenUsage={"total": {"inputTokens": 100, "cachedInputTokens": 40, "outputTokens": 7}},
    )
    codex.says({
        "method": "thread/tokenUsage/updated",
        "params": {"threadId": "child", "tokenUsage": {"total": {"inputTokens": 5, "outputTokens": "many"}}},
    })
    assert codex.events == [
        Spent(input_tokens=60, cached_tokens=40, output_tokens=7),
        Spent(input_tokens=65, cached_tokens=40, output_tokens=7),
    ]


def test_end_of_another_thread_is_not_the_end() -> None:
    """A helper of Codex's own comes and goes."""
    codex = Codex().works()
    codex.says({"method": "turn/completed", "params": {"threadId": "child", "turn": {"status": "completed"}}})
    assert codex.events == []


# Bad input -----------------------------------------------------------------------------------------------------


def test_lines_that_are_no_messages_are_borne_within_a_bound() -> None:
    """Some noise is passed over; a program that says nothing else is another program."""
    codex = Codex()
    for _ in range(NOISE_LINES_MAX - 1):
        codex.says(b"WARNING: \xff[[[")
    codex.answers("initialize")
    assert codex.events == []
    for _ in range(NOISE_LINES_MAX + 10):
        codex.says(b"usage: codex [OPTIONS]")
    assert codex.events == [
        Broke(
            f"{NOISE_LINES_MAX} lines in a row are not what Codex's app-server says: 'usage: codex [OPTIONS]'"
        )
    ]


def test_patch_of_a_megabyte_is_understood() -> None:
    """The size of a file is no reason to decide blindly."""
    codex = Codex().works()
    content = "x" * 1_000_000
    codex.asks_to_patch({"path": "/w/big", "kind": {"type": "add"}, "diff": content})
    assert codex.calls[-1].edits == (Edit(path="/w/big", content=content.encode()),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
METHODS = st.sampled_from([
    "item/started", "item/completed", "turn/started", "turn/completed", "error", "thread/closed",
    "thread/settings/updated", "thread/tokenUsage/updated", "item/fileChange/requestApproval",
    "item/commandExecution/requestApproval", "mcpServer/elicitation/request", "x",
])  # fmt: skip
PARAMS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "threadId": st.just(THREAD) | JSON,
        "turnId": JSON,
        "itemId": JSON,
        "item": JSON
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["fileChange", "commandExecution", "agentMessage", "mcpToolCall"])},
            optional=dict.fromkeys(("id", "changes", "status", "text", "command", "commandActions"), JSON),
        ),
        "turn": JSON,
        "error": JSON,
        "tokenUsage": JSON,
        "_meta": JSON,
        "command": JSON,
        "threadSettings": JSON,
    },
)
MESSAGES = JSON | st.fixed_dictionaries(
    {}, optional={"id": JSON, "method": METHODS | JSON, "params": PARAMS, "result": JSON, "error": JSON}
)


@given(messages=st.lists(MESSAGES, max_size=8), working=st.booleans())
@example(messages=[{"id": True, "result": {}}, {"id": 1, "error": None}], working=False)
def test_no_message_breaks_the_conversation(messages: Sequence[object], *, working: bool) -> None:
    """Whatever is said, in whatever order, no line raises, and no request stays without an answer."""
    codex = Codex()
    if working:
        codex.works()
    for message in messages:
        sent = codex.says(message)
        if not isinstance(message, dict) or "id" not in message or not message.get("method"):
            continue
        if not isinstance(message["method"], str):
            continue
        while steer := next((m for m in sent if m.get("method") == "turn/steer"), None):
            sent = codex.says({"id": steer["id"], "result": {}})
        assert any(json.dumps(m.get("id")) == json.dumps(message["id"]) and "method" not in m for m in sent)


def test_line_nested_too_deeply_is_noise() -> None:
    """Ten thousand brackets are no message and no crash."""
    codex = Codex()
    assert codex.says(b"[" * 100_000 + b"]" * 100_000) == []
    assert codex.events == []
