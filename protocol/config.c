#include "protocol/config.h"

#include "base/ensure.h"
#include "protocol/config_rules.h"
#include "protocol/properties.h"

#include <stddef.h>

/* -- the tables -- */

struct config_number {
    const char *key;
    size_t offset;
    int64_t initial, least, most;
};

struct config_flag {
    const char *key;
    size_t offset;
    bool initial;
};

struct config_word {
    const char *key;
    size_t offset;
    const char *initial;
};

static const struct config_number config_numbers[] = {
#define X(field, key, initial, least, most) \
    {key, offsetof(struct config, field), initial, least, most},
    CONFIG_NUMBER_MAP(X)
#undef X
};

static const struct config_flag config_flags[] = {
#define X(field, key, initial) {key, offsetof(struct config, field), initial},
    CONFIG_FLAG_MAP(X)
#undef X
};

static const struct config_word config_words[] = {
#define X(field, key, initial) {key, offsetof(struct config, field), initial},
    CONFIG_TEXT_MAP(X)
#undef X
};

static const struct config_number config_ratios[] = {
#define X(field, key, initial) {key, offsetof(struct config, field), initial, 0, 0},
    CONFIG_RATIO_MAP(X)
#undef X
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void *config_field(struct config *config, size_t offset)
{
    return (char *)config + offset;
}

static void config_defaults(struct config *config)
{
    for (size_t i = 0; i < COUNT_OF(config_numbers); i++) {
        *(int64_t *)config_field(config, config_numbers[i].offset) = config_numbers[i].initial;
    }
    for (size_t i = 0; i < COUNT_OF(config_flags); i++) {
        *(bool *)config_field(config, config_flags[i].offset) = config_flags[i].initial;
    }
    for (size_t i = 0; i < COUNT_OF(config_words); i++) {
        *(struct span *)config_field(config, config_words[i].offset) =
            span_text(config_words[i].initial);
    }
    for (size_t i = 0; i < COUNT_OF(config_ratios); i++) {
        *(int64_t *)config_field(config, config_ratios[i].offset) = config_ratios[i].initial;
    }
    config->compat = CONFIG_COMPAT_39;
    config->peer_type = MEMBER_PARTICIPANT;
    config->own_id = -1;
}

/* -- values -- */

static struct span config_nothing(void)
{
    return span_make(NULL, 0);
}

/* What config_parse works on. */
struct config_parser {
    struct config *config;
    struct config_error *error;
    struct membership_builder builder;
    struct properties properties;
    size_t text_len;      /* used of config->text */
    uint32_t others_room; /* of config->others */
};

/* Refuse the pair at hand. */
static enum err config_refuse(struct config_parser *parser, enum err err, const char *why)
{
    config_error_set(parser->error, parser->properties.pair_line, parser->properties.key, why,
                     parser->properties.value);
    return err;
}

static enum err config_take_number(struct config_parser *parser, const struct config_number *entry)
{
    char why[96];
    struct text text;
    int64_t value;

    if (text_parse_i64(parser->properties.value, &value) == ERR_FORMAT) {
        return config_refuse(parser, ERR_FORMAT, "is not a number");
    }
    if (text_parse_i64(parser->properties.value, &value) != ERR_OK || value < entry->least ||
        value > entry->most) {
        text_init(&text, why, sizeof(why));
        text_str(&text, "is not between ");
        text_i64(&text, entry->least);
        text_str(&text, " and ");
        text_i64(&text, entry->most);
        return config_refuse(parser, ERR_RANGE, why);
    }
    *(int64_t *)config_field(parser->config, entry->offset) = value;
    return ERR_OK;
}

/* Equal but for the case of ASCII letters; `word` is lower case. */
static bool config_is_word(struct span value, const char *word)
{
    if (value.len != strlen(word)) {
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.at[i];

        if (c >= 'A' && c <= 'Z') {
            c = (uint8_t)(c + ('a' - 'A'));
        }
        if (c != (uint8_t)word[i]) {
            return false;
        }
    }
    return true;
}

static enum err config_take_flag(struct config_parser *parser, const struct config_flag *entry)
{
    struct span value = parser->properties.value;
    bool *flag = config_field(parser->config, entry->offset);

    if (config_is_word(value, "true") || config_is_word(value, "yes")) {
        *flag = true;
    } else if (config_is_word(value, "false") || config_is_word(value, "no")) {
        *flag = false;
    } else {
        return config_refuse(parser, ERR_FORMAT, "is neither true nor false");
    }
    return ERR_OK;
}

/* A decimal fraction as ppm: [-]digits[.digits]; digits behind the sixth place are dropped. */
static enum err config_take_ratio(struct config_parser *parser, const struct config_number *entry)
{
    struct span value = parser->properties.value;
    bool negative = value.len > 0 && value.at[0] == '-';
    bool fraction = false;
    bool digits = false;
    int64_t ppm = 0;
    int64_t place = 1000000;

    for (size_t i = negative ? 1 : 0; i < value.len; i++) {
        uint8_t c = value.at[i];

        if (c == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (c < '0' || c > '9') {
            return config_refuse(parser, ERR_FORMAT, "is not a decimal fraction");
        }
        digits = true;
        if (fraction) {
            place /= 10;
            ppm += place * (c - '0');
        } else {
            ppm = ppm * 10 + INT64_C(1000000) * (c - '0');
            if (ppm > INT64_C(1000000000000)) {
                return config_refuse(parser, ERR_RANGE, "is too large");
            }
        }
    }
    if (!digits) {
        return config_refuse(parser, ERR_FORMAT, "is not a decimal fraction");
    }
    *(int64_t *)config_field(parser->config, entry->offset) = negative        ? -ppm
                                                              : ppm > 1000000 ? entry->initial
                                                                              : ppm;
    return ERR_OK;
}

/* A copy that lives as long as the configuration. It fits: undoing escapes never makes a text
 * longer, and each pair is kept at most once. */
static struct span config_keep(struct config_parser *parser, struct span span)
{
    uint8_t *at = parser->config->text + parser->text_len;

    ENSURE(parser->text_len + span.len <= parser->config->text_size);
    if (span.len > 0) {
        memcpy(at, span.at, span.len);
    }
    parser->text_len += span.len;
    return span_make(at, span.len);
}

static enum err config_take_other(struct config_parser *parser)
{
    struct config *config = parser->config;
    struct config_pair *pair;

    for (uint32_t i = 0; i < config->other_count; i++) {
        if (span_equal(config->others[i].key, parser->properties.key)) {
            config->others[i].value = config_keep(parser, parser->properties.value);
            config->others[i].line = parser->properties.pair_line;
            return ERR_OK;
        }
    }
    if (config->other_count == CONFIG_KEYS_MAX) {
        return config_refuse(parser, ERR_LONG, "is one key too many: at most 1024");
    }
    if (config->other_count == parser->others_room) {
        uint32_t room = parser->others_room == 0 ? 8 : 2 * parser->others_room;
        struct config_pair *others =
            mem_grow(config->mem, config->others, parser->others_room * sizeof(*others),
                     room * sizeof(*others));

        if (others == NULL) {
            return ERR_MEMORY;
        }
        config->others = others;
        parser->others_room = room;
    }
    pair = &config->others[config->other_count++];
    pair->key = config_keep(parser, parser->properties.key);
    pair->value = config_keep(parser, parser->properties.value);
    pair->line = parser->properties.pair_line;
    return ERR_OK;
}

/* -- pairs -- */

static enum err config_take_special(struct config_parser *parser, struct span key, bool *taken)
{
    struct config *config = parser->config;
    struct span value = parser->properties.value;

    *taken = true;
    if (span_is(key, "peerType")) {
        if (config_is_word(value, "observer")) {
            config->peer_type = MEMBER_OBSERVER;
        } else if (config_is_word(value, "participant")) {
            config->peer_type = MEMBER_PARTICIPANT;
        } else {
            return config_refuse(parser, ERR_FORMAT, "is neither observer nor participant");
        }
        config->has_peer_type = true;
        return ERR_OK;
    }
    if (span_is(key, "terrarium.compat")) {
        if (span_is(value, "3.8")) {
            config->compat = CONFIG_COMPAT_38;
        } else if (span_is(value, "3.9")) {
            config->compat = CONFIG_COMPAT_39;
        } else {
            return config_refuse(parser, ERR_FORMAT, "is neither 3.8 nor 3.9");
        }
        return ERR_OK;
    }
    if (span_is(key, "myid")) {
        int64_t id;

        if (text_parse_i64(value, &id) != ERR_OK || id < 0 || id == INT64_MAX) {
            return config_refuse(parser, ERR_FORMAT, "is not a server id");
        }
        config->own_id = id;
        return ERR_OK;
    }
    *taken = false;
    return ERR_OK;
}

static enum err config_take_table(struct config_parser *parser, struct span key, bool *taken)
{
    *taken = true;
    for (size_t i = 0; i < COUNT_OF(config_numbers); i++) {
        if (span_is(key, config_numbers[i].key)) {
            return config_take_number(parser, &config_numbers[i]);
        }
    }
    for (size_t i = 0; i < COUNT_OF(config_flags); i++) {
        if (span_is(key, config_flags[i].key)) {
            return config_take_flag(parser, &config_flags[i]);
        }
    }
    for (size_t i = 0; i < COUNT_OF(config_ratios); i++) {
        if (span_is(key, config_ratios[i].key)) {
            return config_take_ratio(parser, &config_ratios[i]);
        }
    }
    for (size_t i = 0; i < COUNT_OF(config_words); i++) {
        if (span_is(key, config_words[i].key)) {
            *(struct span *)config_field(parser->config, config_words[i].offset) =
                config_keep(parser, parser->properties.value);
            return ERR_OK;
        }
    }
    *taken = false;
    return ERR_OK;
}

/* A key as the tables have it: "zookeeper.snapCount" is snapCount. */
static struct span config_plain_key(struct span key)
{
    static const char prefix[] = "zookeeper.";
    size_t len = sizeof(prefix) - 1;

    if (key.len > len && memcmp(key.at, prefix, len) == 0) {
        return span_make(key.at + len, key.len - len);
    }
    return key;
}

static enum err config_take_pair(struct config_parser *parser)
{
    struct span key = config_plain_key(parser->properties.key);
    bool taken;
    enum err err;

    if (parser->properties.value.len > CONFIG_VALUE_MAX) {
        parser->properties.value = config_nothing();
        return config_refuse(parser, ERR_LONG, "is longer than 8192 bytes");
    }
    err =
        membership_builder_take(&parser->builder, parser->properties.key, parser->properties.value,
                                parser->properties.pair_line, parser->error, &taken);
    if (err == ERR_OK && !taken) {
        err = config_take_special(parser, key, &taken);
    }
    if (err == ERR_OK && !taken) {
        err = config_take_table(parser, key, &taken);
    }
    if (err == ERR_OK && !taken) {
        err = config_take_other(parser);
    }
    return err;
}

static enum err config_take_all(struct config_parser *parser)
{
    enum err err;

    while ((err = properties_next(&parser->properties)) == ERR_OK) {
        err = config_take_pair(parser);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (err == ERR_FORMAT) {
        config_error_set(parser->error, parser->properties.pair_line, span_text(""),
                         "malformed \\u escape", config_nothing());
    }
    return err == ERR_MISSING ? ERR_OK : err;
}

static enum err config_parse_all(struct config_parser *parser)
{
    struct config *config = parser->config;
    enum err err = config_take_all(parser);

    if (err == ERR_OK && membership_builder_servers(&parser->builder) > 0) {
        err = membership_build(&parser->builder, &config->membership, parser->error);
        config->has_membership = err == ERR_OK;
    }
    if (err != ERR_OK) {
        return err;
    }
    config_resolve(config);
    err = config_check_pairs(config, parser->error);
    if (err == ERR_OK) {
        err = config_check_membership(config, parser->error);
    }
    if (err == ERR_OK && config->own_id >= 0 && config->has_membership) {
        err = config_check(config, parser->error);
    }
    return err;
}

/* The array of others fits its count, so that config_drop knows its size. */
static enum err config_fit_others(struct config_parser *parser)
{
    struct config *config = parser->config;
    size_t size = sizeof(*config->others);
    struct config_pair *others;

    if (parser->others_room == config->other_count) {
        return ERR_OK;
    }
    others = mem_grow(config->mem, config->others, parser->others_room * size,
                      config->other_count * size);
    if (others == NULL) {
        return ERR_MEMORY;
    }
    config->others = others;
    parser->others_room = config->other_count;
    return ERR_OK;
}

enum err config_parse(struct config *config, struct mem *mem, struct span text,
                      struct config_error *error)
{
    struct config made = {.mem = mem, .text_size = text.len + 1};
    struct config_parser parser = {.config = &made, .error = error};
    enum err err;

    if (text.len > CONFIG_TEXT_MAX) {
        return config_complain(error, ERR_LONG, "", "the file is longer than 65536 bytes");
    }
    made.text = mem_get(mem, made.text_size);
    if (made.text == NULL) {
        return config_complain(error, ERR_MEMORY, "", "out of memory");
    }
    config_defaults(&made);
    membership_builder_init(&parser.builder, mem);
    properties_init(&parser.properties, mem, text);
    err = config_parse_all(&parser);
    if (err == ERR_OK) {
        err = config_fit_others(&parser);
    }
    properties_drop(&parser.properties);
    membership_builder_drop(&parser.builder);
    if (err == ERR_MEMORY) {
        (void)config_complain(error, ERR_MEMORY, "", "out of memory");
    }
    if (err != ERR_OK) {
        mem_put(mem, made.others, parser.others_room * sizeof(*made.others));
        made.others = NULL;
        made.other_count = 0;
        config_drop(&made);
        return err;
    }
    *config = made;
    return ERR_OK;
}

void config_drop(struct config *config)
{
    if (config == NULL || config->mem == NULL) {
        return;
    }
    membership_drop(&config->membership);
    mem_put(config->mem, config->others, config->other_count * sizeof(*config->others));
    mem_put(config->mem, config->text, config->text_size);
    *config = (struct config){0};
}

enum err config_set_id(struct config *config, struct span myid, struct config_error *error)
{
    int64_t id;

    if (text_parse_i64(properties_trim(myid), &id) != ERR_OK || id < 0 || id == INT64_MAX) {
        config_error_set(error, 0, span_text("myid"), "is not a server id", myid);
        return ERR_FORMAT;
    }
    config->own_id = id;
    return config_check(config, error);
}

enum err config_set_membership(struct config *config, struct span text, uint64_t version,
                               struct config_error *error)
{
    struct membership membership;
    enum err err = membership_parse(&membership, config->mem, text, error);

    if (err != ERR_OK) {
        return err;
    }
    membership.version = version;
    membership_drop(&config->membership);
    config->membership = membership;
    config->has_membership = true;
    config_resolve(config);
    return config_check_membership(config, error);
}

const struct member *config_own(const struct config *config)
{
    return config->standalone ? NULL : membership_find(&config->membership, config->own_id);
}

void config_client_address(const struct config *config, struct text *out)
{
    const struct member *own = config_own(config);
    struct span host = config->client_address;
    bool in_brackets;

    if (own != NULL && own->client.len > 0) {
        text_span(out, own->client);
        return;
    }
    if (config->client_port == 0) {
        return;
    }
    host = host.len > 0 ? host : span_text("0.0.0.0");
    in_brackets = host.at[0] != '[' && memchr(host.at, ':', host.len) != NULL;
    text_str(out, in_brackets ? "[" : "");
    text_span(out, host);
    text_str(out, in_brackets ? "]:" : ":");
    text_i64(out, config->client_port);
}

struct span config_other(const struct config *config, const char *key)
{
    for (uint32_t i = 0; i < config->other_count; i++) {
        if (span_is(config->others[i].key, key)) {
            return config->others[i].value;
        }
    }
    return span_make("", 0);
}
