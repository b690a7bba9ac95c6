"""Installing the merge driver: two marked blocks, and every other byte as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pucs.hooks.installing_merge import PATTERNS
from pucs.hooks.probing_merge import merge_probe
from pucs.merge import languages
from pucs.wiring import merge_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git
CONFIG, ATTRIBUTES = Path(".git/config"), Path(".git/info/attributes")


@pytest.fixture
def shop(make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository that says how to merge some of its files, and go there."""
    place = make_repository(
        "shop",
        {
            ".gitattributes": "[attr]ours merge=mine -diff\n*.pyi merge=union text\nold.py ours\n/top/*.py -merge\n",
            "lib [1]/.gitattributes": '"two words.py" binary\n*.py text\ngen/*.py merge=union\n',
            "a.py": "a = 1\n",
        },
    )
    monkeypatch.chdir(place)
    return place


def said(path: str) -> str:
    """Return how git would merge a file."""
    ended = subprocess.run(
        ["git", "check-attr", "-z", "merge", path], capture_output=True, text=True, check=True
    )
    return ended.stdout.split("\0")[2]


def configured() -> str:
    """Return the driver that git would call, empty if there is none."""
    ended = subprocess.run(
        ["git", "config", "--get", "merge.pucs.driver"], capture_output=True, text=True, check=False
    )
    return ended.stdout.strip()


def test_what_the_repository_says_about_merging_stays(shop: Path, pucs: Pucs) -> None:
    """Files of attributes that would count less are repeated, with directories, macros and quotation marks."""
    paths = ["a.pyi", "x/a.pyi", "old.py", "x/old.py", "top/a.py", "top/x/a.py"]
    paths += ["lib [1]/two words.py", "lib [1]/x/two words.py", "lib [1]/gen/a.py", "x/gen/a.py"]
    before = {path: said(path) for path in paths}
    assert set(before.values()) == {"union", "mine", "unset", "unspecified"}
    pucs.ok("merge", "install", "--yes")
    assert {path: said(path) for path in paths} == {
        path: "pucs" if was == "unspecified" else was for path, was in before.items()
    }
    assert said("lib [1]/a.py") == "pucs"
    assert said("README") == "unspecified"


@pytest.mark.parametrize("config", ["", "# no end of line", '[merge "pucs"]\n\tdriver = false\n'])
@pytest.mark.parametrize("attributes", [None, "", "*.py merge=ours\n", "a b"])
def test_uninstalling_leaves_every_byte_as_it_was(
    shop: Path, pucs: Pucs, config: str, attributes: str | None
) -> None:
    """Whatever was in both files, with or without a last line end; a file that was made goes."""
    with CONFIG.open("a", encoding="utf-8") as file:
        file.write(config)
    if attributes is not None:
        ATTRIBUTES.parent.mkdir(exist_ok=True)
        ATTRIBUTES.write_text(attributes, encoding="utf-8")
    before = CONFIG.read_bytes()
    pucs.ok("merge", "install", "--yes")
    assert "pucs-merge" in configured()  # ours counts, whatever was there
    assert said("a.py") == ("ours" if attributes and "ours" in attributes else "pucs")
    pucs.ok("merge", "uninstall", "--yes")
    assert CONFIG.read_bytes() == before
    assert (ATTRIBUTES.read_text(encoding="utf-8") if ATTRIBUTES.exists() else None) == attributes


def test_twice_is_once_and_other_options_change_it_in_place(shop: Path, pucs: Pucs) -> None:
    """The second call changes nothing; what was written behind the block since stays behind it."""
    pucs.ok("merge", "install", "--yes")
    subprocess.run(["git", "config", "user.name", "Somebody"], check=True)
    before = CONFIG.read_bytes(), ATTRIBUTES.read_bytes()
    assert "Nothing is to be changed" in pucs.ok("merge", "install", "--yes")
    assert (CONFIG.read_bytes(), ATTRIBUTES.read_bytes()) == before
    pucs.ok(
        "merge", "install", "--yes", "--accept", "review", "--pattern", "src/**/*.py", "--pattern", "a b.py"
    )
    assert " review %O %A %B " in configured()
    assert (said("src/x/a.py"), said("a b.py"), said("a.py")) == ("pucs", "pucs", "unspecified")
    pucs.ok("merge", "uninstall", "--yes")
    assert CONFIG.read_text(encoding="utf-8").endswith("[user]\n\tname = Somebody\n")
    assert not ATTRIBUTES.exists()
    assert "Nothing is to be changed" in pucs.ok("merge", "uninstall", "--yes")


def test_nothing_is_written_unless_somebody_agrees(shop: Path, pucs: Pucs) -> None:
    """A dry run shows the change; without a terminal and --yes it is refused."""
    before = CONFIG.read_bytes()
    assert "+*.py merge=pucs" in pucs.ok("merge", "install", "--dry-run")
    assert pucs("merge", "install").status == 1
    assert CONFIG.read_bytes() == before
    assert not ATTRIBUTES.exists()
    document = pucs.json("merge", "install", "--yes")
    assert (document["program"], document["written"]) == ("merge", True)


