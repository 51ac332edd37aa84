/* The captured client sessions of Apache ZooKeeper 3.8.0, played against ours.
 *
 * tests/vectors/client: connect, create, data, acl, multi and watch were recorded one after the
 * other on one server, so they are replayed in that order on one server: zxids, session ids and
 * passwords come out the same and are compared as they are. quota-ttl-off was another server;
 * reconfig-localsession and readonly were one server of an ensemble, first with a leader and then
 * alone, so they are replayed in that order, too. Every server is configured by the text of a
 * zoo.cfg with terrarium.compat=3.8.
 *
 * Masks, all of them:
 *   MASK time      ctime and mtime of a Stat: wall clock of the recording
 *   MASK order     names of getChildren and getEphemerals are compared as sets: Apache's order is
 * that of a hash table
 *   MASK create2   a create2 in a multi, which 3.8.0 and 3.8.1 answered as a create
 *   MASK config    of reconfig and of getData("/zookeeper/config") only xid and zxid are compared:
 * there is no ensemble behind this server whose membership could change */
#include "protocol/help_pipe.h"
#include "protocol/help_vectors.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define CONNS 64u
#define XIDS  256u

/* What a client that was not recorded does before a line of the file is handled. */
struct action {
    int line;
    uint32_t conn;
    int32_t op; /* 0: connects */
    const char *path;
    const char *data;
    int32_t flags;
};

#define SECOND 40u
#define THIRD  41u

static const struct action watch_actions[] = {
    {11, SECOND, 0, NULL, NULL, 0},
    {11, SECOND, OP_CREATE, "/w", "", 0},
    {15, SECOND, OP_SET_DATA, "/w", "1", 0},
    {23, SECOND, OP_CREATE, "/w/x", "", 0},
    {31, SECOND, OP_CREATE, "/w/y", "", 0},
    {47, SECOND, OP_DELETE, "/w/x", NULL, 0},
    {71, SECOND, OP_CREATE, "/w/none", "", 0},
    {75, SECOND, OP_SET_DATA, "/w", "3", 0},
    {77, SECOND, OP_CREATE, "/w/z", "", 0},
    {79, SECOND, OP_DELETE, "/w/z", NULL, 0},
    {83, SECOND, OP_SET_DATA, "/w/y", "", 0},
    {97, SECOND, OP_CREATE, "/w/r", "", 0},
    {99, SECOND, OP_CREATE, "/w/r/s", "", 0},
    {101, SECOND, OP_SET_DATA, "/w/r/s", "", 0},
    {103, SECOND, OP_DELETE, "/w/r/s", NULL, 0},
    {105, SECOND, OP_DELETE, "/w/r", NULL, 0},
    {107, SECOND, OP_SET_DATA, "/w", "4", 0},
    {157, SECOND, OP_SET_DATA, "/w", "5", 0},
    {177, SECOND, OP_SET_DATA, "/w", "6", 0},
    {179, SECOND, OP_CREATE, "/notyet", "", 0},
    {181, SECOND, OP_CREATE, "/w/sw", "", 0},
    {189, SECOND, OP_SET_DATA, "/w", "7", 0},
    {191, SECOND, OP_CREATE, "/w/sw/k", "", 0},
    {195, THIRD, 0, NULL, NULL, 0},
    {195, THIRD, OP_CREATE, "/w/eph", "", MODE_EPHEMERAL},
    {201, THIRD, OP_CLOSE_SESSION, "", NULL, 0},
    {205, SECOND, OP_CLOSE_SESSION, "", NULL, 0},
};

struct replay {
    struct pipe *pipe;
    struct vectors vectors;
    int32_t ops[CONNS][XIDS]; /* op code by xid, of what was sent */
    bool config[CONNS][XIDS]; /* MASK config */
    bool opened[CONNS];
    bool connected[CONNS]; /* its first reply has been seen */
    uint32_t compared;
    uint32_t piece; /* frames are fed in pieces of so many bytes; 0 = whole */
};

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ---- masks ---- */

/* MASK time: the Stat at `at`. */
static void mask_stat(uint8_t *at)
{
    memset(at + 16, 0xee, 16);
}

static int compare_names(const void *a, const void *b)
{
    const uint8_t *const *left = a;
    const uint8_t *const *right = b;
    struct span first = span_make(*left + 4, get_u32(*left));
    struct span second = span_make(*right + 4, get_u32(*right));

    return span_compare(first, second);
}

