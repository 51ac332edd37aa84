#include "sim/help_guest.h"

#include "base/ensure.h"
#include "tests/expect.h"

#include <check.h>

#define WALL_START_MS 1700000000000

/* Counts ticks of a millisecond of its own clock. */
static void ticker(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        self->number[0] = in->mono_us + 1000;
        self->number[1] = in->mono_us;
    }
    while (in->mono_us >= self->number[0]) {
        self->number[0] += 1000;
        self->number[2]++;
    }
    fx_wake(fx, self->number[0]);
}

START_TEST(test_wake_ups_come_when_asked_for)
{
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", ticker);

    sim_start(sim, p);
    sim_run(sim, 1000000);

    EXPECT(guest_at(sim, p)->number[2] == 1000);
    EXPECT(guest_at(sim, p)->wakes == 1000);
    EXPECT(guest_at(sim, p)->last_wall_ms == WALL_START_MS + 1000);
    sim_close(sim);
}
END_TEST

/* Asked for a later time at each input, it is woken once. */
static void procrastinator(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind != IN_WAKE) {
        self->number[0] = in->mono_us + 5000;
    }
    fx_wake(fx, in->kind == IN_WAKE ? WAKE_NEVER : self->number[0]);
}

START_TEST(test_a_deadline_that_moves_wakes_once)
{
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", procrastinator);

    sim_start(sim, p);
    for (uint64_t us = 0; us < 100000; us += 1000) {
        sim_run(sim, us);
        sim_ask(sim, p, 1, span_text("later"));
    }
    EXPECT(guest_at(sim, p)->wakes == 0);
    sim_run(sim, 200000);

    EXPECT(guest_at(sim, p)->wakes == 1);
    EXPECT(guest_at(sim, p)->last_mono_us == guest_at(sim, p)->number[0]);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_pause_ends_with_a_jump_of_the_clock)
{
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", ticker);
    uint64_t before;

    sim_start(sim, p);
    sim_run(sim, 10500);
    sim_pause(sim, p);
    before = guest_at(sim, p)->last_mono_us;
    sim_ask(sim, p, 1, span_text("hello"));
    sim_run(sim, 60000500);
    EXPECT(guest_at(sim, p)->wakes == 10);
    EXPECT(guest_at(sim, p)->asks == 0);
    sim_resume(sim, p);
    sim_run(sim, 60000500);

    EXPECT(guest_at(sim, p)->asks == 1);
    EXPECT(guest_at(sim, p)->number[2] == 60000);
    EXPECT(guest_at(sim, p)->last_mono_us - before == 59990500);
    sim_close(sim);
}
END_TEST

START_TEST(test_clocks_drift_and_jump)
{
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", ticker);
    struct sim_clock clock = {.rate_ppm = 100000}; /* a tenth faster */
    int64_t wall_ms;

    sim_start(sim, p);
    sim_run(sim, 0);
    sim_set_clock(sim, p, &clock);
    sim_run(sim, 1000000);
    EXPECT(guest_at(sim, p)->last_mono_us - guest_at(sim, p)->number[1] == 1100000);
    EXPECT(guest_at(sim, p)->number[2] == 1100);
    EXPECT(guest_at(sim, p)->last_wall_ms == WALL_START_MS + 1100);
    wall_ms = guest_at(sim, p)->last_wall_ms;
    clock.rate_ppm = 0;
    clock.offset_ms = -3600000;
    sim_set_clock(sim, p, &clock);
    sim_run(sim, 2000000);
    EXPECT(guest_at(sim, p)->last_mono_us - guest_at(sim, p)->number[1] == 2100000);
    EXPECT(guest_at(sim, p)->last_wall_ms == wall_ms - 3600000 + 1000);
    clock.rate_ppm = -500000;
    sim_set_clock(sim, p, &clock);
    sim_run(sim, 4000000);

    EXPECT(guest_at(sim, p)->last_mono_us - guest_at(sim, p)->number[1] == 3100000);
    sim_close(sim);
}
END_TEST

