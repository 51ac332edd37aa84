/* guest.h - how a protocol makes itself known to scenario files (docs/scenario-language.md).
 *
 * A guest is one constant `struct guest`: tables of words (roles, verbs, conditions, records,
 * notes) and a few functions. The scenario parser takes every word, its parameters and its help
 * from the tables, so that a wrong word gets its nearest neighbour and `sim explain` needs no code
 * of the guest. The runner calls the functions while a world runs. A guest needs this header and
 * sim/sim.h, nothing else of sim/.
 *
 * The life of a run: state_bytes zeroed -> build (cluster line) -> add_client (each client line) ->
 * setup lines -> processes start -> note / tap / verbs / conditions in the order of events ->
 * finish. Everything a guest keeps lies in `run->state` or `run->mem`; nothing in globals. */
#ifndef SIM_GUEST_H
#define SIM_GUEST_H

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/text.h"
#include "sim/sim.h"

/* ---- sets of processes ---- */
#define GUEST_PROCESS_MAX 256u /* processes of one world */
struct guest_set {
    uint64_t bits[GUEST_PROCESS_MAX / 64];
};
static inline void guest_set_add(struct guest_set *set, uint32_t process)
{
    if (process < GUEST_PROCESS_MAX) {
        set->bits[process / 64] |= 1ull << (process % 64);
    }
}
static inline bool guest_set_has(const struct guest_set *set, uint32_t process)
{
    return process < GUEST_PROCESS_MAX && ((set->bits[process / 64] >> (process % 64)) & 1) != 0;
}
/* The least member >= `from`, or SIM_NONE: for (p = guest_set_next(s, 0); p != SIM_NONE; p =
 * guest_set_next(s, p + 1)) */
uint32_t guest_set_next(const struct guest_set *set, uint32_t from);
uint32_t guest_set_count(const struct guest_set *set);

/* ---- parameters: one table describes how words after a verb, condition or header are read ---- */
enum guest_kind {
    GUEST_WORD,    /* a bare word or a "quoted text": a path, a name; span `text` */
    GUEST_TEXT,    /* the same, with \n \t \\ \" \xHH undone inside quotes and $n = how often an
                      `every` line fired */
    GUEST_NUMBER,  /* decimal or 0x hexadecimal; `number` */
    GUEST_TIME,    /* 10us 5ms 2s 1m; `number` in microseconds */
    GUEST_RATE,    /* 5% 0.1% 20ppm; `number` in ppm */
    GUEST_CHOICE,  /* one of `words` ("leader|follower"); `number` is its index from 0, `text` the
                      word */
    GUEST_FLAG,    /* the name itself, as `-e`; `number` 1 when given */
    GUEST_ROLE,    /* a role, resolved when the line fires; `set` */
    GUEST_TIMES,   /* a time, or a range 5ms..20ms; `number`, `number_high` in microseconds */
    GUEST_NUMBERS, /* a number, or a range 1..8; `number`, `number_high` */
    GUEST_OFFSET,  /* a time with its sign: +200ms -3s; `number` in microseconds */
    GUEST_SLOPE,   /* a rate with its sign: +5% -200ppm; `number` in ppm */
    GUEST_OP, /* the name of a client operation (`as w1`); `op`, NULL when it was never invoked */
};
#define GUEST_OPTIONAL 1u /* may be missing */
#define GUEST_KEYED    2u /* written name=value, anywhere after the verb; always optional */
struct guest_param {
    const char *name; /* as in usage and messages; the key of a KEYED one, the text of a FLAG */
    enum guest_kind kind;
    uint32_t flags;
    const char *words;    /* CHOICE */
    const char *standard; /* value when missing, written as in a file; NULL for none (`given` is
                             false then) */
    const char *help;     /* a few words, for options; may be NULL */
};
struct guest_value {
    bool given; /* in the file, or by `standard` */
    int64_t number;
    int64_t number_high; /* of TIMES and NUMBERS; else as `number` */
    struct span text;    /* lent for the call */
    struct guest_set set;
    const struct guest_op *op;
};
#define GUEST_PARAM_MAX 16u

/* ---- operations of clients: the runner keeps them, the guest says how they end ---- */
enum guest_fate {
    GUEST_OP_OPEN,    /* no answer yet */
    GUEST_OP_OK,      /* acknowledged */
    GUEST_OP_FAILED,  /* certain: it did not happen */
    GUEST_OP_UNKNOWN, /* connection lost or time over: it may have happened */
};
struct guest_op {
    uint64_t tag;      /* > 0, counted up in the run: pass it to sim_ask */
    uint32_t process;  /* the client */
    uint32_t verb;     /* index in guest->verbs; UINT32_MAX for guest_op_begin */
    bool routine;      /* of an `every` line: told only when it does not succeed */
    struct span label; /* `as w1`, or empty */
    struct span words; /* the verb with its arguments, as written */
    uint64_t begin_us, end_us;
    enum guest_fate fate;
    uint64_t a, b, c; /* the guest's own, zeroed: a session, a transaction number, a hash */
};

