/* The client against the real servers in a world: sessions, watches, credentials, all the ops. */
#include "zk/ensemble.h"

#include <check.h>
#include <stdlib.h>

#define ANSWER_ROOM 512
#define EVENTS_MAX  32

static struct ensemble_world world;
static struct mem_heap heap;

/* What the client said, besides what the ensemble keeps. */
static struct {
    uint8_t answers[ENSEMBLE_TAGS][ANSWER_ROOM];
    size_t answer_len[ENSEMBLE_TAGS];
    int32_t event_type[EVENTS_MAX];
    char event_path[EVENTS_MAX][64];
    uint32_t event_count;
    uint32_t states[CLIENT_CLOSED + 1]; /* how often each was entered */
} heard;

static enum sim_verdict life_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    const struct effect *effect = event->effect;

    (void)context;
    (void)sim;
    if (event->process != world.client) {
        return SIM_GO;
    }
    if (event->at == SIM_AT_ANSWER) {
        ck_assert_uint_le(effect->bytes.len, ANSWER_ROOM);
        memcpy(heard.answers[effect->b], effect->bytes.at, effect->bytes.len);
        heard.answer_len[effect->b] = effect->bytes.len;
    } else if (effect->id == NOTE_EVENT) {
        ck_assert_uint_lt(heard.event_count, EVENTS_MAX);
        ck_assert_uint_lt(effect->bytes.len, 64);
        heard.event_type[heard.event_count] = (int32_t)effect->a;
        memcpy(heard.event_path[heard.event_count], effect->bytes.at, effect->bytes.len);
        heard.event_count++;
    } else if (effect->id == NOTE_CLIENT_STATE) {
        heard.states[effect->a]++;
    }
    return SIM_GO;
}

static void life_open(uint32_t servers, uint64_t seed)
{
    memset(&heard, 0, sizeof heard);
    mem_heap_init(&heap, UINT64_MAX);
    ensemble_open(&world, servers, seed, servers == 1 ? "clientPort=2181" : "");
    sim_add_tap(world.sim, 1u << SIM_AT_NOTE | 1u << SIM_AT_ANSWER, life_tap, NULL);
    ensemble_run(&world, 4000);
    ck_assert_int_eq(client_get_state(sim_self(world.sim, world.client)), CLIENT_CONNECTED);
}

/* Ask, without waiting. */
static uint64_t life_send(const struct wire_request *request)
{
    uint64_t tag = world.next_tag++;
    struct bytes ask;

    bytes_init(&ask, &heap.mem);
    client_ask_encode(&ask, request);
    sim_ask(world.sim, world.client, tag, bytes_span(&ask));
    bytes_drop(&ask);
    return tag;
}

/* Ask, and wait for the answer for 500 ms. */
static struct client_answer life_ask(const struct wire_request *request)
{
    uint64_t tag = life_send(request);
    struct client_answer answer = {.code = 1};

    ensemble_run(&world, 500);
    ck_assert_msg(heard.answer_len[tag] > 0, "op %d is not answered", request->type);
    ck_assert_int_eq(
        client_answer_decode(span_make(heard.answers[tag], heard.answer_len[tag]), &answer),
        ERR_OK);
    return answer;
}

static struct client_answer life_create(const char *path, const char *data, enum zk_mode mode)
{
    return life_ask(&(struct wire_request){.type = OP_CREATE,
                                           .path = span_text(path),
                                           .data = span_text(data),
                                           .acl = acl_open(),
                                           .flags = (int32_t)mode});
}

static struct client_answer life_path(int32_t op, const char *path)
{
    return life_ask(&(struct wire_request){.type = op, .path = span_text(path), .version = -1});
}

static struct client_answer life_watch(int32_t op, const char *path)
{
    return life_ask(&(struct wire_request){.type = op, .path = span_text(path), .watch = true});
}

static struct client_answer life_set(const char *path, const char *data, int32_t version)
{
    return life_ask(&(struct wire_request){
        .type = OP_SET_DATA, .path = span_text(path), .data = span_text(data), .version = version});
}

