/* What anchors of scenario files see of the three ports: names and fields of records, cut off a
 * stream however it arrives. */
#include "protocol/client_ask.h"
#include "protocol/history.h"
#include "protocol/wire_quorum.h"
#include "protocol/wire_vote.h"
#include "sim/zk/zookeeper.h"
#include "tree/txn.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct mem_heap heap;
static struct bytes stream;
static uint64_t states[4];
static char told[4096];

static void codec_begin(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&stream, &heap.mem);
    memset(states, 0, sizeof(states));
    told[0] = 0;
}

static void codec_end(void)
{
    bytes_drop(&stream);
}

static void tell(const struct sim_record *record)
{
    size_t len = strlen(told);

    len += (size_t)snprintf(told + len, sizeof(told) - len, "%s", record->name);
    for (uint32_t i = 0; i < record->field_count; i++) {
        len += (size_t)snprintf(told + len, sizeof(told) - len, " %s=%lld", record->fields[i].name,
                                (long long)record->fields[i].value);
    }
    snprintf(told + len, sizeof(told) - len, "%s\n", record->essential ? "" : " (quiet)");
}

/* Cut `stream` as it would be cut when `step` bytes arrive at a time. */
static void cut_by(const struct sim_codec *codec, bool from_dialer, size_t step)
{
    size_t at = 0;
    size_t arrived = 0;

    memset(states, 0, sizeof(states));
    told[0] = 0;
    ck_assert_uint_le(codec->state_bytes, sizeof(states));
    while (arrived < stream.len) {
        arrived = arrived + step < stream.len ? arrived + step : stream.len;
        for (;;) {
            struct sim_record record = {.name = "?"};
            size_t len =
                codec->cut(states, from_dialer, span_make(stream.at + at, arrived - at), &record);

            if (len == 0) {
                break;
            }
            ck_assert_uint_le(len, arrived - at);
            at += len;
            tell(&record);
            if (at == arrived) {
                break;
            }
        }
    }
    ck_assert_uint_eq(at, stream.len);
}

static void expect_records(const struct sim_codec *codec, bool from_dialer, const char *wanted)
{
    static const size_t steps[] = {1, 7, 100000};

    for (size_t i = 0; i < 3; i++) {
        cut_by(codec, from_dialer, steps[i]);
        ck_assert_str_eq(told, wanted);
    }
}

static void put_request(int32_t xid, int32_t type)
{
    size_t mark = wire_frame_begin(&stream);

    wire_request_header_encode(&stream, &(struct wire_request_header){.xid = xid, .type = type});
    wire_frame_end(&stream, mark);
}

START_TEST(test_client_requests)
{
    size_t mark;

    codec_begin();
    mark = wire_frame_begin(&stream);
    wire_connect_encode(
        &stream, &(struct wire_connect){.last_zxid = 9, .timeout_ms = 6000, .session = 0x10});
    wire_frame_end(&stream, mark);
    put_request(1, OP_CREATE);
    put_request(2, OP_SET_DATA);
    put_request(XID_PING, OP_PING);
    put_request(3, OP_CLOSE_SESSION);
    put_request(4, 4711);

    expect_records(
        &zk_codec_client, true,
        "CONNECT session=16 timeout=6000 zxid=9\nCREATE xid=1\nSETDATA xid=2\nPING (quiet)\n"
        "CLOSESESSION xid=3\nUNKNOWN xid=4\n");
    codec_end();
}
END_TEST

static void put_reply(int32_t xid, int64_t zxid, int32_t err)
{
    wire_reply_header_encode(&stream,
                             &(struct wire_reply_header){.xid = xid, .zxid = zxid, .err = err});
}

START_TEST(test_client_replies)
{
    size_t mark;

    codec_begin();
    mark = wire_frame_begin(&stream);
    wire_connected_encode(&stream, &(struct wire_connected){.timeout_ms = 4000, .session = 0x10});
    wire_frame_end(&stream, mark);
    mark = wire_frame_begin(&stream);
    put_reply(7, 12, ZK_NONODE);
    wire_frame_end(&stream, mark);
    mark = wire_frame_begin(&stream);
    put_reply(XID_PING, 12, 0);
    wire_frame_end(&stream, mark);
    mark = wire_frame_begin(&stream);
    put_reply(XID_EVENT, 13, 0);
    wire_event_encode(&stream,
                      &(struct wire_event){.type = 3, .state = 3, .path = span_text("/a")});
    wire_frame_end(&stream, mark);

    expect_records(&zk_codec_client, false,
                   "CONNECTED session=16 timeout=4000\nREPLY xid=7 zxid=12 err=-101\nPONG (quiet)\n"
                   "EVENT type=3 zxid=13\n");
    codec_end();
}
END_TEST

START_TEST(test_votes)
{
    struct wire_vote vote = {.form = VOTE_FULL,
                             .state = VOTE_LEADING,
                             .leader = 3,
                             .zxid = 0x100000008,
                             .election_epoch = 2,
                             .peer_epoch = 1,
                             .version = WIRE_VOTE_VERSION,
                             .config = span_text("x")};

    codec_begin();
    wire_hello_encode(&stream, &(struct wire_hello){
                                   .form = HELLO_V1, .sid = 2, .addresses = span_text("s2:3888")});
    wire_vote_put(&stream, &vote);
    expect_records(
        &zk_codec_election, true,
        "HELLO sid=2 (quiet)\nNOTIFICATION leader=3 zxid=4294967304 epoch=1 round=2 state=2\n");
    bytes_clear(&stream);
    wire_vote_put(&stream, &vote); /* who was dialed does not introduce itself */
    expect_records(&zk_codec_election, false,
                   "NOTIFICATION leader=3 zxid=4294967304 epoch=1 round=2 state=2\n");
    codec_end();
}
END_TEST

