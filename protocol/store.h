/* store.h - what bytes go to which file, and what is left of them after a crash.
 *
 * A store owns the files log.<zxid> (DIR_LOG), snapshot.<zxid>, acceptedEpoch and currentEpoch
 * (DIR_DATA), in Apache's formats (docs/formats/). It does all I/O by effects; answers come back
 * through store_on_input. It reads into, and writes from, the tree and the history of its owner;
 * nothing else of the server is known here.
 *
 *      store_boot, store_reload
 *               |
 *               v                       the files contradict each other,
 *            LOADING ---------------> REFUSED: an operator must look
 *             |   ^  \
 *             v   |   `-------------> FAILED: a file effect failed (from any
 *            READY                      state); no ack until store_reload
 *             |   ^
 *             v   |
 *      TRUNCATING (store_truncate), INSTALLING (store_install)
 *
 * Group commit. store_append queues a record; store_flush, called once at the end of a step, writes
 * what is queued, up to 64 KiB, as one FX_APPEND and one FX_SYNC, unless a sync is still in flight:
 * then the queue waits for it. So at any instant at most one write of the log is not durable, and
 * not a long one. That matters more than it saves: what a power loss can take of a log is known
 * (store_log.h, enum log_tail), and all other damage is refused.
 *
 * After a load everything that is in the log counts as applied: the tree and the history include
 * the tail whose commit is not known (Apache does the same; synchronisation settles it). Every note
 * about disk matters (RECOVERED, LOGGED, SNAPSHOT, TRUNCATED, EPOCH_*, DISK_ERROR) comes from here.
 * Source: Apache FileTxnSnapLog, FileTxnLog, FileSnap, SyncRequestProcessor, QuorumPeer;
 * docs/storage.md. */
#ifndef PROTOCOL_STORE_H
#define PROTOCOL_STORE_H

#include "base/list.h"
#include "base/rand.h"
#include "base/step.h"
#include "protocol/history.h"
#include "protocol/metrics.h"
#include "tree/image.h"
#include "tree/tree.h"

struct store_config {
    uint64_t tag_base;   /* tags of our effects: tag_base .. tag_base + STORE_TAG_COUNT - 1 */
    bool ensemble;       /* keeps the epoch files */
    bool autocreate;     /* an empty directory may be used: zookeeper.db.autocreate */
    bool trust_empty;    /* logs without any snapshot may be used: zookeeper.snapshot.trust.empty */
    bool force_sync;     /* false: written counts as durable: zookeeper.forceSync=no */
    uint32_t snap_count; /* txns between snapshots: zookeeper.snapCount, 100000; 0 never */
    uint64_t snap_size_bytes; /* log bytes between snapshots: snapSizeLimitInKb; 0 no limit */
    uint64_t log_size_bytes;  /* a larger log file is rolled: txnLogSizeLimitInKb; 0 no limit */
    uint32_t txn_bytes_max;   /* longest txn that is believed when read; 0 = READER_MAX_DEFAULT */
    uint32_t snapshot_factor_ppm; /* size rule of store_scan_open: snapshotSizeFactor, 330000 */
    struct tree_options tree;     /* of every tree that a load makes */
    struct image_options image;   /* of every snapshot that is written; form is ignored */
    bool scan_enabled;            /* DIFF from log files at all: snapshotSizeFactor >= 0 */
    struct metrics *metrics;      /* where to count; NULL: nowhere */
};
#define STORE_TAG_COUNT ((uint64_t)1 << 48)

void store_config_default(struct store_config *config);

enum store_state {
    STORE_DOWN, /* before store_boot */
    STORE_LOADING,
    STORE_READY,
    STORE_TRUNCATING,
    STORE_INSTALLING,
    STORE_FAILED,
    STORE_REFUSED,
};

/* What store_on_input found out, as bits. (Lack of memory may fail the store in any call; that is
 * told with the next answer, and store_state tells at once.) */
enum store_event {
    STORE_LOADED = 1,    /* tree, history and epochs are what the disk holds; state READY */
    STORE_SYNCED = 2,    /* store_durable_zxid has grown */
    STORE_TRUNCATED = 4, /* cut, durable, and loaded again; state READY (STORE_LOADED is set too) */
    STORE_INSTALLED = 8, /* the installed tree is what recovery would find; state READY */
    STORE_SNAPSHOT = 16, /* a periodic snapshot is durable */
    STORE_SCANNED = 32,  /* a scan has more to give: call store_scan_next of each */
    STORE_BROKE = 64,    /* state FAILED; once for each failure */
    STORE_GAVE_UP = 128, /* state REFUSED */
    STORE_NO_TRUNC = 256, /* store_truncate: zxid is not in the log or no snapshot precedes it.
                             Nothing was changed; state READY */
    STORE_MINE = 512,     /* the input was the store's, whatever came of it */
};

struct store; /* protocol/store_state.h has the fields; owners use the functions */

/* `history` is the caller's and outlives the store; `config` is copied. *tree is the place where
 * the owner keeps its tree: the store reads it when it writes a snapshot, and at each load it drops
 * the tree it finds there and puts the new one in (NULL while loading): pointers into the old one
 * are void then. The owner may replace it itself (SNAP). NULL: no memory. */
struct store *store_make(struct mem *mem, const struct store_config *config, struct tree **tree,
                         struct history *history);
