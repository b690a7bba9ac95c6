"""The judge of stores under faults passes what was answered honestly, and names the rule that anything else breaks."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from proof import faults_power, store_judge
from proof.store_judge import Note, Story, Tables
from proof.store_server import Commits

LOGGED = Note(agent="s1", number=2, kind="log", called_ns=10, returned_ns=20, mark="s1/2", ok=True, seq=2)
GRANTED = Note(
    agent="s1",
    number=1,
    kind="acquire",
    called_ns=1,
    returned_ns=5,
    resources=("x",),
    ok=True,
    tokens=(("x", 7),),
)
RELEASED = Note(
    agent="s1", number=3, kind="release", called_ns=30, returned_ns=40, resources=("x",), token=7, ok=True
)
ENTRIES = ((1, "s1", "lock granted", (7,)), (2, "s1", "s1/2", ()))
LEASES = {7: ("s1", "x", True)}
GOOD = Tables(leases=LEASES, entries=ENTRIES)
DENIED = "The store cannot grow. Nothing was changed."
IN_DOUBT = "It cannot be known whether it happened."


def told(*notes: Note, room_ns: int = 0) -> Story:
    """Return a story of these calls; nobody is dead."""
    return Story(notes=notes, room_ns=room_ns)


def broken(story: Story, tables: Tables = GOOD) -> set[str]:
    """Return the rules that are broken."""
    return {rule for rule, _ in store_judge.judge(story, tables)}


def test_what_was_confirmed_and_is_there_passes() -> None:
    """Every answer is found in the tables, and the tables hold nothing else."""
    assert not broken(told(GRANTED, LOGGED, RELEASED))


@pytest.mark.parametrize(
    ("notes", "tables", "rule"),
    [
        ((GRANTED, LOGGED, RELEASED), Tables(leases=LEASES, entries=ENTRIES[:1]), "acknowledged stays"),
        ((GRANTED, LOGGED), Tables(entries=ENTRIES[1:]), "acknowledged stays"),
        (
            (GRANTED, LOGGED, RELEASED),
            Tables(leases={7: ("s1", "x", False)}, entries=ENTRIES),
            "acknowledged stays",
        ),
        (
            (GRANTED, LOGGED, RELEASED),
            Tables(leases=LEASES, entries=(*ENTRIES, (3, "s1", "s1/2", ()))),
            "done once",
        ),
        (
            (GRANTED, LOGGED, RELEASED),
            Tables(leases=LEASES, entries=(*ENTRIES, (3, "s1", "lock granted", (7,)))),
            "done once",
        ),
        ((GRANTED, LOGGED), Tables(leases=LEASES, entries=ENTRIES[1:]), "tables and entries"),
        (
            (GRANTED, LOGGED),
            Tables(leases=LEASES, entries=(*ENTRIES, (3, "s2", "lock granted", (9,)))),
            "tables and entries",
        ),
        ((GRANTED, LOGGED), replace(GOOD, unsound=["page 3 is used twice"]), "sound"),
        (
            (GRANTED, LOGGED, replace(LOGGED, number=4, mark="s1/4", called_ns=30, returned_ns=40, seq=1)),
            Tables(leases=LEASES, entries=(*ENTRIES, (1, "s1", "s1/4", ()))),
            "order",
        ),
        (
            (GRANTED, LOGGED, replace(GRANTED, agent="s2", number=1, called_ns=6, returned_ns=8)),
            GOOD,
            "linearizable",
        ),
        ((GRANTED, LOGGED, replace(GRANTED, agent="s2", called_ns=6, returned_ns=8)), GOOD, "tokens"),
    ],
)
def test_tables_that_say_something_else_are_seen(notes: tuple[Note, ...], tables: Tables, rule: str) -> None:
    """Lost, doubled, half done, unsound, out of order, held by two, or given out twice."""
    assert rule in broken(told(*notes), tables)


def test_an_error_that_changed_something_is_seen() -> None:
    """Whoever was told that nothing was changed finds nothing."""
    denied = replace(LOGGED, number=4, ok=False, mark="s1/4", error=DENIED, code="store", seq=0)
    story = told(GRANTED, LOGGED, denied)
    assert not broken(story)
    assert broken(story, replace(GOOD, entries=(*ENTRIES, (3, "s1", "s1/4", ())))) == {
        "errors change nothing"
    }
    refused = replace(GRANTED, number=4, ok=False, tokens=(), error=DENIED, code="store")
    more = Tables(
        leases={**LEASES, 8: ("s1", "x", False)}, entries=(*ENTRIES, (3, "s1", "lock granted", (8,)))
    )
    assert broken(told(GRANTED, LOGGED, refused), more) == {"errors change nothing"}


@pytest.mark.parametrize("error", ["", IN_DOUBT])
def test_a_call_in_doubt_may_have_happened_or_not(error: str) -> None:
    """Without an answer, or with one that says so, both are right; with a retry that was answered, only its answer is."""
    lost = replace(GRANTED, ok=False, tokens=(), error=error, code="store", returned_ns=5 if error else None)
    dead = {} if error else {"s1": 2}
    after = replace(LOGGED, agent="s2", mark="s2/2")
    written = (2, "s2", "s2/2", ())
    nothing = Tables(entries=(written,))
    there = Tables(leases={7: ("s1", "x", False)}, entries=(ENTRIES[0], written))
    story = Story(notes=(lost, after), dead_ns=dead)
    assert not broken(story, nothing)
    assert not broken(story, there)
    if error:
        again = replace(GRANTED, number=2, first=1, called_ns=6, returned_ns=9)
        assert not broken(told(lost, again, after), there)
        twice = Tables(
            leases={7: ("s1", "x", False), 8: ("s1", "x", False)},
            entries=(ENTRIES[0], written, (3, "s1", "lock granted", (8,))),
        )
        assert broken(told(lost, again, after), twice) == {"errors change nothing"}


def test_errors_have_to_be_clear_and_to_end() -> None:
    """Another cause than the store, silence about what was changed, a crash, and errors after all is well are seen."""
    bug = replace(LOGGED, number=4, ok=False, mark="s1/4", error="KeyError", code="error", seq=0)
    assert broken(told(GRANTED, LOGGED, bug)) == {"clear errors"}
    silent = replace(bug, error="The disk failed.", code="store")
    assert broken(told(GRANTED, LOGGED, silent)) == {"clear errors"}
    assert broken(Story(notes=(GRANTED, LOGGED), failures=["s3 ended by itself"])) == {"clear errors"}
    late = replace(bug, error=DENIED, code="store")
    assert broken(told(GRANTED, LOGGED, late, room_ns=9)) == {"goes on"}
    assert broken(told(GRANTED, LOGGED, room_ns=15)) == {"goes on"}


def test_a_look_just_before_a_database_dies_counts_for_nothing() -> None:
    """Readers may see a commit a moment before it is on disk."""
    look = Note(
        agent="s2",
        number=1,
        kind="look",
        called_ns=6,
        returned_ns=8,
        resources=("x",),
        ok=True,
        seen=(("s3", 9),),
    )
    assert "linearizable" in broken(told(GRANTED, LOGGED, look))
    assert not broken(Story(notes=(GRANTED, LOGGED, look), deaths_ns=[7]))


def test_what_is_left_after_a_loss_of_power_is_judged() -> None:
    """It opens, is sound, gives out higher tokens, and has what was confirmed to be on disk."""

    def judged(**answer: object) -> set[str]:
        found = store_judge.after_power_loss(answer, highest=7, durable=["s1/2"], kept=["s1/2", "s1/9"])
        return {rule for rule, _ in found}

    assert not judged(check=[], tokens=[8, 9])
    assert judged(error="The store is damaged.") == {"opens"}
    assert judged(check=[], tokens=[]) == {"opens"}
    assert judged(check=["page 3 is used twice"], tokens=[8]) == {"sound"}
    assert judged(check=[], tokens=[7]) == {"tokens"}
    lost = store_judge.after_power_loss({"tokens": [8]}, highest=7, durable=["s1/2"], kept=["s1/9"])
    assert {rule for rule, _ in lost} == {"durable stays"}


def test_a_loss_that_nobody_tells_of_is_seen() -> None:
    """Where some grants are there and later ones are not, an entry has to say so."""
    tables = Tables(leases={7: ("s1", "x", True), 20: ("after", "y", False)}, entries=ENTRIES)
    assert not store_judge.told_of_loss(tables, [20], highest=7)
    assert [rule for rule, _ in store_judge.told_of_loss(tables, [20], highest=9)] == ["loss is told"]
    told_so = replace(tables, entries=(*ENTRIES, (3, "", "tokens skipped", ())))
    assert not store_judge.told_of_loss(told_so, [20], highest=9)


def test_a_log_is_cut_at_the_ends_of_its_frames() -> None:
    """Frames of an earlier round, which the log still holds behind the newer ones, are no frames."""
    header = struct.pack(">IIII8sII", 0x377F0682, 3007000, 512, 0, b"saltsalt", 0, 0)
    frame = struct.pack(">II8sII", 1, 1, b"saltsalt", 0, 0) + bytes(512)
    older = struct.pack(">II8sII", 1, 1, b"pepperpe", 0, 0) + bytes(512)
    assert faults_power.frames(header + frame + frame + older) == [32, 32 + 536, 32 + 2 * 536]
    assert faults_power.frames(header + frame + frame[:100]) == [32, 32 + 536]
    assert faults_power.frames(b"") == []


def message(kind: bytes, body: bytes) -> bytes:
    """Return one message as a client sends it."""
    return kind + struct.pack(">I", len(body) + 4) + body


def test_a_commit_is_found_in_what_a_client_sends() -> None:
    """In words, and by the name under which it was prepared, wherever the packets end."""
    opening = struct.pack(">II", 8, 196608)
    prepared = message(b"P", b"p3\0COMMIT\0\0\0")
    other = message(b"B", b"\0p1\0\0\0")
    bound = message(b"B", b"\0p3\0\0\0")
    commits = Commits()
    assert commits.feed(opening + prepared + other) == -1
    assert commits.feed(other + bound) == len(other)
    commits = Commits()
    assert commits.feed(opening + message(b"Q", b"COMMIT\0")) == len(opening)
    commits = Commits()
    found = [commits.feed(bytes([byte])) for byte in opening + prepared + other + bound]
    assert [at for at in found if at >= 0] == [0]
