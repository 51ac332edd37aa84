#include "cli/cli.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool cli_read(const char *path, struct cli_text *text)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    size_t room = 0;
    bool good;

    *text = (struct cli_text){0};
    if (file == NULL) {
        cli_error(path, strerror(errno));
        return false;
    }
    for (;;) {
        size_t count;

        if (text->len == room) {
            char *grown = realloc(text->at, room == 0 ? 8192 : room * 2);

            if (grown == NULL || room > (64u << 20)) {
                free(grown == NULL ? text->at : grown);
                cli_error(path, "too large");
                text->at = NULL;
                good = false;
                goto done;
            }
            text->at = grown;
            room = room == 0 ? 8192 : room * 2;
        }
        count = fread(text->at + text->len, 1, room - text->len, file);
        if (count == 0) {
            break;
        }
        text->len += count;
    }
    good = ferror(file) == 0;
    if (!good) {
        cli_error(path, strerror(errno));
        free(text->at);
        text->at = NULL;
    }
done:
    if (!standard) {
        fclose(file);
    }
    return good;
}

bool cli_write(const char *path, struct span bytes)
{
    FILE *file = fopen(path, "wb");
    bool good;

    if (file == NULL) {
        cli_error(path, strerror(errno));
        return false;
    }
    good = fwrite(bytes.at, 1, bytes.len, file) == bytes.len;
    good = fclose(file) == 0 && good;
    if (!good) {
        cli_error(path, strerror(errno));
    }
    return good;
}

static void print_problems(const struct scenario *scenario, bool warnings)
{
    struct mem_heap heap;
    struct bytes out;

    mem_heap_init(&heap, UINT64_MAX);
    bytes_init(&out, &heap.mem);
    for (uint32_t i = 0; i < scenario->problem_count; i++) {
        if (warnings || !scenario->problems[i].warning) {
            bytes_raw(&out, "terrarium: ", 11);
            scenario_print_problem(scenario, &scenario->problems[i], &out);
        }
    }
    if (out.len > 0) {
        fwrite(out.at, 1, out.len, stderr);
    }
    bytes_drop(&out);
}

struct scenario *cli_scenario(const char *path, bool warnings)
{
    struct scenario *scenario = NULL;
    struct cli_text text;
    uint32_t count;
    const struct guest *const *guests = cli_guests(&count);
    enum err err;

    if (count == 0) {
        cli_error(path, "this build knows no protocol");
        return NULL;
    }
    if (!cli_read(path, &text)) {
        return NULL;
    }
    err = scenario_parse(path, span_make(text.at, text.len), guests, count, &scenario);
    free(text.at);
    if (scenario == NULL) {
        cli_error(path, err_text(err));
        return NULL;
    }
    print_problems(scenario, warnings);
    if (err != ERR_OK) {
        scenario_drop(scenario);
        return NULL;
    }
    return scenario;
}

struct scenario **cli_scenarios(char **paths, uint32_t count)
{
    struct scenario **scenarios = calloc(count + 1, sizeof(struct scenario *));
    bool good = scenarios != NULL;

    for (uint32_t i = 0; scenarios != NULL && i < count; i++) {
        scenarios[i] = cli_scenario(paths[i], true);
        good = good && scenarios[i] != NULL;
    }
    if (!good) {
        cli_scenarios_drop(scenarios, count);
        return NULL;
    }
    return scenarios;
}

void cli_scenarios_drop(struct scenario **scenarios, uint32_t count)
{
    for (uint32_t i = 0; scenarios != NULL && i < count; i++) {
        scenario_drop(scenarios[i]);
    }
    free(scenarios);
}
