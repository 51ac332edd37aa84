/* clients_figures.c - what is known of each connection: its replies, how long they took, who it is.
 *
 * Source: Apache ServerCnxn, FinalRequestProcessor.updateStats, ServerStats. */
#include "protocol/clients_conn.h"

#define FRAME_LENGTH_BYTES 4u

void conn_figures_init(const struct clients *clients, struct clients_conn *client)
{
    client->figures =
        (struct conn_figures){.last_cxid = -1, .last_zxid = -1, .last_us = clients->now_us};
}

void conn_count_request(struct clients *clients, struct clients_conn *client, size_t len)
{
    client->figures.received++;
    clients->counts.received++;
    if (clients->options.metrics != NULL) {
        clients->options.metrics->received++;
        metrics_count(clients->options.metrics, METRIC_BYTES_RECEIVED, len);
    }
}

void conn_count_frame(struct clients *clients, struct clients_conn *client)
{
    client->figures.sent++;
    clients->counts.sent++;
    if (clients->options.metrics != NULL) {
        clients->options.metrics->sent++;
    }
}

void conn_answered(struct clients *clients, struct clients_conn *client,
                   const struct wire_request_header *header)
{
    struct conn_figures *figures = &client->figures;
    struct metrics *metrics = clients->options.metrics;
    uint64_t ms = clients->now_us / 1000u - clients->came_us / 1000u;

    figures->last_op = header->type;
    if (header->xid >= 0) {
        figures->last_cxid = header->xid;
    }
    figures->last_zxid = clients->zxid;
    figures->last_us = clients->now_us;
    figures->last_ms = ms;
    metric_summary_add(&figures->latency, ms);
    if (metrics != NULL) {
        bool write = header->type == OP_CREATE_SESSION || request_is_write(header->type);

        metric_summary_add(&metrics->latency, ms);
        metrics_spread(metrics, write ? METRIC_UPDATE_MS : METRIC_READ_MS, ms);
    }
}

static uint64_t frame_payload(struct span frame)
{
    return frame.len > FRAME_LENGTH_BYTES ? frame.len - FRAME_LENGTH_BYTES : 0;
}

void conn_send_reply(struct clients *clients, struct clients_conn *client,
                     const struct wire_request_header *header, struct span frame, struct fx *fx)
{
    struct metrics *metrics = clients->options.metrics;

    conn_send(clients, client, frame, fx);
    conn_answered(clients, client, header);
    if (metrics != NULL) {
        uint64_t len = frame_payload(frame);

        metric_sizes_add(&metrics->responses, (int64_t)len);
        metrics_count(metrics, METRIC_RESPONSE_BYTES, len);
    }
}

void clients_count_event(struct clients *clients, enum zk_event event, struct span frame)
{
    struct metrics *metrics = clients->options.metrics;
    uint64_t len = frame_payload(frame);

    if (metrics != NULL) {
        metric_sizes_add(&metrics->responses, (int64_t)len);
        metrics_count(metrics, METRIC_WATCH_BYTES, len * clients->hits.count);
    }
    switch (event) {
    case EVENT_CREATED:
        metrics_add(metrics, METRIC_WATCHES_CREATED, clients->hits.count);
        return;
    case EVENT_DELETED:
        metrics_add(metrics, METRIC_WATCHES_DELETED, clients->hits.count);
        return;
    case EVENT_DATA_CHANGED:
        metrics_add(metrics, METRIC_WATCHES_CHANGED, clients->hits.count);
        return;
    case EVENT_CHILDREN_CHANGED:
        metrics_add(metrics, METRIC_WATCHES_CHILDREN, clients->hits.count);
        return;
    case EVENT_NONE:
    case EVENT_DATA_WATCH_REMOVED:
    case EVENT_CHILD_WATCH_REMOVED:
    case EVENT_PERSISTENT_WATCH_REMOVED:
        return;
    }
}

/* ---- one by one ---- */

const struct clients_conn *clients_next(const struct clients *clients,
                                        const struct clients_conn *previous)
{
    struct list *link = previous == NULL ? clients->all.next : previous->link.next;

    return link == &clients->all ? NULL : LIST_ITEM(link, struct clients_conn, link);
}

void clients_get_view(const struct clients *clients, const struct clients_conn *client,
                      struct clients_view *view)
{
    const struct conn_figures *figures = &client->figures;

    *view = (struct clients_view){.conn = client->conn,
                                  .port = client->port,
                                  .session = client->session,
                                  .timeout_ms = client->timeout_ms,
                                  .opened_ms = client->opened_ms,
                                  .due_us = clients_idle_due(clients, client),
                                  .reads = client->stall == 0 && client->phase != CONN_LEAVING,
                                  .paused = client->paused,
                                  .outstanding = ring_count(&client->queue),
                                  .received = figures->received,
                                  .sent = figures->sent,
                                  .last_op = figures->last_op,
                                  .last_cxid = figures->last_cxid,
                                  .last_zxid = figures->last_zxid,
                                  .last_us = figures->last_us,
                                  .last_ms = figures->last_ms,
                                  .latency = figures->latency};
    if (client->who.id_count > 0) {
        view->host = client->ids[0].id; /* conn_auth_begin */
    }
}

int64_t clients_session_of(const struct clients *clients, uint32_t conn)
{
    const struct clients_conn *client = map_find(&clients->by_conn, conn);

    return client != NULL ? client->session : 0;
}

const struct watch_table *clients_watches(const struct clients *clients)
{
    return clients->watches;
}

void clients_reset_views(struct clients *clients)
{
    for (struct list *link = clients->all.next; link != &clients->all; link = link->next) {
        conn_figures_init(clients, LIST_ITEM(link, struct clients_conn, link));
    }
}
