"""Full disks: a limit on pages, a limit on the size of files, and a small file system that fills up under contending verbs."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from proof.store_judge import judge
from proof.store_server import server
from proof.survivors import Case, Crew, of_database, of_file

if TYPE_CHECKING:
    from collections import Counter

    from proof.store_judge import Wrong

SMALL = "small file system"
KINDS = ("page limit", "file size", SMALL)
ERRORS = 25
"""Calls that fail before somebody is killed, and again before there is room."""
PADDING = 6000
"""Longest text of an entry, so that it does not take long to fill up."""
SERVER_BYTES = 5 << 20
"""Of the file system for a server's tables: empty, they take half of it."""
MOUNT = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'


def within(directory: Path, size_bytes: int) -> list[str]:
    """Return the words that start a program where a directory is a small file system of its own, for it alone."""
    who = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    return [*who, "sh", "-c", MOUNT, str(size_bytes), str(directory)]


def mountable(place: Path) -> bool:
    """Tell whether small file systems can be made here."""
    probe = place / "probe"
    probe.mkdir(exist_ok=True)
    return not subprocess.run([*within(probe, 65536), "true"], capture_output=True, check=False).returncode


def run(kind: str, place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
    """Run one case on SQLite and judge it."""
    place.mkdir(parents=True, exist_ok=True)
    if kind == SMALL:
        return _small(place, seed, plant)
    with Crew(place) as crew:
        case = Case(
            crew, place / "case", seed, store=str(place / "case" / "store"), padding=PADDING, plant=plant
        )
        case.make()
        if kind == "page limit":
            size = (place / "case" / "store" / "state.db").stat().st_size // 2048
            case.begin(pages=size + case.rng.randint(20, 150))
            case.until_errors(ERRORS)
            case.kill()
            case.until_errors(ERRORS)
            case.end()
            case.running.clear()
            case.room()
            case.begin()
        else:
            case.begin(file_bytes=case.rng.randint(400_000, 1_200_000))
            case.until_errors(ERRORS)
            case.kill()
            case.until_errors(ERRORS)
            with case.stopped():
                for pid in case.running.values():
                    _unlimited(pid)
                case.room()
        case.until_well()
        case.end()
        return judge(case.story(), of_file(place / "case" / "store")), case.counts


def _unlimited(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def _small(place: Path, seed: str, plant: str) -> tuple[Wrong, Counter[str]]:
    mount = place / "small"
    mount.mkdir(exist_ok=True)
    with Crew(place, within=within(mount, 8 << 20)) as crew:
        case = Case(crew, place / "case", seed, store=str(mount), padding=PADDING, plant=plant)
        case.make()
        case.begin()
        case.lasts(0.1)
        crew.do("ballast", store=str(mount), free=case.rng.randint(0, 200_000))
        case.until_errors(ERRORS)
        case.kill()
        case.until_errors(ERRORS)
        with case.stopped():
            crew.do("ballast", store=str(mount), free=0)
            case.room()
        case.until_well()
        case.end()
        crew.do("copy", store=str(mount), target=str(place / "case" / "copy"))
    return judge(case.story(), of_file(place / "case" / "copy")), case.counts


def run_server(place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]] | str:
    """Run one case on PostgreSQL, whose tables are on a small file system; return why not, where that cannot be."""
    if os.geteuid() != 0:
        return (
            "a small file system for the server needs root: a server does not run as root of a user namespace"
        )
    place.mkdir(parents=True, exist_ok=True)
    mount = Path(tempfile.mkdtemp(prefix="proof-small-"))
    try:
        return _on_a_small_disk(place, mount, seed, plant)
    finally:
        mount.rmdir()


def _on_a_small_disk(place: Path, mount: Path, seed: str, plant: str) -> tuple[Wrong, Counter[str]] | str:
    mount.chmod(0o755)  # the server is another user
    with server(within=within(mount, SERVER_BYTES), small=str(mount)) as found:
        if isinstance(found, str):
            return found
        with Crew(place) as crew:
            store = found.store(seed)
            case = Case(crew, place / "case", seed, store=store, padding=PADDING * 10, plant=plant, logs=0.6)
            case.make()
            case.begin()
            case.until_errors(ERRORS)
            case.kill()
            case.until_errors(ERRORS)
            with case.stopped():
                found.room()
                case.room()
            case.until_well()
            case.end()
            return judge(case.story(), of_database(store)), case.counts
