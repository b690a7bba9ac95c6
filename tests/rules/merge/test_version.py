"""Versions and copyright years that both sides changed."""

from __future__ import annotations

import pytest

from pucs.merge.python.version import order, version
from tests.rules.merge.clashing import merged


def test_versions_sort_as_pep_440_says() -> None:
    """Development releases come first, then pre-releases, the release, and what was published after it."""
    rising = [
        "0.9", "1.0.dev1", "1.0a1.dev2", "1.0a1", "1.0-alpha.2", "1.0b2", "1.0rc1", "1.0rc1.post2", "1.0", "1.0+local",
        "1.0+local.2", "1.0-1", "1.0.post2", "1.0.1", "v1.1-dev", "1.1", "1.10", "2!0.1",
    ]  # fmt: skip
    keys = [order(text) for text in rising]
    assert None not in keys
    assert sorted(keys, key=lambda key: key or ()) == keys
    assert len(set(keys)) == len(keys)
    assert order("1.0") == order("1.0.0")
    assert order("nothing") is None


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ('__version__ = "1.2"\n', '__version__ = "1.3.dev0"\n', '__version__ = "1.2.1"\n', '__version__ = "1.3.dev0"\n'),
        ('__version__ = "1.2"\n', '__version__ = "1.3rc1"\n', "__version__ = '1.3'\n", "__version__ = '1.3'\n"),
        ("VERSION = (1, 2)\n", "VERSION = (1, 10)\n", "VERSION = (1, 9, 1)\n", "VERSION = (1, 10)\n"),
        ("f(\n    version='1.0',\n)\n", "f(\n    version='1.1',\n)\n", "f(\n    version='2.0',\n)\n", "f(\n    version='2.0',\n)\n"),
        (
            "version = '1.0'\nversion_info = (1, 0)\n", "version = '1.1'\nversion_info = (1, 1)\n",
            "version = '1.2'\nversion_info = (1, 2)\n", "version = '1.2'\nversion_info = (1, 2)\n",
        ),
        ("# Copyright 2010-2012 A\n", "# Copyright 2010-2013 A\n", "# Copyright 2009-2012 A\n", "# Copyright 2009-2013 A\n"),
        ("# (c) 2010 A\n", "# (c) 2012 A\n", "# (c) 2011 A\n", "# (c) 2011-2012 A\n"),
    ],
)  # fmt: skip
def test_later_version_counts(base: str, ours: str, theirs: str, expected: str) -> None:
    """The higher version, and the years of both."""
    assert merged(version, base, ours, theirs) == expected


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        pytest.param("x = 1\n", "x = 2\n", "x = 3\n", id="no version"),
        pytest.param("x = '1.0'\n", "x = '1.1'\n", "x = '1.2'\n", id="not said to be one"),
        pytest.param("version = '1.0'\n", "version = '1.1'\n", "release = '1.2'\n", id="other changes beside it"),
        pytest.param(
            "version = '1.0'\nrelease = '1.0'\n", "version = '1.1'\nrelease = '1.1'\n", "version = '1.2'\nrelease = '1.0.1'\n",
            id="two that disagree",
        ),
        pytest.param("version = '1.0'\n", "version = 'x'\n", "version = '1.2'\n", id="unreadable"),
        pytest.param("version = '1.0'\n", "version = '1.1'\n", "", id="deleted"),
        pytest.param("version = '1.0'\n", "version = f('1.1', '2.0')\n", "version = f('1.2', '2.0')\n", id="another form"),
    ],
)  # fmt: skip
def test_what_is_no_version_alone_stays_a_clash(base: str, ours: str, theirs: str) -> None:
    """Nothing is taken from one side because it looks like a number."""
    assert merged(version, base, ours, theirs) is None
