"""The file that tells hooks whether a session is active."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.coordinator import sessions
from pucs.core.errors import EnvironmentFailure
from pucs.streams.records import Stream
from pucs.streams.settings import Configuration
from pucs.wiring import mark_active, open_context

pytestmark = pytest.mark.git

SHOP = Configuration(streams=(Stream(name="shop", files_pattern=("shop/**",)),))


@pytest.fixture
def root(make_repository: Callable[..., Path]) -> Path:
    return make_repository(files={"shop/cart.py": "TOTAL = 0\n"})


def facts(marker: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in marker.read_text().splitlines())


def test_the_marker_says_what_a_hook_needs(root: Path) -> None:
    """The session, the store, and a Python that can import PUCS and what it needs without its site packages."""
    context = open_context(root, create=True)
    marker = root / ".git" / "pucs" / "active"
    mark_active(context)
    assert not marker.exists()
    started = sessions.start(context, configuration=SHOP)
    mark_active(context)
    found = facts(marker)
    assert found["session"] == started.session.id
    assert found["store"] == str(root / ".git" / "pucs" / "state.db")
    load = f"import sys; sys.path[:0] = {found['path']!r}.split(':'); import pucs.hooks.front, pucs.wiring"
    subprocess.run([found["python"], "-I", "-S", "-c", load], check=True)
    assert found["python"] == sys.executable
    assert list(marker.parent.glob("active.*")) == []


def test_the_end_of_the_session_removes_the_marker(root: Path) -> None:
    """Doing it twice changes nothing."""
    context = open_context(root, create=True)
    sessions.start(context, configuration=SHOP)
    mark_active(context)
    sessions.end(context)
    for _ in range(2):
        mark_active(context)
        assert not (root / ".git" / "pucs" / "active").exists()


def test_another_store_leaves_the_marker_alone(root: Path, tmp_path: Path) -> None:
    """Two stores of one repository: only the one whose session is marked takes the mark away."""
    sessions.start(ours := open_context(root, create=True), configuration=SHOP)
    mark_active(ours)
    other = open_context(root, store=str(tmp_path / "other.db"), create=True)
    mark_active(other)
    assert facts(root / ".git" / "pucs" / "active")["store"] == ours.store.path


def test_a_marker_that_cannot_be_written_is_told(root: Path) -> None:
    """Nobody starts a session that hooks know nothing of without hearing it."""
    context = open_context(root, create=True)
    sessions.start(context, configuration=SHOP)
    (root / ".git" / "pucs" / "active").mkdir()
    with pytest.raises(EnvironmentFailure, match="active"):
        mark_active(context)


@pytest.mark.slow
def test_init_and_finalize_mark_the_session(root: Path) -> None:
    """The commands that start and end sessions keep the marker."""
    marker = root / ".git" / "pucs" / "active"
    pucs = [sys.executable, "-m", "pucs"]
    subprocess.run([*pucs, "init"], cwd=root, check=True, capture_output=True)
    assert marker.exists()
    marker.unlink()
    subprocess.run([*pucs, "init"], cwd=root, check=True, capture_output=True)
    assert marker.exists()
    subprocess.run([*pucs, "finalize"], cwd=root, check=True, capture_output=True)
    assert not marker.exists()


@pytest.mark.slow
@pytest.mark.process
def test_a_run_marks_a_session_that_lost_its_mark(root: Path) -> None:
    """Hooks of the agents that it launches go by it."""
    marker = root / ".git" / "pucs" / "active"
    pucs = [sys.executable, "-m", "pucs"]
    subprocess.run([*pucs, "init"], cwd=root, check=True, capture_output=True)
    marker.unlink()
    task = 'tasks: [{id: T-1, title: "feat: a", stream: shop, files: [shop/cart.py], command: "test -e $PUCS_REPO/.git/pucs/active"}]\n'
    (root.parent / "tasks.yaml").write_text(task)
    call = [*pucs, "run", "--no-merge", "--tasks", str(root.parent / "tasks.yaml")]
    done = subprocess.run(call, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert marker.exists()
