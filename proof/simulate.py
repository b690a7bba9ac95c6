"""The simulated part of the proof: histories of hundreds of agents in virtual time, one after the other.

``./run proof simulate [--seeds N] [--first S] [--crowd C]`` runs N seeds in every crowd; ``--seed S`` runs one history
again. The simulator is in ``tests/simulation``: it runs the real lease verbs, so nothing here is part of the judges of
the other parts.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from proof.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.simulator import Order, Outcome

SEEDS_IN_FULL = 10
"""Seeds in each crowd where this is one part of the whole proof."""
SEEDS = 50
"""Seeds of one call."""
AGENTS = {"many": 300}
"""Agents of a crowd; a dozen where few things are fought over."""
AGENTS_OTHERWISE = 14
RULES = (
    "exclusion", "all or nothing", "order", "deadlock", "waits", "tokens", "fencing", "late owner", "entries", "records",
    "limits", "paused",
)  # fmt: skip
"""What the judge of ``tests/simulation`` holds every step against."""
SECONDS = 30.0
"""Virtual time of one history."""
SHOWN = (
    "told it was granted",
    "lock reserved",
    "lock claimed",
    "lease expired",
    "lease reclaimed",
    "lock refused",
)


def main(arguments: list[str]) -> int:
    """Run the histories and return the exit status: 0 if no rule was broken."""
    from tests.simulation.crowds import CROWDS  # noqa: PLC0415 - only this part of the proof runs the product inside
    from tests.simulation.schedule import Broken  # noqa: PLC0415 - the same
    from tests.simulation.simulator import Order  # noqa: PLC0415 - the same

    options = _options(arguments, tuple(CROWDS))
    seeds = (
        [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    )
    crowds = (options.crowd,) if options.crowd else tuple(CROWDS) if options.seed is None else ("many",)
    began, total, held, broken = time.monotonic(), Counter[str](), 0, 0
    for seed in seeds:
        for crowd in crowds:
            agents = options.agents or AGENTS.get(crowd, AGENTS_OTHERWISE)
            try:
                outcome = _one(
                    Order(
                        seed=seed,
                        crowd=crowd,
                        agents=agents,
                        seconds=options.seconds,
                        mishaps_per_s=options.mishaps,
                        reboots=options.reboots,
                    ),
                    on_disk=options.disk,
                )
            except Broken as error:
                broken += 1
                print(f"seed {seed:4} {crowd:6} BROKEN {error}", flush=True)
                continue
            held += 1
            total.update(outcome.counts)
            total["steps"] += outcome.steps
            print(f"seed {seed:4} {crowd:6} ok     {outcome.steps} steps", flush=True)
    print()
    for what in ("steps", *SHOWN):
        print(f"{what:<20} {total[what]}")
    print(f"took {time.monotonic() - began:.0f} s")
    print(f"{held} passed, {broken} failed")
    return 1 if broken else 0


def tallies(place: Path, seed: str, *, short: bool, stores: Sequence[str] = ()) -> list[Tally]:
    """Run histories in every crowd, in memory and on disk, and search every planted bug.

    All on SQLite, whatever ``stores`` says, and left out where that is not among them or the form is short: there the
    tests of ``tests/simulation`` do the same in small.
    """
    if short or (stores and "sqlite" not in stores):
        return []
    import pytest  # noqa: PLC0415 - as in main

    from tests.simulation.crowds import CROWDS  # noqa: PLC0415 - as in main
    from tests.simulation.hunting import hunt  # noqa: PLC0415 - as in main
    from tests.simulation.plants import PLANTS  # noqa: PLC0415 - as in main
    from tests.simulation.schedule import Broken  # noqa: PLC0415 - as in main
    from tests.simulation.simulator import Order  # noqa: PLC0415 - as in main

    began = time.monotonic()
    tally = Tally(part="virtual time", store="sqlite", rules=dict.fromkeys(RULES, 0))
    first = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4])
    orders = [
        (
            Order(
                seed=first + number, crowd=crowd, agents=AGENTS.get(crowd, AGENTS_OTHERWISE), seconds=SECONDS
            ),
            False,
        )
        for number in range(SEEDS_IN_FULL)
        for crowd in CROWDS
    ]
    orders += [
        (Order(seed=first + number, crowd="few", agents=20, seconds=SECONDS, reboots=0.1), True)
        for number in range(SEEDS_IN_FULL)
    ]
    for order, on_disk in orders:
        wrong: list[tuple[str, str]] = []
        try:
            tally.figures["steps"] += _one(order, on_disk=on_disk).steps
        except Broken as error:
            wrong.append((error.rule, error.what))
        tally.judge(f"seed {order.seed} {order.crowd}{' on disk' if on_disk else ''}", wrong)
    for name, plant in PLANTS.items():
        searches = [one for one in plant.caught_by if one.startswith("simulator")]
        if not searches:
            continue
        with pytest.MonkeyPatch.context() as patch:
            plant.install(patch)
            try:
                hunt(searches, place / name.replace(" ", "-"))
                tally.caught(name, "")
            except Broken as error:
                tally.caught(name, error.rule)
    tally.duration_s = time.monotonic() - began
    return [tally]


def _one(order: Order, *, on_disk: bool) -> Outcome:
    from tests.simulation.simulator import simulate  # noqa: PLC0415 - as above

    if not on_disk:
        return simulate(order)
    with tempfile.TemporaryDirectory(prefix="simulate-") as place:
        return simulate(order, Path(place))


def _options(arguments: list[str], crowds: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run proof simulate", description="Run hundreds of agents in virtual time; judge every step."
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="seeds in a row [%(default)s]")
    parser.add_argument("--first", type=int, default=1, metavar="S", help="first of them [%(default)s]")
    parser.add_argument("--seed", type=int, metavar="S", help="only this one")
    parser.add_argument(
        "--crowd", default="", choices=["", *crowds], help=f"only one of: {', '.join(crowds)}"
    )
    parser.add_argument("--agents", type=int, default=0, metavar="N", help="how many agents")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="S", help="virtual time [%(default)s]"
    )
    parser.add_argument(
        "--mishaps", type=float, default=2.0, metavar="N", help="mishaps in a second [%(default)s]"
    )
    parser.add_argument(
        "--reboots",
        type=float,
        default=0.005,
        metavar="P",
        help="part of them that are reboots [%(default)s]",
    )
    parser.add_argument(
        "--disk", action="store_true", help="on a file that is put back from a backup at reboots"
    )
    return parser.parse_args(arguments)
