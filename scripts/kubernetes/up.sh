#!/bin/bash
# Brings up a real Kubernetes on this machine without systemd: etcd, apiserver,
# controller-manager and scheduler in a network namespace of their own, and
# K8S_NODES nodes (default 2), each with its own network, mount, pid, uts, ipc and
# cgroup namespaces, containerd, kubelet and kube-proxy. Nothing is configured in the
# machine's own network namespace, except a forwarder on 127.0.0.1 for kubectl.
#   K8S_NODES=0   control plane only
# Prints "export KUBECONFIG=..." on stdout; log on stderr.
set -euo pipefail
# let go of descriptors that the caller left open (a lock, a pipe), so that the daemons do not keep them
for f in /proc/$$/fd/*; do f=${f##*/}; [ "$f" -le 2 ] || [ "$f" = 255 ] || eval "exec $f>&-" 2>/dev/null || true; done
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${K8S_CACHE:-/var/cache/k8s-test}
S=${K8S_STATE:-/var/lib/k8s-test}
P=${K8S_PREFIX:-kube}            # prefix of namespace names
N=${K8S_NODES:-2}
PORT=${K8S_PORT:-16443}          # 127.0.0.1:$PORT on the machine
NET=${K8S_NET:-10.250.0}         # underlay /24 between node namespaces
PODS=${K8S_PODS:-10.244}         # pods of node i: $PODS.i.0/24
SVC=${K8S_SVC:-10.96}            # services: $SVC.0.0/16
B=$CACHE/bin
T0=$(date +%s%N)
log() { printf '[up %6.2fs] %s\n' "$(( ($(date +%s%N)-T0)/10000000 ))e-2" "$*" >&2; }
die() { log "FAILED: $*"; exit 1; }
[ "$(id -u)" = 0 ] || die "needs root"
for b in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
  [ -x "$B/$b" ] || die "$B/$b missing: run build.sh"; done
[ ! -e "$S/pids" ] || die "$S/pids exists: run down.sh first"
mkdir -p "$S"/{pki,log,conf,run}; chmod 700 "$S"; : >"$S/pids"
cat >"$S/env" <<E
P=$P
N=$N
S=$S
E
trap 'exit 143' TERM INT HUP
trap 'rc=$?; [ $rc = 0 ] || { log "failed; taking it down (logs kept in $S.failed)"; rm -rf "$S.failed"; cp -r "$S/log" "$S.failed" || true; "$HERE/down.sh" >&2 || true; }' EXIT

# mount points that a node needs and this machine may lack: made here, removed by down.sh
for d in /etc/cni /opt/cni /var/lib/kubelet /var/lib/cni /var/lib/containerd; do [ -d $d ] || { mkdir -p $d; echo $d >>"$S/madedirs"; }; done

# start NAME NETNS CMD...: a daemon in its own session; its pid and start time go to $S/pids
start() {
  local name=$1 ns=$2; shift 2
  ip netns exec "$ns" setsid "$@" >"$S/log/$name.log" 2>&1 </dev/null &
  echo "$name $! $(cut -d' ' -f22 /proc/$!/stat)" >>"$S/pids"
}

# ---- certificates (EC, a few ms each) ---------------------------------------
ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$1" \
       -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature \
       -keyout "$S/pki/$1.key" -out "$S/pki/$1.crt" 2>/dev/null; }
crt() { # NAME CA SUBJECT [SAN]
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$3" -keyout "$S/pki/$1.key" -out "$S/pki/$1.csr" 2>/dev/null
  openssl x509 -req -in "$S/pki/$1.csr" -CA "$S/pki/$2.crt" -CAkey "$S/pki/$2.key" -set_serial "0x$(openssl rand -hex 8)" -days 3650 \
    -extfile <(echo "keyUsage=critical,digitalSignature,keyEncipherment"; echo "extendedKeyUsage=serverAuth,clientAuth"; [ -z "${4:-}" ] || echo "subjectAltName=$4") \
    -out "$S/pki/$1.crt" 2>/dev/null; rm -f "$S/pki/$1.csr"; }
