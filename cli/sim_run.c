#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

/* `sim run`: play scenario files, print a timeline, verdicts and a closing line a file. */

enum run_option {
    RUN_SEED,
    RUN_SEEDS,
    RUN_JOBS,
    RUN_TRACE,
    RUN_PLOT,
    RUN_JSON,
    RUN_QUIET
};
static const struct cli_option run_options[] = {
    [RUN_SEED] = {"seed", 0, "N", "draw delays and the faults of a fuzz line from this seed"},
    [RUN_SEEDS] = {"seeds", 0, "A..B",
                   "play every seed; stops at the first that fails, and shows it"},
    [RUN_JOBS] = {"jobs", 'j', "N", "share the seeds among N processes"},
    [RUN_TRACE] = {"trace", 0, "LEVEL", "none, roles (the usual timeline), messages or full"},
    [RUN_PLOT] = {"plot", 0, "OUT",
                  "draw a space-time diagram, OUT.svg or OUT.png (needs gnuplot)"},
    [RUN_JSON] = {"json", 0, NULL, "one object a run and a summary, instead of text"},
    [RUN_QUIET] = {"quiet", 'q', NULL, "only the closing lines"},
};

struct settings {
    char **files;
    uint32_t file_count;
    uint64_t seed, first, last, jobs;
    bool seeds_given;
    enum sim_trace trace;
    const char *plot;
    bool json, quiet;
    struct cli_json_sum sum;
    struct mem_heap heap;
};

static int level_parse(const char *word, enum sim_trace *trace)
{
    static const char *const levels[] = {"none", "roles", "messages", "full", NULL};

    for (int i = 0; levels[i] != NULL; i++) {
        if (strcmp(word, levels[i]) == 0) {
            *trace = (enum sim_trace)i;
            return CLI_OK;
        }
    }
    return cli_unknown("--trace", word, levels);
}

static int option_set(struct settings *settings, int option, const char *value)
{
    switch ((enum run_option)option) {
    case RUN_SEED:
        if (!cli_number("seed", value, &settings->seed)) {
            return CLI_USAGE;
        }
        if (settings->seed == 0) {
            cli_error("--seed", "expected a number above 0");
            return CLI_USAGE;
        }
        return CLI_OK;
    case RUN_SEEDS:
        settings->seeds_given = true;
        if (!cli_range("seeds", value, &settings->first, &settings->last)) {
            return CLI_USAGE;
        }
        if (settings->first == 0) {
            cli_error("--seeds", "expected numbers above 0");
            return CLI_USAGE;
        }
        return CLI_OK;
    case RUN_JOBS:
        if (!cli_number("jobs", value, &settings->jobs)) {
            return CLI_USAGE;
        }
        if (settings->jobs == 0 || settings->jobs > 256) {
            cli_error("--jobs", "expected 1 to 256");
            return CLI_USAGE;
        }
        return CLI_OK;
    case RUN_TRACE:
        return level_parse(value, &settings->trace);
    case RUN_PLOT:
        settings->plot = value;
        return CLI_OK;
    case RUN_JSON:
        settings->json = true;
        return CLI_OK;
    case RUN_QUIET:
        settings->quiet = true;
        return CLI_OK;
    }
    return CLI_USAGE;
}

static int usage(const struct cli_command *command, const char *why)
{
    cli_error(command->name, why);
    return CLI_USAGE;
}

/* CLI_OK to go on; CLI_HELP when help was printed. */
static int settings_parse(const struct cli_command *command, int argc, char **argv,
                          struct settings *settings)
{
    struct cli_parse parse = {.command = command, .argc = argc, .argv = argv};
    const char *value;

    settings->files = calloc((size_t)argc + 1, sizeof(char *));
    if (settings->files == NULL) {
        return usage(command, "out of memory");
    }
    for (;;) {
        int option = cli_next(&parse, &value);
        int result;

        if (option == CLI_END) {
            break;
        }
        if (option == CLI_HELP || option == CLI_BAD) {
            return option == CLI_HELP ? CLI_HELP : CLI_USAGE;
        }
        if (option == CLI_WORD) {
            settings->files[settings->file_count++] = argv[parse.at - 1];
            continue;
        }
        result = option_set(settings, option, value);
        if (result != CLI_OK) {
            return result;
        }
    }
    if (settings->file_count == 0) {
        return usage(command, "expected at least one FILE (see --help)");
    }
    if (settings->seed != 0 && settings->seeds_given) {
        return usage(command, "expected either --seed or --seeds");
    }
    if (settings->plot != NULL && (settings->file_count > 1 || settings->seeds_given)) {
        return usage(command, "--plot draws one run: expected one FILE and no --seeds");
    }
    return CLI_OK;
}

static uint32_t name_width(const struct scenario *scenario)
{
    size_t width = 3;

    for (uint32_t i = 0; i < scenario->name_count; i++) {
        if ((scenario->names[i].kind == SCN_NAME_SERVER ||
             scenario->names[i].kind == SCN_NAME_CLIENT) &&
            scenario->names[i].text.len > width) {
            width = scenario->names[i].text.len;
        }
    }
    return (uint32_t)width + 1;
}

static void trace_print(void *context, struct span line)
{
    const struct cli_timeline *timeline = context;

    fprintf(timeline->out, "%s%.*s%s\n", cli_colour(timeline->out, CLI_GREY), (int)line.len,
            (const char *)line.at, cli_colour(timeline->out, CLI_PLAIN));
}

