/* zk_clients.c - sessions and operations, and the checks of what clients see. */
#include "protocol/client_ask.h"
#include "sim/zk/zk_guest.h"

/* ---- finding ---- */

struct zk_client *zk_client_of(const struct zk_run *zk, uint32_t process)
{
    return process >= zk->server_count && process - zk->server_count < zk->client_count
               ? &zk->clients[process - zk->server_count]
               : NULL;
}

/* The newest first: that is who is asked for. */
struct zk_session *zk_session_find(const struct zk_run *zk, int64_t session)
{
    for (uint32_t i = zk->session_count; i-- > 0;) {
        if (zk->sessions[i].id == session) {
            return &zk->sessions[i];
        }
    }
    return NULL;
}

static struct zk_session *session_put(struct zk_run *zk, int64_t id)
{
    struct zk_session *session = zk_session_find(zk, id);

    if (session != NULL) {
        return session;
    }
    if (!zk_reserve(zk, &zk->sessions, &zk->session_room, zk->session_count,
                    sizeof(*zk->sessions))) {
        return NULL;
    }
    session = &zk->sessions[zk->session_count++];
    *session = (struct zk_session){.id = id, .client = SIM_NONE};
    return session;
}

struct zk_ask *zk_op_of(const struct zk_run *zk, uint64_t tag)
{
    return tag < zk->op_room && zk->ops[tag].op != 0 ? &zk->ops[tag] : NULL;
}

/* A write that may take an ephemeral away, or has put another node in its place. */
static void contest(struct zk_run *zk, const struct zk_ask *op)
{
    for (uint32_t i = 0; i < zk->ephemeral_count; i++) {
        struct zk_ephemeral *ephemeral = &zk->ephemerals[i];

        ephemeral->contested = ephemeral->contested || span_equal(ephemeral->path, op->path);
    }
}

bool zk_op_put(struct zk_run *zk, uint64_t tag, const struct zk_ask *op)
{
    uint32_t room = zk->op_room;

    if (tag >= UINT32_MAX / 2 ||
        !zk_reserve(zk, &zk->ops, &zk->op_room, (uint32_t)tag, sizeof(*zk->ops))) {
        return false;
    }
    if (zk->op_room > room) {
        memset(&zk->ops[room], 0, (zk->op_room - room) * sizeof(*zk->ops));
    }
    zk->ops[tag] = *op;
    if (op->op == OP_DELETE || op->op == OP_CREATE) {
        contest(zk, op);
    }
    return true;
}

static void text_begin(const struct zk_run *zk, struct text *text, char *room,
                       const struct zk_client *client)
{
    text_init(text, room, ZK_WORDS_MAX);
    text_str(text, sim_name(zk->run->sim, client->process));
}

/* ---- what is seen ---- */

/* A client has learned that the ensemble is at `zxid`. */
static void client_sees(struct zk_run *zk, struct zk_client *client, int64_t zxid)
{
    char room[ZK_WORDS_MAX];
    struct text text;

    if (zxid <= 0) {
        return;
    }
    if (zxid < client->seen_zxid) {
        text_begin(zk, &text, room, client);
        text_str(&text, " is answered at zxid ");
        zk_text_zxid(&text, zxid);
        text_str(&text, " after it has seen ");
        zk_text_zxid(&text, client->seen_zxid);
        zk_fail(zk, ZK_CHECK_SESSION_ORDER, &text);
    }
    client->seen_zxid = zxid;
}

/* ---- sessions ---- */

static uint32_t server_named(const struct zk_run *zk, struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (host.at[i] == ':') {
            host.len = i;
            break;
        }
    }
    return sim_find(zk->run->sim, host);
}

static void set_lane(struct zk_run *zk, const struct zk_client *client)
{
    static const enum zk_lane lanes[] = {[CLIENT_CONNECTING] = ZK_LANE_CONNECTING,
                                         [CLIENT_CONNECTED] = ZK_LANE_CONNECTED,
                                         [CLIENT_EXPIRED] = ZK_LANE_EXPIRED,
                                         [CLIENT_CLOSED] = ZK_LANE_CLOSED};

    guest_set_state(zk->run, client->process, lanes[client->state]);
}

