/* store_replay.c - the second half of a load: the logged txns behind the snapshot.
 *
 * What makes a state acceptable (ST-1, ST-2, ST-4, ST-11):
 * - The zxids behind the snapshot's label follow each other without a gap (zxid_follows), across
 * files.
 * - A log file's first record is the one that the file is named after.
 * - Damage is a torn tail only at the end of the last file that has records, or where the next file
 * goes on with exactly the next zxid, which proves that nothing is missing. It is then cut, so that
 * the next recovery need not decide again. Damage with a valid record behind it is never a torn
 * tail.
 * - A damaged snapshot may be passed over only if the logs contain the txn it is labelled with:
 * else what it held is lost. (A label with counter 0 names no txn; there the logs decide alone.)
 * Source: Apache FileTxnSnapLog.restore, FileTxnLog.FileTxnIterator; they check less. */
#include "base/ensure.h"
#include "protocol/store_state.h"

static void replay_ended(struct store *store, struct fx *fx);

static void replay_open_log(struct store *store, struct fx *fx, struct store_file *file)
{
    struct store_job *job = &store->job;

    if (file == NULL) {
        replay_ended(store, fx);
        return;
    }
    job->file = file;
    log_reader_restart(&job->log);
    job->tag = store_emit_read(store, fx, file, 0);
}

void store_replay_begin(struct store *store, struct fx *fx)
{
    struct store_file *file = store_file_down(store, FILE_LOG, store->job.last_zxid + 1);

    store->job.phase = PHASE_REPLAY;
    store->job.replay_us = metrics_now_us(store->config.metrics);
    metrics_add(store->config.metrics, METRIC_STARTUP_SNAP_MS,
                metrics_ms_since(store->config.metrics, store->job.begun_us));
    if (file == NULL) {
        file = store_file_up(store, FILE_LOG, 0);
    }
    replay_open_log(store, fx, file);
}

static void replay_refuse_gap(struct store *store, struct fx *fx, const struct log_record *record)
{
    struct store_job *job = &store->job;
    char why[STORE_WHY_MAX];
    struct text text;

    text_init(&text, why, sizeof(why));
    text_str(&text, "txn 0x");
    text_hex(&text, (uint64_t)record->zxid);
    text_str(&text, " does not follow 0x");
    text_hex(&text, (uint64_t)job->last_zxid);
    text_str(&text, ": txns between them are missing");
    if (job->doubt != NULL) {
        text_str(&text, "; ");
        text_str(&text, job->doubt->name);
        text_str(&text, " is damaged at offset ");
        text_u64(&text, job->doubt_offset);
    }
    store_refuse(store, fx, job->file->name, record->offset, why);
}

/* Whether `record` may stand where it stands. False: REFUSED now. */
static bool replay_check_record(struct store *store, struct fx *fx, const struct log_record *record)
{
    struct store_job *job = &store->job;
    bool first = record->offset == LOG_HEADER_BYTES;

    if (first && record->zxid != job->file->zxid) {
        store_refuse(store, fx, job->file->name, record->offset,
                     "the first txn is not the one the file is named after");
        return false;
    }
    if (record->zxid <= job->log_zxid) {
        store_refuse(store, fx, job->file->name, record->offset, "txns are out of order");
        return false;
    }
    if (job->snapshot_zxid < 0 && !store->config.trust_empty) {
        store_refuse(store, fx, job->file->name, record->offset,
                     "there are transactions and no snapshot they belong to");
        return false;
    }
    if (record->zxid > job->last_zxid &&
        (!zxid_follows(job->last_zxid, record->zxid) ||
         (job->doubt != NULL && record->zxid != job->last_zxid + 1))) {
        replay_refuse_gap(store, fx, record);
        return false;
    }
    return true;
}

static void replay_mark_seen(struct store *store, int64_t zxid)
{
    struct store_file *bad = store_file_find(store, FILE_SNAPSHOT, zxid);

    if (bad != NULL) {
        bad->seen = true;
    }
}

