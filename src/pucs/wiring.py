"""The composition root: the only module that names concrete hands."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.coordinator.context import Context
from pucs.core.errors import EnvironmentFailure, PucsError, Usage
from pucs.launch.processes import SystemClock, SystemProcesses
from pucs.store.places import is_address
from pucs.store.sqlite import IN_MEMORY, SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from pucs.coordinator.merge_settings import MergeSettings
    from pucs.coordinator.past import PastMerges
    from pucs.coordinator.ports import (
        Bell,
        Bells,
        Clock,
        Index,
        Parsers,
        Replacing,
        Repository,
        Sources,
        Store,
        Worktrees,
    )
    from pucs.core.processes import Process
    from pucs.git.repository import GitRepository
    from pucs.launch.events import Event
    from pucs.launch.programs import Program
    from pucs.launch.settings import RunResult
    from pucs.streams.settings import AgentSettings, Configuration

STORE_DIRECTORY = "pucs"
"""Below the git common directory, so that every worktree shares it (DESIGN §4)."""
STORE_FILE = "state.db"
STORE_POINTER = "store-path"
"""File beside it that names another place (``store:`` in the configuration)."""
INDEX_FILE = "index.db"
"""File beside it with what was told of the repository's code; anybody may delete it (DESIGN §6)."""
ACTIVE_FILE = "active"
"""File beside it that is there while a session is active."""
TOKEN_FILE = "token"  # noqa: S105 - the name of a file
"""File beside it with the token of whoever runs the session, made by the server."""
MARKINGS_MAX = 8
"""Tries to mark what is true now: each that is overtaken finds what the other one did."""
BACKUP_INTERVAL_S = 3600.0
"""Time between backups during a run (DESIGN §3.7)."""
BACKUPS_KEPT = 24
"""Backups of one store: a day of hourly ones."""


def open_context(
    repo: str | Path = ".",
    *,
    store: str = "",
    session: str = "",
    door: str = "client",
    create: bool = False,
) -> Context:
    """Return a context for the repository that holds ``repo``.

    ``store`` names another store, a file or a database's URL; without it the one that ``remember_store`` noted counts. Nothing is written unless ``create`` is set and there is no store yet.

    Raises:
        Usage: there is no such directory, or the store that is named is one.
        EnvironmentFailure: not a git repository, or the store cannot be opened; the message says what to do.
    """
    hands = _Git(str(repo))
    place = _named_store(store) if store else _store_place(hands.common_dir)
    opened, clock, bells = _opened(place, create=create)
    hands.sign = lambda: _configuration(opened).worktrees.sign_commits
    hands.prepared = not create
    return Context(
        store=opened,
        clock=clock,
        processes=SystemProcesses(),
        bells=bells,
        git=hands,
        door=door,
        session=session,
    )


def _opened(place: str, *, create: bool) -> tuple[Store, Clock, Bells]:
    """Open the store in a place, with the clock its leases are counted by and the bells its waiters hear."""
    if is_address(place):
        from pucs.store.postgres_address import parse  # noqa: PLC0415 - an extra

        parse(place)  # says what is missing before anything of it is loaded
        from pucs.launch.bells import FifoBell  # noqa: PLC0415 - most stores are files
        from pucs.store.postgres import PostgresStore  # noqa: PLC0415
        from pucs.store.postgres_bells import PostgresBells  # noqa: PLC0415

        shared = PostgresStore(place, create=create)
        return shared, shared.clock, PostgresBells(shared, FifoBell)
    clock = SystemClock()
    return SQLiteStore(place, clock, create=create), clock, _Bells(Path(place).parent / "bells")


def _store_place(common_dir: str) -> str:
    folder = Path(common_dir) / STORE_DIRECTORY
    try:
        return (folder / STORE_POINTER).read_text(encoding="utf-8", errors="surrogateescape").strip()
    except FileNotFoundError:
        return str(folder / STORE_FILE)


def own_store(context: Context) -> bool:
    """Tell whether this is the store that everybody in the repository finds without naming one."""
    return context.store.path == _store_place(context.git.common_dir)


