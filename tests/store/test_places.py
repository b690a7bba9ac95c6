"""Places: file systems that several kernels share are refused, judged by made-up mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pucs.core.errors import StoreError
from pucs.store import places

MOUNTS = """\
overlay / overlay rw,relatime 0 0
proc /proc proc rw 0 0
tmpfs /tmp tmpfs rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sda1 /home/ann/local ext4 rw 0 0
share /mnt/with\\040space 9p rw 0 0
share /mnt/tab\\011and\\134slash cifs rw 0 0
sshfs#x /mnt/ssh fuse.sshfs rw 0 0
/dev/sdb1 /mnt/ntfs fuseblk rw 0 0
nonsense
tmpfs /mnt/twice tmpfs rw 0 0
host /mnt/twice virtiofs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/x", "overlay"),
        ("/tmp/x/state.db", "tmpfs"),
        ("/tmpx/state.db", "overlay"),
        ("/home/bob/state.db", "nfs4"),
        ("/home/ann/local/state.db", "ext4"),
        ("/home/ann/locals/state.db", "nfs4"),
        ("/mnt/with space/x", "9p"),
        ("/mnt/tab\tand\\slash/x", "cifs"),
        ("/mnt/ssh/x", "fuse.sshfs"),
        ("/mnt/twice/x", "virtiofs"),
    ],
)
def test_the_deepest_and_latest_mount_counts(path: str, kind: str) -> None:
    """A path belongs to the longest mount point above it, and of two on one point to the later one."""
    assert places.file_system(Path(path), MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "virtiofs", "fuse.sshfs", "fuseblk"])
def test_shared_file_systems_are_refused_with_a_way_out(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what is wrong with the place and how to name another."""
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"x / {kind} rw 0 0\n")
    with pytest.raises(StoreError, match=kind) as caught:
        places.check_place(tmp_path / "state.db")
    assert "--store" in caught.value.remedy


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs"])
def test_local_file_systems_are_fine(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one in memory."""
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"x / {kind} rw 0 0\n")
    places.check_place(tmp_path / "state.db")


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store in a directory that is a link to a network share is on the share."""
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    monkeypatch.setattr(
        Path, "read_text", lambda *_, **__: f"x / ext4 rw 0 0\ny {tmp_path}/share nfs rw 0 0\n"
    )
    with pytest.raises(StoreError, match="nfs"):
        places.check_place(tmp_path / "link" / "state.db")


def test_without_a_list_of_mounts_every_place_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system does not tell, nothing is refused."""

    def absent(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    places.check_place(tmp_path / "state.db")
