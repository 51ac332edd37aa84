/* store.c - the state of a store, the log's write path, the epoch files, and where answers go. */
#include "protocol/store.h"

#include "base/ensure.h"
#include "protocol/notes.h"
#include "protocol/store_state.h"

void store_config_default(struct store_config *config)
{
    *config = (struct store_config){
        .ensemble = true,
        .autocreate = true,
        .force_sync = true,
        .snap_count = 100000,
        .snap_size_bytes = (uint64_t)4 << 30,
        .txn_bytes_max = READER_MAX_DEFAULT,
        .snapshot_factor_ppm = 330000,
        .scan_enabled = true,
    };
}

struct store *store_make(struct mem *mem, const struct store_config *config, struct tree **tree,
                         struct history *history)
{
    struct store *store = mem_get(mem, sizeof(*store));

    if (store == NULL) {
        return NULL;
    }
    *store = (struct store){.mem = mem, .config = *config, .tree = tree, .history = history};
    if (store->config.txn_bytes_max == 0) {
        store->config.txn_bytes_max = READER_MAX_DEFAULT;
    }
    sorted_init(&store->logs, mem);
    sorted_init(&store->snapshots, mem);
    sorted_init(&store->scraps, mem);
    ring_init(&store->queue, mem, (uint32_t)sizeof(struct store_batch));
    bytes_init(&store->flying.bytes, mem);
    bytes_init(&store->spare, mem);
    bytes_init(&store->snap.piece, mem);
    log_reader_init(&store->job.log, mem, store->config.txn_bytes_max);
    tree_result_init(&store->job.result, mem);
    store->job.result.quiet = true;
    list_init(&store->scans);
    store->accepted_epoch = -1;
    store->current_epoch = -1;
    return store;
}

static void store_forget_queue(struct store *store)
{
    while (ring_count(&store->queue) > 0) {
        struct store_batch *batch = ring_at(&store->queue, 0);

        bytes_drop(&batch->bytes);
        ring_pop(&store->queue);
    }
    store->append_failed = false;
}

void store_drop(struct store *store)
{
    if (store == NULL) {
        return;
    }
    store_scans_drop(store);
    store_load_drop(store);
    image_writer_drop(store->snap.writer);
    bytes_drop(&store->snap.piece);
    store_forget_queue(store);
    ring_drop(&store->queue);
    bytes_drop(&store->flying.bytes);
    bytes_drop(&store->spare);
    log_reader_drop(&store->job.log);
    tree_result_drop(&store->job.result);
    store_files_drop(store);
    mem_put(store->mem, store, sizeof(*store));
}

uint64_t store_tag(struct store *store)
{
    store->serial++;
    ENSURE(store->serial < STORE_TAG_COUNT);
    return store->config.tag_base + store->serial;
}

void store_note(struct fx *fx, uint32_t kind, uint64_t a, uint64_t b)
{
    fx_note(fx, kind, a, b, 0, span_make(NULL, 0));
}

void store_forget_writes(struct store *store)
{
    struct store_file *log = store->log;

    if (log != NULL && log->size > log->durable) {
        /* Written, but not known to be on disk: it must not come back as if it were. */
        log->repair = log->durable == 0 ? REPAIR_ERASE : REPAIR_CUT;
        log->cut = log->durable;
    }
    store->log = NULL;
    store->write_tag = 0;
    store->sync_tag = 0;
    store_forget_queue(store); /* the flying batch stays: it is lent until the next step */
}

/* Nothing goes on any more. No effects: the disk, or the memory, is not to be trusted. */
static void store_stop(struct store *store)
{
    store_forget_writes(store);
    store_scans_break(store);
    if (store->state == STORE_LOADING) {
        store_load_drop(store);
        tree_drop(*store->tree); /* not complete */
        *store->tree = NULL;
    }
    image_writer_drop(store->snap.writer);
    store->snap.writer = NULL;
    store->snap.phase = SNAP_NONE;
    store->snap.tag = 0;
    store->purge.phase = PURGE_NONE;
    store->purge.tag = 0;
    store->job.phase = PHASE_NONE;
    store->job.tag = 0;
}

