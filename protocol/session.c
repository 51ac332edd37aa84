#include "protocol/session.h"

#include "base/ensure.h"
#include "base/step.h"

struct session {
    int64_t id;
    uint64_t owner;
    uint64_t bucket; /* expiry tick; meaningless while closing */
    struct list in_bucket;
    struct list in_all;
    uint32_t timeout_ms;
    bool closing;
};

/* The sessions that expire with one tick, in the order in which they entered. */
struct session_bucket {
    struct list sessions;
};

const char *session_verdict_name(enum session_verdict verdict)
{
    switch (verdict) {
    case SESSION_OK:
        return "ok";
    case SESSION_UNKNOWN:
        return "unknown";
    case SESSION_CLOSING:
        return "closing";
    case SESSION_MOVED:
        return "moved";
    }
    UNREACHABLE();
}

void session_tracker_init(struct session_tracker *tracker, struct mem *mem, uint32_t tick_ms,
                          uint64_t seed)
{
    ENSURE(tick_ms > 0);
    tracker->mem = mem;
    tracker->tick_us = (uint64_t)tick_ms * 1000u;
    tracker->count = 0;
    map_init(&tracker->sessions, mem, seed);
    sorted_init(&tracker->buckets, mem);
    list_init(&tracker->all);
}

static void session_tracker_unlink(struct session_tracker *tracker, struct session *session)
{
    struct session_bucket *bucket = sorted_find(&tracker->buckets, session->bucket);

    list_take(&session->in_bucket);
    if (bucket != NULL && list_empty(&bucket->sessions)) {
        (void)sorted_take(&tracker->buckets, session->bucket);
        mem_put(tracker->mem, bucket, sizeof(*bucket));
    }
}

static void session_tracker_free(struct session_tracker *tracker, struct session *session)
{
    session_tracker_unlink(tracker, session);
    list_take(&session->in_all);
    (void)map_take(&tracker->sessions, (uint64_t)session->id);
    mem_put(tracker->mem, session, sizeof(*session));
    ENSURE(tracker->count > 0);
    tracker->count--;
}

void session_tracker_drop(struct session_tracker *tracker)
{
    while (!list_empty(&tracker->all)) {
        session_tracker_free(tracker, LIST_ITEM(tracker->all.next, struct session, in_all));
    }
    map_drop(&tracker->sessions);
    sorted_drop(&tracker->buckets);
}

static struct session *session_tracker_find(const struct session_tracker *tracker, int64_t id)
{
    return map_find(&tracker->sessions, (uint64_t)id);
}

/* The list of the bucket of `tick`, made when there is none; NULL when memory ran out. */
static struct session_bucket *session_tracker_bucket(struct session_tracker *tracker, uint64_t tick)
{
    struct session_bucket *bucket = sorted_find(&tracker->buckets, tick);

    if (bucket != NULL) {
        return bucket;
    }
    bucket = mem_get(tracker->mem, sizeof(*bucket));
    if (bucket == NULL) {
        return NULL;
    }
    list_init(&bucket->sessions);
    if (sorted_put(&tracker->buckets, tick, bucket) != ERR_OK) {
        mem_put(tracker->mem, bucket, sizeof(*bucket));
        return NULL;
    }
    return bucket;
}

/* Move to the bucket of now + timeout: the tick after the one that the deadline falls in. */
static enum err session_tracker_renew(struct session_tracker *tracker, struct session *session,
                                      uint64_t now_us)
{
    uint64_t deadline_us = now_us + (uint64_t)session->timeout_ms * 1000u;
    uint64_t tick = deadline_us / tracker->tick_us + 1u;
    struct session_bucket *bucket;

    if (tick == session->bucket && !list_empty(&session->in_bucket)) {
        return ERR_OK;
    }
    bucket = session_tracker_bucket(tracker, tick);
    if (bucket == NULL) {
        return ERR_MEMORY;
    }
    session_tracker_unlink(tracker, session);
    session->bucket = tick;
    list_push(&bucket->sessions, &session->in_bucket);
    return ERR_OK;
}

