"""Judges one session against the rules that must never break, from the agents' notes and from git alone.

Each rule is a function from the records to the violations it finds. None of them believes the system under proof: its
claims are compared with what was seen, never used in place of it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from proof.records import LINE, Commit, Evidence, History, Note, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARKERS = ("<<<<<<< ", "=======", ">>>>>>> ", "||||||| ")
"""What git leaves in a file that it could not merge."""
SUBJECT = re.compile(
    r"\[PUCS-(?P<stream>[^\]]+)\] (feat|fix|refactor|docs|test|chore|perf|style|build|ci): \S.*"
)
"""First line of every commit made under coordination."""
CLOCK_S = 1
"""Committer times have a resolution of one second."""
NS = 1_000_000


@dataclass(slots=True)
class Attempt:
    """What one attempt's notes say, those of its children included."""

    nonce: str
    task: str
    begins: dict[str, int] = field(default_factory=dict)
    """First moment of work on each file."""
    lasts: dict[str, int] = field(default_factory=dict)
    """Last moment of work on each file, by any of its processes."""
    seen: dict[str, frozenset[str]] = field(default_factory=dict)
    """Others' lines that were in each file when work on it began."""
    how: dict[str, str] = field(default_factory=dict)
    """``declared``, ``asked`` (leased from inside), ``looked`` (the same, without an edit and so without a need to bring
    it up to date) or ``undeclared``."""
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    """File, section and text of each line it wrote, in order."""
    done: bool = False
    """It said that it was done."""
    last: int = 0
    """Its last note of all."""


@dataclass(frozen=True)
class Case:
    """All records of one session."""

    evidence: Evidence
    notes: list[Note]
    history: History

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Return the attempts in the order in which they began."""
        found: dict[str, Attempt] = {}
        for note in self.notes:
            attempt = found.setdefault(note.nonce, Attempt(note.nonce, note.task))
            attempt.last = max(attempt.last, note.t)
            if note.kind == "begin":
                attempt.begins.setdefault(note.file, note.t)
                attempt.seen.setdefault(note.file, frozenset(note.fields["seen"]))
                attempt.how.setdefault(note.file, note.fields["how"])
            elif note.kind == "wrote":
                attempt.lines.append((note.file, note.fields["section"], note.fields["line"]))
            elif note.kind == "done":
                attempt.done = True
            if note.kind in {"begin", "still", "wrote", "end"}:
                for file in note.files:
                    attempt.lasts[file] = max(attempt.lasts.get(file, 0), note.t)
        return list(found.values())

    @cached_property
    def result_lines(self) -> dict[str, list[str]]:
        """Return agents' lines on the session's branch by file, in order."""
        return {
            path: [line for line in text.split("\n") if line.startswith(LINE)]
            for path, text in self.history.result_files.items()
        }

    @cached_property
    def merged(self) -> frozenset[str]:
        """Return every line that is on the session's branch."""
        return frozenset(line for lines in self.result_lines.values() for line in lines)

    @cached_property
    def above(self) -> dict[str, int]:
        """Return for each commit the set of its ancestors and itself, as bits."""
        sets: dict[str, int] = {}
        for number, commit in enumerate(self.history.commits.values()):
            bits = 1 << number
            for parent in commit.parents:
                bits |= sets.get(parent, 0)
            sets[commit.id] = bits
        return sets

    @cached_property
    def bit(self) -> dict[str, int]:
        """Return the bit of each commit."""
        return {name: 1 << number for number, name in enumerate(self.history.commits)}

    def contains(self, descendant: str, ancestor: str) -> bool:
        """Tell whether a commit is reachable from another."""
        return bool(self.above.get(descendant, 0) & self.bit.get(ancestor, 0))

    def reached(self, tips: Iterator[str] | list[str]) -> list[Commit]:
        """Return the commits of the session that these lead to, parents first."""
        bits = 0
        for tip in tips:
            bits |= self.above.get(tip, 0)
        bits &= ~self.above.get(self.evidence.base, 0)
        return [commit for commit in self.history.commits.values() if bits & self.bit[commit.id]]

    @cached_property
    def landed(self) -> list[Commit]:
        """Return the commits on the streams' branches."""
        return self.reached([self.history.tip(branch) for branch in self.evidence.branches.values()])

    @cached_property
    def work(self) -> list[Commit]:
        """Return the landed commits that change files, without merges and without plain undoing."""
        return [
            commit
            for commit in self.landed
            if len(commit.parents) == 1 and commit.changes and not self._undoes(commit)
        ]

    def _undoes(self, commit: Commit) -> bool:
        """Tell whether a commit only sets files back to what one of its ancestors left."""
        above = self.above[commit.id] & ~self.bit[commit.id]
        past: dict[str, set[str]] = defaultdict(set)
        for other in self.history.commits.values():
            if above & self.bit[other.id]:
                for path, (before, after) in other.changes.items():
                    past[path] |= {before, after}
        return all(after in past[path] for path, (_, after) in commit.changes.items())

    def declares(self, task: str, file: str) -> bool:
        """Tell whether a task declared a file."""
        known = self.evidence.tasks.get(task)
        return known is not None and any(
            file == name or (name.endswith("/") and file.startswith(name)) for name in known.declared
        )


