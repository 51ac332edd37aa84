/* The handshake of client connections, and the order that each keeps. */
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

/* ---- handshake ---- */

START_TEST(test_timeout_is_clamped)
{
    static const struct {
        int32_t wish, got;
    } rows[] = {{-5, 4000},     {0, 4000},      {3999, 4000},   {4000, 4000},
                {17000, 17000}, {40000, 40000}, {40001, 40000}, {INT32_MAX, 40000}};
    struct pipe *pipe = pipe_begin(false);
    uint8_t zeros[16] = {0};

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wire_connect connect = pipe_connect_with(0, rows[i].wish, zeros);

        pipe_open(pipe, i);
        pipe_send_connect(pipe, i, &connect);
        ck_assert_int_eq(pipe_expect_connected(pipe, i, 0x0100001387410000 + (int64_t)i),
                         rows[i].got);
        ck_assert_uint_eq(pipe->notes[pipe->note_count - 1].kind, NOTE_SESSION_OPENED);
        ck_assert_uint_eq(pipe->notes[pipe->note_count - 1].b, (uint64_t)rows[i].got);
    }
    pipe_drop(pipe);
}
END_TEST

/* Pipelined requests wait until createSession is applied; nothing is answered before. */
START_TEST(test_requests_behind_the_connect_wait)
{
    struct pipe *pipe = pipe_begin(false);
    uint8_t zeros[16] = {0};
    struct wire_connect connect = pipe_connect_with(0, 4000, zeros);
    struct wire_request ping = pipe_op(OP_PING, "");

    pipe->hold = true;
    pipe_open(pipe, 0);
    pipe_send_connect(pipe, 0, &connect);
    pipe_send(pipe, 0, -2, &ping);
    pipe_expect_nothing(pipe, 0);
    ck_assert(pipe->conns[0].throttled);
    ck_assert_uint_eq(pipe->conns[0].in.len, 12);

    pipe_commit(pipe, 1);

    (void)pipe_expect_connected(pipe, 0, 0x0100001387410000);
    ck_assert_int_eq(pipe_expect(pipe, 0, -2, NULL, OP_PING), ZK_OK);
    ck_assert(!pipe->conns[0].throttled);
    pipe_drop(pipe);
}
END_TEST

/* lastZxidSeen is looked at first: before the old connection is closed, whatever the password. */
START_TEST(test_a_client_that_has_seen_more_is_turned_away_first)
{
    struct pipe *pipe = pipe_begin(false);
    int64_t session = pipe_connect(pipe, 0, 10000);
    uint8_t password[16];
    struct wire_connect connect;

    session_password(session, password);
    connect = pipe_connect_with(session, 10000, password);
    connect.last_zxid = pipe->zxid + 1;
    pipe_open(pipe, 1);
    pipe_send_connect(pipe, 1, &connect);
    ck_assert(pipe->conns[1].closed);
    pipe_expect_nothing(pipe, 1);
    ck_assert(!pipe->conns[0].closed);

    connect.last_zxid = pipe->zxid;
    pipe_open(pipe, 2);
    pipe_send_connect(pipe, 2, &connect);
    ck_assert(!pipe->conns[2].closed);
    ck_assert(pipe->conns[0].closed);
    pipe_drop(pipe);
}
END_TEST

/* The old connection goes before the password is looked at; a wrong one changes nothing else
 * (SE-8). */