kcfg() { # FILE USER SERVER
  cat >"$1" <<E
apiVersion: v1
kind: Config
clusters: [{name: k, cluster: {server: "$3", certificate-authority-data: $(base64 -w0 "$S/pki/ca.crt")}}]
users: [{name: u, user: {client-certificate-data: $(base64 -w0 "$S/pki/$2.crt"), client-key-data: $(base64 -w0 "$S/pki/$2.key")}}]
contexts: [{name: c, context: {cluster: k, user: u}}]
current-context: c
E
}
ca ca & ca front-ca & openssl genrsa -out "$S/pki/sa.key" 2048 2>/dev/null & wait   # RSA: tokens are RS256, as kubeadm's
openssl rsa -in "$S/pki/sa.key" -pubout -out "$S/pki/sa.pub" 2>/dev/null
crt apiserver ca /CN=kube-apiserver "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$NET.1,IP:$SVC.0.1" &
crt kubelet-client ca "/O=system:masters/CN=apiserver-kubelet" &
crt front front-ca /CN=front-proxy &
crt admin ca "/O=system:masters/CN=admin" &
crt kcm ca /CN=system:kube-controller-manager &
crt sched ca /CN=system:kube-scheduler &
crt proxy ca /CN=system:kube-proxy &
for i in $(seq 1 $N); do crt n$i ca "/O=system:nodes/CN=system:node:n$i" "DNS:n$i,IP:$NET.1$i" & done
wait
kcfg "$S/kubeconfig" admin "https://127.0.0.1:$PORT"
kcfg "$S/conf/admin-in" admin "https://$NET.1:6443"
kcfg "$S/conf/kcm" kcm "https://$NET.1:6443"
kcfg "$S/conf/sched" sched "https://$NET.1:6443"
kcfg "$S/conf/proxy" proxy "https://$NET.1:6443"
for i in $(seq 1 $N); do kcfg "$S/conf/n$i" n$i "https://$NET.1:6443"; done
log "certificates"

# ---- networks ----------------------------------------------------------------
ip netns add $P-cp
ip -n $P-cp link set lo up
ip -n $P-cp link add br0 type bridge
ip -n $P-cp addr add $NET.1/24 dev br0
ip -n $P-cp link set br0 up
ip netns exec $P-cp sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=0
for i in $(seq 1 $N); do
  ip netns add $P-n$i
  ip -n $P-cp link add n$i type veth peer name eth0 netns $P-n$i
  ip -n $P-cp link set n$i master br0 up
  ip -n $P-n$i link set lo up
  ip -n $P-n$i addr add $NET.1$i/24 dev eth0
  ip -n $P-n$i link set eth0 up
  ip -n $P-n$i route add default via $NET.1
  ip -n $P-n$i route add unreachable 169.254.169.254     # kubelet asks cloud metadata at start: say no at once
  ip netns exec $P-n$i sysctl -qw net.ipv4.ip_forward=1
  ip -n $P-cp route add $PODS.$i.0/24 via $NET.1$i
done
for i in $(seq 1 $N); do for j in $(seq 1 $N); do
  [ $i = $j ] || ip -n $P-n$i route add $PODS.$j.0/24 via $NET.1$j; done; done
log "namespaces"

# ---- control plane -----------------------------------------------------------
E=/dev/shm/$P-etcd; rm -rf "$E"; mkdir -m 700 "$E"      # memory: no fsync waits
start etcd $P-cp etcd --name=e --data-dir="$E" --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
  --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 --initial-cluster=e=http://127.0.0.1:2380 \
  --auto-compaction-retention=5m --quota-backend-bytes=2147483648 --log-level=warn
