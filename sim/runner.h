/* runner.h - plays a scenario on a world, and judges it.
 *
 * Lines follow one another: each waits for the line above it, except `at TIME`, which begins at
 * that time whatever came before. So a file is one or more chains of lines. Roles are resolved when
 * a line fires, expectations are asked after every event that can change them. The result is a
 * function of scenario and seed; a run holds all it needs, so that a loop over seeds parses once
 * and allocates nothing new. */
#ifndef SIM_RUNNER_H
#define SIM_RUNNER_H

#include "sim/guest.h"
#include "sim/scenario.h"

#define RUN_LIMIT_US  120000000ull /* length of a file without `run` whose lines never end */
#define RUN_NOOPS_MAX 64u

/* A line of the timeline, as it happens. */
struct run_line {
    uint64_t at_us;
    enum guest_level level;
    uint32_t process;  /* SIM_NONE: the world */
    const char *name;  /* of the process, or "" */
    struct span words; /* lent */
};

struct run_options {
    uint64_t seed;               /* 0: without one, nothing is drawn */
    bool stop_at_failure;        /* end a run at its first failed expectation (loops over seeds) */
    bool record;                 /* keep what the plot needs */
    bool elsewhere;              /* the world at another base address */
    uint8_t fill;                /* what fresh memory contains */
    struct sim_journal *journal; /* of twice_run; else NULL */
    enum sim_trace trace;
    void (*tell)(void *context, const struct run_line *line); /* NULL: nobody reads */
    void (*trace_line)(void *context, struct span line);
    void *context;
};

enum run_result {
    RUN_GOOD = 0,
    RUN_VIOLATED = 1,    /* a check or an expectation */
    RUN_NO_PROGRESS = 3, /* a line waited until the end for what never came */
    RUN_DEFECT = 70,     /* an assertion failed inside a process, or the world could not be built */
};

enum run_mark {
    RUN_UNREACHED, /* its turn never came */
    RUN_OPEN,      /* armed */
    RUN_HELD,
    RUN_FAILED,
    RUN_SKIPPED, /* the line does nothing */
    RUN_SEEN,    /* `sometimes`: came true in this run */
    RUN_UNSEEN,
};
struct run_verdict {
    const struct scn_line *line;
    enum run_mark mark;
    uint64_t at_us; /* when it was decided */
    char why[200];
};
struct run_noop {
    uint32_t line;
    uint64_t at_us;
    char why[120];
};

/* What the plot draws. Times in microseconds; process numbers as in the world. */
struct run_bar {
    uint32_t process;
    uint32_t state; /* of guest->states, SCN_STATE_DOWN or SCN_STATE_PAUSED */
    uint64_t from_us, to_us;
};
struct run_arrow {
    uint32_t from, to;
    uint64_t sent_us, due_us; /* UINT64_MAX: held or lost */
    const char *name;
};
struct run_tick {
    uint32_t process;
    uint64_t at_us;
    enum guest_level level;
    char words[48];
};
struct run_cut {
    uint32_t from, to;
    uint64_t from_us, to_us;
};
struct run_record {
    struct run_bar *bars;
    struct run_arrow *arrows;
    struct run_tick *ticks;
    struct run_cut *cuts;
    uint32_t bar_count, arrow_count, tick_count, cut_count;
};

struct run_report {
    enum run_result result;
    bool inverted; /* a canary: it failed as it must */
    uint64_t seed;
    uint64_t sim_us;
    uint64_t fingerprint;
    struct sim_counts counts;
    bool found; /* a check, or an assertion: */
    struct sim_finding finding;
    char defect[200]; /* why the world could not be built */
    const struct run_verdict *verdicts;
    uint32_t verdict_count;
    const struct run_noop *noops;
    uint32_t noop_count;
    uint32_t stuck_line; /* that waited until the end; 0 for none */
    const struct guest_op *const *ops;
    uint32_t op_count;
    const struct run_record *record; /* NULL unless asked for */
};

struct run;
/* For one scenario without errors, lent for the life of the run. NULL when memory ran out. */
struct run *run_make(const struct scenario *scenario);
void run_drop(struct run *run);
/* Play it once. The report is valid until the next play or drop. */
void run_play(struct run *run, const struct run_options *options, struct run_report *report);

/* Names for reports that outlive the world: processes of the last play. */
uint32_t run_process_count(const struct run *run);
const char *run_process_name(const struct run *run, uint32_t process);
bool run_process_is_client(const struct run *run, uint32_t process);
const struct scenario *run_scenario(const struct run *run);

#endif
