#include "protocol/prep_view.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "tree/digest.h"
#include "tree/path.h"

struct prep_record {
    struct prep_record *same_hash;
    uint64_t hash;
    uint32_t touches; /* how often it stands in the queue */
    uint32_t path_len;
    struct prep_state state;
    uint8_t path[];
};

struct prep_touch {
    int64_t zxid;
    struct prep_record *record;
};

/* How a record was before a touch of the multi that is being prepared. */
struct prep_undo {
    struct prep_state state;
    bool retired; /* the touch replaced state.acl */
};

void prep_view_init(struct prep_view *view, struct mem *mem, const struct tree *tree,
                    bool digest_on)
{
    *view = (struct prep_view){.mem = mem, .tree = tree, .digest_on = digest_on};
    map_init(&view->records, mem, 0);
    ring_init(&view->touches, mem, (uint32_t)sizeof(struct prep_touch));
    ring_init(&view->undo, mem, (uint32_t)sizeof(struct prep_undo));
}

static size_t prep_record_size(uint32_t path_len)
{
    return sizeof(struct prep_record) + path_len;
}

static void prep_state_drop_acl(struct prep_view *view, const struct prep_state *state)
{
    if (state->acl_size > 0) {
        union {
            const uint8_t *lent;
            void *own;
        } raw = {.lent = state->acl.raw.at};

        mem_put(view->mem, raw.own, state->acl_size);
    }
}

static struct span prep_record_path(const struct prep_record *record)
{
    return span_make(record->path, record->path_len);
}

static struct prep_record *prep_view_find(const struct prep_view *view, struct span path,
                                          uint64_t hash)
{
    struct prep_record *record = map_find(&view->records, hash);

    while (record != NULL && !span_equal(prep_record_path(record), path)) {
        record = record->same_hash;
    }
    return record;
}

static void prep_view_free(struct prep_view *view, struct prep_record *record)
{
    struct prep_record *first = map_find(&view->records, record->hash);

    ENSURE(record->touches == 0);
    if (first == record) {
        if (record->same_hash == NULL) {
            (void)map_take(&view->records, record->hash);
        } else {
            /* Replacing the value of a present key needs no memory. */
            enum err err = map_put(&view->records, record->hash, record->same_hash);

            ENSURE(err == ERR_OK);
        }
    } else {
        while (first->same_hash != record) {
            first = first->same_hash;
        }
        first->same_hash = record->same_hash;
    }
    prep_state_drop_acl(view, &record->state);
    mem_put(view->mem, record, prep_record_size(record->path_len));
}

static void prep_view_release(struct prep_view *view, struct prep_record *record)
{
    ENSURE(record->touches > 0);
    record->touches--;
    if (record->touches == 0) {
        prep_view_free(view, record);
    }
}

void prep_view_reset(struct prep_view *view)
{
    if (view->saving) {
        prep_view_rollback(view);
    }
    while (ring_count(&view->touches) > 0) {
        struct prep_touch *touch = ring_at(&view->touches, 0);

        prep_view_release(view, touch->record);
        ring_pop(&view->touches);
    }
}

void prep_view_drop(struct prep_view *view)
{
    prep_view_reset(view);
    map_drop(&view->records);
    ring_drop(&view->touches);
    ring_drop(&view->undo);
}

void prep_view_look(const struct prep_view *view, struct span path, struct prep_state *state)
{
    const struct prep_record *record = NULL;
    const struct node *node;

    if (ring_count(&view->touches) > 0) {
        record = prep_view_find(view, path, hash_bytes(path, view->seed));
    }
    if (record != NULL) {
        *state = record->state;
        return;
    }
    node = tree_find(view->tree, path);
    if (node == NULL) {
        *state = (struct prep_state){.exists = false};
        return;
    }
    state->exists = true;
    node_stat_stored(node, &state->stat);
    state->child_count = node->child_count;
    state->data_len = node->data_len;
    state->text_crc = node->text_crc;
    state->crc = (node->flags & NODE_UNDIGESTED) != 0 ? 0 : node->crc;
    state->acl = node_acl(node);
    state->acl_size = 0;
    state->born = 0;
}

