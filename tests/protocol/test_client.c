#include "base/digest.h"
#include "base/rand.h"
#include "protocol/help_client.h"

#include <check.h>

/* ---- connecting ---- */

/* The greeting has the bytes that Apache's client sent (vectors, connect.txt, first frame). */
START_TEST(test_greets_like_apache)
{
    static const uint8_t want[] = {
        0, 0, 0, 0x2d, 0, 0, 0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x27, 0x10, 0, 0, 0, 0, 0,
        0, 0, 0, 0,    0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0, 0, 0, 0,
    };

    bench_boot("hosts=a:2181 timeout=10000");
    bench_expect_note(NOTE_CLIENT_STATE, CLIENT_CONNECTING, "a:2181");
    bench_opened(bench_dialed("a:2181"));

    ck_assert_ptr_nonnull(bench_find(FX_SEND, 0, 0));
    ck_assert(span_equal(bench_find(FX_SEND, 0, 0)->bytes, span_make(want, sizeof want)));
}
END_TEST

/* ClientCnxn: each host has timeout / number of hosts to answer. */
START_TEST(test_silent_host_is_left)
{
    uint32_t first;

    bench_boot("hosts=a,b timeout=6000 order=fixed");
    first = bench_dialed("a:2181");
    ck_assert_uint_eq(bench_fx.wake_us, bench_now_us + 3000 * MS + 1);

    bench_wake();
    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, first, 0));
    bench_wake();
    ck_assert_uint_ne(bench_dialed("b:2181"), first);
}
END_TEST

START_TEST(test_silent_greeting_is_left)
{
    uint32_t first;

    bench_boot("hosts=a,b timeout=6000 order=fixed");
    first = bench_dialed("a:2181");
    bench_opened(first);
    bench_wake();

    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, first, 0));
    ck_assert_ptr_null(bench_find(FX_DIAL, 0, 0));
}
END_TEST

/* Refused everywhere: the waits grow with each round and stay below a second. */
START_TEST(test_back_off_is_bounded)
{
    uint64_t longest = 0;

    bench_boot("hosts=a,b order=fixed");
    for (int i = 0; i < 60; i++) {
        uint64_t wait;

        bench_closed(bench_dialed(i % 2 == 0 ? "a:2181" : "b:2181"));
        wait = bench_fx.wake_us - bench_now_us;
        ck_assert_uint_gt(wait, 0);
        ck_assert_uint_le(wait, i < 1 ? 50 * MS : 1000 * MS);
        longest = wait > longest ? wait : longest;
        bench_wake();
    }
    ck_assert_uint_gt(longest, 200 * MS);
}
END_TEST

START_TEST(test_hosts_are_shuffled_by_seed)
{
    bool other = false;

    bench_use_region();
    for (uint64_t seed = 1; seed < 20; seed++) {
        bench_boot_seed("hosts=a,b,c,d", seed);
        other = other || !span_is(bench_find(FX_DIAL, 0, 0)->bytes, "a:2181");
    }
    ck_assert(other);
    bench_boot_seed("hosts=a,b,c,d order=fixed", 3);
    (void)bench_dialed("a:2181");
}
END_TEST

START_TEST(test_session_is_taken_along)
{
    uint32_t conn = bench_connect_plain();
    struct wire_connect connect;

    bench_ask_path(1, OP_SYNC, "/");
    bench_reply(conn, 1, 0x100000007,
                &(struct wire_reply){.type = OP_SYNC, .path = span_text("/")});
    bench_closed(conn);
    bench_expect_note(NOTE_CLIENT_STATE, CLIENT_CONNECTING, NULL);
    bench_wake();
    bench_opened(bench_dialed("b:2182"));

    connect = bench_sent_connect();
    ck_assert_int_eq(connect.session, 0x55);
    ck_assert(span_is(connect.password, "0123456789abcdef"));
    ck_assert_int_eq(connect.last_zxid, 0x100000007);
    ck_assert(connect.has_read_only && !connect.read_only);
}
END_TEST

