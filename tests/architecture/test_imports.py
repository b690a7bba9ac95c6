"""The import contracts of pyproject.toml hold, and every one of them would notice its violation."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOMS = [
    "agents",
    "classic",
    "cli",
    "client",
    "code",
    "conflicts",
    "coordinator",
    "core",
    "crosslog",
    "dashboard",
    "git",
    "hooks",
    "intents",
    "launch",
    "locks",
    "merge",
    "messages",
    "server",
    "store",
    "streams",
    "syntax",
    "tasks",
    "testing",
]

# (module, line to plant, what the report has to name)
VIOLATIONS = [
    ("core.words", "import time", "pucs.core.words -> time"),
    ("locks.rules", "import pathlib", "pucs.locks.rules -> pathlib"),
    ("tasks.rules", "from subprocess import run", "pucs.tasks.rules -> subprocess"),
    ("coordinator.verbs", "import os", "pucs.coordinator.verbs -> os"),
    ("conflicts.rules", "import apsw", "pucs.conflicts.rules -> apsw"),
    ("core.names", "import pucs.locks.rules", "pucs.core.names -> pucs.locks.rules"),
    ("locks.rules", "import pucs.store.sqlite", "pucs.locks.rules -> pucs.store.sqlite"),
    ("streams.rules", "import pucs.tasks.rules", "pucs.streams.rules -> pucs.tasks.rules"),
    ("tasks.flows", "import pucs.conflicts.rules", "pucs.tasks.flows -> pucs.conflicts.rules"),
    ("coordinator.verbs", "import pucs.git.branches", "pucs.coordinator.verbs -> pucs.git.branches"),
    ("store.sqlite", "import pucs.git.branches", "pucs.store.sqlite -> pucs.git.branches"),
    ("launch.programs", "import pucs.client.local", "pucs.launch.programs -> pucs.client.local"),
    ("server.http", "import pucs.store.sqlite", "pucs.server.http -> pucs.store.sqlite"),
    ("cli.locks", "import pucs.launch.programs", "pucs.cli.locks -> pucs.launch.programs"),
    ("dashboard.web", "import pucs.coordinator.verbs", "pucs.dashboard.web -> pucs.coordinator.verbs"),
    ("client.local", "import pucs.testing.agent", "pucs.client.local -> pucs.testing.agent"),
]
# Imports as the rooms are meant to have them; together with the violations they show that not everything is refused.
LAWFUL = {
    "locks.rules": "import pucs.core.words",
    "code.index": "import pucs.syntax",
    "conflicts.rules": "import pucs.locks.rules",
    "coordinator.verbs": "import pucs.conflicts.rules",
    "store.sqlite": "import os, apsw, pucs.coordinator.verbs",
    "git.branches": "import subprocess, pucs.coordinator.verbs",
    "wiring": "import pucs.store.sqlite, pucs.git.branches, pucs.launch.programs",
    "client.local": "import pucs.wiring",
    "dashboard.web": "import pucs.client.local",
    "server.http": "import pucs.client.local",
    "cli.locks": "import pucs.client.local, pucs.server.http",
    "testing.agent": "import time, pucs.client.local",
}


def lint(project: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the checkout at a path."""
    lint_imports = Path(sys.executable).with_name("lint-imports")
    call = [str(lint_imports), "--no-logo", "--no-cache"]
    environment = {"PYTHONPATH": str(project / "src"), "PATH": str(lint_imports.parent), "COLUMNS": "200"}
    return subprocess.run(call, cwd=project, env=environment, check=False, capture_output=True, text=True)


def settings_of(project: Path) -> list[dict[str, object]]:
    """Return the contracts of pyproject.toml."""
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[dict[str, object]] = settings["tool"]["importlinter"]["contracts"]
    return contracts


def rooms_in_storeys(project: Path) -> set[str]:
    """Return the rooms that the storeys place."""
    [storeys] = [contract for contract in settings_of(project) if contract["type"] == "layers"]
    layers = storeys["layers"]
    assert isinstance(layers, list)
    return {f"pucs.{room}" for layer in layers for room in re.findall(r"\w+", layer)}


