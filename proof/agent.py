"""The agent of the proof: edits the files of its plan and writes down what it does while it does it.

It knows nothing of the system it works under. Its notes are files of one process each, opened for appending, one JSON
object per line written by one ``write``: what was noted before a SIGKILL stays. Times are CLOCK_MONOTONIC, which all
processes of a machine share, and are read before the line is written, so that a note never claims more than was so.

``PROOF_PLANS`` holds a plan per task, ``PROOF_NOTES`` takes the notes, ``PROOF_SCRATCH`` is on the file system of the
worktrees, ``PROOF_TOOL`` is the command line of the system under proof, as a JSON list,
``PROOF_DONE`` takes an empty file for each task that was done.

Run with ``python -I -S agent.py``; a second form, ``agent.py --child ...``, is the process it forks.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MARK_S = 0.004
"""Pause between two marks: a tenth of the shortest overlap that the rules could hide."""
CHILD_S_MAX = 20.0
"""Longest life of a child that nobody kills."""
LINE = "~ "
"""Beginning of a line that an agent wrote."""
SECTIONS = ("alpha", "beta", "gamma", "delta")
"""Places in a file; agents that write to different ones do not conflict in git, even on a stale base."""
GAP = 4
"""Empty lines after a section: more than the context with which git merges."""


class Notes:
    """The notes of one process."""

    def __init__(self, **always: Any) -> None:
        self._always = always
        path = Path(os.environ["PROOF_NOTES"], f"{always['nonce']}-{os.getpid()}.jsonl")
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def say(self, kind: str, **fields: Any) -> None:
        """Write one note."""
        note = {"t": time.monotonic_ns(), "kind": kind, **self._always, **fields}
        os.write(self._file, json.dumps(note).encode() + b"\n")

    def mark(self, files: list[str], for_s: float) -> None:
        """Work on files for a while."""
        until = time.monotonic() + for_s
        while True:
            self.say("still", files=files)
            if time.monotonic() >= until:
                return
            time.sleep(MARK_S)


class Attempt:
    """One attempt at a task: who makes it, and where its lines go."""

    def __init__(self, notes: Notes, label: str, nonce: str) -> None:
        self.notes = notes
        self.label = label
        self.nonce = nonce
        self.count = 0

    def begin(self, work: dict[str, Any]) -> None:
        """Note the beginning of work on a file, with everything that others have written in it."""
        self.notes.say("begin", file=work["file"], how=work["how"], seen=lines_of(work["file"]))

    def write(self, work: dict[str, Any]) -> None:
        """Add one line that nobody else will ever write, and note it once it is on the disk."""
        self.count += 1
        line = f"{LINE}{self.label} {self.nonce}-{os.getpid()}-{self.count}"
        with Path(os.environ["PROOF_SCRATCH"], f"{self.nonce}.lock").open("w", encoding="utf-8") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)  # only against the children of the same attempt
            replace(Path(work["file"]), added(work["file"], work["section"], line))
        self.notes.say("wrote", file=work["file"], how=work["how"], section=work["section"], line=line)

    def end(self, work: dict[str, Any]) -> None:
        """Note the end of work on a file."""
        self.notes.say("end", file=work["file"], how=work["how"])


def lines_of(file: str) -> list[str]:
    """Return the lines that agents wrote in a file."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [line for line in text.split("\n") if line.startswith(LINE)]


def skeleton(file: str) -> str:
    """Return the text of a file in which nobody has written."""
    return "".join(f"[{section}]\nbase of {file} {section}\n" + "\n" * GAP for section in SECTIONS)