start kube-apiserver $P-cp "$B/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --bind-address=0.0.0.0 --secure-port=6443 \
  --advertise-address=$NET.1 --allow-privileged=true --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
  --tls-cert-file="$S/pki/apiserver.crt" --tls-private-key-file="$S/pki/apiserver.key" --client-ca-file="$S/pki/ca.crt" \
  --kubelet-client-certificate="$S/pki/kubelet-client.crt" --kubelet-client-key="$S/pki/kubelet-client.key" \
  --kubelet-preferred-address-types=InternalIP \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-signing-key-file="$S/pki/sa.key" \
  --service-account-key-file="$S/pki/sa.pub" --service-cluster-ip-range=$SVC.0.0/16 \
  --requestheader-client-ca-file="$S/pki/front-ca.crt" --requestheader-allowed-names=front-proxy \
  --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
  --proxy-client-cert-file="$S/pki/front.crt" --proxy-client-key-file="$S/pki/front.key" --enable-aggregator-routing=true \
  --feature-gates=BoundServiceAccountTokenVolume=true,EndpointSliceNodeName=true,EndpointSliceTerminatingCondition=true \
  --max-requests-inflight=0 --max-mutating-requests-inflight=0 --enable-priority-and-fairness=false \
  --profiling=false --v=1
# kubectl from the machine's own network namespace: TCP on 127.0.0.1 -> unix socket -> the namespace
start fwd-in $P-cp socat "UNIX-LISTEN:$S/run/api.sock,fork,mode=600" TCP:127.0.0.1:6443
setsid socat "TCP-LISTEN:$PORT,bind=127.0.0.1,fork,reuseaddr" "UNIX-CONNECT:$S/run/api.sock" >"$S/log/fwd.log" 2>&1 </dev/null &
echo "fwd $! $(cut -d' ' -f22 /proc/$!/stat)" >>"$S/pids"

