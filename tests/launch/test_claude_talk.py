"""What Claude Code says, line by line, and what it is told."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.agents.output import Broke, ChangedFile, ProgramEvent, Said, Spent, TurnEnded, UsedTool
from pucs.launch.programs.claude_talk import NONSENSE_MAX, ClaudeTalk

ID = "0b5e2c2e-7d4f-4d59-9a57-0d8e7a3a9d11"
STARTED = {"type": "system", "subtype": "hook_started", "hook_event": "SessionStart"}
RESPONDED = {"type": "system", "subtype": "hook_response", "hook_event": "SessionStart"}
RESULT = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "num_turns": 2,
    "result": "All done.",
    "total_cost_usd": 0.5,
    "modelUsage": {
        "big": {
            "inputTokens": 10,
            "outputTokens": 20,
            "cacheReadInputTokens": 5,
            "cacheCreationInputTokens": 2,
        },
        "small": {"inputTokens": 1, "outputTokens": 2},
    },
}
SPENT = Spent(input_tokens=13, cached_tokens=5, output_tokens=22, cost_usd=0.5)


class Session:
    """A conversation whose hook calls in when the test says so."""

    def __init__(self, *, called_in: bool = True) -> None:
        """Begin with the prompt ``Do it``."""
        self.called_in = called_in
        self.talk = ClaudeTalk(ID, "Do it", lambda: self.called_in)

    def hear(self, *lines: dict[str, Any]) -> list[ProgramEvent]:
        """Return the events of some lines."""
        return [event for line in lines for event in self.talk.receive(json.dumps(line).encode())]

    def told(self) -> list[dict[str, Any]]:
        """Return the lines that are to be written."""
        return [json.loads(line) for line in self.talk.outgoing().splitlines()]


def said(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a line of the model."""
    return {"type": "assistant", "message": {"role": "assistant", "content": list(blocks)}, **more}


def answered(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a line with what came of tools."""
    return {"type": "user", "message": {"role": "user", "content": list(blocks)}, **more}


def prompts(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Return the words for the model among lines."""
    return [line["message"]["content"] for line in lines if line["type"] == "user"]


def test_first_words_wait_until_the_hook_has_called_in() -> None:
    """Nothing that could lead to an edit is said before the hook of the session's start was heard."""
    session = Session(called_in=False)
    assert session.told() == []
    assert session.hear(STARTED) == []
    session.called_in = True
    assert session.hear({**RESPONDED, "outcome": "success"}) == []
    assert session.talk.enforced
    assert prompts(session.told()) == ["Do it"]
    assert session.told() == []


def test_hook_that_does_not_call_in_breaks_the_launch() -> None:
    """Claude Code goes on without the hook of its start; PUCS does not, and passes on why."""
    session = Session(called_in=False)
    failed = {**RESPONDED, "outcome": "error", "output": "pucs-hook: not found\n"}
    assert session.hear(STARTED, STARTED) == []
    assert session.hear({**RESPONDED, "outcome": "success", "output": ""}) == []
    assert session.hear(failed) == [Broke("its hooks did not call in: pucs-hook: not found")]
    assert session.told() == []


def test_a_turn_is_told_in_events() -> None:
    """Words, tools, files, costs and the end of a turn are the same few events as for every program."""
    session = Session()
    session.told()
    events = session.hear(
        {"type": "system", "subtype": "init", "session_id": "other", "mcp_servers": []},
        said(
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "name": "Bash", "input": {"command": "ls\n  -l", "description": "look"}},
        ),
        answered({"type": "tool_result", "content": "a"}, tool_use_result={"stdout": "a"}),
        said({"type": "tool_use", "name": "Edit", "input": {"file_path": "/w/a.py", "old_string": "a"}}),
        answered(
            {"type": "tool_result", "content": "ok"},
            tool_use_result={"filePath": "/w/a.py", "structuredPatch": []},
        ),
        RESULT,
    )
    assert events == [
        Said("I look."),
        UsedTool("Bash", "ls -l"),
        UsedTool("Edit", "/w/a.py"),
        ChangedFile("/w/a.py"),
        SPENT,
        TurnEnded(text="All done."),
    ]
    assert session.talk.id == ID, "it was given at the start, and whatever a line says does not change it"


def test_refusal_is_seen_by_people() -> None:
    """What a hook said to the model stands in the transcript."""
    refused = {"type": "tool_result", "is_error": True, "content": "PreToolUse:Edit hook error: held by b"}
    assert Session().hear(answered(refused)) == [
        Said("(refused or failed: PreToolUse:Edit hook error: held by b)")
    ]


def test_interrupt_ends_the_turn_and_words_begin_another() -> None:
    """A turn that was interrupted has ended, not failed, and the conversation goes on."""
    session = Session()
    session.told()
    session.talk.interrupt()
    (control,) = session.told()
    assert (control["type"], control["request"]) == ("control_request", {"subtype": "interrupt"})
    done = {"type": "control_response", "response": {"subtype": "success"}}
    aborted = {**RESULT, "subtype": "error_during_execution", "is_error": True, "result": None}
    assert session.hear(done, aborted) == [SPENT, TurnEnded(interrupted=True)]
    session.talk.tell("Go on")
    assert prompts(session.told()) == ["Go on"]
    assert session.hear(RESULT)[-1] == TurnEnded(text="All done.")


