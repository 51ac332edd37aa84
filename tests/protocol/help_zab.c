#include "protocol/help_zab.h"

#include "tree/txn.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct bytes txn_bytes;

struct span bench_txn(struct zab_bench *bench, int64_t zxid)
{
    char path[32];
    struct txn txn;

    memset(&txn, 0, sizeof txn);
    snprintf(path, sizeof path, "/n%u", zxid_counter(zxid));
    txn.header = (struct txn_header){.client_id = 1, .zxid = zxid, .time = 1, .type = OP_CREATE};
    txn.create.path = span_text(path);
    txn.create.data.span = span_text("x");
    txn.create.acl = acl_open();
    txn.create.parent_cversion = -1;
    if (txn_bytes.mem == NULL) {
        bytes_init(&txn_bytes, &bench->heap.mem);
    }
    bytes_clear(&txn_bytes);
    txn_encode(&txn_bytes, &txn);
    return bytes_span(&txn_bytes);
}

static void bench_give(struct zab_bench *bench, const struct input *in)
{
    uint32_t events;

    fx_clear(&bench->fx);
    events = store_on_input(bench->store, in, &bench->fx);
    if ((events & STORE_SYNCED) != 0) {
        zab_leader_on_logged(&bench->leader, &bench->fx, store_durable_zxid(bench->store),
                             bench->now_us);
    }
    zab_learner_on_store(&bench->learner, &bench->fx, events, bench->now_us);
    store_flush(bench->store, &bench->fx);
    bench_take(bench);
}

void bench_take(struct zab_bench *bench)
{
    struct fx *fx = &bench->fx;

    for (uint32_t i = 0; i < fx->count; i++) {
        const struct effect *effect = &fx->list[i];
        switch (effect->kind) {
        case FX_SEND:
            bytes_raw(&bench->sent[effect->id % BENCH_CONNS], effect->bytes.at, effect->bytes.len);
            break;
        case FX_CLOSE:
            bench->closed[effect->id % BENCH_CONNS] = true;
            break;
        case FX_DIAL:
            bench->dialed = effect->id;
            break;
        case FX_READ:
            ck_assert_uint_lt(bench->tag_count, 4096);
            bench->tags[bench->tag_count++] = effect->b | UINT64_C(1) << 63;
            break;
        case FX_APPEND:
        case FX_SYNC:
        case FX_TRUNCATE:
        case FX_RENAME:
        case FX_REMOVE:
            if (effect->b != 0) {
                ck_assert_uint_lt(bench->tag_count, 4096);
                bench->tags[bench->tag_count++] = effect->b;
            }
            break;
        default:
            break;
        }
    }
    fx_clear(fx);
}

void bench_sync(struct zab_bench *bench)
{
    uint32_t waiting = bench->tag_count; /* what these answers bring on waits for the next call */

    for (uint32_t i = 0; i < waiting; i++) {
        uint64_t tag = bench->tags[i];
        struct input in = {.mono_us = bench->now_us};
        if (tag >> 63 != 0) {
            in.kind = IN_DATA;
            in.data.tag = tag & ~(UINT64_C(1) << 63);
            in.data.err = ERR_MISSING;
        } else {
            in.kind = IN_DONE;
            in.done.tag = tag;
        }
        bench_give(bench, &in);
    }
    bench->tag_count -= waiting;
    memmove(bench->tags, bench->tags + waiting, bench->tag_count * sizeof bench->tags[0]);
}

