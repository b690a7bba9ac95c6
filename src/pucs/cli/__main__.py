"""Runs the command line: `python -m pucs.cli` is the same program as `pucs` (002 §9.1)."""

from pucs.cli import main

if __name__ == "__main__":
    main(prog_name="pucs")
