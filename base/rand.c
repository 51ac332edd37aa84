#include "base/rand.h"

#include "base/ensure.h"

__extension__ typedef unsigned __int128 rand_wide;

static inline uint64_t rand_rotate(uint64_t x, uint32_t by)
{
    return (x << by) | (x >> (64 - by));
}

/* The finalizer of SplitMix64 (variant 13 of Stafford): a bijection with full avalanche. */
static inline uint64_t rand_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x;
}

uint64_t rand_keyed(uint64_t seed, uint64_t kind, uint64_t who, uint64_t nth)
{
    /* Two chains that the processor can run side by side. Each word is mixed before the next one is
     * added, so that small related words (seed + 1 with kind - 1) do not meet. */
    uint64_t left = rand_mix(rand_mix(seed + 0x9e3779b97f4a7c15u) + kind);
    uint64_t right = rand_mix(rand_mix(who + 0xd1b54a32d192ed03u) + nth);

    return rand_mix(left + rand_rotate(right, 32));
}

void rand_init(struct rand *rand, uint64_t seed)
{
    for (uint32_t i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        rand->state[i] = rand_mix(seed);
    }
}

/* xoshiro256** 1.0 of Blackman and Vigna. */
uint64_t rand_next(struct rand *rand)
{
    uint64_t *s = rand->state;
    uint64_t result = rand_rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rand_rotate(s[3], 45);
    return result;
}

uint64_t rand_scale(uint64_t draw, uint64_t bound)
{
    ENSURE(bound > 0);
    return (uint64_t)(((rand_wide)draw * bound) >> 64);
}

uint64_t rand_below(struct rand *rand, uint64_t bound)
{
    return rand_scale(rand_next(rand), bound);
}

bool rand_ppm(uint64_t draw, uint32_t ppm)
{
    return rand_scale(draw, 1000000) < ppm;
}
