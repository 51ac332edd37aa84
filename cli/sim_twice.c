#include "cli/cli.h"

#include "sim/twice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `sim twice`: the same world with other memory contents, at other addresses, must do the same. */

#define TWICE_SEEDS_MAX 100u /* of a fuzz line, unless the command line asks for more */

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

struct twice_sum {
    uint64_t seeds, events;
};

/* One seed of one scenario, as twice_run plays it. */
struct twice_game {
    struct run *run;
    uint64_t seed;
    enum run_result results[2]; /* at home, elsewhere */
    char defect[200];
};

static bool play_once(void *context, const struct sim_options *how)
{
    struct twice_game *game = context;
    const struct run_options options = {
        .seed = game->seed,
        .elsewhere = how->elsewhere,
        .fill = how->fill,
        .journal = how->journal,
    };
    struct run_report report;

    run_play(game->run, &options, &report);
    game->results[how->elsewhere] = report.result;
    memcpy(game->defect, report.defect, sizeof(game->defect));
    return report.result != RUN_DEFECT || report.defect[0] == 0;
}

static int play_pair(struct run *run, uint64_t seed, struct twice_sum *sum)
{
    struct twice_game game = {.run = run, .seed = seed};
    struct twice_report report;
    enum twice_result result = twice_run(play_once, &game, &report);
    char room[4 * TWICE_TEXT_MAX];
    struct text text;

    sum->seeds++;
    sum->events += 2 * report.events;
    if (result == TWICE_FAILED) {
        cli_error(run_scenario(run)->file, game.defect[0] != 0 ? game.defect : "out of memory");
        return CLI_DEFECT;
    }
    if (result == TWICE_SAME && game.results[0] == game.results[1]) {
        return CLI_OK;
    }
    printf("%s NOT DETERMINISTIC seed %llu: ", run_scenario(run)->file, (unsigned long long)seed);
    if (result == TWICE_SAME) {
        printf("equal events, but not the same verdicts\n");
        return CLI_NOT_DETERMINISTIC;
    }
    text_init(&text, room, sizeof(room));
    twice_print(&report, &text);
    fputs(room, stdout);
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
    if (first == 0 && cli_seeds_of(scenario, &first, &last) && last - first >= TWICE_SEEDS_MAX) {
        last = first + TWICE_SEEDS_MAX - 1;
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
               "first event that differs. A file with a fuzz line is played with its seeds, at "
               "most 100, unless --seeds\n"
               "names others. Exit code: 0 the same, 2 bad input, 4 not deterministic.",
    .example = "terrarium sim twice scenarios/failover/leader_dies.scn --seeds 1..1000",
    .options = twice_options,
    .option_count = sizeof(twice_options) / sizeof(twice_options[0]),
    .run = sim_twice_main,
};
