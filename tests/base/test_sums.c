#include "base/sums.h"

#include <check.h>
#include <stdlib.h>

START_TEST(test_checksums_give_the_known_answers)
{
    struct span digits = span_text("123456789");

    ck_assert_uint_eq(sums_adler32(1, digits), 0x091e01deu);
    ck_assert_uint_eq(sums_adler32(1, span_text("Wikipedia")), 0x11e60398u);
    ck_assert_uint_eq(sums_crc32(0, digits), 0xcbf43926u);
    ck_assert_uint_eq(sums_adler32(1, span_make(NULL, 0)), 1);
    ck_assert_uint_eq(sums_crc32(0, span_make(NULL, 0)), 0);
    ck_assert_uint_eq(sums_adler32(0x1234, span_make(NULL, 0)), 0x1234);
    ck_assert_uint_eq(sums_crc32(0x1234, span_make(NULL, 0)), 0x1234);
}
END_TEST

START_TEST(test_checksums_go_on_over_parts)
{
    struct span whole = span_text("the quick brown fox");

    for (size_t cut = 0; cut <= whole.len; cut++) {
        struct span front = span_make(whole.at, cut);
        struct span back = span_make(whole.at + cut, whole.len - cut);

        ck_assert_uint_eq(sums_adler32(sums_adler32(1, front), back), sums_adler32(1, whole));
        ck_assert_uint_eq(sums_crc32(sums_crc32(0, front), back), sums_crc32(0, whole));
    }
}
END_TEST

/* FIPS 180 examples. */
START_TEST(test_sha1_gives_the_known_answers)
{
    static const uint8_t abc[20] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
                                    0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    static const uint8_t none[20] = {0xda, 0x39, 0xa3, 0xee, 0x5e, 0x6b, 0x4b, 0x0d, 0x32, 0x55,
                                     0xbf, 0xef, 0x95, 0x60, 0x18, 0x90, 0xaf, 0xd8, 0x07, 0x09};
    uint8_t out[20];

    sums_sha1(span_text("abc"), out);
    ck_assert_mem_eq(out, abc, 20);
    sums_sha1(span_make(NULL, 0), out);
    ck_assert_mem_eq(out, none, 20);
}
END_TEST

static void check_base64(const char *text, const char *expected)
{
    char out[64];

    memset(out, '!', sizeof(out));
    ck_assert_uint_eq(sums_base64(span_text(text), out), strlen(expected));
    ck_assert_str_eq(out, expected);
    ck_assert_int_eq(out[strlen(expected) + 1], '!');
}

/* RFC 4648, section 10. */
START_TEST(test_base64_gives_the_known_answers)
{
    check_base64("", "");
    check_base64("f", "Zg==");
    check_base64("fo", "Zm8=");
    check_base64("foo", "Zm9v");
    check_base64("foob", "Zm9vYg==");
    check_base64("foobar", "Zm9vYmFy");
    check_base64("\xfb\xff", "+/8=");
}
END_TEST

START_TEST(test_base64_of_much_has_no_seams)
{
    size_t len = ((size_t)3 << 20) + 1;
    uint8_t *in = calloc(1, len);
    char *out = malloc(len / 3 * 4 + 8);

    ck_assert_uint_eq(sums_base64(span_make(in, len), out), (len + 2) / 3 * 4);
    ck_assert_uint_eq(strspn(out, "A"), (len + 2) / 3 * 4 - 2);
    ck_assert_str_eq(out + (len + 2) / 3 * 4 - 2, "==");
    free(in);
    free(out);
}
END_TEST

Suite *suite_sums(void)
{
    Suite *suite = suite_create("sums");
    TCase *tcase = tcase_create("sums");

    tcase_add_test(tcase, test_checksums_give_the_known_answers);
    tcase_add_test(tcase, test_checksums_go_on_over_parts);
    tcase_add_test(tcase, test_sha1_gives_the_known_answers);
    tcase_add_test(tcase, test_base64_gives_the_known_answers);
    tcase_add_test(tcase, test_base64_of_much_has_no_seams);
    suite_add_tcase(suite, tcase);
    return suite;
}
