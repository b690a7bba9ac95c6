"""Scripts: what a scripted model does, step by step, the same words for the model server and for the hook agent.

A script is a list of steps, each one turn of the model:

- ``{"write": PATH, "text": T}``, ``{"edit": PATH, "old": O, "new": N}``, ``{"read": PATH}``, ``{"shell": COMMAND}`` and
  ``{"mcp": TOOL, "arguments": {...}}`` use a tool; ``{"tool": NAME, "arguments": {...}}`` uses one by its exact name.
- ``{"text": T}`` says something and ends the turn; what follows is for the next prompt.

These take no turn of their own:

- ``{"sleep": SECONDS}`` lets the model think before its next step.
- ``{"fail": STATUS}`` is trouble with the model server, every time; with ``"times": N`` only for the first N requests.
- ``{"if_saw": T, "then": STEPS, "else": STEPS}`` goes one way or the other by what came since the last step.
- ``{"do": STEPS, "while_saw": T}`` does the steps, and again while ``T`` came after the last of them, at most 20 times.
  In both, ``T`` may be a list of texts: one of them is enough.
- A callable takes what came since the last step and returns a step or steps.

Nothing is remembered between requests: where a conversation stands is found by walking the script along what it shows
already. So any number of agents may follow one script, and whoever takes up a conversation again goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Step = Mapping[str, Any] | Callable[[str], Any]
"""One step; see the module's text."""

REPEATS = 20
"""Rounds of one ``do``; more means that nothing changes any more, and a test should not wait for it."""

OVER: Mapping[str, Any] = {"text": "There is nothing left to do."}
"""What a model says when its script is at its end."""

_NO_TURN = frozenset({"sleep", "fail"})
_TURNS = frozenset({"write", "append", "edit", "replace", "read", "shell", "mcp", "tool", "text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a conversation does next."""

    step: Mapping[str, Any]
    """A step that is a turn."""
    sleep_s: float = 0.0
    """How long the model thinks before it."""
    trouble: tuple[Mapping[str, Any], ...] = ()
    """Steps ``fail`` that stand before it."""


def check(steps: object) -> tuple[Step, ...]:
    """Return a script as it is followed: one step or a list of them.

    Raises:
        ValueError: when a step has no known word, with the step.
    """
    listed = [steps] if isinstance(steps, Mapping) or callable(steps) else steps
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise ValueError(f"a script is a list of steps, not {listed!r}")  # noqa: TRY004 - it comes from a file
    for step in listed:
        if callable(step):
            continue
        words = set(step) if isinstance(step, Mapping) else set()
        if "if_saw" in words:
            check(step.get("then", ()))
            check(step.get("else", ()))
        elif "do" in words:
            check(step["do"])
        elif not words & (_TURNS | _NO_TURN):
            raise ValueError(f"no step begins with any of these words: {step!r}")
    return tuple(listed)


def due(steps: object, sights: Sequence[str]) -> Due:
    """Return what comes next, given what the model saw: first its prompt, then what followed each of its turns."""
    walker = _walk(check(steps), sights[0] if sights else "")
    turns = 0
    sleep_s, trouble = 0.0, list[Mapping[str, Any]]()
    try:
        step = next(walker)
        while True:
            if not _TURNS & step.keys():
                if turns == len(sights) - 1:
                    sleep_s += float(step.get("sleep", 0))
                    trouble += [step] if "fail" in step else []
                step = walker.send(None)
            elif turns < len(sights) - 1:
                turns += 1
                step = walker.send(sights[turns])
            else:
                return Due(step=step, sleep_s=sleep_s + float(step.get("sleep", 0)), trouble=tuple(trouble))
    except StopIteration:
        return Due(step=OVER, sleep_s=sleep_s, trouble=tuple(trouble))


def _walk(steps: Sequence[Step], saw: str) -> Generator[Mapping[str, Any], str | None, str]:
    """Yield step after step; each send says what came after it, None after one that takes no turn."""
    for step in steps:
        if callable(step):
            saw = yield from _walk(check(step(saw)), saw)
        elif "if_saw" in step:
            way = "then" if _shows(saw, step["if_saw"]) else "else"
            saw = yield from _walk(check(step.get(way, ())), saw)
        elif "do" in step:
            for _ in range(REPEATS):
                saw = yield from _walk(check(step["do"]), saw)
                if not _shows(saw, step.get("while_saw", ())):
                    break
        else:
            answer = yield step
            saw = saw if answer is None else answer
    return saw


def _shows(saw: str, wanted: str | Sequence[str]) -> bool:
    return any(text in saw for text in ([wanted] if isinstance(wanted, str) else wanted))
