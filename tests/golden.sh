#!/usr/bin/env bash
# Renews tests/cli/golden/: what whole recordings give, alerts and rationales word by word. Says of each the
# first field that changed and writes it anew; leaves alone what is as it was. Read the diff before you commit.
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/venv.sh
make_venv dev
PYTHONPATH=$PWD:$PWD/tests exec python -m support.golden
