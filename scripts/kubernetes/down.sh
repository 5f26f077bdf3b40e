#!/bin/bash
# Takes down what up.sh started, by the pids it wrote; removes its namespaces,
# cgroups and state. Touches nothing else. K8S_KEEP_LOG=dir copies the logs there first.
set -uo pipefail
S=${K8S_STATE:-/var/lib/k8s-test}
[ -e "$S/env" ] || { echo "nothing to take down in $S" >&2; exit 0; }
. "$S/env"
T0=$(date +%s%N)
log() { printf '[down %5.2fs] %s\n' "$(( ($(date +%s%N)-T0)/10000000 ))e-2" "$*" >&2; }
[ -z "${K8S_KEEP_LOG:-}" ] || { mkdir -p "$K8S_KEEP_LOG"; cp -r "$S/log/." "$K8S_KEEP_LOG/"; }
alive() { [ "$(cut -d' ' -f22 /proc/$1/stat 2>/dev/null)" = "$2" ]; }   # same process, not a reused pid
kids() { cat /proc/$1/task/*/children 2>/dev/null; }
# a node's outer process is `unshare --kill-child`: ending it ends the node's PID 1, and with it every process of the node
while read -r name pid st; do alive $pid $st || continue
  case $name in
    n[0-9]*) c=$(kids $pid); kill -KILL $pid $c 2>/dev/null ;;
    *) kill -TERM $pid 2>/dev/null ;;
  esac
done <"$S/pids"
for t in $(seq 100); do left=; while read -r name pid st; do alive $pid $st && left+=" $name:$pid"; done <"$S/pids"; [ -z "$left" ] && break
  [ $t = 8 ] && while read -r name pid st; do alive $pid $st && kill -KILL $pid 2>/dev/null; done <"$S/pids"; sleep 0.1; done
[ -z "${left:-}" ] || log "still there:$left"
log "processes"
for ns in $P-cp $(seq -f "$P-n%g" 1 $N); do ip netns del $ns 2>/dev/null; done
for i in $(seq 1 $N); do for h in /sys/fs/cgroup/*/; do
  [ -d "$h$P-n$i" ] || continue
  for t in 1 2 3 4 5; do find "$h$P-n$i" -depth -type d -exec rmdir {} + 2>/dev/null; [ -d "$h$P-n$i" ] || break; sleep 0.2; done
  [ ! -d "$h$P-n$i" ] || log "cgroup left: $h$P-n$i"
done; done
rm -rf "/dev/shm/$P-etcd"
# not while another test cluster's nodes have something mounted there
[ ! -e "$S/madedirs" ] || pgrep -f "node.sh inner" >/dev/null || while read -r d; do rmdir "$d" 2>/dev/null; done <"$S/madedirs"
grep -q " $S/" /proc/self/mountinfo && log "mounts left under $S" || rm -rf "$S"
log "down"
