"""``demo``: the README's first command."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = [pytest.mark.git, pytest.mark.process]


def test_demo_shows_what_it_promises(tmp_path: Path) -> None:
    """With an empty home: two in one file, a wait, a refusal, a death, a merge in order, and nothing lost; outside the directory nothing is left."""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        ["pucs", "demo", "--json", "--keep", "shop"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document) >= {
        "agents", "streams", "tasks", "merged_streams", "conflicts", "changes_lost", "tests_passed", "duration_s",
    }  # fmt: skip
    (shared,) = document["shared_files"]
    assert shared["file"] == "checkout/receipt.py"
    assert len(shared["agents"]) == 2
    assert set(shared["symbols"]) == {"checkout/receipt.py::heading", "checkout/receipt.py::lines"}
    assert document["conflicts"]["detected"] >= 2
    assert document["conflicts"]["resolved"] == document["conflicts"]["detected"]
    assert (document["changes_lost"], document["tests_passed"]) == (0, True)
    assert document["merged_streams"] == ["catalog", "cart", "checkout"]
    report = (tmp_path / "shop" / "report.md").read_text(encoding="utf-8")
    for words in ("waits for", "is refused at the boundary of", "SIGKILL", "is merged"):
        assert words in report
    assert not list(home.iterdir())


def test_demo_does_not_write_over_anything(tmp_path: Path, pucs: Pucs) -> None:
    """A directory that is not empty is refused."""
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    said = pucs("demo", "--keep", str(tmp_path))
    assert (said.status, "is not empty" in said.err) == (2, True)
    said = pucs("demo", "--keep", str(tmp_path / "mine"))
    assert said.status == 2
