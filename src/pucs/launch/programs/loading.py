"""Which agent programs there are: those of PUCS and whatever else is installed under the entry point group."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from pucs.core.errors import EnvironmentFailure, Usage
from pucs.launch.programs import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pucs.launch.programs import Program
    from pucs.streams.settings import AgentSettings

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def programs() -> dict[str, Program]:
    """Return every installed program by name; one that cannot be loaded is left out, ``chosen`` says why."""
    found: dict[str, Program] = {}
    for name in names():
        try:
            found[name] = _loaded(name)
        except EnvironmentFailure:
            continue
    return found


def names() -> tuple[str, ...]:
    """Return the names of installed programs, sorted, without loading any."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def chosen(word: str, environment: Mapping[str, str]) -> Program | None:
    """Return the program that a word names, None if it is a shell command.

    Raises:
        Usage: it is a single word, and neither a program nor an executable.
        EnvironmentFailure: the program is installed and cannot be loaded.
    """
    if word in names():
        return _loaded(word)
    if _WORD.fullmatch(word) and shutil.which(word, path=environment.get("PATH")) is None:
        raise Usage(
            f"{word!r} is neither an agent program nor an executable.",
            remedy=f"Agent programs: {', '.join(names())}. Anything else is a shell command that finds the text of its "
            "task in PUCS_PROMPT.",
        )
    return None


def checked(words: Iterable[str], environment: Mapping[str, str], settings: AgentSettings) -> tuple[str, ...]:
    """Look once at each program that is to be used, before anything is started; return what deserves a warning.

    Raises:
        Usage: see ``chosen``.
        EnvironmentFailure: a program is missing, too old or does not start; the remedy says what to do.
    """
    warnings: list[str] = []
    for word in dict.fromkeys(words):
        program = chosen(word, environment)
        if program is None:
            continue
        found = program.look(environment, settings.program(word).executable)
        if found.problem:
            raise EnvironmentFailure(found.problem, remedy=found.remedy)
        if found.warning:
            warnings.append(found.warning)
    return tuple(warnings)


def _loaded(name: str) -> Program:
    entry = next(entry for entry in entry_points(group=GROUP) if entry.name == name)
    try:
        made: Program = entry.load()()
    except Exception as error:  # other people's code
        raise EnvironmentFailure(
            f"The agent program {name} cannot be loaded from {entry.value}: {error}.",
            remedy=f"Install it again, or name another one than {name}.",
        ) from error
    return made
