"""What the programs make of each answer that ``pucs.hooks`` gives them; a new version may make something else of it."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from pucs.agents.calls import Ruling
from pucs.hooks import claude, codex, wire
from tests.clients.stage import Stage

EVENTS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd")
HOOK = """#!/bin/sh
cat >>$2/$1.log
[ ! -e $2/$1.json ] || cat $2/$1.json
[ $1 != Stop ] || rm -f $2/Stop.json
"""
"""Answers as it is told to; the end of a turn is refused once."""
SCRIPT = [
    {"edit": "a.py", "old": "a = 1", "new": "a = 10"},
    {"text": "done"},
    {"text": "done again"},
]
DENIED = Ruling(allowed=False, reason="PUCS-REASON")
TOLD = Ruling(context="PUCS-CONTEXT")
SUSPENDED = Ruling(allowed=False, reason="PUCS-REASON", suspend=True)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a run."""

    edited: bool
    told: bool
    """The model saw what PUCS said."""
    turns: int
    """How often the model was asked."""


EDITED = Outcome(edited=True, told=False, turns=2)
CASES = [
    ("claude", "PreToolUse", DENIED, Outcome(edited=False, told=True, turns=2)),
    ("codex", "PreToolUse", DENIED, Outcome(edited=False, told=True, turns=2)),
    ("claude", "PreToolUse", SUSPENDED, Outcome(edited=False, told=False, turns=1)),
    ("codex", "PreToolUse", SUSPENDED, Outcome(edited=False, told=True, turns=2)),
    ("claude", "PreToolUse", TOLD, Outcome(edited=True, told=True, turns=2)),
    ("codex", "PreToolUse", TOLD, Outcome(edited=True, told=True, turns=2)),
    ("claude", "PostToolUse", TOLD, Outcome(edited=True, told=True, turns=2)),
    ("codex", "PostToolUse", TOLD, Outcome(edited=True, told=True, turns=2)),
    ("claude", "PostToolUse", SUSPENDED, Outcome(edited=True, told=False, turns=1)),
    ("codex", "PostToolUse", SUSPENDED, Outcome(edited=True, told=True, turns=2)),
    ("claude", "SessionStart", TOLD, Outcome(edited=True, told=True, turns=2)),
    ("codex", "SessionStart", TOLD, Outcome(edited=True, told=True, turns=2)),
    ("claude", "SessionStart", SUSPENDED, Outcome(edited=True, told=True, turns=2)),
    ("codex", "SessionStart", SUSPENDED, Outcome(edited=False, told=False, turns=0)),
    ("claude", "UserPromptSubmit", TOLD, Outcome(edited=True, told=True, turns=2)),
    ("codex", "UserPromptSubmit", TOLD, Outcome(edited=True, told=True, turns=2)),
    ("claude", "UserPromptSubmit", SUSPENDED, Outcome(edited=False, told=False, turns=0)),
    ("codex", "UserPromptSubmit", SUSPENDED, Outcome(edited=False, told=False, turns=0)),
    ("claude", "Stop", DENIED, Outcome(edited=True, told=True, turns=3)),
    ("codex", "Stop", DENIED, Outcome(edited=True, told=True, turns=3)),
    ("claude", "Stop", TOLD, EDITED),
    ("codex", "Stop", TOLD, EDITED),
]


class Play:
    """One run of a program with command hooks."""

    def __init__(self, stage: Stage, program: str) -> None:
        self.stage = stage
        self.program = program
        self.answers = stage.root / "answers"
        self.answers.mkdir()
        hook = stage.root / "hook"
        hook.write_text(HOOK)
        hook.chmod(0o755)
        self._settings = {
            event: [{"hooks": [{"type": "command", "command": f"{hook} {event} {self.answers}"}]}]
            for event in EVENTS
        }
        self.work = stage.root / "work"
        self.work.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=self.work, check=True)
        (self.work / "a.py").write_text("a = 1\n")

    def answer(self, event: str, ruling: Ruling) -> None:
        """Let a hook answer with a ruling."""
        dialect: ModuleType = {"claude": claude, "codex": codex}[self.program]
        (self.answers / f"{event}.json").write_bytes(wire.encoded(dialect.answered(event, ruling)))

    def run(self, mode: str = "acceptEdits") -> Outcome:
        """Run the program to its end."""
        self.stage.models.script("x", SCRIPT)
        environment = self.stage.environment("x")
        document = json.dumps({"hooks": self._settings})
        if self.program == "claude":
            settings = self.stage.root / "settings.json"
            settings.write_text(document)
            call = ["claude", "-p", "Do it", "--permission-mode", mode, "--settings", str(settings)]
        else:
            Path(environment["CODEX_HOME"], "hooks.json").write_text(document)
            call = ["codex", "exec", "-s", "workspace-write", "--dangerously-bypass-hook-trust", "Do it"]
        subprocess.run(
            call,
            cwd=self.work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=50,
            check=False,
        )
        asked = self.stage.models.requests("x")
        return Outcome(
            edited=(self.work / "a.py").read_text() == "a = 10\n",
            told=any("PUCS-" in str(one) for one in asked),
            turns=len(asked),
        )

    def reported(self, event: str) -> str:
        """Return all that was reported for an event."""
        return (self.answers / f"{event}.log").read_text()


@pytest.mark.parametrize(("program", "event", "ruling", "outcome"), CASES)
def test_each_answer_does_what_the_reference_says(
    stage: Stage, program: str, event: str, ruling: Ruling, outcome: Outcome
) -> None:
    """See docs/reference/hooks.md: which answers stop a tool, end a turn, and reach the model."""
    play = Play(stage, program)
    play.answer(event, ruling)
    assert play.run() == outcome


@pytest.mark.parametrize("program", ["claude", "codex"])
def test_what_is_reported_is_understood(stage: Stage, program: str) -> None:
    """The edit is in the report of the tool, as the program itself sends it."""
    play = Play(stage, program)
    assert play.run() == EDITED
    report = wire.document(play.reported("PreToolUse").strip().encode())
    moment = wire.MOMENTS[wire.event(report)]
    assert moment
    dialect: ModuleType = {"claude": claude, "codex": codex}[program]
    call = dialect.understood(report, wire.begun(report, program, moment, agent="", secret=""))
    assert [Path(call.cwd, edit.path) for edit in call.edits] == [play.work / "a.py"]
    assert call.cwd == str(play.work)
    for event in EVENTS:
        assert wire.event(wire.document(play.reported(event).split("\n")[0].encode())) == event


def test_what_pucs_allows_still_needs_the_persons_consent(stage: Stage) -> None:
    """Claude Code asks for permission as it would without the hook, so an edit nobody can consent to does not happen."""
    play = Play(stage, "claude")
    play.answer("PreToolUse", TOLD)
    assert play.run(mode="default") == Outcome(edited=False, told=True, turns=2)
