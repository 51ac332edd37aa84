/* store_snap.c - writing a snapshot beside other work, and removing old ones.
 *
 *      WRITE    one piece of the image at a time appended to snapshot.<zxid>.tmp
 *        |
 *      SYNC
 *        |
 *      WAIT     periodic: until the log is durable up to the label, so that the log never has a
 * hole below a |      snapshot; install: until the logs are cut (store_change.c) RENAME   to
 * snapshot.<zxid>; now it counts
 *
 * Images are exact at their label (tree/image.h), never fuzzy. Apache writes under the final name
 * without a sync, so that a crash leaves a damaged snapshot; here a name is a promise. */
#include "base/ensure.h"
#include "protocol/notes.h"
#include "protocol/store_state.h"

/* Apache's cheap test of a snapshot: the file ends with the ustring "/". */
#define SNAPSHOT_BYTES_MIN 10u
#define SNAPSHOT_END_BYTES 5u

static void snap_write(struct store *store, struct fx *fx);

/* The answer that came tells of a failure: of everything, or of a snapshot that can be left out. */
static void snap_failed(struct store *store, struct fx *fx, enum err err, const char *what)
{
    struct store_snap *snap = &store->snap;

    store_fail(store, fx, err, what,
               snap->phase == SNAP_RENAME ? snap->target->name : snap->scrap->name);
}

enum err store_snap_begin(struct store *store, struct fx *fx, enum snap_purpose purpose)
{
    struct store_snap *snap = &store->snap;
    struct image_options options = store->config.image;
    struct image_writer *writer;
    enum err err;

    ENSURE(snap->phase == SNAP_NONE);
    options.form = IMAGE_FILE;
    err = image_writer_make(*store->tree, &options, &writer);
    if (err != ERR_OK) {
        return err;
    }
    snap->scrap = store_file_put(store, FILE_SCRAP, image_writer_zxid(writer));
    if (snap->scrap == NULL) {
        image_writer_drop(writer);
        return ERR_MEMORY;
    }
    snap->scrap->repair = REPAIR_ERASE; /* whatever becomes of it */
    snap->scrap->size = 0;
    snap->writer = writer;
    snap->zxid = image_writer_zxid(writer);
    snap->purpose = purpose;
    snap->begun_us = metrics_now_us(store->config.metrics);
    snap->phase = SNAP_WRITE;
    snap->written = false;
    snap_write(store, fx);
    return ERR_OK;
}

/* Append the next piece. */
static void snap_write(struct store *store, struct fx *fx)
{
    struct store_snap *snap = &store->snap;
    enum err err = ERR_OK;

    bytes_clear(&snap->piece);
    while (err == ERR_OK && !snap->written && snap->piece.len == 0) {
        err = image_write(snap->writer, &snap->piece, IMAGE_PIECE, &snap->written);
    }
    if (err == ERR_REFUSED && snap->purpose == SNAP_PERIODIC) {
        store_snap_cancel(store, fx); /* the owner has replaced the tree */
        return;
    }
    if (err != ERR_OK) {
        snap_failed(store, fx, err, "write");
        return;
    }
    if (snap->piece.len == 0) {
        snap->phase = SNAP_SYNC;
        snap->tag = store_tag(store);
        fx_sync(fx, DIR_DATA, store_file_name(snap->scrap), snap->tag);
        return;
    }
    snap->tag = store_tag(store);
    /* A copy: given up and begun anew in one step, the next snapshot would write over the piece. */
    fx_append_lent(fx, DIR_DATA, store_file_name(snap->scrap), snap->scrap->size,
                   fx_copy(fx, bytes_span(&snap->piece)), snap->tag);
    snap->scrap->size += snap->piece.len;
}

void store_snap_rename(struct store *store, struct fx *fx)
{
    struct store_snap *snap = &store->snap;

    ENSURE(snap->phase == SNAP_WAIT);
    snap->target = store_file_find(store, FILE_SNAPSHOT, snap->zxid);
    if (snap->target == NULL) {
        snap->target = store_file_put(store, FILE_SNAPSHOT, snap->zxid);
        if (snap->target == NULL) {
            snap_failed(store, fx, ERR_MEMORY, "rename");
            return;
        }
        /* Seen, but perhaps not durable: after a failure it must not be built upon. (When the name
         * exists already, either content is the state at this zxid.) */
        snap->target->repair = REPAIR_ERASE;
    }
    snap->phase = SNAP_RENAME;
    snap->tag = store_tag(store);
    fx_rename(fx, DIR_DATA, store_file_name(snap->scrap), store_file_name(snap->target), snap->tag);
}

