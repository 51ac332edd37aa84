/* scenario.h - a scenario file as text, as lines, and as what the lines mean.
 *
 * A file is parsed once and may then be played many times (sim/runner.h) and printed in canonical
 * form: parsing what was printed gives the same scenario again, comments included. One event stands
 * on one line, with at most one level of indented actions below it, and every line can be deleted
 * alone: a line that loses what it named is a no-op that gets a warning. The language is described
 * in docs/scenario-language.md. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "base/bytes.h"
#include "sim/guest.h"
#include "sim/pile.h"

#define SCN_FILE_MAX     (1u << 20) /* bytes of one file */
#define SCN_LINES_MAX    20000u
#define SCN_TOKENS_MAX   128u  /* of one line */
#define SCN_ROLES_MAX    32u   /* in one {..} */
#define SCN_GROUPS_MAX   8u    /* of one partition */
#define SCN_TESTS_MAX    8u    /* in one RECORD(..) */
#define SCN_NAMES_MAX    1024u /* names that lines give or use */
#define SCN_PROBLEMS_MAX 32u
#define SCN_NONE         UINT32_MAX

/* ---- text ---- */
enum scn_token_kind {
    SCN_WORD,
    SCN_QUOTED,
    SCN_KEYED,
    SCN_SIGN
};
struct scn_token {
    enum scn_token_kind kind;
    bool quoted;      /* KEYED: the value stands in quotes */
    bool is_time;     /* the parser took it as one: printed in the largest fitting unit */
    uint32_t column;  /* from 1 */
    struct span text; /* as written, without quotes; of KEYED the value */
    struct span key;  /* KEYED */
    int64_t time_us;
};

/* ---- what words mean ---- */
enum scn_name_kind {
    SCN_NAME_LOST,   /* used, but no line gives it: lines that use it do nothing */
    SCN_NAME_SERVER, /* index: which server of the guest */
    SCN_NAME_CLIENT, /* index: which client line */
    SCN_NAME_BOUND,  /* a process, by `as NAME` */
    SCN_NAME_OP,     /* an operation, by `as NAME` */
};
struct scn_name {
    struct span text;
    enum scn_name_kind kind;
    uint32_t index;
    uint32_t line; /* that gives it; 0 for servers */
};

enum scn_role_kind {
    SCN_ROLE_NAME,  /* scenario->names[index] */
    SCN_ROLE_GUEST, /* guest->roles[index], with number */
    SCN_ROLE_ALL,   /* of the cluster */
    SCN_ROLE_CLIENTS,
    SCN_ROLE_EVERYONE,
    SCN_ROLE_ANY,
    SCN_ROLE_REST,
    SCN_ROLE_SELF,
    SCN_ROLE_PEER,
};
struct scn_role {
    enum scn_role_kind kind;
    uint32_t index;
    uint32_t number; /* of `follower 2`; 0 without */
};
struct scn_roles {
    const struct scn_role *at;
    uint32_t count; /* 0: none given */
};

struct scn_arg {
    bool given;
    int64_t number;
    int64_t number_high; /* of ranges; else as `number` */
    struct span text;
    struct scn_roles roles;
    uint32_t name; /* GUEST_OP: in scenario->names */
};

enum scn_link_form {
    SCN_LINK_NONE,
    SCN_LINK_ONE_WAY,
    SCN_LINK_BOTH
};
struct scn_action {
    const struct scn_verb *fault;            /* of sim/verbs.h, or */
    const struct guest_verb *verb;           /* of the guest */
    struct scn_roles groups[SCN_GROUPS_MAX]; /* subject; or from, to; or the sides of a partition */
    uint32_t group_count;
    enum scn_link_form link;
    const struct scn_arg *args; /* in the order of the verb's params */
    struct span words;          /* verb and arguments, canonical */
    uint64_t for_us;            /* `for 5s`; 0 without end */
    uint32_t as;                /* name of the operation, or SCN_NONE */
};

enum scn_condition_kind {
    SCN_IF_GUEST,  /* guest->conditions[index] with args */
    SCN_IF_STATE,  /* roles is STATE */
    SCN_IF_SAME,   /* roles == other */
    SCN_IF_DIFFER, /* roles != other */
    SCN_IF_FATE,   /* name is FATE */
    SCN_IF_CHECKS, /* the listed checks have found nothing: bits of `index` */
};
#define SCN_STATE_UP     1000u /* states known without the guest */
#define SCN_STATE_DOWN   1001u
#define SCN_STATE_PAUSED 1002u
#define SCN_FATE_OVER    100u /* besides enum guest_fate */
struct scn_condition {
    enum scn_condition_kind kind;
    bool negated;
    uint32_t index; /* condition, state, fate, bits of checks */
    struct scn_roles roles, other;
    uint32_t name;
    const struct scn_arg *args;
    struct span words;
};

