#include "protocol/help_client.h"

#include <check.h>

/* ---- watches and credentials ---- */

static bool listed(const struct wire_vector *list, const char *path)
{
    struct wire_vector cursor = *list;
    struct span item;

    while (wire_next_string(&cursor, &item)) {
        if (span_is(item, path)) {
            return true;
        }
    }
    return false;
}

/* Watches are set again with the last zxid seen; one-shot watches that fired are gone. */
START_TEST(test_watches_are_set_again)
{
    uint32_t conn = bench_connect_plain();
    struct wire_reply data = {
        .type = OP_GET_DATA, .data = span_text("1"), .stat = bench_sample_stat()};
    struct wire_reply names = {.type = OP_GET_CHILDREN, .strings = wire_vector_empty()};
    struct wire_request request;

    bench_ask_watch(1, OP_GET_DATA, "/data");
    bench_expect_note(NOTE_INVOKE, 1, "getData /data watch");
    bench_reply(conn, 1, 7, &data);
    bench_ask_watch(2, OP_EXISTS, "/missing");
    bench_reply_error(conn, 2, ZK_NONODE);
    bench_ask_watch(3, OP_GET_CHILDREN, "/kids");
    bench_reply(conn, 3, 9, &names);
    bench_ask_watch(4, OP_GET_DATA, "/none"); /* fails: no watch */
    bench_reply_error(conn, 4, ZK_NONODE);
    bench_ask_watch(5, OP_GET_DATA, "/fired");
    bench_reply(conn, 5, 10, &data);
    bench_event(conn, EVENT_DATA_CHANGED, "/fired");
    bench_expect_note(NOTE_EVENT, EVENT_DATA_CHANGED, "/fired");
    bench_closed(conn);
    conn = bench_redial();

    request = bench_sent_request(1, XID_SET_WATCHES, OP_SET_WATCHES);
    ck_assert_int_eq(request.watches.relative_zxid, 10);
    ck_assert_uint_eq(request.watches.list[WATCH_LIST_DATA].count, 1);
    ck_assert(listed(&request.watches.list[WATCH_LIST_DATA], "/data"));
    ck_assert_uint_eq(request.watches.list[WATCH_LIST_EXIST].count, 1);
    ck_assert(listed(&request.watches.list[WATCH_LIST_EXIST], "/missing"));
    ck_assert_uint_eq(request.watches.list[WATCH_LIST_CHILD].count, 1);
    ck_assert(listed(&request.watches.list[WATCH_LIST_CHILD], "/kids"));
    bench_reply_connected(conn, 0x55, 6000);
    bench_event(conn, EVENT_DELETED, "/data");
    bench_reply(conn, XID_SET_WATCHES, 11, NULL);
    bench_closed(conn);
    (void)bench_redial();
    request = bench_sent_request(1, XID_SET_WATCHES, OP_SET_WATCHES);
    ck_assert_uint_eq(request.watches.list[WATCH_LIST_DATA].count, 0);
}
END_TEST

START_TEST(test_persistent_watches)
{
    uint32_t conn = bench_connect_plain();
    struct wire_reply added = {.type = OP_ADD_WATCH};
    struct wire_request request;

    for (int32_t mode = 0; mode <= 1; mode++) {
        bench_ask(1, &(struct wire_request){
                         .type = OP_ADD_WATCH, .path = span_text("/p"), .flags = mode});
        bench_reply(conn, mode + 1, 7, &added);
    }
    bench_event(conn, EVENT_DATA_CHANGED, "/p"); /* uses up nothing */
    bench_closed(conn);
    conn = bench_redial();
    request = bench_sent_request(1, XID_SET_WATCHES, OP_SET_WATCHES2);
    ck_assert(listed(&request.watches.list[WATCH_LIST_PERSISTENT], "/p"));
    ck_assert(listed(&request.watches.list[WATCH_LIST_RECURSIVE], "/p"));

    bench_reply_connected(conn, 0x55, 6000);
    bench_reply(conn, XID_SET_WATCHES, 11, NULL);
    bench_ask(2, &(struct wire_request){
                     .type = OP_REMOVE_WATCHES, .path = span_text("/p"), .flags = WATCH_TYPE_ANY});
    bench_reply(conn, 3, 7, NULL);
    ck_assert_int_eq(bench_answered(2, NULL), ZK_OK);
    bench_closed(conn);
    (void)bench_redial();
    ck_assert(wire_is_null(bench_sent(1)));
}
END_TEST