START_TEST(test_expiry_ends_everything)
{
    uint32_t conn = bench_connect_plain();

    bench_closed(conn);
    bench_ask_path(1, OP_DELETE, "/a");
    ck_assert_int_eq(bench_answered(1, NULL), 1);
    conn = bench_redial();
    bench_reply_connected(conn, 0, 0);

    bench_expect_note(NOTE_CLIENT_STATE, CLIENT_EXPIRED, NULL);
    ck_assert_int_eq(bench_answered(1, NULL), ZK_SESSIONEXPIRED);
    bench_expect_note(NOTE_FAIL, 1, "SESSIONEXPIRED");
    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, conn, 0));
    ck_assert_uint_eq(bench_fx.wake_us, WAKE_NEVER);
    bench_ask_path(2, OP_DELETE, "/a");
    ck_assert_int_eq(bench_answered(2, NULL), ZK_SESSIONEXPIRED);

    bench_ask(3, &(struct wire_request){.type = CLIENT_OP_OPEN});
    ck_assert_int_eq(bench_answered(3, NULL), 1);
    bench_opened(conn = bench_dialed(NULL));
    ck_assert_int_eq(bench_sent_connect().session, 0);
    ck_assert_int_eq(bench_sent_connect().last_zxid, 0);
    bench_reply_connected(conn, 0x66, 6000);
    ck_assert_int_eq(bench_answered(3, NULL), ZK_OK);
    ck_assert_int_eq(client_get_session(bench_client), 0x66);
}
END_TEST

START_TEST(test_reopens_when_told)
{
    uint32_t conn = bench_connect_with("hosts=a reopen=yes");

    bench_closed(conn);
    conn = bench_redial();
    bench_reply_connected(conn, 0, 0);

    ck_assert_uint_ne(bench_dialed("a:2181"), conn);
    bench_opened(bench_dialed("a:2181"));
    ck_assert_int_eq(bench_sent_connect().session, 0);
}
END_TEST

START_TEST(test_starts_when_asked)
{
    bench_boot("hosts=a start=ask");
    ck_assert_uint_eq(bench_fx.count, 0);
    bench_ask_path(1, OP_DELETE, "/a");
    ck_assert_int_eq(bench_answered(1, NULL), ZK_SESSIONEXPIRED);

    bench_ask(2, &(struct wire_request){.type = CLIENT_OP_OPEN});
    (void)bench_dialed("a:2181");
}
END_TEST

START_TEST(test_moves_to_the_host_named)
{
    uint32_t conn = bench_connect_with("hosts=a,b,c order=fixed");

    bench_ask_path(1, CLIENT_OP_MOVE, "nowhere:1");
    ck_assert_int_eq(bench_answered(1, NULL), ZK_BADARGUMENTS);
    bench_ask_path(2, OP_DELETE, "/a");
    bench_ask_path(3, CLIENT_OP_MOVE, "c:2181");

    ck_assert_int_eq(bench_answered(3, NULL), ZK_OK);
    ck_assert_int_eq(bench_answered(2, NULL), ZK_CONNECTIONLOSS);
    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, conn, 0));
    bench_opened(bench_dialed("c:2181"));
    ck_assert_int_eq(bench_sent_connect().session, 0x55);
}
END_TEST

START_TEST(test_pings_and_gives_up_in_silence)
{
    uint32_t conn = bench_connect_plain();

    ck_assert_uint_eq(bench_fx.wake_us, bench_now_us + 2000 * MS); /* (6000 * 2 / 3) / 2 */
    bench_wake();
    (void)bench_sent_request(0, XID_PING, OP_PING);
    bench_wake(); /* 4000 ms after the last byte from the server */

    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, conn, 0));
    bench_expect_note(NOTE_CLIENT_STATE, CLIENT_CONNECTING, NULL);
}
END_TEST

