#include "base/text.h"

#include "base/ensure.h"

/* Digits of UINT64_MAX. */
#define TEXT_DIGITS_MAX 20u

void text_init(struct text *text, char *at, size_t room)
{
    ENSURE(room > 0);
    *text = (struct text){.at = at, .room = room};
    at[0] = '\0';
}

void text_span(struct text *text, struct span span)
{
    size_t left = text->room - 1 - text->len;
    size_t len = span.len < left ? span.len : left;

    if (len < span.len) {
        text->cut = true;
    }
    if (len > 0) {
        memcpy(text->at + text->len, span.at, len);
        text->len += len;
        text->at[text->len] = '\0';
    }
}

void text_str(struct text *text, const char *str)
{
    text_span(text, span_text(str));
}

void text_char(struct text *text, char c)
{
    text_span(text, span_make(&c, 1));
}

void text_quoted(struct text *text, struct span span)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < span.len; i++) {
        uint8_t byte = span.at[i];

        if (byte == '\n') {
            text_str(text, "\\n");
        } else if (byte == '\t') {
            text_str(text, "\\t");
        } else if (byte == '\\' || byte == '"') {
            text_char(text, '\\');
            text_char(text, (char)byte);
        } else if (byte >= 0x20 && byte < 0x7f) {
            text_char(text, (char)byte);
        } else {
            char escape[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};

            text_span(text, span_make(escape, sizeof(escape)));
        }
    }
}

/* Write `value` in `base` right-aligned into digits; returns how many. */
static uint32_t text_digits(uint64_t value, uint32_t base, char digits[TEXT_DIGITS_MAX])
{
    uint32_t count = 0;

    do {
        digits[TEXT_DIGITS_MAX - ++count] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    return count;
}

static void text_number(struct text *text, uint64_t value, uint32_t base)
{
    char digits[TEXT_DIGITS_MAX];
    uint32_t count = text_digits(value, base, digits);

    text_span(text, span_make(digits + TEXT_DIGITS_MAX - count, count));
}

/* |value|, also of INT64_MIN. */
static uint64_t text_magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

void text_u64(struct text *text, uint64_t value)
{
    text_number(text, value, 10);
}

void text_i64(struct text *text, int64_t value)
{
    if (value < 0) {
        text_char(text, '-');
    }
    text_number(text, text_magnitude(value), 10);
}

void text_hex(struct text *text, uint64_t value)
{
    text_number(text, value, 16);
}

void text_padded(struct text *text, int64_t value, uint32_t width)
{
    char digits[TEXT_DIGITS_MAX];
    uint32_t count = text_digits(text_magnitude(value), 10, digits);
    uint32_t used = count + (value < 0 ? 1 : 0);

    if (value < 0) {
        text_char(text, '-');
    }
    for (; used < width; used++) {
        text_char(text, '0');
    }
    text_span(text, span_make(digits + TEXT_DIGITS_MAX - count, count));
}

/* 16 for what is no digit. */
static uint32_t text_digit_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return (uint32_t)(byte - '0');
    }
    if (byte >= 'a' && byte <= 'f') {
        return (uint32_t)(byte - 'a') + 10;
    }
    if (byte >= 'A' && byte <= 'F') {
        return (uint32_t)(byte - 'A') + 10;
    }
    return 16;
}

static enum err text_parse(struct span span, uint32_t base, uint64_t *value)
{
    uint64_t sum = 0;
    bool over = false;

    if (span.len == 0) {
        return ERR_FORMAT;
    }
    for (size_t i = 0; i < span.len; i++) {
        uint32_t digit = text_digit_value(span.at[i]);

        if (digit >= base) {
            return ERR_FORMAT;
        }
        over = over || sum > (UINT64_MAX - digit) / base;
        sum = sum * base + digit;
    }
    if (over) {
        return ERR_RANGE;
    }
    *value = sum;
    return ERR_OK;
}

enum err text_parse_u64(struct span span, uint64_t *value)
{
    return text_parse(span, 10, value);
}

enum err text_parse_hex(struct span span, uint64_t *value)
{
    return text_parse(span, 16, value);
}

enum err text_parse_i64(struct span span, int64_t *value)
{
    bool minus = span.len > 0 && span.at[0] == '-';
    uint64_t magnitude = 0;
    enum err err = text_parse(minus ? span_make(span.at + 1, span.len - 1) : span, 10, &magnitude);

    if (err != ERR_OK) {
        return err;
    }
    if (magnitude > (uint64_t)INT64_MAX + (minus ? 1 : 0)) {
        return ERR_RANGE;
    }
    *value = minus ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return ERR_OK;
}
