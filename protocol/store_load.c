/* store_load.c - recovery: from whatever the disk kept to a tree, a history and two epochs.
 *
 *      REPAIR    remove snapshot.*.tmp; after a failure make true what the failed effects left in
 * doubt
 *        |
 *      ACCEPTED, CURRENT     read the epoch files (ensembles)
 *        |
 *      IMAGE     load the newest snapshot; a damaged one: the next older one
 *        |
 *      REPLAY    apply every logged txn behind the snapshot, check that none is missing
 *        |
 *      TIDY      cut a torn tail, remove log files without a record
 *        |
 *      SYNC      the last log, which a killed process may have left in the system's cache only
 *        |
 *      FRESH     an empty server: write snapshot.0, so that logs without a snapshot are always an
 * error
 *        |
 *      done      complete the epoch files
 *
 * What makes a state acceptable: store_replay.c.
 * Source: Apache FileTxnSnapLog.restore, FileSnap.deserialize, QuorumPeer.loadDataBase; they check
 * less. */
#include "base/ensure.h"
#include "protocol/notes.h"
#include "protocol/store_state.h"

#define EPOCH_BYTES_MAX 32u

static void load_start_image(struct store *store, struct fx *fx);
static void load_start_mending(struct store *store, struct fx *fx);
static void load_epochs(struct store *store, struct fx *fx);

void store_load_drop(struct store *store)
{
    image_reader_drop(store->job.image);
    store->job.image = NULL;
}

/* ---- repair, tidy ---- */

static void load_clear_tidy(struct store *store)
{
    struct store_file *file = store_file_up(store, FILE_LOG, 0);

    while (file != NULL) {
        file->tidy = REPAIR_NONE;
        file = store_file_up(store, FILE_LOG, file->zxid + 1);
    }
}

/* The next file with something to do about it, by kind and zxid. */
static struct store_file *load_next_wound(struct store *store)
{
    static const enum store_kind kinds[] = {FILE_SCRAP, FILE_SNAPSHOT, FILE_LOG};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct store_file *file = store_file_up(store, kinds[i], 0);

        while (file != NULL && file->repair == REPAIR_NONE && file->tidy == REPAIR_NONE) {
            file = store_file_up(store, kinds[i], file->zxid + 1);
        }
        if (file != NULL) {
            return file;
        }
    }
    return NULL;
}

/* Emit what the next wounded file needs; false when there is none. */
static bool load_mend(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;
    struct store_file *file = load_next_wound(store);

    if (file == NULL) {
        return false;
    }
    job->file = file;
    if (file->repair == REPAIR_NONE) {
        file->repair = file->tidy;
        file->cut = file->tidy_cut;
    }
    if (file->repair == REPAIR_CUT) {
        job->tag = store_emit_cut(store, fx, file, file->cut);
        return true;
    }
    if (job->after_error) {
        /* A removal that failed may be done in memory and not on disk, and then cannot be repeated:
         * give the name durable, empty contents first. An empty log counts as none. */
        job->barrier = store_tag(store);
        fx_replace(fx, store_file_dir(file), store_file_name(file), span_make(NULL, 0),
                   job->barrier);
    }
    job->tag = store_emit_remove(store, fx, file);
    return true;
}

static void load_mended(struct store *store, const struct input *in, struct fx *fx)
{
    struct store_file *file = store->job.file;
    bool cut = file->repair == REPAIR_CUT;

    if (in->done.err != ERR_OK && in->done.err != ERR_MISSING) {
        store_fail(store, fx, in->done.err, cut ? "cut" : "remove", file->name);
        return;
    }
    file->tidy = REPAIR_NONE;
    if (!cut || in->done.err == ERR_MISSING) {
        store_file_drop(store, file);
    } else {
        store_file_was_cut(file);
    }
    load_start_mending(store, fx);
}

/* ---- epoch files ---- */

static void load_read_epoch(struct store *store, struct fx *fx, const char *name)
{
    store->job.tag = store_tag(store);
    fx_read(fx, DIR_DATA, span_text(name), 0, EPOCH_BYTES_MAX, store->job.tag);
}

