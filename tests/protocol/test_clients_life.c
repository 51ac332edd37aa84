/* What becomes of connections: sessions that end, watches, load, slow readers. */
#include "protocol/help_pipe.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct pipe *pipe_begin(bool learner)
{
    struct pipe_options options = pipe_options_default();

    options.learner = learner;
    return pipe_make(&options);
}

static uint32_t count_notes(const struct pipe *pipe, uint32_t kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < pipe->note_count; i++) {
        count += pipe->notes[i].kind == kind ? 1 : 0;
    }
    return count;
}

/* ---- sessions ---- */

START_TEST(test_session_expires_with_its_ephemerals_and_connection)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request exists = pipe_read(OP_EXISTS, "/e", true);
    struct wire_request ping = pipe_op(OP_PING, "");
    int64_t session = pipe_connect(pipe, 0, 4000);

    pipe_call_create(pipe, 0, "/e", MODE_EPHEMERAL);
    (void)pipe_connect(pipe, 1, 40000);
    ck_assert_int_eq(pipe_call(pipe, 1, &exists, NULL), ZK_OK);
    /* Opened at 1 s with 4 s: the bucket of 6 s. A ping at 3 s moves it to 8 s. */
    pipe_advance(pipe, 2000000);
    pipe_send(pipe, 0, -2, &ping);
    ck_assert_int_eq(pipe_expect(pipe, 0, -2, NULL, OP_PING), ZK_OK);
    pipe_advance(pipe, 4999999);
    ck_assert(!pipe->conns[0].closed);
    pipe_advance(pipe, 1);
    ck_assert(pipe->conns[0].closed);
    pipe_expect_nothing(pipe, 0);
    pipe_expect_event(pipe, 1, EVENT_DELETED, "/e");
    ck_assert_ptr_null(tree_find(pipe->tree, span_text("/e")));
    ck_assert_int_eq(session_tracker_check(&pipe->tracker, session, SESSION_OWNER_LOCAL),
                     SESSION_UNKNOWN);
    pipe_drop(pipe);
}
END_TEST

/* Requests of a session that is being closed are dropped; the connection goes with the commit. */
START_TEST(test_closing_session_is_not_answered)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request get = pipe_read(OP_GET_DATA, "/", false);
    struct wire_request set = pipe_set("/", "1");

    (void)pipe_connect(pipe, 0, 4000);
    pipe->hold = true;
    pipe_advance(pipe, 7000000);
    ck_assert_uint_eq(pipe->log_count, 1);
    pipe_send(pipe, 0, 1, &get);
    pipe_send(pipe, 0, 2, &set);
    ck_assert_uint_eq(pipe->log_count, 1);
    pipe_expect_nothing(pipe, 0);
    ck_assert(!pipe->conns[0].closed);
    pipe_commit(pipe, 1);
    ck_assert(pipe->conns[0].closed);
    pipe_drop(pipe);
}
END_TEST

/* Ids that others made in our name (before a restart with an older clock) are not given out again.
 */
START_TEST(test_applied_session_ids_are_not_given_out_again)
{
    struct pipe *pipe = pipe_begin(false);
    struct txn txn = {.header = {.client_id = 0x0100001387419999, .type = OP_CREATE_SESSION},
                      .timeout_ms = 10000};

    pipe_apply_txn(pipe, &txn);
    ck_assert_int_eq(pipe_connect(pipe, 0, 10000), 0x010000138741999a);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_learner_collects_touches)
{
    struct pipe *pipe = pipe_begin(true);
    uint8_t zeros[16] = {0};
    struct wire_connect connect = pipe_connect_with(0, 10000, zeros);
    struct wire_request ping = pipe_op(OP_PING, "");
    const int64_t session = 0x0100001387410000;
    struct txn txn = {.header = {.client_id = session, .type = OP_CREATE_SESSION},
                      .timeout_ms = 10000};
    struct bytes touches;

    bytes_init(&touches, &pipe->heap.mem);
    pipe_open(pipe, 0);
    pipe_send_connect(pipe, 0, &connect);
    pipe_apply_txn(pipe, &txn);
    for (uint32_t i = 0; i < 3; i++) {
        pipe_send(pipe, 0, -2, &ping);
    }
    session_touches_take(&pipe->touches, &touches);
    ck_assert_uint_eq(touches.len, 12);
    bytes_clear(&touches);
    session_touches_take(&pipe->touches, &touches);
    ck_assert_uint_eq(touches.len, 0);
    pipe_send(pipe, 0, -2, &ping);
    session_touches_take(&pipe->touches, &touches);
    ck_assert_uint_eq(touches.len, 12);
    bytes_drop(&touches);
    pipe_drop(pipe);
}
END_TEST

