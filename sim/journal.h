/* journal.h - how a world leaves its marks in the journal of twice.c; not public. */
#ifndef SIM_JOURNAL_H
#define SIM_JOURNAL_H

#include "sim/sim.h"

/* A world was opened for this journal. */
void sim_journal_open(struct sim_journal *journal, struct sim *sim);
/* An event of it has been handled. */
void sim_journal_event(struct sim_journal *journal, struct sim *sim);
/* Full trace to `line`; NULL: as the options of the world say. */
void sim_journal_trace(struct sim *sim, void (*line)(void *context, struct span line),
                       void *context);

#endif