static void on_client_state(struct zk_run *zk, struct zk_client *client,
                            const struct effect *effect)
{
    int64_t session = (int64_t)effect->b;
    struct zk_session *known;

    client->state = (enum client_state)effect->a;
    client->server = server_named(zk, effect->bytes);
    client->fire_count = 0; /* what was on its way to an older connection is lost */
    set_lane(zk, client);
    if (client->state == CLIENT_EXPIRED || client->state == CLIENT_CLOSED) {
        client->armed_count = 0; /* a new session without an end before it keeps its watches */
    }
    if (session == 0 || session == client->session) {
        return;
    }
    client->session = session;
    client->seen_zxid = 0;
    known = session_put(zk, session);
    if (known != NULL) {
        known->client = client->process - zk->server_count;
    }
}

static void on_session_closed(struct zk_run *zk, uint32_t process, const struct effect *effect)
{
    int64_t session = (int64_t)effect->a;
    struct server_view view;
    char room[ZK_WORDS_MAX];
    struct text text;

    if (!zk_view(zk, process, &view) || view.tree == NULL ||
        tree_ephemeral_first(view.tree, session) == NULL) {
        return;
    }
    text_init(&text, room, sizeof(room));
    text_str(&text, sim_name(zk->run->sim, process));
    text_str(&text, " has closed session ");
    zk_text_session(zk, &text, session);
    text_str(&text, " and keeps an ephemeral of it");
    zk_fail(zk, ZK_CHECK_EPHEMERALS, &text);
}

void zk_clients_committed(struct zk_run *zk, const struct zk_txn *txn)
{
    struct zk_session *session;
    char room[ZK_WORDS_MAX];
    struct text text;

    if (txn->type == OP_CREATE_SESSION) {
        session_put(zk, txn->session);
        return;
    }
    session = zk_session_find(zk, txn->session);
    if (session == NULL) {
        return;
    }
    if (session->closed_zxid != 0 && txn->type != OP_ERROR && txn->type != OP_CLOSE_SESSION) {
        text_init(&text, room, sizeof(room));
        text_str(&text, "zxid ");
        zk_text_zxid(&text, txn->zxid);
        text_str(&text, ", a ");
        text_str(&text, zk_op_name(txn->type));
        text_str(&text, ", belongs to session ");
        zk_text_session(zk, &text, txn->session);
        text_str(&text, ", which was closed by zxid ");
        zk_text_zxid(&text, session->closed_zxid);
        zk_fail(zk, ZK_CHECK_SESSION_END, &text);
    }
    if (txn->type == OP_CLOSE_SESSION && session->closed_zxid == 0) {
        session->closed_zxid = txn->zxid;
    }
}

static void check_ephemeral(struct zk_run *zk, uint32_t process, const struct server_view *view,
                            const struct zk_ephemeral *ephemeral)
{
    const struct zk_ask *op = &zk->ops[ephemeral->tag];
    const struct zk_session *session = zk_session_find(zk, op->session);
    int64_t now = tree_zxid(view->tree);
    bool wanted;
    char room[ZK_WORDS_MAX];
    struct text text;

    if (session == NULL || op->zxid > now || !zk_ledger_contains(&zk->ledger, now, op->zxid)) {
        return;
    }
    wanted = session->closed_zxid == 0 || session->closed_zxid > now;
    if ((tree_find(view->tree, ephemeral->path) != NULL) == wanted) {
        return;
    }
    text_init(&text, room, sizeof(room));
    text_str(&text, sim_name(zk->run->sim, process));
    text_str(&text, " at zxid ");
    zk_text_zxid(&text, now);
    text_str(&text, wanted ? " has no ephemeral " : " still has the ephemeral ");
    text_quoted(&text, ephemeral->path);
    text_str(&text, " of session ");
    zk_text_session(zk, &text, op->session);
    text_str(&text, wanted ? ", which is open" : ", which is closed");
    zk_fail(zk, ZK_CHECK_EPHEMERALS, &text);
}