void store_fail(struct store *store, struct fx *fx, enum err err, const char *what,
                const char *name)
{
    struct text text;

    ENSURE(err != ERR_OK);
    if (store->state == STORE_FAILED) {
        return;
    }
    store_stop(store);
    store->state = STORE_FAILED;
    store->err = err;
    store->events |= STORE_BROKE;
    metrics_count(store->config.metrics, METRIC_DISK_ERRORS, 1);
    text_init(&text, store->why, sizeof(store->why));
    text_str(&text, name);
    text_str(&text, ": cannot ");
    text_str(&text, what);
    text_str(&text, ": ");
    text_str(&text, err_text(err));
    fx_note(fx, NOTE_DISK_ERROR, (uint64_t)err, 0, 0, span_text(name));
}

void store_refuse(struct store *store, struct fx *fx, const char *name, uint64_t offset,
                  const char *why)
{
    struct text text;

    ENSURE(store->state != STORE_FAILED);
    store_stop(store);
    store->state = STORE_REFUSED;
    store->err = ERR_REFUSED;
    store->events |= STORE_GAVE_UP;
    text_init(&text, store->why, sizeof(store->why));
    text_str(&text, name);
    if (offset != UINT64_MAX) {
        text_str(&text, ", offset ");
        text_u64(&text, offset);
    }
    text_str(&text, ": ");
    text_str(&text, why);
    fx_note(fx, NOTE_DISK_ERROR, (uint64_t)ERR_REFUSED, 0, 0, span_text(store->why));
}

void store_boot(struct store *store, const struct input *in, struct fx *fx)
{
    ENSURE(store->state == STORE_DOWN);
    ENSURE(in->kind == IN_BOOT);
    rand_init(&store->rand, in->boot.seed);
    store_draw_roll(store);
    if (!store_files_boot(store, in)) {
        store_fail(store, fx, ERR_MEMORY, "be listed", "directory");
        return;
    }
    store_load_begin(store, fx, false);
}

void store_reload(struct store *store, struct fx *fx)
{
    bool after_error = store->state == STORE_FAILED;

    ENSURE(store->state != STORE_DOWN);
    store_snap_cancel(store, fx);
    store_stop(store);
    store_load_begin(store, fx, after_error);
}

enum store_state store_state(const struct store *store)
{
    return store->state;
}

const char *store_why(const struct store *store)
{
    return store->why;
}

enum err store_error(const struct store *store)
{
    return store->err;
}

bool store_is_trusted(const struct store *store)
{
    return store->trusted;
}

/* ---- the log ---- */

/* Draw after how much the next snapshot is due, so that servers do not all write one at once. */
void store_draw_roll(struct store *store)
{
    uint64_t txns = store->config.snap_count / 2;
    uint64_t bytes = store->config.snap_size_bytes / 2;

    store->roll_txns = 0;
    store->roll_bytes = 0;
    store->roll_txns_at = UINT64_MAX;
    store->roll_bytes_at = UINT64_MAX;
    if (store->config.snap_count > 0) {
        store->roll_txns_at = txns + (txns > 0 ? rand_below(&store->rand, txns) : 0);
    }
    if (bytes > 0) {
        store->roll_bytes_at = bytes + rand_below(&store->rand, bytes);
    }
}

/* The batch that takes a txn of this size; NULL: no memory. */
static struct store_batch *store_batch_for(struct store *store, size_t len, int64_t zxid)
{
    uint64_t count = ring_count(&store->queue);
    struct store_batch *batch = count == 0 ? NULL : ring_at(&store->queue, count - 1);

    if (batch != NULL && batch->bytes.len + len + LOG_RECORD_BYTES <= LOG_BATCH_BYTES) {
        return batch;
    }
    batch = ring_push(&store->queue);
    if (batch == NULL) {
        return NULL;
    }
    *batch = (struct store_batch){.bytes = store->spare, .first_zxid = zxid};
    bytes_init(&store->spare, store->mem);
    bytes_clear(&batch->bytes);
    /* Whether this write opens a file is known only when it is made: leave room for the header. */
    log_put_header(&batch->bytes);
    return batch;
}

enum err store_append(struct store *store, int64_t zxid, struct span txn)
{
    struct store_batch *batch;

