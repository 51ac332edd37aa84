/* Sessions that only one server knows: local ones, their upgrade, read-only mode, isro. */
#include "protocol/help_pipe.h"
#include "protocol/server_state.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct pipe *pipe_begin(bool upgrade, bool learner)
{
    struct pipe_options options = pipe_options_default();

    options.locals = true;
    options.learner = learner;
    options.prep.ensemble = true;
    options.clients.local_upgrade = upgrade;
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

static bool has_local(const struct pipe *pipe, int64_t session)
{
    struct session_view view;

    return session_tracker_view(&pipe->locals, session, &view);
}

static bool has_global(const struct pipe *pipe, int64_t session)
{
    int32_t timeout_ms;

    return tree_session_find(pipe->tree, session, &timeout_ms);
}

/* ---- local sessions ---- */

START_TEST(test_a_local_session_costs_no_transaction)
{
    struct pipe *pipe = pipe_begin(false, false);
    struct wire_request close = pipe_op(OP_CLOSE_SESSION, "");
    int64_t session = pipe_connect(pipe, 0, 4000);

    ck_assert(has_local(pipe, session));
    ck_assert_int_eq(pipe->zxid, 0);
    pipe_call_create(pipe, 0, "/a", MODE_PERSISTENT);
    ck_assert_int_eq(pipe->zxid, 1);
    ck_assert_int_eq(pipe_call(pipe, 0, &close, NULL), ZK_OK);
    ck_assert_int_eq(pipe_last_zxid(pipe), 1); /* the last one applied: there is none of its own */
    ck_assert(pipe->conns[0].closed);
    ck_assert(!has_local(pipe, session));
    ck_assert_int_eq(pipe->zxid, 1);
    ck_assert_uint_eq(count_notes(pipe, NOTE_SESSION_CLOSED), 1);
    pipe_drop(pipe);
}
END_TEST

/* A close behind writes in flight waits for them. */
START_TEST(test_close_of_a_local_session_takes_its_turn)
{
    struct pipe *pipe = pipe_begin(false, false);
    struct wire_request create = pipe_create("/a", "", MODE_PERSISTENT);
    struct wire_request close = pipe_op(OP_CLOSE_SESSION, "");
    int64_t session = pipe_connect(pipe, 0, 4000);

    pipe->hold = true;
    pipe_send(pipe, 0, 1, &create);
    pipe_send(pipe, 0, 2, &close);
    pipe_expect_nothing(pipe, 0);
    ck_assert(has_local(pipe, session));
    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 0, 1, NULL, OP_CREATE), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, 2, NULL, OP_CLOSE_SESSION), ZK_OK);
    ck_assert(pipe->conns[0].closed);
    ck_assert(!has_local(pipe, session));
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_ephemerals_are_refused_without_upgrade)
{
    struct pipe *pipe = pipe_begin(false, false);
    struct wire_request ephemeral = pipe_create("/e", "", MODE_EPHEMERAL);
    struct wire_request sequential = pipe_create("/e", "", MODE_EPHEMERAL_SEQUENTIAL);
    int64_t session = pipe_connect(pipe, 0, 4000);

    ck_assert_int_eq(pipe_call(pipe, 0, &ephemeral, NULL), ZK_EPHEMERALONLOCALSESSION);
    ck_assert_int_eq(pipe_last_zxid(pipe), 1); /* refused by a transaction of its own */
    ephemeral.type = OP_CREATE2;
    ck_assert_int_eq(pipe_call(pipe, 0, &ephemeral, NULL), ZK_EPHEMERALONLOCALSESSION);
    ck_assert_int_eq(pipe_call(pipe, 0, &sequential, NULL), ZK_EPHEMERALONLOCALSESSION);
    ck_assert(has_local(pipe, session));
    pipe_call_create(pipe, 0, "/e", MODE_PERSISTENT);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_first_ephemeral_upgrades_once)
{
    struct pipe *pipe = pipe_begin(true, false);
    struct wire_request first = pipe_create("/e", "", MODE_EPHEMERAL);
    struct wire_request second = pipe_create("/f", "", MODE_EPHEMERAL);
    struct wire_request get = pipe_read(OP_GET_DATA, "/e", false);
    int64_t session = pipe_connect(pipe, 0, 4000);

    pipe->hold = true;
    pipe_send(pipe, 0, 1, &first);
    pipe_send(pipe, 0, 2, &second);
    pipe_send(pipe, 0, 3, &get);
    ck_assert_uint_eq(pipe->log_count, 3); /* createSession, create, create */
    ck_assert(has_local(pipe, session));
    pipe_commit(pipe, 1);
    ck_assert(has_global(pipe, session));
    ck_assert(!has_local(pipe, session));
    pipe_expect_nothing(pipe, 0); /* its client has its session already */
    pipe_commit(pipe, 2);
    ck_assert_int_eq(pipe_expect(pipe, 0, 1, NULL, OP_CREATE), ZK_OK);
    ck_assert_int_eq(pipe_last_zxid(pipe), 2);
    ck_assert_int_eq(pipe_expect(pipe, 0, 2, NULL, OP_CREATE), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, 3, NULL, OP_GET_DATA), ZK_OK);
    ck_assert_uint_eq(count_notes(pipe, NOTE_SESSION_UPGRADED), 1);
    pipe->hold = false;
    pipe_call_create(pipe, 0, "/g", MODE_EPHEMERAL);
    ck_assert_int_eq(pipe->zxid, 4);
    /* Now it expires as others do: with a closeSession. */
    pipe_advance(pipe, 9000000);
    ck_assert(!has_global(pipe, session));
    ck_assert_ptr_null(tree_find(pipe->tree, span_text("/e")));
    ck_assert(pipe->conns[0].closed);
    pipe_drop(pipe);
}
END_TEST