START_TEST(test_wrong_password_is_refused)
{
    struct pipe *pipe = pipe_begin(false);
    int64_t session = pipe_connect(pipe, 0, 10000);
    uint8_t password[16];
    struct wire_connect connect;
    struct session_view before;
    struct session_view after;

    ck_assert(session_tracker_view(&pipe->tracker, session, &before));
    session_password(session, password);
    password[15] ^= 1;
    connect = pipe_connect_with(session, 40000, password);
    pipe_open(pipe, 1);
    pipe_send_connect(pipe, 1, &connect);
    ck_assert_int_eq(pipe_expect_connected(pipe, 1, 0), 0);
    ck_assert(pipe->conns[1].closed);
    ck_assert(pipe->conns[0].closed);
    ck_assert(session_tracker_view(&pipe->tracker, session, &after));
    ck_assert_uint_eq(before.due_us, after.due_us);
    ck_assert_uint_eq(after.timeout_ms, 10000);

    password[15] ^= 1;
    pipe_open(pipe, 2);
    pipe_send_connect(pipe, 2, &connect);
    ck_assert_int_eq(pipe_expect_connected(pipe, 2, session), 40000);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_expired_session_cannot_come_back)
{
    struct pipe *pipe = pipe_begin(false);
    int64_t session = pipe_connect(pipe, 0, 4000);
    uint8_t password[16];
    struct wire_connect connect;

    pipe_hang_up(pipe, 0);
    pipe_advance(pipe, 8000000);
    session_password(session, password);
    connect = pipe_connect_with(session, 4000, password);
    pipe_open(pipe, 1);
    pipe_send_connect(pipe, 1, &connect);
    ck_assert_int_eq(pipe_expect_connected(pipe, 1, 0), 0);
    ck_assert(pipe->conns[1].closed);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_learner_asks_the_leader_before_it_renews)
{
    struct pipe *pipe = pipe_begin(true);
    const int64_t session = 0x0300000000000007;
    uint8_t password[16];
    struct wire_connect connect;

    session_password(session, password);
    for (uint32_t i = 0; i < 2; i++) {
        bool valid = i == 0;

        connect = pipe_connect_with(session, 9000, password);
        pipe_open(pipe, i);
        pipe_send_connect(pipe, i, &connect);
        pipe_expect_nothing(pipe, i);
        ck_assert_uint_eq(pipe->request_count, i + 1);
        ck_assert_int_eq(pipe->requests[i].kind, REQUEST_REVALIDATE);
        ck_assert_int_eq(pipe->requests[i].session, session);
        pipe_verdict(pipe, session + 1, true); /* of somebody else: nothing happens */
        pipe_expect_nothing(pipe, i);

        pipe_verdict(pipe, session, valid);
        ck_assert_int_eq(pipe_expect_connected(pipe, i, valid ? session : 0), valid ? 9000 : 0);
        ck_assert(pipe->conns[i].closed == !valid);
    }
    ck_assert(pipe->conns[0].closed); /* the second attempt took its place */
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_frames_out_of_bounds_end_the_connection)
{
    static const struct {
        uint8_t bytes[12];
        size_t len;
        bool closed;
    } rows[] = {
        {{0xff, 0xff, 0xff, 0xff}, 4, true},  /* negative */
        {{0x00, 0x10, 0x00, 0x00}, 4, true},  /* 1048576: one above jute.maxbuffer */
        {{0x00, 0x0f, 0xff, 0xff}, 4, false}, /* the largest: waits for the rest */
        {{0, 0, 0, 0}, 4, true},              /* no request header */
        {{0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0}, 11, true},
        {{0x00, 0x00, 0x00}, 3, false},
    };
    struct pipe *pipe = pipe_begin(false);

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)pipe_connect(pipe, i, 4000);
        pipe_feed(pipe, i, span_make(rows[i].bytes, rows[i].len));
        ck_assert_msg(pipe->conns[i].closed == rows[i].closed, "row %u", i);
        pipe_expect_nothing(pipe, i);
    }
    pipe_drop(pipe);
}
END_TEST

/* Knows ruok, and "mask" with two bytes behind it. */
static enum clients_word answer_word(void *context, struct span input, struct bytes *out)
{
    uint32_t *asked = context;

    (*asked)++;
    if (span_is(span_make(input.at, 4), "mask")) {
        bytes_raw(out, input.at, input.len < 6 ? 0 : 6);
        return input.len < 6 ? WORD_SHORT : WORD_ANSWERED;
    }
    if (!span_is(span_make(input.at, 4), "ruok")) {
        return WORD_NONE;
    }
    bytes_raw(out, "imok", 4);
    return WORD_ANSWERED;
}

