#!/bin/bash
# node-exec.sh nN CMD...: runs CMD in a node's namespaces (as root on that node)
S=${K8S_STATE:-/var/lib/k8s-test}; n=$1; shift
p=$(awk -v n="$n" '$1==n{print $2}' "$S/pids"); c=$(cat /proc/$p/task/*/children); c=${c%% *}
exec nsenter -t "$c" -m -p -n -u -i -C "$@"
