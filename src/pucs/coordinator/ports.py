"""What the verbs need from the outside; hands implement these, ``wiring`` chooses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pucs.coordinator.records import CommitFacts, FactsKey, Location, Merged, Parsed, Ran
    from pucs.coordinator.tables import (
        AgentRows,
        ConflictRows,
        ConversationRows,
        EntryRows,
        HandOffRows,
        IntentionRows,
        IntentRows,
        LandingRows,
        LeaseRows,
        MessageRows,
        MoveRows,
        PartitionRows,
        RefusalRows,
        RequestRows,
        SecretRows,
        SessionRows,
        SightRows,
        TaskRows,
        TestRunRows,
        WaiverRows,
    )
    from pucs.core.instants import Instant
    from pucs.core.processes import Process
    from pucs.core.resources import Resource


class Clock(Protocol):
    """Reads the clocks of this host."""

    def now(self) -> Instant:
        """Return one reading."""
        ...


class Processes(Protocol):
    """Knows processes."""

    def current(self) -> Process:
        """Return the identity of this process."""
        ...

    def alive(self, process: Process) -> bool | None:
        """Tell whether a process lives; None where it cannot be known from here (another host or namespace)."""
        ...


class Bell(Protocol):
    """What one waiter sleeps on; made before the request is recorded, so that no ring is missed."""

    def wait(self, timeout_s: float, watched: Sequence[Process]) -> None:
        """Sleep until rung, until a watched process dies, or for ``timeout_s``; may return early."""
        ...


class Bells(Protocol):
    """Wakes waiters, in whatever process they sleep (DESIGN §3.3)."""

    def hang(self, name: str) -> AbstractContextManager[Bell]:
        """Set up the bell that ``ring(name)`` rings, and take it down at the end."""
        ...

    def ring(self, name: str) -> None:
        """Wake the waiter of that name; nothing happens if nobody waits."""
        ...


class Transaction(Protocol):
    """One transaction over all rows; reads see one moment, writes commit together or not at all."""

    @property
    def leases(self) -> LeaseRows:
        """Leases."""
        ...

    @property
    def requests(self) -> RequestRows:
        """The queue."""
        ...

    @property
    def entries(self) -> EntryRows:
        """The cross-log."""
        ...

    @property
    def agents(self) -> AgentRows:
        """Agents."""
        ...

    @property
    def sessions(self) -> SessionRows:
        """Sessions, streams, configuration."""
        ...

    @property
    def conflicts(self) -> ConflictRows:
        """Conflicts."""
        ...

    @property
    def waivers(self) -> WaiverRows:
        """Waivers of boundaries."""
        ...

    @property
    def tasks(self) -> TaskRows:
        """Tasks."""
        ...

    @property
    def landings(self) -> LandingRows:
        """Landings."""
        ...

    @property
    def intentions(self) -> IntentionRows:
        """Refs about to move."""
        ...

    @property
    def intents(self) -> IntentRows:
        """Declared plans."""
        ...

    @property
    def partitions(self) -> PartitionRows:
        """Proposals to divide a file."""
        ...

    @property
    def messages(self) -> MessageRows:
        """Messages."""
        ...

    @property
    def handoffs(self) -> HandOffRows:
        """Hand-offs."""
        ...

    @property
    def test_runs(self) -> TestRunRows:
        """Test runs."""
        ...

    @property
    def conversations(self) -> ConversationRows:
        """Conversations of agent programs."""
        ...

    @property
    def secrets(self) -> SecretRows:
        """How agents prove who they are."""
        ...

    @property
    def sights(self) -> SightRows:
        """What agents have seen of files."""
        ...

    @property
    def refusals(self) -> RefusalRows:
        """What agents were refused and nobody keeps a place for."""
        ...

    @property
    def moves(self) -> MoveRows:
        """Whole sessions on their way between stores."""
        ...

    def tokens(self, count: int) -> int:
        """Take ``count`` consecutive fencing tokens and return the first (DESIGN §3.4)."""
        ...


Ahead: TypeAlias = "Callable[[Transaction], object]"
"""Asks in advance what a transaction is about to ask; see ``Store.transaction``."""


class Store(Protocol):
    """Where the truth is kept."""

    path: str
    """Where it is, as ``--store`` names it."""

    @property
    def remark(self) -> str:
        """What its users should know of how it is reached; empty: nothing."""
        ...

    def transaction(
        self, *, durable: bool = False, ahead: Ahead | None = None
    ) -> AbstractContextManager[Transaction]:
        """Open the one write transaction, behind the gate; ``durable`` syncs it to disk before returning.

        ``ahead`` asks what will most likely be asked in it, of rows that answer nothing and know the sessions as they were: a
        store that is far away fetches the answers with the opening. What it leaves out, or guesses wrongly, is asked later.

        Raises:
            StoreBusy: the gate stayed taken beyond its bound; the message names the holder.
            StoreError: the disk or the database failed; nothing was changed.
        """
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a read transaction; it takes no gate and waits for nobody."""
        ...

    def version(self) -> int:
        """Return a number that changes whenever anybody commits; cheap enough to poll for display."""
        ...

    def check(self) -> list[str]:
        """Return what an integrity check finds wrong; empty when the store is sound."""
        ...

    def close(self) -> None:
        """Close this thread's connection; the next use opens another."""
        ...