void store_drop(struct store *store);

/* Take the listing and the epoch files of an IN_BOOT and start loading; `in` is lent for the call.
 */
void store_boot(struct store *store, const struct input *in, struct fx *fx);

/* Load again from the disk, from any state but LOADING: after a failure (with the owner's
 * back-off), or to throw away memory. Queued appends are forgotten, scans end with ERR_IO. A write
 * that failed, or whose sync failed, is first cut away durably and never believed. */
void store_reload(struct store *store, struct fx *fx);

/* Give every IN_DONE and IN_DATA to this first. Returns bits of enum store_event; 0 when the input
 * is not the store's. Long work goes on by itself from one answer to the next. */
uint32_t store_on_input(struct store *store, const struct input *in, struct fx *fx);

enum store_state store_state(const struct store *store);
/* Why it FAILED or is REFUSED: one line that names the file and the offset. Never NULL. */
const char *store_why(const struct store *store);
enum err store_error(const struct store *store);
/* False when the directory was empty and config.autocreate is off: the server's zxid is then -1. */
bool store_is_trusted(const struct store *store);

/* ---- the log ---- */

/* Queue a txn for the log; bytes are copied. Its zxid must be greater than every earlier one.
 * In state INSTALLING the queue waits for the end of it. ERR_REFUSED in other states than these two
 * and READY, and for a server that is not trusted; ERR_MEMORY: state FAILED follows at the next
 * flush. */
enum err store_append(struct store *store, int64_t zxid, struct span txn);
/* Write and sync what is queued, and begin a periodic snapshot when one is due. At the end of a
 * step. */
void store_flush(struct store *store, struct fx *fx);
/* Everything up to here is on disk: in the log, or in a snapshot. */
int64_t store_durable_zxid(const struct store *store);
/* The last one given to store_append, or loaded. */
int64_t store_appended_zxid(const struct store *store);
/* READY, nothing queued, nothing in flight (a periodic snapshot may go on): the log says what
 * memory says. A role that ended waits for this before it votes with its last zxid. */
bool store_is_settled(const struct store *store);

/* ---- epochs ---- */

/* Durable before any later effect of this step (FX_REPLACE is a barrier): emit, then send. */
void store_set_accepted_epoch(struct store *store, struct fx *fx, int64_t epoch);
void store_set_current_epoch(struct store *store, struct fx *fx, int64_t epoch);
int64_t store_accepted_epoch(const struct store *store);
int64_t store_current_epoch(const struct store *store);

/* ---- snapshots, truncation, installation ---- */

/* Begin a snapshot of the tree as it is now, unless one is going on. Exact, in pieces, beside other
 * work. */
void store_snapshot(struct store *store, struct fx *fx);

/* Make `zxid` the last one on disk and load again (TRUNC). The store must be settled. Ends with
 * STORE_TRUNCATED, STORE_NO_TRUNC, or a failure. */
void store_truncate(struct store *store, struct fx *fx, int64_t zxid);

/* The owner replaced the tree by a stream (SNAP) and has reset the history to it: make the tree as
 * it is now, at its zxid, the state that recovery finds, whatever the files held before. The store
 * must be settled; the tree may change meanwhile. Ends with STORE_INSTALLED or a failure. */
void store_install(struct store *store, struct fx *fx);

/* Remove snapshots but the `keep` newest valid ones, and logs that no kept one needs (PurgeTxnLog).
 * Goes on beside other work. No-op unless READY. */
void store_purge(struct store *store, struct fx *fx, uint32_t keep);

/* ---- DIFF from the log files ---- */

enum scan_result {
    SCAN_TXN,    /* *txn is the next one */
    SCAN_WAIT,   /* a read is under way: ask again after STORE_SCANNED */
    SCAN_END,    /* the durable end of the log */
    SCAN_BROKEN, /* a gap, damage, or a failing disk: use SNAP */
};

struct scan_txn {
    int64_t zxid;
    struct span bytes; /* valid until the next call with this scan */
};

struct store_scan; /* belongs to the store; close it */

/* Begin to read txns with zxid > `after`, in order, without gaps, from files. It starts at the
 * beginning of the file that contains `after`, so that store_scan_floor can tell what that file has
 * at or below it.
 *
 * Errors: ERR_REFUSED switched off or not READY; ERR_MISSING no file contains it; ERR_LONG the
 * later files are larger than snapshot_factor_ppm of the newest snapshot (SNAP is cheaper);
 * ERR_MEMORY. Source: Apache LearnerHandler, ZKDatabase.getProposalsFromTxnLog. */
enum err store_scan_open(struct store *store, int64_t after, struct store_scan **scan);
enum scan_result store_scan_next(struct store *store, struct store_scan *scan, struct fx *fx,
                                 struct scan_txn *txn);
/* After the first SCAN_TXN or SCAN_END: the greatest zxid <= `after` that the file holds, 0 for
 * none. Equal to `after`: DIFF; less, same epoch: TRUNC to it. */
int64_t store_scan_floor(const struct store_scan *scan);
void store_scan_close(struct store *store, struct store_scan *scan);

/* ---- for checkers and tests ---- */

/* The i-th file the store knows of, by directory and name; false past the end. */
bool store_file_at(const struct store *store, uint32_t index, struct file_view *view);

#endif
