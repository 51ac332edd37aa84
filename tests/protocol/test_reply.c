#define _GNU_SOURCE /* memmem */
#include "base/rand.h"
#include "expect.h"
#include "protocol/help_pipe.h"
#include "protocol/reply.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* A tree, a watch table and one connection that asks. */
struct desk {
    struct mem_heap heap;
    struct tree *tree;
    struct watch_table *watches;
    struct tree_result result;
    struct acl_id ids[2];
    struct acl_who who;
    struct reply_scene scene;
    struct bytes out, record;
    int64_t zxid;
};

static struct desk desk;

static void desk_begin(void)
{
    struct tree_options options = {.hash_seed = 3, .extended_types = true};

    memset(&desk, 0, sizeof(desk));
    mem_heap_init(&desk.heap, UINT64_MAX);
    desk.tree = tree_make(&desk.heap.mem, &options);
    desk.watches = watch_make(&desk.heap.mem, 4);
    tree_result_init(&desk.result, &desk.heap.mem);
    bytes_init(&desk.out, &desk.heap.mem);
    bytes_init(&desk.record, &desk.heap.mem);
    desk.ids[0] = (struct acl_id){.scheme = span_text("ip"), .id = span_text("10.0.0.1")};
    desk.who = (struct acl_who){.ids = desk.ids, .id_count = 1};
    desk.scene = (struct reply_scene){
        .tree = desk.tree, .watches = desk.watches, .conn = 5, .session = 77, .who = &desk.who};
}

static void desk_end(void)
{
    tree_result_drop(&desk.result);
    watch_drop(desk.watches);
    tree_drop(desk.tree);
    bytes_drop(&desk.out);
    bytes_drop(&desk.record);
    ck_assert_uint_eq(desk.heap.mem.used_bytes, 0);
}

static void apply(struct txn *txn)
{
    desk.zxid++;
    txn->header.zxid = desk.zxid;
    desk.scene.zxid = desk.zxid;
    ck_assert_int_eq(tree_apply(desk.tree, txn, &desk.result), ERR_OK);
}

static void create(const char *path, struct acl_list acl, bool ephemeral)
{
    struct txn txn = {.header = {.client_id = 77, .type = OP_CREATE},
                      .create = {.path = span_text(path),
                                 .data = {.span = span_text("data")},
                                 .acl = acl,
                                 .ephemeral = ephemeral,
                                 .parent_cversion = -1}};

    apply(&txn);
}

