#!/usr/bin/env bash
# Shows the main job on a bare Debian or Ubuntu with python3: speech in, alerts with reasons out over MQTT.
#
#   deploy/demo.sh             a few minutes the first time
#   deploy/demo.sh --reasoner  low-confidence utterances weighed by the language model (llama.cpp compiles for some minutes, once)
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/venv.sh
export PATH="$PATH:/usr/sbin"

extras=()
case ${1-} in
  "") ;;
  --reasoner) extras+=(llm); command -v c++ >/dev/null || apt_install build-essential ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

if ! command -v mosquitto >/dev/null && command -v apt-get >/dev/null; then
  if [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null; then
    install_broker || echo "Mosquitto could not be installed; the demo brings a broker of its own"
  fi
fi
command -v mosquitto >/dev/null || extras+=(demo)
make_venv "$(IFS=,; echo "${extras[*]}")"
exec python deploy/demo/demo.py
