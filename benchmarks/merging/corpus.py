"""The real merges that are replayed: names of blobs in public repositories, and where their content comes from."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
CONFLICTS = HERE / "merge_manifest_dev.tsv"
CLEAN = HERE / "merge_clean_dev.tsv"
PALLETS = "pallets+"
"""Projects of one family, which merge their stable branch into main all the time: a third of all version lines."""


class Case(NamedTuple):
    """One file of one merge."""

    id: str
    repository: str
    """``owner+name``."""
    merge: str
    path: str
    base: str
    """Names of blobs; ``-`` or zeros: none."""
    ours: str
    theirs: str
    human: str
    """What people committed."""
    git: str
    """Git's clean merge, empty for a conflict."""
    kind: str
    """``mixed``: people took from both sides; ``ours``, ``theirs``: one side verbatim; empty for a clean merge."""
    parses: bool
    """All four are Python of today."""
    solvable: bool
    """People mixed both sides, wrote no line of their own and touched nothing outside the conflict."""


class Contents(NamedTuple):
    """What the blobs of a case hold."""

    base: bytes | None
    ours: bytes
    theirs: bytes
    human: bytes
    git: bytes | None


def cases(manifest: Path) -> list[Case]:
    """Return the rows of a manifest."""
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [
        Case(
            id=row["id"],
            repository=row["repo"],
            merge=row["merge"],
            path=row["path"],
            base=row["base"],
            ours=row["ours"],
            theirs=row["theirs"],
            human=row["human"],
            git=row.get("git", ""),
            kind=row.get("cls", ""),
            parses=row.get("py3", "1") == "1",
            solvable=(row.get("cls"), row.get("evil"), row.get("novel")) == ("mixed", "0", "0"),
        )
        for row in rows
    ]


def sampled(found: list[Case], size: int, seed: str) -> list[Case]:
    """Return so many of them at random, all if ``size`` is 0."""
    return random.Random(seed).sample(found, min(size, len(found))) if size else found


def by_repository(found: list[Case]) -> list[tuple[str, list[Case]]]:
    """Return the cases of each repository, the largest lot first, so that processes end at about the same time."""
    lots: defaultdict[str, list[Case]] = defaultdict(list)
    for case in found:
        lots[case.repository].append(case)
    return sorted(lots.items(), key=lambda item: -len(item[1]))


def repository(repos: Path, name: str) -> Path:
    """Return the bare clone ``REPOS/OWNER+NAME/repo``, made from its home if it is not there.

    Pull requests are fetched too: most merges of older histories are reachable from nowhere else.
    """
    place = repos / name / "repo"
    if not place.exists():
        owner, _, project = name.partition("+")
        print(f"Cloning {owner}/{project}", file=sys.stderr)
        place.parent.mkdir(parents=True, exist_ok=True)
        address = f"https://github.com/{owner}/{project}.git"
        subprocess.run(["git", "clone", "-q", "--bare", address, str(place)], check=True)
        refs = "+refs/pull/*/head:refs/pull/*/head"
        subprocess.run(["git", "-C", str(place), "fetch", "-q", "origin", refs], check=True)
    return place


def contents(place: Path, found: list[Case]) -> dict[str, Contents]:
    """Return what the cases of one repository hold, by id; those with a blob that is not there are left out."""
    names = sorted({blob for case in found for blob in case[4:9] if _named(blob)})
    data = subprocess.run(
        ["git", "-C", str(place), "cat-file", "--batch"],
        input="".join(f"{name}\n" for name in names).encode(),
        capture_output=True,
        check=True,
    ).stdout
    blobs: dict[str, bytes] = {}
    at = 0
    for name in names:
        end = data.index(b"\n", at)
        words = data[at:end].split()
        at = end + 1
        if words[-1] != b"missing":
            size = int(words[2])
            blobs[name] = data[at : at + size]
            at += size + 1
    return {
        case.id: Contents(
            base=blobs.get(case.base),
            ours=blobs[case.ours],
            theirs=blobs[case.theirs],
            human=blobs[case.human],
            git=blobs.get(case.git),
        )
        for case in found
        if all(blob in blobs for blob in case[4:9] if _named(blob))
    }


def _named(blob: str) -> bool:
    return bool(blob.strip("-0"))
