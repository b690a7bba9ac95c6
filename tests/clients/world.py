"""A session over a real repository, with real Claude Codes as its agents, held to it by the settings PUCS launches with."""

import contextlib
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from pucs.agents.calls import Call, Ruling
from pucs.agents.records import Agent
from pucs.coordinator import agents, credentials, leases, places, sessions
from pucs.coordinator.agents import stream_named
from pucs.hooks import place
from pucs.launch import environment
from pucs.launch.programs import Brief, Endpoint
from pucs.launch.programs.claude import Claude
from pucs.server.hosting import hosted
from pucs.streams.records import Stream
from pucs.streams.settings import Configuration
from pucs.wiring import mark_active, open_context
from tests.clients.stage import Stage, Talk

CONFIGURATION = Configuration(streams=(Stream(name="core", files_pattern=("core/**",), max_agents=4),))
HOOK = (str(place()),)


class World:
    """A session, its agents, and what became of their work."""

    def __init__(self, stage: Stage, root: Path) -> None:
        """Start the session."""
        self.stage = stage
        self.root = root
        self.context = open_context(root, door="run", create=True)
        sessions.start(self.context, configuration=CONFIGURATION)
        mark_active(self.context)
        self._secrets: dict[str, str] = {}
        self._server: contextlib.ExitStack | None = None

    @contextlib.contextmanager
    def server(self) -> Iterator[str]:
        """Serve hooks and MCP; ``kill_server`` ends it earlier."""
        with contextlib.ExitStack() as stack:
            self._server = stack
            yield stack.enter_context(hosted(self.context))

    def kill_server(self) -> None:
        """Let the server be gone."""
        assert self._server
        self._server.close()

    def agent(self, name: str) -> Agent:
        """Register an agent with a worktree and a secret."""
        agents.register(self.context, agent=name, stream="core", program="claude")
        made = places.prepare_worktree(self.context, agent=name)
        self._secrets[name] = secrets.token_urlsafe(32)
        credentials.remember(self.context, agent=name, secret=self._secrets[name])
        return made

    def claude(
        self,
        agent: Agent,
        script: str,
        *,
        endpoint: str = "",
        conversation: str = "",
        hook: Sequence[str] = HOOK,
    ) -> Talk:
        """Start Claude Code as an agent, exactly as PUCS launches it, to be talked with by the test."""
        base = self.stage.environment(script)
        env = environment.of_agent(base, agent, repository=str(self.root), store=self.context.store.path)
        directory = self.stage.root / f"settings-{agent.id}"
        directory.mkdir(mode=0o700, exist_ok=True)
        brief = Brief(
            agent=agent.id,
            secret=self._secrets[agent.id],
            worktree=agent.worktree,
            prompt="",
            conversation=conversation,
            directory=str(directory),
            endpoint=Endpoint(url=endpoint) if endpoint else None,
            hook=hook,
            decide=_never,
            environment=env,
        )
        launch = Claude().launch(brief)
        return Talk(launch.argv, Path(agent.worktree), {**env, **launch.env})

    def end(self, agent: Agent) -> None:
        """Let an agent be gone, with what it holds."""
        agents.retire(self.context, agent=agent.id)

    def hold(self, agent: str, resource: str, task: str = "") -> None:
        """Let another agent take a lease."""
        agents.register(self.context, agent=agent, stream="core")
        assert leases.acquire(self.context, agent=agent, resources=(resource,), task=task).granted

    def held(self, agent: str) -> list[str]:
        """Return what an agent holds."""
        with self.context.store.read() as tx:
            return [lease.resource for lease in tx.leases.of_agent(agent)]

    def landed(self, path: str) -> str:
        """Return a file as the stream's branch has it, empty if it has none."""
        with self.context.store.read() as tx:
            session = tx.sessions.active()
            assert session
            branch = stream_named(tx, session.id, "core").branch
        done = subprocess.run(
            ["git", "show", f"{branch}:{path}"], cwd=self.root, capture_output=True, text=True, check=False
        )
        return done.stdout


def _never(_call: Call) -> Ruling:
    raise AssertionError("Claude Code asks by its hooks")
