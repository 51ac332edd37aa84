#include "protocol/peers_table.h"

#include "base/ensure.h"

/* -- finding -- */

struct peer *peers_find(const struct peers *peers, int64_t sid)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->peers[i].sid == sid) {
            return &peers->peers[i];
        }
    }
    return NULL;
}

struct peer *peers_find_conn(const struct peers *peers, uint32_t conn)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->peers[i].state != PEER_IDLE && peers->peers[i].conn == conn) {
            return &peers->peers[i];
        }
    }
    return NULL;
}

uint32_t peers_find_waiting(const struct peers *peers, uint32_t conn)
{
    for (uint32_t i = 0; i < peers->waiting_count; i++) {
        if (peers->waiting[i].conn == conn) {
            return i;
        }
    }
    return PEERS_WAITING_MAX;
}

void peers_forget_waiting(struct peers *peers, uint32_t index)
{
    peers->waiting_count--;
    for (uint32_t i = index; i < peers->waiting_count; i++) {
        peers->waiting[i] = peers->waiting[i + 1];
    }
}

static uint64_t peers_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void peers_plan(struct peers *peers)
{
    uint64_t wake_us = peers->bind_at_us;

    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->peers[i].state == PEER_DIALING) {
            wake_us = peers_least(wake_us, peers->peers[i].dial_until_us);
        }
    }
    if (peers->waiting_count > 0) {
        wake_us = peers_least(wake_us, peers->waiting[0].until_us);
    }
    peers->wake_us = wake_us;
}

void peer_hang_up(struct peer *peer, struct fx *fx)
{
    if (peer->state != PEER_IDLE) {
        fx_close(fx, peer->conn, true);
        peer->state = PEER_IDLE;
        peer->conn = 0;
    }
}

/* -- making -- */

static void peer_init(struct peer *peer, struct mem *mem, int64_t sid, const struct member *member)
{
    *peer = (struct peer){.sid = sid, .member = member};
    bytes_init(&peer->given, mem);
    bytes_init(&peer->message, mem);
}

static void peer_drop(struct peer *peer)
{
    bytes_drop(&peer->given);
    bytes_drop(&peer->message);
}

static void peers_print_port(struct bytes *out, const char *host, uint16_t port)
{
    char digits[24];
    struct text text;

    text_init(&text, digits, sizeof(digits));
    text_str(&text, host);
    text_u64(&text, port);
    bytes_raw(out, digits, text.len);
}

/* What we say of ourselves, and where we listen. */
static enum err peers_make_own(struct peers *peers, const struct member *own)
{
    struct wire_hello hello = {.form = HELLO_V1, .sid = own->sid};
    struct bytes addresses;

    bytes_init(&addresses, peers->mem);
    for (uint32_t i = 0; i < own->address_count; i++) {
        struct span address = own->addresses[i].election;

        if (i > 0 && (!peers->settings.multi_address ||
                      addresses.len + 1 + address.len > WIRE_HELLO_ADDRESS_MAX)) {
            break;
        }
        bytes_raw(&addresses, "|", i > 0 ? 1 : 0);
        bytes_raw(&addresses, address.at, address.len);
    }
    if (!addresses.failed) {
        hello.form = peers->settings.multi_address ? HELLO_V2 : HELLO_V1;
        hello.addresses = bytes_span(&addresses);
        bytes_clear(&peers->hello);
        wire_hello_encode(&peers->hello, &hello);
        bytes_clear(&peers->listen);
        peers->port = own->addresses[0].election_port;
        if (peers->settings.listen_on_all || own->address_count > 1) {
            peers_print_port(&peers->listen, "0.0.0.0:", peers->port);
        } else {
            bytes_raw(&peers->listen, own->addresses[0].election.at,
                      own->addresses[0].election.len);
        }
    }
    peers->hello.failed = peers->hello.failed || addresses.failed;
    bytes_drop(&addresses);
    return peers->hello.failed || peers->listen.failed ? ERR_MEMORY : ERR_OK;
}

/* Fill an empty table with everybody but ourselves. */
static void peers_add_members(struct peers *peers, const struct membership *membership)
{
    for (uint32_t i = 0; membership != NULL && i < membership->count; i++) {
        const struct member *member = &membership->members[i];
        uint32_t to = peers->count;

        if (member->sid == peers->settings.sid || peers_find(peers, member->sid) != NULL) {
            continue;
        }
        ENSURE(peers->count < peers->room);
        while (to > 0 && peers->peers[to - 1].sid > member->sid) {
            peers->peers[to] = peers->peers[to - 1];
            to--;
        }
        peer_init(&peers->peers[to], peers->mem, member->sid, member);
        peers->count++;
    }
}

