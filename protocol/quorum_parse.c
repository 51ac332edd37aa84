/* The builder of memberships: from the pairs of a configuration text to a checked membership. */
#include "protocol/quorum.h"

#include "base/ensure.h"
#include "protocol/properties.h"

enum pair_kind {
    PAIR_SERVER,
    PAIR_GROUP,
    PAIR_WEIGHT
};

struct membership_pair {
    enum pair_kind kind;
    uint32_t line;
    int64_t id;
    size_t offset; /* of the value in builder->values */
    size_t len;
};

#define PAIRS_MAX  (3u * MEMBERS_MAX)
#define GROUP_NONE UINT32_MAX

void config_error_set(struct config_error *error, uint32_t line, struct span key, const char *why,
                      struct span value)
{
    struct text text;

    if (error == NULL) {
        return;
    }
    error->line = line;
    text_init(&text, error->key, sizeof(error->key));
    text_span(&text, key);
    text_init(&text, error->why, sizeof(error->why));
    text_str(&text, why);
    if (value.at != NULL) {
        text_str(&text, ": \"");
        text_quoted(&text, value);
        text_char(&text, '"');
    }
}

void config_error_print(const struct config_error *error, struct text *text)
{
    if (error->line != 0) {
        text_str(text, "line ");
        text_u64(text, error->line);
        text_str(text, ": ");
    }
    if (error->key[0] != '\0') {
        text_quoted(text, span_text(error->key));
        text_str(text, ": ");
    }
    text_str(text, error->why);
}

/* -- collecting -- */

void membership_builder_init(struct membership_builder *builder, struct mem *mem)
{
    *builder = (struct membership_builder){.mem = mem};
    bytes_init(&builder->values, mem);
}

void membership_builder_drop(struct membership_builder *builder)
{
    bytes_drop(&builder->values);
    mem_put(builder->mem, builder->pairs, builder->room * sizeof(*builder->pairs));
    builder->pairs = NULL;
    builder->room = 0;
    builder->count = 0;
}

static bool builder_has_prefix(struct span key, const char *prefix, struct span *rest)
{
    size_t len = strlen(prefix);

    if (key.len < len || memcmp(key.at, prefix, len) != 0) {
        return false;
    }
    *rest = span_make(key.at + len, key.len - len);
    return true;
}

/* The pair of this key, made when it is new; NULL when there is no room. */
static struct membership_pair *builder_slot(struct membership_builder *builder, enum pair_kind kind,
                                            int64_t id)
{
    for (uint32_t i = 0; i < builder->count; i++) {
        if (builder->pairs[i].kind == kind && builder->pairs[i].id == id) {
            return &builder->pairs[i];
        }
    }
    if (builder->count == builder->room) {
        uint32_t room = builder->room == 0 ? 8 : 2 * builder->room;
        struct membership_pair *pairs = mem_grow(
            builder->mem, builder->pairs, builder->room * sizeof(*pairs), room * sizeof(*pairs));

        if (pairs == NULL) {
            return NULL;
        }
        builder->pairs = pairs;
        builder->room = room;
    }
    builder->pairs[builder->count] = (struct membership_pair){.kind = kind, .id = id};
    return &builder->pairs[builder->count++];
}

enum err membership_builder_take(struct membership_builder *builder, struct span key,
                                 struct span value, uint32_t line, struct config_error *error,
                                 bool *taken)
{
    struct membership_pair *pair;
    enum pair_kind kind;
    struct span rest;
    int64_t id;

    *taken = true;
    if (span_is(key, "version")) {
        if (text_parse_hex(value, &builder->version) != ERR_OK) {
            config_error_set(error, line, key, "is not a hexadecimal number", value);
            return ERR_FORMAT;
        }
        builder->has_version = true;
        return ERR_OK;
    }
    if (builder_has_prefix(key, "server.", &rest)) {
        kind = PAIR_SERVER;
    } else if (builder_has_prefix(key, "group.", &rest)) {
        kind = PAIR_GROUP;
    } else if (builder_has_prefix(key, "weight.", &rest)) {
        kind = PAIR_WEIGHT;
    } else {
        *taken = false;
        return ERR_OK;
    }
    if (text_parse_i64(rest, &id) != ERR_OK || id < 0 || id == INT64_MAX) {
        config_error_set(error, line, key, "has no valid id behind its dot", span_make(NULL, 0));
        return ERR_FORMAT;
    }
    if (value.len > MEMBER_LINE_MAX) {
        config_error_set(error, line, key, "is longer than 1024 bytes", span_make(NULL, 0));
        return ERR_LONG;
    }
    if (builder->count >= PAIRS_MAX) {
        config_error_set(error, line, key, "is one too many: at most 64 servers",
                         span_make(NULL, 0));
        return ERR_LONG;
    }
    pair = builder_slot(builder, kind, id);
    if (pair == NULL) {
        return ERR_MEMORY;
    }
    pair->line = line;
    pair->offset = builder->values.len;
    pair->len = value.len;
    bytes_raw(&builder->values, value.at, value.len);
    return builder->values.failed ? ERR_MEMORY : ERR_OK;
}

