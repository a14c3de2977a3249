#!/usr/bin/env bash
# Everything from a fresh Debian machine with python3 to tested: packages, environment, lint, types, tests.
# Arguments are handed to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

# Real parts the tests talk to: broker, RTSP camera, virtual microphone, synthetic voice.
packages=(
  python3-venv mosquitto mosquitto-clients openssl espeak-ng flac
  libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins
  python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-rtsp-server-1.0
  gstreamer1.0-rtsp gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-libav
)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "installing Debian packages: ${missing[*]}"
  as_root=()
  [[ $(id -u) == 0 ]] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

source deploy/venv.sh
make_venv dev

ruff check .
ruff format --check .
mypy
exec python -m pytest "$@"