START_TEST(test_every_op_is_answered)
{
    struct client_answer answer;
    struct acl_list read_only = acl_world_read();

    life_open(3, 0);
    ck_assert_int_eq(life_create("/a", "1", MODE_PERSISTENT).code, ZK_OK);
    ck_assert_int_eq(life_create("/a", "1", MODE_PERSISTENT).code, ZK_NODEEXISTS);
    answer = life_create("/a/q-", "x", MODE_EPHEMERAL_SEQUENTIAL);
    ck_assert(span_is(answer.reply.path, "/a/q-0000000000"));
    answer = life_ask(
        &(struct wire_request){.type = OP_CREATE2, .path = span_text("/a/b"), .acl = acl_open()});
    ck_assert_int_eq(answer.reply.stat.czxid, answer.zxid);
    answer = life_path(OP_GET_DATA, "/a");
    ck_assert(span_is(answer.reply.data, "1"));
    ck_assert_int_eq(answer.reply.stat.num_children, 2);
    answer = life_set("/a", "2", 0);
    ck_assert_int_eq(answer.reply.stat.version, 1);
    ck_assert_int_eq(life_set("/a", "3", 0).code, ZK_BADVERSION);
    ck_assert_int_eq(life_path(OP_EXISTS, "/none").code, ZK_NONODE);
    ck_assert_uint_eq(life_path(OP_GET_CHILDREN, "/a").reply.strings.count, 2);
    answer = life_path(OP_GET_CHILDREN2, "/a");
    ck_assert_uint_eq(answer.reply.strings.count, 2);
    ck_assert_int_eq(answer.reply.stat.version, 1);
    ck_assert(span_is(life_path(OP_SYNC, "/a").reply.path, "/a"));
    ck_assert_uint_eq(life_path(OP_GET_EPHEMERALS, "/").reply.strings.count, 1);
    ck_assert_int_eq(life_path(OP_GET_ALL_CHILDREN_NUMBER, "/a").reply.number, 2);
    ck_assert_int_eq(life_path(OP_WHO_AM_I, "").code, ZK_OK);
    ck_assert_int_eq(life_path(OP_PING, "").code, ZK_OK);
    ck_assert_int_eq(life_path(OP_DELETE, "/a").code, ZK_NOTEMPTY);
    ck_assert_int_eq(life_path(OP_DELETE, "/a/b").code, ZK_OK);
    answer = life_ask(&(struct wire_request){
        .type = OP_SET_ACL, .path = span_text("/a"), .acl = read_only, .version = -1});
    ck_assert_int_eq(answer.reply.stat.aversion, 1);
    ck_assert_uint_eq(life_path(OP_GET_ACL, "/a").reply.acl.count, 1);
    ck_assert_int_eq(life_set("/a", "4", -1).code, ZK_NOAUTH);
    ck_assert(ensemble_converged(&world));
    ensemble_close(&world);
}
END_TEST

START_TEST(test_multi_in_the_ensemble)
{
    struct wire_request multi = {.type = OP_MULTI};
    struct client_answer answer;
    struct wire_result result;
    struct bytes ops;

    life_open(3, 3);
    bytes_init(&ops, &heap.mem);
    wire_multi_put(&ops, &(struct wire_request){
                             .type = OP_CREATE, .path = span_text("/m"), .acl = acl_open()});
    wire_multi_put(&ops,
                   &(struct wire_request){.type = OP_CHECK, .path = span_text("/m"), .version = 0});
    multi.multi = (struct wire_multi){.items = bytes_span(&ops), .count = 2};
    answer = life_ask(&multi);
    ck_assert_int_eq(answer.code, ZK_OK);
    ck_assert(wire_result_next(&answer.reply.multi, &result));
    ck_assert(span_is(result.reply.path, "/m"));
    answer = life_ask(&multi);
    ck_assert_int_eq(answer.code, ZK_NODEEXISTS);
    ck_assert_uint_eq(answer.reply.multi.count, 2);
    bytes_drop(&ops);
    ensemble_close(&world);
}
END_TEST

/* Credentials are sent again after every reconnect: the node stays readable. */
START_TEST(test_credentials_survive_a_move)
{
    static const uint8_t list[] = {0, 0, 0, 31, 0, 0, 0, 4, 'a', 'u', 't', 'h', 0, 0, 0, 0};
    struct client_answer answer;

    life_open(3, 5);
    answer = life_ask(&(struct wire_request){
        .type = OP_AUTH, .scheme = span_text("digest"), .data = span_text("bob:secret")});
    ck_assert_int_eq(answer.code, ZK_OK);
    answer =
        life_ask(&(struct wire_request){.type = OP_CREATE,
                                        .path = span_text("/mine"),
                                        .data = span_text("1"),
                                        .acl = {.raw = span_make(list, sizeof list), .count = 1}});
    ck_assert_int_eq(answer.code, ZK_OK);
    ck_assert_int_eq(life_path(CLIENT_OP_MOVE, "s3:2181").code, ZK_OK);
    ck_assert_int_eq(life_path(OP_GET_DATA, "/mine").code, ZK_OK);
    ensemble_close(&world);
}
END_TEST

