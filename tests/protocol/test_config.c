#include "protocol/config.h"
#include "protocol/properties.h"
#include "tests/expect.h"

#include <check.h>
#include <stdio.h>

static struct mem_heap heap;
static struct config config;
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
    enum err err = config_parse(&config, &heap.mem, span_text(text), &error);

    ck_assert_msg(err == ERR_OK, "line %u: %s: %s", error.line, error.key, error.why);
}

#define ENSEMBLE                                                                  \
    "initLimit=10\nsyncLimit=5\nserver.1=zk1:2888:3888\nserver.2=zk2:2888:3888\n" \
    "server.3=zk3:2888:3888\n"

START_TEST(test_usual_file)
{
    char address[64];
    struct text text;

    parse("# The number of milliseconds of each tick\n"
          "tickTime=2000\n"
          "dataDir=/var/lib/zookeeper\n"
          "clientPort=2181\n" ENSEMBLE);
    EXPECT(config.tick_ms == 2000);
    EXPECT(config.init_ticks == 10);
    EXPECT(config.sync_ticks == 5);
    EXPECT(config.connect_ticks == 10);
    EXPECT(config.min_session_ms == 4000);
    EXPECT(config.max_session_ms == 40000);
    EXPECT(config.client_port == 2181);
    EXPECT(span_is(config.data_dir, "/var/lib/zookeeper"));
    EXPECT(span_is(config.log_dir, "/var/lib/zookeeper"));
    EXPECT(config.membership.count == 3);
    EXPECT(!config.standalone);
    EXPECT(config.own_id == -1);
    EXPECT(config_set_id(&config, span_text("2\n"), &error) == ERR_OK);
    ck_assert_ptr_nonnull(config_own(&config));
    EXPECT(span_is(config_own(&config)->addresses[0].host, "zk2"));
    text_init(&text, address, sizeof(address));
    config_client_address(&config, &text);
    ck_assert_str_eq(address, "0.0.0.0:2181");
    config_drop(&config);
}
END_TEST

START_TEST(test_defaults)
{
    parse("dataDir=/d");
    EXPECT(config.tick_ms == 3000);
    EXPECT(config.snap_count == 100000);
    EXPECT(config.commit_log_count == 500);
    EXPECT(config.outstanding_max == 1000);
    EXPECT(config.frame_max == 1048575);
    EXPECT(config.frame_extra == 1048575);
    EXPECT(config.snapshot_size_ppm == 330000);
    EXPECT(config.force_sync);
    EXPECT(config.leader_serves);
    EXPECT(!config.skip_acl);
    EXPECT(config.standalone);
    EXPECT(config.compat == CONFIG_COMPAT_39);
    EXPECT(config.client_port == 0);
    EXPECT(span_is(config.four_letter_words, "srvr"));
    EXPECT(config_check(&config, &error) == ERR_OK);
    EXPECT(config_own(&config) == NULL);
    config_drop(&config);
}
END_TEST

START_TEST(test_properties_syntax)
{
    parse("  dataDir : /a/b  \r\n"
          "! a comment \\\r"
          "tickTime\t2500\n"
          "snapCount = 1\\\n"
          "    000\n"
          "my\\ key\\:x=a\\tb\\u00e9\\=c \n"
          "empty\n"
          "custom.thing=one\n"
          "custom.thing=two\n"
          "zookeeper.forceSync=no\n"
          "skipACL=YES\n"
          "snapshotSizeFactor=0.125");
    EXPECT(span_is(config.data_dir, "/a/b"));
    EXPECT(config.tick_ms == 2500);
    EXPECT(config.snap_count == 1000);
    EXPECT(!config.force_sync);
    EXPECT(config.skip_acl);
    EXPECT(config.snapshot_size_ppm == 125000);
    EXPECT(span_is(config_other(&config, "my key:x"), "a\tb\xc3\xa9=c"));
    EXPECT(span_is(config_other(&config, "custom.thing"), "two"));
    EXPECT(config_other(&config, "empty").len == 0);
    EXPECT(config.other_count == 3);
    EXPECT(config.others[2].line == 9);
    config_drop(&config);
}
END_TEST

START_TEST(test_simulator_form_needs_no_directory)
{
    char address[64];
    struct text text;

    parse("myid=3\nclientPort=2181\n" ENSEMBLE "server.3=zk3:2888:3888:observer;9:2182\n");
    EXPECT(config.own_id == 3);
    EXPECT(config_own(&config)->role == MEMBER_OBSERVER);
    text_init(&text, address, sizeof(address));
    config_client_address(&config, &text);
    ck_assert_str_eq(address, "9:2182");
    config_drop(&config);
}
END_TEST

