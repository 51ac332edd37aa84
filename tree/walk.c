#include "tree/walk.h"

#include "base/ensure.h"

/* Sessions, lists and nodes looked at in one call, whether they give output or not. */
#define WALK_STEPS 8192u

static void walk_free_buffers(struct walk *walk)
{
    bytes_drop(&walk->early_sessions);
    bytes_drop(&walk->early_nodes);
    bytes_drop(&walk->path);
    mem_put(walk->mem, walk->chain, walk->chain_room * sizeof(struct node *));
    walk->chain = NULL;
    walk->chain_room = 0;
    walk->early_taken = 0;
}

static void walk_free(struct walk *walk)
{
    walk_free_buffers(walk);
    mem_put(walk->mem, walk, sizeof(*walk));
}

static inline bool walk_written(const struct walk *walk, uint8_t walks)
{
    return ((walks ^ walk->tree->walk_polarity) & walk->bit) == 0;
}

static inline uint8_t walk_mark(const struct walk *walk, uint8_t walks)
{
    return walks ^ walk->bit;
}

/* -- slots -- */

static uint32_t walk_slot(const struct walk *walk)
{
    return (uint32_t)__builtin_ctz(walk->bit);
}

/* Lists that nobody refers to are not in the image. */
static void walk_mark_dead_lists(struct tree *tree, uint8_t bit)
{
    struct list *link;

    for (link = tree->acls.dead.next; link != &tree->acls.dead; link = link->next) {
        LIST_ITEM(link, struct acl_entry, dead_link)->walks ^= bit;
    }
}

enum err walk_make(struct tree *tree, struct walk **made)
{
    struct walk *walk;
    uint32_t slot = 0;

    ENSURE(tree->root != NULL);
    while (slot < IMAGE_WALKS && tree->walk[slot] != NULL) {
        slot++;
    }
    if (slot == IMAGE_WALKS) {
        return ERR_REFUSED;
    }
    walk = mem_get_zero(tree->mem, sizeof(*walk));
    if (walk == NULL) {
        return ERR_MEMORY;
    }
    walk->mem = tree->mem;
    walk->tree = tree;
    walk->bit = (uint8_t)(1u << slot);
    walk->session_count = tree->session_count;
    walk->sessions_left = tree->session_count;
    walk->lists_left = tree->acls.count;
    walk->nodes_left = tree->index.count;
    walk->next_list = tree->acls.entries.next;
    walk->next_node = tree->root;
    bytes_init(&walk->early_sessions, tree->mem);
    bytes_init(&walk->early_nodes, tree->mem);
    bytes_init(&walk->path, tree->mem);
    tree->walk[slot] = walk;
    tree->walk_active |= walk->bit;
    tree->walk_early |= walk->bit;
    tree->walk_polarity ^= walk->bit;
    tree->acls.walk_polarity = tree->walk_polarity;
    walk_mark_dead_lists(tree, walk->bit);
    *made = walk;
    return ERR_OK;
}

/* The slot is free again. */
static void walk_leave(struct walk *walk)
{
    struct tree *tree = walk->tree;

    tree->walk[walk_slot(walk)] = NULL;
    tree->walk_active &= (uint8_t)~walk->bit;
    tree->walk_early &= (uint8_t)~walk->bit;
    tree->walk_given_up &= (uint8_t)~walk->bit;
    walk->tree = NULL;
}

/* No more output; the marks still have to be made. */
static void walk_silence(struct walk *walk)
{
    walk->mute = true;
    walk_free_buffers(walk);
}

void walk_drop(struct walk *walk)
{
    if (walk->tree == NULL) {
        walk_free(walk);
        return;
    }
    walk_silence(walk);
    walk->tree->walk_given_up |= walk->bit;
}

void walk_cut_off(struct tree *tree)
{
    for (uint32_t slot = 0; slot < IMAGE_WALKS; slot++) {
        struct walk *walk = tree->walk[slot];

        if (walk != NULL) {
            bool given_up = (tree->walk_given_up & walk->bit) != 0;

            walk_leave(walk);
            if (given_up) {
                walk_free(walk);
            }
        }
    }
}

/* -- writing one thing -- */

static void walk_write_session(struct walk *walk, struct bytes *out, struct tree_session *session)
{
    session->walks = walk_mark(walk, session->walks);
    walk->sessions_left--;
    if (!walk->mute) {
        ENSURE(out != NULL);
        bytes_i64(out, session->id);
        bytes_i32(out, session->timeout_ms);
    }
}

static void walk_write_list(struct walk *walk, struct bytes *out, struct acl_entry *entry)
{
    entry->walks = walk_mark(walk, entry->walks);
    walk->lists_left--;
    if (!walk->mute) {
        ENSURE(out != NULL);
        bytes_i64(out, entry->index);
        acl_list_write(out, acl_entry_list(entry));
    }
}

