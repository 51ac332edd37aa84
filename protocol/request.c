#include "protocol/request.h"

#include "base/ensure.h"
#include "protocol/session.h"
#include "protocol/wire_quorum.h"
#include "tree/code.h"

struct request request_close_session(int64_t session)
{
    return (struct request){.kind = REQUEST_WRITE,
                            .op = OP_CLOSE_SESSION,
                            .cxid = 0,
                            .session = session,
                            .owner = SESSION_OWNER_NONE,
                            .body = wire_empty(),
                            .auth_ids = wire_vector_null()};
}

bool request_is_write(int32_t op)
{
    switch (op) {
    case OP_CREATE:
    case OP_DELETE:
    case OP_SET_DATA:
    case OP_SET_ACL:
    case OP_MULTI:
    case OP_CREATE2:
    case OP_RECONFIG:
    case OP_CREATE_CONTAINER:
    case OP_DELETE_CONTAINER:
    case OP_CREATE_TTL:
    case OP_CREATE_SESSION:
    case OP_CLOSE_SESSION:
        return true;
    default:
        return false;
    }
}

enum err request_from_learner(struct span packet, const struct wire_vector *auth_ids,
                              uint64_t owner, struct request *request)
{
    struct wire_forward forward;
    enum err err = wire_forward_decode(packet, &forward);

    ENSURE(owner >= SESSION_OWNER_LEARNERS);
    if (err != ERR_OK) {
        return err;
    }
    if (forward.type != OP_SYNC && !request_is_write(forward.type)) {
        return ERR_UNKNOWN;
    }
    *request = (struct request){
        .kind = forward.type == OP_SYNC ? REQUEST_SYNC : REQUEST_WRITE,
        .op = forward.type,
        .cxid = forward.cxid,
        .session = forward.session,
        .owner = owner,
        .body = forward.record,
        .auth_ids = *auth_ids,
    };
    return ERR_OK;
}

void request_forward_encode(struct bytes *out, const struct request *request)
{
    struct wire_forward forward = {.session = request->session,
                                   .cxid = request->cxid,
                                   .type = request->op,
                                   .record = request->body};

    ENSURE(request->kind != REQUEST_REVALIDATE);
    wire_forward_put(out, &forward, &request->auth_ids);
}

/* One block: the struct, then the body, then the ids. */
struct request_block {
    struct request request; /* first */
    size_t size;
};

struct request *request_copy(struct mem *mem, const struct request *request)
{
    size_t body = request->body.len;
    size_t ids = request->auth_ids.items.len;
    size_t size = sizeof(struct request_block) + body + ids;
    struct request_block *block = mem_get(mem, size);
    uint8_t *tail;

    if (block == NULL) {
        return NULL;
    }
    tail = (uint8_t *)(block + 1);
    block->request = *request;
    block->request.body = wire_empty();
    block->size = size;
    if (body > 0) {
        memcpy(tail, request->body.at, body);
        block->request.body = span_make(tail, body);
    }
    if (ids > 0) {
        memcpy(tail + body, request->auth_ids.items.at, ids);
        block->request.auth_ids.items = span_make(tail + body, ids);
    }
    return &block->request;
}

void request_drop(struct mem *mem, struct request *request)
{
    struct request_block *block = (struct request_block *)(void *)request;

    if (block != NULL) {
        mem_put(mem, block, block->size);
    }
}
