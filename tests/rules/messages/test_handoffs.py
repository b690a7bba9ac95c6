"""Hand-offs: what has to be in one, and its three forms, each written and read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.core.errors import Usage
from pucs.messages import forms, handoffs
from pucs.messages.handoffs import Contents, HandOff, HandOffStatus, Signal

WHOLE = Contents(
    completed=("VAT",),
    test_status="47 tests pass",
    commits=("abc1234",),
    branch="feature/x",
    files_to_review=("shop/tax.py",),
)
WORDS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters=","), min_size=1).map(
    lambda text: " ".join(text.split())
)
LINES = st.lists(WORDS.filter(bool), max_size=4).map(tuple)


@st.composite
def contents(draw: st.DrawFn) -> Contents:
    """Contents as a person would write them: lines without a colon at the end or a box at the beginning."""
    plain = LINES.map(lambda items: tuple(f"x {item}" for item in items))
    return Contents(
        completed=draw(plain),
        pending=draw(plain),
        warnings=draw(plain),
        findings=draw(plain),
        prerequisites=draw(plain),
        new_interfaces=draw(plain),
        breaking_changes=draw(plain),
        test_status=draw(st.sampled_from(["", "47 pass, 2 fail", "not run"])),
        notes="\n".join(draw(plain)),
        commits=draw(plain),
        branch=draw(st.sampled_from(["", "a/b"])),
        files_to_review=draw(plain),
        related_files=draw(plain),
        changed_files=draw(plain),
        artifacts=draw(plain),
        dependencies_added=draw(plain),
        configuration_changes=draw(plain),
    )


def handoff(**more: Any) -> HandOff:
    made = HandOff(
        id=1,
        session="PUCS-20251207-001",
        giver="exec-agent-1",
        to=("exec-agent-2",),
        stream="EXEC",
        task="ORCH-001",
        contents=WHOLE,
        given_at="2025-12-07T10:00:00Z",
    )
    return replace(made, **more)


DOCUMENT_001 = {
    "from_agent": "risk-agent-1",
    "to_agents": ["exec-agent-1", "api-agent-1"],
    "timestamp": "2025-12-06T11:00:00Z",
    "completed_tasks": ["Risk manager refactoring", "Circuit breaker updates"],
    "context": {
        "new_interfaces": ["RiskEnforcementChain"],
        "breaking_changes": ["RiskManager.validate() signature changed to validate(order, context)"],
        "test_status": "all 47 tests passing",
        "notes": "Dependent modules should update imports and call signatures",
    },
}
DOCUMENT_002 = {
    "from_agent": "exec-agent-1",
    "to_agent": "exec-agent-2",
    "timestamp": "2025-12-07T10:00:00Z",
    "session_id": "PUCS-20251207-001",
    "context": {
        "completed": ["Fill predictor ML model added"],
        "pending": ["Integration tests needed", "Documentation update"],
        "warnings": ["fill_predictor.py has increased complexity"],
        "commits": ["abc1234", "def5678"],
        "branch": "feature/stream-exec-fill-predictor",
    },
    "stream_context": {
        "stream_id": "EXEC",
        "locked_files": [],
        "related_files": ["execution/fill_predictor.py"],
    },
    "files_to_review": ["execution/fill_predictor.py"],
}
FORM_004 = """\
## Agent Handoff Signal

**From**: backend-developer
**To**: test-automator
**Task**: ORCH-001
**Status**: COMPLETE

### Deliverables
- Created: src/bot/live/production_orchestrator.py
- Methods implemented: 8 public, 12 private
- Error handling: Try/except on all ML calls

### Context for Next Agent
- Test priorities: ML fallback mechanism
- Known Issues: slow start

