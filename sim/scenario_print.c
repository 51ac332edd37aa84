#include "sim/scenario_in.h"

/* Canonical form: heads end at column 10, single spaces, no spaces inside parentheses and braces,
 * times in the largest unit that fits, comments two spaces behind, single blank lines. */

#define PRINT_BODY_COLUMN 10u

void scenario_print_time(struct text *out, int64_t time_us)
{
    if (time_us < 0) {
        text_char(out, '-');
        time_us = -time_us;
    }
    if (time_us == 0) {
        text_str(out, "0s");
    } else if (time_us % 1000000 == 0) {
        text_i64(out, time_us / 1000000);
        text_char(out, 's');
    } else if (time_us % 1000 == 0) {
        text_i64(out, time_us / 1000);
        text_str(out, "ms");
    } else {
        text_i64(out, time_us);
        text_str(out, "us");
    }
}

static void put(struct bytes *out, const char *text)
{
    bytes_raw(out, text, strlen(text));
}

static void print_time_token(const struct scn_token *token, struct bytes *out)
{
    char room[40];
    struct text text;

    text_init(&text, room, sizeof(room));
    if (token->kind == SCN_WORD && token->text.len > 0 && token->text.at[0] == '+') {
        text_char(&text, '+');
    }
    scenario_print_time(&text, token->time_us);
    bytes_raw(out, text.at, text.len);
}

static void print_token(const struct scn_token *token, struct bytes *out)
{
    if (token->kind == SCN_KEYED) {
        bytes_raw(out, token->key.at, token->key.len);
        put(out, "=");
    }
    if (token->is_time) {
        print_time_token(token, out);
    } else if (token->kind == SCN_QUOTED || token->quoted) {
        put(out, "\"");
        bytes_raw(out, token->text.at, token->text.len);
        put(out, "\"");
    } else {
        bytes_raw(out, token->text.at, token->text.len);
    }
}

/* Does a space stand between two tokens? `depth` counts the parentheses that are open before
 * `right`. */
static bool space_between(const struct scn_token *left, const struct scn_token *right,
                          uint32_t depth)
{
    bool left_sign = left->kind == SCN_SIGN;
    bool right_sign = right->kind == SCN_SIGN;

    if (right_sign && (span_is(right->text, ",") || span_is(right->text, ")") ||
                       span_is(right->text, "}") || span_is(right->text, "("))) {
        return false;
    }
    if (left_sign && (span_is(left->text, "(") || span_is(left->text, "{"))) {
        return false;
    }
    if (left_sign && span_is(left->text, ",")) {
        return true;
    }
    if (depth > 0 &&
        ((left_sign && !span_is(left->text, "}")) || (right_sign && !span_is(right->text, "{")))) {
        return false;
    }
    return true;
}

void scn_print_tokens(const struct scn_line *line, uint32_t from, uint32_t to, struct bytes *out)
{
    uint32_t depth = 0;

    for (uint32_t i = from; i < to; i++) {
        const struct scn_token *token = &line->tokens[i];

        if (token->kind == SCN_SIGN && span_is(token->text, ")") && depth > 0) {
            depth--;
        }
        if (i > from && space_between(&line->tokens[i - 1], token, depth)) {
            put(out, " ");
        }
        print_token(token, out);
        if (token->kind == SCN_SIGN && span_is(token->text, "(")) {
            depth++;
        }
    }
}

struct span scn_words(struct scn_parse *parse, uint32_t from, uint32_t to)
{
    struct bytes out;

    bytes_init(&out, &parse->scenario->pile.mem);
    scn_print_tokens(parse->line, from, to, &out);
    if (out.failed) {
        parse->failed = true;
        return (struct span){0};
    }
    return bytes_span(&out);
}

/* How many tokens stand in the first column. */
static uint32_t head_tokens(const struct scn_line *line)
{
    uint32_t count =
        line->kind == SCN_AT || line->kind == SCN_WITHIN || line->kind == SCN_EVERY ? 2 : 1;

    return count < line->token_count ? count : line->token_count;
}

static void print_line(const struct scn_line *line, struct bytes *out)
{
    size_t start = out->len;
    uint32_t head = line->indented ? 0 : head_tokens(line);

    if (line->indented && line->token_count + line->comment.len > 0) {
        bytes_fill(out, ' ', PRINT_BODY_COLUMN);
    }
    scn_print_tokens(line, 0, head, out);
    if (head > 0 && head < line->token_count) {
        size_t used = out->len - start;

        bytes_fill(out, ' ', used < PRINT_BODY_COLUMN ? PRINT_BODY_COLUMN - used : 1);
    }
    scn_print_tokens(line, head, line->token_count, out);
    if (line->comment.len > 0) {
        put(out, line->token_count > 0 ? "  " : "");
        bytes_raw(out, line->comment.at, line->comment.len);
    }
    put(out, "\n");
}

static bool line_empty(const struct scn_line *line)
{
    return line->token_count == 0 && line->comment.len == 0;
}

void scenario_print(const struct scenario *scenario, struct bytes *out)
{
    bool any = false;
    bool gap = false;

    for (uint32_t i = 0; i < scenario->line_count; i++) {
        const struct scn_line *line = &scenario->lines[i];

        if (line_empty(line)) {
            gap = any;
            continue;
        }
        if (gap) {
            put(out, "\n");
        }
        print_line(line, out);
        any = true;
        gap = false;
    }
}

void scenario_print_problem(const struct scenario *scenario, const struct scn_problem *problem,
                            struct bytes *out)
{
    char room[512];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_str(&text, scenario->file);
    text_char(&text, ':');
    text_u64(&text, problem->line);
    text_char(&text, ':');
    text_u64(&text, problem->column);
    text_str(&text, problem->warning ? ": warning: " : ": ");
    text_str(&text, problem->text);
    text_char(&text, '\n');
    bytes_raw(out, text.at, text.len);
}
