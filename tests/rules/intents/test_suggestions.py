"""What a contested plan is told to do instead."""

from __future__ import annotations

from pucs.core.modes import Mode
from pucs.intents.records import Contest, Held, Obstacle, Waiting
from pucs.intents.suggestions import SUGGESTIONS_MAX, suggestions


def held(resource: str, left_s: float = 600.0, agent: str = "ann") -> Held:
    return Held(
        resource=resource,
        mode=Mode.EXCLUSIVE,
        agent=agent,
        stream="shop",
        task="",
        left_s=left_s,
        expires_at="",
    )


def test_without_conflicts_there_is_nothing_to_suggest() -> None:
    """Also when others wait."""
    assert suggestions(["a.py"], [], waiting=[Waiting(agent="bob", resources=("a.py",))]) == ()


def test_a_lease_in_the_way() -> None:
    """Wait with the time that is left, divide the file, take what is free; who queues already is named."""
    lock = Contest(kind=Obstacle.FILE_LOCK, files=("a.py",), holder="ann")
    found = suggestions(
        ["a.py", "b.py"],
        [lock],
        held=[held("a.py::f", 30.0), held("a.py::g"), held("a.py::h", 9e9, agent="reader")],
        waiting=[Waiting(agent="bob", resources=("a.py",))],
    )
    assert found == (
        "Wait for ann or work on different files",
        "ann has it for 10 min more at the longest, unless it renews; to queue: pucs lock FILE --wait S",
        "Only a part of a.py is held: plan the functions you need, as a.py::NAME",
        "Divide a.py by its functions: pucs partition propose a.py",
        "bob is already in the queue for a.py",
        "Free now: b.py",
    )


def test_free_functions_are_named_where_they_are_known() -> None:
    """The first few of them, and how many more there are."""
    lock = Contest(kind=Obstacle.FILE_LOCK, files=("a.py",), holder="ann")
    free = {"a.py": [f"f{n}" for n in range(7)], "other.py": ["g"]}
    found = suggestions(["a.py"], [lock], held=[held("a.py::z", 5.0)], free_symbols=free)
    assert "In a.py these are free: f0, f1, f2, f3, f4 and 2 more" in found
    assert not any("other.py" in text or "Only a part" in text for text in found)
    assert any("for 5 s more" in text for text in found)


def test_plans_and_streams_in_the_way() -> None:
    """Coordinate with whoever plans it; ask the owning stream once for all its files."""
    found = suggestions(
        ["a.txt", "core/x.py", "core/y.py"],
        [
            Contest(kind=Obstacle.INTENT_OVERLAP, files=("a.txt",), holder="ann"),
            Contest(kind=Obstacle.DEPENDENCY, files=("core/x.py",), holder_stream="core"),
            Contest(kind=Obstacle.BOUNDARY, files=("core/y.py",), holder_stream="core"),
        ],
    )
    assert found == (
        "Coordinate with ann to partition work",
        "Ask stream core to make the change: pucs request core/x.py --reason R",
    )


def test_only_so_many_are_made() -> None:
    """A hundred holders are not a hundred sentences."""
    locks = [Contest(kind=Obstacle.FILE_LOCK, files=("a",), holder=f"a{n}") for n in range(100)]
    assert len(suggestions(["a"], locks)) == SUGGESTIONS_MAX