static struct acl_list acl_one(struct bytes *raw, int32_t perms, const char *scheme, const char *id)
{
    bytes_clear(raw);
    acl_write_item(raw,
                   (struct acl){.perms = perms, .scheme = span_text(scheme), .id = span_text(id)});
    return (struct acl_list){.raw = bytes_span(raw), .count = 1};
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The answer must be one whole frame with the header (xid 6, zxid of the scene, code). */
static int32_t ask(const struct wire_request *request)
{
    struct wire_request_header header = {.xid = 6, .type = request->type};
    struct wire_reply_header reply;
    struct span frame;
    size_t used;
    int32_t code;

    bytes_clear(&desk.out);
    bytes_clear(&desk.record);
    wire_request_encode(&desk.record, request);
    code = reply_read(&desk.scene, &header, bytes_span(&desk.record), &desk.out);
    EXPECT(wire_frame_next(bytes_span(&desk.out), UINT32_MAX / 2, &frame, &used) == ERR_OK);
    EXPECT(used == desk.out.len);
    EXPECT(wire_reply_header_take(&frame, &reply) == ERR_OK);
    EXPECT(reply.xid == 6);
    EXPECT(reply.zxid == desk.scene.zxid);
    EXPECT(reply.err == code);
    EXPECT(code == ZK_OK || frame.len == 0);
    return code;
}

static int32_t ask_path(int32_t op, const char *path, bool watch)
{
    struct wire_request request = pipe_op(op, path);

    request.watch = watch;
    return ask(&request);
}

static uint64_t watches(void)
{
    struct watch_counts counts;

    watch_count(desk.watches, &counts);
    return counts.watches;
}

/* client-protocol facts, "Read operations": checks, and which of them leave a watch. */
START_TEST(test_reads_check_in_order_and_set_watches)
{
    static const struct {
        int32_t op;
        const char *path;
        int32_t code;
        bool watch; /* set when asked for */
    } rows[] = {
        {OP_EXISTS, "/open", ZK_OK, true},
        {OP_EXISTS, "/none", ZK_NONODE, true},
        {OP_EXISTS, "/closed", ZK_NOAUTH, false},
        {OP_EXISTS, "not a path", ZK_NONODE, true},
        {OP_EXISTS, "", ZK_OK, true},
        {OP_GET_DATA, "/open", ZK_OK, true},
        {OP_GET_DATA, "/none", ZK_NONODE, false},
        {OP_GET_DATA, "/closed", ZK_NOAUTH, false},
        {OP_GET_CHILDREN, "/", ZK_OK, true},
        {OP_GET_CHILDREN, "/none", ZK_NONODE, false},
        {OP_GET_CHILDREN, "/closed", ZK_NOAUTH, false},
        {OP_GET_CHILDREN2, "/open", ZK_OK, true},
        {OP_GET_CHILDREN2, "/closed", ZK_NOAUTH, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes raw;

        desk_begin();
        bytes_init(&raw, &desk.heap.mem);
        create("/open", acl_open(), false);
        create("/closed", acl_one(&raw, PERM_ALL, "ip", "10.0.0.2"), false);
        ck_assert_int_eq(ask_path(rows[i].op, rows[i].path, false), rows[i].code);
        ck_assert_uint_eq(watches(), 0);
        ck_assert_int_eq(ask_path(rows[i].op, rows[i].path, true), rows[i].code);
        ck_assert_msg(watches() == (rows[i].watch ? 1 : 0), "row %zu", i);
        bytes_drop(&raw);
        desk_end();
    }
}
END_TEST

START_TEST(test_exists_refuses_a_nul_and_old_servers_check_no_acl)
{
    struct wire_request request = pipe_op(OP_EXISTS, "");
    struct bytes raw;

    desk_begin();
    bytes_init(&raw, &desk.heap.mem);
    request.path = span_make("/a\0b", 4);
    ck_assert_int_eq(ask(&request), ZK_BADARGUMENTS);
    create("/closed", acl_one(&raw, PERM_WRITE, "world", "anyone"), false);
    ck_assert_int_eq(ask_path(OP_EXISTS, "/closed", false), ZK_NOAUTH);
    desk.scene.compat_38 = true;
    ck_assert_int_eq(ask_path(OP_EXISTS, "/closed", false), ZK_OK);
    ck_assert_int_eq(ask_path(OP_GET_DATA, "/closed", false), ZK_NOAUTH);
    bytes_drop(&raw);
    desk_end();
}
END_TEST

/* The hash in a digest ACL is shown to those with ADMIN only (ZOOKEEPER-1392). */
START_TEST(test_get_acl_masks_digests_without_admin)
{
    struct bytes raw;
    struct span text;

    desk_begin();
    bytes_init(&raw, &desk.heap.mem);
    acl_write_item(&raw, (struct acl){.perms = PERM_ALL,
                                      .scheme = span_text("digest"),
                                      .id = span_text("bob:secret")});
    acl_write_item(
        &raw,
        (struct acl){.perms = PERM_READ, .scheme = span_text("world"), .id = span_text("anyone")});
    create("/a", (struct acl_list){.raw = bytes_span(&raw), .count = 2}, false);

    ck_assert_int_eq(ask_path(OP_GET_ACL, "/a", false), ZK_OK);
    text = bytes_span(&desk.out);
    ck_assert_ptr_null(memmem(text.at, text.len, "secret", 6));
    ck_assert_ptr_nonnull(memmem(text.at, text.len, "bob:x", 5));
    desk.ids[1] = (struct acl_id){.scheme = span_text("digest"), .id = span_text("bob:secret")};
    desk.who.id_count = 2;
    ck_assert_int_eq(ask_path(OP_GET_ACL, "/a", false), ZK_OK);
    text = bytes_span(&desk.out);
    ck_assert_ptr_nonnull(memmem(text.at, text.len, "bob:secret", 10));
    ck_assert_int_eq(ask_path(OP_GET_ACL, "/none", false), ZK_NONODE);
    bytes_drop(&raw);
    desk_end();
}
END_TEST

START_TEST(test_ephemerals_match_a_text_prefix)
{
    static const struct {
        const char *prefix;
        uint32_t count;
    } rows[] = {{"", 3}, {"/", 3}, {"/ab", 2}, {"/abc", 1}, {"/x", 0}, {"/abcd", 0}};

    desk_begin();
    create("/ab", acl_open(), true);
    create("/abc", acl_open(), true);
    create("/b", acl_open(), true);
    create("/abcde", acl_open(), false);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(ask_path(OP_GET_EPHEMERALS, rows[i].prefix, false), ZK_OK);
        ck_assert_uint_eq(get_u32(desk.out.at + 20), rows[i].count);
    }
    desk.scene.session = 78;
    ck_assert_int_eq(ask_path(OP_GET_EPHEMERALS, "/", false), ZK_OK);
    ck_assert_uint_eq(get_u32(desk.out.at + 20), 0);
    desk_end();
}
END_TEST

START_TEST(test_watch_modes_and_types_are_checked)
{
    struct wire_request request = pipe_op(OP_ADD_WATCH, "/any");

    desk_begin();
    request.flags = 2;
    ck_assert_int_eq(ask(&request), ZK_MARSHALLINGERROR);
    request.flags = -1;
    ck_assert_int_eq(ask(&request), ZK_MARSHALLINGERROR);
    request.flags = 1;
    ck_assert_int_eq(ask(&request), ZK_OK);
    request.type = OP_CHECK_WATCHES;
    request.flags = 0;
    ck_assert_int_eq(ask(&request), ZK_MARSHALLINGERROR);
    request.flags = 6;
    ck_assert_int_eq(ask(&request), ZK_MARSHALLINGERROR);
    request.flags = WATCH_TYPE_CHILDREN;
    ck_assert_int_eq(ask(&request), ZK_NOWATCHER);
    request.flags = WATCH_TYPE_RECURSIVE;
    ck_assert_int_eq(ask(&request), ZK_OK);
    desk.scene.compat_38 = true; /* types 4 and 5 came with 3.9 */
    ck_assert_int_eq(ask(&request), ZK_MARSHALLINGERROR);
    desk.scene.compat_38 = false;
    request.type = OP_REMOVE_WATCHES;
    ck_assert_int_eq(ask(&request), ZK_OK);
    ck_assert_int_eq(ask(&request), ZK_NOWATCHER);
    ck_assert_uint_eq(watches(), 0);
    desk_end();
}
END_TEST

START_TEST(test_null_paths_are_marshalling_errors)
{
    static const int32_t ops[] = {OP_EXISTS,       OP_GET_DATA,       OP_GET_ACL,
                                  OP_GET_CHILDREN, OP_GET_CHILDREN2,  OP_GET_ALL_CHILDREN_NUMBER,
                                  OP_ADD_WATCH,    OP_REMOVE_WATCHES, OP_CHECK_WATCHES};

    desk_begin();
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        struct wire_request request = pipe_op(ops[i], "");

        request.path = wire_null();
        request.flags = 1;
        ck_assert_int_eq(ask(&request), ZK_MARSHALLINGERROR);
    }
    ck_assert_uint_eq(watches(), 0);
    desk_end();
}
END_TEST

