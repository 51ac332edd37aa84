/* scenario_in.h - what the files of the scenario parser share; nobody else includes it. */
#ifndef SIM_SCENARIO_IN_H
#define SIM_SCENARIO_IN_H

#include "sim/scenario.h"
#include "sim/verbs.h"
#include "sim/words.h"

struct scn_parse {
    struct scenario *scenario;
    struct scn_line *line; /* being read */
    uint32_t at;           /* next token of it */
    bool failed;           /* memory ran out */
};

/* ---- memory ---- */
/* Zeroed; NULL sets parse->failed. */
void *scn_get(struct scn_parse *parse, size_t size);

/* ---- lexer: scenario_lex.c ---- */
/* Fill line->tokens, comment, indented from one line of text without its newline. False: it has a
 * problem. */
bool scn_lex(struct scn_parse *parse, struct span text, struct scn_line *line);

/* ---- messages and near words: scenario_words.c ---- */
/* "expected WHAT, found "X"; nearest: "Y"" at the current token. `near` may be NULL. Always returns
 * false. */
bool scn_expected(struct scn_parse *parse, const char *what, const struct scn_near *near);
/* A free message at `column`. Always returns false. */
bool scn_wrong(struct scn_parse *parse, uint32_t column, const char *what, struct span about);
void scn_warn(struct scn_parse *parse, uint32_t column, const char *what, struct span about);

/* ---- tokens ---- */
const struct scn_token *scn_peek(const struct scn_parse *parse); /* NULL at the end of the line */
bool scn_at_word(const struct scn_parse *parse, const char *word);
bool scn_at_sign(const struct scn_parse *parse, const char *sign);
/* Step over it when it is there. */
bool scn_take_word(struct scn_parse *parse, const char *word);
bool scn_take_sign(struct scn_parse *parse, const char *sign);
/* Nothing may be left. */
bool scn_line_end(struct scn_parse *parse);
/* Is `word` one of "a|b|c"? Its index from 0, or SCN_NONE. */
uint32_t scn_choice(const char *words, struct span word);

/* ---- names: scenario_words.c ---- */
uint32_t scn_name_find(const struct scenario *scenario, struct span text);
/* Add or find; SCN_NONE when there are too many. */
uint32_t scn_name_add(struct scn_parse *parse, struct span text, enum scn_name_kind kind,
                      uint32_t index);
/* Does `text` look like a name that a line gives: letters, digits, - and _, with a capital first or
 * a digit last? */
bool scn_name_shape(struct span text);

/* ---- values: scenario_value.c ---- */
bool scn_read_time(struct span text, bool sign, int64_t *time_us);
bool scn_read_rate(struct span text, bool sign, int64_t *ppm);
bool scn_read_number(struct span text, int64_t *number);
/* A time at the cursor; on success the token is marked and stepped over. */
bool scn_parse_time(struct scn_parse *parse, uint64_t *time_us);
/* Parameters up to the end of the line, or up to the words `as` and `for` when `stops`. On success
 * *args has `count` members, standards filled in. `usage` names the verb. */
bool scn_parse_args(struct scn_parse *parse, const struct guest_param *params, uint32_t count,
                    const char *usage, const struct scn_arg **args);
/* The same for header lines: two tables one after the other; `second` may have 0 members. */
struct scn_params {
    const struct guest_param *first, *second;
    uint32_t first_count, second_count;
    const char *usage;
};
bool scn_parse_params(struct scn_parse *parse, const struct scn_params *params,
                      struct scn_arg *first, struct scn_arg *second);
/* Undo \n \t \\ \" \xHH of quoted text. */
struct span scn_unquote(struct scn_parse *parse, struct span text);
/* "PATH [DATA] [-e] [name=TIME]" */
void scn_usage(const struct guest_param *params, uint32_t count, struct text *out);

/* ---- phrases: scenario_phrase.c, scenario_event.c, scenario_action.c ---- */
bool scn_parse_roles(struct scn_parse *parse, struct scn_roles *roles);
/* A -> B, A <-> B */
bool scn_parse_link(struct scn_parse *parse, struct scn_roles *from, struct scn_roles *to,
                    enum scn_link_form *form);
/* `as NAME`, when it is there. */
bool scn_parse_as(struct scn_parse *parse, enum scn_name_kind kind, uint32_t *name);
/* The name of an operation; a lost one gets a warning. */
bool scn_parse_op(struct scn_parse *parse, uint32_t *name);
bool scn_parse_condition(struct scn_parse *parse, struct scn_condition *condition);
bool scn_parse_pattern(struct scn_parse *parse, struct scn_pattern *pattern);
bool scn_parse_action(struct scn_parse *parse, struct scn_action *action);
/* The tokens from..to as canonical text. */
struct span scn_words(struct scn_parse *parse, uint32_t from, uint32_t to);

/* ---- lines: scenario_line.c ---- */
/* What stands behind the first word, by line->kind. */
bool scn_parse_body(struct scn_parse *parse);
/* The cluster line, or the lack of one: its arguments with their standards. */
bool scn_parse_cluster(struct scn_parse *parse);

/* ---- printing: scenario_print.c ---- */
void scn_print_tokens(const struct scn_line *line, uint32_t from, uint32_t to, struct bytes *out);

#endif
