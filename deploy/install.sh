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
umask 022 # the service and its group read what is installed, whoever installs it
cd "$(dirname "$0")/.."
source deploy/venv.sh

destdir=${DESTDIR:-}
prefix=$destdir/opt/vser-stream
etc=$destdir/etc/vser-stream
units=$destdir/etc/systemd/system
users=$destdir/etc/sysusers.d/vser-stream.conf
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

# live: this system runs systemd, and is the one installed to.
live() { [[ -z $destdir && -d /run/systemd/system ]]; }

# systemctl_if_live ARGUMENTS…
systemctl_if_live() {
  if live; then run systemctl "$@"; fi
}

# put MODE FROM TO: ours, renewed each time.
put() {
  cmp -s "$2" "$3" || run install -D -m "$1" "$2" "$3"
}

# put_once MODE FROM TO [SHA256]: theirs from now on, unless it still is what an earlier release put there.
put_once() {
  if [[ -e $3 && $(sha256sum "$3") != "${4-none} "* ]]; then echo "kept: $3"; else run install -D -m "$1" "$2" "$3"; fi
}

# install_packages: from a copy, or what building leaves beside the sources would be root's and in the way.
install_packages() {
  copy=$(mktemp -d)
  tar -c --exclude=./.git --exclude=./.venv --exclude=./build --exclude='./*.egg-info' . | tar -x -C "$copy"
  echo "installing the Python packages$([[ $extras != *llm* ]] || echo ", llama.cpp compiles for some minutes")"
  with_progress "still at it" run "$prefix/bin/python" -m pip install -v --progress-bar off \
    --disable-pip-version-check "${locks[@]}" || {
    if [[ $extras == *llm* ]]; then echo "if it was llama.cpp that could not be built: --no-reasoner" >&2; fi
    exit 1
  }
  with_progress "still at it" run "$prefix/bin/python" -m pip install --disable-pip-version-check \
    --upgrade --no-deps "$copy"
}

# leave_well: whatever happens, no copy stays behind, and a monitor that ran is not left stopped.
leave_well() {
  if [[ -n ${copy-} ]]; then run rm -rf "$copy"; fi
  if [[ -n ${stopped-} ]]; then run systemctl start vser-stream; fi
}
trap leave_well EXIT

if $uninstall; then
  systemctl_if_live disable --now vser-stream || true
  if [[ -z $destdir && -x $prefix/bin/vser-stream && -e $etc/vser.toml ]]; then
    run "$prefix/bin/vser-stream" purge --retained --yes --config "$etc/vser.toml" ||
      echo "the broker may still hold the last states of this site, and Home Assistant its devices"
  fi
  run rm -rf "$prefix"
  run rm -f "$units/vser-stream.service" "$users" "$destdir/usr/local/bin/vser-stream"
  systemctl_if_live daemon-reload
  echo "kept: $etc, $destdir/var/lib/vser-stream and the user vser-stream; delete them if nobody needs them"
  for file in conf.d/vser-stream.conf acl passwords certs; do
    if [[ -e $broker_etc/$file ]]; then echo "kept: $broker_etc/$file, Mosquitto uses it"; fi
  done
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
  mapfile -t locks < <(locked "$extras")
  if $dry_run; then
    run "$prefix/bin/python" -m pip install "${locks[@]}"
    run "$prefix/bin/python" -m pip install --upgrade --no-deps "$PWD"
  else
    install_packages
  fi
  run chmod -R u=rwX,go=rX "$prefix" # an earlier release kept the installer's umask
fi

put_once 0644 deploy/vser.toml "$etc/vser.toml"
run install -d "$destdir/usr/local/bin"
run ln -sfn /opt/vser-stream/bin/vser-stream "$destdir/usr/local/bin/vser-stream"

if $broker || [[ -e $broker_etc/conf.d/vser-stream.conf ]]; then
  put_once 0644 deploy/mosquitto/mosquitto.conf "$broker_etc/conf.d/vser-stream.conf"
  put_once 0644 deploy/mosquitto/acl "$broker_etc/acl" \
    7b601936c669bc58886fd467551c193a13484e7517d224ea18df8083f00afd59
  systemctl_if_live enable mosquitto
  systemctl_if_live try-reload-or-restart mosquitto # users and rules are read again, connections stay
fi

# A monitor that runs is only stopped for one that can start; it runs again a moment later. Stopped it must
# be when its user is made: an earlier release ran as one of the same name that systemd lent it.
running=$(live && systemctl is-active vser-stream) || true
if [[ $running == active ]]; then run "$prefix/bin/vser-stream" config check "$etc/vser.toml"; fi
if [[ $running == active || $running == activating ]]; then
  stopped=yes
  run systemctl stop vser-stream
fi
put 0644 deploy/systemd/vser-stream.service "$units/vser-stream.service"
put 0644 deploy/systemd/vser-stream.sysusers "$users"
if [[ -z $destdir ]]; then run systemd-sysusers "$users"; fi
# State of an earlier release: of a user that systemd lent it, behind a folder that only root can enter. systemd
# itself would move it, but not always give it to the new user.
if [[ -z $destdir ]] && as_root test -d /var/lib/private/vser-stream; then
  run rm -f /var/lib/vser-stream
  run mv /var/lib/private/vser-stream /var/lib/vser-stream
fi
if [[ -z $destdir && -d /var/lib/vser-stream ]]; then run chown -R vser-stream: /var/lib/vser-stream; fi
owner=()
if [[ -z $destdir ]]; then owner=(-g vser-stream); fi
run install -d -m 0750 "${owner[@]}" "$etc/credentials"
systemctl_if_live daemon-reload
systemctl_if_live enable vser-stream
if [[ -n ${stopped-} ]]; then
  stopped=
  run systemctl start vser-stream
fi

cat <<END

Next, as root:
  1. edit $etc/vser.toml
  2. put the broker's password into $etc/credentials/mqtt-password
  3. vser-stream doctor
  4. systemctl start vser-stream; systemctl status vser-stream
Who else may calibrate and see the records:  adduser NAME vser-stream
(and acknowledge, if they may read the password:  chown root:vser-stream and chmod 640 that file)
END
if $broker; then
  echo "and for the broker: deploy/mosquitto/README.md (passwords, certificates)"
fi
