#include "protocol/peers.h"

#include "base/ensure.h"
#include "protocol/notes.h"
#include "protocol/peers_table.h"

#define PEERS_EXIT_BIND 14u /* Apache's exit code when the election port cannot be bound */

/* A connection is taken for dead after so many messages without any answer ... */
#define SILENT_SENDS 3u
/* ... that are no further apart than this: the word before a quiet hour does not count. Longer than
 * the longest wait between two notifications. */
#define SILENT_SERIES_US UINT64_C(120000000)

void peers_settings_default(struct peers_settings *settings)
{
    *settings = (struct peers_settings){
        .connect_us = 5000000,
        .opening_us = 10000000,
        .silence_us = 5000000,
        .nudge_us = 500000,
        .bind_us = 1000000,
        .bind_tries = 3,
        .send_max_bytes = UINT64_C(1) << 20,
    };
}

/* -- asking -- */

bool peers_owns_conn(const struct peers *peers, uint32_t conn)
{
    return (conn >= peers->settings.conn_first &&
            conn - peers->settings.conn_first < peers->settings.conn_count) ||
           peers_find_conn(peers, conn) != NULL ||
           peers_find_waiting(peers, conn) != PEERS_WAITING_MAX;
}

bool peers_is_connected(const struct peers *peers, int64_t sid)
{
    const struct peer *peer = peers_find(peers, sid);

    return peer != NULL && peer->state == PEER_OPEN;
}

uint64_t peers_wake_us(const struct peers *peers)
{
    return peers->wake_us;
}

/* -- connections -- */

static void peers_note_refused(struct peers *peers, struct fx *fx, int64_t who, const char *why)
{
    peers->refused++;
    fx_note(fx, NOTE_PEER_REFUSED, (uint64_t)who, peers->port, 0, span_text(why));
}

/* A number of our range that no peer uses. Counting on keeps a number from naming two connections
 * within a short time, which helps whoever reads a trace. */
static uint32_t peers_take_conn(struct peers *peers)
{
    uint32_t conn;

    do {
        conn = peers->settings.conn_first + peers->conn_next;
        peers->conn_next = (peers->conn_next + 1) % peers->settings.conn_count;
    } while (peers_find_conn(peers, conn) != NULL);
    return conn;
}

static uint32_t peer_address_count(const struct peer *peer)
{
    return (peer->given.len > 0 ? 1 : 0) + (peer->member == NULL ? 0 : peer->member->address_count);
}

static struct span peer_address(const struct peer *peer)
{
    uint32_t index = peer->attempt % peer_address_count(peer);

    if (peer->member == NULL || (peer->given.len > 0 && index == 0)) {
        return bytes_span(&peer->given);
    }
    return peer->member->addresses[index - (peer->given.len > 0 ? 1 : 0)].election;
}

/* Dial, unless a connection exists, is on its way, or was just asked for by a nudge. */
static void peers_connect(struct peers *peers, struct fx *fx, uint64_t now_us, struct peer *peer)
{
    if (peer->state != PEER_IDLE || peer_address_count(peer) == 0 ||
        now_us < peer->nudge_until_us) {
        return;
    }
    peer->conn = peers_take_conn(peers);
    peer->state = PEER_DIALING;
    peer->dial_until_us = now_us + peers->settings.connect_us;
    fx_dial(fx, peer->conn, peer_address(peer));
}

/* A dial came to nothing: the next address, once around. */
static void peers_dial_failed(struct peers *peers, struct fx *fx, uint64_t now_us,
                              struct peer *peer)
{
    peer->state = PEER_IDLE;
    peer->conn = 0;
    peer->attempt++;
    if (peer->waiting && peer_address_count(peer) > 0 &&
        peer->attempt % peer_address_count(peer) != 0) {
        peers_connect(peers, fx, now_us, peer);
    }
}

