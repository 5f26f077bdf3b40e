/* SPDX-License-Identifier: GPL-2.0 */
/* The maps more than one program uses. Swift makes each once and gives it to every program. */
#pragma once
#include "redirect_abi.h"
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/*
 * A context's field, read or written as a whole at its own offset: the verifier takes nothing else,
 * and the compiler would merge or split accesses.
 */
#define WHOLE(field) (*(volatile __typeof__(field) *)&(field))

/* Per node: whose packets may leave a pod, by cgroup id. A set, so that a new one joins early. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, __u8);
	__uint(max_entries, REDIRECT_AGENT_CGROUPS_MAX);
} agent_cgroups SEC(".maps");

/* Per node: the connections of the prober. The oldest give way. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct redirect_flow);
	__type(value, struct redirect_probe);
	__uint(max_entries, REDIRECT_PROBE_FLOWS_MAX);
} probe_flows SEC(".maps");

/* Per node: the namespaces of enrolled pods, by cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, __u8);
	__uint(max_entries, REDIRECT_NAMESPACES_MAX);
} enrolled_namespaces SEC(".maps");

/* Per pod. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, REDIRECT_COUNTERS);
} counters SEC(".maps");

/* Per pod. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct redirect_passage);
	__uint(max_entries, 1);
} passage SEC(".maps");

static __always_inline void count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		(*value)++;
}

static __always_inline __u32 passage_mode(void)
{
	__u32 slot = 0;
	struct redirect_passage *now = bpf_map_lookup_elem(&passage, &slot);

	return now ? now->mode : REDIRECT_CAPTURE;
}

static __always_inline struct redirect_address mapped4(__be32 address)
{
	struct redirect_address mapped = {
		.word = { 0, 0, bpf_htonl(0xffff), address },
	};
	return mapped;
}

static __always_inline int is_probe(const struct redirect_flow *flow)
{
	const struct redirect_probe *probe = bpf_map_lookup_elem(&probe_flows, flow);

	return probe && !probe->closed_at;
}

/* Late answers to a probe that its sender has closed may still leave. */
static __always_inline int answers_probe(const struct redirect_flow *flow)
{
	const struct redirect_probe *probe = bpf_map_lookup_elem(&probe_flows, flow);

	if (!probe)
		return 0;
	return !probe->closed_at ||
	       bpf_ktime_get_ns() - probe->closed_at < REDIRECT_PROBE_LINGER_NANOSECONDS;
}
