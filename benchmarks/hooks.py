"""How long a hook takes to decide, for each way of asking, against a Python that does nothing. See docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pucs.hooks import place

Way = Callable[[bytes], bytes]
"""Takes a report, returns the answer."""

START_S_MAX = 20.0
"""Longest start of a server."""
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PUCS_", "CLAUDE"))},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.invalid",
}  # fmt: skip


def main() -> None:
    """Measure every way, each in turn with bare Python, and print a table of each kind of call."""
    parser = argparse.ArgumentParser(prog="./run bench hooks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="Calls of each way [40].")
    parser.add_argument("--repeats", type=int, default=3, help="Repeats of the whole [3].")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch:
        root = _repository(Path(scratch))
        environment = {**ENVIRONMENT, "HOME": scratch, "XDG_STATE_HOME": scratch}
        _call([_pucs(), "init"], root, environment)
        holder = ["lock", "shop/held.py", "--agent", "agent-2", "--stream", "shop", "--duration", "60"]
        _call([_pucs(), *holder], root, environment)
        reports = {
            "an edit under a lease that is held": _report(root, "shop/own.py"),
            "an edit that is denied": _report(root, "shop/held.py"),
            "a command that changes nothing": _report(root, "", command="ls -la"),
        }
        for kind, report in reports.items():
            print(
                f"\n{kind}: median milliseconds, and as multiples of bare Python (least to most of {options.repeats})\n"
            )
            for name, figures in _measured(root, environment, report, options).items():
                print(f"  {name:28} {figures}")


def _measured(
    root: Path, environment: Mapping[str, str], report: bytes, options: argparse.Namespace
) -> dict[str, str]:
    ratios: dict[str, list[float]] = {}
    medians: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        for serving, ways in ((False, _alone(root, environment)), (True, _with_server(root, environment))):
            with _server(root, environment) if serving else contextlib.nullcontext():
                times = _times(ways, report, options.rounds)
            bare = statistics.median(times.pop("bare Python"))
            medians.setdefault("bare Python", []).append(bare)
            for name, found in times.items():
                medians.setdefault(name, []).append(statistics.median(found))
                ratios.setdefault(name, []).append(statistics.median(found) / bare)
    lines = {"bare Python": f"{statistics.median(medians.pop('bare Python')):7.2f}"}
    for name, found in medians.items():
        middle = statistics.median(ratios[name])
        span = f"({min(ratios[name]):.2f} to {max(ratios[name]):.2f})"
        lines[name] = f"{statistics.median(found):7.2f}   {middle:5.2f} x {span}"
    return lines


def _times(ways: Mapping[str, Way], report: bytes, rounds: int) -> dict[str, list[float]]:
    """Return milliseconds of each call, the ways taking turns; the first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way(report)
            if number:
                times[name].append((time.perf_counter() - began) * 1000)
    return times


def _alone(root: Path, environment: Mapping[str, str]) -> dict[str, Way]:
    marker = root / ".git" / "pucs" / "active"
    facts = dict(line.split("=", 1) for line in marker.read_text().splitlines())
    start = (
        "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from pucs.hooks.__main__ import main; main()"
    )

    def unmarked(report: bytes) -> bytes:
        hidden = marker.rename(marker.with_name("hidden"))
        try:
            return shell(report)
        finally:
            hidden.rename(marker)

    shell = _process([str(place()), "claude"], root, environment)
    return {
        "bare Python": _process([sys.executable, "-I", "-S", "-c", "pass"], root, environment),
        "shell, no session active": unmarked,
        "shell, no server": shell,
        "Python step alone": _process(
            [sys.executable, "-I", "-S", "-c", start, facts["path"], "claude"], root, environment
        ),
    }


def _with_server(root: Path, environment: Mapping[str, str]) -> dict[str, Way]:
    return {
        "bare Python": _process([sys.executable, "-I", "-S", "-c", "pass"], root, environment),
        "shell, with server": _process([str(place()), "claude"], root, environment),
        "http, new connection": lambda report: _posted(root, report),
    }


def _process(call: list[str], root: Path, environment: Mapping[str, str]) -> Way:
    def way(report: bytes) -> bytes:
        done = subprocess.run(call, input=report, cwd=root, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return way


def _posted(root: Path, report: bytes) -> bytes:
    place_of = root / ".git" / "pucs"
    url = json.loads((place_of / "server.json").read_text())["url"]
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    headers = {"Authorization": f"Bearer {(place_of / 'token').read_text().strip()}"}
    connection.request("POST", "/v1/hook/claude", report, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status == 200, answer
    return answer


@contextlib.contextmanager
def _server(root: Path, environment: Mapping[str, str]) -> Iterator[None]:
    found = root / ".git" / "pucs" / "server.json"
    process = subprocess.Popen([_pucs(), "serve"], cwd=root, env=environment, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    while not found.exists():
        assert process.poll() is None, "the server does not start"
        assert time.monotonic() - began < START_S_MAX, "the server does not start"
        time.sleep(0.05)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _repository(scratch: Path) -> Path:
    root = scratch / "repository"
    (root / "shop").mkdir(parents=True)
    for name in ("own", "held"):
        (root / "shop" / f"{name}.py").write_text("TOTAL = 0\n")
    for call in (["git", "init", "-q"], ["git", "add", "-A"], ["git", "commit", "-qm", "Start"]):
        _call(call, root, ENVIRONMENT)
    return root


def _report(root: Path, path: str, command: str = "") -> bytes:
    given: dict[str, Any] = (
        {"command": command}
        if command
        else {
            "file_path": str(root / path),
            "old_string": "TOTAL = 0",
            "new_string": "TOTAL = 1",
        }
    )
    document = {
        "session_id": f"bench-{path or command}",  # one each: what one is refused would ride on the answers to the other
        "transcript_path": "/none",
        "cwd": str(root),
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash" if command else "Edit",
        "tool_input": given,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _pucs() -> str:
    return str(Path(sys.executable).with_name("pucs"))


def _call(call: list[str], root: Path, environment: Mapping[str, str]) -> None:
    subprocess.run(call, cwd=root, env=environment, capture_output=True, check=True)


if __name__ == "__main__":
    main()
