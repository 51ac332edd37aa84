/* net.c - connections: one uv_tcp_t each, what was sent in a turn leaves as one write. */
#include "base/ensure.h"
#include "base/text.h"
#include "live/live_state.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct net_write {
    uv_write_t request;
    struct live_conn *conn;
    size_t len;
    uint8_t bytes[];
};

/* ---- addresses ---- */

/* Split "host:port" or "[host]:port"; false when it is neither. */
static bool net_split(struct span address, char *host, size_t host_room, char *port,
                      size_t port_room)
{
    size_t colon = address.len;
    struct span name;

    while (colon > 0 && address.at[colon - 1] != ':') {
        colon -= 1;
    }
    if (colon == 0 || address.len - colon >= port_room || colon - 1 >= host_room) {
        return false;
    }
    name = span_make(address.at, colon - 1);
    if (name.len >= 2 && name.at[0] == '[' && name.at[name.len - 1] == ']') {
        name = span_make(name.at + 1, name.len - 2);
    }
    memcpy(host, name.at, name.len);
    host[name.len] = '\0';
    memcpy(port, address.at + colon, address.len - colon);
    port[address.len - colon] = '\0';
    return true;
}

static struct span net_print(const struct sockaddr_storage *address, char *room)
{
    char host[64] = "";
    int port = 0;

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        uv_ip4_name(v4, host, sizeof host);
        port = ntohs(v4->sin_port);
        snprintf(room, LIVE_ADDRESS_MAX, "%s:%d", host, port);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        uv_ip6_name(v6, host, sizeof host);
        port = ntohs(v6->sin6_port);
        if (strncmp(host, "::ffff:", 7) == 0) {
            snprintf(room, LIVE_ADDRESS_MAX, "%s:%d", host + 7, port);
        } else {
            snprintf(room, LIVE_ADDRESS_MAX, "[%s]:%d", host, port);
        }
    }
    return span_text(room);
}

/* ---- connections ---- */

static struct live_conn *net_find(struct live *live, uint32_t number)
{
    return map_find(&live->conns, number);
}

static struct live_conn *net_make(struct live *live, uint32_t number)
{
    struct live_conn *conn = calloc(1, sizeof *conn);

    ENSURE(conn != NULL);
    conn->live = live;
    conn->number = number;
    conn->tcp.data = conn;
    bytes_init(&conn->out, &live->own.mem);
    list_init(&conn->dirty);
    list_push(&live->all, &conn->link);
    uv_tcp_init(&live->loop, &conn->tcp);
    ENSURE(map_put(&live->conns, number, conn) == ERR_OK);
    return conn;
}

static void net_free(struct live_conn *conn)
{
    list_take(&conn->link);
    bytes_drop(&conn->out);
    free(conn->in);
    free(conn);
}

static void net_on_gone(uv_handle_t *handle)
{
    struct live_conn *conn = handle->data;

    conn->gone = true;
    if (!conn->resolving) { /* else the look-up frees it */
        net_free(conn);
    }
}

/* Forget the number at once; the memory follows when libuv lets go. */
static void net_let_go(struct live_conn *conn, bool abort)
{
    if (conn->closing) {
        return;
    }
    conn->closing = true;
    list_take(&conn->dirty);
    map_take(&conn->live->conns, conn->number);
    if (!abort || !conn->open || uv_tcp_close_reset(&conn->tcp, net_on_gone) != 0) {
        uv_close((uv_handle_t *)&conn->tcp, net_on_gone);
    }
    conn->open = false;
}

static void net_lost(struct live_conn *conn, enum err err)
{
    struct live *live = conn->live;
    struct input in = {.kind = IN_CLOSED};

    in.closed.conn = conn->number;
    in.closed.err = err;
    net_let_go(conn, false);
    live_give(live, &in);
}

/* ---- reading ---- */

static void net_offer(struct live_conn *conn)
{
    struct live *live = conn->live;
    uint32_t number = conn->number;
    struct input in = {.kind = IN_BYTES};
    size_t offered = conn->in_len;
    uint64_t taken;

    if (conn->closing || conn->throttled || offered == 0) {
        return;
    }
    in.bytes.conn = number;
    in.bytes.span = span_make(conn->in, offered);
    live_give(live, &in);
    taken = live->fx.taken;
    if (net_find(live, number) != conn) {
        return;
    }
    ENSURE(taken <= offered);
    memmove(conn->in, conn->in + taken, conn->in_len - taken);
    conn->in_len -= taken;
}

