"""The judge of the cross-log passes what agents were told and what leases allow, and nothing else."""

from __future__ import annotations

import pytest

from proof import entries
from proof.entries import Entry, Said
from proof.linear import Call, Kind


def said(text: str, called: int, returned: int | None, *, undone: bool = False) -> Said:
    """Return an entry as its agent noted the call."""
    return Said(text=text, called_ns=called, returned_ns=returned, undone=undone)


def log(*lines: tuple[str, str, int] | tuple[str, str, int, str]) -> list[Entry]:
    """Return a log of leases on ``x``: agent, action, token and mode; or of words, with token 0."""
    return [
        Entry(
            seq=number,
            agent=line[0],
            action=line[1],
            files=("x",) if line[2] else (),
            tokens=(line[2],) if line[2] else (),
            mode=line[3] if len(line) > 3 else "EXCLUSIVE",
        )
        for number, line in enumerate(lines, 1)
    ]


WORDS = log(("a", "one", 0), ("b", "two", 0))


@pytest.mark.parametrize(
    ("notes", "wrong"),
    [
        pytest.param((said("one", 0, 1), said("two", 2, 3)), "", id="both are there"),
        pytest.param((said("one", 0, 1), said("two", 2, None)), "", id="one had no answer"),
        pytest.param((said("one", 0, 5), said("two", 2, 3)), "", id="beside each other"),
        pytest.param((said("one", 0, 1), said("three", 2, None)), "", id="never written and never answered"),
        pytest.param((said("three", 0, 1),), "is not in the log", id="lost"),
        pytest.param((said("one", 0, 1, undone=True),), "nothing was said to have been changed", id="undone"),
        pytest.param((said("one", 4, 5), said("two", 2, 3)), "after entry 2", id="the other way round"),
    ],
)
def test_what_agents_wrote_is_there(notes: tuple[Said, ...], wrong: str) -> None:
    """Acknowledged entries once, others at most once, undone ones never, and in an order that time allows."""
    found = entries.words(notes, WORDS)
    assert wrong in " ".join(found)
    assert bool(found) == bool(wrong)


def test_an_entry_twice_is_found() -> None:
    """Whether it was acknowledged or not."""
    assert entries.words([said("one", 0, None)], [*WORDS, *log(("a", "one", 0))])


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        pytest.param(
            log(("a", "lock granted", 1), ("a", "lock released", 1), ("b", "lock reserved", 2)),
            "",
            id="in turn",
        ),
        pytest.param(
            log(("a", "lock granted", 1, "SHARED_READ"), ("b", "lock granted", 2, "SHARED_READ")),
            "",
            id="readers",
        ),
        pytest.param(
            log(("a", "lock granted", 1), ("a", "lock downgraded", 2, "INTENT"), ("a", "lease converted", 1)),
            "",
            id="one's own",
        ),
        pytest.param(
            log(("a", "lock granted", 1), ("b", "lock granted", 2)), "beside a", id="a grant without an end"
        ),
        pytest.param(
            log(("a", "lock granted", 2), ("a", "lock released", 2), ("b", "lock granted", 1)),
            "after 2",
            id="a smaller token",
        ),
        pytest.param(log(("a", "lease expired", 1)), "does not hold", id="an end of nothing"),
        pytest.param(
            log(("a", "lock granted", 1), ("b", "lock released", 1)), "does not hold", id="another's end"
        ),
    ],
)
def test_the_log_tells_a_history_of_leases(lines: list[Entry], wrong: str) -> None:
    """By itself, without what anybody else says."""
    found = entries.leases(lines)
    assert wrong in " ".join(found)
    assert bool(found) == bool(wrong)


def test_what_was_acknowledged_is_in_the_log() -> None:
    """Every grant under its token, and every release."""
    granted = Call(
        agent="a",
        kind=Kind.ACQUIRE,
        resources=("x",),
        called_ns=0,
        returned_ns=1,
        ok=True,
        tokens=(("x", 1),),
    )
    released = Call(
        agent="a", kind=Kind.RELEASE, resources=("x",), called_ns=2, returned_ns=3, token=1, ok=True
    )
    lines = log(("a", "lock granted", 1), ("a", "lock released", 1))
    assert not entries.answers([granted, released], lines)
    assert entries.answers([granted, released], lines[:1])
    assert entries.answers([granted], lines[1:])
