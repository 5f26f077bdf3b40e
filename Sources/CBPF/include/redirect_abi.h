#pragma once
/*
 * The one definition of what bpf/ and Swift share: map keys, map values, constants.
 *
 * Fixed-width types only and no padding. A change here that an older program or map would misread
 * needs a new REDIRECT_ABI_VERSION, which is part of every pin's path: two versions never share a
 * map. Addresses are in network byte order, ports in host byte order.
 */
#include <linux/types.h>

#define REDIRECT_ABI_VERSION 3

/* Packets that come back through lo carry MARK in the bits of MASK; the other bits stay theirs. */
#define REDIRECT_MARK 0x5ce10000u
#define REDIRECT_MARK_MASK 0xffff0000u
/* `ip rule` and route table that keep marked packets in the pod. */
#define REDIRECT_ROUTE_TABLE 2024
#define REDIRECT_RULE_PRIORITY 100
/*
 * Local ports for connections towards applications: no client's port may clash with them, so they end
 * below the usual ephemeral ports (32768). Their number bounds the connections that one client address
 * has to one port of a pod.
 */
#define REDIRECT_RESERVED_PORT_FIRST 18000
#define REDIRECT_RESERVED_PORT_LAST 31999
/* The port other nodes dial for HBONE. */
#define REDIRECT_HBONE_PORT 15008
/* lo is the first interface of every network namespace (LOOPBACK_IFINDEX in the kernel). */
#define REDIRECT_LOOPBACK_IFINDEX 1

#define REDIRECT_AGENT_CGROUPS_MAX 64
#define REDIRECT_PROBE_FLOWS_MAX 32768
#define REDIRECT_NAMESPACES_MAX 4096
#define REDIRECT_LOCAL_ADDRESSES_MAX 256
#define REDIRECT_INTERFACES_MAX 32
#define REDIRECT_NAMESPACE_PATH_MAX 256
#define REDIRECT_KEPT_CONNECTIONS_MAX 65536

/* A probe's answers may leave this long after the prober closed its end (TIME_WAIT and more). */
#define REDIRECT_PROBE_LINGER_NANOSECONDS 120000000000ull

/*
 * An address; IPv4 is held as v4-mapped IPv6.
 * Example: 10.0.0.7 is bytes 00*10 ff ff 0a 00 00 07.
 */
struct redirect_address {
	__u32 word[4];
};
_Static_assert(sizeof(struct redirect_address) == 16, "redirect_address has padding");

/* One direction of a TCP connection, as its first packet goes: the prober is the source. */
struct redirect_flow {
	struct redirect_address source;
	struct redirect_address destination;
	__u16 source_port;
	__u16 destination_port;
};
_Static_assert(sizeof(struct redirect_flow) == 36, "redirect_flow has padding");

/* closed_at: CLOCK_MONOTONIC nanoseconds when the prober's end closed; 0 while it is open. */
struct redirect_probe {
	__u64 closed_at;
};
_Static_assert(sizeof(struct redirect_probe) == 8, "redirect_probe has padding");

/* What becomes of a pod's connections: slot 0 of its `passage`. Nothing written is CAPTURE. */
enum redirect_mode {
	REDIRECT_CAPTURE = 0, /* all go to ztunnel */
	REDIRECT_ENTER = 1,   /* on the way in: all pass, and each that does is written down */
	REDIRECT_KEEP = 2,    /* those that passed then pass, all others go to ztunnel */
	REDIRECT_LEAVE = 3,   /* on the way out: ztunnel's are written down */
	REDIRECT_DRAIN = 4,   /* those written down stay ztunnel's, all others pass */
};

/* until: CLOCK_BOOTTIME nanoseconds when the connections that were let live are cut. */
struct redirect_passage {
	__u32 mode;
	__u32 reserved;
	__u64 until;
};
_Static_assert(sizeof(struct redirect_passage) == 16, "redirect_passage has padding");

/* A connection whose socket's cookie is in `kept`: PASS is of before enrolment, LOOP is ztunnel's. */
enum redirect_keeping {
	REDIRECT_PASS = 0,
	REDIRECT_LOOP = 1,
};

/* flow: as the packets from outside go. A socket that connects anew is no longer the same. */
struct redirect_kept {
	struct redirect_flow flow;
	__u32 keeping;
};
_Static_assert(sizeof(struct redirect_kept) == 40, "redirect_kept has padding");

