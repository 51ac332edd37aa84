#include "protocol/help_vectors.h"
#include "protocol/wire_client.h"
#include "protocol/wire_quorum.h"
#include "tree/txn.h"

#include <check.h>
#include <stdlib.h>

static struct mem_heap heap;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
}

/* A copy of exactly `len` bytes, so that the sanitizer sees a read past the end. */
static struct span exact(struct span span, size_t len)
{
    uint8_t *at = malloc(len + 1);

    ck_assert_ptr_nonnull(at);
    memcpy(at + 1, span.at, len);
    return span_make(at + 1, len);
}

static void exact_free(struct span span)
{
    free((void *)(uintptr_t)(span.at - 1));
}

/* Encode the transaction bytes at `data` anew behind what `out` holds. */
static void copy_txn(struct bytes *out, struct span data)
{
    struct txn txn;

    ck_assert_int_eq(txn_decode(data, &txn), ERR_OK);
    txn_encode(out, &txn);
}

static void copy_request(struct bytes *out, const struct wire_packet *packet)
{
    struct wire_forward forward;
    struct wire_request request;
    struct bytes record;

    ck_assert_int_eq(wire_forward_decode(packet->data, &forward), ERR_OK);
    ck_assert_int_eq(wire_request_decode(forward.type, forward.record, &request), ERR_OK);
    bytes_init(&record, &heap.mem);
    wire_request_encode(&record, &request);
    forward.record = bytes_span(&record);
    wire_forward_put(out, &forward, &packet->authinfo);
    bytes_drop(&record);
}

static void copy_ping(struct bytes *out, const struct wire_packet *packet)
{
    struct span rest = packet->data;
    struct wire_touch touch;
    size_t mark;

    if (wire_is_null(packet->data)) {
        wire_packet_put(out, PACKET_PING, packet->zxid, wire_null());
        return;
    }
    ck_assert_int_eq(wire_touches_check(packet->data), ERR_OK);
    mark = wire_packet_begin(out, PACKET_PING, packet->zxid);
    while (wire_touch_next(&rest, &touch)) {
        wire_touch_encode(out, &touch);
    }
    wire_packet_end(out, mark);
}

static void copy_revalidate(struct bytes *out, const struct wire_packet *packet)
{
    struct wire_touch ask;
    int64_t session;
    bool valid;

    if (packet->data.len == 12) {
        ck_assert_int_eq(wire_revalidate_decode(packet->data, &ask), ERR_OK);
        wire_revalidate_put(out, &ask);
    } else {
        ck_assert_int_eq(wire_revalidated_decode(packet->data, &session, &valid), ERR_OK);
        wire_revalidated_put(out, session, valid);
    }
}

static void copy_activate(struct bytes *out, const struct wire_packet *packet)
{
    struct span txn;
    struct bytes inner;
    int64_t leader;

    bytes_init(&inner, &heap.mem);
    ck_assert_int_eq(wire_activate_decode(packet->data, &leader, &txn), ERR_OK);
    if (packet->type == PACKET_INFORMANDACTIVATE) {
        copy_txn(&inner, txn);
    } else {
        ck_assert_uint_eq(txn.len, 0);
    }
    wire_activate_put(out, (enum packet_type)packet->type, packet->zxid, leader,
                      bytes_span(&inner));
    bytes_drop(&inner);
}

static void copy_learner(struct bytes *out, const struct wire_packet *packet)
{
    struct wire_learner learner;

    ck_assert_int_eq(wire_learner_decode(packet->data, &learner), ERR_OK);
    ck_assert_int_eq(learner.form, LEARNER_FULL);
    ck_assert_int_eq(learner.protocol_version, WIRE_LEARNER_VERSION);
    wire_learner_put(out, (enum packet_type)packet->type, packet->zxid, &learner);
}

static void copy_int(struct bytes *out, const struct wire_packet *packet)
{
    int32_t value;

    ck_assert_int_eq(wire_int_decode(packet->data, &value), ERR_OK);
    wire_int_put(out, (enum packet_type)packet->type, packet->zxid, value);
}

static void copy_proposal(struct bytes *out, const struct wire_packet *packet)
{
    size_t mark = wire_packet_begin(out, (enum packet_type)packet->type, packet->zxid);

    copy_txn(out, packet->data);
    wire_packet_end(out, mark);
}

/* Decode the packet with everything in it and write it anew. */
static void copy_packet(struct bytes *out, const struct wire_packet *packet)
{
    switch ((enum packet_type)packet->type) {
    case PACKET_REQUEST:
        copy_request(out, packet);
        return;
    case PACKET_PROPOSAL:
    case PACKET_INFORM:
        copy_proposal(out, packet);
        return;
    case PACKET_PING:
        copy_ping(out, packet);
        return;
    case PACKET_REVALIDATE:
        copy_revalidate(out, packet);
        return;
    case PACKET_COMMITANDACTIVATE:
    case PACKET_INFORMANDACTIVATE:
        copy_activate(out, packet);
        return;
    case PACKET_FOLLOWERINFO:
    case PACKET_OBSERVERINFO:
        copy_learner(out, packet);
        return;
    case PACKET_LEADERINFO:
    case PACKET_ACKEPOCH:
        copy_int(out, packet);
        return;
    case PACKET_NEWLEADER:
        wire_packet_put(out, PACKET_NEWLEADER, packet->zxid, packet->data);
        return;
    case PACKET_ACK:
    case PACKET_COMMIT:
    case PACKET_SYNC:
    case PACKET_UPTODATE:
    case PACKET_DIFF:
    case PACKET_TRUNC:
    case PACKET_SNAP:
        ck_assert(wire_is_null(packet->data));
        wire_packet_put(out, (enum packet_type)packet->type, packet->zxid, wire_null());
        return;
    }
    ck_abort_msg("type %d", packet->type);
}