enum err session_tracker_add(struct session_tracker *tracker, int64_t id, uint32_t timeout_ms,
                             uint64_t now_us)
{
    struct session *session = session_tracker_find(tracker, id);

    if (session != NULL) {
        if (session->closing) {
            return ERR_OK;
        }
        session->timeout_ms = timeout_ms;
        return session_tracker_renew(tracker, session, now_us);
    }
    session = mem_get_zero(tracker->mem, sizeof(*session));
    if (session == NULL) {
        return ERR_MEMORY;
    }
    session->id = id;
    session->timeout_ms = timeout_ms;
    session->owner = SESSION_OWNER_NONE;
    list_init(&session->in_bucket);
    list_init(&session->in_all);
    if (map_put(&tracker->sessions, (uint64_t)id, session) != ERR_OK) {
        mem_put(tracker->mem, session, sizeof(*session));
        return ERR_MEMORY;
    }
    list_push(&tracker->all, &session->in_all);
    tracker->count++;
    if (session_tracker_renew(tracker, session, now_us) != ERR_OK) {
        session_tracker_free(tracker, session);
        return ERR_MEMORY;
    }
    return ERR_OK;
}

void session_tracker_remove(struct session_tracker *tracker, int64_t id)
{
    struct session *session = session_tracker_find(tracker, id);

    if (session != NULL) {
        session_tracker_free(tracker, session);
    }
}

enum session_verdict session_tracker_touch(struct session_tracker *tracker, int64_t id,
                                           uint32_t timeout_ms, uint64_t now_us)
{
    struct session *session = session_tracker_find(tracker, id);

    if (session == NULL) {
        return SESSION_UNKNOWN;
    }
    if (session->closing) {
        return SESSION_CLOSING;
    }
    if (timeout_ms != 0) {
        session->timeout_ms = timeout_ms;
    }
    /* Without memory for a new bucket the session keeps its old deadline: the process is about to
     * be stopped for lack of memory anyway. */
    (void)session_tracker_renew(tracker, session, now_us);
    return SESSION_OK;
}

enum session_verdict session_tracker_revalidate(struct session_tracker *tracker, int64_t id,
                                                uint32_t timeout_ms, uint64_t owner,
                                                uint64_t now_us)
{
    enum session_verdict verdict = session_tracker_touch(tracker, id, timeout_ms, now_us);

    ENSURE(owner != SESSION_OWNER_NONE);
    if (verdict == SESSION_OK) {
        session_tracker_set_owner(tracker, id, owner);
    }
    return verdict;
}

enum session_verdict session_tracker_check(struct session_tracker *tracker, int64_t id,
                                           uint64_t owner)
{
    struct session *session = session_tracker_find(tracker, id);

    if (session == NULL) {
        return SESSION_UNKNOWN;
    }
    if (session->closing) {
        return SESSION_CLOSING;
    }
    if (session->owner == SESSION_OWNER_NONE) {
        session->owner = owner;
    }
    return session->owner == owner ? SESSION_OK : SESSION_MOVED;
}

void session_tracker_set_owner(struct session_tracker *tracker, int64_t id, uint64_t owner)
{
    struct session *session = session_tracker_find(tracker, id);

    if (session != NULL) {
        session->owner = owner;
    }
}

static void session_tracker_close(struct session_tracker *tracker, struct session *session)
{
    session_tracker_unlink(tracker, session);
    session->closing = true;
}

bool session_tracker_set_closing(struct session_tracker *tracker, int64_t id)
{
    struct session *session = session_tracker_find(tracker, id);

    if (session == NULL) {
        return false;
    }
    session_tracker_close(tracker, session);
    return true;
}

bool session_tracker_is_closing(const struct session_tracker *tracker, int64_t id)
{
    const struct session *session = session_tracker_find(tracker, id);

    return session != NULL && session->closing;
}

bool session_tracker_expire(struct session_tracker *tracker, uint64_t now_us, int64_t *id)
{
    uint64_t tick;
    void *found;
    struct session_bucket *bucket;
    struct session *session;

    if (!sorted_seek(&tracker->buckets, 0, &tick, &found)) {
        return false;
    }
    if (tick > now_us / tracker->tick_us) {
        return false;
    }
    bucket = found;
    ENSURE(!list_empty(&bucket->sessions)); /* empty buckets are dropped at once */
    session = LIST_ITEM(bucket->sessions.next, struct session, in_bucket);
    ENSURE(!session->closing);
    *id = session->id;
    session_tracker_close(tracker, session);
    return true;
}

