/* store_log.h - the bytes of a transaction log file, written and read; no files, no effects.
 *
 *      16 bytes header | record, record, ...      | nothing, or zero bytes (padding)
 *      record: long Adler-32 of the txn, int length, txn, 'B'
 *
 * The reader takes a file in pieces of any size and gives one txn after the other, with every check
 * that a single file allows. What it finds after the last good record it classifies (enum
 * log_tail); whether that is allowed depends on where the file stands among others, which its
 * caller knows. Source: Apache FileTxnLog; docs/formats/log.md. */
#ifndef PROTOCOL_STORE_LOG_H
#define PROTOCOL_STORE_LOG_H

#include "base/bytes.h"

#define LOG_MAGIC        0x5a4b4c47 /* "ZKLG" */
#define LOG_VERSION      2
#define LOG_HEADER_BYTES 16u
#define LOG_RECORD_BYTES 13u /* around a txn */
#define LOG_RECORD_END   0x42

void log_put_header(struct bytes *out);
void log_put_record(struct bytes *out, struct span txn);

struct log_record {
    int64_t zxid;
    struct span txn; /* valid until the next feed */
    uint64_t offset; /* of the record in the file */
};

/* How a file ends behind its last good record. X is where that record ends.
 *
 * A power loss may take any sectors of the one write that was in flight (store.h, "Group commit"),
 * so valid records can stand behind missing ones. They are told from lost data by two marks of such
 * a write: it is at most LOG_BATCH_BYTES long, to the last byte of the file that is not zero; and
 * what it misses reads as zeros up to the end of a sector, which damage by anything else hardly
 * ever does. */
enum log_tail {
    LOG_TAIL_OPEN,  /* not known yet */
    LOG_TAIL_NONE,  /* nothing behind X, or only zeros */
    LOG_TAIL_EMPTY, /* no header: zero bytes long, or all zeros */
    LOG_TAIL_TORN,  /* a write that was cut short: no valid record behind X, or the two marks above
                     */
    LOG_TAIL_HOLE,  /* a valid record stands behind damage: synced data were lost */
    LOG_TAIL_WRONG, /* not a log, or a record with a good checksum and senseless content */
};
#define LOG_BATCH_BYTES  65536u
#define LOG_SECTOR_BYTES 512u

enum log_next {
    LOG_NEXT_RECORD,
    LOG_NEXT_MORE, /* feed another piece */
    LOG_NEXT_END,  /* see tail */
};

struct log_reader {
    struct bytes rest;    /* fed and not yet dropped */
    size_t pos;           /* into rest: next byte to look at */
    uint64_t rest_offset; /* of rest.at[0] in the file */
    uint64_t end;      /* in the file: behind the last good record, or the header; 0 without one */
    int64_t last_zxid; /* of the last good record; 0 before the first */
    uint32_t txn_max;
    uint32_t hunts;     /* candidates whose checksum was computed behind damage */
    uint64_t last_byte; /* hunting: behind the last byte that is not zero; 0 none */
    bool eof;           /* the last piece was fed */
    bool found;         /* hunting met a valid record */
    bool blank;         /* ... and before it a sector, or the rest of one, of zeros */
    bool hunting;       /* behind damage: looking for a valid record */
    bool opened;        /* the header was read */
    enum log_tail tail;
    uint64_t damage;  /* offset of the first byte that is not as it should be */
    const char *what; /* a phrase for it, or NULL */
};

void log_reader_init(struct log_reader *reader, struct mem *mem, uint32_t txn_max);
void log_reader_drop(struct log_reader *reader);
/* The next file. */
void log_reader_restart(struct log_reader *reader);
/* Where the next piece has to start. */
uint64_t log_reader_offset(const struct log_reader *reader);
/* Give it the next piece; `eof`: the file ends with it. ERR_MEMORY. */
enum err log_reader_feed(struct log_reader *reader, struct span piece, bool eof);
enum log_next log_reader_next(struct log_reader *reader, struct log_record *record);

#endif
