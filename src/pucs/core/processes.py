"""The identity of a process: what makes a recycled pid a different owner (DESIGN §4)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one boot of one host, told apart from any later process with the same pid."""

    host: str
    """Name of the machine."""
    boot_id: str
    """Boot of that machine; a process of an earlier boot is dead."""
    pid_namespace: int
    """Inode of the pid namespace; a pid of another namespace cannot be judged from here."""
    pid: int
    """Process id in that namespace."""
    started: int
    """Start time in clock ticks since boot, as the kernel reports it."""

    def encode(self) -> str:
        """Return the one-line form kept in the store."""
        return f"{self.boot_id} {self.pid_namespace} {self.pid} {self.started} {self.host}"

    @staticmethod
    def decode(text: str) -> Process:
        """Return the process that ``encode`` wrote.

        Raises:
            ValueError: the text was not written by ``encode``.
        """
        boot_id, namespace, pid, started, host = text.split(" ", 4)
        return Process(host, boot_id, int(namespace), int(pid), int(started))
