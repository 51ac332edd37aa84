#include "protocol/client.h"

#include "base/ensure.h"
#include "protocol/client_state.h"

static void *client_make(struct mem *mem, struct span config)
{
    struct client *client = mem_get_zero(mem, sizeof *client);

    if (client == NULL) {
        return NULL;
    }
    client->mem = mem;
    client->state = CLIENT_CLOSED;
    client->phase = CLIENT_PHASE_IDLE;
    ring_init(&client->ops, mem, sizeof(struct client_call));
    ring_init(&client->pings, mem, sizeof(struct client_ping));
    client_watches_init(&client->watches, mem);
    bytes_init(&client->scratch, mem);
    bytes_init(&client->scratch_list, mem);
    return client_config_read(&client->config, mem, config) == ERR_OK ? client : NULL;
}

static void client_boot(struct client *client, struct fx *fx, uint64_t seed)
{
    struct client_host *hosts = client->config.hosts;

    rand_init(&client->rand, seed);
    for (uint32_t i = client->config.host_count; i > 1 && !client->config.fixed_order; i--) {
        uint32_t j = (uint32_t)rand_below(&client->rand, i);
        struct client_host swap = hosts[i - 1];

        hosts[i - 1] = hosts[j];
        hosts[j] = swap;
    }
    if (!client->config.start_by_ask) {
        client_open_session(client, fx);
    }
}

static void client_received(struct client *client, struct fx *fx, struct span input)
{
    uint32_t conn = client->conn;
    enum err err = ERR_OK;
    struct span frame;
    size_t used;

    client->last_heard_us = client->now_us;
    while (client->conn == conn && fx->taken < input.len) {
        err = wire_frame_next(span_make(input.at + fx->taken, input.len - fx->taken),
                              CLIENT_REPLY_MAX, &frame, &used);
        if (err != ERR_OK) {
            break;
        }
        fx->taken += used;
        if (client->phase == CLIENT_PHASE_GREETING) {
            client_connected(client, fx, frame);
        } else {
            client_replied(client, fx, frame);
        }
    }
    if (client->conn == conn && err == ERR_LONG) {
        client_lost(client, fx, true);
    }
    if (client->conn != conn) {
        fx->taken = input.len;
    }
}

static bool client_is_linked(const struct client *client)
{
    return client->phase == CLIENT_PHASE_GREETING || client->phase == CLIENT_PHASE_CONNECTED;
}

static void client_handle(struct client *client, const struct input *in, struct fx *fx)
{
    switch (in->kind) {
    case IN_BOOT:
        client_boot(client, fx, in->boot.seed);
        return;
    case IN_OPENED:
        if (in->opened.conn == client->conn && client->phase == CLIENT_PHASE_DIALING) {
            client_greet(client, fx);
        }
        return;
    case IN_BYTES:
        if (in->bytes.conn == client->conn && client_is_linked(client)) {
            client_received(client, fx, in->bytes.span);
        } else {
            fx->taken = in->bytes.span.len;
        }
        return;
    case IN_CLOSED:
        if (client->conn != 0 && in->closed.conn == client->conn) {
            client->conn = 0;
            client_lost(client, fx, false);
        }
        return;
    case IN_ASK:
        client_asked(client, fx, in->ask.tag, in->ask.span);
        return;
    case IN_WAKE:
    case IN_LISTENING:
    case IN_DRAINED:
    case IN_POST:
    case IN_DONE:
    case IN_DATA:
        return;
    }
}

/* What the clock asks for now. */
static void client_run_timers(struct client *client, struct fx *fx)
{
    uint64_t now_us = client->now_us;

    switch (client->phase) {
    case CLIENT_PHASE_IDLE:
        return;
    case CLIENT_PHASE_WAITING:
        if (now_us >= client->deadline_us) {
            client_dial(client, fx);
        }
        return;
    case CLIENT_PHASE_DIALING:
    case CLIENT_PHASE_GREETING:
        if (now_us >= client->deadline_us) {
            client_lost(client, fx, true);
        }
        return;
    case CLIENT_PHASE_CONNECTED:
        if (now_us >= client->last_heard_us + client->read_us) {
            client_lost(client, fx, true);
        } else if (now_us >= client->last_sent_us + client->ping_us) {
            client_send_ping(client, fx);
        }
        return;
    }
}

static void client_set_wake(const struct client *client, struct fx *fx)
{
    switch (client->phase) {
    case CLIENT_PHASE_IDLE:
        return;
    case CLIENT_PHASE_WAITING:
    case CLIENT_PHASE_DIALING:
    case CLIENT_PHASE_GREETING:
        fx_wake(fx, client->deadline_us);
        return;
    case CLIENT_PHASE_CONNECTED:
        fx_wake(fx, client->last_heard_us + client->read_us);
        fx_wake(fx, client->last_sent_us + client->ping_us);
        return;
    }
}

static void client_step(void *self, const struct input *in, struct fx *fx)
{
    struct client *client = self;

    client->now_us = in->mono_us;
    client_handle(client, in, fx);
    client_run_timers(client, fx);
    client_set_wake(client, fx);
}

const struct process_ops client_ops = {
    .name = "client",
    .make = client_make,
    .step = client_step,
    .digest = client_digest,
};

enum client_state client_get_state(const void *self)
{
    return ((const struct client *)self)->state;
}

int64_t client_get_session(const void *self)
{
    return ((const struct client *)self)->session;
}

int64_t client_get_last_zxid(const void *self)
{
    return ((const struct client *)self)->last_zxid;
}

uint64_t client_get_pending(const void *self)
{
    const struct client *client = self;
    uint64_t count = ring_count(&client->ops) + (client->open_waiting ? 1 : 0);

    for (uint64_t i = 0; i < ring_count(&client->pings); i++) {
        const struct client_ping *ping = ring_at(&client->pings, i);

        count += ping->asked ? 1 : 0;
    }
    for (uint32_t i = 0; i < client->auth_count; i++) {
        count += client->auths[i].waiting ? 1 : 0;
    }
    return count;
}
