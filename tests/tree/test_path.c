#include "tests/expect.h"
#include "tree/path.h"

/* client-protocol 8.1 (PathUtils.validatePath). */
static const struct {
    const char *path;
    size_t len;
    bool valid;
} rules[] = {
#define PATH(text, valid)             \
    {                                 \
        text, sizeof(text) - 1, valid \
    }
    PATH("", false),
    PATH("/", true),
    PATH("a", false),
    PATH("/a", true),
    PATH("/a/", false),
    PATH("//", false),
    PATH("/a//b", false),
    PATH("//a", false),
    PATH("/.", false),
    PATH("/..", false),
    PATH("/...", true),
    PATH("/a/.", false),
    PATH("/a/./b", false),
    PATH("/a/..", false),
    PATH("/a/../b", false),
    PATH("/a/.b", true),
    PATH("/a/b.", true),
    PATH("/a/..b/c", true),
    PATH("/.a", true),
    PATH("/a\0b", false),
    PATH("/\x01", false),
    PATH("/\x1f", false),
    PATH("/ ", true),
    PATH("/~", true),
    PATH("/\x7f", false),
    PATH("/\xc2\x80", false),         /* U+0080 */
    PATH("/\xc2\x9f", false),         /* U+009F */
    PATH("/\xc2\xa0", true),          /* U+00A0 */
    PATH("/\xdf\xbf", true),          /* U+07FF */
    PATH("/\xe0\xa0\x80", true),      /* U+0800 */
    PATH("/\xed\x9f\xbf", true),      /* U+D7FF */
    PATH("/\xed\xa0\x80", false),     /* a surrogate */
    PATH("/\xee\x80\x80", false),     /* U+E000 */
    PATH("/\xef\xa3\xbf", false),     /* U+F8FF */
    PATH("/\xef\xa4\x80", true),      /* U+F900 */
    PATH("/\xef\xbf\xaf", true),      /* U+FFEF */
    PATH("/\xef\xbf\xb0", false),     /* U+FFF0 */
    PATH("/\xf0\x9f\x98\x80", false), /* above U+FFFF: two surrogates in Java */
    PATH("/\x80", false),             /* not UTF-8 from here on */
    PATH("/\xc1\x81", false),
    PATH("/\xc3", false),
    PATH("/\xc3/", false),
    PATH("/\xe0\x80\x80", false),
    PATH("/\xe4\xb8", false),
    PATH("/\xe4\xb8/a", false),
    PATH("/\xff", false),
    PATH("/uni-\xc3\xa9\xe4\xb8\xad/x", true),
};

START_TEST(test_paths_are_valid_as_in_the_table)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        ck_assert_msg(path_valid(span_make(rules[i].path, rules[i].len)) == rules[i].valid,
                      "rule %zu: %s", i, rules[i].path);
    }
}
END_TEST

static void expect_split(const char *path, const char *parent, const char *name)
{
    struct span got_parent;
    struct span got_name;

    ck_assert(path_split(span_text(path), &got_parent, &got_name));
    ck_assert_msg(span_is(got_parent, parent), "%s", path);
    ck_assert_msg(span_is(got_name, name), "%s", path);
}

START_TEST(test_a_path_splits_at_its_last_slash)
{
    struct span parent;
    struct span name;

    expect_split("/a", "", "a");
    expect_split("/a/b", "/a", "b");
    expect_split("//b", "/", "b");
    expect_split("a/b", "a", "b");
    ck_assert(!path_split(span_text("/"), &parent, &name));
    ck_assert(!path_split(span_text(""), &parent, &name));
    ck_assert(!path_split(span_text("a"), &parent, &name));
    ck_assert(!path_split(span_text("/a/"), &parent, &name));
    ck_assert(span_is(path_parent(span_text("/a/b/c")), "/a/b"));
    ck_assert(span_is(path_parent(span_text("/a")), "/"));
    ck_assert(span_is(path_parent(span_text("/")), "/"));
}
END_TEST

START_TEST(test_covering_goes_by_components)
{
    ck_assert(path_covers(span_text("/a"), span_text("/a")));
    ck_assert(path_covers(span_text("/a"), span_text("/a/b")));
    ck_assert(!path_covers(span_text("/a"), span_text("/ab")));
    ck_assert(!path_covers(span_text("/a/b"), span_text("/a")));
    ck_assert(path_covers(span_text("/"), span_text("/a")));
    ck_assert(path_covers(span_text(""), span_text("/")));
}
END_TEST

START_TEST(test_special_and_undigested_paths)
{
    ck_assert(path_special(span_text("/")));
    ck_assert(path_special(span_text("/zookeeper/config")));
    ck_assert(!path_special(span_text("/zookeeper/quota/a")));
    ck_assert(path_undigested(span_text("/zookeeper/a")));
    ck_assert(!path_undigested(span_text("/zookeeper")));
    ck_assert(!path_undigested(span_text("/zookeeperx/a")));
    ck_assert(path_plausible(span_text("a/b")));
    ck_assert(!path_plausible(span_text("ab")));
    ck_assert(!path_plausible(span_make("/a\0b", 4)));
}
END_TEST

Suite *suite_path(void)
{
    Suite *suite = suite_create("path");
    TCase *tcase = tcase_create("path");

    tcase_add_test(tcase, test_paths_are_valid_as_in_the_table);
    tcase_add_test(tcase, test_a_path_splits_at_its_last_slash);
    tcase_add_test(tcase, test_covering_goes_by_components);
    tcase_add_test(tcase, test_special_and_undigested_paths);
    suite_add_tcase(suite, tcase);
    return suite;
}
