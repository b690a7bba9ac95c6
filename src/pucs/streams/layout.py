"""Every key of the configuration, said once: what it may hold, what it becomes, and a sentence for editors.

The keys are those of 000 §10 and 002 §2.2, which are one layout with different ones left out, and the new ones of
DESIGN §7. ``pucs.schema.json`` next to this module is made from these tables; the test that keeps it current
says how.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any, Final

from pucs.core.documents import Node, Placed, Scalar
from pucs.core.shapes import INVALID, Field, Flag, Later, Listed, Named, Number, Reading, Table, Text, Texts
from pucs.streams.patterns import split

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE: Final = 60
HOUR: Final = 3600
AGENTS_MAX: Final = 1000
"""Most agents a stream or run may ask for: the load that the store is measured with (DESIGN §9)."""
DURATION_DAYS_MAX: Final = 30
"""Longest session or wait; beyond that a number is a slip of units."""
_DAY_MIN: Final = 24 * 60

RATE_MAX: Final = 1000
"""Most grants in one period: each decision looks at that many past ones."""
_RATE = re.compile(r"(?P<times>[0-9]{1,9}) */ *(?P<unit>s|min|h)")
_PERIODS_S: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
_REF = re.compile(r"[^\s~^:?*\[\\\x00-\x1f]+")
_REF_REFUSED = re.compile(r"(^[/.-])|//|\.\.|@\{|/\.|\.lock(/|$)|[/.]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text with ``{names}`` to fill in."""

    known: tuple[str, ...]
    needed: tuple[str, ...]
    """Names without which two of them would be the same."""
    ref: bool = False
    """It becomes a branch name."""

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the template with its place."""
        text = Text(empty=False).read(node, reading)
        if text is INVALID:
            return INVALID
        try:
            names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
        except ValueError:
            reading.problems.add(node, f"the braces of {str(text)!r} do not close; write {{{self.known[0]}}}")
            return INVALID
        for name in names:
            if name not in self.known:
                reading.problems.add(node, f"{{{name}}} is not known here; known are {_braced(self.known)}")
                return INVALID
        missing = [name for name in self.needed if name not in names]
        if missing:
            reading.problems.add(node, f"{_braced(missing)} is missing, so that names would collide")
            return INVALID
        filled = text.format(**dict.fromkeys(self.known, "x"))
        if self.ref and (not _REF.fullmatch(filled) or _REF_REFUSED.search(filled)):
            reading.problems.add(node, f"{str(text)!r} does not make a branch name that git accepts")
            return INVALID
        return text

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the template."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may happen: ``10/min``."""

    def read(self, node: Node, reading: Reading) -> Any:
        """Return how many times in how many seconds."""
        text = Text(numbers=True).read(node, reading)
        if text is INVALID:
            return INVALID
        found = _RATE.fullmatch(text)
        if found is None or not 0 < int(found["times"]) <= RATE_MAX:
            reading.problems.add(
                node, f"{str(text)!r} is no rate; write NUMBER/s, NUMBER/min or NUMBER/h, at most {RATE_MAX}"
            )
            return INVALID
        return int(found["times"]), _PERIODS_S[found["unit"]]

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a rate."""
        return {
            "type": "string",
            "pattern": f"^{_RATE.pattern.replace('?P<times>', '').replace('?P<unit>', '')}$",
        }


@dataclass(frozen=True, slots=True)
class Gate:
    """What a finding comes to: ``off``, ``warn`` or ``refuse``; YAML takes a bare ``off`` for a truth value."""

    choices: tuple[str, ...] = ("off", "warn", "refuse")

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the word with its place."""
        if isinstance(node, Scalar) and node.value is False:
            return Placed("off", node.line, node.column)
        return Text(choices=self.choices).read(node, reading)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the word."""
        return {"enum": [*self.choices, False]}


def minutes(doc: str, to: str, *, above: bool = True) -> Field:
    """Return the field of a duration that people write in minutes and records keep in seconds."""
    return Field(
        shape=Number(maximum=DURATION_DAYS_MAX * _DAY_MIN, above=above, scale=MINUTE), doc=doc, to=to
    )


def seconds(doc: str) -> Field:
    """Return the field of a duration in seconds."""
    return Field(shape=Number(maximum=DURATION_DAYS_MAX * _DAY_MIN * MINUTE, above=True), doc=doc)


PATTERNS: Final = Texts(split=split)
_COMMAND: Final = Text(expand=False)

STREAM: Final = Table({
    "name": Field(shape=Text(numbers=True), to="title", doc="What people call the stream."),
    "description": Field(shape=Text(), doc="One sentence on its focus."),
    "files_pattern": Field(
        shape=PATTERNS,
        required=True,
        doc="Glob patterns of its files, comma-separated or as a list; ** matches zero or more directories.",
    ),
    "max_agents": Field(
        shape=Number(minimum=1, maximum=AGENTS_MAX, whole=True), doc="Most agents at work in it at once."
    ),
    "dependencies": Field(
        shape=Texts(), doc="Streams, or paths and so the streams that cover them, that merge before it."
    ),
    "test_pattern": Field(shape=PATTERNS, doc="Glob patterns of its tests."),
    "test_required": Field(
        shape=Flag(), doc="A landing needs a passing test run of this stream on what lands."
    ),
    "critical": Field(shape=Flag(), doc="Its changes need extra review."),
    "critical_files": Field(shape=PATTERNS, doc="Its files that have the limits of critical files."),
    "agent_templates": Field(shape=Texts(), doc="Kinds of agents meant for it."),
})

CRITICAL_FILE: Final = Table(
    {
        "path": Field(shape=Text(empty=False), required=True, doc="Path or glob pattern."),
        "max_lock_duration_min": minutes("Longest lease on it, renewals included.", "max_lock_duration_s"),
        "requires_review": Field(shape=Flag(), doc="A person approves changes before they reach the target."),
        "test_required": Field(shape=Flag(), doc="A landing needs a passing test run."),
    },
    short="path",
)

GENERATED: Final = Table(
    {
        "path": Field(
            shape=Text(empty=False), required=True, doc="Path or glob pattern of files that need no lease."
        ),
        "command": Field(shape=_COMMAND, doc="Shell command that makes them anew after merging."),
    },
    short="path",
)

RESOURCE: Final = Table({
    "concurrency": Field(
        shape=Number(minimum=1, maximum=AGENTS_MAX, whole=True), doc="Agents that may hold it at once."
    ),
    "rate": Field(shape=Rate(), doc="Most grants in a second, minute or hour: 10/min."),
})

PROGRAM: Final = Table({
    "model": Field(shape=Text(numbers=True), doc="Model, in the program's own words."),
    "arguments": Field(shape=Listed(Text(numbers=True)), doc="Extra arguments of the program, one by one."),
    "executable": Field(
        shape=Text(empty=False), doc="The program's file, if it is not found by its name on the search path."
    ),
})

CONFIGURATION: Final = Table({
    "session": Field(
        doc="How long a session may take and how it ends.",
        shape=Table({
            "max_duration_hours": Field(
                shape=Number(maximum=DURATION_DAYS_MAX * 24, above=True, scale=HOUR),
                to="max_duration_s",
                doc="Longest time of one session.",
            ),
            "auto_finalize": Field(shape=Flag(), doc="Finalize when the last task is done."),
        }),
    ),
    "streams": Field(shape=Named(STREAM), doc="Named parts of the code, each with a boundary."),
    "critical_files": Field(shape=Listed(CRITICAL_FILE), doc="Shared files with limits of their own."),
    "locks": Field(
        doc="How long leases live and waiters wait.",
        to="limits",
        shape=Table({
            "default_duration_min": minutes("Length of a lease that names none.", "default_duration_s"),
            "max_duration_min": minutes("Longest lease, renewals included.", "max_duration_s"),
            "queue_timeout_min": minutes("Longest wait in the queue.", "queue_timeout_s", above=False),
            "claim_ttl_s": seconds("Time a woken process has to claim its grant before it passes on."),
        }),
    ),
    "logging": Field(
        doc="What the cross-log keeps.",
        shape=Table({
            "level": Field(
                shape=Text(choices=("DEBUG", "INFO", "CHANGE", "CONFLICT", "ERROR")),
                to="logging_level",
                doc="Least level shown and exported; what changes the state is stored at every level.",
            ),
            "persist_path": Field(
                shape=Text(), to="logging_persist_path", doc="File that the log is exported to as JSON lines."
            ),
            "max_entries": Field(
                shape=Number(whole=True),
                to="logging_max_entries",
                doc="Most entries kept, apart from those that open work needs; 0: all.",
            ),
        }),
    ),
    "conflict_resolution": Field(
        doc="How conflicts are resolved.",
        shape=Table({
            "auto_merge": Field(shape=Flag(), doc="Try to merge changes that touch the same file."),
            "partition_enabled": Field(shape=Flag(), doc="Divide contested files between agents."),
            "arbitration_timeout_min": minutes("Longest wait for a decision.", "arbitration_timeout_s"),
        }),
    ),
    "store": Field(
        shape=Text(), doc="Where the store is, a path or a database URL; empty: in the git common directory."
    ),
    "resources": Field(
        shape=Named(RESOURCE),
        doc="Limits of named resources (res:NAME) by name or glob pattern; without one a single agent holds it at a time.",
    ),
    "generated": Field(
        shape=Listed(GENERATED), doc="Generated and always-touched files; they need no lease."
    ),
    "worktrees": Field(
        doc="How the checkouts of agents are made.",
        shape=Table({
            "path": Field(
                shape=Template(known=("repo", "agent", "session"), needed=("agent",)),
                doc="Directory of a worktree, relative to the main checkout; {repo} {agent} {session}.",
            ),
            "setup": Field(shape=_COMMAND, doc="Shell command run once in a new worktree."),
            "setup_timeout_s": seconds("Longest time the set-up may take."),
            "copy": Field(shape=Texts(), doc="Untracked files copied from the main checkout, such as .env."),
            "sign_commits": Field(shape=Flag(), doc="Sign agents' commits as your git is configured to."),
        }),
    ),
    "branches": Field(
        doc="Names of the branches that PUCS makes; {session} {stream} {agent}.",
        shape=Table({
            "session": Field(
                shape=Template(known=("session",), needed=("session",), ref=True),
                doc="Branch that the streams of a session are merged to.",
            ),
            "stream": Field(
                shape=Template(known=("stream", "session"), needed=("stream",), ref=True),
                doc="Branch of a stream, which its agents land on.",
            ),
            "agent": Field(
                shape=Template(known=("agent", "stream", "session"), needed=("agent",), ref=True),
                doc="Branch of an agent's worktree.",
            ),
        }),
    ),
    "merge": Field(
        doc="How streams become one result.",
        shape=Table({
            "test_command": Field(
                shape=_COMMAND, doc="Shell command that must pass on the merged result of each phase."
            ),
            "test_timeout_s": seconds("Longest time it may take."),
            "phases": Field(
                shape=Listed(Texts()), doc="Lists of streams in merge order, instead of the computed order."
            ),
            "accept": Field(
                shape=Text(choices=("auto", "review")),
                doc="What PUCS may merge where git cannot: auto what is proved, review what is guessed as well.",
            ),
        }),
    ),
    "tests": Field(
        doc="How the tests of a stream are run.",
        shape=Table({
            "required": Field(
                shape=Text(choices=("warn", "refuse", "off")),
                doc="What a landing without a passing run comes to, on streams with a test_pattern.",
            ),
            "command": Field(
                shape=_COMMAND,
                doc="Shell command; {files} stands for the files that the stream's test_pattern matches.",
            ),
            "timeout_s": seconds("Longest time one run may take."),
        }),
    ),
    "agents": Field(
        doc="How agents are run.",
        shape=Table({
            "count": Field(
                shape=Number(maximum=AGENTS_MAX, whole=True),
                doc="Most agents at work at once; 0: the sum over the streams.",
            ),
            "timeout_min": minutes("Longest time of one attempt at a task.", "timeout_s"),
            "attempts": Field(
                shape=Number(minimum=1, maximum=100, whole=True), doc="Attempts at a task before it fails."
            ),
            "output_max_mb": Field(
                shape=Number(maximum=1024, above=True, whole=True, scale=1024 * 1024),
                to="output_bytes_max",
                doc="Output kept per attempt; the rest is counted and dropped.",
            ),
            "programs": Field(
                shape=Named(PROGRAM), doc="How agent programs (claude, codex) are started, by their name."
            ),
        }),
    ),
    "readiness": Field(
        doc="What disorder in the code, as `pucs readiness` finds it, means for a run.",
        shape=Table({
            "gate": Field(
                shape=Gate(),
                doc="off: a run does not look; warn: it says what was found; refuse: it does not start.",
            ),
            "severity": Field(
                shape=Text(choices=("high", "medium", "low")), doc="Least severity that counts for the gate."
            ),
            "ignore": Field(
                shape=Listed(Text(empty=False, expand=False)),
                doc="Ids of findings that are accepted, and glob patterns of files that are not looked at.",
            ),
        }),
    ),
    **{
        key: Field(shape=Later(), doc=f"{doc} (not used yet).")
        for key, doc in (
            ("isolation", "Worktree per agent, per stream, or one shared checkout"),
            ("enforcement", "How strictly leases bind agents"),
            ("review", "Who reviews which changes"),
            ("alerts", "Who is told about what"),
            ("budget", "How much agents may spend"),
        )
    },
})


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the whole configuration, for editors."""
    about: Mapping[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "PUCS configuration",
        "description": "pucs.yaml, pucs_config.yaml or config/pucs_streams.yaml",
    }
    return {**about, **CONFIGURATION.schema()}


def _braced(names: tuple[str, ...] | list[str]) -> str:
    return " ".join(f"{{{name}}}" for name in names)