/* Whatever stands in a record, the answer is whole frames, the last one the reply. */
START_TEST(test_any_record_gets_one_reply)
{
    static const int32_t ops[] = {OP_EXISTS,        OP_GET_DATA,       OP_GET_ACL,
                                  OP_GET_CHILDREN,  OP_GET_CHILDREN2,  OP_PING,
                                  OP_SET_WATCHES,   OP_SET_WATCHES2,   OP_ADD_WATCH,
                                  OP_CHECK_WATCHES, OP_REMOVE_WATCHES, OP_GET_EPHEMERALS,
                                  OP_WHO_AM_I,      OP_MULTI_READ,     OP_GET_ALL_CHILDREN_NUMBER};
    struct rand rand;

    desk_begin();
    rand_init(&rand, 11);
    create("/a", acl_open(), true);
    for (uint32_t i = 0; i < 60000; i++) {
        uint8_t record[64];
        size_t len = (size_t)rand_below(&rand, sizeof(record));
        struct wire_request_header header = {.xid = (int32_t)i,
                                             .type = ops[i % (sizeof(ops) / sizeof(ops[0]))]};
        struct span rest;
        uint32_t replies = 0;

        for (size_t at = 0; at < len; at++) {
            /* Small numbers and letters, so that lengths and counts often fit. */
            record[at] = rand_below(&rand, 3) != 0 ? (uint8_t)rand_below(&rand, 4)
                                                   : (uint8_t)("/az"[rand_below(&rand, 3)]);
        }
        bytes_clear(&desk.out);
        (void)reply_read(&desk.scene, &header, span_make(record, len), &desk.out);
        rest = bytes_span(&desk.out);
        while (rest.len > 0) {
            struct span frame;
            size_t used;

            EXPECT(wire_frame_next(rest, UINT32_MAX / 2, &frame, &used) == ERR_OK);
            EXPECT(frame.len >= WIRE_REPLY_HEADER_BYTES);
            EXPECT(replies == 0);
            replies += get_u32(frame.at) == i ? 1 : 0;
            rest = span_make(rest.at + used, rest.len - used);
        }
        EXPECT(replies == 1);
    }
    desk_end();
}
END_TEST

