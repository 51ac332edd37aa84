/* client-protocol 15. */
#include "tests/expect.h"
#include "tests/tree/help_tree.h"
#include "tree/quota.h"

static struct mem_heap heap;
static struct tree *tree;
static struct tree_result result;
static int64_t zxid;

static void setup(void)
{
    struct tree_options options = {.hash_seed = 3};

    mem_heap_init(&heap, UINT64_MAX);
    tree = tree_make(&heap.mem, &options);
    tree_result_init(&result, &heap.mem);
    zxid = 0;
}

static void teardown(void)
{
    tree_result_drop(&result);
    tree_drop(tree);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static void create(const char *path, const char *data)
{
    struct txn txn = help_create(path, data, ++zxid, -1);

    ck_assert_int_eq(help_apply(tree, &result, &txn), ZK_OK);
}

static void set(const char *path, const char *data)
{
    struct txn txn = help_set(path, data, ++zxid, 1);

    ck_assert_int_eq(help_apply(tree, &result, &txn), ZK_OK);
}

static void delete_node(const char *path)
{
    struct txn txn = help_delete(path, ++zxid);

    ck_assert_int_eq(help_apply(tree, &result, &txn), ZK_OK);
}

static void expect_data(const char *path, const char *want)
{
    const struct node *node = tree_find(tree, span_text(path));

    ck_assert_ptr_nonnull(node);
    ck_assert_msg(span_is(node_data(node), want), "%.*s instead of %s", (int)node->data_len,
                  (const char *)node->data, want);
}

START_TEST(test_the_text_is_read_and_written)
{
    static const struct {
        const char *text;
        int64_t count, bytes, byte_hard, count_hard;
        const char *again;
    } rules[] = {
        {"count=5,bytes=7", 5, 7, -1, -1, "count=5,bytes=7"},
        {"", -1, -1, -1, -1, "count=-1,bytes=-1"},
        {"bytes=7", -1, 7, -1, -1, "count=-1,bytes=7"},
        {"count=5,bytes=7=;byteHardLimit=1;countHardLimit=2", 5, 7, 1, 2,
         "count=5,bytes=7=;byteHardLimit=1;countHardLimit=2"},
        {"count=5,bytes=7=;countHardLimit=2", 5, 7, -1, 2, "count=5,bytes=7=;countHardLimit=2"},
        {"count=,bytes=", -1, -1, -1, -1, "count=-1,bytes=-1"},
        {"count=1,;bytes=2,x=9", 1, 2, -1, -1, "count=1,bytes=2"},
    };
    struct quota quota;
    struct bytes out;

    bytes_init(&out, &heap.mem);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        ck_assert_int_eq(quota_parse(span_text(rules[i].text), &quota), ERR_OK);
        ck_assert_int_eq(quota.count, rules[i].count);
        ck_assert_int_eq(quota.bytes, rules[i].bytes);
        ck_assert_int_eq(quota.byte_hard_limit, rules[i].byte_hard);
        ck_assert_int_eq(quota.count_hard_limit, rules[i].count_hard);
        bytes_clear(&out);
        quota_write(&out, &quota);
        ck_assert(span_is(bytes_span(&out), rules[i].again));
    }
    ck_assert_int_eq(quota_parse(span_text("count"), &quota), ERR_FORMAT);
    ck_assert_int_eq(quota_parse(span_text("count=x"), &quota), ERR_FORMAT);
    ck_assert_int_eq(quota_parse(span_text("count=99999999999999999999"), &quota), ERR_FORMAT);
    bytes_drop(&out);
}
END_TEST

static void set_quota(const char *limits)
{
    create("/a", "12345");
    create("/a/b", "123");
    create("/ab", "1");
    create("/zookeeper/quota/a", NULL);
    create("/zookeeper/quota/a/zookeeper_limits", limits);
    create("/zookeeper/quota/a/zookeeper_stats", "count=0,bytes=0");
}

