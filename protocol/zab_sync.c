/* zab_sync.c - how a leader brings a learner to its own history: DIFF, TRUNC, SNAP.
 *
 * The choice is Apache's (LearnerHandler.syncFollower), P = the learner's last zxid, [min, max] =
 * the committed transactions in memory:
 *
 *   P == max                      DIFF, nothing to send
 *   P > max, P not (epoch, 0)     TRUNC to max
 *   min <= P <= max               P is ours:           DIFF, what follows P
 *                                 P is not, same epoch: TRUNC to our last before P, what follows it
 *                                 P is not, else:       SNAP
 *   P < min                       the log files have it: the same, read from there; else SNAP
 *
 * Every case ends alike: committed transactions that the learner lacks as PROPOSAL and COMMIT, then
 * to followers the proposals in flight, then NEWLEADER. A tree is streamed in pieces between other
 * work; what is committed meanwhile follows from the history behind it. */
#include "base/ensure.h"
#include "protocol/notes.h"
#include "protocol/zab_peer.h"

#define SYNC_BURST_BYTES (1u << 20) /* of a stream, before it waits to be drained */
#define SYNC_PIECE_BYTES 65536u     /* of a stream, a step */

static void sync_note(struct fx *fx, const struct zab_peer *peer, enum sync_mode mode)
{
    fx_note(fx, NOTE_SYNC_CHOICE, (uint64_t)peer->sid, mode, (uint64_t)peer->state_zxid,
            span_make(NULL, 0));
}

static void sync_head(struct zab_peer *peer, struct fx *fx, enum packet_type type, int64_t zxid)
{
    struct bytes *out = fx_out(fx);

    sync_note(fx, peer,
              type == PACKET_DIFF    ? SYNC_DIFF
              : type == PACKET_TRUNC ? SYNC_TRUNC
                                     : SYNC_SNAP);
    wire_packet_put(out, type, zxid, span_make(NULL, 0));
    zab_peer_send(peer, fx, out);
}

/* Learners at `phase`, this one included. */
static uint64_t sync_count(const struct zab_leader *leader, enum zab_peer_phase phase)
{
    uint64_t count = 1;

    for (struct list *link = leader->peers.next; link != &leader->peers; link = link->next) {
        count += LIST_ITEM(link, struct zab_peer, link)->phase == phase;
    }
    return count;
}

static void sync_committed(struct zab_peer *peer, struct fx *fx, int64_t zxid, struct span txn)
{
    struct bytes *out = fx_out(fx);

    wire_packet_put(out, PACKET_PROPOSAL, zxid, txn);
    wire_packet_put(out, PACKET_COMMIT, zxid, span_make(NULL, 0));
    zab_peer_send(peer, fx, out);
}

/* Everything from history sequence number peer->next on, then NEWLEADER: from here on the learner
 * is forwarded what is proposed. */
static void sync_finish(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                        uint64_t now_us)
{
    const struct history *history = leader->deps.history;
    struct history_txn *txn;
    struct bytes *out;
    size_t mark;

    if (peer->phase != PEER_SNAP) {
        metrics_count(leader->deps.metrics, METRIC_DIFFS, 1);
        metrics_add(leader->deps.metrics, METRIC_DIFFS_INFLIGHT, sync_count(leader, PEER_SCAN));
    }
    for (; (txn = history_at(history, peer->next)) != NULL; peer->next++) {
        if (history_is_committed(history, peer->next)) {
            sync_committed(peer, fx, txn->zxid, txn->bytes);
        } else if (!peer->observer) {
            out = fx_out(fx);
            wire_packet_put(out, PACKET_PROPOSAL, txn->zxid, txn->bytes);
            zab_peer_send(peer, fx, out);
        }
    }
    peer->synced = history_commit_zxid(history);
    out = fx_out(fx);
    mark = wire_packet_begin(out, PACKET_NEWLEADER, zxid_make(leader->epoch, 0));
    membership_print(leader->deps.ensemble->committed, out);
    wire_packet_end(out, mark);
    zab_peer_send(peer, fx, out);
    peer->phase = PEER_NEWLEADER;
    (void)now_us;
}

static void sync_snap(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                      uint64_t now_us)
{
    struct image_options options = {.form = IMAGE_STREAM};
    struct tree *tree = *leader->deps.tree;

    ENSURE(tree_zxid(tree) == history_commit_zxid(leader->deps.history));
    if (image_writer_make(tree, &options, &peer->image) != ERR_OK) {
        zab_peer_drop(leader, fx, peer, "too many snapshots are being sent");
        return;
    }
    metrics_count(leader->deps.metrics, METRIC_SNAPS, 1);
    metrics_add(leader->deps.metrics, METRIC_SNAPS_INFLIGHT, sync_count(leader, PEER_SNAP));
    sync_head(peer, fx, PACKET_SNAP, image_writer_zxid(peer->image));
    peer->next = history_after(leader->deps.history, image_writer_zxid(peer->image));
    peer->phase = PEER_SNAP;
    zab_sync_continue(leader, fx, peer, now_us);
}

