#include "help_store.h"

#include "tree/acl.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

struct rig *rig_make(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    ck_assert_ptr_nonnull(rig);
    mem_heap_init(&rig->fx_heap, UINT64_MAX);
    fx_init(&rig->fx, &rig->fx_heap.mem);
    rig->disk = disk_make();
    store_config_default(&rig->config);
    rig->config.tag_base = (uint64_t)1 << 56;
    rig->line = calloc(1, sizeof(*rig->line));
    rig->old = calloc(1, sizeof(*rig->old));
    rig->line->count = 1;
    rig->line->floor = 0;
    rig->line->at[0].digest = 0x51c6d660;
    rig->accepted = rig->current = 0;
    rig->epoch = 1;
    rig->truncating = -1;
    return rig;
}

void rig_kill(struct rig *rig)
{
    if (!rig->up) {
        return;
    }
    store_drop(rig->store);
    tree_drop(rig->tree);
    history_drop(&rig->history);
    tree_result_drop(&rig->result);
    ck_assert_uint_eq(rig->heap.mem.used_bytes, 0);
    rig->store = NULL;
    rig->tree = NULL;
    rig->up = false;
    rig->broke = false;
}

void rig_drop(struct rig *rig)
{
    rig_kill(rig);
    disk_drop(rig->disk);
    fx_drop(&rig->fx);
    free(rig->line);
    free(rig->old);
    free(rig);
}

bool rig_is_over(const struct rig *rig)
{
    return rig->disk->crashed || rig->broke;
}

void rig_begin(struct rig *rig)
{
    fx_clear(&rig->fx);
    history_begin_step(&rig->history);
}

static void rig_note(struct rig *rig, uint32_t bits)
{
    rig->bits |= bits;
    if (bits & STORE_BROKE) {
        rig->broke = true;
    }
    if (bits & STORE_INSTALLED) {
        rig->installing = false;
        rig->line->floor = rig->line->at[0].zxid;
    }
    if (bits & (STORE_SYNCED | STORE_INSTALLED)) {
        rig->line->floor = store_durable_zxid(rig->store);
    }
    if (bits & STORE_TRUNCATED) {
        while (rig->line->at[rig->line->count - 1].zxid > rig->truncating) {
            rig->line->count--;
        }
        rig->truncating = -1;
    }
}

void rig_end(struct rig *rig)
{
    if (!rig->hold) {
        store_flush(rig->store, &rig->fx);
    }
    if (store_state(rig->store) == STORE_FAILED) {
        rig->broke = true;
    }
    disk_run(rig->disk, &rig->fx);
}

bool rig_pump(struct rig *rig)
{
    struct input in;

    if (!disk_answer(rig->disk, &in)) {
        return false;
    }
    rig_begin(rig);
    rig_note(rig, store_on_input(rig->store, &in, &rig->fx));
    rig_end(rig);
    return true;
}

void rig_idle(struct rig *rig)
{
    while (rig_pump(rig)) {
    }
}

void rig_boot(struct rig *rig)
{
    struct file_view *views;
    struct input in;

    ck_assert(!rig->up);
    mem_heap_init(&rig->heap, UINT64_MAX);
    rig->tree = NULL;
    history_init(&rig->history, &rig->heap.mem, 500, UINT64_MAX);
    tree_result_init(&rig->result, &rig->heap.mem);
    rig->result.quiet = true;
    rig->store = store_make(&rig->heap.mem, &rig->config, &rig->tree, &rig->history);
    ck_assert_ptr_nonnull(rig->store);
    rig->up = true;
    rig->broke = false;
    rig->bits = 0;
    disk_boot(rig->disk, &in, &views);
    rig_begin(rig);
    store_boot(rig->store, &in, &rig->fx);
    free(views);
    rig_end(rig);
    rig_idle(rig);
}

