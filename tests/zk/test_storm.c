/* Seeds of a five-server ensemble under crashes, pauses and cuts: everybody applies the same
 * transaction at each zxid, what was acknowledged is in every tree once all is healed, and healing
 * converges. TERRARIUM_SEEDS=A..B runs others than the few that the test run takes. */
#include "zk/ensemble.h"

#include "protocol/notes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct ensemble_world world;

#define STORM_ZXIDS  65536u
#define STORM_WRITES 3000u
static struct {
    int64_t zxid;
    uint64_t hash, digest;
} applied[STORM_ZXIDS];
static const char *storm_error;
static char storm_text[200];

static enum sim_verdict storm_tap(void *context, struct sim *sim, const struct sim_event *event)
{
    const struct effect *effect = event->effect;
    uint64_t slot;

    (void)context;
    (void)sim;
    if (effect->id != NOTE_APPLY) {
        return SIM_GO;
    }
    slot = (effect->a * 0x9e3779b97f4a7c15u) % STORM_ZXIDS;
    while (applied[slot].zxid != 0 && applied[slot].zxid != (int64_t)effect->a) {
        slot = (slot + 1) % STORM_ZXIDS;
    }
    if (applied[slot].zxid == 0) {
        applied[slot].zxid = (int64_t)effect->a;
        applied[slot].hash = effect->b;
        applied[slot].digest = effect->c;
    } else if (applied[slot].hash != effect->b || applied[slot].digest != effect->c) {
        /* only a tail that nobody acknowledged may differ; it is applied outside of serving roles
         */
        struct server_view view;
        ensemble_view(&world, event->process, &view);
        if (view.serving) {
            snprintf(storm_text, sizeof storm_text, "s%u applies another txn at zxid %llx",
                     event->process + 1, (unsigned long long)effect->a);
            storm_error = storm_text;
        } else {
            applied[slot].hash = effect->b;
            applied[slot].digest = effect->c;
        }
    }
    return SIM_GO;
}

static void storm_fault(uint64_t seed, uint64_t step)
{
    uint64_t draw = sim_draw(world.sim, 900, seed, step);
    uint32_t victim = (uint32_t)((draw >> 8) % world.servers);
    uint32_t other = (uint32_t)((draw >> 16) % world.servers);
    struct sim_link link;

    if ((draw >> 24) % 6 == 0) { /* the power of the whole site */
        for (uint32_t i = 0; i < world.servers; i++) {
            sim_crash(world.sim, i, SIM_POWER);
        }
        for (uint32_t i = 0; i < world.servers; i++) {
            sim_start(world.sim, i);
        }
        return;
    }
    switch (draw % 8) {
    case 0:
        sim_crash(world.sim, victim, SIM_KILL);
        return;
    case 1:
        sim_crash(world.sim, victim, SIM_POWER);
        return;
    case 2:
    case 3:
        sim_start(world.sim, victim);
        return;
    case 4:
        sim_pause(world.sim, victim);
        return;
    case 5:
        for (uint32_t i = 0; i < world.servers; i++) {
            sim_resume(world.sim, i);
        }
        return;
    default:
        sim_get_link(world.sim, victim, other, &link);
        link.cut = draw % 8 == 6;
        sim_set_link(world.sim, victim, other, &link);
        sim_set_link(world.sim, other, victim, &link);
        return;
    }
}

static void storm_heal(void)
{
    struct sim_link link;

    sim_link_default(&link);
    link.delay_max_us = 2000;
    for (uint32_t i = 0; i < world.servers; i++) {
        for (uint32_t j = 0; j < world.servers; j++) {
            sim_set_link(world.sim, i, j, &link);
        }
        sim_resume(world.sim, i);
        sim_start(world.sim, i);
    }
}

/* Knobs of one seed: small limits bring DIFF from files, SNAP and TRUNC; links that chop and reset;
 * disks that keep, lose or tear what was not synced. Every third seed has none of it. */
static void storm_knobs(uint64_t seed)
{
    uint64_t draw = sim_draw(world.sim, 901, seed, 0);
    struct sim_link link;
    struct sim_disk disk;

    if (draw % 3 == 0) {
        return;
    }
    sim_link_default(&link);
    link.delay_min_us = 100;
    link.delay_max_us = 200 + (uint32_t)(draw >> 8) % 20000;
    link.chop_ppm = (draw >> 16) % 2 == 0 ? 100000 : 0;
    link.reset_ppm = (draw >> 17) % 2 == 0 ? 500 : 0;
    link.lose_ppm = (draw >> 18) % 2 == 0 ? 2000 : 0;
    sim_set_link(world.sim, SIM_ALL, SIM_ALL, &link);
    sim_disk_default(&disk);
    disk.keep_ppm = (uint32_t)(draw >> 20) % 1000000;
    disk.tear_ppm = (uint32_t)(draw >> 30) % 1000000;
    disk.sync_max_us = 1000 + (uint32_t)(draw >> 40) % 50000;
    for (uint32_t i = 0; i < world.servers; i++) {
        sim_set_disk(world.sim, i, &disk);
    }
}

