/* The scenario language: reading, printing, messages, deleting lines. */
#include "sim/help_play.h"
#include "sim/help_pulse.h"
#include "sim/words.h"

#include "expect.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct guest *const guests[] = {&pulse_guest};

static char *printed(const struct scenario *scenario)
{
    struct mem_heap heap;
    struct bytes out;
    char *text;

    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&out, &heap.mem);
    scenario_print(scenario, &out);
    text = strndup((const char *)out.at, out.len);
    bytes_drop(&out);
    return text;
}

static char *explained(const struct scenario *scenario)
{
    struct mem_heap heap;
    struct bytes out;
    char *text;

    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&out, &heap.mem);
    scenario_explain(scenario, &out);
    text = strndup((const char *)out.at, out.len);
    bytes_drop(&out);
    return text;
}

/* Call `each` with every file of a folder of tests/sim. */
static uint32_t for_files(const char *folder, void (*each)(const char *name, const char *text))
{
    char path[512];
    struct dirent **names;
    int count;
    uint32_t found = 0;

    snprintf(path, sizeof(path), "%s/tests/sim/%s", SOURCE_DIR, folder);
    count = scandir(path, &names, NULL, alphasort);
    ck_assert_int_gt(count, 0);
    for (int i = 0; i < count; i++) {
        if (strstr(names[i]->d_name, ".scn") != NULL) {
            char *text;

            snprintf(path, sizeof(path), "%s/tests/sim/%s/%s", SOURCE_DIR, folder,
                     names[i]->d_name);
            text = play_read(path);
            each(names[i]->d_name, text);
            free(text);
            found++;
        }
        free(names[i]);
    }
    free(names);
    return found;
}

/* ---- printing ---- */

START_TEST(test_canonical_form)
{
    struct scenario *scenario =
        play_parse("\n\n#  keep me \ncluster   pulse   servers=3\n"
                   "client c1   # behind\n\n\n"
                   "at 1000ms   cut {p1,p2}  ->   p3   for 90000ms\n"
                   "on p1 sends STORED ( tag >= 3 , tag != 9 ) to any as X , 2nd\n"
                   "  crash p1\n"
                   "\t# indented\n"
                   "within 1500ms   expect not leader ready\n"
                   "at +0 c1 put \"a  b\" -q as w1");
    char *text = printed(scenario);

    ck_assert_str_eq(text, "#  keep me\n"
                           "cluster   pulse servers=3\n"
                           "client    c1  # behind\n"
                           "\n"
                           "at 1s     cut {p1, p2} -> p3 for 90s\n"
                           "on        p1 sends STORED(tag>=3, tag!=9) to any as X, 2nd\n"
                           "          crash p1\n"
                           "          # indented\n"
                           "within 1500ms expect not leader ready\n"
                           "at +0s    c1 put \"a  b\" -q as w1\n");
    free(text);
    scenario_drop(scenario);
}
END_TEST

static void print_twice(const char *name, const char *text)
{
    struct scenario *first = play_parse(text);
    char *once = printed(first);
    char *words = explained(first);
    struct scenario *second = play_parse(once);
    char *twice = printed(second);
    char *words_twice;
    struct scenario *spaced = NULL;

    (void)name;
    ck_assert_str_eq(once, twice);
    ck_assert_uint_eq(first->name_count, second->name_count);
    /* Line numbers may move with blank lines: compare what is said of text already canonical. */
    spaced = play_parse(twice);
    words_twice = explained(spaced);
    free(words);
    words = explained(second);
    ck_assert_str_eq(words, words_twice);
    free(once);
    free(twice);
    free(words);
    free(words_twice);
    scenario_drop(first);
    scenario_drop(second);
    scenario_drop(spaced);
}

/* docs/scenario-language.md: parse of print is the identity. */
START_TEST(test_printing_is_the_identity)
{
    ck_assert_uint_ge(for_files("samples", print_twice), 3);
}
END_TEST

/* ---- messages ---- */

static void wrong_file(const char *name, const char *text)
{
    const char *expected = text + strlen("# expect: ");
    size_t len = strcspn(expected, "\n");
    struct scenario *scenario;
    char found[512];

    ck_assert_msg(strncmp(text, "# expect: ", 10) == 0, "%s says what it expects", name);
    ck_assert_int_eq(scenario_parse(name, span_text(text), guests, 1, &scenario), ERR_FORMAT);
    ck_assert_uint_eq(scenario->error_count, 1);
    snprintf(found, sizeof(found), "%u:%u: %s", scenario->problems[0].line,
             scenario->problems[0].column, scenario->problems[0].text);
    ck_assert_msg(strlen(found) == len && strncmp(found, expected, len) == 0,
                  "%s\n  found    %s\n  expected %.*s", name, found, (int)len, expected);
    scenario_drop(scenario);
}

START_TEST(test_wrong_files_get_their_message)
{
    ck_assert_uint_ge(for_files("wrong", wrong_file), 10);
}
END_TEST

START_TEST(test_several_errors_are_all_told)
{
    struct scenario *scenario;

    ck_assert_int_eq(
        scenario_parse("x", span_text("cluster pulse\nrun 3\nat 1s\nat 2s crsh p1\nrunn 1s\n"),
                       guests, 1, &scenario),
        ERR_FORMAT);
    ck_assert_uint_eq(scenario->error_count, 3);
    ck_assert_uint_eq(scenario->problems[1].line, 4);
    scenario_drop(scenario);
}
END_TEST

