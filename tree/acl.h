/* acl.h - access control lists: their bytes, fix-up, check, and the table that stores each list
 * once.
 *
 * A list is kept in its wire form everywhere (the items of a jute vector<ACL>, without the count):
 * equal lists are equal bytes, decoding needs no memory, and files and replies copy it as it is.
 * Source: Apache PrepRequestProcessor.fixupACL, ZooKeeperServer.checkACL, ReferenceCountedACLCache
 * and the providers of org.apache.zookeeper.server.auth. */
#ifndef TREE_ACL_H
#define TREE_ACL_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "tree/code.h"

/* A list, lent. */
struct acl_list {
    struct span raw; /* count x {int perms; ustring scheme; ustring id} */
    uint32_t count;
    bool is_null; /* vector length -1 */
};

/* One item of a list, lent. */
struct acl {
    int32_t perms;
    struct span scheme, id;
    bool scheme_null, id_null;
};

/* What a connection has proved to be ("ip", "10.0.0.1"), ("digest", "bob:..."), ("super", ""). */
struct acl_id {
    struct span scheme, id;
};

/* Configuration that checks depend on; all zero = Apache's defaults. */
struct acl_policy {
    bool skip;              /* skipACL=yes: every check passes */
    bool digest_disabled;   /* DigestAuthenticationProvider.enabled=false */
    struct span any_sasl;   /* zookeeper.letAnySaslUserDoX */
    struct span x509_super; /* X509AuthenticationProvider.superUser */
    bool sasl, x509;        /* providers that are loaded */
};

/* -- bytes -- */

/* vector<ACL>; on a malformed list in->err is set and the result is empty. */
struct acl_list acl_list_read(struct reader *in);
void acl_list_write(struct bytes *out, struct acl_list list);
/* Take the first item off `rest`; false at the end. For (rest = list; acl_next(&rest, &acl);). */
bool acl_next(struct acl_list *rest, struct acl *acl);
/* Append one item to the raw bytes of a list under construction. */
void acl_write_item(struct bytes *raw, struct acl acl);
/* world:anyone:cdrwa, a constant. */
struct acl_list acl_open(void);
/* world:anyone:r, a constant. */
struct acl_list acl_world_read(void);

/* -- rules -- */

/* Whose request it is. */
struct acl_who {
    const struct acl_id *ids; /* of the connection */
    uint32_t id_count;
    const struct acl_policy *policy; /* NULL: Apache's defaults */
};

/* The list that create and setACL store: duplicates out, "auth" replaced by the ids of the
 * connection, every other scheme and id checked. The result is appended to `raw`, and *fixed lends
 * from it until it is written again. Answers ZK_OK, ZK_INVALIDACL, or ZK_SYSTEMERROR when memory
 * ran out. */
enum zk_code acl_fixup(struct acl_list list, const struct acl_who *who, struct bytes *raw,
                       struct acl_list *fixed);
/* True when an id of `who` (or the world) has one of the permissions `wanted`. */
bool acl_check(struct acl_list list, uint32_t wanted, const struct acl_who *who);
/* True when `who` has an id of scheme "super". */
bool acl_is_super(const struct acl_who *who);
/* True when `id` may stand in an ACL of `scheme` (not for world and auth, which fix-up handles). */
bool acl_id_valid(struct span scheme, struct span id, const struct acl_policy *policy);
/* The list as getACL shows it without ADMIN: the ids of scheme digest are cut to "user:x". */
void acl_write_masked(struct bytes *out, struct acl_list list);

/* -- the table -- */

/* A stored list. Nodes point at it; NULL stands for index -1, world:anyone:cdrwa. */
struct acl_entry {
    struct list link;      /* all entries, by age, the dead ones included */
    struct list dead_link; /* those without references */
    struct acl_entry *same_hash;
    int64_t index; /* as in snapshot files: from 1, never reused */
    uint64_t refs;
    uint64_t hash;
    uint32_t count;
    uint32_t len;
    uint8_t walks; /* one bit per snapshot walk, see walk.h */
    uint8_t raw[];
};

struct acl_table {
    struct mem *mem;
    struct map by_hash;
    struct list entries;
    struct list dead; /* freed by acl_table_purge */
    uint64_t count;   /* of entries, the dead not counted */
    int64_t last_index;
    uint8_t walk_polarity; /* what `walks` of a new entry is */
};

void acl_table_init(struct acl_table *table, struct mem *mem, uint64_t seed);
void acl_table_drop(struct acl_table *table);
/* The entry of `list`, one reference more; *entry = NULL for a null list. Errors: ERR_MEMORY. */
enum err acl_table_use(struct acl_table *table, struct acl_list list, struct acl_entry **entry);
/* One reference less. At none the entry is dead: still readable until the next purge. NULL is
 * allowed. */
void acl_table_release(struct acl_table *table, struct acl_entry *entry);
void acl_table_purge(struct acl_table *table);
/* For loading: an entry of a given index, without a reference. Errors: ERR_MEMORY, ERR_RANGE. */
enum err acl_table_load(struct acl_table *table, int64_t index, struct acl_list list,
                        struct acl_entry **entry);
/* For loading: entries without reference go. */
void acl_table_drop_unused(struct acl_table *table);
/* What an entry says, lent as long as the entry lives; NULL gives acl_open(). */
struct acl_list acl_entry_list(const struct acl_entry *entry);

#endif
