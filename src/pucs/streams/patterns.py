"""Glob patterns over ``/``-separated paths, compiled once to a regular expression.

``**`` as a whole segment stands for zero or more directories, so ``execution/**/*.py`` matches ``execution/a.py``
(``fnmatch``, which the seeds used, does not and lets ``*`` cross ``/``). ``*`` ``?`` ``[abc]`` ``[!a-z]`` stay within
one segment, ``{a,b}`` stands for either, a backslash takes the next character as it is. A bare path means that file,
or everything below that directory; a trailing slash means everything below. Case counts. Hidden files match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from pucs.core.errors import Usage

PATTERN_CHARACTERS_MAX = 1024
"""Longest pattern; paths longer than this are rare and patterns of them rarer."""
ALTERNATIVES_MAX = 64
"""Most patterns one ``{a,b}{c,d}`` may stand for."""
_ANY_DEPTH = "**"
_SPECIAL = frozenset("*?[]{}\\")


@dataclass(frozen=True, slots=True)
class _Alternative:
    """One reading of a pattern, without braces."""

    segments: tuple[str | re.Pattern[str], ...]
    """``**`` or the expression of one path segment."""
    regex: str
    literal: tuple[str, ...]
    """Leading segments without wildcards."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern."""

    text: str
    regex: str
    """Expression that a whole path must match; a union with ``|``."""
    alternatives: tuple[_Alternative, ...]

    @property
    def heads(self) -> frozenset[str]:
        """Return the first segments that every match has one of; empty if any first segment will do."""
        firsts = [alternative.literal[:1] for alternative in self.alternatives]
        return frozenset(first[0] for first in firsts) if all(firsts) else frozenset()


def split(text: str) -> tuple[str, ...]:
    """Return the patterns of a comma-separated list; commas inside ``[]`` and ``{}`` belong to a pattern."""
    parts: list[str] = []
    start = depth = 0
    for at, character in enumerate(text):
        if character in "[{":
            depth += 1
        elif character in "]}":
            depth = max(0, depth - 1)
        elif character == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return tuple(part.strip() for part in parts if part.strip())


def escape(path: str) -> str:
    """Return a pattern that means exactly this path, and everything below it if it ends in a slash."""
    quoted = "".join("\\" + character if character in _SPECIAL else character for character in path)
    return "\\" + quoted if quoted.startswith("!") else quoted


@lru_cache(maxsize=4096)
def compile_pattern(text: str) -> Pattern:
    """Return a pattern ready to match.

    Raises:
        Usage: the pattern is empty, absolute, leaves the repository, or has an unclosed bracket.
    """
    if not text.strip() or len(text) > PATTERN_CHARACTERS_MAX or "\0" in text:
        raise Usage(f"{text[:40]!r} is not a pattern.", remedy="Write something like src/**/*.py or src/.")
    if text.startswith("!"):
        raise Usage(f"{text!r} cannot be negated.", remedy="Name what belongs to the stream instead.")
    if text.startswith("/"):
        raise Usage(
            f"{text!r} is absolute.", remedy="Patterns start at the root of the repository, without a slash."
        )
    alternatives = [made for written in _braces(text) for made in _alternatives(written)]
    return Pattern(text, "|".join(alternative.regex for alternative in alternatives), tuple(alternatives))


def matches(pattern: str, path: str) -> bool:
    """Tell whether a pattern matches a path."""
    return _expression(pattern).fullmatch(path) is not None


def may_match_below(pattern: str, directory: str) -> bool:
    """Tell whether some path below a directory could match; the empty directory or ``/`` is the root."""
    parts = [part for part in directory.split("/") if part]
    return any(_reaches(alternative.segments, parts) for alternative in compile_pattern(pattern).alternatives)


def static_directory(pattern: str) -> str:
    """Return the deepest directory that surely holds every match, without slash; empty: the root."""
    literals = [alternative.literal for alternative in compile_pattern(pattern).alternatives]
    common: list[str] = []
    for segments in zip(*literals, strict=False):
        if len(set(segments)) > 1:
            break
        common.append(segments[0])
    whole = min(len(alternative.segments) for alternative in compile_pattern(pattern).alternatives)
    return "/".join(common[: whole - 1])


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(compile_pattern(pattern).regex)


def _braces(text: str) -> list[str]:
    """Return what ``{a,b}`` stands for, outermost first."""
    done: list[str] = []
    waiting = [text]
    while waiting:
        one = waiting.pop()
        found = _first_brace(one)
        if found is None:
            done.append(one)
        else:
            start, commas, end = found
            cuts = [start, *commas, end]
            choices = [one[a + 1 : b] for a, b in pairwise(cuts)]
            waiting.extend(one[:start] + choice + one[end + 1 :] for choice in reversed(choices))
        if len(waiting) + len(done) > ALTERNATIVES_MAX:
            raise Usage(f"{text!r} stands for too many patterns.", remedy=f"At most {ALTERNATIVES_MAX}.")
    return done


