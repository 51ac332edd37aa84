#include "base/bytes.h"

#include "base/ensure.h"

#define BYTES_ROOM_FIRST 64u

void bytes_init(struct bytes *bytes, struct mem *mem)
{
    *bytes = (struct bytes){.mem = mem};
}

void bytes_drop(struct bytes *bytes)
{
    if (bytes->at != NULL) {
        mem_put(bytes->mem, bytes->at, bytes->room);
    }
    *bytes = (struct bytes){.mem = bytes->mem};
}

void bytes_clear(struct bytes *bytes)
{
    bytes->len = 0;
    bytes->failed = false;
}

bool bytes_widen(struct bytes *bytes, size_t more)
{
    size_t room = bytes->room < BYTES_ROOM_FIRST / 2 ? BYTES_ROOM_FIRST : bytes->room * 2;
    uint8_t *at;

    if (bytes->failed) {
        return false;
    }
    if (more > SIZE_MAX / 4 || bytes->room > SIZE_MAX / 4) {
        bytes->failed = true;
        return false;
    }
    if (bytes->room - bytes->len >= more) {
        return true;
    }
    if (room < bytes->len + more) {
        room = bytes->len + more;
    }
    at = mem_get(bytes->mem, room);
    if (at == NULL) {
        bytes->failed = true;
        return false;
    }
    if (bytes->at != NULL) {
        memcpy(at, bytes->at, bytes->len);
        mem_put(bytes->mem, bytes->at, bytes->room);
    }
    bytes->at = at;
    bytes->room = room;
    return true;
}

void bytes_consume(struct bytes *bytes, size_t count)
{
    ENSURE(count <= bytes->len);
    if (count > 0) {
        memmove(bytes->at, bytes->at + count, bytes->len - count);
        bytes->len -= count;
    }
}

struct span bytes_tail(const struct bytes *bytes, size_t from)
{
    /* A writer that failed may be shorter than its user believes. */
    ENSURE(from <= bytes->len || bytes->failed);
    if (from >= bytes->len) {
        return span_make(NULL, 0);
    }
    return span_make(bytes->at + from, bytes->len - from);
}

void bytes_fill(struct bytes *bytes, uint8_t value, size_t count)
{
    if (count > 0 && bytes_reserve(bytes, count)) {
        memset(bytes->at + bytes->len, value, count);
        bytes->len += count;
    }
}

void bytes_patch_u32(struct bytes *bytes, size_t offset, uint32_t value)
{
    if (bytes->failed) {
        return;
    }
    ENSURE(bytes->len >= 4 && offset <= bytes->len - 4);
    value = __builtin_bswap32(value);
    memcpy(bytes->at + offset, &value, sizeof(value));
}

void bytes_buffer(struct bytes *bytes, struct span value)
{
    ENSURE(value.len <= INT32_MAX);
    if (bytes_reserve(bytes, value.len + 4)) {
        bytes_u32(bytes, (uint32_t)value.len);
        bytes_raw(bytes, value.at, value.len);
    }
}

void bytes_buffer_null(struct bytes *bytes)
{
    bytes_i32(bytes, -1);
}

void bytes_ustring(struct bytes *bytes, struct span value)
{
    bytes_buffer(bytes, value);
}

void reader_init(struct reader *reader, struct span input, uint32_t max_len)
{
    *reader = (struct reader){.at = input.at, .len = input.len, .max_len = max_len};
}

enum err reader_finish(const struct reader *reader)
{
    if (reader->err != ERR_OK) {
        return reader->err;
    }
    return reader->pos == reader->len ? ERR_OK : ERR_LONG;
}

void reader_fail(struct reader *reader, enum err err)
{
    ENSURE(err != ERR_OK);
    if (reader->err == ERR_OK) {
        reader->err = err;
    }
    reader->pos = reader->len;
}

struct span reader_buffer(struct reader *reader, bool *is_null)
{
    int32_t len = reader_i32(reader);

    if (is_null != NULL) {
        *is_null = len == -1;
    }
    if (len == -1) {
        return span_make(NULL, 0);
    }
    if (len < 0) {
        reader_fail(reader, ERR_FORMAT);
        return span_make(NULL, 0);
    }
    if ((uint32_t)len > reader->max_len) {
        reader_fail(reader, ERR_LONG);
        return span_make(NULL, 0);
    }
    return reader_raw(reader, (size_t)len);
}

struct span reader_ustring(struct reader *reader, bool *is_null)
{
    return reader_buffer(reader, is_null);
}

uint32_t reader_count(struct reader *reader, size_t item_min, bool *is_null)
{
    int32_t count = reader_i32(reader);

    ENSURE(item_min >= 1);
    if (is_null != NULL) {
        *is_null = count == -1;
    }
    if (count == -1) {
        return 0;
    }
    if (count < 0 || (uint32_t)count > reader_left(reader) / item_min) {
        reader_fail(reader, ERR_FORMAT);
        return 0;
    }
    return (uint32_t)count;
}
