/* bytes.h - growing bytes, and big-endian readers and writers; the jute primitives live here once.
 *
 * Writers never fail midway: on memory exhaustion the object turns `failed`, ignores later writes,
 * and the caller asks once at the end. Readers turn `err` != ERR_OK at the first bad read; every
 * later read then returns zeros, so that a decoder can read all fields and check once. Source:
 * Apache BinaryOutputArchive / BinaryInputArchive (docs/formats/jute.md). */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

#include <stdbool.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "readers and writers swap bytes");

struct bytes {
    struct mem *mem;
    uint8_t *at;
    size_t len;
    size_t room;
    bool failed; /* memory ran out: contents are not complete */
};

/* An empty object that allocates from `mem` at its first write. */
void bytes_init(struct bytes *bytes, struct mem *mem);
void bytes_drop(struct bytes *bytes);
/* len = 0, room kept, `failed` cleared. */
void bytes_clear(struct bytes *bytes);
/* The slow half of bytes_reserve; not for other users. */
bool bytes_widen(struct bytes *bytes, size_t more);
/* Room for `more` further bytes; false (and failed) when memory ran out. */
static inline bool bytes_reserve(struct bytes *bytes, size_t more)
{
    if (__builtin_expect(bytes->room - bytes->len < more || bytes->failed, 0)) {
        return bytes_widen(bytes, more);
    }
    return true;
}
/* Remove the first `count` bytes (<= len), moving the rest down. */
void bytes_consume(struct bytes *bytes, size_t count);
static inline struct span bytes_span(const struct bytes *bytes)
{
    return span_make(bytes->at, bytes->len);
}
/* The part from `from` on. */
struct span bytes_tail(const struct bytes *bytes, size_t from);

static inline void bytes_raw(struct bytes *bytes, const void *at, size_t len)
{
    if (len > 0 && bytes_reserve(bytes, len)) {
        memcpy(bytes->at + bytes->len, at, len);
        bytes->len += len;
    }
}

void bytes_fill(struct bytes *bytes, uint8_t value, size_t count);

static inline void bytes_u8(struct bytes *bytes, uint8_t value)
{
    if (bytes_reserve(bytes, 1)) {
        bytes->at[bytes->len++] = value;
    }
}

static inline void bytes_u32(struct bytes *bytes, uint32_t value)
{
    if (bytes_reserve(bytes, 4)) {
        value = __builtin_bswap32(value);
        memcpy(bytes->at + bytes->len, &value, 4);
        bytes->len += 4;
    }
}

static inline void bytes_u64(struct bytes *bytes, uint64_t value)
{
    if (bytes_reserve(bytes, 8)) {
        value = __builtin_bswap64(value);
        memcpy(bytes->at + bytes->len, &value, 8);
        bytes->len += 8;
    }
}

static inline void bytes_i32(struct bytes *bytes, int32_t value)
{
    bytes_u32(bytes, (uint32_t)value);
}

static inline void bytes_i64(struct bytes *bytes, int64_t value)
{
    bytes_u64(bytes, (uint64_t)value);
}

static inline void bytes_bool(struct bytes *bytes, bool value)
{
    bytes_u8(bytes, value ? 1 : 0);
}

/* Overwrite 4 bytes at `offset` (offset + 4 <= len, unless failed): to patch a length that was not
 * known before. */
void bytes_patch_u32(struct bytes *bytes, size_t offset, uint32_t value);
/* jute buffer: int length + bytes; at == NULL with len 0 and `null` = -1. */
void bytes_buffer(struct bytes *bytes, struct span value);
void bytes_buffer_null(struct bytes *bytes);
/* jute ustring, same form. Text is UTF-8. */
void bytes_ustring(struct bytes *bytes, struct span value);

struct reader {
    const uint8_t *at;
    size_t len;       /* of the whole input */
    size_t pos;       /* next byte; at the end after a failure */
    enum err err;     /* first failure */
    uint32_t max_len; /* limit of one buffer or string, in bytes */
};

/* The limit that Apache applies by default: 2 * 0xfffff (jute.maxbuffer + extrasize). */
#define READER_MAX_DEFAULT 2097150u

void reader_init(struct reader *reader, struct span input, uint32_t max_len);
/* Record `err` unless there is one already, and skip to the end: nothing is left to read. For
 * decoders that find a field with a value that cannot be. */
void reader_fail(struct reader *reader, enum err err);
/* ERR_OK only when everything was read well and nothing is left over (which is ERR_LONG). */
enum err reader_finish(const struct reader *reader);

/* Unread bytes; 0 after a failure. */
static inline size_t reader_left(const struct reader *reader)
{
    return reader->len - reader->pos;
}

/* A span of the next `len` bytes; empty when they are not there. */
static inline struct span reader_raw(struct reader *reader, size_t len)
{
    struct span span = {.at = NULL, .len = 0};

    if (__builtin_expect(len > reader_left(reader), 0)) {
        reader_fail(reader, ERR_SHORT);
        return span;
    }
    if (len > 0) {
        span = span_make(reader->at + reader->pos, len);
        reader->pos += len;
    }
    return span;
}

static inline uint8_t reader_u8(struct reader *reader)
{
    if (__builtin_expect(reader_left(reader) < 1, 0)) {
        reader_fail(reader, ERR_SHORT);
        return 0;
    }
    return reader->at[reader->pos++];
}

static inline uint32_t reader_u32(struct reader *reader)
{
    uint32_t value;

    if (__builtin_expect(reader_left(reader) < 4, 0)) {
        reader_fail(reader, ERR_SHORT);
        return 0;
    }
    memcpy(&value, reader->at + reader->pos, 4);
    reader->pos += 4;
    return __builtin_bswap32(value);
}

static inline uint64_t reader_u64(struct reader *reader)
{
    uint64_t value;

    if (__builtin_expect(reader_left(reader) < 8, 0)) {
        reader_fail(reader, ERR_SHORT);
        return 0;
    }
    memcpy(&value, reader->at + reader->pos, 8);
    reader->pos += 8;
    return __builtin_bswap64(value);
}

static inline int32_t reader_i32(struct reader *reader)
{
    return (int32_t)reader_u32(reader);
}

static inline int64_t reader_i64(struct reader *reader)
{
    return (int64_t)reader_u64(reader);
}

/* Any byte but 0 is true, as Java's DataInput has it. */
static inline bool reader_bool(struct reader *reader)
{
    return reader_u8(reader) != 0;
}

/* jute buffer or ustring: a span into the input. *is_null (may be NULL) tells length -1, which else
 * reads as an empty span. Lengths < -1, over max_len, or past the end set err. */
struct span reader_buffer(struct reader *reader, bool *is_null);
struct span reader_ustring(struct reader *reader, bool *is_null);
/* jute vector count: -1 reads as *is_null. A count that could not fit the rest of the input with
 * `item_min` (>= 1) bytes an item is ERR_FORMAT: bounds memory by input size. */
uint32_t reader_count(struct reader *reader, size_t item_min, bool *is_null);

#endif
