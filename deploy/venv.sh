# shellcheck shell=bash
# Sourced by demo.sh and tests/run.sh: one .venv in the project, renewed only when pyproject.toml changed.

# make_venv EXTRAS: have .venv with the package and its extras, and put it on the PATH.
make_venv() {
  local extras=$1 stamp
  stamp=".venv/.made-for-${extras//,/-}"
  local wanted
  wanted=$(python3 --version; cat pyproject.toml)
  if [[ ! -x .venv/bin/python ]]; then
    echo "making .venv"
    python3 -m venv .venv
  fi
  if [[ $(cat "$stamp" 2>/dev/null) != "$wanted" ]]; then
    echo "installing vser-stream[$extras] into .venv (a minute or two, once)"
    .venv/bin/python -m pip install -q --disable-pip-version-check --upgrade pip
    .venv/bin/python -m pip install -q --disable-pip-version-check -e ".[$extras]"
    printf '%s' "$wanted" >"$stamp"
  fi
  export PATH="$PWD/.venv/bin:$PATH"
}
