/* help_store.h - one store on a test disk, with a model of what it may and must recover. */
#ifndef TESTS_PROTOCOL_HELP_STORE_H
#define TESTS_PROTOCOL_HELP_STORE_H

#include "help_disk.h"
#include "protocol/history.h"
#include "protocol/store.h"

#define LINE_MAX_TXNS 512

/* A history: line[0] is where it starts. */
struct line {
    struct {
        int64_t zxid;
        uint64_t digest;
    } at[LINE_MAX_TXNS];
    uint32_t count;
    int64_t floor; /* a recovery that ends before it has lost something; -1: may be missing as a
                      whole */
};

struct rig {
    struct mem_heap heap;
    struct mem_heap fx_heap;
    struct fx fx;
    struct disk *disk;
    struct store_config config;
    struct tree *tree;
    struct history history;
    struct store *store;
    struct tree_result result;
    bool up;
    uint32_t bits; /* all events since they were cleared */
    bool broke;    /* the store failed: scripts stop */
    int64_t epoch;
    uint32_t counter; /* of txns made, for names */
    struct line *line;
    struct line *old; /* valid while installing */
    bool installing;
    int64_t truncating;        /* -1: no */
    int64_t accepted, current; /* reported durable */
    bool hold;                 /* do not flush at the end of a step */
};

struct rig *rig_make(void);
void rig_drop(struct rig *rig);
/* Start the store on what the disk holds and run until nothing is due. */
void rig_boot(struct rig *rig);
/* Throw the process away. */
void rig_kill(struct rig *rig);
void rig_begin(struct rig *rig);
void rig_end(struct rig *rig);
/* Give one answer; false when none was due. */
bool rig_pump(struct rig *rig);
void rig_idle(struct rig *rig);
/* True when a script must not go on: power lost, or the store failed. */
bool rig_is_over(const struct rig *rig);

/* The next txn of the line: made, logged, applied, in a step of its own. */
void rig_append(struct rig *rig);
void rig_set_epoch(struct rig *rig, int64_t epoch);
void rig_snapshot(struct rig *rig);
void rig_truncate(struct rig *rig, int64_t zxid);
/* Replace the tree by another one at `zxid` and install it. */
void rig_install(struct rig *rig, int64_t zxid);
void rig_purge(struct rig *rig, uint32_t keep);

/* The store is READY: fail the test unless its state is one that the model allows; the model then
 * goes on from there. `what` says where the test is. */
void rig_check(struct rig *rig, const char *what);

/* Bytes of a create of `path` (or of a createSession when NULL). */
struct span rig_txn(struct bytes *out, int64_t zxid, const char *path, const char *data);

#endif
