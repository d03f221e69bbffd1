#!/usr/bin/env bash
# Makes the peers' own environment, and runs them: bench/peers/run.sh CLIPS.tsv [options of run.py].
set -euo pipefail
cd "$(dirname "$0")/../.."
made=.venv-peers/.installed
if [[ ! -e $made || bench/peers/requirements.txt -nt $made || constraints.txt -nt $made ]]; then
    "${PYTHON:-python3}" -m venv .venv-peers
    .venv-peers/bin/pip install -q -c constraints.txt torch
    .venv-peers/bin/pip install -q -c constraints.txt -e .
    .venv-peers/bin/pip install -q -c constraints.txt -r bench/peers/requirements.txt
    touch "$made"
fi
OMP_NUM_THREADS=1 exec .venv-peers/bin/python -m bench.peers.run "$@"
