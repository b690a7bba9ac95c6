"""Where an agent program's file is, and which version it says it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from pucs.launch.programs import Found

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK_S_MAX = 20.0
"""Longest time a program may take to say its version: it takes a tenth of a second, on a machine under load some."""


def found(name: str, environment: Mapping[str, str]) -> str:
    """Return the absolute path of a program as that environment finds it, empty if there is none."""
    file = shutil.which(os.path.expanduser(name), path=environment.get("PATH", os.defpath))  # noqa: PTH111 - a name stays one
    return os.path.abspath(file) if file else ""  # noqa: PTH100 - a symlink stays one


def version(
    title: str, name: str, environment: Mapping[str, str], *, pattern: str, install: str, setting: str
) -> tuple[int, ...] | Found:
    """Return the version that a program says it is, or why it cannot be used.

    ``pattern`` has the numbers of the version as its groups; ``install`` and ``setting`` are how to get the program and
    how to name its file.
    """
    file = found(name, environment)
    if not file:
        return Found(
            problem=f"{title} is not installed: there is no {name}.",
            remedy=f"Install it: {install} (or name its file: {setting}).",
        )
    remedy = f"Try: {file} --version"
    try:
        said = subprocess.run(
            [file, "--version"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LOOK_S_MAX,
            check=False,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Found(problem=f"{file} does not start: {error}.", remedy=remedy)
    numbers = re.search(pattern, said)
    if numbers is None:
        return Found(problem=f"{file} does not say its version; is it {title}?", remedy=remedy)
    return tuple(map(int, numbers.groups()))
