"""One record under the names of 000 and of 002, there and back."""

from __future__ import annotations

import pytest

from pucs.conflicts.records import Conflict, ConflictInfo, Kind, Resolution, Severity, Status, Strategy
from pucs.conflicts.views import NOBODY, conflict_of, info_of, kind_named, type_in_000, type_in_002
from pucs.core.errors import Usage


def test_every_kind_counts_as_one_of_the_four_types() -> None:
    """000 §4.1 knows four; what it does not know counts as the nearest."""
    assert {kind: type_in_000(kind) for kind in Kind} == {
        Kind.FILE_LOCK: "FILE_LOCK",
        Kind.INTENT_OVERLAP: "FILE_LOCK",
        Kind.BOUNDARY: "DEPENDENCY",
        Kind.SEMANTIC: "SEMANTIC",
        Kind.DEPENDENCY: "DEPENDENCY",
        Kind.RESOURCE: "RESOURCE",
    }


def test_every_kind_has_a_name_in_002() -> None:
    """LOCKED, INTENT_OVERLAP and DEPENDENCY; what is none of them keeps its name."""
    assert {kind: type_in_002(kind) for kind in Kind} == {
        Kind.FILE_LOCK: "LOCKED",
        Kind.INTENT_OVERLAP: "INTENT_OVERLAP",
        Kind.BOUNDARY: "DEPENDENCY",
        Kind.SEMANTIC: "SEMANTIC",
        Kind.DEPENDENCY: "DEPENDENCY",
        Kind.RESOURCE: "LOCKED",
    }


def test_a_kind_is_found_by_any_of_its_names() -> None:
    """Whatever case; an unknown one is wrong use and the remedy lists them."""
    assert kind_named("locked") is Kind.FILE_LOCK
    assert kind_named("Intent_Overlap") is Kind.INTENT_OVERLAP
    with pytest.raises(Usage) as wrong:
        kind_named("quarrel")
    assert "SEMANTIC" in wrong.value.remedy


def test_a_record_is_told_as_in_002_and_read_as_in_000() -> None:
    """Both designs' fields say the same of one record."""
    info = info_of(
        Conflict(
            id=3,
            session="S",
            kind=Kind.FILE_LOCK,
            severity=Severity.LOW,
            status=Status.OPEN,
            parties=("bob", "ann", "shop"),
            resources=("a.py", "b.py"),
            evidence={"reason": "a.py is held", "holder_stream": "shop"},
            opened_at="",
        )
    )
    assert info == ConflictInfo("a.py, b.py", "LOCKED", "ann", "shop", "a.py is held", 3)
    assert (info.kind, info.file, info.holder) == ("FILE_LOCK", "a.py, b.py", "ann")


def test_what_002_tells_becomes_a_record() -> None:
    """Parties, resources and details are kept; a holder that is nobody is no party."""
    info = ConflictInfo("a.py, b.py", "DEPENDENCY", NOBODY, "lib", "File belongs to dependency stream lib")
    made = conflict_of(info, session="S", severity=Severity.MEDIUM, asked_by="bob", opened_at="now")
    assert (made.kind, made.parties, made.resources) == (Kind.DEPENDENCY, ("bob", "lib"), ("a.py", "b.py"))
    assert (made.details, made.holder_stream, made.status) == (info.details, "lib", Status.OPEN)
    assert info_of(made).conflict_type == "DEPENDENCY"
    named = conflict_of(
        ConflictInfo("a.py", "LOCKED", "ann", "", ""),
        session="S",
        severity=Severity.LOW,
        resources=("x/a.py",),
    )
    assert (named.parties, named.resources, named.holder) == (("ann",), ("x/a.py",), "ann")
    assert info_of(named).kind == "FILE_LOCK"


def test_a_record_without_anything_reads_as_empty() -> None:
    """Nobody is known, nothing is concerned, nothing is parked."""
    bare = Conflict(
        session="S",
        kind=Kind.RESOURCE,
        severity=Severity.LOW,
        status=Status.OPEN,
        parties=("bob",),
        resources=(),
        opened_at="",
    )
    assert (bare.file, bare.holder, bare.holder_stream, bare.details, bare.salvage) == ("", "", "", "", "")
    assert info_of(bare).holder_agent == NOBODY


def test_a_resolution_knows_whether_anybody_has_to_act() -> None:
    """Open is open, resolved is resolved."""
    done = Resolution(conflict=1, strategy=Strategy.QUEUE, status=Status.RESOLVED, message="m")
    assert done.resolved
    assert not Resolution(conflict=1, strategy=Strategy.QUEUE, status=Status.OPEN, message="m").resolved


def test_a_record_makes_its_own_document() -> None:
    """The fields of DESIGN §7, and those that came since."""
    document = Conflict(
        id=3,
        session="S",
        kind=Kind.BOUNDARY,
        severity=Severity.LOW,
        status=Status.RESOLVED,
        parties=("bob", "shop"),
        resources=("a.py",),
        strategy=Strategy.ARBITRATE,
        decision="d",
        decided_by="kim",
        opened_at="then",
        deadline_at="later",
    ).document()
    assert (document["id"], document["kind"], document["strategy"]) == (3, "BOUNDARY", "ARBITRATE")
    assert (document["decided_by"], document["deadline"], document["parties"]) == (
        "kim",
        "later",
        ["bob", "shop"],
    )
