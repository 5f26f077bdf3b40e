#!/bin/bash
# Fuzz/run.sh TARGET|all SECONDS: builds a target of Fuzz/Targets with libFuzzer and the address
# sanitizer and runs it; a crash, a leak of time or of memory fails the run and leaves the input in
# Fuzz/.build/TARGET/. A target names the modules it needs, in order, in its first line.
# REPLAY=FILE Fuzz/run.sh TARGET runs one input only.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?usage: Fuzz/run.sh TARGET|all SECONDS}
seconds=${2:-10}
build=$PWD/Fuzz/.build
# A crash must end the process at once: swift-backtrace would hang under libFuzzer.
export SWIFT_BACKTRACE=enable=no

settings=(-swift-version 6 -O -use-ld=lld -wmo -parse-as-library -sanitize=fuzzer,address -enable-testing
  -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
  -enable-upcoming-feature MemberImportVisibility -enable-experimental-feature Lifetimes)

if [ "$target" = all ]; then
  failed=()
  for file in Fuzz/Targets/*.swift; do
    name=$(basename "$file" .swift)
    "$0" "$name" "$seconds" || failed+=("$name")
  done
  [ ${#failed[@]} -eq 0 ] || { echo "fuzz: failed: ${failed[*]}"; exit 1; }
  exit 0
fi

# is_fresh OUTPUT SOURCE...: the output is newer than every source and this script.
is_fresh() {
  local output=$1 source
  shift
  [ -e "$output" ] || return 1
  for source in "$@" Fuzz/run.sh; do [ "$output" -nt "$source" ] || return 1; done
}

# The sources of a module; those that touch the system are left out.
sources_of() {
  case $1 in
    Manifests) find Sources/Manifests -name '*.swift' -not -path '*/Directory/*' ;;
    KubernetesClient) find Sources/KubernetesClient/{Objects,Watching,Limit.swift,KubernetesError.swift} \
      -name '*.swift' -not -name ResourceWatch.swift ;;
    Yams) find "$(checkout Yams)/Sources/Yams" -name '*.swift' ;;
    SwiftProtobuf) find "$(checkout swift-protobuf)/Sources/SwiftProtobuf" -name '*.swift' ;;
    *) find "Sources/$1" -name '*.swift' ;;
  esac | sort
}

# The folder of a package dependency; the ordinary client fetches it when it is not there.
# CHECKOUTS names the folder where another build has them.
checkout() {
  local root=${CHECKOUTS:-.build/checkouts}
  [ -d "$root/$1" ] || swift package resolve >&2
  echo "$root/$1"
}

build_cyaml() {
  local root source objects=()
  root=$(checkout Yams)/Sources/CYaml
  [ -e "$build/CYaml.a" ] && return
  for source in "$root"/src/*.c; do
    objects+=("$build/CYaml-$(basename "$source" .c).o")
    clang -g -O1 -fsanitize=fuzzer-no-link,address -DYAML_DECLARE_STATIC -I"$root/include" \
      -c "$source" -o "${objects[-1]}"
  done
  ar rcs "$build/CYaml.a" "${objects[@]}"
}

mkdir -p "$build/$target/found"
exec 9> "$build/lock"
flock 9
modules=$(sed -n '1s|^// Modules: ||p' "Fuzz/Targets/$target.swift")
[ -n "$modules" ] || { echo "fuzz: $target names no modules in its first line"; exit 1; }
objects=()
stale=0
includes=(-I "$build")
for module in $modules; do
  mapfile -t sources < <(sources_of "$module")
  if [ "$module" = Yams ]; then
    build_cyaml
    includes+=(-I "$(checkout Yams)/Sources/CYaml/include")
    objects+=("$build/CYaml.a")
  fi
  if [ $stale -eq 1 ] || ! is_fresh "$build/$module.o" "${sources[@]}"; then
    stale=1
    swift_settings=("${settings[@]}")
    case $module in
      Yams) swift_settings=(-swift-version 5 -O -wmo -parse-as-library -sanitize=fuzzer,address
        -DSWIFT_PACKAGE) ;;
      SwiftProtobuf) swift_settings=(-swift-version 6 -O -wmo -parse-as-library
        -sanitize=fuzzer,address -package-name swift-protobuf
        -enable-upcoming-feature ExistentialAny) ;;
      IstioAPI) swift_settings=(-swift-version 6 -O -wmo -parse-as-library
        -sanitize=fuzzer,address) ;;
    esac
    swiftc "${swift_settings[@]}" "${includes[@]}" -module-name "$module" -emit-module \
      -emit-module-path "$build/$module.swiftmodule" -emit-object -o "$build/$module.o" \
      "${sources[@]}"
  fi
  objects=("$build/$module.o" "${objects[@]}")
done
binary=$build/$target/fuzzer
if [ $stale -eq 1 ] || ! is_fresh "$binary" "Fuzz/Targets/$target.swift" "${objects[@]}"; then
  swiftc "${settings[@]}" "${includes[@]}" -module-name "Fuzz$target" \
    "Fuzz/Targets/$target.swift" "${objects[@]}" -o "$binary"
fi
flock -u 9

if [ -n "${REPLAY:-}" ]; then exec "$binary" "$REPLAY"; fi
echo "fuzz: $target for $seconds s"
log=$build/$target/log
if ! "$binary" -max_total_time="$seconds" -max_len=16384 -timeout=5 -rss_limit_mb=1024 \
  -malloc_limit_mb=128 -print_final_stats=1 -artifact_prefix="$build/$target/" \
  "$build/$target/found" "Fuzz/Seeds/$target" > "$log" 2>&1; then
  grep -vE '^#[0-9]' "$log" | tail -60
  echo "fuzz: $target FAILED; replay with REPLAY=FILE Fuzz/run.sh $target"
  exit 1
fi
grep -E 'stat::(number_of_executed_units|peak_rss_mb)|cov:' "$log" | tail -3
