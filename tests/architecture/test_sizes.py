"""Modules and functions stay small enough to be read in one go and to be changed by one agent at a time."""

import ast
from pathlib import Path

MODULE_LINES_MAX = 600
# One screen; what does not fit is doing two things.
FUNCTION_LINES_MAX = 69
GUIDE_LINES_LIMIT = 120


def large_modules(source: Path) -> list[str]:
    """Name the modules that are over the limit, with their length."""
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in sorted(source.rglob("*.py"))
    }
    return [f"{path}: {lines} lines" for path, lines in lengths.items() if lines > MODULE_LINES_MAX]


def large_functions(source: Path) -> list[str]:
    """Name the functions that are over the limit, docstrings included, with their length."""
    found = []
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    found.append(f"{path}:{node.lineno} {node.name}: {lines} lines")
    return found


def test_no_module_is_too_long(project: Path) -> None:
    """No module has more lines than the limit."""
    assert large_modules(project / "src") == []


def test_no_function_is_too_long(project: Path) -> None:
    """No function has more lines than the limit."""
    assert large_functions(project / "src") == []


def test_the_guide_for_agents_stays_short(project: Path) -> None:
    """AGENTS.md is read at the start of every piece of work, so every line of it has to earn its place."""
    assert len((project / "AGENTS.md").read_text(encoding="utf-8").splitlines()) < GUIDE_LINES_LIMIT


def test_one_line_too_many_is_found(tmp_path: Path) -> None:
    """Exactly the limit passes and one line more is reported, for modules and functions."""
    (tmp_path / "full.py").write_text("x = 1\n" * MODULE_LINES_MAX)
    (tmp_path / "over.py").write_text("x = 1\n" * (MODULE_LINES_MAX + 1))
    (tmp_path / "work.py").write_text(
        "def full():\n"
        + "    x = 1\n" * (FUNCTION_LINES_MAX - 1)
        + "async def over():\n"
        + "    x = 1\n" * FUNCTION_LINES_MAX
    )
    assert large_modules(tmp_path) == [f"{tmp_path / 'over.py'}: {MODULE_LINES_MAX + 1} lines"]
    assert large_functions(tmp_path) == [
        f"{tmp_path / 'work.py'}:{FUNCTION_LINES_MAX + 1} over: {FUNCTION_LINES_MAX + 1} lines"
    ]
