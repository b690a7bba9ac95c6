"""Every change note is of a declared kind: towncrier drops others without a word."""

import re
import tomllib
from pathlib import Path

# An issue number, or `+` and a word for a change without one, then the kind.
NOTE = re.compile(r"(?P<about>\d+|\+[a-z0-9-]+)\.(?P<kind>[a-z]+)(\.\d+)?\.md")


def wrong_notes(folder: Path, kinds: set[str]) -> list[str]:
    """Say what is wrong with the files of the folder; the README and hidden files are no notes."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name == "README.md" or path.name.startswith("."):
            continue
        match = NOTE.fullmatch(path.name)
        if match is None:
            found.append(f"{path.name}: not ISSUE.KIND.md or +WORD.KIND.md")
        elif match["kind"] not in kinds:
            found.append(f"{path.name}: kind {match['kind']} is not declared")
        elif not path.read_text(encoding="utf-8").strip():
            found.append(f"{path.name}: empty")
    return found


def declared_kinds(project: Path) -> set[str]:
    """Return the kinds of notes that pyproject.toml declares."""
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    return {kind["directory"] for kind in settings["tool"]["towncrier"]["type"]}


def test_every_note_is_of_a_declared_kind(project: Path) -> None:
    """All notes in `changes/` will appear in the changelog."""
    assert wrong_notes(project / "changes", declared_kinds(project)) == []


def test_the_readme_names_every_kind(project: Path) -> None:
    """Whoever writes a note finds the kinds next to it."""
    text = (project / "changes" / "README.md").read_text(encoding="utf-8")
    assert {kind for kind in declared_kinds(project) if f"`{kind}`" not in text} == set()


def test_a_wrong_note_is_found(tmp_path: Path) -> None:
    """Undeclared kinds, other names and empty notes are reported; good notes are not."""
    for name, text in {
        "12.feature.md": "Good.",
        "12.feature.1.md": "Also good.",
        "+typo.fix.md": "Good.",
        "13.improvement.md": "Would be dropped.",
        "notes.txt": "Not a note.",
        "14.fix.md": " \n",
    }.items():
        (tmp_path / name).write_text(text)
    assert wrong_notes(tmp_path, {"feature", "fix"}) == [
        "13.improvement.md: kind improvement is not declared",
        "14.fix.md: empty",
        "notes.txt: not ISSUE.KIND.md or +WORD.KIND.md",
    ]
