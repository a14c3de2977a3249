"""Installs this tree on a booted Debian, as people do, and uses it: root, broker, camera, systemd are real.

``PYTHONPATH=tests python tests/bench/appliance.py trixie`` (or bookworm), as root, with systemd-container
and debootstrap, a network for pip, and port 1883 free. The Debian is made once in --roots (half a GB) and
copied for each run. A camera plays the demo scene; the broker is the shipped one. Each line is a check; exit
code 1 if one fails. Figures are of this box, as busy as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from support.camera import camera
from support.daemon import SCENE

from vser_stream.adapters.audio.recording import Recording

PROJECT = Path(__file__).parents[2]
PACKAGES = (
    "systemd,systemd-sysv,dbus,python3,python3-venv,libportaudio2,mosquitto,mosquitto-clients,"
    "ca-certificates,iproute2,procps"
)
PASSWORD = "a-long-secret-of-home-1"  # noqa: S105 - of a broker that lives for a minute
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONFIG = """
site = "home-1"
[mqtt]
host = "127.0.0.1"
username = "home-1"
password_file = "$CREDENTIALS_DIRECTORY/mqtt-password"
[[sources]]
name = "bedroom"
url = "{url}"
[[sources]]
name = "hall"
url = "{url}"
[reasoner]
backend = "none"
"""


@dataclass
class Box:
    """A booted Debian."""

    root: Path
    leader: int
    failed: list[str] = field(default_factory=list)

    def run(self, command: str, *, timeout: float = 900.0) -> subprocess.CompletedProcess[str]:
        """Run a command there, as root."""
        passed = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        passed |= {"PROGRESS_EVERY": "2", "PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}
        enter = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "--"]
        return subprocess.run(
            [*enter, "bash", "-c", command],
            env=passed,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def said(self, command: str) -> str:
        """What a command prints."""
        return self.run(command).stdout.strip()

    def check(self, what: str, good: object, told: str = "") -> None:
        """Print a line."""
        print(f"{'ok  ' if good else 'FAIL'} {what}{': ' if told else ''}{told}", flush=True)
        if not good:
            self.failed.append(what)

    def done(self, what: str, command: str, *, code: int = 0) -> str:
        """Run a command that must end with ``code``; return all it said."""
        began = time.monotonic()
        done = self.run(command)
        said = (done.stdout + done.stderr).strip()
        last = (done.stdout.strip() or done.stderr.strip() or " ").splitlines()[-1]
        good = done.returncode == code
        self.check(
            f"{what} ({time.monotonic() - began:.1f} s)",
            good,
            last if good else f"{done.returncode} {said[-1500:]}",
        )
        return said

    def until(self, condition: Callable[[], object], *, within: float) -> float | None:
        """Time until a condition holds (s); None if it does not."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > within:
                return None
            time.sleep(0.1)
        return time.monotonic() - began


@contextlib.contextmanager
def booted(suite: str, roots: Path) -> Iterator[Box]:
    """A fresh Debian."""
    base = roots / suite
    if not base.exists():
        half = roots / f"{suite}.half"
        shutil.rmtree(half, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(half)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        half.rename(base)
    with tempfile.TemporaryDirectory(dir=roots, ignore_cleanup_errors=True) as folder:
        root = Path(folder, suite)
        subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
        authorities = Path("/etc/ssl/certs/ca-certificates.crt")
        if authorities.exists():  # a house may have one of its own
            shutil.copy(authorities, root / authorities.relative_to("/"))
        command = ["systemd-nspawn", "-q", "-D", str(root), "--register=no", "--keep-unit", "--boot"]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        ) as nspawn:
            try:
                children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
                while not (found := children.read_text().split()):
                    time.sleep(0.1)
                box = Box(root, int(found[0]))
                up = box.until(
                    lambda: box.said("systemctl is-system-running 2>/dev/null") in {"running", "degraded"},
                    within=120,
                )
                version = box.said("systemctl --version | head -n 1; python3 --version").replace("\n", ", ")
                box.check(f"{suite} has booted", up, version)
                yield box
            finally:
                if nspawn.poll() is None:
                    with contextlib.suppress(IndexError, ValueError, ProcessLookupError):
                        # Power off, see systemd(1).
                        os.kill(int(children.read_text().split()[0]), signal.SIGRTMIN + 4)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        nspawn.wait(20)
                    nspawn.kill()