static void walk_write_node(struct walk *walk, struct bytes *out, struct node *node,
                            struct span path)
{
    struct stat_stored stat;

    node->walks = walk_mark(walk, node->walks);
    walk->nodes_left--;
    if (walk->mute) {
        return;
    }
    ENSURE(out != NULL);
    bytes_ustring(out, path);
    if (node_data_null(node)) {
        bytes_buffer_null(out);
    } else {
        bytes_buffer(out, node_data(node));
    }
    bytes_i64(out, node->acl == NULL ? -1 : node->acl->index);
    node_stat_stored(node, &stat);
    stat_stored_write(out, &stat);
}

/* -- writing beside -- */

static bool walk_widen_chain(struct walk *walk)
{
    size_t room = walk->chain_room == 0 ? 16 : walk->chain_room * 2;
    struct node **chain =
        mem_grow(walk->mem, walk->chain, walk->chain_room * sizeof(*chain), room * sizeof(*chain));

    if (chain == NULL) {
        return false;
    }
    walk->chain = chain;
    walk->chain_room = room;
    return true;
}

/* `node` and its unwritten ancestors, the highest first. False when memory ran out. */
static bool walk_save_chain(struct walk *walk, struct node *node)
{
    size_t count = 0;
    size_t len;

    for (struct node *at = node; at != NULL && !walk_written(walk, at->walks); at = at->parent) {
        if (count == walk->chain_room && !walk_widen_chain(walk)) {
            return false;
        }
        walk->chain[count++] = at;
    }
    bytes_clear(&walk->path);
    node_path(node, false, &walk->path);
    if (walk->path.failed) {
        return false;
    }
    ENSURE(count > 0);
    /* The path of each is the beginning of the path of the next. */
    len = node_path_len(walk->chain[count - 1]);
    while (true) {
        struct node *at = walk->chain[--count];

        walk_write_node(walk, &walk->early_nodes, at, span_make(walk->path.at, len));
        if (count == 0) {
            break;
        }
        len += 1 + (size_t)walk->chain[count - 1]->link.spare;
    }
    return !walk->early_nodes.failed;
}

/* The walk is of no more use to its user, who will be told. */
static void walk_fail(struct walk *walk)
{
    walk->failed = true;
    walk_silence(walk);
}

void walk_save_node(struct tree *tree, struct node *node)
{
    for (uint32_t slot = 0; slot < IMAGE_WALKS; slot++) {
        struct walk *walk = tree->walk[slot];

        if (walk == NULL || walk_written(walk, node->walks)) {
            continue;
        }
        if (!walk->mute && !walk_save_chain(walk, node)) {
            walk_fail(walk);
        }
        if (!walk_written(walk, node->walks)) {
            walk_write_node(walk, NULL, node, span_make(NULL, 0));
        }
    }
}

void walk_save_session(struct tree *tree, struct tree_session *session)
{
    for (uint32_t slot = 0; slot < IMAGE_WALKS; slot++) {
        struct walk *walk = tree->walk[slot];

        if (walk != NULL && !walk_written(walk, session->walks)) {
            walk_write_session(walk, &walk->early_sessions, session);
            if (walk->early_sessions.failed) {
                walk_fail(walk);
            }
        }
    }
}

void walk_skip_node(struct tree *tree, const struct node *node)
{
    for (uint32_t slot = 0; tree->walk_active != 0 && slot < IMAGE_WALKS; slot++) {
        struct walk *walk = tree->walk[slot];

        if (walk != NULL && walk->next_node == node) {
            walk->next_node = (struct node *)(uintptr_t)tree_next(tree->root, node);
        }
    }
}

/* -- steps -- */

/* How much a call may still do. */
struct walk_budget {
    struct bytes *out; /* NULL for a mute walk */
    size_t until;
    uint32_t steps;
};

static bool walk_may_go_on(struct walk_budget *budget)
{
    if (budget->steps == 0 || (budget->out != NULL && budget->out->len >= budget->until)) {
        return false;
    }
    budget->steps--;
    return true;
}

/* Hand out what was written beside, at most up to the budget. True when nothing is left. */
static bool walk_take_early(struct walk *walk, struct bytes *early, struct walk_budget *budget)
{
    size_t left = early->len - walk->early_taken;
    size_t room;

    if (left == 0) {
        return true;
    }
    ENSURE(budget->out != NULL);
    room = budget->out->len < budget->until ? budget->until - budget->out->len : 0;
    if (room < left) {
        left = room;
    }
    bytes_raw(budget->out, early->at + walk->early_taken, left);
    walk->early_taken += left;
    if (walk->early_taken < early->len) {
        return false;
    }
    bytes_clear(early);
    walk->early_taken = 0;
    return true;
}

