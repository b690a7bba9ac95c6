"""A whole `pucs run --agent claude` without Claude Code: the scripted program is stopped, suspended and resumed like it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.testing.hook_agent import shim

pytestmark = [pytest.mark.process, pytest.mark.git]

STREAMS = 'streams:\n  core: {files_pattern: ["core/**"], max_agents: 2}\n'


@pytest.mark.slow
def test_two_scripted_agents_share_one_file(make_repository: Callable[..., Path], tmp_path: Path) -> None:
    """The second is denied, ends its turn, is resumed when the first has landed, and builds on that."""
    root = make_repository(files={"core/a.py": "a = 1\n", "pucs.yaml": STREAMS})

    def until(name: str) -> dict[str, str]:
        return {"shell": f"while ! test -e {tmp_path / name}; do sleep 0.02; done"}

    def signal(name: str) -> dict[str, str]:
        return {"shell": f'python3 -c \'open("{tmp_path / name}", "w")\''}

    first = [
        {"edit": "core/a.py", "old": "a = 1", "new": "a = 2"},
        signal("held"),
        until("denied"),
        {"text": "done"},
    ]
    second = [
        until("held"),
        {"edit": "core/a.py", "old": "a = 1", "new": "a = 3", "expect_denied": "held by"},
        signal("denied"),
        {"text": "I come back for it."},
        {"read": "core/a.py"},
        {"if_saw": "a = 2", "then": {"edit": "core/a.py", "old": "a = 2", "new": "a = 2\nb = 3"}},
        {"text": "done"},
    ]
    (tmp_path / "plan.json").write_text(json.dumps({"Be the first": first, "Be the second": second}))
    tasks = [
        {"id": f"t{number}", "title": f"feat: Task {number}", "stream": "core", "prompt": prompt}
        for number, prompt in enumerate(("Be the first", "Be the second"))
    ]
    (tmp_path / "tasks.yaml").write_text(json.dumps({"tasks": tasks}))
    shim(tmp_path / "bin")
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOOK_AGENT_PLAN": str(tmp_path / "plan.json"),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        ["pucs", "run", "--tasks", str(tmp_path / "tasks.yaml"), "--agent", "claude", "--json"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    said = "\n".join(path.read_text() for path in root.glob(".git/pucs/output/*/*.log"))
    assert done.returncode == 0, (done.stdout, done.stderr, said)
    document = json.loads(done.stdout)
    merged = subprocess.run(
        ["git", "show", f"{document['branch']}:core/a.py"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert merged.stdout == "a = 2\nb = 3\n", said
    assert document["spent"]["cost_usd"] > 0
