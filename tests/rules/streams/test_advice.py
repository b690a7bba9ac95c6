"""Advice: what a configuration allows but hardly means."""

from __future__ import annotations

from pucs.streams.advice import advice
from pucs.streams.configuration import parse
from pucs.streams.records import Stream
from pucs.streams.settings import Configuration

TEXT = """\
streams:
  shop:
    files_pattern: shop/
    test_pattern: [tests/test_shop.py, "tests/none*.py"]
    dependencies: [lib, config, config/base, nowhere, ghost]
    critical_files: [shop/a.py, shop/gone.py]
  ghost:
    files_pattern: ghost/
critical_files: [setup.py, gone.py]
"""


def test_what_matches_nothing_is_told() -> None:
    """Streams without files, patterns without matches and dependencies on nothing are named with a line."""
    files = ["shop/a.py", "tests/test_shop.py", "lib/x.py", "config/base.py", "setup.py"]
    assert advice(parse(TEXT, "pucs.yaml", {}), files) == [
        "pucs.yaml:3: test_pattern of 'shop': 'tests/none*.py' matches no file",
        "pucs.yaml:3: critical_files of 'shop': 'shop/gone.py' matches no file",
        "pucs.yaml:3: 'shop' depends on 'nowhere', which is no stream and no path",
        "pucs.yaml:8: the stream 'ghost' has no files yet",
        "pucs.yaml: critical_files: 'gone.py' matches no file",
    ]


def test_streams_without_lines_are_told_too() -> None:
    """A stream that was not read from a file is told about without a line."""
    configuration = Configuration(source="here", streams=(Stream(name="a", files_pattern=("a",)),))
    assert advice(configuration, []) == ["here: the stream 'a' has no files yet"]
