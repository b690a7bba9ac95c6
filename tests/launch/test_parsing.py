"""Many files are parsed side by side, and none of them can hang, kill or outlive the whole."""

import hashlib
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pucs.core.errors import EnvironmentFailure
from pucs.launch.parsing import BYTES_ALONE_MAX, FILES_ALONE_MAX, ProcessParsers
from pucs.syntax.definitions import SOURCE_BYTES_MAX
from pucs.syntax.facts import FileFacts
from pucs.syntax.packing import unpacked
from pucs.syntax.python_facts import python_facts

pytestmark = pytest.mark.process

MANY = FILES_ALONE_MAX + 60
LARGE = b"class C:\n    def m(self, a): return [a.b(c) for c in range(10)]\n" * 2500


def blob(content: bytes, method: str = "sha1") -> str:
    return hashlib.new(method, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def write(root: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Write files and return their blob ids, as a listing would."""
    for name, content in files.items():
        (root / name).write_bytes(content)
    return {name: blob(content) for name, content in files.items()}


def told(
    parsers: ProcessParsers, root: Path, listing: dict[str, str]
) -> dict[str, tuple[FileFacts | None, bool]]:
    found = {}
    for path, data, lasting in parsers.parsed(str(root), listing):
        assert path not in found, "each once"
        found[path] = (unpacked(data) if data else None, lasting)
    return found


def children() -> set[int]:
    """Return the processes that this one has started and that are still there, those of other tests among them."""
    found: set[int] = set()
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with suppress(FileNotFoundError):
            found.update(map(int, (task / "children").read_text().split()))
    return found


def many() -> dict[str, bytes]:
    return {f"m{number}.py": b"import a%d\n" % number for number in range(MANY)}


def test_facts_are_those_of_the_files_however_many_there_are(tmp_path: Path) -> None:
    """In this process or in others: the same answers."""
    files = many()
    listing = write(tmp_path, files)
    expected = {name: (python_facts(content), True) for name, content in files.items()}
    assert told(ProcessParsers(2), tmp_path, listing) == expected
    few = dict(list(listing.items())[:5])
    assert told(ProcessParsers(2), tmp_path, few) == {name: expected[name] for name in few}


def test_few_small_files_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look after one edit costs no start of an interpreter; one large file is worth it."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    listing = write(tmp_path, {"a.py": b"import b\n"})
    assert told(ProcessParsers(), tmp_path, listing)["a.py"][1]
    with pytest.raises(EnvironmentFailure, match="cannot be started"):
        told(ProcessParsers(), tmp_path, write(tmp_path, {"a.py": b"#" * (BYTES_ALONE_MAX + 1)}))


def test_a_program_that_cannot_be_loaded_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a problem of each of a thousand files; its own words are told."""
    before = children()
    monkeypatch.setattr(sys, "path", ["/nowhere"])
    with pytest.raises(EnvironmentFailure, match="No module named 'pucs'"):
        told(ProcessParsers(2), tmp_path, write(tmp_path, many()))
    assert children() <= before


def test_only_files_themselves_are_read(tmp_path: Path) -> None:
    """Links, pipes, directories and what is gone have no facts; nothing waits for them."""
    root = tmp_path / "root"
    root.mkdir()
    listing = write(root, {"kept.py": b""})
    (tmp_path / "secret.py").write_text("import secret\n")
    (root / "link.py").symlink_to(tmp_path / "secret.py")
    os.mkfifo(root / "pipe.py")
    (root / "directory.py").mkdir()
    odd = ("link.py", "pipe.py", "directory.py", "gone.py", "kept.py/below.py")
    found = told(ProcessParsers(2), root, {**dict.fromkeys(odd, "0" * 40), **listing})
    assert {name: found[name] for name in odd} == dict.fromkeys(odd, (None, False))
    assert found["kept.py"] == (FileFacts(found["kept.py"][0].language, 0), True)  # type: ignore[union-attr]
    assert len(found) == len(odd) + len(listing)


def test_only_facts_of_the_blob_that_was_asked_for_last(tmp_path: Path) -> None:
    """A file that changed meanwhile has facts, but not those; other ends of lines are no change; nor is the method."""
    crlf, large = b"import a\r\nimport b\r\n", b"#" * (SOURCE_BYTES_MAX + 9)
    listing = write(
        tmp_path, {"changed.py": b"import c\n", "crlf.py": crlf, "long.py": b"\n", "large.py": large}
    )
    listing["changed.py"] = blob(b"import d\n")
    listing["crlf.py"] = blob(crlf.replace(b"\r\n", b"\n"))
    listing["long.py"] = blob(b"\n", "sha256")
    found = told(ProcessParsers(1), tmp_path, listing)
    assert {name: lasting for name, (_, lasting) in found.items()} == {
        "changed.py": False, "crlf.py": True, "long.py": True, "large.py": True,
    }  # fmt: skip
    facts = found["changed.py"][0]
    assert facts is not None
    assert [fact.module for fact in facts.imports] == ["c"]


def test_a_file_that_takes_too_long_is_a_problem_of_its_own(tmp_path: Path) -> None:
    """The process that was at it ends, another one goes on; the next run need not try again."""
    listing = write(tmp_path, {"slow.py": LARGE, **many()})
    found = told(ProcessParsers(1, cpu_s_max=0.05), tmp_path, listing)
    slow, lasting = found.pop("slow.py")
    assert slow is not None
    assert (slow.problem, lasting) == ("takes more than 0 s to parse", True)
    assert all(facts and not facts.problem for facts, _ in found.values())
    assert len(found) == MANY


def test_a_process_that_dies_takes_one_file_with_it(tmp_path: Path) -> None:
    """The others are parsed by its successor; what happened is not kept."""
    before = children()
    listing = write(tmp_path, many())
    parsed = ProcessParsers(1).parsed(str(tmp_path), listing)
    found = {}
    for path, data, lasting in parsed:
        found[path] = (unpacked(data), lasting)
        if len(found) == 1:
            [child] = children() - before
            os.kill(child, signal.SIGKILL)
    assert found.keys() == listing.keys()
    lost = [(facts.problem, lasting) for facts, lasting in found.values() if facts and facts.problem]
    assert lost == [("the parser died of signal 9", False)]


def test_leaving_early_ends_every_process(tmp_path: Path) -> None:
    """Whoever stops listening leaves nothing running."""
    before = children()
    parsed = ProcessParsers(2).parsed(str(tmp_path), write(tmp_path, many()))
    next(parsed)
    assert children() - before
    parsed.close()  # type: ignore[attr-defined]
    assert children() <= before


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_processes_end_with_whoever_started_them(tmp_path: Path, number: int) -> None:
    """After ^C, and after a kill -9 that nobody can answer."""
    write(tmp_path, many())
    program = """
import sys, os
from pathlib import Path
from pucs.launch.parsing import ProcessParsers
files = {path.name: "0" * 40 for path in Path(sys.argv[1]).iterdir()}
for _ in ProcessParsers(2).parsed(sys.argv[1], files):
    print(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(), flush=True)
    sys.stdin.read()
"""
    call = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(
        call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        started = [os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(started) == 2
        parent.send_signal(number)
        for each in started:
            assert select.select([each], [], [], 30)[0], "still running"
            os.close(each)
