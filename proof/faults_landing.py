"""Faults of landing: a process is killed, or stopped beyond its lease, at every step of landing, syncing and finalizing.

The steps are recorded in a run in which nothing goes wrong: each transaction and each call of git is one. Then, for each
step, a real process on a real repository is killed before it, after it or in the middle of git's work, or stopped there
until its lease has run out and another agent has landed the same file. Others go on as users do, and everything is
judged from notes and git (``proof/faults_landing_judge.py``).

``./run proof faults landing [--seed S] [--store sqlite|postgresql] [--short]``
"""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from typing import TYPE_CHECKING

from proof import database, faults_landing_judge, faults_landing_plants
from proof.faults_landing_points import SCENES, Point, points_of, sample
from proof.faults_landing_scene import Nursery, Scene, template
from proof.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PART = "faults of landing"
SQLITE, POSTGRESQL = "sqlite", "postgresql"


def tallies(place: Path, seed: str, *, short: bool, stores: Sequence[str]) -> list[Tally]:
    """Run every case on each store and tell what came of it; the short form is a sample."""
    place.mkdir(parents=True, exist_ok=True)
    nursery = Nursery(place)
    try:
        base = template(place / "template")
        with contextlib.ExitStack() as stack:
            return [
                _on(stack, Stage(nursery, place / store, base, seed), store, short=short) for store in stores
            ]
    finally:
        nursery.close()


def _on(stack: contextlib.ExitStack, stage: Stage, store: str, *, short: bool) -> Tally:
    if store == POSTGRESQL:
        found = stack.enter_context(database.database())
        if isinstance(found, str):
            return Tally(part=PART, store=store, left_out=found)
        stage.server = found
    began = time.monotonic()
    tally = Tally(part=PART, store=store, rules=dict.fromkeys(faults_landing_judge.NAMES, 0))
    stage.play(tally, short=short)
    tally.duration_s = time.monotonic() - began
    return tally


class Stage:
    """All cases on one store."""

    def __init__(self, nursery: Nursery, place: Path, base: Path, seed: str) -> None:
        """Prepare it; every case has a directory of its own."""
        self._nursery = nursery
        self._place = place
        self._base = base
        self._seed = seed
        self.server: database.Database | None = None
        self._cases = 0

    def play(self, tally: Tally, *, short: bool) -> None:
        """Play every case, or a sample of them, and the planted bugs."""
        rng = random.Random(f"{self._seed}/points")
        steps = {scene: self.steps(tally, scene) for scene in (SCENES if not short else ("land", "sync"))}
        points = [point for scene in steps for point in points_of(scene, steps[scene])]
        tally.figures["steps"] = sum(len(found) for found in steps.values())
        for point in sample(points, rng) if short else points:
            self.case(tally, point)
        for name in faults_landing_plants.SHORT if short else faults_landing_plants.NAMES:
            self.planted(tally, name, steps)

    def steps(self, tally: Tally, scene: str) -> list[tuple[str, str]]:
        """Play a scene in which nothing goes wrong, and return the steps of its verb: name and kind of each."""
        played = self._played(Point(scene=scene), "", tally)
        return [(note["name"], note["of"]) for note in played[1].notes if note["kind"] == "step"]

    def case(self, tally: Tally, point: Point) -> None:
        """Play and judge one case."""
        self._played(point, "", tally)

    def planted(self, tally: Tally, name: str, steps: dict[str, list[tuple[str, str]]]) -> None:
        """Play a planted bug at the steps where it shows, until a rule that is to catch it does."""
        plant = faults_landing_plants.PLANTS[name]
        caught = ""
        for point in plant.points(steps):
            wrong, _ = self._played(point, name, None)
            rules = dict.fromkeys(rule for rule, _ in wrong)
            if rules.keys() & set(plant.caught_by):
                caught = ", ".join(rules)
                break
        tally.caught(name, caught)

    def _played(
        self, point: Point, plant: str, tally: Tally | None
    ) -> tuple[list[tuple[str, str]], faults_landing_judge.Seen]:
        self._cases += 1
        place = self._place / str(self._cases)
        place.mkdir(parents=True)
        name = f"{self._seed}/{plant or self._cases}/{point}"
        url = self.server.store(f"{place.parent.parent.name}{place.name}_{plant}") if self.server else ""
        scene = Scene(self._nursery, place, url, point, random.Random(name), plant=plant)
        try:
            seen = scene.play(self._base)
        finally:
            if self.server:
                self.server.drop(url)
        wrong = faults_landing_judge.judge(seen)
        if tally is not None:
            tally.killed += scene.counts.pop("SIGKILL", 0)
            tally.figures.update(scene.counts)
            tally.figures["cases"] += 1
            tally.judge(str(point), wrong)
        if tally is None or not wrong:
            shutil.rmtree(place, ignore_errors=True)
        return wrong, seen