void zk_clients_check_tree(struct zk_run *zk, uint32_t process, const struct server_view *view)
{
    char room[ZK_WORDS_MAX];
    struct text text;
    int32_t timeout_ms;

    for (uint32_t i = 0; i < zk->session_count; i++) {
        const struct zk_session *session = &zk->sessions[i];

        if (session->closed_zxid == 0 || session->closed_zxid > tree_zxid(view->tree) ||
            (!tree_session_find(view->tree, session->id, &timeout_ms) &&
             tree_ephemeral_first(view->tree, session->id) == NULL)) {
            continue;
        }
        text_init(&text, room, sizeof(room));
        text_str(&text, sim_name(zk->run->sim, process));
        text_str(&text, " still knows session ");
        zk_text_session(zk, &text, session->id);
        text_str(&text, ", which is closed");
        zk_fail(zk, ZK_CHECK_EPHEMERALS, &text);
    }
    for (uint32_t i = 0; i < zk->ephemeral_count; i++) {
        if (!zk->ephemerals[i].contested) {
            check_ephemeral(zk, process, view, &zk->ephemerals[i]);
        }
    }
}

/* ---- operations ---- */

static void on_sent(struct zk_run *zk, struct zk_client *client, const struct effect *effect)
{
    struct zk_ask *op = zk_op_of(zk, effect->a);
    struct guest_op *shown = guest_op_find(zk->run, effect->a);
    uint32_t xid = (uint32_t)effect->b;

    if (op == NULL || xid > INT32_MAX / 2) {
        return;
    }
    op->xid = (int32_t)xid;
    op->session = (int64_t)effect->c;
    if (shown != NULL) {
        shown->a = effect->c;
        shown->b = xid;
    }
    if (zk_reserve(zk, &client->tags, &client->tag_room, xid, sizeof(*client->tags))) {
        client->tags[xid] = effect->a;
    }
}

/* A write that succeeded: it is the committed transaction that the reply names. */
static void check_acknowledged(struct zk_run *zk, const struct zk_client *client,
                               const struct zk_ask *op, int64_t zxid)
{
    const struct zk_txn *txn = zk_ledger_find(&zk->ledger, zxid);
    const char *what = NULL;
    char room[ZK_WORDS_MAX];
    struct text text;

    if (txn == NULL) {
        what = ", which names no transaction";
    } else if (!txn->committed) {
        what = ", which is not committed";
    } else if (txn->session != op->session || txn->cxid != op->xid) {
        what = ", which is another transaction";
    }
    if (what == NULL) {
        return;
    }
    text_begin(zk, &text, room, client);
    text_str(&text, ": a ");
    text_str(&text, zk_op_name(op->op));
    text_str(&text, " is acknowledged as zxid ");
    zk_text_zxid(&text, zxid);
    text_str(&text, what);
    zk_fail(zk, ZK_CHECK_ACKNOWLEDGED, &text);
}

static void on_ok(struct zk_run *zk, struct zk_client *client, const struct effect *effect)
{
    struct zk_ask *op = zk_op_of(zk, effect->a);
    int64_t zxid = (int64_t)effect->b;
    char room[160];
    struct text text;

    zk_watches_check_reply(zk, client, zxid);
    client_sees(zk, client, zxid);
    text_init(&text, room, sizeof(room));
    if (op != NULL && op->is_write && zxid > 0) {
        struct guest_op *shown = guest_op_find(zk->run, effect->a);

        check_acknowledged(zk, client, op, zxid);
        op->zxid = zxid;
        if (shown != NULL) {
            shown->c = effect->b;
        }
        text_str(&text, "zxid ");
        zk_text_zxid(&text, zxid);
    } else {
        text_span(&text, effect->bytes);
    }
    guest_op_end(zk->run, effect->a, GUEST_OP_OK, span_make(room, text.len));
}