/* More watches than one packet holds are split, none is lost. */
START_TEST(test_many_watches_are_split)
{
    uint32_t conn = bench_connect_plain();
    struct wire_reply data = {
        .type = OP_GET_DATA, .data = span_text("1"), .stat = bench_sample_stat()};
    uint32_t count = 0;
    uint32_t packets = 0;
    struct text number;
    char path[220];

    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    for (int i = 0; i < 1500; i++) {
        text_init(&number, path + 1, 6);
        text_padded(&number, i, 5);
        path[6] = '-';
        bench_ask_watch(1, OP_GET_DATA, path);
        bench_reply(conn, i + 1, 7, &data);
    }
    bench_closed(conn);
    conn = bench_redial();
    while (!wire_is_null(bench_sent(packets + 1))) {
        struct wire_request request =
            bench_sent_request(packets + 1, XID_SET_WATCHES, OP_SET_WATCHES);

        ck_assert_uint_le(bench_sent(packets + 1).len, CLIENT_SET_WATCHES_BYTES + 300);
        count += request.watches.list[WATCH_LIST_DATA].count;
        packets++;
    }

    ck_assert_uint_eq(count, 1500);
    ck_assert_uint_ge(packets, 3);
    bench_reply_connected(conn, 0x55, 6000);
    bench_ask_path(9, OP_DELETE, "/a");
    bench_reply(conn, 1501, 8, NULL); /* before all setWatches are answered: out of order */
    ck_assert_ptr_nonnull(bench_find(FX_CLOSE, conn, 0));
}
END_TEST

/* ClientCnxn.primeConnection: greeting, auth packets, watches, then requests. */
START_TEST(test_credentials_come_before_watches)
{
    struct wire_request auth = {
        .type = OP_AUTH, .scheme = span_text("digest"), .data = span_text("u:p")};
    struct wire_reply data = {
        .type = OP_GET_DATA, .data = span_text("1"), .stat = bench_sample_stat()};
    uint32_t conn = bench_connect_plain();

    bench_ask(1, &auth);
    bench_expect_note(NOTE_INVOKE, 1, "auth digest");
    ck_assert(span_is(bench_sent_request(0, XID_AUTH, OP_AUTH).data, "u:p"));
    bench_reply(conn, XID_AUTH, 0, NULL);
    ck_assert_int_eq(bench_answered(1, NULL), ZK_OK);
    bench_ask_watch(2, OP_GET_DATA, "/a");
    bench_reply(conn, 1, 7, &data);
    bench_closed(conn);
    bench_ask(3, &auth); /* waits for the next connection */
    ck_assert_int_eq(bench_answered(3, NULL), 1);
    conn = bench_redial();

    (void)bench_sent_request(1, XID_AUTH, OP_AUTH);
    (void)bench_sent_request(2, XID_AUTH, OP_AUTH);
    (void)bench_sent_request(3, XID_SET_WATCHES, OP_SET_WATCHES);
    bench_reply_connected(conn, 0x55, 6000);
    bench_reply(conn, XID_AUTH, 0, NULL);
    ck_assert_int_eq(bench_answered(3, NULL), 1);
    bench_reply(conn, XID_AUTH, 0, NULL);
    ck_assert_int_eq(bench_answered(3, NULL), ZK_OK);
}
END_TEST

START_TEST(test_refused_credentials_end_the_session)
{
    uint32_t conn = bench_connect_plain();

    bench_ask(1, &(struct wire_request){
                     .type = OP_AUTH, .scheme = span_text("no"), .data = span_text("x")});
    bench_ask_path(2, OP_DELETE, "/a");
    bench_reply_error(conn, XID_AUTH, ZK_AUTHFAILED);

    ck_assert_int_eq(bench_answered(1, NULL), ZK_AUTHFAILED);
    ck_assert_int_eq(bench_answered(2, NULL), ZK_CONNECTIONLOSS); /* it was sent */
    ck_assert_int_eq(client_get_state(bench_client), CLIENT_CLOSED);
}
END_TEST

/* ---- chroot ---- */

