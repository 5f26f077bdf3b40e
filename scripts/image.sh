#!/usr/bin/env bash
# Packs Skein's programs into an OCI image archive, without a daemon:
#   scripts/image.sh NAME OUT.tar PROGRAM...
# Programs that are not static bring the libraries that ldd names. Containerfile makes the same image
# with a container builder.
set -euo pipefail
if (($# < 3)); then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
name=$1 out=$2
shift 2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{usr/bin,run/skein,run/netns,sys/fs/bpf,sys/fs/cgroup,tmp,var,etc/ssl/certs}
ln -s ../run "$root/var/run"
libraries=()
for program in "$@"; do
  objcopy --strip-debug "$program" "$root/usr/bin/${program##*/}"
  chmod 755 "$root/usr/bin/${program##*/}"
  libraries+=(--libraries-of "$program")
done
# Who an issuer of tokens on the public network is vouched for by.
if [[ -r /etc/ssl/certs/ca-certificates.crt ]]; then
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi
mkdir -p "$(dirname "$out")"
python3 "$(dirname "$0")/kubernetes/mkimage.py" "${libraries[@]}" "$root" "$name" "$out" /usr/bin/node-agent
echo "$out: $(($(stat -c %s "$out") >> 20)) MiB, $name"
