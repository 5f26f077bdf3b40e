#!/bin/bash
# reboot.sh nN: ends every process of a node at once, and starts it with what was on its disk: /run,
# /sys/fs/bpf and its control groups are empty.
set -euo pipefail
S=${K8S_STATE:-/var/lib/k8s-test} HERE=$(cd "$(dirname "$0")" && pwd)
. "$S/env"
node=${1:?usage: reboot.sh nN}
read -r _ pid _ < <(grep "^$node " "$S/pids")
mapfile -d '' command <"/proc/$pid/cmdline"
while [ "${command[0]}" != inner ]; do command=("${command[@]:1}"); done
child=$(cat "/proc/$pid/task/$pid/children")
kill -KILL "$pid" $child
for p in $pid $child; do while [ -e "/proc/$p" ]; do sleep 0.05; done; done
for h in /sys/fs/cgroup/*/; do
  [ ! -d "$h$P-$node" ] || find "$h$P-$node" -mindepth 1 -depth -type d -exec rmdir {} + || true
done
"$HERE/node.sh" outer "${command[@]:1:6}" >>"$S/log/$node.log" 2>&1 </dev/null &
new=$!
sed -i "s/^$node .*/$node $new $(cut -d' ' -f22 /proc/$new/stat)/" "$S/pids"