void bench_open(struct zab_bench *bench, int64_t sid, uint32_t servers, uint32_t txns)
{
    char text[1024];
    int length =
        snprintf(text, sizeof text,
                 "tickTime=1000\ninitLimit=10\nsyncLimit=5\ndataDir=/d\nmyid=%d\n", (int)sid);
    struct config_error error;
    struct store_config options;
    struct tree_options tree_options = {0};
    struct input boot = {.kind = IN_BOOT};

    memset(bench, 0, sizeof *bench);
    memset(&txn_bytes, 0, sizeof txn_bytes);
    mem_heap_init(&bench->heap, UINT64_MAX);
    fx_init(&bench->fx, &bench->heap.mem);
    fx_clear(&bench->fx);
    for (uint32_t i = 0; i < BENCH_CONNS; i++) {
        bytes_init(&bench->sent[i], &bench->heap.mem);
    }
    for (uint32_t i = 1; i <= servers; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "server.%u=s%u:2888:3888\n",
                           i, i);
    }
    ck_assert_int_eq(config_parse(&bench->config, &bench->heap.mem, span_text(text), &error),
                     ERR_OK);
    bench->ensemble.committed = &bench->config.membership;
    bench->now_us = 1000000;
    store_config_default(&options);
    options.tag_base = 1000;
    options.ensemble = true;
    options.autocreate = true;
    history_init(&bench->history, &bench->heap.mem, 500, UINT64_MAX);
    bench->store = store_make(&bench->heap.mem, &options, &bench->tree, &bench->history);
    ck_assert_ptr_nonnull(bench->store);
    struct zab_deps deps = {.mem = &bench->heap.mem,
                            .config = &bench->config,
                            .ensemble = &bench->ensemble,
                            .history = &bench->history,
                            .store = bench->store,
                            .tree = &bench->tree,
                            .sid = sid};
    zab_leader_init(&bench->leader, &deps);
    zab_learner_init(&bench->learner, &deps, &tree_options, 3000, 64);
    store_boot(bench->store, &boot, &bench->fx);
    bench_take(bench);
    for (int i = 0; i < 20 && store_state(bench->store) != STORE_READY; i++) {
        bench_sync(bench);
    }
    ck_assert_int_eq(store_state(bench->store), STORE_READY);
    if (txns > 0) {
        store_set_accepted_epoch(bench->store, &bench->fx, 1);
        store_set_current_epoch(bench->store, &bench->fx, 1);
    }
    for (uint32_t i = 1; i <= txns; i++) {
        struct history_txn *entry;
        struct txn txn;
        struct tree_result result;
        ck_assert_int_eq(history_push(&bench->history, bench_txn(bench, zxid_make(1, i)), &entry),
                         ERR_OK);
        ck_assert_int_eq(store_append(bench->store, entry->zxid, entry->bytes), ERR_OK);
        ck_assert_int_eq(history_commit(&bench->history, entry->zxid, &entry), ERR_OK);
        ck_assert_int_eq(txn_decode(entry->bytes, &txn), ERR_OK);
        tree_result_init(&result, &bench->heap.mem);
        ck_assert_int_eq(tree_apply(bench->tree, &txn, &result), ERR_OK);
        tree_result_drop(&result);
    }
    store_flush(bench->store, &bench->fx);
    bench_take(bench);
    for (int i = 0; i < 5 && !store_is_settled(bench->store); i++) {
        bench_sync(bench);
    }
    ck_assert(store_is_settled(bench->store));
}

void bench_close(struct zab_bench *bench)
{
    fx_clear(&bench->fx);
    zab_leader_stop(&bench->leader, &bench->fx);
    zab_learner_stop(&bench->learner, &bench->fx);
    map_drop(&bench->leader.by_conn);
    ring_drop(&bench->leader.barriers);
    store_drop(bench->store);
    history_drop(&bench->history);
    tree_drop(bench->tree);
    config_drop(&bench->config);
    for (uint32_t i = 0; i < BENCH_CONNS; i++) {
        bytes_drop(&bench->sent[i]);
    }
    bytes_drop(&txn_bytes);
    fx_drop(&bench->fx);
    ck_assert_uint_eq(bench->heap.mem.used_bytes, 0);
}

void bench_accept(struct zab_bench *bench, uint32_t conn)
{
    struct input in = {
        .kind = IN_OPENED, .mono_us = bench->now_us, .opened = {.conn = conn, .listener = 2}};

    zab_leader_on_opened(&bench->leader, &bench->fx, &in);
    bench_take(bench);
}

bool bench_say(struct zab_bench *bench, uint32_t conn, const struct bytes *packets,
               struct zab_event *event)
{
    struct input in = {.kind = IN_BYTES, .mono_us = bench->now_us, .bytes = {.conn = conn}};
    struct span rest = bytes_span(packets);
    struct zab_event got;
    size_t used;

