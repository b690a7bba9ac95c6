"""Loss of power, and copies put back: what was not synced is dropped, and no token may come a second time.

Under load, all processes are stopped at random moments and the store's files are copied as they are. What a loss of power
at that moment may leave is derived from the copy: the write-ahead log up to each frame behind the last sync, sometimes
with a torn frame after it, and the side file as it was synced last, as it was, or torn. Another process then opens that in a new
boot. Afterwards older copies are put back in every way that people do it, in the same boot.
"""

from __future__ import annotations

import json
import random
import shutil
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proof.store_judge import after_power_loss, entries, judge, told_of_loss
from proof.survivors import Case, of_file

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path

    from proof.store_judge import Wrong
    from proof.survivors import Crew

LOAD_S = 0.15
"""Mean time of load between two copies."""
HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
"""Of a write-ahead log: https://sqlite.org/fileformat2.html#walformat."""
DAY_S = 86_400.0
"""How much later it is where the side file is lost with the database, or comes back with it: then only the clock helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The store's files at one moment, and what everybody had been told by then."""

    place: Path
    highest: int
    durable: frozenset[str]
    synced_bytes: int
    """How much of the write-ahead log was on disk for sure."""
    side: bytes
    """What was on disk of the side file for sure."""


def run(
    crew: Crew, place: Path, seed: str, plant: str = "", *, copies: int = 4, frames_max: int = 25
) -> tuple[Wrong, Counter[str]]:
    """Run one case on SQLite and judge it; ``frames_max`` bounds the frames that are tried for each copy."""
    syncs = place / "syncs.txt"
    case = Case(
        crew, place, seed, store=str(place / "store"), plant=plant, syncs=str(syncs), durable=0.1, logs=0.4
    )
    case.make(syncs=str(syncs))
    case.begin()
    case.until_well()
    taken: list[Copy] = []
    for number in range(copies):
        case.lasts(case.rng.expovariate(1 / LOAD_S) + 0.03)
        with case.stopped():
            taken.append(_copied(case, place / f"copy-{number}", syncs))
        crew.do("backup", store=str(place / "store"), target=str(place / f"copy-{number}" / "backup.db"))
        if case.rng.random() < 0.3:
            case.kill()
    case.lasts(0.05)
    case.end()
    story = case.story()
    wrong = judge(story, of_file(place / "store"))
    for copy in taken:
        wrong += _after_loss(case, copy, frames_max)
    wrong += _put_back(case, taken, max(_tokens(story.notes), default=0))
    return wrong, case.counts


def _copied(case: Case, target: Path, syncs: Path) -> Copy:
    shutil.copytree(case.place / "store", target, ignore=shutil.ignore_patterns("bells", "*-shm"))
    notes = case.story().notes
    wal, synced = target / "state.db-wal", _synced(syncs)
    return Copy(
        place=target,
        highest=max(_tokens(notes), default=0),
        durable=frozenset(note.mark for note in notes if note.durable and note.ok),
        synced_bytes=min(synced.get("state.db-wal", 0), wal.stat().st_size if wal.exists() else 0),
        side=synced.get("state.db.epoch", b""),
    )


def _synced(syncs: Path) -> dict[str, Any]:
    """Return how far the log was synced last, and with which content the side file."""
    found: dict[str, Any] = {}
    for line in syncs.read_text(encoding="ascii").splitlines() if syncs.exists() else ():
        name, _, what = line.partition(" ")
        found[name] = bytes.fromhex(what) if name == "state.db.epoch" else int(what)
    return found


def _side(place: Path) -> bytes:
    side = place / "state.db.epoch"
    return side.read_bytes() if side.exists() else b""


def _tokens(notes: Any) -> Iterator[int]:
    return (token for note in notes if note.ok for _, token in note.tokens)


def frames(log: bytes) -> list[int]:
    """Return the lengths to which a write-ahead log can be cut at the end of a frame, its header first; empty: no log."""
    if len(log) < HEADER_BYTES:
        return []
    page_bytes, salts = struct.unpack(">I", log[8:12])[0], log[16:24]
    found = [HEADER_BYTES]
    while (at := found[-1]) + FRAME_HEADER_BYTES + page_bytes <= len(log) and log[at + 8 : at + 16] == salts:
        found.append(at + FRAME_HEADER_BYTES + page_bytes)
    return found


def _after_loss(case: Case, copy: Copy, count: int) -> Wrong:
    """Lose power at one copy, once for each frame behind the last sync, or for a sample of them."""
    log = (copy.place / "state.db-wal").read_bytes()
    behind = [end for end in frames(log) if end >= copy.synced_bytes] or [copy.synced_bytes]
    case.counts["frames behind the last sync"] += len(behind) - 1
    wrong: Wrong = []
    for number, end in enumerate(sorted([*case.rng.sample(behind, min(count, len(behind))), behind[0]])):
        torn = case.rng.randbytes(case.rng.randint(1, 2000)) if case.rng.random() < 0.3 else b""
        side = case.rng.choice((copy.side, copy.side, _side(copy.place)))
        highest = copy.highest
        for again in range(case.rng.randint(1, 2)):
            _lay(case.place / "store", copy, log[:end] + torn, side)
            known = side == _side(copy.place)
            told, found = _recovered(case, highest, copy.durable, known=known, boot=f"boot-{number}-{again}")
            wrong += [(rule, f"loss {number}-{again} at {end} of {len(log)}: {what}") for rule, what in found]
            case.counts["losses of power"] += 1
            # What was done since was not synced, but for the side file; and power is lost once more.
            highest = max([highest, *told.get("tokens", ())])
            side = _synced(case.place / "syncs-after.txt").get("state.db.epoch", side)
    return wrong