static struct prep_record *prep_view_add(struct prep_view *view, struct span path, uint64_t hash)
{
    struct prep_record *record = mem_get(view->mem, prep_record_size((uint32_t)path.len));

    if (record == NULL) {
        return NULL;
    }
    prep_view_look(view, path, &record->state);
    record->same_hash = map_find(&view->records, hash);
    record->hash = hash;
    record->touches = 0;
    record->path_len = (uint32_t)path.len;
    if (path.len > 0) {
        memcpy(record->path, path.at, path.len);
    }
    if (map_put(&view->records, hash, record) != ERR_OK) {
        mem_put(view->mem, record, prep_record_size((uint32_t)path.len));
        return NULL;
    }
    return record;
}

/* *state gets a copy of its ACL that belongs to the record. */
static enum err prep_state_own_acl(struct prep_view *view, struct prep_state *state)
{
    struct span raw = state->acl.raw;
    struct acl_list open = acl_open();
    uint8_t *copy;

    state->acl_size = 0;
    if (raw.len == 0) {
        return ERR_OK;
    }
    if (span_equal(raw, open.raw)) {
        state->acl = open; /* a constant: the usual list costs no memory */
        return ERR_OK;
    }
    copy = mem_get(view->mem, raw.len);
    if (copy == NULL) {
        return ERR_MEMORY;
    }
    memcpy(copy, raw.at, raw.len);
    state->acl.raw = span_make(copy, raw.len);
    state->acl_size = raw.len;
    return ERR_OK;
}

/* Note the touch, and how the record was before it when a multi may have to be undone. */
static enum err prep_view_touch(struct prep_view *view, struct prep_record *record, int64_t zxid,
                                bool retired)
{
    struct prep_touch *touch = ring_push(&view->touches);

    if (touch == NULL) {
        return ERR_MEMORY;
    }
    if (view->saving) {
        struct prep_undo *undo = ring_push(&view->undo);

        if (undo == NULL) {
            ring_pop_back(&view->touches);
            return ERR_MEMORY;
        }
        undo->state = record->state;
        undo->retired = retired;
    }
    touch->zxid = zxid;
    touch->record = record;
    record->touches++;
    return ERR_OK;
}

static uint32_t prep_state_crc(const struct prep_view *view, struct span path,
                               const struct prep_state *state)
{
    if (!view->digest_on || !state->exists || path_undigested(path)) {
        return 0;
    }
    return digest_finish(state->text_crc, &state->stat);
}

enum err prep_view_put(struct prep_view *view, const struct prep_change *change)
{
    uint64_t hash = hash_bytes(change->path, view->seed);
    struct prep_record *record = prep_view_find(view, change->path, hash);
    struct prep_state next = *change->state;
    bool retired;

    if (record == NULL) {
        record = prep_view_add(view, change->path, hash);
        if (record == NULL) {
            return ERR_MEMORY;
        }
    }
    if (change->new_acl && prep_state_own_acl(view, &next) != ERR_OK) {
        next.acl_size = 0;
        goto no_memory;
    }
    next.crc = prep_state_crc(view, change->path, &next);
    if (!record->state.exists) {
        next.born = view->touches.tail + 1u;
    }
    if (ring_count(&view->touches) == 0) {
        view->digest = tree_digest(view->tree);
    }
    retired = change->new_acl || !next.exists;
    if (!next.exists) {
        next.acl = (struct acl_list){.count = 0};
        next.acl_size = 0;
    }
    if (prep_view_touch(view, record, change->zxid, retired) != ERR_OK) {
        if (change->new_acl) {
            prep_state_drop_acl(view, &next);
        }
        goto no_memory;
    }
    if (retired && !view->saving) {
        prep_state_drop_acl(view, &record->state);
    }
    view->digest += next.crc;
    view->digest -= record->state.exists ? record->state.crc : 0;
    record->state = next;
    return ERR_OK;
no_memory:
    if (record->touches == 0) {
        prep_view_free(view, record);
    }
    return ERR_MEMORY;
}

