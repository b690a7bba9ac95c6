"""A module is named after what it holds: names that fit everything collect everything."""

from pathlib import Path

NAMES_THAT_SAY_NOTHING = frozenset({
    "base", "common", "helper", "helpers", "manager", "managers", "misc", "shared", "stuff", "tools", "util", "utils",
})  # fmt: skip


def vague_modules(source: Path) -> list[Path]:
    """Return the modules and packages with a word in their name that fits everything."""
    return [
        path
        for path in sorted(source.rglob("*"))
        if (path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py"))))
        and NAMES_THAT_SAY_NOTHING.intersection(path.stem.lower().split("_"))
    ]


def test_every_module_name_says_what_it_holds(project: Path) -> None:
    """No module or package of the product has a vague name."""
    assert vague_modules(project / "src" / "pucs") == []


def test_a_vague_name_is_found(tmp_path: Path) -> None:
    """Modules, packages and compound names are all looked at; ordinary names pass."""
    (tmp_path / "utils").mkdir()
    for name in ("utils/__init__.py", "utils/leases.py", "lock_manager.py", "database.py"):
        (tmp_path / name).touch()
    assert vague_modules(tmp_path) == [tmp_path / "lock_manager.py", tmp_path / "utils"]
