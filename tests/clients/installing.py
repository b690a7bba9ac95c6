"""Real agent programs at pinned versions, from npm, once per checkout in `.cache/clients`.

Also a program: `python tests/clients/installing.py` installs all of them, so that this is not done inside a test.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent.parent / ".cache" / "clients"
PINS = {
    "node": "node@22.23.3",
    "claude": "@anthropic-ai/claude-code@2.1.329",
    "codex": "@openai/codex@0.169.0",
}
"""Package and version of each; node comes first, because npm picks what suits the node it runs under."""
INSTALL_S_MAX = 300
"""Each takes ten seconds with a near registry; one that takes minutes is stuck."""


class Missing(Exception):
    """The programs cannot be had on this machine."""


def install() -> None:
    """Install what is not there; two processes at once wait for each other.

    Raises:
        Missing: when npm is not there, or does not manage.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in PINS:
            _install(name)


def path() -> str:
    """Return a PATH that holds the programs, this environment and what a small system has."""
    places = [CACHE / "node" / "node_modules" / "node" / "bin"]
    places += [CACHE / name / "node_modules" / ".bin" for name in PINS if name != "node"]
    return os.pathsep.join([
        *map(str, places),
        str(Path(sys.executable).parent),
        "/usr/local/bin",
        "/usr/bin",
        "/bin",
    ])


def _install(name: str) -> None:
    place, stamp = CACHE / name, CACHE / name / "installed"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == PINS[name]:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise Missing("npm is not on PATH (Debian: apt-get install nodejs npm)")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    call = [npm, "install", "--prefix", str(place), "--no-audit", "--no-fund", "--loglevel=error", PINS[name]]
    # npm's own settings and cache are the person's: tests have another home.
    environment = {
        **os.environ,
        "HOME": pwd.getpwuid(os.getuid()).pw_dir,
        "PATH": f"{path()}{os.pathsep}{os.environ['PATH']}",
    }
    try:
        done = subprocess.run(
            call,
            env=environment,
            cwd=place,
            capture_output=True,
            text=True,
            timeout=INSTALL_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Missing(f"npm did not install {PINS[name]} in {INSTALL_S_MAX} s") from error
    if done.returncode != 0:
        raise Missing(f"npm did not install {PINS[name]}: {(done.stderr or done.stdout).strip()[-500:]}")
    stamp.write_text(PINS[name], encoding="utf-8")


if __name__ == "__main__":
    try:
        install()
    except Missing as missing:
        sys.exit(str(missing))