def test_turn_that_a_hook_ended_is_not_over_with_the_task() -> None:
    """The hook ends the turn of an agent that was paused; its work is not done then."""
    stopped = {**RESULT, "result": "", "terminal_reason": "hook_stopped"}
    assert Session().hear(stopped) == [SPENT, TurnEnded(interrupted=True)]


def test_interrupt_before_the_first_words_says_none() -> None:
    """Whoever is paused before it began is not given its task on the way out."""
    session = Session(called_in=False)
    session.talk.interrupt()
    session.called_in = True
    assert prompts(session.told()) == []
    assert session.hear({"type": "control_response", "response": {}}) == [TurnEnded(interrupted=True)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({**RESULT, "is_error": True, "result": "Not logged in"}, "Not logged in"),
        ({**RESULT, "is_error": True, "result": None, "errors": ["No conversation"]}, "No conversation"),
        ({**RESULT, "is_error": True, "result": None, "subtype": "error_max_turns"}, "error_max_turns"),
    ],
)
def test_failed_turn_names_its_reason(line: dict[str, Any], reason: str) -> None:
    """Login, model and limits fail in Claude Code's own words."""
    assert Session().hear(line) == [SPENT, Broke(reason)]


def test_prompt_that_a_hook_blocked_is_no_turn() -> None:
    """A dead hook swallows the prompt and Claude Code calls that a success; it is not."""
    note = {"type": "system", "subtype": "informational", "prevent_continuation": True, "content": "blocked"}
    assert Session().hear(note, {**RESULT, "num_turns": 0})[-1] == Broke("blocked")
    assert Session().hear(note, RESULT)[-1] == TurnEnded(text="All done.")


def test_model_in_trouble_is_waited_for_within_bounds() -> None:
    """A disturbance is sat out for some minutes; a login that is refused does not get better by waiting."""

    def retry(attempt: int, status: int | None) -> dict[str, Any]:
        return {
            "type": "system",
            "subtype": "api_retry",
            "attempt": attempt,
            "error_status": status,
            "error": "e",
        }

    assert [type(event) for event in Session().hear(*(retry(n, 529) for n in range(1, 9)))] == [Said] * 7 + [
        Broke
    ]
    assert [type(event) for event in Session().hear(*(retry(n, None) for n in range(1, 9)))] == [Said] * 7 + [
        Broke
    ]
    first, second = Session().hear(retry(1, 401), retry(2, 401))
    assert isinstance(first, Said)
    assert second == Broke("the model's server answers e (401), 2 times; is it logged in, or its key valid?")


@pytest.mark.parametrize(
    "line",
    [
        b"Warning: something beside the protocol",
        b"[1, 2]",
        b"\xff\xfe{",
        b'{"type": "assistant"}',
        b'{"type": "assistant", "message": {"content": [{"type": "tool_use"}]}}',
        b'{"type": "system", "subtype": "init", "mcp_servers": [1]}',
        b'{"type": "system", "subtype": "api_retry", "attempt": "x"}',
        b'{"type": "result", "modelUsage": []}',
        b'{"type": "result", "modelUsage": {"m": {"inputTokens": Infinity}}}',
        b"[" * 100_000,
    ],
)
def test_malformed_line_is_noted_and_survived(line: bytes) -> None:
    """A line that is not understood never ends the talk by itself."""
    session = Session()
    (event,) = session.talk.receive(line)
    assert isinstance(event, Said)
    assert event.text.startswith("(not understood: ")
    assert session.hear(RESULT)[-1] == TurnEnded(text="All done.")


WORDS = [
    "type",
    "subtype",
    "message",
    "content",
    "session_id",
    "mcp_servers",
    "status",
    "name",
    "attempt",
    "error_status",
    "hook_event",
    "outcome",
    "output",
    "text",
    "tool_use",
    "tool_result",
    "input",
    "is_error",
    "result",
    "modelUsage",
    "inputTokens",
    "total_cost_usd",
    "num_turns",
    "errors",
    "terminal_reason",
    "system",
    "assistant",
    "user",
    "api_retry",
    "init",
    "hook_started",
    "hook_response",
    "SessionStart",
    "informational",
    "prevent_continuation",
    "tool_use_result",
    "filePath",
    "structuredPatch",
    "control_response",
]
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(VALUES | st.binary(max_size=30), max_size=6))
def test_no_line_is_ever_an_exception(lines: list[Any]) -> None:
    """Whatever comes over the wire, in whatever order, is events, and what is to be said stays JSON."""
    session = Session()
    for line in lines:
        session.talk.receive(line if isinstance(line, bytes) else json.dumps(line).encode())
        session.talk.tell("more")
        session.talk.interrupt()
        session.told()


def test_nothing_but_nonsense_is_given_up() -> None:
    """A program that does not speak the protocol is not listened to for ever."""
    session = Session()
    events = [event for _ in range(NONSENSE_MAX + 1) for event in session.talk.receive(b"no")]
    assert events[-1] == Broke("what it says is not stream-json")


def test_unknown_lines_and_failed_servers() -> None:
    """Kinds of lines that came later say nothing; an MCP server that is not there is told to people."""
    session = Session()
    init = {
        "type": "system",
        "subtype": "init",
        "session_id": ID,
        "mcp_servers": [{"name": "pucs", "status": "failed"}, {"name": "b", "status": "connected"}],
    }
    assert session.hear({"type": "stream_event"}, {"type": "system", "subtype": "new"}) == []
    assert session.hear(init) == [Said("(its MCP server pucs: failed)")]
