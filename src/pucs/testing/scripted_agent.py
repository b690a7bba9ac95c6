"""A scripted agent: a separate program that edits files by a plan instead of asking a model.

``pucs demo`` and the tests run it as any other ``command`` agent. A plan is a JSON list of steps; every step acts in the
current directory, which is the agent's worktree:

- ``{"say": TEXT}`` prints a thought.
- ``{"think": SECONDS}`` takes time, as a model does.
- ``{"write": PATH, "text": T}``, ``{"append": PATH, "text": T}``, ``{"replace": PATH, "old": O, "new": N}`` edit files.
  With ``"once": T`` the edit is left out if the file holds ``T`` already.
- ``{"expect": PATH, "text": T}`` fails unless the file holds ``T``: the agent builds on somebody's work.
- ``{"lock": RESOURCE, "granted": BOOL}`` asks ``pucs lock`` and fails unless the answer is as said.
- ``{"recover": PATH}`` takes the file over from the salvage ref of the attempt before this one, if there was one.
- ``{"die": N}`` kills itself with SIGKILL at attempt number N, in the middle of its work.

The attempt number is ``PUCS_ATTEMPT``, the salvage ref ``PUCS_SALVAGE``; both are set by the supervisor.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def say(text: str) -> None:
    """Print a thought at once."""
    print(f"[{os.environ.get('PUCS_AGENT', 'agent')}] {text}", flush=True)


def edit(step: dict[str, Any]) -> None:
    """Do one of the editing steps."""
    kind = next(key for key in ("write", "append", "replace") if key in step)
    path = Path(step[kind])
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if "once" in step and step["once"] in before:
        return
    if kind == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        after = step["text"]
    elif kind == "append":
        after = before + step["text"]
    else:
        if step["old"] not in before:
            raise SystemExit(f"{path} does not hold {step['old']!r}")
        after = before.replace(step["old"], step["new"], 1)
    path.write_text(after, encoding="utf-8")
    say(f"edited {path}")


def lock(step: dict[str, Any]) -> None:
    """Ask for a lease and compare the answer with what the plan says."""
    call = [sys.executable, "-m", "pucs", "lock", step["lock"], "--json"]
    answer = json.loads(subprocess.run(call, capture_output=True, text=True, check=False).stdout or "{}")
    say(
        f"asked for {step['lock']}: {'granted' if answer.get('granted') else answer.get('reason', 'no answer')}"
    )
    if answer.get("granted") is not step["granted"]:
        raise SystemExit(f"the answer should have been {step['granted']}")


def recover(path: str) -> None:
    """Take a file over from the previous attempt's salvage ref."""
    ref = os.environ.get("PUCS_SALVAGE", "")
    if ref:
        kept = subprocess.run(["git", "show", f"{ref}:{path}"], capture_output=True, check=True).stdout
        Path(path).write_bytes(kept)
        say(f"took over {path} from {ref}")


def follow(plan: list[dict[str, Any]]) -> None:
    """Do every step of a plan in order."""
    for step in plan:
        if "expect" in step and step["text"] not in Path(step["expect"]).read_text(encoding="utf-8"):
            raise SystemExit(f"{step['expect']} does not hold {step['text']!r}")
        if "say" in step:
            say(step["say"])
        if "think" in step:
            time.sleep(step["think"])
        if "lock" in step:
            lock(step)
        if "recover" in step:
            recover(step["recover"])
        if {"write", "append", "replace"} & step.keys():
            edit(step)
        if step.get("die") == int(os.environ.get("PUCS_ATTEMPT", "1")):
            say("(the demo kills this agent now, in the middle of its edit)")
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    follow(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