def remember_store(repo: str | Path, place: str) -> None:
    """Note where the configuration puts the store, so that no command has to read the configuration to find it.

    ``place`` is relative to the main checkout, or a database's URL; empty: the usual place.

    Raises:
        Usage: the URL is malformed, or holds a password: whatever the configuration says is kept in readable places.
    """
    hands = _Git(str(repo))
    pointer = Path(hands.common_dir) / STORE_DIRECTORY / STORE_POINTER
    if not place:
        pointer.unlink(missing_ok=True)
        return
    if is_address(place):
        where = _without_password(place)
    else:
        where = str(Path(hands.repository.root) / Path(place).expanduser())
    pointer.parent.mkdir(mode=0o700, exist_ok=True)
    pointer.write_text(where, encoding="utf-8", errors="surrogateescape")


def _without_password(place: str) -> str:
    from pucs.store.postgres_address import parse  # noqa: PLC0415 - an extra

    address = parse(place)
    if address.secrets:
        raise Usage(
            f"The configuration holds the password of the store {address.shown}.",
            remedy="Take it out there, and set PGPASSWORD or write it to ~/.pgpass.",
        )
    return address.shown


def operator_token(repo: str | Path = ".") -> str:
    """Return the token of this repository's server, empty if there is none or no repository here.

    Raises:
        EnvironmentFailure: it cannot be read.
    """
    common_dir = _common_dir(str(repo))
    if common_dir is None:
        return ""
    place = Path(common_dir) / STORE_DIRECTORY / TOKEN_FILE
    try:
        return place.read_text("ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFailure(
            f"{place} cannot be read.", remedy="Let its owner call, or set PUCS_TOKEN."
        ) from error


def this_process() -> Process:
    """Return the identity of this process."""
    return SystemProcesses().current()


def _configuration(store: Store) -> Configuration:
    with store.read() as tx:
        return tx.sessions.configuration()


def open_repository(repo: str | Path = ".") -> tuple[Repository, Worktrees]:
    """Return git's hands alone, for what needs no store."""
    hands = _Git(str(repo))
    return hands.repository, hands.worktrees


def open_sources(repo: str | Path = ".") -> tuple[Sources, Index, Parsers]:
    """Return what it takes to understand the code of the checkout around a directory; needs no store.

    Raises:
        Usage: there is no such directory.
        GitError: it is in no checkout of a git repository.
        EnvironmentFailure: git is missing or too old.
    """
    from pucs.git.sources import CheckoutSources  # noqa: PLC0415 - most commands look into no code
    from pucs.launch.parsing import ProcessParsers  # noqa: PLC0415
    from pucs.store.index import FileIndex  # noqa: PLC0415

    if not Path(repo).is_dir():
        raise Usage(f"There is no directory {repo}.", remedy="Name one in a git repository.")
    sources = CheckoutSources.open(str(repo))
    return sources, FileIndex(Path(sources.common_dir) / STORE_DIRECTORY / INDEX_FILE), ProcessParsers()


def open_past_merges(repo: str | Path) -> PastMerges:
    """Return the hand that makes the merges in a repository's history again, beside it; needs no store.

    Raises:
        Usage: there is no such directory.
        GitError: it is in no git repository.
        EnvironmentFailure: git is missing or too old.
    """
    from pucs.git.past_merges import GitPastMerges  # noqa: PLC0415 - only to replay

    if not Path(repo).is_dir():
        raise Usage(f"There is no directory {repo}.", remedy="Name a git repository.")
    return GitPastMerges.open(str(repo))


def open_replacing(root: str) -> Replacing:
    """Return the hand that replaces tracked files of a checkout, named by its top."""
    from pucs.git.replacing import CheckoutReplacing  # noqa: PLC0415 - only to change files

    return CheckoutReplacing(root)