def exclusion(case: Case) -> Iterator[Violation]:
    """Nobody works on a leased file while another attempt does (rule 1)."""
    by_file: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in case.attempts:
        for file, how in attempt.how.items():
            if how != "undeclared":
                by_file[file].append(attempt)
    for file, attempts in sorted(by_file.items()):
        attempts.sort(key=lambda attempt: attempt.begins[file])
        holder = attempts[0]
        for attempt in attempts[1:]:
            over = holder.lasts[file] - attempt.begins[file]
            if over > 0:
                yield Violation(
                    rule="exclusion",
                    what=f"{_name(holder)} still worked on {file} {over / NS:.1f} ms after {_name(attempt)} had begun",
                )
            if attempt.lasts[file] > holder.lasts[file]:
                holder = attempt


def fresh_base(case: Case) -> Iterator[Violation]:
    """Whoever was given a file finds in it all that had landed before, and builds its commits on that (rule 5)."""
    landed = case.history.landed | case.merged
    for later in case.attempts:
        for file, began in later.begins.items():
            if later.how[file] in {"undeclared", "looked"}:
                continue
            for earlier in case.attempts:
                if earlier is later or earlier.how.get(file) in {None, "undeclared"} or earlier.last >= began:
                    continue
                missing = [
                    line
                    for path, _, line in earlier.lines
                    if path == file and line in landed and line not in later.seen[file]
                ]
                if missing:
                    what = f"{_name(later)} began on {file} without {missing[0]!r}, landed by {_name(earlier)} before"
                    yield Violation(rule="fresh base", what=what)
    for file, commits in _by_file(case).items():
        leased = [commit for commit in commits if case.declares(commit.trailer("PUCS-Task"), file)]
        for one, other in pairwise(leased):
            if not case.contains(other.id, one.id):
                what = f"{_short(other)} changes {file} and is not built on {_short(one)}, which changed it before"
                yield Violation(rule="fresh base", what=what)


def nothing_lost(case: Case) -> Iterator[Violation]:
    """Every line an agent wrote is on a ref or still on the disk, and on the result if its task is done (rule 7)."""
    for attempt in case.attempts:
        for file, _, line in attempt.lines:
            if line not in case.history.kept and line not in case.history.on_disk:
                what = f"{line!r}, written to {file} by {_name(attempt)}, is on no ref and in no worktree"
                yield Violation(rule="nothing lost", what=what)
    for task, claim in case.evidence.claims.items():
        tries = [attempt for attempt in case.attempts if attempt.task == task]
        brought = [attempt for attempt in tries if any(line in case.merged for *_, line in attempt.lines)]
        if len(brought) > 1:
            names = ", ".join(map(_name, brought))
            yield Violation(
                rule="nothing doubled", what=f"the result has work of several attempts at {task}: {names}"
            )
        if claim.state == "failed":
            for attempt in brought:
                what = f"{task} failed, and the result has work of {_name(attempt)}"
                yield Violation(rule="nothing doubled", what=what)
        if claim.state != "done":
            continue
        if not any(_all_there(case, attempt) for attempt in brought):
            what = f"{task} is done, and the result lacks (part of) its work; {len(tries)} attempts, {len(brought)} of them there"
            yield Violation(rule="nothing lost", what=what)


