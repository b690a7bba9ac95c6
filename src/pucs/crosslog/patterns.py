"""Patterns in what happened that deserve a look: pure functions over entries, waits and holds of one window (000 §3.5).

Each detector answers for one kind alone and says what to do. A pattern is a hint, never a decision: nothing is refused
because of one. What a detector is given comes from indexed questions, so that its cost follows what happened lately and
not the length of the log.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pucs.core.resources import contains, overlaps
from pucs.core.severities import Severity
from pucs.crosslog.records import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pucs.crosslog.records import Entry

AGENTS_ON_FILE_MIN = 2
"""Agents that changed one file: "multiple" begins at two (000 §3.5)."""
AGENTS_ON_FILE_MEDIUM = 3
"""From three on it is no hand-over between two any more."""
AGENTS_ON_FILE_HIGH = 5
"""From five on the file is a place where everybody meets: it should be divided."""
TOLD = frozenset({"message sent", "conflict resolved"})
"""Entries of level CONFLICT about a conflict that has an entry of its own: an alert to its parties, its end."""
CONFLICTS_MIN = 5
"""Fewer conflicts in a window are chance, whatever their rate."""
CONFLICT_RATE_MEDIUM = 0.25
"""Conflicts per grant: one in four askers met somebody."""
CONFLICT_RATE_HIGH = 0.5
"""Every second asker met somebody: the boundaries do not follow the work (000 §11)."""
QUIET_S_MIN = 900.0
"""Silence after which a lease looks abandoned: half of the usual lease of 30 minutes without one call of its agent."""
ABANDONED_HIGH = 3
"""Leases that one agent left behind: from three on it is a habit or a crash loop, not an accident."""
STARVED_S_MIN = 60.0
"""Shorter waits are no starvation, however fast everybody else was."""
STARVED_FACTOR = 10.0
"""A wait of ten medians is far outside what the others saw."""
PASSED_OVER_MIN = 3
"""Later askers that were served first: compatible readers may pass, three of them are a pattern."""
WAITS_JUDGED_MAX = 100
"""Waits that are looked at, the longest first: whoever starves is among them."""
TIMEOUTS_MIN = 3
"""Timed-out waits of one agent for one resource."""
TURNS_MIN = 4
"""Turns of two agents on one file, A B A B: a single return may be a correction."""
TURNS_HIGH = 8
"""Twice as many: they undo or rework each other's changes."""
FILES_NAMED_MAX = 20
"""Files and evidence named in one pattern: the first ones say where to look, the log has the rest."""

EXPIRED, RECLAIMED, LAPSED = "lease expired", "lease reclaimed", "lease lapsed"
CLAIMED, TIMED_OUT = "lock claimed", "lock wait timed out"
NOTED = (EXPIRED, LAPSED, RECLAIMED, CLAIMED, TIMED_OUT)
"""Actions below the level of a change that detectors need; the store has an index of just these."""
GRANTS = ("lock granted", "lock reserved")
"""Actions that count as a grant."""


SEVERITIES = tuple(Severity)
"""From the least to the most urgent."""


