"""`pucs run` is killed while a real Claude Code works: nothing of it goes on, and the next run finishes the task."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from tests.clients.stage import Stage

STREAMS = 'streams:\n  core: {files_pattern: ["core/**"], max_agents: 1}\n'
LIMIT_S = 40


def wait_until(there: Callable[[], bool]) -> None:
    """Wait for something that other processes do."""
    limit = threading.Event()
    for _ in range(LIMIT_S * 20):
        if there():
            return
        limit.wait(0.05)
    raise AssertionError("it did not happen")


def running(text: str) -> bool:
    """Tell whether any process has this text in its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_bytes().decode(errors="replace").replace("\0", " "):
                return True
        except OSError:
            continue
    return False


def test_killed_run_leaves_nothing_running_and_the_next_one_goes_on(
    stage: Stage, make_repository: Callable[..., Path]
) -> None:
    """The keeper ends the program; what it had done is kept, and another agent does the task."""
    root = make_repository(files={"core/a.py": "a = 1\n", "pucs.yaml": STREAMS})
    up = stage.root / "up"
    touch = f"python3 -c 'import pathlib; pathlib.Path(\"{up}\").touch()'"
    hang = [
        {"write": "core/half.py", "text": "h = 1\n"},
        {"shell": f"{touch}; sleep 6545"},
        {"text": "never"},
    ]
    stage.models.script("script", hang)
    tasks = {"tasks": [{"id": "t1", "title": "feat: One", "stream": "core", "prompt": "Do it"}]}
    (stage.root / "tasks.yaml").write_text(json.dumps(tasks))
    call = ["pucs", "run", "--tasks", str(stage.root / "tasks.yaml"), "--agent", "claude", "--json"]
    environment = stage.environment("script")
    with subprocess.Popen(
        call, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        wait_until(up.exists)
        os.kill(run.pid, signal.SIGKILL)
    wait_until(lambda: not running("sleep 6545") and not running(f"{root}.pucs/"))
    stage.models.script("script", [{"write": "core/whole.py", "text": "w = 1\n"}, {"text": "Done."}])
    done = subprocess.run(
        [*call[:2], *call[4:]],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    document = json.loads(done.stdout)
    assert not list(root.glob(".git/pucs/output/*/*.launch")), "no secret is left behind"
    shown = subprocess.run(
        ["git", "show", f"{document['branch']}:core/whole.py"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "w = 1\n"
    (kept,) = document["kept"]
    half = subprocess.run(
        ["git", "show", f"{kept}:core/half.py"], cwd=root, capture_output=True, text=True, check=True
    )
    assert half.stdout == "h = 1\n"
