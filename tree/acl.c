#include "tree/acl.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "tree/acl_scheme.h"

/* perms, scheme length, id length */
#define ACL_ITEM_MIN 12u
/* A fixed-up list above this could not be read back from a log with the usual limit. */
#define ACL_RAW_MAX READER_MAX_DEFAULT
/* Up to here duplicates are found by comparing all pairs. */
#define ACL_PAIRS_MAX 16u

static struct acl acl_read_item(struct reader *in)
{
    struct acl acl = {0};

    acl.perms = reader_i32(in);
    acl.scheme = reader_ustring(in, &acl.scheme_null);
    acl.id = reader_ustring(in, &acl.id_null);
    return acl;
}

struct acl_list acl_list_read(struct reader *in)
{
    struct acl_list list = {0};
    size_t start;

    list.count = reader_count(in, ACL_ITEM_MIN, &list.is_null);
    start = in->pos;
    for (uint32_t i = 0; i < list.count; i++) {
        (void)acl_read_item(in);
    }
    if (in->err != ERR_OK) {
        return (struct acl_list){0};
    }
    list.raw = span_make(in->at + start, in->pos - start);
    return list;
}

void acl_list_write(struct bytes *out, struct acl_list list)
{
    if (list.is_null) {
        bytes_i32(out, -1);
        return;
    }
    bytes_u32(out, list.count);
    bytes_raw(out, list.raw.at, list.raw.len);
}

bool acl_next(struct acl_list *rest, struct acl *acl)
{
    struct reader in;

    if (rest->count == 0) {
        return false;
    }
    reader_init(&in, rest->raw, UINT32_MAX);
    *acl = acl_read_item(&in);
    ENSURE(in.err == ERR_OK); /* checked when the list was read or built */
    rest->raw = span_make(rest->raw.at + in.pos, rest->raw.len - in.pos);
    rest->count--;
    return true;
}

void acl_write_item(struct bytes *raw, struct acl acl)
{
    bytes_i32(raw, acl.perms);
    if (acl.scheme_null) {
        bytes_i32(raw, -1);
    } else {
        bytes_ustring(raw, acl.scheme);
    }
    if (acl.id_null) {
        bytes_i32(raw, -1);
    } else {
        bytes_ustring(raw, acl.id);
    }
}

struct acl_list acl_open(void)
{
    static const uint8_t raw[] = "\0\0\0\x1f\0\0\0\x05world\0\0\0\x06"
                                 "anyone";

    return (struct acl_list){.raw = span_make(raw, sizeof(raw) - 1), .count = 1};
}

struct acl_list acl_world_read(void)
{
    static const uint8_t raw[] = "\0\0\0\x01\0\0\0\x05world\0\0\0\x06"
                                 "anyone";

    return (struct acl_list){.raw = span_make(raw, sizeof(raw) - 1), .count = 1};
}

/* -- fix-up -- */

struct acl_fixer {
    const struct acl_who *who;
    const struct acl_policy *policy;
    struct bytes *raw;
    uint32_t count;        /* items written */
    struct acl_list whole; /* the request's list, to find duplicates in */
    struct map seen;       /* hash of an item -> its bytes; only for long lists */
    bool use_map;
};

/* Is there an equal item before `item` in `whole`? */
static bool acl_fixer_repeated(const struct acl_fixer *fixer, struct span item)
{
    struct acl_list rest = fixer->whole;
    struct acl acl;

    while (rest.raw.at < item.at) {
        const uint8_t *start = rest.raw.at;

        if (!acl_next(&rest, &acl)) {
            break;
        }
        if (span_equal(span_make(start, (size_t)(rest.raw.at - start)), item)) {
            return true;
        }
    }
    return false;
}

/* The same for long lists. Two different items with one hash of 64 bits: the later one is compared
 * with all pairs again, so that the answer is always right. */
static enum err acl_fixer_repeated_map(struct acl_fixer *fixer, struct span item, bool *repeated)
{
    uint64_t hash = hash_bytes(item, 0);
    uint8_t *before = map_find(&fixer->seen, hash);

    if (before == NULL) {
        *repeated = false;
        /* The map wants a pointer that may be written; nobody does. */
        return map_put(&fixer->seen, hash, (void *)(uintptr_t)item.at);
    }
    /* Items delimit themselves, and `before` lies before `item` in one list. */
    *repeated = memcmp(before, item.at, item.len) == 0 || acl_fixer_repeated(fixer, item);
    return ERR_OK;
}

static void acl_fixer_write(struct acl_fixer *fixer, struct acl acl)
{
    acl_write_item(fixer->raw, acl);
    fixer->count++;
}

static enum zk_code acl_fixer_auth(struct acl_fixer *fixer, int32_t perms)
{
    bool proved = false;

