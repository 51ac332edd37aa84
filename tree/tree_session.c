/* The table of sessions, which is also the table of owners of ephemerals: one object a session id.
 */
#include "base/ensure.h"
#include "tree/state.h"

/* -- sessions -- */

struct tree_session *tree_session_get(const struct tree *tree, int64_t id)
{
    return sorted_find(&tree->sessions, (uint64_t)id);
}

enum err tree_session_make(struct tree *tree, int64_t id, struct tree_session **session)
{
    struct tree_session *made = tree_session_get(tree, id);

    if (made == NULL) {
        made = mem_get(tree->mem, sizeof(*made));
        if (made == NULL) {
            return ERR_MEMORY;
        }
        *made = (struct tree_session){.id = id, .walks = tree->walk_polarity};
        list_init(&made->ephemerals);
        if (sorted_put(&tree->sessions, (uint64_t)id, made) != ERR_OK) {
            mem_put(tree->mem, made, sizeof(*made));
            return ERR_MEMORY;
        }
    }
    *session = made;
    return ERR_OK;
}

void tree_session_forget(struct tree *tree, struct tree_session *session)
{
    if (session->known || session->ephemeral_count > 0) {
        return;
    }
    ENSURE(list_empty(&session->ephemerals));
    (void)sorted_take(&tree->sessions, (uint64_t)session->id);
    mem_put(tree->mem, session, sizeof(*session));
}

enum err tree_session_set(struct tree *tree, int64_t id, int32_t timeout_ms)
{
    struct tree_session *session;
    enum err err = tree_session_make(tree, id, &session);

    if (err != ERR_OK) {
        return err;
    }
    if (session->known) {
        walk_save_session(tree, session);
    } else {
        session->known = true;
        session->walks = tree->walk_polarity;
        tree->session_count++;
    }
    session->timeout_ms = timeout_ms;
    return ERR_OK;
}

void tree_session_unset(struct tree *tree, struct tree_session *session)
{
    if (session->known) {
        walk_save_session(tree, session);
        session->known = false;
        tree->session_count--;
    }
    tree_session_forget(tree, session);
}

uint64_t tree_session_count(const struct tree *tree)
{
    return tree->session_count;
}

bool tree_session_find(const struct tree *tree, int64_t session, int32_t *timeout_ms)
{
    const struct tree_session *found = tree_session_get(tree, session);

    if (found == NULL || !found->known) {
        return false;
    }
    *timeout_ms = found->timeout_ms;
    return true;
}

bool tree_session_seek(const struct tree *tree, int64_t from, int64_t *session, int32_t *timeout_ms)
{
    uint64_t key = (uint64_t)from;
    void *value;

    while (sorted_seek(&tree->sessions, key, &key, &value)) {
        const struct tree_session *found = value;

        if (found->known) {
            *session = found->id;
            *timeout_ms = found->timeout_ms;
            return true;
        }
        if (key == UINT64_MAX) {
            return false;
        }
        key++;
    }
    return false;
}

bool tree_owner_seek(const struct tree *tree, int64_t from, int64_t *session, uint64_t *count)
{
    uint64_t key = (uint64_t)from;
    void *value;

    while (sorted_seek(&tree->sessions, key, &key, &value)) {
        const struct tree_session *found = value;

        if (found->ephemeral_count > 0) {
            *session = found->id;
            *count = found->ephemeral_count;
            return true;
        }
        if (key == UINT64_MAX) {
            return false;
        }
        key++;
    }
    return false;
}

/* -- lists of ephemerals, containers, TTL nodes -- */

static const struct list *tree_kind_list(const struct tree *tree, const struct node *node)
{
    switch (node_kind(node)) {
    case NODE_EPHEMERAL: {
        const struct tree_session *session = tree_session_get(tree, node->owner);

        ENSURE(session != NULL);
        return &session->ephemerals;
    }
    case NODE_CONTAINER:
        return &tree->containers;
    case NODE_TTL:
        return &tree->ttls;
    case NODE_PERSISTENT:
        break;
    }
    UNREACHABLE();
}

static const struct node *tree_list_first(const struct list *list)
{
    return list_empty(list) ? NULL : node_of_link(list->next);
}

const struct node *tree_ephemeral_first(const struct tree *tree, int64_t session)
{
    const struct tree_session *found = tree_session_get(tree, session);

    return found == NULL ? NULL : tree_list_first(&found->ephemerals);
}

const struct node *tree_kind_first(const struct tree *tree, enum node_kind kind)
{
    ENSURE(kind == NODE_CONTAINER || kind == NODE_TTL);
    return tree_list_first(kind == NODE_CONTAINER ? &tree->containers : &tree->ttls);
}

const struct node *tree_linked_next(const struct tree *tree, const struct node *node)
{
    struct list *next = node_link(node)->next;

    ENSURE((node->flags & NODE_LINKED) != 0);
    return next == tree_kind_list(tree, node) ? NULL : node_of_link(next);
}
