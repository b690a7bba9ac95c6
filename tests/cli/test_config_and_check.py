"""``pucs config`` and ``pucs check``: exit statuses, the two outputs, and what they need."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pucs.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIGURATION = """\
streams:
  shop: {files_pattern: shop/, dependencies: [lib, nowhere]}
  lib: {files_pattern: "lib/**/*.py"}
budget: {usd: 5}
"""
FILES = {
    "pucs.yaml": CONFIGURATION,
    "shop/a.py": "",
    "lib/b.py": "",
    "docs/a.md": "",
    "docs/b.md": "",
    "README.md": "",
}

pytestmark = pytest.mark.git


@pytest.fixture
def shop(make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a repository with two streams."""
    root = make_repository("shop", FILES)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def pucs(capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """Call the command line in this process."""

    def call(*arguments: str) -> SimpleNamespace:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        output = capsys.readouterr()
        return SimpleNamespace(status=ended.value.code, out=output.out, err=output.err)

    return call


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


def test_valid_configuration_is_summed_up(shop: Path, pucs: Callable[..., Any]) -> None:
    """Streams with their files, what is shared, and what is probably not meant."""
    said = pucs("config", "check")
    assert said.status == 0
    assert said.out.splitlines() == [
        "pucs.yaml is valid.",
        "",
        "STREAM  FILES  AGENTS  AFTER",
        "shop    1      3       lib",
        "lib     1      3       -",
        "",
        "Shared by all streams, as no stream covers them (4): README.md, docs/ (2), pucs.yaml",
        "Note: pucs.yaml:4:9: this key is not used yet",
        "Note: pucs.yaml:2: 'shop' depends on 'nowhere', which is no stream and no path",
    ]
    document = json.loads(pucs("config", "check", "--json").out)
    assert (document["merge_phases"], document["streams"]["shop"]["files"]) == ([["lib"], ["shop"]], 1)


def test_wrong_configuration_names_every_line(shop: Path, pucs: Callable[..., Any]) -> None:
    """All problems are printed and the status is 2, also when files overlap."""
    (shop / "pucs.yaml").write_text("stream: {}\nlocks: 3\n", encoding="utf-8")
    said = pucs("config", "check")
    assert said.status == 2
    assert [line.split(" ")[0] for line in said.err.splitlines()] == ["pucs.yaml:1:1:", "pucs.yaml:2:8:"]
    problems = json.loads(pucs("--json", "config", "check").out)["problems"]
    assert [(problem["file"], problem["line"]) for problem in problems] == [
        ("pucs.yaml", 1),
        ("pucs.yaml", 2),
    ]
    (shop / "pucs.yaml").write_text(
        "streams:\n  a: {files_pattern: shop/}\n  b: {files_pattern: '**/a.py'}\n", encoding="utf-8"
    )
    said = pucs("config", "check")
    assert said.status == 2
    assert said.err.startswith("pucs.yaml:3: 'shop/a.py' would be in two streams: 'b'")
    assert json.loads(pucs("config", "check", "--json").out)["problems"][0]["line"] == 3


def test_file_is_checked_outside_a_repository(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pucs: Callable[..., Any]
) -> None:
    """A named file needs no repository; without one there is nothing to find."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    said = pucs("config", "check", str(shop / "pucs.yaml"))
    assert said.status == 0
    assert "shop    -" in said.out
    assert pucs("config", "check").status == 4


def test_missing_configuration_is_told(
    make_repository: Callable[..., Path], pucs: Callable[..., Any]
) -> None:
    """Without a file the way out is named."""
    root = str(make_repository("bare"))
    for arguments in (["config", "check"], ["check", "boundary", "--stream", "x"]):
        said = pucs(*arguments, "--repo", root)
        assert (said.status, "pucs init" in said.err) == (2, True)


def test_configuration_is_applied_to_the_session(shop: Path, pucs: Callable[..., Any]) -> None:
    """Changes take effect when they are applied; --dry-run only shows them."""
    assert "locks" not in pucs("config", "show").out
    assert "streams.shop.max_agents = 3" in pucs("config", "show").out
    assert pucs("init").status == 0
    text = CONFIGURATION.replace("shop/,", "shop/, max_agents: 5,")
    (shop / "pucs.yaml").write_text(text, encoding="utf-8")
    said = pucs("config", "apply", "--dry-run")
    assert said.out == "streams.shop.max_agents: 3 → 5\nWould apply pucs.yaml, 1 changed settings.\n"
    assert "streams.shop.max_agents = 3" in pucs("config", "show").out
    assert json.loads(pucs("config", "apply", "--json").out)["applied"] is True
    assert json.loads(pucs("config", "show", "--json").out)["streams"][0]["max_agents"] == 5
    assert "streams.shop.max_agents = 5" in pucs("config", "show", "pucs.yaml").out


def test_boundary_is_checked_without_a_session(shop: Path, pucs: Callable[..., Any]) -> None:
    """Named files and uncommitted changes are held against the other streams."""
    said = pucs("check", "boundary", "--stream", "SHOP", "shop/a.py", "README.md")
    assert (said.status, said.out) == (0, "All 2 changed paths are within stream shop or shared.\n")
    (shop / "lib" / "b.py").write_text("changed", encoding="utf-8")
    said = pucs("check", "boundary", "--stream", "shop", "--json")
    assert said.status == 1
    assert json.loads(said.out) == {
        "stream": "shop",
        "checked": 1,
        "findings": [{"path": "lib/b.py", "stream": "lib"}],
        "waived": [],
    }
    assert "lib/b.py belongs to stream lib" in pucs("check", "boundary", "--stream", "shop").out
    assert not (shop / ".git" / "pucs").exists()


def test_own_commits_are_checked_and_synced_ones_are_not(shop: Path, pucs: Callable[..., Any]) -> None:
    """With --base a stream answers for its own commits, not for those it synced from others."""
    for path, trailer in (("lib/b.py", "PUCS-Stream: lib"), ("shop/a.py", "PUCS-Stream: shop")):
        (shop / path).write_text("changed", encoding="utf-8")
        git(shop, "commit", "-qam", f"Change\n\n{trailer}")
    said = pucs("check", "boundary", "--stream", "shop", "--base", "HEAD~2")
    assert (said.status, said.out) == (0, "All 1 changed paths are within stream shop or shared.\n")
    (shop / "lib" / "b.py").write_text("again", encoding="utf-8")
    git(shop, "commit", "-qam", "No trailer")
    assert pucs("check", "boundary", "--stream", "shop", "--base", "HEAD~1").status == 1
    assert pucs("check", "boundary", "--stream", "shop", "--base", "HEAD~3").status == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--stream", "shp"], "Did you mean 'shop'?"),
        (["--stream", "x"], "Known are: shop, lib."),
        (["--stream", "shop", "--base", "nowhere"], "no commit"),
        (["--stream", "shop", "../x"], "outside"),
        ([], "--stream"),
    ],
)
def test_wrong_use_is_told(
    shop: Path, pucs: Callable[..., Any], arguments: list[str], complaint: str
) -> None:
    """A mistyped stream, commit or path is wrong use, not a finding."""
    said = pucs("check", "boundary", *arguments)
    assert said.status == 2
    assert complaint in said.err


def test_base_without_common_history_is_told(shop: Path, pucs: Callable[..., Any]) -> None:
    """A base that shares nothing with the checkout cannot be compared."""
    git(shop, "checkout", "-q", "--orphan", "other")
    git(shop, "commit", "-qm", "Other")
    said = pucs("check", "boundary", "--stream", "shop", "--base", "main")
    assert (said.status, "no history in common" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("[PUCS-shop] feat: Add x", 0),
        (
            "# a comment\n[PUCS-shop] fix: y\n\nBody\n# ------------------------ >8 ------------------------\ndiff",
            0,
        ),
        ("hello", 1),
        ("[PUCS-nowhere] feat: x", 1),
    ],
)
def test_message_is_checked(
    shop: Path, pucs: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, text: str, status: int
) -> None:
    """From a file, as git's hook gives it, and from standard input."""
    (shop / "message").write_text(text, encoding="utf-8")
    assert pucs("check", "message", "message").status == status
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    said = pucs("check", "message", "-", "--json")
    assert said.status == status
    assert json.loads(said.out)["valid"] is (status == 0)


def test_message_is_checked_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pucs: Callable[..., Any]
) -> None:
    """Outside a repository any stream will do; nothing, or two things, to check is wrong use."""
    monkeypatch.chdir(tmp_path)
    assert pucs("check", "message", "--text", "[PUCS-any] feat: x").status == 0
    assert pucs("check", "message").status == 2
    assert pucs("check", "message", "gone").status == 2
    assert pucs("check", "message", "gone", "--text", "x").status == 2