static uint32_t builder_count(const struct membership_builder *builder, enum pair_kind kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < builder->count; i++) {
        count += builder->pairs[i].kind == kind ? 1 : 0;
    }
    return count;
}

uint32_t membership_builder_servers(const struct membership_builder *builder)
{
    return builder_count(builder, PAIR_SERVER);
}

static struct span builder_value(const struct membership_builder *builder,
                                 const struct membership_pair *pair)
{
    return pair->len == 0 ? span_make("", 0)
                          : span_make(builder->values.at + pair->offset, pair->len);
}

/* -- putting together -- */

/* What membership_build works on. */
struct build {
    const struct membership_builder *builder;
    struct membership *membership;
    struct config_error *error;
    const struct membership_pair *at; /* the pair at hand */
};

static enum err build_fail(struct build *build, const char *prefix, const char *why)
{
    char key[40];
    struct text text;

    text_init(&text, key, sizeof(key));
    text_str(&text, prefix);
    text_i64(&text, build->at->id);
    config_error_set(build->error, build->at->line, span_make(key, text.len), why,
                     builder_value(build->builder, build->at));
    return ERR_FORMAT;
}

/* The pair of `kind` with the least id above `above` (first: -1), or NULL. */
static const struct membership_pair *build_next(const struct membership_builder *builder,
                                                enum pair_kind kind, int64_t above)
{
    const struct membership_pair *best = NULL;

    for (uint32_t i = 0; i < builder->count; i++) {
        const struct membership_pair *pair = &builder->pairs[i];

        if (pair->kind == kind && pair->id > above && (best == NULL || pair->id < best->id)) {
            best = pair;
        }
    }
    return best;
}

static enum err build_members(struct build *build)
{
    struct membership *membership = build->membership;
    struct text text;
    int64_t above = -1;

    text_init(&text, (char *)membership->text, membership->text_size);
    for (uint32_t i = 0; i < membership->count; i++) {
        struct member *member = &membership->members[i];
        const char *why;

        build->at = build_next(build->builder, PAIR_SERVER, above);
        ENSURE(build->at != NULL);
        above = build->at->id;
        *member = (struct member){.sid = above, .weight = 1, .group = GROUP_NONE};
        why = member_parse(member, builder_value(build->builder, build->at), &text);
        if (why != NULL) {
            return build_fail(build, "server.", why);
        }
        if (member->role == MEMBER_PARTICIPANT) {
            membership->voters |= UINT64_C(1) << i;
            membership->voter_count++;
        }
    }
    ENSURE(!text.cut);
    return ERR_OK;
}

static enum err build_group_members(struct build *build, uint32_t group)
{
    struct membership *membership = build->membership;
    struct span rest = builder_value(build->builder, build->at);

    for (;;) {
        struct span word = rest;
        const uint8_t *colon = rest.len == 0 ? NULL : memchr(rest.at, ':', rest.len);
        uint32_t index;
        int64_t sid;

        if (colon != NULL) {
            word.len = (size_t)(colon - rest.at);
        }
        if (text_parse_i64(properties_trim(word), &sid) != ERR_OK) {
            return build_fail(build, "group.", "is not a list of ids with colons between");
        }
        index = membership_index(membership, sid);
        if (index == MEMBERS_MAX || membership->members[index].role != MEMBER_PARTICIPANT) {
            return build_fail(build, "group.", "names an id that is no participant");
        }
        if (membership->members[index].group != GROUP_NONE) {
            return build_fail(build, "group.", "names a server that is in a group already");
        }
        membership->members[index].group = group;
        membership->groups[group].bits |= UINT64_C(1) << index;
        if (colon == NULL) {
            return ERR_OK;
        }
        rest.at += word.len + 1;
        rest.len -= word.len + 1;
    }
}

static enum err build_groups(struct build *build)
{
    int64_t above = -1;

