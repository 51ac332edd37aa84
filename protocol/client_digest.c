#include "protocol/client_state.h"

#include "base/digest.h"

static void client_digest_ops(const struct client *client, struct digest *out)
{
    uint64_t count = ring_count(&client->ops);

    digest_u64(out, count);
    digest_u64(out, client->sent_count);
    for (uint64_t i = 0; i < count; i++) {
        const struct client_call *op = ring_at(&client->ops, i);

        digest_u64(out, (uint64_t)(int64_t)op->op);
        digest_u64(out, (uint64_t)(int64_t)op->flags);
        digest_span(out, span_make(op->kept, op->kept_len));
    }
    digest_u64(out, ring_count(&client->pings));
}

static void client_digest_watches(const struct client *client, struct digest *out)
{
    struct client_watch_cursor cursor = {0};
    struct span path;
    uint32_t bits;

    digest_u64(out, client->watches.count);
    while (client_watches_next(&client->watches, &cursor, &path, &bits)) {
        digest_span(out, path);
        digest_u64(out, bits);
    }
}

/* Deadlines relative to now; a deadline that has passed counts as now. */
static void client_digest_deadlines(const struct client *client, uint64_t now_us,
                                    struct digest *out)
{
    switch (client->phase) {
    case CLIENT_PHASE_IDLE:
        return;
    case CLIENT_PHASE_WAITING:
    case CLIENT_PHASE_DIALING:
    case CLIENT_PHASE_GREETING:
        digest_u64(out, client->deadline_us > now_us ? client->deadline_us - now_us : 0);
        return;
    case CLIENT_PHASE_CONNECTED:
        digest_u64(out, now_us - client->last_heard_us);
        digest_u64(out, now_us - client->last_sent_us);
        digest_u64(out, client->read_us);
        return;
    }
}

/* Left out is what only names things: connection numbers, tags, xids, and the state of the draws.
 */
void client_digest(const void *self, uint64_t now_us, struct digest *out)
{
    const struct client *client = self;

    digest_u64(out, client->state);
    digest_u64(out, client->phase);
    digest_u64(out, (uint64_t)client->session);
    digest_u64(out, (uint64_t)client->last_zxid);
    digest_span(out, span_make(client->password, client->password_len));
    digest_u64(out, client->seen_writable);
    digest_u64(out, client->closing);
    digest_u64(out, client->open_waiting);
    digest_u64(out, client->host);
    digest_u64(out, client->attempts);
    digest_u64(out, client->set_watches);
    digest_u64(out, client->auth_count);
    digest_u64(out, client->auth_sent);
    digest_u64(out, client->auth_replied);
    for (uint32_t i = 0; i < client->auth_count; i++) {
        digest_span(out, span_make(client->auths[i].record, client->auths[i].len));
        digest_u64(out, client->auths[i].waiting);
    }
    client_digest_ops(client, out);
    client_digest_watches(client, out);
    client_digest_deadlines(client, now_us, out);
}
