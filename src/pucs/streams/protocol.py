"""The commit protocol: what a commit made under coordination says, and to whom it belongs (000 §5.2).

The first line is ``[PUCS-<stream>] <type>: <description>``. Trailers at the end tell machines the rest: agent, stream,
session, task, and one fencing token for each lease the change was made under.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TYPES = ("feat", "fix", "refactor", "docs", "test", "chore", "perf", "style", "build", "ci")
"""Accepted types; those of 000 §5.2 and Conventional Commits."""
DEFAULT_TYPE = "chore"
"""Type of a title that names none."""
DESCRIPTION_CHARS_MAX = 100
"""Longest description: more is cut in every list of commits anyway."""
BODY_CHARS_MAX = 8000
"""Longest body: agents' explanations are kept, transcripts are not."""
AGENT = "PUCS-Agent"
STREAM = "PUCS-Stream"
SESSION = "PUCS-Session"
TASK = "PUCS-Task"
TOKEN = "PUCS-Token"  # noqa: S105 - a trailer's name
LANDING = "PUCS-Landing"
"""In a merge commit: the agent's commit that was landed."""
_SUBJECT = re.compile(r"\[PUCS-(?P<stream>[^\]]+)\] (?P<type>[a-z]+): (?P<description>\S.*)")
_TITLE = re.compile(r"(?P<type>[a-z]+)(?:\((?P<scope>[^()]*)\))?!?:\s+(?P<description>\S.*)")
_PREFIX = re.compile(r"^\[PUCS-[^\]]*\]\s*")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")
_TRAILER_LIKE = re.compile(r"(?im)^(PUCS-)")


@dataclass(frozen=True, slots=True)
class Subject:
    """The parts of a first line that follows the protocol."""

    stream: str
    type: str
    description: str


def parse(subject: str) -> Subject | None:
    """Return the parts of a first line, None if it does not follow the protocol."""
    found = _SUBJECT.fullmatch(subject)
    if found is None or found["type"] not in TYPES:
        return None
    return Subject(found["stream"], found["type"], found["description"])


def subject(stream: str, title: str) -> str:
    """Return the first line for a title as a person or a tasks file writes it.

    ``feat: add x`` gives type and description, anything else is a chore. Line breaks and control characters become
    spaces, what is too long is cut; an empty title still gives a valid line.
    """
    text = _PREFIX.sub("", _clean(title))
    kind, description = DEFAULT_TYPE, text
    found = _TITLE.fullmatch(text)
    if found is not None and found["type"] in TYPES:
        kind, description = found["type"], found["description"]
        if found["scope"]:
            description = f"{found['scope']}: {description}"
    if len(description) > DESCRIPTION_CHARS_MAX:
        description = description[: DESCRIPTION_CHARS_MAX - 1].rstrip() + "…"
    return f"[PUCS-{_clean(stream).replace(']', ')') or 'shared'}] {kind}: {description or 'Update'}"


def compose(stream: str, title: str, trailers: Sequence[tuple[str, str]], *, body: str = "") -> str:
    """Return a whole message: first line, the rest of the title or the body, trailers.

    Lines of the body that look like our trailers are indented, so that nobody gives himself a token.
    """
    first, _, rest = title.strip().partition("\n")
    text = "\n\n".join(part for part in (rest.strip(), body.strip()) if part)
    text = _TRAILER_LIKE.sub(r"  \1", _printable(text))[:BODY_CHARS_MAX].rstrip()
    lines = "\n".join(f"{key}: {_clean(value)}" for key, value in trailers if value)
    return "\n\n".join(part for part in (subject(stream, first), text, lines) if part) + "\n"


def trailers_of(
    agent: str, stream: str, session: str, task: str, tokens: Iterable[int]
) -> list[tuple[str, str]]:
    """Return the trailers of one commit, tokens in order and each once."""
    named = [(AGENT, agent), (STREAM, stream), (SESSION, session), (TASK, task)]
    return [pair for pair in named if pair[1]] + [
        (TOKEN, str(token)) for token in sorted(set(tokens)) if token
    ]


def problems(message: str, streams: Sequence[str] = ()) -> list[str]:
    """Return what is wrong with a message, empty if it follows the protocol; ``streams``: the known names, if known."""
    first, _, rest = message.partition("\n")
    found = _SUBJECT.fullmatch(first)
    if found is None:
        return [
            f"the first line is not '[PUCS-<stream>] <type>: <description>': {first[:DESCRIPTION_CHARS_MAX]!r}"
        ]
    wrong: list[str] = []
    if found["type"] not in TYPES:
        wrong.append(f"unknown type {found['type']!r}; one of {', '.join(TYPES)}")
    if streams and found["stream"].casefold() not in {name.casefold() for name in streams}:
        wrong.append(f"unknown stream {found['stream']!r}; one of {', '.join(streams)}")
    if rest.strip() and not rest.startswith("\n"):
        wrong.append("the second line is not empty")
    return wrong


def _clean(text: str) -> str:
    return _BLANKS.sub(" ", _printable(text)).strip()


def _printable(text: str) -> str:
    """Return text without lone surrogates, which no commit message can hold."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