/* -1 when the file is missing. False: FAILED or REFUSED now. */
static bool load_parse_epoch(struct store *store, const struct input *in, struct fx *fx,
                             int64_t *epoch)
{
    const char *name = store->job.phase == PHASE_ACCEPTED ? "acceptedEpoch" : "currentEpoch";
    struct span text = in->data.span;
    uint64_t value;

    if (in->data.err == ERR_MISSING) {
        *epoch = -1;
        return true;
    }
    if (in->data.err != ERR_OK) {
        store_fail(store, fx, in->data.err, "read", name);
        return false;
    }
    if (text.len > 0 && text.at[text.len - 1] == '\n') {
        text.len--; /* somebody wrote it by hand */
    }
    if (text_parse_u64(text, &value) != ERR_OK || value > INT32_MAX) {
        store_refuse(store, fx, name, UINT64_MAX, "is not the number of an epoch");
        return false;
    }
    *epoch = (int64_t)value;
    return true;
}

/* ---- snapshot ---- */

static void load_drop_tree(struct store *store)
{
    store_load_drop(store);
    tree_drop(*store->tree);
    *store->tree = NULL;
}

/* No snapshot could be loaded. */
static void load_without_snapshot(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;

    if (job->first_bad >= 0) {
        struct store_file *bad = store_file_find(store, FILE_SNAPSHOT, job->first_bad);
        char why[STORE_WHY_MAX];
        struct text text;

        text_init(&text, why, sizeof(why));
        text_str(&text, err_text(job->first_bad_err));
        text_str(&text, ", and no older snapshot can be loaded");
        store_refuse(store, fx, bad->name, UINT64_MAX, why);
        return;
    }
    job->snapshot_zxid = -1;
    job->last_zxid = 0;
    job->fuzzy_zxid = 0;
    *store->tree = tree_make(store->mem, &store->config.tree);
    if (*store->tree == NULL) {
        store_fail(store, fx, ERR_MEMORY, "make", "tree");
        return;
    }
    history_reset(store->history, 0);
    store_replay_begin(store, fx);
}

/* Try the snapshot `job.file`, or those below it. */
static void load_try_image(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;

    if (job->file == NULL) {
        load_without_snapshot(store, fx);
        return;
    }
    *store->tree = tree_make_bare(store->mem, &store->config.tree);
    if (*store->tree != NULL) {
        job->image =
            image_reader_make(store->mem, *store->tree, IMAGE_FILE, store->config.txn_bytes_max);
    }
    if (job->image == NULL) {
        store_fail(store, fx, ERR_MEMORY, "load", job->file->name);
        return;
    }
    job->asked = 0;
    job->tag = store_emit_read(store, fx, job->file, 0);
}

static void load_start_image(struct store *store, struct fx *fx)
{
    store->job.phase = PHASE_IMAGE;
    store->job.file = store_file_down(store, FILE_SNAPSHOT, INT64_MAX);
    load_try_image(store, fx);
}

/* `job.file` cannot be loaded: go on with the next older one. */
static void load_bad_image(struct store *store, struct fx *fx, enum err err)
{
    struct store_job *job = &store->job;
    struct store_file *bad = job->file;

    load_drop_tree(store);
    job->file = store_file_down(store, FILE_SNAPSHOT, bad->zxid - 1);
    if (err == ERR_MISSING) {
        store_file_drop(store, bad);
    } else {
        fx_note(fx, NOTE_DISK_ERROR, (uint64_t)err, 0, 0, span_text(bad->name));
        bad->bad = true;
        bad->good = false;
        bad->seen = false;
        if (job->first_bad < 0) {
            job->first_bad = bad->zxid;
            job->first_bad_err = err;
        }
    }
    load_try_image(store, fx);
}

static void load_image_done(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;
    uint64_t digest;

    if (!image_reader_digest(job->image, &job->fuzzy_zxid, &digest)) {
        job->fuzzy_zxid = job->file->zxid;
    }
    store_load_drop(store);
    job->file->good = true;
    job->file->bad = false;
    job->snapshot_zxid = job->file->zxid;
    job->last_zxid = job->file->zxid;
    history_reset(store->history, job->last_zxid);
    store_replay_begin(store, fx);
}

