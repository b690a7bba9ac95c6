"""Whether an installed merge driver works: it is run as git would run it, with a conflict that nobody can settle."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.core.errors import PucsError
from pucs.hooks import installing_merge
from pucs.hooks.probing import Probe

if TYPE_CHECKING:
    from pucs.coordinator.merge_settings import MergeSettings

LIMIT_S = 30.0
"""Longest time of the probe: three times what a merge may take."""
FRONT = "merge driver"
_VERSIONS = {"O": "value = 1\n", "A": "value = 2\n", "B": "value = 3\n"}


def merge_probe(at: MergeSettings, everywhere: MergeSettings) -> Probe:
    """Try the driver of a repository, else that of the person."""
    for place, more in ((at, ""), (everywhere, " --global")):
        command = installing_merge.installed(place)
        if command is not None:
            return _tried(place, command, more)
    return Probe(front=FRONT, ok=True, found="not installed", installed=False)


def _tried(at: MergeSettings, command: str, more: str) -> Probe:
    again = f"Install it again: pucs merge install{more}"
    problem = _broken(command)
    if problem:
        return Probe(front=FRONT, ok=False, found=f"does NOT merge, git does alone: {problem}", remedy=again)
    accept, patterns = installing_merge.accepts(at), installing_merge.patterns_of(at)
    if not patterns:
        return Probe(front=FRONT, ok=False, found=f"no file is meant for it in {at.attributes}", remedy=again)
    try:
        plan = installing_merge.install(at, accept=accept, patterns=patterns, everywhere=bool(more))
    except PucsError as error:
        return Probe(front=FRONT, ok=False, found=error.message, remedy=error.remedy)
    if plan.changes:
        found = "merges, but is not what would be installed now: this version or a .gitattributes has changed"
        return Probe(front=FRONT, ok=False, found=found, remedy=again)
    review = ", guesses too" if accept == "review" else ""
    return Probe(front=FRONT, ok=True, found=f"merges {', '.join(patterns)}{review}{more and ', everywhere'}")


def _broken(command: str) -> str:
    """Return what is wrong with the shell line, empty if it asks PUCS."""
    values = {"%%": "%", "%O": "O", "%A": "A", "%B": "B", "%L": "7", "%P": "probe.py"}
    with tempfile.TemporaryDirectory(prefix="pucs-probe-") as aside:
        for name, text in _VERSIONS.items():
            Path(aside, name).write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run(
                ["/bin/sh", "-c", installing_merge.filled(command, values)],
                cwd=aside,
                env=os.environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if ended.stdout:
        return "it writes where git does"
    if "pucs: probe.py: 1 conflict left" in ended.stderr and ended.returncode == 1:
        return ""
    return " ".join(ended.stderr.split())[:300] or "Python was not asked"
