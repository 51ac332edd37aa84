/* A log file, read whole and in pieces: both must give the same. What was read well and is written
 * again gives the same bytes. The first byte chooses whether the rest is the file, or a program
 * that builds one of good records, zeros and damage, so that checksums match. */
#include "base/ensure.h"
#include "protocol/store_log.h"
#include "tests/fuzz/fuzz.h"

#define TXN_MAX 4096u

struct outcome {
    uint64_t records, end, damage, sum;
    enum log_tail tail;
};

static struct outcome read_log(struct mem *mem, struct span file, size_t piece, struct bytes *again)
{
    struct log_reader reader;
    struct log_record record;
    struct outcome outcome = {0};
    size_t fed = 0;
    enum log_next next;

    log_reader_init(&reader, mem, TXN_MAX);
    while ((next = log_reader_next(&reader, &record)) != LOG_NEXT_END) {
        if (next == LOG_NEXT_RECORD) {
            ENSURE(record.offset >= LOG_HEADER_BYTES && record.zxid > 0);
            ENSURE(record.txn.len <= TXN_MAX);
            outcome.records++;
            outcome.sum = outcome.sum * 31 + (uint64_t)record.zxid + record.offset;
            if (again != NULL) {
                log_put_record(again, record.txn);
            }
            continue;
        }
        ENSURE(fed <= file.len);
        ENSURE(log_reader_offset(&reader) == fed);
        size_t len = file.len - fed < piece ? file.len - fed : piece;

        struct span part = len == 0 ? span_make(NULL, 0) : span_make(file.at + fed, len);

        ENSURE(log_reader_feed(&reader, part, len < piece) == ERR_OK);
        fed += len;
    }
    outcome.end = reader.end;
    outcome.damage = reader.damage;
    outcome.tail = reader.tail;
    ENSURE(outcome.tail != LOG_TAIL_OPEN);
    ENSURE(outcome.end <= file.len);
    ENSURE(outcome.tail == LOG_TAIL_NONE || outcome.tail == LOG_TAIL_EMPTY || reader.what != NULL);
    log_reader_drop(&reader);
    return outcome;
}

static void build_record(struct fuzz *fuzz, struct bytes *file, struct mem *mem, int64_t zxid)
{
    struct bytes txn;
    uint32_t extra = fuzz_u8(fuzz);

    bytes_init(&txn, mem);
    bytes_i64(&txn, 1);
    bytes_i32(&txn, 2);
    bytes_i64(&txn, zxid);
    bytes_i64(&txn, 3);
    bytes_i32(&txn, 4);
    bytes_fill(&txn, (uint8_t)extra, extra * 4);
    log_put_record(file, bytes_span(&txn));
    bytes_drop(&txn);
}

static void build(struct fuzz *fuzz, struct bytes *file, struct mem *mem)
{
    int64_t zxid = 1;

    while (fuzz->left > 0 && file->len < 65536) {
        switch (fuzz_u8(fuzz) % 6) {
        case 0:
            log_put_header(file);
            break;
        case 1:
        case 2:
            build_record(fuzz, file, mem, zxid++);
            break;
        case 3:
            bytes_fill(file, 0, fuzz_u8(fuzz));
            break;
        case 4:
            bytes_u8(file, fuzz_u8(fuzz));
            break;
        case 5:
            if (file->len > 0) {
                file->at[fuzz_u16(fuzz) % file->len] ^= fuzz_u8(fuzz);
            }
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 7, 64, 1000};
    struct fuzz fuzz = {.at = data, .left = size};
    struct mem_heap heap;
    struct bytes file;
    struct bytes again;
    struct outcome whole;

    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&file, &heap.mem);
    bytes_init(&again, &heap.mem);
    if (fuzz_u8(&fuzz) % 2 == 0) {
        bytes_raw(&file, fuzz.at, fuzz.left);
    } else {
        build(&fuzz, &file, &heap.mem);
    }
    whole = read_log(&heap.mem, bytes_span(&file), file.len + 1, &again);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        if (file.len / pieces[i] > 4096) {
            continue; /* only slow */
        }
        struct outcome split = read_log(&heap.mem, bytes_span(&file), pieces[i], NULL);

        ENSURE(split.records == whole.records && split.sum == whole.sum);
        ENSURE(split.end == whole.end && split.tail == whole.tail);
        ENSURE(split.damage == whole.damage);
    }
    if (whole.end > 0) {
        ENSURE(whole.end - LOG_HEADER_BYTES == again.len);
        ENSURE(span_equal(bytes_span(&again), span_make(file.at + LOG_HEADER_BYTES, again.len)));
    }
    bytes_drop(&file);
    bytes_drop(&again);
    ENSURE(heap.mem.used_bytes == 0);
    return 0;
}
