#include "cli/cli.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

/* `sim twice`: the same world with other memory contents, at other addresses, must do the same. */

enum twice_option {
    TWICE_SEED,
    TWICE_SEEDS,
    TWICE_JSON
};
static const struct cli_option twice_options[] = {
    [TWICE_SEED] = {"seed", 0, "N", "one seed"},
    [TWICE_SEEDS] = {"seeds", 0, "A..B", "every one of these seeds"},
    [TWICE_JSON] = {"json", 0, NULL, "a summary object instead of text"},
};

/* ---- the first event that differs ---- */

struct lines {
    uint64_t *hashes; /* of the first run */
    uint64_t count, room;
    uint64_t at;      /* of the second run */
    uint64_t differs; /* index of the first line that differs, UINT64_MAX for none */
    char text[2][1024];
    uint32_t side;
    bool failed;
};

static void keep_text(struct lines *lines, struct span line)
{
    size_t len = line.len < sizeof(lines->text[0]) - 1 ? line.len : sizeof(lines->text[0]) - 1;

    memcpy(lines->text[lines->side], line.at, len);
    lines->text[lines->side][len] = 0;
}

static void line_first(void *context, struct span line)
{
    struct lines *lines = context;

    if (lines->count == lines->room) {
        uint64_t room = lines->room == 0 ? 4096 : lines->room * 2;
        uint64_t *grown = realloc(lines->hashes, room * sizeof(*grown));

        if (grown == NULL) {
            lines->failed = true;
            return;
        }
        lines->hashes = grown;
        lines->room = room;
    }
    lines->hashes[lines->count++] = hash_bytes(line, 0);
}

static void line_second(void *context, struct span line)
{
    struct lines *lines = context;

    if (lines->differs == UINT64_MAX &&
        (lines->at >= lines->count || lines->hashes[lines->at] != hash_bytes(line, 0))) {
        lines->differs = lines->at;
        keep_text(lines, line);
    }
    lines->at++;
}

static void line_third(void *context, struct span line)
{
    struct lines *lines = context;

    if (lines->at++ == lines->differs) {
        keep_text(lines, line);
    }
}

static void traced(struct run *run, uint64_t seed, uint32_t side, struct lines *lines,
                   void (*each)(void *context, struct span line))
{
    const struct run_options options = {
        .seed = seed,
        .elsewhere = side == 1,
        .fill = side == 1 ? 0xa5 : 0,
        .trace = SIM_TRACE_FULL,
        .trace_line = each,
        .context = lines,
    };
    struct run_report report;

    lines->at = 0;
    lines->side = side;
    run_play(run, &options, &report);
}

static void show_difference(struct run *run, uint64_t seed)
{
    struct lines lines = {.differs = UINT64_MAX};

    traced(run, seed, 0, &lines, line_first);
    traced(run, seed, 1, &lines, line_second);
    if (lines.differs == UINT64_MAX && lines.at < lines.count) {
        lines.differs = lines.at;
        memcpy(lines.text[1], "(the run is over)", 18);
    }
    if (lines.failed || lines.differs == UINT64_MAX) {
        printf("  the fingerprints differ, but no line of the full trace does\n");
    } else {
        traced(run, seed, 0, &lines, line_third);
        printf("  first difference at trace line %llu\n  once:  %s\n  twice: %s\n",
               (unsigned long long)lines.differs + 1,
               lines.text[0][0] == 0 ? "(the run is over)" : lines.text[0], lines.text[1]);
    }
    free(lines.hashes);
}

/* ---- seeds ---- */

struct twice_sum {
    uint64_t seeds, events;
};

static bool same(const struct run_report *once, const struct run_report *twice)
{
    return once->fingerprint == twice->fingerprint && once->result == twice->result &&
           once->counts.events == twice->counts.events && once->sim_us == twice->sim_us;
}