/* Only as the first bytes of a connection, and also while nothing is served. */
START_TEST(test_four_letter_words)
{
    struct pipe *pipe = pipe_begin(false);
    uint32_t asked = 0;

    clients_set_words(pipe->clients, answer_word, &asked);
    pipe_open(pipe, 0);
    pipe_feed(pipe, 0, span_text("ru"));
    pipe_expect_nothing(pipe, 0);
    pipe_feed(pipe, 0, span_text("ok"));
    ck_assert(span_is(bytes_span(&pipe->conns[0].out), "imok"));
    ck_assert(pipe->conns[0].closed);

    (void)pipe_connect(pipe, 1, 4000);
    asked = 0;
    pipe_feed(pipe, 1, span_text("ruok"));
    ck_assert_uint_eq(asked, 0);
    ck_assert(pipe->conns[1].closed); /* a length far above the limit */
    pipe_expect_nothing(pipe, 1);

    fx_clear(&pipe->fx);
    clients_drop_all(pipe->clients, &pipe->fx);
    pipe_open(pipe, 2);
    pipe_feed(pipe, 2, span_text("ruok"));
    ck_assert(span_is(bytes_span(&pipe->conns[2].out), "imok"));
    pipe_open(pipe, 3);
    pipe_feed(pipe, 3, span_make("\0\0\0\x2d", 4));
    ck_assert(pipe->conns[3].closed);
    pipe_expect_nothing(pipe, 3);

    pipe_open(pipe, 4);
    pipe_feed(pipe, 4, span_text("maska"));
    ck_assert(!pipe->conns[4].closed);
    pipe_expect_nothing(pipe, 4);
    pipe_feed(pipe, 4, span_text("b"));
    ck_assert(span_is(bytes_span(&pipe->conns[4].out), "maskab"));
    ck_assert(pipe->conns[4].closed);
    pipe_drop(pipe);
}
END_TEST

/* The one connection there is. */
static struct clients_view only_view(const struct pipe *pipe)
{
    const struct clients_conn *client = clients_next(pipe->clients, NULL);
    struct clients_view view;

    ck_assert_ptr_nonnull(client);
    ck_assert_ptr_null(clients_next(pipe->clients, client));
    clients_get_view(pipe->clients, client, &view);
    return view;
}

/* What `cons` tells: a write that took 7 ms, a read behind it, a write that was refused. */
START_TEST(test_figures_of_connections)
{
    struct pipe_options options = pipe_options_default();
    struct metrics metrics = {0};
    struct pipe *pipe;
    struct wire_request create = pipe_create("/a", "1", 0);
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", false);
    struct wire_reply reply;
    struct clients_view view;

    metrics_reset(&metrics);
    options.clients.metrics = &metrics;
    pipe = pipe_make(&options);
    ck_assert_int_ne(pipe_connect(pipe, 0, 4000), 0);
    view = only_view(pipe);
    ck_assert_int_eq(view.last_op, OP_CREATE_SESSION);
    ck_assert_int_eq(view.last_cxid, 0);
    ck_assert(view.reads);

    pipe->hold = true;
    pipe_send(pipe, 0, 1, &create);
    pipe_send(pipe, 0, 2, &get);
    view = only_view(pipe);
    ck_assert_uint_eq(view.outstanding, 2);
    ck_assert_int_eq(view.last_op, OP_CREATE_SESSION);
    pipe_advance(pipe, 7900);
    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 1, &reply, OP_CREATE), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, 2, &reply, OP_GET_DATA), ZK_OK);
    view = only_view(pipe);
    ck_assert_int_eq(view.last_op, OP_GET_DATA);
    ck_assert_int_eq(view.last_cxid, 2);
    ck_assert_int_eq(view.last_zxid, pipe->zxid);
    ck_assert_uint_eq(view.last_ms, 7);
    ck_assert_uint_eq(view.latency.max, 7);
    ck_assert_uint_eq(view.latency.count, 3);
    ck_assert_uint_eq(view.received, 3);
    ck_assert_uint_eq(view.sent, 3);
    ck_assert_uint_eq(metrics.spreads[METRIC_UPDATE_MS].summary.sum, 7);
    ck_assert_uint_eq(metrics.spreads[METRIC_READ_MS].summary.sum, 7);
    ck_assert_uint_eq(metrics.latency.count, 3);
    ck_assert_uint_eq(metrics.received, 3);
    ck_assert_int_eq(metrics.responses.min, 16 + 6); /* header, path */
    ck_assert_int_eq(metrics.responses.max, 16 + 5 + 68);

    pipe_send(pipe, 0, 3, &create);
    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 3, &reply, OP_CREATE), ZK_NODEEXISTS);
    ck_assert_int_eq(only_view(pipe).last_op, OP_NOTIFICATION);
    clients_reset_views(pipe->clients);
    view = only_view(pipe);
    ck_assert_uint_eq(view.received + view.sent + view.latency.count, 0);
    ck_assert_int_eq(view.last_cxid, -1);
    pipe_drop(pipe);
}
END_TEST