/* MASK order: the vector<ustring> at `at` gets sorted; its length. */
static size_t mask_names(uint8_t *at)
{
    static uint8_t copy[65536];
    const uint8_t *names[256];
    uint32_t count = get_u32(at);
    size_t len = 4;
    size_t out = 4;

    ck_assert_uint_le(count, 256);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = copy + len;
        len += 4u + get_u32(at + len);
    }
    ck_assert_uint_le(len, sizeof(copy));
    memcpy(copy, at, len);
    qsort(names, count, sizeof(names[0]), compare_names);
    for (uint32_t i = 0; i < count; i++) {
        size_t size = 4u + get_u32(names[i]);

        memcpy(at + out, names[i], size);
        out += size;
    }
    return len;
}

/* Length of the buffer or ustring at `at`, with its own. */
static size_t skip_buffer(const uint8_t *at)
{
    return 4u + (get_u32(at) == UINT32_MAX ? 0 : get_u32(at));
}

/* MASK order: vector<ClientInfo{scheme, user}> by selection: the smallest entry first, and so on.
 */
static void mask_infos(uint8_t *at)
{
    uint32_t count = get_u32(at);

    at += 4;
    for (uint32_t done = 0; done < count; done++) {
        uint8_t copy[256];
        uint8_t *least = at;
        uint8_t *next = at;
        size_t least_len = 0;

        for (uint32_t i = done; i < count; i++) {
            size_t len = skip_buffer(next) + skip_buffer(next + skip_buffer(next));

            if (i == done || span_compare(span_make(next, len), span_make(least, least_len)) < 0) {
                least = next;
                least_len = len;
            }
            next += len;
        }
        ck_assert_uint_le(least_len, sizeof(copy));
        memcpy(copy, least, least_len);
        memmove(at + least_len, at, (size_t)(least - at));
        memcpy(at, copy, least_len);
        at += least_len;
    }
}

/* MASK create2: results of ours in `out` whose counterpart in `want` is a plain create. */
static void mask_create2(struct bytes *out, const struct bytes *want)
{
    size_t ours = 20;
    size_t theirs = 20;

    while (ours + 9 <= out->len && theirs + 9 <= want->len) {
        uint32_t type = get_u32(out->at + ours);
        uint32_t want_type = get_u32(want->at + theirs);
        bool creates = type == OP_CREATE || type == OP_CREATE2;
        size_t path = creates ? skip_buffer(out->at + ours + 9) : 0;

        if (type == OP_CREATE2 && want_type == OP_CREATE) {
            size_t stat = ours + 9 + path;

            memmove(out->at + stat, out->at + stat + 68, out->len - stat - 68);
            out->len -= 68;
            bytes_patch_u32(out, ours, OP_CREATE);
            bytes_patch_u32(out, 0, get_u32(out->at) - 68);
            type = OP_CREATE;
        }
        if (type != want_type ||
            !(creates || type == OP_SET_DATA || type == OP_CHECK || type == OP_DELETE)) {
            return;
        }
        ours += 9 + path + (type == OP_CREATE2 || type == OP_SET_DATA ? 68 : 0);
        theirs += 9 + path + (type == OP_CREATE2 || type == OP_SET_DATA ? 68 : 0);
    }
}

static void mask_multi(uint8_t *at)
{
    for (;;) {
        int32_t type = (int32_t)get_u32(at);
        bool done = at[4] != 0;

        at += 9;
        if (done) {
            return;
        }
        switch (type) {
        case OP_CREATE:
            at += skip_buffer(at);
            break;
        case OP_CREATE2:
        case OP_GET_DATA:
            at += skip_buffer(at);
            mask_stat(at);
            at += 68;
            break;
        case OP_SET_DATA:
            mask_stat(at);
            at += 68;
            break;
        case OP_GET_CHILDREN:
            at += mask_names(at);
            break;
        case OP_ERROR:
            at += 4;
            break;
        default:
            break;
        }
    }
}

/* A frame with length and header; `op` of its request. */
static void mask_reply(uint8_t *frame, size_t len, int32_t op)
{
    uint8_t *record = frame + 20;

    if (len <= 20) {
        return;
    }
    switch (op) {
    case OP_EXISTS:
    case OP_GET_DATA:
    case OP_SET_DATA:
    case OP_GET_ACL:
    case OP_SET_ACL:
    case OP_CREATE2:
    case OP_CREATE_CONTAINER:
    case OP_CREATE_TTL:
        mask_stat(frame + len - 68);
        break;
    case OP_GET_CHILDREN2:
        (void)mask_names(record);
        mask_stat(frame + len - 68);
        break;
    case OP_GET_CHILDREN:
    case OP_GET_EPHEMERALS:
        (void)mask_names(record);
        break;
    case OP_WHO_AM_I:
        mask_infos(record);
        break;
    case OP_MULTI:
    case OP_MULTI_READ:
        mask_multi(record);
        break;
    default:
        break;
    }
}

