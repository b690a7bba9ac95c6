"""What may not happen when a process is killed or stopped at a step of landing: the rules, over notes and git alone.

Each rule is a function from what was seen to what broke it. The entries that the system shows of itself are compared with
git and with the agents' notes, never believed in place of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from proof import checker
from proof.checker import MARKERS
from proof.records import Evidence, History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NS = 1e9
SLACK_S = 3.0
"""How much later than its bound an answer may come on a busy machine."""
STARTED = ("core/a.txt", "core/b.txt", "core/c.txt", "core/d.txt", "core/e.txt", "api/x.txt", "api/y.txt")
"""Files of the world; the directory is the stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of a branch, as git's own record of the ref has it."""

    tip: str
    lines: Mapping[str, tuple[str, ...]]
    """Agents' lines at it, by file."""
    follows: bool = True
    """It contains where the branch was before."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything that was seen of one case."""

    notes: list[dict[str, Any]]
    """Of all processes, in the order of their clock."""
    killed: frozenset[int] = frozenset()
    """Processes that were killed: what they called need not have been answered."""
    moves: Mapping[str, list[Move]]
    """Of each stream's branch, of the session's (``session``) and of the target (``release``), oldest first."""
    passed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where each of these branches was at moments in between."""
    evidence: Evidence
    """For the rules that are the same in whole sessions."""
    history: History
    entries: list[dict[str, Any]]
    """The log that the system shows in the end."""
    held: tuple[str, ...] = ()
    """Leases that are live in the end, though nobody is."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """How the commands that followed ended."""
    told: Mapping[str, str] = field(default_factory=dict)
    """What they printed."""
    expected: tuple[str, ...] = ()
    """Agents that have to be served in the end."""
    serve_s_max: float = 10.0
    """Longest time from asking to the grant, and from then to the landing."""
    busy_s: float = 0.0
    """Longest wait for the gate, where a process was stopped inside it; 0: nobody was."""
    unfinished: str = ""
    """A process that did not come to its end."""

    @cached_property
    def wrote(self) -> list[dict[str, Any]]:
        """Return the notes of lines that were written."""
        return [note for note in self.notes if note["kind"] == "wrote"]

    def tip(self, name: str) -> Mapping[str, tuple[str, ...]]:
        """Return the lines at the end of a branch."""
        return self.moves[name][-1].lines if self.moves.get(name) else {}


Broken = str


def nothing_lost(seen: Seen) -> Iterator[Broken]:
    """Every line that was written is on a ref or on the disk."""
    for note in seen.wrote:
        if note["line"] not in seen.history.kept and note["line"] not in seen.history.on_disk:
            yield f"{note['line']!r} of {note['agent']} is on no ref and on no disk"


def acknowledged(seen: Seen) -> Iterator[Broken]:
    """What was said to have landed is on the stream, and what was granted is in the log."""
    for answer in seen.notes:
        if answer["kind"] != "answered" or answer["verb"] != "land" or not answer["ok"]:
            continue
        for note in seen.wrote:
            ours = (
                note["agent"] == answer["agent"]
                and note["t"] < answer["t"]
                and note["file"] in answer["paths"]
            )
            if ours and note["line"] not in seen.tip(stream_of(note["file"])).get(note["file"], ()):
                yield f"{answer['agent']} was told that {note['file']} had landed, and {note['line']!r} is not there"
    listed = {
        token
        for entry in seen.entries
        if entry["action"] in {"lock granted", "lock reserved"}
        for token in entry["details"].get("tokens", ())
    }
    for note in seen.notes:
        for token in note.get("tokens", ()) if note["kind"] == "granted" else ():
            if token not in listed:
                yield f"token {token} was given to {note['agent']}, and no entry says so"


def nothing_doubled(seen: Seen) -> Iterator[Broken]:
    """No line is in a file twice, or in one that it was not written to; no conflict markers are left."""
    home = {note["line"]: note["file"] for note in seen.wrote}
    for name in seen.moves:
        for file, lines in seen.tip(name).items():
            for line, times in Counter(lines).items():
                if line.startswith(MARKERS):
                    yield f"{file} on {name} has conflict markers"
                elif times > 1:
                    yield f"{line!r} is {times} times in {file} on {name}"
                elif home.get(line) != file:
                    yield f"{line!r} is in {file} on {name}, and was not written to it"


def straight_line(seen: Seen) -> Iterator[Broken]:
    """No branch goes back or aside: each move contains the one before, and where it was seen it has moved to."""
    for name, moves in seen.moves.items():
        for move in moves:
            if not move.follows:
                yield f"{name} moved to {move.tip[:12]}, which does not contain where it was before"
        tips = [move.tip for move in moves]
        for tip in seen.passed.get(name, ()):
            if tip not in tips:
                yield f"{name} was seen at {tip[:12]}, which is on its line no more"


def whole_changes(seen: Seen) -> Iterator[Broken]:
    """What belongs together is on a stream whole or not at all, after each of its moves."""
    changes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for note in seen.wrote:
        changes[note["change"]].append((note["file"], note["line"]))
    for name, moves in seen.moves.items():
        for move in moves:
            for change, parts in changes.items():
                there = [line in move.lines.get(file, ()) for file, line in parts]
                if any(there) and not all(there):
                    lacking = [file for (file, _), has in zip(parts, there, strict=True) if not has]
                    yield f"{name} at {move.tip[:12]} has {change} without {', '.join(lacking)}"


def records(seen: Seen) -> Iterator[Broken]:
    """Each move of a branch has one entry, in the order of the moves, and each entry its move."""
    for name, moves in seen.moves.items():
        tips = [move.tip for move in moves[1:]]
        said = [entry["details"]["commit"] for entry in seen.entries if _of(entry, name)]
        if name == "session":  # one merge may bring several streams, each with an entry of its own
            pairs = Counter(
                (entry["stream"], entry["details"]["commit"]) for entry in seen.entries if _of(entry, name)
            )
            twice = [commit for (_, commit), times in pairs.items() if times > 1]
            said = [*dict.fromkeys(said), *twice]
        if said != tips:
            yield f"{name} moved to {_short(tips)}, and its entries say {_short(said)}"


def fencing(seen: Seen) -> Iterator[Broken]:
    """Whoever was granted a file saw all that earlier holders have on its stream: nothing old lands over newer work."""
    for look in seen.notes:
        if look["kind"] != "sees":
            continue
        granted = _granted(seen, look["pid"], look["file"], look["t"])
        for note in seen.wrote:
            if note["file"] != look["file"] or note["pid"] == look["pid"]:
                continue
            before = _granted(seen, note["pid"], note["file"], note["t"])
            landed = note["line"] in seen.tip(stream_of(note["file"])).get(note["file"], ())
            if (
                landed
                and before is not None
                and granted is not None
                and before < granted
                and note["line"] not in look["lines"]
            ):
                yield f"{note['line']!r} landed, and {look['agent']}, who was granted {look['file']} later, did not see it"


def tokens(seen: Seen) -> Iterator[Broken]:
    """Tokens grow from grant to grant, and along the commits that change a file."""
    given = [note for note in seen.notes if note["kind"] == "granted"]
    for one, other in pairwise(given):
        if min(other["tokens"]) <= max(one["tokens"]):
            yield f"{other['agent']} was given token {min(other['tokens'])} after {one['agent']} was given {max(one['tokens'])}"
    yield from _as_in_sessions(seen, checker.tokens)


def served(seen: Seen) -> Iterator[Broken]:
    """The next agent gets the file in time, and its work lands."""
    for name in seen.expected:
        mine = [note for note in seen.notes if note.get("agent") == name]
        asked = next(
            (note["t"] for note in mine[::-1] if note["kind"] == "asks" and "core/a.txt" in note["files"]),
            None,
        )
        granted = next(
            (note["t"] for note in mine if note["kind"] == "granted" and "core/a.txt" in note["files"]), None
        )
        if asked is None or granted is None:
            said = next((note for note in mine[::-1] if note["kind"] in {"refused", "fails"}), {})
            yield f"{name} did not get core/a.txt: {said.get('reason') or said.get('message') or 'it was not answered'}"
            continue
        if (granted - asked) / NS > seen.serve_s_max + SLACK_S:
            yield f"{name} waited {(granted - asked) / NS:.1f} s for core/a.txt"
        lines = [
            note["line"] for note in seen.wrote if note["agent"] == name and note["file"] == "core/a.txt"
        ]
        if not lines or lines[-1] not in seen.tip("core").get("core/a.txt", ()):
            last = next((note for note in mine[::-1] if note["kind"] in {"answered", "fails"}), {})
            yield f"the work of {name} on core/a.txt did not land: {last.get('message', 'no answer')}"


def told(seen: Seen) -> Iterator[Broken]:
    """Every call is answered, or fails with words; only who was killed is excused."""
    if seen.unfinished:
        yield seen.unfinished
    for note in seen.notes:
        refused = note["kind"] == "fails" or (note["kind"] == "answered" and not note["ok"])
        if refused and not note.get("message"):
            yield f"{note['verb']} of {note['agent']} came to nothing without a word"
    last = {note["pid"]: note for note in seen.notes}
    for pid, note in last.items():
        if note["kind"] != "ends" and pid not in seen.killed:
            yield f"process {pid} ended by itself, after it {note['kind']} {note.get('verb', '')}".rstrip()


def gate(seen: Seen) -> Iterator[Broken]:
    """Whoever meets a gate whose holder is stopped is told so, or comes through, within the bound."""
    if not seen.busy_s:
        return
    last: dict[int, int] = {}
    for note in seen.notes:
        before = last.get(note["pid"])
        last[note["pid"]] = note["t"]
        if note["kind"] == "stops" or before is None or note["kind"] == "goes on":
            continue
        if (note["t"] - before) / NS > seen.busy_s + SLACK_S:
            yield f"a step of process {note['pid']} took {(note['t'] - before) / NS:.1f} s ({note['kind']})"
    stopped = {str(note["pid"]) for note in seen.notes if note["kind"] == "stops"}
    for note in seen.notes:
        if note["kind"] == "fails" and note["code"] == "store_busy" and note["pid"] not in map(int, stopped):
            if not any(pid in note["message"] for pid in stopped) and "idle" not in note["message"]:
                yield f"the answer names nobody: {note['message']}"
            if not note["remedy"]:
                yield f"the answer says no remedy: {note['message']}"


def checkout(seen: Seen) -> Iterator[Broken]:
    """The person's checkout is as it was: HEAD, index and files."""
    before, after = seen.evidence.checkout_before, seen.evidence.checkout_after
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"{name} in the person's checkout is not as it was"


