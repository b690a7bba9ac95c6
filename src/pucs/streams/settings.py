"""One whole configuration as records; apart from the other records because light commands never need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pucs.streams.records import CriticalFile, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long leases live and waiters wait (000 §10 ``locks``)."""

    default_duration_s: float = 30 * 60.0
    """Length of a lease that names none."""
    max_duration_s: float = 120 * 60.0
    """Longest lease, renewals included."""
    queue_timeout_s: float = 60 * 60.0
    """Longest wait in the queue."""
    claim_ttl_s: float = 2.0
    """Time a woken process has to claim its grant before it passes on (DESIGN §3.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimit:
    """How much of a named resource may be had at once, and how often (``resources``)."""

    name: str
    """Name without ``res:``, or a glob pattern of names, each of which has the limit for itself."""
    concurrency: int = 1
    """Agents that may hold it at once."""
    rate: int = 0
    """Grants in any ``period_s``; 0: as many as there are."""
    period_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorktreeSettings:
    """How agents' worktrees are made (DESIGN §5 Isolation)."""

    path: str = "../{repo}.pucs/{agent}"
    """Template of a worktree's directory, relative to the main checkout; ``{repo} {agent} {session}``."""
    setup: str = ""
    """Shell command run once in a new worktree."""
    setup_timeout_s: float = 600.0
    """Longest time the set-up may take."""
    copy: tuple[str, ...] = ()
    """Untracked files copied from the main checkout, such as ``.env``."""
    sign_commits: bool = False
    """Let agents' commits be signed as the user's git is configured; off, so that none waits for a passphrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSettings:
    """Names of the branches PUCS makes (000 §5.1, 001 §5.2); ``{session} {stream} {agent}``."""

    session: str = "pucs/session-{session}"
    stream: str = "pucs/stream/{stream}-{session}"
    agent: str = "pucs/agent/{agent}-{session}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeSettings:
    """How streams become one result."""

    test_command: str = ""
    """Shell command that must pass on the merged result of each phase; empty: no gate."""
    test_timeout_s: float = 1800.0
    """Longest time it may take."""
    phases: tuple[tuple[str, ...], ...] = ()
    """Overrides the order computed from dependencies."""
    accept: str = "auto"
    """What of a file that git cannot merge is taken: ``auto`` what is proved, ``review`` what is guessed as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSettings:
    """How the tests of a stream are run, and what a landing without them comes to."""

    __test__: ClassVar[bool] = False  # pytest: this is no test

    required: str = "warn"
    """``warn``, ``refuse`` or ``off``: a landing on a stream with a ``test_pattern`` that no passing run covers."""
    command: str = "python -m pytest -q {files}"
    """Shell command; ``{files}`` stands for the files that the stream's ``test_pattern`` matches."""
    timeout_s: float = 1800.0
    """Longest time one run may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessSettings:
    """What disorder in the code means for a run (002 §0)."""

    gate: str = "off"
    """``off``: a run does not look; ``warn``: it says what was found; ``refuse``: it does not start."""
    severity: str = "high"
    """Least severity that counts for the gate: ``high``, ``medium`` or ``low``."""
    ignore: tuple[str, ...] = ()
    """Ids of findings that are accepted, and glob patterns of files that are not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSettings:
    """How one agent program is started (``agents.programs``)."""

    name: str
    """Word on the command line: ``claude``, ``codex``."""
    model: str = ""
    """Model in the program's own words; empty: its default."""
    arguments: tuple[str, ...] = ()
    """Extra arguments of the program."""
    executable: str = ""
    """The program's file; empty: found by its name on the search path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """How agents are run."""

    count: int = 0
    """Most agents at work at once over all streams; 0: the sum of the streams' ``max_agents``."""
    timeout_s: float = 3600.0
    """Longest time one command may take."""
    attempts: int = 2
    """Attempts at a task before it counts as failed."""
    output_bytes_max: int = 10 * 1024 * 1024
    """Output kept per attempt; the rest is counted and dropped."""
    programs: tuple[ProgramSettings, ...] = ()
    """Programs that are not started as they come."""

    def program(self, name: str) -> ProgramSettings:
        """Return how a program is started."""
        found = (settings for settings in self.programs if settings.name == name)
        return next(found, None) or ProgramSettings(name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One whole configuration, validated; times in seconds."""

    source: str = ""
    """File it was read from; empty for the built-in default."""
    store: str = ""
    """Where the store is; empty: in the git common directory."""
    max_duration_s: float = 8 * 3600.0
    """``session.max_duration_hours``."""
    auto_finalize: bool = False
    """``session.auto_finalize``: finalize when the last task is done."""
    streams: tuple[Stream, ...] = ()
    critical_files: tuple[CriticalFile, ...] = ()
    generated: tuple[str, ...] = ()
    """Patterns of files that need no lease; an ``{path, command}`` entry contributes its path."""
    generated_commands: tuple[tuple[str, str], ...] = ()
    """Patterns of generated files with the shell command that makes them anew."""
    limits: Limits = field(default_factory=Limits)
    resources: tuple[ResourceLimit, ...] = ()
    """Limits of named resources, in configured order."""
    logging_level: str = "INFO"
    logging_max_entries: int = 0
    """``logging.max_entries``; 0: keep all."""
    logging_persist_path: str = ""
    """``logging.persist_path`` (becomes an export)."""
    auto_merge: bool = True
    partition_enabled: bool = True
    arbitration_timeout_s: float = 15 * 60.0
    worktrees: WorktreeSettings = field(default_factory=WorktreeSettings)
    branches: BranchSettings = field(default_factory=BranchSettings)
    merge: MergeSettings = field(default_factory=MergeSettings)
    tests: TestSettings = field(default_factory=TestSettings)
    agents: AgentSettings = field(default_factory=AgentSettings)
    readiness: ReadinessSettings = field(default_factory=ReadinessSettings)
    warnings: tuple[str, ...] = ()
    """What is allowed but deserves a look, each with file and line."""
