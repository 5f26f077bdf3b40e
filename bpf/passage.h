/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connections that live while their pod is enrolled or released, told apart by their sockets.
 *
 * A socket's cookie is the kernel's, and no other socket of this boot gets it: whoever sends packets
 * of the same tuple by other means has no part in what the connection may.
 */
#pragma once
#include "maps.h"
#include "packet.h"
#include <linux/tcp.h>

/* Per pod, made for as many as there are; this one for none. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct redirect_kept);
	__uint(max_entries, 1);
} kept SEC(".maps");

static __always_inline int is_reserved(__u16 port)
{
	return port >= REDIRECT_RESERVED_PORT_FIRST && port <= REDIRECT_RESERVED_PORT_LAST;
}

static __always_inline int is_same(const struct redirect_flow *a, const struct redirect_flow *b)
{
	for (int i = 0; i < 4; i++) {
		if (a->source.word[i] != b->source.word[i] ||
		    a->destination.word[i] != b->destination.word[i])
			return 0;
	}
	return a->source_port == b->source_port && a->destination_port == b->destination_port;
}

/* Tells what it wrote down. */
static __always_inline __u32 record(__u64 cookie, const struct redirect_flow *flow, __u32 keeping)
{
	struct redirect_kept new = { .flow = *flow, .keeping = keeping };

	if (bpf_map_update_elem(&kept, &cookie, &new, BPF_ANY))
		count(REDIRECT_EGRESS_KEPT_OVERFLOW);
	return keeping;
}

/*
 * On the way in ztunnel has new connections before anything is captured: what the application answers
 * to ztunnel's own, from a reserved port, must not reach the client whose address that has.
 */
static __always_inline __u32 entering(const struct packet *packet, const struct tcphdr *tcp)
{
	return tcp->syn && tcp->ack && is_reserved(packet->reply.source_port) ? REDIRECT_LOOP
									       : REDIRECT_PASS;
}

/* Whether a packet with an owner leaves the pod, in each mode but CAPTURE. */
static __always_inline int may_pass(struct __sk_buff *skb, const struct packet *packet,
				    const struct tcphdr *tcp, __u32 mode)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	struct redirect_kept *known;

	if (!packet->tcp) /* a fragment, or behind an extension header */
		return mode == REDIRECT_ENTER || mode == REDIRECT_DRAIN;
	known = bpf_map_lookup_elem(&kept, &cookie);
	/* A SYN is a new connection's, also one of a socket that had another before. */
	if (known && ((tcp->syn && !tcp->ack) || !is_same(&known->flow, &packet->reply))) {
		bpf_map_delete_elem(&kept, &cookie);
		known = NULL;
	}
	if (known)
		return known->keeping == REDIRECT_PASS;
	if (mode == REDIRECT_ENTER)
		return record(cookie, &packet->reply, entering(packet, tcp)) == REDIRECT_PASS;
	if (mode == REDIRECT_LEAVE)
		return record(cookie, &packet->reply, REDIRECT_LOOP) == REDIRECT_PASS;
	return mode == REDIRECT_DRAIN;
}
