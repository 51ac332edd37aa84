#include "cli/cli.h"

#include <string.h>

/* The words behind `terrarium`. What later versions bring is known by name, so that a script that
 * uses it hears why nothing happens. */

static const struct cli_command *const commands[] = {
    &cli_sim_run, &cli_sim_twice, &cli_sim_explain, &cli_sim_format, &cli_server, &cli_version};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char *const later_sim[] = {"fuzz", "shrink", "check", NULL};
static const char *const later[] = {"cli", "bench", "log", "snapshot", NULL};

static void usage(FILE *out)
{
    fprintf(out, "usage: terrarium COMMAND ...\n\n");
    for (uint32_t i = 0; i < COMMAND_COUNT; i++) {
        const char *end = strchr(commands[i]->summary, '\n');
        size_t len =
            end == NULL ? strlen(commands[i]->summary) : (size_t)(end - commands[i]->summary);

        fprintf(out, "  %-36s %.*s\n", commands[i]->usage, (int)len, commands[i]->summary);
    }
    fprintf(out, "\nEvery command has --help.\nexample: terrarium sim run "
                 "scenarios/failover/leader_dies.scn\n");
}

static bool among(const char *word, const char *const *words)
{
    for (uint32_t i = 0; words[i] != NULL; i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int not_built(const char *group, const char *word)
{
    fprintf(stderr, "terrarium: %s%s: this build does not have it yet\n", group, word);
    return CLI_USAGE;
}

/* The second word of "sim run". */
static const char *sim_word(const struct cli_command *command)
{
    return strncmp(command->name, "sim ", 4) == 0 ? command->name + 4 : NULL;
}

static int sim_main(int argc, char **argv)
{
    const char *words[COMMAND_COUNT + 1];
    uint32_t count = 0;

    if (argc < 1 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        usage(argc < 1 ? stderr : stdout);
        return argc < 1 ? CLI_USAGE : CLI_OK;
    }
    for (uint32_t i = 0; i < COMMAND_COUNT; i++) {
        const char *word = sim_word(commands[i]);

        if (word == NULL) {
            continue;
        }
        if (strcmp(word, argv[0]) == 0) {
            return commands[i]->run(commands[i], argc - 1, argv + 1);
        }
        words[count++] = word;
    }
    words[count] = NULL;
    return among(argv[0], later_sim) ? not_built("sim ", argv[0])
                                     : cli_unknown("sim", argv[0], words);
}

int main(int argc, char **argv)
{
    static const char *const words[] = {"sim", "server", "version", NULL};

    if (argc < 2) {
        usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "sim") == 0) {
        return sim_main(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        return cli_version.run(&cli_version, argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "server") == 0) {
        return cli_server.run(&cli_server, argc - 2, argv + 2);
    }
    return among(argv[1], later) ? not_built("", argv[1]) : cli_unknown("command", argv[1], words);
}