/* ---- order ---- */

START_TEST(test_reads_wait_behind_the_writes_of_their_own_connection_only)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request set = pipe_set("/a", "1");
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", false);
    struct wire_request ping = pipe_op(OP_PING, "");
    struct wire_reply reply;

    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    pipe->hold = true;
    pipe_send(pipe, 0, 1, &get);
    pipe_send(pipe, 0, 2, &set);
    pipe_send(pipe, 0, 3, &get);
    set = pipe_set("/a", "22");
    pipe_send(pipe, 0, 4, &set);
    pipe_send(pipe, 0, -2, &ping);
    pipe_send(pipe, 0, 5, &get);

    ck_assert_int_eq(pipe_expect(pipe, 0, 1, &reply, OP_GET_DATA), ZK_OK);
    ck_assert(span_is(reply.data, ""));
    pipe_expect_nothing(pipe, 0);
    ck_assert_uint_eq(pipe->log_count, 2);                     /* both writes are on their way */
    ck_assert_int_eq(pipe_call(pipe, 1, &get, &reply), ZK_OK); /* others go on */

    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 2, &reply, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(reply.stat.version, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 3, &reply, OP_GET_DATA), ZK_OK);
    ck_assert(span_is(reply.data, "1")); /* between the two writes */
    pipe_expect_nothing(pipe, 0);

    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 4, &reply, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, -2, NULL, OP_PING), ZK_OK);
    ck_assert_int_eq(pipe_last_zxid(pipe), pipe->zxid);
    ck_assert_int_eq(pipe_expect(pipe, 0, 5, &reply, OP_GET_DATA), ZK_OK);
    ck_assert(span_is(reply.data, "22"));
    pipe_drop(pipe);
}
END_TEST

/* [sync] [read] [write]: were the write on its way while the sync is not done, the read could see
 * it (CL-2). So it waits; behind it, writes go out together. */
START_TEST(test_write_waits_for_the_sync_before_it)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request sync = pipe_op(OP_SYNC, "/any/path");
    struct wire_request set = pipe_set("/a", "1");
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", true);
    struct wire_reply reply;
    int64_t last = 0;

    (void)pipe_connect(pipe, 0, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    pipe->hold = true;
    pipe->hold_syncs = true;
    pipe_send(pipe, 0, 1, &sync);
    pipe_send(pipe, 0, 2, &get);
    pipe_send(pipe, 0, 3, &set);
    set = pipe_set("/a", "22");
    pipe_send(pipe, 0, 4, &set);
    pipe_send(pipe, 0, 5, &get);
    pipe_send(pipe, 0, 6, &set);
    pipe_send(pipe, 0, 7, &sync);
    pipe_send(pipe, 0, 8, &set);
    ck_assert_uint_eq(pipe->log_count, 0);

    pipe_synced(pipe);
    ck_assert_int_eq(pipe_expect(pipe, 0, 1, &reply, OP_SYNC), ZK_OK);
    ck_assert(span_is(reply.path, "/any/path"));
    ck_assert_int_eq(pipe_expect(pipe, 0, 2, &reply, OP_GET_DATA), ZK_OK);
    ck_assert(span_is(reply.data, ""));
    pipe_expect_nothing(pipe, 0);
    ck_assert_uint_eq(pipe->log_count, 3); /* up to the next sync */

    pipe_commit(pipe, 3);
    pipe_expect_event(pipe, 0, EVENT_DATA_CHANGED, "/a");
    for (int32_t xid = 3; xid <= 6; xid++) {
        if (xid == 6) { /* the read with xid 5 set the watch again */
            pipe_expect_event(pipe, 0, EVENT_DATA_CHANGED, "/a");
        }
        ck_assert_int_eq(pipe_expect(pipe, 0, xid, &reply, xid == 5 ? OP_GET_DATA : OP_SET_DATA),
                         ZK_OK);
        ck_assert_int_ge(pipe_last_zxid(pipe), last); /* CL-6 */
        last = pipe_last_zxid(pipe);
    }
    pipe_expect_nothing(pipe, 0);

    pipe_synced(pipe);
    ck_assert_int_eq(pipe_expect(pipe, 0, 7, NULL, OP_SYNC), ZK_OK);
    ck_assert_uint_eq(pipe->log_count, 1);
    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 8, &reply, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(reply.stat.version, 4);
    pipe_drop(pipe);
}
END_TEST