START_TEST(test_clocks_of_two_processes_start_apart)
{
    struct sim *sim = guest_world(0);
    uint32_t a = guest_add(sim, "a", ticker);
    uint32_t b = guest_add(sim, "b", ticker);

    sim_start(sim, a);
    sim_start(sim, b);
    sim_run(sim, 5000);

    EXPECT(guest_at(sim, a)->last_mono_us != guest_at(sim, b)->last_mono_us);
    EXPECT(guest_at(sim, a)->last_wall_ms == guest_at(sim, b)->last_wall_ms);
    sim_close(sim);
}
END_TEST

/* ---- dying of one's own ---- */
static void asserter(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)fx;
    if (in->kind == IN_ASK) {
        self->number[0]++;
        ENSURE(in->ask.tag != 13);
    }
}

START_TEST(test_a_failed_assertion_is_a_finding_and_the_program_goes_on)
{
    struct sim_finding finding;

    for (uint32_t i = 0; i < 3; i++) {
        struct sim *sim = guest_world(0);
        uint32_t p = guest_add(sim, "p", asserter);
        uint32_t q = guest_add(sim, "q", ticker);

        sim_start(sim, p);
        sim_start(sim, q);
        sim_ask(sim, p, 12, span_text("fine"));
        sim_run(sim, 5000);
        EXPECT(!sim_get_finding(sim, &finding));
        sim_ask(sim, p, 13, span_text("not fine"));
        sim_run(sim, 10000);

        EXPECT(sim_get_finding(sim, &finding));
        EXPECT(finding.assertion && finding.process == p && finding.at_us == 5000);
        EXPECT(strcmp(finding.check, "assertion") == 0);
        EXPECT(strstr(finding.why, "in->ask.tag != 13") != NULL);
        EXPECT(!sim_is_up(sim, p));
        EXPECT(!sim_next(sim, UINT64_MAX));
        sim_close(sim);
    }
}
END_TEST

static void glutton(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)fx;
    for (uint64_t i = 0; in->kind == IN_ASK && i < in->ask.tag; i++) {
        memset(mem_get(self->mem, 1u << 20), 1, 1u << 20);
        self->number[0]++;
    }
}

START_TEST(test_using_up_memory_is_a_finding)
{
    struct sim *sim = guest_world(0); /* 8 MiB a process */
    uint32_t p = guest_add(sim, "p", glutton);
    struct sim_finding finding;

    sim_start(sim, p);
    sim_ask(sim, p, 7, span_text("fits"));
    sim_run(sim, 1000);
    EXPECT(!sim_get_finding(sim, &finding));
    EXPECT(guest_at(sim, p)->number[0] == 7);
    sim_ask(sim, p, 1, span_text("does not"));
    sim_run(sim, 2000);

    EXPECT(sim_get_finding(sim, &finding));
    EXPECT(finding.assertion && finding.process == p);
    EXPECT(strcmp(finding.check, "memory") == 0);
    sim_close(sim);
}
END_TEST

static void insomniac(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)self;
    fx_wake(fx, in->mono_us);
}

START_TEST(test_who_never_lets_time_pass_is_a_finding)
{
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", insomniac);
    struct sim_finding finding;

    sim_start(sim, p);
    sim_run(sim, 1000);

    EXPECT(sim_get_finding(sim, &finding));
    EXPECT(finding.assertion && finding.process == p && finding.at_us == 0);
    EXPECT(strcmp(finding.check, "time stands still") == 0);
    sim_close(sim);
}
END_TEST

static void *make_nothing(struct mem *mem, struct span config)
{
    (void)mem;
    (void)config;
    return NULL;
}

static void *make_fails(struct mem *mem, struct span config)
{
    ENSURE(mem == NULL && config.len > 0);
    return NULL;
}

static enum sim_verdict count_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    (void)sim;
    ((uint32_t *)context)[event->at]++;
    return SIM_GO;
}