/* No I/O for the session's timeout (10 s before there is one), rounded up to 10 s. */
START_TEST(test_idle_connections_are_closed)
{
    struct pipe *pipe = pipe_begin(true);
    uint8_t zeros[16] = {0};
    struct wire_connect connect = pipe_connect_with(0, 40000, zeros);
    struct txn txn = {.header = {.client_id = 0x0100001387410000, .type = OP_CREATE_SESSION},
                      .timeout_ms = 40000};

    pipe_open(pipe, 0); /* at 1 s: 1 + 10 -> 20 s */
    pipe_open(pipe, 1);
    pipe_send_connect(pipe, 1, &connect);
    pipe_apply_txn(pipe, &txn); /* 1 + 40 -> 50 s */
    pipe_advance(pipe, 18999999);
    ck_assert(!pipe->conns[0].closed);
    pipe_advance(pipe, 1);
    ck_assert(pipe->conns[0].closed);
    pipe_advance(pipe, 29999999);
    ck_assert(!pipe->conns[1].closed);
    pipe_advance(pipe, 1);
    ck_assert(pipe->conns[1].closed);
    pipe_drop(pipe);
}
END_TEST

/* ---- watches ---- */

START_TEST(test_event_comes_before_any_reply_that_shows_the_change)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", true);
    struct wire_request plain = pipe_read(OP_GET_DATA, "/a", false);
    struct wire_request set = pipe_set("/a", "1");
    struct wire_reply reply;

    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    ck_assert_int_eq(pipe_call(pipe, 0, &get, &reply), ZK_OK);
    ck_assert_int_eq(pipe_call(pipe, 1, &get, &reply), ZK_OK);
    pipe->hold = true;
    pipe_send(pipe, 1, 1, &set);
    pipe_send(pipe, 1, 2, &plain);
    pipe_send(pipe, 0, 3, &plain); /* before the commit: the old state, and no event yet */
    ck_assert_int_eq(pipe_expect(pipe, 0, 3, &reply, OP_GET_DATA), ZK_OK);
    ck_assert(span_is(reply.data, ""));

    pipe_commit(pipe, 1);
    pipe_send(pipe, 0, 4, &plain);

    pipe_expect_event(pipe, 0, EVENT_DATA_CHANGED, "/a");
    ck_assert_int_eq(pipe_last_zxid(pipe), pipe->zxid);
    ck_assert_int_eq(pipe_expect(pipe, 0, 4, &reply, OP_GET_DATA), ZK_OK);
    ck_assert(span_is(reply.data, "1"));
    pipe_expect_event(pipe, 1, EVENT_DATA_CHANGED, "/a"); /* own write: before its reply */
    ck_assert_int_eq(pipe_expect(pipe, 1, 1, &reply, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 1, 2, &reply, OP_GET_DATA), ZK_OK);
    ck_assert_uint_eq(count_notes(pipe, NOTE_WATCH_FIRED), 2);
    ck_assert_str_eq(pipe->notes[pipe->note_count - 1].text, "/a");
    pipe_drop(pipe);
}
END_TEST

