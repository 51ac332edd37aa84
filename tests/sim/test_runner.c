/* Playing scenarios: every anchor, every fault, every kind of expectation. */
#include "sim/help_play.h"
#include "sim/plot.h"

#include "expect.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "cluster pulse servers=3\nclient c1\n"

struct row {
    const char *text;
    enum run_result result;
    const char *told; /* must be in the timeline; NULL: nothing is asked */
};

static void check_row(const struct row *row)
{
    struct play *play = malloc(sizeof(*play));

    play_begin(play, row->text, 0);
    ck_assert_msg(play->report.result == row->result, "result %d, not %d, of:\n%s\ntold:\n%s",
                  (int)play->report.result, (int)row->result, row->text, play->told);
    ck_assert_msg(row->told == NULL || strstr(play->told, row->told) != NULL,
                  "not told \"%s\" by:\n%s\ntold:\n%s", row->told == NULL ? "" : row->told,
                  row->text, play->told);
    play_end(play);
    free(play);
}

#define CHECK_ROWS(rows)                                             \
    for (size_t at = 0; at < sizeof(rows) / sizeof(rows[0]); at++) { \
        check_row(&rows[at]);                                        \
    }

/* ---- anchors ---- */

static const struct row anchor_rows[] = {
    {HEAD "run 2s\nat 1500ms crash p3\n", RUN_GOOD, "1.500000 p3 crash (was following)\n"},
    {HEAD "run 2s\nat 1s crash p3\nat +250ms start p3\nat +250ms crash p2\n", RUN_GOOD,
     "1.500000 p2 crash"},
    {HEAD "at 2s pause p2\nat 1s pause p3\n", RUN_GOOD, "1.000000 p3 pause"},
    {HEAD "when leader ready as L\nat +0 crash L\n", RUN_GOOD, "0.200000 p1 crash (was leading)"},
    {HEAD "when leader ready\n crash leader\nwithin 1s expect leader == p2 as N\nat +0 crash N",
     RUN_GOOD, "p2 crash (was leading)"},
    {HEAD "at 1s c1 put \"a\" as w1\non p1 sends STORED(w1) to c1\n crash self\nwithin 2s expect "
          "w1 is acknowledged\n",
     RUN_GOOD, "p1 crash (was leading)"},
    {HEAD "at 1s c1 put \"a\" as w1\nbefore p1 sends STORED(w1) to c1\n crash self\n"
          "within 2s expect w1 is unknown\n",
     RUN_GOOD, "c1 w1: put \"a\": fate unknown"},
    {HEAD "at 1s c1 put \"a\" as w1\nafter p1 appends puts(w1)\n crash self kill\nwithin 2s expect "
          "w1 is unknown\n",
     RUN_GOOD, "p1 crash kill"},
    {HEAD
     "at 1s c1 put \"a\" as w1\nafter p1 syncs pu*\n crash self\nwithin 2s expect w1 is unknown\n",
     RUN_GOOD, NULL},
    {HEAD "at 1s c1 put \"a\" as w1\nbefore p1 synced\n crash self\nwithin 2s expect w1 is "
          "unknown\n",
     RUN_GOOD, NULL},
    {HEAD "at 1s c1 put \"a\" as w1\non p1 as X notes stored(w1)\nat +0 crash X\n", RUN_GOOD,
     "p1 crash"},
    {HEAD "on p2 as X notes follows(leader=0)\n crash X\n", RUN_GOOD, "p2 crash"},
    {HEAD "on p2 receives BEAT from p3 as Y, 3rd\nat +0 crash Y\n", RUN_GOOD, "0.100500 p3 crash"},
    {HEAD "run 1s\non p3 crashes\n start p3\nat 500ms crash p3\n", RUN_GOOD, "0.500000 p3 start"},
    {HEAD "at 1s pause p3\nat +0 resume p3\non p3 resumes\n", RUN_NO_PROGRESS, NULL},
    {HEAD "at 1s start p3\non any as P starts\n", RUN_NO_PROGRESS, "it is up"},
    {HEAD "on p3 starts\n p3 mark \"again\"\nat 1s restart p3\n", RUN_GOOD, "p3 again"},
    {HEAD "run 3s\nevery 400ms until 1s c1 put \"v$n\"\nwhenever c1 sends PUT(tag=2) to p1\n drop\n"
          "within 3s expect clients are up\n",
     RUN_GOOD, "put \"v2\": fate unknown"},
    {HEAD "run 1s\nwhenever before p1 sends BEAT to p2\n drop\nwithin 1s expect p2 is leading\n",
     RUN_VIOLATED, "two lead"},
    {HEAD "when p2 is leading\nat +0 crash p2\n", RUN_NO_PROGRESS, NULL},
    {HEAD "at 1s c1 put \"a\" as w1\nwhen kept w1\nat +0 crash p1\n", RUN_GOOD, "p1 crash"},
};

