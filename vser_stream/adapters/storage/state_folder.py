"""The folder of everything that must survive a restart, and the one agent that may use it."""

from __future__ import annotations

import errno
import fcntl
import os
import weakref
from pathlib import Path

__all__ = ["InUseError", "StateFolder"]

_CANNOT_LOCK = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF}
"""A network file system has no locks, or (NFS) none on a folder."""


class InUseError(OSError):
    """The folder is another agent's: two would number the same alarms."""

    def __init__(self, words: str) -> None:
        super().__init__(errno.EBUSY, words)


class StateFolder:
    """Makes the folder, and claims it for as long as this object lives.

    The claim is a lock of the kernel on the folder itself (flock): it needs no room on the disk, and it ends
    with the process, however that ends. Whoever only reads there does not ask for it.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._release: weakref.finalize[..., StateFolder] | None = None

    def claim(self) -> None:
        """Return when the folder is there and ours; the first time is the one that counts.

        Where the file system has no locks, it is ours unasked.

        Raises:
            InUseError: Another agent has it, or it is the service's.
            OSError: It cannot be made or written to.
        """
        if self._release is not None:
            return
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.geteuid() == 0 != self.path.stat().st_uid:
            # What root makes there the service could not use later.
            raise InUseError(
                f"{self.path}: belongs to the service; start the service: systemctl start vser-stream"
            )
        lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise InUseError(
                f"another vser-stream uses the state folder {self.path}; "
                "stop it, or give this one a state_dir of its own"
            ) from None
        except OSError as exc:
            if exc.errno not in _CANNOT_LOCK:
                os.close(lock)
                raise
        self._release = weakref.finalize(self, os.close, lock)

    def release(self) -> None:
        """Let another agent have it."""
        if self._release is not None:
            self._release()
            self._release = None
