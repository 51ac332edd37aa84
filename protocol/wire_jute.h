/* wire_jute.h - what the three wire codecs share beyond base/bytes.h: nulls, vectors, frames.
 *
 * A span with at == NULL is jute's null (length -1); an empty value has at != NULL and len 0.
 * Decoders keep the difference and encoders honour it, so that decode and encode are inverse byte
 * for byte.
 * All machines that we build for are little-endian (checked in wire_jute.c).
 *
 * A vector is not unpacked: decoding checks it whole and lends its items as bytes (struct
 * wire_vector); the vector itself then serves as cursor. Walking a copy leaves the original usable:
 *
 *     struct wire_vector cursor = reply.strings;
 *     struct span name;
 *     while (wire_next_string(&cursor, &name)) { ... }
 *
 * Source: Apache BinaryInputArchive, BinaryOutputArchive; docs/formats/jute.md. */
#ifndef PROTOCOL_WIRE_JUTE_H
#define PROTOCOL_WIRE_JUTE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The limit of a request that Apache applies by default (jute.maxbuffer), in bytes. */
#define WIRE_MAX_BUFFER 1048575u

/* An empty, not null, value. */
static inline struct span wire_empty(void)
{
    return span_make("", 0);
}

static inline struct span wire_null(void)
{
    return span_make(NULL, 0);
}

static inline bool wire_is_null(struct span value)
{
    return value.at == NULL;
}

/* Big-endian words at `at`, for looking ahead without a reader. */
static inline uint32_t wire_get_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static inline uint64_t wire_get_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

static inline void wire_set_u32(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof value);
}

static inline void wire_set_u64(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof value);
}

/* A jute buffer or ustring; null becomes at == NULL, empty keeps at != NULL. Errors in the reader.
 */
struct span wire_read_buffer(struct reader *reader);

/* Write a buffer or ustring; at == NULL writes length -1. */
void wire_put_buffer(struct bytes *bytes, struct span value);

/* Items of one vector as they stand in the input, checked. */
struct wire_vector {
    struct span items; /* the bytes behind the count */
    uint32_t count;    /* items left in them */
    bool is_null;      /* count -1 */
};

/* jute Id, as in ACLs and in the authinfo of a quorum packet. */
struct wire_id {
    struct span scheme, id;
};

/* Read and check a whole vector: of ustrings (or buffers), or of Ids (ClientInfo has the same
 * form). Errors in the reader: ERR_SHORT, ERR_LONG, ERR_FORMAT; the result then is empty. */
struct wire_vector wire_read_strings(struct reader *reader);
struct wire_vector wire_read_ids(struct reader *reader);

/* Take the first item off `cursor`; false at the end. Only for vectors that were read as above. */
bool wire_next_string(struct wire_vector *cursor, struct span *value);
bool wire_next_id(struct wire_vector *cursor, struct wire_id *value);

/* Write count and items verbatim. */
void wire_put_vector(struct bytes *bytes, const struct wire_vector *vector);

/* A null vector, and an empty one. */
struct wire_vector wire_vector_null(void);
struct wire_vector wire_vector_empty(void);

/* Write a vector item by item: begin, the items, then end with their number. `mark` is the result
 * of begin. Nesting is allowed. */
size_t wire_vector_begin(struct bytes *bytes);
void wire_vector_end(struct bytes *bytes, size_t mark, uint32_t count);

/* ---- frames: int length, then as many bytes (client port, election port) ---- */

/* The first frame of `input`: its payload, and the length with prefix in *used.
 *
 * Errors: ERR_SHORT when more bytes are needed (*used is then the total that is needed at least);
 *         ERR_LONG when the length is outside [0, max_len]: the connection is to be closed. */
enum err wire_frame_next(struct span input, uint32_t max_len, struct span *frame, size_t *used);

/* Write a frame around what is written between begin and end; `mark` is the result of begin. */
size_t wire_frame_begin(struct bytes *bytes);
void wire_frame_end(struct bytes *bytes, size_t mark);

#endif
