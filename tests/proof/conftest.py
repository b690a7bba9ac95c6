"""Made-up sessions for the checker."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)

from proof import checker  # noqa: E402 - the line above makes it importable wherever pytest was called
from proof.records import Claim, Commit, Evidence, History, Note, Stream, Task  # noqa: E402

TEXT = "[alpha]\nbase\n"


@dataclass
class Session:
    """A session with two streams, ``core`` and ``shop`` which depends on it, told in the order in which it happened."""

    notes: list[Note] = field(default_factory=list)
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    evidence: Evidence = field(
        default_factory=lambda: Evidence(
            name="S",
            base="base",
            result="result",
            branches={"core": "core", "shop": "shop"},
            streams={"core": Stream(prefix="core/"), "shop": Stream(prefix="shop/", after=("core",))},
            tasks={
                "t1": Task(stream="core", declared=("core/a", "x")),
                "t2": Task(stream="shop", declared=("shop/a", "x")),
            },
            claims={"t1": Claim(state="done"), "t2": Claim(state="done")},
        )
    )
    files: dict[str, str] = field(default_factory=lambda: {"x": TEXT})
    kept: set[str] = field(default_factory=set)
    on_disk: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin with a commit of the user's."""
        self.commits["base"] = Commit(id="base", parents=(), subject="first", time_s=0)
        self.refs = {f"refs/heads/{branch}": "base" for branch in ("result", "core", "shop")}

    def say(
        self, t: int, nonce: str, kind: str, *, task: str = "t1", role: str = "agent", **fields: Any
    ) -> None:
        """Add a note."""
        self.notes.append(Note(t, kind, task, nonce, role, fields))

    def works(
        self,
        nonce: str,
        begin: int,
        end: int,
        *,
        file: str = "x",
        task: str = "t1",
        how: str = "declared",
        seen: tuple[str, ...] = (),
        section: str = "alpha",
    ) -> str:
        """Let an attempt work on a file and be done; return the line it wrote, which is kept."""
        line = f"~ {nonce}"
        self.say(begin, nonce, "begin", task=task, file=file, how=how, seen=list(seen))
        self.say(begin + 1, nonce, "wrote", task=task, file=file, how=how, section=section, line=line)
        self.say(end, nonce, "end", task=task, file=file, how=how)
        self.say(end, nonce, "done", task=task)
        self.kept.add(line)
        return line

    def commit(
        self,
        name: str,
        *parents: str,
        stream: str = "core",
        changes: tuple[str, ...] = (),
        tokens: tuple[int, ...] = (),
        subject: str = "",
        task: str = "t1",
        time_s: int = 10,
        **named: str,
    ) -> None:
        """Add a commit as an agent makes it."""
        trailers = {
            "PUCS-Agent": f"{stream}-1",
            "PUCS-Stream": stream,
            "PUCS-Session": "S",
            "PUCS-Task": task,
        }
        trailers |= {key.replace("_", "-"): value for key, value in named.items()}
        self.commits[name] = Commit(
            id=name,
            parents=parents,
            subject=subject or f"[PUCS-{stream}] feat: {name}",
            time_s=time_s,
            trailers=(
                *((key, value) for key, value in trailers.items() if value),
                *(("PUCS-Token", str(token)) for token in tokens),
            ),
            changes=dict.fromkeys(changes, (f"before {name}", f"after {name}")),
        )

    def tip(self, branch: str, commit: str) -> None:
        """Move a branch."""
        self.refs[f"refs/heads/{branch}"] = commit

    def result(self, *lines: str, file: str = "x") -> None:
        """Set a file on the session's branch."""
        self.files[file] = "\n".join([*TEXT.split("\n")[:-1], *lines, ""])

    def claim(self, **states: str) -> None:
        """Set what the system says of tasks."""
        self.evidence = replace(
            self.evidence, claims={name: Claim(state=state) for name, state in states.items()}
        )

    def case(self) -> checker.Case:
        """Return it as the checker wants it."""
        landed = {line for text in self.files.values() for line in text.split("\n") if line.startswith("~ ")}
        found = History(
            commits=self.commits,
            refs=self.refs,
            base_files={"x": TEXT},
            result_files=self.files,
            landed=frozenset(landed),
            kept=frozenset(self.kept),
            on_disk=frozenset(self.on_disk),
        )
        notes = sorted(self.notes, key=lambda note: note.t)
        return checker.Case(self.evidence, notes, found)


@pytest.fixture
def told() -> Session:
    """Return an empty made-up session."""
    return Session()