START_TEST(test_chroot)
{
    uint32_t conn = bench_connect_with("hosts=a/app/x/");
    struct client_answer answer;

    bench_ask(1, &(struct wire_request){
                     .type = OP_CREATE, .path = span_text("/n-"), .acl = acl_open(), .flags = 2});
    ck_assert(span_is(bench_sent_request(0, 1, OP_CREATE).path, "/app/x/n-"));
    bench_reply(conn, 1, 7,
                &(struct wire_reply){.type = OP_CREATE, .path = span_text("/app/x/n-0000000001")});
    ck_assert_int_eq(bench_answered(1, &answer), ZK_OK);
    ck_assert(span_is(answer.reply.path, "/n-0000000001"));
    bench_expect_note(NOTE_OK, 1, "/n-0000000001");
    bench_ask_watch(2, OP_EXISTS, "/");
    ck_assert(span_is(bench_sent_request(0, 2, OP_EXISTS).path, "/app/x"));
    bench_reply(conn, 2, 8, &(struct wire_reply){.type = OP_EXISTS, .stat = bench_sample_stat()});
    bench_event(conn, EVENT_DELETED, "/app/x");
    bench_expect_note(NOTE_EVENT, EVENT_DELETED, "/");
    bench_event(conn, EVENT_DELETED, "/app/x/k");
    bench_expect_note(NOTE_EVENT, EVENT_DELETED, "/k");
    bench_event(conn, EVENT_DELETED, "/app/xylophone");
    bench_expect_note(NOTE_EVENT, EVENT_DELETED, "/app/xylophone");
}
END_TEST

START_TEST(test_chroot_of_multi_and_lists)
{
    uint32_t conn = bench_connect_with("hosts=a/app");
    struct wire_request request = {.type = OP_MULTI};
    struct wire_reply results = {.type = OP_MULTI};
    struct client_answer answer;
    struct wire_request op;
    struct wire_result result;
    struct bytes ops;
    struct span path;

    bytes_init(&ops, &bench_driver.mem);
    wire_multi_put(&ops, &(struct wire_request){
                             .type = OP_CREATE, .path = span_text("/a"), .acl = acl_open()});
    request.multi = (struct wire_multi){.items = bytes_span(&ops), .count = 1};
    bench_ask(1, &request);
    request = bench_sent_request(0, 1, OP_MULTI);
    ck_assert(wire_multi_next(&request.multi, &op));
    ck_assert(span_is(op.path, "/app/a"));

    bytes_clear(&ops);
    wire_result_put(
        &ops, &(struct wire_result){.type = OP_CREATE, .reply = {.path = span_text("/app/a")}});
    results.multi = (struct wire_multi){.items = bytes_span(&ops), .count = 1};
    bench_reply(conn, 1, 9, &results);
    ck_assert_int_eq(bench_answered(1, &answer), ZK_OK);
    ck_assert(wire_result_next(&answer.reply.multi, &result));
    ck_assert(span_is(result.reply.path, "/a"));

    bench_ask_path(2, OP_GET_EPHEMERALS, "/");
    bytes_clear(&ops);
    wire_put_buffer(&ops, span_text("/app/e"));
    bench_reply(conn, 2, 9,
                &(struct wire_reply){.type = OP_GET_EPHEMERALS,
                                     .strings = {.items = bytes_span(&ops), .count = 1}});
    ck_assert_int_eq(bench_answered(2, &answer), ZK_OK);
    ck_assert(wire_next_string(&answer.reply.strings, &path));
    ck_assert(span_is(path, "/e"));
    bytes_drop(&ops);
}
END_TEST

Suite *suite_client_watch(void)
{
    Suite *suite = suite_create("client_watch");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, bench_setup, NULL);
    tcase_add_test(tcase, test_watches_are_set_again);
    tcase_add_test(tcase, test_persistent_watches);
    tcase_add_test(tcase, test_many_watches_are_split);
    tcase_add_test(tcase, test_credentials_come_before_watches);
    tcase_add_test(tcase, test_refused_credentials_end_the_session);
    tcase_add_test(tcase, test_chroot);
    tcase_add_test(tcase, test_chroot_of_multi_and_lists);
    suite_add_tcase(suite, tcase);
    return suite;
}
