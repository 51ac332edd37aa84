/* store_state.h - the inside of a store, shared by the store_*.c files and by nobody else.
 *
 * One main job at a time changes what the files mean (load, truncate, install): `phase`. Beside it
 * go the log (one write in flight), one snapshot being written, one purge, and any number of scans.
 * Each of them waits for at most one tag, and a tag is never used twice: the answer to anything
 * that was given up meanwhile matches nothing.
 *
 * A file effect that fails leaves the file in doubt: done or not done, durable or not. So what has
 * to be true of the file is written down in `repair` before the effect is emitted, and struck out
 * by its success; store_reload makes all of it true, durably, before it reads anything. */
#ifndef PROTOCOL_STORE_STATE_H
#define PROTOCOL_STORE_STATE_H

#include "base/ring.h"
#include "base/sorted.h"
#include "base/text.h"
#include "protocol/store.h"
#include "protocol/store_log.h"

#define STORE_PIECE_BYTES 131072u /* of one FX_READ */
#define STORE_NAME_MAX    40u
#define STORE_WHY_MAX     240u

enum store_kind {
    FILE_LOG,
    FILE_SNAPSHOT,
    FILE_SCRAP /* snapshot.<zxid>.tmp */
};

enum store_repair {
    REPAIR_NONE,
    REPAIR_CUT,   /* must be `cut` bytes long at most */
    REPAIR_ERASE, /* must not exist */
};

struct store_file {
    enum store_kind kind;
    enum store_repair repair;
    int64_t zxid;           /* of the name */
    uint64_t size;          /* bytes, padding included */
    uint64_t durable;       /* of them synced; the rest is in flight */
    uint64_t cut;           /* for REPAIR_CUT */
    enum store_repair tidy; /* what the load under way wants done to it; `cut` of it: */
    uint64_t tidy_cut;
    bool good; /* a snapshot that was loaded, or written by us */
    bool bad;  /* a snapshot that was tried and is damaged */
    bool seen; /* replay passed the txn that a bad snapshot is labelled with */
    uint32_t name_len;
    char name[STORE_NAME_MAX];
};

enum store_phase {
    PHASE_NONE,
    /* load: store_load.c */
    PHASE_REPAIR,
    PHASE_ACCEPTED,
    PHASE_CURRENT,
    PHASE_IMAGE,
    PHASE_REPLAY,
    PHASE_TIDY,
    PHASE_SYNC,
    PHASE_FRESH,
    /* truncate, install: store_change.c */
    PHASE_TRUNCATE_FIND,
    PHASE_TRUNCATE_SNAPSHOTS,
    PHASE_TRUNCATE_LOGS,
    PHASE_TRUNCATE_CUT,
    PHASE_INSTALL_WRITE,
    PHASE_INSTALL_LOGS,
    PHASE_INSTALL_FIND,
    PHASE_INSTALL_CUT,
    PHASE_INSTALL_RENAME,
    PHASE_INSTALL_SNAPSHOTS,
    PHASE_INSTALL_OLD,
};

struct store_job {
    enum store_phase phase;
    uint64_t tag;            /* the answer waited for; 0 none */
    uint64_t barrier;        /* tag of the last FX_REPLACE: only its failure matters */
    struct store_file *file; /* what it is about */
    uint64_t asked;          /* offset of the read */
    int64_t zxid;            /* target of truncate, label of install */
    uint64_t cut;            /* length that the file with the target keeps */
    bool was_cut;            /* the cut was emitted, or is not needed */
    bool cut_needed;         /* install: the log goes on behind the label */
    bool truncating;         /* the load that ends a truncation */
    bool after_error;        /* nothing that was read is taken for durable */
    /* load */
    int64_t accepted_read, current_read; /* epoch files; -1 missing */
    int64_t snapshot_zxid;               /* label loaded; -1: none exists */
    int64_t first_bad;                   /* newest damaged snapshot; -1 none */
    enum err first_bad_err;
    int64_t fuzzy_zxid;       /* digests of txns up to here may not match */
    uint64_t replayed;        /* txns applied */
    uint64_t begun_us;        /* the load, for metrics */
    uint64_t replay_us;       /* ... its replay */
    int64_t last_zxid;        /* of the state reached */
    int64_t log_zxid;         /* last zxid met in the logs, also below the label; 0 none */
    struct store_file *doubt; /* a log with a torn tail: the next record must follow at once */
    uint64_t doubt_offset;
    struct image_reader *image;
    struct log_reader log;
    struct tree_result result;
};

enum snap_phase {
    SNAP_NONE,
    SNAP_WRITE,
    SNAP_SYNC,
    SNAP_WAIT,
    SNAP_RENAME
};
enum snap_purpose {
    SNAP_PERIODIC,
    SNAP_FRESH,
    SNAP_INSTALL
};

struct store_snap {
    enum snap_phase phase;
    enum snap_purpose purpose;
    uint64_t tag;
    struct image_writer *writer;
    struct bytes piece;
    struct store_file *scrap; /* the .tmp */
    struct store_file *target;
    int64_t zxid;
    uint64_t begun_us; /* for metrics */
    bool written;      /* the last piece is out */
};

enum purge_phase {
    PURGE_NONE,
    PURGE_CHECK,
    PURGE_SNAPSHOTS,
    PURGE_LOGS
};

struct store_purge_job {
    enum purge_phase phase;
    uint64_t tag;
    struct store_file *file;
    uint32_t keep;
    uint32_t found; /* valid ones so far */
    int64_t limit;  /* label of the oldest one kept, or of the one looked at */
};