    for (uint32_t i = 0; i < fixer->who->id_count; i++) {
        struct acl_id id = fixer->who->ids[i];

        if (acl_scheme_proves(id.scheme, fixer->policy)) {
            proved = true;
            acl_fixer_write(fixer, (struct acl){.perms = perms, .scheme = id.scheme, .id = id.id});
        }
    }
    return proved ? ZK_OK : ZK_INVALIDACL;
}

static enum zk_code acl_fixer_item(struct acl_fixer *fixer, struct acl acl)
{
    if (acl.scheme_null || acl.id_null) {
        return ZK_INVALIDACL;
    }
    if (span_is(acl.scheme, "world") && span_is(acl.id, "anyone")) {
        acl_fixer_write(fixer, acl);
        return ZK_OK;
    }
    if (span_is(acl.scheme, "auth")) {
        return acl_fixer_auth(fixer, acl.perms);
    }
    if (!acl_id_valid(acl.scheme, acl.id, fixer->policy)) {
        return ZK_INVALIDACL;
    }
    acl_fixer_write(fixer, acl);
    return ZK_OK;
}

static enum zk_code acl_fixer_all(struct acl_fixer *fixer)
{
    struct acl_list rest = fixer->whole;
    size_t start = fixer->raw->len;
    const uint8_t *at = rest.raw.at;
    struct acl acl;

    for (; acl_next(&rest, &acl); at = rest.raw.at) {
        struct span item = span_make(at, (size_t)(rest.raw.at - at));
        bool repeated = false;
        enum zk_code code;

        if (!fixer->use_map) {
            repeated = acl_fixer_repeated(fixer, item);
        } else if (acl_fixer_repeated_map(fixer, item, &repeated) != ERR_OK) {
            return ZK_SYSTEMERROR;
        }
        if (repeated) {
            continue;
        }
        code = acl_fixer_item(fixer, acl);
        if (code != ZK_OK) {
            return code;
        }
        if (fixer->raw->failed) {
            return ZK_SYSTEMERROR;
        }
        if (fixer->raw->len - start > ACL_RAW_MAX) {
            return ZK_INVALIDACL;
        }
    }
    return ZK_OK;
}

static const struct acl_policy *acl_policy_of(const struct acl_who *who)
{
    static const struct acl_policy usual;

    return who->policy == NULL ? &usual : who->policy;
}

enum zk_code acl_fixup(struct acl_list list, const struct acl_who *who, struct bytes *raw,
                       struct acl_list *fixed)
{
    struct acl_fixer fixer = {.who = who,
                              .policy = acl_policy_of(who),
                              .raw = raw,
                              .whole = list,
                              .use_map = list.count > ACL_PAIRS_MAX};
    size_t start = raw->len;
    enum zk_code code;

    if (list.is_null || list.count == 0) {
        return ZK_INVALIDACL;
    }
    map_init(&fixer.seen, raw->mem, 0);
    code = acl_fixer_all(&fixer);
    map_drop(&fixer.seen);
    if (code == ZK_OK) {
        ENSURE(fixer.count > 0);
        *fixed = (struct acl_list){.raw = bytes_tail(raw, start), .count = fixer.count};
    }
    return code;
}

/* -- check -- */

bool acl_is_super(const struct acl_who *who)
{
    for (uint32_t i = 0; i < who->id_count; i++) {
        if (span_is(who->ids[i].scheme, "super")) {
            return true;
        }
    }
    return false;
}

bool acl_check(struct acl_list list, uint32_t wanted, const struct acl_who *who)
{
    const struct acl_policy *policy = acl_policy_of(who);
    struct acl acl;

    if (policy->skip || list.is_null || list.count == 0 || acl_is_super(who)) {
        return true;
    }
    while (acl_next(&list, &acl)) {
        if (((uint32_t)acl.perms & wanted) == 0) {
            continue;
        }
        if (span_is(acl.scheme, "world") && span_is(acl.id, "anyone")) {
            return true;
        }
        for (uint32_t i = 0; i < who->id_count; i++) {
            if (span_equal(who->ids[i].scheme, acl.scheme) &&
                acl_scheme_match(acl.scheme, who->ids[i].id, acl.id, policy)) {
                return true;
            }
        }
    }
    return false;
}

void acl_write_masked(struct bytes *out, struct acl_list list)
{
    struct acl acl;

    if (list.is_null) {
        bytes_i32(out, -1);
        return;
    }
    bytes_u32(out, list.count);
    while (acl_next(&list, &acl)) {
        const uint8_t *colon =
            acl.id.len == 0 ? NULL : (const uint8_t *)memchr(acl.id.at, ':', acl.id.len);

        if (!span_is(acl.scheme, "digest") || colon == NULL) {
            acl_write_item(out, acl);
            continue;
        }
        bytes_i32(out, acl.perms);
        bytes_ustring(out, acl.scheme);
        bytes_u32(out, (uint32_t)(colon - acl.id.at) + 2);
        bytes_raw(out, acl.id.at, (size_t)(colon - acl.id.at));
        bytes_raw(out, ":x", 2);
    }
}
