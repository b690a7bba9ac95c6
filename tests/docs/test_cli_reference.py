"""The command line's reference is made from the command line itself and says what it says.

After a change of a command: `.venv/bin/python tests/docs/test_cli_reference.py --write`
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
COMMON = frozenset({"repo", "store", "session", "as_json", "help"})

CHAPTERS = {
    "Run a session": ("demo", "init", "run", "launch-stream", "finalize", "verify", "report"),
    "Look at it": ("status", "agents", "log", "patterns", "why", "state"),
    "Understand the code": ("analyze", "readiness"),
    "Leases": ("lock", "unlock", "locks", "queue", "cleanup"),
    "Plans": ("intent", "partition"),
    "Conflicts": ("conflicts", "resolve", "request"),
    "Merge files": ("merge",),
    "An agent's work": ("land", "sync", "test", "salvage"),
    "Messages and hand-offs": ("message", "handoff"),
    "Steer agents": ("pause", "resume", "stop"),
    "Tasks": ("task",),
    "State files": ("export", "import"),
    "Servers": ("serve", "mcp"),
    "Hooks": ("install", "uninstall"),
    "Configuration and checks": ("config", "check", "doctor"),
}
"""In which order a reader wants them."""

ONE = {
    "pucs agents": "",
    "pucs analyze": "with `--write`: there is a configuration already",
    "pucs check boundary": "a changed path belongs to another stream",
    "pucs check files": "an agent may not commit one of them",
    "pucs check message": "the message breaks the protocol",
    "pucs cleanup": "",
    "pucs config apply": "the session does not allow the change",
    "pucs config check": "",
    "pucs config show": "",
    "pucs conflicts": "one of those shown is open",
    "pucs demo": "a change was lost or the sample's tests failed",
    "pucs doctor": "something is wrong",
    "pucs export": "a file that is there is no earlier export, or there is no session",
    "pucs finalize": "a stream could not be merged, or there is no session",
    "pucs handoff accept": "it is for others, taken or closed, or the giver's program still runs",
    "pucs handoff close": "another agent gave it",
    "pucs handoff give": "something is missing; the message names all of it",
    "pucs handoff list": "",
    "pucs handoff show": "no such hand-off",
    "pucs import": "something could not be taken or read; what could be was taken",
    "pucs init": "another session is active",
    "pucs install": "nothing was written: it was not agreed to, or the file is not to be changed",
    "pucs intent": "somebody is in the way; the intent is recorded as contested",
    "pucs land": "nothing landed; the message says why and what to do",
    "pucs launch-stream": "a task failed, or there is no session",
    "pucs lock": "not granted; the reason says who holds what, until when",
    "pucs locks": "",
    "pucs log": "",
    "pucs mcp": "",
    "pucs merge driver": "conflicts are left; 129: nothing was done (as git's merge drivers)",
    "pucs merge install": "nothing was written: it was not agreed to, or a file is not to be changed",
    "pucs merge replay": "with `--show`: there is no such conflict",
    "pucs merge uninstall": "nothing was written: it was not agreed to, or a file is not to be changed",
    "pucs message ack": "no such message to this agent; nothing was acknowledged",
    "pucs message inbox": "no such agent",
    "pucs message send": "no such agent, it has ended, or its inbox is full",
    "pucs partition accept": "decided already, no party of it, or it does not fit any more",
    "pucs partition list": "",
    "pucs partition propose": "it cannot be divided; the reason says why",
    "pucs partition refuse": "decided already, or no party of it",
    "pucs patterns": "a pattern is at least as severe as `--fail-on` says",
    "pucs pause": "no such agent, or it has ended",
    "pucs queue": "",
    "pucs report": "there is no session",
    "pucs readiness": "`--gate`, or the gate in the configuration, has something in the way, or `--tasks` would overwrite a file",
    "pucs request": "the waiver does not exist, or was refused before",
    "pucs resolve": "it was decided before, the strategy is not possible, or somebody still has to decide",
    "pucs resume": "no such agent, or it has ended",
    "pucs run": "a task failed or is left, or a stream could not be merged",
    "pucs salvage list": "",
    "pucs salvage restore": "no such salvage ref, or the branch exists",
    "pucs salvage show": "no such salvage ref",
    "pucs serve": "a server for this store is at work already",
    "pucs state": "there is no session",
    "pucs status": "there is no session",
    "pucs stop": "no such agent, or it has ended",
    "pucs sync": "not synced; the message says why and what to do",
    "pucs task add": "",
    "pucs task import": "there is no session",
    "pucs task list": "",
    "pucs task show": "no such task",
    "pucs test": "the tests did not pass",
    "pucs uninstall": "nothing was written: it was not agreed to, or the file is not to be changed",
    "pucs unlock": "there was nothing to give up",
    "pucs verify": "a change is not accounted for",
    "pucs why": "there is no session",
}
"""What exit status 1 means, where it means something of the command's own."""

