#include "sim/help_guest.h"

#include "base/err.h"
#include "tests/expect.h"

#include <check.h>

/* Records of one length byte and that many bytes; the first of them is the record's name and key.
 */
static size_t word_cut(void *state, bool from_dialer, struct span input, struct sim_record *record)
{
    static const char *const names[] = {"A", "B", "C", "D", "E", "F"};
    uint64_t *count = state;

    (void)from_dialer;
    if (input.len < 1 || input.len < 1u + input.at[0]) {
        return 0;
    }
    record->name = names[(input.at[1] - 'a') % 6];
    record->key = input.at[1];
    record->field_count = 1;
    record->fields[0].name = "count";
    record->fields[0].value = (int64_t)++ * count;
    record->essential = true;
    return 1u + input.at[0];
}

static const struct sim_codec word_codec = {
    .name = "words", .state_bytes = sizeof(uint64_t), .cut = word_cut};

static void server(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)self;
    if (in->kind == IN_BOOT) {
        fx_listen(fx, 1, span_text("server:7"));
    }
}

/* Sends what it is asked to: letters become records of two bytes; '+' ends one send and begins
 * another,
 * '-' splits a record in the middle. Notes each letter, too, when asked with tag 2. */
static void client(struct guest_state *self, const struct input *in, struct fx *fx)
{
    struct bytes *out;

    if (in->kind == IN_BOOT) {
        fx_dial(fx, 1, span_text("server:7"));
    }
    if (in->kind != IN_ASK) {
        return;
    }
    if (in->ask.tag == 2) {
        for (size_t i = 0; i < in->ask.span.len; i++) {
            fx_note(fx, 5, in->ask.span.at[i], 0, 0, span_make(in->ask.span.at + i, 1));
        }
        return;
    }
    out = fx_out(fx);
    for (size_t i = 0; i < in->ask.span.len; i++) {
        uint8_t letter = in->ask.span.at[i];

        if (letter == '+') {
            fx_send(fx, 1, bytes_span(out));
            bytes_clear(out);
        } else if (letter == '!') {
            bytes_u8(out, 200);
        } else if (letter < 'a') {
            bytes_u8(out, 2);
            fx_send(fx, 1, bytes_span(out));
            bytes_clear(out);
            bytes_u8(out, (uint8_t)(letter - 'A' + 'a'));
            bytes_u8(out, '.');
        } else {
            bytes_u8(out, 2);
            bytes_u8(out, letter);
            bytes_u8(out, '.');
        }
    }
    if (bytes_span(out).len > 0) {
        fx_send(fx, 1, bytes_span(out));
    }
    (void)self;
}

/* A tap that answers `verdict` the `nth` time that it sees `at` with the letter (0: any). */
struct trap {
    enum sim_at at;
    char letter;
    uint32_t nth;
    enum sim_verdict verdict;
    uint32_t seen;
    char words[128]; /* everything it saw */
    uint32_t len;
};

static enum sim_verdict trap_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    struct trap *trap = context;
    char letter = '?';

    EXPECT(event->now_us == sim_now(sim));
    if (event->record != NULL) {
        letter = event->record->name[0];
        EXPECT(event->bytes.len == 3);
        EXPECT(event->bytes.at[1] == (uint8_t)(letter - 'A' + 'a'));
        EXPECT(event->port == 7);
    } else if (event->effect != NULL && event->effect->bytes.len > 0) {
        letter = (char)event->effect->bytes.at[0];
    }
    if (event->at != trap->at) {
        return SIM_GO;
    }
    trap->words[trap->len++] = letter;
    if (trap->letter != 0 && letter != trap->letter) {
        return SIM_GO;
    }
    trap->seen++;
    return trap->seen == trap->nth ? trap->verdict : SIM_GO;
}

struct pair {
    struct sim *sim;
    struct trap trap;
};

