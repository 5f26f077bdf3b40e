/* One cipher: AES-128-GCM as TLS 1.3 uses it, which is a 12-byte nonce, additional data in one piece,
   then a text in one piece, then a 16-byte tag. Whatever else is asked of it fails. */

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgcm.h"

#ifdef CGCM_IPSEC_MB /* Package.swift found the library */

#include <cpuid.h>
#include <intel-ipsec-mb.h>

/* The library's functions for this processor, as its own dispatcher declares them. */
void aes_keyexp_128_enc_avx512(const void *key, void *expanded);
void aes_gcm_precomp_128_vaes_avx512(struct gcm_key_data *data);
void aes_gcm_enc_128_vaes_avx512(
    const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out, uint8_t const *in,
    uint64_t count, const uint8_t *nonce, uint8_t const *aad, uint64_t aad_count, uint8_t *tag,
    uint64_t tag_count);
void aes_gcm_dec_128_vaes_avx512(
    const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out, uint8_t const *in,
    uint64_t count, const uint8_t *nonce, uint8_t const *aad, uint64_t aad_count, uint8_t *tag,
    uint64_t tag_count);

enum {
  KEY_BYTES = 16,
  NONCE_BYTES = 12,
  TAG_BYTES = 16,
  AAD_BYTES = 64, /* a TLS record's header is 5 */
};

/* What the last call left behind. A nonce serves one text: seal never uses it twice. */
enum step { NO_NONCE, READY, DONE };

struct cipher {
  struct gcm_key_data key; /* aligned to 64 */
  uint8_t nonce[NONCE_BYTES];
  uint8_t tag[TAG_BYTES];
  uint8_t aad[AAD_BYTES];
  size_t aad_count;
  enum step step;
  int has_key;
  int has_tag;
  int seals;
};

/* MARK: Life */

static void *new_cipher(void *provider) {
  (void)provider;
  struct cipher *cipher = aligned_alloc(_Alignof(struct cipher), sizeof *cipher);
  if (cipher != NULL) memset(cipher, 0, sizeof *cipher);
  return cipher;
}

static void free_cipher(void *context) {
  OPENSSL_cleanse(context, sizeof(struct cipher));
  free(context);
}

static int set_parameters(void *context, const OSSL_PARAM parameters[]);

static int begin(
    struct cipher *cipher, int seals, const unsigned char *key, size_t key_count,
    const unsigned char *nonce, size_t nonce_count, const OSSL_PARAM parameters[]) {
  cipher->seals = seals;
  if (key != NULL) {
    if (key_count != KEY_BYTES) return 0;
    aes_keyexp_128_enc_avx512(key, cipher->key.expanded_keys);
    aes_gcm_precomp_128_vaes_avx512(&cipher->key);
    cipher->has_key = 1;
    cipher->step = NO_NONCE;
  }
  if (nonce != NULL) {
    if (nonce_count != NONCE_BYTES) return 0;
    memcpy(cipher->nonce, nonce, NONCE_BYTES);
    cipher->step = READY;
    cipher->aad_count = 0;
    cipher->has_tag = 0;
  }
  return set_parameters(cipher, parameters);
}

static int begin_sealing(
    void *context, const unsigned char *key, size_t key_count, const unsigned char *nonce,
    size_t nonce_count, const OSSL_PARAM parameters[]) {
  return begin(context, 1, key, key_count, nonce, nonce_count, parameters);
}

static int begin_opening(
    void *context, const unsigned char *key, size_t key_count, const unsigned char *nonce,
    size_t nonce_count, const OSSL_PARAM parameters[]) {
  return begin(context, 0, key, key_count, nonce, nonce_count, parameters);
}

/* MARK: Bytes */

static int take_additional_data(struct cipher *cipher, const unsigned char *in, size_t count) {
  if (count > AAD_BYTES - cipher->aad_count) return 0;
  memcpy(cipher->aad + cipher->aad_count, in, count);
  cipher->aad_count += count;
  return 1;
}

