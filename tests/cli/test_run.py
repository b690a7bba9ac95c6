"""``run``, ``launch-stream``, ``land``, ``sync``, ``finalize``, ``verify`` and ``salvage`` in one repository."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = [pytest.mark.git, pytest.mark.process]


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def write(path: Path, *tasks: str) -> str:
    path.write_text("tasks:\n" + "".join(f"- {{{task}}}\n" for task in tasks), encoding="utf-8")
    return str(path)


def test_plan_starts_nothing(shop: Path, tmp_path: Path, pucs: Pucs) -> None:
    """Waves are shown by prerequisites and files, with the streams that files belong to; nothing is written."""
    tasks = write(
        tmp_path / "tasks.yaml",
        'id: one, files: [app/a.py], command: "true"',
        'id: two, files: [app/a.py], command: "true"',
        'id: three, stream: lib, after: [one], command: "true"',
        'id: four, stream: LIB, command: "true"',
    )
    assert pucs.ok("run", "--plan", "--tasks", tasks).splitlines() == [
        "WAVE  TASK   STREAM  FILES     TITLE",
        "1     one    app     app/a.py  one",
        "1     four   lib               four",
        "2     two    app     app/a.py  two",
        "2     three  lib               three",
    ]
    assert not (shop / ".git" / "pucs").exists()
    assert pucs.ok("run", "--plan") == "Nothing is left to run.\n"
    pucs.ok("init")
    pucs.ok("task", "import", tasks)
    assert [len(wave) for wave in pucs.json("run", "--plan")["waves"]] == [2, 2]


def test_tasks_become_a_merged_result(shop: Path, tasks_file: Path, pucs: Pucs) -> None:
    """From nothing to a result in one call: session, agent, landing, merge; the checkout stays as it was."""
    document = pucs.json("run", "--tasks", str(tasks_file))
    assert document["tasks"] == {"pending": 0, "running": 0, "done": 1, "failed": 0}
    assert document["merged_streams"] == ["app"]
    assert (document["ok"], document["interrupted"], document["kept"]) == (True, False, [])
    assert git(shop, "show", f"{document['branch']}:app/a.py") == "a = 1\nb=2"
    assert git(shop, "status", "--porcelain") == ""
    again = pucs.ok("run")
    assert "1 task done, 0 failed, 0 left, by 0 agents" in again
    assert pucs.ok("verify").endswith("Every change is accounted for.\n")
    dry = pucs.json("finalize", "--dry-run")
    assert (dry["phases"], dry["ended"]) == ([[["app"], ["lib"]]], False)
    ended = pucs.json("finalize")
    assert (ended["ended"], ended["session"]) == (True, document["session"])
    assert "git merge" in ended["how_to_take"]
    git(shop, "merge", "-q", document["branch"])
    assert (shop / "app" / "a.py").read_text(encoding="utf-8") == "a = 1\nb=2\n"
    assert "Nothing is left to merge." in pucs.ok("finalize")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ('id: one, stream: ap, command: "true"', "tasks.yaml:2:21: there is no stream 'ap'"),
        ("id: one, stream: app", "neither a command nor a prompt"),
        ('id: one, stream: app, prompt: "do it"', "no agent program is named"),
        ('id: one, stream: app, command: "true", after: [one]', "cycle"),
        ('id: "a b", stream: app, command: "true"', "cannot be an id"),
        ('id: one, command: "true"', "names no stream and declares no files"),
    ],
)
def test_wrong_tasks_file_starts_nothing(
    task: str, words: str, shop: Path, tmp_path: Path, pucs: Pucs
) -> None:
    """Every mistake is told with its line before a session begins."""
    said = pucs("run", "--tasks", write(tmp_path / "tasks.yaml", task))
    assert (said.status, words in said.err) == (2, True), said.err
    assert not (shop / ".git" / "pucs").exists()


def test_file_that_is_none_is_told(shop: Path, tmp_path: Path, pucs: Pucs) -> None:
    """Missing, a directory, or not text: each in its own words."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, words in (("none", "no file"), ("shop", "is a directory"), ("bytes", "is not UTF-8")):
        said = pucs("run", "--tasks", str(tmp_path / name))
        assert (said.status, words in said.err) == (2, True), said.err
    said = pucs("run")
    assert (said.status, "There is nothing to do." in said.err) == (2, True)
    assert not (shop / ".git" / "pucs").exists()