struct span rig_txn(struct bytes *out, int64_t zxid, const char *path, const char *data)
{
    struct txn txn = {
        .header = {.client_id = 0x100, .cxid = 1, .zxid = zxid, .time = 1000, .type = OP_CREATE},
    };

    if (path == NULL) {
        txn.header.type = OP_CREATE_SESSION;
        txn.timeout_ms = 5000;
    } else {
        txn.create.path = span_text(path);
        txn.create.data.span = span_text(data);
        txn.create.acl = acl_open();
        txn.create.parent_cversion = -1;
    }
    bytes_clear(out);
    txn_encode(out, &txn);
    return bytes_span(out);
}

static void line_push(struct line *line, int64_t zxid, uint64_t digest)
{
    ck_assert_uint_lt(line->count, LINE_MAX_TXNS);
    line->at[line->count].zxid = zxid;
    line->at[line->count].digest = digest;
    line->count++;
}

void rig_append(struct rig *rig)
{
    struct history_txn *held;
    struct bytes bytes;
    struct span span;
    struct txn txn;
    char path[32];
    char data[64];
    int64_t last;

    if (rig_is_over(rig)) {
        return;
    }
    last = history_last_zxid(&rig->history);
    int64_t zxid = zxid_epoch(last) == rig->epoch ? last + 1 : zxid_make(rig->epoch, 1);

    rig->counter++;
    snprintf(path, sizeof(path), "/n%u", rig->counter);
    snprintf(data, sizeof(data), "%0*u", (int)(rig->counter % 50 + 1), rig->counter);
    bytes_init(&bytes, &rig->fx_heap.mem);
    span = rig_txn(&bytes, zxid, path, data);
    rig_begin(rig);
    ck_assert_int_eq(history_push(&rig->history, span, &held), ERR_OK);
    ck_assert_int_eq(store_append(rig->store, zxid, held->bytes), ERR_OK);
    ck_assert_int_eq(txn_decode(held->bytes, &txn), ERR_OK);
    ck_assert_int_eq(tree_apply(rig->tree, &txn, &rig->result), ERR_OK);
    ck_assert_int_eq(history_commit(&rig->history, zxid, &held), ERR_OK);
    history_trim(&rig->history, UINT64_MAX);
    line_push(rig->line, zxid, tree_digest(rig->tree));
    rig_end(rig);
    bytes_drop(&bytes);
}

/* As at LEADERINFO. */
static void rig_accept(struct rig *rig, int64_t epoch)
{
    if (rig_is_over(rig) || epoch <= store_accepted_epoch(rig->store)) {
        return;
    }
    rig_begin(rig);
    store_set_accepted_epoch(rig->store, &rig->fx, epoch);
    rig_end(rig);
    rig_idle(rig);
    if (!rig_is_over(rig)) {
        rig->accepted = epoch;
    }
}

void rig_set_epoch(struct rig *rig, int64_t epoch)
{
    rig_accept(rig, epoch);
    if (rig_is_over(rig)) {
        return;
    }
    rig_begin(rig);
    store_set_current_epoch(rig->store, &rig->fx, epoch);
    rig_end(rig);
    rig_idle(rig);
    if (!rig_is_over(rig)) {
        rig->current = epoch;
        rig->epoch = epoch;
    }
}

void rig_snapshot(struct rig *rig)
{
    if (rig_is_over(rig)) {
        return;
    }
    rig_begin(rig);
    store_snapshot(rig->store, &rig->fx);
    rig_end(rig);
}

void rig_truncate(struct rig *rig, int64_t zxid)
{
    if (rig_is_over(rig)) {
        return;
    }
    ck_assert(store_is_settled(rig->store));
    rig->truncating = zxid;
    if (rig->line->floor > zxid) {
        rig->line->floor = zxid;
    }
    rig_begin(rig);
    store_truncate(rig->store, &rig->fx, zxid);
    rig_end(rig);
}

