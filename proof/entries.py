"""Judges the cross-log of one history: what agents were told is in it once, and by itself it tells a history of leases.

Pure: notes and entries come in as values, and nothing of PUCS is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proof.linear import NEVER, TOGETHER, Call, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GRANTS = ("lock granted", "lock reserved", "lock downgraded")
ENDS = (
    "lock released",
    "lease expired",
    "lease reclaimed",
    "lease lapsed",
    "lease parked",
    "lease converted",
    "lease handed over",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One entry that an agent wrote, as it noted the call."""

    text: str
    called_ns: int
    returned_ns: int | None
    """None: there was no answer."""
    undone: bool = False
    """It was told that nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the log."""

    seq: int
    agent: str
    action: str
    files: tuple[str, ...] = ()
    tokens: tuple[int, ...] = ()
    mode: str = ""


def words(said: Iterable[Said], log: Sequence[Entry]) -> list[str]:
    """Return what is wrong with agents' own entries: lost, doubled, there though undone, or in an impossible order."""
    wrong: list[str] = []
    numbers: dict[str, list[int]] = {}
    for entry in log:
        numbers.setdefault(entry.action, []).append(entry.seq)
    kept: list[tuple[int, int, int]] = []
    for one in said:
        found = numbers.get(one.text, [])
        answered = one.returned_ns is not None and not one.undone
        if answered and not found:
            wrong.append(f"{one.text!r} was acknowledged and is not in the log")
        elif one.undone and found:
            wrong.append(f"{one.text!r} is in the log, though nothing was said to have been changed")
        if len(found) > 1:
            wrong.append(f"{one.text!r} is in the log {len(found)} times")
        kept += [
            (one.called_ns, NEVER if one.returned_ns is None else one.returned_ns, number)
            for number in found[:1]
        ]
    highest = 0
    returned = sorted(kept, key=lambda one: one[1])
    at = 0
    for called_ns, _, number in sorted(kept):
        while at < len(returned) and returned[at][1] < called_ns:
            highest = max(highest, returned[at][2])
            at += 1
        if number < highest:
            wrong.append(f"entry {number} was asked for after entry {highest} was acknowledged")
    return wrong


def leases(log: Sequence[Entry]) -> list[str]:
    """Return what is wrong with the leases that the log tells of: two that clash, an end of none, tokens that shrink."""
    wrong: list[str] = []
    live: dict[int, tuple[str, str, str]] = {}
    last = 0
    for entry in log:
        if entry.action in GRANTS:
            for file, token in zip(entry.files, entry.tokens, strict=True):
                if token <= last:
                    wrong.append(f"entry {entry.seq} grants token {token} after {last}")
                last = max(last, token)
                wrong += [
                    f"entry {entry.seq} grants {file} to {entry.agent} ({entry.mode}) beside {other} ({mode}, {held})"
                    for held, (place, other, mode) in live.items()
                    if place == file and other != entry.agent and (mode, entry.mode) not in TOGETHER
                ]
                live[token] = file, entry.agent, entry.mode
        elif entry.action in ENDS:
            for token in entry.tokens:
                if live.pop(token, ("", "", ""))[1] != entry.agent:
                    wrong.append(f"entry {entry.seq} ends lease {token}, which {entry.agent} does not hold")
    return wrong


def answers(calls: Iterable[Call], log: Sequence[Entry]) -> list[str]:
    """Return which grants and releases were acknowledged and are not in the log."""
    granted = {
        (entry.agent, file, token)
        for entry in log
        if entry.action in GRANTS
        for file, token in zip(entry.files, entry.tokens, strict=True)
    }
    released = {
        (entry.agent, token) for entry in log if entry.action == "lock released" for token in entry.tokens
    }
    wrong: list[str] = []
    for call in calls:
        if call.kind in {Kind.ACQUIRE, Kind.DOWNGRADE}:
            wrong += [
                f"{call.agent} was granted {file} under {token}, of which the log says nothing"
                for file, token in call.tokens
                if (call.agent, file, token) not in granted
            ]
        elif (
            call.kind is Kind.RELEASE
            and call.ok
            and call.token > 0
            and (call.agent, call.token) not in released
        ):
            wrong.append(f"{call.agent} released {call.token}, of which the log says nothing")
    return wrong