static void net_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct live_conn *conn = handle->data;

    (void)suggested;
    if (conn->in_room - conn->in_len < LIVE_READ_BYTES / 4) {
        size_t room = conn->in_len + LIVE_READ_BYTES;
        uint8_t *grown = realloc(conn->in, room);
        if (grown == NULL) {
            *buffer = uv_buf_init(NULL, 0);
            return;
        }
        conn->in = grown;
        conn->in_room = room;
    }
    *buffer =
        uv_buf_init((char *)conn->in + conn->in_len, (unsigned)(conn->in_room - conn->in_len));
}

static void net_on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct live_conn *conn = stream->data;

    (void)buffer;
    if (conn->closing) {
        return;
    }
    if (got < 0) {
        net_lost(conn, got == UV_EOF ? ERR_OK : ERR_IO);
        return;
    }
    conn->in_len += (size_t)got;
    net_offer(conn);
}

static void net_read(struct live_conn *conn, bool start)
{
    if (conn->closing || !conn->open || start == conn->reading) {
        return;
    }
    conn->reading = start;
    if (start) {
        uv_read_start((uv_stream_t *)&conn->tcp, net_on_room, net_on_read);
    } else {
        uv_read_stop((uv_stream_t *)&conn->tcp);
    }
}

static void net_opened(struct live_conn *conn)
{
    char peer[LIVE_ADDRESS_MAX];
    char local[LIVE_ADDRESS_MAX];
    struct sockaddr_storage address;
    int len = sizeof address;
    struct input in = {.kind = IN_OPENED};

    conn->open = true;
    uv_tcp_nodelay(&conn->tcp, 1);
    in.opened.conn = conn->number;
    in.opened.listener = conn->listener;
    memset(&address, 0, sizeof address);
    uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&address, &len);
    in.opened.peer = net_print(&address, peer);
    len = sizeof address;
    uv_tcp_getsockname(&conn->tcp, (struct sockaddr *)&address, &len);
    in.opened.local = net_print(&address, local);
    net_read(conn, true);
    live_give(conn->live, &in);
}

/* ---- dialing ---- */

/* 0 when it is no port. */
static int net_port(const char *text)
{
    uint64_t port;

    return text_parse_u64(span_text(text), &port) == ERR_OK && port <= 65535 ? (int)port : 0;
}

static void net_on_connected(uv_connect_t *request, int status)
{
    struct live_conn *conn = request->data;

    if (conn->closing) {
        return;
    }
    if (status != 0) {
        net_lost(conn, ERR_REFUSED);
        return;
    }
    net_opened(conn);
}

static void net_connect(struct live_conn *conn, const struct sockaddr *address)
{
    conn->connect.data = conn;
    if (uv_tcp_connect(&conn->connect, &conn->tcp, address, net_on_connected) != 0) {
        net_lost(conn, ERR_REFUSED);
    }
}

static void net_on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct live_conn *conn = request->data;

    conn->resolving = false;
    if (conn->closing) {
        if (conn->gone) {
            net_free(conn);
        }
    } else if (status != 0 || found == NULL) {
        live_log(conn->live, "WARN", "cannot resolve: %s", uv_strerror(status));
        net_lost(conn, ERR_REFUSED);
    } else {
        net_connect(conn, found->ai_addr);
    }
    uv_freeaddrinfo(found);
}

void net_dial(struct live *live, uint32_t number, struct span address)
{
    struct live_conn *conn = net_make(live, number);
    char host[LIVE_ADDRESS_MAX];
    struct sockaddr_storage numeric;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    if (!net_split(address, host, sizeof host, conn->port, sizeof conn->port)) {
        snprintf(conn->port, sizeof conn->port, "0");
    }
    if (uv_ip4_addr(host, net_port(conn->port), (struct sockaddr_in *)(void *)&numeric) == 0 ||
        uv_ip6_addr(host, net_port(conn->port), (struct sockaddr_in6 *)(void *)&numeric) == 0) {
        conn->connect.data = conn;
        if (uv_tcp_connect(&conn->connect, &conn->tcp, (struct sockaddr *)&numeric,
                           net_on_connected) == 0) {
            return;
        }
    }
    conn->resolving = true;
    conn->resolve.data = conn;
    if (uv_getaddrinfo(&live->loop, &conn->resolve, net_on_resolved, host, conn->port, &hints) !=
        0) {
        struct input in = {.kind = IN_CLOSED, .closed = {.conn = number, .err = ERR_REFUSED}};
        conn->resolving = false;
        live_log(live, "ERROR", "cannot look up %s", host);
        net_let_go(conn, false);
        live_later(live, &in);
    }
}