START_TEST(test_pongs_keep_it_connected)
{
    uint32_t conn = bench_connect_plain();

    for (int i = 0; i < 10; i++) {
        bench_wake();
        (void)bench_sent_request(0, XID_PING, OP_PING);
        bench_reply(conn, XID_PING, 5, NULL);
    }

    ck_assert_int_eq(client_get_state(bench_client), CLIENT_CONNECTED);
    ck_assert_int_eq(client_get_last_zxid(bench_client), 0); /* as Apache: pings do not count */
    bench_ask(1, &(struct wire_request){.type = OP_PING});
    (void)bench_sent_request(0, XID_PING, OP_PING);
    bench_reply(conn, XID_PING, 5, NULL);
    ck_assert_int_eq(bench_answered(1, NULL), ZK_OK);
}
END_TEST

/* ---- ops ---- */

START_TEST(test_ops_wait_for_the_session_in_order)
{
    uint32_t conn;

    bench_boot("hosts=a");
    conn = bench_dialed(NULL);
    bench_ask(1, &(struct wire_request){.type = OP_CREATE,
                                        .path = span_text("/a"),
                                        .data = span_text("x"),
                                        .acl = acl_open(),
                                        .flags = 1});
    bench_expect_note(NOTE_INVOKE, 1, "create /a \"x\" flags=1");
    bench_ask_path(2, OP_DELETE, "/b");
    bench_opened(conn);
    ck_assert_ptr_null(bench_find(FX_SEND, 0, 1)); /* the greeting alone */
    bench_reply_connected(conn, 0x55, 6000);

    ck_assert(span_is(bench_sent_request(0, 1, OP_CREATE).path, "/a"));
    ck_assert(span_is(bench_sent_request(1, 2, OP_DELETE).path, "/b"));
}
END_TEST

START_TEST(test_pipelined_replies)
{
    uint32_t conn = bench_connect_plain();
    struct client_answer answer;

    bench_ask_path(1, OP_GET_DATA, "/a");
    bench_expect_note(NOTE_INVOKE, 1, "getData /a");
    bench_ask_path(2, OP_DELETE, "/b");
    ck_assert_uint_eq(client_get_pending(bench_client), 2);
    bytes_clear(&bench_scratch);
    bench_add_reply(&(struct wire_reply_header){.xid = 1, .zxid = 7},
                    &(struct wire_reply){
                        .type = OP_GET_DATA, .data = span_text("1"), .stat = bench_sample_stat()});
    bench_add_reply(&(struct wire_reply_header){.xid = 2, .zxid = 8, .err = ZK_NONODE}, NULL);
    bench_receive(conn, bytes_span(&bench_scratch));

    ck_assert_uint_eq(bench_fx.taken, bench_scratch.len);
    ck_assert_int_eq(bench_answered(1, &answer), ZK_OK);
    ck_assert(answer.has_reply && span_is(answer.reply.data, "1"));
    ck_assert_int_eq(answer.zxid, 7);
    ck_assert_int_eq(answer.reply.stat.version, 1);
    bench_expect_note(NOTE_OK, 1, "\"1\" version=1 czxid=3 mzxid=4");
    ck_assert_int_eq(bench_answered(2, &answer), ZK_NONODE);
    ck_assert(!answer.has_reply);
    bench_expect_note(NOTE_FAIL, 2, "NONODE");
    ck_assert_int_eq(client_get_last_zxid(bench_client), 8);
    ck_assert_uint_eq(client_get_pending(bench_client), 0);
}
END_TEST

START_TEST(test_partial_frames_stay_with_the_driver)
{
    uint32_t conn = bench_connect_plain();

    bench_ask_path(1, OP_DELETE, "/b");
    bytes_clear(&bench_scratch);
    bench_add_reply(&(struct wire_reply_header){.xid = 1, .zxid = 8}, NULL);
    for (size_t len = 0; len < bench_scratch.len; len++) {
        bench_receive(conn, span_make(bench_scratch.at, len));
        ck_assert_uint_eq(bench_fx.taken, 0);
        ck_assert_int_eq(bench_answered(1, NULL), 1);
    }
    bench_receive(conn, bytes_span(&bench_scratch));

    ck_assert_int_eq(bench_answered(1, NULL), ZK_OK);
}
END_TEST