def merge_settings(repo: str | Path = ".", *, everywhere: bool = False) -> MergeSettings:
    """Return where git keeps how files are merged in a repository, or ``everywhere``: for this person.

    Raises:
        Usage: there is no such directory.
        GitError: it is in no repository.
        EnvironmentFailure: git is missing or too old.
    """
    from pucs.git.merge_settings import of_person, of_repository  # noqa: PLC0415 - only to look at them

    if everywhere:
        return of_person()
    if not Path(repo).is_dir():
        raise Usage(f"There is no directory {repo}.", remedy="Name one in a git repository.")
    return of_repository(str(repo))


def line_merge(
    base: bytes, ours: bytes, theirs: bytes, *, labels: tuple[str, str], marker_size: int, directory: str
) -> tuple[bytes, int]:
    """Return git's own merge of three versions of a file, in or outside a repository; see ``git.line_merge``."""
    from pucs.git.line_merge import merge_file  # noqa: PLC0415 - only to merge

    return merge_file(base, ours, theirs, labels=labels, marker_size=marker_size, directory=directory)


def session_active(repo: str | Path = ".") -> bool:
    """Tell whether a session is active in a repository, by the mark that hooks go by; opens no store."""
    common_dir = _common_dir(str(repo))
    return common_dir is not None and (Path(common_dir) / STORE_DIRECTORY / ACTIVE_FILE).exists()


