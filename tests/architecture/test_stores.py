"""Every verb is tried on every store: tests of verbs take theirs from the fixtures that know all places."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pucs.coordinator.verbs import VERBS, Verb

VERBS_AT = "pucs.coordinator"
STORES = {"SQLiteStore", "PostgresStore", "IN_MEMORY"}
# Modules of tests of verbs that make stores by themselves, and why.
ALONE = {
    "test_intents_model.py": "one for each of many examples; test_intents.py tries the same verbs everywhere"
}


def modules(project: Path) -> Iterator[tuple[str, ast.Module]]:
    """Return the tests of verbs."""
    for path in sorted((project / "tests" / "coordinator").rglob("*.py")):
        yield path.name, ast.parse(path.read_text(encoding="utf-8"))


def used(module: ast.Module) -> set[str]:
    """Return the functions of the coordinator that a module names, as the table of verbs writes them."""
    rooms: dict[str, str] = {}
    functions: dict[str, str] = {}
    for node in ast.walk(module):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        for name in node.names:
            if node.module == VERBS_AT:
                rooms[name.asname or name.name] = name.name
            elif node.module.startswith(f"{VERBS_AT}."):
                functions[name.asname or name.name] = f"{node.module.rpartition('.')[2]}:{name.name}"
    found = {
        functions[node.id] for node in ast.walk(module) if isinstance(node, ast.Name) and node.id in functions
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in rooms:
            found.add(f"{rooms[node.value.id]}:{node.attr}")
    return found


def test_tests_of_verbs_make_no_store_of_their_own(project: Path) -> None:
    """They would run on that one alone."""
    own = {
        name
        for name, module in modules(project)
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and STORES & {each.name for each in node.names}
    }
    assert own == set(ALONE)


@pytest.fixture(scope="module")
def tried(project: Path) -> set[str]:
    """Return what is called where the store is whichever it has to be."""
    return {each for name, module in modules(project) if name not in ALONE for each in used(module)}


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.home)
def test_a_verb_is_tried_on_every_store(verb: Verb, tried: set[str]) -> None:
    """Somewhere among the tests of verbs."""
    assert verb.home in tried
