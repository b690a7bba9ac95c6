"""``analyze``: what it prints, draws and writes, and what it makes of repositories that are not as they should be."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pucs.streams.configuration import parse
from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git

FILES = {
    "stock/__init__.py": '"""What is in store."""\n',
    "stock/items.py": "class Item:\n    pass\n\n\ndef count():\n    return 1\n",
    "shop/cart.py": "from stock.items import Item\n\nprint(Item)\n",
    "shop/price.py": "from stock.items import count\nfrom shop.cart import Item\n\nprint(count(), Item)\n",
    "report/daily.py": "from stock.items import Item\nfrom shop import price\n\nprint(Item, price)\n",
    "tests/test_cart.py": "from shop.cart import Item\n\nprint(Item)\n",
    "setup.py": "",
}


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def store(make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a repository of three parts that nobody has configured."""
    root = make_repository("store", FILES)
    monkeypatch.chdir(root)
    return root


def test_the_parts_of_a_repository_are_told(store: Path, pucs: Pucs) -> None:
    """Modules, layers, critical files, streams and their order fit a hundred columns; the checkout stays as it is."""
    text = pucs.ok("analyze")
    assert max(map(len, text.splitlines())) <= 100
    for heading in (
        "MODULES",
        "LAYERS",
        "CRITICAL FILES",
        "STREAMS",
        "MERGE ORDER",
        "PROPOSALS",
        "IN NO STREAM",
    ):
        assert f"\n{heading}\n" in text, heading
    assert re.search(r"HIGH +stock/items.py +3 ", text)
    assert re.search(r"\n +2 +shop\n +3 +report\n", text)
    assert "WHAT PUCS COULD NOT SEE" in text
    assert git(store, "status", "--porcelain") == ""
    document = pucs.json("analyze")
    assert list(document["streams"]) == ["report", "shop", "stock"]
    assert document["uncovered"] == ["setup.py"]
    assert pucs.json("analyze", "--streams", "imports")["method"] == "imports"


def test_what_is_written_is_a_configuration(store: Path, pucs: Pucs) -> None:
    """The proposal is written once, whole and valid; where there is one already, nothing is touched."""
    shown = pucs.ok("analyze", "--write", "--dry-run")
    assert not (store / "pucs.yaml").exists()
    assert not (store / ".git" / "pucs").exists()
    pucs.ok("analyze", "--write")
    written = (store / "pucs.yaml").read_text(encoding="utf-8")
    assert written == shown
    configuration = parse(written, "pucs.yaml", {})
    assert [stream.name for stream in configuration.streams] == ["report", "shop", "stock"]
    assert [one.path for one in configuration.critical_files] == ["stock/items.py"]
    assert git(store, "status", "--porcelain") == "?? pucs.yaml\n"
    said = pucs("analyze", "--write")
    assert (said.status, "is there already" in said.err) == (1, True)
    assert "declared in the configuration" in pucs.ok("analyze")
    assert pucs("analyze", "--dry-run").status == 2


def test_declared_dependencies_are_compared(store: Path, pucs: Pucs) -> None:
    """With a configuration its streams count, and where it differs from the code is told."""
    (store / "pucs.yaml").write_text(
        "streams:\n  sale: {files_pattern: [shop/, report/]}\n  stock: {files_pattern: stock/, dependencies: [sale]}\n",
        encoding="utf-8",
    )
    text = pucs.ok("analyze")
    assert "sale imports and does not declare stock (3 imports)" in text
    assert "stock declares and does not import sale" in text
    (store / "pucs.yaml").write_text("streams: [", encoding="utf-8")
    assert pucs("analyze").status == 2


