#!/usr/bin/env bash
# Runs the test program of the build that is there: scripts/run-tests.sh [--filter REGEX] [--skip REGEX].
# Not by `swift test`, which takes the build for itself: two of these may run side by side.
set -euo pipefail
cd "$(dirname "$0")/.."
export NO_COLOR=1
exec .build/debug/skeinPackageTests.xctest --testing-library swift-testing "$@"
