"""The proof: everything that PUCS promises under faults, tried for real and judged from outside.

python proof/run.py [--seed S] [--short] [--store STORE]    every part, one table
python proof/run.py PART ...                                one part with options of its own: ``PART --help``

Parts: ``sessions`` (whole sessions under kill -9), ``simulate`` (hundreds of agents in virtual time), ``histories``
(processes that contend on one store) and ``faults`` (a fault at each step of landing; disks, clocks, power, database).
Exit status 0: no rule was broken and every planted bug was caught.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

PARTS = {
    "sessions": "proof.sessions",
    "simulate": "proof.simulate",
    "histories": "proof.histories",
    "faults": "proof.faults",
}

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    part = PARTS.get(sys.argv[1]) if sys.argv[1:] else None
    program = importlib.import_module(part or "proof.whole")
    sys.exit(program.main(sys.argv[2 if part else 1 :]))
