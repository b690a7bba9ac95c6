"""The command line: one module per noun, loaded only when its command is called.

Every command takes ``--repo``, ``--store``, ``--session`` and ``--json``, before or after its name, and reads ``PUCS_REPO``,
``PUCS_STORE``, ``PUCS_SESSION`` and ``PUCS_AGENT``. Exit status: 0 done, 1 refused or conflict found, 2 usage or
configuration, 3 a bug, 4 environment, 130 interrupted (DESIGN §7).
"""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from pucs.cli.door import Door, common_options, fail, quiet_exit

COMMANDS = {
    "agents": ("status", "Show the agents of the session."),
    "analyze": ("analyze", "Show which parts of the code can be worked on side by side."),
    "check": ("check", "Check boundaries and commit messages, without a session."),
    "cleanup": ("locks", "End leases that are over and serve who waits."),
    "config": ("config", "Check, show and apply the configuration."),
    "conflicts": ("conflicts", "Show conflicts, and what can be done about one."),
    "demo": ("demo", "Run a real session with scripted agents on a sample repository."),
    "doctor": ("doctor", "Check that everything PUCS needs is in order."),
    "export": ("export", "Write the state files of the designs from the store."),
    "finalize": ("finalize", "Merge the streams into one tested result."),
    "handoff": ("handoff", "Hand work over with its context, and take it over."),
    "import": ("export", "Bring state files of the designs into the session."),
    "init": ("init", "Propose streams, create the store and start a session."),
    "install": ("install", "Put PUCS's hooks into Claude Code, Codex or git."),
    "intent": ("intent", "Say what an agent is going to change, and learn who is in the way."),
    "land": ("work", "Bring an agent's work onto its stream's branch."),
    "launch-stream": ("run", "Start agents for one stream."),
    "lock": ("locks", "Lease files or directories."),
    "locks": ("locks", "Show the live leases."),
    "log": ("log", "Show the cross-log."),
    "partition": ("partition", "Divide a file by its functions between agents that need it."),
    "patterns": ("patterns", "Show patterns that deserve a look."),
    "merge": ("merge", "Merge files by what is in them, in any repository."),
    "mcp": ("mcp", "Let an MCP client act, over standard input and output."),
    "message": ("message", "Write to agents, read and acknowledge."),
    "pause": ("pause", "Pause an agent."),
    "queue": ("locks", "Show who waits for what."),
    "readiness": ("readiness", "Show what to put in order before many agents begin."),
    "report": ("report", "Write the session's report."),
    "request": ("request", "Ask for work on files that another stream covers."),
    "resolve": ("resolve", "Resolve a conflict."),
    "resume": ("pause", "Let a paused agent go on."),
    "run": ("run", "Run tasks with many agents to one merged, tested result."),
    "salvage": ("salvage", "List, show and restore work that was kept aside."),
    "serve": ("serve", "Serve hooks and MCP on this machine."),
    "state": ("status", "Print the whole state as one JSON document."),
    "status": ("status", "Show the session at a glance."),
    "stop": ("pause", "End an agent for good, and keep its work."),
    "sync": ("work", "Bring others' landed work into an agent's worktree."),
    "task": ("task", "Add, import, list and show tasks."),
    "test": ("test", "Run a stream's tests and record how they ended."),
    "uninstall": ("install", "Take PUCS's hooks out again."),
    "unlock": ("locks", "Give up leases."),
    "verify": ("finalize", "Check that every change is accounted for."),
    "why": ("locks", "Explain who holds a file, who waits and who changed it last."),
}
"""Command name → (module in this room, one line of help)."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command name, sorted."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module and return the command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"pucs.cli.{COMMANDS[cmd_name][0]}")
        name = cmd_name.replace("-", "_")
        # `import` is a word of Python's own, so its function has an underscore at its end.
        command: click.Command = getattr(module, name, None) or getattr(module, f"{name}_")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(COMMANDS.items())])

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the arguments; a reader that leaves early, as in ``pucs --help | head``, is no failure."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError:
            quiet_exit()

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that leaves early ends it quietly."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            quiet_exit()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command name, with a suggestion when it is unknown."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # noqa: PLC0415 - only when a name is mistyped

            close = get_close_matches(args[0], list(COMMANDS), n=1)
            if close:
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from error
            raise


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="pucs", prog_name="pucs")
@common_options
def cli(door: Door) -> None:
    """Let many coding agents change one git repository at once, and still end with one tested, merged result.

    \b
    Try it:           pucs demo
    In your project:  pucs init && pucs run --tasks tasks.yaml
    """
    del door


def main(args: list[str] | None = None, prog_name: str = "pucs") -> None:
    """Run the command line and exit; the one edge that turns errors into exit statuses."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal or a pipe that cannot show a character gets its escape instead of a crash.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = cli.main(args=args, prog_name=prog_name, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the outermost edge of the program
        fail(error, as_json="--json" in (sys.argv[1:] if args is None else args))
    sys.exit(status if isinstance(status, int) else 0)