static void check_packet(struct vectors *vectors, struct bytes *out)
{
    struct span all = bytes_span(&vectors->bytes);
    struct wire_packet packet;
    size_t used = 0;

    ck_assert_int_eq(wire_packet_next(all, READER_MAX_DEFAULT, &packet, &used), ERR_OK);
    ck_assert_uint_eq(used, all.len);
    ck_assert_ptr_nonnull(strstr(vectors->comment, wire_packet_name(packet.type)));
    bytes_clear(out);
    wire_packet_encode(out, &packet);
    vectors_expect(vectors, bytes_span(out), all);
    bytes_clear(out);
    copy_packet(out, &packet);
    vectors_expect(vectors, bytes_span(out), all);
    for (size_t len = 0; len < all.len; len++) {
        struct span part = exact(all, len);

        ck_assert_int_eq(wire_packet_next(part, READER_MAX_DEFAULT, &packet, &used), ERR_SHORT);
        ck_assert_uint_gt(used, len);
        ck_assert_uint_le(used, all.len);
        exact_free(part);
    }
}

static const char *const quorum_files[] = {
    "quorum/first-epoch-follower.txt", "quorum/follower-join-diff.txt",
    "quorum/follower-join-snap.txt",   "quorum/follower-join-trunc.txt",
    "quorum/observer-join-snap.txt",   "quorum/reconfig-server1.txt",
    "quorum/reconfig-server4.txt",
};

/* Every captured packet decodes with all that is in it, and encodes back byte for byte. */
START_TEST(test_vectors_round_trip)
{
    struct vectors vectors;
    struct bytes out;
    uint32_t packets = 0;

    bytes_init(&out, &heap.mem);
    vectors_open(&vectors, &heap.mem, quorum_files[_i]);
    while (vectors_next(&vectors)) {
        if (strstr(vectors.comment, "(raw") == NULL) {
            check_packet(&vectors, &out);
            packets++;
        }
    }
    vectors_close(&vectors);
    bytes_drop(&out);
    ck_assert_uint_ge(packets, 10);
}
END_TEST

/* Packets follow each other without frames: one call, one packet. */
START_TEST(test_packets_in_a_stream)
{
    struct bytes out;
    struct wire_packet packet;
    struct span rest;
    size_t used;

    bytes_init(&out, &heap.mem);
    wire_packet_put(&out, PACKET_PROPOSAL, 7, span_text("abc"));
    wire_packet_put(&out, PACKET_COMMIT, 7, wire_null());

    rest = bytes_span(&out);
    ck_assert_int_eq(wire_packet_next(rest, 3, &packet, &used), ERR_OK);
    ck_assert_int_eq(packet.type, PACKET_PROPOSAL);
    ck_assert(span_is(packet.data, "abc"));
    rest = span_make(rest.at + used, rest.len - used);
    ck_assert_int_eq(wire_packet_next(rest, 3, &packet, &used), ERR_OK);
    ck_assert_int_eq(packet.type, PACKET_COMMIT);
    ck_assert_int_eq(packet.zxid, 7);
    ck_assert_uint_eq(used, rest.len);
    bytes_drop(&out);
}
END_TEST

START_TEST(test_packet_limits)
{
    struct bytes out;
    struct wire_packet packet;
    size_t used;

    bytes_init(&out, &heap.mem);
    wire_packet_put(&out, PACKET_PROPOSAL, 7, span_text("abcd"));
    ck_assert_int_eq(wire_packet_next(bytes_span(&out), 3, &packet, &used), ERR_LONG);
    bytes_patch_u32(&out, 12, 0x80000000);
    ck_assert_int_eq(wire_packet_next(bytes_span(&out), 3, &packet, &used), ERR_FORMAT);
    bytes_patch_u32(&out, 12, 4);
    bytes_patch_u32(&out, 20, 0xfffffffe);
    ck_assert_int_eq(wire_packet_next(bytes_span(&out), 4, &packet, &used), ERR_FORMAT);
    bytes_patch_u32(&out, 20, WIRE_AUTHINFO_MAX + 1);
    ck_assert_int_eq(wire_packet_next(bytes_span(&out), 4, &packet, &used), ERR_LONG);
    bytes_patch_u32(&out, 20, 1); /* one Id, whose scheme is too long */
    bytes_u32(&out, WIRE_ID_MAX + 1);
    ck_assert_int_eq(wire_packet_next(bytes_span(&out), 4, &packet, &used), ERR_LONG);
    bytes_drop(&out);
}
END_TEST