/* ---- replay ---- */

/* MASK config: a frame with length and header. */
static bool is_about_config(struct span frame)
{
    static const char path[] = "/zookeeper/config";
    int32_t op = (int32_t)get_u32(frame.at + 8);

    return op == OP_RECONFIG || (op == OP_GET_DATA && frame.len > 16 + sizeof(path) - 1 &&
                                 memcmp(frame.at + 16, path, sizeof(path) - 1) == 0);
}

static void replay_sent(struct replay *replay)
{
    uint32_t conn = replay->vectors.conn;
    struct span bytes = bytes_span(&replay->vectors.bytes);

    if (!replay->opened[conn]) {
        replay->opened[conn] = true;
        replay->connected[conn] = false;
        pipe_open(replay->pipe, conn);
    } else if (bytes.len >= 12) {
        uint32_t xid = get_u32(bytes.at + 4) % XIDS;

        replay->ops[conn][xid] = (int32_t)get_u32(bytes.at + 8);
        replay->config[conn][xid] = is_about_config(bytes);
    }
    while (replay->piece != 0 && bytes.len > replay->piece) {
        pipe_feed(replay->pipe, conn, span_make(bytes.at, replay->piece));
        bytes.at += replay->piece;
        bytes.len -= replay->piece;
    }
    pipe_feed(replay->pipe, conn, bytes);
}

static void replay_received(struct replay *replay)
{
    uint32_t conn = replay->vectors.conn;
    struct bytes *out = &replay->pipe->conns[conn].out;
    struct bytes *want = &replay->vectors.bytes;
    size_t size;

    if (replay->vectors.eof) {
        ck_assert_msg(replay->pipe->conns[conn].closed, "line %d: c%u should be closed",
                      replay->vectors.line_number, conn);
        ck_assert_msg(out->len == 0, "line %d: c%u got more than expected",
                      replay->vectors.line_number, conn);
        return;
    }
    if (replay->connected[conn] && replay->ops[conn][get_u32(want->at + 4) % XIDS] == OP_MULTI) {
        mask_create2(out, want);
    }
    size = out->len < 4 ? 0 : 4u + get_u32(out->at);
    if (replay->connected[conn] && replay->config[conn][get_u32(want->at + 4) % XIDS]) {
        ck_assert_uint_ge(size, 20);
        vectors_expect(&replay->vectors, span_make(out->at + 4, 12), span_make(want->at + 4, 12));
        bytes_consume(out, size);
        return;
    }
    if (replay->connected[conn] && size >= 20) {
        int32_t op = replay->ops[conn][get_u32(want->at + 4) % XIDS];

        if (size == want->len) {
            mask_reply(out->at, size, op);
        }
        mask_reply(want->at, want->len, op);
    }
    replay->connected[conn] = true;
    vectors_expect(&replay->vectors, span_make(out->at, size), bytes_span(want));
    bytes_consume(out, size);
    replay->compared++;
}

static void replay_act(struct replay *replay, const struct action *action)
{
    struct wire_request request = pipe_op(action->op, action->path != NULL ? action->path : "");

    if (action->op == 0) {
        (void)pipe_connect(replay->pipe, action->conn, 20000);
        return;
    }
    request.flags = action->flags;
    if (action->data != NULL) {
        request.data = span_text(action->data);
    }
    ck_assert_int_eq(pipe_call(replay->pipe, action->conn, &request, NULL), ZK_OK);
}

static void replay_file(struct replay *replay, const char *name)
{
    bool is_watch = strcmp(name, "client/watch.txt") == 0;
    size_t action = 0;

    memset(replay->opened, 0, sizeof(replay->opened));
    memset(replay->ops, 0, sizeof(replay->ops));
    memset(replay->config, 0, sizeof(replay->config));
    vectors_open(&replay->vectors, &replay->pipe->heap.mem, name);
    while (vectors_next(&replay->vectors)) {
        ck_assert_uint_lt(replay->vectors.conn, SECOND);
        while (is_watch && action < sizeof(watch_actions) / sizeof(watch_actions[0]) &&
               watch_actions[action].line <= replay->vectors.line_number) {
            replay_act(replay, &watch_actions[action]);
            action++;
        }
        if (replay->vectors.sent) {
            replay_sent(replay);
        } else {
            replay_received(replay);
        }
    }
    vectors_close(&replay->vectors);
    for (uint32_t i = 0; i < CONNS; i++) {
        if (replay->opened[i]) {
            pipe_expect_nothing(replay->pipe, i);
            if (!replay->pipe->conns[i].closed) {
                pipe_hang_up(replay->pipe, i);
            }
        }
    }
}