def nothing_doubled(case: Case) -> Iterator[Violation]:
    """The result's files are the base's with each agent's lines once, whole, in their section and order (rule 9)."""
    began = {
        line: attempt.begins.get(file, attempt.last)
        for attempt in case.attempts
        for file, _, line in attempt.lines
    }
    leased = {
        line
        for attempt in case.attempts
        for file, _, line in attempt.lines
        if attempt.how.get(file) != "undeclared"
    }
    home = {line: (file, section) for attempt in case.attempts for file, section, line in attempt.lines}
    for path, text in case.history.result_files.items():
        marks = [line for line in text.split("\n") if line.startswith(MARKERS)]
        if marks:
            yield Violation(rule="nothing doubled", what=f"{path} has conflict markers: {marks[0]!r}")
        lines = case.result_lines[path]
        for line in sorted({line for line in lines if lines.count(line) > 1}):
            yield Violation(rule="nothing doubled", what=f"{line!r} is {lines.count(line)} times in {path}")
        yield from _shape(path, text, case.history.base_files.get(path), home)
        for section, written in sections(text).items():
            order = [began[line] for line in written if line in leased]
            if order != sorted(order):
                what = f"[{section}] of {path} has its lines in another order than they were written in"
                yield Violation(rule="nothing doubled", what=what)
    for path in case.history.base_files:
        if path not in case.history.result_files and case.history.result_files:
            yield Violation(rule="nothing doubled", what=f"{path} is gone from the result")


def checkout(case: Case) -> Iterator[Violation]:
    """The user's checkout is as it was: HEAD, index, files, untracked and ignored ones (rule 7)."""
    before, after = case.evidence.checkout_before, case.evidence.checkout_after
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            kind = "changed" if name in before and name in after else "gone" if name in before else "new"
            yield Violation(rule="checkout", what=f"{name} in the user's checkout is {kind}")


def protocol(case: Case) -> Iterator[Violation]:
    """Landed commits say whose they are and under which tokens they were made (rule 4)."""
    names = {name.casefold() for name in case.evidence.streams}
    for commit in case.landed:
        found = SUBJECT.fullmatch(commit.subject)
        if found is None or found["stream"].casefold() not in names:
            yield Violation(rule="protocol", what=f"{_short(commit)} does not follow the protocol")
        for key in ("PUCS-Agent", "PUCS-Stream", "PUCS-Session"):
            if not commit.trailer(key):
                yield Violation(rule="protocol", what=f"{_short(commit)} has no {key}")
    for commit in case.work:
        if not commit.tokens or min(commit.tokens) <= 0:
            yield Violation(rule="protocol", what=f"{_short(commit)} changes files and names no token")


def tokens(case: Case) -> Iterator[Violation]:
    """Along the commits that change a file, tokens grow, and none is used by two agents (rule 4)."""
    for file, commits in _by_file(case).items():
        for at, later in enumerate(commits):
            for earlier in commits[:at]:
                same = _grant(earlier) == _grant(later)
                if same or not case.contains(later.id, earlier.id) or not (earlier.tokens and later.tokens):
                    continue
                if max(later.tokens) <= max(earlier.tokens):
                    what = (
                        f"{file}: {_short(later)} has token {max(later.tokens)} and comes after "
                        f"{_short(earlier)} with {max(earlier.tokens)}"
                    )
                    yield Violation(rule="tokens", what=what)
    users: dict[int, set[str]] = defaultdict(set)
    for commit in case.work:
        for token in commit.tokens:
            users[token].add(commit.trailer("PUCS-Agent"))
    for token, agents in sorted(users.items()):
        if len(agents) > 1:
            yield Violation(rule="tokens", what=f"token {token} was used by {', '.join(sorted(agents))}")


def boundaries(case: Case) -> Iterator[Violation]:
    """A stream's own commits change no file that another stream covers (DESIGN §2)."""
    for commit in case.work:
        own = commit.trailer("PUCS-Stream")
        for path in commit.changes:
            for name, stream in case.evidence.streams.items():
                if path.startswith(stream.prefix) and name.casefold() != own.casefold():
                    yield Violation(
                        rule="boundaries", what=f"{_short(commit)} of {own} changes {path} of {name}"
                    )