static void load_image(struct store *store, const struct input *in, struct fx *fx)
{
    struct store_job *job = &store->job;
    bool eof = in->data.span.len < STORE_PIECE_BYTES;
    bool done;
    size_t taken;
    enum err err = in->data.err;

    if (err != ERR_OK && err != ERR_MISSING) {
        store_fail(store, fx, err, "read", job->file->name);
        return;
    }
    if (err == ERR_OK && in->data.span.len > 0) {
        err = image_reader_feed(job->image, in->data.span, &taken, &done);
    }
    if (err == ERR_OK && eof) {
        err = image_reader_end(job->image, job->file->zxid);
        if (err == ERR_OK) {
            job->file->size = job->asked + in->data.span.len;
            load_image_done(store, fx);
            return;
        }
    }
    if (err == ERR_MEMORY) {
        store_fail(store, fx, err, "load", job->file->name);
    } else if (err != ERR_OK) {
        load_bad_image(store, fx, err);
    } else {
        job->asked += in->data.span.len;
        job->tag = store_emit_read(store, fx, job->file, job->asked);
    }
}

/* ---- the end ---- */

/* What was read is not yet known to be durable: a killed process leaves records in the cache of the
 * system whose sync never was. They are about to be voted with and built upon, so they are made
 * durable now. (scenarios/disk: a record that only the cache held, then power loss behind a newer
 * file.) Only the last log can have such an end: a file is not left before its last write is
 * durable. */
static void load_sync(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;
    struct store_file *last = store_file_down(store, FILE_LOG, INT64_MAX);

    if (last == NULL) {
        load_epochs(store, fx);
        return;
    }
    job->phase = PHASE_SYNC;
    job->tag = store_tag(store);
    job->file = last;
    fx_sync(fx, store_file_dir(last), store_file_name(last), job->tag);
}

void store_load_replayed(struct store *store, struct fx *fx)
{
    struct metrics *metrics = store->config.metrics;

    metrics_add(metrics, METRIC_STARTUP_TXNS, store->job.replayed);
    metrics_add(metrics, METRIC_STARTUP_TXNS_MS, metrics_ms_since(metrics, store->job.replay_us));
    store->job.phase = PHASE_TIDY;
    load_start_mending(store, fx);
}

static void load_tidied(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;
    bool fresh = job->snapshot_zxid < 0 && job->last_zxid == 0;

    store->trusted = !fresh || store->config.autocreate;
    if (!fresh || !store->trusted) {
        load_sync(store, fx);
        return;
    }
    job->phase = PHASE_FRESH;
    enum err err = store_snap_begin(store, fx, SNAP_FRESH);

    if (err != ERR_OK) {
        store_fail(store, fx, err, "write", "snapshot.0");
    }
}

void store_load_fresh_done(struct store *store, struct fx *fx)
{
    ENSURE(store->job.phase == PHASE_FRESH);
    store->job.snapshot_zxid = 0;
    load_epochs(store, fx);
}

/* Compare the epoch files with the history, and complete them.
 *
 * A current epoch below that of the last txn is the trace of a crash between the two durable steps
 * of a synchronisation: history first, currentEpoch second. Since histories are received in order,
 * one with a txn of epoch e holds all that e began with, so rolling forward to e claims nothing
 * that is not there. Apache refuses here unless it finds currentEpoch.tmp, and then takes the
 * number in it, which may be higher. */
