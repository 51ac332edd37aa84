#include "cli/cli.h"

#include "base/mem.h"

#include <stdlib.h>

/* `sim format`: the canonical form of scenario files. */

enum format_option {
    FORMAT_IN_PLACE,
    FORMAT_CHECK
};
static const struct cli_option format_options[] = {
    [FORMAT_IN_PLACE] = {"in-place", 'i', NULL, "rewrite the files that are not in canonical form"},
    [FORMAT_CHECK] = {"check", 0, NULL,
                      "print nothing but the names of such files; exit code 1 when there are any"},
};

static int format_file(const char *path, bool in_place, bool check)
{
    struct scenario *scenario = cli_scenario(path, false);
    struct mem_heap heap;
    struct bytes out;
    struct cli_text text;
    int result = CLI_OK;
    bool differs;

    if (scenario == NULL) {
        return CLI_USAGE;
    }
    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&out, &heap.mem);
    scenario_print(scenario, &out);
    scenario_drop(scenario);
    if (!in_place && !check) {
        fwrite(out.at, 1, out.len, stdout);
        bytes_drop(&out);
        return CLI_OK;
    }
    if (!cli_read(path, &text)) {
        bytes_drop(&out);
        return CLI_USAGE;
    }
    differs = !span_equal(bytes_span(&out), span_make(text.at, text.len));
    free(text.at);
    if (differs && check) {
        printf("%s\n", path);
        result = CLI_VIOLATED;
    }
    if (differs && in_place && !cli_write(path, bytes_span(&out))) {
        result = CLI_USAGE;
    }
    bytes_drop(&out);
    return result;
}

static int sim_format_main(const struct cli_command *command, int argc, char **argv)
{
    bool in_place = false;
    bool check = false;
    bool any = false;
    int result = CLI_OK;

    /* Options first, wherever they stand. */
    for (int pass = 0; pass < 2; pass++) {
        struct cli_parse parse = {.command = command, .argc = argc, .argv = argv};

        for (;;) {
            const char *value;
            int option = cli_next(&parse, &value);

            if (option == CLI_END) {
                break;
            }
            if (option == CLI_HELP || option == CLI_BAD) {
                return option == CLI_HELP ? CLI_OK : CLI_USAGE;
            }
            in_place = in_place || option == FORMAT_IN_PLACE;
            check = check || option == FORMAT_CHECK;
            if (option == CLI_WORD && pass == 1) {
                any = true;
                result = cli_worse(result, format_file(value, in_place, check));
            }
        }
    }
    if (!any) {
        cli_error(command->name, "expected a FILE (see --help)");
        return CLI_USAGE;
    }
    return result;
}

const struct cli_command cli_sim_format = {
    .name = "sim format",
    .usage = "sim format FILE... [-i | --check]",
    .summary = "Prints scenario files in their canonical form, comments included.",
    .example = "terrarium sim format -i scenarios/*/*.scn",
    .options = format_options,
    .option_count = sizeof(format_options) / sizeof(format_options[0]),
    .run = sim_format_main,
};