class _Page(HTMLParser):
    """Collects the tags of a page, their addresses and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in {"src", "href", "onload", "onerror"}
        ]


def test_the_page_needs_nothing_else_and_names_do_no_harm(store: Path, tmp_path: Path, pucs: Pucs) -> None:
    """One file without scripts or addresses, its graph well-formed, whatever files and directories are called."""
    evil = store / "<script>alert(1)<" / "script>"
    evil.mkdir(parents=True)
    (evil / '"><img src=x onerror=alert(2)>.py').write_text("import stock.items\n", encoding="utf-8")
    (evil / "&amp;\x1b[31m.py").write_text('"""</style><script>"""\nimport shop.cart\n', encoding="utf-8")
    git(store, "add", "-A")
    page = tmp_path / "page.html"
    assert f"Wrote {page}." in pucs.ok("analyze", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    read = _Page()
    read.feed(text)
    assert not {"script", "img", "link", "iframe", "object"} & read.tags
    assert not read.addresses
    assert "\x1b" not in text
    (graph,) = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    titles = [title.text or "" for title in ET.fromstring(graph).iter("{http://www.w3.org/2000/svg}title")]  # noqa: S314 - ours
    assert any("shop imports stock: 2 imports" in title for title in titles)
    assert pucs("analyze", "--html", str(tmp_path / "no" / "page.html")).status == 2
    said = pucs.ok("analyze")
    assert "\x1b" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"README.md": "A shop.\n"}, "No code is tracked here"),
        ({"main.go": "package main\n", "shop/x.rs": "fn main() {}\n"}, "counted, not read: 1 .go, 1 .rs"),
        ({"shop/a.py": "def f(:\n", "shop/b.py": "print 'old'\n"}, "NOT READ IN FULL"),
        ({"a.py": "", "tests/test_a.py": ""}, "main"),
    ],
)
def test_repositories_with_little_to_read(
    files: dict[str, str], words: str, make_repository: Callable[..., Path], pucs: Pucs
) -> None:
    """No code, no Python, or none that can be parsed: what can be told is told, and a configuration can be written."""
    root = make_repository("little", files)
    assert words in pucs.ok("analyze", "--repo", str(root))
    pucs.ok("analyze", "--repo", str(root), "--html", str(root / "page.html"))
    pucs.ok("analyze", "--repo", str(root), "--write")
    pucs.ok("init", "--repo", str(root))


def test_names_that_are_no_text_are_told_as_they_are(store: Path, pucs: Pucs) -> None:
    """A path outside UTF-8 appears in JSON with its bytes escaped, and breaks no configuration."""
    Path(os.fsdecode(os.fsencode(store) + b"/caf\xe9")).mkdir()
    for name in (b"a.py", b"b\xe9.py"):
        Path(os.fsdecode(os.fsencode(store) + b"/caf\xe9/" + name)).write_text(
            "import stock.items\n", encoding="utf-8"
        )
    git(store, "add", "-A")
    document = pucs.json("analyze")
    assert "caf\udce9/a.py" in document["uncovered"]
    pucs.ok("analyze", "--write")
    assert pucs.ok("config", "check").startswith("pucs.yaml is valid.")


@pytest.mark.slow
def test_heads_of_all_kinds(store: Path, tmp_path: Path, pucs: Pucs) -> None:
    """A detached head is like any other; before the first commit what is staged counts; elsewhere there is nothing."""
    git(store, "checkout", "-q", "--detach")
    assert pucs.json("analyze")["files"] == 7
    unborn = tmp_path / "unborn"
    unborn.mkdir()
    git(unborn, "init", "-q")
    assert "nothing to analyse" in pucs.ok("analyze", "--repo", str(unborn))
    (unborn / "a.py").write_text("a = 1\n", encoding="utf-8")
    git(unborn, "add", "a.py")
    assert pucs.json("analyze", "--repo", str(unborn))["files"] == 1
    said = pucs("analyze", "--repo", str(tmp_path))
    assert (said.status, "not in a checkout of a git repository" in said.err) == (4, True)


@pytest.mark.slow
def test_what_is_not_checked_out_is_said(store: Path, pucs: Pucs) -> None:
    """Of a sparse checkout and of submodules, what is missing is named among what could not be seen."""
    git(store, "status")  # the repository is a copy; git leaves files alone until it has looked at them again
    git(store, "sparse-checkout", "set", "shop")
    git(
        store,
        "update-index",
        "--add",
        "--cacheinfo",
        f"160000,{git(store, 'rev-parse', 'HEAD').strip()},vendored",
    )
    text = " ".join(pucs.ok("analyze").split())
    assert "not checked out (sparse checkout)" in text
    assert "1 submodule is left out: vendored" in text
