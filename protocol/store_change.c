/* store_change.c - putting the files behind another history: TRUNC and SNAP.
 *
 * Every line below is one effect that is durable before the next one is emitted, so a crash leaves
 * the files as they are after one of the lines. The old history is H, with last zxid P.
 *
 * Truncate to z (an entry of H, or the label of a snapshot of H):
 *      1  remove snapshots labelled > z, newest first   recovery: H, from an older snapshot and the
 * logs 2  remove logs that begin behind z, newest first recovery: a prefix of H that ends behind z
 *      3  cut the log with z in it                      recovery: H up to z
 *      4  load
 * 1 before 2 and 3: a snapshot that holds what is cut away must not survive it (ZOOKEEPER-4837).
 * Newest first: what is left is always one piece. Nothing of H up to z is ever missing, and what is
 * behind z has been given up by the leader's election, acknowledged here or not.
 *
 * Install the tree as it is now, labelled Z:
 *      1  write snapshot.Z.tmp, sync                    recovery: H
 *      2  remove logs that begin behind Z, newest first recovery: a prefix of H that ends behind Z,
 * or, (only if P > Z)                               with a snapshot S > Z in place, H up to S 3 cut
 * the log that Z falls into (if P > Z)      recovery: H up to Z or less, or S 4  rename to
 * snapshot.Z                          recovery: Z, or S while an S > Z exists 5  remove snapshots
 * labelled > Z, newest first   recovery: the next S, and at last Z 6  remove all logs, newest first
 * recovery: Z 7  remove all older snapshots                    recovery: Z 2 and 3 before 4:
 * records behind Z would be replayed on top of Z (ZOOKEEPER-2832). They may go before the snapshot
 * counts, as with TRUNC: the leader's history holds every committed txn, it ends at Z, so records
 * of H behind Z are not committed, and everything of H up to Z stays until 4. In particular, if P
 * <= Z, the usual case, 4 alone switches from H to Z. 5 after 3: an S > Z without its logs is still
 * a prefix of H. 6 and 7: H up to Z and what follows Z must never be read as one log with a hole in
 * it, not even when snapshot.Z rots and recovery looks for an older one. */
#include "base/ensure.h"
#include "protocol/store_state.h"

static void change_next(struct store *store, struct fx *fx);

/* The file with the greatest name in which something is behind `zxid`, or NULL. */
static struct store_file *change_file_behind(struct store *store, enum store_kind kind,
                                             int64_t zxid)
{
    struct store_file *file = store_file_down(store, kind, INT64_MAX);

    return file != NULL && file->zxid > zxid ? file : NULL;
}

static void change_begin(struct store *store, struct fx *fx, enum store_state state, int64_t zxid)
{
    store_snap_cancel(store, fx);
    store_scans_break(store);
    store->purge.phase = PURGE_NONE;
    store->purge.tag = 0;
    store->log = NULL;
    store->roll = false;
    store->snapshot_due = false;
    store->state = state;
    store->job.zxid = zxid;
    store->job.cut = 0;
    store->job.file = NULL;
}

/* ---- finding the place to cut ---- */

static void change_find(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;

    job->file = store_file_down(store, FILE_LOG, job->zxid);
    job->last_zxid = 0;
    job->cut = 0;
    if (job->file == NULL && job->phase == PHASE_INSTALL_FIND) {
        change_next(store, fx);
        return;
    }
    if (job->file == NULL) {
        /* Nothing to look into; but the outcome is told by an answer, so ask for something. */
        job->tag = store_tag(store);
        fx_read(fx, DIR_DATA, span_text("currentEpoch"), 0, 1, job->tag);
        return;
    }
    log_reader_restart(&job->log);
    job->tag = store_emit_read(store, fx, job->file, 0);
}