static int play_pair(struct run *run, uint64_t seed, struct twice_sum *sum)
{
    struct run_options options = {.seed = seed};
    struct run_report once;
    struct run_report twice;

    run_play(run, &options, &once);
    options.elsewhere = true;
    options.fill = 0xa5;
    run_play(run, &options, &twice);
    sum->seeds++;
    sum->events += once.counts.events + twice.counts.events;
    if (once.result == RUN_DEFECT && once.defect[0] != 0) {
        cli_error(run_scenario(run)->file, once.defect);
        return CLI_DEFECT;
    }
    if (same(&once, &twice)) {
        return CLI_OK;
    }
    printf("%s NOT DETERMINISTIC seed %llu: %016llx, then %016llx\n", run_scenario(run)->file,
           (unsigned long long)seed, (unsigned long long)once.fingerprint,
           (unsigned long long)twice.fingerprint);
    show_difference(run, seed);
    return CLI_NOT_DETERMINISTIC;
}

static int twice_file(const struct scenario *scenario, uint64_t first, uint64_t last, bool json)
{
    struct run *run = run_make(scenario);
    struct twice_sum sum = {0};
    uint64_t start_us = cli_wall_us();
    uint64_t wall_us;
    int result = CLI_OK;

    if (run == NULL) {
        cli_error(scenario->file, "out of memory");
        return CLI_DEFECT;
    }
    for (uint64_t seed = first; result == CLI_OK; seed++) {
        result = play_pair(run, seed, &sum);
        if (seed == last) {
            break;
        }
    }
    run_drop(run);
    wall_us = cli_wall_us() - start_us;
    if (json) {
        printf("{\"file\":\"%s\",\"deterministic\":%s,\"seeds\":%llu,\"events\":%llu,\"wall_"
               "seconds\":%llu.%06llu}\n",
               scenario->file, result == CLI_OK ? "true" : "false", (unsigned long long)sum.seeds,
               (unsigned long long)sum.events, (unsigned long long)(wall_us / 1000000),
               (unsigned long long)(wall_us % 1000000));
    } else if (result == CLI_OK) {
        printf("%s same twice, %llu %s, %llu events, %llu.%03llu ms\n", scenario->file,
               (unsigned long long)sum.seeds, sum.seeds == 1 ? "world" : "worlds",
               (unsigned long long)sum.events, (unsigned long long)(wall_us / 1000),
               (unsigned long long)(wall_us % 1000));
    }
    fflush(stdout);
    return result;
}

static int sim_twice_main(const struct cli_command *command, int argc, char **argv)
{
    struct cli_parse parse = {.command = command, .argc = argc, .argv = argv};
    struct scenario **scenarios;
    char **files = calloc((size_t)argc + 1, sizeof(char *));
    uint32_t count = 0;
    uint64_t first = 0;
    uint64_t last = 0;
    bool json = false;
    int result = CLI_OK;

    for (;;) {
        const char *value;
        int option = cli_next(&parse, &value);

        if (option == CLI_END) {
            break;
        }
        if (files == NULL || option == CLI_HELP || option == CLI_BAD ||
            (option == TWICE_SEED && !cli_number("seed", value, &first)) ||
            (option == TWICE_SEEDS && !cli_range("seeds", value, &first, &last))) {
            free(files);
            return option == CLI_HELP ? CLI_OK : CLI_USAGE;
        }
        last = option == TWICE_SEED ? first : last;
        json = json || option == TWICE_JSON;
        if (option == CLI_WORD) {
            files[count++] = argv[parse.at - 1];
        }
    }
    if (count == 0) {
        cli_error(command->name, "expected at least one FILE (see --help)");
        free(files);
        return CLI_USAGE;
    }
    scenarios = cli_scenarios(files, count);
    result = scenarios == NULL ? CLI_USAGE : CLI_OK;
    for (uint32_t i = 0; scenarios != NULL && i < count; i++) {
        result = cli_worse(result, twice_file(scenarios[i], first, last, json));
    }
    cli_scenarios_drop(scenarios, count);
    free(files);
    return result;
}

const struct cli_command cli_sim_twice = {
    .name = "sim twice",
    .usage = "sim twice FILE... [--seeds A..B]",
    .summary = "Plays each file twice, with different memory contents and at different addresses, "
               "and fails at the\n"
               "first event that differs. Exit code: 0 the same, 2 bad input, 4 not deterministic.",
    .example = "terrarium sim twice scenarios/failover/leader_dies.scn --seeds 1..1000",
    .options = twice_options,
    .option_count = sizeof(twice_options) / sizeof(twice_options[0]),
    .run = sim_twice_main,
};
