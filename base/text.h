/* text.h - bounded printing without locale, printf or allocation surprises.
 *
 * A text writes into a caller's buffer, always ends it, and drops what does not fit (`cut` tells).
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/err.h"
#include "base/span.h"

struct text {
    char *at;
    size_t room; /* of the buffer, end mark included */
    size_t len;
    bool cut;
};

void text_init(struct text *text, char *at, size_t room);
void text_str(struct text *text, const char *str);
void text_span(struct text *text, struct span span);
/* Bytes as a person may see them: printable ASCII as is, `\n`, `\t`, `\\`, `\"`, else `\xHH`. */
void text_quoted(struct text *text, struct span span);
void text_char(struct text *text, char c);
void text_u64(struct text *text, uint64_t value);
void text_i64(struct text *text, int64_t value);
/* Lower case without leading zeros or prefix. */
void text_hex(struct text *text, uint64_t value);
/* Decimal with at least `width` digits, zeros in front; a minus sign counts as in C's %0*d. */
void text_padded(struct text *text, int64_t value, uint32_t width);

/* Parse all of `span`; ERR_FORMAT for no digit or a wrong one, ERR_RANGE on overflow. */
enum err text_parse_u64(struct span span, uint64_t *value);
enum err text_parse_i64(struct span span, int64_t *value);
enum err text_parse_hex(struct span span, uint64_t *value);

#endif