START_TEST(test_learner_forms)
{
    static const size_t lengths[] = {0, 8, 12, 20};
    uint8_t data[24] = {0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2};
    struct wire_learner learner;

    for (int form = LEARNER_NULL; form <= LEARNER_FULL; form++) {
        struct span span = form == LEARNER_NULL ? wire_null() : span_make(data, lengths[form]);
        struct wire_packet packet;
        struct bytes out;
        size_t used;

        ck_assert_int_eq(wire_learner_decode(span, &learner), ERR_OK);
        ck_assert_int_eq(learner.form, form);
        ck_assert_int_eq(learner.sid, form >= LEARNER_SID ? 5 : 0);
        ck_assert_int_eq(learner.protocol_version, form >= LEARNER_VERSION ? 0x10000 : 1);
        ck_assert_int_eq(learner.config_version, form == LEARNER_FULL ? 0x100000002 : 0);
        bytes_init(&out, &heap.mem);
        wire_learner_put(&out, PACKET_FOLLOWERINFO, 0, &learner);
        ck_assert_int_eq(wire_packet_next(bytes_span(&out), 99, &packet, &used), ERR_OK);
        ck_assert(span_equal(packet.data, span));
        ck_assert_int_eq(wire_is_null(packet.data), form == LEARNER_NULL);
        bytes_drop(&out);
    }
    ck_assert_int_eq(wire_learner_decode(span_make(data, 0), &learner), ERR_FORMAT);
    ck_assert_int_eq(wire_learner_decode(span_make(data, 7), &learner), ERR_FORMAT);
    ck_assert_int_eq(wire_learner_decode(span_make(data, 9), &learner), ERR_FORMAT);
    ck_assert_int_eq(wire_learner_decode(span_make(data, 19), &learner), ERR_FORMAT);
    ck_assert_int_eq(wire_learner_decode(span_make(data, 21), &learner), ERR_OK);
}
END_TEST

START_TEST(test_short_data_is_refused)
{
    uint8_t data[16] = {0};
    struct wire_forward forward;
    struct wire_touch touch;
    struct span txn;
    int64_t number;
    int32_t value;
    bool valid;

    ck_assert_int_eq(wire_forward_decode(span_make(data, 15), &forward), ERR_SHORT);
    ck_assert_int_eq(wire_forward_decode(span_make(data, 16), &forward), ERR_OK);
    ck_assert_uint_eq(forward.record.len, 0);
    ck_assert_int_eq(wire_touches_check(span_make(data, 13)), ERR_FORMAT);
    ck_assert_int_eq(wire_revalidate_decode(span_make(data, 11), &touch), ERR_SHORT);
    ck_assert_int_eq(wire_revalidated_decode(span_make(data, 8), &number, &valid), ERR_SHORT);
    ck_assert_int_eq(wire_int_decode(span_make(data, 3), &value), ERR_SHORT);
    ck_assert_int_eq(wire_activate_decode(span_make(data, 7), &number, &txn), ERR_SHORT);
}
END_TEST

/* The connection of a peer that speaks SASL begins with the magic; any other first byte decides. */
START_TEST(test_auth_peek)
{
    struct wire_auth auth = {.status = AUTH_SUCCESS, .token = span_text("token")};
    struct wire_auth back;
    struct bytes out;
    size_t used;

    bytes_init(&out, &heap.mem);
    wire_auth_encode(&out, &auth);
    for (size_t len = 0; len < out.len; len++) {
        struct span part = exact(bytes_span(&out), len);

        ck_assert_int_eq(wire_auth_peek(part), len < 8 ? ERR_SHORT : ERR_OK);
        ck_assert_int_eq(wire_auth_next(part, 5, &back, &used), ERR_SHORT);
        ck_assert_uint_gt(used, len);
        ck_assert_uint_le(used, out.len);
        exact_free(part);
    }
    ck_assert_int_eq(wire_auth_next(bytes_span(&out), 5, &back, &used), ERR_OK);
    ck_assert_uint_eq(used, out.len);
    ck_assert_int_eq(back.status, AUTH_SUCCESS);
    ck_assert(span_is(back.token, "token"));
    ck_assert_int_eq(wire_auth_next(bytes_span(&out), 4, &back, &used), ERR_LONG);
    ck_assert_int_eq(wire_auth_peek(span_make("\0\0\0\v", 1)), ERR_MAGIC);
    bytes_drop(&out);
}
END_TEST

Suite *suite_wire_quorum(void)
{
    Suite *suite = suite_create("wire_quorum");
    TCase *tcase = tcase_create("all");
    int files = (int)(sizeof quorum_files / sizeof quorum_files[0]);

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, test_vectors_round_trip, 0, files);
    tcase_add_test(tcase, test_packets_in_a_stream);
    tcase_add_test(tcase, test_packet_limits);
    tcase_add_test(tcase, test_learner_forms);
    tcase_add_test(tcase, test_short_data_is_refused);
    tcase_add_test(tcase, test_auth_peek);
    suite_add_tcase(suite, tcase);
    return suite;
}
