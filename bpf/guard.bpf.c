/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an enrolled pod may not ask of a socket: to write to an interface past the hooks of tc, which
 * PACKET_QDISC_BYPASS and AF_XDP do. With CAP_NET_RAW, which most containers have, it could.
 *
 * Attached to the root of the cgroup2 hierarchy; the namespace of the socket decides.
 */
#include "maps.h"
#include <linux/if_packet.h>

#define SOL_PACKET 263
#define SOL_XDP 283

SEC("cgroup/setsockopt")
int guard(struct bpf_sockopt *context)
{
	__u64 cookie;

	if (context->level == SOL_XDP ||
	    (context->level == SOL_PACKET && context->optname == PACKET_QDISC_BYPASS)) {
		cookie = bpf_get_netns_cookie(context);
		if (bpf_map_lookup_elem(&enrolled_namespaces, &cookie))
			return 0; /* EPERM */
	}
	context->optlen = 0; /* The caller's own bytes count, however many they are. */
	return 1;
}

const char redirect_license[] SEC("license") = "GPL";
