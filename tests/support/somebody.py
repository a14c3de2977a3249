"""Somebody else on this box: another user, who is in the group of a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["as_member"]

NOBODY = 65534

BECOME = """
import os
if os.geteuid() == 0:  # only now: nobody else may read root's Python
    os.setgroups([])
    os.setgid({gid})
    os.setuid({uid})
main()
"""


def as_member(folder: Path, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Call ``main()`` of a program as a user who may enter and read ``folder``, but not write in it.

    Root becomes another user, in the folder's group; anybody else gives up the right to write.
    """
    root = os.geteuid() == 0
    folder.chmod(0o750 if root else 0o550)
    for parent in folder.parents if root else ():
        if parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(parent.stat().st_mode | 0o011)
    become = BECOME.format(gid=folder.stat().st_gid, uid=NOBODY)
    try:
        return subprocess.run(
            [sys.executable, "-c", program + become, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        folder.chmod(0o750)