/* CVE-2024-23944: who may not read the node does not hear of it, but the watch is used up. */
START_TEST(test_events_are_filtered_by_read_permission)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request exists = pipe_read(OP_EXISTS, "/secret", true);
    struct wire_request make = pipe_create("/secret", "", 0);
    struct wire_request auth = {.type = OP_AUTH};
    struct wire_request delete = pipe_op(OP_DELETE, "/secret");
    struct bytes raw;

    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    auth.scheme = span_text("digest");
    auth.data = span_text("bob:bobpw");
    pipe_send(pipe, 1, -4, &auth);
    ck_assert_int_eq(pipe_expect(pipe, 1, -4, NULL, OP_AUTH), ZK_OK);
    ck_assert_int_eq(pipe_call(pipe, 0, &exists, NULL), ZK_NONODE);
    ck_assert_int_eq(pipe_call(pipe, 1, &exists, NULL), ZK_NONODE);
    bytes_init(&raw, &pipe->heap.mem);
    acl_write_item(&raw, (struct acl){.perms = PERM_ALL,
                                      .scheme = span_text("digest"),
                                      .id = span_text("bob:0ezhUayTjEymfNB3K9C0+wkMLMo=")});
    make.acl = (struct acl_list){.raw = bytes_span(&raw), .count = 1};

    pipe_send(pipe, 1, 1, &make);

    pipe_expect_nothing(pipe, 0);
    pipe_expect_event(pipe, 1, EVENT_CREATED, "/secret");
    ck_assert_int_eq(pipe_expect(pipe, 1, 1, NULL, OP_CREATE), ZK_OK);
    ck_assert_int_eq(pipe_call(pipe, 0, &exists, NULL), ZK_NOAUTH); /* sets no watch */
    ck_assert_int_eq(pipe_call(pipe, 1, &delete, NULL), ZK_OK);
    pipe_expect_nothing(pipe, 0);
    bytes_drop(&raw);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_watches_die_with_their_connection)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request exists = pipe_read(OP_EXISTS, "/a", true);
    struct clients_counts counts;

    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    ck_assert_int_eq(pipe_call(pipe, 0, &exists, NULL), ZK_NONODE);
    ck_assert_int_eq(pipe_call(pipe, 1, &exists, NULL), ZK_NONODE);
    clients_get_counts(pipe->clients, &counts);
    ck_assert_uint_eq(counts.watches, 2);
    pipe_hang_up(pipe, 0);
    clients_get_counts(pipe->clients, &counts);
    ck_assert_uint_eq(counts.watches, 1);
    ck_assert_uint_eq(counts.connections, 1);
    pipe_call_create(pipe, 1, "/b", 0);
    fx_clear(&pipe->fx);
    clients_drop_all(pipe->clients, &pipe->fx);
    clients_get_counts(pipe->clients, &counts);
    ck_assert_uint_eq(counts.watches, 0);
    ck_assert_uint_eq(counts.connections, 0);
    ck_assert_uint_eq(counts.outstanding, 0);
    pipe_drop(pipe);
}
END_TEST

/* ---- load ---- */

START_TEST(test_load_stops_reading_connections_that_have_requests_in_flight)
{
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;
    struct wire_request set = pipe_set("/a", "1");
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", false);

    options.clients.outstanding_max = 10;
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    pipe->hold = true;
    for (int32_t i = 1; i <= 20; i++) {
        pipe_send(pipe, 0, i, &set);
    }
    ck_assert_uint_eq(pipe->log_count, 11); /* more than 10 are in process: then it stops */
    ck_assert(pipe->conns[0].throttled);
    ck_assert_int_eq(pipe_call(pipe, 1, &get, NULL), ZK_OK); /* it has none in flight */
    ck_assert(!pipe->conns[1].throttled);

    pipe->hold = false;
    pipe_commit(pipe, 1);
    for (int32_t i = 1; i <= 20; i++) {
        ck_assert_int_eq(pipe_expect(pipe, 0, i, NULL, OP_SET_DATA), ZK_OK);
    }
    ck_assert(!pipe->conns[0].throttled);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_one_connection_cannot_queue_without_end)
{
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;
    struct wire_request set = pipe_set("/a", "1");
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", false);

    options.clients.queue_max = 8;
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    pipe->hold = true;
    pipe_send(pipe, 0, 1, &set);
    for (int32_t i = 2; i <= 30; i++) {
        pipe_send(pipe, 0, i, &get);
    }
    ck_assert(pipe->conns[0].throttled);
    ck_assert_uint_gt(pipe->conns[0].in.len, 0);

    pipe_commit(pipe, 1);
    for (int32_t i = 1; i <= 30; i++) {
        ck_assert_int_eq(pipe_expect(pipe, 0, i, NULL, i == 1 ? OP_SET_DATA : OP_GET_DATA), ZK_OK);
    }
    ck_assert(!pipe->conns[0].throttled);
    ck_assert_uint_eq(pipe->conns[0].in.len, 0);
    pipe_drop(pipe);
}
END_TEST

