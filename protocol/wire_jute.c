#include "protocol/wire_jute.h"

#include "base/ensure.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "wire_get_* and wire_set_* swap bytes");

#define NULL_LENGTH 0xffffffffu

struct span wire_read_buffer(struct reader *reader)
{
    bool is_null = false;
    struct span value = reader_buffer(reader, &is_null);

    if (is_null) {
        return wire_null();
    }
    return value.at == NULL ? wire_empty() : value;
}

void wire_put_buffer(struct bytes *bytes, struct span value)
{
    if (value.at == NULL) {
        bytes_u32(bytes, NULL_LENGTH);
    } else {
        bytes_u32(bytes, (uint32_t)value.len);
        bytes_raw(bytes, value.at, value.len);
    }
}

/* A vector of `parts` strings an item, checked to its end. */
static struct wire_vector wire_read_vector(struct reader *reader, uint32_t parts)
{
    struct wire_vector vector = wire_vector_empty();
    bool is_null = false;
    uint32_t count = reader_count(reader, (size_t)parts * 4, &is_null);
    size_t start = reader->pos;

    for (uint64_t i = 0; i < (uint64_t)count * parts && reader->err == ERR_OK; i++) {
        (void)reader_buffer(reader, NULL);
    }
    if (reader->err != ERR_OK) {
        return vector;
    }
    vector.count = count;
    vector.is_null = is_null;
    if (reader->pos > start) {
        vector.items = span_make(reader->at + start, reader->pos - start);
    }
    return vector;
}

struct wire_vector wire_read_strings(struct reader *reader)
{
    return wire_read_vector(reader, 1);
}

struct wire_vector wire_read_ids(struct reader *reader)
{
    return wire_read_vector(reader, 2);
}

/* Take one buffer off the front of items that were checked when they were read. */
static struct span wire_take_buffer(struct span *items)
{
    struct span value = wire_null();
    uint32_t len;

    ENSURE(items->len >= 4);
    len = wire_get_u32(items->at);
    items->at += 4;
    items->len -= 4;
    if (len != NULL_LENGTH) {
        ENSURE(len <= items->len);
        value = span_make(items->at, len);
        items->at += len;
        items->len -= len;
    }
    return value;
}

bool wire_next_string(struct wire_vector *cursor, struct span *value)
{
    if (cursor->count == 0) {
        return false;
    }
    cursor->count--;
    *value = wire_take_buffer(&cursor->items);
    return true;
}

bool wire_next_id(struct wire_vector *cursor, struct wire_id *value)
{
    if (cursor->count == 0) {
        return false;
    }
    cursor->count--;
    value->scheme = wire_take_buffer(&cursor->items);
    value->id = wire_take_buffer(&cursor->items);
    return true;
}

void wire_put_vector(struct bytes *bytes, const struct wire_vector *vector)
{
    bytes_u32(bytes, vector->is_null ? NULL_LENGTH : vector->count);
    if (vector->items.len > 0) {
        bytes_raw(bytes, vector->items.at, vector->items.len);
    }
}

struct wire_vector wire_vector_null(void)
{
    return (struct wire_vector){.items = wire_empty(), .is_null = true};
}

struct wire_vector wire_vector_empty(void)
{
    return (struct wire_vector){.items = wire_empty()};
}

size_t wire_vector_begin(struct bytes *bytes)
{
    size_t mark = bytes->len;

    bytes_u32(bytes, 0);
    return mark;
}

void wire_vector_end(struct bytes *bytes, size_t mark, uint32_t count)
{
    if (!bytes->failed) {
        bytes_patch_u32(bytes, mark, count);
    }
}

enum err wire_frame_next(struct span input, uint32_t max_len, struct span *frame, size_t *used)
{
    uint32_t len;

    if (input.len < 4) {
        *used = 4;
        return ERR_SHORT;
    }
    len = wire_get_u32(input.at);
    if (len > max_len || len > INT32_MAX) {
        return ERR_LONG;
    }
    *used = (size_t)len + 4;
    if (input.len < *used) {
        return ERR_SHORT;
    }
    *frame = span_make(input.at + 4, len);
    return ERR_OK;
}

size_t wire_frame_begin(struct bytes *bytes)
{
    return wire_vector_begin(bytes);
}

void wire_frame_end(struct bytes *bytes, size_t mark)
{
    if (!bytes->failed) {
        bytes_patch_u32(bytes, mark, (uint32_t)(bytes->len - mark - 4));
    }
}
