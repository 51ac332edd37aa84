/* bits.h - counting in words.
 *
 * The compilers' own __builtin_popcount calls libgcc on a machine without an instruction for it,
 * which would be one more symbol that the core depends on (tools/lint_symbols). */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdint.h>

/* How many bits are set: sums of 2, 4 and 8 bits side by side, then all bytes added up in the
 * highest one by a multiplication. */
static inline uint32_t bits_count(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)((bits * 0x0101010101010101u) >> 56);
}

#endif