def tree(box: Box, name: str, *, commit: str | None) -> str:
    """A clone in the Debian that belongs to somebody else; return its path there."""
    there = box.root / "home" / name
    there.mkdir(parents=True)
    archive = (
        ["git", "-C", str(PROJECT), "archive", commit]
        if commit
        else ["tar", "-C", str(PROJECT), "-c", "--exclude=./.git", "--exclude=./.venv", "."]
    )
    with subprocess.Popen(archive, stdout=subprocess.PIPE) as packed:
        subprocess.run(["tar", "-x", "-C", str(there)], stdin=packed.stdout, check=True)
    subprocess.run(["chown", "-R", "1000:1000", str(there)], check=True)
    return f"/home/{name}"


def files(box: Box, clone: str) -> str:
    return box.said(f"find {clone} ! -name __pycache__ ! -name '*.pyc' -printf '%p %u\\n' | sort")


def main() -> int:
    """Install, use, break, upgrade, uninstall."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suite", nargs="?", default="trixie", help="bookworm, trixie")
    parser.add_argument("--roots", type=Path, default=Path("/var/tmp/vser-roots"))  # noqa: S108 - large, and kept
    parser.add_argument("--upgrade-from", metavar="COMMIT", help="install this one first")
    given = parser.parse_args()
    given.roots.mkdir(parents=True, exist_ok=True)
    with booted(given.suite, given.roots) as box, tempfile.TemporaryDirectory() as folder:
        scene = [block.pcm for block in Recording(SCENE).blocks(lambda: False)]

        with camera(np.concatenate(scene), Path(folder)) as served:
            config = CONFIG.format(url=served.url("pcma"))
            everything(box, config, given.upgrade_from)
    print(f"{len(box.failed)} failed" + "".join(f"\n  {what}" for what in box.failed))
    return bool(box.failed)


def everything(box: Box, config: str, old: str | None) -> None:
    etc = box.root / "etc/vser-stream"
    box.run("useradd -m carer; useradd -m stranger")
    if old:
        clone = tree(box, "old", commit=old)
        box.done("the old release is installed", f"cd {clone} && deploy/install.sh --no-reasoner --broker")
        prepare(box, etc, config)
        box.done("it runs", "systemctl start vser-stream && systemctl is-active vser-stream")
        time.sleep(10)
        dynamic = box.said("ls -ld /var/lib/vser-stream")
        box.check("its state is a dynamic user's", "private" in dynamic, dynamic)
    clone = tree(box, "new", commit=None)
    before = files(box, clone)
    said = box.done(
        "installed with umask 077 from somebody else's clone",
        f"cd {clone} && umask 077 && deploy/install.sh --no-reasoner --broker",
    )
    box.check("it says what it is at", re.search(r"still at it, \d+ min", said), "")
    box.check("nothing is left in the clone", files(box, clone) == before)
    if not old:
        prepare(box, etc, config)
        box.done("first start", "systemctl start vser-stream && systemctl is-active vser-stream")
    box.run("usermod -aG vser-stream carer")
    state = box.said(
        "cd /var/lib && stat -c '%U:%G %a' vser-stream vser-stream/outbox.db | xargs; "
        "test ! -L vser-stream && echo no-link"
    )
    box.check(
        "state",
        state == "vser-stream:vser-stream 750 vser-stream:vser-stream 640\nno-link",
        state.replace("\n", " "),
    )
    use(box, etc, config)
    second(box, clone, etc)
    uninstall(box, clone)
    demo(box, clone)


def prepare(box: Box, etc: Path, config: str) -> None:
    """Broker with users and without TLS; configuration and password."""
    box.run(
        "cd /etc/mosquitto; sed -i '/^listener 8883/,$d' conf.d/vser-stream.conf; "
        "touch passwords; chmod 600 passwords; chown mosquitto: passwords"
    )
    for user in ("home-1", "dispatcher"):
        box.run(f"mosquitto_passwd -b /etc/mosquitto/passwords {user} {PASSWORD}")
    box.done("the shipped broker runs", "systemctl restart mosquitto && systemctl is-active mosquitto")
    (etc / "vser.toml").write_text(config)
    (etc / "credentials/mqtt-password").write_text(PASSWORD + "\n")
    (etc / "credentials/mqtt-password").chmod(0o600)


def use(box: Box, etc: Path, config: str) -> None:
    status = "systemctl show -p StatusText --value vser-stream"
    took = box.until(lambda: "2 of 2 sources monitored; broker connected" in box.said(status), within=60)
    box.check("both sources are heard", took, box.said(status))
    began = time.monotonic()
    box.run("systemctl restart vser-stream")
    box.check(
        "restart until active",
        box.said("systemctl is-active vser-stream") == "active",
        f"{time.monotonic() - began:.1f} s",
    )
    box.until(lambda: "2 of 2 sources monitored; broker connected" in box.said(status), within=60)
    box.check(
        "security",
        "1." in box.said("systemd-analyze security vser-stream | tail -n 1"),
        box.said("systemd-analyze security vser-stream | tail -n 1"),
    )
    box.done("doctor as root, without exported variables", "vser-stream doctor")
    box.done("calibrate as root", "vser-stream calibrate bedroom --seconds 20")
    box.run("cd /etc/vser-stream/credentials; chown root:vser-stream mqtt-password; chmod 640 mqtt-password")
    carer = "runuser -u carer -- vser-stream"
    box.done("calibrate as a member of the group", f"{carer} calibrate hall --seconds 20")
    box.done("records as a member", f"{carer} records verify")
    box.done("outbox as a member", f"{carer} outbox ls --json")
    box.done("a stranger is refused", "runuser -u stranger -- vser-stream calibrate hall", code=2)
    box.done("a member cannot delete audit records", f"{carer} purge --all --yes", code=2)
    sub = (
        f"mosquitto_sub -h 127.0.0.1 -u dispatcher -P {PASSWORD} -t 'vser/v1/home-1/bedroom/state' -C 1 -W 5"
    )
    alarm = box.until(lambda: '"condition":"panic"' in box.said(sub), within=120)
    box.check("a panic is raised", alarm)
    first = json.loads(box.said(sub) or "{}").get("alert_id")
    began = time.monotonic()
    box.run("systemctl kill -s KILL vser-stream")
    box.until(lambda: box.said("systemctl is-active vser-stream") != "active", within=5)
    again = box.until(lambda: box.said("systemctl is-active vser-stream") == "active", within=60)
    box.check("kill -9: active again", again, f"{time.monotonic() - began:.1f} s")
    box.until(lambda: "2 of 2 sources monitored; broker connected" in box.said(status), within=60)
    then = json.loads(box.said(sub) or "{}").get("alert_id")
    box.check("the same alarm after it", first and first == then, f"{first} {then}")
    box.done("ack as a member", f"{carer} ack {str(then)[:8]}")
    box.done("pause as root", "vser-stream pause hall --minutes 1")
    reload(box, etc, config, status)
    journal(box)
    began = time.monotonic()
    box.run("systemctl stop vser-stream")
    box.check(
        "stop", box.said("systemctl is-active vser-stream") == "inactive", f"{time.monotonic() - began:.1f} s"
    )
    box.done("records of a stopped daemon, as a member", f"{carer} records verify")
    box.done("calibrate without a daemon says what to do", "vser-stream calibrate hall", code=5)
    began = time.monotonic()
    box.run("systemctl start vser-stream")
    box.check(
        "start until active",
        box.said("systemctl is-active vser-stream") == "active",
        f"{time.monotonic() - began:.1f} s",
    )


def reload(box: Box, etc: Path, config: str, status: str) -> None:
    box.done("reload of a good file", "systemctl reload vser-stream")
    (etc / "vser.toml").write_text(config.replace("bedroom", "bed room"))
    box.done("reload of a broken file", "systemctl reload vser-stream", code=1)
    box.check(
        "goes on and says so", "invalid configuration" in box.said(f"sleep 2; {status}"), box.said(status)
    )
    (etc / "vser.toml").write_text(config)
    box.done(
        "reload of the good file again", "systemctl reload vser-stream && systemctl is-active vser-stream"
    )


def journal(box: Box) -> None:
    entries = [
        json.loads(line)
        for line in box.said("journalctl -u vser-stream -o json --no-pager _COMM=vser-stream").splitlines()
    ]
    ours = [
        entry
        for entry in entries
        if entry.get("_SYSTEMD_INVOCATION_ID") == entries[-1].get("_SYSTEMD_INVOCATION_ID")
    ]
    counts = {number: sum(one["PRIORITY"] == number for one in ours) for number in "34567"}
    box.check("journal: warnings and infos of the running one", counts["4"] + counts["6"], f"{counts}")
    words = [str(one["MESSAGE"]) for one in ours]
    coloured = [one for one in words if "\\x1b" in one or "27, 91" in one or "\x1b" in one]
    box.check("no colours", not coloured, "; ".join(coloured)[:200])
    dated = [one for one in words if re.match(r"\d{4}-\d\d-\d\d ", one)]
    box.check("one time for each line", not dated, "; ".join(dated)[:200])
    everything = box.said("journalctl --no-pager -o cat")
    box.check(
        "no password in the journal", PASSWORD not in everything, f"{len(everything.splitlines())} lines"
    )
    for one in words[:12]:
        print(f"       {one[:150]}")


def second(box: Box, clone: str, etc: Path) -> None:
    kept = (etc / "vser.toml").read_text()
    box.done("installed once more", f"cd {clone} && deploy/install.sh --no-reasoner")
    box.check("it runs on", box.said("systemctl is-active vser-stream") == "active")
    box.check("the configuration was kept", (etc / "vser.toml").read_text() == kept)


def uninstall(box: Box, clone: str) -> None:
    said = box.done("uninstalled", f"cd {clone} && deploy/install.sh --uninstall")
    box.check("the broker forgot the site", "retained messages deleted" in said, said.replace("\n", "; "))
    left = box.run(
        f"mosquitto_sub -h 127.0.0.1 -u dispatcher -P {PASSWORD} -t 'vser/v1/#' --retained-only -W 3"
    )
    silence = 27  # mosquitto_sub(1): nothing came in time
    box.check("nothing retained is left", left.returncode == silence and not left.stdout, left.stdout[:200])
    box.check(
        "unit and program are gone",
        box.run(
            "systemctl cat vser-stream; test -e /opt/vser-stream || test -e /usr/local/bin/vser-stream"
        ).returncode
        != 0,
    )
    box.check(
        "state and configuration are kept",
        box.run("test -e /var/lib/vser-stream/outbox.db && test -e /etc/vser-stream/vser.toml").returncode
        == 0,
    )


def demo(box: Box, clone: str) -> None:
    """What demo.sh and tests/run.sh install leaves no service behind."""
    box.run("apt-get purge -y -qq mosquitto; rm -rf /etc/mosquitto")
    box.done(
        "Mosquitto's program for the demo",
        f"cd {clone} && source deploy/venv.sh && install_broker && command -v mosquitto",
    )
    enabled = box.said(
        "systemctl is-enabled mosquitto; systemctl is-active mosquitto; "
        "test -e /run/systemd/system/mosquitto.service && echo masked"
    )
    box.check(
        "no service is left behind", enabled.split() == ["disabled", "inactive"], enabled.replace("\n", " ")
    )


if __name__ == "__main__":
    sys.exit(main())
