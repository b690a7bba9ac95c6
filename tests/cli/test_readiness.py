"""``readiness``: findings for people, programs and runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pucs.tasks.file import parse_tasks
from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git

THING = """
class Thing:
    def __init__(self, path):
        self.path = path
        self.lines = open(path).readlines()

    def parse(self, separator):
        for line in self.lines:
            key, _, value = line.partition(separator)
            yield key.strip(), value.strip()
"""
FILES = {
    "pucs.yaml": "streams:\n  app: {files_pattern: app/}\n  lib: {files_pattern: lib/}\n",
    "app/__init__.py": "",
    "app/goods.py": THING + THING.replace("Thing", "Other"),
    "lib/__init__.py": "",
    "lib/things.py": THING + THING.replace("Thing", "Other"),
    "lib/old.py": '"""Deprecated: use lib.things instead."""\nfrom lib.things import Thing\n',
    "app/m.py": "x = 1\n",
    "app/m/__init__.py": "",
    "config/broken.json": "{",
    "app/run.sh": "cd /home/dora/shop\n",
}
TWINS, SHADOWED, OLD, HOME = ("twin-modules", "shadowed-module", "deprecated-module", "home-path")
TASK = 'tasks:\n- {id: one, title: "feat: one", stream: app, files: [app/a.py], command: "echo b=2 >>app/a.py"}\n'


@pytest.fixture
def untidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository with one finding of four kinds, and go there."""
    for path, text in FILES.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for call in (["init", "-q", "-b", "main", "--template="], ["add", "-A"], ["commit", "-q", "-m", "Start"]):
        subprocess.run(["git", *call], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(root: Path, text: str) -> None:
    (root / "pucs.yaml").write_text(f"{FILES['pucs.yaml']}readiness: {text}\n", encoding="utf-8")


def test_findings_are_listed_by_urgency_with_remedies(untidy: Path, pucs: Pucs) -> None:
    """People see groups, places, what to do and what was left out; programs get the document; nothing is written."""
    said = pucs.ok("readiness")
    assert said.startswith("7 files of code, 4 findings: 2 high, 1 medium, 1 low.")
    assert said.index("P0 · high") < said.index(TWINS) < said.index("P1 · medium") < said.index("P2 · low")
    assert "    → Keep one Other and Thing: take those of " in said
    assert "Note: config/broken.json was left out: not JSON" in said
    document = pucs.json("readiness")
    assert [one["kind"] for one in document["findings"]] == [TWINS, SHADOWED, HOME, OLD]
    assert document["findings"][3]["locations"] == [{"file": "lib/old.py", "line": 1}]
    assert set(document["findings"][0]) == {
        "id",
        "kind",
        "severity",
        "guess",
        "message",
        "locations",
        "remedy",
    }
    assert document["counts"] == {"high": 2, "medium": 1, "low": 1}
    status = subprocess.run(["git", "status", "--short"], cwd=untidy, check=True, capture_output=True)
    assert status.stdout == b""


def test_kind_and_severity_choose_what_is_shown(untidy: Path, pucs: Pucs) -> None:
    """The counts stay those of everything."""
    assert [one["kind"] for one in pucs.json("readiness", "--kind", HOME, "--kind", OLD)["findings"]] == [
        HOME,
        OLD,
    ]
    document = pucs.json("readiness", "--severity", "high")
    assert (len(document["findings"]), document["counts"]["low"]) == (2, 1)
    assert pucs("readiness", "--kind", "nothing").status == 2
    assert str(untidy)


def test_the_gate_fails_from_a_severity_on(untidy: Path, pucs: Pucs) -> None:
    """On demand, or because the configuration refuses."""
    assert pucs("readiness", "--gate").status == 1
    assert pucs("readiness", "--gate", "low", "--json").status == 1
    ids = [one["id"] for one in pucs.json("readiness", "--severity", "high")["findings"]]
    configure(untidy, json.dumps({"ignore": ids}))
    assert pucs("readiness", "--gate").status == 0
    configure(untidy, "{gate: refuse}")
    assert pucs("readiness").status == 1
    configure(untidy, "{gate: warn}")
    assert pucs("readiness").status == 0


def test_what_is_accepted_is_gone_and_what_is_settled_is_named(untidy: Path, pucs: Pucs) -> None:
    """By id, or by pattern of the files that are not looked at."""
    known = pucs.json("readiness", "--kind", TWINS)["findings"][0]["id"]
    configure(untidy, json.dumps({"ignore": [known, "twin-modules-00000000", "app/m.py", "**/*.sh"]}))
    document = pucs.json("readiness")
    assert [one["kind"] for one in document["findings"]] == [OLD]
    assert (document["accepted"], document["accepted_unknown"]) == ([known], ["twin-modules-00000000"])
    assert "not found any more: twin-modules-00000000" in pucs.ok("readiness")


def test_remedies_become_tasks_that_a_run_takes(untidy: Path, pucs: Pucs) -> None:
    """Each for one stream, chained where files meet; an existing file is left alone."""
    assert "Wrote cleanup.yaml" in pucs.ok("readiness", "--tasks", "cleanup.yaml")
    text = Path("cleanup.yaml").read_text(encoding="utf-8")
    tasks = {task.id: task for task in parse_tasks(text, "cleanup.yaml", streams=("app", "lib"))}
    twins = [task for name, task in tasks.items() if name.startswith(TWINS)]
    assert [(task.stream, task.files) for task in twins] == [
        ("lib", ("lib/things.py",)),
        ("app", ("app/goods.py",)),
    ]
    assert twins[1].after == (twins[0].id,)
    assert "Keep one Other and Thing" in twins[0].prompt
    again = pucs("readiness", "--tasks", "cleanup.yaml")
    assert (again.status, "is there already" in again.err) == (1, True)
    assert Path("cleanup.yaml").read_text(encoding="utf-8") == text
    assert pucs("init").status == 0
    assert pucs("task", "import", "cleanup.yaml").status == 0
    assert str(untidy)


@pytest.fixture
def tasks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a tasks file outside of the repository."""
    place = tmp_path_factory.mktemp("plans") / "tasks.yaml"
    place.write_text(TASK, encoding="utf-8")
    return str(place)


def test_a_run_is_refused_before_anything_is_started(untidy: Path, pucs: Pucs, tasks: str) -> None:
    """No session begins, and the message names the way on."""
    configure(untidy, "{gate: refuse}")
    refused = pucs("run", "--tasks", tasks)
    assert refused.status == 1
    assert "2 findings of severity high or above" in refused.err
    assert "--no-gate" in refused.err
    assert pucs("status").status != 0


@pytest.mark.slow
def test_a_run_goes_on_past_a_warning_or_when_it_is_told_to(untidy: Path, pucs: Pucs, tasks: str) -> None:
    """The warning is part of what the run says, in a session that goes on too."""
    configure(untidy, "{gate: refuse}")
    assert pucs("run", "--tasks", tasks, "--no-gate").status == 0
    configure(untidy, "{gate: warn}")
    pucs.ok("config", "apply")
    warned = pucs("run", "--tasks", tasks, "--json")
    assert "The code is not ready: 2 findings" in json.loads(warned.out)["warnings"][0]


def test_a_tidy_repository_has_nothing_to_say(shop: Path, pucs: Pucs) -> None:
    """No findings, status 0 whatever the gate."""
    assert pucs.ok("readiness", "--gate", "low").startswith("3 files of code, 0 findings.")
    assert str(shop)
