/* Each list once. An entry without references leaves the look-up at once, so that the same list
 * gets a new index later (as Apache does it), but stays readable until the next purge: events of a
 * deleted node are still filtered by its list, and an image that is being written may still have to
 * name it. */
#include "base/ensure.h"
#include "base/hash.h"
#include "tree/acl.h"

/* In bytes; far above what one message can hold. */
#define ACL_ENTRY_MAX (64u << 20)

void acl_table_init(struct acl_table *table, struct mem *mem, uint64_t seed)
{
    *table = (struct acl_table){.mem = mem};
    map_init(&table->by_hash, mem, seed);
    list_init(&table->entries);
    list_init(&table->dead);
}

/* A short list fits into the padding that an assignment of the struct writes. */
static size_t acl_entry_size(size_t len)
{
    size_t size = offsetof(struct acl_entry, raw) + len;

    return size < sizeof(struct acl_entry) ? sizeof(struct acl_entry) : size;
}

static void acl_entry_free(struct acl_table *table, struct acl_entry *entry)
{
    list_take(&entry->link);
    list_take(&entry->dead_link);
    mem_put(table->mem, entry, acl_entry_size(entry->len));
}

void acl_table_drop(struct acl_table *table)
{
    while (!list_empty(&table->entries)) {
        acl_entry_free(table, LIST_ITEM(table->entries.next, struct acl_entry, link));
    }
    map_drop(&table->by_hash);
}

struct acl_list acl_entry_list(const struct acl_entry *entry)
{
    if (entry == NULL) {
        return acl_open();
    }
    return (struct acl_list){.raw = span_make(entry->raw, entry->len), .count = entry->count};
}

static struct acl_entry *acl_table_find(const struct acl_table *table, struct acl_list list,
                                        uint64_t hash)
{
    struct acl_entry *entry = map_find(&table->by_hash, hash);

    while (entry != NULL &&
           !(entry->count == list.count && span_equal(acl_entry_list(entry).raw, list.raw))) {
        entry = entry->same_hash;
    }
    return entry;
}

static enum err acl_table_add(struct acl_table *table, struct acl_list list, uint64_t hash,
                              struct acl_entry **added)
{
    struct acl_entry *entry;

    if (list.raw.len > ACL_ENTRY_MAX) {
        return ERR_MEMORY;
    }
    entry = mem_get(table->mem, acl_entry_size(list.raw.len));
    if (entry == NULL) {
        return ERR_MEMORY;
    }
    *entry = (struct acl_entry){.hash = hash,
                                .same_hash = map_find(&table->by_hash, hash),
                                .count = list.count,
                                .len = (uint32_t)list.raw.len};
    if (list.raw.len > 0) {
        memcpy(entry->raw, list.raw.at, list.raw.len);
    }
    if (map_put(&table->by_hash, hash, entry) != ERR_OK) {
        mem_put(table->mem, entry, acl_entry_size(entry->len));
        return ERR_MEMORY;
    }
    list_push(&table->entries, &entry->link);
    list_init(&entry->dead_link);
    table->count++;
    *added = entry;
    return ERR_OK;
}

enum err acl_table_use(struct acl_table *table, struct acl_list list, struct acl_entry **entry)
{
    uint64_t hash;
    struct acl_entry *found;

    if (list.is_null) {
        *entry = NULL;
        return ERR_OK;
    }
    hash = hash_bytes(list.raw, table->by_hash.seed);
    found = acl_table_find(table, list, hash);
    if (found == NULL) {
        enum err err = acl_table_add(table, list, hash, &found);

        if (err != ERR_OK) {
            return err;
        }
        found->index = ++table->last_index;
        found->walks = table->walk_polarity;
    }
    found->refs++;
    *entry = found;
    return ERR_OK;
}

/* Take an entry out of the look-up. */
static void acl_table_unhash(struct acl_table *table, struct acl_entry *entry)
{
    struct acl_entry *first = map_find(&table->by_hash, entry->hash);

    ENSURE(first != NULL);
    if (first != entry) {
        while (first->same_hash != entry) {
            first = first->same_hash;
            ENSURE(first != NULL);
        }
        first->same_hash = entry->same_hash;
    } else if (entry->same_hash == NULL) {
        (void)map_take(&table->by_hash, entry->hash);
    } else {
        /* Replacing needs no memory. */
        ENSURE(map_put(&table->by_hash, entry->hash, entry->same_hash) == ERR_OK);
    }
}

static void acl_table_kill(struct acl_table *table, struct acl_entry *entry)
{
    ENSURE(table->count > 0);
    acl_table_unhash(table, entry);
    list_push(&table->dead, &entry->dead_link);
    table->count--;
}

void acl_table_release(struct acl_table *table, struct acl_entry *entry)
{
    if (entry == NULL) {
        return;
    }
    ENSURE(entry->refs > 0);
    entry->refs--;
    if (entry->refs == 0) {
        acl_table_kill(table, entry);
    }
}

void acl_table_purge(struct acl_table *table)
{
    while (!list_empty(&table->dead)) {
        acl_entry_free(table, LIST_ITEM(table->dead.next, struct acl_entry, dead_link));
    }
}

enum err acl_table_load(struct acl_table *table, int64_t index, struct acl_list list,
                        struct acl_entry **entry)
{
    enum err err;

    if (index == INT64_MAX) {
        return ERR_RANGE; /* no index would be left for the next list */
    }
    err = acl_table_add(table, list, hash_bytes(list.raw, table->by_hash.seed), entry);
    if (err != ERR_OK) {
        return err;
    }
    (*entry)->index = index;
    (*entry)->walks = table->walk_polarity;
    if (index > table->last_index) {
        table->last_index = index;
    }
    return ERR_OK;
}

void acl_table_drop_unused(struct acl_table *table)
{
    struct list *link = table->entries.next;

    while (link != &table->entries) {
        struct acl_entry *entry = LIST_ITEM(link, struct acl_entry, link);

        link = link->next;
        if (entry->refs == 0 && list_empty(&entry->dead_link)) {
            acl_table_kill(table, entry);
        }
    }
    acl_table_purge(table);
}
