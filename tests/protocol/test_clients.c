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

static struct wire_request read_op(int32_t op, const char *path, bool watch)
{
    struct wire_request request = pipe_op(op, path);

    request.watch = watch;
    return request;
}

static struct wire_request set_op(const char *path, const char *data)
{
    struct wire_request request = pipe_op(OP_SET_DATA, path);

    request.data = span_text(data);
    return request;
}

static void create(struct pipe *pipe, uint32_t conn, const char *path, int32_t flags)
{
    struct wire_request request = pipe_create(path, "", flags);

    ck_assert_int_eq(pipe_call(pipe, conn, &request, NULL), ZK_OK);
}

static uint32_t count_notes(const struct pipe *pipe, uint32_t kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < pipe->note_count; i++) {
        count += pipe->notes[i].kind == kind ? 1 : 0;
    }
    return count;
}

/* ---- handshake ---- */

static struct wire_connect connect_with(int64_t session, int32_t timeout_ms,
                                        const uint8_t password[16])
{
    return (struct wire_connect){.session = session,
                                 .timeout_ms = timeout_ms,
                                 .password = span_make(password, 16),
                                 .has_read_only = true};
}

/* The ConnectResponse that `conn` got; its timeout. */
static int32_t expect_connected(struct pipe *pipe, uint32_t conn, int64_t session)
{
    struct bytes frame;
    struct wire_connected connected;
    uint8_t password[16] = {0};

    bytes_init(&frame, &pipe->heap.mem);
    ck_assert(pipe_next_frame(pipe, conn, &frame));
    ck_assert_int_eq(wire_connected_decode(bytes_span(&frame), &connected), ERR_OK);
    ck_assert_int_eq(connected.session, session);
    if (session != 0) {
        session_password(session, password);
    }
    ck_assert(span_equal(connected.password, span_make(password, 16)));
    bytes_drop(&frame);
    return connected.timeout_ms;
}

