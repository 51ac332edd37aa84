#include "protocol/quorum.h"

#include "base/bits.h"
#include "base/ensure.h"

void membership_drop(struct membership *membership)
{
    if (membership == NULL || membership->mem == NULL) {
        return;
    }
    mem_put(membership->mem, membership->members, membership->count * sizeof(*membership->members));
    mem_put(membership->mem, membership->groups,
            membership->group_count * sizeof(*membership->groups));
    mem_put(membership->mem, membership->text, membership->text_size);
    *membership = (struct membership){0};
}

enum err membership_copy(struct membership *to, const struct membership *from, struct mem *mem)
{
    struct bytes text;
    enum err err;

    bytes_init(&text, mem);
    membership_print(from, &text);
    err = text.failed ? ERR_MEMORY : membership_parse(to, mem, bytes_span(&text), NULL);
    ENSURE(err == ERR_OK || err == ERR_MEMORY); /* what we print, we parse */
    bytes_drop(&text);
    return err;
}

/* -- printing -- */

/* Where Java's HashMap<Long, ?> of `count` entries keeps `id`: its table is the least power of two
 * from 16 on that is at most three quarters full, its hash folds the upper bits into the lower
 * ones. */
static uint32_t print_bucket(int64_t id, uint32_t count)
{
    uint64_t word = (uint64_t)id;
    uint32_t hash = (uint32_t)(word ^ (word >> 32));
    uint32_t table = 16;

    while (count > table / 4 * 3) {
        table *= 2;
    }
    return (hash ^ (hash >> 16)) & (table - 1);
}

/* An id with the place where it is kept. */
struct print_entry {
    uint32_t bucket;
    uint32_t index;
};

struct print_order {
    uint32_t count;
    struct print_entry entries[MEMBERS_MAX];
};

/* Sort by bucket; entries of one bucket stay in the order of their ids. (Java keeps them in the
 * order of insertion, which depends on the history of the map; ids up to the table's size never
 * meet.) */
static void print_sort(struct print_order *order)
{
    for (uint32_t i = 1; i < order->count; i++) {
        struct print_entry entry = order->entries[i];
        uint32_t to = i;

        while (to > 0 && entry.bucket < order->entries[to - 1].bucket) {
            order->entries[to] = order->entries[to - 1];
            to--;
        }
        order->entries[to] = entry;
    }
}

enum print_part {
    PRINT_SERVERS,
    PRINT_GROUPED,
    PRINT_WEIGHTS
};

static bool print_belongs(const struct member *member, enum print_part part)
{
    switch (part) {
    case PRINT_SERVERS:
        return true;
    case PRINT_GROUPED:
        return member->role == MEMBER_PARTICIPANT;
    case PRINT_WEIGHTS:
        return member->has_weight;
    }
    UNREACHABLE();
}

/* The members that belong to `part`, as Java would walk a map of just them. */
static void print_order_members(const struct membership *membership, enum print_part part,
                                struct print_order *order)
{
    order->count = 0;
    for (uint32_t i = 0; i < membership->count; i++) {
        if (print_belongs(&membership->members[i], part)) {
            order->entries[order->count++].index = i;
        }
    }
    for (uint32_t i = 0; i < order->count; i++) {
        const struct member *member = &membership->members[order->entries[i].index];

        order->entries[i].bucket = print_bucket(member->sid, order->count);
    }
    print_sort(order);
}

static void print_number(struct bytes *out, int64_t value)
{
    char digits[24];
    struct text text;

    text_init(&text, digits, sizeof(digits));
    text_i64(&text, value);
    bytes_raw(out, digits, text.len);
}

static void print_key(struct bytes *out, const char *prefix, int64_t id)
{
    bytes_raw(out, prefix, strlen(prefix));
    print_number(out, id);
    bytes_u8(out, '=');
}

static void print_groups(const struct membership *membership, struct bytes *out)
{
    struct print_order groups = {.count = membership->group_count};
    struct print_order members;

    for (uint32_t i = 0; i < groups.count; i++) {
        groups.entries[i].index = i;
        groups.entries[i].bucket = print_bucket(membership->groups[i].id, groups.count);
    }
    print_sort(&groups);
    print_order_members(membership, PRINT_GROUPED, &members);
    for (uint32_t i = 0; i < groups.count; i++) {
        uint32_t group = groups.entries[i].index;
        bool first = true;

        print_key(out, "group.", membership->groups[group].id);
        for (uint32_t m = 0; m < members.count; m++) {
            const struct member *member = &membership->members[members.entries[m].index];

            if (member->group == group) {
                bytes_raw(out, ":", first ? 0 : 1);
                print_number(out, member->sid);
                first = false;
            }
        }
        bytes_u8(out, '\n');
    }
}

