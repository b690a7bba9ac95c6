"""``demo``: a real session on a sample repository; only the agents' minds are scripted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, common_options
from pucs.core.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Shop keeper",
    "GIT_AUTHOR_EMAIL": "keeper@shop.invalid",
    "GIT_COMMITTER_NAME": "Shop keeper",
    "GIT_COMMITTER_EMAIL": "keeper@shop.invalid",
}
_STAGE = """\
PUCS demo: scripted agents (no model is asked) on a sample shop with three streams.
Everything else is real: git worktrees, processes, leases, a kill -9, merges and tests.

What to watch: two agents change different functions of checkout/receipt.py at the same time; one waits for
settings.py, is woken and builds on the other's change; one is refused outside its stream; one is killed in the
middle of an edit and another takes its work over.
"""


@click.command()
@click.option(
    "--keep", metavar="DIR", type=click.Path(path_type=Path), help="Leave everything in this new directory."
)
@common_options
def demo(door: Door, keep: Path | None) -> None:
    """Run a real session with scripted agents on a sample repository, in under a minute.

    \b
    Example: pucs demo --keep /tmp/shop
    """
    with _place(keep) as place:
        document = play(place, quiet=door.json)
        door.say(document, lambda: _told(document, keep))
    if document["changes_lost"] or not document["tests_passed"]:
        raise SystemExit(1)


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
            used = any(keep.iterdir())
        except OSError as error:
            raise Usage(
                f"{keep} cannot be used: {error.strerror}.", remedy="Name a new directory."
            ) from error
        if used:
            raise Usage(f"{keep} is not empty.", remedy="Name a new directory.")
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="pucs-demo-", ignore_cleanup_errors=True) as made:
        yield Path(made).resolve()


def play(place: Path, *, quiet: bool) -> dict[str, Any]:
    """Run the demo's session below a directory and return its document; the report is beside the repository."""
    from pucs.cli.finalize import finalized  # noqa: PLC0415
    from pucs.cli.init import initialise  # noqa: PLC0415
    from pucs.cli.run import outcome, run_session  # noqa: PLC0415
    from pucs.client.reading import session_document  # noqa: PLC0415
    from pucs.coordinator.verifying import verify  # noqa: PLC0415
    from pucs.dashboard.report import markdown  # noqa: PLC0415

    shop, plans = _stage(place)
    os.environ.update(DEMO_PYTHON=sys.executable, DEMO_PLANS=str(plans), PYTHON=sys.executable)
    os.environ["XDG_STATE_HOME"] = str(place / "state")  # the demo's backups go with it
    door = Door(repo=str(shop), json=quiet)
    if not quiet:
        click.echo(_STAGE)
    initialise(door)
    ran = run_session(door, plans / "tasks.yaml", keep_worktrees=True)
    if not quiet:
        click.echo(outcome(ran))
    context = door.context()
    merged = finalized(context)
    checked = verify(context)
    found = session_document(context)
    (place / "report.md").write_text(markdown(found), encoding="utf-8")
    detected = len(found["conflict_list"])
    return {
        "agents": len(found["agents"]),
        "streams": len(found["streams"]),
        "tasks": found["tasks"]["done"],
        "merged_streams": list(dict.fromkeys([*ran["merged_streams"], *merged["merged_streams"]])),
        "conflicts": {"detected": detected, "resolved": detected - found["conflicts"]["open"]},
        "shared_files": [
            {"file": shared.file, "agents": shared.agents, "symbols": shared.symbols}
            for shared in found["shared_files"]
        ],
        "changes_lost": _lost(shop, plans, found["branch"]) + (0 if checked.ok else len(checked.findings)),
        "tests_passed": bool(ran["tests_passed"]),
        "duration_s": ran["duration_s"],
    }


def _stage(place: Path) -> tuple[Path, Path]:
    """Set up the sample repository and the agents' plans."""
    shop, plans = place / "shop", place / "plans"
    sample = resources.files("pucs") / "testing"
    with resources.as_file(sample / "sample") as source:
        shutil.copytree(source, shop, ignore=shutil.ignore_patterns("__pycache__"))
    with resources.as_file(sample / "plans") as source:
        shutil.copytree(source, plans)
    for call in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["commit", "-q", "--no-verify", "-m", "Open the shop"],
    ):
        subprocess.run(
            ["git", "-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", *call],
            cwd=shop,
            check=True,
            capture_output=True,
            env={**os.environ, **_IDENTITY},
        )
    return shop, plans


def _lost(shop: Path, plans: Path, branch: str) -> int:
    """Count lines that a plan wrote and that are not in the result, by git alone."""
    lost = 0
    for plan in sorted(plans.glob("*.json")):
        for step in json.loads(plan.read_text(encoding="utf-8")):
            path = next((step[kind] for kind in ("write", "append", "replace") if kind in step), None)
            if path is None:
                continue
            shown = subprocess.run(
                ["git", "show", f"{branch}:{path}"], cwd=shop, capture_output=True, text=True, check=False
            ).stdout
            written = step.get("text", step.get("new", ""))
            lost += sum(line.strip() not in shown for line in written.splitlines())
    return lost


def _told(document: dict[str, Any], keep: Path | None) -> str:
    conflicts = document["conflicts"]
    lines = [
        "",
        f"{document['agents']} agents, {document['streams']} streams, {document['tasks']} tasks in {document['duration_s']:.1f} s.",
        (
            f"Merged in dependency order: {', '.join(document['merged_streams'])}; the shop's tests "
            f"{'pass' if document['tests_passed'] else 'FAIL'} on the result."
        ),
        *(
            f"{len(shared['agents'])} agents changed {shared['file']} at once, in different functions: "
            f"{', '.join(name.partition('::')[2] for name in shared['symbols'])}."
            for shared in document["shared_files"]
        ),
        f"Conflicts met: {conflicts['detected']}, resolved: {conflicts['resolved']}. Changes lost: {document['changes_lost']}.",
    ]
    if keep is None:
        lines.append("See the repository, the branches and the report yourself: pucs demo --keep DIR")
    else:
        lines.append(
            f"The report is {keep / 'report.md'}; look around: cd {keep / 'shop'} && git log --graph --oneline --all"
        )
    lines.append("In your own repository: pucs init && pucs run --tasks tasks.yaml")
    return "\n".join(lines)
