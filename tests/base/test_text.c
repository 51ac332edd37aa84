#include "base/text.h"
#include "tests/expect.h"

#include <check.h>
#include <stdio.h>

static const int64_t numbers[] = {0,  1,  -1, 9,  10,  -10,       99,        100,       12345678,
                                  -7, 15, 16, 17, 255, INT64_MAX, INT64_MIN, INT32_MIN, 4294967296};

START_TEST(test_numbers_print_as_in_c)
{
    for (uint32_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char expected[200];
        char at[200];
        struct text text;

        snprintf(expected, sizeof(expected), "%lld %llu %llx %08lld %0*lld", (long long)numbers[i],
                 (unsigned long long)numbers[i], (unsigned long long)numbers[i],
                 (long long)numbers[i], 25, (long long)numbers[i]);
        text_init(&text, at, sizeof(at));
        text_i64(&text, numbers[i]);
        text_char(&text, ' ');
        text_u64(&text, (uint64_t)numbers[i]);
        text_char(&text, ' ');
        text_hex(&text, (uint64_t)numbers[i]);
        text_char(&text, ' ');
        text_padded(&text, numbers[i], 8);
        text_char(&text, ' ');
        text_padded(&text, numbers[i], 25);
        ck_assert_str_eq(at, expected);
        EXPECT(text.len == strlen(expected));
        EXPECT(!text.cut);
    }
}
END_TEST

START_TEST(test_what_does_not_fit_is_cut_and_ended)
{
    for (size_t room = 1; room < 12; room++) {
        char at[16];
        struct text text;

        memset(at, '!', sizeof(at));
        text_init(&text, at, room);
        text_str(&text, "0123");
        text_span(&text, span_text("4567"));
        text_char(&text, '8');
        text_char(&text, '9');
        EXPECT(strlen(at) == (room - 1 < 10 ? room - 1 : 10));
        EXPECT(strncmp(at, "0123456789", strlen(at)) == 0);
        EXPECT(text.cut == (room < 11));
        EXPECT(at[room] == '!');
    }
}
END_TEST

START_TEST(test_quoted_bytes_are_printable)
{
    char at[64];
    struct text text;

    text_init(&text, at, sizeof(at));
    text_quoted(&text, span_make("a\n\t\\\"\0\x7f\xc3~ ", 10));
    ck_assert_str_eq(at, "a\\n\\t\\\\\\\"\\x00\\x7f\\xc3~ ");
}
END_TEST

static void check_u64(const char *input, enum err err, uint64_t expected)
{
    uint64_t value = 42;

    EXPECT(text_parse_u64(span_text(input), &value) == err);
    EXPECT(value == (err == ERR_OK ? expected : 42));
}

static void check_i64(const char *input, enum err err, int64_t expected)
{
    int64_t value = 42;

    EXPECT(text_parse_i64(span_text(input), &value) == err);
    EXPECT(value == (err == ERR_OK ? expected : 42));
}

static void check_hex(const char *input, enum err err, uint64_t expected)
{
    uint64_t value = 42;

    EXPECT(text_parse_hex(span_text(input), &value) == err);
    EXPECT(value == (err == ERR_OK ? expected : 42));
}

START_TEST(test_unsigned_numbers_parse)
{
    check_u64("0", ERR_OK, 0);
    check_u64("007", ERR_OK, 7);
    check_u64("18446744073709551615", ERR_OK, UINT64_MAX);
    check_u64("000000000000000000000000018446744073709551615", ERR_OK, UINT64_MAX);
    check_u64("18446744073709551616", ERR_RANGE, 0);
    check_u64("18446744073709551620", ERR_RANGE, 0);
    check_u64("99999999999999999999", ERR_RANGE, 0);
    check_u64("184467440737095516150000000000", ERR_RANGE, 0);
    check_u64("99999999999999999999x", ERR_FORMAT, 0);
    check_u64("", ERR_FORMAT, 0);
    check_u64("+1", ERR_FORMAT, 0);
    check_u64("-1", ERR_FORMAT, 0);
    check_u64(" 1", ERR_FORMAT, 0);
    check_u64("1 ", ERR_FORMAT, 0);
    check_u64("1a", ERR_FORMAT, 0);
    check_u64("0x1", ERR_FORMAT, 0);
}
END_TEST

START_TEST(test_signed_numbers_parse)
{
    check_i64("0", ERR_OK, 0);
    check_i64("-0", ERR_OK, 0);
    check_i64("9223372036854775807", ERR_OK, INT64_MAX);
    check_i64("-9223372036854775808", ERR_OK, INT64_MIN);
    check_i64("9223372036854775808", ERR_RANGE, 0);
    check_i64("-9223372036854775809", ERR_RANGE, 0);
    check_i64("-18446744073709551616", ERR_RANGE, 0);
    check_i64("-", ERR_FORMAT, 0);
    check_i64("", ERR_FORMAT, 0);
    check_i64("--1", ERR_FORMAT, 0);
    check_i64("+1", ERR_FORMAT, 0);
    check_i64("1-", ERR_FORMAT, 0);
}
END_TEST

START_TEST(test_hex_numbers_parse)
{
    check_hex("0", ERR_OK, 0);
    check_hex("aBcDeF09", ERR_OK, 0xabcdef09);
    check_hex("ffffffffffffffff", ERR_OK, UINT64_MAX);
    check_hex("0ffffffffffffffff", ERR_OK, UINT64_MAX);
    check_hex("10000000000000000", ERR_RANGE, 0);
    check_hex("0x1", ERR_FORMAT, 0);
    check_hex("g", ERR_FORMAT, 0);
    check_hex("", ERR_FORMAT, 0);
    check_hex("-1", ERR_FORMAT, 0);
}
END_TEST

Suite *suite_text(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");

    tcase_add_test(tcase, test_numbers_print_as_in_c);
    tcase_add_test(tcase, test_what_does_not_fit_is_cut_and_ended);
    tcase_add_test(tcase, test_quoted_bytes_are_printable);
    tcase_add_test(tcase, test_unsigned_numbers_parse);
    tcase_add_test(tcase, test_signed_numbers_parse);
    tcase_add_test(tcase, test_hex_numbers_parse);
    suite_add_tcase(suite, tcase);
    return suite;
}
