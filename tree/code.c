#include "tree/code.h"

#include <stddef.h>

const char *zk_code_name(int32_t code)
{
    switch (code) {
#define X(name, number) \
    case number:        \
        return #name;
        ZK_CODE_MAP(X)
#undef X
    default: /* not an enum: any number may come from a peer */
        return "UNKNOWN";
    }
}

static const char *zk_op_text(int32_t op)
{
    switch (op) {
#define X(name, number, text) \
    case number:              \
        return text;
        ZK_OP_MAP(X)
#undef X
    default: /* not an enum: any number may come from a peer */
        return NULL;
    }
}

const char *zk_op_name(int32_t op)
{
    const char *text = zk_op_text(op);

    return text == NULL ? "unknown" : text;
}

bool zk_op_known(int32_t op)
{
    return zk_op_text(op) != NULL;
}

const char *zk_event_name(int32_t event)
{
    switch (event) {
#define X(name, number, text) \
    case number:              \
        return text;
        ZK_EVENT_MAP(X)
#undef X
    default: /* not an enum: any number may come from a peer */
        return "Unknown";
    }
}
