# shellcheck shell=bash
# Sourced by demo.sh and tests/run.sh: one .venv in the project, renewed only when pyproject.toml changes.

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
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# make_venv EXTRAS: have .venv with the package and its extras, and put it on the PATH.
make_venv() {
  local extras=$1 stamp wanted
  stamp=".venv/.made-for-${extras:-nothing}"
  wanted=$(python3 --version; cat pyproject.toml)
  if [[ ! -x .venv/bin/pip ]]; then
    python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
    echo "making .venv"
    python3 -m venv .venv
  fi
  if [[ $(cat "$stamp" 2>/dev/null) != "$wanted" ]]; then
    echo "installing vser-stream${extras:+[$extras]} into .venv (a minute or two, once)"
    .venv/bin/python -m pip install -qq --disable-pip-version-check --upgrade pip
    .venv/bin/python -m pip install -qq --disable-pip-version-check -e ".${extras:+[$extras]}"
    printf '%s' "$wanted" >"$stamp"
  fi
  export PATH="$PWD/.venv/bin:$PATH"
}