    if ((store->state != STORE_READY && store->state != STORE_INSTALLING) || !store->trusted) {
        return ERR_REFUSED;
    }
    ENSURE(zxid > store->appended_zxid);
    batch = store_batch_for(store, txn.len, zxid);
    if (batch != NULL) {
        log_put_record(&batch->bytes, txn);
    }
    if (batch == NULL || batch->bytes.failed) {
        store->append_failed = true;
        return ERR_MEMORY;
    }
    batch->last_zxid = zxid;
    batch->count++;
    metrics_count(store->config.metrics, METRIC_LOG_APPENDS, 1);
    store->appended_zxid = zxid;
    store->roll_txns++;
    return ERR_OK;
}

static bool store_is_writing(const struct store *store)
{
    return store->write_tag != 0 || store->sync_tag != 0;
}

static bool store_log_is_long(const struct store *store)
{
    uint64_t limit = store->config.log_size_bytes;

    return limit > 0 && store->log->size > limit;
}

/* The next batch becomes the one write in flight. */
static void store_write(struct store *store, struct fx *fx)
{
    struct store_batch *batch = ring_at(&store->queue, 0);
    struct span span;

    ENSURE(batch != NULL && !store_is_writing(store));
    if (store->log != NULL && (store->roll || store_log_is_long(store))) {
        store->log = NULL; /* complete and durable: nothing is in flight */
    }
    store->roll = false;
    bytes_drop(&store->spare);
    store->spare = store->flying.bytes;
    store->flying = *batch;
    ring_pop(&store->queue);
    span = bytes_span(&store->flying.bytes);
    if (store->log == NULL) {
        store->log = store_file_put(store, FILE_LOG, store->flying.first_zxid);
        if (store->log == NULL) {
            store_fail(store, fx, ERR_MEMORY, "open", "log");
            return;
        }
        ENSURE(store->log->size == 0);
    } else {
        span = bytes_tail(&store->flying.bytes, LOG_HEADER_BYTES);
    }
    store->write_us = metrics_now_us(store->config.metrics);
    metrics_add(store->config.metrics, METRIC_LOG_BATCH, store->flying.count);
    metrics_add(store->config.metrics, METRIC_LOG_QUEUE, ring_count(&store->queue));
    store->write_tag = store_tag(store);
    fx_append_lent(fx, DIR_LOG, store_file_name(store->log), store->log->size, span,
                   store->write_tag);
    if (store->config.force_sync) {
        store->sync_tag = store_tag(store);
        fx_sync(fx, DIR_LOG, store_file_name(store->log), store->sync_tag);
    }
    store->log->size += span.len;
    store->roll_bytes += span.len;
}

void store_flush(struct store *store, struct fx *fx)
{
    if (store->append_failed && store->state != STORE_FAILED) {
        store_fail(store, fx, ERR_MEMORY, "append", "log");
    }
    if (store->state != STORE_READY) {
        return;
    }
    if (ring_count(&store->queue) > 0 && !store_is_writing(store)) {
        store_write(store, fx);
        if (store->roll_txns > store->roll_txns_at || store->roll_bytes > store->roll_bytes_at) {
            store->snapshot_due = true;
        }
    }
    if (store->snapshot_due && store->state == STORE_READY) {
        store_snapshot(store, fx);
    }
}

/* Write and sync have both ended well. */
static void store_log_is_durable(struct store *store, struct fx *fx)
{
    uint64_t ms = metrics_ms_since(store->config.metrics, store->write_us);

    ENSURE(store->log != NULL);
    ENSURE(store->flying.last_zxid > store->durable_zxid);
    store->log->durable = store->log->size;
    store->durable_zxid = store->flying.last_zxid;
    store->events |= STORE_SYNCED;
    metrics_add(store->config.metrics, METRIC_FSYNC_MS, ms);
    metrics_spread(store->config.metrics, METRIC_LOG_FLUSH_MS, ms);
    store_note(fx, NOTE_LOGGED, (uint64_t)store->durable_zxid, 0);
    store_snap_log_grew(store, fx);
}

static void store_log_answer(struct store *store, const struct input *in, struct fx *fx)
{
    bool write = in->done.tag == store->write_tag;

    if (in->done.err != ERR_OK) {
        store_fail(store, fx, in->done.err, write ? "append" : "sync", store->log->name);
        return;
    }
    if (write) {
        store->write_tag = 0;
    } else {
        store->sync_tag = 0;
    }
    if (!store_is_writing(store)) {
        store_log_is_durable(store, fx);
    }
}

int64_t store_durable_zxid(const struct store *store)
{
    return store->durable_zxid;
}

