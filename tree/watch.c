#include "tree/watch.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/sorted.h"
#include "tree/index.h"
#include "tree/path.h"
#include "tree/watch_modes.h"

/* Modes that look at what happens below. */
#define WATCH_ABOVE (WATCH_RECURSIVE | WATCH_RECURSIVE_CHILD)

/* All watches of one path. */
struct watch_place {
    struct index_link link; /* spare: length of the path */
    struct list watches;    /* struct watch.of_place, by age */
    uint32_t count;
    uint8_t path[];
};

struct watch_owner {
    struct list watches; /* struct watch.of_owner, by age */
    uint64_t fired;      /* number of the last firing that named it */
    uint32_t conn;
    uint32_t count;
};

struct watch {
    struct index_link link; /* hash of path and connection; spare: modes */
    struct list of_place;
    struct list of_owner;
    struct watch_place *place;
    struct watch_owner *owner;
};

struct watch_table {
    struct mem *mem;
    struct index places;  /* struct watch_place by path */
    struct index watches; /* struct watch by path and connection */
    struct sorted owners; /* connection -> struct watch_owner */
    uint64_t firing;
    uint64_t bit_count;       /* as struct watch_counts.watches */
    uint64_t recursive_count; /* watches with such a mode */
    bool one_mode;            /* as 3.8 */
};

struct watch_table *watch_make(struct mem *mem, uint64_t hash_seed)
{
    struct watch_table *table = mem_get_zero(mem, sizeof(*table));

    if (table == NULL) {
        return NULL;
    }
    table->mem = mem;
    sorted_init(&table->owners, mem);
    if (index_init(&table->places, mem, hash_seed) != ERR_OK) {
        mem_put(mem, table, sizeof(*table));
        return NULL;
    }
    if (index_init(&table->watches, mem, hash_seed) != ERR_OK) {
        index_drop(&table->places);
        mem_put(mem, table, sizeof(*table));
        return NULL;
    }
    return table;
}

void watch_keep_one_mode(struct watch_table *table)
{
    table->one_mode = true;
}

void watch_drop(struct watch_table *table)
{
    uint64_t key;
    void *value;

    if (table == NULL) {
        return;
    }
    while (sorted_seek(&table->owners, 0, &key, &value)) {
        watch_remove_conn(table, (uint32_t)key);
    }
    sorted_drop(&table->owners);
    index_drop(&table->watches);
    index_drop(&table->places);
    mem_put(table->mem, table, sizeof(*table));
}

/* -- finding -- */

static uint32_t watch_hash(const struct watch_table *table, struct span path)
{
    return index_hash(&table->places, path);
}

static uint32_t watch_pair_hash(const struct watch_table *table, uint32_t path_hash, uint32_t conn)
{
    return (uint32_t)hash_u64((uint64_t)path_hash << 32 | conn, table->watches.seed);
}

static struct span watch_place_path(const struct watch_place *place)
{
    return span_make(place->path, place->link.spare);
}

static struct watch_place *watch_find_place(const struct watch_table *table, struct span path,
                                            uint32_t hash)
{
    struct index_link *link = index_first(&table->places, hash);

    while (link != NULL &&
           !(link->hash == hash &&
             span_equal(watch_place_path((struct watch_place *)(void *)link), path))) {
        link = link->next;
    }
    return (struct watch_place *)(void *)link;
}

static bool watch_matches(const struct watch *watch, struct span path, uint32_t conn)
{
    return watch->owner->conn == conn && span_equal(watch_place_path(watch->place), path);
}

static struct watch *watch_find(const struct watch_table *table, struct span path, uint32_t conn)
{
    uint32_t hash = watch_pair_hash(table, watch_hash(table, path), conn);
    struct index_link *link = index_first(&table->watches, hash);

    while (link != NULL &&
           !(link->hash == hash && watch_matches((struct watch *)(void *)link, path, conn))) {
        link = link->next;
    }
    return (struct watch *)(void *)link;
}

/* -- counting -- */

