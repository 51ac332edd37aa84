/* zk_watches.c - watches that clients have left, events that they have had, and whether both fit.
 */
#include "base/hash.h"
#include "sim/zk/zk_guest.h"

static void text_begin(const struct zk_run *zk, struct text *text, char *room,
                       const struct zk_client *client)
{
    text_init(text, room, ZK_WORDS_MAX);
    text_str(text, sim_name(zk->run->sim, client->process));
}

/* A reply that shows a state must come after the watch events that tell of it. */
void zk_watches_check_reply(struct zk_run *zk, const struct zk_client *client, int64_t zxid)
{
    char room[ZK_WORDS_MAX];
    struct text text;

    for (uint32_t i = 0; i < client->fire_count; i++) {
        const struct zk_fire *fire = &client->fires[i];

        if (fire->session != client->session || fire->zxid > zxid) {
            continue;
        }
        text_begin(zk, &text, room, client);
        text_str(&text, " is answered at zxid ");
        zk_text_zxid(&text, zxid);
        text_str(&text, " before the event of ");
        text_quoted(&text, fire->path);
        text_str(&text, " at ");
        zk_text_zxid(&text, fire->zxid);
        zk_fail(zk, ZK_CHECK_WATCH_ORDER, &text);
        return;
    }
}

void zk_watches_fired(struct zk_run *zk, uint32_t process, const struct effect *effect)
{
    const struct zk_session *session = zk_session_find(zk, (int64_t)effect->a);
    struct zk_client *client;

    if (session == NULL || session->client == SIM_NONE) {
        return;
    }
    client = &zk->clients[session->client];
    if (client->state != CLIENT_CONNECTED || client->server != process ||
        client->session != session->id) {
        return; /* on a connection that the client has given up */
    }
    if (!zk_reserve(zk, &client->fires, &client->fire_room, client->fire_count,
                    sizeof(*client->fires))) {
        return;
    }
    client->fires[client->fire_count++] = (struct zk_fire){.session = session->id,
                                                           .zxid = (int64_t)effect->c,
                                                           .type = (int32_t)(int64_t)effect->b,
                                                           .path = zk_copy(zk, effect->bytes)};
}

static struct zk_armed *armed_find(const struct zk_client *client, struct span path)
{
    for (uint32_t i = 0; i < client->armed_count; i++) {
        if (span_equal(client->armed[i].path, path)) {
            return &client->armed[i];
        }
    }
    return NULL;
}

/* A read that left a watch has returned: what it showed is what the watch waits to see changed. */
static void watch_arm(struct zk_run *zk, struct zk_client *client, const struct zk_ask *op,
                      uint32_t kind)
{
    struct zk_armed *armed = armed_find(client, op->path);
    const struct zk_session *session;

    if (armed == NULL) {
        if (!zk_reserve(zk, &client->armed, &client->armed_room, client->armed_count,
                        sizeof(*client->armed))) {
            return;
        }
        armed = &client->armed[client->armed_count++];
        *armed = (struct zk_armed){.path = op->path};
    }
    session = zk_session_find(zk, client->session);
    armed->doubtful = session != NULL && session->read_only;
    armed->kinds |= kind;
    if (kind == ZK_WATCH_DATA) {
        armed->mzxid = op->stat.mzxid;
    } else if (kind == ZK_WATCH_CHILD) {
        armed->children = hash_bytes(op->result, 0);
    }
}

/* Does this answer show a change that a watch of the same client should have told before? */
static bool shows_untold(const struct zk_armed *armed, const struct zk_ask *op)
{
    bool there = op->code == ZK_OK;

    if (armed->doubtful || (op->code != ZK_OK && op->code != ZK_NONODE)) {
        return false;
    }
    switch (op->op) {
    case OP_GET_DATA:
    case OP_EXISTS:
        return ((armed->kinds & ZK_WATCH_DATA) != 0 &&
                (!there || op->stat.mzxid != armed->mzxid)) ||
               ((armed->kinds & ZK_WATCH_EXIST) != 0 && there);
    case OP_GET_CHILDREN:
        return (armed->kinds & ZK_WATCH_CHILD) != 0 &&
               (!there || hash_bytes(op->result, 0) != armed->children);
    default:
        return false;
    }
}