int64_t store_appended_zxid(const struct store *store)
{
    return store->appended_zxid;
}

bool store_is_settled(const struct store *store)
{
    return store->state == STORE_READY && ring_count(&store->queue) == 0 &&
           !store_is_writing(store);
}

/* ---- epochs ---- */

static uint64_t store_replace_epoch(struct store *store, struct fx *fx, const char *name,
                                    int64_t epoch)
{
    char digits[24];
    struct text text;
    uint64_t tag = store_tag(store);

    ENSURE(epoch >= 0);
    text_init(&text, digits, sizeof(digits));
    text_i64(&text, epoch);
    fx_replace(fx, DIR_DATA, span_text(name), span_make(digits, text.len), tag);
    return tag;
}

/* The value in memory is set at once: by the rule of the barrier no input is seen before the file
 * is durable, and its failure fails the store, which then reads the file again. */
void store_set_accepted_epoch(struct store *store, struct fx *fx, int64_t epoch)
{
    if (!store->config.ensemble || store->state == STORE_FAILED) {
        return;
    }
    ENSURE(epoch >= store->accepted_epoch);
    store->epoch_tags[0] = store_replace_epoch(store, fx, "acceptedEpoch", epoch);
    store->accepted_epoch = epoch;
    store_note(fx, NOTE_EPOCH_ACCEPTED, (uint64_t)epoch, 0);
}

void store_set_current_epoch(struct store *store, struct fx *fx, int64_t epoch)
{
    if (!store->config.ensemble || store->state == STORE_FAILED) {
        return;
    }
    ENSURE(epoch >= store->current_epoch && epoch <= store->accepted_epoch);
    store->epoch_tags[1] = store_replace_epoch(store, fx, "currentEpoch", epoch);
    store->current_epoch = epoch;
    store_note(fx, NOTE_EPOCH_CURRENT, (uint64_t)epoch, 0);
}

int64_t store_accepted_epoch(const struct store *store)
{
    return store->accepted_epoch;
}

int64_t store_current_epoch(const struct store *store)
{
    return store->current_epoch;
}

/* ---- answers ---- */

static bool store_is_load(enum store_phase phase)
{
    return phase >= PHASE_REPAIR && phase <= PHASE_FRESH;
}

static bool store_is_epoch_failure(const struct store *store, const struct input *in)
{
    return in->kind == IN_DONE && in->done.err != ERR_OK &&
           (in->done.tag == store->epoch_tags[0] || in->done.tag == store->epoch_tags[1]);
}

static void store_dispatch(struct store *store, const struct input *in, uint64_t tag, struct fx *fx)
{
    if (in->kind == IN_DONE && in->done.err != ERR_OK && tag == store->job.barrier) {
        store_fail(store, fx, in->done.err, "replace", store->job.file->name);
    } else if (store_is_epoch_failure(store, in)) {
        store_fail(store, fx, in->done.err, "replace",
                   tag == store->epoch_tags[0] ? "acceptedEpoch" : "currentEpoch");
    } else if (in->kind == IN_DONE && (tag == store->write_tag || tag == store->sync_tag)) {
        store_log_answer(store, in, fx);
    } else if (tag == store->job.tag) {
        store->job.tag = 0;
        if (store_is_load(store->job.phase)) {
            store_load_go(store, in, fx);
        } else {
            store_change_go(store, in, fx);
        }
    } else if (tag == store->snap.tag) {
        store->snap.tag = 0;
        store_snap_go(store, in, fx);
    } else if (tag == store->purge.tag) {
        store->purge.tag = 0;
        store_purge_go(store, in, fx);
    } else {
        store_scan_on_input(store, in, fx);
    }
}

uint32_t store_on_input(struct store *store, const struct input *in, struct fx *fx)
{
    uint64_t tag;

    if (in->kind == IN_DONE) {
        tag = in->done.tag;
    } else if (in->kind == IN_DATA) {
        tag = in->data.tag;
    } else {
        return 0;
    }
    if (tag <= store->config.tag_base || tag - store->config.tag_base >= STORE_TAG_COUNT) {
        return 0;
    }
    if (store->state != STORE_FAILED && store->state != STORE_REFUSED) {
        store_dispatch(store, in, tag, fx);
    }
    uint32_t events = store->events | STORE_MINE;

    store->events = 0;
    return events;
}
