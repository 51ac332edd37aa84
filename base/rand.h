/* rand.h - random numbers: keyed draws for the world, a small generator for processes.
 *
 * A keyed draw is a function of what it is for, not of how many draws came before: deleting one
 * fault leaves every other draw what it was, which is what lets shrinking converge
 * (docs/simulator.md). */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stdbool.h>
#include <stdint.h>

/* 64 uniform bits from four words (world seed, kind of draw, who or where, which occurrence). */
uint64_t rand_keyed(uint64_t seed, uint64_t kind, uint64_t who, uint64_t nth);

struct rand {
    uint64_t state[4]; /* xoshiro256** */
};
void rand_init(struct rand *rand, uint64_t seed);
uint64_t rand_next(struct rand *rand);
/* Uniform in [0, bound), bound > 0; from an existing 64-bit draw, or the next one. */
uint64_t rand_scale(uint64_t draw, uint64_t bound);
uint64_t rand_below(struct rand *rand, uint64_t bound);
/* True with probability ppm / 1,000,000. */
bool rand_ppm(uint64_t draw, uint32_t ppm);

#endif