/* A close while the upgrade is on its way closes the session everywhere. */
START_TEST(test_close_behind_an_upgrade_is_global)
{
    struct pipe *pipe = pipe_begin(true, false);
    struct wire_request create = pipe_create("/e", "", MODE_EPHEMERAL);
    struct wire_request close = pipe_op(OP_CLOSE_SESSION, "");
    int64_t session = pipe_connect(pipe, 0, 4000);

    pipe->hold = true;
    pipe_send(pipe, 0, 1, &create);
    pipe_send(pipe, 0, 2, &close);
    ck_assert_uint_eq(pipe->log_count, 3);
    pipe->hold = false;
    pipe_commit(pipe, 3);
    ck_assert_int_eq(pipe_expect(pipe, 0, 1, NULL, OP_CREATE), ZK_OK);
    ck_assert_int_eq(pipe_expect(pipe, 0, 2, NULL, OP_CLOSE_SESSION), ZK_OK);
    ck_assert(!has_local(pipe, session) && !has_global(pipe, session));
    ck_assert_ptr_null(tree_find(pipe->tree, span_text("/e")));
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_a_multi_upgrades_too)
{
    struct pipe *pipe = pipe_begin(true, false);
    struct wire_request create = pipe_create("/e", "", MODE_EPHEMERAL);
    struct wire_request multi = {.type = OP_MULTI};
    struct bytes list;
    int64_t session = pipe_connect(pipe, 0, 4000);

    bytes_init(&list, &pipe->heap.mem);
    wire_put_multi_header(&list, &(struct wire_multi_header){.type = OP_CREATE, .err = -1});
    wire_request_encode(&list, &create);
    multi.multi = (struct wire_multi){.items = bytes_span(&list), .count = 1};
    ck_assert_int_eq(pipe_call(pipe, 0, &multi, NULL), ZK_OK);
    ck_assert(has_global(pipe, session));
    ck_assert_ptr_nonnull(tree_find(pipe->tree, span_text("/e")));
    bytes_drop(&list);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_a_local_session_expires_at_its_server)
{
    struct pipe *pipe = pipe_begin(true, false);
    int64_t session = pipe_connect(pipe, 0, 4000);
    int64_t other = pipe_connect(pipe, 1, 8000);
    struct wire_request ping = pipe_op(OP_PING, "");

    pipe_advance(pipe, 4000000);
    pipe_send(pipe, 1, -2, &ping);
    ck_assert_int_eq(pipe_expect(pipe, 1, -2, NULL, OP_PING), ZK_OK);
    pipe_advance(pipe, 2000000);
    ck_assert(pipe->conns[0].closed);
    pipe_expect_nothing(pipe, 0);
    ck_assert(!has_local(pipe, session));
    ck_assert(has_local(pipe, other));
    ck_assert(!pipe->conns[1].closed);
    ck_assert_int_eq(pipe->zxid, 0);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_coming_back_is_decided_here)
{
    struct pipe *pipe = pipe_begin(true, true);
    int64_t session = pipe_connect(pipe, 0, 4000);
    uint8_t password[16];
    struct wire_connect again;

    session_password(session, password);
    again = pipe_connect_with(session, 6000, password);
    pipe_open(pipe, 1);
    pipe_send_connect(pipe, 1, &again);
    ck_assert_int_eq(pipe_expect_connected(pipe, 1, session), 6000);
    ck_assert(pipe->conns[0].closed); /* one connection a session */
    ck_assert_uint_eq(pipe->request_count, 0);
    pipe_hang_up(pipe, 1);
    pipe_advance(pipe, 9000000);
    ck_assert(!has_local(pipe, session));
    pipe_open(pipe, 2);
    pipe_send_connect(pipe, 2, &again);
    ck_assert_uint_eq(pipe->request_count, 1); /* not ours any more: the leader may know it */
    ck_assert_int_eq(pipe->requests[0].kind, REQUEST_REVALIDATE);
    pipe_drop(pipe);
}
END_TEST

