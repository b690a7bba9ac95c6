"""The whole way of a newcomer in a repository that is not ours: init, edit, plan, run, interrupt, go on, finalize, verify, report."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.journeys.conftest import Pipe, Place

pytestmark = [pytest.mark.git, pytest.mark.process]

MODULE = '"""Module {name}."""\n\n\ndef {name}(value: int) -> int:\n    return value + {number}\n'
TEST = "from {package}.{name} import {name}\n\n\ndef test_{name}() -> None:\n    assert {name}(1) == {sum}\n"


def bookshop() -> dict[str, str]:
    """Return a project of some forty files: three packages with tests, documents, a build file."""
    files = {
        "README.md": "# Bookshop\n",
        "pyproject.toml": "[project]\nname = 'bookshop'\n",
        ".gitignore": "*.pyc\n",
    }
    for package in ("catalog", "orders", "web"):
        files[f"{package}/__init__.py"] = ""
        for number in range(5):
            name = f"{package}_{number}"
            files[f"{package}/{name}.py"] = MODULE.format(name=name, number=number)
            files[f"tests/test_{name}.py"] = TEST.format(package=package, name=name, sum=number + 1)
    files |= {f"docs/{name}.md": f"# {name}\n" for name in ("start", "deploy", "faq")}
    return files


@pytest.mark.slow
def test_newcomer_gets_a_merged_result(make_place: Callable[..., Place], pipe: Pipe) -> None:
    """Every step of the way does what the one before it said would come next, and nothing is lost."""
    place = make_place("bookshop", bookshop())
    place.environment["PIPE"] = str(pipe.path)

    said = place.pucs("init", "--session", "S-1")
    assert "Wrote " in said.stdout
    proposed = {stream["name"] for stream in place.json("status")["streams"]}
    assert {"catalog", "orders", "web"} <= proposed
    place.pucs("config", "check")

    configuration = place.root / "pucs.yaml"
    configuration.write_text(
        configuration.read_text(encoding="utf-8")
        + "\nmerge: {test_command: 'PYTHONPATH=. python -m compileall -q catalog orders web'}\n",
        encoding="utf-8",
    )
    place.pucs("config", "apply")

    hold = place.script(
        "echo '# half' >>orders/orders_0.py\n[ -e ../again ] && exit 0\n: >../again\necho $$ >$PIPE\nsleep 600\n"
    )
    tasks = place.tasks(
        "id: prices, title: 'feat: add prices', files: [catalog/catalog_0.py], command: 'echo PRICE=1 >>catalog/catalog_0.py'",
        f"id: hold, title: 'feat: hold orders', files: [orders/orders_0.py], command: \"{hold}\"",
        "id: pages, title: 'feat: show pages', stream: web, files: [web/], after: [prices, hold], command: 'echo PAGE=1 >web/page.py'",
    )
    waves = place.json("run", "--plan", "--tasks", tasks)["waves"]
    assert [[task["id"] for task in wave] for wave in waves] == [["prices", "hold"], ["pages"]]
    assert place.json("task", "list") == []

    running = place.start("run", "--tasks", tasks)
    agent = os.pidfd_open(int(pipe.next()))
    os.kill(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130, out + err
    assert "go on with: pucs run" in out
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(agent, 0)
    os.close(agent)
    assert place.json("locks") == []
    place.pucs("verify")

    said = place.pucs("run")
    assert "3 tasks done, 0 failed, 0 left" in said.stdout
    assert "tests passed" in said.stdout
    dry = place.json("finalize", "--dry-run")
    assert dry["ended"] is False
    ended = place.json("finalize")
    assert (ended["ended"], ended["unmerged_streams"]) == (True, [])
    place.accounted()
    report = place.pucs("report").stdout
    for words in ("# Session S-1", "state **finalized**", "feat: show pages", "| orders | merged | 1/1 |"):
        assert words in report

    branch = ended["branch"]
    place.git("merge", "-q", branch)
    assert (place.root / "web" / "page.py").read_text(encoding="utf-8") == "PAGE=1\n"
    assert (place.root / "orders" / "orders_0.py").read_text(encoding="utf-8").endswith("# half\n")
    subjects = place.git("log", "--no-merges", "--format=%s", "main").splitlines()
    assert "[PUCS-web] feat: show pages" in subjects
    assert [path.name for path in place.root.parent.glob("bookshop.pucs/*")] == ["again"], (
        "no worktree is left"
    )
