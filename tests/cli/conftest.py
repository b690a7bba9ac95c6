"""A small repository with two streams, and the command line called in this process."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pucs.cli import main

CONFIGURATION = """\
streams:
  app: {files_pattern: app/}
  lib: {files_pattern: lib/}
critical_files: [{path: settings.py, max_lock_duration_min: 30}]
"""
FILES = {
    "pucs.yaml": CONFIGURATION,
    "app/a.py": "a = 1\n",
    "lib/b.py": "b = 1\n",
    "settings.py": "DEBUG = False\n",
    "README.md": "A shop.\n",
}
TASK = 'tasks:\n- {id: one, title: "feat: one", stream: app, files: [app/a.py], command: "echo b=2 >>app/a.py"}\n'


class Pucs:
    """Calls the command line in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> SimpleNamespace:
        """Return status, output and error output of a call."""
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        output = self._capture.readouterr()
        return SimpleNamespace(status=ended.value.code, out=output.out, err=output.err)

    def ok(self, *arguments: str) -> str:
        """Return the output of a call that has to succeed."""
        said = self(*arguments)
        assert said.status == 0, said.out + said.err
        text: str = said.out
        return text

    def json(self, *arguments: str) -> Any:
        """Return the document of a call that has to succeed."""
        return json.loads(self.ok(*arguments, "--json"))


@pytest.fixture
def pucs(capsys: pytest.CaptureFixture[str]) -> Pucs:
    """Call the command line in this process."""
    return Pucs(capsys)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the repository once as it was committed and once with a session begun; tests copy what they need."""
    place = tmp_path_factory.mktemp("templates")
    for path, text in FILES.items():
        target = place / "shop" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for call in (["init", "-q", "-b", "main", "--template="], ["add", "-A"], ["commit", "-q", "-m", "Start"]):
        subprocess.run(["git", *call], cwd=place / "shop", check=True, capture_output=True)
    shutil.copytree(place / "shop", place / "session")
    with pytest.raises(SystemExit):
        main(["init", "--repo", str(place / "session"), "--session", "S-1"])
    return place


@pytest.fixture
def shop(templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a repository with the streams app and lib."""
    root = shutil.copytree(templates / "shop", tmp_path / "shop")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def session(templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in that repository with a session begun."""
    root = shutil.copytree(templates / "session", tmp_path / "shop")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def tasks_file(tmp_path: Path) -> Path:
    """Return a tasks file with one task that adds a line."""
    path = tmp_path / "tasks.yaml"
    path.write_text(TASK, encoding="utf-8")
    return path