/* What was sent may have happened; what was not goes to the next server. */
START_TEST(test_lost_connection)
{
    uint32_t conn = bench_connect_plain();

    bench_ask_path(1, OP_DELETE, "/a");
    bench_ask_path(2, OP_DELETE, "/b");
    bench_closed(conn);
    ck_assert_int_eq(bench_answered(1, NULL), ZK_CONNECTIONLOSS);
    ck_assert_int_eq(bench_answered(2, NULL), ZK_CONNECTIONLOSS);
    ck_assert_ptr_nonnull(bench_find(FX_NOTE, NOTE_UNKNOWN, 1));
    ck_assert_ptr_null(bench_find(FX_NOTE, NOTE_FAIL, 0));

    bench_ask_path(3, OP_DELETE, "/c");
    ck_assert_int_eq(bench_answered(3, NULL), 1);
    conn = bench_redial();
    bench_reply_connected(conn, 0x55, 6000);
    ck_assert(span_is(bench_sent_request(0, 3, OP_DELETE).path, "/c"));
    bench_reply(conn, 3, 9, NULL);
    ck_assert_int_eq(bench_answered(3, NULL), ZK_OK);
}
END_TEST

/* ClientCnxn.readResponse: "Xid out of order" is a connection loss. */
START_TEST(test_wrong_xid_breaks_the_connection)
{
    uint32_t conn = bench_connect_plain();

    bench_ask_path(1, OP_DELETE, "/a");
    bench_ask_path(2, OP_DELETE, "/b");
    bench_reply(conn, 2, 9, NULL);

    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, conn, 0));
    ck_assert_int_eq(bench_answered(1, NULL), ZK_CONNECTIONLOSS);
    ck_assert_int_eq(bench_answered(2, NULL), ZK_CONNECTIONLOSS);
}
END_TEST

START_TEST(test_nonsense_breaks_the_connection)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\xff\xff\xff\xff", 4},                              /* negative length */
        {"\x7f\xff\xff\xff", 4},                              /* too long */
        {"\0\0\0\x04wxyz", 8},                                /* no header */
        {"\0\0\0\x10\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0", 20}, /* reply to nothing */
        {"\0\0\0\x10\xff\xff\xff\xf8\0\0\0\0\0\0\0\0\0\0\0\0",
         20}, /* setWatches that was not sent */
        {"\0\0\0\x10\xff\xff\xff\xfc\0\0\0\0\0\0\0\0\0\0\0\0", 20},   /* auth likewise */
        {"\0\0\0\x11\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\1", 21}, /* half an event */
    };
    uint32_t conn = bench_connect_plain();

    bench_receive(conn, span_make(cases[_i].bytes, cases[_i].len));

    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, conn, 0));
    ck_assert_uint_eq(bench_fx.taken, cases[_i].len);
}
END_TEST

START_TEST(test_undecodable_reply_is_unknown)
{
    uint32_t conn = bench_connect_plain();

    bench_ask_path(1, OP_EXISTS, "/a");
    bench_reply(conn, 1, 9, NULL); /* a stat is missing */

    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, conn, 0));
    ck_assert_int_eq(bench_answered(1, NULL), ZK_CONNECTIONLOSS);
}
END_TEST

START_TEST(test_queue_is_bounded)
{
    bench_boot("hosts=a queue=2");
    bench_ask_path(1, OP_DELETE, "/a");
    bench_ask_path(2, OP_DELETE, "/a");
    bench_ask_path(3, OP_DELETE, "/a");

    ck_assert_int_eq(bench_answered(3, NULL), ZK_REQUESTTIMEOUT);
    ck_assert_uint_eq(client_get_pending(bench_client), 2);
}
END_TEST