/* Sets cut to the end of the last record <= zxid, and last_zxid to its zxid. */
static void change_found(struct store *store, const struct input *in, struct fx *fx)
{
    struct store_job *job = &store->job;
    bool eof = in->data.span.len < STORE_PIECE_BYTES;
    struct log_record record;
    enum log_next next;

    if (in->data.err != ERR_OK && in->data.err != ERR_MISSING) {
        store_fail(store, fx, in->data.err, "read", job->file == NULL ? "log" : job->file->name);
        return;
    }
    if (job->file == NULL) {
        change_next(store, fx);
        return;
    }
    if (log_reader_feed(&job->log, in->data.span, eof) != ERR_OK) {
        store_fail(store, fx, ERR_MEMORY, "read", job->file->name);
        return;
    }
    while ((next = log_reader_next(&job->log, &record)) == LOG_NEXT_RECORD) {
        if (record.zxid > job->zxid) {
            break;
        }
        job->last_zxid = record.zxid;
        job->cut = job->log.end;
    }
    if (next == LOG_NEXT_MORE) {
        job->tag = store_emit_read(store, fx, job->file, log_reader_offset(&job->log));
        return;
    }
    change_next(store, fx);
}

/* ---- truncate ---- */

void store_truncate(struct store *store, struct fx *fx, int64_t zxid)
{
    ENSURE(store_is_settled(store));
    change_begin(store, fx, STORE_TRUNCATING, zxid);
    store->job.phase = PHASE_TRUNCATE_FIND;
    change_find(store, fx);
}

/* False when it cannot be done: the state is READY again. */
static bool change_check_target(struct store *store)
{
    struct store_job *job = &store->job;
    struct store_file *snapshot = store_file_down(store, FILE_SNAPSHOT, job->zxid);
    bool is_label = snapshot != NULL && snapshot->zxid == job->zxid;

    if (snapshot != NULL && (is_label || job->last_zxid == job->zxid)) {
        return true;
    }
    job->phase = PHASE_NONE;
    store->state = STORE_READY;
    store->events |= STORE_NO_TRUNC;
    return false;
}

/* ---- install ---- */

void store_install(struct store *store, struct fx *fx)
{
    int64_t zxid = tree_zxid(*store->tree);
    enum err err;

    ENSURE(store_is_settled(store));
    if (zxid < 0) {
        store_fail(store, fx, ERR_RANGE, "install", "snapshot"); /* a peer chose it */
        return;
    }
    change_begin(store, fx, STORE_INSTALLING, zxid);
    store->trusted = true;
    store->job.phase = PHASE_INSTALL_WRITE;
    /* What the log holds behind Z is cut away below; what the owner appends from now on follows Z.
     */
    store->job.cut_needed = store->appended_zxid > zxid;
    store->appended_zxid = zxid;
    err = store_snap_begin(store, fx, SNAP_INSTALL);
    if (err != ERR_OK) {
        store_fail(store, fx, err, "write", "snapshot");
    }
}

void store_install_written(struct store *store, struct fx *fx)
{
    ENSURE(store->job.phase == PHASE_INSTALL_WRITE);
    if (store->job.cut_needed) {
        store->job.phase = PHASE_INSTALL_LOGS;
        change_next(store, fx);
    } else {
        store->job.phase = PHASE_INSTALL_RENAME;
        store_snap_rename(store, fx);
    }
}

void store_install_renamed(struct store *store, struct fx *fx)
{
    ENSURE(store->job.phase == PHASE_INSTALL_RENAME);
    store->job.phase = PHASE_INSTALL_SNAPSHOTS;
    change_next(store, fx);
}

static void change_installed(struct store *store)
{
    struct store_job *job = &store->job;

    job->phase = PHASE_NONE;
    store->durable_zxid = job->zxid;
    store->state = STORE_READY;
    store->events |= STORE_INSTALLED;
    store_draw_roll(store);
}

/* ---- one effect after the other ---- */

static bool change_remove(struct store *store, struct fx *fx, struct store_file *file)
{
    if (file == NULL) {
        return false;
    }
    store->job.file = file;
    store->job.tag = store_emit_remove(store, fx, file);
    return true;
}

/* Cut the log that the target falls into; false when nothing is to be cut. */
static bool change_cut(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;
    struct store_file *file = store_file_down(store, FILE_LOG, job->zxid);

    if (file == NULL || job->cut >= file->size) {
        return false;
    }
    if (job->cut == 0) {
        return change_remove(store, fx, file); /* no record at all */
    }
    job->file = file;
    job->tag = store_emit_cut(store, fx, file, job->cut);
    return true;
}

