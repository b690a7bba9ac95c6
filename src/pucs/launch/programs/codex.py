"""Codex: how it is found and how its app-server is started (tried with ``TRIED``).

The person's own ``CODEX_HOME`` is used, because their login lives there and is renewed there. What would weaken an agent
is overridden on the command line and again in the conversation, and what Codex then says about itself is checked before
the first word. A person's rules (``rules/*.rules``) that let commands out of the sandbox unasked cannot be overridden,
so they are told.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pucs
from pucs.launch.programs import Found, Launch
from pucs.launch.programs.codex_talk import APPROVAL_POLICY, PROGRAM, SANDBOX, CodexTalk
from pucs.launch.programs.finding import found, version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pucs.launch.programs import Brief

OLDEST: Final = (0, 169, 0)
"""First version whose approvals were seen to hold; what older ones ask was not looked at."""
TRIED: Final = (0, 169, 0)
"""Newest version that the project's tests were run with."""
TOOL_S_MAX: Final = 600
"""Longest call of a tool of ours: one waits for a lease."""
CONFIGURATION_BYTES_MAX: Final = 1024 * 1024
"""Longest file of a person's that is looked into; a longer one counts as empty."""
RULE_FILES_MAX: Final = 100
"""Files of rules that are looked into."""

_SERVER: Final = "pucs"
_SERVER_APART: Final = "pucs_session"
"""Name of our MCP server where the person's own configuration has another one called ``pucs``."""
_ALLOWS: Final = re.compile(r"decision\s*=\s*[\"']allow[\"']")
_ENFORCED: Final = {
    "approval_policy": APPROVAL_POLICY,
    "approvals_reviewer": "user",
    "sandbox_mode": SANDBOX,
    "features.unbounded_connection_retries": False,  # a model that is not there ends the attempt within a minute
}


class Codex:
    """Codex as a program that PUCS can launch."""

    name = PROGRAM
    resumable = True

    def look(self, environment: Mapping[str, str], executable: str = "") -> Found:
        """Find it and its version."""
        said = version(
            "Codex",
            executable or self.name,
            environment,
            pattern=r"codex\S* (\d+)\.(\d+)\.(\d+)",
            install="npm install -g @openai/codex, then: codex login",
            setting="agents.programs.codex.executable",
        )
        return said if isinstance(said, Found) else judged(said, rules=_unasked(_home(environment)))

    def launch(self, brief: Brief) -> Launch:
        """Return how to start it; nothing is written, the person's configuration is overridden for this launch."""
        server = _free_name(brief)
        overrides = {**_ENFORCED, **_server(brief, server)}
        argv = [
            found(brief.executable or self.name, brief.environment) or brief.executable or self.name,
            *brief.arguments,
            "app-server",
            *(word for key, value in overrides.items() for word in ("-c", f"{key}={_toml(value)}")),
        ]
        return Launch(
            argv=tuple(argv),
            env={"PUCS_HOOKED": "1", "PUCS_SECRET": brief.secret},
            conversation=CodexTalk(brief, pucs.__version__, (server,)),
        )


def judged(version: tuple[int, ...], *, rules: str = "") -> Found:
    """Return what a version is good for; ``rules`` is a file of rules that lets commands run unasked."""
    said = ".".join(map(str, version))
    if version < OLDEST:
        return Found(
            version=said,
            problem=f"Codex {said} is too old: before {'.'.join(map(str, OLDEST))} its approvals were not tried.",
            remedy="Update it: npm install -g @openai/codex",
        )
    warnings = []
    if version > TRIED:
        warnings.append(f"Codex {said} is newer than {'.'.join(map(str, TRIED))}, the newest one tried.")
    if rules:
        warnings.append(
            f"{rules} lets commands out of Codex's sandbox without asking; what they change is seen afterwards."
        )
    return Found(version=said, warning=" ".join(warnings))


def _server(brief: Brief, name: str) -> dict[str, Any]:
    """Return the configuration of our MCP server."""
    at = f"mcp_servers.{name}"
    limits = {f"{at}.tool_timeout_sec": TOOL_S_MAX}
    if name != _SERVER:
        limits[f"mcp_servers.{_SERVER}.enabled"] = False
    if brief.endpoint is not None:
        return {
            **limits,
            f"{at}.url": f"{brief.endpoint.url}/mcp",
            f"{at}.bearer_token_env_var": "PUCS_SECRET",
            f"{at}.http_headers": {"X-Pucs-Agent": brief.agent},
        }
    known = {name: value for name, value in brief.environment.items() if name.startswith("PUCS_")}
    return {
        **limits,
        f"{at}.command": sys.executable,
        f"{at}.args": ["-P", "-m", "pucs", "mcp"],  # -P: a package called pucs in the worktree is not meant
        f"{at}.env": {**known, "PUCS_AGENT": brief.agent},
        f"{at}.env_vars": ["PUCS_SECRET"],  # by name, because every user sees command lines
    }


def _free_name(brief: Brief) -> str:
    """Return a name that no configuration uses: one of two kinds of server under one name is refused whole."""
    homes = (_home(brief.environment), Path(brief.worktree, ".codex"))
    used = any(_SERVER in _servers(home / "config.toml") for home in homes)
    return _SERVER_APART if used else _SERVER


def _servers(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > CONFIGURATION_BYTES_MAX:
            return {}
        servers = tomllib.loads(file.read_text(encoding="utf-8")).get("mcp_servers")
    except (OSError, ValueError):
        return {}  # Codex tells what is wrong with it
    return servers if isinstance(servers, dict) else {}


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("CODEX_HOME") or Path(environment.get("HOME", "/"), ".codex"))


def _unasked(home: Path) -> str:
    """Return a file of the person's rules that lets commands run outside the sandbox, empty if there is none."""
    for file in _rule_files(home):
        try:
            if file.stat().st_size <= CONFIGURATION_BYTES_MAX and _ALLOWS.search(
                file.read_text(encoding="utf-8", errors="replace")
            ):
                return str(file)
        except OSError:
            continue
    return ""


def _rule_files(home: Path) -> Iterator[Path]:
    yield from sorted(home.glob("rules/*.rules"))[:RULE_FILES_MAX]


def _toml(value: Any) -> str:
    """Return a value in TOML; JSON's texts, numbers, truths and lists are TOML's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)
