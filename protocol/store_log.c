#include "protocol/store_log.h"

#include "base/ensure.h"
#include "base/sums.h"
#include "tree/txn.h"

/* Behind damage a record is only looked for as long as it is cheap: an accidental candidate is
 * rare, so that a file full of them is refused instead of being searched for hours. */
#define LOG_HUNTS_MAX  64u
#define LOG_HEAD_BYTES 12u /* checksum and length */
#define LOG_BLANK_MIN  5u  /* zeros that a record does not begin with by itself */

void log_put_header(struct bytes *out)
{
    bytes_i32(out, LOG_MAGIC);
    bytes_i32(out, LOG_VERSION);
    bytes_i64(out, 0);
}

void log_put_record(struct bytes *out, struct span txn)
{
    ENSURE(txn.len >= TXN_HEADER_BYTES && txn.len < INT32_MAX);
    if (!bytes_reserve(out, txn.len + LOG_RECORD_BYTES)) {
        return;
    }
    bytes_u64(out, sums_adler32(1, txn));
    bytes_u32(out, (uint32_t)txn.len);
    bytes_raw(out, txn.at, txn.len);
    bytes_u8(out, LOG_RECORD_END);
}

void log_reader_init(struct log_reader *reader, struct mem *mem, uint32_t txn_max)
{
    *reader = (struct log_reader){.txn_max = txn_max};
    bytes_init(&reader->rest, mem);
}

void log_reader_drop(struct log_reader *reader)
{
    bytes_drop(&reader->rest);
}

void log_reader_restart(struct log_reader *reader)
{
    struct bytes rest = reader->rest;

    bytes_clear(&rest);
    *reader = (struct log_reader){.txn_max = reader->txn_max, .rest = rest};
}

uint64_t log_reader_offset(const struct log_reader *reader)
{
    return reader->rest_offset + reader->rest.len;
}

enum err log_reader_feed(struct log_reader *reader, struct span piece, bool eof)
{
    ENSURE(!reader->eof);
    ENSURE(reader->pos <= reader->rest.len);
    reader->rest_offset += reader->pos;
    bytes_consume(&reader->rest, reader->pos);
    reader->pos = 0;
    reader->eof = eof;
    if (piece.len > 0) {
        bytes_raw(&reader->rest, piece.at, piece.len);
    }
    return reader->rest.failed ? ERR_MEMORY : ERR_OK;
}

static size_t log_left(const struct log_reader *reader)
{
    return reader->rest.len - reader->pos;
}

static uint64_t log_here(const struct log_reader *reader)
{
    return reader->rest_offset + reader->pos;
}

/* What stands at `pos` is not a good record: see whether that is the end of everything. */
static void log_doubt(struct log_reader *reader, const char *what)
{
    reader->hunting = true;
    reader->damage = log_here(reader);
    reader->what = what;
}

static enum log_next log_finish(struct log_reader *reader, enum log_tail tail)
{
    reader->tail = tail;
    reader->pos = reader->rest.len;
    return LOG_NEXT_END;
}

/* -- after damage -- */

enum log_guess {
    LOG_GUESS_NO,
    LOG_GUESS_YES,
    LOG_GUESS_MORE
};

/* Is there a complete, valid record at `pos`? */
static enum log_guess log_guess_record(struct log_reader *reader, size_t pos)
{
    const uint8_t *at = reader->rest.at + pos;
    size_t left = reader->rest.len - pos;
    struct reader head;
    struct txn_header header;

    if (left < LOG_HEAD_BYTES) {
        return reader->eof ? LOG_GUESS_NO : LOG_GUESS_MORE;
    }
    if (at[0] != 0 || at[1] != 0 || at[2] != 0 || at[3] != 0) {
        return LOG_GUESS_NO; /* an Adler-32 has 32 bits */
    }
    reader_init(&head, span_make(at, LOG_HEAD_BYTES), READER_MAX_DEFAULT);
    uint64_t sum = reader_u64(&head);
    uint32_t length = reader_u32(&head);

    if (length < TXN_HEADER_BYTES || length > reader->txn_max || sum == 0) {
        return LOG_GUESS_NO;
    }
    if (left < length + LOG_RECORD_BYTES) {
        return reader->eof ? LOG_GUESS_NO : LOG_GUESS_MORE;
    }
    if (at[LOG_HEAD_BYTES + length] != LOG_RECORD_END) {
        return LOG_GUESS_NO;
    }
    struct span txn = span_make(at + LOG_HEAD_BYTES, length);

