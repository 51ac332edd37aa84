/* The words of docs/scenarios-zookeeper.md on real servers: every verb, every condition and its
 * opposite, every role, what set-up lines write, and what is said of lines that cannot be. */
#include "sim/runner.h"
#include "sim/zk/zookeeper.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct scenario *scenario;
static struct run *run;
static struct run_report report;

static void play(const char *text)
{
    static const struct guest *const guests[] = {&zookeeper_guest};
    const struct run_options options = {.seed = 0};

    ck_assert_msg(scenario_parse("words.scn", span_text(text), guests, 1, &scenario) == ERR_OK,
                  "%u:%u %s", scenario->problems[0].line, scenario->problems[0].column,
                  scenario->problems[0].text);
    ck_assert_msg(scenario->problem_count == 0, "%u: %s", scenario->problems[0].line,
                  scenario->problems[0].text);
    run = run_make(scenario);
    ck_assert_ptr_nonnull(run);
    run_play(run, &options, &report);
}

static void done(void)
{
    run_drop(run);
    scenario_drop(scenario);
}

/* Every expectation holds, and no line was without effect. */
static void play_good(const char *text)
{
    play(text);
    for (uint32_t i = 0; i < report.verdict_count; i++) {
        ck_assert_msg(report.verdicts[i].mark == RUN_HELD, "line %u: %d %s",
                      report.verdicts[i].line->number, (int)report.verdicts[i].mark,
                      report.verdicts[i].why);
    }
    ck_assert_msg(!report.found, "%s", report.finding.why);
    ck_assert_msg(report.noop_count == 0, "line %u: %s", report.noops[0].line, report.noops[0].why);
    ck_assert_uint_eq(report.stuck_line, 0);
    ck_assert_int_eq(report.result, RUN_GOOD);
    done();
}

START_TEST(test_verbs_and_conditions)
{
    play_good("cluster zookeeper voters=3 observers=1 tick=500ms\n"
              "client c1 servers=s1\n"
              "client c2 servers=s1,s2,s4 timeout=4s\n"
              "within 2s expect leader elected\n"
              "within 2s expect leader ready as L\n"
              "within 2s expect connected c1 to s1\n"
              "within 2s expect connected c2\n"
              "within 1s expect follows {s1, s2} L\n"
              "within 1s expect s4 is observing\n"
              "within 1s expect votes L by {s1, s2}\n"
              "within 1s expect round 1 at {s1, s2, s3}\n"
              "within 1s expect epoch 1\n"
              "within 1s expect epoch 1 at all\n"
              "within 1s expect not leader none\n"
              "at +0s c1 create /a \"1\" as w1\n"
              "within 1s expect w1 is acknowledged\n"
              "within 1s expect committed w1\n"
              "within 1s expect logged w1 at {s1, s2, s3}\n"
              "within 1s expect applied w1 at all\n"
              "within 1s expect value /a \"1\"\n"
              "within 1s expect present /a at s4\n"
              "within 1s expect absent /b\n"
              "within 1s expect not absent /a\n"
              "within 1s expect not value /a \"2\" at s1\n"
              "at +0s c2 get /a -w as r1\n"
              "within 1s expect returned r1 \"1\"\n"
              "at +0s c2 exists /b -w as r2\n"
              "within 1s expect answered r2 NONODE\n"
              "at +0s c2 ls / -w as r3\n"
              "within 1s expect returned r3 \"zookeeper a\"\n"
              "at +0s c1 set /a \"2\" version=0 as w2\n"
              "within 1s expect fired c2 /a 1 type=changed\n"
              "at +0s c1 set /a \"3\" version=0 as w3\n"
              "within 1s expect answered w3 BADVERSION\n"
              "within 1s expect w3 is failed\n"
              "at +0s c1 create /b -e as w4\n"
              "within 1s expect fired c2 /b 1 type=created\n"
              "within 1s expect fired c2 / 1\n"
              "within 1s expect ephemerals c1 1\n"
              "within 1s expect ephemerals c1 1 at s4\n"
              "at +0s c1 create /s- -s as w5\n"
              "within 1s expect returned w5 \"/s-0000000002\"\n"
              "at +0s c1 sync / as y1\n"
              "within 1s expect y1 is acknowledged\n"
              "at +0s c1 delete /a\n"
              "within 1s expect absent /a at all\n"
              "within 1s expect session c1 open\n"
              "within 1s expect not session c1 gone\n"
              "at +0s c1 close as x1\n"
              "within 1s expect x1 is acknowledged\n"
              "within 1s expect session c1 closed\n"
              "within 1s expect session c1 gone\n"
              "within 1s expect absent /b at all\n"
              "at +0s c1 reopen as x2\n"
              "within 1s expect session c1 open\n"
              "at +0s c2 move s4\n"
              "within 1s expect connected c2 to s4\n"
              "within 1s expect connected c2 to observer 1\n"
              "within 1s expect connected c1 to host 1\n"
              "at +0s pause c2\n"
              "within 9s expect session c2 gone\n"
              "at +1s resume c2\n"
              "within 9s expect session c2 expired\n"
              "within 1s expect converged all\n"
              "finally expect zxid 1:11 at all\n");
}
END_TEST

START_TEST(test_roles)
{
    play_good("cluster zookeeper voters=5 observers=2 tick=500ms\n"
              "within 2s expect leader ready as L\n"
              "within 2s expect observers are observing\n"
              "within 1s expect leader == s5\n"
              "within 1s expect followers == {s1, s2, s3, s4}\n"
              "within 1s expect follower 3 == s3\n"
              "within 1s expect observers == {s6, s7}\n"
              "within 1s expect observer 2 == s7\n"
              "within 1s expect voter 5 == s5\n"
              "within 1s expect quorum == {s1, s2, s5}\n"
              "within 1s expect minority == {s3, s4}\n"
              "at +0s crash leader\n"
              "within 1s expect looker == s1\n"
              "within 5s expect leader != L as M\n"
              "within 1s expect deposed == s5\n"
              "within 1s expect leader == s4\n"
              "finally expect quorum == {s1, s2, s4}\n");
}
END_TEST