void membership_print(const struct membership *membership, struct bytes *out)
{
    struct print_order order;
    char version[24];
    struct text text;

    print_order_members(membership, PRINT_SERVERS, &order);
    for (uint32_t i = 0; i < order.count; i++) {
        const struct member *member = &membership->members[order.entries[i].index];

        print_key(out, "server.", member->sid);
        bytes_raw(out, member->line.at, member->line.len);
        bytes_u8(out, '\n');
    }
    if (membership->hierarchical) {
        print_groups(membership, out);
        print_order_members(membership, PRINT_WEIGHTS, &order);
        for (uint32_t i = 0; i < order.count; i++) {
            const struct member *member = &membership->members[order.entries[i].index];

            print_key(out, "weight.", member->sid);
            print_number(out, (int64_t)member->weight);
            bytes_u8(out, '\n');
        }
    }
    text_init(&text, version, sizeof(version));
    text_str(&text, "version=");
    text_hex(&text, membership->version);
    bytes_raw(out, version, text.len);
}

static bool membership_same_hierarchy(const struct membership *a, const struct membership *b)
{
    if (a->hierarchical != b->hierarchical || a->group_count != b->group_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->group_count; i++) {
        if (a->groups[i].id != b->groups[i].id || a->groups[i].bits != b->groups[i].bits) {
            return false;
        }
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->members[i].weight != b->members[i].weight) {
            return false;
        }
    }
    return true;
}

bool membership_equal(const struct membership *a, const struct membership *b)
{
    if (a->version == b->version) {
        return true;
    }
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->members[i].sid != b->members[i].sid ||
            !span_equal(a->members[i].line, b->members[i].line)) {
            return false;
        }
    }
    return membership_same_hierarchy(a, b);
}

/* -- asking -- */

uint32_t membership_index(const struct membership *membership, int64_t sid)
{
    uint32_t from = 0;
    uint32_t to = membership->count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (membership->members[middle].sid < sid) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < membership->count && membership->members[from].sid == sid ? from : MEMBERS_MAX;
}

const struct member *membership_find(const struct membership *membership, int64_t sid)
{
    uint32_t index = membership_index(membership, sid);

    return index == MEMBERS_MAX ? NULL : &membership->members[index];
}

uint64_t membership_voter_bit(const struct membership *membership, int64_t sid)
{
    uint32_t index = membership_index(membership, sid);

    return index == MEMBERS_MAX ? 0 : (UINT64_C(1) << index) & membership->voters;
}

bool membership_is_voter(const struct membership *membership, int64_t sid)
{
    return membership_voter_bit(membership, sid) != 0;
}

uint64_t membership_weight(const struct membership *membership, int64_t sid)
{
    const struct member *member;

    if (!membership->hierarchical) {
        return 1;
    }
    member = membership_find(membership, sid);
    return member == NULL ? 0 : member->weight;
}

/* More than half of the weight in more than half of the groups that have any. */
static bool membership_has_weight(const struct membership *membership, uint64_t bits)
{
    uint32_t groups = 0;

    for (uint32_t i = 0; i < membership->group_count; i++) {
        uint64_t left = bits & membership->groups[i].bits;
        uint64_t weight = 0;

        while (left != 0) {
            weight += membership->members[__builtin_ctzll(left)].weight;
            left &= left - 1;
        }
        groups += weight > membership->groups[i].weight / 2 ? 1 : 0;
    }
    return groups > membership->weighted_groups / 2;
}

bool membership_has_quorum(const struct membership *membership, uint64_t bits)
{
    uint32_t count;

    bits &= membership->voters;
    if (membership->hierarchical) {
        return membership_has_weight(membership, bits);
    }
    count = bits_count(bits);
    return count > membership->voter_count / 2;
}

/* -- one membership or two -- */

bool ensemble_is_changing(const struct ensemble *ensemble)
{
    return ensemble->seen != NULL && ensemble->seen->version > ensemble->committed->version;
}

bool ensemble_is_voter(const struct ensemble *ensemble, int64_t sid)
{
    return membership_is_voter(ensemble->committed, sid) ||
           (ensemble->seen != NULL && membership_is_voter(ensemble->seen, sid));
}

struct acks ensemble_bits(const struct ensemble *ensemble, int64_t sid)
{
    return (struct acks){
        .committed = membership_voter_bit(ensemble->committed, sid),
        .seen = ensemble->seen == NULL ? 0 : membership_voter_bit(ensemble->seen, sid),
    };
}

bool ensemble_has_quorum(const struct ensemble *ensemble, struct acks acks)
{
    if (!membership_has_quorum(ensemble->committed, acks.committed)) {
        return false;
    }
    return !ensemble_is_changing(ensemble) || membership_has_quorum(ensemble->seen, acks.seen);
}