START_TEST(test_anchors){CHECK_ROWS(anchor_rows)} END_TEST

    /* ---- faults ---- */

    static const struct row fault_rows[] = {
        {HEAD "at 1s cut p1 -> p2\nwithin 1s expect p2 is leading\n", RUN_VIOLATED, "two lead"},
        {HEAD "at 1s cut p1 <-> p2 for 100ms\nwithin 1s expect p2 is leading\n", RUN_VIOLATED,
         "end of cut p1 <-> p2"},
        {HEAD "run 2s\nat 1s cut {p1, p2} -> rest\nat +100ms heal\n", RUN_GOOD, "1.100000  heal"},
        {HEAD "run 2s\nat 1s partition p1 | rest\nat 1100ms heal p1 <-> all\n", RUN_GOOD,
         "partition p1 | p2, p3"},
        {HEAD "at 1s isolate p1 for 1s\nwithin 1s expect p2 is leading\n", RUN_VIOLATED,
         "two lead"},
        {HEAD "run 2s\nat 1s hold p1 -> p2 for 100ms\n", RUN_GOOD, "hold p1 -> p2 for 100ms"},
        {HEAD "at 1s drop p1 -> p2 100%\nwithin 1s expect p2 is leading\n", RUN_VIOLATED,
         "two lead"},
        {HEAD "run 2s\nat 1s dup all -> all 50% for 300ms\nat 1s reorder all -> all 50%\n",
         RUN_GOOD, "reorder"},
        {HEAD "run 2s\nat 1s chop p1 <-> p2 10%\nat 1s reset p1 -> p2 5%\n", RUN_GOOD,
         "reset p1 -> p2 5%"},
        {HEAD "run 3s\nat 1s delay c1 -> all 300ms\nat 2s c1 put \"x\"\n", RUN_GOOD,
         "acknowledged after 301ms"},
        {HEAD "run 2s\nat 1s break p1 <-> p2\nat 1s break p1 -> p2 half-open\n", RUN_GOOD,
         "break p1 -> p2"},
        {HEAD "at 1s crash p1 disk=tear for 500ms\nwithin 1s expect p1 is down\nwithin 1s expect "
              "p1 is up\n",
         RUN_GOOD, "start after crash"},
        {HEAD "at 1s stop p1 for 500ms\nwithin 1s expect p2 is leading\n", RUN_GOOD, "p1 stop"},
        {"cluster pulse start=none\nat 1s start {p1, p2}\nwithin 1s expect {p1, p2} are up\nat +0 "
         "start rest\n"
         "within 1s expect all are up\n",
         RUN_GOOD, NULL},
        {HEAD "at 1s restart follower 2\nwithin 10ms expect p3 is up\n", RUN_GOOD, "p3 restart"},
        {HEAD "at 1s pause p3 for 100ms\nwithin 1s expect p3 is paused\nwithin 1s expect not p3 is "
              "paused\n",
         RUN_GOOD, "end of pause"},
        {HEAD "at 1s skew p1 +300ms for 1s\nat 1s jump p2 -2s\nat 1s drift p3 +5% for 1s\n",
         RUN_GOOD, "jump -2s"},
        {HEAD "run 3s\nat 1s stuck p1\nat 1100ms c1 put \"x\"\n", RUN_GOOD, "fate unknown"},
        {HEAD "run 3s\nat 1s slow p1 200ms\nat 1100ms c1 put \"x\"\n", RUN_GOOD,
         "acknowledged after 201ms"},
        {HEAD "run 3s\nat 1s eio p1\nat 1100ms c1 put \"x\"\n", RUN_GOOD, "fate unknown"},
        {HEAD "on any as D halts\nat +0 start D\nwithin 1s expect D is up\nat 1s full p1\nat "
              "1100ms c1 put \"x\"\n",
         RUN_GOOD, "p1 halts: the disk failed"},
        {HEAD "run 3s\nat 1s full p1 for 50ms\nat 1100ms c1 put \"x\"\n", RUN_GOOD, "acknowledged"},
        {HEAD "run 3s\nat 1s eio p1\nat +0 repair p1\nat 1100ms c1 put \"x\"\n", RUN_GOOD,
         "acknowledged"},
        {HEAD "at 1s lie-fsync p1 for 1s\n", RUN_GOOD, "lie-fsync"},
        {HEAD "at 1s crash p1\nat +0 wipe p1\nat +0 start p1\n", RUN_GOOD, "p1 wipe"},
        {HEAD "at 1s rot p1 store*\n", RUN_GOOD, "does nothing: it has no such file"},
        {HEAD "at 1s wipe p1\n", RUN_GOOD, "does nothing: only the disk of a process that is down"},
        {HEAD "run 9s\nat 1s end\nat 2s crash p1\n", RUN_GOOD, "1.000000  end of the run"},
        {HEAD "at 1s crash p1\nat 1s crash p1\n", RUN_GOOD, "does nothing: it is down"},
        {HEAD "at 10ms crash leader\n", RUN_GOOD, "does nothing: nobody has that role now"},
        {HEAD "at 10ms p1 put \"x\"\n", RUN_GOOD, "only a client can do that"},
};

