/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which socket of an enrolled pod gets a new TCP connection: ztunnel's listeners, unless the pod
 * talks to itself, ztunnel talks to the application, or the node's prober asks.
 *
 * One instance per pod, attached to its network namespace. getsockname() of the accepted socket is
 * the original destination, in every direction. A DNS query over UDP that egress.bpf.c looped goes to
 * ztunnel's DNS socket, which hears the original destination with each datagram.
 */
#include "dns.h"
#include "maps.h"
#include <linux/in.h>

#define AF_INET 2
#define LOOPBACK4_NETWORK 0x7f000000
#define LOOPBACK4_MASK 0xff000000

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, REDIRECT_LISTENERS);
} listeners SEC(".maps");

/* Every address of the pod's interfaces; a missing one would loop ztunnel's own connections. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct redirect_address);
	__type(value, __u8);
	__uint(max_entries, REDIRECT_LOCAL_ADDRESSES_MAX);
} local_addresses SEC(".maps");

static __always_inline int is_loopback(const struct redirect_address *address)
{
	const __u32 *word = address->word;

	if (word[0] || word[1])
		return 0;
	if (word[2] == bpf_htonl(0xffff))
		return (word[3] & bpf_htonl(LOOPBACK4_MASK)) == bpf_htonl(LOOPBACK4_NETWORK);
	return !word[2] && word[3] == bpf_htonl(1);
}

static __always_inline int pass(__u32 counter)
{
	count(counter);
	return SK_PASS;
}

static __always_inline int give_to(struct bpf_sk_lookup *context, __u32 listener, __u32 counter)
{
	struct bpf_sock *socket = bpf_map_lookup_elem(&listeners, &listener);
	long failure;

	if (!socket)
		goto drop;
	/* Or a root process in the pod could join the listener's group and take connections. */
	failure = bpf_sk_assign(context, socket, BPF_SK_LOOKUP_F_NO_REUSEPORT);
	bpf_sk_release(socket);
	if (failure)
		goto drop;
	return pass(counter);
drop:
	count(REDIRECT_LOOKUP_DROPPED);
	return SK_DROP;
}

static __always_inline int is_local(const struct redirect_address *address)
{
	return is_loopback(address) || bpf_map_lookup_elem(&local_addresses, address);
}

static __always_inline struct redirect_address destination(const struct bpf_sk_lookup *context)
{
	struct redirect_address address = mapped4(WHOLE(context->local_ip4));

	if (context->family != AF_INET) {
		address.word[0] = WHOLE(context->local_ip6[0]);
		address.word[1] = WHOLE(context->local_ip6[1]);
		address.word[2] = WHOLE(context->local_ip6[2]);
		address.word[3] = WHOLE(context->local_ip6[3]);
	}
	return address;
}

/* Only what was looped comes in through lo for an address that is not the pod's own. */
static __always_inline int lookup_dns(struct bpf_sk_lookup *context, __u32 family)
{
	struct redirect_address resolver;
	struct bpf_sock *socket;
	long failure;

	if (context->local_port != DNS_PORT || context->ingress_ifindex > REDIRECT_LOOPBACK_IFINDEX)
		return SK_PASS;
	resolver = destination(context);
	if (is_local(&resolver))
		return SK_PASS;
	socket = bpf_map_lookup_elem(&dns_sockets, &family);
	if (!socket)
		return SK_PASS;
	failure = bpf_sk_assign(context, socket, BPF_SK_LOOKUP_F_NO_REUSEPORT);
	bpf_sk_release(socket);
	return failure ? SK_PASS : pass(REDIRECT_LOOKUP_DNS);
}

SEC("sk_lookup")
int lookup(struct bpf_sk_lookup *context)
{
	struct redirect_flow flow = {};
	__u32 is_v6 = context->family != AF_INET;
	__u32 first = is_v6 ? REDIRECT_OUTBOUND6 : REDIRECT_OUTBOUND4;

	if (context->protocol != IPPROTO_TCP)
		return lookup_dns(context, is_v6 ? REDIRECT_DNS6 : REDIRECT_DNS4);
	flow.destination = destination(context);
	flow.source = mapped4(WHOLE(context->remote_ip4));
	if (is_v6) {
		flow.source.word[0] = WHOLE(context->remote_ip6[0]);
		flow.source.word[1] = WHOLE(context->remote_ip6[1]);
		flow.source.word[2] = WHOLE(context->remote_ip6[2]);
		flow.source.word[3] = WHOLE(context->remote_ip6[3]);
	}
	flow.source_port = bpf_ntohs(context->remote_port);
	flow.destination_port = context->local_port;

	/* 0: the kernel or a BPF helper asks, not a packet. */
	if (context->ingress_ifindex <= REDIRECT_LOOPBACK_IFINDEX) {
		if (is_local(&flow.destination))
			return pass(REDIRECT_LOOKUP_PASSED_LOCAL);
		return give_to(context, first + REDIRECT_OUTBOUND4, REDIRECT_LOOKUP_OUTBOUND);
	}
	/* A pod's call to its own address reports the outer interface, not lo: the source tells. */
	if (bpf_map_lookup_elem(&local_addresses, &flow.source))
		return pass(REDIRECT_LOOKUP_PASSED_LOCAL);
	if (is_probe(&flow))
		return pass(REDIRECT_LOOKUP_PASSED_PROBE);
	if (flow.destination_port == REDIRECT_HBONE_PORT)
		return give_to(context, first + REDIRECT_HBONE4, REDIRECT_LOOKUP_HBONE);
	/* Other nodes may not know yet that the pod leaves the mesh; a client without it must not wait. */
	if (passage_mode() == REDIRECT_DRAIN)
		return pass(REDIRECT_LOOKUP_PASSED_RELEASED);
	return give_to(context, first + REDIRECT_INBOUND4, REDIRECT_LOOKUP_INBOUND);
}

const char redirect_license[] SEC("license") = "GPL";
