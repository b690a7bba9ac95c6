"""The documentation is complete and hangs together: commands, pages and links."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click

# Where pages are; links are followed in all of them.
FOLDERS = ("docs", "changes", "benchmarks", "proof", "examples")
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def pages(project: Path) -> list[Path]:
    """Return every page of the project."""
    found = list(project.glob("*.md"))
    for folder in FOLDERS:
        found += (project / folder).rglob("*.md")
    return sorted(found)


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the relative links of a page as the path that each means and the heading in it, which may be empty."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    for match in LINK.finditer(text):
        target = match[1] or match[2]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, heading = unquote(target).partition("#")
        yield ((page.parent / path).resolve() if path else page.resolve()), heading


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, written as git hosting sites write them."""
    anchors: set[str] = set()
    for title in re.findall(
        r"^#{1,6}\s+(.+?)\s*#*$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE
    ):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = sum(
            1 for known in anchors if known == anchor or re.fullmatch(re.escape(anchor) + r"-\d+", known)
        )
        anchors.add(f"{anchor}-{number}" if number else anchor)
    return anchors


def broken_links(project: Path) -> list[str]:
    """Name the relative links that lead nowhere."""
    found = []
    for page in pages(project):
        for target, heading in links(page):
            if not target.exists():
                found.append(f"{page.relative_to(project)}: {target}")
            elif heading and target.suffix == ".md" and heading not in headings(target):
                found.append(f"{page.relative_to(project)}: {target.name}#{heading}")
    return found


def lost_pages(project: Path) -> list[str]:
    """Name the files under docs that no chain of links from docs/README.md reaches."""
    start = (project / "docs" / "README.md").resolve()
    reached, waiting = {start}, [start]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page.exists():
            new = {target for target, _ in links(page)} - reached
            reached |= new
            waiting += new
    every = {path.resolve() for path in (project / "docs").rglob("*") if path.is_file()}
    return sorted(str(path.relative_to(project.resolve())) for path in every - reached)


def commands(group: click.Group, name: str = "pucs") -> Iterator[str]:
    """Yield the full name of every command that is not hidden."""
    context = click.Context(group, info_name=name)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None, f"{name} lists {word} but cannot load it"
        if command.hidden:
            continue
        yield f"{name} {word}"
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")


def undocumented_commands(group: click.Group, text: str) -> list[str]:
    """Name the commands that a page does not mention by their full name."""
    return [name for name in commands(group) if not re.search(rf"\b{re.escape(name)}(?![\w-])", text)]


def test_every_command_is_in_the_reference(project: Path) -> None:
    """Each command can be looked up under its full name."""
    from pucs.cli import cli  # noqa: PLC0415 # the other checks here need no command line

    text = (project / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert undocumented_commands(cli, text) == []


def test_every_page_can_be_reached(project: Path) -> None:
    """Following links from docs/README.md leads to every file under docs."""
    assert lost_pages(project) == []


def test_every_relative_link_leads_somewhere(project: Path) -> None:
    """Each relative link names a file that exists, and a heading that the file has."""
    assert broken_links(project) == []


def test_a_command_without_words_is_found() -> None:
    """A missing command is reported, nested ones too; a longer name does not count as a mention."""
    group = click.Group("pucs", commands={
        "lock": click.Command("lock"),
        "log": click.Command("log"),
        "quiet": click.Command("quiet", hidden=True),
        "task": click.Group("task", commands={"add": click.Command("add")}),
    })  # fmt: skip
    assert undocumented_commands(group, "`pucs lock`, `pucs log-all`, `pucs task`") == [
        "pucs log",
        "pucs task add",
    ]


def test_broken_links_and_lost_pages_are_found(tmp_path: Path) -> None:
    """A link to nothing, a wrong heading and a page without links to it are reported; code and addresses are not."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "README.md").write_text(
        "# Start\n[a](one.md#the-end) [b](one.md#nowhere) [c](none.md) [d](#start) `[e](x.md)`\n"
        "```\n[f](y.md)\n```\n[g](https://example.invalid/z.md) ![h](picture.svg)\n"
    )
    (docs / "one.md").write_text("# One\n## The end\n[back](README.md)\n")
    (docs / "picture.svg").touch()
    (docs / "lost.md").touch()
    assert broken_links(tmp_path) == [
        "docs/README.md: one.md#nowhere",
        f"docs/README.md: {docs.resolve() / 'none.md'}",
    ]
    assert lost_pages(tmp_path) == ["docs/lost.md"]
