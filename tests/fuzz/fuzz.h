/* fuzz.h - what every fuzz target defines: one input, run to its end. A finding is an abort.
 *
 * With TERRARIUM_FUZZ (clang) libFuzzer calls it from fuzz_NAME; otherwise replay.c does, from
 * fuzz_NAME_replay, for the files of corpus/NAME/ and for mutations of them. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a program: a few bits at a time, zeros after the end. */
struct fuzz {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz *fuzz)
{
    if (fuzz->left == 0) {
        return 0;
    }
    fuzz->left--;
    return *fuzz->at++;
}

static inline uint32_t fuzz_u16(struct fuzz *fuzz)
{
    uint32_t high = fuzz_u8(fuzz);

    return high << 8 | fuzz_u8(fuzz);
}

static inline uint64_t fuzz_u64(struct fuzz *fuzz)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++) {
        value = value << 8 | fuzz_u8(fuzz);
    }
    return value;
}

#endif
