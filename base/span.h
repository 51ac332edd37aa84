/* span.h - bytes that belong to somebody else.
 *
 * A span is lent: whoever receives one copies what it wants to keep (docs/step-contract.md). */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *at; /* may be NULL only when len is 0 */
    size_t len;
};

static inline struct span span_make(const void *at, size_t len)
{
    return (struct span){.at = (const uint8_t *)at, .len = len};
}

/* The bytes of a C string without its end mark. */
static inline struct span span_text(const char *text)
{
    return span_make(text, strlen(text));
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Lexicographic by byte, shorter first on a tie: a total order. Result <0, 0, >0. */
static inline int span_compare(struct span a, struct span b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.at, b.at, common);

    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : (a.len > b.len ? 1 : 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_text(text));
}

#endif
