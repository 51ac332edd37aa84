#include "cli/cli.h"
#include "sim/words.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_worse(int a, int b)
{
    static const int order[] = {CLI_DEFECT, CLI_USAGE, CLI_NOT_DETERMINISTIC, CLI_VIOLATED,
                                CLI_NO_PROGRESS};

    for (uint32_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (a == order[i] || b == order[i]) {
            return order[i];
        }
    }
    return CLI_OK;
}

void cli_error(const char *what, const char *why)
{
    fprintf(stderr, "terrarium: %s: %s\n", what, why);
}

int cli_unknown(const char *what, const char *found, const char *const *words)
{
    struct scn_near near;

    scn_near_init(&near, span_text(found));
    for (uint32_t i = 0; words[i] != NULL; i++) {
        scn_near_try(&near, words[i]);
    }
    if (scn_near_found(&near)) {
        fprintf(stderr, "terrarium: %s: unknown: \"%s\"; nearest: \"%.*s\"\n", what, found,
                (int)near.best.len, (const char *)near.best.at);
    } else {
        fprintf(stderr, "terrarium: %s: unknown: \"%s\"; there are:", what, found);
        for (uint32_t i = 0; words[i] != NULL; i++) {
            fprintf(stderr, " %s", words[i]);
        }
        fprintf(stderr, "\n");
    }
    return CLI_USAGE;
}

void cli_help(const struct cli_command *command, FILE *out)
{
    fprintf(out, "usage: terrarium %s\n\n%s\n", command->usage, command->summary);
    if (command->option_count > 0) {
        fprintf(out, "\noptions:\n");
    }
    for (uint32_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        char left[64];

        snprintf(left, sizeof(left), "%s%.1s%s--%s%s%s", option->letter != 0 ? "-" : "",
                 option->letter != 0 ? &option->letter : "", option->letter != 0 ? ", " : "",
                 option->name, option->value != NULL ? " " : "",
                 option->value != NULL ? option->value : "");
        fprintf(out, "  %-34s %s\n", left, option->help);
    }
    fprintf(out, "\nexample: %s\n", command->example);
}

static int option_unknown(const struct cli_parse *parse, const char *word)
{
    const char *names[64];
    uint32_t count = 0;

    for (uint32_t i = 0; i < parse->command->option_count && count < 62; i++) {
        names[count++] = parse->command->options[i].name;
    }
    names[count++] = "help";
    names[count] = NULL;
    cli_unknown(parse->command->name, word, names);
    return CLI_BAD;
}

static int option_take(struct cli_parse *parse, int index, const char *attached, const char **value)
{
    const struct cli_option *option = &parse->command->options[index];

    *value = attached;
    if (option->value == NULL) {
        if (attached != NULL) {
            fprintf(stderr, "terrarium: %s: --%s takes no value\n", parse->command->name,
                    option->name);
            return CLI_BAD;
        }
        return index;
    }
    if (attached == NULL) {
        if (parse->at >= parse->argc) {
            fprintf(stderr, "terrarium: %s: --%s needs %s\n", parse->command->name, option->name,
                    option->value);
            return CLI_BAD;
        }
        *value = parse->argv[parse->at++];
    }
    return index;
}

static int option_long(struct cli_parse *parse, const char *word, const char **value)
{
    const char *equals = strchr(word, '=');
    size_t len = equals == NULL ? strlen(word) : (size_t)(equals - word);
    char name[64];

    if (len == 4 && strncmp(word, "help", 4) == 0) {
        cli_help(parse->command, stdout);
        return CLI_HELP;
    }
    for (uint32_t i = 0; i < parse->command->option_count; i++) {
        const char *known = parse->command->options[i].name;

        if (strlen(known) == len && strncmp(known, word, len) == 0) {
            return option_take(parse, (int)i, equals == NULL ? NULL : equals + 1, value);
        }
    }
    snprintf(name, sizeof(name), "%.*s", len > 60 ? 60 : (int)len, word);
    return option_unknown(parse, name);
}

int cli_next(struct cli_parse *parse, const char **value)
{
    const char *word;

    *value = NULL;
    if (parse->at >= parse->argc) {
        return CLI_END;
    }
    word = parse->argv[parse->at++];
    if (parse->only_words || word[0] != '-' || word[1] == 0) {
        *value = word;
        return CLI_WORD;
    }
    if (strcmp(word, "--") == 0) {
        parse->only_words = true;
        return cli_next(parse, value);
    }
    if (word[1] == '-') {
        return option_long(parse, word + 2, value);
    }
    if (strcmp(word, "-h") == 0) {
        cli_help(parse->command, stdout);
        return CLI_HELP;
    }
    for (uint32_t i = 0; i < parse->command->option_count; i++) {
        if (parse->command->options[i].letter == word[1] && word[2] == 0) {
            return option_take(parse, (int)i, NULL, value);
        }
    }
    return option_unknown(parse, word + 1);
}

bool cli_number(const char *option, const char *text, uint64_t *number)
{
    if (text_parse_u64(span_text(text), number) == ERR_OK) {
        return true;
    }
    fprintf(stderr, "terrarium: --%s: expected a number, found \"%s\"\n", option, text);
    return false;
}

bool cli_range(const char *option, const char *text, uint64_t *first, uint64_t *last)
{
    const char *dots = strstr(text, "..");

    if (dots == NULL) {
        if (!cli_number(option, text, first)) {
            return false;
        }
        *last = *first;
        return true;
    }
    if (text_parse_u64(span_make(text, (size_t)(dots - text)), first) == ERR_OK &&
        text_parse_u64(span_text(dots + 2), last) == ERR_OK && *first <= *last) {
        return true;
    }
    fprintf(stderr, "terrarium: --%s: expected a range such as 1..1000, found \"%s\"\n", option,
            text);
    return false;
}

const char *cli_colour(FILE *out, enum cli_colour colour)
{
    static const char *const codes[] = {"\033[0m",  "\033[31m", "\033[32m", "\033[33m",
                                        "\033[34m", "\033[90m", "\033[1m"};

    if (!isatty(fileno(out)) || getenv("NO_COLOR") != NULL) {
        return "";
    }
    return codes[colour];
}