START_TEST(test_a_configuration_that_cannot_run_halts)
{
    static const struct process_ops ops = {"nothing", make_nothing, NULL, NULL};
    struct sim *sim = guest_world(0);
    uint32_t p = sim_add(sim, "p", &ops, span_text(""));
    uint32_t counts[32] = {0};
    struct sim_finding finding;

    sim_add_tap(sim, UINT32_MAX, count_tap, counts);
    sim_start(sim, p);
    sim_run(sim, 1000);

    EXPECT(!sim_is_up(sim, p));
    EXPECT(counts[SIM_AT_HALT] == 1 && counts[SIM_AT_START] == 0);
    EXPECT(!sim_get_finding(sim, &finding));
    sim_close(sim);
}
END_TEST

START_TEST(test_an_assertion_while_making_is_a_finding)
{
    static const struct process_ops ops = {"fails", make_fails, NULL, NULL};
    struct sim *sim = guest_world(0);
    uint32_t p = sim_add(sim, "p", &ops, span_text(""));
    struct sim_finding finding;

    sim_start(sim, p);
    sim_run(sim, 1000);

    EXPECT(sim_get_finding(sim, &finding));
    EXPECT(finding.assertion && finding.process == p);
    sim_close(sim);
}
END_TEST

static void quitter(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)self;
    if (in->kind == IN_ASK) {
        fx_note(fx, 1, 0, 0, 0, span_text("before"));
        fx_halt(fx, 3, span_text("enough"));
        fx_note(fx, 2, 0, 0, 0, span_text("after"));
    }
    fx_wake(fx, in->mono_us + 1000);
}

START_TEST(test_who_halts_gets_no_further_input_and_can_be_started_again)
{
    struct sim *sim = guest_world(0);
    uint32_t p = guest_add(sim, "p", quitter);
    uint32_t counts[32] = {0};

    sim_add_tap(sim, UINT32_MAX, count_tap, counts);
    sim_start(sim, p);
    sim_run(sim, 1500);
    sim_ask(sim, p, 1, span_text("quit"));
    sim_run(sim, 5000);
    EXPECT(!sim_is_up(sim, p));
    EXPECT(counts[SIM_AT_NOTE] == 1 && counts[SIM_AT_HALT] == 1 && counts[SIM_AT_CRASH] == 0);
    sim_start(sim, p);
    sim_run(sim, 10000);

    EXPECT(sim_is_up(sim, p));
    EXPECT(sim_incarnation(sim, p) == 2);
    EXPECT(guest_at(sim, p)->wakes == 5);
    sim_close(sim);
}
END_TEST

/* ---- memory ---- */
static void rememberer(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)fx;
    if (in->kind == IN_BOOT) {
        volatile const uint8_t *fresh = mem_get(self->mem, 4096);

        self->number[0] = fresh[0];
        self->number[1] = fresh[4095];
        memset(mem_get(self->mem, 4096), 0x77, 4096);
        self->number[2] = in->boot.seed;
    }
}

START_TEST(test_nothing_survives_in_memory)
{
    struct sim *sim = guest_world(5);
    uint32_t p = guest_add(sim, "p", rememberer);
    uint64_t seed;

    sim_start(sim, p);
    sim_run(sim, 0);
    seed = guest_at(sim, p)->number[2];
    for (uint32_t i = 0; i < 5; i++) {
        sim_crash(sim, p, i % 2 == 0 ? SIM_KILL : SIM_POWER);
        sim_start(sim, p);
        sim_run(sim, 0);
        EXPECT(guest_at(sim, p)->number[0] == 0xa5);
        EXPECT(guest_at(sim, p)->number[1] == 0xa5);
        EXPECT(guest_at(sim, p)->number[2] != seed);
        EXPECT(guest_at(sim, p)->boots == 1);
    }
    sim_close(sim);
}
END_TEST

/* ---- calls ---- */
struct diary {
    char words[64];
    uint32_t len;
};

static void diary_write(struct sim *sim, void *context, uint64_t argument)
{
    struct diary *diary = context;

    diary->words[diary->len++] = (char)argument;
    if (argument == 'c') {
        sim_schedule(sim, sim_now(sim), diary_write, diary, 'd');
    }
    if (argument == 's') {
        sim_stop(sim);
    }
}