/* ---- servers ---- */

static struct mem_heap config_heap;
static struct config config;

/* A server that reads `lines` and terrarium.compat=3.8 in its zoo.cfg. */
static struct pipe_options options_38(const char *lines, bool ensemble)
{
    struct pipe_options options = pipe_options_default();
    struct config_error error = {0};
    char room[1024];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_str(&text, "tickTime=2000\ndataDir=/data\nclientPort=2181\nterrarium.compat=3.8\n");
    text_str(&text, lines);
    mem_heap_init(&config_heap, UINT64_MAX);
    ck_assert_int_eq(config_parse(&config, &config_heap.mem, span_make(room, text.len), &error),
                     ERR_OK);
    options.clients = clients_options_of(&config);
    options.prep = prep_options_of(&config, ensemble);
    options.locals = config.local_sessions;
    return options;
}

static struct replay *replay_begin(const struct pipe_options *options)
{
    struct replay *replay = calloc(1, sizeof(*replay));

    ck_assert_ptr_nonnull(replay);
    replay->pipe = pipe_make(options);
    return replay;
}

static void replay_end(struct replay *replay)
{
    pipe_drop(replay->pipe);
    free(replay);
    config_drop(&config);
    ck_assert_uint_eq(config_heap.mem.used_bytes, 0);
}

#define FIRST_SERVER                                                             \
    "extendedTypesEnabled=true\nDigestAuthenticationProvider.superDigest=super:" \
    "xQJmxLMiHGwaqBvst5y6rkB6HQs=\n"

START_TEST(test_one_server_answers_six_recordings)
{
    struct pipe_options options = options_38(FIRST_SERVER, false);
    struct replay *replay = replay_begin(&options);

    replay_file(replay, "client/connect.txt");
    replay_file(replay, "client/create.txt");
    replay_file(replay, "client/data.txt");
    replay_file(replay, "client/acl.txt");
    replay_file(replay, "client/multi.txt");
    replay_file(replay, "client/watch.txt");
    ck_assert_uint_gt(replay->compared, 200);
    replay_end(replay);
}
END_TEST

START_TEST(test_another_server_enforces_quotas_without_ttl)
{
    struct pipe_options options = options_38("enforceQuota=true\n", false);
    struct replay *replay = replay_begin(&options);

    replay->pipe->ids.next = 0x0100001adf780000u;
    replay_file(replay, "client/quota-ttl-off.txt");
    ck_assert_uint_gt(replay->compared, 15);
    replay_end(replay);
}
END_TEST

/* A local session becomes global; then its server is alone and can only be read. */
START_TEST(test_a_server_of_an_ensemble_keeps_local_sessions_and_reads_alone)
{
    struct pipe_options options =
        options_38("localSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\nskipACL=yes\n"
                   "reconfigEnabled=true\nreadonlymode.enabled=true\n",
                   true);
    struct replay *replay;

    options.zxid = 0x100000000;
    replay = replay_begin(&options);
    replay->pipe->ids.next = 0x01000019231e0000u;
    replay_file(replay, "client/reconfig-localsession.txt");
    ck_assert_uint_eq(replay->compared, 5);
    replay->compared = 0;
    pipe_go_read_only(replay->pipe);
    replay->pipe->ids.next = 0x0100001994410000u;
    replay_file(replay, "client/readonly.txt");
    ck_assert_uint_eq(replay->compared, 10);
    ck_assert_uint_eq(replay->pipe->locals.count, 0); /* closed, and two were refused */
    replay_end(replay);
}
END_TEST

/* The same bytes in pieces of every size: framing does not depend on how a stream is cut. */
START_TEST(test_framing_does_not_depend_on_pieces)
{
    for (uint32_t piece = 1; piece < 30; piece += 4) {
        struct pipe_options options = options_38(FIRST_SERVER, false);
        struct replay *replay = replay_begin(&options);

        replay->piece = piece;
        replay_file(replay, "client/connect.txt");
        replay_file(replay, "client/create.txt");
        replay_end(replay);
    }
}
END_TEST

Suite *suite_replay(void)
{
    Suite *suite = suite_create("replay");
    TCase *all = tcase_create("recordings");

    tcase_add_test(all, test_one_server_answers_six_recordings);
    tcase_add_test(all, test_another_server_enforces_quotas_without_ttl);
    tcase_add_test(all, test_a_server_of_an_ensemble_keeps_local_sessions_and_reads_alone);
    tcase_add_test(all, test_framing_does_not_depend_on_pieces);
    suite_add_tcase(suite, all);
    return suite;
}