static void check_untold(struct zk_run *zk, const struct zk_client *client, const struct zk_ask *op)
{
    const struct zk_armed *armed = armed_find(client, op->path);
    char room[ZK_WORDS_MAX];
    struct text text;

    if (armed == NULL || !shows_untold(armed, op)) {
        return;
    }
    text_begin(zk, &text, room, client);
    text_str(&text, " is shown a new state of ");
    text_quoted(&text, op->path);
    text_str(&text, ", and its watch there has not fired");
    zk_fail(zk, ZK_CHECK_WATCH_ORDER, &text);
}

/* Which watches an event uses up. */
static uint32_t event_kinds(int32_t type)
{
    switch (type) {
    case EVENT_CREATED:
        return ZK_WATCH_EXIST | ZK_WATCH_DATA;
    case EVENT_DELETED:
        return ZK_WATCH_DATA | ZK_WATCH_EXIST | ZK_WATCH_CHILD;
    case EVENT_DATA_CHANGED:
        return ZK_WATCH_DATA | ZK_WATCH_EXIST;
    case EVENT_CHILDREN_CHANGED:
        return ZK_WATCH_CHILD;
    default:
        return 0;
    }
}

static void watch_use(struct zk_run *zk, struct zk_client *client, struct span path, int32_t type)
{
    char room[ZK_WORDS_MAX];
    struct text text;
    uint32_t kinds = event_kinds(type);
    struct zk_armed *armed;

    if (kinds == 0) {
        return;
    }
    armed = armed_find(client, path);
    if (armed != NULL && (armed->kinds & kinds) != 0) {
        /* A deletion is told once for a data and a child watch of the same connection. */
        armed->kinds &= ~kinds;
        return;
    }
    text_begin(zk, &text, room, client);
    text_str(&text, " hears ");
    text_str(&text, zk_event_name(type));
    text_char(&text, ' ');
    text_quoted(&text, path);
    text_str(&text, " and has no watch there any more");
    zk_fail(zk, ZK_CHECK_WATCH_ONCE, &text);
}

void zk_watches_heard(struct zk_run *zk, struct zk_client *client, const struct effect *effect)
{
    int32_t type = (int32_t)(int64_t)effect->a;
    int64_t zxid = (int64_t)effect->b;
    struct span path = zk_copy(zk, effect->bytes);

    for (uint32_t i = 0; i < client->fire_count; i++) {
        const struct zk_fire *fire = &client->fires[i];

        if (fire->type == type && span_equal(fire->path, path)) {
            memmove(&client->fires[i], &client->fires[i + 1],
                    (client->fire_count - i - 1) * sizeof(client->fires[0]));
            client->fire_count--;
            break;
        }
    }
    if (zk_reserve(zk, &client->heard, &client->heard_room, client->heard_count,
                   sizeof(*client->heard))) {
        client->heard[client->heard_count++] =
            (struct zk_heard){.path = path, .type = type, .zxid = zxid};
    }
    watch_use(zk, client, path, type);
}

static void arm_of_op(struct zk_run *zk, const struct zk_ask *op)
{
    struct zk_client *client = &zk->clients[op->client];

    if (op->op == OP_EXISTS && op->code == ZK_NONODE) {
        watch_arm(zk, client, op, ZK_WATCH_EXIST);
    } else if (op->code == ZK_OK) {
        watch_arm(zk, client, op,
                  op->op == OP_GET_CHILDREN || op->op == OP_GET_CHILDREN2 ? ZK_WATCH_CHILD
                                                                          : ZK_WATCH_DATA);
    }
}

void zk_watches_answer(struct zk_run *zk, const struct zk_ask *op)
{
    check_untold(zk, &zk->clients[op->client], op);
    if (op->watch) {
        arm_of_op(zk, op);
    }
}
