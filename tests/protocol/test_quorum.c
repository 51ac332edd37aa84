#include "protocol/quorum.h"
#include "tests/expect.h"

#include <check.h>
#include <stdio.h>

static struct mem_heap heap;
static struct membership membership;
static struct config_error error;

static void setup(void)
{
    mem_heap_init(&heap, UINT64_MAX);
}

static void teardown(void)
{
    ck_assert_uint_eq(heap.mem.used_bytes, 0);
}

static void parse(const char *text)
{
    enum err err = membership_parse(&membership, &heap.mem, span_text(text), &error);

    ck_assert_msg(err == ERR_OK, "%s: %s", error.key, error.why);
}

/* Parse, print, compare. */
static void check_print(const char *text, const char *want)
{
    struct bytes out;

    bytes_init(&out, &heap.mem);
    parse(text);
    membership_print(&membership, &out);
    bytes_u8(&out, 0);
    ck_assert_str_eq((const char *)out.at, want);
    bytes_drop(&out);
    membership_drop(&membership);
}

/* The configuration text of vectors/quorum/election-2-1.txt. */
static const char captured[] = "server.1=127.0.0.1:32281:32381:participant\n"
                               "server.2=127.0.0.1:32282:32382:participant\n"
                               "server.3=127.0.0.1:32283:32383:participant\n"
                               "server.4=127.0.0.1:32284:32384:observer\n"
                               "version=0";

/* vectors/quorum/reconfig-server1.txt: NEWLEADER after a reconfiguration. */
static const char captured_reconfig[] =
    "server.1=127.0.0.1:32611:32621:participant;127.0.0.1:32601\n"
    "server.2=127.0.0.1:32612:32622:participant;127.0.0.1:32602\n"
    "server.3=127.0.0.1:32613:32623:participant;127.0.0.1:32603\n"
    "server.4=127.0.0.1:32614:32624:observer;127.0.0.1:32604\n"
    "version=100000006";

START_TEST(test_captured_texts_round_trip)
{
    check_print(captured, captured);
    check_print(captured_reconfig, captured_reconfig);
}
END_TEST

START_TEST(test_canonical_form)
{
    check_print("server.1=a:2888:3888", "server.1=a:2888:3888:participant\nversion=0");
    check_print("server.1=a:2888:3888;2181",
                "server.1=a:2888:3888:participant;0.0.0.0:2181\nversion=0");
    check_print("server.1 = a:02888:3888: Observer ;b:2181\n\nversion = 0A\n",
                "server.1=a:2888:3888:observer;b:2181\nversion=a");
    check_print("server.1=[::1]:2888:3888;[fe80::1]:2181",
                "server.1=[::1]:2888:3888:participant;[fe80::1]:2181\nversion=0");
    check_print("server.1=b:1:2|a:3:4:observer;5",
                "server.1=a:3:4|b:1:2:observer;0.0.0.0:5\nversion=0");
    check_print("server.3=c:1:2\nserver.1=a:1:2\nserver.3=d:1:2",
                "server.1=a:1:2:participant\nserver.3=d:1:2:participant\nversion=0");
}
END_TEST

/* Java walks a hash map: 16 places for up to 12 servers, 32 up to 24. */
START_TEST(test_servers_print_in_the_order_of_a_java_map)
{
    check_print("server.10=a:1:2\nserver.20=b:1:2\nserver.30=c:1:2\nserver.17=d:1:2",
                "server.17=d:1:2:participant\nserver.20=b:1:2:participant\n"
                "server.10=a:1:2:participant\nserver.30=c:1:2:participant\nversion=0");
}
END_TEST

START_TEST(test_groups_and_weights_print_as_apache_does)
{
    check_print("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\n"
                "group.2=3\ngroup.1=2:1\nweight.2=5",
                "server.1=a:1:2:participant\nserver.2=b:1:2:participant\n"
                "server.3=c:1:2:participant\nserver.4=d:1:2:observer\n"
                "group.1=1:2\ngroup.2=3\nweight.1=1\nweight.2=5\nweight.3=1\nversion=0");
}
END_TEST

