#include "cli/cli.h"

#include "base/hash.h"
#include "sim/verbs.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t cli_wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool cli_seeds_of(const struct scenario *scenario, uint64_t *first, uint64_t *last)
{
    const struct scn_arg *seeds;

    if (scenario->fuzz == NULL) {
        return false;
    }
    seeds = &scenario->fuzz->args[SCN_FUZZ_SEEDS];
    if (!seeds->given || seeds->number < 1) {
        return false;
    }
    *first = (uint64_t)seeds->number;
    *last = (uint64_t)seeds->number_high;
    return true;
}

static void sum_counts(struct sim_counts *sum, const struct sim_counts *more)
{
    sum->events += more->events;
    sum->inputs += more->inputs;
    sum->messages += more->messages;
    sum->message_bytes += more->message_bytes;
    sum->syncs += more->syncs;
    sum->crashes += more->crashes;
}

/* `sometimes` lines, by their number in the file. */
#define SOMETIMES_MAX 64u
struct sometimes {
    uint32_t lines[SOMETIMES_MAX];
    bool seen[SOMETIMES_MAX];
    uint32_t count;
};

static void sometimes_note(struct sometimes *sometimes, const struct run_report *report)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < report->verdict_count && count < SOMETIMES_MAX; i++) {
        const struct run_verdict *verdict = &report->verdicts[i];

        if (verdict->mark == RUN_SEEN || verdict->mark == RUN_UNSEEN) {
            sometimes->lines[count] = verdict->line->number;
            sometimes->seen[count] = sometimes->seen[count] || verdict->mark == RUN_SEEN;
            count++;
        }
    }
    sometimes->count = count > sometimes->count ? count : sometimes->count;
}

static void show_progress(const struct cli_seeds *seeds, const struct cli_seeds_result *result,
                          uint64_t start_us)
{
    uint64_t wall_ms = (cli_wall_us() - start_us) / 1000 + 1;

    fprintf(stderr,
            "\r\033[K%s: seed %llu of %llu..%llu, %llu seeds/s, %llu events/s, %llu failed ",
            seeds->name, (unsigned long long)(seeds->first + result->played - 1),
            (unsigned long long)seeds->first, (unsigned long long)seeds->last,
            (unsigned long long)(result->played * 1000 / wall_ms),
            (unsigned long long)(result->counts.events * 1000 / wall_ms),
            (unsigned long long)result->failed);
    fflush(stderr);
}

void cli_seeds_play(struct run *run, const struct cli_seeds *seeds,
                    void (*each)(void *context, const struct run_report *report), void *context,
                    struct cli_seeds_result *result)
{
    struct sometimes sometimes = {.count = 0};
    uint64_t start_us = cli_wall_us();
    uint64_t shown_us = start_us;
    bool progress = seeds->progress && isatty(fileno(stderr)) != 0;

    *result = (struct cli_seeds_result){.worst = RUN_GOOD};
    for (uint64_t seed = seeds->first;; seed++) {
        struct run_options options = {.seed = seed,
                                      .stop_at_failure = true,
                                      .elsewhere = seeds->elsewhere,
                                      .fill = seeds->fill};
        struct run_report report;

        run_play(run, &options, &report);
        result->played++;
        result->sim_us += report.sim_us;
        result->fingerprint = hash_u64(report.fingerprint, result->fingerprint + 1);
        sum_counts(&result->counts, &report.counts);
        sometimes_note(&sometimes, &report);
        if (report.result != RUN_GOOD) {
            result->failed++;
            result->first_failed = result->failed == 1 ? seed : result->first_failed;
            result->worst = (enum run_result)cli_worse((int)result->worst, (int)report.result);
        }
        if (each != NULL) {
            each(context, &report);
        }
        if ((report.result != RUN_GOOD && !seeds->keep_going) || seed == seeds->last) {
            break;
        }
        if (progress && (seed & 15) == 0 && cli_wall_us() - shown_us > 200000) {
            shown_us = cli_wall_us();
            show_progress(seeds, result, start_us);
        }
    }
    if (progress && shown_us != start_us) {
        fprintf(stderr, "\r\033[K");
    }
    result->wall_us = cli_wall_us() - start_us;
    for (uint32_t i = sometimes.count; i-- > 0;) {
        if (!sometimes.seen[i]) {
            result->unseen++;
            result->unseen_line = sometimes.lines[i];
        }
    }
}