@pytest.fixture(scope="module")
def plan_of_house(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small checkout with every room, lawful imports only, and the contracts of this one."""
    copy = tmp_path_factory.mktemp("house")
    shutil.copy(project / "pyproject.toml", copy)
    (copy / "tests" / "architecture").mkdir(parents=True)
    shutil.copy(project / "tests" / "architecture" / "contract_types.py", copy / "tests" / "architecture")
    for room in ["", *ROOMS]:
        (copy / "src" / "pucs" / room).mkdir(parents=True)
        (copy / "src" / "pucs" / room / "__init__.py").touch()
    for module, _, _ in VIOLATIONS:
        write(copy, module, "")
    for module, line in LAWFUL.items():
        write(copy, module, line)
    return copy


def write(project: Path, module: str, line: str) -> None:
    """Add a line to a module, which is made when it is missing."""
    with (
        (project / "src" / "pucs" / Path(*module.split(".")))
        .with_suffix(".py")
        .open("a", encoding="utf-8") as file
    ):
        file.write(line + "\n")


def test_the_contracts_hold(project: Path) -> None:
    """Every import of the product is one that the contracts allow."""
    result = lint(project)
    assert result.returncode == 0, result.stdout + result.stderr


def test_lawful_imports_pass(plan_of_house: Path) -> None:
    """The house as planned breaks no contract."""
    result = lint(plan_of_house)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_violation_is_found(plan_of_house: Path, tmp_path: Path) -> None:
    """Each planted import is named in the report and no contract is kept."""
    house = tmp_path / "house"
    shutil.copytree(plan_of_house, house)
    for module, line, _ in VIOLATIONS:
        write(house, module, line)
    result = lint(house)
    report = re.sub(r"\s+", " ", result.stdout)
    assert [named for _, _, named in VIOLATIONS if named not in report] == []
    assert "Contracts: 0 kept" in report
    assert result.returncode != 0


def test_a_room_of_no_storey_is_found(plan_of_house: Path, tmp_path: Path) -> None:
    """A new room has to be placed before it can be built."""
    house = tmp_path / "house"
    shutil.copytree(plan_of_house, house)
    (house / "src" / "pucs" / "cellar").mkdir()
    (house / "src" / "pucs" / "cellar" / "__init__.py").touch()
    result = lint(house)
    assert result.returncode != 0
    assert "cellar" in result.stdout


def test_contracts_name_rooms_of_the_storeys_only(project: Path) -> None:
    """A misspelt room would be taken for one that has no code yet, so every name must be one that is placed."""
    lists = [
        value for contract in settings_of(project) for value in contract.values() if isinstance(value, list)
    ]
    named = {name for names in lists for name in names if name.startswith("pucs.")}
    assert named <= rooms_in_storeys(project)


def test_the_plan_holds_every_room_of_the_storeys(project: Path) -> None:
    """The planted violations are tried in a house with all rooms."""
    packages = {name.removeprefix("pucs.") for name in rooms_in_storeys(project)}
    assert packages - set(ROOMS) == {
        "__main__",
        "agent_lock",
        "cross_logger",
        "intent_signal",
        "stream_locks",
        "wiring",
    }


def test_no_room_has_a_circle_of_modules() -> None:
    """No two modules import each other, directly or through others."""
    graph = grimp.build_graph("pucs", cache_dir=None)
    assert "pucs.core" in graph.modules
    # The package names its public classes for type checkers and fetches them lazily; that is no import
    # (tests/architecture/test_startup.py sees what it really loads).
    for imported in graph.find_modules_directly_imported_by("pucs"):
        graph.remove_import(importer="pucs", imported=imported)
    circles = {
        tuple(sorted((importer, imported)))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if graph.chain_exists(importer=imported, imported=importer)
    }
    assert circles == set()