/* A reader that does not read: its reads stop at pause_bytes, events and write replies are held,
 * and all come in order once it reads again. */
START_TEST(test_slow_reader_is_paused_and_loses_nothing)
{
    static char big[10001];
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;
    struct wire_request set;
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", true);
    uint32_t got = 0;

    options.clients.pause_bytes = 50000;
    options.clients.held_bytes_max = 100000;
    memset(big, 'x', 10000);
    set = pipe_set("/a", big);
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    pipe_call_create(pipe, 1, "/a", 0);
    ck_assert_int_eq(pipe_call(pipe, 1, &set, NULL), ZK_OK);
    for (int32_t i = 1; i <= 12; i++) {
        pipe_send(pipe, 0, i, &get);
    }
    ck_assert(pipe->conns[0].throttled);
    ck_assert(pipe->conns[0].drain_asked);
    ck_assert_uint_lt(pipe->conns[0].out.len, 70000);
    ck_assert_int_eq(pipe_call(pipe, 1, &set, NULL), ZK_OK); /* fires the watch: held */

    while (pipe->conns[0].drain_asked) {
        pipe_drain(pipe, 0);
    }
    for (int32_t i = 1; i <= 12; i++) {
        struct bytes frame;

        bytes_init(&frame, &pipe->heap.mem);
        ck_assert(pipe_next_frame(pipe, 0, &frame));
        if (frame.at[0] == 0xff) { /* the event, before any reply that shows the change */
            bytes_clear(&frame);
            ck_assert(pipe_next_frame(pipe, 0, &frame));
        }
        ck_assert_int_eq(frame.at[3], i);
        got++;
        bytes_drop(&frame);
    }
    ck_assert_uint_eq(got, 12);
    pipe_expect_nothing(pipe, 0);
    ck_assert(!pipe->conns[0].throttled);
    pipe_drop(pipe);
}
END_TEST

/* Reads that waited behind a write do not all go out at once either. */
START_TEST(test_waiting_reads_pause_too)
{
    static char big[10001];
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;
    struct wire_request set;
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", false);

    options.clients.pause_bytes = 30000;
    options.clients.held_bytes_max = 5000; /* what is not evaluated needs not be held */
    memset(big, 'x', 10000);
    set = pipe_set("/a", big);
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    pipe->hold = true;
    pipe_send(pipe, 0, 1, &set);
    for (int32_t i = 2; i <= 20; i++) {
        pipe_send(pipe, 0, i, &get);
    }

    pipe_commit(pipe, 1);

    ck_assert_uint_lt(pipe->conns[0].out.len, 45000);
    ck_assert(pipe->conns[0].throttled);
    while (pipe->conns[0].drain_asked) {
        pipe_drain(pipe, 0);
    }
    for (int32_t i = 1; i <= 20; i++) {
        ck_assert_int_eq(pipe_expect(pipe, 0, i, NULL, i == 1 ? OP_SET_DATA : OP_GET_DATA), ZK_OK);
    }
    ck_assert(!pipe->conns[0].throttled);
    pipe_drop(pipe);
}
END_TEST

