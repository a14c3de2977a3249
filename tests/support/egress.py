"""Everything a command sends and writes: its packets in a network of its own, its files by strace.

Debian: iproute2 strace util-linux
"""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

__all__ = ["Packets", "Watched", "enter_own_network", "in_own_network", "watched"]

_WRITES = (
    "open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,"
    "link,linkat,symlink,symlinkat,truncate"
)
_PATIENCE = 60.0
"""Longest wait for a command to end (s)."""

_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FOLDER = re.compile(r'(?:AT_FDCWD|\d+)<([^>]*)>, "((?:[^"\\]|\\.)*)"')


def in_own_network(command: Sequence[str]) -> list[str]:
    """``command`` with a network, mounts and processes of its own, which end with it; needs no root."""
    unprivileged = [] if os.geteuid() == 0 else ["--map-root-user"]
    own = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["unshare", *own, *unprivileged, *command]


def enter_own_network() -> None:
    """Inside: every address in the world is this one network, so whatever is sent comes by."""
    for command in (
        "ip link set lo up",
        "ip route add local default dev lo",
        "ip -6 route add local default dev lo",
        "mount -t tmpfs none /dev/shm",
    ):
        subprocess.run(command.split(), check=True)
    # A look-up of a name becomes a packet to somebody; 192.0.2.0/24 is for documentation (RFC 5737).
    Path("resolv.conf").write_text("nameserver 192.0.2.53\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", "resolv.conf", "/etc/resolv.conf"], check=True)


class Packets:
    """Everything that crosses the network, inside ``with``."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))  # ETH_P_ALL
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.called: set[str] = set()
        """Who was called: ``tcp 127.0.0.1:1883``, ``udp 192.0.2.53:53 example.org``."""

    def __enter__(self) -> Self:
        self._socket.settimeout(0.1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        while True:
            try:
                self.called |= set(_called(self._socket.recv(65_536)))
            except TimeoutError:
                if self._ended.is_set():  # and all has been read
                    return


def _called(packet: bytes) -> Iterator[str]:
    """Who is called by it: answers of one who was called are none, nor is what says that nobody is there."""
    if packet[0] >> 4 == 4:
        protocol, body = packet[9], packet[4 * (packet[0] & 15) :]
        address = socket.inet_ntop(socket.AF_INET, packet[16:20])
    else:
        protocol, body = packet[6], packet[40:]
        address = f"[{socket.inet_ntop(socket.AF_INET6, packet[24:40])}]"
    if protocol == socket.IPPROTO_TCP:
        port, flags = struct.unpack("!2xH9xB", body[:14])
        if flags & 0x12 == 0x02:  # SYN without ACK
            yield f"tcp {address}:{port}"
    elif protocol == socket.IPPROTO_UDP:
        yield f"udp {address}:{struct.unpack('!2xH', body[:4])[0]}{_asked(body[8:])}"
    elif protocol not in {socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6}:
        yield f"protocol {protocol} {address}"


def _asked(query: bytes) -> str:
    """The name a DNS query asks for, to tell who it was."""
    labels, at = [], 12
    while at < len(query) and 0 < query[at] < 64:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    return f" {'.'.join(labels)}" if labels else ""


@dataclass(slots=True)
class Watched:
    """A command under strace."""

    process: subprocess.Popen[str]
    files: set[str] = field(default_factory=set)
    """Written, created or renamed to; known after the end."""

    told: str = ""
    """On standard output, after the end."""

    said: str = ""
    """On standard error, after the end."""


@contextmanager
def watched(
    command: Sequence[str], *, folder: Path, cwd: Path, environment: Mapping[str, str]
) -> Iterator[Watched]:
    """Run it; it is interrupted in the end if it still lives.

    Args:
        command: Program and arguments.
        folder: Private, not yet there, for the traces.
        cwd: Where it runs.
        environment: All of its environment.
    """
    folder.mkdir()
    strace = ["strace", "-qq", "-y", "--seccomp-bpf", "-ff", "-e", f"trace={_WRITES}", "-e", "signal=none"]
    with subprocess.Popen(
        [*strace, "-o", str(folder / "of"), *command],
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        seen = Watched(process)
        try:
            yield seen
        finally:
            seen.told, seen.said = _ended(process)
    for trace in folder.iterdir():
        seen.files |= set(_written(trace.read_text(errors="replace"), cwd))


def _ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Interrupt it as Ctrl-C does, all of its children too, and take what it said."""
    try:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        return process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def _written(trace: str, cwd: Path) -> Iterator[str]:
    for line in trace.splitlines():
        if not (call := _CALL.match(line)) or int(call[3]) < 0:
            continue
        name, arguments, _, opened = call.groups()
        if name.startswith("open"):
            if re.search(r"O_WRONLY|O_RDWR|O_CREAT", arguments):
                yield opened
        elif found := _FOLDER.findall(arguments):  # the last is the new name
            yield os.path.normpath(Path(*found[-1]))
        else:
            yield os.path.normpath(cwd / _QUOTED.findall(arguments)[-1])
