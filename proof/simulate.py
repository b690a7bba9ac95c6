"""The simulated part of the proof: histories of hundreds of agents in virtual time, one after the other.

``./run proof --simulate [--seeds N] [--first S] [--crowd C]`` runs N seeds in every crowd; ``--seed S`` runs one history
again. The simulator is in ``tests/simulation``: it runs the real lease verbs, so nothing here is part of the judge that
``proof/run.py`` calls otherwise.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.simulator import Order, Outcome

SEEDS = 50
"""Seeds of one call."""
AGENTS = {"many": 300}
"""Agents of a crowd; a dozen where few things are fought over."""
AGENTS_OTHERWISE = 14
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


def _one(order: Order, *, on_disk: bool) -> Outcome:
    from tests.simulation.simulator import simulate  # noqa: PLC0415 - as above

    if not on_disk:
        return simulate(order)
    with tempfile.TemporaryDirectory(prefix="simulate-") as place:
        return simulate(order, Path(place))


def _options(arguments: list[str], crowds: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run proof --simulate", description="Run hundreds of agents in virtual time; judge every step."
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