/* The next effect of the current phase; false when the phase has nothing (more) to do. */
static bool change_effect(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;
    struct store_file *file;

    switch (job->phase) {
    case PHASE_TRUNCATE_SNAPSHOTS:
    case PHASE_INSTALL_SNAPSHOTS:
        return change_remove(store, fx, change_file_behind(store, FILE_SNAPSHOT, job->zxid));
    case PHASE_TRUNCATE_LOGS:
    case PHASE_INSTALL_LOGS:
        return change_remove(store, fx, change_file_behind(store, FILE_LOG, job->zxid));
    case PHASE_TRUNCATE_CUT:
    case PHASE_INSTALL_CUT:
        if (job->was_cut) {
            return false;
        }
        job->was_cut = true;
        return change_cut(store, fx);
    case PHASE_INSTALL_OLD:
        file = store_file_down(store, FILE_LOG, INT64_MAX);
        if (file == NULL) {
            file = store_file_down(store, FILE_SNAPSHOT, job->zxid - 1);
        }
        return change_remove(store, fx, file);
    case PHASE_NONE:
    case PHASE_REPAIR:
    case PHASE_ACCEPTED:
    case PHASE_CURRENT:
    case PHASE_IMAGE:
    case PHASE_REPLAY:
    case PHASE_TIDY:
    case PHASE_SYNC:
    case PHASE_FRESH:
    case PHASE_TRUNCATE_FIND:
    case PHASE_INSTALL_WRITE:
    case PHASE_INSTALL_FIND:
    case PHASE_INSTALL_RENAME:
        return false;
    }
    UNREACHABLE();
}

/* Go on as far as possible without an answer. */
static void change_next(struct store *store, struct fx *fx)
{
    struct store_job *job = &store->job;

    if (job->phase == PHASE_TRUNCATE_FIND && !change_check_target(store)) {
        return;
    }
    while (!change_effect(store, fx)) {
        switch (job->phase) {
        case PHASE_TRUNCATE_FIND:
            job->phase = PHASE_TRUNCATE_SNAPSHOTS;
            break;
        case PHASE_TRUNCATE_SNAPSHOTS:
            job->phase = PHASE_TRUNCATE_LOGS;
            break;
        case PHASE_TRUNCATE_LOGS:
            job->was_cut = false;
            job->phase = PHASE_TRUNCATE_CUT;
            break;
        case PHASE_TRUNCATE_CUT:
            store_load_begin(store, fx, false);
            return;
        case PHASE_INSTALL_LOGS:
            job->phase = PHASE_INSTALL_FIND;
            change_find(store, fx);
            return;
        case PHASE_INSTALL_FIND:
            job->was_cut = false;
            job->phase = PHASE_INSTALL_CUT;
            break;
        case PHASE_INSTALL_CUT:
            job->phase = PHASE_INSTALL_RENAME;
            store_snap_rename(store, fx);
            return;
        case PHASE_INSTALL_SNAPSHOTS:
            job->phase = PHASE_INSTALL_OLD;
            break;
        case PHASE_INSTALL_OLD:
            change_installed(store);
            return;
        case PHASE_NONE:
        case PHASE_REPAIR:
        case PHASE_ACCEPTED:
        case PHASE_CURRENT:
        case PHASE_IMAGE:
        case PHASE_REPLAY:
        case PHASE_TIDY:
        case PHASE_SYNC:
        case PHASE_FRESH:
        case PHASE_INSTALL_WRITE:
        case PHASE_INSTALL_RENAME:
            UNREACHABLE();
        }
    }
}

void store_change_go(struct store *store, const struct input *in, struct fx *fx)
{
    struct store_job *job = &store->job;
    struct store_file *file = job->file;
    bool cut;

    if (job->phase == PHASE_TRUNCATE_FIND || job->phase == PHASE_INSTALL_FIND) {
        change_found(store, in, fx);
        return;
    }
    cut = file->repair == REPAIR_CUT;
    if (in->done.err != ERR_OK && in->done.err != ERR_MISSING) {
        store_fail(store, fx, in->done.err, cut ? "cut" : "remove", file->name);
        return;
    }
    if (!cut || in->done.err == ERR_MISSING) {
        store_file_drop(store, file);
    } else {
        store_file_was_cut(file);
    }
    change_next(store, fx);
}
