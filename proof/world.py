"""Makes the world of one session from its seed: a small repository, its configuration, and what the agents will do."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proof.agent import SECTIONS, skeleton
from proof.records import Stream, Task

ATTEMPTS_MAX = 6
"""Attempts at a task before it fails for good."""
PROFILES = ("mutual", "mutual", "mutual", "ordered", "apart")
"""How streams share files: all with all, downstream after upstream, or not at all."""
FOREIGN = "foreign"
"""Agents reach into other streams' files all the time; only planted bugs ask for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A session before it begins."""

    place: Path
    """Directory of everything."""
    name: str
    streams: dict[str, Stream]
    tasks: dict[str, Task]
    plans: dict[str, dict[str, Any]]
    base: str

    @property
    def repository(self) -> Path:
        """Return the user's checkout."""
        return self.place / "shop"


def make(place: Path, name: str, rng: random.Random, profile: str = "", store: str = "") -> World:
    """Make the world of one session in an empty directory; the profile is drawn unless it is given.

    ``store`` is the URL of the store, as the configuration is to name it; empty: the configuration names none.
    """
    for directory in ("shop", "notes", "plans", "scratch", "done", "home", "tmp"):
        (place / directory).mkdir(parents=True)
    streams = _streams(rng)
    drawn = rng.choice(PROFILES)
    profile = profile or drawn
    tasks, plans = _tasks(rng, streams, profile)
    for task, plan in plans.items():
        (place / "plans" / f"{task}.json").write_text(json.dumps(plan), encoding="utf-8")
    (place / "tasks.yaml").write_text(_tasks_file(tasks, plans), encoding="utf-8")
    base = _repository(place / "shop", place / "home", rng, streams, _configuration(streams, store))
    return World(place=place, name=name, streams=streams, tasks=tasks, plans=plans, base=base)


def environment(place: Path, mark: str) -> dict[str, str]:
    """Return the environment in which the system under proof and its agents run."""
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {
        **inherited,
        "LANG": "C.UTF-8",
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PROOF_MARK": mark,
        "PROOF_NOTES": str(place / "notes"),
        "PROOF_PLANS": str(place / "plans"),
        "PROOF_SCRATCH": str(place / "scratch"),
        "PROOF_DONE": str(place / "done"),
    }


def checkout_of(repository: Path) -> dict[str, str]:
    """Describe a checkout so that any change of it shows: HEAD, its branch, index and every file."""
    found = {
        "HEAD": (repository / ".git/HEAD").read_text(encoding="utf-8"),
        "branch": (repository / ".git/refs/heads/main").read_text(encoding="utf-8"),
        "index": hashlib.sha256((repository / ".git/index").read_bytes()).hexdigest(),
    }
    for directory, names, files in os.walk(repository):
        if ".git" in names:
            names.remove(".git")
        for file in files:
            path = Path(directory, file)
            mode = path.lstat().st_mode
            found[str(path.relative_to(repository))] = (
                f"{mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
            )
    return found


def _streams(rng: random.Random) -> dict[str, Stream]:
    names = rng.sample(("core", "shop", "web", "mail", "api"), 3)
    after: tuple[tuple[str, ...], ...] = ((), (names[0],), rng.choice(((names[0], names[1]), (names[1],))))
    return {name: Stream(prefix=f"{name}/", after=others) for name, others in zip(names, after, strict=True)}


def _files(streams: dict[str, Stream]) -> list[str]:
    own = [f"{stream.prefix}{file}.txt" for stream in streams.values() for file in ("one", "two", "three")]
    return [*own, "settings.txt", "shared/words.txt", "shared/names.txt"]


