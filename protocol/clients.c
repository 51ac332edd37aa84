#include "protocol/clients.h"

#include "base/ensure.h"
#include "protocol/clients_conn.h"

#define CLIENTS_IDLE_ROUND_US 10000000u /* deadlines of idle connections are multiples of 10 s */

struct clients_options clients_options_default(uint32_t tick_ms)
{
    return (struct clients_options){
        .tick_ms = tick_ms,
        .session_min_ms = 2u * tick_ms,
        .session_max_ms = 20u * tick_ms,
        .frame_max = WIRE_MAX_BUFFER,
        .outstanding_max = 1000,
        .connections_max = 10000,
        .idle_ms = 10000,
        .queue_max = 1000,
        .wait_bytes_max = 4u << 20,
        .pause_bytes = 1u << 20,
        .held_bytes_max = 16u << 20,
        .large_total_bytes = 100u << 20,
        .locals_max = 1000000,
    };
}

struct clients_options clients_options_of(const struct config *config)
{
    struct clients_options options = clients_options_default((uint32_t)config->tick_ms);

    if (config->min_session_ms > 0) {
        options.session_min_ms = (uint32_t)config->min_session_ms;
    }
    if (config->max_session_ms > 0) {
        options.session_max_ms = (uint32_t)config->max_session_ms;
    }
    options.frame_max = (uint32_t)config->frame_max;
    options.outstanding_max = (uint32_t)config->outstanding_max;
    options.connections_max = (uint32_t)config->accepted_max;
    if (config->conns_max > 0 && config->conns_max < config->accepted_max) {
        options.connections_max = (uint32_t)config->conns_max;
    }
    options.idle_ms = (uint32_t)config->sessionless_conn_ms;
    options.queue_max = (uint32_t)config->session_requests_max;
    options.pause_bytes = (uint32_t)config->send_queue_bytes;
    options.held_bytes_max = (uint64_t)config->send_limit_bytes;
    options.acl = (struct acl_policy){.skip = config->skip_acl,
                                      .digest_disabled = !config->digest_auth_enabled,
                                      .x509_super = config->x509_super_user};
    options.super_digest = config->super_digest;
    options.compat_38 = config->compat == CONFIG_COMPAT_38;
    options.per_host_max = (uint32_t)config->client_conns_per_host_max;
    options.throttle_max = (uint32_t)config->throttle_requests;
    options.throttled_wait_ms = (uint32_t)config->throttled_op_wait_ms;
    options.large_bytes =
        config->large_request_bytes > 0 ? (uint32_t)config->large_request_bytes : 0;
    options.large_total_bytes = (uint32_t)config->large_requests_bytes;
    options.locals_max = (uint64_t)config->sessions_max;
    options.local_upgrade = config->local_sessions_upgrade;
    options.enforce_auth = config->enforce_auth || config->require_client_sasl;
    options.enforced_schemes =
        config->enforce_auth ? config->enforced_auth_schemes : span_text("sasl");
    return options;
}

struct clients *clients_make(struct mem *mem, const struct clients_options *options, uint64_t seed)
{
    struct clients *clients = mem_get_zero(mem, sizeof(*clients));

    if (clients == NULL) {
        return NULL;
    }
    clients->mem = mem;
    clients->options = *options;
    clients->seed = seed;
    map_init(&clients->by_conn, mem, seed);
    map_init(&clients->by_session, mem, seed);
    map_init(&clients->hosts, mem, seed);
    list_init(&clients->all);
    list_init(&clients->dead);
    list_init(&clients->stalled);
    ring_init(&clients->up, mem, (uint32_t)sizeof(struct conn_up));
    ring_init(&clients->syncs, mem, (uint32_t)sizeof(struct conn_sync));
    watch_hits_init(&clients->hits, mem);
    return clients;
}

static void conn_free(struct clients *clients, struct clients_conn *client)
{
    list_take(&client->link);
    conn_queue_clear(clients, client);
    conn_host_end(clients, client);
    ring_drop(&client->queue);
    bytes_drop(&client->held);
    conn_auth_drop(clients, client);
    mem_put(clients->mem, client, sizeof(*client));
}

/* Free connections that are gone, once no request of theirs waits upward. */
static void clients_reap(struct clients *clients)
{
    if (ring_count(&clients->up) > 0) {
        return;
    }
    while (!list_empty(&clients->dead)) {
        conn_free(clients, LIST_ITEM(clients->dead.next, struct clients_conn, link));
    }
}

void clients_drop(struct clients *clients)
{
    if (clients == NULL) {
        return;
    }
    ring_clear(&clients->up);
    clients_reap(clients);
    while (!list_empty(&clients->all)) {
        conn_free(clients, LIST_ITEM(clients->all.next, struct clients_conn, link));
    }
    map_drop(&clients->by_conn);
    map_drop(&clients->by_session);
    map_drop(&clients->hosts);
    ring_drop(&clients->up);
    ring_drop(&clients->syncs);
    watch_hits_drop(&clients->hits);
    watch_drop(clients->watches);
    mem_put(clients->mem, clients, sizeof(*clients));
}