/* The .tmp is durable. */
static void snap_synced(struct store *store, struct fx *fx)
{
    struct store_snap *snap = &store->snap;

    image_writer_drop(snap->writer);
    snap->writer = NULL;
    snap->phase = SNAP_WAIT;
    switch (snap->purpose) {
    case SNAP_PERIODIC:
        store_snap_log_grew(store, fx);
        return;
    case SNAP_FRESH:
        store_snap_rename(store, fx);
        return;
    case SNAP_INSTALL:
        store_install_written(store, fx);
        return;
    }
    UNREACHABLE();
}

static void snap_renamed(struct store *store, struct fx *fx)
{
    struct store_snap *snap = &store->snap;
    struct store_file *target = snap->target;

    target->repair = REPAIR_NONE;
    target->size = snap->scrap->size;
    target->durable = target->size;
    target->good = true;
    target->bad = false;
    store_file_drop(store, snap->scrap);
    snap->phase = SNAP_NONE;
    metrics_add(store->config.metrics, METRIC_SNAPSHOT_MS,
                metrics_ms_since(store->config.metrics, snap->begun_us));
    fx_note(fx, NOTE_SNAPSHOT, (uint64_t)target->zxid, target->size, 0, span_make(NULL, 0));
    switch (snap->purpose) {
    case SNAP_PERIODIC:
        store->events |= STORE_SNAPSHOT;
        return;
    case SNAP_FRESH:
        store_load_fresh_done(store, fx);
        return;
    case SNAP_INSTALL:
        store_install_renamed(store, fx);
        return;
    }
    UNREACHABLE();
}

void store_snap_go(struct store *store, const struct input *in, struct fx *fx)
{
    struct store_snap *snap = &store->snap;
    enum err err = in->done.err;

    switch (snap->phase) {
    case SNAP_NONE:
    case SNAP_WAIT:
        break;
    case SNAP_WRITE:
        if (err != ERR_OK) {
            snap_failed(store, fx, err, "append");
        } else {
            snap_write(store, fx);
        }
        return;
    case SNAP_SYNC:
        if (err != ERR_OK) {
            snap_failed(store, fx, err, "sync");
        } else {
            snap_synced(store, fx);
        }
        return;
    case SNAP_RENAME:
        if (err != ERR_OK) {
            snap_failed(store, fx, err, "rename");
        } else {
            snap_renamed(store, fx);
        }
        return;
    }
    UNREACHABLE();
}

void store_snap_log_grew(struct store *store, struct fx *fx)
{
    struct store_snap *snap = &store->snap;
    int64_t need = snap->zxid < store->appended_zxid ? snap->zxid : store->appended_zxid;

    if (snap->phase == SNAP_WAIT && snap->purpose == SNAP_PERIODIC && store->durable_zxid >= need) {
        store_snap_rename(store, fx);
    }
}

void store_snap_cancel(struct store *store, struct fx *fx)
{
    struct store_snap *snap = &store->snap;

    if (snap->phase == SNAP_NONE) {
        return;
    }
    image_writer_drop(snap->writer);
    snap->writer = NULL;
    snap->tag = 0;
    if (snap->phase != SNAP_RENAME) {
        store_emit_remove(store, fx, snap->scrap);
    }
    snap->phase = SNAP_NONE;
}

void store_snapshot(struct store *store, struct fx *fx)
{
    struct store_file *same;

    if (store->state != STORE_READY || store->snap.phase != SNAP_NONE || !store->trusted) {
        return;
    }
    same = store_file_find(store, FILE_SNAPSHOT, tree_zxid(*store->tree));
    if (same != NULL && same->good) {
        store->snapshot_due = false;
        return; /* nothing has happened since */
    }
    enum err err = store_snap_begin(store, fx, SNAP_PERIODIC);

    if (err == ERR_MEMORY) {
        store_fail(store, fx, err, "write", "snapshot");
    }
    if (err != ERR_OK) {
        return; /* too many walks of the tree: snapshot_due stays, the next flush tries again */
    }
    store->snapshot_due = false;
    store->roll = true;
    store_draw_roll(store);
}