START_TEST(test_bad_asks_are_refused)
{
    static const int32_t ops[] = {OP_CREATE_SESSION, OP_SET_WATCHES,  OP_SET_WATCHES2,
                                  OP_SASL,           OP_NOTIFICATION, 77};

    (void)bench_connect_plain();
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        bytes_clear(&bench_scratch);
        bytes_i32(&bench_scratch, ops[i]);
        bytes_fill(&bench_scratch, 0, 64);
        bench_step(
            (struct input){.kind = IN_ASK, .ask = {.tag = i, .span = bytes_span(&bench_scratch)}});
        ck_assert_int_eq(bench_answered(i, NULL), ZK_BADARGUMENTS);
        ck_assert_ptr_null(bench_find(FX_SEND, 0, 0));
    }
    bench_step((struct input){.kind = IN_ASK, .ask = {.tag = 99, .span = span_text("ab")}});
    ck_assert_int_eq(bench_answered(99, NULL), ZK_BADARGUMENTS);
}
END_TEST

/* The reply header of a failed multi says 0; its first failed op is what counts. */
START_TEST(test_failed_multi)
{
    uint32_t conn = bench_connect_plain();
    struct wire_request request = {.type = OP_MULTI};
    struct wire_reply results = {.type = OP_MULTI};
    struct client_answer answer;
    struct bytes ops;

    bytes_init(&ops, &bench_driver.mem);
    wire_multi_put(&ops,
                   &(struct wire_request){.type = OP_CHECK, .path = span_text("/a"), .version = 1});
    wire_multi_put(
        &ops, &(struct wire_request){.type = OP_DELETE, .path = span_text("/b"), .version = -1});
    request.multi = (struct wire_multi){.items = bytes_span(&ops), .count = 2};
    bench_ask(1, &request);
    bench_expect_note(NOTE_INVOKE, 1, "multi [check /a version=1; delete /b]");
    (void)bench_sent_request(0, 1, OP_MULTI);

    bytes_clear(&ops);
    wire_result_put(&ops, &(struct wire_result){.type = OP_ERROR});
    wire_result_put(&ops,
                    &(struct wire_result){.type = OP_ERROR, .err = ZK_NONODE, .error = ZK_NONODE});
    results.multi = (struct wire_multi){.items = bytes_span(&ops), .count = 2};
    bench_reply(conn, 1, 9, &results);
    ck_assert_int_eq(bench_answered(1, &answer), ZK_NONODE);
    ck_assert(answer.has_reply);
    ck_assert_uint_eq(answer.reply.multi.count, 2);
    bench_expect_note(NOTE_FAIL, 1, "NONODE");
    bytes_drop(&ops);
}
END_TEST

START_TEST(test_close)
{
    uint32_t conn = bench_connect_plain();

    bench_ask(1, &(struct wire_request){.type = OP_CLOSE_SESSION});
    (void)bench_sent_request(0, 1, OP_CLOSE_SESSION);
    bench_ask_path(2, OP_DELETE, "/a");
    ck_assert_int_eq(bench_answered(2, NULL), ZK_SESSIONEXPIRED);
    bench_reply(conn, 1, 9, NULL);

    ck_assert_int_eq(bench_answered(1, NULL), ZK_OK);
    bench_expect_note(NOTE_CLIENT_STATE, CLIENT_CLOSED, NULL);
    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, conn, 0));
    ck_assert_uint_eq(bench_fx.wake_us, WAKE_NEVER);
}
END_TEST

START_TEST(test_close_that_gets_no_reply)
{
    uint32_t conn = bench_connect_plain();

    bench_ask(1, &(struct wire_request){.type = OP_CLOSE_SESSION});
    bench_closed(conn);

    ck_assert_int_eq(bench_answered(1, NULL), ZK_CONNECTIONLOSS);
    ck_assert_int_eq(client_get_state(bench_client), CLIENT_CLOSED);
    ck_assert_uint_eq(bench_fx.wake_us, WAKE_NEVER);
}
END_TEST

