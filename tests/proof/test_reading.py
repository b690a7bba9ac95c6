"""What the proof reads from git, from notes and from /proc, and that it stands apart from the system it judges."""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proof import checker, history, killer, plants, processes, world
from proof.records import evidence_from_json, evidence_to_json, read_notes
from pucs.streams.configuration import parse
from pucs.tasks.file import parse_tasks

PROOF = Path(__file__).parents[2] / "proof"


def seeded(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - nothing here is a secret


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def test_proof_imports_nothing_of_the_product() -> None:
    """No module of the proof imports pucs; the agent has the standard library alone."""
    for path in PROOF.glob("*.py"):
        assert "pucs" not in imported(path), path
    assert imported(PROOF / "agent.py") <= set(sys.stdlib_module_names) | {"__future__"}


def test_checker_loads_nothing_of_the_product() -> None:
    """A process that has loaded everything that judges has not loaded pucs."""
    code = "import sys; from proof import checker, history, session, sessions; print('pucs' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(PROOF.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    )
    assert done.stdout == "False\n"


def test_plants_name_rules_that_exist() -> None:
    """Every planted bug is to be caught by a rule of the checker, and the short form knows its plants."""
    for plant in plants.PLANTS.values():
        assert set(plant.caught_by) <= set(checker.NAMES)
    assert set(plants.SHORT) <= set(plants.NAMES)


def test_plants_find_what_they_replace() -> None:
    """Every planted bug finds the functions that it takes the place of."""
    code = "from proof import plants\nfor plant in plants.PLANTS.values(): plant.install()"
    environment = {**os.environ, "PYTHONPATH": str(PROOF.parent)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_seed_decides_world_and_kills(tmp_path: Path) -> None:
    """The same seed gives the same plans, tasks and events, and both files are ones the product accepts."""
    made = [world.make(tmp_path / str(number), "S", seeded("7")) for number in (1, 2)]
    assert made[0].plans == made[1].plans
    assert made[0].tasks == made[1].tasks
    assert killer.events(seeded("7")) == killer.events(seeded("7"))
    text = (made[0].place / "tasks.yaml").read_text(encoding="utf-8")
    assert {task.id for task in parse_tasks(text, "tasks.yaml", streams=made[0].streams)} == set(
        made[0].tasks
    )
    configuration = parse((made[0].repository / "pucs.yaml").read_text(encoding="utf-8"), "pucs.yaml", {})
    assert {stream.name for stream in configuration.streams} == set(made[0].streams)


def test_evidence_survives_the_disk(told: Any) -> None:
    """What is written for a later judgement reads back the same."""
    evidence = replace(told.evidence, survivors=("keeper 1",), statuses=(-9, 0))
    assert evidence_from_json(evidence_to_json(evidence)) == evidence


def test_cut_note_is_left_out(tmp_path: Path) -> None:
    """A line that a kill cut off costs only itself, and notes of several processes come in the order of the clock."""
    note = {"kind": "still", "task": "t", "nonce": "n", "role": "agent", "files": ["x"]}
    (tmp_path / "a.jsonl").write_text(json.dumps({"t": 2, **note}) + '\n{"t": 3, "ki', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(json.dumps({"t": 1, **note}) + "\n", encoding="utf-8")
    notes = read_notes(tmp_path)
    assert [(note.t, note.files) for note in notes] == [(1, ["x"]), (2, ["x"])]


@pytest.mark.git
def test_history_is_read_with_git_alone(tmp_path: Path, told: Any) -> None:
    """Commits with parents, trailers and changes; lines on branches, on salvage refs and on the disk of a worktree."""
    made = world.make(tmp_path / "w", "S", seeded("1"))
    place = made.repository

    def git(*arguments: str, at: Path = place) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        call = ["git", *identity, *arguments]
        return subprocess.run(call, cwd=at, check=True, capture_output=True, text=True).stdout.strip()

    git("worktree", "add", "-q", "-b", "stream", str(tmp_path / "a1"), made.base)
    for number in (1, 2):
        text = (tmp_path / "a1/settings.txt").read_text(encoding="utf-8")
        (tmp_path / "a1/settings.txt").write_text(
            text.replace("[beta]\n", f"[beta]\n~ line {number}\n"), "utf-8"
        )
        message = f"[PUCS-core] feat: {number}\n\nPUCS-Agent: a1\nPUCS-Token: {number}\n"
        git("commit", "-qam", message, at=tmp_path / "a1")
    git("update-ref", "refs/pucs/salvage/S/a1/1", "stream")
    git("update-ref", "refs/heads/stream", "stream~1")
    (tmp_path / "a1/new.txt").write_text("~ line 3\n", encoding="utf-8")
    evidence = replace(told.evidence, base=made.base, result="stream", branches={"core": "stream"})
    found = history.read(place, evidence)
    tip = found.commits[found.tip("stream")]
    assert (tip.subject, tip.tokens, tip.trailer("PUCS-Agent")) == ("[PUCS-core] feat: 1", (1,), "a1")
    assert (tip.parents, list(tip.changes)) == ((made.base,), ["settings.txt"])
    assert found.landed == {"~ line 1"}
    assert found.kept == {"~ line 1", "~ line 2"}
    assert "~ line 3" in found.on_disk
    assert found.unexplained == ("a1/new.txt",)
    assert found.result_files["settings.txt"].count("~ line") == 1
    assert checker.sections(found.result_files["settings.txt"]) == {"beta": ["~ line 1"]}


@pytest.mark.git
def test_any_change_shows_in_a_checkout(tmp_path: Path) -> None:
    """Index, HEAD, modes and files, ignored ones included, are part of what is compared."""
    place = world.make(tmp_path / "w", "S", seeded("1")).repository
    before = world.checkout_of(place)
    assert {"HEAD", "branch", "index", "ignored.log", "untracked.txt"} <= set(before)
    subprocess.run(["git", "-C", str(place), "reset", "-q"], check=True)
    (place / "ignored.log").write_text("other\n", encoding="utf-8")
    after = world.checkout_of(place)
    assert {name for name in before if before[name] != after[name]} == {"index", "ignored.log"}


@pytest.mark.slow
@pytest.mark.process
def test_agent_writes_what_it_notes(tmp_path: Path) -> None:
    """An agent killed in its work leaves its notes; every line it noted as written is in the file."""
    place = tmp_path / "place"
    place.mkdir()
    (place / "x").write_text("[alpha]\nbase\n\n", encoding="utf-8")
    for name in ("notes", "plans", "scratch", "done"):
        (tmp_path / name).mkdir()
    work = [{"file": "x", "section": "alpha", "how": "declared"}]
    plan = {"task": "t", "work": work, "work_s": 60.0, "child": None, "fails": 0}
    (tmp_path / "plans/t.json").write_text(json.dumps({**plan, "work_s": 0.01}), encoding="utf-8")
    (tmp_path / "plans/long.json").write_text(json.dumps(plan), encoding="utf-8")
    environment = world.environment(tmp_path, "mark")
    call = [sys.executable, "-I", "-S", str(PROOF / "agent.py")]
    assert subprocess.run([*call, "t"], cwd=place, env=environment, check=False).returncode == 0
    with pytest.raises(subprocess.TimeoutExpired):  # which kills it
        subprocess.run([*call, "long"], cwd=place, env=environment, check=False, timeout=3)
    notes = read_notes(tmp_path / "notes")
    written = [note.fields["line"] for note in notes if note.kind == "wrote"]
    assert (place / "x").read_text(encoding="utf-8") == f"[alpha]\nbase\n{written[0]}\n\n"
    assert [note.kind for note in notes if note.kind in {"start", "done"}] == ["start", "done", "start"]
    assert notes[-1].kind == "still"
    assert not list(processes.of_session("mark"))
    assert (tmp_path / "done/t").exists()