START_TEST(test_timeout_is_clamped)
{
    static const struct {
        int32_t wish, got;
    } rows[] = {{-5, 4000},     {0, 4000},      {3999, 4000},   {4000, 4000},
                {17000, 17000}, {40000, 40000}, {40001, 40000}, {INT32_MAX, 40000}};
    struct pipe *pipe = pipe_begin(false);
    uint8_t zeros[16] = {0};

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wire_connect connect = connect_with(0, rows[i].wish, zeros);

        pipe_open(pipe, i);
        pipe_send_connect(pipe, i, &connect);
        ck_assert_int_eq(expect_connected(pipe, i, 0x0100001387410000 + (int64_t)i), rows[i].got);
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
    struct wire_connect connect = connect_with(0, 4000, zeros);
    struct wire_request ping = pipe_op(OP_PING, "");

    pipe->hold = true;
    pipe_open(pipe, 0);
    pipe_send_connect(pipe, 0, &connect);
    pipe_send(pipe, 0, -2, &ping);
    pipe_expect_nothing(pipe, 0);
    ck_assert(pipe->conns[0].throttled);
    ck_assert_uint_eq(pipe->conns[0].in.len, 12);

    pipe_commit(pipe, 1);

    (void)expect_connected(pipe, 0, 0x0100001387410000);
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
    connect = connect_with(session, 10000, password);
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
    connect = connect_with(session, 40000, password);
    pipe_open(pipe, 1);
    pipe_send_connect(pipe, 1, &connect);
    ck_assert_int_eq(expect_connected(pipe, 1, 0), 0);
    ck_assert(pipe->conns[1].closed);
    ck_assert(pipe->conns[0].closed);
    ck_assert(session_tracker_view(&pipe->tracker, session, &after));
    ck_assert_uint_eq(before.due_us, after.due_us);
    ck_assert_uint_eq(after.timeout_ms, 10000);

    password[15] ^= 1;
    pipe_open(pipe, 2);
    pipe_send_connect(pipe, 2, &connect);
    ck_assert_int_eq(expect_connected(pipe, 2, session), 40000);
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
    connect = connect_with(session, 4000, password);
    pipe_open(pipe, 1);
    pipe_send_connect(pipe, 1, &connect);
    ck_assert_int_eq(expect_connected(pipe, 1, 0), 0);
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

        connect = connect_with(session, 9000, password);
        pipe_open(pipe, i);
        pipe_send_connect(pipe, i, &connect);
        pipe_expect_nothing(pipe, i);
        ck_assert_uint_eq(pipe->request_count, i + 1);
        ck_assert_int_eq(pipe->requests[i].kind, REQUEST_REVALIDATE);
        ck_assert_int_eq(pipe->requests[i].session, session);
        pipe_verdict(pipe, session + 1, true); /* of somebody else: nothing happens */
        pipe_expect_nothing(pipe, i);

        pipe_verdict(pipe, session, valid);
        ck_assert_int_eq(expect_connected(pipe, i, valid ? session : 0), valid ? 9000 : 0);
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

static bool answer_word(void *context, const char *word, struct bytes *out)
{
    uint32_t *asked = context;

    (*asked)++;
    if (strcmp(word, "ruok") != 0) {
        return false;
    }
    bytes_raw(out, "imok", 4);
    return true;
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
    pipe_drop(pipe);
}
END_TEST

/* ---- order ---- */

START_TEST(test_reads_wait_behind_the_writes_of_their_own_connection_only)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request set = set_op("/a", "1");
    struct wire_request get = read_op(OP_GET_DATA, "/a", false);
    struct wire_request ping = pipe_op(OP_PING, "");
    struct wire_reply reply;

    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    create(pipe, 0, "/a", 0);
    pipe->hold = true;
    pipe_send(pipe, 0, 1, &get);
    pipe_send(pipe, 0, 2, &set);
    pipe_send(pipe, 0, 3, &get);
    set = set_op("/a", "22");
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

/* A write that is applied while a sync before it is not done keeps its reply back. */
START_TEST(test_write_reply_waits_for_the_sync_before_it)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request sync = pipe_op(OP_SYNC, "/any/path");
    struct wire_request set = set_op("/a", "1");
    struct wire_request get = read_op(OP_GET_DATA, "/a", true);
    struct wire_reply reply;
    int64_t write_zxid;

    (void)pipe_connect(pipe, 0, 10000);
    create(pipe, 0, "/a", 0);
    ck_assert_int_eq(pipe_call(pipe, 0, &get, &reply), ZK_OK);
    pipe->hold = true;
    pipe->hold_syncs = true;
    pipe_send(pipe, 0, 1, &sync);
    pipe_send(pipe, 0, 2, &set);
    write_zxid = pipe->zxid;
    pipe_send(pipe, 0, 3, &sync);
    pipe_send(pipe, 0, 4, &get);

    pipe_commit(pipe, 1);
    pipe_expect_event(pipe, 0, EVENT_DATA_CHANGED, "/a"); /* events wait for nothing */
    pipe_expect_nothing(pipe, 0);

    pipe_synced(pipe);
    ck_assert_int_eq(pipe_expect(pipe, 0, 1, &reply, OP_SYNC), ZK_OK);
    ck_assert(span_is(reply.path, "/any/path"));
    ck_assert_int_eq(pipe_expect(pipe, 0, 2, &reply, OP_SET_DATA), ZK_OK);
    ck_assert_int_eq(pipe_last_zxid(pipe), write_zxid);
    pipe_expect_nothing(pipe, 0);

    pipe_synced(pipe);
    ck_assert_int_eq(pipe_expect(pipe, 0, 3, NULL, OP_SYNC), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, 4, &reply, OP_GET_DATA), ZK_OK);
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
    struct wire_request set = set_op("/a", "1");
    struct wire_request auth = {.type = OP_AUTH};
    struct wire_request ping = pipe_op(OP_PING, "");
    uint8_t unknown[12] = {0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 3, 0xe7};

    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    create(pipe, 0, "/a", 0);
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
    struct wire_request set = set_op("/", "1");
    int64_t session = pipe_connect(pipe, 0, 10000);

    create(pipe, 0, "/e", MODE_EPHEMERAL);
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
    struct wire_request set = set_op("/a", "1");
    int64_t session = pipe_connect(pipe, 0, 10000);
    uint8_t password[16];
    struct wire_connect connect;
    struct wire_reply reply;

    create(pipe, 0, "/a", 0);
    pipe->hold = true;
    pipe_send(pipe, 0, 70, &set);
    session_password(session, password);
    connect = connect_with(session, 10000, password);
    pipe_open(pipe, 1);
    pipe_send_connect(pipe, 1, &connect);
    ck_assert_int_eq(expect_connected(pipe, 1, session), 10000);
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
    struct wire_connect connect = connect_with(0, 10000, zeros);
    struct wire_request set = set_op("/", "1");
    const int64_t session = 0x0100001387410000;
    struct txn txn = {.header = {.client_id = session, .type = OP_CREATE_SESSION},
                      .timeout_ms = 10000};
    struct span packet;

    pipe_open(pipe, 0);
    pipe_send_connect(pipe, 0, &connect);
    ck_assert_int_eq(pipe->requests[0].op, OP_CREATE_SESSION);
    pipe_apply_txn(pipe, &txn);
    (void)expect_connected(pipe, 0, session);
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
    struct wire_request set = set_op("/none", "1");

    (void)pipe_connect(pipe, 0, 10000);
    ck_assert_int_eq(pipe_call(pipe, 0, &set, NULL), ZK_NONODE);
    ck_assert_int_eq(pipe_last_zxid(pipe), pipe->zxid);
    pipe_drop(pipe);
}
END_TEST

/* ---- sessions ---- */