START_TEST(test_addresses_are_ready_to_dial)
{
    const struct member *member;

    parse("server.7=zk7:2888:3888\nserver.8=[::1]:2888:3888:observer;2181");
    member = membership_find(&membership, 7);
    ck_assert_ptr_nonnull(member);
    EXPECT(span_is(member->addresses[0].host, "zk7"));
    EXPECT(span_is(member->addresses[0].quorum, "zk7:2888"));
    EXPECT(span_is(member->addresses[0].election, "zk7:3888"));
    EXPECT(member->client.len == 0);
    member = membership_find(&membership, 8);
    ck_assert_ptr_nonnull(member);
    EXPECT(span_is(member->addresses[0].host, "::1"));
    EXPECT(span_is(member->addresses[0].quorum, "[::1]:2888"));
    EXPECT(span_is(member->addresses[0].election, "[::1]:3888"));
    EXPECT(span_is(member->client, "0.0.0.0:2181"));
    EXPECT(member->role == MEMBER_OBSERVER);
    EXPECT(membership_find(&membership, 9) == NULL);
    EXPECT(membership_find(&membership, -1) == NULL);
    membership_drop(&membership);
}
END_TEST

static const struct {
    const char *text;
    uint32_t line;
    const char *key;
    const char *why; /* a part of it */
} wrong[] = {
    {"", 0, "server", "no server line"},
    {"server.1=a:1", 1, "server.1", "host:quorumPort:electionPort"},
    {"\nserver.1=a:1:1", 2, "server.1", "one port"},
    {"server.1=:1:2", 1, "server.1", "host"},
    {"server.1=a\\\\b:1:2", 1, "server.1", "host"},
    {"server.1=a:0:2", 1, "server.1", "port"},
    {"server.1=a:1:65536", 1, "server.1", "port"},
    {"server.1=a:1:x", 1, "server.1", "port"},
    {"server.1=a:1:2:witness", 1, "server.1", "role"},
    {"server.1=a:1:2:observer:3", 1, "server.1", "behind its end"},
    {"server.1=a:1:2:observer|b:1:2:participant", 1, "server.1", "roles"},
    {"server.1=a:1:2;", 1, "server.1", "port"},
    {"server.1=a:1:2;b:c:3", 1, "server.1", "port"},
    {"server.1=a:1:2;2181;2182", 1, "server.1", "behind its end"},
    {"server.1=[::1:1:2", 1, "server.1", "]"},
    {"server.1=a:1:2|a:1:2|a:1:2|a:1:2|a:1:2", 1, "server.1", "addresses"},
    {"server.x=a:1:2", 1, "server.x", "id"},
    {"server.-1=a:1:2", 1, "server.-1", "id"},
    {"server.9223372036854775807=a:1:2", 1, "server.9223372036854775807", "id"},
    {"server.1=a:1:2\nversion=g", 2, "version", "hexadecimal"},
    {"server.1=a:1:2\ntickTime=2000", 2, "tickTime", "does not belong"},
    {"server.1=a:1:2\ngroup.1=1:2", 2, "group.1", "no participant"},
    {"server.1=a:1:2\ngroup.1=1:1", 2, "group.1", "already"},
    {"server.1=a:1:2\ngroup.1=", 2, "group.1", "list"},
    {"server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1", 0, "group", "in no group"},
    {"server.1=a:1:2\ngroup.1=1\nweight.2=1", 3, "weight.2", "no server line"},
    {"server.1=a:1:2\ngroup.1=1\nweight.1=-1", 3, "weight.1", "number"},
    {"server.1=a:1:2\nweight.1=1", 0, "group", "in no group"},
    {"server.1=a\\uZZZZ:1:2", 1, "", "escape"},
};

START_TEST(test_wrong_texts_name_line_and_key)
{
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct membership untouched = {.version = 77};

        ck_assert_msg(membership_parse(&untouched, &heap.mem, span_text(wrong[i].text), &error) !=
                          ERR_OK,
                      "accepted: %s", wrong[i].text);
        ck_assert_uint_eq(untouched.version, 77);
        ck_assert_str_eq(error.key, wrong[i].key);
        ck_assert_uint_eq(error.line, wrong[i].line);
        ck_assert_msg(strstr(error.why, wrong[i].why) != NULL, "%s -> %s", wrong[i].text,
                      error.why);
    }
}
END_TEST