START_TEST(test_calls_run_in_the_order_of_time_and_then_of_scheduling)
{
    struct sim *sim = guest_world(0);
    struct diary diary = {0};

    sim_schedule(sim, 2000, diary_write, &diary, 'c');
    sim_schedule(sim, 1000, diary_write, &diary, 'a');
    sim_schedule(sim, 2000, diary_write, &diary, 'C');
    sim_schedule(sim, 1000, diary_write, &diary, 'b');
    sim_schedule(sim, 5000, diary_write, &diary, 'e');
    sim_run(sim, 4000);

    EXPECT(strcmp(diary.words, "abcCd") == 0);
    EXPECT(sim_now(sim) == 4000);
    sim_close(sim);
}
END_TEST

START_TEST(test_stop_ends_a_run_and_the_next_run_goes_on)
{
    struct sim *sim = guest_world(0);
    struct diary diary = {0};

    sim_schedule(sim, 1000, diary_write, &diary, 's');
    sim_schedule(sim, 2000, diary_write, &diary, 'z');
    sim_run(sim, 4000);
    EXPECT(strcmp(diary.words, "s") == 0);
    EXPECT(sim_now(sim) == 1000);
    EXPECT(!sim_next(sim, 4000));
    sim_run(sim, 4000);

    EXPECT(strcmp(diary.words, "sz") == 0);
    sim_close(sim);
}
END_TEST

START_TEST(test_next_handles_one_event)
{
    struct sim *sim = guest_world(0);
    struct diary diary = {0};

    sim_schedule(sim, 1000, diary_write, &diary, 'a');
    sim_schedule(sim, 2000, diary_write, &diary, 'b');
    EXPECT(sim_next(sim, 10000));
    EXPECT(diary.len == 1 && sim_now(sim) == 1000);
    EXPECT(!sim_next(sim, 1500));
    EXPECT(sim_now(sim) == 1500);
    EXPECT(sim_next(sim, UINT64_MAX));
    EXPECT(!sim_next(sim, UINT64_MAX));

    EXPECT(sim_now(sim) == 2000);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_world_with_many_processes)
{
    struct sim *sim = guest_world(3);

    for (uint32_t i = 0; i < 300; i++) {
        char name[16];
        struct text text;

        text_init(&text, name, sizeof(name));
        text_str(&text, "host");
        text_u64(&text, i);
        EXPECT(guest_add(sim, name, ticker) == i);
        sim_start(sim, i);
    }
    sim_run(sim, 10000);

    EXPECT(sim_count(sim) == 300);
    EXPECT(sim_find(sim, span_text("host299")) == 299);
    EXPECT(sim_find(sim, span_text("host300")) == SIM_NONE);
    EXPECT(guest_at(sim, 299)->number[2] == 10);
    sim_close(sim);
}
END_TEST

Suite *suite_process(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, test_wake_ups_come_when_asked_for);
    tcase_add_test(tcase, test_a_deadline_that_moves_wakes_once);
    tcase_add_test(tcase, test_a_pause_ends_with_a_jump_of_the_clock);
    tcase_add_test(tcase, test_clocks_drift_and_jump);
    tcase_add_test(tcase, test_clocks_of_two_processes_start_apart);
    tcase_add_test(tcase, test_a_failed_assertion_is_a_finding_and_the_program_goes_on);
    tcase_add_test(tcase, test_using_up_memory_is_a_finding);
    tcase_add_test(tcase, test_who_never_lets_time_pass_is_a_finding);
    tcase_add_test(tcase, test_a_configuration_that_cannot_run_halts);
    tcase_add_test(tcase, test_an_assertion_while_making_is_a_finding);
    tcase_add_test(tcase, test_who_halts_gets_no_further_input_and_can_be_started_again);
    tcase_add_test(tcase, test_nothing_survives_in_memory);
    tcase_add_test(tcase, test_calls_run_in_the_order_of_time_and_then_of_scheduling);
    tcase_add_test(tcase, test_stop_ends_a_run_and_the_next_run_goes_on);
    tcase_add_test(tcase, test_next_handles_one_event);
    tcase_add_test(tcase, test_a_world_with_many_processes);
    return suite;
}
