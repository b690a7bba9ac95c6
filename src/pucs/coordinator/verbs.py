"""The one table of verbs: what PUCS can be asked to do, by whom, and under which names at each door.

Doors are written by hand and held to this table by a test, so that a verb cannot be missing at one of them or be offered
to somebody it is not meant for (DESIGN §1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Audience(StrEnum):
    """Who may use a verb where doors check it."""

    AGENT = "agent"
    """An agent, for itself: its own leases, work, tasks and words."""
    OPERATOR = "operator"
    """A person, or whoever runs the session."""
    ANYONE = "anyone"
    """Reading only."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that can be asked."""

    home: str
    """``module:function`` below ``pucs.coordinator``."""
    audience: Audience
    command: str
    """Command line, without ``pucs``; empty: not offered there."""
    method: str
    """Method of ``PUCSClient``; empty: not offered there."""
    effect: str
    """What it does, in one clause."""
    here: str = ""
    """Why a server does not do it for an operator elsewhere, in one clause; empty: it does, or the verb is no operator's."""


_A, _O, _R = Audience.AGENT, Audience.OPERATOR, Audience.ANYONE
VERBS = (
    Verb("agents:register", _A, "", "register", "makes an agent known, with the process that owns it"),
    Verb("leases:acquire", _A, "lock", "acquire_locks", "leases files or directories, all or none"),
    Verb("leases:renew", _A, "", "renew_locks", "keeps leases alive, up to their longest life"),
    Verb(
        "releasing:give_up",
        _A,
        "unlock",
        "release_locks",
        "gives leases up; work under them lands or is kept",
    ),
    Verb("inspecting:why", _R, "why", "check_lock", "explains who covers, holds and waits for a resource"),
    Verb("intents:signal", _A, "intent", "signal_intent", "declares what an agent is going to change"),
    Verb("intents:clear", _A, "intent", "clear_intent", "takes a declared plan back"),
    Verb("intents:check", _R, "intent", "check_conflicts", "says what a plan would meet"),
    Verb("intents:intents", _R, "intent", "", "lists what agents plan to change"),
    Verb(
        "negotiating:negotiate", _A, "partition propose", "negotiate_partition", "proposes to divide a file"
    ),
    Verb(
        "dividing:accept", _A, "partition accept", "accept_partition", "divides leases on a file by symbols"
    ),
    Verb("dividing:refuse", _A, "partition refuse", "refuse_partition", "turns such a proposal down"),
    Verb("negotiating:partitions", _R, "partition list", "", "lists such proposals"),
    Verb("landing:land", _A, "land", "land", "brings an agent's work onto its stream's branch"),
    Verb("checks:run_tests", _A, "test", "run_tests", "runs a stream's tests and records how they ended"),
    Verb("committing:judge_files", _R, "check files", "", "says which files an agent may not commit"),
    Verb("checks:runs", _R, "test", "", "lists test runs"),
    Verb("syncing:sync", _A, "sync", "sync", "brings others' landed work into an agent's worktree"),
    Verb("log:log", _A, "", "log_change", "records what an agent did, in its words"),
    Verb("tasks:finish", _A, "", "complete_task", "marks a task as done"),
    Verb("posting:send", _A, "message send", "send_message", "sends an agent's words to others"),
    Verb("posting:report_conflict", _A, "message send", "report_conflict", "tells of a conflict it noticed"),
    Verb("posting:post", _A, "", "post", "does what a message of the protocol asks for"),
    Verb("messages:inbox", _A, "message inbox", "messages", "gives an agent its messages"),
    Verb("messages:acknowledge", _A, "message ack", "acknowledge", "says that messages were read"),
    Verb("messages:messages", _R, "message inbox", "", "lists every message"),
    Verb("handoffs:hand_off", _A, "handoff give", "handoff", "hands work over with its context"),
    Verb("handoffs:accept", _A, "handoff accept", "accept_handoff", "takes over context, leases, worktree"),
    Verb("handoffs:close", _A, "handoff close", "close_handoff", "takes a hand-off back"),
    Verb("handoffs:handoffs", _R, "handoff list", "handoffs", "lists hand-offs"),
    Verb("handoffs:handoff", _R, "handoff show", "", "shows one hand-off"),
    Verb("inspecting:locks", _R, "locks", "", "lists live leases"),
    Verb("inspecting:queue", _R, "queue", "", "lists who waits, in order"),
    Verb("log:entries", _R, "log", "", "reads the cross-log"),
    Verb("exporting:documents", _R, "export", "", "makes the state files of the designs"),
    Verb(
        "importing:import_files",
        _O,
        "import",
        "",
        "brings state files of the designs into the session",
        "reads files on the caller's disk, their times in the caller's time zone",
    ),
    Verb(
        "moving:depart",
        _O,
        "export",
        "",
        "closes an idle session so that it goes on in another store",
        "writes the session to the caller's disk, before anybody else can go on with it",
    ),
    Verb(
        "moving:arrive",
        _O,
        "import",
        "",
        "takes a session in from another store",
        "reads the session from the caller's disk, and may make the store that a server would need",
    ),
    Verb("patterns:detect", _R, "patterns", "", "tells patterns that deserve a look"),
    Verb("conflicts:conflicts", _R, "conflicts", "", "lists conflicts"),
    Verb("resolving:explained", _R, "conflicts", "", "shows one conflict and what can be done about it"),
    Verb("resolving:resolve", _O, "resolve", "", "settles a conflict by a strategy or a decision"),
    Verb("requesting:request", _A, "request", "request", "asks for work that another stream covers"),
    Verb("requesting:requests", _R, "request", "", "lists what was asked for across boundaries"),
    Verb("requesting:approve", _O, "request", "", "lets somebody cross a boundary for a while"),
    Verb("requesting:refuse", _O, "request", "", "refuses or ends a waiver"),
    Verb("status:status", _R, "status", "", "shows the session at a glance"),
    Verb("status:state", _R, "state", "", "prints the whole state"),
    Verb("status:agents_document", _R, "agents", "", "lists agents and what is known of their life"),
    Verb("tasks:tasks", _R, "task list", "", "lists tasks"),
    Verb("salvaging:salvages", _R, "salvage list", "", "lists work that was kept aside"),
    Verb("salvaging:show", _R, "salvage show", "", "shows one piece of it"),
    Verb("verifying:verify", _R, "verify", "", "checks that every change is accounted for"),
    Verb(
        "sessions:start",
        _O,
        "init",
        "",
        "starts a session",
        "starts at what the caller's checkout has out, and may write pucs.yaml there",
    ),
    Verb(
        "sessions:apply",
        _O,
        "config apply",
        "",
        "compiles the configuration into the store",
        "reads pucs.yaml in the caller's checkout, with the caller's environment",
    ),
    Verb(
        "tasks:import_tasks",
        _O,
        "task add",
        "",
        "brings tasks into the session",
        "reads a tasks file on the caller's disk, its paths as they are in the caller's checkout",
    ),
    Verb("pausing:pause", _O, "pause", "", "lets an agent stand still"),
    Verb("pausing:resume", _O, "resume", "", "lets a paused agent go on"),
    Verb("pausing:terminate", _O, "stop", "", "ends an agent for good"),
    Verb("leases:cleanup", _O, "cleanup", "", "ends leases that are over"),
    Verb(
        "salvaging:restore",
        _O,
        "salvage restore",
        "",
        "makes a branch of kept work",
        "makes the branch in the caller's repository, to be looked at there",
    ),
    Verb(
        "finalizing:finalize",
        _O,
        "finalize",
        "",
        "merges the streams in order and ends the session",
        "runs the tests with the caller's environment, for hours if need be, and moves branches of the caller's repository",
    ),
)
"""Every verb with a door of its own; what only verbs and the supervisor call has none."""
