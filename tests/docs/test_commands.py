"""Every command that a page names is there, with the options that the page gives it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    page
    for page in [
        ROOT / "README.md",
        ROOT / "AGENTS.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "plugins").rglob("*.md")),
    ]
    if page.parent.name != "decisions"  # a decision speaks of its own date
]
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HERE_DOCUMENT = re.compile(r"<<'?(\w+)'?\n.*?^\1$", re.MULTILINE | re.DOTALL)
SPOKEN = re.compile(r"`(?:\./run )?pucs ([a-z][^`]*)`")
ENDS = frozenset({"&&", "||", "|", ";", ">", ">>"})


def calls(text: str) -> Iterator[list[str]]:
    """Yield the words of each call of `pucs` and `./run` in a page's shell fences and in its sentences."""
    for fence in FENCE.findall(text):
        for line in HERE_DOCUMENT.sub("", fence).replace("\\\n", " ").splitlines():
            words: list[str] = []
            # A quoted part is one word; what follows an end belongs to another program.
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
            lexer.whitespace_split = True
            for word in [*lexer, ";"]:
                if word not in ENDS:
                    words.append(word)
                    continue
                if words and words[0] in {"pucs", "./run"}:
                    yield words
                words = []
    for spoken in SPOKEN.findall(text):
        yield ["pucs", *spoken.replace("…", "").split()]


def problems(words: list[str], root: click.Group, tasks: frozenset[str]) -> list[str]:
    """Name what is wrong with a call."""
    if words[0] == "./run":
        if words[1] not in tasks:
            return [f"./run has no task {words[1]!r}"]
        if words[1] not in {"pucs", "demo"}:
            return []
        words = words[1:] if words[1] == "pucs" else ["pucs", "demo", *words[2:]]
    command: click.Command = root
    found = []
    for word in words[1:]:
        context = click.Context(command)
        if word.startswith("--") and command is not root:
            known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {
                "--help"
            }
            if word.partition("=")[0] not in known:
                found.append(f"{command.name} has no option {word}")
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word):
            below = command.get_command(context, word)
            if below is None:
                return [f"{command.name} has no command {word!r}"]
            command = below
    return found


def tasks_of_run() -> frozenset[str]:
    """Return the tasks that `./run help` lists."""
    return frozenset(re.findall(r"^\./run (\w+)", (ROOT / "run").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_named_command_exists(page: Path) -> None:
    """A page names only commands, subcommands and options that there are."""
    from pucs.cli import cli  # noqa: PLC0415 - the helpers above need no command line

    wrong = [
        f"{shlex.join(words)}: {problem}"
        for words in calls(page.read_text(encoding="utf-8"))
        for problem in problems(words, cli, tasks_of_run())
    ]
    assert wrong == []


def test_the_readme_begins_with_the_commands_that_do_all_set_up() -> None:
    """A newcomer finds the two commands before anything else to type."""
    first = FENCE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert first is not None
    assert first[1].split("\n") == ["./run demo", "./run test", ""]


def test_wrong_commands_are_found() -> None:
    """Unknown commands, subcommands, options and tasks are told; words in quotes and other programs are not."""
    root = click.Group("pucs", commands={
        "lock": click.Command("lock", params=[click.Option(["--agent"])]),
        "task": click.Group("task", commands={"add": click.Command("add")}),
    })  # fmt: skip
    text = (
        "```sh\npucs lock a.py --agent me --wait 1 | jq --raw  # and --more\npucs luck && pucs task ad\n./run tset\n"
        "git log --all\npucs lock 'a --b'\ncat <<'END'\npucs none\nEND\n```\n`pucs task add` `pucs gone --x`\n"
    )
    found = [problem for words in calls(text) for problem in problems(words, root, frozenset({"test"}))]
    assert found == [
        "lock has no option --wait",
        "pucs has no command 'luck'",
        "task has no command 'ad'",
        "./run has no task 'tset'",
        "pucs has no command 'gone'",
    ]
