"""The text of a proposed ``pucs.yaml``, with comments for whoever reads and adjusts it."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pucs.streams.patterns import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.streams.records import Stream

_WIDTH: Final = 110
_FORBIDDEN: Final = "\N{REPLACEMENT CHARACTER}"
_HEAD: Final = (
    "# Streams are parts of the code that agents change side by side; each has its own boundary.",
    "# Files of no stream are shared by all. Check your changes with: pucs config check",
)
_MORE: Final = (
    "# What else can be said here; each line shows an example:",
    "# generated: [uv.lock]                    files that need no lease",
    "# worktrees: {setup: make deps, copy: [.env]}",
    "# merge: {test_command: make test}        must pass before streams are merged",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A file to propose among the critical ones."""

    path: str
    lock_duration_min: int
    """Longest lease on it."""
    requires_review: bool
    reason: str
    """Why, for the comment beside it."""


def render(
    streams: Iterable[Stream],
    *,
    watched: Iterable[Watched] = (),
    about: Sequence[str] = (),
    notes: Mapping[str, str] | None = None,
) -> str:
    """Return the text of a ``pucs.yaml`` that is read back as these streams and files.

    Args:
        streams: What is proposed.
        watched: Critical files; one whose name cannot be written down is left out.
        about: Sentences for the comment at the head.
        notes: Sentence for the comment of a stream, by its name.
    """
    lines = list(_HEAD)
    if about:
        lines += ["#", *(line for sentence in about for line in _comment(sentence))]
    blocks = [_block(stream, (notes or {}).get(stream.name, "")) for stream in streams]
    lines += ["", "streams:" if blocks else "streams: {}", *(line for block in blocks for line in block)]
    listed = [one for one in watched if one.path.isprintable()]
    if listed:
        lines += ["", "# Files that many streams rely on: short leases, so that nobody waits for long."]
        lines += ["critical_files:", *(line for one in listed for line in _watched(one))]
    return "\n".join([*lines, "", *(_MORE if listed else (_MORE[0], _CRITICAL, *_MORE[1:]))]) + "\n"


_CRITICAL: Final = "# critical_files: [{path: settings.py, max_lock_duration_min: 30}]"


def _comment(sentence: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        _plain(sentence),
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}#   ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _block(stream: Stream, note: str) -> list[str]:
    lines = [f"  {_quoted(stream.name)}:", *_comment(note, "    ")]
    if stream.description:
        lines.append(f"    description: {_quoted(stream.description)}")
    lines += _listed("    files_pattern", stream.files_pattern)
    if stream.dependencies:
        lines += _listed("    dependencies", stream.dependencies)
    if stream.test_pattern:
        lines += _listed("    test_pattern", stream.test_pattern)
    lines.append(f"    max_agents: {stream.max_agents}")
    return lines


def _watched(one: Watched) -> list[str]:
    lines = [
        f"  - path: {_quoted(escape(one.path))}",
        f"    max_lock_duration_min: {one.lock_duration_min}",
    ]
    if one.requires_review:
        lines.append("    requires_review: true")
    return [*_comment(one.reason, "  "), *lines]


def _listed(key: str, texts: Sequence[str]) -> list[str]:
    """Return a list in one line, or where that is too long an entry a line."""
    quoted = [_quoted(text) for text in texts]
    line = f"{key}: [{', '.join(quoted)}]"
    return [line] if len(line) <= _WIDTH else [f"{key}:", *(f"      - {text}" for text in quoted)]


def _quoted(text: str) -> str:
    """Return a text as YAML reads it back; a plain word stays plain."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)


_YAML_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def _plain(text: str) -> str:
    """Return a text on one line, whatever is in it: a comment that ended early would become configuration."""
    return "".join(letter if letter.isprintable() else _FORBIDDEN for letter in text)
