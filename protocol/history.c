#include "protocol/history.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "tree/txn.h"

bool zxid_follows(int64_t previous, int64_t zxid)
{
    if (zxid_epoch(zxid) == zxid_epoch(previous)) {
        return zxid == previous + 1;
    }
    return zxid > previous && zxid_counter(zxid) == 1;
}

static struct history_txn *history_item(const struct history *history, uint64_t index)
{
    struct history_txn **item = ring_at(&history->ring, index);

    return item == NULL ? NULL : *item;
}

/* The same where it must exist. */
static struct history_txn *history_get(const struct history *history, uint64_t sequence)
{
    struct history_txn **item = ring_at(&history->ring, sequence - history->ring.head);

    ENSURE(item != NULL);
    return *item;
}

static size_t history_block(const struct history_txn *txn)
{
    return sizeof(*txn) + txn->bytes.len;
}

void history_init(struct history *history, struct mem *mem, uint32_t keep_count,
                  uint64_t keep_bytes)
{
    *history = (struct history){.mem = mem, .keep_count = keep_count, .keep_bytes = keep_bytes};
    ring_init(&history->ring, mem, (uint32_t)sizeof(struct history_txn *));
}

void history_begin_step(struct history *history)
{
    while (history->dead != NULL) {
        struct history_txn *txn = history->dead;

        history->dead = txn->next_dead;
        mem_put(history->mem, txn, history_block(txn));
    }
}

void history_drop(struct history *history)
{
    if (history == NULL || history->mem == NULL) {
        return;
    }
    history_reset(history, 0);
    history_begin_step(history);
    ring_drop(&history->ring);
}

/* No longer held; readable until the next step begins. */
static void history_bury(struct history *history, struct history_txn *txn)
{
    ENSURE(history->bytes >= txn->bytes.len);
    history->bytes -= txn->bytes.len;
    txn->next_dead = history->dead;
    history->dead = txn;
}

void history_reset(struct history *history, int64_t zxid)
{
    while (ring_count(&history->ring) > 0) {
        history_bury(history, history_get(history, history->ring.head));
        ring_pop(&history->ring);
    }
    history->pending = history->ring.tail;
    history->base_zxid = zxid;
    history->commit_zxid = zxid;
    ENSURE(history->bytes == 0);
}

enum err history_push(struct history *history, struct span bytes, struct history_txn **txn)
{
    struct history_txn *made;
    struct history_txn **place;
    struct txn_header header;
    uint8_t *copy;

    if (txn_decode_header(bytes, &header) != ERR_OK) {
        return ERR_FORMAT;
    }
    struct history_txn head = {
        .session = header.client_id,
        .cxid = header.cxid,
        .zxid = header.zxid,
        .time_ms = header.time,
        .type = header.type,
    };
    if (head.zxid < 0 || zxid_counter(head.zxid) == 0) {
        return ERR_FORMAT;
    }
    if (!zxid_follows(history_last_zxid(history), head.zxid)) {
        return ERR_ORDER;
    }
    made = mem_get(history->mem, sizeof(*made) + bytes.len);
    if (made == NULL) {
        return ERR_MEMORY;
    }
    place = ring_push(&history->ring);
    if (place == NULL) {
        mem_put(history->mem, made, sizeof(*made) + bytes.len);
        return ERR_MEMORY;
    }
    copy = (uint8_t *)(made + 1);
    memcpy(copy, bytes.at, bytes.len);
    head.bytes = span_make(copy, bytes.len);
    head.hash = hash_bytes(head.bytes, 0);
    *made = head;
    *place = made;
    history->bytes += bytes.len;
    *txn = made;
    return ERR_OK;
}

enum err history_commit(struct history *history, int64_t zxid, struct history_txn **txn)
{
    struct history_txn *first = history_first_pending(history);

    if (first == NULL) {
        return ERR_MISSING;
    }
    if (first->zxid != zxid) {
        return ERR_ORDER;
    }
    ENSURE(zxid > history->commit_zxid);
    history->pending++;
    history->commit_zxid = zxid;
    *txn = first;
    return ERR_OK;
}

int64_t history_last_zxid(const struct history *history)
{
    const struct history_txn *last = history_at(history, history->ring.tail - 1);

    return last == NULL ? history->base_zxid : last->zxid;
}

int64_t history_commit_zxid(const struct history *history)
{
    return history->commit_zxid;
}

struct history_txn *history_first_committed(const struct history *history)
{
    return history->pending == history->ring.head ? NULL : history_item(history, 0);
}

struct history_txn *history_last_committed(const struct history *history)
{
    return history->pending == history->ring.head ? NULL
                                                  : history_at(history, history->pending - 1);
}

struct history_txn *history_first_pending(const struct history *history)
{
    return history_at(history, history->pending);
}

uint64_t history_count(const struct history *history)
{
    return ring_count(&history->ring);
}

uint64_t history_pending_count(const struct history *history)
{
    return history->ring.tail - history->pending;
}

uint64_t history_after(const struct history *history, int64_t zxid)
{
    const struct history_txn *first = history_item(history, 0);
    uint64_t low = history->ring.head;
    uint64_t high = history->ring.tail; /* the answer is in [low, high] */

    if (first == NULL || zxid < first->zxid) {
        return low;
    }
    /* Within one epoch zxids are consecutive, so the distance from the first is the place. */
    uint64_t guess = low + (uint64_t)(zxid - first->zxid);

    if (guess < high && history_get(history, guess)->zxid == zxid) {
        return guess + 1;
    }
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (history_get(history, middle)->zxid > zxid) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

struct history_txn *history_find(const struct history *history, int64_t zxid)
{
    uint64_t after = history_after(history, zxid);
    struct history_txn *txn = after == history->ring.head ? NULL : history_at(history, after - 1);

    return txn != NULL && txn->zxid == zxid ? txn : NULL;
}

struct history_txn *history_at(const struct history *history, uint64_t sequence)
{
    if (sequence < history->ring.head || sequence >= history->ring.tail) {
        return NULL;
    }
    return history_item(history, sequence - history->ring.head);
}

bool history_is_committed(const struct history *history, uint64_t sequence)
{
    return sequence < history->pending;
}

void history_cut(struct history *history, int64_t zxid)
{
    uint64_t keep = history_after(history, zxid);

    while (history->ring.tail > keep) {
        history_bury(history, history_get(history, history->ring.tail - 1));
        ring_pop_back(&history->ring);
    }
    if (history->pending > history->ring.tail) {
        history->pending = history->ring.tail;
    }
    if (history->commit_zxid > zxid) {
        history->commit_zxid = history_last_zxid(history);
    }
    ENSURE(history->pending >= history->ring.head);
}

void history_trim(struct history *history, uint64_t floor)
{
    while (history->ring.head < history->pending && history->ring.head < floor) {
        struct history_txn *first = history_get(history, history->ring.head);
        uint64_t committed = history->pending - history->ring.head;

        if (committed <= history->keep_count && history->bytes <= history->keep_bytes) {
            return;
        }
        history->base_zxid = first->zxid;
        history_bury(history, first);
        ring_pop(&history->ring);
    }
}
