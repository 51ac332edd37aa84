/* Images beside what test_disk.c and test_model.c show: streams, fuzzy files, bounds of one call.
 */
#include "tests/expect.h"
#include "tests/tree/help_tree.h"
#include "tree/state.h"

#include <stdio.h>
#include <string.h>

static struct mem_heap heap;
static struct bytes bytes;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&bytes, &heap.mem);
}

static void teardown(void)
{
    bytes_drop(&bytes);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

/* The line of hexadecimal digits that follows the first comment with `mark`. */
static void read_capture(const char *name, const char *mark)
{
    static char line[1 << 16];
    char path[512];
    bool next = false;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/tests/vectors/quorum/%s", SOURCE_DIR, name);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    bytes_clear(&bytes);
    while (bytes.len == 0 && fgets(line, sizeof(line), file) != NULL) {
        unsigned int value;

        if (line[0] == '#') {
            next = strstr(line, mark) != NULL;
            continue;
        }
        for (const char *at = line; next && sscanf(at, "%2x", &value) == 1; at += 2) {
            bytes_u8(&bytes, (uint8_t)value);
        }
    }
    (void)fclose(file);
    ck_assert_uint_gt(bytes.len, 0);
}

/* zab-protocol 4.4: what leaders of Apache sent after SNAP. */
START_TEST(test_a_captured_stream_is_read_and_written_back)
{
    static const char *const names[] = {"follower-join-snap.txt", "observer-join-snap.txt"};
    struct image_options options = {.form = IMAGE_STREAM};
    struct tree_options tree_options = {.hash_seed = 1};

    for (size_t i = 0; i < 2; i++) {
        struct tree *tree = tree_make_bare(&heap.mem, &tree_options);
        struct image_reader *reader =
            image_reader_make(&heap.mem, tree, IMAGE_STREAM, READER_MAX_DEFAULT);
        struct bytes again;
        struct span mark;
        size_t taken = 0;
        bool done = false;

        read_capture(names[i], "snapshot stream");
        ck_assert_int_eq(image_reader_feed(reader, bytes_span(&bytes), &taken, &done), ERR_OK);
        ck_assert(done);
        ck_assert_int_eq(image_reader_end(reader, 0x100000003), ERR_OK);
        mark = span_make(bytes.at + taken, bytes.len - taken);
        ck_assert_uint_ge(mark.len, 14);
        ck_assert(span_is(span_make(mark.at + 4, 10), "BenWasHere"));
        ck_assert_int_eq(tree_zxid(tree), 0x100000003);
        bytes_init(&again, &heap.mem);
        help_image(tree, &options, &again);
        ck_assert(span_equal(bytes_span(&again), span_make(bytes.at, taken)));
        help_check(tree);
        bytes_drop(&again);
        image_reader_drop(reader);
        tree_drop(tree);
    }
}
END_TEST

/* -- hand-made streams -- */

static void put_node(const char *path, const char *data, int64_t list)
{
    struct stat_stored stat = {.czxid = 1};

    bytes_ustring(&bytes, span_text(path));
    bytes_buffer(&bytes, span_text(data));
    bytes_i64(&bytes, list);
    stat_stored_write(&bytes, &stat);
}

static void put_begin(int32_t lists)
{
    bytes_clear(&bytes);
    bytes_i32(&bytes, 0);
    bytes_i32(&bytes, lists);
    for (int32_t i = 0; i < lists; i++) {
        bytes_i64(&bytes, 3 + i);
        acl_list_write(&bytes, i == 0 ? acl_open() : acl_world_read());
    }
}

static struct tree *load_stream(enum err *err)
{
    return help_load(&heap.mem, bytes_span(&bytes), 7, IMAGE_STREAM, err);
}

static void expect_refused(void)
{
    enum err err;

    bytes_ustring(&bytes, span_text("/"));
    ck_assert_ptr_null(load_stream(&err));
    ck_assert_msg(err == ERR_FORMAT, "%s", err_text(err));
}

START_TEST(test_trees_that_cannot_be_are_refused)
{
    put_begin(0);
    expect_refused(); /* no root */
    put_begin(0);
    put_node("/a", "", -1); /* before the root */
    expect_refused();
    put_begin(0);
    put_node("", "", -1);
    put_node("/a/b", "", -1); /* before its parent */
    expect_refused();
    put_begin(0);
    put_node("", "", -1);
    put_node("", "", -1); /* twice */
    expect_refused();
    put_begin(0);
    put_node("", "", -1);
    put_node("/a", "", -1);
    put_node("/a", "", -1);
    expect_refused();
    put_begin(0);
    put_node("", "", -1);
    put_node("a", "", -1);
    expect_refused();
    put_begin(0);
    put_node("", "", -1);
    put_node("/a/", "", -1);
    expect_refused();
    bytes_clear(&bytes);
    bytes_i32(&bytes, -1);
    expect_refused();
    put_begin(0);
    bytes_i32(&bytes, -2);
    expect_refused();
}
END_TEST

/* disk-formats 3: Apache writes its lists before its nodes while both go on changing. */
START_TEST(test_a_list_that_the_image_does_not_tell_is_for_super_users_until_replay)
{
    struct acl_id ids[] = {{.scheme = span_text("ip"), .id = span_text("1.1.1.1")}};
    struct acl_who who = {.ids = ids, .id_count = 1};
    struct tree_result result;
    struct tree *tree;
    struct txn txn = help_create("/a", "x", 9, -1);
    enum err err;

    put_begin(1);
    put_node("", "", -1);
    put_node("/a", "", 8);
    put_node("/b", "", 3);
    bytes_ustring(&bytes, span_text("/"));
    tree = load_stream(&err);
    ck_assert_ptr_nonnull(tree);
    ck_assert(!acl_check(node_acl(tree_find(tree, span_text("/a"))), PERM_READ, &who));
    ck_assert(acl_check(node_acl(tree_find(tree, span_text("/b"))), PERM_READ, &who));
    tree_result_init(&result, &heap.mem);
    ck_assert_int_eq(help_apply(tree, &result, &txn), ZK_NODEEXISTS);
    ck_assert(acl_check(node_acl(tree_find(tree, span_text("/a"))), PERM_READ, &who));
    help_check(tree);
    tree_result_drop(&result);
    tree_drop(tree);
}
END_TEST

START_TEST(test_unused_lists_are_dropped_and_numbers_go_on)
{
    struct tree_result result;
    struct tree *tree;
    struct txn txn = help_create("/c", "x", 9, -1);
    enum err err;

    put_begin(2);
    put_node("", "", -1);
    put_node("/a", "", 4);
    bytes_ustring(&bytes, span_text("/"));
    tree = load_stream(&err);
    ck_assert_ptr_nonnull(tree);
    ck_assert_uint_eq(tree->acls.count, 1);
    tree_result_init(&result, &heap.mem);
    ck_assert_int_eq(help_apply(tree, &result, &txn), ZK_OK);
    ck_assert_int_eq(tree_find(tree, span_text("/c"))->acl->index, 5);
    tree_result_drop(&result);
    tree_drop(tree);
}
END_TEST

static struct tree *make_wide(struct tree_result *result, int count)
{
    struct tree_options options = {.hash_seed = 1};
    struct tree *tree = tree_make(&heap.mem, &options);
    char path[32];

    tree_result_init(result, &heap.mem);
    result->quiet = true;
    for (int i = 0; i < count; i++) {
        struct txn txn;

        (void)snprintf(path, sizeof(path), "/n%d", i);
        txn = help_create(path, "0123456789", i + 1, -1);
        EXPECT(help_apply(tree, result, &txn) == ZK_OK);
    }
    return tree;
}

START_TEST(test_one_call_writes_about_what_was_asked_for)
{
    struct image_options options = {.form = IMAGE_FILE};
    struct tree_result result;
    struct tree *tree = make_wide(&result, 20000);
    struct image_writer *writer;
    bool done = false;
    uint32_t calls = 0;

    ck_assert_int_eq(image_writer_make(tree, &options, &writer), ERR_OK);
    while (!done) {
        size_t before = bytes.len;

        ck_assert_int_eq(image_write(writer, &bytes, IMAGE_PIECE, &done), ERR_OK);
        EXPECT(bytes.len - before < IMAGE_PIECE + 300);
        calls++;
    }
    ck_assert_uint_ge(calls, bytes.len / (IMAGE_PIECE + 300));
    image_writer_drop(writer);
    tree_result_drop(&result);
    tree_drop(tree);
}
END_TEST

/* Eight may run, given-up ones make room after a while, and no call does it all. */
START_TEST(test_slots_of_given_up_images_come_back)
{
    struct image_options options = {.form = IMAGE_STREAM};
    struct tree_result result;
    struct tree *tree = make_wide(&result, 2000);
    struct image_writer *writers[IMAGE_WALKS];
    struct image_writer *more;
    int applied = 0;

    for (uint32_t i = 0; i < IMAGE_WALKS; i++) {
        ck_assert_int_eq(image_writer_make(tree, &options, &writers[i]), ERR_OK);
    }
    ck_assert_int_eq(image_writer_make(tree, &options, &more), ERR_REFUSED);
    for (uint32_t i = 0; i < IMAGE_WALKS; i++) {
        image_writer_drop(writers[i]);
    }
    while (image_writer_make(tree, &options, &more) == ERR_REFUSED) {
        struct txn txn = help_set("/n1", "x", 5000 + applied, 1);

        ck_assert_int_eq(help_apply(tree, &result, &txn), ZK_OK);
        applied++;
    }
    ck_assert_int_gt(applied, 10);
    ck_assert_int_lt(applied, 2000);
    image_writer_drop(more);
    tree_result_drop(&result);
    tree_drop(tree);
}
END_TEST

/* A path of 2,000 parts: nothing here may recurse. */
START_TEST(test_a_deep_tree_is_written_while_its_leaf_changes)
{
    struct image_options options = {.form = IMAGE_FILE};
    struct tree_options tree_options = {.hash_seed = 1};
    struct tree *tree = tree_make(&heap.mem, &tree_options);
    struct image_writer *writer;
    struct tree_result result;
    static char path[2 * 2000 + 1];
    struct tree *loaded;
    bool done = false;
    enum err err;

    tree_result_init(&result, &heap.mem);
    for (int i = 0; i < 2000; i++) {
        struct txn txn;

        (void)strcat(path, "/d");
        txn = help_create(path, "old", i + 1, -1);
        EXPECT(help_apply(tree, &result, &txn) == ZK_OK);
    }
    ck_assert_int_eq(image_writer_make(tree, &options, &writer), ERR_OK);
    for (int i = 0; !done; i++) {
        struct txn txn = help_set(path, "newer", 3000 + i, 1);

        EXPECT(help_apply(tree, &result, &txn) == ZK_OK);
        ck_assert_int_eq(image_write(writer, &bytes, 1000, &done), ERR_OK);
    }
    image_writer_drop(writer);
    loaded = help_load(&heap.mem, bytes_span(&bytes), 4096, IMAGE_FILE, &err);
    ck_assert_ptr_nonnull(loaded);
    ck_assert(span_is(node_data(tree_find(loaded, span_text(path))), "old"));
    ck_assert_uint_eq(tree_node_count(loaded), 2004);
    tree_drop(loaded);
    tree_result_drop(&result);
    tree_drop(tree);
}
END_TEST

START_TEST(test_seals_can_be_left_out)
{
    for (uint32_t which = 0; which < 4; which++) {
        struct image_options options = {
            .form = IMAGE_FILE, .no_digest = (which & 1) != 0, .no_zxid = (which & 2) != 0};
        struct tree_result result;
        struct tree *tree = make_wide(&result, 3);
        struct tree *loaded;
        size_t len;
        enum err err;

        bytes_clear(&bytes);
        help_image(tree, &options, &bytes);
        len = bytes.len;
        loaded = help_load(&heap.mem, bytes_span(&bytes), 64, IMAGE_FILE, &err);
        ck_assert_ptr_nonnull(loaded);
        ck_assert_int_eq(tree_zxid(loaded), (which & 1) != 0 ? 0 : 3);
        tree_drop(loaded);
        bytes_u8(&bytes, 0); /* more than a file may hold */
        ck_assert_ptr_null(help_load(&heap.mem, bytes_span(&bytes), 64, IMAGE_FILE, &err));
        ck_assert_uint_gt(len, 0);
        tree_result_drop(&result);
        tree_drop(tree);
    }
}
END_TEST

START_TEST(test_loading_survives_every_failed_allocation)
{
    struct image_options options = {.form = IMAGE_FILE};
    struct tree_result result;
    struct tree *tree = make_wide(&result, 40);
    struct mem_heap other;
    enum err err = ERR_MEMORY;
    struct tree *loaded = NULL;

    help_image(tree, &options, &bytes);
    for (uint64_t nth = 3; loaded == NULL; nth++) {
        struct tree_options tree_options = {.hash_seed = 1};
        struct image_reader *reader;
        size_t taken;
        bool done;

        mem_heap_init(&other, UINT64_MAX);
        loaded = tree_make_bare(&other.mem, &tree_options);
        other.mem.fail_at = other.mem.get_count + nth;
        reader = image_reader_make(&other.mem, loaded, IMAGE_FILE, READER_MAX_DEFAULT);
        err = image_reader_feed(reader, bytes_span(&bytes), &taken, &done);
        if (err == ERR_OK) {
            err = image_reader_end(reader, 1);
        }
        image_reader_drop(reader);
        if (err != ERR_OK) {
            EXPECT(err == ERR_MEMORY);
            tree_drop(loaded);
            loaded = NULL;
            EXPECT(other.mem.used_bytes == 0);
        }
    }
    ck_assert_uint_eq(tree_digest(loaded), tree_digest(tree));
    tree_drop(loaded);
    tree_result_drop(&result);
    tree_drop(tree);
}
END_TEST

Suite *suite_image(void)
{
    Suite *suite = suite_create("image");
    TCase *tcase = tcase_create("image");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_a_captured_stream_is_read_and_written_back);
    tcase_add_test(tcase, test_trees_that_cannot_be_are_refused);
    tcase_add_test(tcase, test_a_list_that_the_image_does_not_tell_is_for_super_users_until_replay);
    tcase_add_test(tcase, test_unused_lists_are_dropped_and_numbers_go_on);
    tcase_add_test(tcase, test_one_call_writes_about_what_was_asked_for);
    tcase_add_test(tcase, test_slots_of_given_up_images_come_back);
    tcase_add_test(tcase, test_a_deep_tree_is_written_while_its_leaf_changes);
    tcase_add_test(tcase, test_seals_can_be_left_out);
    tcase_add_test(tcase, test_loading_survives_every_failed_allocation);
    suite_add_tcase(suite, tcase);
    return suite;
}
