/* SPDX-License-Identifier: GPL-2.0 */
/* A pod's DNS sockets: queries go to ztunnel while there is one, and to their resolver otherwise. */
#pragma once
#include "maps.h"

#define DNS_PORT 53

/*
 * Per pod. ztunnel alone holds these sockets, so the kernel empties a slot when ztunnel dies: what
 * is not there cannot take queries. By family: redirect_dns_socket.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, REDIRECT_DNS_SOCKETS);
} dns_sockets SEC(".maps");