static void storm_run(uint64_t seed)
{
    char config[200];
    uint64_t small = seed % 4;

    snprintf(config, sizeof config, "snapCount=%u\ncommitLogCount=%u\nsnapshotSizeFactor=%s\n",
             small == 0 ? 100000u : 4u + (unsigned)(seed % 40),
             small == 1 ? 500u : 1u + (unsigned)(seed % 23), seed % 5 == 0 ? "-1" : "0.33");
    char path[32];
    static uint64_t tags[STORM_WRITES];
    uint32_t count = 0;

    memset(applied, 0, sizeof applied);
    storm_error = NULL;
    ensemble_open(&world, 5, seed, config);
    storm_knobs(seed);
    sim_add_tap(world.sim, 1u << SIM_AT_NOTE, storm_tap, NULL);
    ensemble_run(&world, 2000);
    for (uint64_t step = 0; step < 300; step++) {
        for (uint64_t burst = sim_draw(world.sim, 902, seed, step) % 10; burst > 0; burst--) {
            snprintf(path, sizeof path, "/n%u", count);
            tags[count++] = ensemble_create(&world, path, "1");
        }
        ensemble_run(&world, sim_draw(world.sim, 903, seed, step) % 40);
        if (step % 5 == 0) {
            storm_fault(seed, step);
        }
        ensemble_run(&world, 180);
        ck_assert_msg(storm_error == NULL, "seed %llu: %s", (unsigned long long)seed, storm_error);
    }
    storm_heal();
    ensemble_run(&world,
                 30000); /* whoever follows a leader that is gone must notice first: syncLimit */
    for (int i = 0; i < 200 && !ensemble_converged(&world); i++) {
        ensemble_run(&world, 1000);
    }
    ensemble_run(&world, 5000);
    ck_assert_msg(storm_error == NULL, "seed %llu: %s", (unsigned long long)seed, storm_error);
    struct sim_finding finding;
    if (sim_get_finding(world.sim, &finding)) {
        ck_abort_msg("seed %llu: %s", (unsigned long long)seed, finding.why);
    }
    ck_assert_msg(ensemble_converged(&world), "seed %llu does not converge",
                  (unsigned long long)seed);
    for (uint32_t i = 0; i < world.servers; i++) {
        ck_assert_msg(sim_is_up(world.sim, i), "seed %llu: s%u halted", (unsigned long long)seed,
                      i + 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct server_view view;
        ensemble_view(&world, 0, &view);
        snprintf(path, sizeof path, "/n%u", i);
        if (world.answered[tags[i]] && world.code[tags[i]] == 0) {
            ck_assert_msg(tree_find(view.tree, span_text(path)) != NULL,
                          "seed %llu: acknowledged %s is lost", (unsigned long long)seed, path);
        }
    }
    if (getenv("STORM_PRINT") != NULL) {
        struct sim_counts counts;
        uint32_t ok = 0;
        for (uint32_t i = 0; i < count; i++) {
            ok += world.answered[tags[i]] && world.code[tags[i]] == 0;
        }
        sim_get_counts(world.sim, &counts);
        printf("seed %llu: %u of %u acknowledged, %llu events, %llu crashes, %.1f s\n",
               (unsigned long long)seed, ok, count, (unsigned long long)counts.events,
               (unsigned long long)counts.crashes, (double)sim_now(world.sim) / 1e6);
    }
    ensemble_close(&world);
}

START_TEST(test_storms)
{
    unsigned long long from = 1;
    unsigned long long to = 20;
    const char *seeds = getenv("TERRARIUM_SEEDS");

    if (seeds != NULL) {
        ck_assert_int_eq(sscanf(seeds, "%llu..%llu", &from, &to), 2);
    }
    for (unsigned long long seed = from; seed <= to; seed++) {
        storm_run(seed);
    }
}
END_TEST

Suite *suite_storm(void)
{
    Suite *suite = suite_create("storm");
    TCase *tcase = tcase_create("storm");

    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, test_storms);
    suite_add_tcase(suite, tcase);
    return suite;
}
