#include "base/hash.h"
#include "sim/help_guest.h"
#include "tests/expect.h"

#include <check.h>

/* Process 1 gets the numbers 0..99 from process 0, one a millisecond; it keeps their order. */
static void sender(struct guest_state *self, const struct input *in, struct fx *fx)
{
    if (in->kind == IN_BOOT) {
        self->number[1] = in->mono_us;
    }
    while (self->number[0] < 100 && in->mono_us >= self->number[1]) {
        fx_post(fx, 1, span_make(&self->number[0], 8));
        self->number[0]++;
        self->number[1] += 1000;
    }
    fx_wake(fx, self->number[0] < 100 ? self->number[1] : WAKE_NEVER);
}

static void receiver(struct guest_state *self, const struct input *in, struct fx *fx)
{
    (void)fx;
    if (in->kind == IN_POST) {
        uint64_t number;

        memcpy(&number, in->post.span.at, 8);
        bytes_u8(&self->seen, (uint8_t)number);
    }
}

/* Runs the flood over the link; the numbers as they came. */
static struct sim *flood(uint64_t seed, const struct sim_link *link)
{
    struct sim *sim = guest_world(seed);

    (void)guest_add(sim, "a", sender);
    (void)guest_add(sim, "b", receiver);
    sim_set_link(sim, SIM_ALL, SIM_ALL, link);
    sim_start(sim, 1);
    sim_start(sim, 0);
    sim_run(sim, 1000000);
    return sim;
}

static uint32_t count_disorder(const struct bytes *seen)
{
    uint32_t count = 0;

    for (size_t i = 1; i < seen->len; i++) {
        count += seen->at[i] < seen->at[i - 1] ? 1 : 0;
    }
    return count;
}

START_TEST(test_without_faults_all_come_in_order)
{
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct sim_link link;
        struct sim *sim;

        sim_link_default(&link);
        link.delay_max_us = 20000;
        sim = flood(seed, &link);
        EXPECT(guest_at(sim, 1)->posts == 100);
        EXPECT(count_disorder(&guest_at(sim, 1)->seen) == 0);
        sim_close(sim);
    }
}
END_TEST

START_TEST(test_datagrams_are_lost)
{
    struct sim_link link;
    struct sim *sim;

    sim_link_default(&link);
    link.lose_ppm = 300000;
    sim = flood(1, &link);
    EXPECT(guest_at(sim, 1)->posts > 50 && guest_at(sim, 1)->posts < 90);
    EXPECT(count_disorder(&guest_at(sim, 1)->seen) == 0);
    sim_close(sim);
    sim = flood(0, &link); /* without a seed nothing is drawn */
    EXPECT(guest_at(sim, 1)->posts == 100);
    sim_close(sim);
    link.lose_ppm = 1000000;
    sim = flood(0, &link); /* but what is certain happens */
    EXPECT(guest_at(sim, 1)->posts == 0);
    sim_close(sim);
}
END_TEST

START_TEST(test_datagrams_are_doubled)
{
    struct sim_link link;
    struct sim *sim;

    sim_link_default(&link);
    link.double_ppm = 300000;
    sim = flood(1, &link);
    EXPECT(guest_at(sim, 1)->posts > 110 && guest_at(sim, 1)->posts < 150);
    sim_close(sim);
}
END_TEST

START_TEST(test_datagrams_are_overtaken)
{
    struct sim_link link;
    struct sim *sim;

    sim_link_default(&link);
    link.delay_max_us = 2000;
    link.reorder_ppm = 300000;
    sim = flood(1, &link);
    EXPECT(guest_at(sim, 1)->posts == 100);
    EXPECT(count_disorder(&guest_at(sim, 1)->seen) > 5);
    sim_close(sim);
}
END_TEST

START_TEST(test_a_cut_link_loses_datagrams)
{
    struct sim_link link;
    struct sim *sim;

    sim_link_default(&link);
    link.cut = true;
    sim = flood(1, &link);
    EXPECT(guest_at(sim, 1)->posts == 0);
    link.cut = false;
    sim_set_link(sim, SIM_ALL, SIM_ALL, &link);
    sim_run(sim, 2000000);
    EXPECT(guest_at(sim, 1)->posts == 0); /* what was lost does not come back */
    sim_close(sim);
}
END_TEST

START_TEST(test_draws_are_keyed_by_seed)
{
    struct sim_link link;
    uint64_t posts[8];
    bool differs = false;

    sim_link_default(&link);
    link.lose_ppm = 500000;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct sim *sim = flood(seed, &link);

        posts[seed - 1] = hash_bytes(bytes_span(&guest_at(sim, 1)->seen), 0);
        differs = differs || posts[seed - 1] != posts[0];
        sim_close(sim);
        sim = flood(seed, &link);
        EXPECT(posts[seed - 1] == hash_bytes(bytes_span(&guest_at(sim, 1)->seen), 0));
        sim_close(sim);
    }
    EXPECT(differs);
}
END_TEST

/* ---- draws are keyed by content: what else is sent does not matter ---- */
static size_t byte_cut(void *state, bool from_dialer, struct span input, struct sim_record *record)
{
    (void)state;
    (void)from_dialer;
    record->name = "NUMBER";
    record->key = input.at[0];
    record->field_count = 0;
    record->essential = true;
    return input.len;
}

static const struct sim_codec byte_codec = {.name = "bytes", .cut = byte_cut};

struct censor {
    uint8_t drops; /* the number that never leaves */
};

static enum sim_verdict censor_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    const struct censor *censor = context;

    (void)sim;
    return event->bytes.at[0] == censor->drops ? SIM_DROP : SIM_GO;
}

START_TEST(test_taking_one_message_away_leaves_the_draws_of_others)
{
    uint8_t kept[2][128] = {0};

    for (uint32_t run = 0; run < 2; run++) {
        struct sim *sim = guest_world(9);
        struct sim_link link;
        struct censor censor = {.drops = run == 0 ? 255 : 0};

        (void)guest_add(sim, "a", sender);
        (void)guest_add(sim, "b", receiver);
        sim_set_codec(sim, 0, &byte_codec);
        sim_link_default(&link);
        link.lose_ppm = 500000;
        sim_set_link(sim, SIM_ALL, SIM_ALL, &link);
        sim_add_tap(sim, 1u << SIM_AT_SEND, censor_tap, &censor);
        sim_start(sim, 1);
        sim_start(sim, 0);
        sim_run(sim, 1000000);
        for (size_t i = 0; i < guest_at(sim, 1)->seen.len; i++) {
            kept[run][guest_at(sim, 1)->seen.at[i]] = 1;
        }
        sim_close(sim);
    }
    EXPECT(memcmp(kept[0] + 1, kept[1] + 1, 99) == 0);
}
END_TEST

Suite *suite_datagram(void)
{
    Suite *suite = suite_create("datagram");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, test_without_faults_all_come_in_order);
    tcase_add_test(tcase, test_datagrams_are_lost);
    tcase_add_test(tcase, test_datagrams_are_doubled);
    tcase_add_test(tcase, test_datagrams_are_overtaken);
    tcase_add_test(tcase, test_a_cut_link_loses_datagrams);
    tcase_add_test(tcase, test_draws_are_keyed_by_seed);
    tcase_add_test(tcase, test_taking_one_message_away_leaves_the_draws_of_others);
    return suite;
}
