"""Judges what a store answered while things failed under it, by the answers and by the tables that are left.

Pure: answers and tables come in as values, and nothing of PUCS is imported.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proof import linear

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RULES = (
    "acknowledged stays",
    "errors change nothing",
    "done once",
    "tables and entries",
    "clear errors",
    "goes on",
    "order",
    "tokens",
    "whole sets",
    "linearizable",
    "sound",
)
"""What is judged of every case."""
RULES_OF_POWER = ("opens", "durable stays", "loss is told")
"""What is judged besides where a store is opened after a loss of power, or from an older copy."""
NOTHING = "Nothing was changed"
"""What an error says that left everything as it was."""
IN_DOUBT = "cannot be known"
"""What an error says after which nobody knows; the same is asked for again."""
CODES = frozenset({"store", "store_busy", "environment"})
"""Codes of errors that name the store or the machine as the cause."""
WINDOW_NS = 100_000_000
"""How long before the death of a database looks are left out: readers may see a commit a moment before it is on disk."""
NEWEST = 10
"""Entries that a process writes which opens a store, grants something and says so; what it says of a loss is among them."""
TOLD_MAX = 8
"""Most sentences about one rule in one case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One call of one process, with what came of it."""

    agent: str
    number: int
    kind: str
    called_ns: int
    returned_ns: int | None = None
    """None: there was no answer, because the process was killed."""
    resources: tuple[str, ...] = ()
    mode: str = "EXCLUSIVE"
    duration_ns: int = linear.NEVER
    token: int = 0
    mark: str = ""
    """Log: what only this call writes; the same again after an error."""
    durable: bool = False
    first: int = 0
    """Number of the call that this one repeats; 0: none."""
    ok: bool = False
    tokens: tuple[tuple[str, int], ...] = ()
    seen: tuple[tuple[str, int], ...] = ()
    seq: int = 0
    """Log: the number of the entry, 0 if it is not told."""
    error: str = ""
    code: str = ""

    @property
    def doubtful(self) -> bool:
        """Tell whether it may have happened and nobody said so."""
        return self.returned_ns is None or IN_DOUBT in self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What the store holds afterwards."""

    leases: Mapping[int, tuple[str, str, bool]] = field(default_factory=dict)
    """Token: agent, resource, and whether it has ended."""
    entries: Sequence[tuple[int, str, str, tuple[int, ...]]] = ()
    """Number, agent, action, tokens."""
    unsound: Sequence[str] = ()
    """What a check of the whole file finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One case: every answer, and what happened to whom."""

    notes: Sequence[Note]
    dead_ns: Mapping[str, int] = field(default_factory=dict)
    """From when on an agent's process may have been dead."""
    failures: Sequence[str] = ()
    """Processes that ended by themselves."""
    room_ns: int = 0
    """From when on nothing fails any more."""
    deaths_ns: Sequence[int] = ()
    """When the database died."""


Wrong = list[tuple[str, str]]


def judge(story: Story, tables: Tables, *, slack_ns: int = linear.SLACK_NS) -> Wrong:
    """Return everything that is wrong with a case: rule and what broke it."""
    found = [
        *acknowledged(story, tables),
        *unasked(story, tables),
        *entries(tables),
        *errors(story),
        *order(story),
        *histories(story, slack_ns),
        *(("sound", what) for what in tables.unsound),
    ]
    told = Counter[str]()
    kept: Wrong = []
    for rule, what in found:
        told[rule] += 1
        if told[rule] <= TOLD_MAX:
            kept.append((rule, what))
    return kept


