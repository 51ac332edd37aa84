#include "tests/expect.h"
#include "tree/acl.h"

#include <stdio.h>
#include <string.h>

static struct mem_heap heap;
static struct bytes raw;
static struct bytes request;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&raw, &heap.mem);
    bytes_init(&request, &heap.mem);
}

static void teardown(void)
{
    bytes_drop(&raw);
    bytes_drop(&request);
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static struct acl item(int32_t perms, const char *scheme, const char *id)
{
    return (struct acl){.perms = perms, .scheme = span_text(scheme), .id = span_text(id)};
}

/* "31 world anyone;1 ip 10.0.0.1": items of a list. */
static struct acl_list list_of(const char *text)
{
    struct acl_list list = {0};
    int used = 0;
    int perms;
    char scheme[32];
    char id[200];

    bytes_clear(&request);
    while (sscanf(text, "%d %31[^ ] %199[^;]%n", &perms, scheme, id, &used) == 3) {
        acl_write_item(&request, item(perms, scheme, id));
        list.count++;
        text += used;
        text += *text == ';' ? 1 : 0;
    }
    list.raw = bytes_span(&request);
    return list;
}

static void expect_list(struct acl_list got, const char *want)
{
    char text[1000] = "";
    struct acl acl;

    while (acl_next(&got, &acl)) {
        size_t len = strlen(text);

        (void)snprintf(text + len, sizeof(text) - len, "%s%d %.*s %.*s", len > 0 ? ";" : "",
                       acl.perms, (int)acl.scheme.len, (const char *)acl.scheme.at, (int)acl.id.len,
                       (const char *)acl.id.at);
    }
    ck_assert_str_eq(text, want);
}

static const struct acl_id bob[] = {
    {{(const uint8_t *)"ip", 2}, {(const uint8_t *)"10.1.2.3", 8}},
    {{(const uint8_t *)"digest", 6}, {(const uint8_t *)"bob:h", 5}},
    {{(const uint8_t *)"digest", 6}, {(const uint8_t *)"eve:h", 5}}};

static enum zk_code fixup(struct acl_list list, uint32_t id_count, struct acl_list *fixed)
{
    struct acl_who who = {.ids = bob, .id_count = id_count};

    bytes_clear(&raw);
    return acl_fixup(list, &who, &raw, fixed);
}

/* client-protocol 14, fixupACL. */
START_TEST(test_fixup_follows_the_rules)
{
    static const struct {
        const char *list;
        uint32_t ids;
        enum zk_code code;
        const char *fixed;
    } rules[] = {
        {"31 world anyone", 1, ZK_OK, "31 world anyone"},
        {"31 world anyone;31 world anyone;1 world anyone", 1, ZK_OK,
         "31 world anyone;1 world anyone"},
        {"31 world other", 1, ZK_INVALIDACL, ""},
        {"31 auth x", 1, ZK_INVALIDACL, ""}, /* an address proves nothing */
        {"5 auth x", 3, ZK_OK, "5 digest bob:h;5 digest eve:h"},
        {"5 auth x;5 digest bob:h", 2, ZK_OK, "5 digest bob:h;5 digest bob:h"},
        {"5 auth x;5 auth y", 2, ZK_OK, "5 digest bob:h;5 digest bob:h"},
        {"1 digest a:b", 1, ZK_OK, "1 digest a:b"},
        {"1 digest a:b:", 1, ZK_OK, "1 digest a:b:"},
        {"1 digest a", 1, ZK_INVALIDACL, ""},
        {"1 digest a:", 1, ZK_INVALIDACL, ""},
        {"1 digest a:b:c", 1, ZK_INVALIDACL, ""},
        {"1 ip 1.2.3.4;1 ip 1.2.3.4/24;0 ip 0.0.0.0/0", 1, ZK_OK,
         "1 ip 1.2.3.4;1 ip 1.2.3.4/24;0 ip 0.0.0.0/0"},
        {"1 ip 1.2.3", 1, ZK_INVALIDACL, ""},
        {"1 ip 1.2.3.4.5", 1, ZK_INVALIDACL, ""},
        {"1 ip 1.2.3.256", 1, ZK_INVALIDACL, ""},
        {"1 ip 1.2.3.4/33", 1, ZK_INVALIDACL, ""},
        {"1 ip 1.2.3.4/", 1, ZK_INVALIDACL, ""},
        {"1 ip 1..3.4", 1, ZK_INVALIDACL, ""},
        {"1 ip ::1;1 ip ::;1 ip fe80::1:2/64;1 ip 1:2:3:4:5:6:7:8;1 ip ::ffff:1.2.3.4/128", 1,
         ZK_OK, "1 ip ::1;1 ip ::;1 ip fe80::1:2/64;1 ip 1:2:3:4:5:6:7:8;1 ip ::ffff:1.2.3.4/128"},
        {"1 ip 1:2", 1, ZK_INVALIDACL, ""},
        {"1 ip 1:2:3:4:5:6:7:8:9", 1, ZK_INVALIDACL, ""},
        {"1 ip 1:2:3:4:5:6:7::8", 1, ZK_INVALIDACL, ""},
        {"1 ip 1::2::3", 1, ZK_INVALIDACL, ""},
        {"1 ip ::1/129", 1, ZK_INVALIDACL, ""},
        {"1 ip 12345::1", 1, ZK_INVALIDACL, ""},
        {"1 ip ::1:", 1, ZK_INVALIDACL, ""},
        {"1 ip 1:::2", 1, ZK_INVALIDACL, ""},
        {"1 x509 CN=a", 1, ZK_INVALIDACL, ""}, /* no such provider */
        {"1 nonsense a", 1, ZK_INVALIDACL, ""},
        {"-1 world anyone", 1, ZK_OK, "-1 world anyone"}, /* bits are not checked */
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct acl_list fixed = {0};
        enum zk_code code = fixup(list_of(rules[i].list), rules[i].ids, &fixed);

        ck_assert_msg(code == rules[i].code, "%s: %d", rules[i].list, code);
        if (code == ZK_OK) {
            expect_list(fixed, rules[i].fixed);
        }
    }
}
END_TEST

START_TEST(test_fixup_refuses_null_and_empty)
{
    struct acl_list fixed;
    struct acl_list null_list = {.is_null = true};
    struct acl_list empty = {0};
    struct acl_list list = {.count = 1};

    ck_assert_int_eq(fixup(null_list, 1, &fixed), ZK_INVALIDACL);
    ck_assert_int_eq(fixup(empty, 1, &fixed), ZK_INVALIDACL);
    acl_write_item(&request, (struct acl){.scheme = span_text("world"), .id_null = true});
    list.raw = bytes_span(&request);
    ck_assert_int_eq(fixup(list, 1, &fixed), ZK_INVALIDACL);
}
END_TEST

/* 30,000 items, each twice: by pairs this would take minutes. */
START_TEST(test_fixup_of_a_long_list_is_fast_and_finds_every_duplicate)
{
    struct acl_list list = {0};
    struct acl_list fixed;
    struct acl acl;
    int32_t next = 0;

    for (int32_t round = 0; round < 2; round++) {
        for (int32_t i = 0; i < 30000; i++) {
            acl_write_item(&request, item(i, "world", "anyone"));
            list.count++;
        }
    }
    list.raw = bytes_span(&request);

    ck_assert_int_eq(fixup(list, 1, &fixed), ZK_OK);
    ck_assert_uint_eq(fixed.count, 30000);
    while (acl_next(&fixed, &acl)) {
        EXPECT(acl.perms == next++);
    }
}
END_TEST

START_TEST(test_fixup_bounds_what_auth_multiplies)
{
    static struct acl_id many[100];
    static const char key[] = "digest";
    struct acl_who who = {.ids = many, .id_count = 100};
    struct acl_list list = {0};
    struct acl_list fixed;

    for (size_t i = 0; i < 100; i++) {
        many[i] = (struct acl_id){.scheme = span_text(key), .id = span_text("somebody:something")};
    }
    for (int32_t i = 0; i < 50000; i++) {
        acl_write_item(&request, item(i, "auth", ""));
        list.count++;
    }
    list.raw = bytes_span(&request);

    ck_assert_int_eq(acl_fixup(list, &who, &raw, &fixed), ZK_INVALIDACL);
    ck_assert_uint_lt(raw.len, 3000000);
}
END_TEST

static bool check(const char *list, uint32_t wanted, const char *scheme, const char *id)
{
    struct acl_id ids[] = {{.scheme = span_text(scheme), .id = span_text(id)}};
    struct acl_who who = {.ids = ids, .id_count = 1};

    return acl_check(list_of(list), wanted, &who);
}

START_TEST(test_check_wants_one_matching_item)
{
    ck_assert(check("31 world anyone", PERM_READ, "ip", "1.1.1.1"));
    ck_assert(!check("1 world anyone", PERM_WRITE, "ip", "1.1.1.1"));
    ck_assert(check("1 world anyone;2 ip 1.1.1.1", PERM_WRITE, "ip", "1.1.1.1"));
    ck_assert(check("17 ip 10.0.0.0/8", PERM_READ | PERM_ADMIN, "ip", "10.9.8.7"));
    ck_assert(!check("31 ip 10.0.0.0/8", PERM_READ, "ip", "11.9.8.7"));
    ck_assert(check("31 ip 10.128.0.0/9", PERM_READ, "ip", "10.200.8.7"));
    ck_assert(!check("31 ip 10.128.0.0/9", PERM_READ, "ip", "10.100.8.7"));
    ck_assert(check("31 ip 1.1.1.1/0", PERM_READ, "ip", "9.9.9.9"));
    ck_assert(!check("31 ip 1.1.1.1/0", PERM_READ, "ip", "::1"));
    ck_assert(check("31 ip ::1", PERM_READ, "ip", "0:0:0:0:0:0:0:1"));
    ck_assert(check("31 ip fe80::/10", PERM_READ, "ip", "febf::9"));
    ck_assert(!check("31 ip fe80::/10", PERM_READ, "ip", "fec0::9"));
    ck_assert(check("31 digest a:b", PERM_READ, "digest", "a:b"));
    ck_assert(!check("31 digest a:b", PERM_READ, "digest", "a:c"));
    ck_assert(!check("31 digest a:b", PERM_READ, "ip", "a:b"));
    ck_assert(check("31 digest a:b", PERM_READ, "super", ""));
    ck_assert(!check("31 sasl a", PERM_READ, "sasl", "a")); /* not loaded */
    ck_assert(check("", PERM_READ, "ip", "1.1.1.1"));       /* an empty list protects nothing */
}
END_TEST

START_TEST(test_policy_changes_what_passes)
{
    struct acl_policy policy = {.sasl = true,
                                .x509 = true,
                                .any_sasl = span_text("everybody"),
                                .x509_super = span_text("CN=root")};
    struct acl_id ids[] = {{.scheme = span_text("sasl"), .id = span_text("eve")},
                           {.scheme = span_text("x509"), .id = span_text("CN=root")}};
    struct acl_who who = {.ids = ids, .id_count = 1, .policy = &policy};
    struct acl_list fixed;

    ck_assert(acl_check(list_of("31 sasl eve"), PERM_READ, &who));
    ck_assert(!acl_check(list_of("31 sasl bob"), PERM_READ, &who));
    ck_assert(acl_check(list_of("31 sasl everybody"), PERM_READ, &who));
    ck_assert(!acl_check(list_of("31 x509 CN=a"), PERM_READ, &who));
    who.id_count = 2;
    ck_assert(acl_check(list_of("31 x509 CN=a"), PERM_READ, &who));
    ck_assert_int_eq(
        acl_fixup(list_of("1 sasl a/b@C;1 sasl a;1 x509 CN=a, O=b\\,c"), &who, &raw, &fixed),
        ZK_OK);
    ck_assert_int_eq(acl_fixup(list_of("1 sasl a@b@c"), &who, &raw, &fixed), ZK_INVALIDACL);
    ck_assert_int_eq(acl_fixup(list_of("1 x509 a"), &who, &raw, &fixed), ZK_INVALIDACL);
    policy.skip = true;
    ck_assert(acl_check(list_of("31 sasl bob"), PERM_READ, &who));
    policy = (struct acl_policy){.digest_disabled = true};
    ids[0] = (struct acl_id){.scheme = span_text("digest"), .id = span_text("a:b")};
    ck_assert(!acl_check(list_of("31 digest a:b"), PERM_READ, &who));
}
END_TEST

/* client-protocol 9: getACL without ADMIN. */
START_TEST(test_masking_hides_the_hash_of_digest_ids)
{
    struct reader in;
    struct acl_list masked;

    acl_write_masked(&raw, list_of("31 digest bob:secret;1 ip 1.2.3.4;1 digest odd"));
    reader_init(&in, bytes_span(&raw), READER_MAX_DEFAULT);
    masked = acl_list_read(&in);
    ck_assert_int_eq(reader_finish(&in), ERR_OK);
    expect_list(masked, "31 digest bob:x;1 ip 1.2.3.4;1 digest odd");
}
END_TEST

START_TEST(test_the_table_holds_each_list_once_and_never_reuses_an_index)
{
    struct acl_table table;
    struct acl_entry *one;
    struct acl_entry *two;
    struct acl_entry *again;
    struct acl_list null_list = {.is_null = true};

    acl_table_init(&table, &heap.mem, 1);
    ck_assert_int_eq(acl_table_use(&table, acl_open(), &one), ERR_OK);
    ck_assert_int_eq(acl_table_use(&table, acl_world_read(), &two), ERR_OK);
    ck_assert_int_eq(acl_table_use(&table, acl_open(), &again), ERR_OK);
    ck_assert_ptr_eq(one, again);
    ck_assert_int_eq(one->index, 1);
    ck_assert_int_eq(two->index, 2);
    acl_table_release(&table, one);
    ck_assert_uint_eq(table.count, 2);
    acl_table_release(&table, one);
    ck_assert_uint_eq(table.count, 1);
    expect_list(acl_entry_list(one), "31 world anyone"); /* readable until the purge */
    ck_assert_int_eq(acl_table_use(&table, acl_open(), &again), ERR_OK);
    ck_assert_int_eq(again->index, 3);
    acl_table_purge(&table);
    ck_assert_int_eq(acl_table_use(&table, null_list, &again), ERR_OK);
    ck_assert_ptr_null(again);
    expect_list(acl_entry_list(again), "31 world anyone");
    acl_table_drop(&table);
}
END_TEST

Suite *suite_acl(void)
{
    Suite *suite = suite_create("acl");
    TCase *tcase = tcase_create("acl");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_fixup_follows_the_rules);
    tcase_add_test(tcase, test_fixup_refuses_null_and_empty);
    tcase_add_test(tcase, test_fixup_of_a_long_list_is_fast_and_finds_every_duplicate);
    tcase_add_test(tcase, test_fixup_bounds_what_auth_multiplies);
    tcase_add_test(tcase, test_check_wants_one_matching_item);
    tcase_add_test(tcase, test_policy_changes_what_passes);
    tcase_add_test(tcase, test_masking_hides_the_hash_of_digest_ids);
    tcase_add_test(tcase, test_the_table_holds_each_list_once_and_never_reuses_an_index);
    suite_add_tcase(suite, tcase);
    return suite;
}
