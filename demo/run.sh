#!/usr/bin/env bash
# run.sh [down]: the demonstration; `make demo` names the programs in NODE_AGENT and ZTUNNEL.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/demo.py" "$@"
