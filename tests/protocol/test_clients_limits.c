/* Limits that hosts, load and size run into, and who must prove who they are. */
#include "protocol/help_pipe.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- hosts ---- */

START_TEST(test_connections_of_one_host_are_counted)
{
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;

    options.clients.per_host_max = 2;
    pipe = pipe_make(&options);
    pipe_open_from(pipe, 0, "10.0.0.1:1000");
    pipe_open_from(pipe, 1, "10.0.0.1:1001");
    pipe_open_from(pipe, 2, "10.0.0.1:1002");
    ck_assert(pipe->conns[2].closed && pipe->conns[2].aborted);
    pipe_open_from(pipe, 3, "10.0.0.11:1000");
    pipe_open_from(pipe, 4, "[::1]:1000");
    pipe_open_from(pipe, 5, "[::1]:1001");
    pipe_open_from(pipe, 6, "[::1]:1002");
    ck_assert(!pipe->conns[0].closed && !pipe->conns[1].closed && !pipe->conns[3].closed);
    ck_assert(!pipe->conns[5].closed && pipe->conns[6].closed);
    pipe_hang_up(pipe, 0);
    pipe_open_from(pipe, 7, "10.0.0.1:1003");
    ck_assert(!pipe->conns[7].closed);
    pipe_open_from(pipe, 8, "10.0.0.1:1004");
    ck_assert(pipe->conns[8].closed);
    pipe_drop(pipe);
}
END_TEST

/* Hosts come and go: nothing is left of those without connections (pipe_drop looks at memory). */
START_TEST(test_many_hosts_leave_nothing)
{
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;
    char peer[40];

    options.clients.per_host_max = 1;
    pipe = pipe_make(&options);
    for (uint32_t i = 0; i < 2000; i++) {
        snprintf(peer, sizeof(peer), "10.0.%u.%u:9", i / 200, i % 200);
        if (i >= 8) {
            pipe_hang_up(pipe, i % 8);
        }
        pipe_open_from(pipe, i % 8, peer);
        ck_assert(!pipe->conns[i % 8].closed);
    }
    pipe_drop(pipe);
}
END_TEST

/* ---- load ---- */

START_TEST(test_throttler_stops_everybody)
{
    struct pipe_options options = pipe_options_default();
    struct wire_request set = pipe_set("/", "1");
    struct wire_request get = pipe_read(OP_GET_DATA, "/", false);
    struct pipe *pipe;

    options.clients.throttle_max = 2;
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 4000);
    (void)pipe_connect(pipe, 1, 4000);
    pipe->hold = true;
    pipe_send(pipe, 0, 1, &set);
    pipe_send(pipe, 0, 2, &set);
    pipe_send(pipe, 1, 1, &get); /* would be answered at once: it waits all the same */
    ck_assert(pipe->conns[1].throttled);
    pipe_expect_nothing(pipe, 1);
    pipe_commit(pipe, 1);
    ck_assert(!pipe->conns[1].throttled);
    ck_assert_int_eq(pipe_expect(pipe, 1, 1, NULL, OP_GET_DATA), ZK_OK);
    pipe->hold = false;
    pipe_commit(pipe, 1);
    pipe_drop(pipe);
}
END_TEST

