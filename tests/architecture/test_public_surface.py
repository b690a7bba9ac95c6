"""What users may rely on is small, documented and fetched only when it is used."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import pucs

PUBLIC_NAMES_MAX = 12
# The page that says for each name of the first designs where it is, and what it does today.
PAGE_OF_CLASSIC_NAMES = Path("docs/reference/classic.md")


def undocumented(source: Path) -> list[str]:
    """Name the modules, public classes and public functions or methods without a docstring."""
    found = []
    for path in sorted(source.rglob("*.py")):
        if "sample" in path.parts:
            continue  # the demo's shop is written as people write, not as we do
        tree = ast.parse(path.read_bytes())
        if tree.body or path.name == "__init__.py":
            found += [str(path)] if ast.get_docstring(tree) is None else []
        found += [
            f"{path}:{node.lineno} {node.name}" for node in public(tree) if ast.get_docstring(node) is None
        ]
    return found


def public(
    parent: ast.Module | ast.ClassDef,
) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield public classes, functions and methods, leaving out typing's overloads and property setters."""
    for node in parent.body:
        if not isinstance(
            node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) or node.name.startswith("_"):
            continue
        marks = {ast.unparse(mark) for mark in node.decorator_list}
        if marks & {"overload", "override", f"{node.name}.setter"}:
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from public(node)


def classic_names(page: Path) -> set[str]:
    """Return the names that the page offers from the package itself, as its tables give their homes."""
    return set(re.findall(r"^\| `pucs\.([A-Za-z_]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_surface_stays_small(project: Path) -> None:
    """Beside the names of the first designs, each of them on its page, the package offers at most a dozen, each once."""
    classic = classic_names(project / PAGE_OF_CLASSIC_NAMES)
    assert classic <= set(pucs.__all__), "the page names only what is there"
    assert "PUCSClient" not in classic, "what programs are told to use is not among the names of old"
    assert len(pucs.__all__) == len(set(pucs.__all__))
    assert len(set(pucs.__all__) - classic) <= PUBLIC_NAMES_MAX


@pytest.mark.parametrize("name", pucs.__all__)
def test_every_public_name_can_be_fetched(name: str) -> None:
    """Each name of `__all__` is there, although nothing is loaded before it is used."""
    assert getattr(pucs, name) is not None
    assert name in dir(pucs)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The lazy lookup answers like any module for a name that it does not know."""
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = importlib.import_module("pucs").Nonsense


def test_the_version_is_the_same_everywhere(project: Path) -> None:
    """The package names the version that its metadata names."""
    assert pucs.__version__ == tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"]


def test_everything_public_is_documented(project: Path) -> None:
    """Every module, public class, function and method of the product has a docstring."""
    assert undocumented(project / "src") == []


def test_a_missing_docstring_is_found(tmp_path: Path) -> None:
    """Modules, functions, classes and methods are looked at; private names and overrides are not."""
    (tmp_path / "bare.py").write_text("x = 1\n")
    (tmp_path / "room.py").write_text(
        '"""A room."""\nclass Open:\n    def run(self): ...\n    def _quiet(self): ...\n    @override\n    def same(self): ...\n'
        "async def go(): ...\n"
    )
    room = tmp_path / "room.py"
    assert undocumented(tmp_path) == [
        str(tmp_path / "bare.py"),
        f"{room}:2 Open",
        f"{room}:3 run",
        f"{room}:7 go",
    ]
