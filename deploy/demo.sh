#!/usr/bin/env bash
# Shows the main job on a bare Debian or Ubuntu with python3: speech in, alerts with reasons out over MQTT.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/venv.sh
export PATH="$PATH:/usr/sbin"

if ! command -v mosquitto >/dev/null && command -v apt-get >/dev/null; then
  if [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null; then
    apt_install mosquitto || echo "Mosquitto could not be installed; the demo brings a broker of its own"
  fi
fi
if command -v mosquitto >/dev/null; then make_venv ""; else make_venv demo; fi
exec python deploy/demo/demo.py "$@"