def _first_brace(text: str) -> tuple[int, list[int], int] | None:
    """Return where the first brace group opens, its own commas, and where it closes."""
    start, depth, commas, at = -1, 0, [], 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif character == "[":
            at = max(at, text.find("]", at + 2))
        elif character == "{":
            depth += 1
            start = at if depth == 1 else start
        elif character == "," and depth == 1:
            commas.append(at)
        elif character == "}" and depth:
            depth -= 1
            if not depth:
                return start, commas, at
        at += 1
    if depth:
        raise Usage(
            f"{text!r} has an unclosed brace.", remedy="Close it with }, or write [{] for the character."
        )
    return None


def _alternatives(text: str) -> list[_Alternative]:
    """Return the readings of a pattern without braces: a bare path is a file or a directory."""
    below = text.endswith("/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise Usage(f"{text!r} names nothing inside the repository.", remedy="Write a path below its root.")
    collapsed = [
        part for at, part in enumerate(parts) if part != _ANY_DEPTH or parts[at - 1 : at] != [_ANY_DEPTH]
    ]
    if below:
        return [_alternative(collapsed if collapsed[-1] == _ANY_DEPTH else [*collapsed, _ANY_DEPTH], text)]
    made = [_alternative(collapsed, text)]
    if not any(_SPECIAL.intersection(part) for part in parts):
        made.append(_alternative([*collapsed, _ANY_DEPTH], text))
    return made


def _alternative(parts: list[str], text: str) -> _Alternative:
    segments = [_ANY_DEPTH if part == _ANY_DEPTH else _segment(part, text) for part in parts]
    literal = 0
    while literal < len(parts) and not _SPECIAL.intersection(parts[literal]):
        literal += 1
    compiled = tuple(segment if segment == _ANY_DEPTH else re.compile(segment) for segment in segments)
    return _Alternative(compiled, _path(segments), tuple(parts[:literal]))


def _path(segments: list[str]) -> str:
    """Return the expression of a whole path.

    Between two ``**`` the first fit is as good as any later one, so it is taken for good (an atomic group): without
    that, ``**/a/**/b/**/c`` would try every combination of depths.
    """
    blocks: list[list[str]] = [[]]
    for segment in segments:
        if segment == _ANY_DEPTH:
            blocks.append([])
        else:
            blocks[-1].append(segment)
    first, rest = "/".join(blocks[0]), ["/".join(block) for block in blocks[1:]]
    if not rest:
        return first
    made = first + "/" if first else ""
    for block in rest[:-1]:
        made += rf"(?>(?:[^/]+/)*?{block}/)"
    return made + (rf"(?:[^/]+/)*{rest[-1]}" if rest[-1] else r"(?s:.+)")


def _segment(part: str, text: str) -> str:
    """Return the expression of one segment; between two ``*`` the first fit is taken for good, as fnmatch does."""
    pieces: list[str] = [""]
    at = 0
    while at < len(part):
        character = part[at]
        if character == "*":
            pieces.append("")
        elif character == "?":
            pieces[-1] += "[^/]"
        elif character == "[":
            at, made = _class(part, at, text)
            pieces[-1] += made
        else:
            at += character == "\\" and at + 1 < len(part)
            pieces[-1] += re.escape(part[at])
        at += 1
    if len(pieces) == 1:
        return pieces[0]
    if not any(pieces):
        return "[^/]+"
    middle = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{middle}[^/]*{pieces[-1]}"


def _class(part: str, start: int, text: str) -> tuple[int, str]:
    """Return where a ``[...]`` closes and its expression."""
    at = start + 1
    negated = part[at : at + 1] in ("!", "^")
    at += negated
    end = part.find("]", at + 1)
    if end == -1:
        raise Usage(
            f"{text!r} has an unclosed bracket.", remedy="Close it with ], or write [[] for the character."
        )
    inside = part[at:end]
    made = ""
    at = 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            low, high = inside[at], inside[at + 2]
            if low > high:
                raise Usage(f"{text!r} has the range {low}-{high} backwards.", remedy=f"Write {high}-{low}.")
            made += f"{re.escape(low)}-{re.escape(high)}"
            at += 3
        else:
            made += re.escape(inside[at])
            at += 1
    return end, f"(?!/)[{'^' if negated else ''}{made}]"


def _reaches(segments: tuple[str | re.Pattern[str], ...], parts: list[str]) -> bool:
    """Tell whether a path can go on to match after these directories, by following every reading at once."""
    states = _settled({0}, segments)
    for part in parts:
        moved: set[int] = set()
        for state in states:
            if state < len(segments):
                segment = segments[state]
                if isinstance(segment, str):
                    moved.add(state)
                elif segment.fullmatch(part):
                    moved.add(state + 1)
        states = _settled(moved, segments)
    return any(state < len(segments) for state in states)


def _settled(states: set[int], segments: tuple[str | re.Pattern[str], ...]) -> set[int]:
    """Add the states reached when a ``**`` stands for no directory."""
    settled = set(states)
    for state in states:
        if state < len(segments) and isinstance(segments[state], str):
            settled.add(state + 1)
    return settled