/* At a learner createSession goes to the leader ahead of the create, and touches follow it. */
START_TEST(test_a_learner_forwards_the_upgrade_first)
{
    struct pipe *pipe = pipe_begin(true, true);
    struct wire_request create = pipe_create("/e", "", MODE_EPHEMERAL);
    struct wire_request ping = pipe_op(OP_PING, "");
    int64_t session = pipe_connect(pipe, 0, 4000);
    struct txn txn = {.header = {.client_id = session, .type = OP_CREATE_SESSION},
                      .timeout_ms = 4000};

    pipe_send(pipe, 0, -2, &ping);
    ck_assert_uint_eq(ring_count(&pipe->touches.items), 0); /* nobody else's business */
    pipe_send(pipe, 0, 7, &create);
    ck_assert_uint_eq(pipe->request_count, 2);
    ck_assert_int_eq(pipe->requests[0].op, OP_CREATE_SESSION);
    ck_assert_int_eq(pipe->requests[0].cxid, 0);
    ck_assert_int_eq(pipe->requests[0].session, session);
    ck_assert_int_eq(pipe->requests[1].op, OP_CREATE);
    pipe_send(pipe, 0, -2, &ping);
    ck_assert_uint_eq(ring_count(&pipe->touches.items), 1);
    pipe_apply_txn(pipe, &txn);
    ck_assert(!has_local(pipe, session));
    ck_assert(!pipe->conns[0].closed);
    pipe_drop(pipe);
}
END_TEST

/* The leader takes what it does not know for local to the learner that asks, unless the id is its
 * own. */
START_TEST(test_a_leader_trusts_sessions_of_others)
{
    struct pipe *pipe = pipe_begin(true, false);
    struct bytes record;
    struct wire_request create = pipe_create("/a", "", MODE_PERSISTENT);
    struct request request = {.kind = REQUEST_WRITE,
                              .op = OP_CREATE,
                              .session = 0x0200000000000001,
                              .owner = SESSION_OWNER_LEARNERS};
    int64_t own = pipe_connect(pipe, 0, 4000);

    bytes_init(&record, &pipe->heap.mem);
    wire_request_encode(&record, &create);
    request.body = bytes_span(&record);
    pipe_request(pipe, &request);
    ck_assert_int_eq(prep_last_code(pipe->prep), ZK_OK);
    request.session = 0x0100000000000001; /* looks like one of ours, and is none */
    pipe_request(pipe, &request);
    ck_assert_int_eq(prep_last_code(pipe->prep), ZK_SESSIONEXPIRED);
    request.session = own; /* ours, but not through that server */
    pipe_request(pipe, &request);
    ck_assert_int_eq(prep_last_code(pipe->prep), ZK_SESSIONEXPIRED);
    bytes_clear(&record);
    create.flags = MODE_EPHEMERAL;
    wire_request_encode(&record, &create);
    request.body = bytes_span(&record);
    request.session = 0x0200000000000001;
    pipe_request(pipe, &request);
    ck_assert_int_eq(prep_last_code(pipe->prep), ZK_EPHEMERALONLOCALSESSION);
    bytes_drop(&record);
    pipe_drop(pipe);
}
END_TEST

/* ---- read-only mode ---- */

static void connect_read_only(struct pipe *pipe, uint32_t conn, int64_t session, bool read_only)
{
    uint8_t password[16] = {0};
    struct wire_connect connect;

    if (session != 0) {
        session_password(session, password);
    }
    connect = pipe_connect_with(session, 4000, password);
    connect.read_only = read_only;
    pipe_open(pipe, conn);
    pipe_send_connect(pipe, conn, &connect);
}

static int64_t take_session(struct pipe *pipe, uint32_t conn)
{
    struct bytes frame;
    struct wire_connected connected;

    bytes_init(&frame, &pipe->heap.mem);
    ck_assert(pipe_next_frame(pipe, conn, &frame));
    ck_assert_int_eq(wire_connected_decode(bytes_span(&frame), &connected), ERR_OK);
    ck_assert(connected.has_read_only && connected.read_only);
    bytes_drop(&frame);
    return connected.session;
}

