"""What agent programs report to hooks, and what they are answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.agents.calls import Call, Edit, Moment, Replacement, Ruling
from pucs.coordinator.context import Context
from pucs.core.errors import NotFound, Usage
from pucs.hooks import claude, codex, front, wire
from pucs.store.sqlite import IN_MEMORY, SQLiteStore
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from pucs.coordinator.ports import Git


@pytest.fixture
def context() -> Context:
    clock = FakeClock()
    return Context(
        store=SQLiteStore(IN_MEMORY, clock),
        clock=clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Git", None),
        door="test",
    )


COMMON = {"session_id": "c-1", "cwd": "/home/ann/shop", "permission_mode": "default", "transcript_path": "/t"}
EDIT = {"file_path": "/home/ann/shop/a.py", "old_string": "1", "new_string": "2"}
PATCH = "*** Begin Patch\n*** Update File: a.py\n@@\n-1\n+2\n*** Delete File: b.py\n*** End Patch\n"
DENIED = Ruling(allowed=False, reason="held by agent-2")


def report(event: str = "PreToolUse", tool: str = "", given: Any = None, **more: Any) -> dict[str, Any]:
    about_tool = {"tool_name": tool, "tool_input": given} if tool else {}
    return {**COMMON, "hook_event_name": event, **about_tool, **more}


def called(dialect: Any, document: dict[str, Any], program: str = "claude") -> Call:
    moment = wire.MOMENTS[wire.event(document)]
    assert moment is not None
    call: Call = dialect.understood(document, wire.begun(document, program, moment, agent="a-1", secret="s"))
    return call


@pytest.mark.parametrize(
    ("tool", "given", "edit"),
    [
        ("Edit", EDIT, Edit(path="/home/ann/shop/a.py", replacements=(Replacement("1", "2"),))),
        ("Edit", {**EDIT, "replace_all": True}, Edit(path="/home/ann/shop/a.py", replacements=(Replacement("1", "2", everywhere=True),))),
        ("MultiEdit", {"file_path": "a", "edits": [EDIT, {"old_string": "3", "new_string": ""}]}, Edit(path="a", replacements=(Replacement("1", "2"), Replacement("3", "")))),
        ("Write", {"file_path": "a", "content": "ü\n"}, Edit(path="a", content="ü\n".encode())),
        ("Write", {"file_path": "a", "content": "\udcff\ud800"}, Edit(path="a", content=b"\xed\xb3\xbf\xed\xa0\x80")),
        ("NotebookEdit", {"notebook_path": "n.ipynb", "new_source": "x"}, Edit(path="n.ipynb")),
    ],
)  # fmt: skip
def test_claude_codes_edit_tools_become_edits(tool: str, given: Any, edit: Edit) -> None:
    """Each says its file, and where it can also what the file becomes."""
    call = called(claude, report("PreToolUse", tool, given))
    assert call.edits == (edit,)
    assert (call.moment, call.conversation, call.cwd, call.agent, call.secret) == (
        Moment.BEFORE,
        "c-1",
        "/home/ann/shop",
        "a-1",
        "s",
    )


def test_claude_codes_other_tools_read_run_or_pass() -> None:
    """Files that are shown count as read, searches and foreign tools do not; shell text is kept as it is."""
    assert called(claude, report("PostToolUse", "Read", {"file_path": "a"})).reads == ("a",)
    assert called(claude, report("PostToolUse", "NotebookRead", {"notebook_path": "n"})).reads == ("n",)
    assert called(claude, report("PreToolUse", "Bash", {"command": "rm a"})).command == "rm a"
    for tool in ("Grep", "Glob", "Task", "mcp__other__write"):
        call = called(claude, report("PreToolUse", tool, {"file_path": "a", "path": "b"}))
        assert (call.edits, call.reads, call.command, call.tool) == ((), (), "", tool)


def test_an_edit_of_very_many_places_is_one_of_the_whole_file() -> None:
    """Nothing is counted without end."""
    many = {"file_path": "a", "edits": [EDIT] * (claude.REPLACEMENTS_MAX + 1)}
    assert called(claude, report("PreToolUse", "MultiEdit", many)).edits == (Edit(path="a"),)


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("Edit", None),
        ("Edit", []),
        ("Edit", {"old_string": "1"}),
        ("Edit", {"file_path": 7}),
        ("Edit", {**EDIT, "old_string": None}),
        ("MultiEdit", {"file_path": "a", "edits": "x"}),
        ("MultiEdit", {"file_path": "a", "edits": [1]}),
        ("Write", {"file_path": "a", "content": {}}),
        ("Bash", {"command": ["a"]}),
        ("Read", {}),
    ],
)
def test_a_tool_that_does_not_say_what_it_changes_is_not_understood(tool: str, given: Any) -> None:
    """It may be a version of the program that names things otherwise: not to be let through."""
    with pytest.raises(Usage):
        called(claude, report("PreToolUse", tool, given))


def test_codexs_patches_and_shells_are_understood() -> None:
    """A patch is read whole; a shell is given as text or as a list of words."""
    call = called(codex, report("PreToolUse", "apply_patch", {"command": PATCH}), "codex")
    assert [(edit.path, edit.deletes, edit.hunks) for edit in call.edits] == [
        ("a.py", False, "@@\n-1\n+2\n"),
        ("b.py", True, ""),
    ]
    for ways in (
        {"command": "rm a"},
        {"command": ["bash", "-lc", "rm a"]},
        {"command": ["rm", "a"]},
        {"cmd": "rm a"},
    ):
        assert called(codex, report("PreToolUse", "Bash", ways), "codex").command == "rm a"
    assert called(codex, report("PreToolUse", "view_image", {"path": "a"}), "codex").edits == ()
    for wrong in ({"command": "no patch"}, {"command": 1}, {}):
        with pytest.raises(Usage):
            called(codex, report("PreToolUse", "apply_patch", wrong), "codex")


def test_other_moments_carry_no_tool() -> None:
    """A stop says whether it was refused before."""
    call = called(claude, report("Stop", stop_hook_active=True))
    assert (call.moment, call.again) == (Moment.STOP, True)
    assert called(codex, report("SessionStart", "apply_patch", 3), "codex").edits == ()
    assert called(claude, report("SessionEnd", "Edit", 3)).edits == ()


@pytest.mark.parametrize(
    ("event", "ruling", "answer"),
    [
        ("PreToolUse", Ruling(), {}),
        ("PreToolUse", Ruling(context="c"), {"hookSpecificOutput": {"hookEventName": "PreToolUse", "additionalContext": "c"}}),
        ("PreToolUse", DENIED, {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "held by agent-2"}}),
        ("SessionStart", Ruling(context="c"), {"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": "c"}}),
        ("SessionStart", DENIED, {"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": "held by agent-2"}}),
        ("UserPromptSubmit", DENIED, {"decision": "block", "reason": "held by agent-2"}),
        ("PostToolUse", Ruling(context="c"), {"hookSpecificOutput": {"hookEventName": "PostToolUse", "additionalContext": "c"}}),
        ("PostToolUseFailure", Ruling(), {}),
        ("Stop", Ruling(), {}),
        ("Stop", DENIED, {"decision": "block", "reason": "held by agent-2"}),
        ("Stop", Ruling(context="c"), {"systemMessage": "c"}),
        ("SessionEnd", Ruling(context="c"), {}),
        ("PostToolUse", Ruling(reason="r", suspend=True), {"continue": False, "stopReason": "r"}),
    ],
)  # fmt: skip
def test_rulings_become_answers(event: str, ruling: Ruling, answer: dict[str, Any]) -> None:
    """Both programs are answered alike; an allowed tool is never answered with "allow"."""
    assert claude.answered(event, ruling) == answer
    assert codex.answered(event, ruling) == answer


def test_codex_is_not_told_to_end_its_turn_before_a_tool() -> None:
    """It throws away a denial with ``continue`` in it, and runs the tool; Claude Code takes it."""
    ruling = Ruling(allowed=False, reason="paused", suspend=True)
    assert claude.answered("PreToolUse", ruling)["continue"] is False
    assert list(codex.answered("PreToolUse", ruling)) == ["hookSpecificOutput"]
    assert codex.answered("Stop", ruling)["continue"] is False


def test_a_denial_never_lacks_a_reason_and_answers_are_strict_json() -> None:
    """Codex takes a denial without a reason for none, and refuses half characters."""
    answer = wire.encoded(codex.answered("PreToolUse", Ruling(allowed=False)))
    assert json.loads(answer)["hookSpecificOutput"]["permissionDecisionReason"]
    odd = wire.encoded({"reason": "caf\u00e9 \udcff", "continue": False})
    assert odd.isascii()
    assert json.loads(odd) == {"reason": "caf\u00e9 ?", "continue": False}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b'{"a": "\xff"}', "malformed"),
        (b"[" * 100_000, "malformed"),
        (b"[]", "no object"),
        (b"{}", "hook_event_name"),
        (b'{"hook_event_name": "Invented"}', "Invented"),
        (b'{"hook_event_name": "PreToolUse", "cwd": "/w"}', "session_id"),
        (b'{"hook_event_name": "PreToolUse", "session_id": "c"}', "cwd"),
        (b'{"hook_event_name": "PreToolUse", "session_id": "c", "cwd": "w"}', "cwd"),
        (b'{"hook_event_name": 1}', "hook_event_name"),
        (b" " * (wire.BODY_BYTES_MAX + 1), str(wire.BODY_BYTES_MAX)),
    ],
    ids=range(12),
)
def test_what_is_not_understood_says_so(context: Context, body: bytes, says: str) -> None:
    """Every kind of broken report is an error in words, to be blocked by whoever asked."""
    with pytest.raises(Usage, match=says):
        front.answer(context, "claude", body)


def test_an_unknown_program_is_not_found(context: Context) -> None:
    """The error names those that are known."""
    with pytest.raises(NotFound, match="claude and codex"):
        front.answer(context, "emacs", b"{}")


def test_the_end_of_a_part_of_an_agent_passes(context: Context) -> None:
    """A subagent is no agent of its own: nothing is asked."""
    body = json.dumps(report("SubagentStop")).encode()
    assert front.answer(context, "claude", body) == b"{}"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["file_path", "command", "edits", "content", "x"]), inner),
    max_leaves=6,
)  # fmt: skip


@given(
    st.sampled_from([(claude, "claude"), (codex, "codex")]),
    st.sampled_from([
        "Edit",
        "MultiEdit",
        "Write",
        "Read",
        "Bash",
        "NotebookEdit",
        "apply_patch",
        "shell",
        "x",
    ]),
    _JSON,
)
def test_any_input_of_a_tool_is_understood_or_refused(dialect: Any, tool: str, given_: Any) -> None:
    """Nothing but Usage is raised."""
    try:
        called(dialect[0], report("PreToolUse", tool, given_), dialect[1])
    except Usage:
        return
