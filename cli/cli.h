/* cli.h - what the subcommands share: options, messages, files, guests, seeds, reports.
 *
 * Results go to standard output, errors to standard error as `terrarium: WHAT: WHY`. Exit codes are
 * those of docs/commands.md. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "sim/runner.h"

#include <stdbool.h>
#include <stdio.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_VIOLATED = 1,
    CLI_USAGE = 2,
    CLI_NO_PROGRESS = 3,
    CLI_NOT_DETERMINISTIC = 4,
    CLI_DEFECT = 70,
};
/* Of two results the one that the program ends with. */
int cli_worse(int a, int b);

/* ---- subcommands and their options: options.c ---- */
struct cli_option {
    const char *name;  /* without the two dashes */
    char letter;       /* short form, or 0 */
    const char *value; /* what it takes ("N"), NULL for a flag */
    const char *help;
};
struct cli_command {
    const char *name; /* "sim run" */
    const char *usage;
    const char *summary;
    const char *example;
    const struct cli_option *options;
    uint32_t option_count;
    int (*run)(const struct cli_command *command, int argc,
               char **argv); /* argv[0]: first word behind the name */
};

#define CLI_END  (-1)
#define CLI_WORD (-2) /* not an option: `value` */
#define CLI_BAD  (-3) /* a message was printed: exit 2 */
#define CLI_HELP (-4) /* help was printed: exit 0 */
struct cli_parse {
    const struct cli_command *command;
    int argc;
    char **argv;
    int at;
    bool only_words; /* behind -- */
};
/* The next option (index in command->options), or one of the above. */
int cli_next(struct cli_parse *parse, const char **value);
void cli_help(const struct cli_command *command, FILE *out);
/* `terrarium: what: why` */
void cli_error(const char *what, const char *why);
/* The same with the nearest of `words` (ended by NULL) when one is near; returns CLI_USAGE. */
int cli_unknown(const char *what, const char *found, const char *const *words);
/* Numbers of options; false prints a message. */
bool cli_number(const char *option, const char *text, uint64_t *number);
bool cli_range(const char *option, const char *text, uint64_t *first, uint64_t *last);

/* ---- files and guests: files.c, guests.c ---- */
/* Every protocol that this program knows; the first is the usual one. */
const struct guest *const *cli_guests(uint32_t *count);
struct cli_text {
    char *at;
    size_t len;
};
/* `-` is standard input. False prints a message. */
bool cli_read(const char *path, struct cli_text *text);
bool cli_write(const char *path, struct span bytes);
/* Parse a file; prints its problems. NULL when it cannot be played (and nothing else is to be
 * said). */
struct scenario *cli_scenario(const char *path, bool warnings);
/* All or none, in the order of `paths`; the caller drops them with cli_scenarios_drop. */
struct scenario **cli_scenarios(char **paths, uint32_t count);
void cli_scenarios_drop(struct scenario **scenarios, uint32_t count);

/* ---- colours ---- */
enum cli_colour {
    CLI_PLAIN,
    CLI_RED,
    CLI_GREEN,
    CLI_YELLOW,
    CLI_BLUE,
    CLI_GREY,
    CLI_BOLD
};
/* Escape sequences, or "" when `out` is no terminal or NO_COLOR is set. */
const char *cli_colour(FILE *out, enum cli_colour colour);

/* ---- seeds: seeds.c ---- */
struct cli_seeds {
    uint64_t first, last;
    bool elsewhere; /* as run_options */
    uint8_t fill;
    bool progress;    /* a line on a terminal */
    bool keep_going;  /* do not stop at the first failure */
    uint32_t jobs;    /* processes that share the work; 0 or 1: this one alone */
    const char *name; /* for progress */
};
struct cli_seeds_result {
    uint64_t played, failed;
    uint64_t first_failed; /* seed */
    enum run_result worst;
    struct sim_counts counts; /* sums */
    uint64_t sim_us, wall_us;
    uint64_t fingerprint; /* of all fingerprints */
    uint32_t unseen;      /* `sometimes` lines that no seed made true */
    uint32_t unseen_line; /* the first of them */
};
/* Play every seed of first..last on one run; `each` (may be NULL) is told of every report. */
void cli_seeds_play(struct run *run, const struct cli_seeds *seeds,
                    void (*each)(void *context, const struct run_report *report), void *context,
                    struct cli_seeds_result *result);
#define CLI_SOMETIMES_MAX 64u
/* What a loop has come to so far; jobs keep it in shared memory. */
struct cli_tally {
    uint64_t played, failed, first_failed, sim_us, fingerprint;
    enum run_result worst;
    struct sim_counts counts;
    uint32_t sometimes_lines[CLI_SOMETIMES_MAX]; /* by number in the file */
    bool sometimes_seen[CLI_SOMETIMES_MAX];
    uint32_t sometimes_count;
};
void cli_tally_add(struct cli_tally *tally, uint64_t seed, const struct run_report *report);
void cli_tally_join(struct cli_tally *sum, const struct cli_tally *more);
void cli_tally_result(const struct cli_tally *tally, uint64_t wall_us,
                      struct cli_seeds_result *result);
void cli_tally_show(const struct cli_seeds *seeds, const struct cli_tally *tally,
                    uint64_t start_us);
/* jobs.c: the loop shared by processes. The first failing seed is the same for any number of them.
 */
void cli_jobs_play(struct run *run, const struct cli_seeds *seeds, struct cli_tally *tally);
/* The seeds that a file asks for: those of the option when given, else of its fuzz line; false:
 * none. */
bool cli_seeds_of(const struct scenario *scenario, uint64_t *first, uint64_t *last);
uint64_t cli_wall_us(void);

/* ---- reports: report.c ---- */
void cli_tell(void *context, const struct run_line *line); /* context: struct cli_timeline */
struct cli_timeline {
    FILE *out;
    uint32_t name_width;
    bool details; /* also what is not essential */
};
void cli_report_verdicts(FILE *out, const struct scenario *scenario,
                         const struct run_report *report);
void cli_report_closing(FILE *out, const char *name, const struct run_report *report,
                        uint64_t wall_us);
void cli_report_seeds(FILE *out, const char *name, const struct cli_seeds *seeds,
                      const struct cli_seeds_result *result);
void cli_json_run(FILE *out, const char *name, const struct scenario *scenario,
                  const struct run_report *report, uint64_t wall_us);
struct cli_json_sum {
    uint64_t seeds, events, messages, sim_us, wall_us;
    struct bytes findings; /* JSON objects, with commas */
};
void cli_json_add(struct cli_json_sum *sum, const char *name, const struct run_report *report,
                  uint64_t wall_us);
void cli_json_summary(FILE *out, const struct cli_json_sum *sum);

/* ---- plots: plot.c ---- */
/* Run gnuplot; false prints a message. */
bool cli_plot(const char *path, const struct run *run, const struct run_report *report);

/* ---- the subcommands ---- */
extern const struct cli_command cli_sim_run, cli_sim_twice, cli_sim_explain, cli_sim_format,
    cli_server, cli_version;

#endif
