#include "sim/help_guest.h"
#include "sim/twice.h"
#include "tests/expect.h"

#include <check.h>

/* What a player plays. */
struct play {
    guest_fn *fn;
    uint64_t seed;
    uint32_t worlds; /* opened so far */
};

static bool play_two(void *context, const struct sim_options *how)
{
    struct play *play = context;
    struct sim_options options = *how;
    struct sim *sim;

    options.seed = play->seed;
    options.process_bytes = 1u << 20;
    sim = sim_open(&options);
    if (sim == NULL) {
        return false;
    }
    play->worlds++;
    (void)guest_add(sim, "a", play->fn);
    (void)guest_add(sim, "b", play->fn);
    sim_start(sim, 0);
    sim_start(sim, 1);
    sim_run(sim, 2000000);
    sim_close(sim);
    return true;
}

/* Passes a number to and fro; at the 20th it does what `defect` says. */
static void post_number(struct guest_state *self, const struct input *in, struct fx *fx,
                        uint64_t defect)
{
    uint32_t other = in->kind == IN_POST ? in->post.from : 1;

    if (in->kind == IN_BOOT && in->mono_us < 2000000000) { /* process 0 begins */
        fx_post(fx, other, span_make(&self->number[0], 8));
    }
    if (in->kind == IN_POST) {
        uint64_t number;

        memcpy(&number, in->post.span.at, 8);
        number += 1 + (number == 20 ? defect : 0);
        fx_post(fx, other, span_make(&number, 8));
    }
}

static void sound(struct guest_state *self, const struct input *in, struct fx *fx)
{
    post_number(self, in, fx, 0);
}

/* Reads a byte that it never wrote. */
static void reads_unwritten(struct guest_state *self, const struct input *in, struct fx *fx)
{
    volatile uint8_t *fresh = mem_get(self->mem, 64);

    post_number(self, in, fx, fresh[13]);
    mem_put(self->mem, (void *)(uintptr_t)fresh, 64);
}

/* Decides by which of two blocks lies first. */
static void orders_by_pointer(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        self->number[1] = (uintptr_t)mem_get(self->mem, 100);
        self->number[2] = (uintptr_t)mem_get(self->mem, 100);
    }
    post_number(self, in, fx, self->number[1] < self->number[2]);
}

/* Decides by the hash of a pointer, as a map that is walked would. */
static void hashes_a_pointer(struct guest_state *self, const struct input *in, struct fx *fx)
{
    post_number(self, in, fx, ((uintptr_t)self * 0x9e3779b97f4a7c15u) >> 50);
}

START_TEST(test_a_sound_guest_is_the_same_twice)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct play play = {.fn = sound, .seed = seed};
        struct twice_report report;

        EXPECT(twice_run(play_two, &play, &report) == TWICE_SAME);
        EXPECT(report.events > 1000);
        EXPECT(play.worlds == 2);
    }
}
END_TEST

START_TEST(test_a_read_of_unwritten_memory_is_caught)
{
    struct play play = {.fn = reads_unwritten};
    struct twice_report report;

    EXPECT(twice_run(play_two, &play, &report) == TWICE_DIFFERENT);
    /* Two boots, then one event a number: 20 is received as the 23rd. */
    EXPECT(report.event == 23);
    EXPECT(report.at_us == 21 * 500);
    EXPECT(strstr(report.before, "\\x13\\x00") != NULL);
    EXPECT(strstr(report.first, "\\x15\\x00") != NULL);
    EXPECT(strstr(report.second, "\\xf0\\x00") != NULL);
    EXPECT(play.worlds == 4);
}
END_TEST

START_TEST(test_an_order_by_pointers_is_caught)
{
    struct play play = {.fn = orders_by_pointer};
    struct twice_report report;

    EXPECT(twice_run(play_two, &play, &report) == TWICE_DIFFERENT);
    EXPECT(report.event == 23);
    EXPECT(strcmp(report.first, report.second) != 0);
}
END_TEST

START_TEST(test_a_hash_of_pointers_is_caught)
{
    struct play play = {.fn = hashes_a_pointer};
    struct twice_report report;

    EXPECT(twice_run(play_two, &play, &report) == TWICE_DIFFERENT);
    EXPECT(report.event == 23);
}
END_TEST

START_TEST(test_the_report_reads_well)
{
    struct play play = {.fn = reads_unwritten};
    struct twice_report report;
    char room[8192];
    struct text text;

    EXPECT(twice_run(play_two, &play, &report) == TWICE_DIFFERENT);
    text_init(&text, room, sizeof(room));
    twice_print(&report, &text);
    EXPECT(strncmp(room, "event 23 of ", 12) == 0);
    EXPECT(strstr(room, "\n1 0.010500 ") != NULL);
    EXPECT(strstr(room, "\n2 0.010500 ") != NULL);
}
END_TEST

Suite *suite_twice(void)
{
    Suite *suite = suite_create("twice");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, test_a_sound_guest_is_the_same_twice);
    tcase_add_test(tcase, test_a_read_of_unwritten_memory_is_caught);
    tcase_add_test(tcase, test_an_order_by_pointers_is_caught);
    tcase_add_test(tcase, test_a_hash_of_pointers_is_caught);
    tcase_add_test(tcase, test_the_report_reads_well);
    return suite;
}