static void walk_begin_lists(struct walk *walk, struct bytes *out)
{
    if (!walk->mute) {
        ENSURE(out != NULL);
        bytes_u32(out, (uint32_t)walk->lists_left);
    }
    walk->phase = WALK_LISTS;
}

static void walk_sessions(struct walk *walk, struct walk_budget *budget)
{
    struct tree *tree = walk->tree;

    while (true) {
        void *value;

        if (!walk->mute && !walk_take_early(walk, &walk->early_sessions, budget)) {
            return;
        }
        if (walk->sessions_left == 0) {
            bytes_drop(&walk->early_sessions);
            walk_begin_lists(walk, budget->out);
            return;
        }
        if (!walk_may_go_on(budget)) {
            return;
        }
        ENSURE(sorted_seek(&tree->sessions, walk->next_session, &walk->next_session, &value));
        if (((struct tree_session *)value)->known &&
            !walk_written(walk, ((struct tree_session *)value)->walks)) {
            walk_write_session(walk, budget->out, value);
        }
        walk->next_session++; /* past the greatest id nothing is left */
    }
}

static void walk_lists(struct walk *walk, struct walk_budget *budget)
{
    while (walk->lists_left > 0) {
        struct acl_entry *entry = LIST_ITEM(walk->next_list, struct acl_entry, link);

        if (!walk_may_go_on(budget)) {
            return;
        }
        ENSURE(walk->next_list != &walk->tree->acls.entries);
        if (!walk_written(walk, entry->walks)) {
            walk_write_list(walk, budget->out, entry);
        }
        walk->next_list = entry->link.next;
    }
    walk->phase = WALK_NODES;
    walk->tree->walk_early &= (uint8_t)~walk->bit;
}

static void walk_nodes(struct walk *walk, struct walk_budget *budget)
{
    while (true) {
        struct node *node = walk->next_node;

        if (!walk->mute && !walk_take_early(walk, &walk->early_nodes, budget)) {
            return;
        }
        if (walk->nodes_left == 0) {
            walk->phase = WALK_END;
            return;
        }
        if (!walk_may_go_on(budget)) {
            return;
        }
        ENSURE(node != NULL);
        if (!walk_written(walk, node->walks)) {
            bytes_clear(&walk->path);
            if (!walk->mute) {
                node_path(node, false, &walk->path);
            }
            walk_write_node(walk, budget->out, node, bytes_span(&walk->path));
        }
        walk->next_node = (struct node *)(uintptr_t)tree_next(walk->tree->root, node);
    }
}

/* Go on through the phases as far as the budget allows. */
static void walk_go(struct walk *walk, struct walk_budget *budget)
{
    ENSURE(walk->mute || budget->out != NULL);
    if (walk->phase == WALK_SESSIONS) {
        walk_sessions(walk, budget);
    }
    if (walk->phase == WALK_LISTS) {
        walk_lists(walk, budget);
    }
    if (walk->phase == WALK_NODES) {
        walk_nodes(walk, budget);
    }
    if (walk->phase == WALK_END) {
        ENSURE(walk->sessions_left == 0 && walk->lists_left == 0);
        if (!walk->mute) {
            ENSURE(budget->out != NULL);
            bytes_ustring(budget->out, span_make("/", 1));
        }
        walk_leave(walk);
    }
}

enum err walk_step(struct walk *walk, struct bytes *out, size_t until)
{
    struct walk_budget budget = {.out = out, .until = until, .steps = WALK_STEPS};

    if (walk->failed) {
        return ERR_MEMORY;
    }
    if (walk->tree == NULL) {
        return walk->phase == WALK_END ? ERR_OK : ERR_REFUSED;
    }
    ENSURE(!walk->mute);
    if (!walk->begun) {
        walk->begun = true;
        bytes_u32(out, (uint32_t)walk->session_count);
    }
    walk_go(walk, &budget);
    if (out->failed || walk->path.failed) {
        if (walk->tree != NULL) {
            walk_fail(walk);
        }
        return ERR_MEMORY;
    }
    return ERR_OK;
}

void walk_turn(struct tree *tree, uint32_t steps)
{
    for (uint32_t slot = 0; tree->walk_given_up != 0 && slot < IMAGE_WALKS; slot++) {
        struct walk *walk = tree->walk[slot];
        struct walk_budget budget = {.steps = steps};

        if (walk != NULL && (tree->walk_given_up & walk->bit) != 0) {
            walk_go(walk, &budget);
            if (walk->tree == NULL) {
                walk_free(walk);
            }
        }
    }
    if (tree->walk_early == 0 && !list_empty(&tree->acls.dead)) {
        acl_table_purge(&tree->acls);
    }
}
