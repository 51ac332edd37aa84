/* clients_limits.c - how many connections of one host, how much work at once, how many large
 * requests.
 *
 * Source: Apache NIOServerCnxnFactory, RequestThrottler, ZooKeeperServer (large requests). */
#include "base/ensure.h"
#include "base/hash.h"
#include "base/text.h"
#include "protocol/clients_conn.h"

/* ---- hosts ---- */

/* A host with connections here. Hosts whose names have one hash stand in a chain. */
struct conn_host {
    struct conn_host *same_hash;
    uint64_t hash;
    uint32_t count; /* connections */
    uint32_t len;
    uint8_t name[];
};

struct span conn_host(struct span peer)
{
    size_t at = peer.len;

    while (at > 0 && peer.at[at - 1] != ':') {
        at--;
    }
    return at > 0 ? span_make(peer.at, at - 1) : peer;
}

uint32_t conn_port(struct span peer)
{
    size_t len = conn_host(peer).len;
    uint64_t port = 0;

    if (len < peer.len &&
        text_parse_u64(span_make(peer.at + len + 1, peer.len - len - 1), &port) != ERR_OK) {
        port = 0;
    }
    return port <= UINT16_MAX ? (uint32_t)port : 0;
}

static struct conn_host *host_find(const struct clients *clients, struct span name, uint64_t hash)
{
    struct conn_host *host = map_find(&clients->hosts, hash);

    while (host != NULL && !span_equal(span_make(host->name, host->len), name)) {
        host = host->same_hash;
    }
    return host;
}

static struct conn_host *host_make(struct clients *clients, struct span name, uint64_t hash)
{
    struct conn_host *host = mem_get(clients->mem, sizeof(*host) + name.len);

    if (host == NULL) {
        return NULL;
    }
    *host = (struct conn_host){
        .same_hash = map_find(&clients->hosts, hash), .hash = hash, .len = (uint32_t)name.len};
    if (name.len > 0) {
        memcpy(host->name, name.at, name.len);
    }
    if (map_put(&clients->hosts, hash, host) != ERR_OK) {
        mem_put(clients->mem, host, sizeof(*host) + name.len);
        return NULL;
    }
    return host;
}

enum err conn_host_begin(struct clients *clients, struct clients_conn *client, struct span peer)
{
    struct span name = conn_host(peer);
    uint64_t hash = hash_bytes(name, clients->seed);
    struct conn_host *host;

    if (clients->options.per_host_max == 0) {
        return ERR_OK;
    }
    host = host_find(clients, name, hash);
    if (host == NULL) {
        host = host_make(clients, name, hash);
    }
    if (host == NULL) {
        return ERR_MEMORY;
    }
    if (host->count >= clients->options.per_host_max) {
        return ERR_LONG;
    }
    host->count++;
    client->host = host;
    return ERR_OK;
}

/* Take `host` out of its chain. */
static void host_drop(struct clients *clients, struct conn_host *host)
{
    struct conn_host *first = map_find(&clients->hosts, host->hash);

    if (first != host) {
        while (first->same_hash != host) {
            first = first->same_hash;
        }
        first->same_hash = host->same_hash;
    } else if (host->same_hash == NULL) {
        (void)map_take(&clients->hosts, host->hash);
    } else {
        enum err err = map_put(&clients->hosts, host->hash, host->same_hash);

        ENSURE(err == ERR_OK); /* the key is there: nothing is allocated */
    }
    mem_put(clients->mem, host, sizeof(*host) + host->len);
}

void conn_host_end(struct clients *clients, struct clients_conn *client)
{
    struct conn_host *host = client->host;

    client->host = NULL;
    if (host != NULL) {
        ENSURE(host->count > 0);
        host->count--;
        if (host->count == 0) {
            host_drop(clients, host);
        }
    }
}

/* ---- load ---- */

static bool clients_are_throttled(const struct clients *clients)
{
    return clients->options.throttle_max != 0 &&
           clients->counts.outstanding >= clients->options.throttle_max;
}

/* globalOutstandingLimit stops those that the server works for already; the throttler everybody. */
bool conn_overloads(struct clients *clients, struct clients_conn *client, struct fx *fx)
{
    if (!clients_are_throttled(clients) &&
        (clients->counts.outstanding <= clients->options.outstanding_max ||
         ring_count(&client->queue) == 0)) {
        return false;
    }
    if (client->stalled_us == 0) {
        client->stalled_us = clients->now_us; /* the frame at the front waits from now on */
    }
    list_push(&clients->stalled, &client->stall_link);
    conn_stall(client, STALL_LOAD, fx);
    clients->counts.throttled++;
    metrics_count(clients->options.metrics, METRIC_THROTTLE_WAITS, 1);
    return true;
}

void clients_resume_load(struct clients *clients, struct fx *fx)
{
    if (clients->counts.outstanding > clients->options.outstanding_max ||
        clients_are_throttled(clients)) {
        return;
    }
    while (!list_empty(&clients->stalled)) {
        struct clients_conn *client =
            LIST_ITEM(clients->stalled.next, struct clients_conn, stall_link);

        list_take(&client->stall_link);
        conn_resume(client, STALL_LOAD, fx);
    }
}

void conn_note_wait(struct clients *clients, struct clients_conn *client)
{
    uint64_t limit_us = (uint64_t)clients->options.throttled_wait_ms * 1000u;

    client->waited =
        limit_us != 0 && client->stalled_us != 0 && clients->now_us - client->stalled_us > limit_us;
    metrics_spread(clients->options.metrics, METRIC_THROTTLE_MS,
                   client->stalled_us == 0 ? 0 : (clients->now_us - client->stalled_us) / 1000u);
    client->stalled_us = 0;
}

/* ---- large requests ---- */

bool conn_large_begin(struct clients *clients, struct clients_conn *client, struct span input,
                      struct fx *fx)
{
    uint32_t len = (uint32_t)input.at[0] << 24 | (uint32_t)input.at[1] << 16 |
                   (uint32_t)input.at[2] << 8 | input.at[3];

    clients->large_now = 0;
    if (clients->options.large_bytes == 0 || len <= clients->options.large_bytes) {
        return true;
    }
    if (clients->large_bytes + len > clients->options.large_total_bytes) {
        clients->counts.large_refused++;
        metrics_count(clients->options.metrics, METRIC_LARGE_REFUSED, 1);
        conn_refuse(clients, client, fx);
        return false;
    }
    clients->large_now = len;
    return true;
}