    reader->hunts++;
    if (sums_adler32(1, txn) != sum || txn_decode_header(txn, &header) != ERR_OK) {
        return LOG_GUESS_NO;
    }
    return header.zxid > reader->last_zxid ? LOG_GUESS_YES : LOG_GUESS_NO;
}

/* Bytes of zeros at `pos`. */
static size_t log_zeros(const struct log_reader *reader)
{
    size_t left = log_left(reader);
    size_t run = 0;

    if (left == 0) {
        return 0;
    }
    const uint8_t *at = reader->rest.at + reader->pos;

    while (run + 8 <= left) {
        uint64_t word;

        memcpy(&word, at + run, sizeof(word));
        if (word != 0) {
            break;
        }
        run += 8;
    }
    while (run < left && at[run] == 0) {
        run++;
    }
    return run;
}

/* All is zero up to the border of a sector at `border`: is it the mark of an unwritten sector? */
static void log_see_border(struct log_reader *reader, uint64_t border)
{
    bool any = reader->last_byte > reader->damage;
    uint64_t zeros = border - (any ? reader->last_byte : reader->damage);

    if (border >= reader->damage + LOG_SECTOR_BYTES) {
        reader->blank = reader->blank || zeros >= LOG_SECTOR_BYTES;
    } else {
        /* The write may have begun in this sector, at the damage. */
        reader->blank = reader->blank || (zeros >= LOG_BLANK_MIN && !any);
    }
}

/* Step over `count` bytes: all zeros, or one that is not. */
static void log_step(struct log_reader *reader, size_t count, bool zero)
{
    uint64_t from = log_here(reader);
    uint64_t border = (from + count) / LOG_SECTOR_BYTES * LOG_SECTOR_BYTES;

    reader->pos += count;
    if (!zero) {
        reader->last_byte = from + count;
    } else if (!reader->found && border > from) {
        log_see_border(reader, border);
    }
}

/* A valid record begins here. The zeros that it begins with may be in an unwritten sector. */
static void log_see_record(struct log_reader *reader)
{
    uint64_t border = (log_here(reader) + LOG_BLANK_MIN - 1) / LOG_SECTOR_BYTES * LOG_SECTOR_BYTES;

    if (border > log_here(reader)) {
        log_see_border(reader, border);
    }
    reader->found = true;
}

static enum log_next log_hunted(struct log_reader *reader)
{
    uint64_t damage = reader->damage;
    enum log_tail tail = LOG_TAIL_TORN;

    if (reader->last_byte == 0) {
        tail = reader->opened ? LOG_TAIL_NONE : LOG_TAIL_EMPTY;
    } else if (reader->hunts > LOG_HUNTS_MAX ||
               (reader->found &&
                (!reader->blank || reader->last_byte - damage > LOG_BATCH_BYTES))) {
        tail = LOG_TAIL_HOLE;
    }
    return log_finish(reader, tail);
}

static enum log_next log_hunt(struct log_reader *reader)
{
    while (reader->pos < reader->rest.len && reader->hunts <= LOG_HUNTS_MAX) {
        size_t zeros = log_zeros(reader);
        bool all = reader->found || zeros == log_left(reader);

        /* Zeros cannot be the start of a record as far as they would make its length 0. */
        if (zeros > 0 && all && (reader->found || reader->eof)) {
            log_step(reader, zeros, true);
            continue;
        }
        if (zeros >= LOG_HEAD_BYTES) {
            log_step(reader, zeros - LOG_HEAD_BYTES + 1, true);
        }
        switch (reader->found ? LOG_GUESS_NO : log_guess_record(reader, reader->pos)) {
        case LOG_GUESS_YES:
            log_see_record(reader);
            break;
        case LOG_GUESS_MORE:
            return LOG_NEXT_MORE;
        case LOG_GUESS_NO:
            break;
        }
        log_step(reader, 1, reader->rest.at[reader->pos] == 0);
    }
    if (!reader->eof && reader->hunts <= LOG_HUNTS_MAX) {
        return LOG_NEXT_MORE;
    }
    return log_hunted(reader);
}

/* -- the good part -- */

/* Whether the bytes are the start of a header of which the rest was not written: a part of the
 * magic number, then zeros or the end of the file. */