START_TEST(test_lost_names_are_warnings)
{
    struct scenario *scenario = play_parse(
        "cluster pulse\nat 1s c7 put \"x\"\nat 2s crash X\nwithin 1s expect w3 is acknowledged\n");

    ck_assert_uint_eq(scenario->problem_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert(scenario->problems[i].warning);
        ck_assert(scenario->lines[i + 1].lost);
    }
    ck_assert_uint_eq(scenario->problems[0].column, 7);
    scenario_drop(scenario);
}
END_TEST

START_TEST(test_distance)
{
    ck_assert_uint_eq(scn_distance(span_text("crash"), span_text("crash")), 0);
    ck_assert_uint_eq(scn_distance(span_text("crahs"), span_text("crash")), 1);
    ck_assert_uint_eq(scn_distance(span_text("crsh"), span_text("crash")), 1);
    ck_assert_uint_eq(scn_distance(span_text(""), span_text("abc")), 3);
    ck_assert_uint_eq(scn_distance(span_text("kitten"), span_text("sitting")), 3);
}
END_TEST

START_TEST(test_protocol_is_found_by_its_words)
{
    static const struct guest nobody = {.name = "nobody", .server_name = NULL};
    const struct guest *const two[] = {&pulse_guest, &pulse_guest};
    struct scenario *scenario;

    (void)nobody;
    ck_assert_int_eq(
        scenario_parse("x", span_text("client c1\nat 1s c1 put \"a\"\n"), two, 2, &scenario),
        ERR_OK);
    ck_assert_ptr_eq(scenario->guest, &pulse_guest);
    ck_assert_uint_eq(scenario->server_count, 3);
    scenario_drop(scenario);
}
END_TEST

START_TEST(test_limits)
{
    char *text = calloc(1, 400000);
    struct scenario *scenario;

    for (int i = 0; i < 30000; i++) {
        memcpy(text + 8 * i, "run 1s \n", 8);
    }
    ck_assert_int_eq(scenario_parse("x", span_text(text), guests, 1, &scenario), ERR_FORMAT);
    scenario_drop(scenario);
    memset(text, 'x', 399999);
    ck_assert_int_eq(scenario_parse("x", span_text(text), guests, 1, &scenario), ERR_FORMAT);
    scenario_drop(scenario);
    free(text);
    ck_assert_int_eq(scenario_parse("x", span_make("at 1s \0", 7), guests, 1, &scenario),
                     ERR_FORMAT);
    scenario_drop(scenario);
    ck_assert_int_eq(scenario_parse("x", span_make(NULL, 0), guests, 1, &scenario), ERR_OK);
    scenario_drop(scenario);
}
END_TEST

/* ---- deleting lines ---- */

static uint32_t count_lines(const char *text)
{
    uint32_t count = 0;

    for (; *text != 0; text++) {
        count += *text == '\n' ? 1 : 0;
    }
    return count;
}

static char *without_line(const char *text, uint32_t index)
{
    char *out = calloc(1, strlen(text) + 1);
    uint32_t at = 0;
    size_t len = 0;

    for (; *text != 0; text++) {
        if (at != index) {
            out[len++] = *text;
        }
        at += *text == '\n' ? 1 : 0;
    }
    return out;
}

static void delete_each(const char *name, const char *text)
{
    uint32_t count = count_lines(text);

    for (uint32_t i = 0; i < count; i++) {
        char *shorter = without_line(text, i);
        struct scenario *scenario = play_parse(shorter);
        struct run *run = run_make(scenario);
        const struct run_options options = {.seed = 0};
        struct run_report report;

        run_play(run, &options, &report);
        ck_assert_msg(report.result != RUN_DEFECT, "%s without line %u: %s", name, i + 1,
                      report.defect);
        run_drop(run);
        scenario_drop(scenario);
        free(shorter);
    }
}

/* Property 2 of the language: each line can be deleted alone and the file still runs. */
START_TEST(test_each_line_can_be_deleted)
{
    for_files("samples", delete_each);
}
END_TEST

/* ---- help ---- */

START_TEST(test_explain_puts_arguments_in)
{
    struct scenario *scenario =
        play_parse("cluster pulse\nclient c1\nat 1s c1 put \"v\" -q\n"
                   "at 2s cut p1 <-> {p2, p3} for 2s\nat 3s crash follower 2 power\n");
    char *text = explained(scenario);

    ck_assert_msg(strstr(text, "1s after the start: c1: put v quietly\n") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "let nothing pass from p1 to and from p2 and p3, for 2s\n") != NULL,
                  "%s", text);
    ck_assert_msg(strstr(text, "crash the follower number 2 by power\n") != NULL, "%s", text);
    free(text);
    scenario_drop(scenario);
}
END_TEST

Suite *suite_scenario(void)
{
    Suite *suite = suite_create("scenario");
    TCase *tcase = tcase_create("all");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_canonical_form);
    tcase_add_test(tcase, test_printing_is_the_identity);
    tcase_add_test(tcase, test_wrong_files_get_their_message);
    tcase_add_test(tcase, test_several_errors_are_all_told);
    tcase_add_test(tcase, test_lost_names_are_warnings);
    tcase_add_test(tcase, test_distance);
    tcase_add_test(tcase, test_protocol_is_found_by_its_words);
    tcase_add_test(tcase, test_limits);
    tcase_add_test(tcase, test_each_line_can_be_deleted);
    tcase_add_test(tcase, test_explain_puts_arguments_in);
    suite_add_tcase(suite, tcase);
    return suite;
}
