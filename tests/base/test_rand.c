#include "base/hash.h"
#include "base/rand.h"
#include "tests/expect.h"

#include <check.h>

/* Reference values: SplitMix64 seeded with 1234567, and xoshiro256** from the states 1, 2, 3, 4. */
START_TEST(test_generators_give_the_published_values)
{
    struct rand rand = {.state = {1, 2, 3, 4}};
    struct rand seeded;

    EXPECT(rand_next(&rand) == 11520u);
    EXPECT(rand_next(&rand) == 0u);
    EXPECT(rand_next(&rand) == 1509978240u);
    EXPECT(rand_next(&rand) == 1215971899390074240u);
    rand_init(&seeded, 1234567);
    EXPECT(seeded.state[0] == 6457827717110365317u);
    EXPECT(seeded.state[1] == 3203168211198807973u);
}
END_TEST

START_TEST(test_the_same_key_draws_the_same)
{
    EXPECT(rand_keyed(1, 2, 3, 4) == rand_keyed(1, 2, 3, 4));
    EXPECT(rand_keyed(1, 2, 3, 4) != rand_keyed(2, 2, 3, 4));
    EXPECT(rand_keyed(1, 2, 3, 4) != rand_keyed(1, 3, 3, 4));
    EXPECT(rand_keyed(1, 2, 3, 4) != rand_keyed(1, 2, 4, 4));
    EXPECT(rand_keyed(1, 2, 3, 4) != rand_keyed(1, 2, 3, 5));
    EXPECT(rand_keyed(1, 2, 3, 4) != rand_keyed(2, 1, 4, 3));
    /* Equal sums are not equal keys. */
    EXPECT(rand_keyed(1, 2, 3, 4) != rand_keyed(1, 2, 4, 3));
    EXPECT(rand_keyed(1, 2, 3, 4) != rand_keyed(2, 1, 3, 4));
    EXPECT(rand_keyed(1, 2, 3, 4) != rand_keyed(3, 4, 1, 2));
    EXPECT(rand_keyed(0, 0, 0, 0) != 0);
}
END_TEST

/* How many of 64 output bits change, on average, when one input bit changes: 32 plus or minus
 * little. */
START_TEST(test_every_bit_of_a_key_reaches_every_bit_of_the_draw)
{
    uint32_t flips[64] = {0};
    uint32_t total = 0;

    for (uint64_t n = 0; n < 64; n++) {
        for (uint32_t bit = 0; bit < 256; bit++) {
            uint64_t key[4] = {n, n / 2, 7 - n % 8, n * n};
            uint64_t before = rand_keyed(key[0], key[1], key[2], key[3]);
            uint64_t change;

            key[bit / 64] ^= UINT64_C(1) << (bit % 64);
            change = before ^ rand_keyed(key[0], key[1], key[2], key[3]);
            total += (uint32_t)__builtin_popcountll(change);
            for (uint32_t out = 0; out < 64; out++) {
                flips[out] += (uint32_t)(change >> out & 1);
            }
        }
    }

    EXPECT(total > 64 * 256 * 31);
    EXPECT(total < 64 * 256 * 33);
    for (uint32_t out = 0; out < 64; out++) {
        EXPECT(flips[out] > 64 * 256 * 45 / 100);
        EXPECT(flips[out] < 64 * 256 * 55 / 100);
    }
}
END_TEST

/* Small related keys, as worlds use them: draws fill 1024 cells evenly (chi-square with 1023
 * degrees). */
static void check_even(const uint32_t *cells, uint64_t draws)
{
    uint64_t expected = draws / 1024;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < 1024; i++) {
        int64_t off = (int64_t)cells[i] - (int64_t)expected;

        sum += (uint64_t)(off * off);
    }
    /* 1023 +- 5 standard deviations of about 45. */
    EXPECT(sum / expected < 1250);
    EXPECT(sum / expected > 800);
}

START_TEST(test_draws_of_neighbouring_keys_are_even)
{
    static uint32_t cells[4][1024];
    struct rand rand;

    rand_init(&rand, 0);
    for (uint64_t seed = 0; seed < 16; seed++) {
        for (uint64_t kind = 0; kind < 4; kind++) {
            for (uint64_t nth = 0; nth < 4096; nth++) {
                uint64_t draw = rand_keyed(seed, kind, kind ^ seed, nth);

                cells[0][draw % 1024]++;
                cells[1][rand_scale(draw, 1024)]++;
                cells[2][hash_u64(nth + (seed << 32), kind << 20) % 1024]++;
                cells[3][rand_below(&rand, 1024)]++;
            }
        }
    }

    for (uint32_t i = 0; i < 4; i++) {
        check_even(cells[i], 16 * 4 * 4096);
    }
}
END_TEST

START_TEST(test_scaling_covers_the_bound_and_no_more)
{
    EXPECT(rand_scale(0, 10) == 0);
    EXPECT(rand_scale(UINT64_MAX, 10) == 9);
    EXPECT(rand_scale(UINT64_MAX, 1) == 0);
    EXPECT(rand_scale(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 1);
    EXPECT(rand_scale(UINT64_C(1) << 63, 10) == 5);
    EXPECT(!rand_ppm(0, 0));
    EXPECT(rand_ppm(UINT64_MAX, 1000000));
    EXPECT(!rand_ppm(UINT64_MAX, 999999));
    EXPECT(rand_ppm(0, 1));
}
END_TEST

START_TEST(test_hashes_are_those_of_the_library)
{
    /* XXH3 64 of no bytes with seed 0. */
    EXPECT(hash_bytes(span_make(NULL, 0), 0) == 0x2d06800538d394c2u);
    EXPECT(hash_bytes(span_text("abc"), 0) == 0x78af5f94892f3950u);
    EXPECT(hash_bytes(span_text("abc"), 1) != hash_bytes(span_text("abc"), 0));
}
END_TEST

Suite *suite_rand(void)
{
    Suite *suite = suite_create("rand");
    TCase *tcase = tcase_create("rand");

    tcase_add_test(tcase, test_generators_give_the_published_values);
    tcase_add_test(tcase, test_the_same_key_draws_the_same);
    tcase_add_test(tcase, test_every_bit_of_a_key_reaches_every_bit_of_the_draw);
    tcase_add_test(tcase, test_draws_of_neighbouring_keys_are_even);
    tcase_add_test(tcase, test_scaling_covers_the_bound_and_no_more);
    tcase_add_test(tcase, test_hashes_are_those_of_the_library);
    suite_add_tcase(suite, tcase);
    return suite;
}