void rig_install(struct rig *rig, int64_t zxid)
{
    struct line *line = rig->old;
    struct bytes bytes;
    struct txn txn;
    char path[32];

    if (rig_is_over(rig)) {
        return;
    }
    ck_assert(store_is_settled(rig->store));
    rig_accept(rig, zxid_epoch(zxid));
    if (rig_is_over(rig)) {
        return;
    }
    rig_begin(rig);
    tree_drop(rig->tree);
    rig->tree = tree_make(&rig->heap.mem, &rig->config.tree);
    bytes_init(&bytes, &rig->fx_heap.mem);
    for (uint32_t i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "/snap%u-%u", (unsigned)zxid, i);
        struct span span = rig_txn(&bytes, i + 1, i == 4 ? NULL : path, "data");

        ck_assert_int_eq(txn_decode(span, &txn), ERR_OK);
        ck_assert_int_eq(tree_apply(rig->tree, &txn, &rig->result), ERR_OK);
    }
    bytes_drop(&bytes);
    tree_set_zxid(rig->tree, zxid);
    history_reset(&rig->history, zxid);
    /* The old line may still come back, but for what lies behind the new label. */
    rig->old = rig->line;
    rig->line = line;
    if (rig->old->floor > zxid) {
        uint32_t i = rig->old->count - 1;

        while (i > 0 && rig->old->at[i].zxid > zxid) {
            i--;
        }
        rig->old->floor = rig->old->at[i].zxid;
    }
    rig->line->count = 0;
    rig->line->floor = -1;
    line_push(rig->line, zxid, tree_digest(rig->tree));
    rig->installing = true;
    store_install(rig->store, &rig->fx);
    rig_end(rig);
}

void rig_purge(struct rig *rig, uint32_t keep)
{
    if (rig_is_over(rig)) {
        return;
    }
    rig_begin(rig);
    store_purge(rig->store, &rig->fx, keep);
    rig_end(rig);
}

/* The place of the recovered state in `line`, or -1. */
static int line_find(const struct line *line, int64_t zxid, uint64_t digest)
{
    for (uint32_t i = 0; i < line->count; i++) {
        if (line->at[i].zxid == zxid && line->at[i].digest == digest) {
            return (int)i;
        }
    }
    return -1;
}

void rig_check(struct rig *rig, const char *what)
{
    int64_t zxid;
    int place;

    ck_assert_msg(store_state(rig->store) == STORE_READY, "%s: state %d: %s", what,
                  (int)store_state(rig->store), store_why(rig->store));
    zxid = history_last_zxid(&rig->history);
    ck_assert_int_eq(zxid, tree_zxid(rig->tree));
    ck_assert_int_eq(zxid, store_durable_zxid(rig->store));
    ck_assert_uint_eq(history_pending_count(&rig->history), 0);
    place = line_find(rig->line, zxid, tree_digest(rig->tree));
    if (place < 0 && rig->installing) {
        struct line *line = rig->line;

        rig->line = rig->old;
        rig->old = line;
        place = line_find(rig->line, zxid, tree_digest(rig->tree));
    }
    ck_assert_msg(place >= 0, "%s: 0x%llx is no state of the history", what,
                  (unsigned long long)zxid);
    ck_assert_msg(zxid >= rig->line->floor, "%s: recovered 0x%llx, 0x%llx was durable", what,
                  (unsigned long long)zxid, (unsigned long long)rig->line->floor);
    if (rig->config.ensemble) {
        ck_assert_msg(store_accepted_epoch(rig->store) >= rig->accepted, "%s: acceptedEpoch", what);
        ck_assert_msg(store_current_epoch(rig->store) >= rig->current, "%s: currentEpoch", what);
        rig->accepted = store_accepted_epoch(rig->store);
        rig->current = store_current_epoch(rig->store);
    }
    rig->line->count = (uint32_t)place + 1;
    rig->line->floor = zxid;
    rig->installing = false;
    rig->truncating = -1;
}