static bool replay_apply(struct store *store, struct fx *fx, const struct log_record *record)
{
    struct store_job *job = &store->job;
    struct tree *tree = *store->tree;
    struct history_txn *held;
    struct txn txn;
    enum err err = txn_decode(record->txn, &txn);

    if (err != ERR_OK) {
        store_refuse(store, fx, job->file->name, record->offset, "a txn cannot be decoded");
        return false;
    }
    err = history_push(store->history, record->txn, &held);
    if (err == ERR_OK) {
        err = tree_apply(tree, &txn, &job->result);
    }
    if (err == ERR_OK) {
        err = history_commit(store->history, record->zxid, &held);
    }
    if (err != ERR_OK) {
        store_fail(store, fx, err, "replay", job->file->name);
        return false;
    }
    history_trim(store->history, UINT64_MAX);
    if (txn.has_digest && txn.digest_version == 2 && !store->config.tree.digest_off &&
        record->zxid > job->fuzzy_zxid && txn.digest != tree_digest(tree)) {
        metrics_count(store->config.metrics, METRIC_DIGEST_MISMATCHES, 1);
        store->digest_mismatches++; /* Apache counts them too and goes on */
    }
    job->last_zxid = record->zxid;
    job->replayed++;
    if (job->first_bad >= 0) {
        replay_mark_seen(store, record->zxid);
    }
    return true;
}

/* False: FAILED or REFUSED now. */
static bool replay_record(struct store *store, struct fx *fx, const struct log_record *record)
{
    struct store_job *job = &store->job;

    if (!replay_check_record(store, fx, record)) {
        return false;
    }
    job->log_zxid = record->zxid;
    job->doubt = NULL;
    return record->zxid <= job->last_zxid || replay_apply(store, fx, record);
}

/* The end of `job.file`; `log` says how it ended. */
static void replay_log_ended(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;
    struct store_file *file = job->file;
    bool empty = job->log.end <= LOG_HEADER_BYTES;

    switch (job->log.tail) {
    case LOG_TAIL_OPEN:
        UNREACHABLE();
    case LOG_TAIL_HOLE:
    case LOG_TAIL_WRONG:
        store_refuse(store, fx, file->name, job->log.damage, job->log.what);
        return;
    case LOG_TAIL_TORN:
        /* The record that did not get there might have been any: what comes next must be it. */
        job->doubt = file;
        job->doubt_offset = job->log.damage;
        file->tidy = REPAIR_CUT;
        file->tidy_cut = job->log.end;
        break;
    case LOG_TAIL_NONE:
    case LOG_TAIL_EMPTY:
        break;
    }
    if (empty) {
        file->tidy = REPAIR_ERASE; /* else its name could be in the way of the next file */
    }
    replay_open_log(store, fx, store_file_up(store, FILE_LOG, file->zxid + 1));
}

void store_replay_go(struct store *store, const struct input *in, struct fx *fx)
{
    struct store_job *job = &store->job;
    struct store_file *file = job->file;
    bool eof = in->data.span.len < STORE_PIECE_BYTES;
    struct log_record record;
    enum log_next next;

    if (in->data.err == ERR_MISSING) {
        struct store_file *after = store_file_up(store, FILE_LOG, file->zxid + 1);

        store_file_drop(store, file);
        replay_open_log(store, fx, after);
        return;
    }
    if (in->data.err != ERR_OK) {
        store_fail(store, fx, in->data.err, "read", file->name);
        return;
    }
    if (log_reader_feed(&job->log, in->data.span, eof) != ERR_OK) {
        store_fail(store, fx, ERR_MEMORY, "read", file->name);
        return;
    }
    while ((next = log_reader_next(&job->log, &record)) == LOG_NEXT_RECORD) {
        if (!replay_record(store, fx, &record)) {
            return;
        }
    }
    if (next == LOG_NEXT_END) {
        replay_log_ended(store, fx);
    } else {
        job->tag = store_emit_read(store, fx, file, log_reader_offset(&job->log));
    }
}

/* False: REFUSED now. */
static bool replay_check_bad_images(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;
    struct store_file *file = store_file_up(store, FILE_SNAPSHOT, job->snapshot_zxid + 1);

    for (; file != NULL; file = store_file_up(store, FILE_SNAPSHOT, file->zxid + 1)) {
        bool passed = file->seen || (zxid_counter(file->zxid) == 0 && job->last_zxid > file->zxid);

        if (file->bad && !passed) {
            char why[STORE_WHY_MAX];
            struct text text;

            text_init(&text, why, sizeof(why));
            text_str(&text, err_text(job->first_bad_err));
            text_str(&text, ", and the logs end before it, at 0x");
            text_hex(&text, (uint64_t)job->last_zxid);
            store_refuse(store, fx, file->name, UINT64_MAX, why);
            return false;
        }
    }
    return true;
}

static void replay_ended(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;

    if (!replay_check_bad_images(store, fx)) {
        return;
    }
    if (job->truncating && job->last_zxid != job->zxid) {
        store_refuse(store, fx, "log", UINT64_MAX, "does not end where it was truncated");
        return;
    }
    store_load_replayed(store, fx);
}
