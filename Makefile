# Skein: `make help` lists the targets. KEEP=1 leaves the demo up; FILTER=name runs some tests only.
SHELL       := /bin/bash
SWIFT_FLAGS := --explicit-target-dependency-import-check error
STATIC      := -c release --scratch-path .build-static -Xswiftc -static-executable -Xswiftc -use-ld=lld \
               -Xlinker --gc-sections
SWIFT_CODE  := Package.swift Sources Tests
ZTUNNEL     := .build-static/release/ztunnel
NODE_AGENT  := .build/debug/node-agent

.PHONY: help check deps lint format embed proto bpf build test e2e image interop demo bench bench-dns bench-control fuzz race memory clean

help:    ## this list
	@sed -n 's/^\([a-z-]*\): *[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22
check: lint bpf build test ## all that CI asks, in the order it fails fastest
deps:    ## install the Debian packages the build, the tests and the demo need
	@scripts/deps.sh
lint:    ## format and house words
	swift format lint --strict --parallel --recursive $(SWIFT_CODE)
format:  ## rewrite Swift sources in the house format
	swift format format --in-place --parallel --recursive $(SWIFT_CODE)
embed:   ## write manifests/ into Sources/SkeinCLI/Generated, for skein install
	@scripts/embed.sh
proto:   ## write Swift from proto/ (needs Debian's protobuf-compiler)
	@scripts/proto.sh
bpf: deps ## compile bpf/*.bpf.c into Sources/CBPF/generated
	@scripts/bpf.sh
build: bpf ## node-agent and the tests (debug), ztunnel and skein-cni (static, release)
	swift build $(SWIFT_FLAGS) --build-tests
	swift build $(SWIFT_FLAGS) $(STATIC) --product ztunnel
	swift build $(SWIFT_FLAGS) $(STATIC) --product skein-cni
test: build ## every test, as root; FILTER=name for some
	@scripts/test.sh "$(FILTER)"
interop: build ## ztunnel beside Envoy, nghttp2, tlslite-ng and h2, as root
	@scripts/test.sh '^InteropTests\.'
e2e: build ## the control plane and an installation on a real Kubernetes, as root; the first run builds it
	@scripts/e2e.sh "$(FILTER)"
image: bpf ## an OCI archive of the static programs, without a daemon: NAME=skein:dev, in .build-static/, and skein beside it
	for product in ztunnel skein-cni node-agent control-plane skein; do swift build $(SWIFT_FLAGS) $(STATIC) --product $$product || exit 1; done
	@scripts/image.sh $(or $(NAME),skein:dev) .build-static/skein.tar $(addprefix .build-static/release/,node-agent control-plane ztunnel skein-cni)
demo: build ## two nodes, six pods, one namespace enrolled live; KEEP=1 leaves it up
	@NODE_AGENT=$(abspath $(NODE_AGENT)) ZTUNNEL=$(abspath $(ZTUNNEL)) demo/run.sh
bench: build ## ztunnel beside its peers in one run; PEERS=... REPS=...
	swift build $(SWIFT_FLAGS) -c release --scratch-path .build-release --product node-agent
	@NODE_AGENT=$(abspath .build-release/release/node-agent) ZTUNNEL=$(abspath $(ZTUNNEL)) bench/run.sh
bench-dns: build ## DNS of one pod at 10 000 queries a second
	@NODE_AGENT=$(abspath $(NODE_AGENT)) ZTUNNEL=$(abspath $(ZTUNNEL)) bench/dns/run.sh
bench-control: bpf ## the control plane: push latency and memory as the mesh grows
	swift build $(SWIFT_FLAGS) -c release --scratch-path .build-release --product control-plane
	@CONTROL_PLANE=$(abspath .build-release/release/control-plane) bench/control-plane/run.sh
fuzz:    ## every parser under libFuzzer; SECONDS_EACH=60
	@Fuzz/run.sh all $(or $(SECONDS_EACH),60)
race: bpf ## ztunnel and its tests under ThreadSanitizer
	TSAN_OPTIONS=suppressions=$(abspath Tests/race.supp) swift test $(SWIFT_FLAGS) --sanitize=thread --scratch-path .build-race --filter '^(ZTunnel|Linux)Tests'
memory: bpf ## ztunnel and its tests under AddressSanitizer
	@# Without tests that measure the allocator it replaces, and one whose worker never turns to bury what it closed.
	swift test $(SWIFT_FLAGS) --sanitize=address --scratch-path .build-memory --filter '^(ZTunnel|TLS)Tests' \
	  --skip 'Sessions give their memory back' --skip 'a socket that cannot be watched is closed'
clean:   ## remove what was built
	rm -rf .build .build-static .build-release .build-race .build-memory Sources/CBPF/generated