### Artifacts
- New file: src/bot/live/production_orchestrator.py
- Updated: src/bot/live/trading_engine.py
"""


def test_the_documents_of_the_designs_are_read_and_written_as_they_are() -> None:
    """001's and 002's examples come back key by key."""
    assert forms.as_001(forms.from_001(DOCUMENT_001)) == DOCUMENT_001
    assert forms.as_002(forms.from_002(DOCUMENT_002)) == DOCUMENT_002
    assert forms.from_document(DOCUMENT_001).to == ("exec-agent-1", "api-agent-1")
    assert forms.from_document(DOCUMENT_002).stream == "EXEC"
    assert forms.from_document(DOCUMENT_002).signal == "PARTIAL_SUCCESS"
    assert forms.from_document(DOCUMENT_001).signal == "TASK_COMPLETE"


def test_further_context_survives() -> None:
    """What a document says beyond its form is kept and written again."""
    told = {**DOCUMENT_001, "context": {"coverage": 0.9, "notes": "n"}}
    read = forms.from_001(told)
    assert read.contents.extra == {"coverage": 0.9}
    assert forms.as_001(read)["context"]["coverage"] == 0.9


def test_the_markdown_of_the_design_is_read() -> None:
    """Its labels find their fields; what the form has no label for is kept where it fits."""
    read = forms.from_004(FORM_004)
    assert (read.giver, read.to, read.task) == ("backend-developer", ("test-automator",), "ORCH-001")
    assert (read.signal, read.status) == ("TASK_COMPLETE", HandOffStatus.COMPLETE)
    assert read.contents.changed_files == (
        "src/bot/live/production_orchestrator.py",
        "src/bot/live/production_orchestrator.py",
        "src/bot/live/trading_engine.py",
    )
    assert read.contents.completed == (
        "Methods implemented: 8 public, 12 private",
        "Error handling: Try/except on all ML calls",
    )
    assert read.contents.warnings == ("slow start",)
    assert read.contents.notes == "Test priorities: ML fallback mechanism"


@pytest.mark.parametrize(
    ("status", "signal"),
    [
        ("COMPLETE", "TASK_COMPLETE"),
        ("BLOCKED", "BLOCKED_ON_unknown"),
        ("partial", "PARTIAL_SUCCESS"),
        ("?", "TASK_COMPLETE"),
    ],
)
def test_a_status_stands_for_a_signal(status: str, signal: str) -> None:
    """A form without a signal says with its status how far the work is."""
    assert forms.from_004(f"**From**: ann\n**Status**: {status}\n").signal == signal


@given(told=contents(), signal=st.sampled_from(["READY_FOR_REVIEW", "BLOCKED_ON_db", "PARTIAL_SUCCESS"]))
def test_the_markdown_form_loses_nothing_it_shows(told: Contents, signal: str) -> None:
    """Written and read again it says the same, whoever it is for."""
    one = handoff(contents=told, signal=signal)
    read = forms.from_004(forms.as_004(one))
    assert read.contents == told
    assert (read.giver, read.to, read.task, read.signal) == (one.giver, one.to, one.task, signal)
    assert forms.from_004(forms.as_004(handoff(to=()))).to == ()


@given(told=contents())
def test_contents_come_back_from_plain_values(told: Contents) -> None:
    """Nothing is lost on the way to the store and back."""
    assert handoffs.from_plain(handoffs.as_plain(told)) == told


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"to_agents": ["b"]},
        {"from_agent": 3, "to_agents": []},
        {"from_agent": "a", "to_agents": [], "context": []},
        {"from_agent": "a", "to_agents": [], "completed_tasks": [1]},
        {"from_agent": "a", "to_agents": [], "context": {"notes": []}},
        {"from_agent": "a", "to_agents": 3},
    ],
)
def test_what_is_no_hand_off_is_refused(document: dict[str, Any]) -> None:
    """A wrong document is named as one, never half taken."""
    with pytest.raises(Usage):
        forms.from_document(document)


def test_a_form_without_a_giver_or_too_long_is_refused() -> None:
    """The Markdown form has to say from whom, and is bounded."""
    with pytest.raises(Usage, match="from whom"):
        forms.from_004("# Notes\n\nhello\n")
    with pytest.raises(Usage, match="too long"):
        forms.from_004("x" * (forms.MARKDOWN_LENGTH_MAX + 1))


def test_signals_are_those_of_the_design() -> None:
    """BLOCKED_ON names what it waits for; each signal has its status."""
    assert handoffs.signal_of("BLOCKED_ON_database") == (Signal.BLOCKED_ON, "database")
    assert [
        handoff(signal=name).status.value for name in ("READY_FOR_REVIEW", "BLOCKED_ON_x", "DISCOVERED_ISSUE")
    ] == [
        "COMPLETE",
        "BLOCKED",
        "PARTIAL",
    ]
    for wrong in ("", "BLOCKED_ON", "DONE"):
        with pytest.raises(Usage, match="BLOCKED_ON_x"):
            handoffs.signal_of(wrong)


@pytest.mark.parametrize(
    ("changes", "signal", "lacks"),
    [
        ({}, "TASK_COMPLETE", ()),
        ({"completed": ()}, "PARTIAL_SUCCESS", ("neither what is completed", "does not say what is pending")),
        ({"test_status": ""}, "READY_FOR_REVIEW", ("the state of the tests is not stated",)),
        ({}, "PARTIAL_SUCCESS", ("PARTIAL_SUCCESS does not say what is pending",)),
        ({}, "DISCOVERED_ISSUE", ("DISCOVERED_ISSUE does not say what the issue is",)),
        ({"warnings": ("w",)}, "DISCOVERED_ISSUE", ()),
        ({}, "BLOCKED_ON_", ("BLOCKED_ON_ does not say on what",)),
        (
            {"completed": (), "pending": ("p",)},
            "TASK_COMPLETE",
            ("TASK_COMPLETE does not say what is completed",),
        ),
        ({"completed": (), "pending": ("p",)}, "BLOCKED_ON_db", ()),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, Any], signal: str, lacks: tuple[str, ...]) -> None:
    """Everything at once, so that one more try is enough."""
    found = handoffs.missing(replace(WHOLE, **changes), signal)
    assert len(found) == len(lacks), found
    assert all(any(lack in one for one in found) for lack in lacks)


def test_what_does_not_exist_is_named() -> None:
    """Commits, files and the branch are looked for by the caller; each that is not there is named once."""
    told = replace(WHOLE, related_files=("shop/tax.py", "gone.py"))
    found = handoffs.missing(
        told, "TASK_COMPLETE", unknown_commits=["abc1234"], unknown_files=["gone.py"], branch_known=False
    )
    assert found == (
        "branch feature/x does not exist",
        "commit abc1234 does not exist",
        "file gone.py does not exist",
    )


@pytest.mark.parametrize(
    "told",
    [
        Contents(completed=("x",) * (handoffs.ITEMS_MAX + 1)),
        Contents(completed=("x" * (handoffs.ITEM_LENGTH_MAX + 1),)),
        Contents(notes="x" * (handoffs.NOTES_LENGTH_MAX + 1)),
        Contents(extra={"a": "x" * handoffs.EXTRA_LENGTH_MAX}),
        Contents(extra={"a": object()}),
    ],
)
def test_too_much_is_refused_and_not_cut(told: Contents) -> None:
    """A hand-off is read by agents: what is longer belongs into a file."""
    with pytest.raises(Usage):
        handoffs.checked(told)


def test_each_item_is_one_line() -> None:
    """Line breaks inside an item become spaces, empty items go."""
    tidy = handoffs.checked(Contents(completed=("a\n b", "  "), notes="x  \ny\n", test_status=" 4\npass"))
    assert (tidy.completed, tidy.notes, tidy.test_status) == (("a b",), "x\ny", "4 pass")


def test_who_may_accept() -> None:
    """Named receivers, or any other agent of the stream, whatever its case; never the giver."""
    assert handoff().concerns("exec-agent-2", "")
    assert not handoff().concerns("exec-agent-3", "EXEC")
    assert handoff(to=()).concerns("exec-agent-3", "exec")
    assert not handoff(to=()).concerns("api-agent-1", "API")
    assert not handoff(to=()).concerns("exec-agent-1", "EXEC")
    assert handoff(to=(), stream="").concerns("anybody", "")


@given(told=contents())
def test_a_hand_off_is_shown_to_agents_only_as_words_of_its_giver(told: Contents) -> None:
    """One line is ours, every other one is marked, whatever was handed over."""
    head, *lines = forms.quoted(handoff(contents=told)).splitlines()
    assert head.startswith("[PUCS hand-off 1 from agent exec-agent-1")
    assert all(line.startswith(">") and line.isprintable() for line in lines)


def test_names_are_one_line() -> None:
    """A task or a signal cannot begin a line of its own."""
    assert handoffs.one_line("T-1\n### Artifacts", "The task") == "T-1 ### Artifacts"
    with pytest.raises(Usage, match="task of the hand-off is too long"):
        handoffs.one_line("x" * 201, "The task")


def test_a_hand_off_has_its_document() -> None:
    """Everything that is known of it, in plain values."""
    document = handoff().document()
    assert (document["from"], document["status"], document["state"]) == ("exec-agent-1", "COMPLETE", "open")
    assert document["contents"]["commits"] == ["abc1234"]
