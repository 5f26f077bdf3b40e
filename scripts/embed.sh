#!/usr/bin/env bash
# Writes the manifests of the installation into Sources/SkeinCLI/Generated, for `skein install`.
set -euo pipefail
cd "$(dirname "$0")/.."
output=Sources/SkeinCLI/Generated/InstallationManifests.swift
mkdir -p "${output%/*}"
{
  echo '// swift-format-ignore-file'
  echo '// Made from manifests/ by scripts/embed.sh; a test compares.'
  echo
  echo '/// The objects of an installation, in the order in which they are made.'
  echo 'let installationManifests: [(file: String, text: String)] = ['
  for file in base/namespace base/control-plane-rights base/control-plane base/node-agent-rights \
    base/node-agent pod-disruption-budget; do
    printf '("%s.yaml", #"""\n' "$file"
    cat "manifests/$file.yaml"
    printf '\n"""#),\n'
  done
  echo ']'
} > "$output"