def added(file: str, section: str, line: str) -> str:
    """Return the text of a file with one line more at the end of a section."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        text = skeleton(file)
    lines = text.split("\n")
    at = lines.index(f"[{section}]")
    while lines[at]:
        at += 1
    return "\n".join([*lines[:at], line, *lines[at:]])


def replace(path: Path, text: str) -> None:
    """Replace a file at once, so that no kill leaves half of it."""
    scratch = Path(os.environ["PROOF_SCRATCH"], secrets.token_hex(8))
    with Path(scratch).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    path.parent.mkdir(parents=True, exist_ok=True)
    Path(scratch).replace(path)


def fork(plan: dict[str, Any], nonce: str) -> None:
    """Start a child that outlives this process: in its own session, or as an orphan, or both."""
    child = plan["child"]
    order = json.dumps({**child, "task": plan["task"], "nonce": nonce, "label": label()})
    call = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), "--child", order]
    if child["orphan"]:
        call = ["/bin/sh", "-c", '"$@" & exit 0', "sh", *call]
    subprocess.Popen(call, start_new_session=child["setsid"])


def label() -> str:
    """Return task, agent and attempt."""
    names = ("PUCS_TASK", "PUCS_AGENT", "PUCS_ATTEMPT")
    return " ".join(os.environ.get(name, "-") for name in names)


def be_child(order: dict[str, Any]) -> None:
    """Work on after the parent has gone, until killed."""
    if order["stubborn"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    notes = Notes(task=order["task"], nonce=order["nonce"], role="child")
    attempt = Attempt(notes, order["label"], order["nonce"])
    attempt.begin(order)
    notes.mark([order["file"]], order["write_after_s"])
    attempt.write(order)
    notes.mark([order["file"]], CHILD_S_MAX)


def ask(attempt: Attempt, work: dict[str, Any]) -> None:
    """Lease one more file from inside; bring it up to date and work on it, or only look at it and give it back."""
    file = work["file"]
    status = tool("lock", file)
    attempt.notes.say("asked", file=file, status=status)
    if status != 0:
        return
    if work["how"] == "looked":
        attempt.begin(work)
        attempt.notes.mark([file], work["work_s"])
        attempt.end(work)
        attempt.notes.say("returned", file=file, status=tool("unlock", file))
        return
    status = tool("sync")
    attempt.notes.say("synced", status=status)
    if status == 0:
        attempt.begin(work)
        attempt.notes.mark([file], work["work_s"])
        attempt.write(work)
        attempt.end(work)


def tool(*arguments: str) -> int:
    """Call the system under proof."""
    call = [*json.loads(os.environ["PROOF_TOOL"]), *arguments]
    return subprocess.run(call, check=False, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode


def work(plan: dict[str, Any]) -> int:
    """Make one attempt at a task."""
    nonce = secrets.token_hex(6)
    notes = Notes(task=plan["task"], nonce=nonce, role="agent")
    attempt = Attempt(notes, label(), nonce)
    number = int(os.environ.get("PUCS_ATTEMPT") or 1)
    notes.say("start", agent=os.environ.get("PUCS_AGENT", ""), attempt=number, place=str(Path.cwd()))
    declared = [item for item in plan["work"] if item["how"] == "declared"]
    names = [item["file"] for item in declared]
    for item in declared:
        attempt.begin(item)
    if plan["child"]:
        fork(plan, nonce)
    for item in declared:
        notes.mark(names, plan["work_s"] / (len(declared) + 1))
        attempt.write(item)
    notes.mark(names, plan["work_s"] / (len(declared) + 1))
    for item in plan["work"]:
        if item["how"] in {"asked", "looked"}:
            ask(attempt, item)
        elif item["how"] == "undeclared":
            attempt.begin(item)
            attempt.write(item)
            attempt.end(item)
    if number <= plan["fails"]:
        notes.say("fails", attempt=number)
        return 1
    for item in declared:
        attempt.end(item)
    notes.say("done")
    Path(os.environ["PROOF_DONE"], plan["task"]).touch()
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        be_child(json.loads(sys.argv[2]))
    else:
        sys.exit(work(json.loads(Path(os.environ["PROOF_PLANS"], f"{sys.argv[1]}.json").read_text("utf-8"))))