def merge_order(case: Case) -> Iterator[Violation]:
    """Streams come to the session's branch by merges, after what they depend on and what they synced from (rule 5)."""
    chain = _chain(case)
    if chain is None:
        yield Violation(rule="merge order", what=f"{case.evidence.result} does not begin at the base")
        return
    tips = [case.history.tip(branch) for branch in case.evidence.branches.values()]
    for commit in chain:
        if len(commit.parents) < 2:
            yield Violation(rule="merge order", what=f"{_short(commit)} on the session's branch is no merge")
        elif not all(any(case.contains(tip, parent) for tip in tips) for parent in commit.parents[1:]):
            yield Violation(rule="merge order", what=f"{_short(commit)} merges what no stream has")
        else:
            yield from _too_early(case, commit)
    merged = case.above.get(case.history.tip(case.evidence.result), 0)
    if all(claim.state in {"done", "failed"} for claim in case.evidence.claims.values()):
        for name, branch in case.evidence.branches.items():
            tip = case.history.tip(branch)
            if tip and not merged & case.bit[tip]:
                yield Violation(rule="merge order", what=f"stream {name} is not on the session's branch")


def _too_early(case: Case, commit: Commit) -> Iterator[Violation]:
    """Yield what a merge brings before something that had to come first or with it."""
    groups = _groups(case)
    before = case.above[commit.parents[0]]
    brought = [one for one in case.work if case.above[commit.id] & ~before & case.bit[one.id]]
    streams = {_stream(case, one) for one in brought} - {""}
    if any(streams - groups[name] for name in streams):
        what = f"{_short(commit)} brings {', '.join(sorted(streams))} at once, which do not belong together"
        yield Violation(rule="merge order", what=what)
    for name in sorted(streams):
        first = _needed(case, name) - set().union(*(groups[one] for one in streams))
        late = [
            one
            for one in case.work
            if _stream(case, one) in first
            and one.time_s < commit.time_s - CLOCK_S
            and not before & case.bit[one.id]
        ]
        for other in sorted({_stream(case, one) for one in late}):
            what = f"{_short(commit)} brings {name} before all of {other}, on which it depends"
            yield Violation(rule="merge order", what=what)


def clean_end(case: Case) -> Iterator[Violation]:
    """Nothing of the session lives on, and no worktree holds work that no ref explains."""
    for process in case.evidence.survivors:
        yield Violation(rule="clean end", what=f"still alive: {process}")
    for place in case.history.unexplained:
        yield Violation(rule="clean end", what=f"{place} has content that is nowhere else")


def honest(case: Case) -> Iterator[Violation]:
    """The system's own check says the same as this one (rule 8); called last, with everything else found."""
    if case.evidence.verified != 0:
        text = " ".join(case.evidence.verified_text.split())[:300]
        yield Violation(
            rule="honest", what=f"its own check ended with {case.evidence.verified} and says: {text}"
        )


def progress(case: Case) -> Iterator[Violation]:
    """The session comes to its end within its bounds, every task done or failed with a reason (rule 10)."""
    if not case.evidence.finished:
        yield Violation(
            rule="progress", what=f"the session did not end; runs ended with {list(case.evidence.statuses)}"
        )
    for name, task in case.evidence.tasks.items():
        claim = case.evidence.claims.get(name)
        if claim is None or claim.state not in {"done", "failed"}:
            yield Violation(
                rule="progress", what=f"{name} is {claim.state if claim else 'unknown'} in the end"
            )
        elif claim.state == "failed" and not claim.result:
            yield Violation(rule="progress", what=f"{name} failed without a reason")
        elif claim.state == "failed" and not task.doomed:
            yield Violation(rule="progress", what=f"{name} could be done and failed: {claim.result[:200]}")
        elif claim.state == "done" and task.doomed:
            yield Violation(rule="progress", what=f"{name} is done, though it cannot succeed")
    statuses = list(case.evidence.statuses)
    for _ in range(case.evidence.unreachable):
        statuses.remove(4)
    for status in statuses:
        if status not in {0, 1, 130, -9}:
            yield Violation(rule="progress", what=f"a run ended with status {status}")