/* setWatches: what was missed comes before the reply, in the order of the lists (WA-6). */
START_TEST(test_set_watches_tells_what_was_missed_first)
{
    static const struct {
        uint32_t list;
        int64_t relative;
        const char *path;
        int32_t event;
    } rows[] = {
        {WATCH_LIST_DATA, 1, "/a", EVENT_DATA_CHANGED},
        {WATCH_LIST_DATA, 2, "/a", EVENT_NONE}, /* mzxid is 2 */
        {WATCH_LIST_DATA, 9, "/none", EVENT_DELETED},
        {WATCH_LIST_EXIST, 9, "/a", EVENT_CREATED},
        {WATCH_LIST_EXIST, 0, "/none", EVENT_NONE},
        {WATCH_LIST_CHILD, 2, "/a", EVENT_CHILDREN_CHANGED},
        {WATCH_LIST_CHILD, 3, "/a", EVENT_NONE}, /* pzxid is 3 */
        {WATCH_LIST_CHILD, 9, "/none", EVENT_DELETED},
        {WATCH_LIST_PERSISTENT, 0, "/a", EVENT_NONE},
        {WATCH_LIST_RECURSIVE, 0, "/none", EVENT_NONE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wire_request request = {.type = OP_SET_WATCHES2};
        struct wire_request_header header = {.xid = XID_SET_WATCHES, .type = OP_SET_WATCHES2};
        struct wire_reply_header reply;
        struct txn set = {.header = {.type = OP_SET_DATA},
                          .set = {.path = span_text("/a"), .version = 1}};
        struct bytes item;
        struct span frame;
        size_t used = 0;

        desk_begin();
        create("/a", acl_open(), false);
        apply(&set);
        create("/a/b", acl_open(), false);
        bytes_init(&item, &desk.heap.mem);
        bytes_ustring(&item, span_text(rows[i].path));
        for (uint32_t list = 0; list < WIRE_WATCH_LISTS; list++) {
            request.watches.list[list] = wire_vector_empty();
        }
        request.watches.relative_zxid = rows[i].relative;
        request.watches.list[rows[i].list] =
            (struct wire_vector){.items = bytes_span(&item), .count = 1};
        wire_request_encode(&desk.record, &request);

        ck_assert_int_eq(reply_read(&desk.scene, &header, bytes_span(&desk.record), &desk.out),
                         ZK_OK);

        if (rows[i].event != EVENT_NONE) {
            ck_assert_int_eq(wire_frame_next(bytes_span(&desk.out), 1000, &frame, &used), ERR_OK);
            ck_assert_int_eq(wire_reply_header_take(&frame, &reply), ERR_OK);
            ck_assert_int_eq(reply.xid, XID_EVENT);
            ck_assert_int_eq(reply.zxid, -1);
            ck_assert_msg((int32_t)get_u32(frame.at) == rows[i].event, "row %zu", i);
        }
        ck_assert_int_eq(wire_frame_next(bytes_tail(&desk.out, used), 1000, &frame, &used), ERR_OK);
        ck_assert_int_eq(wire_reply_header_take(&frame, &reply), ERR_OK);
        ck_assert_int_eq(reply.xid, XID_SET_WATCHES);
        ck_assert_int_eq(reply.zxid, desk.zxid);
        ck_assert_msg((watches() == 0) == (rows[i].event != EVENT_NONE), "row %zu", i);
        bytes_drop(&item);
        desk_end();
    }
}
END_TEST

/* multiRead ignores the watch flags of its ops, and goes on after one that fails. */
START_TEST(test_multi_read_sets_no_watch_and_goes_on)
{
    struct wire_request_header header = {.xid = 6, .type = OP_MULTI_READ};
    struct wire_request op = pipe_op(OP_GET_DATA, "/a");
    struct wire_reply reply;
    struct wire_result result;
    struct wire_multi cursor;

    desk_begin();
    create("/a", acl_open(), false);
    op.watch = true;
    wire_multi_put(&desk.record, &op);
    op.path = span_text("/none");
    wire_multi_put(&desk.record, &op);
    op = pipe_op(OP_GET_CHILDREN, "/");
    op.watch = true;
    wire_multi_put(&desk.record, &op);
    wire_multi_end(&desk.record);

    ck_assert_int_eq(reply_read(&desk.scene, &header, bytes_span(&desk.record), &desk.out), ZK_OK);

    ck_assert_uint_eq(watches(), 0);
    ck_assert_int_eq(wire_reply_decode(OP_MULTI_READ, bytes_tail(&desk.out, 20), &reply), ERR_OK);
    cursor = reply.multi;
    ck_assert(wire_result_next(&cursor, &result));
    ck_assert_int_eq(result.type, OP_GET_DATA);
    ck_assert(wire_result_next(&cursor, &result));
    ck_assert_int_eq(result.type, OP_ERROR);
    ck_assert_int_eq(result.err, ZK_NONODE);
    ck_assert(wire_result_next(&cursor, &result));
    ck_assert_int_eq(result.type, OP_GET_CHILDREN);
    ck_assert(!wire_result_next(&cursor, &result));
    desk_end();
}
END_TEST

/* The byte readOnly is there exactly when the request had it: 37 or 36 bytes. */
START_TEST(test_connect_response_has_two_lengths)
{
    desk_begin();
    reply_connected(&desk.out, 5, 4000, true);
    ck_assert_uint_eq(desk.out.len, 4 + 37);
    bytes_clear(&desk.out);
    reply_connected(&desk.out, 0, 4000, false);
    ck_assert_uint_eq(desk.out.len, 4 + 36);
    for (size_t i = 4; i < desk.out.len; i++) {
        ck_assert_uint_eq(desk.out.at[i],
                          i == 4 + 19 ? 16 : 0); /* nothing but the password's size */
    }
    desk_end();
}
END_TEST

START_TEST(test_lack_of_memory_is_seen_in_the_output)
{
    for (uint64_t fail = 1; fail < 12; fail++) {
        struct wire_request_header header = {.xid = 1, .type = OP_GET_CHILDREN2};
        struct wire_request request = pipe_op(OP_GET_CHILDREN2, "/");
        int32_t code;

        desk_begin();
        for (char name[] = "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; name[1] < 'm'; name[1]++) {
            create(name, acl_open(), false);
        }
        request.watch = true;
        wire_request_encode(&desk.record, &request);
        desk.heap.mem.fail_at = desk.heap.mem.get_count + fail;
        code = reply_read(&desk.scene, &header, bytes_span(&desk.record), &desk.out);
        if (!desk.out.failed) {
            ck_assert_int_eq(code, ZK_OK);
            ck_assert_uint_eq(get_u32(desk.out.at) + 4, desk.out.len);
        }
        desk_end();
    }
}
END_TEST

Suite *suite_reply(void)
{
    Suite *suite = suite_create("reply");
    TCase *all = tcase_create("reads");

    tcase_add_test(all, test_reads_check_in_order_and_set_watches);
    tcase_add_test(all, test_exists_refuses_a_nul_and_old_servers_check_no_acl);
    tcase_add_test(all, test_get_acl_masks_digests_without_admin);
    tcase_add_test(all, test_ephemerals_match_a_text_prefix);
    tcase_add_test(all, test_watch_modes_and_types_are_checked);
    tcase_add_test(all, test_null_paths_are_marshalling_errors);
    tcase_add_test(all, test_any_record_gets_one_reply);
    tcase_add_test(all, test_set_watches_tells_what_was_missed_first);
    tcase_add_test(all, test_multi_read_sets_no_watch_and_goes_on);
    tcase_add_test(all, test_connect_response_has_two_lengths);
    tcase_add_test(all, test_lack_of_memory_is_seen_in_the_output);
    suite_add_tcase(suite, all);
    return suite;
}
