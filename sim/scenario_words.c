#include "sim/scenario_in.h"

#include "base/ensure.h"

#define NEAR_WORD_MAX 40u

void *scn_get(struct scn_parse *parse, size_t size)
{
    void *at = mem_get_zero(&parse->scenario->pile.mem, size);

    if (at == NULL) {
        parse->failed = true;
    }
    return at;
}

/* ---- near words ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t scn_distance(struct span a, struct span b)
{
    /* Three rows of the usual table: two back for swapped neighbours. */
    uint32_t rows[3][NEAR_WORD_MAX + 1];

    if (a.len > NEAR_WORD_MAX || b.len > NEAR_WORD_MAX) {
        return 99;
    }
    for (uint32_t j = 0; j <= b.len; j++) {
        rows[0][j] = j;
    }
    for (uint32_t i = 1; i <= a.len; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3];

        row[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            bool same = a.at[i - 1] == b.at[j - 1];

            row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1]) {
                row[j] = least(row[j], rows[(i + 1) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a.len % 3][b.len];
}

void scn_near_init(struct scn_near *near, struct span word)
{
    *near = (struct scn_near){.word = word, .distance = 99};
}

void scn_near_try_span(struct scn_near *near, struct span candidate)
{
    uint32_t distance = scn_distance(near->word, candidate);

    /* The beginning of a longer word is near to it. */
    if (near->word.len >= 3 && near->word.len < candidate.len &&
        memcmp(near->word.at, candidate.at, near->word.len) == 0) {
        distance = 1;
    }
    if (distance < near->distance) {
        near->distance = distance;
        near->best = candidate;
    }
}

void scn_near_try(struct scn_near *near, const char *candidate)
{
    scn_near_try_span(near, span_text(candidate));
}

void scn_near_try_words(struct scn_near *near, const char *words)
{
    const char *start = words;

    for (const char *c = words; start != NULL; c++) {
        if (*c == '|' || *c == 0) {
            scn_near_try_span(near, span_make(start, (size_t)(c - start)));
            start = *c == 0 ? NULL : c + 1;
        }
    }
}

bool scn_near_found(const struct scn_near *near)
{
    size_t len = near->word.len > near->best.len ? near->word.len : near->best.len;

    return near->best.len > 0 && near->distance <= len / 3 + 1 && near->distance < len;
}

uint32_t scn_choice(const char *words, struct span word)
{
    uint32_t index = 0;
    const char *start = words;

    for (const char *c = words; words != NULL; c++) {
        if (*c != '|' && *c != 0) {
            continue;
        }
        if (span_equal(span_make(start, (size_t)(c - start)), word)) {
            return index;
        }
        if (*c == 0) {
            break;
        }
        start = c + 1;
        index++;
    }
    return SCN_NONE;
}

/* ---- messages ---- */

static struct scn_problem *problem_add(struct scn_parse *parse, uint32_t column, bool warning)
{
    struct scenario *scenario = parse->scenario;
    struct scn_problem *problem;

    if (!warning) {
        scenario->error_count++;
    }
    if (scenario->problem_count == SCN_PROBLEMS_MAX) {
        return NULL;
    }
    problem = &scenario->problems[scenario->problem_count++];
    *problem = (struct scn_problem){
        .line = parse->line == NULL ? 1 : parse->line->number,
        .column = column,
        .warning = warning,
    };
    return problem;
}

static void text_token(struct text *text, const struct scn_token *token)
{
    text_char(text, '"');
    if (token->kind == SCN_KEYED) {
        text_quoted(text, token->key);
        text_char(text, '=');
    }
    text_quoted(text, token->text);
    text_char(text, '"');
}

bool scn_expected(struct scn_parse *parse, const char *what, const struct scn_near *near)
{
    const struct scn_token *token = scn_peek(parse);
    const struct scn_token *last = NULL;
    struct scn_problem *problem;
    struct text text;
    uint32_t column = 1;

    if (token != NULL) {
        column = token->column;
    } else if (parse->line->token_count > 0) {
        last = &parse->line->tokens[parse->line->token_count - 1];
        column = last->column + (uint32_t)last->text.len +
                 (last->kind == SCN_KEYED ? (uint32_t)last->key.len + 1 : 0) +
                 (last->kind == SCN_QUOTED || last->quoted ? 2 : 0);
    }
    problem = problem_add(parse, column, false);
    if (problem == NULL) {
        return false;
    }
    text_init(&text, problem->text, sizeof(problem->text));
    text_str(&text, "expected ");
    text_str(&text, what);
    text_str(&text, ", found ");
    if (token == NULL) {
        text_str(&text, "the end of the line");
    } else {
        text_token(&text, token);
    }
    if (near != NULL && scn_near_found(near)) {
        text_str(&text, "; nearest: \"");
        text_span(&text, near->best);
        text_char(&text, '"');
    }
    return false;
}

static void problem_say(struct scn_problem *problem, const char *what, struct span about)
{
    struct text text;

    if (problem == NULL) {
        return;
    }
    text_init(&text, problem->text, sizeof(problem->text));
    text_str(&text, what);
    if (about.len > 0) {
        text_char(&text, '"');
        text_quoted(&text, about);
        text_char(&text, '"');
    }
}

bool scn_wrong(struct scn_parse *parse, uint32_t column, const char *what, struct span about)
{
    problem_say(problem_add(parse, column, false), what, about);
    return false;
}

void scn_warn(struct scn_parse *parse, uint32_t column, const char *what, struct span about)
{
    problem_say(problem_add(parse, column, true), what, about);
}

/* ---- tokens ---- */

const struct scn_token *scn_peek(const struct scn_parse *parse)
{
    return parse->at < parse->line->token_count ? &parse->line->tokens[parse->at] : NULL;
}

static bool at_token(const struct scn_parse *parse, enum scn_token_kind kind, const char *text)
{
    const struct scn_token *token = scn_peek(parse);

    return token != NULL && token->kind == kind && span_is(token->text, text);
}

bool scn_at_word(const struct scn_parse *parse, const char *word)
{
    return at_token(parse, SCN_WORD, word);
}

bool scn_at_sign(const struct scn_parse *parse, const char *sign)
{
    return at_token(parse, SCN_SIGN, sign);
}

bool scn_take_word(struct scn_parse *parse, const char *word)
{
    bool found = scn_at_word(parse, word);

    parse->at += found ? 1 : 0;
    return found;
}

bool scn_take_sign(struct scn_parse *parse, const char *sign)
{
    bool found = scn_at_sign(parse, sign);

    parse->at += found ? 1 : 0;
    return found;
}

bool scn_line_end(struct scn_parse *parse)
{
    return scn_peek(parse) == NULL || scn_expected(parse, "the end of the line", NULL);
}

/* ---- names ---- */

uint32_t scn_name_find(const struct scenario *scenario, struct span text)
{
    for (uint32_t i = 0; i < scenario->name_count; i++) {
        if (span_equal(scenario->names[i].text, text)) {
            return i;
        }
    }
    return SCN_NONE;
}

uint32_t scn_name_add(struct scn_parse *parse, struct span text, enum scn_name_kind kind,
                      uint32_t index)
{
    struct scenario *scenario = parse->scenario;
    uint32_t found = scn_name_find(scenario, text);

    if (found != SCN_NONE) {
        return found;
    }
    if (scenario->name_count == SCN_NAMES_MAX) {
        return SCN_NONE;
    }
    scenario->names[scenario->name_count] = (struct scn_name){
        .text = text,
        .kind = kind,
        .index = index,
        .line = parse->line == NULL ? 0 : parse->line->number,
    };
    return scenario->name_count++;
}

bool scn_name_shape(struct span text)
{
    uint8_t first;
    uint8_t last;

    if (text.len == 0 || text.len > 31) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-')) {
            return false;
        }
    }
    first = text.at[0];
    last = text.at[text.len - 1];
    if (first >= 'A' && first <= 'Z') {
        return true;
    }
    return first >= 'a' && first <= 'z' && last >= '0' && last <= '9';
}