static void pair_open(struct pair *pair, struct trap trap)
{
    pair->sim = guest_world(0);
    pair->trap = trap;
    (void)guest_add(pair->sim, "server", server);
    (void)guest_add(pair->sim, "client", client);
    sim_set_codec(pair->sim, 7, &word_codec);
    sim_add_tap(pair->sim, 1u << trap.at, trap_tap, &pair->trap);
    sim_start(pair->sim, 0);
    sim_start(pair->sim, 1);
    sim_run(pair->sim, 10000);
}

static void pair_ask(struct pair *pair, uint64_t tag, const char *text)
{
    sim_ask(pair->sim, 1, tag, span_text(text));
    sim_run(pair->sim, sim_now(pair->sim) + 10000);
}

/* The letters that the server has received. */
static const char *pair_got(const struct pair *pair, char room[64])
{
    const struct bytes *seen = &guest_at(pair->sim, 0)->seen;
    size_t len = 0;

    for (size_t i = 1; i < seen->len; i += 3) {
        room[len++] = (char)seen->at[i];
    }
    room[len] = '\0';
    return room;
}

START_TEST(test_records_are_seen_as_they_leave)
{
    struct pair pair;
    char room[64];

    pair_open(&pair, (struct trap){.at = SIM_AT_SEND});
    pair_ask(&pair, 1, "abc+d+ef");
    EXPECT(strcmp(pair.trap.words, "ABCDEF") == 0);
    EXPECT(strcmp(pair_got(&pair, room), "abcdef") == 0);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_records_are_seen_as_they_come)
{
    struct pair pair;

    pair_open(&pair, (struct trap){.at = SIM_AT_RECEIVE});
    pair_ask(&pair, 1, "abc+d+ef");
    EXPECT(strcmp(pair.trap.words, "ABCDEF") == 0);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_crash_cuts_the_sends_exactly_there)
{
    for (uint32_t nth = 1; nth <= 6; nth++) {
        for (uint32_t after = 0; after < 2; after++) {
            struct pair pair;
            char room[64];
            const char *want = "abcdef";

            pair_open(&pair,
                      (struct trap){.at = SIM_AT_SEND,
                                    .nth = nth,
                                    .verdict = after == 1 ? SIM_CRASH_AFTER : SIM_CRASH_BEFORE});
            pair_ask(&pair, 1, "ab+c+def");
            EXPECT(!sim_is_up(pair.sim, 1));
            EXPECT(strncmp(pair_got(&pair, room), want, nth - 1 + after) == 0);
            EXPECT(strlen(room) == nth - 1 + after);
            EXPECT(guest_at(pair.sim, 0)->closed == 1);
            sim_close(pair.sim);
        }
    }
}
END_TEST

START_TEST(test_a_crash_cuts_the_effects_exactly_there)
{
    for (uint32_t nth = 1; nth <= 4; nth++) {
        for (uint32_t after = 0; after < 2; after++) {
            struct pair pair;
            struct trap watch = {.at = SIM_AT_NOTE};

            pair_open(&pair,
                      (struct trap){.at = SIM_AT_NOTE,
                                    .nth = nth,
                                    .verdict = after == 1 ? SIM_CRASH_AFTER : SIM_CRASH_BEFORE});
            sim_add_tap(pair.sim, 1u << SIM_AT_NOTE, trap_tap, &watch);
            pair_ask(&pair, 2, "wxyz");
            EXPECT(watch.len == nth); /* every tap hears of the effect that was cut off */
            EXPECT(strncmp(watch.words, "wxyz", nth) == 0);
            EXPECT(!sim_is_up(pair.sim, 1));
            sim_close(pair.sim);
        }
    }
}
END_TEST

