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

static void sometimes_note(struct cli_tally *tally, const struct run_report *report)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < report->verdict_count && count < CLI_SOMETIMES_MAX; i++) {
        const struct run_verdict *verdict = &report->verdicts[i];

        if (verdict->mark == RUN_SEEN || verdict->mark == RUN_UNSEEN) {
            tally->sometimes_lines[count] = verdict->line->number;
            tally->sometimes_seen[count] =
                tally->sometimes_seen[count] || verdict->mark == RUN_SEEN;
            count++;
        }
    }
    tally->sometimes_count = count > tally->sometimes_count ? count : tally->sometimes_count;
}

static void tally_fail(struct cli_tally *tally, uint64_t seed, enum run_result result)
{
    if (tally->failed == 0 || seed < tally->first_failed) {
        tally->first_failed = seed;
    }
    tally->failed++;
    tally->worst = (enum run_result)cli_worse((int)tally->worst, (int)result);
}

void cli_tally_add(struct cli_tally *tally, uint64_t seed, const struct run_report *report)
{
    tally->played++;
    tally->sim_us += report->sim_us;
    /* A sum: it does not depend on the order of seeds. */
    tally->fingerprint += hash_u64(report->fingerprint, seed);
    sum_counts(&tally->counts, &report->counts);
    sometimes_note(tally, report);
    if (report->result != RUN_GOOD) {
        tally_fail(tally, seed, report->result);
    }
}

void cli_tally_join(struct cli_tally *sum, const struct cli_tally *more)
{
    if (more->failed > 0) {
        tally_fail(sum, more->first_failed, more->worst);
        sum->failed += more->failed - 1;
    }
    sum->played += more->played;
    sum->sim_us += more->sim_us;
    sum->fingerprint += more->fingerprint;
    sum_counts(&sum->counts, &more->counts);
    for (uint32_t i = 0; i < more->sometimes_count; i++) {
        sum->sometimes_lines[i] = more->sometimes_lines[i];
        sum->sometimes_seen[i] = sum->sometimes_seen[i] || more->sometimes_seen[i];
    }
    sum->sometimes_count =
        more->sometimes_count > sum->sometimes_count ? more->sometimes_count : sum->sometimes_count;
}

void cli_tally_result(const struct cli_tally *tally, uint64_t wall_us,
                      struct cli_seeds_result *result)
{
    *result = (struct cli_seeds_result){
        .played = tally->played,
        .failed = tally->failed,
        .first_failed = tally->first_failed,
        .worst = tally->worst,
        .counts = tally->counts,
        .sim_us = tally->sim_us,
        .wall_us = wall_us,
        .fingerprint = tally->fingerprint,
    };
    for (uint32_t i = tally->sometimes_count; i-- > 0;) {
        if (!tally->sometimes_seen[i]) {
            result->unseen++;
            result->unseen_line = tally->sometimes_lines[i];
        }
    }
}

void cli_tally_show(const struct cli_seeds *seeds, const struct cli_tally *tally, uint64_t start_us)
{
    uint64_t wall_ms = (cli_wall_us() - start_us) / 1000 + 1;

    fprintf(stderr, "\r\033[K%s: %llu of %llu seeds, %llu seeds/s, %llu events/s, %llu failed ",
            seeds->name, (unsigned long long)tally->played,
            (unsigned long long)seeds->last - (unsigned long long)seeds->first + 1,
            (unsigned long long)tally->played * 1000 / wall_ms,
            (unsigned long long)tally->counts.events * 1000 / wall_ms,
            (unsigned long long)tally->failed);
    fflush(stderr);
}

static void play_alone(struct run *run, const struct cli_seeds *seeds,
                       void (*each)(void *context, const struct run_report *report), void *context,
                       struct cli_tally *tally)
{
    uint64_t start_us = cli_wall_us();
    uint64_t shown_us = start_us;

    for (uint64_t seed = seeds->first;; seed++) {
        const struct run_options options = {.seed = seed,
                                            .stop_at_failure = true,
                                            .elsewhere = seeds->elsewhere,
                                            .fill = seeds->fill};
        struct run_report report;

        run_play(run, &options, &report);
        cli_tally_add(tally, seed, &report);
        if (each != NULL) {
            each(context, &report);
        }
        if ((report.result != RUN_GOOD && !seeds->keep_going) || seed == seeds->last) {
            break;
        }
        if (seeds->progress && (seed & 15) == 0 && cli_wall_us() - shown_us > 200000) {
            shown_us = cli_wall_us();
            cli_tally_show(seeds, tally, start_us);
        }
    }
}

void cli_seeds_play(struct run *run, const struct cli_seeds *seeds,
                    void (*each)(void *context, const struct run_report *report), void *context,
                    struct cli_seeds_result *result)
{
    struct cli_seeds asked = *seeds;
    struct cli_tally tally = {.worst = RUN_GOOD};
    uint64_t start_us = cli_wall_us();

    asked.progress = seeds->progress && isatty(fileno(stderr)) != 0;
    if (seeds->jobs > 1 && each == NULL) {
        cli_jobs_play(run, &asked, &tally);
    } else {
        play_alone(run, &asked, each, context, &tally);
    }
    if (asked.progress) {
        fprintf(stderr, "\r\033[K");
    }
    cli_tally_result(&tally, cli_wall_us() - start_us, result);
}