/* ---- listening ---- */

static void net_on_incoming(uv_stream_t *stream, int status)
{
    struct live_listener *listener = stream->data;
    struct live *live = listener->live;
    struct live_conn *conn;

    if (status != 0) {
        return;
    }
    do {
        live->next_accepted =
            live->next_accepted == UINT32_MAX ? CONN_ACCEPTED : live->next_accepted + 1;
    } while (net_find(live, live->next_accepted) != NULL);
    conn = net_make(live, live->next_accepted);
    conn->listener = listener->number;
    if (uv_accept(stream, (uv_stream_t *)&conn->tcp) != 0) {
        net_let_go(conn, false);
        return;
    }
    net_opened(conn);
}

static int net_bind(struct live_listener *listener, struct span address)
{
    char host[LIVE_ADDRESS_MAX];
    char port[16];
    struct sockaddr_storage numeric;
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    uv_getaddrinfo_t look;
    int status;

    if (!net_split(address, host, sizeof host, port, sizeof port)) {
        return UV_EINVAL;
    }
    if (host[0] == '\0' || strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0) {
        uv_ip6_addr("::", net_port(port), (struct sockaddr_in6 *)(void *)&numeric);
    } else if (uv_ip4_addr(host, net_port(port), (struct sockaddr_in *)(void *)&numeric) != 0 &&
               uv_ip6_addr(host, net_port(port), (struct sockaddr_in6 *)(void *)&numeric) != 0) {
        status = uv_getaddrinfo(&listener->live->loop, &look, NULL, host, port, &hints);
        if (status != 0) {
            return status;
        }
        memcpy(&numeric, look.addrinfo->ai_addr, look.addrinfo->ai_addrlen);
        uv_freeaddrinfo(look.addrinfo);
    }
    status = uv_tcp_bind(&listener->tcp, (struct sockaddr *)&numeric, 0);
    if (status == 0) {
        status = uv_listen((uv_stream_t *)&listener->tcp, 1024, net_on_incoming);
    }
    return status;
}

static void net_on_listener_gone(uv_handle_t *handle)
{
    free(handle->data);
}

void net_listen(struct live *live, uint32_t number, struct span address)
{
    struct live_listener *listener = calloc(1, sizeof *listener);
    struct input in = {.kind = IN_LISTENING};
    int status;

    ENSURE(listener != NULL);
    listener->live = live;
    listener->number = number;
    uv_tcp_init(&live->loop, &listener->tcp);
    listener->tcp.data = listener;
    status = net_bind(listener, address);
    in.listening.listener = number;
    if (status != 0) {
        live_log(live, "ERROR", "cannot listen on %.*s: %s", (int)address.len,
                 (const char *)address.at, uv_strerror(status));
        uv_close((uv_handle_t *)&listener->tcp, net_on_listener_gone);
        in.listening.err = status == UV_EADDRINUSE ? ERR_EXISTS : ERR_IO;
    } else {
        list_push(&live->listeners, &listener->link);
    }
    live_later(live, &in);
}

void net_unlisten(struct live *live, uint32_t number)
{
    for (struct list *link = live->listeners.next; link != &live->listeners; link = link->next) {
        struct live_listener *listener = LIST_ITEM(link, struct live_listener, link);
        if (listener->number == number) {
            list_take(&listener->link);
            uv_close((uv_handle_t *)&listener->tcp, net_on_listener_gone);
            return;
        }
    }
}

/* ---- writing ---- */

static void net_check_drained(struct live_conn *conn)
{
    struct input in = {.kind = IN_DRAINED};

    if (!conn->tell_drained || conn->closing || conn->queued + conn->out.len > SEND_LOW_MARK) {
        return;
    }
    conn->tell_drained = false;
    in.drained.conn = conn->number;
    live_later(conn->live, &in);
}

static void net_on_written(uv_write_t *request, int status)
{
    struct net_write *write = (struct net_write *)(void *)request;
    struct live_conn *conn = write->conn;

    conn->queued -= write->len;
    free(write);
    if (status != 0 || conn->closing) {
        return; /* the read side hears of it */
    }
    net_check_drained(conn);
}