/* Give the newest message to an open connection. */
static void peers_hand_over(struct peers *peers, struct fx *fx, uint64_t now_us, struct peer *peer)
{
    ENSURE(peer->state == PEER_OPEN);
    if (peer->message.len == 0) {
        return;
    }
    if (peer->unanswered == 0 || now_us - peer->sent_us > SILENT_SERIES_US) {
        peer->unanswered = 0;
        peer->asked_us = now_us;
    }
    peer->unanswered++;
    peer->sent_us = now_us;
    peer->undrained += peer->message.len;
    peer->waiting = false;
    peers->sent++;
    fx_send(fx, peer->conn, bytes_span(&peer->message));
    if (!peer->asked_drained && peer->undrained > peers->settings.send_max_bytes / 2) {
        peer->asked_drained = true;
        fx_tell_drained(fx, peer->conn);
    }
}

/* Use `conn` for this peer from now on. What was said last is said again: the old connection may
 * have lost it. Source: QuorumCnxManager.SendWorker.run. */
static void peers_adopt(struct peers *peers, struct fx *fx, uint64_t now_us, struct peer *peer)
{
    peer->state = PEER_OPEN;
    peer->unanswered = 0;
    peer->undrained = 0;
    peer->asked_drained = false;
    peer->nudge_until_us = 0;
    peers_hand_over(peers, fx, now_us, peer);
}

/* Whether a connection has to be given up: nobody answers there, or what we send is not taken. */
static bool peers_is_dead(const struct peers *peers, const struct peer *peer, uint64_t now_us)
{
    if (peer->undrained > peers->settings.send_max_bytes) {
        return true;
    }
    return peer->unanswered >= SILENT_SENDS && now_us - peer->sent_us <= SILENT_SERIES_US &&
           now_us - peer->asked_us >= peers->settings.silence_us;
}

/* -- listening -- */

void peers_listen(struct peers *peers, struct fx *fx)
{
    peers->bind_at_us = WAKE_NEVER;
    peers_plan(peers);
    fx_listen(fx, peers->settings.listener, bytes_span(&peers->listen));
}

void peers_on_listening(struct peers *peers, struct fx *fx, uint64_t now_us, const struct input *in)
{
    if (in->listening.err == ERR_OK) {
        peers->listening = true;
        peers->bind_failures = 0;
        return;
    }
    peers->listening = false;
    peers->bind_failures++;
    if (peers->settings.bind_tries != 0 && peers->bind_failures >= peers->settings.bind_tries) {
        fx_halt(fx, PEERS_EXIT_BIND, span_text("the election port cannot be bound"));
        return;
    }
    peers->bind_at_us = now_us + peers->settings.bind_us;
    peers_plan(peers);
}

/* -- the opening message -- */

static bool peers_is_wildcard(struct span address)
{
    static const char *const wildcards[] = {"0.0.0.0:", "[::]:", "[0:0:0:0:0:0:0:0]:", "*:"};

    for (size_t i = 0; i < sizeof(wildcards) / sizeof(wildcards[0]); i++) {
        size_t len = strlen(wildcards[i]);

        if (address.len >= len && memcmp(address.at, wildcards[i], len) == 0) {
            return true;
        }
    }
    return false;
}

/* Keep where it says it can be called, unless we know that already. */
static void peer_keep_address(struct peer *peer, const struct wire_hello *hello)
{
    struct span rest = hello->addresses;
    struct span address;

    while (wire_hello_address(&rest, &address)) {
        if (address.len > PEERS_ADDRESS_MAX || peers_is_wildcard(address)) {
            continue;
        }
        for (uint32_t i = 0; peer->member != NULL && i < peer->member->address_count; i++) {
            if (span_equal(peer->member->addresses[i].election, address)) {
                bytes_clear(&peer->given);
                return;
            }
        }
        bytes_clear(&peer->given);
        bytes_raw(&peer->given, address.at, address.len);
        if (peer->given.failed) {
            bytes_clear(&peer->given);
        }
        peer->attempt = 0;
        return;
    }
}