def acknowledged(story: Story, tables: Tables) -> Wrong:
    """Hold the tables against what was answered: all of it is there, once."""
    wrong: Wrong = []
    marks = Counter(action for _, _, action, _ in tables.entries)
    numbers = {action: seq for seq, _, action, _ in tables.entries}
    for note in story.notes:
        if not note.ok:
            continue
        if note.kind == "log" and (not marks[note.mark] or note.seq not in {0, numbers[note.mark]}):
            wrong.append((
                "acknowledged stays",
                f"entry {note.seq} {note.mark!r} was confirmed and is not there",
            ))
        for resource, token in note.tokens:
            if tables.leases.get(token, ("", "", False))[:2] != (note.agent, resource):
                wrong.append((
                    "acknowledged stays",
                    f"{note.agent} was granted {resource} under {token}; the tables say {tables.leases.get(token)}",
                ))
        if note.kind == "release" and not tables.leases.get(note.token, ("", "", True))[2]:
            wrong.append((
                "acknowledged stays",
                f"{note.agent} gave {note.resources[0]} under {note.token} back, and it is still held",
            ))
    wrong += [
        ("done once", f"{mark!r} was written {times} times")
        for mark, times in marks.items()
        if "/" in mark and times > 1
    ]
    return wrong


def unasked(story: Story, tables: Tables) -> Wrong:
    """Hold what was answered against the tables: nothing is there that an error denied."""
    told = {token for note in story.notes if note.ok for _, token in note.tokens}
    marks: dict[str, bool] = {}
    for note in story.notes:
        if note.kind == "log":
            marks[note.mark] = marks.get(note.mark, False) or note.ok or note.doubtful
    wrong: Wrong = [
        ("errors change nothing", f"{action!r} was answered by an error, and is entry {seq}")
        for seq, _, action, _ in tables.entries
        if not marks.get(action, True)
    ]
    doubts = _doubts(story)
    for token, (agent, resource, _) in tables.leases.items():
        if token not in told and (agent, resource) not in doubts and not resource.startswith("after"):
            wrong.append((
                "errors change nothing",
                f"{agent} has a lease on {resource} under {token} that it was never told of",
            ))
    return wrong


def _doubts(story: Story) -> set[tuple[str, str]]:
    """Return agent and resource of the requests of which nobody knows whether they were granted.

    Whoever asked again and was told has no doubt left: the answer names what there is.
    """
    settled = {(note.agent, note.first) for note in story.notes if note.first and note.ok}
    return {
        (note.agent, resource)
        for note in story.notes
        if note.kind == "acquire" and note.doubtful
        if (note.agent, note.first or note.number) not in settled
        for resource in note.resources
    }


def entries(tables: Tables) -> Wrong:
    """Hold leases and entries against each other: each lease was granted in one entry, and the other way round."""
    granted = Counter(
        (token, agent)
        for _, agent, action, tokens in tables.entries
        if action == "lock granted"
        for token in tokens
    )
    wrong: Wrong = [
        ("tables and entries", f"the lease of {agent} on {resource} under {token} has no entry")
        for token, (agent, resource, _) in tables.leases.items()
        if not granted[token, agent]
    ]
    for (token, agent), times in granted.items():
        if times > 1:
            wrong.append(("done once", f"{token} was granted to {agent} in {times} entries"))
        if token not in tables.leases:
            wrong.append((
                "tables and entries",
                f"an entry grants {token} to {agent}, and there is no such lease",
            ))
    return wrong


def errors(story: Story) -> Wrong:
    """Judge what was said when something failed, and whether all went on when it did not any more."""
    wrong: Wrong = [("clear errors", what) for what in story.failures]
    for note in story.notes:
        if note.error and note.code not in CODES:
            wrong.append(("clear errors", f"{note.agent} {note.kind}: {note.code}: {note.error}"))
        elif (
            note.error
            and NOTHING not in note.error
            and not note.doubtful
            and note.kind not in {"open", "register"}
        ):
            wrong.append((
                "clear errors",
                f"{note.agent} {note.kind} is not told what was changed: {note.error}",
            ))
        if story.room_ns and note.called_ns > story.room_ns and note.error:
            wrong.append(("goes on", f"{note.agent} {note.kind} still fails: {note.error}"))
    after = [
        note for note in story.notes if note.ok and note.kind == "log" and note.called_ns > story.room_ns
    ]
    if not after:
        wrong.append(("goes on", "nothing was written any more after everything was well again"))
    return wrong


