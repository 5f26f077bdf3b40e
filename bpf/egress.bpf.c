/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What leaves an enrolled pod: ztunnel's packets pass, every other TCP packet goes back in through
 * lo, where lookup.bpf.c hands it to ztunnel. It captures and enforces at once.
 *
 * DNS queries over UDP go the same way while ztunnel has a socket for them. They are captured, never
 * enforced: without that socket they pass to the resolver the application addressed.
 *
 * While a pod is enrolled or released, connections that live may go on as they began: passage.h.
 *
 * Attached as tcx (clsact before Linux 6.6) to the egress of each interface of the pod but lo.
 */
#include "dns.h"
#include "maps.h"
#include "packet.h"
#include "passage.h"
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#define SOCK_RAW 3

/*
 * The kernel answers for closed ports and TIME_WAIT with no socket, through the namespace's raw
 * control socket, or (since 6.13) in the name of the TIME_WAIT socket. Such an answer carries
 * neither data nor SYN nor FIN. A SYN-ACK's request socket is none of these: it is looped.
 */
static __always_inline int has_no_full_owner(struct __sk_buff *skb)
{
	struct bpf_sock *any = skb->sk, *full;

	if (!any)
		return 1;
	if (any->state == BPF_TCP_TIME_WAIT)
		return 1;
	full = bpf_sk_fullsock(any);
	return full && full->type == SOCK_RAW;
}

/*
 * Under a SYN flood the kernel answers with cookies, by SYN-ACKs that belong to no socket. ztunnel's
 * connections to the application come from reserved ports, and such an answer is theirs: loop it. Any
 * other is ztunnel's own listener's, since nobody outside reaches the application's.
 */
static __always_inline int is_cookie(const struct __sk_buff *skb, const struct tcphdr *tcp)
{
	return !skb->sk && tcp->syn && tcp->ack && !tcp->fin;
}

/* By the bytes that are there: the header's own length may lie. */
static __always_inline int is_bare_control(const struct __sk_buff *skb, const struct packet *packet,
					   const struct tcphdr *tcp)
{
	return (is_cookie(skb, tcp) || (!tcp->syn && !tcp->fin)) &&
	       packet->tcp + tcp->doff * 4 >= skb->len;
}

static __always_inline int allow(__u32 counter)
{
	count(counter);
	return TC_ACT_OK;
}

static __always_inline int drop(__u32 counter)
{
	count(counter);
	return TC_ACT_SHOT;
}

/* ztunnel's own query, and any without a socket of ztunnel's, goes where it was sent. */
static __always_inline int judge_query(struct __sk_buff *skb, __u32 family)
{
	__u64 cgroup = bpf_skb_cgroup_id(skb);
	struct bpf_sock *socket;

	if (bpf_map_lookup_elem(&agent_cgroups, &cgroup))
		return allow(REDIRECT_EGRESS_PASSED_AGENT);
	socket = bpf_map_lookup_elem(&dns_sockets, &family);
	if (!socket)
		return allow(REDIRECT_EGRESS_PASSED_DNS);
	bpf_sk_release(socket);
	count(REDIRECT_EGRESS_LOOPED_DNS);
	return TC_ACT_UNSPEC;
}

/* All are captured, but in between. */
static __always_inline int judge_owned(struct __sk_buff *skb, const struct packet *packet,
				       const struct tcphdr *tcp, __u32 mode)
{
	if (mode == REDIRECT_CAPTURE || !may_pass(skb, packet, tcp, mode))
		return TC_ACT_UNSPEC;
	return allow(mode == REDIRECT_DRAIN ? REDIRECT_EGRESS_PASSED_RELEASED
					    : REDIRECT_EGRESS_PASSED_KEPT);
}