START_TEST(test_session_expires_with_its_ephemerals_and_connection)
{
    struct pipe *pipe = pipe_begin(false);
    struct wire_request exists = read_op(OP_EXISTS, "/e", true);
    struct wire_request ping = pipe_op(OP_PING, "");
    int64_t session = pipe_connect(pipe, 0, 4000);

    create(pipe, 0, "/e", MODE_EPHEMERAL);
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
    struct wire_request get = read_op(OP_GET_DATA, "/", false);
    struct wire_request set = set_op("/", "1");

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
    struct wire_connect connect = connect_with(0, 10000, zeros);
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
    struct wire_connect connect = connect_with(0, 40000, zeros);
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
    struct wire_request get = read_op(OP_GET_DATA, "/a", true);
    struct wire_request plain = read_op(OP_GET_DATA, "/a", false);
    struct wire_request set = set_op("/a", "1");
    struct wire_reply reply;

    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    create(pipe, 0, "/a", 0);
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
    struct wire_request exists = read_op(OP_EXISTS, "/secret", true);
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
    struct wire_request exists = read_op(OP_EXISTS, "/a", true);
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
    create(pipe, 1, "/b", 0);
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
    struct wire_request set = set_op("/a", "1");
    struct wire_request get = read_op(OP_GET_DATA, "/a", false);

    options.clients.outstanding_max = 10;
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    create(pipe, 0, "/a", 0);
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
    struct wire_request set = set_op("/a", "1");
    struct wire_request get = read_op(OP_GET_DATA, "/a", false);

    options.clients.queue_max = 8;
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    create(pipe, 0, "/a", 0);
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
    struct wire_request get = read_op(OP_GET_DATA, "/a", true);
    uint32_t got = 0;

    options.clients.pause_bytes = 50000;
    options.clients.held_bytes_max = 100000;
    memset(big, 'x', 10000);
    set = set_op("/a", big);
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    create(pipe, 1, "/a", 0);
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
    struct wire_request get = read_op(OP_GET_DATA, "/a", false);

    options.clients.pause_bytes = 30000;
    memset(big, 'x', 10000);
    set = set_op("/a", big);
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    create(pipe, 0, "/a", 0);
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

START_TEST(test_reader_that_is_too_slow_is_cut_off)
{
    static char big[10001];
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;
    struct wire_request set;
    struct wire_request get = read_op(OP_GET_DATA, "/a", false);
    struct wire_request watch = pipe_op(OP_ADD_WATCH, "/a");
    struct clients_counts counts;

    options.clients.pause_bytes = 20000;
    options.clients.held_bytes_max = 1000;
    memset(big, 'x', 10000);
    set = set_op("/a", big);
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 10000);
    (void)pipe_connect(pipe, 1, 10000);
    create(pipe, 1, "/a", 0);
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
    struct wire_request set = set_op("/a", "1");
    struct wire_request get = read_op(OP_GET_DATA, "/a", false);
    struct bytes frames[2];
    uint64_t before;

    (void)pipe_connect(pipe, 0, 10000);
    create(pipe, 0, "/a", 0);
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
        struct wire_request watch = read_op(OP_EXISTS, "/x", true);
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

Suite *suite_clients(void)
{
    Suite *suite = suite_create("clients");
    TCase *join = tcase_create("join");
    TCase *order = tcase_create("order");
    TCase *life = tcase_create("life");
    TCase *load = tcase_create("load");

    tcase_add_test(join, test_timeout_is_clamped);
    tcase_add_test(join, test_requests_behind_the_connect_wait);
    tcase_add_test(join, test_a_client_that_has_seen_more_is_turned_away_first);
    tcase_add_test(join, test_wrong_password_is_refused);
    tcase_add_test(join, test_expired_session_cannot_come_back);
    tcase_add_test(join, test_learner_asks_the_leader_before_it_renews);
    tcase_add_test(join, test_frames_out_of_bounds_end_the_connection);
    tcase_add_test(join, test_four_letter_words);
    suite_add_tcase(suite, join);
    tcase_add_test(order, test_reads_wait_behind_the_writes_of_their_own_connection_only);
    tcase_add_test(order, test_write_reply_waits_for_the_sync_before_it);
    tcase_add_test(order, test_sync_of_a_closed_connection_keeps_its_place);
    tcase_add_test(order, test_refusals_keep_their_place);
    tcase_add_test(order, test_ops_of_servers_are_refused);
    tcase_add_test(order, test_close_answers_then_closes);
    tcase_add_test(order, test_write_of_an_earlier_connection_answers_nobody);
    tcase_add_test(order, test_moved_session_closes_the_old_connection);
    tcase_add_test(order, test_moved_at_a_learner_closes_without_reply);
    tcase_add_test(order, test_error_transactions_are_replies);
    suite_add_tcase(suite, order);
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
    tcase_add_test(load, test_reader_that_is_too_slow_is_cut_off);
    tcase_add_test(load, test_connections_are_bounded);
    tcase_add_test(load, test_steady_requests_allocate_little);
    tcase_add_test(load, test_order_does_not_depend_on_hash_seeds);
    suite_add_tcase(suite, load);
    return suite;
}