    history_begin_step(&bench->history);
    while (rest.len > 0) {
        in.bytes.span = rest;
        used = conn >= CONN_ACCEPTED
                   ? zab_leader_on_packet(&bench->leader, &bench->fx, &in, rest, &got)
                   : zab_learner_on_packet(&bench->learner, &bench->fx, bench->now_us, rest, &got);
        if (event != NULL && got.kind != ZAB_NOTHING) {
            *event = got;
        }
        if (used == 0) {
            break;
        }
        rest = span_make(rest.at + used, rest.len - used);
    }
    store_flush(bench->store, &bench->fx);
    bench_take(bench);
    return !bench->closed[conn % BENCH_CONNS];
}

bool bench_say_packet(struct zab_bench *bench, uint32_t conn, enum packet_type type, int64_t zxid)
{
    struct bytes out;
    bool open;

    bytes_init(&out, &bench->heap.mem);
    wire_packet_put(&out, type, zxid, wire_null());
    open = bench_say(bench, conn, &out, NULL);
    bytes_drop(&out);
    return open;
}

bool bench_say_info(struct zab_bench *bench, uint32_t conn, int64_t sid, int64_t accepted_epoch)
{
    struct wire_learner learner = {.form = LEARNER_FULL,
                                   .sid = sid,
                                   .protocol_version = WIRE_LEARNER_VERSION,
                                   .config_version = 0};
    struct bytes out;
    bool open;

    bytes_init(&out, &bench->heap.mem);
    wire_learner_put(&out, PACKET_FOLLOWERINFO, zxid_make(accepted_epoch, 0), &learner);
    open = bench_say(bench, conn, &out, NULL);
    bytes_drop(&out);
    return open;
}

bool bench_say_ackepoch(struct zab_bench *bench, uint32_t conn, int64_t zxid, int32_t epoch)
{
    struct bytes out;
    bool open;

    bytes_init(&out, &bench->heap.mem);
    wire_int_put(&out, PACKET_ACKEPOCH, zxid, epoch);
    open = bench_say(bench, conn, &out, NULL);
    bytes_drop(&out);
    return open;
}

bool bench_hear(struct zab_bench *bench, uint32_t conn, struct wire_packet *packet)
{
    static uint8_t held[65536];
    struct bytes *sent = &bench->sent[conn % BENCH_CONNS];
    size_t used;

    ck_assert_uint_le(sent->len, sizeof held);
    if (sent->len == 0) {
        return false;
    }
    memcpy(held, sent->at, sent->len);
    ck_assert_int_eq(wire_packet_next(span_make(held, sent->len), 1u << 20, packet, &used), ERR_OK);
    bytes_consume(sent, used);
    return true;
}

void bench_expect(struct zab_bench *bench, uint32_t conn, enum packet_type type, int64_t zxid)
{
    struct wire_packet packet;

    ck_assert_msg(bench_hear(bench, conn, &packet), "nothing was sent, expected %s",
                  wire_packet_name((int32_t)type));
    ck_assert_msg(packet.type == (int32_t)type && packet.zxid == zxid,
                  "sent %s %llx, expected %s %llx", wire_packet_name(packet.type),
                  (unsigned long long)packet.zxid, wire_packet_name((int32_t)type),
                  (unsigned long long)zxid);
}

void bench_establish(struct zab_bench *bench)
{
    int64_t last = history_last_zxid(&bench->history);
    int64_t epoch = store_accepted_epoch(bench->store) + 1;

    zab_leader_start(&bench->leader, &bench->fx, bench->now_us, 2);
    bench_take(bench);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t conn = CONN_ACCEPTED + i;
        bench_accept(bench, conn);
        ck_assert(bench_say_info(bench, conn, i + 1, epoch - 1));
    }
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t conn = CONN_ACCEPTED + i;
        bench_expect(bench, conn, PACKET_LEADERINFO, zxid_make(epoch, 0));
        ck_assert(bench_say_ackepoch(bench, conn, last, (int32_t)(epoch - 1)));
    }
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t conn = CONN_ACCEPTED + i;
        bench_expect(bench, conn, PACKET_DIFF, last);
        bench_expect(bench, conn, PACKET_NEWLEADER, zxid_make(epoch, 0));
        ck_assert(bench_say_packet(bench, conn, PACKET_ACK, zxid_make(epoch, 0)));
    }
    for (uint32_t i = 0; i < 2; i++) {
        bench_expect(bench, CONN_ACCEPTED + i, PACKET_UPTODATE, -1);
    }
    ck_assert_int_eq(bench->leader.phase, LEADER_BROADCAST);
}
