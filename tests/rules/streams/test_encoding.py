"""Configurations as rows: what goes in comes out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.streams import encoding
from pucs.streams.records import CriticalFile, Stream
from pucs.streams.settings import (
    AgentSettings,
    Configuration,
    MergeSettings,
    ProgramSettings,
    ResourceLimit,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = st.text(max_size=8)
SEVERAL = st.lists(WORDS, max_size=3).map(tuple)
STREAMS = st.builds(
    Stream,
    name=WORDS,
    files_pattern=SEVERAL,
    max_agents=st.integers(1, 9),
    dependencies=SEVERAL,
    critical=st.booleans(),
    pattern_lines=st.lists(st.integers(1, 99), max_size=3).map(tuple),
)
CONFIGURATIONS = st.builds(
    Configuration,
    source=WORDS,
    streams=st.lists(STREAMS, max_size=3).map(tuple),
    critical_files=st.lists(
        st.builds(CriticalFile, path=WORDS, max_lock_duration_s=st.floats(0, 9)), max_size=2
    ).map(tuple),
    resources=st.lists(
        st.builds(ResourceLimit, name=WORDS, concurrency=st.integers(1, 9), period_s=st.floats(0, 9)),
        max_size=2,
    ).map(tuple),
    generated_commands=st.lists(st.tuples(WORDS, WORDS), max_size=2).map(tuple),
    agents=st.builds(
        AgentSettings,
        programs=st.lists(st.builds(ProgramSettings, name=WORDS, arguments=SEVERAL), max_size=2).map(tuple),
    ),
    merge=st.builds(MergeSettings, test_command=WORDS, phases=st.lists(SEVERAL, max_size=2).map(tuple)),
)


@given(CONFIGURATIONS)
def test_configuration_survives_the_store(configuration: Configuration) -> None:
    """Decoding gives back the encoded configuration, down to the lines of its patterns."""
    again = encoding.decode(encoding.encode(configuration))
    assert again == configuration
    assert [stream.pattern_lines for stream in again.streams] == [
        s.pattern_lines for s in configuration.streams
    ]


@given(STREAMS)
def test_stream_survives_the_store(stream: Stream) -> None:
    """Decoding gives back the encoded stream."""
    assert encoding.decode_stream(encoding.encode_stream(stream)) == stream


def test_row_of_neighbouring_version_stays_readable() -> None:
    """A missing field takes its default; an unknown one is ignored."""
    assert encoding.decode(json.dumps({"store": "x", "later": 1})) == Configuration(store="x")


@pytest.mark.parametrize(
    "text",
    [
        encoding.encode(Configuration(store="caf\udce9")),
        encoding.encode_stream(Stream(name="ä", files_pattern=())),
    ],
)
def test_rows_are_one_line_of_ascii(text: str) -> None:
    """Names of any bytes can be stored."""
    assert text.isascii()
    assert "\n" not in text


@pytest.mark.parametrize("decode", [encoding.decode, encoding.decode_stream])
def test_decoded_records_can_be_cached(decode: Callable[[str], Any]) -> None:
    """Decoded records are hashable, all lists having become tuples."""
    stream = Stream(name="a", files_pattern=("a/**",))
    text = (
        encoding.encode(Configuration(streams=(stream,)))
        if decode is encoding.decode
        else encoding.encode_stream(stream)
    )
    assert hash(decode(text)) is not None
