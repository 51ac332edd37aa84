#include "sim/scenario_in.h"

struct lex {
    struct scn_parse *parse;
    struct span text;
    size_t at;
    uint32_t depth; /* of parentheses */
    struct scn_token tokens[SCN_TOKENS_MAX];
    uint32_t count;
};

static bool lex_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool lex_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool lex_name_char(uint8_t c)
{
    return lex_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static uint8_t lex_char(const struct lex *lex, size_t ahead)
{
    return lex->at + ahead < lex->text.len ? lex->text.at[lex->at + ahead] : 0;
}

/* Length of the sign at the cursor, 0 when there is none. */
static size_t lex_sign(const struct lex *lex)
{
    uint8_t c = lex_char(lex, 0);
    uint8_t next = lex_char(lex, 1);

    if (c == '<' && next == '-' && lex_char(lex, 2) == '>') {
        return 3;
    }
    if ((c == '-' && next == '>') || ((c == '=' || c == '!') && next == '=')) {
        return 2;
    }
    if (c == '(' || c == ')' || c == '{' || c == '}' || c == ',' || c == '|') {
        return 1;
    }
    if (lex->depth > 0 && (c == '<' || c == '>')) {
        return next == '=' ? 2 : 1;
    }
    return lex->depth > 0 && c == '=' ? 1 : 0;
}

static struct scn_token *lex_push(struct lex *lex, enum scn_token_kind kind, size_t start)
{
    struct scn_token *token;

    if (lex->count == SCN_TOKENS_MAX) {
        scn_wrong(lex->parse, (uint32_t)start + 1, "expected at most 128 words in a line, found ",
                  span_text("more"));
        return NULL;
    }
    token = &lex->tokens[lex->count++];
    *token = (struct scn_token){.kind = kind, .column = (uint32_t)start + 1};
    return token;
}

/* The text between quotes; the cursor stands on the first one. */
static bool lex_quoted(struct lex *lex, struct span *text)
{
    size_t start = lex->at;

    lex->at++;
    while (lex->at < lex->text.len && lex->text.at[lex->at] != '"') {
        lex->at += lex->text.at[lex->at] == '\\' ? 2 : 1;
    }
    if (lex->at >= lex->text.len) {
        return scn_wrong(lex->parse, (uint32_t)start + 1, "expected a closing quote behind ",
                         span_make(lex->text.at + start, lex->text.len - start));
    }
    *text = span_make(lex->text.at + start + 1, lex->at - start - 1);
    lex->at++;
    if (lex->at < lex->text.len && !lex_space(lex_char(lex, 0)) && lex_sign(lex) == 0) {
        return scn_wrong(lex->parse, (uint32_t)lex->at + 1,
                         "expected a space after the closing quote, found ",
                         span_make(lex->text.at + lex->at, 1));
    }
    return true;
}

/* Length of `name=` at the cursor, 0 when there is none. */
static size_t lex_key(const struct lex *lex)
{
    size_t len = 0;

    if (lex->depth > 0 || !lex_letter(lex_char(lex, 0))) {
        return 0;
    }
    while (lex_name_char(lex_char(lex, len))) {
        len++;
    }
    return lex_char(lex, len) == '=' && lex_char(lex, len + 1) != '=' ? len : 0;
}

static bool lex_keyed(struct lex *lex, size_t key_len)
{
    struct scn_token *token = lex_push(lex, SCN_KEYED, lex->at);
    size_t start;

    if (token == NULL) {
        return false;
    }
    token->key = span_make(lex->text.at + lex->at, key_len);
    lex->at += key_len + 1;
    if (lex_char(lex, 0) == '"') {
        token->quoted = true;
        return lex_quoted(lex, &token->text);
    }
    start = lex->at;
    while (lex->at < lex->text.len && !lex_space(lex_char(lex, 0)) && lex_char(lex, 0) != '"') {
        lex->at++;
    }
    token->text = span_make(lex->text.at + start, lex->at - start);
    return true;
}

static bool lex_word(struct lex *lex)
{
    size_t start = lex->at;
    struct scn_token *token = lex_push(lex, SCN_WORD, start);

    if (token == NULL) {
        return false;
    }
    while (lex->at < lex->text.len && !lex_space(lex_char(lex, 0)) && lex_char(lex, 0) != '"' &&
           lex_sign(lex) == 0) {
        lex->at++;
    }
    token->text = span_make(lex->text.at + start, lex->at - start);
    return true;
}

static bool lex_next(struct lex *lex)
{
    size_t len = lex_sign(lex);
    struct scn_token *token;

    if (lex_char(lex, 0) == '"') {
        token = lex_push(lex, SCN_QUOTED, lex->at);
        return token != NULL && lex_quoted(lex, &token->text);
    }
    if (len > 0) {
        token = lex_push(lex, SCN_SIGN, lex->at);
        if (token == NULL) {
            return false;
        }
        token->text = span_make(lex->text.at + lex->at, len);
        if (span_is(token->text, "(")) {
            lex->depth++;
        } else if (span_is(token->text, ")") && lex->depth > 0) {
            lex->depth--;
        }
        lex->at += len;
        return true;
    }
    len = lex_key(lex);
    return len > 0 ? lex_keyed(lex, len) : lex_word(lex);
}

/* The comment from the cursor on, without spaces at its end. */
static struct span lex_comment(const struct lex *lex)
{
    size_t end = lex->text.len;

    while (end > lex->at && lex_space(lex->text.at[end - 1])) {
        end--;
    }
    return span_make(lex->text.at + lex->at, end - lex->at);
}

static bool lex_check_bytes(struct lex *lex)
{
    for (size_t at = 0; at < lex->text.len; at++) {
        uint8_t c = lex->text.at[at];

        if ((c < 0x20 && !lex_space(c)) || c == 0x7f) {
            return scn_wrong(lex->parse, (uint32_t)at + 1, "expected text, found a control byte ",
                             span_make(lex->text.at + at, 1));
        }
    }
    return true;
}

bool scn_lex(struct scn_parse *parse, struct span text, struct scn_line *line)
{
    struct lex lex = {.parse = parse, .text = text};
    struct scn_token *kept;

    if (!lex_check_bytes(&lex)) {
        return false;
    }
    line->indented = text.len > 0 && lex_space(text.at[0]);
    for (;;) {
        while (lex_space(lex_char(&lex, 0))) {
            lex.at++;
        }
        if (lex.at >= text.len) {
            break;
        }
        if (lex_char(&lex, 0) == '#') {
            line->comment = lex_comment(&lex);
            break;
        }
        if (!lex_next(&lex)) {
            return false;
        }
    }
    if (lex.count == 0) {
        return true;
    }
    kept = scn_get(parse, lex.count * sizeof(*kept));
    if (kept == NULL) {
        return false;
    }
    memcpy(kept, lex.tokens, lex.count * sizeof(*kept));
    line->tokens = kept;
    line->token_count = lex.count;
    return true;
}