static void watch_set_modes(struct watch_table *table, struct watch *watch, uint32_t modes)
{
    table->bit_count += watch_modes_count(modes);
    table->bit_count -= watch_modes_count(watch->link.spare);
    table->recursive_count += (modes & WATCH_ABOVE) != 0 ? 1 : 0;
    table->recursive_count -= (watch->link.spare & WATCH_ABOVE) != 0 ? 1 : 0;
    watch->link.spare = modes;
}

/* -- removing -- */

/* A short path fits into the padding that an assignment of the struct writes. */
static size_t watch_place_size(size_t path_len)
{
    size_t size = offsetof(struct watch_place, path) + path_len;

    return size < sizeof(struct watch_place) ? sizeof(struct watch_place) : size;
}

static void watch_free_place(struct watch_table *table, struct watch_place *place)
{
    ENSURE(place->count == 0);
    index_take(&table->places, &place->link);
    mem_put(table->mem, place, watch_place_size(place->link.spare));
}

static void watch_free_owner(struct watch_table *table, struct watch_owner *owner)
{
    (void)sorted_take(&table->owners, owner->conn);
    mem_put(table->mem, owner, sizeof(*owner));
}

static void watch_free(struct watch_table *table, struct watch *watch)
{
    struct watch_place *place = watch->place;
    struct watch_owner *owner = watch->owner;

    watch_set_modes(table, watch, 0);
    index_take(&table->watches, &watch->link);
    list_take(&watch->of_place);
    list_take(&watch->of_owner);
    mem_put(table->mem, watch, sizeof(*watch));
    place->count--;
    owner->count--;
    if (place->count == 0) {
        watch_free_place(table, place);
    }
    if (owner->count == 0) {
        watch_free_owner(table, owner);
    }
}

/* -- adding -- */

static struct watch_place *watch_make_place(struct watch_table *table, struct span path,
                                            uint32_t hash)
{
    struct watch_place *place;

    if (path.len > UINT32_MAX) {
        return NULL;
    }
    place = mem_get(table->mem, watch_place_size(path.len));
    if (place == NULL) {
        return NULL;
    }
    *place = (struct watch_place){.link = {.hash = hash, .spare = (uint32_t)path.len}};
    list_init(&place->watches);
    if (path.len > 0) {
        memcpy(place->path, path.at, path.len);
    }
    index_put(&table->places, &place->link);
    return place;
}

static struct watch_owner *watch_make_owner(struct watch_table *table, uint32_t conn)
{
    struct watch_owner *owner = mem_get(table->mem, sizeof(*owner));

    if (owner == NULL) {
        return NULL;
    }
    *owner = (struct watch_owner){.conn = conn};
    list_init(&owner->watches);
    if (sorted_put(&table->owners, conn, owner) != ERR_OK) {
        mem_put(table->mem, owner, sizeof(*owner));
        return NULL;
    }
    return owner;
}

/* A watch without modes yet; place and owner exist. NULL when memory ran out. */
static struct watch *watch_link(struct watch_table *table, struct watch_place *place,
                                struct watch_owner *owner)
{
    struct watch *watch = mem_get(table->mem, sizeof(*watch));

    if (watch == NULL) {
        return NULL;
    }
    *watch = (struct watch){.link = {.hash = watch_pair_hash(table, place->link.hash, owner->conn)},
                            .place = place,
                            .owner = owner};
    index_put(&table->watches, &watch->link);
    list_push(&place->watches, &watch->of_place);
    list_push(&owner->watches, &watch->of_owner);
    place->count++;
    owner->count++;
    return watch;
}

static struct watch *watch_new(struct watch_table *table, struct span path, uint32_t conn)
{
    uint32_t hash = watch_hash(table, path);
    struct watch_place *place = watch_find_place(table, path, hash);
    struct watch_owner *owner = sorted_find(&table->owners, conn);
    struct watch *watch = NULL;

    if (place == NULL) {
        place = watch_make_place(table, path, hash);
    }
    if (owner == NULL) {
        owner = watch_make_owner(table, conn);
    }
    if (place != NULL && owner != NULL) {
        watch = watch_link(table, place, owner);
    }
    if (watch == NULL && place != NULL && place->count == 0) {
        watch_free_place(table, place);
    }
    if (watch == NULL && owner != NULL && owner->count == 0) {
        watch_free_owner(table, owner);
    }
    return watch;
}