void clients_set_words(struct clients *clients, clients_answer_word *answer, void *context)
{
    clients->answer_word = answer;
    clients->answer_context = context;
}

enum err clients_serve(struct clients *clients, const struct clients_role *role)
{
    ENSURE(!clients->serving);
    ENSURE(role->tree != NULL && role->ids != NULL);
    ENSURE(role->read_only ? role->tracker == NULL && role->touches == NULL && role->locals != NULL
                           : (role->tracker == NULL) != (role->touches == NULL));
    ENSURE(clients->watches == NULL);
    clients->watches = watch_make(clients->mem, clients->seed);
    if (clients->watches == NULL) {
        return ERR_MEMORY;
    }
    if (clients->options.compat_38) {
        watch_keep_one_mode(clients->watches);
    }
    clients->role = *role;
    clients->zxid = role->zxid;
    clients->serving = true;
    return ERR_OK;
}

bool clients_is_serving(const struct clients *clients)
{
    return clients->serving;
}

/* Out of every table; the struct and its queue stay until it is reaped: requests upward lend from
 * it. */
static void conn_bury(struct clients *clients, struct clients_conn *client)
{
    (void)map_take(&clients->by_conn, client->conn);
    if (clients_find_session(clients, client->session) == client) {
        (void)map_take(&clients->by_session, (uint64_t)client->session);
    }
    if (clients->watches != NULL) {
        watch_remove_conn(clients->watches, client->conn);
    }
    clients->counts.outstanding -= ring_count(&client->queue);
    list_take(&client->stall_link);
    list_take(&client->link);
    conn_host_end(clients, client);
    list_push(&clients->dead, &client->link);
    client->phase = CONN_DEAD;
    clients->counts.connections--;
}

void conn_close(struct clients *clients, struct clients_conn *client, bool flush, struct fx *fx)
{
    ENSURE(client->phase != CONN_DEAD);
    if (flush && client->held.len > 0) {
        fx_send(fx, client->conn, bytes_span(&client->held));
    }
    fx_close(fx, client->conn, !flush);
    conn_bury(clients, client);
}

void conn_refuse(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    clients->counts.refused++;
    conn_close(clients, client, false, fx);
}

void clients_drop_all(struct clients *clients, struct fx *fx)
{
    while (!list_empty(&clients->all)) {
        conn_close(clients, LIST_ITEM(clients->all.next, struct clients_conn, link), true, fx);
    }
    ring_clear(&clients->up);
    ring_clear(&clients->syncs);
    clients_reap(clients);
    watch_drop(clients->watches);
    clients->watches = NULL;
    clients->serving = false;
}

bool clients_owns(const struct clients *clients, uint32_t conn)
{
    return map_find(&clients->by_conn, conn) != NULL;
}

struct clients_conn *clients_find_session(const struct clients *clients, int64_t session)
{
    return session != 0 ? map_find(&clients->by_session, (uint64_t)session) : NULL;
}

static struct clients_conn *conn_make(struct clients *clients, const struct input *in)
{
    struct clients_conn *client = mem_get_zero(clients->mem, sizeof(*client));

    if (client == NULL) {
        return NULL;
    }
    list_init(&client->link);
    list_init(&client->stall_link);
    ring_init(&client->queue, clients->mem, (uint32_t)sizeof(struct conn_item));
    bytes_init(&client->held, clients->mem);
    client->conn = in->opened.conn;
    client->phase = CONN_FRESH;
    client->active_us = in->mono_us;
    client->port = conn_port(in->opened.peer);
    client->opened_ms = in->wall_ms;
    conn_figures_init(clients, client);
    clients->serial++;
    client->serial = clients->serial;
    if (conn_host_begin(clients, client, in->opened.peer) != ERR_OK ||
        conn_auth_begin(clients, client, in->opened.peer) != ERR_OK ||
        map_put(&clients->by_conn, client->conn, client) != ERR_OK) {
        conn_free(clients, client);
        return NULL;
    }
    list_push(&clients->all, &client->link);
    clients->counts.connections++;
    return client;
}

void clients_on_opened(struct clients *clients, const struct input *in, struct fx *fx)
{
    clients_reap(clients);
    clients->now_us = in->mono_us;
    if (clients->options.connections_max != 0 &&
        clients->counts.connections >= clients->options.connections_max) {
        clients->counts.refused++;
        metrics_count(clients->options.metrics, METRIC_CONNS_REJECTED, 1);
        fx_close(fx, in->opened.conn, true);
        return;
    }
    if (conn_make(clients, in) == NULL) {
        clients->counts.refused++;
        metrics_count(clients->options.metrics, METRIC_CONNS_REJECTED, 1);
        fx_close(fx, in->opened.conn, true);
    }
}

void clients_on_closed(struct clients *clients, uint32_t conn)
{
    struct clients_conn *client = map_find(&clients->by_conn, conn);

    if (client != NULL) {
        metrics_count(clients->options.metrics, METRIC_CONNS_DROPPED, 1);
        conn_bury(clients, client);
    }
    clients_reap(clients);
}