START_TEST(test_faults){CHECK_ROWS(fault_rows)} END_TEST

    /* ---- expectations ---- */

    static const struct row expectation_rows[] = {
        {HEAD "within 100ms expect leader ready\n", RUN_VIOLATED,
         "VIOLATED: leader ready (nobody leads)"},
        {HEAD "within 300ms expect leader ready\n", RUN_GOOD, "as expected"},
        {HEAD "run 1s\nalways expect not p2 is leading\n", RUN_GOOD, NULL},
        {HEAD "run 2s\nat 1s crash p1\nalways expect not p2 is leading\n", RUN_VIOLATED, NULL},
        {HEAD "run 2s\nnever expect p2 is leading\nat 1s crash p1\n", RUN_VIOLATED, NULL},
        {HEAD "run 2s\nalways expect leader ready from 500ms\n", RUN_GOOD, NULL},
        {HEAD "run 2s\nalways expect leader ready\n", RUN_VIOLATED, NULL},
        {HEAD "run 2s\nwhen leader ready as L\nat +1s crash L\nalways expect L is up\n",
         RUN_VIOLATED, NULL},
        {HEAD "run 2s\nfinally expect p1 is leading\n", RUN_GOOD, NULL},
        {HEAD "run 100ms\nfinally expect p1 is leading\n", RUN_VIOLATED, NULL},
        {HEAD "run 2s\nsometimes expect p3 is leading\n", RUN_GOOD, NULL},
        {HEAD "run 2s\nalways expect one-leader\n", RUN_GOOD, NULL},
        {HEAD "at 1s cut p1 -> p2\nat 9s end\nmust fail one-leader\n", RUN_GOOD, "two lead"},
        {HEAD "run 1s\nmust fail one-leader\n", RUN_VIOLATED, NULL},
        {HEAD "within 10ms expect leader ready\nmust fail expectation\n", RUN_GOOD, NULL},
        {HEAD "when p3 is leading\nmust fail progress\n", RUN_GOOD, NULL},
        {HEAD "when leader ready as L\nwithin 1s expect L == leader\n", RUN_GOOD, NULL},
        {HEAD "at 1s c1 put \"a\" as w1\nwithin 1s expect w1 is over\nfinally expect w1 is "
              "acknowledged\n",
         RUN_GOOD, NULL},
        {HEAD "at 1s crash all\nat +0 c1 put \"a\" as w1\nwithin 3s expect w1 is acknowledged\n",
         RUN_VIOLATED, "it is unknown"},
};

START_TEST(test_expectations){CHECK_ROWS(expectation_rows)} END_TEST

    /* ---- the rest ---- */

    START_TEST(test_lost_lines_are_reported)
{
    struct play *play = malloc(sizeof(*play));

    play_begin(play,
               HEAD "run 2s\nat 1s crash X\nwithin 1s expect w9 is acknowledged\nat +0 crash p2\n",
               0);

    ck_assert_int_eq(play->report.result, RUN_GOOD);
    ck_assert_uint_eq(play->report.noop_count, 2);
    ck_assert_int_eq(play->report.verdicts[0].mark, RUN_SKIPPED);
    ck_assert_ptr_nonnull(strstr(play->told, "p2 crash"));
    play_end(play);
    free(play);
}
END_TEST

START_TEST(test_lines_that_fire_each_other_end)
{
    struct scenario *scenario =
        play_parse(HEAD "run 2s\nwhenever p1 crashes\n start p1\nwhenever p1 starts\n crash p1\n"
                        "at 1s crash p1\n");
    struct run *run = run_make(scenario);
    const struct run_options options = {.seed = 0};
    struct run_report report;

    run_play(run, &options, &report);

    ck_assert_int_eq(report.result, RUN_NO_PROGRESS);
    ck_assert_str_eq(report.defect, "lines fire each other without end");
    run_drop(run);
    scenario_drop(scenario);
}
END_TEST