enum err watch_add(struct watch_table *table, uint32_t conn, struct span path, uint32_t modes)
{
    struct watch *watch = watch_find(table, path, conn);

    ENSURE(conn > 0 && modes != 0);
    if (watch == NULL) {
        watch = watch_new(table, path, conn);
        if (watch == NULL) {
            return ERR_MEMORY;
        }
    }
    watch_set_modes(table, watch, watch_modes_add(watch->link.spare, modes, table->one_mode));
    return ERR_OK;
}

/* -- firing -- */

void watch_hits_init(struct watch_hits *hits, struct mem *mem)
{
    *hits = (struct watch_hits){.mem = mem};
}

void watch_hits_drop(struct watch_hits *hits)
{
    mem_put(hits->mem, hits->conns, hits->room * sizeof(*hits->conns));
    *hits = (struct watch_hits){.mem = hits->mem};
}

static enum err watch_hits_reserve(struct watch_hits *hits, uint64_t more)
{
    uint64_t room = hits->room == 0 ? 16 : hits->room;
    uint32_t *conns;

    if (hits->room - hits->count >= more) {
        return ERR_OK;
    }
    while (room < hits->count + more) {
        room *= 2;
    }
    if (room > UINT32_MAX) {
        return ERR_MEMORY;
    }
    conns = mem_grow(hits->mem, hits->conns, hits->room * sizeof(*conns), room * sizeof(*conns));
    if (conns == NULL) {
        return ERR_MEMORY;
    }
    hits->conns = conns;
    hits->room = (uint32_t)room;
    return ERR_OK;
}

static void watch_hit(struct watch_table *table, struct watch *watch, struct watch_hits *hits)
{
    struct watch_owner *owner = watch->owner;

    if (owner->fired != table->firing) {
        owner->fired = table->firing;
        ENSURE(hits->count < hits->room);
        hits->conns[hits->count++] = owner->conn;
    }
}

/* Every watch of `place` with one of the modes `wanted`; one-shot ones are used up. The place may
 * be gone afterwards. */
static void watch_fire_place(struct watch_table *table, struct watch_place *place, uint32_t wanted,
                             struct watch_hits *hits)
{
    uint32_t left = place->count;
    struct list *link = place->watches.next;

    for (; left > 0; left--) {
        struct watch *watch = LIST_ITEM(link, struct watch, of_place);
        uint32_t stays = watch->link.spare & ~(wanted & (WATCH_DATA | WATCH_CHILD));

        link = link->next;
        if ((watch->link.spare & wanted) == 0) {
            continue;
        }
        watch_hit(table, watch, hits);
        if (stays == 0) {
            watch_free(table, watch);
        } else {
            watch_set_modes(table, watch, stays);
        }
    }
}

/* The path without its last part: "/a/b" -> "/a" -> "/" -> none. */
static bool watch_go_up(struct span *path)
{
    if (path->len <= 1) {
        return false;
    }
    *path = path_parent(*path);
    return true;
}

/* Room for everybody who may be named, before anything is used up. */
static enum err watch_reserve(struct watch_table *table, struct span path,
                              const struct watch_place *place, struct watch_hits *hits)
{
    uint64_t most = place == NULL ? 0 : place->count;

    while (table->recursive_count > 0 && watch_go_up(&path)) {
        const struct watch_place *above = watch_find_place(table, path, watch_hash(table, path));

        most += above == NULL ? 0 : above->count;
    }
    if (most > table->owners.count) {
        most = table->owners.count; /* nobody is named twice */
    }
    return watch_hits_reserve(hits, most);
}

/* Watches of the path with one of the modes `here`, then those of its ancestors with one of
 * `above`. */
static void watch_fire_modes(struct watch_table *table, struct span path, uint32_t here,
                             uint32_t above, struct watch_hits *hits)
{
    struct watch_place *place = watch_find_place(table, path, watch_hash(table, path));

    if (place != NULL) {
        watch_fire_place(table, place, here, hits);
    }
    while (above != 0 && table->recursive_count > 0 && watch_go_up(&path)) {
        place = watch_find_place(table, path, watch_hash(table, path));
        if (place != NULL) {
            watch_fire_place(table, place, above, hits);
        }
    }
}