HEAD = """\
# Command line

<!-- Made from the commands themselves: .venv/bin/python tests/docs/test_cli_reference.py --write -->

Every command answers `--help` with this text. Without an installed `pucs`, use `./run pucs` in its place.

## Options of every command

They may stand before or after the command's name; the later one wins.

| option | what | environment |
|---|---|---|
| `--repo DIR` | repository to work in; default: where you are | `PUCS_REPO` |
| `--store PATH` | store file; default: `pucs/state.db` in the git common directory | `PUCS_STORE` |
| `--session ID` | session to act in; default: the active one | `PUCS_SESSION` |
| `--json` | print JSON, see [documents](json-documents.md) | |
| `-h`, `--help` | print help | |

`pucs --version` prints the version.

## Exit status

| status | meaning |
|---|---|
| 0 | done |
| 1 | refused, or a conflict or problem was found; each command below says what that means for it |
| 2 | wrong use, or a mistake in a configuration or tasks file |
| 3 | a bug of PUCS |
| 4 | the environment: store, disk, git |
| 130 | interrupted |

More in [errors and exit codes](errors-and-exit-codes.md)."""


def leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command with its full name, and before its subcommands the group itself."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            yield from leaves(below, f"{name} {word}")


def escaped(text: str) -> str:
    """Return text in which neither a table nor a page takes anything for its own."""
    return text.replace("<", "&lt;").replace("|", "\\|").replace("*", "\\*")


def words(command: click.Command) -> tuple[list[str], list[str]]:
    """Return the paragraphs of a command's help, and the lines of its examples."""
    said: list[str] = []
    examples: list[str] = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            examples += [line.strip().removeprefix("Example: ") for line in paragraph.split("\n")[1:]]
        else:
            said.append(escaped(" ".join(paragraph.split())))
    return said, examples


def option_rows(command: click.Command) -> Iterator[str]:
    """Yield a table row for each option that is the command's own."""
    context = click.Context(command, info_name=command.name)
    for option in command.params:
        if not isinstance(option, click.Option) or option.name in COMMON or option.hidden:
            continue
        metavar = "" if option.is_flag else " " + option.make_metavar(context)
        names = ", ".join(f"`{name}{metavar}`" for name in (*option.opts, *option.secondary_opts))
        shown = "required" if option.required else ""
        if option.show_default and option.default not in {None, ""}:
            shown = f"default {option.default}"
        yield f"| {escaped(names)} | {escaped(option.help or '')} | {shown} |"


def section(name: str, command: click.Command) -> list[str]:
    """Return the lines on one command."""
    said, examples = words(command)
    lines = ["", f"### {name}", "", *"\n\n".join(said).split("\n")]
    if not isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        lines += ["", "```", " ".join([name, *command.collect_usage_pieces(context)]), "```"]
    rows = list(option_rows(command))
    if rows:
        lines += ["", "| option | what | |", "|---|---|---|", *rows]
    if ONE.get(name):
        lines += ["", f"Exit status 1: {ONE[name]}."]
    if examples and not isinstance(command, click.Group):
        lines += ["", "```sh", *examples, "```"]
    return lines


def render() -> str:
    """Return the whole page."""
    from pucs.cli import cli  # noqa: PLC0415 - the helpers above need no command line

    context = click.Context(cli, info_name="pucs")
    lines = HEAD.split("\n")
    for chapter, names in CHAPTERS.items():
        lines += ["", f"## {chapter}"]
        for word in names:
            command = cli.get_command(context, word)
            assert command is not None, word
            for name, leaf in leaves(command, f"pucs {word}"):
                lines += section(name, leaf)
    return "\n".join(lines) + "\n"


def test_the_page_says_what_the_commands_say() -> None:
    """Nothing has changed since the page was made."""
    assert PAGE.read_text(encoding="utf-8") == render(), __doc__


def test_every_command_has_a_place_and_an_exit_status() -> None:
    """A new command is put into a chapter, and what its exit status 1 means is said or known to be nothing special."""
    from pucs.cli import COMMANDS, cli  # noqa: PLC0415 - the helpers above need no command line

    assert sorted(name for names in CHAPTERS.values() for name in names) == sorted(COMMANDS)
    runnable = [name for name, command in leaves(cli, "pucs") if not isinstance(command, click.Group)]
    assert sorted(ONE) == sorted(runnable)


def test_help_is_taken_apart() -> None:
    """Paragraphs lose their line breaks and their markup, examples keep their lines, common options are left out."""
    command = click.Command(
        "go",
        help="Go to\n<place>.\n\n\b\nExample: pucs go 1\nExample: pucs go 2",
        params=[
            click.Option(["--repo"]),
            click.Option(["--far", "-f"], metavar="N", default=3, show_default=True, help="How | far."),
            click.Option(["--now"], is_flag=True, required=True, help="At once."),
        ],
    )
    assert words(command) == (["Go to &lt;place>."], ["pucs go 1", "pucs go 2"])
    assert list(option_rows(command)) == [
        "| `--far N`, `-f N` | How \\| far. | default 3 |",
        "| `--now` | At once. | required |",
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(render(), encoding="utf-8")
    else:
        sys.stdout.write(render())
