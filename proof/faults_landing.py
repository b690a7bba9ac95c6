"""Faults of landing: a process is killed, or stopped beyond its lease, at every step of landing, syncing and finalizing.

The steps are recorded in a run in which nothing goes wrong: each transaction and each call of git is one. Then, for each
step, a real process on a real repository is killed before it, after it or in the middle of git's work, or stopped there
until its lease has run out and another agent has landed the same file. Others go on as users do, and everything is
judged from notes and git (``proof/faults_landing_judge.py``).

``./run proof faults landing [--seed S] [--store sqlite|postgresql] [--short]``
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proof import database, faults_landing_judge, faults_landing_plants
from proof.faults_landing_points import SCENES, SHORT_SCENES, STOP, Point, points_of, sample
from proof.faults_landing_scene import Nursery, Scene, template
from proof.tally import POSTGRESQL, Tally

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PART = "faults of landing"

SHORT_S = 15.0
"""Time after which the short form begins no new case: on a machine that is very busy it tries less."""
AT_ONCE = 4
"""Cases at once: in most of them somebody waits."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One case that was played and judged."""

    point: Point
    seen: faults_landing_judge.Seen
    counts: Counter[str]
    wrong: list[tuple[str, str]]


class Stage:
    """All cases on one store."""

    def __init__(self, nursery: Nursery, place: Path, base: Path, seed: str) -> None:
        """Prepare it; every case has a directory of its own."""
        self._nursery = nursery
        self._place = place
        self._base = base
        self._seed = seed
        self.server: database.Database | None = None
        self._dropping = threading.Lock()

    def play(self, tally: Tally, *, short: bool) -> None:
        """Play every case, or a sample of them, and the planted bugs."""
        steps = {}
        for scene in SHORT_SCENES if short else SCENES:
            clean = self.played(Point(scene=scene))
            count(tally, clean)
            steps[scene] = [(note["name"], note["of"]) for note in clean.seen.notes if note["kind"] == "step"]
        tally.figures["steps"] = sum(map(len, steps.values()))
        points = [point for scene, found in steps.items() for point in points_of(scene, found)]
        points.append(replace(next(filter(closing, points)), shipped=True))
        if short:
            points = sample(points, random.Random(f"{self._seed}/points"))
        until = time.monotonic() + (SHORT_S if short else float("inf"))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for played in pool.map(lambda point: time.monotonic() < until and self.played(point), points):
                if played:
                    count(tally, played)
                else:
                    tally.figures["cases left out for want of time"] += 1
            names = faults_landing_plants.SHORT if short else faults_landing_plants.NAMES
            for name, rules in zip(
                names, pool.map(lambda name: self.planted(name, steps), names), strict=True
            ):
                tally.caught(name, rules)

    def planted(self, name: str, steps: Mapping[str, Sequence[tuple[str, str]]]) -> str:
        """Play a planted bug at the steps where it shows, until a rule that is to catch it does; return the rules."""
        plant = faults_landing_plants.PLANTS[name]
        for point in plant.points(steps):
            rules = dict.fromkeys(rule for rule, _ in self.played(point, name).wrong)
            if rules.keys() & set(plant.caught_by):
                return ", ".join(rules)
        return ""

    def played(self, point: Point, plant: str = "") -> Played:
        """Play and judge one case; what was planted, or went well, leaves nothing behind."""
        name = f"{plant} {point}".strip()
        place = self._place / f"{zlib.crc32(name.encode()):08x}"
        place.mkdir(parents=True)
        url = self.server.store(f"{os.getpid()}_{place.name}") if self.server else ""
        scene = Scene(self._nursery, place, url, point, random.Random(f"{self._seed}/{name}"), plant=plant)
        try:
            seen = scene.play(self._base)
        finally:
            if self.server:
                with self._dropping:
                    self.server.drop(url)
        wrong = faults_landing_judge.judge(seen)
        if plant or not wrong:
            shutil.rmtree(place, ignore_errors=True)
        return Played(point=point, seen=seen, counts=scene.counts, wrong=wrong)


def closing(point: Point) -> bool:
    """Tell whether the process is stopped in the transaction that closes a landing."""
    return point.how == STOP and point.in_gate and point.name.startswith("intentions.close")


def count(tally: Tally, played: Played) -> None:
    """Count one case."""
    tally.figures["cases"] += 1
    tally.killed += played.counts["SIGKILL"]
    tally.figures.update({name: times for name, times in played.counts.items() if name != "SIGKILL"})
    tally.judge(str(played.point), played.wrong)