START_TEST(test_at_most_64_servers)
{
    struct bytes text;

    bytes_init(&text, &heap.mem);
    for (int i = 1; i <= 65; i++) {
        char line[64];

        snprintf(line, sizeof(line), "server.%d=h%d:2888:3888\n", i, i);
        bytes_raw(&text, line, strlen(line));
        if (i == 64) {
            EXPECT(membership_parse(&membership, &heap.mem, bytes_span(&text), &error) == ERR_OK);
            EXPECT(membership.count == 64);
            EXPECT(membership.voters == UINT64_MAX);
            EXPECT(!membership_has_quorum(&membership, UINT32_MAX));
            EXPECT(membership_has_quorum(&membership, UINT32_MAX | UINT64_C(1) << 63));
            membership_drop(&membership);
        }
    }
    EXPECT(membership_parse(&membership, &heap.mem, bytes_span(&text), &error) == ERR_LONG);
    bytes_drop(&text);
}
END_TEST

/* QuorumMaj: more than half of the voters; observers and strangers never count. */
START_TEST(test_majority_on_all_subsets)
{
    for (uint32_t voters = 1; voters <= 7; voters++) {
        struct bytes text;

        bytes_init(&text, &heap.mem);
        for (uint32_t i = 0; i < 9; i++) {
            char line[64];

            snprintf(line, sizeof(line), "server.%u=h:2888:3888:%s\n", 10 * i,
                     i < voters ? "participant" : "observer");
            bytes_raw(&text, line, strlen(line));
        }
        EXPECT(membership_parse(&membership, &heap.mem, bytes_span(&text), &error) == ERR_OK);
        EXPECT(membership.voter_count == voters);
        for (uint64_t bits = 0; bits < 1024; bits++) {
            uint32_t count = 0;

            for (uint32_t i = 0; i < voters; i++) {
                count += (uint32_t)((bits >> i) & 1);
            }
            EXPECT(membership_has_quorum(&membership, bits) == (2 * count > voters));
        }
        EXPECT(membership_voter_bit(&membership, 0) == 1);
        EXPECT(membership_voter_bit(&membership, 80) == 0);
        EXPECT(membership_voter_bit(&membership, 5) == 0);
        EXPECT(membership_weight(&membership, 80) == 1);
        membership_drop(&membership);
        bytes_drop(&text);
    }
}
END_TEST

/* QuorumHierarchical: more than half of the weight in more than half of the groups that weigh. */
START_TEST(test_weights_on_all_subsets)
{
    static const uint64_t weights[9] = {1, 1, 1, 5, 1, 0, 0, 0, 0};

    parse("server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\nserver.4=a:1:2\nserver.5=a:1:2\n"
          "server.6=a:1:2\nserver.7=a:1:2\nserver.8=a:1:2\nserver.9=a:1:2\n"
          "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n"
          "weight.4=5\nweight.6=0\nweight.7=0\nweight.8=0\nweight.9=0");
    EXPECT(membership.weighted_groups == 2);
    for (uint64_t bits = 0; bits < 512; bits++) {
        uint32_t groups = 0;

        for (uint32_t g = 0; g < 3; g++) {
            uint64_t have = 0;
            uint64_t all = 0;

            for (uint32_t i = 3 * g; i < 3 * g + 3; i++) {
                all += weights[i];
                have += ((bits >> i) & 1) * weights[i];
            }
            groups += have > all / 2 ? 1 : 0;
        }
        EXPECT(membership_has_quorum(&membership, bits) == (groups > 1));
    }
    EXPECT(membership_weight(&membership, 4) == 5);
    EXPECT(membership_weight(&membership, 6) == 0);
    EXPECT(membership_weight(&membership, 77) == 0);
    membership_drop(&membership);
}
END_TEST

/* EP-8: two quorums of one membership share a server. */
START_TEST(test_quorums_intersect)
{
    static const char *const texts[] = {
        "server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\nserver.4=a:1:2\nserver.5=a:1:2",
        "server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\nserver.4=a:1:2",
        ("server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\nserver.4=a:1:2\nserver.5=a:1:2\n"
         "group.1=1:2\ngroup.2=3:4\ngroup.3=5\nweight.1=3\nweight.3=2\nweight.4=2"),
    };

    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        parse(texts[t]);
        for (uint64_t a = 0; a < 32; a++) {
            for (uint64_t b = 0; b < 32; b++) {
                EXPECT((a & b) != 0 || !membership_has_quorum(&membership, a) ||
                       !membership_has_quorum(&membership, b));
            }
        }
        membership_drop(&membership);
    }
}
END_TEST

