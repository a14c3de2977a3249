#!/usr/bin/env bash
# Tries the package as people get it, a wheel made of the sdist, outside the checkout: on every Python from
# 3.11 to 3.14 of this machine (pyenv's too) and in a Debian 13, with the locked versions; then with the newest
# that are allowed, so that what breaks tomorrow is noticed here, and with the oldest. Each time the tests of
# core and adapters out of the sdist, and the demo scene: the same figures everywhere.
#
# Left to tests/run.sh, which has all extras: what needs llama.cpp (compiles for ten minutes), torch, amqtt.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/venv.sh
source tests/parts.sh
unset PYTHONPATH # or a checkout would be tested instead of the wheel

elsewhere=(--ignore tests/adapters/models/test_llama.py --ignore tests/adapters/mqtt/test_client_older_broker.py
  --deselect tests/adapters/models/test_openai_server.py::test_llama_cpps_own_server_writes_only_what_is_true)

# one NAME VERSIONS PYTHON: an environment of its own, tests, figures. In the sdist; the wheel lies beside it.
one() {
  local env=../env-$1 wheel pip uv
  wheel=$(echo ../*.whl)
  "$3" -m venv "$env"
  pip=("$env/bin/python" -m pip install -q --disable-pip-version-check --no-warn-script-location)
  case $2 in
    locked) mapfile -t locks < <(locked test) && "${pip[@]}" "${locks[@]}" && "${pip[@]}" --no-deps "$wheel" ;;
    newest) "${pip[@]}" "$wheel[test]" ;;
    oldest)
      "${pip[@]}" uv
      "$env/bin/uv" pip install -q --python "$env/bin/python" --resolution lowest-direct -r pyproject.toml --extra test
      "${pip[@]}" --no-deps "$wheel"
      ;;
  esac
  "$env/bin/python" -c 'import platform
from importlib.metadata import version
names = ("av", "numpy", "onnxruntime", "pydantic", "scipy")
print("Python", platform.python_version(), *(f"{name} {version(name)}" for name in names))'
  "$env/bin/python" -P -m vser_stream replay --json deploy/demo/scene.flac >"../$1.jsonl"
  "$env/bin/python" -P -m pytest -q -p no:cacheprovider -n "${WORKERS:-$((2 * $(nproc)))}" --dist loadfile \
    "${elsewhere[@]}" tests/core tests/adapters
}

if [[ ${1-} == --one ]]; then
  one "${@:2}"
  exit
fi

# found VERSION: a Python of this machine that can make environments.
found() {
  local python
  for python in "/usr/bin/python$1" "/usr/local/bin/python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    if [[ -x $python ]] && "$python" -c 'import ensurepip, sqlite3, ssl' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
}

work=$PWD/.cache/matrix
leave_nothing() { as_root rm -rf --one-file-system "$work"; }
trap leave_nothing EXIT
leave_nothing
mkdir -p "$work"
passed=0 failed=0

# counted WHAT LOG: how many tests it says "WHAT" of in the last line with such words.
counted() {
  { grep -E '[0-9]+ (passed|failed|error)' "$2" || true; } | tail -n 1 | { grep -oE "[0-9]+ $1" || echo 0; } | cut -d' ' -f1
}

# try NAME COMMAND…: run it, say how it went in a line, count its tests, or itself if it has none.
try() {
  local log="$work/$1.log" began=$SECONDS status=0 ok bad
  "${@:2}" >"$log" 2>&1 || status=$?
  ok=$(counted passed "$log") bad=$(($(counted failed "$log") + $(counted error "$log")))
  if ((status && !bad)); then bad=1; elif ((!status && !ok)); then ok=1; fi
  passed=$((passed + ok)) failed=$((failed + bad))
  echo "$1: $ok passed, $bad failed in $((SECONDS - began)) s; $(grep -m 1 -E '^Python 3|differ by' "$log" || true)"
  if ((bad)); then tail -n 60 "$log"; fi
}

build() {
  python3 -m venv "$work/build"
  "$work/build/bin/python" -m pip install -q --disable-pip-version-check build
  "$work/build/bin/python" -m build -q --outdir "$work" . # the sdist, and from it the wheel
  tar -xzf "$work"/*.tar.gz -C "$work"
  mv "$work"/vser_stream-*/ "$work/sdist"
  mv "$work/sdist/vser_stream" "$work/package" # or it would be tested instead of the wheel
}

install_sdist() {
  cp -r "$work/sdist" "$work/service"
  cp -r "$work/package" "$work/service/vser_stream"
  (cd "$work/service" && DESTDIR=$work/box deploy/install.sh --no-reasoner)
  "$work/box/opt/vser-stream/bin/vser-stream" models verify
}

# debian: a Debian 13 with the real parts, and the same place for what is tried.
debian() {
  apt_install debootstrap
  as_root /usr/sbin/debootstrap --variant=minbase --include=ca-certificates trixie "$work/root"
  as_root cp /etc/resolv.conf "$work/root/etc/"
  as_root cp /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/"
  inside apt-get update -qq
  inside env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends mosquitto "${parts[@]}"
}

# inside COMMAND…: in the root, with mounts and processes of its own that end with it.
inside() {
  as_root unshare --mount --pid --fork --kill-child bash -euc '
    root=$1/root
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs none "$root/dev/shm"
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    exec chroot "$root" env HOME=/root PATH=/usr/sbin:/usr/bin bash -euc "cd $1; exec \"\$@\"" _ "${@:2}"
  ' _ "$work" "$@"
}

in_sdist() { (cd "$work/sdist" && "$@"); }
same_figures() { python3 tests/support/figures.py "$work/$reference.jsonl" "$work/$1.jsonl"; }

install_broker
apt_install "${parts[@]}"
try build build
try "sdist as a service" install_sdist
pythons=()
for version in 3.11 3.12 3.13 3.14; do
  python=$(found "$version")
  if [[ -z $python ]]; then echo "python$version: none on this machine"; continue; fi
  pythons+=("$python")
  reference=${reference-python$version}
  try "python$version" in_sdist tests/matrix.sh --one "python$version" locked "$python"
  try "python$version figures" same_figures "python$version"
done
try oldest in_sdist tests/matrix.sh --one oldest oldest "${pythons[0]}"
try "oldest figures" same_figures oldest
try newest in_sdist tests/matrix.sh --one newest newest "${pythons[-1]}"
try "newest figures" same_figures newest
try "debian13 root" debian
try debian13 inside bash sdist/tests/matrix.sh --one debian13 locked python3
try "debian13 figures" same_figures debian13
echo "$passed passed, $failed failed"
((failed == 0))
