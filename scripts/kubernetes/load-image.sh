#!/bin/bash
# load-image.sh IMAGE.tar...: imports image archives into every node
S=${K8S_STATE:-/var/lib/k8s-test}; HERE=$(cd "$(dirname "$0")" && pwd); . "$S/env"
for t in "$@"; do t=$(realpath "$t"); for i in $(seq 1 $N); do "$HERE/node-exec.sh" n$i ctr -n k8s.io images import "$t" >/dev/null || exit 1; done; done