START_TEST(test_a_record_can_be_dropped_as_it_leaves)
{
    struct pair pair;
    char room[64];

    pair_open(&pair,
              (struct trap){.at = SIM_AT_SEND, .letter = 'B', .nth = 1, .verdict = SIM_DROP});
    pair_ask(&pair, 1, "abc+b+d");
    EXPECT(strcmp(pair_got(&pair, room), "acbd") == 0);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_record_can_be_dropped_as_it_comes)
{
    struct pair pair;
    char room[64];

    pair_open(&pair,
              (struct trap){.at = SIM_AT_RECEIVE, .letter = 'B', .nth = 1, .verdict = SIM_DROP});
    pair_ask(&pair, 1, "b");
    pair_ask(&pair, 1, "abc+b+d");
    EXPECT(strcmp(pair_got(&pair, room), "abcbd") == 0);
    EXPECT(guest_at(pair.sim, 0)->bytes_in == 15);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_record_in_two_sends_is_one_record)
{
    static const enum sim_verdict verdicts[] = {SIM_GO, SIM_DROP, SIM_CRASH_BEFORE,
                                                SIM_CRASH_AFTER};
    static const char *const want[] = {"abcd", "acd", "a", "ab"};

    for (uint32_t i = 0; i < 4; i++) {
        struct pair pair;
        char room[64];

        pair_open(&pair, (struct trap){
                             .at = SIM_AT_SEND, .letter = 'B', .nth = 1, .verdict = verdicts[i]});
        pair_ask(&pair, 1, "aBCd");
        EXPECT(strcmp(pair_got(&pair, room), want[i]) == 0);
        EXPECT(guest_at(pair.sim, 0)->seen.len == strlen(want[i]) * 3);
        sim_close(pair.sim);
    }
}
END_TEST

START_TEST(test_what_is_no_record_passes_as_bytes)
{
    struct pair pair;

    pair_open(&pair, (struct trap){.at = SIM_AT_SEND});
    pair_ask(&pair, 1, "ab!cd");
    EXPECT(strcmp(pair.trap.words, "AB") == 0);
    EXPECT(guest_at(pair.sim, 0)->bytes_in == 13);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_chopped_record_is_seen_when_it_is_complete)
{
    struct pair pair;
    struct sim_link link;

    pair_open(&pair, (struct trap){.at = SIM_AT_RECEIVE});
    sim_link_default(&link);
    link.chop_ppm = 1000000;
    sim_set_link(pair.sim, 1, 0, &link);
    sim_ask(pair.sim, 1, 1, span_text("a"));
    sim_run(pair.sim, sim_now(pair.sim) + 500);
    EXPECT(guest_at(pair.sim, 0)->bytes_in == 1);
    EXPECT(pair.trap.len == 0);
    sim_run(pair.sim, sim_now(pair.sim) + 1);
    EXPECT(guest_at(pair.sim, 0)->bytes_in == 3);
    EXPECT(strcmp(pair.trap.words, "A") == 0);
    sim_close(pair.sim);
}
END_TEST

/* Arrival times as estimated when the records left. */
static enum sim_verdict arrival_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    (void)sim;
    *(uint64_t *)context = event->arrival_us;
    return SIM_GO;
}

START_TEST(test_the_arrival_of_a_record_is_known_when_it_leaves)
{
    struct pair pair;
    struct sim_link link;
    uint64_t arrival_us = 0;
    uint64_t start_us;

    pair_open(&pair, (struct trap){.at = SIM_AT_RECEIVE});
    sim_add_tap(pair.sim, 1u << SIM_AT_SEND, arrival_tap, &arrival_us);
    sim_get_link(pair.sim, 1, 0, &link);
    link.delay_min_us = 4321;
    link.delay_max_us = 4321;
    sim_set_link(pair.sim, 1, 0, &link);
    start_us = sim_now(pair.sim);
    pair_ask(&pair, 1, "a");
    EXPECT(arrival_us == start_us + 4321);
    link.cut = true;
    sim_set_link(pair.sim, 1, 0, &link);
    pair_ask(&pair, 1, "b");
    EXPECT(arrival_us == UINT64_MAX);
    sim_close(pair.sim);
}
END_TEST