enum scn_test_op {
    SCN_EQUAL,
    SCN_UNEQUAL,
    SCN_LESS,
    SCN_MORE,
    SCN_AT_MOST,
    SCN_AT_LEAST,
    SCN_ABOUT
};
struct scn_test {
    enum scn_test_op op;
    struct span field;
    int64_t value;
    struct span text;       /* as written, for fields that are text */
    struct scn_roles roles; /* the value is a process */
    uint32_t name;          /* ABOUT: the operation */
};
struct scn_pattern {
    bool before; /* the actions come before the effect: `before ...` */
    enum sim_at at;
    struct scn_roles who, peer;        /* peer.count 0: whoever */
    uint32_t who_as, peer_as;          /* names, or SCN_NONE */
    const struct guest_record *record; /* NULL: any */
    const struct guest_note *note;
    struct span file; /* APPEND, SYNC, REPLACE: of this name (or beginning, with * at its end) */
    struct scn_test tests[SCN_TESTS_MAX];
    uint32_t test_count;
    uint32_t nth; /* 1: the first */
};

/* ---- lines ---- */
enum scn_kind {
    SCN_BLANK, /* empty, or only a comment */
    SCN_CLUSTER,
    SCN_CLIENT,
    SCN_SETUP /* of the guest */,
    SCN_LINK,
    SCN_DISK,
    SCN_CLOCK,
    SCN_FILE,
    SCN_RUN,
    SCN_FUZZ,
    SCN_MUST,
    SCN_AT,
    SCN_WHEN,
    SCN_ON,
    SCN_WHENEVER,
    SCN_EVERY,
    SCN_WITHIN,
    SCN_ALWAYS,
    SCN_NEVER,
    SCN_FINALLY,
    SCN_SOMETIMES,
    SCN_ACTION, /* indented */
    SCN_WRONG,  /* not understood: see the problems */
};
struct scn_line {
    enum scn_kind kind;
    uint32_t number; /* from 1 */
    bool indented;
    bool relative;     /* AT: +TIME */
    bool lost;         /* names something that no line gives: does nothing */
    uint32_t parent;   /* ACTION: its head (index in lines), or SCN_NONE: does nothing */
    uint64_t time_us;  /* AT, WITHIN, EVERY, RUN */
    uint64_t until_us; /* EVERY: 0 = to the end */
    uint32_t as;       /* WHEN, WITHIN: bound process; else SCN_NONE */
    const struct scn_token *tokens;
    uint32_t token_count;
    struct span comment;            /* with its #, or empty */
    struct scn_condition condition; /* WHEN, WITHIN .. SOMETIMES */
    struct scn_pattern *pattern;    /* ON, WHENEVER */
    struct scn_action *action;      /* AT, EVERY, ACTION; NULL when only indented ones follow */
    const struct scn_arg *args;     /* CLUSTER, CLIENT, SETUP, LINK .. FUZZ: by their tables */
    struct scn_roles from, to;      /* LINK; DISK, CLOCK, FILE: from */
    enum scn_link_form link;
    const struct guest_verb *setup;
    uint32_t name;      /* CLIENT */
    struct span target; /* MUST: name of a check, or "expectation" */
};

struct scn_problem {
    uint32_t line, column; /* from 1 */
    bool warning;          /* the line does nothing, the file still runs */
    char text[232];
};

struct scenario {
    struct pile pile;
    const char *file;
    const struct guest *guest;
    struct scn_line *lines;
    uint32_t line_count;
    struct scn_name *names;
    uint32_t name_count;
    uint32_t server_count;
    const struct scn_line *cluster, *run, *fuzz, *must; /* NULL when absent */
    const struct scn_arg *cluster_args; /* with standard values when there is no line */
    const struct scn_arg *common_args;  /* of cluster: sim/verbs.h, scn_cluster_params */
    struct scn_problem problems[SCN_PROBLEMS_MAX];
    uint32_t problem_count, error_count;
};

/* Parse `text`. Without a `cluster` line that names one, the first guest is taken whose words fit
 * the whole file. Always sets *scenario unless memory ran out; it can be played only when
 * error_count is 0. Owns: the caller drops it; `file` and `guests` are lent for its life. Errors:
 * ERR_MEMORY, ERR_FORMAT. */
enum err scenario_parse(const char *file, struct span text, const struct guest *const *guests,
                        uint32_t guest_count, struct scenario **scenario);
void scenario_drop(struct scenario *scenario);

/* The canonical text, ending in a newline. */
void scenario_print(const struct scenario *scenario, struct bytes *out);
/* What each line will do, in words. */
void scenario_explain(const struct scenario *scenario, struct bytes *out);
/* "FILE:LINE:COLUMN: TEXT\n" for one problem. */
void scenario_print_problem(const struct scenario *scenario, const struct scn_problem *problem,
                            struct bytes *out);

/* A time with the largest unit that needs no fraction: 1500ms, 2s. */
void scenario_print_time(struct text *out, int64_t time_us);

#endif
