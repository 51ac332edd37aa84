#include "sim/zk/zk_ledger.h"

#include "base/hash.h"
#include "sim/sim.h"

void zk_ledger_init(struct zk_ledger *ledger, struct mem *mem)
{
    *ledger = (struct zk_ledger){.mem = mem};
}

/* ---- transactions ---- */

static uint32_t ledger_slot(const struct zk_ledger *ledger, int64_t zxid)
{
    uint32_t mask = ledger->slot_count - 1;
    uint32_t slot = (uint32_t)hash_u64((uint64_t)zxid, 0) & mask;

    while (ledger->slots[slot] != 0 && ledger->txns[ledger->slots[slot] - 1].zxid != zxid) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

struct zk_txn *zk_ledger_find(const struct zk_ledger *ledger, int64_t zxid)
{
    uint32_t slot;

    if (ledger->slot_count == 0) {
        return NULL;
    }
    slot = ledger_slot(ledger, zxid);
    return ledger->slots[slot] == 0 ? NULL : &ledger->txns[ledger->slots[slot] - 1];
}

/* Twice as many slots, at most half of them taken. */
static bool ledger_widen(struct zk_ledger *ledger)
{
    uint32_t count = ledger->slot_count == 0 ? 256 : ledger->slot_count * 2;
    uint32_t *slots = mem_get_zero(ledger->mem, count * sizeof(*slots));
    struct zk_txn *txns = mem_grow(ledger->mem, ledger->txns, ledger->room * sizeof(*txns),
                                   count / 2 * sizeof(*txns));

    if (slots == NULL || txns == NULL) {
        ledger->failed = true;
        return false;
    }
    mem_put(ledger->mem, ledger->slots, ledger->slot_count * sizeof(*slots));
    ledger->txns = txns;
    ledger->room = count / 2;
    ledger->slots = slots;
    ledger->slot_count = count;
    for (uint32_t i = 0; i < ledger->count; i++) {
        slots[ledger_slot(ledger, txns[i].zxid)] = i + 1;
    }
    return true;
}

struct zk_txn *zk_ledger_put(struct zk_ledger *ledger, int64_t zxid)
{
    struct zk_txn *txn = zk_ledger_find(ledger, zxid);
    uint32_t slot;

    if (txn != NULL) {
        return txn;
    }
    if (ledger->count == ledger->room && !ledger_widen(ledger)) {
        return NULL;
    }
    slot = ledger_slot(ledger, zxid);
    txn = &ledger->txns[ledger->count++];
    *txn = (struct zk_txn){.zxid = zxid, .proposer = SIM_NONE, .digest_from = SIM_NONE};
    ledger->slots[slot] = ledger->count;
    return txn;
}

/* ---- epochs ---- */

/* The first one that is >= `epoch`. Runs look at the newest most of the time. */
static uint32_t epoch_place(const struct zk_ledger *ledger, int64_t epoch)
{
    uint32_t place = ledger->epoch_count;

    while (place > 0 && ledger->epochs[place - 1].epoch >= epoch) {
        place--;
    }
    return place;
}

struct zk_epoch *zk_ledger_epoch(const struct zk_ledger *ledger, int64_t epoch)
{
    uint32_t place = epoch_place(ledger, epoch);

    return place < ledger->epoch_count && ledger->epochs[place].epoch == epoch
               ? &ledger->epochs[place]
               : NULL;
}

struct zk_epoch *zk_ledger_put_epoch(struct zk_ledger *ledger, int64_t epoch)
{
    uint32_t place = epoch_place(ledger, epoch);

    if (place < ledger->epoch_count && ledger->epochs[place].epoch == epoch) {
        return &ledger->epochs[place];
    }
    if (ledger->epoch_count == ledger->epoch_room) {
        uint32_t room = ledger->epoch_room == 0 ? 64 : ledger->epoch_room * 2;
        struct zk_epoch *grown =
            mem_grow(ledger->mem, ledger->epochs, ledger->epoch_room * sizeof(*grown),
                     room * sizeof(*grown));

        if (grown == NULL) {
            ledger->failed = true;
            return NULL;
        }
        ledger->epochs = grown;
        ledger->epoch_room = room;
    }
    memmove(&ledger->epochs[place + 1], &ledger->epochs[place],
            (ledger->epoch_count - place) * sizeof(*ledger->epochs));
    ledger->epoch_count++;
    ledger->epochs[place] = (struct zk_epoch){.epoch = epoch, .leader = SIM_NONE};
    return &ledger->epochs[place];
}

/* ---- histories ---- */

bool zk_ledger_contains(const struct zk_ledger *ledger, int64_t last, int64_t zxid)
{
    while (zxid > 0 && zxid_epoch(last) > zxid_epoch(zxid)) {
        const struct zk_epoch *epoch = zk_ledger_epoch(ledger, zxid_epoch(last));

        if (epoch == NULL || !epoch->has_base) {
            return true;
        }
        last = epoch->base;
    }
    return zxid <= 0 || (zxid_epoch(last) == zxid_epoch(zxid) && last >= zxid);
}

int64_t zk_ledger_before(const struct zk_ledger *ledger, int64_t zxid)
{
    const struct zk_epoch *epoch;

    if (zxid_counter(zxid) > 1) {
        return zxid - 1;
    }
    epoch = zk_ledger_epoch(ledger, zxid_epoch(zxid));
    return epoch != NULL && epoch->has_base ? epoch->base : -1;
}

int64_t zk_ledger_common(const struct zk_ledger *ledger, int64_t a, int64_t b)
{
    while (a > 0 && b > 0) {
        int64_t *later = a > b ? &a : &b;

        if (zxid_epoch(a) == zxid_epoch(b)) {
            return a < b ? a : b;
        }
        *later = zk_ledger_before(ledger, zxid_make(zxid_epoch(*later), 1));
    }
    return 0;
}
