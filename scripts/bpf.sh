#!/bin/sh
# Compiles bpf/*.bpf.c with the Swift toolchain's clang and embeds each object as a C array in
# Sources/CBPF/generated/. A file is rewritten only when its content changes, so that builds stay warm.
#
# Usage: scripts/bpf.sh [clang]
set -eu
cd "$(dirname "$0")/.."

swift_clang() {
  swift_path=$(command -v swift) || return 1
  candidate=$(dirname "$(readlink -f "$swift_path")")/clang
  [ -x "$candidate" ] && echo "$candidate"
}
clang=${1:-$(swift_clang || command -v clang || true)}
[ -n "$clang" ] || { echo "bpf.sh: no clang; install a Swift toolchain or clang" >&2; exit 1; }
strip=$(command -v llvm-strip || true)
[ -x "$(dirname "$clang")/llvm-strip" ] && strip=$(dirname "$clang")/llvm-strip

headers=/usr/include/$(uname -m)-linux-gnu
[ -d "$headers/asm" ] || { echo "bpf.sh: $headers/asm is missing; install linux-libc-dev" >&2; exit 1; }
[ -f /usr/include/bpf/bpf_helpers.h ] || { echo "bpf.sh: install libbpf-dev" >&2; exit 1; }

output=Sources/CBPF/generated
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$output"

for source in bpf/*.bpf.c; do
  name=$(basename "$source" .bpf.c)
  object=$scratch/$name.o
  "$clang" -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -ffile-prefix-map="$PWD"=. \
    -I Sources/CBPF/include -I bpf -I "$headers" -c "$source" -o "$object"
  # BTF stays; only DWARF goes.
  [ -z "$strip" ] || "$strip" -g "$object"
  {
    echo "/* Made from $source by scripts/bpf.sh. */"
    echo "static const unsigned char cbpf_${name}_bytes[] __attribute__((aligned(8))) = {"
    od -An -v -tu1 -w32 "$object" | sed 's/  */,/g; s/^,//; s/$/,/'
    echo "};"
  } > "$scratch/$name.h"
  cmp -s "$scratch/$name.h" "$output/$name.h" || cp "$scratch/$name.h" "$output/$name.h"
done