/* [write] [read] [write]: a pause must not let the read see the second write. */
START_TEST(test_pause_does_not_show_in_reads_between_writes)
{
    static char big[10001];
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;
    struct wire_request set;
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", false);
    struct wire_reply reply;

    options.clients.pause_bytes = 15000;
    memset(big, 'x', 10000);
    set = pipe_set("/a", big);
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    pipe->hold = true;
    pipe_send(pipe, 0, 1, &set);
    for (int32_t xid = 2; xid <= 4; xid++) {
        pipe_send(pipe, 0, xid, &get);
    }
    set = pipe_set("/a", "second");
    pipe_send(pipe, 0, 5, &set);
    pipe_send(pipe, 0, 6, &get);

    pipe_commit(pipe, 2);

    while (pipe->conns[0].drain_asked) {
        pipe_drain(pipe, 0);
    }
    ck_assert_int_eq(pipe_expect(pipe, 0, 1, NULL, OP_SET_DATA), ZK_OK);
    for (int32_t xid = 2; xid <= 4; xid++) {
        ck_assert_int_eq(pipe_expect(pipe, 0, xid, &reply, OP_GET_DATA), ZK_OK);
        ck_assert_uint_eq(reply.data.len, 10000);
    }
    ck_assert_int_eq(pipe_expect(pipe, 0, 5, NULL, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, 6, &reply, OP_GET_DATA), ZK_OK);
    ck_assert(span_is(reply.data, "second"));
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_reader_that_is_too_slow_is_cut_off)
{
    static char big[10001];
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;
    struct wire_request set;
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", false);
    struct wire_request watch = pipe_op(OP_ADD_WATCH, "/a");
    struct clients_counts counts;

    options.clients.pause_bytes = 20000;
    options.clients.held_bytes_max = 1000;
    memset(big, 'x', 10000);
    set = pipe_set("/a", big);
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    pipe_call_create(pipe, 1, "/a", 0);
    ck_assert_int_eq(pipe_call(pipe, 0, &watch, NULL), ZK_OK);
    ck_assert_int_eq(pipe_call(pipe, 1, &set, NULL), ZK_OK);
    for (int32_t i = 1; i <= 5; i++) {
        pipe_send(pipe, 0, i, &get);
    }
    for (uint32_t i = 0; i < 60 && !pipe->conns[0].closed; i++) {
        ck_assert_int_eq(pipe_call(pipe, 1, &set, NULL), ZK_OK);
    }
    ck_assert(pipe->conns[0].closed);
    ck_assert(pipe->conns[0].aborted);
    clients_get_counts(pipe->clients, &counts);
    ck_assert_uint_eq(counts.refused, 1);
    ck_assert_uint_eq(counts.watches, 0);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_connections_are_bounded)
{
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;

    options.clients.connections_max = 2;
    pipe = pipe_make(&options);
    pipe_open(pipe, 0);
    pipe_open(pipe, 1);
    pipe_open(pipe, 2);
    ck_assert(!pipe->conns[1].closed);
    ck_assert(pipe->conns[2].closed);
    pipe_hang_up(pipe, 0);
    pipe_open(pipe, 3);
    ck_assert(!pipe->conns[3].closed);
    pipe_drop(pipe);
}
END_TEST

