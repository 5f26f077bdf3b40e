#pragma once
/*
 * libbpf as Swift sees it, the layouts shared with bpf/, and the few calls that need C: option structs,
 * callbacks and the embedded objects. One plain function per call; no decision is made here.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stddef.h>
#include "redirect_abi.h"

/* The objects `make bpf` embeds. */
enum cbpf_embedded {
	CBPF_EGRESS,
	CBPF_LOOKUP,
	CBPF_PROBES,
	CBPF_GUARD,
};

const unsigned char *cbpf_embedded_bytes(enum cbpf_embedded object, size_t *count);

/* Opens an object; NULL and errno on failure. The name appears in the kernel's lists. */
struct bpf_object *cbpf_open(const void *bytes, size_t count, const char *name);

/* A close-on-exec copy; -1 and errno on failure. */
int cbpf_duplicate(int number);

/* What libbpf and the verifier said on this thread since the last call; the last 4 KiB of it. */
const char *cbpf_take_log(void);

/* All in the calling thread's network namespace; negative errno on failure. */
int cbpf_clsact_make(int interface);
int cbpf_clsact_remove(int interface);
int cbpf_clsact_attach(int interface, int program, int replaces);
int cbpf_clsact_detach(int interface);
/* The id of the attached program. */
int cbpf_clsact_query(int interface, unsigned *program_id);

/* BPF_MAP_CREATE without a name's BTF; negative errno on failure. */
int cbpf_array_make(const char *name, unsigned value_size);

/* The same for a hash that takes memory for what is in it. */
int cbpf_hash_make(const char *name, unsigned key_size, unsigned value_size, unsigned room);

/* Of struct bpf_sk_lookup's newest field that lookup.bpf.c reads; Linux 5.17. */
size_t cbpf_ingress_interface_offset(void);

/* Loads instructions as a program: for probing what the kernel takes. Negative errno on failure. */
int cbpf_program_load(enum bpf_prog_type type, unsigned attach_type, const struct bpf_insn *code,
		      size_t instruction_count);
