"""Answers to the hooks of agent programs: their own JSON in, the one decision of ``coordinator.guarding``, their JSON out.

``pucs-hook`` is a shell program, because programs call it before each edit; it asks a running server, else
``python -m pucs.hooks``, else it blocks. It may only do so while a session is active (DESIGN §5).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

SCRIPT = "pucs-hook"


def place() -> Path:
    """Return the absolute path of the installed ``pucs-hook`` script."""
    return Path(__file__).resolve().parent / SCRIPT


def main() -> NoReturn:
    """Become the script: ``pucs-hook`` on PATH is for people, settings name the script itself."""
    os.execv("/bin/sh", ["sh", str(place()), *sys.argv[1:]])  # noqa: S606 - that is its task