/* The accepted connection `conn` has said who it is: the larger id keeps its own connection. True
 * when this one stays. */
static bool peers_welcome(struct peers *peers, struct fx *fx, uint64_t now_us, uint32_t conn,
                          const struct wire_hello *hello)
{
    int64_t sid = hello->sid == INT64_MAX ? peers->stranger_next-- : hello->sid;
    struct peer *peer = peers_find(peers, sid);

    if (sid == peers->settings.sid) {
        peers_note_refused(peers, fx, sid, "uses our own id");
        fx_close(fx, conn, true);
        return false;
    }
    if (peer == NULL) {
        peer = peers_add_stranger(peers, sid);
    }
    if (peer == NULL) {
        peers_note_refused(peers, fx, sid, "too many unknown ids");
        fx_close(fx, conn, true);
        return false;
    }
    peer_keep_address(peer, hello);
    if (sid < peers->settings.sid) {
        /* A nudge. A dial of ours that began before may wait for a server that was not there yet;
         * this one is known to live now. */
        fx_close(fx, conn, true);
        peer_hang_up(peer, fx);
        peers_connect(peers, fx, now_us, peer);
        return false;
    }
    peers->replaced += peer->state == PEER_OPEN ? 1 : 0;
    peer_hang_up(peer, fx);
    peer->conn = conn;
    peers_adopt(peers, fx, now_us, peer);
    return true;
}

static const char *peers_why_malformed(enum err err)
{
    if (err == ERR_VERSION) {
        return "unknown version of the opening message";
    }
    return err == ERR_LONG ? "length in the opening message" : "malformed opening message";
}

/* -- inputs -- */

void peers_on_opened(struct peers *peers, struct fx *fx, const struct input *in)
{
    uint64_t now_us = in->mono_us;
    struct peer *peer;

    if (in->opened.listener != 0) {
        if (peers->waiting_count == PEERS_WAITING_MAX) {
            /* The oldest had the most time. A server that speaks at once still gets through a
             * flood. */
            peers_note_refused(peers, fx, 0, "too many connections without an opening message");
            fx_close(fx, peers->waiting[0].conn, true);
            peers_forget_waiting(peers, 0);
        }
        peers->waiting[peers->waiting_count++] = (struct peer_wait){
            .conn = in->opened.conn, .until_us = now_us + peers->settings.opening_us};
        peers_plan(peers);
        return;
    }
    peer = peers_find_conn(peers, in->opened.conn);
    if (peer == NULL || peer->state != PEER_DIALING) {
        return;
    }
    fx_send(fx, peer->conn, bytes_span(&peers->hello));
    if (peer->sid > peers->settings.sid) {
        fx_close(fx, peer->conn, false);
        peer->state = PEER_IDLE;
        peer->conn = 0;
        peer->nudge_until_us = now_us + peers->settings.nudge_us;
    } else {
        peers_adopt(peers, fx, now_us, peer);
    }
    peers_plan(peers);
}

void peers_on_closed(struct peers *peers, struct fx *fx, const struct input *in)
{
    struct peer *peer = peers_find_conn(peers, in->closed.conn);
    uint32_t index = peers_find_waiting(peers, in->closed.conn);

    if (index != PEERS_WAITING_MAX) {
        peers_forget_waiting(peers, index);
    } else if (peer != NULL && peer->state == PEER_DIALING) {
        peers_dial_failed(peers, fx, in->mono_us, peer);
    } else if (peer != NULL) {
        peer->state = PEER_IDLE;
        peer->conn = 0;
    }
    peers_plan(peers);
}

void peers_on_drained(struct peers *peers, struct fx *fx, const struct input *in)
{
    struct peer *peer = peers_find_conn(peers, in->drained.conn);

    (void)fx;
    if (peer != NULL) {
        peer->undrained = 0;
        peer->asked_drained = false;
        peer->asked_drained = false;
    }
}