START_TEST(test_an_ephemeral_lives_as_long_as_its_session)
{
    int64_t session;

    life_open(3, 6);
    session = client_get_session(sim_self(world.sim, world.client));
    ck_assert_int_eq(life_create("/e", "1", MODE_EPHEMERAL).code, ZK_OK);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(life_path(CLIENT_OP_MOVE, i % 2 == 0 ? "s2:2181" : "s3:2181").code, ZK_OK);
        ensemble_run(&world, 4000);
        ck_assert_int_eq(life_path(OP_EXISTS, "/e").reply.stat.ephemeral_owner, session);
    }
    ck_assert_int_eq(life_path(OP_CLOSE_SESSION, "").code, ZK_OK);
    ck_assert_int_eq(life_path(OP_EXISTS, "/e").code, ZK_SESSIONEXPIRED);
    ck_assert_int_eq(life_path(CLIENT_OP_OPEN, "").code, ZK_OK);
    ck_assert_int_eq(life_path(OP_EXISTS, "/e").code, ZK_NONODE);
    ck_assert_int_ne(client_get_session(sim_self(world.sim, world.client)), session);
    ensemble_close(&world);
}
END_TEST

/* A client that is away for longer than its timeout hears of its expiry when it returns. */
START_TEST(test_a_paused_client_expires)
{
    life_open(3, 8);
    ck_assert_int_eq(life_create("/e", "1", MODE_EPHEMERAL).code, ZK_OK);
    sim_pause(world.sim, world.client);
    ensemble_run(&world, 20000);
    sim_resume(world.sim, world.client);
    ensemble_run(&world, 5000);

    ck_assert_uint_eq(heard.states[CLIENT_EXPIRED], 1);
    ck_assert_int_eq(life_path(CLIENT_OP_OPEN, "").code, ZK_OK);
    ck_assert_int_eq(life_path(OP_EXISTS, "/e").code, ZK_NONODE);
    ensemble_close(&world);
}
END_TEST

/* Changes that happen while the client is between servers are told by setWatches, exactly once. */
START_TEST(test_watches_across_a_crash_of_the_server)
{
    life_open(3, 9);
    ck_assert_int_eq(life_create("/w", "1", MODE_PERSISTENT).code, ZK_OK);
    ck_assert_int_eq(life_path(CLIENT_OP_MOVE, "s1:2181").code, ZK_OK);
    ck_assert_int_eq(life_watch(OP_GET_DATA, "/w").code, ZK_OK);
    ck_assert_int_eq(life_watch(OP_GET_CHILDREN, "/w").code, ZK_OK);
    ck_assert_int_eq(life_watch(OP_EXISTS, "/new").code, ZK_NONODE);
    sim_crash(world.sim, 0, SIM_KILL);
    ensemble_run(&world, 9000);
    ck_assert_uint_eq(heard.event_count, 0);
    ck_assert_int_eq(life_set("/w", "2", -1).code, ZK_OK);
    ck_assert_int_eq(life_set("/w", "3", -1).code, ZK_OK);
    ck_assert_int_eq(life_create("/new", "1", MODE_PERSISTENT).code, ZK_OK);
    ck_assert_int_eq(life_create("/w/c", "1", MODE_PERSISTENT).code, ZK_OK);

    ck_assert_uint_eq(heard.event_count, 3);
    ck_assert_int_eq(heard.event_type[0], EVENT_DATA_CHANGED);
    ck_assert_str_eq(heard.event_path[0], "/w");
    ck_assert_int_eq(heard.event_type[1], EVENT_CREATED);
    ck_assert_str_eq(heard.event_path[1], "/new");
    ck_assert_int_eq(heard.event_type[2], EVENT_CHILDREN_CHANGED);
    ck_assert_str_eq(heard.event_path[2], "/w");
    ensemble_close(&world);
}
END_TEST

