/* properties.h - Java's properties syntax, one pair at a time.
 *
 * Lines of key=value (also `:` or a blank between them), comments after # or !, continuation by a
 * backslash at the end of a line, escapes \t \n \r \f \uHHHH. Blanks around key and value are
 * dropped, which Properties.load does not do behind a value but every reader of a zoo.cfg does.
 * Source: java.util.Properties.load, QuorumPeerConfig.parseProperties. */
#ifndef PROTOCOL_PROPERTIES_H
#define PROTOCOL_PROPERTIES_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct properties {
    struct span text;
    size_t pos;
    uint32_t line; /* of pos, from 1 */

    /* the pair at hand */
    uint32_t pair_line; /* where its key begins */
    struct span key, value;
    struct bytes store; /* what key and value lie in */
};

void properties_init(struct properties *properties, struct mem *mem, struct span text);
void properties_drop(struct properties *properties);
/* Read the next pair into key, value and pair_line; they are valid until the next call.
 *
 * Errors: ERR_MISSING at the end of the text; ERR_FORMAT for a malformed \u (pair_line tells
 * where); ERR_MEMORY. */
enum err properties_next(struct properties *properties);

/* Without blanks and control characters at both ends, as String.trim. */
struct span properties_trim(struct span span);

#endif
