"""Tells by a path alone what kind of file it is: source, test, or something else."""

from __future__ import annotations

import re
from typing import Final

TEST_DIRECTORIES: Final = frozenset({"test", "tests", "spec", "specs", "__tests__", "testing", "e2e"})
"""Directories whose source files are tests, in lower case."""
_OTHER_DIRECTORIES: Final = frozenset({
    "doc",
    "docs",
    "documentation",
    "config",
    "conf",
    "configs",
    "node_modules",
    "vendor",
    "third_party",
    "dist",
    "build",
})
_SOURCE: Final = re.compile(
    r"\.(py|pyi|pyx|js|jsx|mjs|cjs|ts|tsx|mts|cts|vue|svelte|go|rs|java|kt|kts|scala|c|h|cc|cpp|cxx|hh|hpp|cs|fs|rb|php|swift|m|mm|"
    r"lua|ex|exs|erl|clj|hs|ml|mli|r|jl|dart|zig|nim|pl|sh|sql|css|scss|html)$",
    re.IGNORECASE,
)
_TEST_FILE: Final = re.compile(r"^(test_.*|.*_test|.*[.-](test|spec)|conftest)\.\w+$")


def is_code(path: str) -> bool:
    """Tell whether a path names code at all: source or test."""
    return _SOURCE.search(path) is not None


def is_test(path: str) -> bool:
    """Tell whether a path names a test or what only tests use."""
    *directories, name = path.split("/")
    return bool(_SOURCE.search(name)) and (
        _TEST_FILE.match(name) is not None or any(part.lower() in TEST_DIRECTORIES for part in directories)
    )


def is_source(path: str) -> bool:
    """Tell whether a path names source that streams are made of: no test, nothing hidden, generated or foreign."""
    *directories, name = path.split("/")
    if not _SOURCE.search(name) or is_test(path) or not path.isprintable():
        return False
    return not any(part.startswith(".") or part.lower() in _OTHER_DIRECTORIES for part in directories)