/* Once everything has its room, setData costs the one record of prep; a read costs nothing. */
START_TEST(test_steady_requests_allocate_little)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request set = pipe_set("/a", "1");
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", false);
    struct bytes frames[2];
    uint64_t before;

    (void)pipe_connect(pipe, 0, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    for (int32_t i = 1; i <= 200; i++) {
        ck_assert_int_eq(pipe_call(pipe, 0, i % 2 == 0 ? &set : &get, NULL), ZK_OK);
    }
    for (uint32_t i = 0; i < 2; i++) {
        size_t mark;

        bytes_init(&frames[i], &pipe->fx_heap.mem);
        mark = wire_frame_begin(&frames[i]);
        wire_request_header_encode(
            &frames[i],
            &(struct wire_request_header){.xid = 1, .type = i == 0 ? OP_GET_DATA : OP_SET_DATA});
        wire_request_encode(&frames[i], i == 0 ? &get : &set);
        wire_frame_end(&frames[i], mark);
    }
    bytes_clear(&pipe->conns[0].out);
    before = pipe->heap.mem.get_count;
    pipe_feed(pipe, 0, bytes_span(&frames[0]));
    ck_assert_uint_eq(pipe->heap.mem.get_count, before);

    bytes_clear(&pipe->conns[0].out);
    pipe_feed(pipe, 0, bytes_span(&frames[1]));
    ck_assert_uint_le(pipe->heap.mem.get_count - before,
                      3); /* record, log of the test, data of the node */
    bytes_drop(&frames[0]);
    bytes_drop(&frames[1]);
    pipe_drop(pipe);
}
END_TEST

/* Two servers with other hash seeds say the same bytes in the same order. */
START_TEST(test_order_does_not_depend_on_hash_seeds)
{
    struct bytes said[2];
    struct pipe *pipes[2];

    for (uint32_t run = 0; run < 2; run++) {
        struct pipe_options options = pipe_options_default();
        struct wire_request watch = pipe_read(OP_EXISTS, "/x", true);
        struct wire_request make = pipe_create("/x", "", 0);

        options.seed = run == 0 ? 1 : 0xfeedfacecafe;
        pipes[run] = pipe_make(&options);
        for (uint32_t i = 0; i < 30; i++) {
            (void)pipe_connect(pipes[run], i, 10000);
            ck_assert_int_eq(pipe_call(pipes[run], i, &watch, NULL), ZK_NONODE);
        }
        pipe_send(pipes[run], 7, 1, &make);
        bytes_init(&said[run], &pipes[run]->heap.mem);
        for (uint32_t i = 0; i < pipes[run]->note_count; i++) {
            bytes_u64(&said[run], pipes[run]->notes[i].a);
            bytes_u32(&said[run], pipes[run]->notes[i].kind);
        }
    }
    ck_assert_uint_gt(said[0].len, 60 * 12 - 1);
    ck_assert(span_equal(bytes_span(&said[0]), bytes_span(&said[1])));
    for (uint32_t run = 0; run < 2; run++) {
        bytes_drop(&said[run]);
        pipe_drop(pipes[run]);
    }
}
END_TEST

Suite *suite_clients_life(void)
{
    Suite *suite = suite_create("clients_life");
    TCase *life = tcase_create("life");
    TCase *load = tcase_create("load");

    tcase_add_test(life, test_session_expires_with_its_ephemerals_and_connection);
    tcase_add_test(life, test_closing_session_is_not_answered);
    tcase_add_test(life, test_applied_session_ids_are_not_given_out_again);
    tcase_add_test(life, test_learner_collects_touches);
    tcase_add_test(life, test_idle_connections_are_closed);
    tcase_add_test(life, test_event_comes_before_any_reply_that_shows_the_change);
    tcase_add_test(life, test_events_are_filtered_by_read_permission);
    tcase_add_test(life, test_watches_die_with_their_connection);
    suite_add_tcase(suite, life);
    tcase_add_test(load, test_load_stops_reading_connections_that_have_requests_in_flight);
    tcase_add_test(load, test_one_connection_cannot_queue_without_end);
    tcase_add_test(load, test_slow_reader_is_paused_and_loses_nothing);
    tcase_add_test(load, test_waiting_reads_pause_too);
    tcase_add_test(load, test_pause_does_not_show_in_reads_between_writes);
    tcase_add_test(load, test_reader_that_is_too_slow_is_cut_off);
    tcase_add_test(load, test_connections_are_bounded);
    tcase_add_test(load, test_steady_requests_allocate_little);
    tcase_add_test(load, test_order_does_not_depend_on_hash_seeds);
    suite_add_tcase(suite, load);
    return suite;
}