/* The load falls because a connection breaks: the others go on at once. */
START_TEST(test_throttler_goes_on_when_a_client_leaves)
{
    struct pipe_options options = pipe_options_default();
    struct wire_request set = pipe_set("/", "1");
    struct wire_request get = pipe_read(OP_GET_DATA, "/", false);
    struct pipe *pipe;

    options.clients.throttle_max = 1;
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 4000);
    (void)pipe_connect(pipe, 1, 4000);
    pipe->hold = true;
    pipe_send(pipe, 0, 1, &set);
    pipe_send(pipe, 1, 1, &get);
    ck_assert(pipe->conns[1].throttled);
    pipe_hang_up(pipe, 0);
    pipe_commit(pipe, 0);
    ck_assert(!pipe->conns[1].throttled);
    ck_assert_int_eq(pipe_expect(pipe, 1, 1, NULL, OP_GET_DATA), ZK_OK);
    pipe->hold = false;
    pipe_commit(pipe, 1);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_what_waited_too_long_is_not_executed)
{
    struct pipe_options options = pipe_options_default();
    struct wire_request set = pipe_set("/", "1");
    struct wire_request late = pipe_set("/", "late");
    struct clients_counts counts;
    struct pipe *pipe;

    options.clients.throttle_max = 1;
    options.clients.throttled_wait_ms = 500;
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 8000);
    (void)pipe_connect(pipe, 1, 8000);
    pipe->hold = true;
    pipe_send(pipe, 0, 1, &set);
    pipe_send(pipe, 1, 1, &late);
    pipe_advance(pipe, 500000);
    pipe->hold = false;
    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 1, 1, NULL, OP_SET_DATA), ZK_OK); /* just in time */

    pipe->hold = true;
    pipe_send(pipe, 0, 2, &set);
    pipe_send(pipe, 1, 2, &late);
    pipe_advance(pipe, 500001);
    pipe->hold = false;
    pipe_commit(pipe, 1);
    ck_assert_int_eq(pipe_expect(pipe, 1, 2, NULL, OP_SET_DATA), ZK_THROTTLEDOP);
    ck_assert(span_is(node_data(tree_find(pipe->tree, span_text("/"))), "1"));
    clients_get_counts(pipe->clients, &counts);
    ck_assert_uint_eq(counts.throttled_ops, 1);
    ck_assert_int_eq(pipe_call(pipe, 1, &late, NULL), ZK_OK); /* the connection goes on */
    pipe_drop(pipe);
}
END_TEST

/* ---- large requests ---- */

START_TEST(test_large_requests_share_a_bound)
{
    static char big[3000];
    struct pipe_options options = pipe_options_default();
    struct wire_request large;
    struct wire_request small = pipe_set("/", "1");
    struct clients_counts counts;
    struct pipe *pipe;

    memset(big, 'x', sizeof(big) - 1);
    large = pipe_set("/", big);
    options.clients.large_bytes = 1000;
    options.clients.large_total_bytes = 7000;
    pipe = pipe_make(&options);
    for (uint32_t i = 0; i < 4; i++) {
        (void)pipe_connect(pipe, i, 8000);
    }
    pipe->hold = true;
    pipe_send(pipe, 0, 1, &large);
    pipe_send(pipe, 1, 1, &large);
    pipe_send(pipe, 2, 1, &small);
    pipe_send(pipe, 2, 2, &large);
    ck_assert(pipe->conns[2].closed && pipe->conns[2].aborted);
    clients_get_counts(pipe->clients, &counts);
    ck_assert_uint_eq(counts.large_refused, 1);
    pipe_commit(pipe, 1); /* one of them is done: there is room again */
    pipe_send(pipe, 3, 1, &large);
    ck_assert(!pipe->conns[3].closed);
    pipe->hold = false;
    pipe_commit(pipe, 10);
    ck_assert_int_eq(pipe_expect(pipe, 3, 1, NULL, OP_SET_DATA), ZK_OK);
    for (uint32_t i = 0; i < 10; i++) { /* what was counted is given back */
        ck_assert_int_eq(pipe_call(pipe, 3, &large, NULL), ZK_OK);
    }
    pipe_drop(pipe);
}
END_TEST

/* A large request is refused by its length, before its bytes are here. */
START_TEST(test_a_large_request_is_refused_by_its_length)
{
    static const uint8_t length[] = {0, 0, 0x20, 0};
    struct pipe_options options = pipe_options_default();
    struct pipe *pipe;

    options.clients.large_bytes = 1000;
    options.clients.large_total_bytes = 7000;
    pipe = pipe_make(&options);
    (void)pipe_connect(pipe, 0, 8000);
    pipe_feed(pipe, 0, span_make(length, sizeof(length)));
    ck_assert(pipe->conns[0].closed);
    pipe_drop(pipe);
}
END_TEST

/* ---- who must prove who they are ---- */

static struct pipe *pipe_enforcing(const char *schemes)
{
    struct pipe_options options = pipe_options_default();

    options.clients.enforce_auth = true;
    options.clients.enforced_schemes = span_text(schemes);
    return pipe_make(&options);
}