START_TEST(test_close_waits_for_a_connection)
{
    uint32_t conn = bench_connect_plain();

    bench_closed(conn);
    bench_ask(1, &(struct wire_request){.type = OP_CLOSE_SESSION});
    conn = bench_redial();
    bench_reply_connected(conn, 0x55, 6000);
    (void)bench_sent_request(0, 1, OP_CLOSE_SESSION);
    bench_reply(conn, 1, 9, NULL);

    ck_assert_int_eq(bench_answered(1, NULL), ZK_OK);
}
END_TEST

/* ---- configuration, memory ---- */

START_TEST(test_configurations_that_cannot_run)
{
    static const char *const bad[] = {
        "",
        "timeout=5",
        "hosts=",
        "hosts=a,,b",
        "hosts=a hosts=b",
        "hosts=a timeout=0",
        "hosts=a timeout=x",
        "hosts=a order=random",
        "hosts=a reopen=maybe",
        "hosts=a colour=red",
    };

    bench_use_region();
    ck_assert_ptr_null(client_ops.make(bench_mem, span_text(bad[_i])));
}
END_TEST

START_TEST(test_hosts_with_and_without_port)
{
    bench_boot("timeout=9000\nhosts=[::1],h:99\n order=fixed\n");
    bench_closed(bench_dialed("[::1]:2181"));
    bench_wake();
    (void)bench_dialed("h:99");
}
END_TEST

static uint64_t digest_now(void)
{
    struct digest digest = {0};

    client_ops.digest(bench_client, bench_now_us, &digest);
    return digest.sum;
}

/* Two clients in the same state have the same digest, whatever the time; asking changes it. */
START_TEST(test_digest_tells_states_apart)
{
    uint64_t early;

    bench_use_region();
    (void)bench_connect_plain();
    early = digest_now();
    bench_now_us = 777777777;
    (void)bench_connect_plain();

    ck_assert_uint_eq(digest_now(), early);
    bench_ask_path(1, OP_DELETE, "/a");
    ck_assert_uint_ne(digest_now(), early);
}
END_TEST

/* One whole life with the n-th allocation failing: an answer for every ask, or a clean halt. */
static void live_without_memory(uint64_t fail_at)
{
    struct wire_reply data = {
        .type = OP_GET_DATA, .data = span_text("1"), .stat = bench_sample_stat()};
    uint32_t conn;

    bench_mem->fail_at = bench_mem->get_count + fail_at;
    bench_client = client_ops.make(bench_mem, span_text("hosts=a/c queue=9"));
    if (bench_client == NULL) {
        return;
    }
    bench_step((struct input){.kind = IN_BOOT, .boot = {.seed = 1}});
    conn = bench_dialed(NULL);
    bench_ask_watch(1, OP_GET_DATA, "/a");
    bench_ask(2, &(struct wire_request){
                     .type = OP_AUTH, .scheme = span_text("digest"), .data = span_text("x")});
    bench_opened(conn);
    bench_reply_connected(conn, 0x55, 6000);
    if (bench_find(FX_SEND, 0, 0) != NULL) {
        bench_reply(conn, 1, 7, &data);
        if (bench_find(FX_HALT, 0, 0) != NULL) {
            return;
        }
    }
    bench_closed(conn);
    (void)bench_redial();
}

START_TEST(test_any_allocation_may_fail)
{
    bench_use_region();
    for (uint64_t fail_at = 1; fail_at < 60; fail_at++) {
        live_without_memory(fail_at);
    }
}
END_TEST

