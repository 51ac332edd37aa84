/* runner_in.h - what the files of the runner share; nobody else includes it. */
#ifndef SIM_RUNNER_IN_H
#define SIM_RUNNER_IN_H

#include "sim/runner.h"
#include "sim/verbs.h"

/* Where a line fires: the processes of the event that fired it. */
struct run_where {
    uint32_t self, peer; /* SIM_NONE when there are none */
    uint64_t round;      /* $n: how often the `every` line fired before, from 1 */
};

enum chain_wait {
    CHAIN_READY,
    CHAIN_TIME,
    CHAIN_CONDITION,
    CHAIN_EVENT,
    CHAIN_DONE
};
struct run_chain {
    uint32_t first, last; /* indexes in run->steps, `last` excluded */
    uint32_t next;        /* the step it waits at */
    enum chain_wait wait;
    uint64_t base_us;     /* when the line above was done */
    uint64_t deadline_us; /* of a `within` */
    uint64_t generation;  /* a timer of an older one is stale */
};

/* `on` and `whenever` that are armed. */
struct run_trap {
    const struct scn_line *line;
    uint32_t line_index;
    uint32_t chain; /* that waits, or SCN_NONE */
    uint32_t left;  /* events still to let pass */
    bool armed;
};

/* `always` and `never` that are armed. */
struct run_watch {
    const struct scn_line *line;
    struct run_verdict *verdict;
};

/* What is done right after the effect that fired it. */
struct run_later {
    const struct scn_line *line; /* the action */
    struct run_where where;
};
#define RUN_LATER_MAX   64u
#define RUN_INSTANT_MAX 100000u /* actions at one time: more is a circle */

struct run {
    struct guest_run face; /* first: what the guest sees */
    const struct scenario *scenario;
    struct run_options options;
    struct pile pile; /* of one play */
    struct sim *sim;
    struct guest_value *options_given;
    uint32_t server_count, client_count, process_count;
    uint32_t *client_process; /* by client line */
    char (*process_names)[32];
    bool *process_client;
    uint32_t *state; /* by process */
    uint64_t *state_since_us;
    bool *down, *paused;
    struct sim_clock *clocks;
    uint32_t *bound;            /* by name: a process, or SIM_NONE */
    struct guest_op **bound_op; /* by name */

    uint32_t *steps; /* timed lines, as indexes in scenario->lines */
    uint32_t step_count;
    struct run_chain *chains;
    uint32_t chain_count;
    struct run_trap *traps;
    uint32_t trap_count;
    struct run_watch *watches;
    uint32_t watch_count;
    struct run_verdict *verdicts;
    uint32_t verdict_count;
    uint32_t *verdict_of; /* by line index */
    struct run_noop noops[RUN_NOOPS_MAX];
    uint32_t noop_count;
    struct run_later later[RUN_LATER_MAX];
    uint32_t later_count;
    bool later_scheduled, poll_scheduled;
    uint64_t instant_us;    /* time of the last action */
    uint32_t instant_count; /* actions at that time */
    bool circle;            /* lines fire each other without end */
    bool over;              /* nothing more fires */
    bool failed;

    struct guest_op **ops; /* tag - 1 */
    uint32_t op_count, op_room;
    struct sim_link *base_links; /* process_count squared; NULL until a fault touches one */
    struct sim_disk *base_disks;
    uint32_t *cut_depth; /* of drawn cuts, by direction */
    bool quiet;          /* the last part of a fuzzed run */
    struct run_record record;
    uint32_t bar_room, arrow_room, tick_room, cut_room;
    char why[256];
    char defect[200];
};

/* ---- memory ---- */
/* Zeroed, for the play; NULL ends the world with a defect. */
void *run_get(struct run *run, size_t size);
/* Grow an array of the pile by doubling; false when memory ran out. */
bool run_reserve(struct run *run, void *array, uint32_t *room, uint32_t count, size_t item);

