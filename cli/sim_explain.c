#include "cli/cli.h"

#include "base/mem.h"

/* `sim explain`: what each line of a scenario will do, in words. */

static int explain_file(const char *path)
{
    struct scenario *scenario = cli_scenario(path, true);
    struct mem_heap heap;
    struct bytes out;

    if (scenario == NULL) {
        return CLI_USAGE;
    }
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&out, &heap.mem);
    scenario_explain(scenario, &out);
    printf("%s\n", path);
    fwrite(out.at, 1, out.len, stdout);
    bytes_drop(&out);
    scenario_drop(scenario);
    return CLI_OK;
}

static int sim_explain_main(const struct cli_command *command, int argc, char **argv)
{
    struct cli_parse parse = {.command = command, .argc = argc, .argv = argv};
    int result = CLI_OK;
    bool any = false;

    for (;;) {
        const char *value;
        int option = cli_next(&parse, &value);

        if (option == CLI_HELP || option == CLI_BAD) {
            return option == CLI_HELP ? CLI_OK : CLI_USAGE;
        }
        if (option != CLI_WORD) {
            break;
        }
        any = true;
        result = cli_worse(result, explain_file(value));
    }
    if (!any) {
        cli_error(command->name, "expected a FILE (see --help)");
        return CLI_USAGE;
    }
    return result;
}

const struct cli_command cli_sim_explain = {
    .name = "sim explain",
    .usage = "sim explain FILE...",
    .summary = "Says in words what each line of a scenario will do; runs nothing.",
    .example = "terrarium sim explain scenarios/failover/leader_dies.scn",
    .run = sim_explain_main,
};