enum err watch_fire(struct watch_table *table, enum zk_event event, struct span path,
                    struct watch_hits *hits)
{
    struct watch_place *place;
    enum err err;

    hits->count = 0;
    if (table->places.count == 0) {
        return ERR_OK;
    }
    place = watch_find_place(table, path, watch_hash(table, path));
    if (place == NULL && table->recursive_count == 0) {
        return ERR_OK;
    }
    err = watch_reserve(table, path, place, hits);
    if (err != ERR_OK) {
        return err;
    }
    table->firing++;
    if (event == EVENT_CHILDREN_CHANGED) {
        watch_fire_modes(table, path, WATCH_AT_CHILDREN, 0, hits);
        return ERR_OK;
    }
    watch_fire_modes(table, path, WATCH_AT_DATA, WATCH_RECURSIVE, hits);
    if (event == EVENT_DELETED) {
        /* The same firing: who has been named above is not named again. */
        watch_fire_modes(table, path, WATCH_AT_CHILDREN | WATCH_RECURSIVE_CHILD,
                         table->one_mode ? WATCH_RECURSIVE_CHILD : 0, hits);
    }
    return ERR_OK;
}

/* -- removing and checking by request -- */

bool watch_check(const struct watch_table *table, uint32_t conn, struct span path,
                 enum watch_type type)
{
    const struct watch *watch = watch_find(table, path, conn);

    return watch != NULL && (watch->link.spare & watch_modes_of_type(type, table->one_mode)) != 0;
}

bool watch_remove(struct watch_table *table, uint32_t conn, struct span path, enum watch_type type)
{
    struct watch *watch = watch_find(table, path, conn);
    uint32_t gone = watch_modes_of_type(type, table->one_mode);

    if (watch == NULL || (watch->link.spare & gone) == 0) {
        return false;
    }
    if ((watch->link.spare & ~gone) == 0) {
        watch_free(table, watch);
    } else {
        watch_set_modes(table, watch, watch->link.spare & ~gone);
    }
    return true;
}

void watch_remove_conn(struct watch_table *table, uint32_t conn)
{
    struct watch_owner *owner = sorted_find(&table->owners, conn);
    uint32_t left = owner == NULL ? 0 : owner->count;

    for (; left > 0; left--) {
        /* The last one takes the owner along. */
        watch_free(table, LIST_ITEM(owner->watches.next, struct watch, of_owner));
    }
}

/* -- looking -- */

void watch_count(const struct watch_table *table, struct watch_counts *counts)
{
    *counts = (struct watch_counts){
        .conns = table->owners.count, .paths = table->places.count, .watches = table->bit_count};
}

bool watch_conn_seek(const struct watch_table *table, uint32_t from, uint32_t *conn)
{
    uint64_t key;
    void *value;

    if (!sorted_seek(&table->owners, from, &key, &value)) {
        return false;
    }
    *conn = (uint32_t)key;
    return true;
}

const struct watch *watch_next_of_conn(const struct watch_table *table, uint32_t conn,
                                       const struct watch *previous)
{
    const struct watch_owner *owner = sorted_find(&table->owners, conn);
    struct list *link;

    if (owner == NULL) {
        return NULL;
    }
    link = previous == NULL ? owner->watches.next : previous->of_owner.next;
    return link == &owner->watches ? NULL : LIST_ITEM(link, struct watch, of_owner);
}

struct span watch_path(const struct watch *watch)
{
    return watch_place_path(watch->place);
}

uint32_t watch_modes(const struct watch *watch)
{
    return watch->link.spare;
}

uint32_t watch_conn(const struct watch *watch)
{
    return watch->owner->conn;
}

const struct watch *watch_first_of_path(const struct watch *watch)
{
    return LIST_ITEM(watch->place->watches.next, struct watch, of_place);
}

const struct watch *watch_next_of_path(const struct watch *watch)
{
    struct list *link = watch->of_place.next;

    return link == &watch->place->watches ? NULL : LIST_ITEM(link, struct watch, of_place);
}