START_TEST(test_a_verdict_names_its_line_and_time)
{
    struct play *play = malloc(sizeof(*play));

    play_begin(play, HEAD "within 300ms expect leader ready\nwithin 100ms expect leader == p3\n",
               0);

    ck_assert_uint_eq(play->report.verdict_count, 2);
    ck_assert_uint_eq(play->report.verdicts[0].line->number, 3);
    ck_assert_int_eq(play->report.verdicts[0].mark, RUN_HELD);
    ck_assert_uint_eq(play->report.verdicts[0].at_us, 200000);
    ck_assert_int_eq(play->report.verdicts[1].mark, RUN_FAILED);
    ck_assert_uint_eq(play->report.verdicts[1].at_us, 300000);
    ck_assert_str_eq(play->report.verdicts[1].why, "it is p1");
    play_end(play);
    free(play);
}
END_TEST

START_TEST(test_seeds_draw_faults)
{
    static const char text[] =
        HEAD "run 20s\nevery 200ms c1 put \"v$n\"\n"
             "fuzz seeds=1..9 crash=1..4 down=100ms..2s power=50% cut=0..2 cut-for=50ms..90ms "
             "pause=0..1 break=0..2 delay=1ms..9ms skew=2s drift=3% quiet=4s omit=random";
    struct play *play = malloc(sizeof(*play));
    uint64_t fingerprints[4];
    uint64_t crashes = 0;

    for (uint64_t seed = 1; seed <= 4; seed++) {
        play_begin(play, text, seed);
        fingerprints[seed - 1] = play->report.fingerprint;
        crashes += play->report.counts.crashes;
        play_end(play);
        play_begin(play, text, seed);
        ck_assert_uint_eq(play->report.fingerprint, fingerprints[seed - 1]);
        play_end(play);
    }
    ck_assert_uint_gt(crashes, 0);
    ck_assert_uint_ne(fingerprints[0], fingerprints[1]);
    play_begin(play, text, 0); /* without a seed nothing is drawn */
    ck_assert_uint_eq(play->report.counts.crashes, 0);
    play_end(play);
    free(play);
}
END_TEST

START_TEST(test_a_run_can_be_played_again)
{
    struct play *play = malloc(sizeof(*play));
    const struct run_options options = {.fill = 0xa5, .elsewhere = true};
    uint64_t fingerprint;

    play_begin(play, HEAD "run 5s\nevery 100ms c1 put \"v$n\"\nat 1s crash p1 for 1s\n", 0);
    fingerprint = play->report.fingerprint;
    for (int i = 0; i < 5; i++) {
        run_play(play->run, &options, &play->report);
        ck_assert_uint_eq(play->report.fingerprint, fingerprint);
    }
    play_end(play);
    free(play);
}
END_TEST

START_TEST(test_plot_is_a_script)
{
    struct play *play = malloc(sizeof(*play));
    struct mem_heap heap;
    struct bytes out;

    play_begin(
        play,
        HEAD
        "run 5s\nevery 300ms c1 put \"v$n\"\nat 1s crash p1 for 1s\nat 3s cut p3 -> p2 for 1s\n",
        0);
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&out, &heap.mem);
    plot_script(play->run, &play->report, PLOT_SVG, "out.svg", &out);
    bytes_u8(&out, 0);

    ck_assert(!out.failed);
    ck_assert_ptr_nonnull(strstr((const char *)out.at, "set output \"out.svg\""));
    ck_assert_ptr_nonnull(strstr((const char *)out.at, "title \"leading\""));
    ck_assert_ptr_nonnull(strstr((const char *)out.at, "title \"STORED\""));
    ck_assert_ptr_nonnull(strstr((const char *)out.at, "cut p3 -> p2 for 1s"));
    ck_assert_ptr_nonnull(strstr((const char *)out.at, "title \"crash\""));
    bytes_drop(&out);
    play_end(play);
    free(play);
}
END_TEST

Suite *suite_runner(void)
{
    Suite *suite = suite_create("runner");
    TCase *tcase = tcase_create("all");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_anchors);
    tcase_add_test(tcase, test_faults);
    tcase_add_test(tcase, test_expectations);
    tcase_add_test(tcase, test_lost_lines_are_reported);
    tcase_add_test(tcase, test_lines_that_fire_each_other_end);
    tcase_add_test(tcase, test_a_verdict_names_its_line_and_time);
    tcase_add_test(tcase, test_seeds_draw_faults);
    tcase_add_test(tcase, test_a_run_can_be_played_again);
    tcase_add_test(tcase, test_plot_is_a_script);
    suite_add_tcase(suite, tcase);
    return suite;
}