START_TEST(test_a_crash_before_or_after_what_comes)
{
    for (uint32_t after = 0; after < 2; after++) {
        struct pair pair;
        struct trap receipts = {.at = SIM_AT_RECEIVE};

        pair_open(&pair, (struct trap){.at = SIM_AT_RECEIVE,
                                       .letter = 'C',
                                       .nth = 1,
                                       .verdict = after == 1 ? SIM_CRASH_AFTER : SIM_CRASH_BEFORE});
        sim_add_tap(pair.sim, 1u << SIM_AT_RECEIVE, trap_tap, &receipts);
        pair_ask(&pair, 1, "abcde");
        EXPECT(!sim_is_up(pair.sim, 0));
        EXPECT(strcmp(receipts.words, "ABC") == 0);
        EXPECT(guest_at(pair.sim, 1)->closed == 1);
        sim_close(pair.sim);
    }
}
END_TEST

/* A tap that crashes the process that is being stepped, by call instead of verdict. */
static enum sim_verdict crash_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    (void)context;
    if (event->effect->bytes.at[0] == 'x') {
        sim_crash(sim, event->process, SIM_KILL);
        EXPECT(sim_is_up(sim, event->process)); /* after the current effect */
        sim_start(sim, event->process);
    }
    return SIM_GO;
}

START_TEST(test_a_crash_by_call_comes_after_the_current_effect)
{
    struct pair pair;

    pair_open(&pair, (struct trap){.at = SIM_AT_NOTE});
    sim_add_tap(pair.sim, 1u << SIM_AT_NOTE, crash_tap, NULL);
    pair_ask(&pair, 2, "wxyz");
    EXPECT(strcmp(pair.trap.words, "wx") == 0);
    EXPECT(sim_incarnation(pair.sim, 1) == 2);
    EXPECT(sim_is_up(pair.sim, 1));
    EXPECT(guest_at(pair.sim, 1)->boots == 1);
    sim_close(pair.sim);
}
END_TEST

/* ---- disks ---- */
static void epochs(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)self;
    if (in->kind == IN_ASK) {
        fx_append_lent(fx, DIR_LOG, span_text("log"), 0, span_text("ab"), 1);
        fx_append_lent(fx, DIR_LOG, span_text("log"), 2, span_text("cd"), 0);
        fx_sync(fx, DIR_LOG, span_text("log"), 2);
        fx_replace(fx, DIR_DATA, span_text("epoch"), span_text("e2"), 3);
        fx_replace(fx, DIR_DATA, span_text("epoch2"), span_text("f2"), 4);
    }
}

/* Content of all files, one after the other. */
static const char *disk_text(const struct sim *sim, char room[64])
{
    struct file_view view;
    struct text text;

    text_init(&text, room, 64);
    for (uint32_t i = 0; sim_file_at(sim, 0, i, &view); i++) {
        text_span(&text, view.name);
        text_char(&text, '=');
        text_span(&text, view.bytes);
        text_char(&text, ' ');
    }
    return room;
}

struct cut {
    struct trap trap;
    enum sim_crash_kind kind;
    const char *want;
};

