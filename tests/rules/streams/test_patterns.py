"""Glob patterns: what they match, what they may match below a directory, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.core.errors import Usage
from pucs.streams import patterns

NAMES = st.sampled_from(["a", "b", "ab", "x.py", ".env", "b c", "ä"])
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)
SEGMENTS = st.sampled_from(["a", "*", "**", "*.py", "?", "[ab]", "a*", "*b*", "b c"])
GLOBS = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("execution/**/*.py", "execution/a.py"),
        ("execution/**/*.py", "execution/x/y/a.py"),
        ("**/*.md", "README.md"),
        ("**/*.md", "docs/a/b.md"),
        ("models/risk*.py", "models/risk.py"),
        ("models/risk*.py", "models/risk_manager.py"),
        ("shop", "shop"),
        ("shop", "shop/a/b.py"),
        ("shop/", "shop/a/b.py"),
        ("./shop//x", "shop/x"),
        ("packages/*/", "packages/one/a.js"),
        ("a/**", "a/b/c"),
        ("a/**/", "a/b"),
        ("**", "anything/at all"),
        ("a/**/**/b", "a/b"),
        ("a/**/b/**/c", "a/x/b/y/b/c"),
        ("**/a/**/b/**", "x/a/b/c"),
        ("a**b", "axxb"),
        ("*a*b", "xaxxb"),
        ("*.py", ".py"),
        ("?.py", "a.py"),
        ("[ab].py", "b.py"),
        ("[!ab].py", "c.py"),
        ("[^ab].py", "c.py"),
        ("[a-c]x", "bx"),
        ("[]]x", "]x"),
        ("[a-]x", "-x"),
        ("[[]id]", "[id]"),
        (r"\[id\]", "[id]"),
        ("*.{ts,tsx}", "a.tsx"),
        ("{a,b/{c,d}}/x", "b/d/x"),
        ("[{]x", "{x"),
        (r"\{x", "{x"),
        ("x}", "x}"),
        ("a\\", "a\\"),
        ("{a,[,]}", ","),
        ("new\nline/*", "new\nline/x"),
        ("caf\udce9/*", "caf\udce9/x"),
    ],
)
def test_pattern_matches_path(pattern: str, path: str) -> None:
    """The pattern matches the path."""
    assert patterns.matches(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("execution/**/*.py", "execution.py"),
        ("execution/**/*.py", "other/execution/a.py"),
        ("execution/*.py", "execution/x/a.py"),
        ("shop", "shopping/a.py"),
        ("shop/", "shop"),
        ("Shop", "shop"),
        ("a/**", "a"),
        ("?", "/"),
        ("[!a]", "/"),
        ("a[!b]c", "a/c"),
        ("*", "a/b"),
        ("**/b/**/c", "b"),
        ("*a*b", "xb"),
    ],
)
def test_pattern_does_not_match_path(pattern: str, path: str) -> None:
    """The pattern does not match the path."""
    assert not patterns.matches(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("", "not a pattern"),
        ("  ", "not a pattern"),
        ("a\0", "not a pattern"),
        ("a" * 1025, "not a pattern"),
        ("!a", "negated"),
        ("/etc/*", "absolute"),
        ("../x", "inside the repository"),
        ("a/../b", "inside the repository"),
        (".", "inside the repository"),
        ("a[b", "unclosed bracket"),
        ("a[b/c]", "unclosed bracket"),
        ("[c-a]", "backwards"),
        ("a{b", "unclosed brace"),
        ("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", "too many"),
    ],
)
def test_bad_pattern_is_refused(pattern: str, complaint: str) -> None:
    """A pattern that cannot be meant is refused with its reason."""
    with pytest.raises(Usage, match=complaint):
        patterns.compile_pattern(pattern)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("models/risk*.py,models/circuit*.py", ("models/risk*.py", "models/circuit*.py")),
        (" a , b ,", ("a", "b")),
        ("*.{ts,tsx},[,]x", ("*.{ts,tsx}", "[,]x")),
        ("a},b", ("a}", "b")),
        ("", ()),
    ],
)
def test_comma_list_is_split(text: str, parts: tuple[str, ...]) -> None:
    """Commas separate patterns unless they stand inside brackets or braces."""
    assert patterns.split(text) == parts


@pytest.mark.parametrize(
    ("pattern", "directory", "expected"),
    [
        ("execution/**/*.py", "execution/", True),
        ("execution/**/*.py", "execution/deep/er/", True),
        ("execution/**/*.py", "", True),
        ("execution/**/*.py", "/", True),
        ("execution/**/*.py", "models/", False),
        ("execution/*.py", "execution/deep/", False),
        ("**/*.md", "anything/", True),
        ("shop", "shop/", True),
        ("shop", "shop/deep/", True),
        ("shop/a.py", "shop/", True),
        ("shop/a*", "shop/a1/", False),
        ("a/**/b/c", "a/x/b/", True),
        ("packages/*/src/", "packages/one/", True),
    ],
)
def test_pattern_may_match_below_directory(pattern: str, directory: str, *, expected: bool) -> None:
    """A directory is touched by a pattern when some path below it could match."""
    assert patterns.may_match_below(pattern, directory) is expected


@pytest.mark.parametrize(
    ("pattern", "directory"),
    [
        ("execution/**/*.py", "execution"),
        ("models/risk*.py", "models"),
        ("a/b/c.py", "a/b"),
        ("**/*.md", ""),
        ("{a/b,a/c}/x.py", "a"),
        ("x.py", ""),
    ],
)
def test_static_directory_holds_every_match(pattern: str, directory: str) -> None:
    """The deepest directory that surely holds all matches is known without looking at files."""
    assert patterns.static_directory(pattern) == directory


@pytest.mark.parametrize(
    ("pattern", "heads"),
    [("shop/*", {"shop"}), ("{a,b}/x", {"a", "b"}), ("**/x", set()), ("{a,*}/x", set())],
)
def test_heads_name_first_segments(pattern: str, heads: set[str]) -> None:
    """The first segments of all matches are known where no wildcard stands first."""
    assert patterns.compile_pattern(pattern).heads == heads


@given(GLOBS, PATHS)
def test_expression_agrees_with_definition(pattern: str, path: str) -> None:
    """The compiled expression matches exactly what the segment-wise definition says."""
    assert patterns.matches(pattern, path) is _defined(pattern.split("/"), path.split("/")) or _bare(
        pattern, path
    )


@given(GLOBS, PATHS)
def test_match_is_below_its_directories(pattern: str, path: str) -> None:
    """Whenever a path matches, the pattern may match below each of its directories."""
    if patterns.matches(pattern, path):
        parts = path.split("/")
        assert all(patterns.may_match_below(pattern, "/".join(parts[:at]) + "/") for at in range(len(parts)))


@given(st.text(alphabet="ab!*?[]{}\\,$ ", min_size=1, max_size=8).filter(lambda name: name.strip()))
def test_escaped_path_means_itself(name: str) -> None:
    """Whatever characters a directory has, its escaped name covers what is below it and nothing else."""
    pattern = patterns.escape(f"{name}/")
    assert patterns.matches(pattern, f"{name}/x")
    assert not patterns.matches(pattern, f"{name}x/x")


def test_hostile_pattern_stays_quick() -> None:
    """Many wildcards against a long path that almost matches take no exponential time."""
    pattern = "**/" + "a/**/" * 12 + "b"
    assert not patterns.matches(pattern, "a/" * 400 + "c")
    assert not patterns.matches("*a" * 20 + "b", "a" * 400)


def _bare(pattern: str, path: str) -> bool:
    return (
        not set("*?[") & set(pattern) and path.startswith(pattern + "/") and patterns.matches(pattern, path)
    )


def _defined(pattern: list[str], path: list[str]) -> bool:
    """Match by the definition: slow, obvious."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        if all(part == "**" for part in pattern):
            return bool(path)
        return any(_defined(pattern[1:], path[at:]) for at in range(len(path)))
    return bool(path) and _one(pattern[0], path[0]) and _defined(pattern[1:], path[1:])


def _one(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(_one(pattern[1:], name[at:]) for at in range(len(name) + 1))
    if pattern.startswith("[ab]"):
        return name[:1] in {"a", "b"} and _one(pattern[4:], name[1:])
    return bool(name) and pattern[0] in {"?", name[0]} and _one(pattern[1:], name[1:])
