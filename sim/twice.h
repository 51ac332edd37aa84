/* twice.h - run something twice with different memory, and find the first event that differs.
 *
 * The second run has its world at another base address and other bytes in fresh memory. A process
 * that reads what it never wrote, orders by pointers or looks beyond its input does something else
 * then. The first run leaves a mark an event in a journal, the second is held against it; when they
 * differ, both are played again with the trace on around that event. (docs/simulator.md,
 * "Determinism") */
#ifndef SIM_TWICE_H
#define SIM_TWICE_H

#include "sim/sim.h"

#define TWICE_TEXT_MAX 4096u

/* Play from the beginning to the end: open a world with `elsewhere`, `fill` and `journal` as in
 * `how` (whatever else the player likes, the same each time), run it, close it. Called up to four
 * times. False: it could not be played. */
typedef bool twice_play(void *context, const struct sim_options *how);

enum twice_result {
    TWICE_SAME,
    TWICE_DIFFERENT,
    TWICE_FAILED /* not played, or memory ran out */
};

struct twice_report {
    uint64_t events; /* of the first run */
    /* The rest only when different. */
    uint64_t event;              /* number of the first event that differs, from 1 */
    uint64_t at_us;              /* when the first run had it */
    char before[TWICE_TEXT_MAX]; /* trace lines that both have, the last ones before the difference
                                  */
    char first[TWICE_TEXT_MAX];  /* the line in which they part, and what follows in that event */
    char second[TWICE_TEXT_MAX];
};

/* Play twice (four times when there is a difference to show). */
enum twice_result twice_run(twice_play *play, void *context, struct twice_report *report);
/* The report in words, as `sim twice` prints it. */
void twice_print(const struct twice_report *report, struct text *text);

#endif