START_TEST(test_read_only_refuses_what_belongs_elsewhere)
{
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe = pipe_make(&options);
    int64_t global = pipe_connect(pipe, 0, 4000);

    pipe_go_read_only(pipe);
    ck_assert(pipe->conns[0].closed);
    connect_read_only(pipe, 1, 0, false);
    ck_assert(pipe->conns[1].closed);
    pipe_expect_nothing(pipe, 1);
    connect_read_only(pipe, 2, global, true);
    ck_assert(pipe->conns[2].closed);
    pipe_expect_nothing(pipe, 2);
    connect_read_only(pipe, 3, 0x0200000000000077, true); /* of nobody: told so */
    ck_assert_int_eq(take_session(pipe, 3), 0);
    ck_assert(pipe->conns[3].closed);
    ck_assert_uint_eq(pipe->locals.count, 0);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_read_only_reads_and_leaves_nothing)
{
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe = pipe_make(&options);
    struct wire_request get = pipe_read(OP_GET_DATA, "/a", true);
    struct wire_request set = pipe_set("/a", "2");
    struct wire_request ephemeral = pipe_create("/e", "", MODE_EPHEMERAL);
    int64_t zxid;
    int64_t session;

    (void)pipe_connect(pipe, 0, 4000);
    pipe_call_create(pipe, 0, "/a", MODE_PERSISTENT);
    zxid = pipe->zxid;
    pipe_go_read_only(pipe);
    connect_read_only(pipe, 1, 0, true);
    session = take_session(pipe, 1);
    ck_assert_int_ne(session, 0);
    ck_assert_int_eq(pipe_call(pipe, 1, &get, NULL), ZK_OK);
    ck_assert_int_eq(pipe_last_zxid(pipe), zxid);
    ck_assert_int_eq(pipe_call(pipe, 1, &set, NULL), ZK_NOTREADONLY);
    ck_assert_int_eq(pipe_last_zxid(pipe), zxid);
    ck_assert_int_eq(pipe_call(pipe, 1, &ephemeral, NULL), ZK_NOTREADONLY);
    pipe_hang_up(pipe, 1);
    connect_read_only(pipe, 2, session, true);
    ck_assert_int_eq(take_session(pipe, 2), session); /* in time */
    pipe_advance(pipe, 9000000);
    ck_assert(pipe->conns[2].closed);
    ck_assert_int_eq(pipe->zxid, zxid);
    ck_assert(!has_global(pipe, session));
    ck_assert_int_eq(tree_zxid(pipe->tree), zxid);
    pipe_drop(pipe);
}
END_TEST

/* ---- isro ---- */

static void expect_word(struct server *server, const char *word, const char *want)
{
    struct mem_heap heap;
    struct bytes out;

    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&out, &heap.mem);
    ck_assert_int_eq(server_answer_word(server, span_text(word), &out),
                     want != NULL ? WORD_ANSWERED : WORD_NONE);
    ck_assert(want == NULL || span_is(bytes_span(&out), want));
    bytes_drop(&out);
}

START_TEST(test_isro_tells_how_far_a_server_serves)
{
    struct server *server = calloc(1, sizeof(*server));

    expect_word(server, "isro", "isro is not executed because it is not in the whitelist.\n");
    server->config.four_letter_words = span_text("ruok, isro,srvr");
    expect_word(server, "isro", "null");
    server->config.four_letter_words = span_text("ruok, misro,isrox");
    expect_word(server, "isro", "isro is not executed because it is not in the whitelist.\n");
    server->config.four_letter_words = span_text("*");
    expect_word(server, "isro", "null");
    server->config.four_letter_words = span_text("");
    server->config.read_only_enabled = true;
    server->read_only = true;
    expect_word(server, "isro", "ro");
    server->read_only = false;
    server->serving = true;
    expect_word(server, "isro", "rw");
    expect_word(server, "abcd", NULL);
    free(server);
}
END_TEST

Suite *suite_clients_local(void)
{
    Suite *suite = suite_create("clients_local");
    TCase *local = tcase_create("local sessions");
    TCase *read_only = tcase_create("read-only mode");

    tcase_add_test(local, test_a_local_session_costs_no_transaction);
    tcase_add_test(local, test_close_of_a_local_session_takes_its_turn);
    tcase_add_test(local, test_ephemerals_are_refused_without_upgrade);
    tcase_add_test(local, test_first_ephemeral_upgrades_once);
    tcase_add_test(local, test_close_behind_an_upgrade_is_global);
    tcase_add_test(local, test_a_multi_upgrades_too);
    tcase_add_test(local, test_a_local_session_expires_at_its_server);
    tcase_add_test(local, test_coming_back_is_decided_here);
    tcase_add_test(local, test_a_learner_forwards_the_upgrade_first);
    tcase_add_test(local, test_a_leader_trusts_sessions_of_others);
    tcase_add_test(read_only, test_read_only_refuses_what_belongs_elsewhere);
    tcase_add_test(read_only, test_read_only_reads_and_leaves_nothing);
    tcase_add_test(read_only, test_isro_tells_how_far_a_server_serves);
    suite_add_tcase(suite, local);
    suite_add_tcase(suite, read_only);
    return suite;
}