static enum err peers_make_table(struct peers *peers, const struct ensemble *ensemble)
{
    peers->room = ensemble->committed->count + PEERS_STRANGERS_MAX +
                  (ensemble->seen == NULL ? 0 : ensemble->seen->count);
    peers->peers = mem_get_zero(peers->mem, peers->room * sizeof(*peers->peers));
    peers->count = 0;
    peers->strangers = 0;
    if (peers->peers == NULL) {
        return ERR_MEMORY;
    }
    /* Where both know a server, the later configuration has its address. */
    if (ensemble_is_changing(ensemble)) {
        peers_add_members(peers, ensemble->seen);
    }
    peers_add_members(peers, ensemble->committed);
    return ERR_OK;
}

struct peer *peers_add_stranger(struct peers *peers, int64_t sid)
{
    uint32_t first = peers->count - peers->strangers;

    if (peers->strangers == PEERS_STRANGERS_MAX) {
        uint32_t gone = first;

        while (gone < peers->count && peers->peers[gone].state != PEER_IDLE) {
            gone++;
        }
        if (gone == peers->count) {
            return NULL;
        }
        peer_drop(&peers->peers[gone]);
        peers->count--;
        peers->strangers--;
        for (uint32_t i = gone; i < peers->count; i++) {
            peers->peers[i] = peers->peers[i + 1];
        }
    }
    ENSURE(peers->count < peers->room);
    peers->strangers++;
    peer_init(&peers->peers[peers->count], peers->mem, sid, NULL);
    return &peers->peers[peers->count++];
}

static const struct member *peers_own_member(const struct ensemble *ensemble, int64_t sid)
{
    const struct member *own = NULL;

    if (ensemble_is_changing(ensemble)) {
        own = membership_find(ensemble->seen, sid);
    }
    return own != NULL ? own : membership_find(ensemble->committed, sid);
}

enum err peers_init(struct peers *peers, struct mem *mem, const struct ensemble *ensemble,
                    const struct peers_settings *settings)
{
    const struct member *own = peers_own_member(ensemble, settings->sid);
    struct peers made = {
        .mem = mem,
        .settings = *settings,
        .stranger_next = -1,
        .bind_at_us = WAKE_NEVER,
        .wake_us = WAKE_NEVER,
    };

    ENSURE(settings->conn_first > 0);
    ENSURE(settings->conn_first < CONN_ACCEPTED);
    ENSURE(settings->conn_count <= CONN_ACCEPTED - settings->conn_first);
    ENSURE(settings->conn_count > 2 * MEMBERS_MAX + PEERS_STRANGERS_MAX);
    if (own == NULL) {
        return ERR_MISSING;
    }
    bytes_init(&made.hello, mem);
    bytes_init(&made.listen, mem);
    made.waiting = mem_get_zero(mem, PEERS_WAITING_MAX * sizeof(*made.waiting));
    if (made.waiting == NULL || peers_make_own(&made, own) != ERR_OK ||
        peers_make_table(&made, ensemble) != ERR_OK) {
        peers_drop(&made);
        return ERR_MEMORY;
    }
    *peers = made;
    return ERR_OK;
}

void peers_drop(struct peers *peers)
{
    if (peers == NULL || peers->mem == NULL) {
        return;
    }
    for (uint32_t i = 0; i < peers->count; i++) {
        peer_drop(&peers->peers[i]);
    }
    mem_put(peers->mem, peers->peers, peers->room * sizeof(*peers->peers));
    mem_put(peers->mem, peers->waiting, PEERS_WAITING_MAX * sizeof(*peers->waiting));
    bytes_drop(&peers->hello);
    bytes_drop(&peers->listen);
    *peers = (struct peers){0};
}

enum err peers_set_ensemble(struct peers *peers, struct fx *fx, const struct ensemble *ensemble)
{
    const struct member *own = peers_own_member(ensemble, peers->settings.sid);
    struct peers old = *peers;
    enum err err = peers_make_table(peers, ensemble);

    if (err == ERR_OK && own != NULL) {
        err = peers_make_own(peers, own);
    }
    if (err != ERR_OK) {
        mem_put(peers->mem, peers->peers, peers->room * sizeof(*peers->peers));
        peers->peers = old.peers;
        peers->room = old.room;
        peers->count = old.count;
        peers->strangers = old.strangers;
        return err;
    }
    for (uint32_t i = 0; i < old.count; i++) {
        struct peer *before = &old.peers[i];
        struct peer *after = peers_find(peers, before->sid);

        if (after == NULL && before->member == NULL) {
            after = peers_add_stranger(peers, before->sid);
        }
        if (after == NULL) {
            peer_hang_up(before, fx);
            peer_drop(before);
        } else {
            const struct member *member = after->member;

            peer_drop(after);
            *after = *before;
            after->member = member;
        }
    }
    mem_put(old.mem, old.peers, old.room * sizeof(*old.peers));
    peers_plan(peers);
    return ERR_OK;
}
