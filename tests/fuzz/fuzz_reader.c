/* The first bytes choose what to read, the rest is read. What was read well and is written again
 * gives the same bytes (bools apart: any byte but 0 is true). */
#include "base/bytes.h"
#include "base/ensure.h"
#include "tests/fuzz/fuzz.h"

static void copy_span(struct bytes *out, struct span span, bool is_null)
{
    if (is_null) {
        ENSURE(span.len == 0);
        bytes_buffer_null(out);
    } else {
        bytes_buffer(out, span);
    }
}

static void copy_field(struct reader *reader, struct bytes *out, uint8_t op)
{
    bool is_null = false;
    struct span span;
    uint32_t count;

    switch (op % 9) {
    case 0:
        bytes_u8(out, reader_u8(reader));
        break;
    case 1:
        bytes_u32(out, reader_u32(reader));
        break;
    case 2:
        bytes_u64(out, reader_u64(reader));
        break;
    case 3:
        bytes_i32(out, reader_i32(reader));
        break;
    case 4:
        bytes_i64(out, reader_i64(reader));
        break;
    case 5:
        span = reader_buffer(reader, &is_null);
        copy_span(out, span, is_null);
        break;
    case 6:
        span = reader_ustring(reader, &is_null);
        copy_span(out, span, is_null);
        break;
    case 7:
        span = reader_raw(reader, op / 9);
        bytes_raw(out, span.at, span.len);
        break;
    default:
        count = reader_count(reader, 1u + op / 9, &is_null);
        bytes_i32(out, is_null ? -1 : (int32_t)count);
        ENSURE((size_t)count * (1u + op / 9) <= reader_left(reader));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mem_heap heap;
    struct reader reader;
    struct bytes out;
    uint8_t ops[16] = {0};
    struct fuzz fuzz = {.at = data, .left = size};

    for (uint32_t i = 0; i < 16; i++) {
        ops[i] = fuzz_u8(&fuzz);
    }
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&out, &heap.mem);
    reader_init(&reader, span_make(fuzz.at, fuzz.left), ops[15] * 8u);
    for (uint32_t i = 0; i < 1000 && reader_left(&reader) > 0; i++) {
        size_t pos = reader.pos;
        size_t len = out.len;

        copy_field(&reader, &out, ops[i % 15]);
        ENSURE(reader.pos <= reader.len && reader.pos >= pos);
        if (reader.err != ERR_OK) {
            ENSURE(reader_left(&reader) == 0);
            ENSURE(reader_finish(&reader) == reader.err);
        } else {
            ENSURE(span_equal(bytes_tail(&out, len), span_make(fuzz.at + pos, reader.pos - pos)));
        }
    }
    bytes_drop(&out);
    ENSURE(heap.mem.used_bytes == 0);
    return 0;
}