/* TC_ACT_UNSPEC: loop it. */
static __always_inline int judge(struct __sk_buff *skb, __u32 ip, __be16 ethertype)
{
	struct packet packet = { .ip = ip };
	struct tcphdr tcp = {};
	enum verdict verdict;
	__u64 cgroup;
	__u32 mode;

	if (skb->vlan_present)
		return drop(REDIRECT_EGRESS_DROPPED_PROTOCOL);
	if (ethertype == bpf_htons(ETH_P_IP))
		verdict = read4(skb, &packet);
	else if (ethertype == bpf_htons(ETH_P_IPV6))
		verdict = read6(skb, &packet);
	else if (ethertype == bpf_htons(ETH_P_ARP))
		verdict = PASS_OTHER;
	else
		return drop(REDIRECT_EGRESS_DROPPED_PROTOCOL);
	if (verdict == PASS_OTHER)
		return allow(REDIRECT_EGRESS_PASSED_OTHER);
	if (verdict == MALFORMED)
		return drop(REDIRECT_EGRESS_DROPPED_MALFORMED);
	if (verdict == ASKS4 || verdict == ASKS6)
		return judge_query(skb, verdict == ASKS4 ? REDIRECT_DNS4 : REDIRECT_DNS6);

	cgroup = bpf_skb_cgroup_id(skb);
	if (bpf_map_lookup_elem(&agent_cgroups, &cgroup))
		return allow(REDIRECT_EGRESS_PASSED_AGENT);
	if (packet.tcp) {
		if (bpf_skb_load_bytes(skb, packet.tcp, &tcp, sizeof(tcp)))
			return drop(REDIRECT_EGRESS_DROPPED_MALFORMED);
		packet.reply.source_port = bpf_ntohs(tcp.dest);
		packet.reply.destination_port = bpf_ntohs(tcp.source);
		if (answers_probe(&packet.reply))
			return allow(REDIRECT_EGRESS_PASSED_PROBE);
	}
	mode = passage_mode();
	if (!has_no_full_owner(skb))
		return judge_owned(skb, &packet, &tcp, mode);
	if (mode == REDIRECT_DRAIN)
		return allow(REDIRECT_EGRESS_PASSED_RELEASED);
	if (is_cookie(skb, &tcp) && is_reserved(packet.reply.source_port))
		return TC_ACT_UNSPEC;
	if (packet.tcp && is_bare_control(skb, &packet, &tcp))
		return allow(REDIRECT_EGRESS_PASSED_CONTROL);
	return drop(REDIRECT_EGRESS_DROPPED_ORPHAN);
}

/* lo takes only frames for its own address, which is all zeros. */
static __always_inline int loop(struct __sk_buff *skb, const struct ethhdr *frame)
{
	if (bpf_skb_store_bytes(skb, 0, frame, sizeof(*frame), 0))
		return drop(REDIRECT_EGRESS_DROPPED_MALFORMED);
	WHOLE(skb->mark) = (WHOLE(skb->mark) & ~REDIRECT_MARK_MASK) | REDIRECT_MARK;
	count(REDIRECT_EGRESS_LOOPED);
	return bpf_redirect(REDIRECT_LOOPBACK_IFINDEX, BPF_F_INGRESS);
}

SEC("tc")
int egress(struct __sk_buff *skb)
{
	struct ethhdr frame = {};
	int action;

	if (bpf_skb_load_bytes(skb, ETH_ALEN * 2, &frame.h_proto, sizeof(frame.h_proto)))
		return drop(REDIRECT_EGRESS_DROPPED_MALFORMED);
	action = judge(skb, sizeof(frame), frame.h_proto);
	return action == TC_ACT_UNSPEC ? loop(skb, &frame) : action;
}

/* For interfaces without an Ethernet header (tun, WireGuard, IP-in-IP): the packet is all there is. */
SEC("tc")
int egress_bare(struct __sk_buff *skb)
{
	struct ethhdr frame = {};
	__u8 version = 0;
	int action;

	bpf_skb_load_bytes(skb, 0, &version, sizeof(version));
	if (version >> 4 == 4)
		frame.h_proto = bpf_htons(ETH_P_IP);
	else if (version >> 4 == 6)
		frame.h_proto = bpf_htons(ETH_P_IPV6);
	action = judge(skb, 0, frame.h_proto);
	if (action != TC_ACT_UNSPEC)
		return action;
	if (bpf_skb_change_head(skb, sizeof(frame), 0))
		return drop(REDIRECT_EGRESS_DROPPED_MALFORMED);
	return loop(skb, &frame);
}

const char redirect_license[] SEC("license") = "GPL";