/* What a read shows, as `returned` compares it. */
static void keep_result(struct zk_run *zk, struct zk_ask *op, const struct client_answer *answer)
{
    const struct wire_reply *reply = &answer->reply;
    struct bytes names;
    struct wire_vector cursor = reply->strings;
    struct span name;

    switch (answer->op) {
    case OP_CREATE:
    case OP_CREATE2:
        op->result = zk_copy(zk, reply->path);
        return;
    case OP_GET_DATA:
        op->result = zk_copy(zk, reply->data);
        op->stat = reply->stat;
        op->has_stat = true;
        return;
    case OP_EXISTS:
    case OP_SET_DATA:
        op->stat = reply->stat;
        op->has_stat = true;
        return;
    case OP_GET_CHILDREN:
    case OP_GET_CHILDREN2:
        bytes_init(&names, zk->run->mem);
        while (wire_next_string(&cursor, &name)) {
            if (names.len > 0) {
                bytes_u8(&names, ' ');
            }
            bytes_raw(&names, name.at, name.len);
        }
        op->result = names.failed ? span_make("", 0) : bytes_span(&names);
        return;
    default:
        return;
    }
}

/* A delete whose fate is open may have been on its way since before the create. */
static bool may_be_deleted(const struct zk_run *zk, struct span path)
{
    for (uint32_t i = 1; i < zk->op_room; i++) {
        const struct zk_ask *op = &zk->ops[i];

        if (op->op == OP_DELETE && (!op->answered || op->code == ZK_CONNECTIONLOSS) &&
            span_equal(op->path, path)) {
            return true;
        }
    }
    return false;
}

static void keep_ephemeral(struct zk_run *zk, uint64_t tag, const struct zk_ask *op)
{
    if (zk_reserve(zk, &zk->ephemerals, &zk->ephemeral_room, zk->ephemeral_count,
                   sizeof(*zk->ephemerals))) {
        zk->ephemerals[zk->ephemeral_count++] = (struct zk_ephemeral){
            .tag = tag, .path = op->result, .contested = may_be_deleted(zk, op->result)};
    }
}

void zk_clients_answer(struct zk_run *zk, const struct sim_event *event)
{
    struct zk_ask *op = zk_op_of(zk, event->effect->b);
    struct client_answer answer;

    if (op == NULL || client_answer_decode(event->effect->bytes, &answer) != ERR_OK) {
        return;
    }
    op->answered = true;
    op->code = answer.code;
    if (answer.code == ZK_OK && answer.has_reply) {
        keep_result(zk, op, &answer);
        if (op->op == OP_CREATE &&
            (op->flags == MODE_EPHEMERAL || op->flags == MODE_EPHEMERAL_SEQUENTIAL)) {
            keep_ephemeral(zk, event->effect->b, op);
        }
    }
    zk_watches_answer(zk, op);
}

void zk_clients_note(struct zk_run *zk, const struct sim_event *event)
{
    const struct effect *effect = event->effect;
    struct zk_client *client = zk_client_of(zk, event->process);
    struct zk_session *session;

    if (effect->id == NOTE_WATCH_FIRED) {
        zk_watches_fired(zk, event->process, effect);
    } else if (effect->id == NOTE_SESSION_OPENED && zk_is_server(zk, event->process) &&
               zk->servers[event->process].read_only) {
        session = session_put(zk, (int64_t)effect->a);
        if (session != NULL) {
            session->read_only = true;
        }
    } else if (effect->id == NOTE_SESSION_CLOSED) {
        on_session_closed(zk, event->process, effect);
    } else if (effect->id == NOTE_SESSION_EXPIRED) {
        session = zk_session_find(zk, (int64_t)effect->a);
        if (session != NULL) {
            session->expired = true;
        }
    }
    if (client == NULL) {
        return;
    }
    switch (effect->id) {
    case NOTE_CLIENT_STATE:
        on_client_state(zk, client, effect);
        return;
    case NOTE_SENT:
        on_sent(zk, client, effect);
        return;
    case NOTE_OK:
        on_ok(zk, client, effect);
        return;
    case NOTE_FAIL:
        guest_op_end(zk->run, effect->a, GUEST_OP_FAILED, effect->bytes);
        return;
    case NOTE_UNKNOWN:
        guest_op_end(zk->run, effect->a, GUEST_OP_UNKNOWN, effect->bytes);
        return;
    case NOTE_EVENT:
        zk_watches_heard(zk, client, effect);
        return;
    default:
        return;
    }
}