/* ---- roles and values: runner_role.c ---- */
/* Members of `roles` now. `named` collects what `rest` leaves out; may be NULL. */
void run_resolve(struct run *run, const struct scn_roles *roles, const struct run_where *where,
                 struct guest_set *named, struct guest_set *set);
bool run_in(struct run *run, const struct scn_roles *roles, const struct run_where *where,
            uint32_t process);
void run_values(struct run *run, const struct guest_param *params, uint32_t count,
                const struct scn_arg *args, const struct run_where *where,
                struct guest_value *values);
/* The text with each $n replaced. */
struct span run_with_round(struct run *run, struct span text, uint64_t round);
void run_set_text(const struct run *run, const struct guest_set *set, struct text *text);

/* ---- actions: runner_act.c, runner_link.c ---- */
/* Carry it out now. `event` says which process is inside an event, so that its crash can fall
 * there. */
void run_act(struct run *run, const struct scn_line *line, const struct scn_action *action,
             const struct run_where *where);
/* Set the disk up for a crash that follows at once. */
void run_crash_prepare(struct run *run, const struct scn_action *action, uint32_t process,
                       enum sim_crash_kind *kind);
/* The same as the verdict of a tap: the process dies right before or after the effect. */
enum sim_verdict run_crash_by_verdict(struct run *run, const struct scn_action *action,
                                      uint32_t process, bool before);
void run_link_fault(struct run *run, const struct scn_line *line, const struct scn_action *action,
                    const struct run_where *where);
void run_link_cut(struct run *run, uint32_t from, uint32_t to, bool cut);
/* Undo every network fault. */
void run_link_heal_all(struct run *run);
void run_noop(struct run *run, const struct scn_line *line, const char *why);
void run_tell_fault(struct run *run, uint32_t process, struct span words);

/* ---- chains and conditions: runner_chain.c, runner_ask.c ---- */
void run_chains_make(struct run *run);
void run_chains_start(struct run *run);
/* Go on with a chain that waits for an event which has come. */
void run_chain_fired(struct run *run, uint32_t chain);
/* Something changed that conditions may ask about. */
void run_dirty(struct run *run);
enum guest_truth run_ask(struct run *run, const struct scn_condition *condition, uint32_t *process,
                         struct text *why);
/* Has every name in the condition come to mean something? */
bool run_is_bound(const struct run *run, const struct scn_condition *condition);
void run_finish_verdicts(struct run *run);
/* The actions of a head: its own, then the indented ones. */
void run_actions(struct run *run, uint32_t line_index, const struct run_where *where);
void run_fail(struct run *run, struct run_verdict *verdict, struct span why);

/* ---- taps: runner_trap.c ---- */
/* Is `name` what a file of the language names? `log.*` fits whatever begins so. */
bool run_file_fits(struct span pattern, struct span name);
void run_taps_add(struct run *run);
void run_trap_arm(struct run *run, uint32_t line_index, uint32_t chain);
/* Carry out what waits for the end of an effect; `scheduled`: no process is inside a step. */
void run_later_do(struct run *run, bool scheduled);

/* ---- faults drawn from a seed: runner_fuzz.c ---- */
void run_fuzz_set_up(struct run *run);
void run_fuzz_start(struct run *run);
/* Length of the run; 0 when only the lines decide. */
uint64_t run_length_us(const struct run *run);

/* ---- recording: runner_guest.c ---- */
void run_record_state(struct run *run, uint32_t process, uint32_t state);
void run_record_arrow(struct run *run, const struct sim_event *event);
void run_record_tick(struct run *run, uint32_t process, enum guest_level level, struct span words);
void run_record_cut(struct run *run, uint32_t from, uint32_t to, bool cut);
struct guest_op *run_op_begin(struct run *run, uint32_t process, uint32_t verb, struct span label,
                              struct span words);
void run_record_end(struct run *run);

#endif