def test_a_pattern_has_to_be_one(shop: Path, pucs: Pucs) -> None:
    """What git would take for something else is refused before anything is written."""
    for pattern in ("!*.py", "[attr]x", "# x", "", "a\nb"):
        assert pucs("merge", "install", "--yes", "--pattern", pattern).status == 2
    assert not ATTRIBUTES.exists()


def test_for_a_person_it_counts_in_every_repository_and_less_than_their_own(
    shop: Path, pucs: Pucs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Globally the repository's own attributes count more; files that are links stay links."""
    home = tmp_path / "home"
    (home / "dotfiles").mkdir(parents=True)
    (home / "dotfiles/gitconfig").write_text("[core]\n\tattributesFile = ~/attributes\n", encoding="utf-8")
    (home / ".gitconfig").symlink_to("dotfiles/gitconfig")
    (home / "attributes").write_text("mine.py merge=ours\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    before = {path: path.read_bytes() for path in (home / ".gitconfig", home / "attributes")}
    pucs.ok("merge", "install", "--global", "--yes", "--repo", "/")
    assert "pucs-merge" in configured()
    assert [said(path) for path in ("a.py", "mine.py", "a.pyi", "lib [1]/gen/a.py")] == [
        "pucs",
        "ours",
        "union",
        "union",
    ]
    assert (home / ".gitconfig").is_symlink()
    pucs.ok("merge", "uninstall", "--global", "--yes")
    assert {path: path.read_bytes() for path in before} == before


def test_a_person_without_any_settings_gets_them_and_loses_them_again(
    pucs: Pucs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are made where git looks for them, and go with the driver."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    monkeypatch.chdir(tmp_path)
    pucs.ok("merge", "install", "--global", "--yes")
    assert "pucs-merge" in configured()
    assert (tmp_path / "settings/git/attributes").exists()
    pucs.ok("merge", "uninstall", "--global", "--yes")
    assert [name for _, _, names in os.walk(tmp_path) for name in names] == []


def test_bare_repositories_and_worktrees_have_it_in_common(
    shop: Path, pucs: Pucs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A linked worktree installs for all of them; a repository without a checkout or a commit has merges too."""
    subprocess.run(["git", "worktree", "add", "-q", "--detach", str(tmp_path / "linked")], check=True)
    pucs.ok("merge", "install", "--yes", "--repo", str(tmp_path / "linked"))
    assert said("a.py") == "pucs"
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare")], check=True)
    pucs.ok("merge", "install", "--yes", "--repo", str(tmp_path / "bare"))
    assert (tmp_path / "bare/info/attributes").exists()
    monkeypatch.chdir(tmp_path)
    refused = pucs("merge", "install", "--yes")
    assert (refused.status, "not in a git repository" in refused.err) == (4, True)


@pytest.mark.parametrize("command", ["merge install", "merge uninstall", "merge replay", "analyze", "init"])
def test_a_repository_that_git_cannot_read_is_told_in_gits_words(
    shop: Path, pucs: Pucs, command: str
) -> None:
    """It is there: whoever is told that there is none looks in the wrong place."""
    CONFIG.write_text("[core", encoding="utf-8")
    refused = pucs(*command.split())
    assert (refused.status, "bad config line" in refused.err) == (4, True), refused.err


def test_every_pattern_is_of_a_kind_that_is_merged() -> None:
    """Git is told to ask about what can be answered, and about nothing else."""
    assert [pattern for pattern in PATTERNS if languages.of(pattern.replace("*", "x")) is None] == []


def test_doctor_tries_what_is_installed(shop: Path, pucs: Pucs) -> None:
    """It is run as git would run it: a Python or a program that is gone is seen, and attributes that came later."""

    def found() -> tuple[bool, str]:
        probe = merge_probe(merge_settings("."), merge_settings(everywhere=True))
        return probe.ok, probe.found

    assert found() == (True, "not installed")
    pucs.ok("merge", "install", "--yes", "--pattern", "*.py")
    assert found() == (True, "merges *.py")
    assert "merges *.py" in pucs("doctor").out
    Path("lib [1]/.gitattributes").write_text("x.py merge=union\n", encoding="utf-8")
    assert found()[0] is False
    pucs.ok("merge", "install", "--yes", "--accept", "review")
    assert "guesses too" in found()[1]

    whole = CONFIG.read_text(encoding="utf-8")
    CONFIG.write_text(whole.replace(sys.executable, "/nowhere/python"), encoding="utf-8")
    assert "git does alone" in found()[1]
    CONFIG.write_text(whole.replace("pucs-merge", "pucs-merge-gone"), encoding="utf-8")
    assert found()[0] is False
    CONFIG.write_text(whole, encoding="utf-8")
    assert found()[0] is True
    ATTRIBUTES.unlink()
    assert "no file is meant" in found()[1]
