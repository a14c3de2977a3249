#!/usr/bin/env bash
# vser-stream beside a real Home Assistant: its own config flow, its own registries, its own log. Not part of the suite.
#
#     tests/home_assistant/try.sh [FOLDER]     as root, on Debian or Ubuntu with debootstrap and mosquitto
#
# Makes a Debian 13 root in FOLDER (once; 1.5 GB), installs Home Assistant there, runs it in a network of its own with
# a Mosquitto and the daemon of this checkout (from .venv), and says what it made of them. The folder may be deleted.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$(realpath -m "${1:-/var/tmp/vser-home-assistant}")
release=2026.2.3

if [[ ! -x $root/usr/bin/python3 ]]; then
  debootstrap --variant=minbase --include=python3,python3-venv,python3-dev,ca-certificates,gcc,g++,libc6-dev,libffi-dev \
    trixie "$root" http://deb.debian.org/debian
fi
unmount() { umount "$root/proc" "$root/dev" 2>/dev/null || true; }
trap unmount EXIT
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
mountpoint -q "$root/dev" || mount --bind /dev "$root/dev"
if [[ ! -x $root/opt/hass/bin/hass ]]; then
  cp --remove-destination "$(realpath /etc/resolv.conf)" "$root/etc/resolv.conf"
  chroot "$root" python3 -m venv /opt/hass
  chroot "$root" /opt/hass/bin/pip install "homeassistant==$release"
  # What these ask for it would fetch at the first start; later there is no network.
  for part in frontend mqtt image_upload; do
    chroot "$root" bash -c 'cd /opt/hass/lib/python3*/site-packages/homeassistant/components/'$part' &&
      /opt/hass/bin/python -c "import json; print(*json.load(open(\"manifest.json\"))[\"requirements\"])"'
  done | xargs chroot "$root" /opt/hass/bin/pip install
fi
PYTHONPATH=$PWD:$PWD/tests unshare --net .venv/bin/python tests/home_assistant/try.py "$root"