uint64_t session_tracker_due_us(const struct session_tracker *tracker)
{
    uint64_t tick;
    void *bucket;

    if (!sorted_seek(&tracker->buckets, 0, &tick, &bucket)) {
        return WAKE_NEVER;
    }
    return tick * tracker->tick_us;
}

bool session_tracker_view(const struct session_tracker *tracker, int64_t id,
                          struct session_view *view)
{
    const struct session *session = session_tracker_find(tracker, id);

    if (session == NULL) {
        return false;
    }
    *view = (struct session_view){.session = session->id,
                                  .timeout_ms = session->timeout_ms,
                                  .owner = session->owner,
                                  .due_us = session->closing ? WAKE_NEVER
                                                             : session->bucket * tracker->tick_us,
                                  .closing = session->closing};
    return true;
}

void session_touches_init(struct session_touches *touches, struct mem *mem)
{
    ring_init(&touches->items, mem, (uint32_t)sizeof(struct session_touch));
    touches->generation = 1;
}

void session_touches_drop(struct session_touches *touches)
{
    ring_drop(&touches->items);
}

void session_touches_put(struct session_touches *touches, struct session_touch touch,
                         uint64_t *seen)
{
    struct session_touch *item;

    if (*seen == touches->generation) {
        return;
    }
    item = ring_push(&touches->items);
    if (item != NULL) {
        *item = touch;
        *seen = touches->generation;
    }
}

void session_touches_take(struct session_touches *touches, struct bytes *out)
{
    uint64_t count = ring_count(&touches->items);

    for (uint64_t i = 0; i < count; i++) {
        const struct session_touch *item = ring_at(&touches->items, i);

        bytes_i64(out, item->session);
        bytes_u32(out, item->timeout_ms);
    }
    ring_clear(&touches->items);
    touches->generation++;
}

#define SESSION_IDS_SERVER_SHIFT 56u
#define SESSION_IDS_LOW_MASK     0x00ffffffffffffffu

void session_ids_init(struct session_ids *ids, uint64_t server_id, int64_t wall_ms)
{
    /* All unsigned: a signed shift would smear a set bit 39 of the clock over the server id
     * (ZOOKEEPER-1622). */
    uint64_t clock = ((uint64_t)wall_ms << 24) >> 8;

    ids->server_id = server_id & 0xffu;
    ids->next = (ids->server_id << SESSION_IDS_SERVER_SHIFT) | clock;
}

void session_ids_seen(struct session_ids *ids, int64_t session)
{
    uint64_t id = (uint64_t)session;

    if (id >> SESSION_IDS_SERVER_SHIFT == ids->server_id && id >= ids->next) {
        ids->next =
            (ids->server_id << SESSION_IDS_SERVER_SHIFT) | ((id + 1u) & SESSION_IDS_LOW_MASK);
    }
}

int64_t session_ids_next(struct session_ids *ids)
{
    uint64_t id = ids->next;

    /* 0 means "no session", and the container mark is an owner of nodes (EphemeralType). */
    if (id == 0 || id == 0x8000000000000000u) {
        id++;
    }
    ids->next = (ids->server_id << SESSION_IDS_SERVER_SHIFT) | ((id + 1u) & SESSION_IDS_LOW_MASK);
    return (int64_t)id;
}

void session_password(int64_t session, uint8_t out[SESSION_PASSWORD_SIZE])
{
    const uint64_t multiplier = 0x5DEECE66Du;
    const uint64_t mask = ((uint64_t)1 << 48) - 1u;
    uint64_t state = ((uint64_t)session ^ 0xB3415C00u ^ multiplier) & mask;

    for (uint32_t i = 0; i < SESSION_PASSWORD_SIZE; i += 4) {
        uint32_t word;

        state = (state * multiplier + 0xBu) & mask;
        word = (uint32_t)(state >> 16);
        out[i] = (uint8_t)word;
        out[i + 1] = (uint8_t)(word >> 8);
        out[i + 2] = (uint8_t)(word >> 16);
        out[i + 3] = (uint8_t)(word >> 24);
    }
}

bool session_password_is(int64_t session, struct span password)
{
    uint8_t right[SESSION_PASSWORD_SIZE];

    if (session == 0) {
        return false;
    }
    session_password(session, right);
    return span_equal(password, span_make(right, sizeof(right)));
}