/* The same with a write in flight ahead: the sync in the middle of the queue counts. */
START_TEST(test_sync_in_the_middle_holds_writes_back)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request sync = pipe_op(OP_SYNC, "/");
    struct wire_request set = pipe_set("/a", "1");
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", false);
    struct wire_reply reply;

    (void)pipe_connect(pipe, 0, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    pipe->hold = true;
    pipe->hold_syncs = true;
    pipe_send(pipe, 0, 1, &set);
    pipe_send(pipe, 0, 2, &sync);
    pipe_send(pipe, 0, 3, &get);
    set = pipe_set("/a", "22");
    pipe_send(pipe, 0, 4, &set);
    ck_assert_uint_eq(pipe->log_count, 1);

    pipe_synced(pipe); /* before the write ahead of it is applied */
    pipe_expect_nothing(pipe, 0);
    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 1, NULL, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, 2, NULL, OP_SYNC), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, 3, &reply, OP_GET_DATA), ZK_OK);
    ck_assert(span_is(reply.data, "1"));
    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 4, NULL, OP_SET_DATA), ZK_OK);
    pipe_drop(pipe);
}
END_TEST

/* A held write whose connection goes away is never sent. */
START_TEST(test_held_write_dies_with_its_connection)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request sync = pipe_op(OP_SYNC, "/");
    struct wire_request set = pipe_set("/", "1");
    struct clients_counts counts;

    (void)pipe_connect(pipe, 0, 10000);
    pipe->hold = true;
    pipe->hold_syncs = true;
    pipe_send(pipe, 0, 1, &sync);
    pipe_send(pipe, 0, 2, &set);
    pipe_hang_up(pipe, 0);
    pipe_synced(pipe);
    ck_assert_uint_eq(pipe->log_count, 0);
    clients_get_counts(pipe->clients, &counts);
    ck_assert_uint_eq(counts.outstanding, 0);
    pipe_drop(pipe);
}
END_TEST

/* The place of a sync outlives its connection: the next one is not answered in its stead. */
START_TEST(test_sync_of_a_closed_connection_keeps_its_place)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request sync = pipe_op(OP_SYNC, "/");

    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    pipe->hold_syncs = true;
    pipe_send(pipe, 0, 1, &sync);
    pipe_send(pipe, 1, 1, &sync);
    pipe_hang_up(pipe, 0);
    (void)pipe_connect(pipe, 0, 10000); /* the number is in use again */
    pipe_send(pipe, 0, 7, &sync);

    pipe_synced(pipe);
    pipe_expect_nothing(pipe, 0);
    pipe_expect_nothing(pipe, 1);
    pipe_synced(pipe);
    pipe_expect_nothing(pipe, 0);
    ck_assert_int_eq(pipe_expect(pipe, 1, 1, NULL, OP_SYNC), ZK_OK);
    pipe_synced(pipe);
    ck_assert_int_eq(pipe_expect(pipe, 0, 7, NULL, OP_SYNC), ZK_OK);
    pipe_synced(pipe); /* one too many: harmless */
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_refusals_keep_their_place)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request set = pipe_set("/a", "1");
    struct wire_request auth = {.type = OP_AUTH};
    struct wire_request ping = pipe_op(OP_PING, "");
    uint8_t unknown[12] = {0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 3, 0xe7};

    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    pipe_call_create(pipe, 0, "/a", 0);
    pipe->hold = true;
    auth.scheme = span_text("nosuch");
    auth.data = span_text("x");
    pipe_send(pipe, 0, 1, &set);
    pipe_send(pipe, 0, -4, &auth);
    pipe_send(pipe, 0, 3, &set); /* behind a failed authentication: never looked at (AU-5) */
    pipe_send(pipe, 1, 1, &set);
    pipe_feed(pipe, 1, span_make(unknown, 12));
    pipe_send(pipe, 1, -2, &ping);
    ck_assert_uint_eq(pipe->log_count, 2);
    pipe_expect_nothing(pipe, 0);

    pipe_commit(pipe, 2);
    ck_assert_int_eq(pipe_expect(pipe, 0, 1, NULL, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, -4, NULL, OP_AUTH), ZK_AUTHFAILED);
    ck_assert_int_eq(pipe_last_zxid(pipe), 0);
    ck_assert(pipe->conns[0].closed);
    pipe_expect_nothing(pipe, 0);
    ck_assert_int_eq(pipe_expect(pipe, 1, 1, NULL, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 1, 9, NULL, 999), ZK_UNIMPLEMENTED);
    ck_assert_int_eq(pipe_last_zxid(pipe), -1);
    ck_assert(pipe->conns[1].closed);
    pipe_expect_nothing(pipe, 1);
    pipe_drop(pipe);
}
END_TEST

