"""The proof: sessions in a row with random kill -9 of agents and supervisor, judged from outside.

python proof/run.py [--sessions N] [--seed S] [--only K] [--short] [--planted | --plant NAME] [--keep DIR]
python proof/run.py --judge DIR      judge a kept session again
python proof/run.py --simulate ...   agents in virtual time instead (see ``proof/simulate.py``)
python proof/run.py --histories ...  processes that contend on one store instead (see ``proof/histories.py``)

Each session's world and the order of kills come from ``SEED/NUMBER``; the moments at which they hit also depend on the
machine. Exit status 0: no rule was broken and every planted bug was caught.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    if "--simulate" in sys.argv:
        from proof.simulate import main

        sys.exit(main([argument for argument in sys.argv[1:] if argument != "--simulate"]))
    if "--histories" in sys.argv:
        from proof.histories import main

        sys.exit(main([argument for argument in sys.argv[1:] if argument != "--histories"]))
    from proof.report import main

    sys.exit(main(sys.argv[1:]))