def clean_end(seen: Seen) -> Iterator[Broken]:
    """In the end nothing is held, every command went well, the result has all that landed, and the system's own check agrees."""
    for held in seen.held:
        yield f"{held} is held though nobody is left"
    for name, status in seen.statuses.items():
        if status:
            yield f"pucs {name} ended with {status}: {' '.join(seen.told.get(name, '').split())[:300]}"
    for line in {line for name in ("core", "api") for lines in seen.tip(name).values() for line in lines}:
        if not any(line in lines for lines in seen.tip("release").values()):
            yield f"{line!r} is on its stream and not in the result"
    yield from _as_in_sessions(seen, checker.merge_order)


def protocol(seen: Seen) -> Iterator[Broken]:
    """Commits say whose they are and under which tokens; no stream's commit changes another's files."""
    yield from _as_in_sessions(seen, checker.protocol)
    yield from _as_in_sessions(seen, checker.boundaries)


RULES: tuple[Callable[[Seen], Iterator[Broken]], ...] = (
    nothing_lost,
    acknowledged,
    nothing_doubled,
    straight_line,
    whole_changes,
    records,
    fencing,
    tokens,
    served,
    told,
    gate,
    checkout,
    protocol,
    clean_end,
)
NAMES = tuple(rule.__name__.replace("_", " ") for rule in RULES)


def judge(seen: Seen) -> list[tuple[str, str]]:
    """Return every rule that was broken, with what broke it."""
    return [(name, what) for name, rule in zip(NAMES, RULES, strict=True) for what in rule(seen)]


def stream_of(file: str) -> str:
    """Return the stream that a file belongs to."""
    return file.partition("/")[0]


def _granted(seen: Seen, pid: int, file: str, before: int) -> int | None:
    """Return when a process was last granted a file before a moment."""
    return next(
        (
            note["t"]
            for note in reversed(seen.notes)
            if note["kind"] == "granted"
            and note["pid"] == pid
            and file in note["files"]
            and note["t"] <= before
        ),
        None,
    )


def _of(entry: dict[str, Any], name: str) -> bool:
    action: str = entry["action"]
    if name == "session":
        return action == "merged"
    if name == "release":
        return action == "target moved"
    return action == "landed" and bool(entry["stream"] == name)


def _short(commits: list[str]) -> str:
    return ", ".join(commit[:12] for commit in commits) or "nothing"


def _as_in_sessions(seen: Seen, rule: Callable[[checker.Case], Iterator[Any]]) -> Iterator[Broken]:
    for violation in rule(checker.Case(seen.evidence, [], seen.history)):
        yield violation.what