/* Logs, snapshots and epochs of set-up lines are what servers recover. */
START_TEST(test_history)
{
    play_good("cluster zookeeper voters=3\n"
              "history s1 zxid=1:8,2:3\n"
              "history s2 zxid=1:8,2:2 epoch=2 accepted=4 snapshot=2:1\n"
              "history s3 zxid=5 tail=2\n"
              "when {s1, s2, s3} are looking\n"
              "within 1s expect zxid 2:3 at s1\n"
              "within 1s expect zxid 1:7 at s3\n"
              "within 1s expect epoch 1 at s3\n"
              "within 1s expect present /h1-7 at s3\n"
              "within 1s expect absent /h1-8 at s3\n"
              "within 1s expect value /h2-3 \"2:3\" at s1\n"
              "within 2s expect leader ready\n"
              "within 1s expect s1 is leading\n"
              "within 2s expect converged all\n"
              "finally expect synced s3 by diff\n"
              "finally expect epoch 5\n");
}
END_TEST

/* A whole number of ways to be wrong: the line does nothing and is reported. */
START_TEST(test_wrong_history)
{
    static const char *const lines[] = {
        "history s1 zxid=1:5,1:7\n",
        "history s1 zxid=1:5,\n",
        "history s1 zxid=x\n",
        "history s1 zxid=2:3 epoch=1\n",
        "history s1 zxid=1:3 epoch=5 accepted=4\n",
        "history s1 zxid=1:5 snapshot=1:9\n",
        "history s1 zxid=1:5 snapshot=9:x\n",
        "history s2 zxid=1:4,2:2\nhistory s1 zxid=1:5,2:2\n",
        "history s1 zxid=1:9000000\n",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[200];

        snprintf(text, sizeof(text), "cluster zookeeper voters=3 start=none\n%srun 1s\n", lines[i]);
        play(text);
        ck_assert_msg(report.noop_count == 1, "%s", lines[i]);
        ck_assert_uint_ge(report.noops[0].line, 2);
        done();
    }
}
END_TEST

START_TEST(test_wrong_cluster)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"cluster zookeeper voters=0\n", "voters"},
        {"cluster zookeeper voters=60 observers=9\n", "64"},
        {"cluster zookeeper config=\"tickTime=x\"\n", "tickTime"},
        {"cluster zookeeper\nclient c1 servers=s1,s9\n", "s9"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        play(cases[i].text);
        ck_assert_int_eq(report.result, RUN_DEFECT);
        ck_assert_msg(strstr(report.defect, cases[i].why) != NULL, "%s", report.defect);
        done();
    }
}
END_TEST

/* Where anchors about an operation can fall: each moment of one write. */
START_TEST(test_moments_of_a_write)
{
    static const char *const moments[] = {
        "c1 notes invokes(w1)",
        "c1 notes sent(w1)",
        "c1 sends CREATE(w1) to s1",
        "s1 receives CREATE(w1) from c1",
        "s1 sends REQUEST(w1) to L",
        "L receives REQUEST(w1) from s1",
        "L notes proposes(w1)",
        "L sends PROPOSAL(w1) to any, 2nd",
        "L appends log.*(w1)",
        "s2 receives PROPOSAL(w1)",
        "s2 appends log.*(w1)",
        "any notes logged(w1), 3rd",
        "s2 notes acks(w1)",
        "s2 sends ACK(w1) to L",
        "L receives ACK(w1) from any, 2nd",
        "L notes commits(w1)",
        "L sends COMMIT(w1) to any, 2nd",
        "L notes applies(w1)",
        "any notes applies(w1), 3rd",
        "s1 sends REPLY(w1) to c1",
        "c1 receives REPLY(w1) from s1",
        "c1 notes ok(w1)",
    };

    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        char text[400];

        snprintf(text, sizeof(text),
                 "cluster zookeeper voters=3\n"
                 "client c1 servers=s1\n"
                 "when leader ready as L\n"
                 "when connected c1\n"
                 "at +100ms c1 create /before\n"
                 "at +100ms c1 create /a \"1\" as w1\n"
                 "at +0s c1 create /behind\n"
                 "on %s\n"
                 "within 1s expect w1 is acknowledged\n"
                 "within 1s expect committed w1\n",
                 moments[i]);
        play_good(text);
    }
}
END_TEST

START_TEST(test_one_voter_alone)
{
    play_good("cluster zookeeper voters=1\n"
              "client c1\n"
              "within 2s expect leader ready as L\n"
              "within 2s expect connected c1 to L\n"
              "at +0s c1 create /a \"1\" as w1\n"
              "within 1s expect committed w1\n"
              "at +0s crash s1 disk=lose-unsynced for 100ms\n"
              "within 9s expect not connected c1\n"
              "within 9s expect connected c1\n"
              "at +0s c1 get /a as r1\n"
              "within 1s expect returned r1 \"1\"\n");
}
END_TEST

Suite *suite_zk_words(void)
{
    Suite *suite = suite_create("zk_words");
    TCase *tcase = tcase_create("words");

    tcase_add_test(tcase, test_verbs_and_conditions);
    tcase_add_test(tcase, test_roles);
    tcase_add_test(tcase, test_history);
    tcase_add_test(tcase, test_wrong_history);
    tcase_add_test(tcase, test_wrong_cluster);
    tcase_add_test(tcase, test_moments_of_a_write);
    tcase_add_test(tcase, test_one_voter_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
