/* store_scan.c - logged txns for learners that are behind the history in memory. */
#include "base/ensure.h"
#include "protocol/store_state.h"

struct store_scan {
    struct list link; /* in store->scans */
    struct log_reader log;
    int64_t file_zxid; /* name of the file being read; looked up each time: it may be purged */
    int64_t after;
    int64_t floor; /* greatest zxid <= after met; 0 none */
    int64_t last;  /* last one given, or the floor */
    uint64_t tag;
    bool broken;
};

/* Bytes of the log files behind `file`. */
static uint64_t scan_bytes_behind(struct store *store, const struct store_file *file)
{
    uint64_t bytes = 0;
    const struct store_file *later = store_file_up(store, FILE_LOG, file->zxid + 1);

    for (; later != NULL; later = store_file_up(store, FILE_LOG, later->zxid + 1)) {
        bytes += later->size;
    }
    return bytes;
}

enum err store_scan_open(struct store *store, int64_t after, struct store_scan **scan)
{
    struct store_file *file = store_file_down(store, FILE_LOG, after);
    struct store_file *snapshot = store_file_down(store, FILE_SNAPSHOT, INT64_MAX);
    uint64_t factor = store->config.snapshot_factor_ppm;
    struct store_scan *made;

    if (!store->config.scan_enabled || store->state != STORE_READY) {
        return ERR_REFUSED;
    }
    if (file == NULL) {
        return ERR_MISSING;
    }
    if (factor > 0 && snapshot != NULL &&
        scan_bytes_behind(store, file) >
            snapshot->size / 1000000 * factor + snapshot->size % 1000000 * factor / 1000000) {
        return ERR_LONG;
    }
    made = mem_get(store->mem, sizeof(*made));
    if (made == NULL) {
        return ERR_MEMORY;
    }
    *made = (struct store_scan){.file_zxid = file->zxid, .after = after};
    log_reader_init(&made->log, store->mem, store->config.txn_bytes_max);
    list_push(&store->scans, &made->link);
    *scan = made;
    return ERR_OK;
}

static enum scan_result scan_break(struct store_scan *scan)
{
    scan->broken = true;
    scan->tag = 0;
    return SCAN_BROKEN;
}

/* Go to the file behind the current one; false when there is none. */
static bool scan_next_file(struct store *store, struct store_scan *scan)
{
    struct store_file *next = store_file_up(store, FILE_LOG, scan->file_zxid + 1);

    if (next == NULL) {
        return false;
    }
    scan->file_zxid = next->zxid;
    log_reader_restart(&scan->log);
    return true;
}

/* Ask for the next piece of the current file, up to what is durable of it. */
static enum scan_result scan_read(struct store *store, struct store_scan *scan, struct fx *fx)
{
    struct store_file *file = store_file_find(store, FILE_LOG, scan->file_zxid);
    uint64_t offset = log_reader_offset(&scan->log);

    if (file == NULL) {
        return scan_break(scan);
    }
    if (file == store->log && offset >= file->durable) {
        return SCAN_END;
    }
    uint64_t length = STORE_PIECE_BYTES;

    if (file == store->log && file->durable - offset < length) {
        length = file->durable - offset;
    }
    scan->tag = store_tag(store);
    fx_read(fx, DIR_LOG, store_file_name(file), offset, length, scan->tag);
    return SCAN_WAIT;
}

/* Whether `record` is to be given. */
static bool scan_take(struct store_scan *scan, const struct log_record *record)
{
    if (record->zxid <= scan->after) {
        scan->floor = record->zxid;
        scan->last = record->zxid;
        return false;
    }
    if (scan->last == 0 || !zxid_follows(scan->last, record->zxid)) {
        scan_break(scan);
        return false;
    }
    scan->last = record->zxid;
    return true;
}

enum scan_result store_scan_next(struct store *store, struct store_scan *scan, struct fx *fx,
                                 struct scan_txn *txn)
{
    struct log_record record;

    while (!scan->broken) {
        if (scan->tag != 0) {
            return SCAN_WAIT;
        }
        switch (log_reader_next(&scan->log, &record)) {
        case LOG_NEXT_RECORD:
            if (scan_take(scan, &record)) {
                *txn = (struct scan_txn){.zxid = record.zxid, .bytes = record.txn};
                return SCAN_TXN;
            }
            break;
        case LOG_NEXT_MORE:
            return scan_read(store, scan, fx);
        case LOG_NEXT_END:
            if (scan->log.tail != LOG_TAIL_NONE && scan->log.tail != LOG_TAIL_EMPTY) {
                return scan_break(scan);
            }
            if (!scan_next_file(store, scan)) {
                return SCAN_END;
            }
            break;
        }
    }
    return SCAN_BROKEN;
}

int64_t store_scan_floor(const struct store_scan *scan)
{
    return scan->floor;
}

static void scan_free(struct store *store, struct store_scan *scan)
{
    list_take(&scan->link);
    log_reader_drop(&scan->log);
    mem_put(store->mem, scan, sizeof(*scan));
}

void store_scan_close(struct store *store, struct store_scan *scan)
{
    if (scan != NULL) {
        scan_free(store, scan);
    }
}

static void scan_answer(struct store *store, struct store_scan *scan, const struct input *in,
                        struct fx *fx)
{
    struct store_file *file = store_file_find(store, FILE_LOG, scan->file_zxid);
    uint64_t offset = log_reader_offset(&scan->log);
    bool eof;

    scan->tag = 0;
    if (in->data.err != ERR_OK && in->data.err != ERR_MISSING) {
        store_fail(store, fx, in->data.err, "read", file == NULL ? "log" : file->name);
        return;
    }
    store->events |= STORE_SCANNED;
    if (in->data.err == ERR_MISSING || file == NULL) {
        scan_break(scan);
        return;
    }
    /* The file that is being written has no end; the others end where a read gives nothing. It may
     * have become one of the others since the read. */
    eof = file != store->log && in->data.span.len == 0;
    if (file != store->log && offset + in->data.span.len >= file->size) {
        eof = true;
    }
    if (log_reader_feed(&scan->log, in->data.span, eof) != ERR_OK) {
        scan_break(scan);
    }
}

bool store_scan_on_input(struct store *store, const struct input *in, struct fx *fx)
{
    if (in->kind != IN_DATA) {
        return false;
    }
    for (struct list *link = store->scans.next; link != &store->scans; link = link->next) {
        struct store_scan *scan = LIST_ITEM(link, struct store_scan, link);

        if (scan->tag == in->data.tag) {
            scan_answer(store, scan, in, fx);
            return true;
        }
    }
    return false;
}

void store_scans_break(struct store *store)
{
    for (struct list *link = store->scans.next; link != &store->scans; link = link->next) {
        scan_break(LIST_ITEM(link, struct store_scan, link));
    }
}

void store_scans_drop(struct store *store)
{
    while (!list_empty(&store->scans)) {
        scan_free(store, LIST_ITEM(store->scans.next, struct store_scan, link));
    }
}