/* ---- a run, as the guest sees it ---- */
struct guest;
struct guest_run {
    struct sim *sim;
    void *state;     /* guest->state_bytes, zeroed and 16-aligned; another one for each run */
    struct mem *mem; /* for what else the guest keeps; given back as a whole after the run */
    uint64_t seed;   /* 0 without one */
    bool telling;    /* somebody reads the timeline: else guest_say and guest_mark do nothing */
    const struct guest *guest;
    const struct guest_value *options; /* of the cluster line, in the order of guest->options */
};
/* Members of the cluster (built by `build`), clients, and both. */
void guest_servers(const struct guest_run *run, struct guest_set *set);
void guest_clients(const struct guest_run *run, struct guest_set *set);
bool guest_is_client(const struct guest_run *run, uint32_t process);

/* A line of the timeline: "12.345678  s1  WORDS". `process` SIM_NONE for the world. */
enum guest_level {
    GUEST_SAY_ROLE,
    GUEST_SAY_FAULT,
    GUEST_SAY_CLIENT,
    GUEST_SAY_DETAIL
};
void guest_say(struct guest_run *run, enum guest_level level, uint32_t process, struct span words);
/* What the process now is: an index into guest->states; drawn as a coloured bar, and tested by `s1
 * is leading`. Down and paused are known without being told; a state ends with a crash (then it is
 * state 0). */
void guest_set_state(struct guest_run *run, uint32_t process, uint32_t state);
uint32_t guest_state(const struct guest_run *run, uint32_t process);
/* A labelled tick on the lane of a process in the plot: an election won, a commit. */
void guest_mark(struct guest_run *run, uint32_t process, struct span words);
/* An operation that the guest itself begins (a client process that works on its own). */
struct guest_op *guest_op_begin(struct guest_run *run, uint32_t process, struct span words);
/* The operation with this tag, or NULL. */
struct guest_op *guest_op_find(struct guest_run *run, uint64_t tag);
/* Its end; `result` (may be empty) is shown. Only the first end counts. */
void guest_op_end(struct guest_run *run, uint64_t tag, enum guest_fate fate, struct span result);
/* A check of guest->checks found a violation: the world stops with this finding (sim_fail). */
void guest_fail(struct guest_run *run, const char *check, struct span why);

/* ---- roles ---- */
/* Known to every file without the guest: process names, bound names, `all` (the cluster),
 * `clients`, `everyone`, `any` (in patterns), `rest` (of the cluster: not named before in the line,
 * not part of the event), `self` and `peer` (of the event), `{a, b}`. */
struct guest_role {
    const char *name; /* "leader" */
    bool indexed;     /* `follower 2` (from 1, by process); without a number the first one */
    const char *help; /* "the server that leads the newest established epoch" */
    /* Add the members now. `index` is 0 without a number, which must mean the same as 1 when
     * `indexed`. Leave the set empty when there is none: the line then is a reported no-op. */
    void (*resolve)(struct guest_run *run, uint32_t index, struct guest_set *set);
};

/* ---- verbs: `c1 create /a "1"`, `leader snapshot`, and set-up lines ---- */
struct guest_call {
    uint32_t process;                 /* the subject; SIM_NONE for a verb without one */
    struct guest_op *op;              /* for verbs that are operations, else NULL */
    const struct guest_value *values; /* in the order of the verb's params */
    struct span words;                /* the verb with its arguments, as written */
};
enum guest_subject {
    GUEST_ON_CLIENT, /* ROLE VERB ..., ROLE must be a client */
    GUEST_ON_SERVER, /* ROLE VERB ..., ROLE must be of the cluster */
    GUEST_ON_NONE,   /* VERB ... */
};
struct guest_verb {
    const char *name;
    enum guest_subject subject;
    bool operation; /* has a fate: the runner makes a guest_op, the guest calls guest_op_end */
    bool writes;    /* an operation that changes state: told in the timeline with its fate */
    const struct guest_param *params;
    uint32_t param_count;
    /* A sentence for `sim explain`, with {param} replaced, and [parts] left out when a param inside
     * is missing: "create the node {path}[ with data {data}][ as ephemeral{-e}]". */
    const char *help;
    /* Usually sim_ask(run->sim, call->process, call->op->tag, request). A result != ERR_OK makes
     * the line a reported no-op (and ends the operation as failed). */
    enum err (*run)(struct guest_run *run, const struct guest_call *call);
};

