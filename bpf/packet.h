/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a packet on its way out of a pod is: TCP or what could hide it, a DNS query, anything else.
 */
#pragma once

#include "dns.h"
#include "maps.h"
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#define IPPROTO_ICMPV6 58
#define FRAGMENT_OFFSET 0x1fff
#define MORE_FRAGMENTS 0x2000
#define MULTICAST4_FIRST 0xe0000000 /* multicast, reserved and broadcast */
#define MULTICAST6_FIRST_BYTE 0xff
#define DNS_IS_ANSWER 0x80

/* Where the headers are, counted from the first byte of the packet. */
struct packet {
	__u32 ip;
	__u32 tcp; /* 0 when an extension header or a fragment hides it */
	struct redirect_flow reply; /* the flow this packet would answer */
};

enum verdict { LOOP, PASS_OTHER, MALFORMED, ASKS4, ASKS6 };

/* The front of a DNS message in UDP, as far as it tells a query from anything else. */
struct query {
	struct udphdr udp;
	__be16 id;
	__u8 flags;
} __attribute__((packed));

/* An answer stays what it is, though it may go to port 53: that of a server in this very pod. */
static __always_inline int is_query(struct __sk_buff *skb, __u32 udp)
{
	struct query query;

	if (bpf_skb_load_bytes(skb, udp, &query, sizeof(query)))
		return 0;
	return query.udp.dest == bpf_htons(DNS_PORT) && !(query.flags & DNS_IS_ANSWER);
}

/* A fragment passes with all its others, so that the resolver gets what was asked. */
static __always_inline enum verdict read_udp4(struct __sk_buff *skb, __u32 at, const struct iphdr *ip)
{
	if (ip->ihl < 5 || bpf_ntohs(ip->frag_off) & (FRAGMENT_OFFSET | MORE_FRAGMENTS))
		return PASS_OTHER;
	if (bpf_ntohl(ip->daddr) >= MULTICAST4_FIRST)
		return PASS_OTHER;
	return is_query(skb, at + ip->ihl * 4) ? ASKS4 : PASS_OTHER;
}

static __always_inline enum verdict read_udp6(struct __sk_buff *skb, __u32 at,
					      const struct ipv6hdr *ip)
{
	if (ip->daddr.s6_addr[0] == MULTICAST6_FIRST_BYTE)
		return PASS_OTHER;
	return is_query(skb, at + sizeof(*ip)) ? ASKS6 : PASS_OTHER;
}

static __always_inline enum verdict read4(struct __sk_buff *skb, struct packet *packet)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, packet->ip, &ip, sizeof(ip)))
		return MALFORMED;
	if (ip.protocol == IPPROTO_UDP)
		return read_udp4(skb, packet->ip, &ip);
	if (ip.protocol != IPPROTO_TCP)
		return PASS_OTHER;
	if (ip.ihl < 5)
		return MALFORMED;
	packet->reply.source = mapped4(ip.daddr);
	packet->reply.destination = mapped4(ip.saddr);
	if (!(bpf_ntohs(ip.frag_off) & FRAGMENT_OFFSET))
		packet->tcp = packet->ip + ip.ihl * 4;
	return LOOP;
}

/* An extension header could hide TCP: only what is plainly UDP or ICMP is left alone. */
static __always_inline enum verdict read6(struct __sk_buff *skb, struct packet *packet)
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, packet->ip, &ip, sizeof(ip)))
		return MALFORMED;
	if (ip.nexthdr == IPPROTO_UDP)
		return read_udp6(skb, packet->ip, &ip);
	if (ip.nexthdr == IPPROTO_ICMPV6)
		return PASS_OTHER;
	__builtin_memcpy(&packet->reply.source, &ip.daddr, sizeof(ip.daddr));
	__builtin_memcpy(&packet->reply.destination, &ip.saddr, sizeof(ip.saddr));
	if (ip.nexthdr == IPPROTO_TCP)
		packet->tcp = packet->ip + sizeof(ip);
	return LOOP;
}