START_TEST(test_mode_follows_apache)
{
    parse("dataDir=/d\nserver.1=a:1:2");
    EXPECT(config.standalone);
    config_drop(&config);
    parse("dataDir=/d\nstandaloneEnabled=false\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2");
    EXPECT(!config.standalone);
    EXPECT(config_set_id(&config, span_text(" 1 "), &error) == ERR_OK);
    config_drop(&config);
}
END_TEST

START_TEST(test_membership_from_the_dynamic_file)
{
    parse("dataDir=/d\ninitLimit=1\nsyncLimit=1\nstandaloneEnabled=false\n"
          "dynamicConfigFile=/c/zoo.cfg.dynamic.100000006");
    EXPECT(config_set_membership(&config, span_text("server.1=a:1:2;3\nserver.2=b:1:2;3"),
                                 0x100000006, &error) == ERR_OK);
    EXPECT(config.membership.version == 0x100000006);
    EXPECT(config_set_id(&config, span_text("2"), &error) == ERR_OK);
    config_drop(&config);
}
END_TEST

static const struct {
    const char *text;
    const char *message;
} wrong[] = {
    {"tickTime=0", "line 1: tickTime: is not between 1 and 3600000: \"0\""},
    {"\n\ntickTime=2s", "line 3: tickTime: is not a number: \"2s\""},
    {"tickTime=99999999999999999999",
     "line 1: tickTime: is not between 1 and 3600000: \"99999999999999999999\""},
    {"clientPort=70000", "line 1: clientPort: is not between 0 and 65535: \"70000\""},
    {"syncEnabled=1", "line 1: syncEnabled: is neither true nor false: \"1\""},
    {"peerType=leader", "line 1: peerType: is neither observer nor participant: \"leader\""},
    {"electionAlg=1", "line 1: electionAlg: is not between 3 and 3: \"1\""},
    {"snapshotSizeFactor=x", "line 1: snapshotSizeFactor: is not a decimal fraction: \"x\""},
    {"terrarium.compat=3.7", "line 1: terrarium.compat: is neither 3.8 nor 3.9: \"3.7\""},
    {"myid=me", "line 1: myid: is not a server id: \"me\""},
    {"tickTime=2000", "dataDir: is not set"},
    {"dataDir=/d\nclientPortAddress=a", "clientPort: is not set, but clientPortAddress is"},
    {"dataDir=/d\nminSessionTimeout=9\nmaxSessionTimeout=8",
     "minSessionTimeout: is larger than maxSessionTimeout"},
    {"dataDir=/d\nenforce.auth.enabled=true",
     "enforce.auth.schemes: is not set, but enforce.auth.enabled is"},
    {"dataDir=/d\nquorum.auth.serverRequireSasl=true",
     "quorum.auth.learnerRequireSasl: must be true when servers require it"},
    {"dataDir=/d\nserver.1=a:1:2:observer", "server: there are no participants"},
    {"dataDir=/d\nserver.1=a:1:2\nserver.2=b:1:2:observer",
     "server: one participant with observers is no ensemble"},
    {"dataDir=/d\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1",
     "line 4: server.3: needs host:quorumPort:electionPort: \"c:1\""},
    {"dataDir=/d\nserver.1=a:1:2|b:1:2\nserver.2=c:1:2",
     "server: several addresses need multiAddress.enabled: \"a:1:2|b:1:2:participant\""},
    {"myid=4\ndataDir=/d\n" ENSEMBLE, "myid: is in no server line"},
    {"myid=1\nserver.1=a:1:2\nserver.2=b:1:2", "initLimit: is not set"},
    {"dataDir=/d\nstandaloneEnabled=false",
     "standaloneEnabled: is false, but there is no server line"},
    {"dataDir=/d\nx=\\u12", "line 2: malformed \\u escape"},
};

START_TEST(test_wrong_files_name_line_and_key)
{
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char message[320];
        struct text text;

        ck_assert_msg(config_parse(&config, &heap.mem, span_text(wrong[i].text), &error) != ERR_OK,
                      "accepted: %s", wrong[i].text);
        text_init(&text, message, sizeof(message));
        config_error_print(&error, &text);
        ck_assert_str_eq(message, wrong[i].message);
    }
}
END_TEST

