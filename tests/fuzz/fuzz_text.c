/* Parsers of numbers against those of C, and printing what was parsed. */
#include "base/ensure.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* What C would say: C's parsers also take spaces, signs and prefixes, which ours refuse. */
static enum err expect(const char *text, uint32_t base, uint64_t *value)
{
    const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";

    if (text[0] == '\0' || strspn(text, digits) != strlen(text)) {
        return ERR_FORMAT;
    }
    errno = 0;
    *value = strtoumax(text, NULL, (int)base);
    return errno == ERANGE ? ERR_RANGE : ERR_OK;
}

static void check_signed(struct span span, const char *text)
{
    uint64_t magnitude = 0;
    bool minus = text[0] == '-';
    enum err expected = expect(minus ? text + 1 : text, 10, &magnitude);
    int64_t value = 0;

    if (expected == ERR_OK && magnitude > (uint64_t)INT64_MAX + (minus ? 1 : 0)) {
        expected = ERR_RANGE;
    }
    ENSURE(text_parse_i64(span, &value) == expected);
    ENSURE(expected != ERR_OK || value == (int64_t)(minus ? 0 - magnitude : magnitude));
}

static void check_print(struct span span, size_t room)
{
    char at[256];
    struct text text;

    memset(at, '!', sizeof(at));
    text_init(&text, at, room);
    text_quoted(&text, span);
    text_padded(&text, INT64_MIN, (uint32_t)span.len);
    ENSURE(text.len < room && at[text.len] == '\0' && at[room] == '!');
    for (size_t i = 0; i < text.len; i++) {
        ENSURE(at[i] >= 0x20 && at[i] < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[64];
    size_t len = size < sizeof(text) ? size : sizeof(text) - 1;
    struct span span = span_make(data, len);
    uint64_t expected = 0;
    uint64_t value = 0;
    enum err err;

    if (len > 0) {
        memcpy(text, data, len);
    }
    text[len] = '\0';
    if (strlen(text) == len) {
        err = expect(text, 10, &expected);
        ENSURE(text_parse_u64(span, &value) == err && (err != ERR_OK || value == expected));
        err = expect(text, 16, &expected);
        ENSURE(text_parse_hex(span, &value) == err && (err != ERR_OK || value == expected));
        check_signed(span, text);
    } else {
        ENSURE(text_parse_u64(span, &value) == ERR_FORMAT);
    }
    check_print(span_make(data, size), 1 + size % 200);
    return 0;
}