/* Bytes without meaning at any time: no crash, no unbounded work, a deadline always. */
START_TEST(test_noise)
{
    struct rand rand;

    rand_init(&rand, (uint64_t)_i);
    bench_boot("hosts=a,b");
    for (int i = 0; i < 2000; i++) {
        uint8_t noise[32];
        uint32_t conn = bench_find(FX_DIAL, 0, 0) != NULL ? bench_find(FX_DIAL, 0, 0)->id : 1;

        for (size_t j = 0; j < sizeof noise; j++) {
            noise[j] = rand_below(&rand, 3) > 0 ? 0 : (uint8_t)rand_next(&rand);
        }
        switch (rand_below(&rand, 5)) {
        case 0:
            bench_opened(conn);
            break;
        case 1:
            bench_reply_connected(conn, 5, (int32_t)rand_below(&rand, 9000));
            break;
        case 2:
            bench_ask_watch((uint64_t)i, OP_EXISTS, "/a");
            break;
        case 3:
            bench_receive(conn, span_make(noise, rand_below(&rand, sizeof noise)));
            break;
        default:
            bench_now_us += rand_below(&rand, 2000000);
            bench_step((struct input){.kind = IN_WAKE});
            break;
        }
        ck_assert(client_get_state(bench_client) == CLIENT_EXPIRED ||
                  bench_fx.wake_us != WAKE_NEVER);
        if (client_get_state(bench_client) == CLIENT_EXPIRED) {
            bench_ask(1, &(struct wire_request){.type = CLIENT_OP_OPEN});
        }
    }
}
END_TEST

static void add_connecting(TCase *tcase)
{
    tcase_add_test(tcase, test_greets_like_apache);
    tcase_add_test(tcase, test_silent_host_is_left);
    tcase_add_test(tcase, test_silent_greeting_is_left);
    tcase_add_test(tcase, test_back_off_is_bounded);
    tcase_add_test(tcase, test_hosts_are_shuffled_by_seed);
    tcase_add_test(tcase, test_session_is_taken_along);
    tcase_add_test(tcase, test_expiry_ends_everything);
    tcase_add_test(tcase, test_reopens_when_told);
    tcase_add_test(tcase, test_starts_when_asked);
    tcase_add_test(tcase, test_moves_to_the_host_named);
    tcase_add_test(tcase, test_pings_and_gives_up_in_silence);
    tcase_add_test(tcase, test_pongs_keep_it_connected);
}

static void add_ops(TCase *tcase)
{
    tcase_add_test(tcase, test_ops_wait_for_the_session_in_order);
    tcase_add_test(tcase, test_pipelined_replies);
    tcase_add_test(tcase, test_partial_frames_stay_with_the_driver);
    tcase_add_test(tcase, test_lost_connection);
    tcase_add_test(tcase, test_wrong_xid_breaks_the_connection);
    tcase_add_loop_test(tcase, test_nonsense_breaks_the_connection, 0, 7);
    tcase_add_test(tcase, test_undecodable_reply_is_unknown);
    tcase_add_test(tcase, test_queue_is_bounded);
    tcase_add_test(tcase, test_bad_asks_are_refused);
    tcase_add_test(tcase, test_failed_multi);
    tcase_add_test(tcase, test_close);
    tcase_add_test(tcase, test_close_that_gets_no_reply);
    tcase_add_test(tcase, test_close_waits_for_a_connection);
}

Suite *suite_client(void)
{
    Suite *suite = suite_create("client");
    TCase *connecting = tcase_create("connecting");
    TCase *ops = tcase_create("ops");
    TCase *others = tcase_create("others");

    tcase_add_checked_fixture(connecting, bench_setup, NULL);
    tcase_add_checked_fixture(ops, bench_setup, NULL);
    tcase_add_checked_fixture(others, bench_setup, NULL);
    add_connecting(connecting);
    add_ops(ops);
    tcase_add_loop_test(others, test_configurations_that_cannot_run, 0, 10);
    tcase_add_test(others, test_hosts_with_and_without_port);
    tcase_add_test(others, test_digest_tells_states_apart);
    tcase_add_test(others, test_any_allocation_may_fail);
    tcase_add_loop_test(others, test_noise, 1, 6);
    suite_add_tcase(suite, connecting);
    suite_add_tcase(suite, ops);
    suite_add_tcase(suite, others);
    return suite;
}
