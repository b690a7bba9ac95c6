"""uv.lock answers pyproject.toml, also where uv is not installed to say so."""

import re
import tomllib
from pathlib import Path
from typing import Any


def wanted(settings: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return (extra, name, specifier) of every dependency that pyproject.toml declares; the product's extra is empty."""
    project = settings["project"]
    groups = {"": project["dependencies"], **project.get("optional-dependencies", {})}
    return {(extra, *split(line)) for extra, lines in groups.items() for line in lines}


def split(requirement: str) -> tuple[str, str]:
    """Split a requirement into its normal name and its version part."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(.*)", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[1]).lower(), match[2].replace(" ", "")


def locked(lock: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return (extra, name, specifier) of every dependency for which the lock was made."""
    [own] = [package for package in lock["package"] if package["name"] == "pucs"]
    found = set()
    for entry in own["metadata"]["requires-dist"]:
        extra = re.search(r"extra == '([^']*)'", entry.get("marker", ""))
        found.add((extra[1] if extra else "", entry["name"], entry.get("specifier", "").replace(" ", "")))
    return found


def test_the_lock_was_made_for_these_dependencies(project: Path) -> None:
    """Every declared dependency and extra is the one that uv.lock was solved for (else: `uv lock`)."""
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    lock = tomllib.loads((project / "uv.lock").read_text(encoding="utf-8"))
    assert wanted(settings) == locked(lock)
    assert settings["project"]["requires-python"] == lock["requires-python"]


def test_a_changed_dependency_is_found() -> None:
    """A raised bound and a dependency added to an extra both differ from the lock."""
    lock = {
        "package": [
            {"name": "pucs", "metadata": {"requires-dist": [{"name": "py-yaml", "specifier": ">=6"}]}}
        ]
    }
    same: dict[str, Any] = {"project": {"dependencies": ["Py.YAML >= 6"]}}
    assert wanted(same) == locked(lock)
    raised: dict[str, Any] = {"project": {"dependencies": ["Py.YAML >= 7"]}}
    assert wanted(raised) != locked(lock)
    added: dict[str, Any] = {"project": {**same["project"], "optional-dependencies": {"test": ["pytest"]}}}
    assert wanted(added) - locked(lock) == {("test", "pytest", "")}
