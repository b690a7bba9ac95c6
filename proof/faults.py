"""Faults at chosen places: at each step of landing, and in what stores stand on (disk, clock, power, database).

``./run proof faults [landing|stores] [--seed S] [--store sqlite|postgresql] [--short] [--keep DIR]``
"""

from __future__ import annotations

import argparse
import importlib

from proof import whole

KINDS = {"landing": "proof.faults_landing", "stores": "proof.faults_store"}


def main(arguments: list[str]) -> int:
    """Run them and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="./run proof faults", description="Let things fail at chosen places; judge what is left."
    )
    parser.add_argument("kind", nargs="?", default="", choices=["", *KINDS], help="only one kind")
    whole.add_options(parser)
    options = parser.parse_args(arguments)
    kinds = [options.kind] if options.kind else list(KINDS)
    return whole.prove([importlib.import_module(KINDS[kind]).tallies for kind in kinds], options)