uint64_t clients_idle_due(const struct clients *clients, const struct clients_conn *client)
{
    uint64_t timeout_ms = client->timeout_ms != 0 ? client->timeout_ms : clients->options.idle_ms;
    uint64_t deadline_us = client->active_us + timeout_ms * 1000u;

    return (deadline_us / CLIENTS_IDLE_ROUND_US + 1u) * CLIENTS_IDLE_ROUND_US;
}

static void clients_check_idle(struct clients *clients, uint64_t now_us, struct fx *fx)
{
    struct list *link = clients->all.next;

    while (link != &clients->all) {
        struct clients_conn *client = LIST_ITEM(link, struct clients_conn, link);

        link = link->next;
        if (clients_idle_due(clients, client) <= now_us) {
            metrics_count(clients->options.metrics, METRIC_CONNS_EXPIRED, 1);
            conn_close(clients, client, false, fx);
        }
    }
}

void clients_on_time(struct clients *clients, const struct input *in, struct fx *fx)
{
    clients->now_us = in->mono_us;
    if (!list_empty(&clients->stalled)) {
        clients_resume_load(clients, fx);
    }
    if (clients->counts.connections == 0) {
        clients->idle_check_us = 0;
        return;
    }
    if (clients->idle_check_us == 0) {
        clients->idle_check_us = (in->mono_us / CLIENTS_IDLE_ROUND_US + 1u) * CLIENTS_IDLE_ROUND_US;
    }
    if (in->mono_us >= clients->idle_check_us) {
        clients_check_idle(clients, in->mono_us, fx);
        clients->idle_check_us = (in->mono_us / CLIENTS_IDLE_ROUND_US + 1u) * CLIENTS_IDLE_ROUND_US;
        clients_resume_load(clients, fx);
    }
    fx_wake(fx, clients->idle_check_us);
}

void conn_ask(struct clients *clients, struct clients_conn *client, const struct request *request,
              struct fx *fx)
{
    struct conn_up *up = ring_push(&clients->up);

    if (up == NULL) {
        conn_refuse(clients, client, fx);
        return;
    }
    up->request = *request;
    up->client = client;
}

bool clients_next_request(struct clients *clients, struct request *request)
{
    const struct conn_up *up = ring_at(&clients->up, 0);

    if (up == NULL) {
        clients_reap(clients);
        return false;
    }
    *request = up->request;
    if (request->op == OP_CREATE_SESSION) {
        uint32_t timeout_ms = request->timeout_ms;

        for (uint32_t i = 0; i < 4u; i++) {
            clients->timeout_body[i] = (uint8_t)(timeout_ms >> (24u - 8u * i));
        }
        request->body = span_make(clients->timeout_body, sizeof(clients->timeout_body));
    } else if (request->kind != REQUEST_REVALIDATE) {
        request->auth_ids = conn_auth_ids(up->client);
    }
    ring_pop(&clients->up);
    return true;
}

static uint64_t clients_count_deleted(const struct tree_result *result)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < result->trigger_count; i++) {
        count += result->triggers[i].event == EVENT_DELETED ? 1u : 0u;
    }
    return count;
}

static void clients_close_session(struct clients *clients, const struct clients_applied *applied,
                                  struct fx *fx)
{
    const struct txn_header *header = &applied->txn->header;
    struct clients_conn *client;

    fx_note(fx, NOTE_SESSION_CLOSED, (uint64_t)header->client_id,
            clients_count_deleted(applied->result), (uint64_t)header->zxid, wire_empty());
    if (clients->role.tracker != NULL) {
        session_tracker_remove(clients->role.tracker, header->client_id);
    }
    if (clients->role.locals != NULL) {
        session_tracker_remove(clients->role.locals, header->client_id);
    }
    clients_answer_applied(clients, applied, fx);
    client = clients_find_session(clients, header->client_id);
    /* Expired, or closed through another server. Its own close may still wait for a sync ahead. */
    if (client != NULL && client->phase != CONN_LEAVING) {
        conn_close(clients, client, true, fx);
    }
}

void clients_on_applied(struct clients *clients, const struct clients_applied *applied,
                        struct fx *fx)
{
    const struct txn_header *header = &applied->txn->header;

    ENSURE(clients->serving);
    clients_reap(clients);
    clients->now_us = applied->now_us;
    clients->zxid = header->zxid;
    clients_fire(clients, applied, fx);
    if (fx->failed) {
        return;
    }
    switch (header->type) {
    case OP_CREATE_SESSION:
        session_ids_seen(clients->role.ids, header->client_id);
        clients_answer_session(clients, applied, fx);
        break;
    case OP_CLOSE_SESSION:
        clients_close_session(clients, applied, fx);
        break;
    case OP_ERROR:
        clients_answer_session(clients, applied, fx);
        clients_answer_applied(clients, applied, fx);
        break;
    default:
        clients_answer_applied(clients, applied, fx);
        break;
    }
    clients_resume_load(clients, fx);
}

void clients_get_counts(const struct clients *clients, struct clients_counts *counts)
{
    struct watch_counts watches = {0};

    if (clients->watches != NULL) {
        watch_count(clients->watches, &watches);
    }
    *counts = clients->counts;
    counts->watches = watches.watches;
}