def _tasks(
    rng: random.Random, streams: dict[str, Stream], profile: str
) -> tuple[dict[str, Task], dict[str, dict[str, Any]]]:
    names = list(streams)
    tasks: dict[str, Task] = {}
    plans: dict[str, dict[str, Any]] = {}
    doomed = f"t{rng.randrange(1, 12):02d}" if rng.random() < 0.3 else ""
    count = rng.randrange(12, 19)
    for number in range(1, count + 1):
        task = f"t{number:02d}"
        stream = names[(number - 1) * 3 // count] if profile == "ordered" else rng.choice(names)
        files = _declared(rng, streams, stream, profile)
        after = {name for name in tasks if rng.random() < 0.08}
        if profile == "apart":
            # A task builds on what its prerequisites landed, which would tie the streams together.
            after = {name for name in after if tasks[name].stream == stream}
        if profile == "ordered":
            # What an upstream stream shares is finished before a downstream one touches it.
            after |= {
                name for name, one in tasks.items() if one.stream != stream and set(one.declared) & set(files)
            }
        plan = _plan(rng, streams, profile, stream=stream, files=files) | {"task": task}
        if task == doomed:
            plan["fails"] = 1_000_000
        plans[task] = plan
        tasks[task] = Task(
            stream=stream,
            declared=tuple(files),
            after=tuple(sorted(after)),
            doomed=task == doomed or any(tasks[name].doomed for name in after),
        )
    return tasks, plans


def _declared(rng: random.Random, streams: dict[str, Stream], stream: str, profile: str) -> list[str]:
    prefix = streams[stream].prefix
    own = [f"{prefix}{file}.txt" for file in ("one", "two", "three")]
    if rng.random() < 0.15:
        own.append(f"{prefix}new-{rng.randrange(2)}.txt")
    shared = ["settings.txt", "shared/words.txt", "shared/names.txt"]
    if profile == "apart":
        shared = [shared[list(streams).index(stream)]]
    if rng.random() < 0.08:
        return [prefix]  # the whole directory
    chosen = [name for name in own if rng.random() < 0.4]
    chosen += [name for name in shared if rng.random() < (0.6 if name == "settings.txt" else 0.3)]
    return sorted(chosen or [rng.choice(own)])


def _plan(
    rng: random.Random, streams: dict[str, Stream], profile: str, *, stream: str, files: list[str]
) -> dict[str, Any]:
    prefix = streams[stream].prefix
    declared = [f"{prefix}one.txt", f"{prefix}two.txt"] if files == [prefix] else files
    work: list[dict[str, Any]] = [
        {"file": file, "section": rng.choice(SECTIONS), "how": "declared"} for file in declared
    ]
    free = [
        file
        for file in _files(streams)
        if file not in declared and not (files == [prefix] and file.startswith(prefix))
    ]
    if profile == FOREIGN:
        free = [file for file in free if "/" in file and not file.startswith((prefix, "shared/"))]
    elif profile != "mutual":
        free = [file for file in free if file.startswith(prefix)] or free[:1]
    chance = rng.random()
    if chance < (0.6 if profile == FOREIGN else 0.1) and free:
        work.append({"file": rng.choice(free), "section": rng.choice(SECTIONS), "how": "undeclared"})
    elif chance < 0.22:
        asked = [file for file in free if file.startswith(prefix) or "/" not in file or "shared" in file]
        if asked:
            work.append({
                "file": rng.choice(asked),
                "section": rng.choice(SECTIONS),
                "how": "asked" if rng.random() < 0.6 else "looked",
                "work_s": 0.15,
            })
    child: dict[str, Any] | None = None
    if rng.random() < 0.3:
        child = {
            **work[0],
            "write_after_s": rng.uniform(0.0, 0.25),
            "setsid": rng.random() < 0.7,
            "orphan": rng.random() < 0.7,
            "stubborn": rng.random() < 0.25,
        }
    return {
        "work": work,
        "work_s": rng.uniform(0.1, 0.7),
        "child": child,
        "fails": 1 if rng.random() < 0.08 else 0,
    }


def _tasks_file(tasks: dict[str, Task], plans: dict[str, dict[str, Any]]) -> str:
    """Return the tasks file; JSON is YAML."""
    entries = [
        {
            "id": name,
            "title": f"feat: {name}",
            "stream": task.stream,
            "files": list(task.declared),
            "after": list(task.after),
            "priority": len(plans[name]["work"]) % 3,
            "command": f'exec "$PROOF_PYTHON" -I -S "$PROOF_AGENT" {name}',
        }
        for name, task in tasks.items()
    ]
    return json.dumps({"tasks": entries}, indent=1) + "\n"


def _configuration(streams: dict[str, Stream], store: str) -> str:
    document: dict[str, Any] = {
        "streams": {
            name: {"files_pattern": f"{stream.prefix}**", "max_agents": 3, "dependencies": list(stream.after)}
            for name, stream in streams.items()
        },
        "agents": {"attempts": ATTEMPTS_MAX, "timeout_min": 2},
        "merge": {"test_command": "! grep -rqE '^(<<<<<<<|>>>>>>>) ' --include='*.txt' ."},
    }
    if store:
        document["store"] = store
    return json.dumps(document, indent=1) + "\n"


def _repository(
    place: Path, home: Path, rng: random.Random, streams: dict[str, Stream], configuration: str
) -> str:
    """Make the user's repository, with a checkout in which somebody is at work."""

    def run(*arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        identity = ("-c", "user.name=User", "-c", "user.email=user@example.com")
        call = ["git", "-C", str(place), *identity, *arguments]
        return subprocess.run(
            call, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    run("init", "-q", "-b", "main")
    for file in _files(streams):
        path = place / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(skeleton(file), encoding="utf-8")
    (place / "pucs.yaml").write_text(configuration, encoding="utf-8")
    (place / ".gitignore").write_text("*.log\n", encoding="utf-8")
    run("add", "-A")
    run("commit", "-q", "-m", "first")
    base = run("rev-parse", "HEAD")
    # The user is in the middle of something: one change staged, one not, one file new, one ignored.
    for file, text in (("settings.txt", "mine, staged\n"), ("shared/words.txt", "mine\n")):
        with (place / file).open("a", encoding="utf-8") as opened:
            opened.write(text)
        if file == "settings.txt":
            run("add", file)
    (place / "untracked.txt").write_text(f"mine {rng.random()}\n", encoding="utf-8")
    (place / "ignored.log").write_text("mine\n", encoding="utf-8")
    return base
