#include "cli/built.h"
#include "cli/cli.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <xxhash.h>

/* `version`: what this program was built from. */

static int version_main(const struct cli_command *command, int argc, char **argv)
{
    struct cli_parse parse = {.command = command, .argc = argc, .argv = argv};
    const char *value;
    int option = cli_next(&parse, &value);

    if (option == CLI_HELP || option == CLI_BAD) {
        return option == CLI_HELP ? CLI_OK : CLI_USAGE;
    }
    if (option != CLI_END) {
        cli_error(command->name, "expected nothing behind it");
        return CLI_USAGE;
    }
    printf(
        "terrarium %s (commit %s)\ncompiler %s, %s\nlibraries xxHash %d.%d.%d, %s, libdeflate %s\n",
        BUILT_VERSION, BUILT_COMMIT, BUILT_COMPILER, BUILT_TYPE, (int)(XXH_versionNumber() / 10000),
        (int)(XXH_versionNumber() / 100 % 100), (int)(XXH_versionNumber() % 100),
        OpenSSL_version(OPENSSL_VERSION), BUILT_DEFLATE);
    return CLI_OK;
}

const struct cli_command cli_version = {
    .name = "version",
    .usage = "version",
    .summary = "Prints version, commit, compiler and libraries.",
    .example = "terrarium version",
    .run = version_main,
};
