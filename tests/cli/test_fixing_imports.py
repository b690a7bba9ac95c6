"""``readiness --fix-imports``: what is shown, what is written, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git

OLD, NEW = "shop.old_cart", "shop.cart"
MOVE = ("readiness", "--fix-imports", OLD, NEW)
FILES = {
    "shop/__init__.py": "from .old_cart import Cart\r\n",
    "shop/old_cart.py": '"""Deprecated."""\nclass Cart: ...\ndef gone(): ...\n',
    "shop/cart.py": "class Cart: ...\n",
    "app.py": "# shop.old_cart was here\nfrom shop.old_cart import Cart\n\nprint('shop.old_cart.Cart')",
    "setup.cfg": "[options]\nentry = shop.old_cart:Cart\n",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository in which a module has moved, and go there."""
    for path, text in FILES.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    (tmp_path / "app.py").chmod(0o755)
    for call in (["init", "-q", "-b", "main", "--template="], ["add", "-A"], ["commit", "-q", "-m", "Start"]):
        subprocess.run(["git", *call], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def now(root: Path) -> dict[str, bytes]:
    return {path: (root / path).read_bytes() for path in FILES}


def test_a_patch_is_shown_first_and_is_what_is_written_then(shop: Path, pucs: Pucs) -> None:
    """Nothing is written without ``--apply``; with it, exactly what git makes of the patch."""
    before = now(shop)
    said = pucs.json(*MOVE)
    assert now(shop) == before
    assert said["dry_run"]
    assert [(one["path"], len(one["changes"])) for one in said["files"]] == [
        ("app.py", 2),
        ("shop/__init__.py", 1),
    ]
    assert "app.py:1, setup.cfg:2" in said["notes"][-1]
    text = pucs.ok(*MOVE, "--dry-run")
    assert "+from shop.cart import Cart" in text
    assert "Would change 2 imports, 1 string in 2 files." in text
    assert "app.py:4  'shop.old_cart.Cart' → 'shop.cart.Cart'" in text
    subprocess.run(["git", "apply", "-"], cwd=shop, check=True, input=said["diff"].encode())
    patched = now(shop)
    subprocess.run(["git", "checkout", "-q", "."], cwd=shop, check=True)
    assert "Changed 2 imports" in pucs.ok(*MOVE, "--apply")
    assert now(shop) == patched
    assert patched["shop/__init__.py"] == b"from .cart import Cart\r\n"
    assert (shop / "app.py").stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in shop.iterdir()) == [".git", "app.py", "setup.cfg", "shop"]
    assert "Nothing in the tracked Python files uses shop.old_cart." in pucs.ok(*MOVE)


def test_changes_that_are_not_committed_are_not_mixed_with(shop: Path, pucs: Pucs) -> None:
    """Nothing at all is written, staged or not, unless that is asked for."""
    (shop / "app.py").write_bytes(b"from shop.old_cart import Cart\nmine = 1\n")
    before = now(shop)
    for stage in (False, True):
        if stage:
            subprocess.run(["git", "add", "-A"], cwd=shop, check=True)
        said = pucs(*MOVE, "--apply")
        assert said.status == 1
        assert "app.py has changes that are not committed. Nothing was written." in said.err
        assert now(shop) == before
    pucs.ok(*MOVE, "--apply", "--uncommitted")
    assert now(shop)["app.py"] == b"from shop.cart import Cart\nmine = 1\n"


def test_what_is_left_is_told_and_fails(shop: Path, pucs: Pucs) -> None:
    """Whoever deletes the old module next is warned by the exit status; the rest is done."""
    (shop / "app.py").write_text("from shop.old_cart import Cart, gone\n", encoding="utf-8")
    subprocess.run(["git", "commit", "-qam", "more"], cwd=shop, check=True)
    said = pucs(*MOVE, "--apply")
    assert said.status == 1
    assert "app.py:1  gone stays: shop.cart has no such name" in said.out
    assert now(shop)["app.py"] == b"from shop.old_cart import gone\nfrom shop.cart import Cart\n"


def test_a_circle_that_would_follow_is_told(shop: Path, pucs: Pucs) -> None:
    """The new module loads a file that is to import it."""
    (shop / "shop/cart.py").write_text("import app\nclass Cart: ...\n", encoding="utf-8")
    notes = pucs.json(*MOVE)["notes"]
    assert any(
        note.startswith("shop.cart loads app.py, shop/__init__.py, which will import it: an import circle")
        for note in notes
    )


def test_options_that_make_no_sense_are_refused(shop: Path, pucs: Pucs) -> None:
    """And names that lead nowhere, with what may be meant."""
    assert pucs("readiness", "--apply").status == 2
    assert pucs(*MOVE, "--uncommitted").status == 2
    said = pucs("readiness", "--fix-imports", OLD, "shop.card")
    assert said.status == 1
    assert "There is no shop.card." in said.err
    assert "Like it are: shop.cart, " in said.err
    assert "+from shop.card import Cart" in pucs.ok("readiness", "--fix-imports", OLD, "shop.card", "--force")
    assert now(shop) == {path: text.encode() for path, text in FILES.items()}


def test_files_that_agents_hold_are_named(shop: Path, pucs: Pucs) -> None:
    """A person may go on; the agent meets the change later."""
    (shop / "pucs.yaml").write_text("streams:\n  shop: {files_pattern: shop/}\n", encoding="utf-8")
    for call in (["add", "-A"], ["commit", "-q", "-m", "Configure"]):
        subprocess.run(["git", *call], cwd=shop, check=True)
    pucs.ok("init")
    pucs.ok("lock", "shop/__init__.py", "--agent", "ada", "--stream", "shop", "--task", "T-1")
    said = pucs(*MOVE)
    assert "shop/__init__.py is held by ada" in said.err
    assert "app.py is held" not in said.err