/* The learner's last zxid lies in [min, max] of the history. */
static void sync_from_history(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                              uint64_t now_us)
{
    const struct history *history = leader->deps.history;
    uint64_t after = history_after(history, peer->state_zxid);
    const struct history_txn *next = history_at(history, after);
    const struct history_txn *before = after > 0 ? history_at(history, after - 1) : NULL;
    int64_t floor = before != NULL ? before->zxid : history->base_zxid;

    peer->next = after;
    if (floor == peer->state_zxid || zxid_counter(peer->state_zxid) == 0) {
        sync_head(peer, fx, PACKET_DIFF, history_commit_zxid(history));
    } else if (next != NULL && zxid_epoch(next->zxid) == zxid_epoch(peer->state_zxid)) {
        sync_head(peer, fx, PACKET_TRUNC, floor);
    } else {
        sync_snap(leader, fx, peer, now_us);
        return;
    }
    sync_finish(leader, fx, peer, now_us);
}

void zab_sync_begin(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                    uint64_t now_us)
{
    const struct history *history = leader->deps.history;
    const struct history_txn *first = history_first_committed(history);
    int64_t max = history_commit_zxid(history);
    int64_t min = first != NULL ? first->zxid : max;
    int64_t last = peer->state_zxid;

    if (leader->deps.config->force_snapshot_sync) {
        sync_snap(leader, fx, peer, now_us);
    } else if (last == max) {
        sync_head(peer, fx, PACKET_DIFF, max);
        peer->next = history_after(history, max);
        sync_finish(leader, fx, peer, now_us);
    } else if (last > max && zxid_counter(last) != 0) {
        sync_head(peer, fx, PACKET_TRUNC, max);
        peer->next = history_after(history, max);
        sync_finish(leader, fx, peer, now_us);
    } else if ((last >= min || last == history->base_zxid) && last <= max) {
        sync_from_history(leader, fx, peer, now_us);
    } else if (last >= 0 && last < min &&
               store_scan_open(leader->deps.store, last, &peer->scan) == ERR_OK) {
        peer->phase = PEER_SCAN;
        peer->scanned = 0;
        peer->next = history_after(history, history->base_zxid);
        zab_sync_continue(leader, fx, peer, now_us);
    } else {
        sync_snap(leader, fx, peer, now_us);
    }
}

/* ---- streams that take many steps ---- */

static void sync_stream(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                        uint64_t now_us)
{
    bool done = false;
    size_t sent = 0;

    while (!done && sent < SYNC_BURST_BYTES) {
        struct bytes *out = fx_out(fx);
        if (image_write(peer->image, out, SYNC_PIECE_BYTES, &done) != ERR_OK) {
            zab_peer_drop(leader, fx, peer, "the tree could not be streamed");
            return;
        }
        if (done) {
            bytes_ustring(out, span_text(WIRE_SNAP_SIGNATURE));
        }
        sent += out->len;
        if (out->len > 0) {
            zab_peer_send(peer, fx, out);
        }
    }
    if (done) {
        image_writer_drop(peer->image);
        peer->image = NULL;
        sync_finish(leader, fx, peer, now_us);
        return;
    }
    peer->draining = true;
    fx_tell_drained(fx, peer->conn);
}

/* The first transaction of a scan tells whether the learner's last one is ours. */
static bool sync_scan_decide(struct zab_peer *peer, struct fx *fx, int64_t zxid, int64_t max)
{
    int64_t floor = store_scan_floor(peer->scan);

    if (floor == peer->state_zxid || zxid_counter(peer->state_zxid) == 0) {
        sync_head(peer, fx, PACKET_DIFF, max);
    } else if (floor > 0 && zxid_epoch(zxid) == zxid_epoch(peer->state_zxid)) {
        sync_head(peer, fx, PACKET_TRUNC, floor);
    } else {
        return false;
    }
    peer->scan_decided = true;
    peer->scanned = floor;
    return true;
}

static void sync_scan_end(struct zab_leader *leader, struct zab_peer *peer)
{
    store_scan_close(leader->deps.store, peer->scan);
    peer->scan = NULL;
}

static void sync_scan(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                      uint64_t now_us)
{
    const struct history *history = leader->deps.history;
    struct scan_txn txn;
    enum scan_result result;
    size_t sent = 0;

    while (sent < SYNC_BURST_BYTES) {
        result = store_scan_next(leader->deps.store, peer->scan, fx, &txn);
        if (result == SCAN_WAIT) {
            return;
        }
        if (result != SCAN_TXN) {
            bool decided = peer->scan_decided;
            sync_scan_end(leader, peer);
            if (decided) {
                zab_peer_drop(leader, fx, peer, "the log files ended before the history in memory");
            } else {
                sync_snap(leader, fx, peer, now_us);
            }
            return;
        }
        if (!peer->scan_decided &&
            !sync_scan_decide(peer, fx, txn.zxid, history_commit_zxid(history))) {
            sync_scan_end(leader, peer);
            sync_snap(leader, fx, peer, now_us);
            return;
        }
        if (history_find(history, txn.zxid) != NULL) {
            peer->next = history_after(history, txn.zxid - 1);
            sync_scan_end(leader, peer);
            sync_finish(leader, fx, peer, now_us);
            return;
        }
        sync_committed(peer, fx, txn.zxid, txn.bytes);
        peer->scanned = txn.zxid;
        sent += txn.bytes.len;
    }
    peer->draining = true;
    fx_tell_drained(fx, peer->conn);
}

void zab_sync_continue(struct zab_leader *leader, struct fx *fx, struct zab_peer *peer,
                       uint64_t now_us)
{
    if (peer->phase == PEER_SNAP) {
        sync_stream(leader, fx, peer, now_us);
    } else if (peer->phase == PEER_SCAN && !peer->draining) {
        sync_scan(leader, fx, peer, now_us);
    }
}