def _lay(store: Path, copy: Copy, log: bytes, side: bytes) -> None:
    """Give a store's files the content that a loss of power left; they stay the same files."""
    (store / "state.db-shm").unlink(missing_ok=True)
    shutil.copyfile(copy.place / "state.db", store / "state.db")
    (store / "state.db-wal").write_bytes(log)
    (store / "state.db.epoch").write_bytes(side)


def _recovered(
    case: Case, highest: int, durable: frozenset[str], *, known: bool, **order: str
) -> tuple[dict[str, Any], Wrong]:
    """Let a process open what is left, and judge what it told and what is in the tables.

    ``known``: the side file is what it was last, so that the store can say which grants are missing.
    """
    store, answer, syncs = (case.place / name for name in ("store", "answer.json", "syncs-after.txt"))
    answer.unlink(missing_ok=True)
    syncs.unlink(missing_ok=True)
    plant = case.conditions["plant"]
    case.crew.do("recover", store=str(store), answer=str(answer), syncs=str(syncs), plant=plant, **order)
    told: dict[str, Any] = {"error": "its process ended by itself"}
    if answer.exists():
        told = json.loads(answer.read_text(encoding="utf-8"))
    tables = of_file(store)
    marks = [action for _, _, action, _ in tables.entries]
    wrong = after_power_loss(told, highest=highest, durable=durable, kept=marks)
    wrong += [("sound", what) for what in tables.unsound]
    wrong += entries(tables)
    if known:
        wrong += told_of_loss(tables, told.get("tokens", ()), highest)
    wrong += [
        ("done once", f"{mark} is there twice")
        for mark in set(marks)
        if "/" in mark and marks.count(mark) > 1
    ]
    return told, wrong


WAYS = (
    "over the whole directory",
    "over the file",
    "in its place",
    "with its log",
    "the whole directory",
    "side file lost",
    "side file torn",
    "side file older",
    "all lost but a backup",
)
"""How an older copy comes back; the machine runs on, and nobody has the store open."""
KNOWN = frozenset({"over the file", "in its place", "with its log"})
"""Ways that leave the side file as it was."""


def _put_back(case: Case, copies: list[Copy], highest: int) -> Wrong:
    """Put older copies back one after the other; each time, what is given out is higher than anything before."""
    store = case.place / "store"
    ways = list(WAYS[1:])
    case.rng.shuffle(ways)
    ways.insert(0, WAYS[0])  # as long as the files are the ones that were copied
    wrong: Wrong = []
    later_s = 0.0
    for way in ways:
        copy = case.rng.choice(copies)
        later_s = _restore(way, store, copy.place, later_s, case.rng)
        clock = case.place / "later"
        clock.write_bytes(struct.pack("<d", later_s))
        told, found = _recovered(case, highest, frozenset(), known=way in KNOWN, clock=str(clock))
        wrong += [(rule, f"{way}: {what}") for rule, what in found]
        highest = max([highest, *told.get("tokens", ())])
        case.counts["copies put back"] += 1
    return wrong


def _restore(way: str, store: Path, copy: Path, later_s: float, rng: random.Random) -> float:
    """Put a copy back in one way; return how much later it is then."""
    side = store / "state.db.epoch"
    if way in {"side file lost", "side file torn", "side file older"}:
        if way == "side file lost":
            side.unlink(missing_ok=True)
        else:
            whole = _side(copy)
            side.write_bytes(whole if way == "side file older" else whole[: rng.randrange(len(whole) or 1)])
        return later_s
    if way == "the whole directory":
        shutil.rmtree(store)
        shutil.copytree(copy, store)
        return later_s + DAY_S
    for name in ("state.db-wal", "state.db-shm"):
        (store / name).unlink(missing_ok=True)
    if way == "over the file":
        shutil.copyfile(copy / "backup.db", store / "state.db")
    elif way in {"with its log", "over the whole directory"}:
        for name in ("state.db", "state.db-wal") + (("state.db.epoch",) if way != "with its log" else ()):
            if (copy / name).exists():
                shutil.copyfile(copy / name, store / name)
    else:
        shutil.copyfile(copy / "backup.db", store / "state.db.new")
        (store / "state.db.new").rename(store / "state.db")
    if way == "all lost but a backup":
        side.unlink(missing_ok=True)
    return later_s + DAY_S if way in {"all lost but a backup", "over the whole directory"} else later_s
