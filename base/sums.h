/* sums.h - checksums and digests of libraries, each behind one function: Adler-32 and CRC-32
 * (libdeflate), SHA-1 and base64 (OpenSSL). */
#ifndef BASE_SUMS_H
#define BASE_SUMS_H

#include "base/span.h"

/* Start value 1 for adler, 0 for crc; feed the result of one part as the start of the next. */
uint32_t sums_adler32(uint32_t start, struct span span);
uint32_t sums_crc32(uint32_t start, struct span span);
void sums_sha1(struct span span, uint8_t out[20]);
/* Standard alphabet with padding. Returns the length written (without end mark), 4*((len+2)/3); out
 * must have room for that + 1. */
size_t sums_base64(struct span span, char *out);

#endif