START_TEST(test_usage_is_counted_when_the_node_is_made_and_kept_up_to_date)
{
    static const char stats[] = "/zookeeper/quota/a/zookeeper_stats";
    uint64_t digest;

    set_quota("count=9,bytes=99");
    expect_data(stats, "count=2,bytes=8");
    ck_assert_int_eq(tree_find(tree, span_text(stats))->version, 0); /* no stat field moves */
    create("/a/c", "1");
    expect_data(stats, "count=3,bytes=9");
    create("/a/b/d", NULL);
    expect_data(stats, "count=4,bytes=9");
    set("/a", "1");
    expect_data(stats, "count=4,bytes=5");
    create("/abc", "1");
    expect_data(stats, "count=4,bytes=5");
    delete_node("/a/b/d");
    delete_node("/a/b");
    expect_data(stats, "count=2,bytes=2");
    digest = tree_digest(tree);
    set(stats, "count=100,bytes=200"); /* clients may write it */
    ck_assert_uint_eq(tree_digest(tree), digest);
    create("/a/e", "55");
    expect_data(stats, "count=101,bytes=202");
    delete_node("/zookeeper/quota/a/zookeeper_limits");
    create("/a/f", "55");
    expect_data(stats, "count=101,bytes=202");
    help_check(tree);
}
END_TEST

START_TEST(test_the_deepest_quota_counts)
{
    struct span found;

    set_quota("count=9,bytes=99");
    create("/zookeeper/quota/a/b", NULL);
    create("/zookeeper/quota/a/b/zookeeper_limits", "count=1,bytes=1");
    create("/zookeeper/quota/a/b/zookeeper_stats", "");
    create("/a/b/c", "1234");
    expect_data("/zookeeper/quota/a/b/zookeeper_stats", "count=2,bytes=7");
    expect_data("/zookeeper/quota/a/zookeeper_stats", "count=2,bytes=8");
    ck_assert(quota_path(tree, span_text("/a/b/c/d/e"), &found));
    ck_assert(span_is(found, "/a/b"));
    ck_assert(quota_path(tree, span_text("/a"), &found));
    ck_assert(span_is(found, "/a"));
    ck_assert(!quota_path(tree, span_text("/ab"), &found));
    ck_assert(!quota_path(tree, span_text("/"), &found));
}
END_TEST

START_TEST(test_only_hard_limits_refuse_and_equal_is_fine)
{
    struct quota_change one = {.count = 1};
    struct quota_change two = {.bytes = 2};
    struct quota_change three = {.bytes = 3};

    set_quota("count=1,bytes=1"); /* soft, and long exceeded */
    ck_assert_int_eq(quota_check(tree, span_text("/a/x"), one), ZK_OK);
    set("/zookeeper/quota/a/zookeeper_limits",
        "count=1,bytes=1=;byteHardLimit=10;countHardLimit=3");
    ck_assert_int_eq(quota_check(tree, span_text("/a/x"), one), ZK_OK);
    ck_assert_int_eq(quota_check(tree, span_text("/a/x"), two), ZK_OK);
    ck_assert_int_eq(quota_check(tree, span_text("/a/x"), three), ZK_QUOTAEXCEEDED);
    create("/a/x", NULL);
    ck_assert_int_eq(quota_check(tree, span_text("/a/y"), one), ZK_QUOTAEXCEEDED);
    ck_assert_int_eq(quota_check(tree, span_text("/b"), one), ZK_OK);
}
END_TEST

START_TEST(test_loading_an_image_counts_again)
{
    struct image_options options = {.form = IMAGE_FILE};
    struct tree *loaded;
    struct bytes image;
    enum err err;

    set_quota("count=9,bytes=99");
    set("/zookeeper/quota/a/zookeeper_stats", "count=77,bytes=77");
    bytes_init(&image, &heap.mem);
    help_image(tree, &options, &image);
    loaded = help_load(&heap.mem, bytes_span(&image), 50, IMAGE_FILE, &err);
    ck_assert_ptr_nonnull(loaded);
    ck_assert(span_is(node_data(tree_find(loaded, span_text("/zookeeper/quota/a/zookeeper_stats"))),
                      "count=2,bytes=8"));
    help_check(loaded);
    tree_drop(loaded);
    bytes_drop(&image);
}
END_TEST

Suite *suite_quota(void)
{
    Suite *suite = suite_create("quota");
    TCase *tcase = tcase_create("quota");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_the_text_is_read_and_written);
    tcase_add_test(tcase, test_usage_is_counted_when_the_node_is_made_and_kept_up_to_date);
    tcase_add_test(tcase, test_the_deepest_quota_counts);
    tcase_add_test(tcase, test_only_hard_limits_refuse_and_equal_is_fine);
    tcase_add_test(tcase, test_loading_an_image_counts_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