void prep_view_applied(struct prep_view *view, int64_t zxid)
{
    struct prep_touch *touch;

    ENSURE(!view->saving);
    while ((touch = ring_at(&view->touches, 0)) != NULL && touch->zxid <= zxid) {
        prep_view_release(view, touch->record);
        ring_pop(&view->touches);
    }
}

void prep_view_begin(struct prep_view *view)
{
    ENSURE(!view->saving);
    ENSURE(ring_count(&view->undo) == 0);
    view->saving = true;
}

void prep_view_commit(struct prep_view *view)
{
    uint64_t count = ring_count(&view->undo);

    ENSURE(view->saving);
    for (uint64_t i = 0; i < count; i++) {
        const struct prep_undo *undo = ring_at(&view->undo, i);

        if (undo->retired) {
            prep_state_drop_acl(view, &undo->state);
        }
    }
    ring_clear(&view->undo);
    view->saving = false;
}

void prep_view_rollback(struct prep_view *view)
{
    ENSURE(view->saving);
    while (ring_count(&view->undo) > 0) {
        const struct prep_undo *undo = ring_at(&view->undo, ring_count(&view->undo) - 1);
        struct prep_touch *touch = ring_at(&view->touches, ring_count(&view->touches) - 1);
        struct prep_record *record = touch->record;

        if (undo->retired) {
            prep_state_drop_acl(view, &record->state);
        }
        view->digest -= record->state.exists ? record->state.crc : 0;
        view->digest += undo->state.exists ? undo->state.crc : 0;
        record->state = undo->state;
        ring_pop_back(&view->undo);
        ring_pop_back(&view->touches);
        prep_view_release(view, record);
    }
    view->saving = false;
}

uint64_t prep_view_digest(const struct prep_view *view)
{
    return ring_count(&view->touches) > 0 ? view->digest : tree_digest(view->tree);
}

static bool prep_state_is_of(const struct prep_state *state, int64_t session)
{
    return state->exists && state->stat.ephemeral_owner == session;
}

/* The record speaks of the very node that the tree holds, not of one that replaces it. */
static bool prep_view_is_applied(const struct prep_view *view, const struct prep_state *state)
{
    return state->born == 0 || state->born - 1u < view->touches.head;
}

uint32_t prep_view_ephemerals(const struct prep_view *view, int64_t session, struct bytes *raw)
{
    struct bytes path;
    uint32_t count = 0;
    uint64_t touches = ring_count(&view->touches);

    bytes_init(&path, view->mem);
    for (const struct node *node = tree_ephemeral_first(view->tree, session); node != NULL;
         node = tree_linked_next(view->tree, node)) {
        const struct prep_record *record;

        bytes_clear(&path);
        node_path(node, true, &path);
        if (path.failed) {
            raw->failed = true;
            break;
        }
        record = prep_view_find(view, bytes_span(&path), hash_bytes(bytes_span(&path), view->seed));
        if (record == NULL || (prep_state_is_of(&record->state, session) &&
                               prep_view_is_applied(view, &record->state))) {
            txn_paths_add(raw, bytes_span(&path));
            count++;
        }
    }
    bytes_drop(&path);
    for (uint64_t i = 0; i < touches; i++) {
        const struct prep_touch *touch = ring_at(&view->touches, i);
        const struct prep_record *record = touch->record;

        if (record->state.born == view->touches.head + i + 1u &&
            prep_state_is_of(&record->state, session)) {
            txn_paths_add(raw, prep_record_path(record));
            count++;
        }
    }
    return count;
}
