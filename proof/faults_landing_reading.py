"""Reads back what a case left: the agents' notes, and where git's own record says that branches have been."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from proof import history
from proof.checker import MARKERS
from proof.faults_landing_judge import Move
from proof.records import LINE

if TYPE_CHECKING:
    from pathlib import Path


def notes(place: Path) -> list[dict[str, Any]]:
    """Return what all processes noted, in the order of their clock; a line that a kill cut off is left out."""
    found = []
    for path in place.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return sorted(found, key=lambda note: note["t"])


def moves(repository: Path, branch: str) -> list[Move]:
    """Return where a branch has been, by git's record of the ref."""
    try:
        text = (repository / ".git/logs/refs/heads" / branch).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    pairs = [(line.split(" ", 2)[0], line.split(" ", 2)[1]) for line in text.splitlines()]
    tip = history.git(repository, "rev-parse", f"refs/heads/{branch}").decode().strip()
    found: list[Move] = []
    for new in chain(pairs, tip):
        lines = {
            file: tuple(line for line in body.split("\n") if line.startswith((LINE, *MARKERS)))
            for file, body in history.files_of(repository, new).items()
        }
        follows = not found or _contains(repository, new, found[-1].tip)
        found.append(Move(tip=new, lines=lines, follows=follows))
    return found


def chain(pairs: list[tuple[str, str]], tip: str) -> list[str]:
    """Return where a ref has been, from its record of old and new values and where it is now.

    A git that is killed may have written the record and not moved the ref: such a value is nobody's next old one.
    """
    found: list[str] = []
    for old, new in pairs:
        if found and found[-1] != old and old in found:
            del found[found.index(old) + 1 :]
        if not found or found[-1] != new:
            found.append(new)
    while len(found) > 1 and found[-1] != tip and tip in found:
        found.pop()
    return found


def on_disk(directory: Path) -> set[str]:
    """Return the agents' lines in the files of a checkout."""
    files = [path for path in directory.glob("*/*.txt") if path.is_file()]
    return {line for path in files for line in history.lines_of(path.read_text(encoding="utf-8"))}


def shown(text: str) -> list[dict[str, Any]]:
    """Return the JSON list that a command printed; what cannot be read is one that says so."""
    try:
        return list(json.loads(text or "[]"))
    except ValueError:
        return [{"resource": "what cannot be read"}]


def _contains(repository: Path, descendant: str, ancestor: str) -> bool:
    return not history.git(repository, "rev-list", "--max-count=1", ancestor, f"^{descendant}").strip()
