"""`./run` says what is missing and starts what it is asked for."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def run(project: Path) -> ModuleType:
    """Return the script as a module, without running a task."""
    loader = importlib.machinery.SourceFileLoader("run_script", str(project / "run"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _no_bytecode_beside_the_script() -> Generator[None]:
    """Keep Python from writing a cache file next to `run`."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    yield
    sys.dont_write_bytecode = before


def call(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a person would."""
    environment = {**os.environ, **variables}
    command = [sys.executable, str(project / "run"), *arguments]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)


@pytest.mark.process
def test_help_names_every_task(project: Path) -> None:
    """The help lists each task and is printed without installing anything."""
    result = call(project, "help")
    assert result.returncode == 0
    for task in ("demo", "pucs", "test", "check", "bench", "proof", "install"):
        assert f"./run {task}" in result.stdout


@pytest.mark.process
def test_an_unknown_task_is_wrong_use(project: Path) -> None:
    """A misspelt task names itself and ends with status 2."""
    result = call(project, "tset")
    assert result.returncode == 2
    assert "'tset'" in result.stderr


@pytest.mark.process
def test_a_missing_git_is_named_with_the_remedy(project: Path, tmp_path: Path) -> None:
    """Without git on PATH nothing starts and the message says how to get it."""
    result = call(project, "test", PATH=str(tmp_path))
    assert result.returncode == 4
    assert "apt-get install git" in result.stderr


def test_an_old_python_is_named_with_the_remedy(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With Python 3.9 and no newer one on PATH the message names both versions."""
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(run.Stop, match=r"needs Python 3\.11 or newer; .* is 3\.9\.2"):
        run.demand_machine()


def test_a_python_without_venv_is_named_with_the_remedy(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where Debian left out python3-venv the message names the package."""
    python = tmp_path / "python3"
    python.write_text(
        "#!/bin/sh\necho 'The virtual environment was not created: ensurepip is not available.'\nexit 1\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path / "environment")
    with pytest.raises(run.Stop, match="apt-get install python3-venv"):
        run.make_venv()


def test_the_stamp_asks_for_another_installation_when_it_should(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A changed file, a higher level, another place and a missing Python each ask for it; a lower level does not."""
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(run, "STAMP", tmp_path / "stamp")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert not run.installed("hash", "test")
    run.STAMP.write_text(f"hash\ntest\n{run.ROOT}\n")
    assert run.installed("hash", "product")
    assert run.installed("hash", "test")
    assert not run.installed("hash", "dev")
    assert not run.installed("other", "test")
    run.STAMP.write_text("hash\ntest\n/somewhere/else\n")
    assert not run.installed("hash", "test")
    run.STAMP.write_text(f"hash\ntest\n{run.ROOT}\n")
    (tmp_path / "bin" / "python").unlink()
    assert not run.installed("hash", "test")


def test_pip_gets_the_versions_of_the_lock(run: ModuleType) -> None:
    """Every line pins one package and the project itself is not among them."""
    lines = run.versions_of_lock().splitlines()
    assert any(line.startswith("apsw==") for line in lines)
    assert all(line.count("==") == 1 for line in lines)
    assert not any(line.startswith("pucs==") for line in lines)


def test_tasks_keep_compiled_code_even_where_none_may_lie_about(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that wants no bytecode beside sources gets it in the environment, or where it says itself."""
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    variables = run.environment_of_tasks()
    assert "PYTHONDONTWRITEBYTECODE" not in variables
    assert variables["PYTHONPYCACHEPREFIX"] == str(run.ENVIRONMENT / "bytecode")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "/elsewhere")
    assert run.environment_of_tasks()["PYTHONPYCACHEPREFIX"] == "/elsewhere"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["-n", "0"], True),
        (["-n4"], True),
        (["--numprocesses=1"], True),
        (["--no-header", "tests/rules"], False),
        (["-k", "lease"], False),
    ],
)
def test_options_of_the_user_are_noticed(run: ModuleType, arguments: list[str], named: bool) -> None:  # noqa: FBT001
    """An option that the user gave is not given a second time."""
    assert run.names_option(arguments, "-n", "--numprocesses") is named