/* ---- conditions: what `when`, `within T expect`, `always expect`, `never expect`, `finally
 * expect` ask ---- */
/* Known without the guest: `ROLE is STATE` (guest->states, up, down, paused), `ROLE == ROLE`,
 * `ROLE != ROLE` (both exist and differ), `OP is acknowledged|failed|unknown|open|over`, `no
 * findings`. */
enum guest_truth {
    GUEST_NOT_YET,
    GUEST_HOLDS,
    GUEST_VIOLATED /* cannot come true any more */
};
struct guest_answer {
    uint32_t process; /* who made it true: bound by `when ... as NAME`; preset to SIM_NONE */
    struct text *why; /* say what is missing, for the report; may be left empty */
};
struct guest_condition {
    const char
        *name; /* first word: "converged", "value"; may be a role's name too ("leader ready") */
    const struct guest_param *params;
    uint32_t param_count;
    const char *help; /* as in guest_verb: "all servers of {who} have the same history" */
    /* Asked after every note and process event while it is waited for: keep it cheap. */
    enum guest_truth (*ask)(struct guest_run *run, const struct guest_value *values,
                            struct guest_answer *answer);
};

/* ---- what anchors name: `on L sends PROPOSAL(zxid=0x100000001) to any`, `on s1 notes elected`
 * ---- */
struct guest_word {
    const char *name;
    int64_t value;
};
struct guest_field {
    const char *name;
    bool process;                   /* names a process: `leader=s3` asks guest->identity */
    const struct guest_word *words; /* symbolic values, ended by a NULL name; or NULL */
};
struct guest_record {
    const char *name; /* as in sim_record.name */
    const struct guest_field *fields;
    uint32_t field_count;
};
struct guest_note {
    uint32_t kind; /* of FX_NOTE */
    const char *name;
    const char *a, *b, *c, *bytes; /* names of the fields; NULL or "" when unused */
};

/* ---- colours of the plot ---- */
struct guest_state_kind {
    const char *name;   /* "leading"; state 0 is what a fresh process is */
    const char *colour; /* "#2166ac" */
};
struct guest_check {
    const char *name; /* "agreement" */
    const char *help; /* what it promises, one sentence */
};

struct guest {
    const char *name;    /* the word after `cluster` */
    const char *summary; /* one sentence */

    const struct guest_param *options; /* of the cluster line: all KEYED or FLAG */
    uint32_t option_count;
    const struct guest_param
        *client_options; /* of client lines; NULL options and add_client: no clients */
    uint32_t client_option_count;

    const struct guest_role *roles;
    uint32_t role_count;
    const struct guest_verb *verbs;
    uint32_t verb_count;
    const struct guest_verb
        *setups; /* lines before the start, GUEST_ON_NONE: `history s1 epoch=1 zxid=8` */
    uint32_t setup_count;
    const struct guest_condition *conditions;
    uint32_t condition_count;
    const struct guest_record *records;
    uint32_t record_count;
    const struct guest_note *notes;
    uint32_t note_count;
    const struct guest_state_kind *states;
    uint32_t state_count;
    const struct guest_check
        *checks; /* always on; `always expect NAME` shows one in the verdicts */
    uint32_t check_count;

    size_t state_bytes;
    /* What the processes are called for a given cluster line, without building: the i-th name,
     * false past the end. Scenario words are checked against it before anything runs. */
    bool (*server_name)(const struct guest_value *options, uint32_t index, char name[32]);
    /* sim_set_codec and sim_add for every server, named as above and in that order. On an error
     * `why` says what is wrong with the options. */
    enum err (*build)(struct guest_run *run, struct text *why);
    /* sim_add of one client. */
    enum err (*add_client)(struct guest_run *run, const char *name,
                           const struct guest_value *values, struct text *why);
    /* Before the processes start, after set-up lines; may be NULL. */
    void (*begin)(struct guest_run *run);
    /* Every FX_NOTE. Update the state, check, guest_set_state, guest_say, guest_op_end. */
    void (*note)(struct guest_run *run, const struct sim_event *event);
    /* Other events of `tap_mask`; may be NULL. IN_ASK answers come here as SIM_AT_ANSWER. */
    uint32_t tap_mask;
    enum sim_verdict (*tap)(struct guest_run *run, const struct sim_event *event);
    /* After the last event: checks of the whole run; may be NULL. */
    void (*finish)(struct guest_run *run);
    /* Number by which fields of records and notes name a process; NULL: its process number. */
    int64_t (*identity)(const struct guest_run *run, uint32_t process);
    /* Is this record, note or append about that operation? For `PROPOSAL(w1)`; may be NULL. */
    bool (*about)(struct guest_run *run, const struct sim_event *event, const struct guest_op *op);
};

#endif
