#include "protocol/client_watch.h"

#include "base/hash.h"
#include "tree/code.h"

struct client_watch {
    struct client_watch *next; /* another path with the same hash */
    uint32_t bits;
    uint32_t len;
    uint8_t path[];
};

void client_watches_init(struct client_watches *watches, struct mem *mem)
{
    watches->mem = mem;
    watches->count = 0;
    sorted_init(&watches->table, mem);
}

static void client_watch_free(struct client_watches *watches, struct client_watch *watch)
{
    watches->count--;
    mem_put(watches->mem, watch, sizeof *watch + watch->len);
}

void client_watches_drop(struct client_watches *watches)
{
    uint64_t key = 0;
    void *value;

    while (sorted_seek(&watches->table, 0, &key, &value)) {
        struct client_watch *watch = value;

        (void)sorted_take(&watches->table, key);
        while (watch != NULL) {
            struct client_watch *next = watch->next;

            client_watch_free(watches, watch);
            watch = next;
        }
    }
    sorted_drop(&watches->table);
    sorted_init(&watches->table, watches->mem);
}

static struct client_watch *client_watch_in(struct client_watch *chain, struct span path)
{
    while (chain != NULL && !span_equal(span_make(chain->path, chain->len), path)) {
        chain = chain->next;
    }
    return chain;
}

enum err client_watches_add(struct client_watches *watches, struct span path, enum watch_list list)
{
    uint64_t key = hash_bytes(path, 0);
    struct client_watch *chain = sorted_find(&watches->table, key);
    struct client_watch *watch = client_watch_in(chain, path);

    if (watch != NULL) {
        watch->bits |= 1u << list;
        return ERR_OK;
    }
    watch = mem_get(watches->mem, sizeof *watch + path.len);
    if (watch == NULL) {
        return ERR_MEMORY;
    }
    *watch = (struct client_watch){.next = chain, .bits = 1u << list, .len = (uint32_t)path.len};
    if (path.len > 0) {
        memcpy(watch->path, path.at, path.len);
    }
    if (sorted_put(&watches->table, key, watch) != ERR_OK) {
        mem_put(watches->mem, watch, sizeof *watch + path.len);
        return ERR_MEMORY;
    }
    watches->count++;
    return ERR_OK;
}

void client_watches_remove(struct client_watches *watches, struct span path, uint32_t bits)
{
    uint64_t key = hash_bytes(path, 0);
    struct client_watch *chain = sorted_find(&watches->table, key);
    struct client_watch *watch = client_watch_in(chain, path);

    if (watch == NULL) {
        return;
    }
    watch->bits &= ~bits;
    if (watch->bits != 0) {
        return;
    }
    if (watch != chain) {
        struct client_watch *before = chain;

        while (before->next != watch) {
            before = before->next;
        }
        before->next = watch->next;
    } else if (watch->next == NULL) {
        (void)sorted_take(&watches->table, key);
    } else {
        (void)sorted_put(&watches->table, key, watch->next); /* replaces: needs no memory */
    }
    client_watch_free(watches, watch);
}

uint32_t client_watches_find(const struct client_watches *watches, struct span path)
{
    const struct client_watch *watch =
        client_watch_in(sorted_find(&watches->table, hash_bytes(path, 0)), path);

    return watch == NULL ? 0 : watch->bits;
}

void client_watches_fire(struct client_watches *watches, struct span path, int32_t event)
{
    const uint32_t data = 1u << WATCH_LIST_DATA | 1u << WATCH_LIST_EXIST;
    const uint32_t child = 1u << WATCH_LIST_CHILD;

    switch (event) {
    case EVENT_CREATED:
    case EVENT_DATA_CHANGED:
        client_watches_remove(watches, path, data);
        return;
    case EVENT_CHILDREN_CHANGED:
        client_watches_remove(watches, path, child);
        return;
    case EVENT_DELETED:
        client_watches_remove(watches, path, data | child);
        return;
    default: /* a number that no server of ours sends uses up nothing */
        return;
    }
}

bool client_watches_next(const struct client_watches *watches, struct client_watch_cursor *cursor,
                         struct span *path, uint32_t *bits)
{
    const struct client_watch *entry = cursor->entry;
    void *value = NULL;

    if (cursor->ended) {
        return false;
    }
    if (entry != NULL && entry->next != NULL) {
        entry = entry->next;
    } else {
        if ((entry != NULL && cursor->key == UINT64_MAX) ||
            !sorted_seek(&watches->table, entry == NULL ? 0 : cursor->key + 1, &cursor->key,
                         &value)) {
            cursor->ended = true;
            return false;
        }
        entry = value;
    }
    cursor->entry = entry;
    *path = span_make(entry->path, entry->len);
    *bits = entry->bits;
    return true;
}
