#!/usr/bin/env bash
# scripts/proto.sh: generates Swift from proto/: messages into Sources/IstioAPI/Generated, gRPC
# services into Sources/ControlAPI/Generated. The generators come from the resolved packages;
# PLUGINS=DIRECTORY names where they are built already. Needs Debian's protobuf-compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

messages=Sources/IstioAPI/Generated
services=Sources/ControlAPI/Generated
command -v protoc >/dev/null || { echo "proto: needs protoc: apt-get install protobuf-compiler" >&2; exit 1; }
if [ -z "${PLUGINS:-}" ]; then
  swift build --product protoc-gen-swift
  swift build --product protoc-gen-grpc-swift-2
  PLUGINS=$(swift build --show-bin-path)
fi

mapfile -t files < <(cd proto && find . -name '*.proto' -printf '%P\n' | LC_ALL=C sort)
message_files=()
service_files=()
for file in "${files[@]}"; do
  case $file in
    *_service.proto) service_files+=("$file") ;;
    *) message_files+=("$file") ;;
  esac
done

mappings=$(mktemp)
fresh=$(mktemp -d)
trap 'rm -rf "$mappings" "$fresh"' EXIT
{
  echo 'mapping {'
  echo '  module_name: "IstioAPI"'
  printf '  proto_file_path: "%s"\n' "${message_files[@]}"
  echo '}'
} > "$mappings"

mkdir "$fresh/messages" "$fresh/services"
protoc --proto_path=proto --plugin="$PLUGINS/protoc-gen-swift" \
  --swift_out="$fresh/messages" --swift_opt=Visibility=Public \
  --swift_opt=FileNaming=PathToUnderscores --swift_opt=UseAccessLevelOnImports=true \
  "${message_files[@]}"
protoc --proto_path=proto --plugin="$PLUGINS/protoc-gen-grpc-swift-2" \
  --grpc-swift-2_out="$fresh/services" --grpc-swift-2_opt=Visibility=Package \
  --grpc-swift-2_opt=FileNaming=PathToUnderscores --grpc-swift-2_opt=UseAccessLevelOnImports=true \
  --grpc-swift-2_opt=ProtoPathModuleMappings="$mappings" \
  "${service_files[@]}"

# Only when all of it was generated: a failure leaves the old files.
rm -rf "$messages" "$services"
mv "$fresh/messages" "$messages"
mv "$fresh/services" "$services"
