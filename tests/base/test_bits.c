#include "base/bits.h"
#include "base/rand.h"

#include <check.h>

START_TEST(test_counts_as_one_by_one)
{
    struct rand rand;

    rand_init(&rand, 1);
    for (uint32_t i = 0; i < 10000; i++) {
        uint64_t bits = rand_next(&rand) & rand_next(&rand) << i % 64;
        uint32_t count = 0;

        for (uint32_t at = 0; at < 64; at++) {
            count += (uint32_t)(bits >> at & 1);
        }
        ck_assert_uint_eq(bits_count(bits), count);
    }
    ck_assert_uint_eq(bits_count(0), 0);
    ck_assert_uint_eq(bits_count(UINT64_MAX), 64);
}
END_TEST

Suite *suite_bits(void)
{
    Suite *suite = suite_create("bits");
    TCase *tests = tcase_create("count");

    tcase_add_test(tests, test_counts_as_one_by_one);
    suite_add_tcase(suite, tests);
    return suite;
}