/* A text that does not carry the expected tag leaves no plaintext behind. */
static int transform(struct cipher *cipher, unsigned char *out, const unsigned char *in, size_t count) {
  struct gcm_context_data state;
  cipher->step = DONE;
  if (cipher->seals) {
    aes_gcm_enc_128_vaes_avx512(
        &cipher->key, &state, out, in, count, cipher->nonce, cipher->aad, cipher->aad_count,
        cipher->tag, TAG_BYTES);
    cipher->has_tag = 1;
    return 1;
  }
  uint8_t tag[TAG_BYTES];
  aes_gcm_dec_128_vaes_avx512(
      &cipher->key, &state, out, in, count, cipher->nonce, cipher->aad, cipher->aad_count, tag,
      TAG_BYTES);
  if (CRYPTO_memcmp(tag, cipher->tag, TAG_BYTES) == 0) return 1;
  /* Nor may the end of the message look like success. */
  cipher->step = NO_NONCE;
  OPENSSL_cleanse(out, count);
  return 0;
}

static int update(
    void *context, unsigned char *out, size_t *written, size_t room, const unsigned char *in,
    size_t count) {
  struct cipher *cipher = context;
  if (!cipher->has_key || cipher->step != READY || (!cipher->seals && !cipher->has_tag)) return 0;
  *written = count;
  if (out == NULL) return take_additional_data(cipher, in, count);
  return room >= count && transform(cipher, out, in, count);
}

static int finish(void *context, unsigned char *out, size_t *written, size_t room) {
  (void)out, (void)room;
  struct cipher *cipher = context;
  *written = 0;
  if (cipher->step == DONE) return 1;
  /* No text at all: the tag covers the additional data alone. */
  unsigned char nothing;
  if (!cipher->has_key || cipher->step != READY || (!cipher->seals && !cipher->has_tag)) return 0;
  return transform(cipher, &nothing, &nothing, 0);
}

/* MARK: Parameters */

static int get_cipher_parameters(OSSL_PARAM parameters[]) {
  const struct {
    const char *name;
    size_t size;
  } sizes[] = {
      {OSSL_CIPHER_PARAM_KEYLEN, KEY_BYTES},
      {OSSL_CIPHER_PARAM_IVLEN, NONCE_BYTES},
      {OSSL_CIPHER_PARAM_BLOCK_SIZE, 1},
  };
  for (size_t index = 0; index < sizeof sizes / sizeof sizes[0]; index++) {
    OSSL_PARAM *parameter = OSSL_PARAM_locate(parameters, sizes[index].name);
    if (parameter != NULL && !OSSL_PARAM_set_size_t(parameter, sizes[index].size)) return 0;
  }
  OSSL_PARAM *mode = OSSL_PARAM_locate(parameters, OSSL_CIPHER_PARAM_MODE);
  if (mode != NULL && !OSSL_PARAM_set_uint(mode, EVP_CIPH_GCM_MODE)) return 0;
  const char *flags[] = {OSSL_CIPHER_PARAM_AEAD, OSSL_CIPHER_PARAM_CUSTOM_IV};
  for (size_t index = 0; index < sizeof flags / sizeof flags[0]; index++) {
    OSSL_PARAM *parameter = OSSL_PARAM_locate(parameters, flags[index]);
    if (parameter != NULL && !OSSL_PARAM_set_int(parameter, 1)) return 0;
  }
  return 1;
}

static int get_parameters(void *context, OSSL_PARAM parameters[]) {
  const struct cipher *cipher = context;
  OSSL_PARAM *key = OSSL_PARAM_locate(parameters, OSSL_CIPHER_PARAM_KEYLEN);
  if (key != NULL && !OSSL_PARAM_set_size_t(key, KEY_BYTES)) return 0;
  OSSL_PARAM *nonce = OSSL_PARAM_locate(parameters, OSSL_CIPHER_PARAM_IVLEN);
  if (nonce != NULL && !OSSL_PARAM_set_size_t(nonce, NONCE_BYTES)) return 0;
  OSSL_PARAM *length = OSSL_PARAM_locate(parameters, OSSL_CIPHER_PARAM_AEAD_TAGLEN);
  if (length != NULL && !OSSL_PARAM_set_size_t(length, TAG_BYTES)) return 0;
  OSSL_PARAM *tag = OSSL_PARAM_locate(parameters, OSSL_CIPHER_PARAM_AEAD_TAG);
  if (tag == NULL) return 1;
  return cipher->seals && cipher->has_tag && cipher->step == DONE && tag->data_size <= TAG_BYTES
      && OSSL_PARAM_set_octet_string(tag, cipher->tag, tag->data_size);
}

