#!/bin/bash
# Builds a real Kubernetes 1.20 (Debian's own source package) into a cache, and
# installs the Debian packages that up.sh needs. Rerunnable, non-interactive.
# Cache: $K8S_CACHE (default /var/cache/k8s-test): bin/ (binaries), img/ (images).
set -euo pipefail
CACHE=${K8S_CACHE:-/var/cache/k8s-test}
WORK=${K8S_WORK:-/var/tmp/k8s-build}
TARGETS="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl testdns"
HERE=$(cd "$(dirname "$0")" && pwd)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
log() { printf '[build %4ss] %s\n' "$SECONDS" "$*" >&2; }
apt_() { apt-get -o DPkg::Lock::Timeout=300 -o APT::Sandbox::User=root -o Acquire::Retries=3 -q "$@"; }

# ---- 1. packages needed at run time -----------------------------------------
run_pkgs="containerd runc containernetworking-plugins etcd-server busybox-static dnsmasq-base
          iptables iproute2 conntrack openssl ipset curl socat util-linux python3"
miss=; for p in $run_pkgs; do
  dpkg-query -W -f='${Status}' $p 2>/dev/null | grep -q 'ok installed' || miss+=" $p"; done
if [ -n "$miss" ]; then
  log "installing:$miss"
  [ -n "$(ls /var/lib/apt/lists/*_Packages* 2>/dev/null)" ] || apt_ update >/dev/null
  # never let a maintainer script start a daemon here
  rc=/usr/sbin/policy-rc.d; made=
  [ -e $rc ] || { printf '#!/bin/sh\nexit 101\n' >$rc; chmod 755 $rc; made=1; }
  apt_ install -y --no-install-recommends $miss >/dev/null || { apt_ update >/dev/null; apt_ install -y --no-install-recommends $miss >/dev/null; }
  [ -z "$made" ] || rm -f $rc
fi

# ---- 2. the binaries --------------------------------------------------------
mkdir -p "$CACHE/bin" "$CACHE/img"
need=; for t in $TARGETS; do [ -x "$CACHE/bin/$t" ] || need+=" cmd/$t"; done
if [ -n "$need" ]; then
  log "to build:$need"
  bpk="golang-1.19-go dpkg-dev make gcc libc6-dev rsync"
  m=; for p in $bpk; do dpkg-query -W -f='${Status}' $p 2>/dev/null | grep -q 'ok installed' || m+=" $p"; done
  [ -z "$m" ] || apt_ install -y --no-install-recommends $m >/dev/null
  rm -rf "$WORK"; mkdir -p "$WORK/apt/parts" "$WORK/apt/lists/partial" "$WORK/apt/cache/archives/partial"
  # a private apt view: same servers as this machine's own list, but deb-src only
  python3 - /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list >"$WORK/apt/parts/src.sources" <<'PY'
import re, sys, os
out, seen = [], set()
for f in sys.argv[1:]:
    if not os.path.exists(f): continue
    s = open(f).read()
    if f.endswith('.sources'):
        for st in re.split(r'\n\s*\n', s):
            kv = {}
            for line in st.splitlines():
                m = re.match(r'([A-Za-z-]+):\s*(.*)', line)
                if m and not line.startswith('#'): kv[m.group(1)] = m.group(2)
            if 'deb' in kv.get('Types', '').split():
                out.append('\n'.join(['Types: deb-src'] + ['%s: %s' % (k, kv[k]) for k in ('URIs', 'Suites', 'Components', 'Signed-By') if k in kv]))
    else:
        for line in s.splitlines():
            m = re.match(r'deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+(.*)', line)
            if m: out.append('Types: deb-src\nURIs: %s\nSuites: %s\nComponents: %s' % (m.group(2), m.group(3), m.group(4)))
print('\n\n'.join(out))
PY
  A="-o Dir::Etc::SourceList=$WORK/apt/none -o Dir::Etc::SourceParts=$WORK/apt/parts -o Dir::State::Lists=$WORK/apt/lists -o Dir::Cache=$WORK/apt/cache"
  : >"$WORK/apt/none"
  log "fetching the source package"
  apt_ $A update >/dev/null
  ( cd "$WORK" && apt_ $A source --download-only kubernetes >/dev/null && dpkg-source --no-check -x kubernetes_*.dsc k >/dev/null )
  python3 "$HERE/patch.py" "$WORK/k" >&2
  mkdir -p "$WORK/k/cmd/testdns"; cp "$HERE/testdns.go" "$WORK/k/cmd/testdns/main.go"
  log "building (about 5 minutes on 2 cores)"
  ( cd "$WORK/k"
    export PATH=/usr/lib/go-1.19/bin:$PATH GOROOT=/usr/lib/go-1.19 GOPROXY=off HOME=$WORK
    unset GOFLAGS GO111MODULE
    export KUBE_STATIC_OVERRIDES=testdns KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=archive
    make WHAT="$need" >"$WORK/build.log" 2>&1 ) || { tail -30 "$WORK/build.log" >&2; exit 1; }
  for t in $need; do t=${t#cmd/}; install -m755 "$WORK/k/_output/local/go/bin/$t" "$CACHE/bin/$t.new"; mv "$CACHE/bin/$t.new" "$CACHE/bin/$t"; done
  [ -n "${K8S_KEEP_WORK:-}" ] || rm -rf "$WORK"
fi

# ---- 3. images: pause, a busybox test app, and that app as the programs of samples/ ---
if [ ! -s "$CACHE/img/pause.tar" ] || [ ! -s "$CACHE/img/samples.tar" ] || [ "$HERE/sample.sh" -nt "$CACHE/img/samples.tar" ] || [ ! -s "$CACHE/img/app.tar" ] || [ ! -s "$CACHE/img/testdns.tar" ] || [ "$HERE/mkimage.py" -nt "$CACHE/img/app.tar" ]; then
  log "images"
  t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
  cat >"$t/pause.c" <<'C'
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void down(int s) { (void)s; _exit(0); }
static void reap(int s) { (void)s; while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) {
  signal(SIGINT, down); signal(SIGTERM, down); signal(SIGCHLD, reap);
  for (;;) pause();
}
C
  mkdir -p "$t/pause" "$t/app/bin" "$t/app/etc" "$t/app/tmp" "$t/app/www"
  gcc -Os -static -s -o "$t/pause/pause" "$t/pause.c"
  cp /bin/busybox "$t/app/bin/busybox"
  for a in $("$t/app/bin/busybox" --list); do [ $a = busybox ] || ln -sf busybox "$t/app/bin/$a"; done
  printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$t/app/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$t/app/etc/group"
  mkdir "$t/dns"; cp "$CACHE/bin/testdns" "$t/dns/testdns"
  python3 "$HERE/mkimage.py" "$t/dns" localhost/testdns:1 "$CACHE/img/testdns.tar" /testdns
  python3 "$HERE/mkimage.py" "$t/pause" localhost/pause:1 "$CACHE/img/pause.tar" /pause
  python3 "$HERE/mkimage.py" --bin /usr/bin/curl --bin /usr/bin/openssl "$t/app" localhost/app:1 "$CACHE/img/app.tar" /bin/sh
  install -m755 "$HERE/sample.sh" "$t/app/bin/sample"
  python3 "$HERE/mkimage.py" "$t/app" localhost/samples:1 "$CACHE/img/samples.tar" /bin/sample
fi
log "done: $CACHE ($(du -sh "$CACHE" | cut -f1))"
