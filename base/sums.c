#include "base/sums.h"

#include "base/ensure.h"

#include <libdeflate.h>
#include <openssl/evp.h>

/* What one call of OpenSSL's encoder gets: a multiple of 3, so that padding is only at the end. */
#define SUMS_BASE64_PART ((size_t)3 << 20)

uint32_t sums_adler32(uint32_t start, struct span span)
{
    /* A NULL buffer means "give me the start value" to the library. */
    return span.len == 0 ? start : libdeflate_adler32(start, span.at, span.len);
}

uint32_t sums_crc32(uint32_t start, struct span span)
{
    return span.len == 0 ? start : libdeflate_crc32(start, span.at, span.len);
}

void sums_sha1(struct span span, uint8_t out[20])
{
    unsigned int len = 0;

    ENSURE(EVP_Digest(span.len == 0 ? "" : (const void *)span.at, span.len, out, &len, EVP_sha1(),
                      NULL) == 1);
    ENSURE(len == 20);
}

size_t sums_base64(struct span span, char *out)
{
    size_t written = 0;

    out[0] = '\0';
    while (span.len > 0) {
        size_t part = span.len < SUMS_BASE64_PART ? span.len : SUMS_BASE64_PART;
        int len = EVP_EncodeBlock((unsigned char *)out + written, span.at, (int)part);

        ENSURE(len > 0);
        written += (size_t)len;
        span.at += part;
        span.len -= part;
    }
    return written;
}