START_TEST(test_nothing_without_an_enforced_scheme)
{
    static const int32_t ops[] = {OP_GET_DATA, OP_SET_DATA, OP_SYNC, OP_PING, OP_CLOSE_SESSION};
    struct pipe *pipe = pipe_enforcing("sasl, digest");

    for (uint32_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        struct wire_request request = pipe_op(ops[i], "/");

        (void)pipe_connect(pipe, i, 4000);
        pipe_send(pipe, i, 5, &request);
        ck_assert_int_eq(pipe_expect(pipe, i, 5, NULL, ops[i]), ZK_SESSIONCLOSEDREQUIRESASLAUTH);
        ck_assert_int_eq(pipe_last_zxid(pipe), 0);
        ck_assert(pipe->conns[i].closed);
    }
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_an_enforced_scheme_opens_the_door)
{
    struct pipe *pipe = pipe_enforcing("sasl, digest");
    struct wire_request auth = {
        .type = OP_AUTH, .scheme = span_text("digest"), .data = span_text("bob:bobpw")};
    struct wire_request get = pipe_read(OP_GET_DATA, "/", false);

    (void)pipe_connect(pipe, 0, 4000);
    pipe_send(pipe, 0, -4, &auth);
    ck_assert_int_eq(pipe_expect(pipe, 0, -4, NULL, OP_AUTH), ZK_OK);
    ck_assert_int_eq(pipe_call(pipe, 0, &get, NULL), ZK_OK);
    pipe_drop(pipe);

    pipe = pipe_enforcing("ip"); /* everybody has one of those */
    (void)pipe_connect(pipe, 0, 4000);
    ck_assert_int_eq(pipe_call(pipe, 0, &get, NULL), ZK_OK);
    pipe_drop(pipe);
}
END_TEST

START_TEST(test_configuration_reaches_the_limits)
{
    static const char text[] =
        "tickTime=2000\ndataDir=/d\nclientPort=1\nmaxClientCnxns=7\nmaxCnxns=8\n"
        "zookeeper.request_throttle_max_requests=9\nthrottled_op_wait_time=10\n"
        "largeRequestThreshold=11\nlargeRequestMaxBytes=12\nenforce.auth.enabled=true\n"
        "enforce.auth.schemes=digest,x509\nlocalSessionsUpgradingEnabled=true\n";
    struct mem_heap heap;
    struct config config;
    struct config_error error = {0};
    struct clients_options options;

    mem_heap_init(&heap, UINT64_MAX);
    ck_assert_int_eq(config_parse(&config, &heap.mem, span_text(text), &error), ERR_OK);
    options = clients_options_of(&config);
    ck_assert_uint_eq(options.per_host_max, 7);
    ck_assert_uint_eq(options.connections_max, 8);
    ck_assert_uint_eq(options.throttle_max, 9);
    ck_assert_uint_eq(options.throttled_wait_ms, 10);
    ck_assert_uint_eq(options.large_bytes, 11);
    ck_assert_uint_eq(options.large_total_bytes, 12);
    ck_assert(options.enforce_auth && span_is(options.enforced_schemes, "digest,x509"));
    ck_assert(options.local_upgrade);
    config_drop(&config);
}
END_TEST

Suite *suite_clients_limits(void)
{
    Suite *suite = suite_create("clients_limits");
    TCase *all = tcase_create("limits");

    tcase_add_test(all, test_connections_of_one_host_are_counted);
    tcase_add_test(all, test_many_hosts_leave_nothing);
    tcase_add_test(all, test_throttler_stops_everybody);
    tcase_add_test(all, test_throttler_goes_on_when_a_client_leaves);
    tcase_add_test(all, test_what_waited_too_long_is_not_executed);
    tcase_add_test(all, test_large_requests_share_a_bound);
    tcase_add_test(all, test_a_large_request_is_refused_by_its_length);
    tcase_add_test(all, test_nothing_without_an_enforced_scheme);
    tcase_add_test(all, test_an_enforced_scheme_opens_the_door);
    tcase_add_test(all, test_configuration_reaches_the_limits);
    suite_add_tcase(suite, all);
    return suite;
}