/* Servers make these; a client that sends one is refused. */
START_TEST(test_ops_of_servers_are_refused)
{
    static const int32_t ops[] = {OP_CREATE_SESSION, OP_DELETE_CONTAINER, OP_CHECK, OP_NOTIFICATION,
                                  OP_ERROR};
    struct pipe *pipe = pipe_begin(false);

    for (uint32_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        uint32_t op = (uint32_t)ops[i];
        uint8_t frame[16] = {0,
                             0,
                             0,
                             12,
                             0,
                             0,
                             0,
                             1,
                             (uint8_t)(op >> 24),
                             (uint8_t)(op >> 16),
                             (uint8_t)(op >> 8),
                             (uint8_t)op};
        int64_t before;

        (void)pipe_connect(pipe, i, 4000);
        before = pipe->zxid;
        pipe_feed(pipe, i, span_make(frame, 16));
        ck_assert_int_eq(pipe_expect(pipe, i, 1, NULL, 999), ZK_UNIMPLEMENTED);
        ck_assert(pipe->conns[i].closed);
        ck_assert_int_eq(pipe->zxid, before);
    }
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_close_answers_then_closes)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request close = {.type = OP_CLOSE_SESSION};
    struct wire_request set = pipe_set("/", "1");
    int64_t session = pipe_connect(pipe, 0, 10000);

    pipe_call_create(pipe, 0, "/e", MODE_EPHEMERAL);
    pipe->hold = true;
    pipe_send(pipe, 0, 5, &close);
    pipe_send(pipe, 0, 6, &set); /* after the close: ignored (ZOOKEEPER-1208) */
    ck_assert_uint_eq(pipe->log_count, 1);
    pipe_expect_nothing(pipe, 0);

    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 5, NULL, OP_CLOSE_SESSION), ZK_OK);
    ck_assert_int_eq(pipe_last_zxid(pipe), pipe->zxid);
    ck_assert(pipe->conns[0].closed);
    ck_assert(!pipe->conns[0].aborted);
    pipe_expect_nothing(pipe, 0);
    ck_assert_ptr_null(tree_find(pipe->tree, span_text("/e")));
    ck_assert_int_eq(session_tracker_check(&pipe->tracker, session, SESSION_OWNER_LOCAL),
                     SESSION_UNKNOWN);
    ck_assert_uint_eq(pipe->notes[pipe->note_count - 1].kind, NOTE_SESSION_CLOSED);
    ck_assert_uint_eq(pipe->notes[pipe->note_count - 1].b, 1);
    pipe_drop(pipe);
}
END_TEST

/* The transaction of an earlier connection of the same session answers nobody. */
START_TEST(test_write_of_an_earlier_connection_answers_nobody)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request set = pipe_set("/a", "1");
    int64_t session = pipe_connect(pipe, 0, 10000);
    uint8_t password[16];
    struct wire_connect connect;
    struct wire_reply reply;

    pipe_call_create(pipe, 0, "/a", 0);
    pipe->hold = true;
    pipe_send(pipe, 0, 70, &set);
    session_password(session, password);
    connect = pipe_connect_with(session, 10000, password);
    pipe_open(pipe, 1);
    pipe_send_connect(pipe, 1, &connect);
    ck_assert_int_eq(pipe_expect_connected(pipe, 1, session), 10000);
    pipe_send(pipe, 1, 71, &set);

    pipe_commit(pipe, 1);
    pipe_expect_nothing(pipe, 1);
    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 1, 71, &reply, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(reply.stat.version, 2);
    pipe_drop(pipe);
}
END_TEST