/* What one write appends to the log: room for a file header, then records. At most LOG_BATCH_BYTES,
 * unless it is a single record: so that a reader can tell what a power loss may have done to it. */
struct store_batch {
    struct bytes bytes;
    int64_t first_zxid, last_zxid;
    uint32_t count; /* of records */
};

struct store {
    struct mem *mem;
    struct store_config config;
    struct tree **tree;
    struct history *history;
    struct rand rand;
    enum store_state state;
    enum err err;
    char why[STORE_WHY_MAX];
    uint64_t serial; /* of the last tag */
    uint32_t events; /* of the current input */
    bool trusted;
    uint64_t digest_mismatches;

    struct sorted logs, snapshots, scraps; /* of struct store_file *, by zxid */

    /* log: queue -> flying -> durable */
    struct store_file *log; /* being written; NULL: the next write opens one */
    struct ring queue;      /* of struct store_batch, each of them one write */
    struct store_batch flying;
    struct bytes spare; /* the room of the batch before */
    bool append_failed; /* no memory: the next flush fails the store */
    int64_t appended_zxid, durable_zxid;
    uint64_t write_tag, sync_tag;   /* 0: answered */
    uint64_t write_us;              /* when they were emitted, for metrics */
    uint64_t roll_txns, roll_bytes; /* since the last snapshot was begun */
    uint64_t roll_txns_at, roll_bytes_at;
    bool snapshot_due;
    bool roll; /* the next write opens a new file */

    int64_t accepted_epoch, current_epoch;
    uint64_t epoch_tags[2]; /* of the last FX_REPLACE of each file */

    struct store_job job;
    struct store_snap snap;
    struct store_purge_job purge;
    struct list scans;
};

/* ---- store.c ---- */
uint64_t store_tag(struct store *store);
/* State FAILED: `what` was tried on `name` and ended with `err`. */
void store_fail(struct store *store, struct fx *fx, enum err err, const char *what,
                const char *name);
/* State REFUSED; `offset` UINT64_MAX: not about a place in the file. */
void store_refuse(struct store *store, struct fx *fx, const char *name, uint64_t offset,
                  const char *why);
void store_note(struct fx *fx, uint32_t kind, uint64_t a, uint64_t b);
/* No write is queued or in flight any more, whatever was. */
void store_forget_writes(struct store *store);
void store_draw_roll(struct store *store);

/* ---- store_files.c ---- */
/* The entry, made if need be; NULL: no memory. */
struct store_file *store_file_put(struct store *store, enum store_kind kind, int64_t zxid);
struct store_file *store_file_find(struct store *store, enum store_kind kind, int64_t zxid);
/* With the greatest zxid <= `zxid`, or the least >= it; NULL when none. */
struct store_file *store_file_down(struct store *store, enum store_kind kind, int64_t zxid);
struct store_file *store_file_up(struct store *store, enum store_kind kind, int64_t zxid);
void store_file_drop(struct store *store, struct store_file *file);
void store_files_drop(struct store *store);
/* Take the names of an IN_BOOT. False: no memory. */
bool store_files_boot(struct store *store, const struct input *in);
enum file_dir store_file_dir(const struct store_file *file);
struct span store_file_name(const struct store_file *file);
/* Effects on a file, with a new tag that is returned. Removing and cutting write down `repair`. */
uint64_t store_emit_read(struct store *store, struct fx *fx, struct store_file *file,
                         uint64_t offset);
uint64_t store_emit_remove(struct store *store, struct fx *fx, struct store_file *file);
uint64_t store_emit_cut(struct store *store, struct fx *fx, struct store_file *file, uint64_t size);
/* The cut is done. */
void store_file_was_cut(struct store_file *file);

/* ---- store_load.c ---- */
void store_load_begin(struct store *store, struct fx *fx, bool after_error);
/* The answer to job.tag. */
void store_load_go(struct store *store, const struct input *in, struct fx *fx);
/* snapshot.0 of an empty server is durable. */
void store_load_fresh_done(struct store *store, struct fx *fx);
void store_load_drop(struct store *store);

/* Every log was read and found good. */
void store_load_replayed(struct store *store, struct fx *fx);

/* ---- store_replay.c ---- */
/* A snapshot was loaded, or there is none: job.last_zxid says where the tree stands. */
void store_replay_begin(struct store *store, struct fx *fx);
void store_replay_go(struct store *store, const struct input *in, struct fx *fx);

/* ---- store_change.c ---- */
void store_change_go(struct store *store, const struct input *in, struct fx *fx);
/* The .tmp of an install is durable; later: the renaming is. */
void store_install_written(struct store *store, struct fx *fx);
void store_install_renamed(struct store *store, struct fx *fx);

/* ---- store_snap.c ---- */
/* Begin to write the tree; false when it could not be begun (err tells). */
enum err store_snap_begin(struct store *store, struct fx *fx, enum snap_purpose purpose);
void store_snap_go(struct store *store, const struct input *in, struct fx *fx);
void store_snap_rename(struct store *store, struct fx *fx);
/* The log's durable zxid grew: a snapshot may have waited for it. */
void store_snap_log_grew(struct store *store, struct fx *fx);
void store_snap_cancel(struct store *store, struct fx *fx);
void store_purge_go(struct store *store, const struct input *in, struct fx *fx);

/* ---- store_scan.c ---- */
/* True when `in` answers a scan. */
bool store_scan_on_input(struct store *store, const struct input *in, struct fx *fx);
void store_scans_break(struct store *store);
void store_scans_drop(struct store *store);

#endif
