/* What a client that reconnects has missed, path by path. */
#include "base/ensure.h"
#include "tree/watch.h"

static enum zk_event watch_missed(const struct watch_again *again, const struct node *node)
{
    switch (again->list) {
    case WATCH_LIST_DATA:
        if (node == NULL) {
            return EVENT_DELETED;
        }
        return node->mzxid > again->relative_zxid ? EVENT_DATA_CHANGED : EVENT_NONE;
    case WATCH_LIST_EXIST:
        return node != NULL ? EVENT_CREATED : EVENT_NONE;
    case WATCH_LIST_CHILD:
        if (node == NULL) {
            return EVENT_DELETED;
        }
        return node->pzxid > again->relative_zxid ? EVENT_CHILDREN_CHANGED : EVENT_NONE;
    case WATCH_LIST_PERSISTENT:
    case WATCH_LIST_RECURSIVE:
        return EVENT_NONE;
    }
    UNREACHABLE();
}

static uint32_t watch_list_modes(enum watch_list list)
{
    switch (list) {
    case WATCH_LIST_DATA:
    case WATCH_LIST_EXIST:
        return WATCH_DATA;
    case WATCH_LIST_CHILD:
        return WATCH_CHILD;
    case WATCH_LIST_PERSISTENT:
        return WATCH_PERSISTENT;
    case WATCH_LIST_RECURSIVE:
        return WATCH_RECURSIVE;
    }
    UNREACHABLE();
}

enum err watch_set_again(struct watch_table *table, const struct watch_again *again,
                         struct span path, const struct node *node, enum zk_event *event)
{
    enum zk_event missed = watch_missed(again, node);

    if (missed == EVENT_NONE) {
        enum err err = watch_add(table, again->conn, path, watch_list_modes(again->list));

        if (err != ERR_OK) {
            return err;
        }
    }
    *event = missed;
    return ERR_OK;
}