START_TEST(test_a_crash_cuts_writes_exactly_there)
{
    static const struct cut cuts[] = {
        {{.at = SIM_AT_APPEND, .nth = 1, .verdict = SIM_CRASH_BEFORE}, SIM_KILL, ""},
        {{.at = SIM_AT_APPEND, .nth = 1, .verdict = SIM_CRASH_AFTER}, SIM_KILL, "log=ab "},
        {{.at = SIM_AT_APPEND, .nth = 2, .verdict = SIM_CRASH_BEFORE}, SIM_KILL, "log=ab "},
        {{.at = SIM_AT_APPEND, .nth = 2, .verdict = SIM_CRASH_AFTER}, SIM_KILL, "log=abcd "},
        {{.at = SIM_AT_SYNC, .nth = 1, .verdict = SIM_CRASH_BEFORE}, SIM_POWER, ""},
        {{.at = SIM_AT_SYNC, .nth = 1, .verdict = SIM_CRASH_AFTER}, SIM_POWER, ""},
        /* The process hears of the sync only when the replaces behind it are durable. */
        {{.at = SIM_AT_SYNCED, .nth = 1, .verdict = SIM_CRASH_BEFORE},
         SIM_POWER,
         "epoch=e2 epoch2=f2 log=abcd "},
        {{.at = SIM_AT_REPLACE, .nth = 1, .verdict = SIM_CRASH_BEFORE}, SIM_KILL, "log=abcd "},
        {{.at = SIM_AT_REPLACE, .nth = 1, .verdict = SIM_CRASH_AFTER},
         SIM_POWER,
         "epoch=e2 log=abcd "},
        {{.at = SIM_AT_REPLACE, .nth = 2, .verdict = SIM_CRASH_BEFORE},
         SIM_POWER,
         "epoch=e2 log=abcd "},
        {{.at = SIM_AT_REPLACE, .nth = 2, .verdict = SIM_CRASH_AFTER},
         SIM_POWER,
         "epoch=e2 epoch2=f2 log=abcd "},
    };

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct sim *sim = guest_world(0);
        struct trap trap = cuts[i].trap;
        char room[64];

        (void)guest_add(sim, "p", epochs);
        sim_add_tap(sim, 1u << trap.at, trap_tap, &trap);
        sim_crash_verdict_kind(sim, cuts[i].kind);
        sim_start(sim, 0);
        sim_ask(sim, 0, 1, span_text("go"));
        sim_run(sim, 100000);
        EXPECT(!sim_is_up(sim, 0));
        if (strcmp(disk_text(sim, room), cuts[i].want) != 0) {
            ck_abort_msg("cut %zu leaves %s, not %s", i, room, cuts[i].want);
        }
        sim_close(sim);
    }
}
END_TEST

/* ---- answers, findings ---- */
static void answerer(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)self;
    if (in->kind == IN_ASK) {
        fx_answer(fx, in->ask.tag, span_text("yes"));
    }
}

static enum sim_verdict answer_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    *(uint64_t *)context = event->effect->b;
    EXPECT(span_is(event->effect->bytes, "yes"));
    sim_fail(sim, "no answers", span_text("there was one"));
    return SIM_GO;
}

START_TEST(test_answers_reach_the_tap_and_a_checker_stops_the_world)
{
    struct sim *sim = guest_world(0);
    uint64_t tag = 0;
    struct sim_finding finding;

    (void)guest_add(sim, "p", answerer);
    sim_add_tap(sim, 1u << SIM_AT_ANSWER, answer_tap, &tag);
    sim_start(sim, 0);
    sim_ask(sim, 0, 77, span_text("well?"));
    sim_ask(sim, 0, 78, span_text("well?"));
    sim_run(sim, 1000);

    EXPECT(tag == 77);
    EXPECT(sim_get_finding(sim, &finding));
    EXPECT(!finding.assertion && finding.process == 0);
    EXPECT(strcmp(finding.check, "no answers") == 0 && strcmp(finding.why, "there was one") == 0);
    sim_close(sim);
}
END_TEST

Suite *suite_tap(void)
{
    Suite *suite = suite_create("tap");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, test_records_are_seen_as_they_leave);
    tcase_add_test(tcase, test_records_are_seen_as_they_come);
    tcase_add_test(tcase, test_a_crash_cuts_the_sends_exactly_there);
    tcase_add_test(tcase, test_a_crash_cuts_the_effects_exactly_there);
    tcase_add_test(tcase, test_a_record_can_be_dropped_as_it_leaves);
    tcase_add_test(tcase, test_a_record_can_be_dropped_as_it_comes);
    tcase_add_test(tcase, test_a_record_in_two_sends_is_one_record);
    tcase_add_test(tcase, test_what_is_no_record_passes_as_bytes);
    tcase_add_test(tcase, test_a_chopped_record_is_seen_when_it_is_complete);
    tcase_add_test(tcase, test_the_arrival_of_a_record_is_known_when_it_leaves);
    tcase_add_test(tcase, test_a_crash_before_or_after_what_comes);
    tcase_add_test(tcase, test_a_crash_by_call_comes_after_the_current_effect);
    tcase_add_test(tcase, test_a_crash_cuts_writes_exactly_there);
    tcase_add_test(tcase, test_answers_reach_the_tap_and_a_checker_stops_the_world);
    return suite;
}
