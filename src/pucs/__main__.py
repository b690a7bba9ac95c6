"""Runs the command line: `python -m pucs` is the same program as `pucs`."""

from pucs.cli import main

if __name__ == "__main__":
    main(prog_name="pucs")
