/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whose connections into enrolled pods are the node's own health checks: those opened by the
 * processes of the prober's cgroup (the kubelet's), told apart by tuple. Nothing is rewritten.
 *
 * Attached to the prober's cgroup; other programs may attach there too. That cgroup may hold others,
 * pods among them: only what is connected from the prober's own network namespace is a probe.
 */
#include "maps.h"

/* The cookie of the prober's network namespace; 0: any. Set before the program is loaded. */
const volatile __u64 prober_namespace = 0;

#define AF_INET 2
#define AF_INET6 10

static __always_inline int read_flow(struct bpf_sock_ops *context, struct redirect_flow *flow)
{
	if (context->family == AF_INET) {
		flow->source = mapped4(WHOLE(context->local_ip4));
		flow->destination = mapped4(WHOLE(context->remote_ip4));
	} else if (context->family == AF_INET6) {
		flow->source.word[0] = WHOLE(context->local_ip6[0]);
		flow->source.word[1] = WHOLE(context->local_ip6[1]);
		flow->source.word[2] = WHOLE(context->local_ip6[2]);
		flow->source.word[3] = WHOLE(context->local_ip6[3]);
		flow->destination.word[0] = WHOLE(context->remote_ip6[0]);
		flow->destination.word[1] = WHOLE(context->remote_ip6[1]);
		flow->destination.word[2] = WHOLE(context->remote_ip6[2]);
		flow->destination.word[3] = WHOLE(context->remote_ip6[3]);
	} else {
		return 0;
	}
	flow->source_port = context->local_port;
	flow->destination_port = bpf_ntohl(context->remote_port);
	return 1;
}

SEC("sockops")
int probes(struct bpf_sock_ops *context)
{
	struct redirect_flow flow = {};
	struct redirect_probe probe = {};

	switch (context->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB: /* before the SYN leaves */
		if (prober_namespace && bpf_get_netns_cookie(context) != prober_namespace)
			break;
		if (!read_flow(context, &flow))
			break;
		bpf_map_update_elem(&probe_flows, &flow, &probe, BPF_ANY);
		bpf_sock_ops_cb_flags_set(context, context->bpf_sock_ops_cb_flags |
							   BPF_SOCK_OPS_STATE_CB_FLAG);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (context->args[1] != BPF_TCP_CLOSE || !read_flow(context, &flow))
			break;
		/* Kept for late answers, but the tuple opens no new connection to the application. */
		probe.closed_at = bpf_ktime_get_ns();
		bpf_map_update_elem(&probe_flows, &flow, &probe, BPF_EXIST);
		break;
	}
	return 1;
}

const char redirect_license[] SEC("license") = "GPL";
