#!/usr/bin/env bash
# Installs vser-stream as a service on Debian or Ubuntu. It may be run again, to update: what somebody
# has edited below /etc is never overwritten, and the service is restarted if it runs.
#
#   deploy/install.sh               the service, with llama.cpp for the reasoner (compiles for some minutes)
#   deploy/install.sh --no-reasoner without it, at each update too; then set backend = "none" below [reasoner]
#   deploy/install.sh --broker      and a Mosquitto on this box that keeps alarms over a power cut
#   deploy/install.sh --dry-run     only say what would be done
#   deploy/install.sh --uninstall   take it away; configuration, passwords and state stay
#   deploy/install.sh --files-only  neither Debian packages nor the Python environment
#
# DESTDIR=/some/folder installs below that folder, for an image, and starts nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/venv.sh

destdir=${DESTDIR:-}
prefix=$destdir/opt/vser-stream
etc=$destdir/etc/vser-stream
units=$destdir/etc/systemd/system
broker_etc=$destdir/etc/mosquitto
dry_run=false broker=false uninstall=false files_only=false
extras=mic,llm

for option in "$@"; do
  case $option in
    --dry-run) dry_run=true ;;
    --broker) broker=true ;;
    --no-reasoner) extras=mic ;;
    --uninstall) uninstall=true ;;
    --files-only) files_only=true ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

# run COMMAND…: do it as root, or only say so.
run() {
  if $dry_run; then echo "would run: $*"; elif [[ -n $destdir ]]; then "$@"; else as_root "$@"; fi
}

# systemctl_if_running ARGUMENTS…: only where this system runs systemd, and is the one installed to.
systemctl_if_running() {
  if [[ -z $destdir && -d /run/systemd/system ]]; then run systemctl "$@"; fi
}

# put MODE FROM TO: ours, renewed each time.
put() {
  cmp -s "$2" "$3" || run install -D -m "$1" "$2" "$3"
}

# put_once MODE FROM TO: theirs from now on.
put_once() {
  if [[ -e $3 ]]; then echo "kept: $3"; else run install -D -m "$1" "$2" "$3"; fi
}

if $uninstall; then
  systemctl_if_running disable --now vser-stream || true
  run rm -rf "$prefix"
  run rm -f "$units/vser-stream.service" "$destdir/usr/local/bin/vser-stream"
  systemctl_if_running daemon-reload
  echo "kept: $etc and $destdir/var/lib/vser-stream; delete them if nobody needs them"
  exit 0
fi

if ! $files_only; then
  packages=(python3-venv libportaudio2)
  if $broker; then packages+=(mosquitto mosquitto-clients); fi
  if [[ $extras == *llm* ]]; then packages+=(build-essential); fi
  if $dry_run; then
    echo "would install: ${packages[*]}"
  elif [[ -z $destdir ]]; then
    apt_install "${packages[@]}"
  fi
  [[ -x $prefix/bin/python ]] || run python3 -m venv "$prefix"
  run rm -rf build # or what an earlier release left there would be installed again
  run "$prefix/bin/python" -m pip install -qq --disable-pip-version-check --upgrade "$PWD[$extras]" || {
    if [[ $extras == *llm* ]]; then echo "if it was llama.cpp that could not be built: --no-reasoner" >&2; fi
    exit 1
  }
  run rm -rf build
fi

put 0644 deploy/systemd/vser-stream.service "$units/vser-stream.service"
put_once 0644 deploy/vser.toml "$etc/vser.toml"
run install -d -m 0700 "$etc/credentials"
run install -d "$destdir/usr/local/bin"
run ln -sfn /opt/vser-stream/bin/vser-stream "$destdir/usr/local/bin/vser-stream"

if $broker; then
  put_once 0644 deploy/mosquitto/mosquitto.conf "$broker_etc/conf.d/vser-stream.conf"
  put_once 0644 deploy/mosquitto/acl "$broker_etc/acl"
fi

systemctl_if_running daemon-reload
systemctl_if_running enable vser-stream
# A monitor that runs is only stopped for one that can start.
if [[ -z $destdir && -d /run/systemd/system ]] && ! $dry_run && systemctl is-active --quiet vser-stream; then
  as_root env "CREDENTIALS_DIRECTORY=$etc/credentials" "STATE_DIRECTORY=/var/lib/vser-stream" \
    "$prefix/bin/vser-stream" config check "$etc/vser.toml"
fi
systemctl_if_running try-restart vser-stream

cat <<END

Next, as root:
  1. edit $etc/vser.toml
  2. put the broker's password into $etc/credentials/mqtt-password (mode 0600)
  3. export CREDENTIALS_DIRECTORY=$etc/credentials STATE_DIRECTORY=$destdir/var/lib/vser-stream
     vser-stream doctor --config $etc/vser.toml
  4. systemctl start vser-stream; systemctl status vser-stream
END
if $broker; then
  echo "and for the broker: deploy/mosquitto/README.md (passwords, certificates)"
fi