/* One run, told in full. */
static int play_one(const struct settings *settings, struct run *run, uint64_t seed,
                    struct cli_json_sum *sum)
{
    const struct scenario *scenario = run_scenario(run);
    struct cli_timeline timeline = {
        .out = stdout,
        .name_width = name_width(scenario),
        .details = settings->trace >= SIM_TRACE_MESSAGES,
    };
    bool tell = !settings->json && !settings->quiet && settings->trace != SIM_TRACE_NONE;
    struct run_options options = {
        .seed = seed,
        .record = settings->plot != NULL,
        .trace = settings->json || settings->trace < SIM_TRACE_MESSAGES ? SIM_TRACE_NONE
                                                                        : settings->trace,
        .tell = tell ? cli_tell : NULL,
        .trace_line = trace_print,
        .context = &timeline,
    };
    struct run_report report;
    uint64_t start_us = cli_wall_us();
    uint64_t wall_us;
    int result;

    run_play(run, &options, &report);
    wall_us = cli_wall_us() - start_us;
    result = (int)report.result;
    if (settings->json) {
        cli_json_run(stdout, scenario->file, scenario, &report, wall_us);
        cli_json_add(sum, scenario->file, &report, wall_us);
    } else {
        if (!settings->quiet || report.result != RUN_GOOD) {
            cli_report_verdicts(stdout, scenario, &report);
        }
        cli_report_closing(stdout, scenario->file, &report, wall_us);
    }
    if (settings->plot != NULL && !cli_plot(settings->plot, run, &report)) {
        result = cli_worse(result, CLI_USAGE);
    }
    return result;
}

struct seeds_context {
    struct settings *settings;
    const struct scenario *scenario;
    uint64_t last_us;
};

static void seed_done(void *context, const struct run_report *report)
{
    struct seeds_context *seeds = context;
    uint64_t now_us = cli_wall_us();

    cli_json_run(stdout, seeds->scenario->file, seeds->scenario, report, now_us - seeds->last_us);
    cli_json_add(&seeds->settings->sum, seeds->scenario->file, report, now_us - seeds->last_us);
    seeds->last_us = now_us;
}

static int play_seeds(struct settings *settings, struct run *run, uint64_t first, uint64_t last)
{
    const struct scenario *scenario = run_scenario(run);
    const struct cli_seeds seeds = {.first = first,
                                    .last = last,
                                    .progress = !settings->json,
                                    .jobs = (uint32_t)settings->jobs,
                                    .name = scenario->file};
    struct seeds_context context = {
        .settings = settings, .scenario = scenario, .last_us = cli_wall_us()};
    struct cli_seeds_result result;

    cli_seeds_play(run, &seeds, settings->json ? seed_done : NULL, &context, &result);
    if (settings->json) {
        return cli_worse((int)result.worst, result.unseen > 0 ? CLI_VIOLATED : CLI_OK);
    }
    if (result.failed > 0) {
        if (!settings->quiet) {
            play_one(settings, run, result.first_failed, NULL);
        }
        printf("again: terrarium sim run %s --seed %llu\n", scenario->file,
               (unsigned long long)result.first_failed);
    }
    cli_report_seeds(stdout, scenario->file, &seeds, &result);
    return cli_worse((int)result.worst, result.unseen > 0 ? CLI_VIOLATED : CLI_OK);
}

static int play_file(struct settings *settings, const struct scenario *scenario)
{
    struct run *run = run_make(scenario);
    uint64_t first = settings->first;
    uint64_t last = settings->last;
    int result;

    if (run == NULL) {
        cli_error(scenario->file, "out of memory");
        return CLI_DEFECT;
    }
    if (settings->seeds_given ||
        (settings->seed == 0 && settings->plot == NULL && cli_seeds_of(scenario, &first, &last))) {
        result = play_seeds(settings, run, first, last);
    } else {
        result = play_one(settings, run, settings->seed, &settings->sum);
    }
    run_drop(run);
    return result;
}

static int run_files(struct settings *settings)
{
    struct scenario **scenarios = cli_scenarios(settings->files, settings->file_count);
    int result = CLI_OK;

    if (scenarios == NULL) {
        return CLI_USAGE;
    }
    mem_heap_init(&settings->heap, UINT64_MAX);
    bytes_init(&settings->sum.findings, &settings->heap.mem);
    for (uint32_t i = 0; i < settings->file_count; i++) {
        if (!settings->json && !settings->quiet && settings->file_count > 1) {
            printf("%s\n", scenarios[i]->file);
        }
        result = cli_worse(result, play_file(settings, scenarios[i]));
        fflush(stdout);
    }
    if (settings->json) {
        cli_json_summary(stdout, &settings->sum);
    }
    bytes_drop(&settings->sum.findings);
    cli_scenarios_drop(scenarios, settings->file_count);
    return result;
}

static int sim_run_main(const struct cli_command *command, int argc, char **argv)
{
    struct settings settings = {.trace = SIM_TRACE_ROLES};
    int result = settings_parse(command, argc, argv, &settings);

    if (result == CLI_OK) {
        result = run_files(&settings);
    }
    free(settings.files);
    return result == CLI_HELP ? CLI_OK : result;
}

const struct cli_command cli_sim_run = {
    .name = "sim run",
    .usage = "sim run FILE... [options]",
    .summary = "Plays scenario files and prints what happened, a verdict for each expectation, and "
               "one closing\n"
               "line a file: name, verdict, seed, simulated time, events, wall time, fingerprint. "
               "A file with a\n"
               "fuzz line plays the seeds of that line unless --seed or --seeds names others.\n"
               "Exit code: 0 all holds, 1 violated, 2 bad input, 3 no progress, 70 a defect.",
    .example = "terrarium sim run scenarios/failover/leader_dies.scn --plot failover.svg",
    .options = run_options,
    .option_count = sizeof(run_options) / sizeof(run_options[0]),
    .run = sim_run_main,
};