START_TEST(test_learner_packets)
{
    struct wire_learner learner = {
        .form = LEARNER_FULL, .sid = 2, .protocol_version = WIRE_LEARNER_VERSION};
    struct wire_forward write = {
        .session = 0x10, .cxid = 5, .type = OP_CREATE, .record = span_make("", 0)};
    struct wire_forward sync = {
        .session = 0x10, .cxid = 6, .type = OP_SYNC, .record = span_make("", 0)};
    struct wire_vector nobody = {.is_null = true};

    codec_begin();
    wire_learner_put(&stream, PACKET_FOLLOWERINFO, 0x200000000, &learner);
    wire_int_put(&stream, PACKET_ACKEPOCH, 0x100000007, 1);
    wire_packet_put(&stream, PACKET_ACK, 0x100000008, span_make(NULL, 0));
    wire_forward_put(&stream, &write, &nobody);
    wire_forward_put(&stream, &sync, &nobody);
    wire_packet_put(&stream, PACKET_PING, 0, span_make(NULL, 0));

    expect_records(
        &zk_codec_quorum, true,
        "FOLLOWERINFO epoch=2 sid=2\nACKEPOCH current=1 zxid=4294967303 epoch=1 counter=7\n"
        "ACK zxid=4294967304 epoch=1 counter=8\nREQUEST session=16 cxid=5 op=1\n"
        "SYNC xid=6 session=16 cxid=6\nPING (quiet)\n");
    codec_end();
}
END_TEST

/* The snapshot behind SNAP has no frame: it ends with its mark, also when a node contains the words
 * of the mark. */
START_TEST(test_leader_packets)
{
    struct txn txn = {
        .header = {.client_id = 0x10, .cxid = 5, .zxid = 0x200000001, .type = OP_DELETE},
        .path = span_text("/a")};
    struct bytes bytes;

    codec_begin();
    bytes_init(&bytes, &heap.mem);
    txn_encode(&bytes, &txn);
    wire_int_put(&stream, PACKET_LEADERINFO, 0x200000000, WIRE_LEARNER_VERSION);
    wire_packet_put(&stream, PACKET_SNAP, 0x100000008, span_make(NULL, 0));
    bytes_raw(&stream, "tree BenWasHere and Ben more tree", 33);
    bytes_ustring(&stream, span_text(WIRE_SNAP_SIGNATURE));
    wire_packet_put(&stream, PACKET_NEWLEADER, 0x200000000, span_text("config"));
    wire_packet_put(&stream, PACKET_UPTODATE, -1, span_make(NULL, 0));
    wire_packet_put(&stream, PACKET_PROPOSAL, 0x200000001, bytes_span(&bytes));
    wire_packet_put(&stream, PACKET_COMMIT, 0x200000001, span_make(NULL, 0));
    wire_packet_put(&stream, PACKET_TRUNC, 0x100000007, span_make(NULL, 0));

    expect_records(&zk_codec_quorum, false,
                   "LEADERINFO epoch=2\nSNAP zxid=4294967304 epoch=1 counter=8\nSNAPSHOT\n"
                   "NEWLEADER epoch=2\nUPTODATE\n"
                   "PROPOSAL zxid=8589934593 epoch=2 counter=1 session=16 cxid=5 op=2\n"
                   "COMMIT zxid=8589934593 epoch=2 counter=1\n"
                   "TRUNC zxid=4294967303 epoch=1 counter=7\n");
    bytes_drop(&bytes);
    codec_end();
}
END_TEST

/* Whatever comes: no record, or one that lies within the input. */
START_TEST(test_garbage)
{
    const struct sim_codec *codecs[] = {&zk_codec_client, &zk_codec_quorum, &zk_codec_election};
    uint8_t bytes[64];
    uint64_t draw = 1;

    for (int round = 0; round < 30000; round++) {
        struct sim_record record = {.name = "?"};
        size_t len;

        for (size_t i = 0; i < sizeof(bytes); i++) {
            draw = draw * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (draw >> 60) < 8 ? (uint8_t)(draw >> 58 & 3) : (uint8_t)(draw >> 40);
        }
        memset(states, 0, sizeof(states));
        len = codecs[round % 3]->cut(states, (round & 1) != 0,
                                     span_make(bytes, 1 + (size_t)(draw >> 58)), &record);
        ck_assert_uint_le(len, 1 + (size_t)(draw >> 58));
        ck_assert_uint_le(record.field_count, SIM_FIELDS_MAX);
        ck_assert_ptr_nonnull(record.name);
    }
}
END_TEST

Suite *suite_zk_codec(void)
{
    Suite *suite = suite_create("zk_codec");
    TCase *tcase = tcase_create("ports");

    tcase_add_test(tcase, test_client_requests);
    tcase_add_test(tcase, test_client_replies);
    tcase_add_test(tcase, test_votes);
    tcase_add_test(tcase, test_learner_packets);
    tcase_add_test(tcase, test_leader_packets);
    tcase_add_test(tcase, test_garbage);
    suite_add_tcase(suite, tcase);
    return suite;
}