/* The slots of a pod's `listeners` sockmap; the order of AgentProtocol's ListenerKind. */
enum redirect_listener {
	REDIRECT_OUTBOUND4 = 0,
	REDIRECT_INBOUND4 = 1,
	REDIRECT_HBONE4 = 2,
	REDIRECT_OUTBOUND6 = 3,
	REDIRECT_INBOUND6 = 4,
	REDIRECT_HBONE6 = 5,
	REDIRECT_LISTENERS = 6,
};

/* The slots of a pod's `dns_sockets` sockmap. */
enum redirect_dns_socket {
	REDIRECT_DNS4 = 0,
	REDIRECT_DNS6 = 1,
	REDIRECT_DNS_SOCKETS = 2,
};

/* The slots of a pod's per-CPU `counters`. Packets for egress_*, new connections for lookup_*. */
enum redirect_counter {
	REDIRECT_EGRESS_LOOPED = 0,           /* sent back into the pod, towards ztunnel */
	REDIRECT_EGRESS_PASSED_AGENT = 1,     /* ztunnel's own packet */
	REDIRECT_EGRESS_PASSED_PROBE = 2,     /* answer to a probe */
	REDIRECT_EGRESS_PASSED_OTHER = 3,     /* ARP, UDP, ICMP: neither TCP nor a query */
	REDIRECT_EGRESS_PASSED_CONTROL = 4,   /* the kernel's own RST or bare ACK */
	REDIRECT_EGRESS_DROPPED_ORPHAN = 5,   /* TCP that belongs to no socket, or a raw one */
	REDIRECT_EGRESS_DROPPED_PROTOCOL = 6, /* an ethertype other than ARP, IPv4, IPv6; VLAN */
	REDIRECT_EGRESS_DROPPED_MALFORMED = 7,
	REDIRECT_LOOKUP_OUTBOUND = 8,
	REDIRECT_LOOKUP_INBOUND = 9,
	REDIRECT_LOOKUP_HBONE = 10,
	REDIRECT_LOOKUP_PASSED_LOCAL = 11, /* to loopback or to the pod itself */
	REDIRECT_LOOKUP_PASSED_PROBE = 12,
	REDIRECT_LOOKUP_DROPPED = 13, /* no listener to give it to */
	REDIRECT_EGRESS_LOOPED_DNS = 14, /* a query, counted in EGRESS_LOOPED too */
	REDIRECT_EGRESS_PASSED_DNS = 15, /* a query while ztunnel has no DNS socket */
	REDIRECT_LOOKUP_DNS = 16,
	REDIRECT_EGRESS_PASSED_KEPT = 17,     /* of a connection that the pod had when it was enrolled */
	REDIRECT_EGRESS_PASSED_RELEASED = 18, /* of one that it made while it was released */
	REDIRECT_EGRESS_KEPT_OVERFLOW = 19,   /* not written down: it is cut once others are captured */
	REDIRECT_LOOKUP_PASSED_RELEASED = 20,
	REDIRECT_COUNTERS = 21,
};

/* How the egress program hangs on the pod's interfaces. */
enum redirect_attachment {
	REDIRECT_TCX = 1,
	REDIRECT_CLSACT = 2,
};

/* The sysctls an enrolment may change, as indexes of redirect_facts.sysctl_before. */
enum redirect_sysctl {
	REDIRECT_FWMARK_REFLECT4 = 0,
	REDIRECT_FWMARK_REFLECT6 = 1,
	REDIRECT_ACCEPT_LOCAL = 2,
	REDIRECT_ACCEPT_MARK = 3, /* only while the pod is released */
	REDIRECT_SYSCTLS = 4,
};
#define REDIRECT_SYSCTL_UNTOUCHED (-1)

/* One interface that carries the egress program. */
struct redirect_interface {
	__u32 index;
	__u32 made_clsact; /* 1 when the clsact qdisc is ours to remove */
};
_Static_assert(sizeof(struct redirect_interface) == 8, "redirect_interface has padding");

/*
 * What has been done for a pod, so that any later process can undo it: slot 0 of its pinned `facts`.
 * Written before each step is taken; is_complete is written last.
 */
struct redirect_facts {
	__u64 namespace_inode;
	__u64 namespace_cookie;
	__u64 object_fingerprint; /* of the embedded programs that were loaded */
	__u32 attachment;
	__u32 is_complete;
	__s32 sysctl_before[REDIRECT_SYSCTLS];
	__u32 interface_count;
	__u32 reserved;
	struct redirect_interface interfaces[REDIRECT_INTERFACES_MAX];
	__u8 namespace_path[REDIRECT_NAMESPACE_PATH_MAX]; /* NUL-terminated; empty when unknown */
};
_Static_assert(sizeof(struct redirect_facts) == 24 + 8 + 24 + 256 + 256,
	       "redirect_facts has padding");
