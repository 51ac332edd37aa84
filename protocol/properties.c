#include "protocol/properties.h"

#include "base/ensure.h"

void properties_init(struct properties *properties, struct mem *mem, struct span text)
{
    *properties = (struct properties){.text = text, .line = 1};
    bytes_init(&properties->store, mem);
}

void properties_drop(struct properties *properties)
{
    bytes_drop(&properties->store);
}

/* What properties_take returns besides a character. */
enum {
    TAKE_END = -1, /* of the logical line */
    TAKE_BAD = -2  /* malformed escape */
};

static bool properties_is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool properties_at_end(const struct properties *properties)
{
    return properties->pos >= properties->text.len;
}

/* Consume a line end at pos, if there is one: \n, \r or \r\n. */
static bool properties_skip_line_end(struct properties *properties)
{
    const uint8_t *at = properties->text.at;

    if (properties_at_end(properties)) {
        return false;
    }
    if (at[properties->pos] == '\r') {
        properties->pos++;
        if (!properties_at_end(properties) && at[properties->pos] == '\n') {
            properties->pos++;
        }
    } else if (at[properties->pos] == '\n') {
        properties->pos++;
    } else {
        return false;
    }
    properties->line++;
    return true;
}

static void properties_skip_blanks(struct properties *properties)
{
    while (!properties_at_end(properties) &&
           properties_is_blank(properties->text.at[properties->pos])) {
        properties->pos++;
    }
}

/* The four digits after \u. Surrogates are refused: a pair of them is one character of a text, and
 * no name in a configuration needs one. */
static int properties_take_unicode(struct properties *properties)
{
    int value = 0;

    if (properties->text.len - properties->pos < 4) {
        return TAKE_BAD;
    }
    for (int digit = 0; digit < 4; digit++) {
        int c = properties->text.at[properties->pos++];

        if (c >= '0' && c <= '9') {
            c -= '0';
        } else if (c >= 'a' && c <= 'f') {
            c -= 'a' - 10;
        } else if (c >= 'A' && c <= 'F') {
            c -= 'A' - 10;
        } else {
            return TAKE_BAD;
        }
        value = value * 16 + c;
    }
    return value >= 0xd800 && value <= 0xdfff ? TAKE_BAD : value;
}

/* The next character of the logical line, escapes undone; *escaped tells, since an escaped
 * separator does not separate. A plain byte is returned as it is, so UTF-8 passes through; *wide
 * tells that the result is a code point. */
static int properties_take(struct properties *properties, bool *escaped, bool *wide)
{
    *escaped = false;
    *wide = false;
    while (!properties_at_end(properties)) {
        int c;

        if (properties_skip_line_end(properties)) {
            return TAKE_END;
        }
        c = properties->text.at[properties->pos++];
        if (c != '\\') {
            return c;
        }
        if (properties_skip_line_end(properties)) {
            properties_skip_blanks(properties);
            continue;
        }
        if (properties_at_end(properties)) {
            return TAKE_END;
        }
        *escaped = true;
        c = properties->text.at[properties->pos++];
        switch (c) {
        case 't':
            return '\t';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 'f':
            return '\f';
        case 'u':
            *wide = true;
            return properties_take_unicode(properties);
        default:
            return c;
        }
    }
    return TAKE_END;
}

static void properties_put(struct bytes *store, int c, bool wide)
{
    if (!wide || c < 0x80) {
        bytes_u8(store, (uint8_t)c);
    } else if (c < 0x800) {
        bytes_u8(store, (uint8_t)(0xc0 | (c >> 6)));
        bytes_u8(store, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        bytes_u8(store, (uint8_t)(0xe0 | (c >> 12)));
        bytes_u8(store, (uint8_t)(0x80 | ((c >> 6) & 0x3f)));
        bytes_u8(store, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* To the first character of the next key. */
static bool properties_find_key(struct properties *properties)
{
    while (!properties_at_end(properties)) {
        uint8_t c;

        properties_skip_blanks(properties);
        if (properties_skip_line_end(properties)) {
            continue;
        }
        if (properties_at_end(properties)) {
            break;
        }
        c = properties->text.at[properties->pos];
        if (c != '#' && c != '!') {
            return true;
        }
        while (!properties_at_end(properties) && !properties_skip_line_end(properties)) {
            properties->pos++;
        }
    }
    return false;
}

enum err properties_next(struct properties *properties)
{
    /* The key ends at a separator; between it and the value stand blanks and at most one = or :. */
    enum {
        IN_KEY,
        BEHIND_KEY,
        BEHIND_SIGN,
        IN_VALUE
    } where = IN_KEY;
    size_t key_len;

    if (!properties_find_key(properties)) {
        return ERR_MISSING;
    }
    properties->pair_line = properties->line;
    bytes_clear(&properties->store);
    key_len = 0;
    for (;;) {
        bool escaped;
        bool wide;
        int c = properties_take(properties, &escaped, &wide);
        bool is_sign = !escaped && (c == '=' || c == ':');

        if (c == TAKE_BAD) {
            return ERR_FORMAT;
        }
        if (c == TAKE_END) {
            break;
        }
        if (where == IN_KEY && (is_sign || (!escaped && properties_is_blank(c)))) {
            key_len = properties->store.len;
            where = is_sign ? BEHIND_SIGN : BEHIND_KEY;
            continue;
        }
        if (where == BEHIND_KEY && is_sign) {
            where = BEHIND_SIGN;
            continue;
        }
        if ((where == BEHIND_KEY || where == BEHIND_SIGN) && !escaped && properties_is_blank(c)) {
            continue;
        }
        where = where == IN_KEY ? IN_KEY : IN_VALUE;
        properties_put(&properties->store, c, wide);
    }
    if (where == IN_KEY) {
        key_len = properties->store.len;
    }
    if (properties->store.failed) {
        return ERR_MEMORY;
    }
    ENSURE(key_len <= properties->store.len);
    properties->key = properties_trim(span_make(properties->store.at, key_len));
    properties->value = properties_trim(bytes_tail(&properties->store, key_len));
    return ERR_OK;
}

struct span properties_trim(struct span span)
{
    while (span.len > 0 && span.at[span.len - 1] <= ' ') {
        span.len--;
    }
    while (span.len > 0 && span.at[0] <= ' ') {
        span.at++;
        span.len--;
    }
    return span;
}