static void net_flush_conn(struct live_conn *conn)
{
    uv_buf_t buffer = uv_buf_init((char *)conn->out.at, (unsigned)conn->out.len);
    int written = 0;
    size_t left;
    struct net_write *write;

    if (conn->out.len == 0) {
        return;
    }
    if (conn->queued == 0) {
        written = uv_try_write((uv_stream_t *)&conn->tcp, &buffer, 1);
        written = written < 0 ? 0 : written;
    }
    left = conn->out.len - (size_t)written;
    if (left > 0) {
        write = malloc(sizeof *write + left);
        ENSURE(write != NULL);
        write->conn = conn;
        write->len = left;
        memcpy(write->bytes, conn->out.at + written, left);
        buffer = uv_buf_init((char *)write->bytes, (unsigned)left);
        conn->queued += left;
        if (uv_write(&write->request, (uv_stream_t *)&conn->tcp, &buffer, 1, net_on_written) != 0) {
            conn->queued -= left;
            free(write);
        }
    }
    bytes_clear(&conn->out);
    net_check_drained(conn);
}

void net_flush(struct live *live)
{
    while (!list_empty(&live->dirty)) {
        struct live_conn *conn = LIST_ITEM(live->dirty.next, struct live_conn, dirty);
        list_take(&conn->dirty);
        net_flush_conn(conn);
    }
}

void net_send(struct live *live, const struct effect *effect)
{
    struct live_conn *conn = net_find(live, effect->id);

    if (conn == NULL || !conn->open) {
        return;
    }
    if (effect->bytes.len > 0) {
        bytes_raw(&conn->out, effect->bytes.at, effect->bytes.len);
        ENSURE(!conn->out.failed);
        if (list_empty(&conn->dirty)) {
            list_push(&live->dirty, &conn->dirty);
        }
    }
    if (effect->a == 1) {
        conn->tell_drained = true;
        if (list_empty(&conn->dirty)) {
            list_push(&live->dirty, &conn->dirty);
        }
    }
}

static void net_on_shut(uv_shutdown_t *request, int status)
{
    struct live_conn *conn = request->data;

    (void)status;
    free(request);
    if (!uv_is_closing((uv_handle_t *)&conn->tcp)) {
        uv_close((uv_handle_t *)&conn->tcp, net_on_gone);
    }
}

/* Everything queued leaves first; then the connection is shut. */
static void net_close_after_flush(struct live_conn *conn)
{
    uv_shutdown_t *request;

    net_flush_conn(conn);
    net_read(conn, false);
    conn->closing = true;
    list_take(&conn->dirty);
    map_take(&conn->live->conns, conn->number);
    request = malloc(sizeof *request);
    if (request != NULL) {
        request->data = conn;
        if (uv_shutdown(request, (uv_stream_t *)&conn->tcp, net_on_shut) == 0) {
            return;
        }
        free(request);
    }
    uv_close((uv_handle_t *)&conn->tcp, net_on_gone);
}

void net_close(struct live *live, uint32_t number, bool abort)
{
    struct live_conn *conn = net_find(live, number);

    if (conn == NULL) {
        return;
    }
    if (abort || !conn->open) {
        net_let_go(conn, abort);
    } else {
        net_close_after_flush(conn);
    }
}

void net_throttle(struct live *live, uint32_t number, bool stop)
{
    struct live_conn *conn = net_find(live, number);

    if (conn == NULL) {
        return;
    }
    conn->throttled = stop;
    net_read(conn, !stop);
    if (!stop && conn->in_len > 0 && !conn->offering) {
        conn->offering = true;
        live_offer_later(live, number);
    }
}

void net_offer_number(struct live *live, uint32_t number)
{
    struct live_conn *conn = net_find(live, number);

    if (conn != NULL) {
        conn->offering = false;
        net_offer(conn);
    }
}

void net_stop(struct live *live)
{
    net_flush(live);
    for (struct list *link = live->all.next; link != &live->all; link = link->next) {
        struct live_conn *conn = LIST_ITEM(link, struct live_conn, link);
        if (!conn->closing) {
            net_let_go(conn, false);
        }
    }
    while (!list_empty(&live->listeners)) {
        net_unlisten(live, LIST_ITEM(live->listeners.next, struct live_listener, link)->number);
    }
}