/* ---- purge ---- */

/* Find the oldest snapshot to keep: walk down from the newest, counting valid ones. */
static void purge_check(struct store *store, struct fx *fx)
{
    struct store_purge_job *purge = &store->purge;
    struct store_file *file = purge->file;

    while (file != NULL && purge->found < purge->keep) {
        purge->file = file;
        if (!file->good && !file->bad) {
            uint64_t from = file->size < SNAPSHOT_END_BYTES ? 0 : file->size - SNAPSHOT_END_BYTES;

            purge->tag = store_tag(store);
            fx_read(fx, DIR_DATA, store_file_name(file), from, SNAPSHOT_END_BYTES, purge->tag);
            return;
        }
        if (file->good) {
            purge->found++;
            purge->limit = file->zxid;
        }
        file = store_file_down(store, FILE_SNAPSHOT, file->zxid - 1);
    }
    purge->phase = purge->found == 0 ? PURGE_NONE : PURGE_SNAPSHOTS;
}

static void purge_checked(struct store *store, const struct input *in)
{
    static const uint8_t end[SNAPSHOT_END_BYTES] = {0, 0, 0, 1, '/'};
    struct store_file *file = store->purge.file;
    bool whole = in->data.err == ERR_OK && file->size >= SNAPSHOT_BYTES_MIN &&
                 span_equal(in->data.span, span_make(end, sizeof(end)));

    file->good = whole;
    file->bad = !whole;
}

/* Remove the oldest file that nothing needs; false when there is none.
 *
 * Snapshots first and the oldest first, then logs likewise: at every instant the rest is one piece,
 * and a snapshot that is there has the logs behind it. Needed of the logs is the newest one that
 * begins at or before limit + 1, and every later one. */
static bool purge_remove(struct store *store, struct fx *fx)
{
    struct store_purge_job *purge = &store->purge;
    bool snapshots = purge->phase == PURGE_SNAPSHOTS;
    enum store_kind kind = snapshots ? FILE_SNAPSHOT : FILE_LOG;
    struct store_file *file = store_file_up(store, kind, 0);
    struct store_file *needed = store_file_down(store, FILE_LOG, purge->limit + 1);
    int64_t limit = snapshots ? purge->limit : (needed == NULL ? 0 : needed->zxid);

    if (file == NULL || file->zxid >= limit || file == store->log) {
        return false;
    }
    purge->file = file;
    purge->tag = store_emit_remove(store, fx, file);
    return true;
}

static void purge_next(struct store *store, struct fx *fx)
{
    struct store_purge_job *purge = &store->purge;

    if (purge->phase == PURGE_CHECK) {
        purge_check(store, fx);
    }
    while ((purge->phase == PURGE_SNAPSHOTS || purge->phase == PURGE_LOGS) &&
           !purge_remove(store, fx)) {
        purge->phase = purge->phase == PURGE_SNAPSHOTS ? PURGE_LOGS : PURGE_NONE;
    }
}

void store_purge_go(struct store *store, const struct input *in, struct fx *fx)
{
    struct store_purge_job *purge = &store->purge;

    if (purge->phase == PURGE_CHECK) {
        if (in->data.err != ERR_OK && in->data.err != ERR_MISSING) {
            store_fail(store, fx, in->data.err, "read", purge->file->name);
            return;
        }
        purge_checked(store, in);
    } else {
        if (in->done.err != ERR_OK && in->done.err != ERR_MISSING) {
            store_fail(store, fx, in->done.err, "remove", purge->file->name);
            return;
        }
        store_file_drop(store, purge->file);
    }
    purge_next(store, fx);
}

void store_purge(struct store *store, struct fx *fx, uint32_t keep)
{
    struct store_purge_job *purge = &store->purge;

    ENSURE(keep > 0);
    if (store->state != STORE_READY || purge->phase != PURGE_NONE) {
        return;
    }
    *purge = (struct store_purge_job){
        .phase = PURGE_CHECK,
        .keep = keep,
        .file = store_file_down(store, FILE_SNAPSHOT, INT64_MAX),
    };
    purge_next(store, fx);
}