RULES: tuple[Callable[[Case], Iterator[Violation]], ...] = (
    exclusion,
    fresh_base,
    nothing_lost,
    nothing_doubled,
    checkout,
    protocol,
    tokens,
    boundaries,
    merge_order,
    clean_end,
    honest,
    progress,
)
NAMES = tuple(rule.__name__.replace("_", " ") for rule in RULES)
"""The names of the rules, as violations carry them."""


def check(case: Case) -> list[Violation]:
    """Return everything that broke a rule."""
    return [violation for rule in RULES for violation in rule(case)]


def sections(text: str) -> dict[str, list[str]]:
    """Return the agents' lines of each section of a file."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in text.split("\n"):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line.startswith(LINE):
            found.setdefault(section, []).append(line)
    return found


def _shape(path: str, text: str, base: str | None, home: dict[str, tuple[str, str]]) -> Iterator[Violation]:
    """Yield what is wrong with a file apart from the order of its lines."""
    left = [line for line in text.split("\n") if not line.startswith(LINE)]
    if base is not None and left != base.split("\n"):
        yield Violation(
            rule="nothing doubled", what=f"{path} differs from its base in more than agents' lines"
        )
    for section, lines in sections(text).items():
        for line in lines:
            if line not in home:
                yield Violation(rule="nothing doubled", what=f"{path} has {line!r}, which nobody noted")
            elif home[line] != (path, section):
                file, own = home[line]
                what = f"{line!r} is in [{section}] of {path} and was written to [{own}] of {file}"
                yield Violation(rule="nothing doubled", what=what)


def _all_there(case: Case, attempt: Attempt) -> bool:
    """Tell whether an attempt was complete and the result has all that it wrote under a lease."""
    leased = [(file, line) for file, _, line in attempt.lines if attempt.how.get(file) != "undeclared"]
    return attempt.done and all(line in case.result_lines.get(file, ()) for file, line in leased)


def _by_file(case: Case) -> dict[str, list[Commit]]:
    found: dict[str, list[Commit]] = defaultdict(list)
    for commit in case.work:
        for path in commit.changes:
            found[path].append(commit)
    # Parents come first in the history, so commits that contain each other stand in that order.
    return {
        path: sorted(commits, key=lambda one: case.above[one.id].bit_count())
        for path, commits in found.items()
    }


def _grant(commit: Commit) -> tuple[str, str]:
    """Return what tells the commits of one piece of work from others': an agent and its task."""
    return commit.trailer("PUCS-Agent"), commit.trailer("PUCS-Task")


def _chain(case: Case) -> list[Commit] | None:
    """Return the session branch's own line from the base on, None if it does not lead there."""
    chain: list[Commit] = []
    at = case.history.tip(case.evidence.result)
    while at and at != case.evidence.base:
        commit = case.history.commits[at]
        chain.append(commit)
        at = commit.parents[0] if commit.parents else ""
    return chain[::-1] if at else None


def _stream(case: Case, commit: Commit) -> str:
    own = commit.trailer("PUCS-Stream").casefold()
    return next((name for name in case.evidence.streams if name.casefold() == own), "")


def _direct(case: Case) -> dict[str, set[str]]:
    """Return for each stream those it was configured to follow and those whose commits its branch holds."""
    found: dict[str, set[str]] = {}
    for name, stream in case.evidence.streams.items():
        bits = case.above.get(case.history.tip(case.evidence.branches[name]), 0)
        synced = {_stream(case, one) for one in case.work if bits & case.bit[one.id]}
        found[name] = (set(stream.after) | synced) - {name, ""}
    return found


def _needed(case: Case, name: str) -> set[str]:
    """Return every stream that must not come later than this one."""
    direct = _direct(case)
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in direct[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _groups(case: Case) -> dict[str, set[str]]:
    """Return for each stream those it can only leave together with, itself included."""
    needed = {name: _needed(case, name) for name in case.evidence.streams}
    return {
        name: {name} | {other for other in needed[name] if other != name and name in needed[other]}
        for name in needed
    }


def _name(attempt: Attempt) -> str:
    return f"{attempt.task}/{attempt.nonce}"


def _short(commit: Commit) -> str:
    return f"{commit.id[:10]} ({commit.subject[:60]})"