@pytest.mark.slow
def test_failure_names_work_and_output(shop: Path, tmp_path: Path, pucs: Pucs) -> None:
    """A task that fails is told with its reason, where its work is kept and where its output lies."""
    tasks = write(
        tmp_path / "tasks.yaml",
        'id: one, stream: app, files: [app/a.py], command: "echo wrong >app/a.py; echo so sad >&2; exit 9"',
        'id: two, stream: app, after: [one], command: "true"',
    )
    said = pucs("run", "--tasks", tasks)
    assert said.status == 1
    assert "0 tasks done, 2 failed, 0 left, by 2 agents" in said.out
    assert "one failed: exit 9: so sad. Its work is on refs/pucs/salvage/" in said.out
    assert "2 pieces of work kept aside: pucs salvage list" in said.out
    output = next(line for line in said.out.splitlines() if "printed is in" in line).split(" is in ")[1]
    assert any("so sad" in file.read_text(encoding="utf-8") for file in Path(output).iterdir())
    kept = pucs.json("salvage", "list")
    assert [one["task"] for one in kept] == ["one", "one"]
    assert "+wrong" in pucs.ok("salvage", "show", kept[0]["ref"])
    pucs.ok("salvage", "restore", kept[0]["ref"], "--branch", "rescue")
    assert git(shop, "show", "rescue:app/a.py") == "wrong"
    assert pucs("salvage", "restore", kept[0]["ref"], "--branch", "rescue").status == 1
    assert pucs("salvage", "restore", kept[0]["ref"], "--branch", "a..b").status == 2
    assert pucs("salvage", "show", "nowhere").status == 1


@pytest.mark.slow
def test_undeclared_change_is_kept_and_told(shop: Path, tmp_path: Path, pucs: Pucs) -> None:
    """What a command changed in another stream is kept aside, and the end of the run says that somebody has to decide."""
    tasks = write(
        tmp_path / "tasks.yaml",
        'id: one, stream: app, files: [app/a.py], command: "echo x >>app/a.py; echo y >>lib/b.py"',
    )
    text = pucs.ok("run", "--tasks", tasks)
    assert "1 piece of work kept aside: pucs salvage list" in text
    assert "1 conflict to decide: pucs conflicts --unresolved" in text
    assert pucs("conflicts").status == 1
    assert "1 conflict to decide" in pucs.ok("finalize")


@pytest.mark.slow
def test_stream_is_launched_alone(session: Path, tmp_path: Path, pucs: Pucs) -> None:
    """Only its tasks are worked on, and it is left unmerged."""
    tasks = write(
        tmp_path / "tasks.yaml",
        'id: one, stream: app, files: [app/a.py], command: "echo 1 >>app/a.py"',
        'id: two, stream: lib, files: [lib/b.py], command: "echo 2 >>lib/b.py"',
    )
    document = pucs.json("launch-stream", "app", "--tasks", tasks)
    assert (document["tasks"]["done"], document["tasks"]["pending"]) == (1, 1)
    assert document["merged_streams"] == []
    assert pucs("launch-stream", "ap").status in {1, 2}


@pytest.mark.slow
def test_person_lands_from_their_own_checkout(session: Path, pucs: Pucs) -> None:
    """Land and unlock bring edits out without touching the checkout; sync says what its owner can do."""
    said = pucs("land", "--agent", "ada")
    assert (said.status, "There is no agent 'ada'" in said.err) == (1, True)
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--stream", "app")
    (session / "app" / "a.py").write_text("a = 2\n", encoding="utf-8")
    document = pucs.json("land", "--agent", "ada", "-m", "feat: two")
    assert (document["landed"], document["paths"]) == (True, ["app/a.py"])
    assert pucs.json("locks") == []
    assert pucs.ok("land", "--agent", "ada") == "ada has nothing to land.\n"
    pucs.ok("lock", "lib/b.py", "--agent", "bob", "--stream", "lib")
    (session / "lib" / "b.py").write_text("b = 2\n", encoding="utf-8")
    assert pucs.ok("unlock", "--agent", "bob") == "bob gave up lib/b.py. Landed first: lib/b.py.\n"
    assert git(session, "status", "--porcelain").split() == ["M", "app/a.py", "M", "lib/b.py"]
    assert git(session, "show", "pucs/stream/app-S-1:app/a.py") == "a = 2"
    said = pucs("sync", "--agent", "ada")
    assert (said.status, "git merge" in said.out) == (1, True)
    assert "Stream app has work that is not merged." in pucs.ok("verify")