/* SyncedLearnerTracker: while a reconfiguration is under way both memberships must agree. */
START_TEST(test_two_memberships_need_two_quorums)
{
    struct membership seen;
    struct ensemble ensemble = {.committed = &membership, .seen = &seen};
    struct acks acks = {0};

    parse("server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\nversion=1");
    EXPECT(membership_parse(&seen, &heap.mem,
                            span_text("server.3=a:1:2\nserver.4=a:1:2\nserver.5=a:1:2\nversion=2"),
                            &error) == ERR_OK);
    EXPECT(ensemble_is_changing(&ensemble));
    EXPECT(ensemble_is_voter(&ensemble, 1));
    EXPECT(ensemble_is_voter(&ensemble, 5));
    EXPECT(!ensemble_is_voter(&ensemble, 6));
    acks_join(&acks, ensemble_bits(&ensemble, 1));
    acks_join(&acks, ensemble_bits(&ensemble, 2));
    EXPECT(!ensemble_has_quorum(&ensemble, acks));
    acks_join(&acks, ensemble_bits(&ensemble, 4));
    EXPECT(!ensemble_has_quorum(&ensemble, acks));
    acks_join(&acks, ensemble_bits(&ensemble, 3));
    EXPECT(ensemble_has_quorum(&ensemble, acks));
    EXPECT(acks_contain(acks, ensemble_bits(&ensemble, 4)));
    acks_leave(&acks, ensemble_bits(&ensemble, 4));
    EXPECT(!acks_contain(acks, ensemble_bits(&ensemble, 4)));
    EXPECT(!ensemble_has_quorum(&ensemble, acks));
    seen.version = 1;
    EXPECT(!ensemble_is_changing(&ensemble));
    EXPECT(ensemble_has_quorum(&ensemble, acks));
    membership_drop(&seen);
    membership_drop(&membership);
}
END_TEST

START_TEST(test_equal_means_same_version_or_same_members)
{
    struct membership copy;

    parse(captured_reconfig);
    EXPECT(membership_copy(&copy, &membership, &heap.mem) == ERR_OK);
    EXPECT(membership_equal(&copy, &membership));
    copy.version = 9;
    EXPECT(membership_equal(&copy, &membership));
    membership_drop(&copy);
    EXPECT(membership_parse(&copy, &heap.mem, span_text(captured), &error) == ERR_OK);
    EXPECT(!membership_equal(&copy, &membership));
    membership_drop(&copy);
    membership_drop(&membership);
}
END_TEST

START_TEST(test_memory_may_run_out_anywhere)
{
    static const char text[] = "server.1=a:1:2\nserver.2=[::2]:1:2;5\ngroup.1=1:2\nweight.1=2";
    uint64_t fail_at = 1;

    for (;; fail_at++) {
        enum err err;

        heap.mem.get_count = 0;
        heap.mem.fail_at = fail_at;
        err = membership_parse(&membership, &heap.mem, span_text(text), &error);
        heap.mem.fail_at = 0;
        if (err == ERR_OK) {
            membership_drop(&membership);
            break;
        }
        EXPECT(err == ERR_MEMORY);
        EXPECT(heap.mem.used_bytes == 0);
    }
    EXPECT(fail_at > 4);
}
END_TEST

Suite *suite_quorum(void);
Suite *suite_quorum(void)
{
    Suite *suite = suite_create("quorum");
    TCase *tcase = tcase_create("quorum");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_captured_texts_round_trip);
    tcase_add_test(tcase, test_canonical_form);
    tcase_add_test(tcase, test_servers_print_in_the_order_of_a_java_map);
    tcase_add_test(tcase, test_groups_and_weights_print_as_apache_does);
    tcase_add_test(tcase, test_addresses_are_ready_to_dial);
    tcase_add_test(tcase, test_wrong_texts_name_line_and_key);
    tcase_add_test(tcase, test_at_most_64_servers);
    tcase_add_test(tcase, test_majority_on_all_subsets);
    tcase_add_test(tcase, test_weights_on_all_subsets);
    tcase_add_test(tcase, test_quorums_intersect);
    tcase_add_test(tcase, test_two_memberships_need_two_quorums);
    tcase_add_test(tcase, test_equal_means_same_version_or_same_members);
    tcase_add_test(tcase, test_memory_may_run_out_anywhere);
    suite_add_tcase(suite, tcase);
    return suite;
}
