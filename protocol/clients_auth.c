#include "base/sums.h"
#include "protocol/clients_conn.h"
#include "protocol/wire_quorum.h"

struct wire_vector conn_auth_ids(const struct clients_conn *client)
{
    return (struct wire_vector){
        .items = bytes_span(&client->auth), .count = client->who.id_count, .is_null = false};
}

/* Take client->auth apart again; its memory may have moved. */
static enum err conn_auth_unpack(struct clients *clients, struct clients_conn *client,
                                 uint32_t count)
{
    size_t size_old = client->who.id_count * sizeof(*client->ids);
    size_t size = count * sizeof(*client->ids);
    struct wire_vector cursor;
    struct wire_id id;
    struct acl_id *ids = mem_grow(clients->mem, client->ids, size_old, size);

    if (ids == NULL) {
        return ERR_MEMORY;
    }
    client->ids = ids;
    client->who = (struct acl_who){.ids = ids, .id_count = count, .policy = &clients->options.acl};
    cursor = conn_auth_ids(client);
    for (uint32_t i = 0; wire_next_id(&cursor, &id); i++) {
        client->ids[i] = (struct acl_id){.scheme = id.scheme, .id = id.id};
    }
    return ERR_OK;
}

static bool conn_auth_has(const struct clients_conn *client, struct span scheme, struct span id)
{
    for (uint32_t i = 0; i < client->who.id_count; i++) {
        if (span_equal(client->ids[i].scheme, scheme) && span_equal(client->ids[i].id, id)) {
            return true;
        }
    }
    return false;
}

/* An Id is added once (Apache keeps a set). */
static enum err conn_auth_put(struct clients *clients, struct clients_conn *client,
                              struct span scheme, struct span id)
{
    size_t before = client->auth.len;

    if (conn_auth_has(client, scheme, id)) {
        return ERR_OK;
    }
    if (client->who.id_count >= WIRE_AUTHINFO_MAX) {
        return ERR_LONG;
    }
    bytes_ustring(&client->auth, scheme);
    bytes_ustring(&client->auth, id);
    if (client->auth.failed ||
        conn_auth_unpack(clients, client, client->who.id_count + 1u) != ERR_OK) {
        client->auth.len = before;
        return ERR_MEMORY;
    }
    return ERR_OK;
}

enum err conn_auth_begin(struct clients *clients, struct clients_conn *client, struct span peer)
{
    bytes_init(&client->auth, clients->mem);
    return conn_auth_put(clients, client, span_text("ip"), conn_host(peer));
}

void conn_auth_drop(struct clients *clients, struct clients_conn *client)
{
    mem_put(clients->mem, client->ids, client->who.id_count * sizeof(*client->ids));
    client->ids = NULL;
    client->who.id_count = 0;
    bytes_drop(&client->auth);
}

/* DigestAuthenticationProvider: "user:" + base64(SHA-1("user:password")), over the whole text. */
static enum err conn_auth_digest(struct clients *clients, struct clients_conn *client,
                                 struct span credentials)
{
    struct bytes id;
    uint8_t sum[20];
    char sum_text[32];
    size_t sum_len;
    const uint8_t *colon =
        credentials.len > 0 ? memchr(credentials.at, ':', credentials.len) : NULL;
    enum err err = ERR_MEMORY;

    sums_sha1(credentials, sum);
    sum_len = sums_base64(span_make(sum, sizeof(sum)), sum_text);
    bytes_init(&id, clients->mem);
    bytes_raw(&id, credentials.at,
              colon != NULL ? (size_t)(colon - credentials.at) : credentials.len);
    bytes_u8(&id, ':');
    bytes_raw(&id, sum_text, sum_len);
    if (!id.failed) {
        bool is_super = clients->options.super_digest.len > 0 &&
                        span_equal(bytes_span(&id), clients->options.super_digest);

        err = is_super ? conn_auth_put(clients, client, span_text("super"), wire_empty()) : ERR_OK;
        if (err == ERR_OK) {
            err = conn_auth_put(clients, client, span_text("digest"), bytes_span(&id));
        }
    }
    bytes_drop(&id);
    return err;
}

int32_t conn_auth_add(struct clients *clients, struct clients_conn *client,
                      const struct wire_request *op)
{
    enum err err = ERR_UNKNOWN;

    if (span_is(op->scheme, "digest") && !clients->options.acl.digest_disabled) {
        err = conn_auth_digest(clients, client, op->data);
    } else if (span_is(op->scheme, "ip")) {
        err = ERR_OK; /* its address, which it has already */
    }
    return err == ERR_OK ? ZK_OK : ZK_AUTHFAILED;
}

static bool conn_auth_has_scheme(const struct clients_conn *client, struct span scheme)
{
    for (uint32_t i = 0; i < client->who.id_count; i++) {
        if (span_equal(client->ids[i].scheme, scheme)) {
            return true;
        }
    }
    return false;
}

/* AuthenticationHelper.enforceAuthentication */
bool conn_auth_suffices(const struct clients *clients, const struct clients_conn *client)
{
    struct span rest = clients->options.enforced_schemes;
    size_t start = 0;

    if (!clients->options.enforce_auth) {
        return true;
    }
    for (size_t at = 0; at <= rest.len; at++) {
        size_t from = start;
        size_t to = at;

        if (at < rest.len && rest.at[at] != ',') {
            continue;
        }
        while (from < to && rest.at[from] == ' ') {
            from++;
        }
        while (to > from && rest.at[to - 1] == ' ') {
            to--;
        }
        if (to > from && conn_auth_has_scheme(client, span_make(rest.at + from, to - from))) {
            return true;
        }
        start = at + 1;
    }
    return false;
}