class Repository(Protocol):
    """The shared object store and refs; never writes to anyone's checkout."""

    root: str
    """Absolute path of the main checkout."""
    common_dir: str
    """Absolute path of the git common directory."""

    def head(self) -> tuple[str, str]:
        """Return commit and branch name (empty if detached) of the main checkout."""
        ...

    def resolve(self, revision: str) -> str | None:
        """Return the commit a revision names, None if there is none."""
        ...

    def move_ref(self, ref: str, new: str, old: str | None) -> bool:
        """Compare-and-swap a full ref name; ``old`` None: it must not exist. False if it was not as expected."""
        ...

    def make_refs(self, refs: Sequence[str], start: str) -> None:
        """Make those of these full ref names that do not exist, at a commit; the others stay as they are."""
        ...

    def refs(self, prefix: str) -> dict[str, str]:
        """Return refs below a prefix with the commits they point at."""
        ...

    def contains(self, descendant: str, ancestor: str) -> bool:
        """Tell whether ``ancestor`` is reachable from ``descendant``."""
        ...

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor of two commits, None if their histories have nothing in common."""
        ...

    def changed(self, base: str, tip: str) -> list[Resource]:
        """Return the path resources that differ between two commits' trees."""
        ...

    def merge(self, ours: str, theirs: str) -> Merged:
        """Merge two commits three-way without any worktree."""
        ...

    def blobs(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the blobs of these names (ids, or ``commit:path``); None: there is none, or it is larger than 8 MiB."""
        ...

    def tree_replacing(self, tree: str, files: Mapping[Resource, tuple[str, bytes]]) -> str:
        """Return a tree in which these files have this mode and content, and all others are as in ``tree``."""
        ...

    def merge_file(self, base: bytes, ours: bytes, theirs: bytes) -> tuple[bytes, int]:
        """Merge two changes of one file line by line; return the result and in how many places both change the same.

        Raises:
            GitError: the content is binary.
        """
        ...

    def commit(self, tree: str, parents: Sequence[str], message: str, *, author: str) -> str:
        """Write a commit object; ``author`` is an agent id used where the user has no identity configured."""
        ...

    def commits(self, base: str, *tips: str, also_not: Sequence[str] = ()) -> list[CommitFacts]:
        """Return the commits reachable from any of ``tips`` and neither from ``base`` nor ``also_not``, oldest first.

        Names among ``also_not`` that do not exist exclude nothing.
        """
        ...

    def message(self, commit: str) -> str:
        """Return the whole message of a commit."""
        ...

    def tree_with(self, commit: str, resources: Sequence[Resource], base: str) -> str:
        """Return the tree of ``commit`` in which these paths are as they are in ``base``, absent ones included."""
        ...

    def content(self, commit: str, resource: str) -> bytes | None:
        """Return what a commit holds in a file (of a symbol: in its file), None if it has none there.

        Raises:
            Refused: it is no regular file there, or larger than 8 MiB.
        """
        ...

    def patch(self, base: str, tip: str, resources: Sequence[Resource]) -> str:
        """Return the changes between two commits (of these paths, if any are named) as a patch, cut if it is huge."""
        ...

    def files(self, commit: str) -> list[str]:
        """Return the real paths of all files of a commit."""
        ...

    def checkout_of(self, branch: str) -> str | None:
        """Return the worktree that has a branch checked out, None if nobody has."""
        ...

    def hooks_directory(self) -> str:
        """Return the absolute path of the directory in which git looks for the main checkout's hooks."""
        ...

    def ignores(self, path: str) -> bool:
        """Tell whether git leaves a path of the main checkout out, whether it exists or not."""
        ...

    def tracks(self, path: str) -> bool:
        """Tell whether a path of the main checkout is in its index."""
        ...


class Worktrees(Protocol):
    """Agents' checkouts on disk."""

    def create(self, path: str, branch: str, start: str) -> None:
        """Add a worktree with a new branch (or the existing one) from ``start``; creation is serialised.

        Raises:
            GitError: git refused; nothing is left behind.
            EnvironmentFailure: the place cannot be written.
        """
        ...

    def detached(self, commit: str) -> AbstractContextManager[str]:
        """Give a throwaway detached worktree of a commit, removed at the end."""
        ...

    def remove(self, path: str, safe: Sequence[str]) -> None:
        """Remove a worktree whose work is safe elsewhere; its branch stays.

        Raises:
            Refused: it has uncommitted changes, or its HEAD is reachable from none of the revisions ``safe``.
        """
        ...

    def paths(self) -> dict[str, str]:
        """Return every worktree path of the repository with its branch (empty if detached)."""
        ...

    def head(self, path: str) -> str:
        """Return the commit a worktree has checked out."""
        ...

    def branch(self, path: str) -> str:
        """Return the branch a worktree has checked out, empty if detached (also while a rebase goes on).

        Raises:
            GitError: there is no worktree any more.
        """
        ...

    def dirty(self, path: str) -> list[Resource]:
        """Return the path resources with uncommitted changes, untracked files included, ignored ones not."""
        ...

    def staged(self, path: str, *, index: str = "") -> list[Resource]:
        """Return the path resources that the next commit of a worktree would change; ``index``: another index file."""
        ...

    def commit(
        self, path: str, message: str, *, author: str, only: Sequence[Resource] | None = None
    ) -> str | None:
        """Commit the uncommitted changes (of ``only`` these paths) and return the commit, None if there were none.

        The user's commit hooks run, with a timeout; a hook that refuses raises GitError with what it printed.
        """
        ...

    def snapshot(
        self, path: str, message: str, *, author: str, only: Sequence[Resource] | None = None
    ) -> str | None:
        """Write the worktree's current content as a commit on top of its HEAD, through a temporary index.

        HEAD, index and files stay as they are; works beside a stale ``index.lock``. None if nothing differs.
        """
        ...

    def restore(self, path: str, resources: Sequence[Resource]) -> None:
        """Set paths of an agent's own worktree back to its HEAD; new files are removed. Snapshot first."""
        ...

    def clear_stale_locks(self, path: str) -> list[str]:
        """Remove what a killed git left locked in the worktree of an agent that is dead, and return the removed files.

        Raises:
            GitError: a lock is so young that git may be at work.
        """
        ...

    def advance(self, path: str, commit: str) -> None:
        """Fast-forward a clean worktree and its branch to a commit that contains its HEAD."""
        ...

    def copy(self, path: str, patterns: Sequence[str]) -> None:
        """Copy files that git does not track from the main checkout, where the worktree lacks them."""
        ...

    def locate(self, directory: str, name: str) -> Location:
        """Tell where a name leads that a program uses in a directory; cheap, and nothing of it needs to exist.

        Raises:
            Usage: no file system has such a name.
        """
        ...

    def ignored(self, path: str, resources: Sequence[Resource]) -> set[Resource]:
        """Return those of these paths that git ignores in a worktree, so that they never land."""
        ...

    def merging(self, path: str) -> bool:
        """Tell whether a worktree is in the middle of a merge or the like; what differs there is not all its agent's."""
        ...

    def canonical(self, path: str, names: Iterable[str]) -> tuple[Resource, ...]:
        """Return the canonical resources of names as a caller in that worktree writes them.

        A symlink yields both itself and its target; an existing directory is recognised without its slash.

        Raises:
            Usage: a name is outside the repository, also through a symlink.
        """
        ...

    def read(self, path: str, resource: str) -> bytes | None:
        """Return what a worktree holds in a file (of a symbol: in its file), None if there is none.

        Nothing outside the worktree is ever read: no symlink is followed.

        Raises:
            Refused: it is no regular file, lies behind a symlink, or is larger than 8 MiB.
        """
        ...

    def run(self, path: str, command: str, *, timeout_s: float) -> Ran:
        """Run a shell command of the user's in a worktree, in its own process group; nothing of it is left running."""
        ...

    def note(self, path: str, resource: str) -> str:
        """Describe a file (lstat and content hash) so that an unchanged one is recognised without git."""
        ...


class Git(Protocol):
    """Git's hands, made when first used: verbs that only touch the store never load them."""

    common_dir: str
    """Absolute path of the git common directory."""

    @property
    def repository(self) -> Repository:
        """Objects and refs."""
        ...

    @property
    def worktrees(self) -> Worktrees:
        """Agents' checkouts."""
        ...


class Sources(Protocol):
    """The tracked files of one checkout, for who wants to understand them; nothing is ever written."""

    root: str
    """Absolute path of the checkout's top."""

    def listing(self) -> dict[str, str]:
        """Return the tracked regular files that the checkout holds, by real path, sorted, each with its git blob id.

        A file that was changed since it was last staged has the id of what it holds now. Symlinks (their targets are
        listed if they are tracked), submodules and files that are not checked out are left out: see ``notes``.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """Return what the last ``listing`` left out, in sentences."""
        ...

    def newest(self) -> str:
        """Return a word that stands for the history at hand: the commit checked out, and whether it is cut short."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return what a file holds now; None: it is no regular file any more, or cannot be read, or is too large."""
        ...

    def history(self, commits_max: int) -> list[tuple[int, tuple[str, ...]]]:
        """Return the newest commits with a single parent: seconds since the epoch, and the real paths they changed."""
        ...


class Replacing(Protocol):
    """Replaces tracked files of one checkout, for a person who asked for it."""

    def uncommitted(self) -> frozenset[str] | None:
        """Return the tracked files that differ from the commit checked out; None: there is no commit yet."""
        ...

    def replace(self, path: str, before: bytes, after: bytes) -> None:
        """Replace the content of a file, as a whole or not at all.

        Raises:
            Refused: it does not hold ``before`` any more, or lies behind a symlink.
            EnvironmentFailure: it cannot be written.
        """
        ...


class Index(Protocol):
    """Keeps what was told of files, by their content; it may forget anything at any time."""

    def kept(self, keys: Collection[FactsKey]) -> dict[FactsKey, bytes]:
        """Return what is kept for some of these keys."""
        ...

    def keep(self, facts: Mapping[FactsKey, bytes]) -> None:
        """Keep these as well; where that is not possible ``trouble`` says why."""
        ...

    def trouble(self) -> str:
        """Return why nothing is kept, in a sentence; empty: all is well."""
        ...


class Parsers(Protocol):
    """Tells the facts of many files, side by side where that pays; nothing that is read is executed."""

    def parsed(self, root: str, files: Mapping[str, str]) -> Iterator[Parsed]:
        """Give the packed facts of files below a checkout's top (path to blob id), each once, in any order.

        A file on which a parser does not come back or dies has a problem among its facts. Leaving the iteration
        early ends whatever it started.
        """
        ...
