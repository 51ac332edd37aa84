#include "protocol/client_state.h"

#define TEXT_ROOM 512

static void client_emit_answer(struct fx *fx, uint64_t tag, const struct client_answer *answer,
                               struct span record)
{
    struct bytes *out = fx_out(fx);

    client_answer_encode(out, answer, record);
    fx_answer(fx, tag, bytes_span(out));
}

void client_answer_ok(struct fx *fx, uint64_t tag, const struct wire_reply *reply, int64_t zxid,
                      struct span record)
{
    char room[TEXT_ROOM];
    struct text text;

    text_init(&text, room, sizeof room);
    client_reply_text(&text, reply);
    fx_note(fx, NOTE_OK, tag, (uint64_t)zxid, (uint64_t)(int64_t)reply->type,
            span_make(room, text.len));
    client_emit_answer(
        fx, tag,
        &(struct client_answer){
            .code = ZK_OK, .zxid = zxid, .op = reply->type, .has_reply = zk_op_known(reply->type)},
        record);
}

void client_answer_fail(struct fx *fx, uint64_t tag, const struct client_answer *answer,
                        struct span record)
{
    fx_note(fx, NOTE_FAIL, tag, (uint64_t)(int64_t)answer->code, (uint64_t)(int64_t)answer->op,
            span_text(zk_code_name(answer->code)));
    client_emit_answer(fx, tag, answer, record);
}

void client_answer_unknown(struct fx *fx, uint64_t tag, int32_t op)
{
    struct client_answer answer = {.code = ZK_CONNECTIONLOSS, .zxid = -1, .op = op};

    fx_note(fx, NOTE_UNKNOWN, tag, (uint64_t)(int64_t)answer.code, (uint64_t)(int64_t)op,
            span_text("connection lost"));
    client_emit_answer(fx, tag, &answer, wire_empty());
}

void client_pop_op(struct client *client)
{
    struct client_call *op = ring_at(&client->ops, 0);

    if (op->kept != NULL) {
        mem_put(client->mem, op->kept, op->kept_len);
    }
    ring_pop(&client->ops);
    if (client->sent_count > 0) {
        client->sent_count--;
    }
}
