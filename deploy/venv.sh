# shellcheck shell=bash
# Sourced by install.sh, demo.sh and tests/run.sh: one .venv in the project, renewed only when pyproject.toml
# or the locks change.

# as_root COMMAND…: run it as root, by sudo when somebody else is asking.
as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

# apt_install PACKAGES…: install what is missing of them.
apt_install() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  echo "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive ${RUNLEVEL:+RUNLEVEL=$RUNLEVEL} apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# install_broker: Mosquitto's program alone. The service that Debian starts with it, at each boot again and
# open to all of this box, is nobody's wish; one that was there before is left as it is.
install_broker() {
  if dpkg-query -W -f='${Status}' mosquitto 2>/dev/null | grep -q 'ok installed'; then return 0; fi
  local live=false status=0
  if [[ -d /run/systemd/system ]]; then live=true; fi
  if $live; then as_root systemctl --runtime --quiet mask mosquitto.service; fi
  RUNLEVEL=1 apt_install mosquitto || status=$? # without systemd: of no service's runlevels
  if $live; then
    as_root systemctl --quiet disable mosquitto.service 2>/dev/null || true # it is not there if apt failed
    as_root systemctl --runtime --quiet unmask mosquitto.service
  fi
  return $status
}

# with_progress WHAT COMMAND…: a line now and then instead of all it says; the end of that if it fails.
with_progress() {
  local what=$1 log status=0 ticker
  shift
  log=$(mktemp)
  while sleep "${PROGRESS_EVERY:-15}" >/dev/null && kill -0 $$ 2>/dev/null; do
    echo "  $what, $((SECONDS / 60)) min $((SECONDS % 60)) s: $(tail -n 1 "$log" | tr -s ' ' | cut -c -100)"
  done &
  ticker=$!
  "$@" >"$log" 2>&1 || status=$?
  kill "$ticker"
  wait "$ticker" 2>/dev/null || true
  if ((status)); then tail -n 40 "$log" >&2; fi
  rm -f "$log"
  return $status
}

# locked EXTRAS: options of "pip install", a word a line, for all they need by version and hash.
locked() {
  local extras=${1:-base} extra
  echo --require-hashes
  for extra in ${extras//,/ }; do printf -- '-r\ndeploy/locks/%s.txt\n' "$extra"; done
}

# make_venv EXTRAS: have .venv with the package and its extras, and put it on the PATH.
make_venv() {
  local extras=$1 stamp wanted locks
  stamp=".venv/.made-for-${extras:-nothing}"
  wanted=$(python3 --version; cat pyproject.toml deploy/locks/*)
  if [[ ! -x .venv/bin/pip ]]; then
    python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
    echo "making .venv"
    python3 -m venv .venv
  fi
  if [[ $(cat "$stamp" 2>/dev/null) != "$wanted" ]]; then
    echo "installing vser-stream${extras:+[$extras]} into .venv (a minute or two, once)"
    mapfile -t locks < <(locked "$extras")
    .venv/bin/python -m pip install -qq --disable-pip-version-check "${locks[@]}"
    # Itself, and what has no hash in a lock (deploy/lock.sh says why).
    .venv/bin/python -m pip install -qq --disable-pip-version-check --constraint deploy/locks/compiled.txt \
      --editable ".${extras:+[$extras]}"
    printf '%s' "$wanted" >"$stamp"
  fi
  export PATH="$PWD/.venv/bin:$PATH"
}
