"""Merges the cases of one repository and says what came of each."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.merging.corpus import Case, Contents, contents, repository
from benchmarks.merging.judging import RIGHT, compiles, judged, tree


@dataclass(kw_only=True)
class Outcome:
    """What came of one case, with guesses or without."""

    id: str
    repository: str
    path: str
    kind: str
    solvable: bool
    verdict: str
    """As ``judging.judged``, or ``conflict``, ``crash``; ``unread``: does not parse, nor does a version of it."""
    own_verdict: str = ""
    """What the product says itself (``merge.agreement``), for a merge without conflicts."""
    ms: float = 0.0
    cpu_ms: float = 0.0
    """Of the processor: what a machine that others use as well does not change."""
    rules: list[tuple[str, str]] = field(default_factory=list)
    """Names and tiers of the resolvers."""
    why: list[str] = field(default_factory=list)
    """Reasons of the conflicts left."""
    left_lines: int = 0
    git_lines: int = 0
    git_verdict: str = ""
    ours_verdict: str = ""
    """Of the control that takes ours always."""
    sha256: str = ""
    """Of a merge without conflicts."""
    broken: bool = False
    """It does not compile, although all three versions do."""
    by_git: bool = False
    """Git's merge of the file alone has no conflict."""
    error: str = ""

    @property
    def resolved(self) -> bool:
        """Whether no conflict is left."""
        return self.verdict not in {"conflict", "crash"}

    @property
    def right(self) -> bool:
        """Whether it says what people committed."""
        return self.verdict in RIGHT

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def line_merge(found: Contents) -> tuple[bytes, int]:
    """Return git's own merge of the file, and in how many places it conflicts."""
    with tempfile.TemporaryDirectory(prefix="merging-") as place:
        names = [str(Path(place, name)) for name in ("ours", "base", "theirs")]
        for name, content in zip(names, (found.ours, found.base or b"", found.theirs), strict=True):
            Path(name).write_bytes(content)
        labels = ("-L", "ours", "-L", "base", "-L", "theirs")
        done = subprocess.run(["git", "merge-file", "-p", *labels, *names], capture_output=True, check=False)
    return done.stdout, done.returncode


def conflicts(repos: Path, name: str, cases: list[Case], tiers: tuple[str, ...]) -> dict[str, list[Outcome]]:
    """Return what comes of the conflicts of one repository, by the tier that is accepted."""
    held = contents(repository(repos, name), cases)
    found: dict[str, list[Outcome]] = {tier: [] for tier in tiers}
    for case in cases:
        if case.id not in held:
            continue
        versions = held[case.id]
        gits = line_merge(versions)
        control = judged(versions.ours, versions.human)
        for tier in tiers:
            found[tier].append(_one(case, versions, gits, control, tier))
    return found


def _one(case: Case, held: Contents, gits: tuple[bytes, int], control: str, tier: str) -> Outcome:
    from pucs.merge.agreement import verdict  # noqa: PLC0415 - after the path is set
    from pucs.merge.merging import LineMerge, merge  # noqa: PLC0415
    from pucs.merge.records import Tier, Versions  # noqa: PLC0415

    outcome = Outcome(
        id=case.id,
        repository=case.repository,
        path=case.path,
        kind=case.kind,
        solvable=case.solvable,
        verdict="conflict",
        git_verdict="conflict" if gits[1] else judged(gits[0], held.human),
        ours_verdict=control,
        git_lines=marked(gits[0]) if gits[1] else 0,
        by_git=not gits[1],
    )
    begun, busy = time.perf_counter(), time.process_time()
    try:
        merged = merge(
            case.path, Versions(held.base, held.ours, held.theirs), LineMerge(*gits), accept=Tier(tier)
        )
    except Exception:  # noqa: BLE001 - a crash is a figure here
        outcome.verdict, outcome.error = "crash", traceback.format_exc()[-2000:]
        return outcome
    outcome.ms = (time.perf_counter() - begun) * 1000
    outcome.cpu_ms = (time.process_time() - busy) * 1000
    outcome.rules = [(one.resolver, one.tier.value) for one in merged.resolutions]
    outcome.why = [one.reason for one in merged.conflicts]
    outcome.left_lines = sum(one.lines for one in merged.conflicts)
    if merged.clean:
        inputs = (held.base or b"", held.ours, held.theirs)
        outcome.sha256 = hashlib.sha256(merged.content).hexdigest()
        outcome.verdict = judged(merged.content, held.human)
        outcome.own_verdict = verdict(case.path, merged.content, held.human, inputs).value
        if outcome.verdict == "does not parse" and any(tree(each) is None for each in inputs):
            outcome.verdict = "unread"
        outcome.broken = not compiles(merged.content) and all(map(compiles, inputs))
    return outcome


@dataclass(kw_only=True)
class Clean:
    """What came of a merge that git makes without a conflict."""

    id: str
    identical: bool
    """To git's, byte for byte."""
    objections: list[str]
    ms: float


def clean(repos: Path, name: str, cases: list[Case]) -> list[Clean]:
    """Return what comes of the clean merges of one repository."""
    from pucs.merge.merging import LineMerge, merge  # noqa: PLC0415 - after the path is set
    from pucs.merge.records import Versions  # noqa: PLC0415

    found = []
    for case_id, held in contents(repository(repos, name), cases).items():
        path = next(case.path for case in cases if case.id == case_id)
        gits = line_merge(held)
        begun = time.perf_counter()
        merged = merge(path, Versions(held.base, held.ours, held.theirs), LineMerge(*gits))
        ms = (time.perf_counter() - begun) * 1000
        same = merged.clean and merged.content == held.git
        found.append(Clean(id=case_id, identical=same, objections=list(merged.objections), ms=ms))
    return found


def marked(content: bytes) -> int:
    """Count the lines of conflicts, with their markers."""
    count = 0
    inside = False
    for line in content.split(b"\n"):
        inside = inside or line.startswith(b"<<<<<<< ")
        count += inside
        inside = inside and not line.startswith(b">>>>>>> ")
    return count
