#include "sim/help_play.h"

#include "sim/help_pulse.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scenario *play_parse(const char *text)
{
    static const struct guest *const guests[] = {&pulse_guest};
    struct scenario *scenario;
    enum err err = scenario_parse("test.scn", span_text(text), guests, 1, &scenario);

    ck_assert_msg(err == ERR_OK, "%u:%u: %s in:\n%s", scenario->problems[0].line,
                  scenario->problems[0].column, scenario->problems[0].text, text);
    return scenario;
}

static void tell(void *context, const struct run_line *line)
{
    struct play *play = context;
    size_t room = sizeof(play->told) - play->told_len;
    int len = snprintf(play->told + play->told_len, room, "%llu.%06llu %s %.*s\n",
                       (unsigned long long)(line->at_us / 1000000),
                       (unsigned long long)(line->at_us % 1000000), line->name,
                       (int)line->words.len, (const char *)line->words.at);

    if (len > 0 && (size_t)len < room) {
        play->told_len += (size_t)len;
    }
}

void play_begin(struct play *play, const char *text, uint64_t seed)
{
    const struct run_options options = {
        .seed = seed, .record = true, .tell = tell, .context = play};

    memset(play, 0, sizeof(*play));
    play->scenario = play_parse(text);
    play->run = run_make(play->scenario);
    ck_assert_ptr_nonnull(play->run);
    run_play(play->run, &options, &play->report);
    ck_assert_msg(play->report.defect[0] == 0, "%s", play->report.defect);
}

void play_end(struct play *play)
{
    run_drop(play->run);
    scenario_drop(play->scenario);
}

char *play_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 65536);
    size_t len;

    ck_assert_msg(file != NULL && text != NULL, "%s", path);
    len = fread(text, 1, 65535, file);
    text[len] = 0;
    fclose(file);
    return text;
}