void peers_on_bytes(struct peers *peers, struct fx *fx, const struct input *in)
{
    uint32_t index = peers_find_waiting(peers, in->bytes.conn);
    struct wire_hello hello;
    size_t used;
    enum err err;

    peers->in_conn = in->bytes.conn;
    peers->in = in->bytes.span;
    if (index == PEERS_WAITING_MAX) {
        return;
    }
    err = wire_hello_next(peers->in, &hello, &used);
    if (err == ERR_SHORT) {
        peers->in_conn = 0;
        return;
    }
    peers_forget_waiting(peers, index);
    if (err != ERR_OK) {
        peers_note_refused(peers, fx, 0, peers_why_malformed(err));
        fx_close(fx, in->bytes.conn, true);
        peers->in_conn = 0;
    } else {
        fx->taken += used;
        peers->in.at += used;
        peers->in.len -= used;
        if (!peers_welcome(peers, fx, in->mono_us, in->bytes.conn, &hello)) {
            peers->in_conn = 0;
        }
    }
    peers_plan(peers);
}

bool peers_next(struct peers *peers, struct fx *fx, int64_t *from, struct wire_vote *notice)
{
    /* Looked up each time: what the caller did since may have closed it. */
    struct peer *peer = peers->in_conn == 0 ? NULL : peers_find_conn(peers, peers->in_conn);
    struct span frame;
    size_t used;
    enum err err;

    if (peer == NULL || peer->state != PEER_OPEN) {
        peers->in_conn = 0;
        return false;
    }
    for (;;) {
        err = wire_frame_next(peers->in, WIRE_VOTE_FRAME_MAX, &frame, &used);
        if (err != ERR_OK || frame.len == 0) {
            break;
        }
        fx->taken += used;
        peers->in.at += used;
        peers->in.len -= used;
        peer->unanswered = 0;
        peers->received++;
        if (wire_vote_decode(frame, notice) == ERR_OK) {
            *from = peer->sid;
            return true;
        }
    }
    peers->in_conn = 0;
    if (err != ERR_SHORT) {
        peers_note_refused(peers, fx, peer->sid, "length of a notification");
        peer_hang_up(peer, fx);
        peers_plan(peers);
    }
    return false;
}

void peers_send(struct peers *peers, struct fx *fx, uint64_t now_us, int64_t sid, struct span frame)
{
    struct peer *peer = peers_find(peers, sid);

    if (peer == NULL) {
        return;
    }
    bytes_clear(&peer->message);
    bytes_raw(&peer->message, frame.at, frame.len);
    if (peer->message.failed) {
        bytes_clear(&peer->message);
        peer->waiting = false;
        return;
    }
    if (peer->state == PEER_OPEN && peers_is_dead(peers, peer, now_us)) {
        peers->replaced++;
        peer_hang_up(peer, fx);
    }
    if (peer->state == PEER_OPEN) {
        peers_hand_over(peers, fx, now_us, peer);
        return;
    }
    peer->waiting = true;
    peers_connect(peers, fx, now_us, peer);
    peers_plan(peers);
}

void peers_on_time(struct peers *peers, struct fx *fx, uint64_t now_us)
{
    if (now_us < peers->wake_us) {
        return;
    }
    if (now_us >= peers->bind_at_us) {
        peers_listen(peers, fx);
    }
    while (peers->waiting_count > 0 && now_us >= peers->waiting[0].until_us) {
        peers_note_refused(peers, fx, 0, "no opening message in time");
        fx_close(fx, peers->waiting[0].conn, true);
        peers_forget_waiting(peers, 0);
    }
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->peers[i];

        if (peer->state == PEER_DIALING && now_us >= peer->dial_until_us) {
            fx_close(fx, peer->conn, true);
            peers_dial_failed(peers, fx, now_us, peer);
        }
    }
    peers_plan(peers);
}