# ---- nodes: containerd can start while the apiserver does ---------------------
for i in $(seq 1 $N); do
  D=$S/n$i; mkdir -p "$D"/{kubelet,containerd,cni-lib,varlog,etc-cni,opt-cni,fake}
  cat >"$D/kubelet.yaml" <<E
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $S/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $S/pki/n$i.crt
tlsPrivateKeyFile: $S/pki/n$i.key
cgroupDriver: cgroupfs
clusterDNS: [$SVC.0.10]
clusterDomain: cluster.local
resolvConf: $D/resolv.conf
volumePluginDir: /var/lib/kubelet/volumeplugins
failSwapOn: false
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
serializeImagePulls: false
nodeStatusUpdateFrequency: 1s
nodeStatusReportFrequency: 30s
syncFrequency: 10s
maxPods: 200
kubeAPIQPS: 100
kubeAPIBurst: 200
eventRecordQPS: 50
podPidsLimit: -1
E
  echo "nameserver 127.0.0.53" >"$D/resolv.conf"
  cat >"$D/proxy.yaml" <<E
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
hostnameOverride: n$i
bindAddress: $NET.1$i
clusterCIDR: $PODS.0.0/16
clientConnection: {kubeconfig: $S/conf/proxy}
conntrack: {maxPerCore: 0, min: 0, tcpCloseWaitTimeout: 0s, tcpEstablishedTimeout: 0s}
iptables: {syncPeriod: 30s, minSyncPeriod: 100ms}
E
  cat >"$D/containerd.toml" <<E
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  max_container_log_line_size = 65536
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
E
  mkdir -p "$D/etc-cni/net.d" "$D/opt-cni/bin"
  cp /usr/lib/cni/* "$D/opt-cni/bin/"
  cat >"$D/etc-cni/net.d/10-bridge.conflist" <<E
{"cniVersion":"0.4.0","name":"k8s-test","plugins":[
 {"type":"bridge","bridge":"cni0","isDefaultGateway":true,"hairpinMode":true,"ipMasq":false,
  "ipam":{"type":"host-local","ranges":[[{"subnet":"$PODS.$i.0/24"}]]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
E
  # kubelet wants these values: show it files that hold them, and leave the machine's own alone
  mkdir -p "$D/fake"; echo 1 >"$D/fake/vm.overcommit_memory"; echo 10 >"$D/fake/kernel.panic"; echo 1 >"$D/fake/kernel.panic_on_oops"
  echo 1000000 >"$D/fake/kernel.keys.root_maxkeys"; echo 25000000 >"$D/fake/kernel.keys.root_maxbytes"
  # a cgroup for the node in every hierarchy, which its cgroup namespace then shows as /
  "$HERE/node.sh" outer "$i" "$P" "$S" "$B" "$NET" "$CACHE" >"$S/log/n$i.log" 2>&1 </dev/null &
  echo "n$i $! $(cut -d' ' -f22 /proc/$!/stat)" >>"$S/pids"
done

export KUBECONFIG=$S/kubeconfig
K="$B/kubectl"
ready=; for t in $(seq 600); do
  [ "$(curl -s -m 2 --cacert "$S/pki/ca.crt" --cert "$S/pki/admin.crt" --key "$S/pki/admin.key" "https://127.0.0.1:$PORT/readyz" 2>/dev/null)" = ok ] && { ready=1; break; }; sleep 0.1; done
[ -n "$ready" ] || { tail -5 "$S/log/kube-apiserver.log" >&2; die "apiserver not ready"; }
log "apiserver ready"
start kube-controller-manager $P-cp "$B/kube-controller-manager" --kubeconfig="$S/conf/kcm" --authentication-kubeconfig="$S/conf/kcm" --authorization-kubeconfig="$S/conf/kcm" \
  --leader-elect=false --use-service-account-credentials=true --root-ca-file="$S/pki/ca.crt" --service-account-private-key-file="$S/pki/sa.key" \
  --cluster-signing-cert-file="$S/pki/ca.crt" --cluster-signing-key-file="$S/pki/ca.key" --bind-address=127.0.0.1 \
  --controllers="*,bootstrapsigner,tokencleaner,-attachdetach,-persistentvolume-binder,-persistentvolume-expander,-ttl${K8S_KCM_OFF:-}" \
  --kube-api-qps=500 --kube-api-burst=1000 --concurrent-endpoint-syncs=10 --concurrent-service-endpoint-syncs=10 \
  --node-monitor-period=2s --node-monitor-grace-period=20s --pod-eviction-timeout=30s --concurrent-deployment-syncs=5 \
  --feature-gates=BoundServiceAccountTokenVolume=true,EndpointSliceNodeName=true,EndpointSliceTerminatingCondition=true
start kube-scheduler $P-cp "$B/kube-scheduler" --kubeconfig="$S/conf/sched" --authentication-kubeconfig="$S/conf/sched" --authorization-kubeconfig="$S/conf/sched" \
  --leader-elect=false --bind-address=127.0.0.1 --kube-api-qps=500 --kube-api-burst=1000
"$K" apply --validate=false -f - >/dev/null <<E
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: k8s-test-proxy}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:node-proxier"}
subjects: [{kind: User, name: "system:kube-proxy"}]
E
: >"$S/run/api-ready"
if [ "$N" -gt 0 ]; then
  for i in $(seq 1 $N); do
    ok=; for t in $(seq 600); do "$K" get node n$i >/dev/null 2>&1 && { ok=1; break; }; sleep 0.2; done
    [ -n "$ok" ] || die "node n$i did not register: see $S/log/n$i*.log"
    "$K" patch node n$i --type=merge -p "{\"spec\":{\"podCIDR\":\"$PODS.$i.0/24\",\"podCIDRs\":[\"$PODS.$i.0/24\"]}}" >/dev/null
  done
  log "nodes registered"
  "$K" wait --for=condition=Ready node --all --timeout=90s >/dev/null || die "nodes not ready"
  log "nodes ready"
fi
if [ "$N" -gt 0 ] && [ "${K8S_DNS:-1}" = 1 ]; then
  sed "s/@DNS@/$SVC.0.10/" "$HERE/dns.yaml" | "$K" apply --validate=false -f - >/dev/null
  "$K" -n kube-system rollout status deploy/coredns --timeout=60s >/dev/null || die "dns not ready"
  log "dns ready"
fi
for t in $(seq 200); do "$K" -n default get sa default >/dev/null 2>&1 && break; sleep 0.1; done
log "up; default service account present"
echo "export KUBECONFIG=$S/kubeconfig"
