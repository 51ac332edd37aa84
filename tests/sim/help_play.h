/* help_play.h - parse and play a scenario from a test, and keep what it told. */
#ifndef TESTS_SIM_HELP_PLAY_H
#define TESTS_SIM_HELP_PLAY_H

#include "sim/runner.h"

struct play {
    struct scenario *scenario;
    struct run *run;
    struct run_report report;
    char told[32768]; /* the timeline, one line each: "seconds name words\n" */
    size_t told_len;
};

/* Parse `text` with the pulse protocol; the test fails when it has errors. */
struct scenario *play_parse(const char *text);
/* Play with `seed` (0: none); ended by play_end. */
void play_begin(struct play *play, const char *text, uint64_t seed);
void play_end(struct play *play);
/* A whole file as text that the caller frees. */
char *play_read(const char *path);

#endif
