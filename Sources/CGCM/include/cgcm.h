#pragma once

/* AES-128-GCM of intel-ipsec-mb as an OpenSSL 3 provider: the same cipher, several times as fast where
   the processor has VAES and AVX-512. Everything else stays OpenSSL's own. */

/* What to prefer with where a context is made, as SSL_CTX_new_ex's property query. */
#define CGCM_PROPERTIES "?provider=skein"

/* Registers the provider; OpenSSL's own is loaded beside it. 1 when it is there, 0 when this processor
   or this build has none of it, -1 when OpenSSL refuses. Call it once, before any SSL context. */
int cgcm_register(void);