START_TEST(test_persistent_watches_across_a_move)
{
    struct wire_request add = {.type = OP_ADD_WATCH, .path = span_text("/p"), .flags = 1};

    life_open(3, 10);
    ck_assert_int_eq(life_create("/p", "1", MODE_PERSISTENT).code, ZK_OK);
    ck_assert_int_eq(life_ask(&add).code, ZK_OK);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(life_path(CLIENT_OP_MOVE, i % 2 == 0 ? "s2:2181" : "s3:2181").code, ZK_OK);
        ck_assert_int_eq(life_set("/p", "2", -1).code, ZK_OK);
        ck_assert_uint_eq(heard.event_count, (uint32_t)i);
    }
    ck_assert_int_eq(life_create("/p/deep", "1", MODE_PERSISTENT).code, ZK_OK);
    ck_assert_str_eq(heard.event_path[3], "/p/deep");
    add.type = OP_REMOVE_WATCHES;
    add.flags = WATCH_TYPE_RECURSIVE;
    ck_assert_int_eq(life_ask(&add).code, ZK_OK);
    ck_assert_int_eq(life_path(CLIENT_OP_MOVE, "s1:2181").code, ZK_OK);
    ck_assert_int_eq(life_set("/p", "2", -1).code, ZK_OK);
    ck_assert_uint_eq(heard.event_count, 4);
    ensemble_close(&world);
}
END_TEST

/* Every ask has one answer, whatever breaks, and what was acknowledged is there. */
START_TEST(test_answers_under_crashes)
{
    uint32_t unknown = 0;
    uint32_t fine = 0;

    life_open(3, (uint64_t)_i);
    ck_assert_int_eq(life_create("/n", "0", MODE_PERSISTENT).code, ZK_OK);
    for (int round = 0; round < 12; round++) {
        uint32_t victim = (uint32_t)round % 3;

        for (int i = 0; i < 40; i++) {
            (void)life_send(&(struct wire_request){.type = OP_SET_DATA,
                                                   .path = span_text("/n"),
                                                   .data = span_text("x"),
                                                   .version = -1});
            ensemble_run(&world, 20);
        }
        if (sim_is_up(world.sim, victim)) {
            sim_crash(world.sim, victim, SIM_KILL);
        }
        ensemble_run(&world, 1500);
        sim_start(world.sim, victim);
        ensemble_run(&world, 3000);
    }
    ensemble_run(&world, 30000);

    for (uint64_t tag = 2; tag < world.next_tag; tag++) {
        ck_assert_msg(world.answered[tag], "ask %d is not answered", (int)tag);
        fine += world.code[tag] == ZK_OK ? 1 : 0;
        unknown += world.code[tag] == ZK_CONNECTIONLOSS ? 1 : 0;
    }
    ck_assert_uint_gt(fine, 100);
    ck_assert_uint_eq(client_get_pending(sim_self(world.sim, world.client)), 0);
    if (heard.states[CLIENT_EXPIRED] == 0) {
        int32_t version = life_path(OP_EXISTS, "/n").reply.stat.version;

        ck_assert_int_ge(version, (int32_t)fine);
        ck_assert_int_le(version, (int32_t)(fine + unknown));
    }
    ensemble_close(&world);
}
END_TEST

START_TEST(test_one_server)
{
    life_open(1, 2);
    ck_assert_int_eq(life_create("/a", "1", MODE_PERSISTENT).code, ZK_OK);
    ck_assert_int_eq(life_watch(OP_GET_DATA, "/a").code, ZK_OK);
    sim_crash(world.sim, 0, SIM_KILL);
    ensemble_run(&world, 1000);
    sim_start(world.sim, 0);
    ensemble_run(&world, 4000);
    ck_assert_int_eq(life_set("/a", "2", -1).code, ZK_OK);
    ck_assert_uint_eq(heard.event_count, 1);
    ck_assert_uint_eq(heard.states[CLIENT_CONNECTED], 2);
    ck_assert_uint_eq(heard.states[CLIENT_EXPIRED], 0);
    ensemble_close(&world);
}
END_TEST

Suite *suite_client_life(void)
{
    Suite *suite = suite_create("client_life");
    TCase *tcase = tcase_create("all");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_every_op_is_answered);
    tcase_add_test(tcase, test_multi_in_the_ensemble);
    tcase_add_test(tcase, test_credentials_survive_a_move);
    tcase_add_test(tcase, test_an_ephemeral_lives_as_long_as_its_session);
    tcase_add_test(tcase, test_a_paused_client_expires);
    tcase_add_test(tcase, test_watches_across_a_crash_of_the_server);
    tcase_add_test(tcase, test_persistent_watches_across_a_move);
    tcase_add_loop_test(tcase, test_answers_under_crashes, 1, 9);
    tcase_add_test(tcase, test_one_server);
    suite_add_tcase(suite, tcase);
    return suite;
}