    for (uint32_t i = 0; i < build->membership->group_count; i++) {
        enum err err;

        build->at = build_next(build->builder, PAIR_GROUP, above);
        ENSURE(build->at != NULL);
        above = build->at->id;
        build->membership->groups[i] = (struct member_group){.id = above};
        err = build_group_members(build, i);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err build_weights(struct build *build)
{
    struct membership *membership = build->membership;
    int64_t above = -1;

    while ((build->at = build_next(build->builder, PAIR_WEIGHT, above)) != NULL) {
        uint32_t index = membership_index(membership, build->at->id);
        uint64_t weight;

        above = build->at->id;
        if (index == MEMBERS_MAX) {
            return build_fail(build, "weight.", "belongs to no server line");
        }
        if (text_parse_u64(builder_value(build->builder, build->at), &weight) != ERR_OK ||
            weight > MEMBER_WEIGHT_MAX) {
            return build_fail(build, "weight.", "is not a number in 0..2147483647");
        }
        membership->members[index].weight = weight;
        membership->members[index].has_weight = true;
    }
    return ERR_OK;
}

/* Every participant in a group, sums of the groups. */
static enum err build_hierarchy(struct build *build)
{
    struct membership *membership = build->membership;
    enum err err = build_groups(build);

    if (err == ERR_OK) {
        err = build_weights(build);
    }
    if (err != ERR_OK) {
        return err;
    }
    for (uint32_t i = 0; i < membership->count; i++) {
        struct member *member = &membership->members[i];

        if (member->role != MEMBER_PARTICIPANT) {
            continue;
        }
        if (member->group == GROUP_NONE) {
            config_error_set(build->error, 0, span_text("group"),
                             "a participant is in no group: its line is", member->line);
            return ERR_FORMAT;
        }
        member->has_weight = true;
        membership->groups[member->group].weight += member->weight;
    }
    for (uint32_t i = 0; i < membership->group_count; i++) {
        membership->weighted_groups += membership->groups[i].weight > 0 ? 1 : 0;
    }
    return ERR_OK;
}

static enum err build_all(struct build *build)
{
    struct membership *membership = build->membership;
    size_t text_size = 1;
    enum err err;

    for (uint32_t i = 0; i < build->builder->count; i++) {
        const struct membership_pair *pair = &build->builder->pairs[i];

        text_size += pair->kind == PAIR_SERVER ? member_text_max(pair->len) : 0;
    }
    membership->text = mem_get(membership->mem, text_size);
    if (membership->text == NULL) {
        return ERR_MEMORY;
    }
    membership->text_size = text_size;
    membership->members =
        mem_get_zero(membership->mem, membership->count * sizeof(*membership->members));
    if (membership->members == NULL) {
        return ERR_MEMORY;
    }
    if (membership->group_count > 0) {
        membership->groups =
            mem_get_zero(membership->mem, membership->group_count * sizeof(*membership->groups));
        if (membership->groups == NULL) {
            return ERR_MEMORY;
        }
    }
    err = build_members(build);
    return err == ERR_OK && membership->hierarchical ? build_hierarchy(build) : err;
}

enum err membership_build(struct membership_builder *builder, struct membership *membership,
                          struct config_error *error)
{
    uint32_t weights = builder_count(builder, PAIR_WEIGHT);
    struct membership made = {
        .mem = builder->mem,
        .version = builder->version,
        .count = builder_count(builder, PAIR_SERVER),
        .group_count = builder_count(builder, PAIR_GROUP),
    };
    struct build build = {.builder = builder, .membership = &made, .error = error};
    enum err err;

    made.hierarchical = made.group_count > 0 || weights > 0;
    if (made.count == 0) {
        config_error_set(error, 0, span_text("server"), "there is no server line",
                         span_make(NULL, 0));
        return ERR_FORMAT;
    }
    if (made.count > MEMBERS_MAX || made.group_count > MEMBER_GROUPS_MAX) {
        config_error_set(error, 0, span_text("server"), "more than 64 servers or groups",
                         span_make(NULL, 0));
        return ERR_LONG;
    }
    err = build_all(&build);
    if (err != ERR_OK) {
        if (err == ERR_MEMORY) {
            config_error_set(error, 0, span_text(""), "out of memory", span_make(NULL, 0));
        }
        membership_drop(&made);
        return err;
    }
    *membership = made;
    return ERR_OK;
}

static enum err membership_parse_pairs(struct membership_builder *builder,
                                       struct properties *properties, struct config_error *error)
{
    enum err err;

    while ((err = properties_next(properties)) == ERR_OK) {
        bool taken;

        err = membership_builder_take(builder, properties->key, properties->value,
                                      properties->pair_line, error, &taken);
        if (err != ERR_OK) {
            return err;
        }
        if (!taken) {
            config_error_set(error, properties->pair_line, properties->key,
                             "does not belong into a membership", span_make(NULL, 0));
            return ERR_FORMAT;
        }
    }
    if (err == ERR_FORMAT) {
        config_error_set(error, properties->pair_line, span_text(""), "malformed \\u escape",
                         span_make(NULL, 0));
    }
    return err == ERR_MISSING ? ERR_OK : err;
}

enum err membership_parse(struct membership *membership, struct mem *mem, struct span text,
                          struct config_error *error)
{
    struct membership_builder builder;
    struct properties properties;
    enum err err;

    membership_builder_init(&builder, mem);
    properties_init(&properties, mem, text);
    err = membership_parse_pairs(&builder, &properties, error);
    if (err == ERR_OK) {
        err = membership_build(&builder, membership, error);
    }
    properties_drop(&properties);
    membership_builder_drop(&builder);
    return err;
}