class PatternKind(StrEnum):
    """What was recognised."""

    SHARED_FILE = "SHARED_FILE"
    """Several agents changed one file."""
    CONFLICT_RATE = "CONFLICT_RATE"
    """Many conflicts for the number of grants."""
    ABANDONED_LEASE = "ABANDONED_LEASE"
    """Leases that ended by time or death, or whose agent gives no sign."""
    STARVATION = "STARVATION"
    """A request that waits far longer than the others do."""
    PING_PONG = "PING_PONG"
    """Two agents change one file in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The stretch of time that was looked at."""

    since: str
    """Wall time, ISO 8601 UTC."""
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One thing in what happened that deserves a look (000 §3.5 ``Pattern``)."""

    kind: PatternKind
    severity: Severity
    message: str
    """What was seen, in one sentence with its figures."""
    files: tuple[str, ...] = ()
    """Resources concerned, at most ``FILES_NAMED_MAX``."""
    agents: tuple[str, ...] = ()
    """Agents concerned, sorted."""
    count: int
    """How often: agents on a file, conflicts, leases, waits, turns."""
    window: Window
    evidence: tuple[int, ...] = ()
    """Entries (``seq``) that show it, oldest first, at most ``FILES_NAMED_MAX``."""
    remedy: str
    """What to do next."""

    def document(self) -> dict[str, Any]:
        """Return the pattern as its JSON document."""
        return {
            "kind": self.kind.value,
            "severity": self.severity.value,
            "message": self.message,
            "files": list(self.files),
            "agents": list(self.agents),
            "count": self.count,
            "window": {"since": self.window.since, "until": self.window.until},
            "evidence": list(self.evidence),
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A request that waits now."""

    agent: str
    resources: tuple[str, ...]
    waited_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A live lease, with what is known of its agent."""

    agent: str
    resource: str
    quiet_s: float
    """Seconds since the last sign of the agent."""
    alive: bool | None
    """Whether its process lives; None: not known from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A wait that ended in a grant."""

    seq: int
    resources: tuple[str, ...]
    waited_s: float
    ago_s: float
    """Seconds since the grant was claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Everything the detectors look at, of one window."""

    window: Window
    changes: Sequence[Entry] = ()
    """Entries of level CHANGE."""
    conflicts: Sequence[Entry] = ()
    """Entries of level CONFLICT."""
    noted: Sequence[Entry] = ()
    """Entries with one of the actions ``NOTED``."""
    claims: Sequence[Claim] = ()
    grants: int = 0
    """Grants, waited for or not."""
    waits: Sequence[Wait] = ()
    holds: Sequence[Hold] = ()


def detect(seen: Observations) -> tuple[Pattern, ...]:
    """Return every pattern, the most urgent first; the order of waits and holds does not matter."""
    found = [pattern for detector in DETECTORS for pattern in detector(seen)]
    return tuple(
        sorted(
            found,
            key=lambda each: (
                -SEVERITIES.index(each.severity),
                each.kind,
                -each.count,
                each.files,
                each.agents,
            ),
        )
    )


def shared_files(seen: Observations) -> list[Pattern]:
    """Return the files that several agents changed."""
    found = []
    for file, entries in _by_file(seen.changes).items():
        agents = sorted({entry.agent for entry in entries})
        if len(agents) < AGENTS_ON_FILE_MIN:
            continue
        severity = _graded(len(agents), AGENTS_ON_FILE_MEDIUM, AGENTS_ON_FILE_HIGH)
        found.append(
            Pattern(
                kind=PatternKind.SHARED_FILE,
                severity=severity,
                message=f"{file} was changed by {len(agents)} agents: {', '.join(agents[:5])}{' …' if len(agents) > 5 else ''}.",  # noqa: PLR2004 - fits a line
                files=(file,),
                agents=tuple(agents),
                count=len(agents),
                window=seen.window,
                evidence=_seqs(entries),
                remedy="Lease its functions instead of the file, divide it, or let one stream own it.",
            )
        )
    return found


def conflict_rate(seen: Observations) -> list[Pattern]:
    """Return one pattern if there were many conflicts for the number of grants; advice: adjust the boundaries (000 §11)."""
    conflicts = [entry for entry in seen.conflicts if entry.action not in TOLD]
    count = len(conflicts)
    rate = count / max(1, seen.grants)
    if count < CONFLICTS_MIN or rate < CONFLICT_RATE_MEDIUM:
        return []
    met: dict[str, int] = defaultdict(int)
    for entry in conflicts:
        for file in set(entry.files):
            met[file] += 1
    files = sorted(met, key=lambda file: (-met[file], file))[:FILES_NAMED_MAX]
    where = f", most of them on {', '.join(files[:3])}" if files else ""
    return [
        Pattern(
            kind=PatternKind.CONFLICT_RATE,
            severity=_graded(rate, 0.0, CONFLICT_RATE_HIGH),
            message=f"{count} conflicts met {seen.grants} grants{where}.",
            files=tuple(files),
            agents=tuple(sorted({entry.agent for entry in conflicts if entry.agent})),
            count=count,
            window=seen.window,
            evidence=_seqs(conflicts),
            remedy="Adjust the boundaries: give these files to one stream, or let fewer agents work at once.",
        )
    ]


def abandoned_leases(seen: Observations) -> list[Pattern]:
    """Return, by agent, leases that ended without landing by time or death, and live ones whose agent gives no sign."""
    landed: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for entry in seen.changes:
        landed[entry.agent] += [(entry.seq, file) for file in entry.files]
    left: dict[str, list[Entry]] = defaultdict(list)
    files: dict[str, set[str]] = defaultdict(set)
    for entry in seen.noted:
        if entry.action not in {EXPIRED, RECLAIMED, LAPSED}:
            continue
        lost = [
            file for file in entry.files if not _landed_before(landed.get(entry.agent, ()), entry.seq, file)
        ]
        if lost:
            left[entry.agent].append(entry)
            files[entry.agent].update(lost)
    quiet: dict[str, list[Hold]] = defaultdict(list)
    for hold in seen.holds:
        if hold.alive is False or (hold.alive is None and hold.quiet_s >= QUIET_S_MIN):
            quiet[hold.agent].append(hold)
            files[hold.agent].add(hold.resource)
    found = []
    for agent in sorted(files):
        ended, silent = left.get(agent, []), quiet.get(agent, [])
        count = len(files[agent])
        parts = [f"{len(ended)} times let leases end without landing"] if ended else []
        if silent:
            longest_s = max(hold.quiet_s for hold in silent)
            gone = (
                "is gone" if silent[0].alive is False else f"has given no sign for {longest_s / 60:.0f} min"
            )
            parts.append(f"{gone} and still holds {len(silent)}")
        found.append(
            Pattern(
                kind=PatternKind.ABANDONED_LEASE,
                severity=_graded(count, 1, ABANDONED_HIGH) if ended else Severity.LOW,
                message=f"{agent or 'An agent'} {', and '.join(parts)}.",
                files=tuple(sorted(files[agent])[:FILES_NAMED_MAX]),
                agents=(agent,) if agent else (),
                count=count,
                window=seen.window,
                evidence=_seqs(ended),
                remedy="See whether it still works (pucs agents); free what is over with: pucs cleanup",
            )
        )
    return found


def starvation(seen: Observations) -> list[Pattern]:
    """Return waits that last far longer than the others did, were passed over, or timed out again and again."""
    usual_s = _middle([claim.waited_s for claim in seen.claims])
    bound_s = max(STARVED_S_MIN, STARVED_FACTOR * usual_s)
    found = []
    longest = sorted(seen.waits, key=lambda wait: (-wait.waited_s, wait.agent, wait.resources))
    for wait in longest[:WAITS_JUDGED_MAX]:
        passed = [
            claim
            for claim in seen.claims
            if claim.ago_s + claim.waited_s < wait.waited_s and _meet(claim.resources, wait.resources)
        ]
        if wait.waited_s < bound_s and len(passed) < PASSED_OVER_MIN:
            continue
        over = f"; {len(passed)} who asked later were served first" if passed else ""
        found.append(
            Pattern(
                kind=PatternKind.STARVATION,
                severity=Severity.HIGH,
                message=f"{wait.agent} has waited {wait.waited_s:.0f} s for {_named(wait.resources)}; "
                f"the usual wait is {usual_s:.1f} s{over}.",
                files=wait.resources[:FILES_NAMED_MAX],
                agents=(wait.agent,),
                count=max(1, len(passed)),
                window=seen.window,
                evidence=tuple(sorted(claim.seq for claim in passed))[:FILES_NAMED_MAX],
                remedy=f"See who is before it: pucs queue {wait.resources[0] if wait.resources else ''}".rstrip(),
            )
        )
    return found + _repeated_timeouts(seen)


def _repeated_timeouts(seen: Observations) -> list[Pattern]:
    timeouts: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in seen.noted:
        if entry.action == TIMED_OUT:
            for file in set(entry.files):
                timeouts[entry.agent, file].append(entry)
    return [
        Pattern(
            kind=PatternKind.STARVATION,
            severity=Severity.MEDIUM,
            message=f"{agent or 'An agent'} waited for {file} in vain {len(entries)} times.",
            files=(file,),
            agents=(agent,) if agent else (),
            count=len(entries),
            window=seen.window,
            evidence=_seqs(entries),
            remedy=f"See who holds it, and what else could be done meanwhile: pucs why {file}",
        )
        for (agent, file), entries in sorted(timeouts.items())
        if len(entries) >= TIMEOUTS_MIN
    ]


def ping_pong(seen: Observations) -> list[Pattern]:
    """Return the files that exactly two agents changed in turn; one agent alone never plays it."""
    found = []
    for file, entries in _by_file(seen.changes).items():
        agents = sorted({entry.agent for entry in entries})
        if len(agents) != 2:  # noqa: PLR2004 - two agents are what the word means
            continue
        turns = 1 + sum(one.agent != other.agent for one, other in pairwise(entries))
        if turns < TURNS_MIN:
            continue
        found.append(
            Pattern(
                kind=PatternKind.PING_PONG,
                severity=_graded(turns, TURNS_MIN, TURNS_HIGH),
                message=f"{agents[0]} and {agents[1]} changed {file} in turn, {turns} times.",
                files=(file,),
                agents=tuple(agents),
                count=turns,
                window=seen.window,
                evidence=_seqs(entries),
                remedy="Let one of them finish and hand over, or divide the file between them.",
            )
        )
    return found


DETECTORS: tuple[Callable[[Observations], list[Pattern]], ...] = (
    shared_files,
    conflict_rate,
    abandoned_leases,
    starvation,
    ping_pong,
)
"""Every detector there is."""


def _by_file(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    """Return the changes that agents made to each file, in the order of the log; a directory is no file.

    Where every change of a file says which symbols it was in, each symbol stands for itself: agents who work in different
    functions of one file do not meet.
    """
    files: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda each: each.seq):
        if entry.agent and entry.level is Level.CHANGE:
            for file in dict.fromkeys(entry.files):
                if not file.endswith("/"):
                    files[file].append(entry)
    found: dict[str, list[Entry]] = {}
    for file, changes in files.items():
        inside = [_symbols_in(file, entry) for entry in changes]
        if not all(inside):
            found[file] = changes
            continue
        for symbols, entry in zip(inside, changes, strict=True):
            for symbol in symbols:
                found.setdefault(symbol, []).append(entry)
    return found


def _symbols_in(file: str, entry: Entry) -> list[str]:
    named = entry.details.get("symbols")
    texts = [name for name in named if isinstance(name, str)] if isinstance(named, (list, tuple)) else []
    return [name for name in dict.fromkeys(texts) if name != file and contains(file, name)]


def _landed_before(landed: Iterable[tuple[int, str]], seq: int, file: str) -> bool:
    return any(at < seq and overlaps(path, file) for at, path in landed)


def _meet(some: Iterable[str], others: Iterable[str]) -> bool:
    others = tuple(others)
    return any(overlaps(one, other) for one in some for other in others)


def _middle(figures: Iterable[float]) -> float:
    """Return the middle of some figures, the lower one of two; 0 of none; ``statistics`` is slow to load."""
    ordered = sorted(figures)
    return ordered[(len(ordered) - 1) // 2] if ordered else 0.0


def _graded(figure: float, medium: float, high: float) -> Severity:
    if figure >= high:
        return Severity.HIGH
    return Severity.MEDIUM if figure >= medium else Severity.LOW


def _seqs(entries: Iterable[Entry]) -> tuple[int, ...]:
    return tuple(sorted({entry.seq for entry in entries}))[:FILES_NAMED_MAX]


def _named(resources: Sequence[str]) -> str:
    return ", ".join(resources[:3]) + (" …" if len(resources) > 3 else "")  # noqa: PLR2004 - fits a line