static bool log_is_torn_header(struct span head)
{
    static const uint8_t magic[4] = {LOG_MAGIC >> 24, LOG_MAGIC >> 16 & 0xff, LOG_MAGIC >> 8 & 0xff,
                                     LOG_MAGIC & 0xff};
    size_t same = 0;

    while (same < head.len && same < sizeof(magic) && head.at[same] == magic[same]) {
        same++;
    }
    for (size_t i = same; i < head.len && same < sizeof(magic); i++) {
        if (head.at[i] != 0) {
            return false;
        }
    }
    return true;
}

/* False: more is needed, or the reader is finished or hunting. */
static bool log_open(struct log_reader *reader)
{
    size_t left = log_left(reader);
    struct reader head;

    if (left < LOG_HEADER_BYTES && !reader->eof) {
        return false;
    }
    struct span bytes =
        span_make(reader->rest.at, left < LOG_HEADER_BYTES ? left : LOG_HEADER_BYTES);

    reader_init(&head, bytes, READER_MAX_DEFAULT);
    if (left >= LOG_HEADER_BYTES && reader_i32(&head) == LOG_MAGIC) {
        reader->pos = LOG_HEADER_BYTES;
        reader->end = LOG_HEADER_BYTES;
        reader->opened = true;
        return true;
    }
    log_doubt(reader, "the file header is not complete");
    if (!log_is_torn_header(bytes)) {
        reader->what = "wrong magic number";
        reader->hunting = false;
        log_finish(reader, LOG_TAIL_WRONG);
    }
    return false;
}

static enum log_next log_wrong(struct log_reader *reader, const char *what)
{
    reader->damage = log_here(reader);
    reader->what = what;
    return log_finish(reader, LOG_TAIL_WRONG);
}

/* The record at `pos`; LOG_NEXT_END with `hunting` set when there is no good one. */
static enum log_next log_take(struct log_reader *reader, struct log_record *record)
{
    size_t left = log_left(reader);
    struct reader head;
    struct txn_header header;

    if (left < LOG_HEAD_BYTES) {
        if (!reader->eof) {
            return LOG_NEXT_MORE;
        }
        log_doubt(reader, "a record is cut short");
        return LOG_NEXT_END;
    }
    const uint8_t *at = reader->rest.at + reader->pos;

    reader_init(&head, span_make(at, LOG_HEAD_BYTES), READER_MAX_DEFAULT);
    uint64_t sum = reader_u64(&head);
    uint32_t length = reader_u32(&head);

    if (length < TXN_HEADER_BYTES || length > reader->txn_max) {
        log_doubt(reader, length == 0 ? "a hole" : "a record of impossible length");
        return LOG_NEXT_END;
    }
    if (left < length + LOG_RECORD_BYTES) {
        if (!reader->eof) {
            return LOG_NEXT_MORE;
        }
        log_doubt(reader, "a record is cut short");
        return LOG_NEXT_END;
    }
    struct span txn = span_make(at + LOG_HEAD_BYTES, length);

    if (at[LOG_HEAD_BYTES + length] != LOG_RECORD_END) {
        log_doubt(reader, "a record without its end mark");
        return LOG_NEXT_END;
    }
    if (sums_adler32(1, txn) != sum) {
        log_doubt(reader, "a record's checksum does not match");
        return LOG_NEXT_END;
    }
    if (txn_decode_header(txn, &header) != ERR_OK || header.zxid <= 0 ||
        (header.zxid & 0xffffffff) == 0) {
        return log_wrong(reader, "a record with an impossible zxid");
    }
    *record = (struct log_record){.zxid = header.zxid, .txn = txn, .offset = log_here(reader)};
    reader->pos += length + LOG_RECORD_BYTES;
    reader->end = log_here(reader);
    reader->last_zxid = header.zxid;
    return LOG_NEXT_RECORD;
}

enum log_next log_reader_next(struct log_reader *reader, struct log_record *record)
{
    if (reader->tail != LOG_TAIL_OPEN) {
        return LOG_NEXT_END;
    }
    if (!reader->hunting && !reader->opened && !log_open(reader)) {
        if (reader->tail != LOG_TAIL_OPEN) {
            return LOG_NEXT_END;
        }
        if (!reader->hunting) {
            return LOG_NEXT_MORE;
        }
    }
    if (!reader->hunting) {
        if (log_left(reader) == 0 && reader->eof) {
            return log_finish(reader, LOG_TAIL_NONE);
        }
        enum log_next next = log_take(reader, record);

        if (!reader->hunting) {
            return next;
        }
    }
    return log_hunt(reader);
}