def order(story: Story) -> Wrong:
    """Judge the numbers of entries: what was called after another's answer has a higher one."""
    logs = [note for note in story.notes if note.ok and note.seq and note.returned_ns is not None]
    wrong: Wrong = []
    highest = at = 0
    returned = sorted(logs, key=lambda note: note.returned_ns or 0)
    for note in sorted(logs, key=lambda note: note.called_ns):
        while (returned[at].returned_ns or 0) < note.called_ns:
            highest = max(highest, returned[at].seq)
            at += 1
        if note.seq <= highest:
            wrong.append(("order", f"entry {note.seq} was written after entry {highest}"))
    return wrong


def calls(story: Story) -> list[linear.Call]:
    """Return what the search for an order has to explain.

    A call that an error denied did nothing. One in doubt that was asked for again until it was answered is one call from
    the first asking to the last answer.
    """
    began = {
        (note.agent, note.number): note.called_ns for note in story.notes if note.doubtful and not note.first
    }
    settled = {(note.agent, note.first) for note in story.notes if note.first and (note.ok or not note.error)}
    found: list[linear.Call] = []
    for note in story.notes:
        if note.kind not in {kind.value for kind in linear.Kind} or (note.error and not note.doubtful):
            continue
        if (
            note.doubtful
            and (note.agent, note.first or note.number) in settled
            and note.returned_ns is not None
        ):
            continue
        if note.kind == "look" and any(
            note.called_ns < death_ns < (note.returned_ns or linear.NEVER) + WINDOW_NS
            for death_ns in story.deaths_ns
        ):
            continue
        found.append(_call(note, began.get((note.agent, note.first), note.called_ns)))
    return found


def _call(note: Note, called_ns: int) -> linear.Call:
    return linear.Call(
        agent=note.agent,
        kind=linear.Kind(note.kind),
        resources=note.resources,
        called_ns=called_ns,
        returned_ns=None if note.doubtful else note.returned_ns,
        mode=note.mode,
        token=note.token,
        duration_ns=note.duration_ns,
        ok=note.ok,
        tokens=note.tokens,
        seen=note.seen,
    )


def histories(story: Story, slack_ns: int) -> Wrong:
    """Judge leases: whole sets, growing tokens, and an order of the calls that explains every answer."""
    asked = calls(story)
    wrong: Wrong = [("whole sets", what) for what in linear.parts(asked)]
    wrong += [("tokens", what) for what in linear.tokens(asked)]
    for resource in linear.per_resource(asked):
        verdict = linear.judge(asked, story.dead_ns, resource=resource, slack_ns=slack_ns)
        if verdict.result is not linear.Result.HELD:
            wrong.append((
                "linearizable",
                f"{resource}: {verdict.result}; no order explains {verdict.furthest}",
            ))
    return wrong


def after_power_loss(
    answer: Mapping[str, object], *, highest: int, durable: Iterable[str], kept: Iterable[str]
) -> Wrong:
    """Judge a store that was opened after a loss of power.

    ``answer`` is what the program that opened it told, ``highest`` the highest token that anybody was told before,
    ``durable`` the marks that were confirmed to be on disk, ``kept`` the marks that are there.
    """
    wrong: Wrong = []
    if "error" in answer:
        wrong.append(("opens", f"it does not open: {answer['error']}"))
        return wrong
    check, given = answer.get("check"), answer.get("tokens")
    if check:
        wrong.append(("sound", f"{check}"))
    if not isinstance(given, list) or not given:
        wrong.append(("opens", "nothing was granted"))
    else:
        wrong += [("tokens", f"{token} was given out after {highest}") for token in given if token <= highest]
    missing = set(durable) - set(kept)
    if missing:
        wrong.append(("durable stays", f"{', '.join(sorted(missing)[:5])} had been confirmed to be on disk"))
    return wrong


def told_of_loss(tables: Tables, given: Iterable[int], highest: int) -> Wrong:
    """Judge whether a store that forgot grants says so; ``given`` are the tokens that it gave out since it was opened.

    One that forgot everything is new.
    """
    kept = max(tables.leases.keys() - set(given), default=0)
    newest = [action for _, _, action, _ in tables.entries][-NEWEST:]
    if 0 < kept < highest and "tokens skipped" not in newest:
        return [("loss is told", f"grants from {kept} to {highest} are in no table, and no entry says so")]
    return []
