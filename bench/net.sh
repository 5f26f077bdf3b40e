#!/usr/bin/env bash
# net.sh up|down: perf-c (client pod) -- perf-a (node A) -- perf-b (node B) -- perf-s (server pod), one veth per hop.
set -euo pipefail

namespaces=(perf-c perf-a perf-b perf-s)
settings=(
  net.ipv4.ip_forward=1 net.ipv4.ip_local_port_range="20000 65000" net.ipv4.tcp_tw_reuse=1
  net.ipv4.tcp_congestion_control="${CONGESTION_CONTROL:-cubic}" net.core.somaxconn=8192
  net.ipv4.tcp_max_syn_backlog=8192 net.ipv4.tcp_max_tw_buckets=400000 net.ipv4.tcp_fin_timeout=5
)

# link NAMESPACE NAMESPACE INTERFACE INTERFACE ADDRESS ADDRESS
link() {
  ip link add "$3" netns "$1" type veth peer name "$4" netns "$2"
  ip -n "$1" addr add "$5" dev "$3"
  ip -n "$2" addr add "$6" dev "$4"
  ip -n "$1" link set "$3" up
  ip -n "$2" link set "$4" up
}

down() {
  for namespace in "${namespaces[@]}"; do ip netns del "$namespace" 2>/dev/null || true; done
}

up() {
  down
  # Namespaces may choose cubic only when the machine allows it.
  sysctl -qw net.ipv4.tcp_allowed_congestion_control="reno bbr cubic" 2>/dev/null || true
  for namespace in "${namespaces[@]}"; do
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
  done
  link perf-c perf-a eth0 vc 10.201.1.2/24 10.201.1.1/24
  link perf-a perf-b eth0 eth0 10.201.2.1/24 10.201.2.2/24
  link perf-b perf-s vs eth0 10.201.3.1/24 10.201.3.2/24
  ip -n perf-c route add default via 10.201.1.1
  ip -n perf-s route add default via 10.201.3.1
  ip -n perf-a route add 10.201.3.0/24 via 10.201.2.2
  ip -n perf-b route add 10.201.1.0/24 via 10.201.2.1
  for namespace in "${namespaces[@]}"; do
    nsenter --net=/run/netns/"$namespace" sysctl -qw "${settings[@]}"
  done
}

case "${1:-}" in
  up) up ;;
  down) down ;;
  *) echo "usage: net.sh up|down" >&2; exit 2 ;;
esac
