#!/usr/bin/env bash
# bench/control-plane/kubernetes.sh [SERVICES PODS]: a control plane beside a real API server that
# holds so many services and pods on 100 nodes: time and memory from cold, and the time from a write
# to the generation that has it. CONTROL_PLANE names a release build.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${CONTROL_PLANE:?a release build of control-plane}"
services=${1:-1000} pods=${2:-2000}
export K8S_STATE="${K8S_STATE:-/var/lib/k8s-test}"
scripts/kubernetes/build.sh
K8S_NODES=0 K8S_KCM_OFF=,-nodelifecycle,-podgc scripts/kubernetes/up.sh >&2
work=$(mktemp -d)
plane=
trap '[ -z "$plane" ] || kill "$plane"; scripts/kubernetes/down.sh; rm -rf "$work"' EXIT
PKI="$K8S_STATE/pki" python3 scripts/kubernetes/scale.py "$services" "$pods" 100 50 >&2
"$CONTROL_PLANE" run --kubernetes --kubeconfig "$K8S_STATE/kubeconfig" --ca-dir "$work/ca" \
  --listen 127.0.0.1:15912 --server-name localhost --admin 127.0.0.1:15914 --log-format json \
  >"$work/log" &
plane=$!
python3 - "$work/log" "$plane" "$pods" "$K8S_STATE" <<'PY'
import http.client, json, ssl, sys, time
log, plane, pods, state = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
start = time.time()
context = ssl.create_default_context(cafile=state + "/pki/ca.crt")
context.load_cert_chain(state + "/pki/admin.crt", state + "/pki/admin.key")
api = http.client.HTTPSConnection("127.0.0.1", 16443, context=context)

def memory():
    text = open(f"/proc/{plane}/status").read()
    return [int(text.split(key + ":")[1].split()[0]) // 1024 for key in ("VmRSS", "VmHWM")]

def processor():
    fields = open(f"/proc/{plane}/stat").read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100

def served(after):
    while True:
        lines = [line for line in open(log) if "generation served" in line]
        if len(lines) > after:
            return time.time(), len(lines), json.loads(lines[-1])
        time.sleep(0.002)

at, count, line = served(0)
print(f"cold: served after {at - start:.2f} s: {line}")
time.sleep(5)
print("memory MiB now, at most:", *memory())
times, before = [], processor()
for number in range(200):
    name, namespace = f"p{number % pods}", None
    namespace = f"s{(number % pods) % 1000 % 50}"
    body = json.dumps({"metadata": {"labels": {"version": f"v{number + 2}"}}})
    begin = time.time()
    api.request("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}", body,
                {"Content-Type": "application/merge-patch+json"})
    answer = api.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    at, count, line = served(count)
    times.append((at - begin) * 1000)
    time.sleep(0.05)
times.sort()
print(f"from a write to its generation, ms: median {times[100]:.0f}, p99 {times[197]:.0f}, most {times[-1]:.0f}")
print(f"processor for each: {(processor() - before) / 200 * 1000:.0f} ms; memory MiB now, at most:", *memory())
before = processor()
time.sleep(30)
print(f"idle: {(processor() - before) / 30 * 100:.1f} % of a core; memory:", *memory())
PY