static void load_epochs(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;
    int64_t least = zxid_epoch(job->last_zxid);
    int64_t accepted = job->accepted_read < 0 ? least : job->accepted_read;
    int64_t current = job->current_read < least ? least : job->current_read;

    if (store->config.ensemble) {
        if (accepted < least) {
            store_refuse(store, fx, "acceptedEpoch", UINT64_MAX,
                         "is less than the epoch of the last transaction");
            return;
        }
        if (accepted < current) {
            store_refuse(store, fx, "acceptedEpoch", UINT64_MAX, "is less than currentEpoch");
            return;
        }
        store->accepted_epoch = accepted;
        store->current_epoch = current;
        if (job->accepted_read != accepted || job->after_error) {
            store_set_accepted_epoch(store, fx, accepted);
        }
        if (job->current_read != current || job->after_error) {
            store_set_current_epoch(store, fx, current);
        }
    }
    store->appended_zxid = job->last_zxid;
    store->durable_zxid = job->last_zxid;
    store_draw_roll(store);
    store->roll_txns = job->replayed;
    store->state = STORE_READY;
    store->events |= STORE_LOADED;
    metrics_add(store->config.metrics, METRIC_LOAD_MS,
                metrics_ms_since(store->config.metrics, job->begun_us));
    job->phase = PHASE_NONE;
    fx_note(fx, NOTE_RECOVERED, (uint64_t)job->last_zxid, (uint64_t)job->snapshot_zxid,
            (uint64_t)store->current_epoch, span_make(NULL, 0));
    if (job->truncating) {
        store->events |= STORE_TRUNCATED;
        store_note(fx, NOTE_TRUNCATED, (uint64_t)job->last_zxid, 0);
    }
}

/* ---- phases ---- */

/* The next thing to mend, or the phase that follows. */
static void load_start_mending(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;

    if (load_mend(store, fx)) {
        return;
    }
    if (job->phase == PHASE_TIDY) {
        load_tidied(store, fx);
    } else if (store->config.ensemble) {
        job->phase = PHASE_ACCEPTED;
        load_read_epoch(store, fx, "acceptedEpoch");
    } else {
        load_start_image(store, fx);
    }
}

void store_load_begin(struct store *store, struct fx *fx, bool after_error)
{
    struct store_job *job = &store->job;
    struct store_file *scrap = store_file_up(store, FILE_SCRAP, 0);

    load_drop_tree(store);
    history_reset(store->history, 0);
    load_clear_tidy(store);
    log_reader_restart(&job->log);
    *job = (struct store_job){
        .phase = PHASE_REPAIR,
        .after_error = after_error,
        .truncating = job->phase == PHASE_TRUNCATE_CUT,
        .zxid = job->zxid,
        .accepted_read = -1,
        .current_read = -1,
        .first_bad = -1,
        .log = job->log,
        .result = job->result,
        .begun_us = metrics_now_us(store->config.metrics),
    };
    store->state = STORE_LOADING;
    store->err = ERR_OK;
    store->why[0] = '\0';
    store->trusted = true;
    store->log = NULL;
    for (; scrap != NULL; scrap = store_file_up(store, FILE_SCRAP, scrap->zxid + 1)) {
        scrap->repair = REPAIR_ERASE;
    }
    load_start_mending(store, fx);
}

void store_load_go(struct store *store, const struct input *in, struct fx *fx)
{
    struct store_job *job = &store->job;

    switch (job->phase) {
    case PHASE_REPAIR:
    case PHASE_TIDY:
        load_mended(store, in, fx);
        return;
    case PHASE_SYNC:
        if (in->done.err != ERR_OK) {
            store_fail(store, fx, in->done.err, "sync", job->file->name);
            return;
        }
        load_epochs(store, fx);
        return;
    case PHASE_ACCEPTED:
        if (load_parse_epoch(store, in, fx, &job->accepted_read)) {
            job->phase = PHASE_CURRENT;
            load_read_epoch(store, fx, "currentEpoch");
        }
        return;
    case PHASE_CURRENT:
        if (load_parse_epoch(store, in, fx, &job->current_read)) {
            load_start_image(store, fx);
        }
        return;
    case PHASE_IMAGE:
        load_image(store, in, fx);
        return;
    case PHASE_REPLAY:
        store_replay_go(store, in, fx);
        return;
    case PHASE_NONE:
    case PHASE_FRESH:
    case PHASE_TRUNCATE_FIND:
    case PHASE_TRUNCATE_SNAPSHOTS:
    case PHASE_TRUNCATE_LOGS:
    case PHASE_TRUNCATE_CUT:
    case PHASE_INSTALL_WRITE:
    case PHASE_INSTALL_LOGS:
    case PHASE_INSTALL_FIND:
    case PHASE_INSTALL_CUT:
    case PHASE_INSTALL_RENAME:
    case PHASE_INSTALL_SNAPSHOTS:
    case PHASE_INSTALL_OLD:
        break;
    }
    UNREACHABLE();
}