/* A leader's own client whose session is executed elsewhere by now. */
START_TEST(test_moved_session_closes_the_old_connection)
{
    static const int32_t ops[] = {OP_GET_DATA, OP_PING, OP_SYNC, OP_DELETE};
    struct pipe *pipe = pipe_begin(false);

    for (uint32_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        struct wire_request request = pipe_op(ops[i], "/");
        int64_t session = pipe_connect(pipe, i, 10000);
        int64_t before = pipe->zxid;

        session_tracker_set_owner(&pipe->tracker, session, 44);
        pipe_send(pipe, i, 1, &request);
        ck_assert(pipe->conns[i].closed);
        pipe_expect_nothing(pipe, i);
        ck_assert_int_eq(pipe->zxid, before);
    }
    pipe_drop(pipe);
}
END_TEST

/* At a learner the refusal comes as a transaction: no reply, the connection is closed. */
START_TEST(test_moved_at_a_learner_closes_without_reply)
{
    struct pipe *pipe = pipe_begin(true);
    uint8_t zeros[16] = {0};
    struct wire_connect connect = pipe_connect_with(0, 10000, zeros);
    struct wire_request set = pipe_set("/", "1");
    const int64_t session = 0x0100001387410000;
    struct txn txn = {.header = {.client_id = session, .type = OP_CREATE_SESSION},
                      .timeout_ms = 10000};
    struct span packet;

    pipe_open(pipe, 0);
    pipe_send_connect(pipe, 0, &connect);
    ck_assert_int_eq(pipe->requests[0].op, OP_CREATE_SESSION);
    pipe_apply_txn(pipe, &txn);
    (void)pipe_expect_connected(pipe, 0, session);
    pipe_send(pipe, 0, 8, &set);
    ck_assert_uint_eq(pipe->request_count, 2);
    packet = bytes_span(&pipe->requests[1].packet);
    ck_assert_uint_gt(packet.len, 0);

    txn = (struct txn){.header = {.client_id = session, .cxid = 8, .type = OP_ERROR},
                       .error = ZK_SESSIONMOVED};
    pipe_apply_txn(pipe, &txn);
    ck_assert(pipe->conns[0].closed);
    pipe_expect_nothing(pipe, 0);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_error_transactions_are_replies)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request set = pipe_set("/none", "1");

    (void)pipe_connect(pipe, 0, 10000);
    ck_assert_int_eq(pipe_call(pipe, 0, &set, NULL), ZK_NONODE);
    ck_assert_int_eq(pipe_last_zxid(pipe), pipe->zxid);
    pipe_drop(pipe);
}
END_TEST

Suite *suite_clients(void)
{
    Suite *suite = suite_create("clients");
    TCase *join = tcase_create("join");
    TCase *order = tcase_create("order");

    tcase_add_test(join, test_timeout_is_clamped);
    tcase_add_test(join, test_requests_behind_the_connect_wait);
    tcase_add_test(join, test_a_client_that_has_seen_more_is_turned_away_first);
    tcase_add_test(join, test_wrong_password_is_refused);
    tcase_add_test(join, test_expired_session_cannot_come_back);
    tcase_add_test(join, test_learner_asks_the_leader_before_it_renews);
    tcase_add_test(join, test_frames_out_of_bounds_end_the_connection);
    tcase_add_test(join, test_four_letter_words);
    tcase_add_test(join, test_figures_of_connections);
    suite_add_tcase(suite, join);
    tcase_add_test(order, test_reads_wait_behind_the_writes_of_their_own_connection_only);
    tcase_add_test(order, test_write_waits_for_the_sync_before_it);
    tcase_add_test(order, test_sync_in_the_middle_holds_writes_back);
    tcase_add_test(order, test_held_write_dies_with_its_connection);
    tcase_add_test(order, test_sync_of_a_closed_connection_keeps_its_place);
    tcase_add_test(order, test_refusals_keep_their_place);
    tcase_add_test(order, test_ops_of_servers_are_refused);
    tcase_add_test(order, test_close_answers_then_closes);
    tcase_add_test(order, test_write_of_an_earlier_connection_answers_nobody);
    tcase_add_test(order, test_moved_session_closes_the_old_connection);
    tcase_add_test(order, test_moved_at_a_learner_closes_without_reply);
    tcase_add_test(order, test_error_transactions_are_replies);
    suite_add_tcase(suite, order);
    return suite;
}
