"""What the pages tell the reader to type works, in the order they tell it.

A fence after `<!-- run -->` is run, sh by bash and python by Python, in one directory for each page; after
`<!-- run, status 1 -->` it must end with that status. The lines of a fence after `<!-- shown -->` must be in what the
last one printed, in order; `…` stands for anything. A json fence must be in the printed document, which may have more.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEP = re.compile(
    r"^<!-- (run|shown)(?:, status (\d+))? -->\n+```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
EXAMPLE_S_MAX = 40
"""Longest time of one fence; most take a tenth of a second."""
PAGES = [
    pytest.param(name, marks=pytest.mark.slow)
    for page in sorted((ROOT / "docs").rglob("*.md"))
    if STEP.search(page.read_text(encoding="utf-8")) and (name := str(page.relative_to(ROOT)))
]
SHOP = {
    "shop/cart.py": '"""The cart."""\n',
    "shop/tax.py": '"""Taxes."""\n',
    "catalog/prices.py": '"""Prices."""\n',
    "settings.py": "FEATURES = []\n",
    "pucs.yaml": (
        "streams:\n  catalog:\n    files_pattern: catalog/\n"
        "  shop:\n    files_pattern: shop/\n    dependencies: [catalog]\n"
    ),
}
"""The repository that the how-to pages speak of."""


@dataclass(frozen=True, slots=True)
class Step:
    """One marked fence of a page."""

    kind: str
    status: int
    language: str
    text: str


def steps(page: Path) -> Iterator[Step]:
    """Yield the marked fences of a page."""
    for found in STEP.finditer(page.read_text(encoding="utf-8")):
        yield Step(found[1], int(found[2] or 0), found[3], found[4])


def run(step: Step, place: Path) -> str:
    """Run a fence where the one before it ended, and return what it printed."""
    here = place / ".here"
    directory = here.read_text().strip() if here.exists() else str(place)
    if step.language == "python":
        call, text = [sys.executable, "-"], step.text
    else:
        strict = "set -e; " if step.status == 0 else ""
        call, text = ["bash", "-c", f"trap 'pwd > {here}' EXIT; {strict}{step.text}"], ""
    done = subprocess.run(
        call,
        cwd=directory,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=EXAMPLE_S_MAX,
    )
    assert done.returncode == step.status, f"{step.text}\n{done.stdout}"
    return done.stdout


def pattern(shown: str) -> str:
    """Return a regular expression for shown text."""
    return ".*".join(re.escape(part) for part in shown.split("…"))


def lacking(shown: str, printed: str) -> list[str]:
    """Return the shown lines that were not printed, in this order."""
    lines = iter(line.rstrip() for line in printed.splitlines())
    patterns = (pattern(line.rstrip()) for line in shown.splitlines() if line.strip())
    return [one for one in patterns if not any(re.fullmatch(one, line) for line in lines)]


def missing(shown: str, printed: str) -> list[str]:
    """Return where a printed JSON document differs from the shown one; fields and elements may be added."""
    plain = re.sub(r",\s*…", "", shown.replace("{…}", "{}").replace("[…]", "[]"))
    plain = re.sub(r"(:\s*)…", r'\1"…"', plain)
    return list(_differences("", json.loads(plain), json.loads(printed)))


def _differences(place: str, shown: object, printed: object) -> Iterator[str]:
    if isinstance(shown, dict) and isinstance(printed, dict):
        for key, value in shown.items():
            if key in printed:
                yield from _differences(f"{place}.{key}", value, printed[key])
            else:
                yield f"{place}.{key} is missing"
    elif isinstance(shown, list) and isinstance(printed, list):
        if len(shown) > len(printed):
            yield f"{place} has {len(printed)} elements"
        for number, (one, other) in enumerate(zip(shown, printed, strict=False)):
            yield from _differences(f"{place}[{number}]", one, other)
    elif isinstance(shown, str) and "…" in shown:
        if not re.fullmatch(pattern(shown), str(printed)):
            yield f"{place} is {printed!r}"
    elif shown != printed:
        yield f"{place} is {printed!r}"


@pytest.mark.git
@pytest.mark.process
@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_followed(name: str, tmp_path: Path, make_repository: Callable[..., Path]) -> None:
    """Every marked command works as the page says, one after the other."""
    place = tmp_path / "reader"
    if "/how-to/" in name or "/reference/" in name:
        place = make_repository("reader", SHOP)
        subprocess.run(["pucs", "init"], cwd=place, check=True, capture_output=True)
    else:
        place.mkdir()
    printed = ""
    for step in steps(ROOT / name):
        if step.kind == "run":
            printed = run(step, place)
        else:
            compare = missing if step.language == "json" else lacking
            assert compare(step.text, printed) == [], printed


def test_shown_lines_are_looked_for_in_order() -> None:
    """Lines that are missing, or come in another order, are told."""
    assert lacking("a\nc …\n", "a\nb\nc 12\n") == []
    assert lacking("c 12\na\n", "a\nb\nc 12\n") == ["a"]


def test_a_shown_document_may_grow_and_nothing_else() -> None:
    """Added fields and elements are fine; a missing field, another value or another kind is told."""
    shown = '{"a": …, "b": ["x", …], "c": {…}, "d": "…Z", "e": null, …}'
    assert missing(shown, '{"z": 0, "a": 1, "b": ["x", "y"], "c": {"k": 1}, "d": "12Z", "e": null}') == []
    assert missing(shown, '{"a": 1, "b": [], "d": "12", "e": false}') == [
        ".b has 0 elements",
        ".c is missing",
        ".d is '12'",
        ".e is False",
    ]