@pytest.mark.slow
def test_target_is_moved_where_nobody_has_it_out(shop: Path, tasks_file: Path, pucs: Pucs) -> None:
    """`--target` takes the result to a branch; a branch that is out is left alone, and the command to take it is told."""
    git(shop, "branch", "release")
    assert pucs("run", "--tasks", str(tasks_file)).status == 0
    text = pucs.ok("finalize", "--target", "main")
    assert "git merge" in text
    assert git(shop, "show", "main:app/a.py") == "a = 1"
    pucs.ok("finalize", "--target", "release")
    assert git(shop, "show", "release:app/a.py") == "a = 1\nb=2"
    assert pucs("finalize", "--target", "nowhere").status == 1


@pytest.mark.slow
def test_failing_tests_keep_the_stream_out(shop: Path, tasks_file: Path, pucs: Pucs) -> None:
    """A stream whose merge does not pass the tests stays out, intact, and the run ends with 1."""
    text = (shop / "pucs.yaml").read_text(
        encoding="utf-8"
    ) + 'merge: {test_command: "! grep -q b=2 app/a.py"}\n'
    (shop / "pucs.yaml").write_text(text, encoding="utf-8")
    said = pucs("run", "--tasks", str(tasks_file))
    assert said.status == 1
    assert "app is not merged, and intact:" in said.out
    assert "1 conflict to decide: pucs conflicts --unresolved" in said.out
    assert pucs("conflicts", "--unresolved").status == 1
    assert pucs("finalize").status == 1
    assert pucs.json("verify")


@pytest.mark.slow
def test_store_elsewhere_is_found_by_agents(shop: Path, tmp_path: Path, pucs: Pucs) -> None:
    """A store named relative to here is the same one for agents, who are called in their own worktrees."""
    tasks = write(
        tmp_path / "tasks.yaml",
        'id: one, stream: app, files: [app/a.py], command: "pucs lock app/new.py && echo 1 >app/new.py"',
    )
    pucs.ok("--store", "../elsewhere.db", "run", "--tasks", tasks)
    assert (tmp_path / "elsewhere.db").exists()
    assert not (shop / ".git" / "pucs" / "state.db").exists()


def test_tasks_that_change_one_file_at_once_both_land(shop: Path, tmp_path: Path, pucs: Pucs) -> None:
    """Each has a function of its own, and adds an import and a function where the other does; git alone would refuse."""
    source = (
        "import os\n\n\ndef one() -> str:\n    return os.name\n\n\ndef two() -> str:\n    return os.sep\n"
    )
    (shop / "app" / "a.py").write_text(source, encoding="utf-8")
    git(shop, "commit", "-qam", "Functions")
    meeting = tmp_path / "meeting"
    os.mkfifo(meeting)  # neither goes on before the other has started

    def command(name: str, module: str, wait: str) -> str:
        lines = [
            f"timeout 60 sh -c ': {wait}{meeting}'",
            f"sed -i 's/^import os$/import os\\nimport {module}/' app/a.py",
            f"printf '\\n\\ndef by_{name}() -> object:\\n    return {module}.path\\n' >>app/a.py",
        ]
        return "\n      ".join(lines)

    tasks = tmp_path / "tasks.yaml"
    tasks.write_text(
        "tasks:\n"
        + "".join(
            f"  - id: {name}\n    stream: app\n    files: [app/a.py::{name}]\n"
            f"    command: |\n      {command(name, module, wait)}\n"
            for name, module, wait in (("one", "sys", "<"), ("two", "re", ">"))
        ),
        encoding="utf-8",
    )
    document = pucs.json("run", "--tasks", str(tasks), "--agents", "2")
    assert (document["ok"], document["kept"], document["merged_streams"]) == (True, [], ["app"])
    merged = git(shop, "show", f"{document['branch']}:app/a.py")
    assert all(merged.count(f"\nimport {name}") == 1 for name in ("sys", "re"))
    assert all(merged.count(f"def by_{name}(") == 1 for name in ("one", "two"))
    compile(merged, "a.py", "exec")
    (line,) = [line for line in pucs.ok("log", "--file", "app/a.py").splitlines() if "merged by rule" in line]
    assert "tier=auto" in line
    entries = [json.loads(one) for one in pucs.ok("log", "--file", "app/a.py", "--json").splitlines()]
    (told,) = [one["details"] for one in entries if one["action"] == "merged by rule"]
    assert {place["tier"] for place in told["places"]} == {"auto"}
    assert git(shop, "merge-base", told["commit"], document["branch"]) == told["commit"]
    assert pucs.ok("verify")
