"""Where an agent program's file is."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def found(name: str, environment: Mapping[str, str]) -> str:
    """Return the absolute path of a program as that environment finds it, empty if there is none."""
    file = shutil.which(os.path.expanduser(name), path=environment.get("PATH", os.defpath))  # noqa: PTH111 - a name stays one
    return os.path.abspath(file) if file else ""  # noqa: PTH100 - a symlink stays one
