"""The commit protocol."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.streams import protocol


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("feat: add x", "[PUCS-core] feat: add x"),
        ("fix(api)!: mend y", "[PUCS-core] fix: api: mend y"),
        ("Add x", "[PUCS-core] chore: Add x"),
        ("nonsense: add x", "[PUCS-core] chore: nonsense: add x"),
        ("[PUCS-other] docs: tell z", "[PUCS-core] docs: tell z"),
        ("# a\n\tb\x07", "[PUCS-core] chore: # a b"),
        ("", "[PUCS-core] chore: Update"),
        ("x" * 200, f"[PUCS-core] chore: {'x' * 99}…"),
    ],
)
def test_subject_of_title(title: str, expected: str) -> None:
    """A title of any kind gives one line that follows the protocol."""
    assert protocol.subject("core", title) == expected


@given(st.text(), st.text(), st.text())
def test_any_title_is_made_safe(stream: str, title: str, body: str) -> None:
    """Whatever an agent says, the message follows the protocol and forges no trailer."""
    message = protocol.compose(stream, title, [(protocol.AGENT, "a")], body=body)
    assert protocol.problems(message) == []
    assert protocol.parse(message.split("\n")[0]) is not None
    assert [line for line in message.split("\n") if line.upper().startswith("PUCS-")] == ["PUCS-Agent: a"]


def test_compose_with_trailers() -> None:
    """Rest of the title and body come between first line and trailers; tokens are in order, empty ones left out."""
    trailers = protocol.trailers_of("a", "core", "S1", "", [3, 1, 3, 0])
    assert protocol.compose("core", "feat: x\n\nwhy\nPUCS-Token: 9", trailers) == (
        "[PUCS-core] feat: x\n\nwhy\n  PUCS-Token: 9\n\n"
        "PUCS-Agent: a\nPUCS-Stream: core\nPUCS-Session: S1\nPUCS-Token: 1\nPUCS-Token: 3\n"
    )
    assert protocol.compose("", "x", []) == "[PUCS-shared] chore: x\n"


def test_problems_are_named() -> None:
    """Each deviation is named; the case of a stream does not matter."""
    assert protocol.problems("add x")[0].startswith("the first line is not")
    assert protocol.problems("[PUCS-a] feat: x\nno gap", ["A"]) == ["the second line is not empty"]
    assert len(protocol.problems("[PUCS-b] merge: x", ["A"])) == 2
    assert protocol.parse("[PUCS-b] merge: x") is None
    assert protocol.parse("[PUCS-b] feat: x") == protocol.Subject("b", "feat", "x")