static int set_parameters(void *context, const OSSL_PARAM parameters[]) {
  struct cipher *cipher = context;
  if (parameters == NULL) return 1;
  const OSSL_PARAM *nonce = OSSL_PARAM_locate_const(parameters, OSSL_CIPHER_PARAM_AEAD_IVLEN);
  size_t size;
  if (nonce != NULL && (!OSSL_PARAM_get_size_t(nonce, &size) || size != NONCE_BYTES)) return 0;
  const OSSL_PARAM *tag = OSSL_PARAM_locate_const(parameters, OSSL_CIPHER_PARAM_AEAD_TAG);
  if (tag == NULL) return 1;
  if (tag->data_type != OSSL_PARAM_OCTET_STRING || tag->data_size != TAG_BYTES) return 0;
  /* Without bytes the caller only says how long a tag will be. */
  if (tag->data == NULL) return 1;
  if (cipher->seals) return 0;
  memcpy(cipher->tag, tag->data, TAG_BYTES);
  cipher->has_tag = 1;
  return 1;
}

/* MARK: Provider */

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_CIPHER_NEWCTX, (void (*)(void))new_cipher},
    {OSSL_FUNC_CIPHER_FREECTX, (void (*)(void))free_cipher},
    {OSSL_FUNC_CIPHER_ENCRYPT_INIT, (void (*)(void))begin_sealing},
    {OSSL_FUNC_CIPHER_DECRYPT_INIT, (void (*)(void))begin_opening},
    {OSSL_FUNC_CIPHER_UPDATE, (void (*)(void))update},
    {OSSL_FUNC_CIPHER_FINAL, (void (*)(void))finish},
    {OSSL_FUNC_CIPHER_GET_PARAMS, (void (*)(void))get_cipher_parameters},
    {OSSL_FUNC_CIPHER_GET_CTX_PARAMS, (void (*)(void))get_parameters},
    {OSSL_FUNC_CIPHER_SET_CTX_PARAMS, (void (*)(void))set_parameters},
    {0, NULL},
};

/* The names OpenSSL's own provider gives it; TLS asks for the second. */
static const OSSL_ALGORITHM ciphers[] = {
    {"AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", "provider=skein", functions, NULL},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *may_not_cache) {
  (void)provider;
  *may_not_cache = 0;
  return operation == OSSL_OP_CIPHER ? ciphers : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
    {0, NULL},
};

static int start(
    const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
    void **context) {
  (void)in;
  *out = provider_functions;
  *context = (void *)handle;
  return 1;
}

/* All that the chosen functions execute; Intel SDM, volume 2, CPUID leaf 7 and leaf 1. */
static int has_instructions(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  const unsigned basic = bit_AES | bit_PCLMUL | bit_OSXSAVE | bit_SSE4_1;
  if ((c & basic) != basic) return 0;
  /* The kernel keeps SSE, AVX and the three parts of AVX-512. */
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 0xe6) != 0xe6) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  const unsigned wide = bit_BMI | bit_BMI2 | bit_AVX2 | bit_AVX512F | bit_AVX512DQ | bit_AVX512CD
      | bit_AVX512BW | bit_AVX512VL;
  const unsigned vector = bit_VAES | bit_VPCLMULQDQ;
  return (b & wide) == wide && (c & vector) == vector;
}

int cgcm_register(void) {
  if (!has_instructions()) return 0;
  if (OSSL_PROVIDER_add_builtin(NULL, "skein", start) != 1) return -1;
  /* The first provider loaded by name ends the automatic loading of OpenSSL's own. */
  if (OSSL_PROVIDER_load(NULL, "default") == NULL) return -1;
  return OSSL_PROVIDER_load(NULL, "skein") != NULL ? 1 : -1;
}

#else

int cgcm_register(void) { return 0; }

#endif
