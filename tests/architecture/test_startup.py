"""The commands that agents call all day load almost nothing.

Each runs in a fresh interpreter that lists what it loaded. Every module costs each call of each agent its import
time, so a heavy one here is a regression even when all else works.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

# What a light command may load besides the standard library.
PACKAGES_ALLOWED = {"pucs", "click", "apsw"}
# Parts of the standard library that cost more than all of `pucs lock` may.
HEAVY_STANDARD = {
    "asyncio", "concurrent", "ctypes", "difflib", "email", "html", "http", "importlib.metadata", "logging.config",
    "multiprocessing", "pydoc", "socketserver", "sqlite3", "ssl", "tomllib", "unittest", "urllib.request",
    "webbrowser", "xml",
}  # fmt: skip
# Rooms that none of these commands needs.
HEAVY_ROOMS = {f"pucs.{room}" for room in ("code", "dashboard", "merge", "server", "syntax", "testing")} | {
    f"pucs.launch.{module}" for module in ("agents", "keeper", "leftovers", "supervisor")
}

REPORTER = """
import json, os, sys
before = set(sys.modules)
status = 0
try:
    {load}
except SystemExit as end:
    status = end.code or 0
sys.stdout.flush()
with open(sys.argv[-1], "w") as file:
    json.dump({{"status": status, "modules": sorted(set(sys.modules) - before)}}, file)
"""


def loaded_by(
    load: str, arguments: list[str], where: Path, report: Path, given: IO[str] | None = None
) -> set[str]:
    """Return the modules that a fresh interpreter loads for a command line, which has to succeed."""
    run_pucs = "; ".join(["from pucs.cli import main", f"main(args={arguments!r}, prog_name='pucs')"])
    call = [sys.executable, "-c", REPORTER.format(load=load or run_pucs), str(report)]
    result = subprocess.run(call, cwd=where, stdin=given, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    document = json.loads(report.read_text(encoding="utf-8"))
    assert document["status"] == 0, result.stdout + result.stderr
    return set(document["modules"])


def too_heavy(modules: set[str]) -> set[str]:
    """Return the loaded modules that a light command must not load; of other people's packages the name alone."""
    foreign = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - PACKAGES_ALLOWED
    heavy = {
        name for name in modules for root in HEAVY_STANDARD | HEAVY_ROOMS if f"{name}.".startswith(f"{root}.")
    }
    return foreign | heavy


@pytest.mark.process
def test_importing_pucs_loads_no_other_room(tmp_path: Path) -> None:
    """`import pucs` alone loads the package and nothing of its rooms."""
    modules = loaded_by("import pucs", [], tmp_path, tmp_path / "report.json")
    assert {name for name in modules if name.startswith("pucs")} == {"pucs"}


@pytest.mark.process
@pytest.mark.parametrize("command", ["lock", "unlock", "status"])
def test_help_of_a_light_command_loads_nothing_heavy(command: str, tmp_path: Path) -> None:
    """The module behind the command loads the standard library, click, apsw and light rooms only."""
    modules = loaded_by("", [command, "--help"], tmp_path, tmp_path / "report.json")
    assert too_heavy(modules) == set()


@pytest.mark.process
@pytest.mark.git
def test_light_commands_load_nothing_heavy_at_work(
    make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    """A real `status`, `lock` and `unlock` stay as light as their help."""
    repository = make_repository(files={"shop/cart.py": "TOTAL = 0\n"})
    pucs = [sys.executable, "-m", "pucs"]
    subprocess.run(
        [*pucs, "init"], cwd=repository, check=True, capture_output=True, env={**os.environ, "NO_COLOR": "1"}
    )
    for arguments in (
        ["status"],
        ["lock", "shop/cart.py", "--agent", "a-1", "--stream", "shop", "--task", "t-1"],
        ["unlock", "shop/cart.py", "--agent", "a-1"],
    ):
        modules = loaded_by("", arguments, repository, tmp_path / "report.json")
        assert too_heavy(modules) == set(), arguments


@pytest.mark.process
@pytest.mark.git
def test_a_hooks_own_step_loads_even_less(make_repository: Callable[..., Path], tmp_path: Path) -> None:
    """Without a server each edit pays for every module: no command line, no YAML, and nothing that starts git."""
    repository = make_repository(files={"shop/cart.py": "TOTAL = 0\n"})
    subprocess.run([sys.executable, "-m", "pucs", "init"], cwd=repository, check=True, capture_output=True)
    edit = {"file_path": str(repository / "shop/cart.py"), "old_string": "0", "new_string": "1"}
    report = {"session_id": "c-1", "cwd": str(repository), "hook_event_name": "PreToolUse"}
    body = json.dumps({**report, "tool_name": "Edit", "tool_input": edit})
    step = (
        "import os, runpy; os._exit = sys.exit; sys.argv[1:] = ['claude', sys.argv[-1]];"
        "runpy.run_module('pucs.hooks', run_name='__main__')"
    )
    modules: set[str] = set()
    for _ in ("the edit that takes the lease", "one under it"):
        with (tmp_path / "body").open("w+") as report_file:
            report_file.write(body)
            report_file.seek(0)
            modules = loaded_by(step, [], repository, tmp_path / "report.json", report_file)
        assert too_heavy(modules) == set()
        assert "pucs.coordinator.guarding" in modules
        assert {"click", "yaml", "pucs.cli", "pucs.client", "pucs.coordinator.landing"} & modules == set()
    assert {"statistics", "pucs.coordinator.granting", "pucs.coordinator.leases"} & modules == set()


def test_heavy_modules_are_told_from_light_ones() -> None:
    """Third parties, heavy parts of the standard library and heavy rooms are found; light ones and namesakes pass."""
    light = {
        "json",
        "click.core",
        "apsw",
        "pucs.cli.locks",
        "pucs.codes",
        "pucs.merges",
        "concurrency_of_mine",
        "os",
    }
    heavy = {"yaml", "rich", "asyncio.events", "importlib.metadata", "pucs.server.http", "pucs.launch.keeper"}
    assert too_heavy(light - {"concurrency_of_mine"}) == set()
    assert too_heavy(light | heavy | {"rich.table"}) == heavy | {"concurrency_of_mine"}
