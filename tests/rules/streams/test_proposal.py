"""Proposed configurations: readable back, whatever is in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pucs.streams.configuration import parse
from pucs.streams.proposal import Watched, render
from pucs.streams.records import Stream


def test_everything_rendered_is_read_back() -> None:
    """Dependencies, tests, odd names and dollar signs survive the file."""
    streams = (
        Stream(name="yes", files_pattern=("a${b}/", "$$"), dependencies=("x-1",), max_agents=1),
        Stream(
            name="x-1", description='say "hi"', files_pattern=("c, d/",), test_pattern=("tests/", "t_$.py")
        ),
    )
    assert parse(render(streams), "pucs.yaml", {}).streams == streams


def test_long_lists_are_written_an_entry_a_line() -> None:
    """What does not fit into a line is still the same list."""
    streams = (Stream(name="a", files_pattern=tuple(f"directory-{number}/" for number in range(12))),)
    text = render(streams)
    assert max(map(len, text.splitlines())) <= 110
    assert parse(text, "pucs.yaml", {}).streams == streams


def test_critical_files_are_written_as_they_are_called() -> None:
    """Letters that mean something in patterns mean themselves; what cannot be written down is left out."""
    watched = [
        Watched(path="a/[id].ts", lock_duration_min=30, requires_review=True, reason="HIGH: 3 files use it"),
        Watched(path="b.py", lock_duration_min=60, requires_review=False, reason=""),
        Watched(path="c\n.py", lock_duration_min=60, requires_review=False, reason=""),
    ]
    found = parse(render((), watched=watched), "pucs.yaml", {}).critical_files
    assert [(one.path, one.max_lock_duration_s, one.requires_review) for one in found] == [
        (r"a/\[id\].ts", 1800, True),
        ("b.py", 3600, False),
    ]


@given(st.text(max_size=200))
def test_no_comment_ends_early(text: str) -> None:
    """Whatever a comment is made of, it stays one."""
    streams = (Stream(name="a", files_pattern=("a/",)),)
    written = render(streams, about=[text], notes={"a": text}, watched=[
        Watched(path="a/x.py", lock_duration_min=30, requires_review=False, reason=text)
    ])  # fmt: skip
    configuration = parse(written, "pucs.yaml", {})
    assert configuration.streams == streams
    assert [one.path for one in configuration.critical_files] == ["a/x.py"]