START_TEST(test_wrong_ids)
{
    parse("dataDir=/d\n" ENSEMBLE);
    EXPECT(config_set_id(&config, span_text(""), &error) == ERR_FORMAT);
    EXPECT(config_set_id(&config, span_text("1 2"), &error) == ERR_FORMAT);
    EXPECT(config_set_id(&config, span_text("-1"), &error) == ERR_FORMAT);
    EXPECT(config_set_id(&config, span_text("4"), &error) == ERR_MISSING);
    EXPECT(config_set_id(&config, span_text("1"), &error) == ERR_OK);
    config_drop(&config);
}
END_TEST

START_TEST(test_every_key_of_the_tables_is_taken_once)
{
    static const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
#define X(field, key, initial, least, most) {key, (least) < 0 ? (most) / 2 : (most)},
        CONFIG_NUMBER_MAP(X)
#undef X
    };
    struct bytes text;

    bytes_init(&text, &heap.mem);
    bytes_raw(&text, "dataDir=/d\n", 11);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char line[128];

        for (size_t j = 0; j < i; j++) {
            EXPECT(strcmp(numbers[i].key, numbers[j].key) != 0);
        }
        snprintf(line, sizeof(line), "%s=%lld\n", numbers[i].key, (long long)numbers[i].value);
        bytes_raw(&text, line, strlen(line));
    }
    EXPECT(config_parse(&config, &heap.mem, bytes_span(&text), &error) == ERR_OK);
    EXPECT(config.other_count == 0);
#define X(field, key, initial, least, most) \
    EXPECT(config.field == ((least) < 0 ? (most) / 2 : (most)));
    CONFIG_NUMBER_MAP(X)
#undef X
    config_drop(&config);
    bytes_drop(&text);
}
END_TEST

START_TEST(test_sizes_are_bounded)
{
    struct bytes text;

    bytes_init(&text, &heap.mem);
    bytes_raw(&text, "a=", 2);
    bytes_fill(&text, 'x', CONFIG_VALUE_MAX + 1);
    EXPECT(config_parse(&config, &heap.mem, bytes_span(&text), &error) == ERR_LONG);
    EXPECT(error.line == 1);
    bytes_fill(&text, 'x', CONFIG_TEXT_MAX);
    EXPECT(config_parse(&config, &heap.mem, bytes_span(&text), &error) == ERR_LONG);
    bytes_clear(&text);
    for (uint32_t i = 0; i <= CONFIG_KEYS_MAX; i++) {
        char line[16];

        snprintf(line, sizeof(line), "k%u=\n", i);
        bytes_raw(&text, line, strlen(line));
    }
    EXPECT(config_parse(&config, &heap.mem, bytes_span(&text), &error) == ERR_LONG);
    EXPECT(error.line == CONFIG_KEYS_MAX + 1);
    bytes_drop(&text);
}
END_TEST

START_TEST(test_memory_may_run_out_anywhere)
{
    static const char text[] = "dataDir=/d\nmyid=1\nother=1\nother2=2\n" ENSEMBLE;
    uint64_t fail_at = 1;

    for (;; fail_at++) {
        enum err err;

        heap.mem.get_count = 0;
        heap.mem.fail_at = fail_at;
        err = config_parse(&config, &heap.mem, span_text(text), &error);
        heap.mem.fail_at = 0;
        if (err == ERR_OK) {
            config_drop(&config);
            break;
        }
        EXPECT(err == ERR_MEMORY);
        EXPECT(heap.mem.used_bytes == 0);
    }
    EXPECT(fail_at > 4);
}
END_TEST

Suite *suite_config(void);
Suite *suite_config(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("config");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_usual_file);
    tcase_add_test(tcase, test_defaults);
    tcase_add_test(tcase, test_properties_syntax);
    tcase_add_test(tcase, test_simulator_form_needs_no_directory);
    tcase_add_test(tcase, test_mode_follows_apache);
    tcase_add_test(tcase, test_membership_from_the_dynamic_file);
    tcase_add_test(tcase, test_wrong_files_name_line_and_key);
    tcase_add_test(tcase, test_wrong_ids);
    tcase_add_test(tcase, test_every_key_of_the_tables_is_taken_once);
    tcase_add_test(tcase, test_sizes_are_bounded);
    tcase_add_test(tcase, test_memory_may_run_out_anywhere);
    suite_add_tcase(suite, tcase);
    return suite;
}