def rules_of_analysis() -> str:
    """Return a text that changes with the program's own files: what an older version found is found anew."""
    import pucs  # noqa: PLC0415 - the package that this is part of

    said = []
    for place in map(Path, pucs.__path__):
        for room in ("code", "coordinator", "core", "streams", "syntax"):
            for file in sorted((place / room).rglob("*.py")):
                status = file.stat()
                said.append(f"{file.name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(said)


def backup(context: Context) -> Path | None:
    """Write a backup of the store outside the repository and return its place; None for a store in memory or in a database.

    The newest ``BACKUPS_KEPT`` are kept, in ``$XDG_STATE_HOME/pucs/<repository>/`` (DESIGN §3.7).

    Raises:
        EnvironmentFailure: the place cannot be written.
    """
    store = context.store
    if not isinstance(store, SQLiteStore) or store.path == IN_MEMORY:
        return None
    folder = backup_directory(context)
    stamp = context.clock.now().wall().replace(":", "").replace("-", "")
    target = folder / f"state-{stamp}.db"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        store.backup(target)
        for old in sorted(folder.glob("state-*.db"))[:-BACKUPS_KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise EnvironmentFailure(
            f"No backup of the store can be written to {folder}: {error.strerror}.",
            remedy="Name another place with XDG_STATE_HOME.",
        ) from error
    return target


def backup_directory(context: Context) -> Path:
    """Return where the backups of this repository's store are kept."""
    return _backup_directory(context.git.common_dir)


def backups_of(repo: str | Path) -> list[Path]:
    """Return the backups of a repository's store, oldest first, without opening the store."""
    return sorted(_backup_directory(_Git(str(repo)).common_dir).glob("state-*.db"))


def _backup_directory(common_dir: str) -> Path:
    state_home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    common = Path(common_dir)
    name = common.parent.name if common.name == ".git" else common.name
    return state_home / "pucs" / f"{name}-{zlib.crc32(os.fsencode(common)):08x}"


def mark_active(context: Context) -> None:
    """Write or remove the file that tells hooks whether a session is active, by what the store says; safe to repeat.

    Without it hooks let everything pass; with it a hook that cannot ask blocks (DESIGN §5). It names the session, the
    store, and the interpreter with which a hook can ask where no server runs. A store in memory has no hooks.

    Raises:
        EnvironmentFailure: the file cannot be written.
    """
    if context.store.path == IN_MEMORY:
        return
    marker = Path(context.git.common_dir) / STORE_DIRECTORY / ACTIVE_FILE
    try:
        for _ in range(MARKINGS_MAX):
            session = _active_session(context)
            _mark(marker, session, context.store.path)
            # Somebody else may have started or ended a session meanwhile, and marked what was true then.
            if _active_session(context) == session:
                return
    except OSError as error:
        raise EnvironmentFailure(
            f"Hooks cannot be told about the session in {marker}: {error.strerror}.",
            remedy="Make that directory writable.",
        ) from error


def _active_session(context: Context) -> str:
    with context.store.read() as tx:
        active = tx.sessions.active()
    return active.id if active else ""


def _mark(marker: Path, session: str, store: str) -> None:
    if not session:
        with contextlib.suppress(FileNotFoundError):
            text = marker.read_text(encoding="utf-8", errors="surrogateescape")
            # Another store of the same repository has marks of its own.
            if f"store={store}\n" in text or "store=" not in text:
                marker.unlink()
        return
    import apsw  # noqa: PLC0415 - to know where it is

    imports = dict.fromkeys(str(Path(module).parents[1]) for module in (__file__, apsw.__file__))
    facts = {"session": session, "store": store, "python": sys.executable, "path": os.pathsep.join(imports)}
    text = "".join(f"{name}={value}\n" for name, value in facts.items() if "\n" not in value)
    marker.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = marker.with_name(f"{marker.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8", errors="surrogateescape")
    fresh.replace(marker)


def marked(context: Context) -> tuple[str, str]:
    """Return the session and the store that hooks of this repository are told of, both empty if there are none."""
    marker = Path(context.git.common_dir) / STORE_DIRECTORY / ACTIVE_FILE
    try:
        text = marker.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return "", ""
    facts = dict(line.partition("=")[::2] for line in text.splitlines())
    return facts.get("session", ""), facts.get("store", "")


def output_directory(context: Context, session: str) -> Path:
    """Return where the output of a session's agents is kept."""
    return Path(context.git.common_dir) / STORE_DIRECTORY / "output" / session


def run_tasks(
    context: Context,
    *,
    streams: Sequence[str] = (),
    agents: int = 0,
    program: str = "",
    endpoint: str = "",
    hook: Sequence[str] = (),
    keep_worktrees: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> RunResult:
    """Run the session's tasks with launched agents until nothing is left to do or a signal stops it.

    ``endpoint`` is where hooks and MCP reach this run, ``hook`` the command line of ``pucs-hook`` for what they do not.
    See ``launch.supervisor.Supervisor.run`` for what can go wrong.
    """
    from pucs.coordinator.retention import trim  # noqa: PLC0415 - only to run
    from pucs.launch.programs import loading  # noqa: PLC0415 - only to run
    from pucs.launch.settings import RunSettings  # noqa: PLC0415 - only to run
    from pucs.launch.supervisor import Supervisor  # noqa: PLC0415 - only to run

    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
    settings = RunSettings(
        output=str(output_directory(context, session.id if session else "none")),
        streams=tuple(streams),
        agents=agents,
        program=program,
        programs=loading.programs(),
        endpoint=endpoint,
        hook=tuple(hook),
        store=context.store.path,
        environment=os.environ | _secrets(context.store),
        keep_worktrees=keep_worktrees,
    )
    mark_active(context)  # hooks of its agents would let everything pass without
    over = threading.Event()
    threading.Thread(target=_back_up_hourly, args=(context, over), name="backup", daemon=True).start()
    try:
        return Supervisor(context, settings, on_event).run()
    finally:
        over.set()
        with contextlib.suppress(PucsError):
            trim(context)


def _secrets(store: Store) -> dict[str, str]:
    """Return the variables with which agents reach the store; ``PUCS_STORE`` names it without its password."""
    return {} if isinstance(store, SQLiteStore) else dict(getattr(store, "secrets", {}))


def programs() -> dict[str, Program]:
    """Return the installed agent programs by name."""
    from pucs.launch.programs import loading  # noqa: PLC0415 - only to run

    return loading.programs()


def check_programs(words: Sequence[str], settings: AgentSettings) -> tuple[str, ...]:
    """Look once at each agent program among these words, before anything is started; return warnings.

    Raises:
        Usage: a word is neither a program nor a command.
        EnvironmentFailure: a program is missing, too old or does not start.
    """
    from pucs.launch.programs import loading  # noqa: PLC0415 - only to run

    return loading.checked(words, os.environ, settings)


def _back_up_hourly(context: Context, over: threading.Event) -> None:
    """Write a backup each hour of a run and keep the log within its limit; a full disk must not stop the agents, and doctor shows what is missing."""
    from pucs.coordinator.retention import trim  # noqa: PLC0415 - only to run

    while not over.wait(BACKUP_INTERVAL_S):
        with contextlib.suppress(PucsError, OSError):
            backup(context)
            trim(context)
    context.store.close()


def _named_store(store: str) -> str:
    """Return the place of a store that was named, whole: agents look for it from their own worktrees."""
    if store == IN_MEMORY or is_address(store):
        return store
    if store.lower().startswith(("http://", "https://")):
        raise Usage(
            "A server is no store that can be opened.",
            remedy="Name the store itself, in --store or PUCS_STORE; only PUCSClient takes the URL of a server.",
        )
    place = Path(store).expanduser().absolute()
    if place.is_dir():
        raise Usage(f"{place} is a directory.", remedy="Name a file in it as the store.")
    return str(place)


class _Bells:
    """Bells, loaded when somebody waits or is to be woken."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._bells: Bells | None = None

    def _made(self) -> Bells:
        if self._bells is None:
            from pucs.launch.bells import FifoBells  # noqa: PLC0415 - most commands neither wait nor ring

            self._bells = FifoBells(self._directory)
        return self._bells

    def hang(self, name: str) -> AbstractContextManager[Bell]:
        """Set up a bell."""
        return self._made().hang(name)

    def ring(self, name: str) -> None:
        """Wake a waiter."""
        self._made().ring(name)


class _Git:
    """Git's hands, imported and started only by verbs that need them; finding the repository needs neither."""

    def __init__(self, start: str) -> None:
        if not Path(start).is_dir():
            raise Usage(f"There is no directory {start}.", remedy="Name one in a git repository.")
        self._start = start
        self._repository: GitRepository | None = None
        self._worktrees: Worktrees | None = None
        self.prepared = False
        """A session was started here before."""
        self.common_dir = _common_dir(start) or self.repository.common_dir
        self.sign: Callable[[], bool] = bool
        """Tells whether agents' commits may be signed (``worktrees.sign_commits``)."""

    @property
    def repository(self) -> Repository:
        """Objects and refs."""
        return self._opened()

    @property
    def worktrees(self) -> Worktrees:
        """Agents' checkouts."""
        if self._worktrees is None:
            from pucs.git.worktrees import GitWorktrees  # noqa: PLC0415 - light verbs never need it

            self._worktrees = GitWorktrees(self._opened(), sign=self.sign)
        return self._worktrees

    def _opened(self) -> GitRepository:
        if self._repository is None:
            from pucs.git.repository import GitRepository  # noqa: PLC0415 - light verbs never need it

            # Whoever found a store has been through ``init``: an ordinary repository needs no git to be known again.
            known = GitRepository.known(self.common_dir) if self.prepared else None
            self._repository = known or GitRepository.open(self._start)
        return self._repository


def _common_dir(start: str) -> str | None:
    """Find the git common directory from any directory of a checkout, as git does; None leaves it to git."""
    if "GIT_DIR" in os.environ:
        return None
    try:
        directory = Path(start).resolve(strict=True)
    except OSError:
        return None
    for place in (directory, *directory.parents):
        dot_git = place / ".git"
        if dot_git.is_dir() and (dot_git / "HEAD").exists():
            return str(dot_git)
        if dot_git.is_file():
            linked = (
                dot_git.read_text(encoding="utf-8", errors="surrogateescape").removeprefix("gitdir:").strip()
            )
            git_dir = (place / linked).resolve()
            common = git_dir / "commondir"
            if common.exists():
                return str((git_dir / common.read_text(encoding="utf-8").strip()).resolve())
            return None
    return None
