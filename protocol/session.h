/* session.h - which client sessions are alive, who executes for them, and which one dies next.
 *
 * Three machines, none of which reads a clock:
 *
 * - session_tracker: at the leader or a standalone server. It knows every global session. Deadlines
 *   stand in buckets of one tick, so that expiring costs O(expired) and a touch inside the same
 *   bucket costs one lookup. It is volatile: a new leadership makes a new one from the session
 * table of the tree (session_tracker_add for each), which gives every session its full timeout
 * again.
 * - session_touches: at a learner. Which sessions were heard of since the last PING of the leader.
 * - session_ids: new session ids of this server.
 *
 * How the owner drives the tracker: session_tracker_add for every session of the tree when it
 * begins to lead; prep opens, checks and marks; clients touch and re-attach; session_tracker_touch
 * for what learners report in their PING replies; session_tracker_revalidate for REVALIDATE; at
 * each step `while (session_tracker_expire(...))` makes a request_close_session and gives it to
 * prep; session_tracker_applied for every applied createSession and closeSession.
 *
 * Source: Apache SessionTrackerImpl, ExpiryQueue, LeaderSessionTracker, LearnerSessionTracker,
 * ZooKeeperServer.generatePasswd; docs/session.md. */
#ifndef PROTOCOL_SESSION_H
#define PROTOCOL_SESSION_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/ring.h"
#include "base/sorted.h"

#include <stdbool.h>
#include <stdint.h>

/* Who executes for a session: nobody yet, this server's own client port, or a learner. A learner's
 * owner number is the caller's choice (>= SESSION_OWNER_LEARNERS) and must not be used again for
 * another learner connection while this tracker lives. */
#define SESSION_OWNER_NONE     0u
#define SESSION_OWNER_LOCAL    1u
#define SESSION_OWNER_LEARNERS 2u

/* What a tracker says of a request. */
enum session_verdict {
    SESSION_OK,
    SESSION_UNKNOWN, /* never opened, or closed and forgotten */
    SESSION_CLOSING, /* expired or closed, its closeSession not applied yet */
    SESSION_MOVED,   /* another server executes for it */
};
const char *session_verdict_name(enum session_verdict verdict);

struct session_tracker {
    struct mem *mem;
    uint64_t tick_us;
    struct map sessions;   /* id -> struct session */
    struct sorted buckets; /* expiry tick -> struct session_bucket */
    struct list all;       /* in order of first appearance */
    uint64_t count;
};

/* tick_ms > 0. `seed` is that of maps. */
void session_tracker_init(struct session_tracker *tracker, struct mem *mem, uint32_t tick_ms,
                          uint64_t seed);
void session_tracker_drop(struct session_tracker *tracker);

/* A session that exists (session table of the tree), or is being opened (prep of createSession):
 * it gets its full timeout from now on. Known already: timeout and deadline are renewed, but a
 * closing one stays as it is. Errors: ERR_MEMORY. */
enum err session_tracker_add(struct session_tracker *tracker, int64_t id, uint32_t timeout_ms,
                             uint64_t now_us);
/* Forget it; unknown ids are harmless. */
void session_tracker_remove(struct session_tracker *tracker, int64_t id);

/* Push the deadline to now + timeout, rounded up to a tick. `timeout_ms` is what the server that
 * heard of the client negotiated with it, and becomes the session's; 0 = as it is. Does not change
 * the owner. SESSION_OK, SESSION_UNKNOWN or SESSION_CLOSING (nothing changed). */
enum session_verdict session_tracker_touch(struct session_tracker *tracker, int64_t id,
                                           uint32_t timeout_ms, uint64_t now_us);
/* A client re-attached through `owner` with a newly negotiated timeout (a local reconnect, or
 * REVALIDATE of a learner): renews timeout and deadline, and `owner` executes from now on.
 * Anything but SESSION_OK changes nothing. */
enum session_verdict session_tracker_revalidate(struct session_tracker *tracker, int64_t id,
                                                uint32_t timeout_ms, uint64_t owner,
                                                uint64_t now_us);
/* May a request that came through `owner` be executed? A session without owner gets this one
 * (after a change of leader). Source: SessionTrackerImpl.checkSession. */
enum session_verdict session_tracker_check(struct session_tracker *tracker, int64_t id,
                                           uint64_t owner);
/* `owner` executes for it (prep of createSession). */
void session_tracker_set_owner(struct session_tracker *tracker, int64_t id, uint64_t owner);
/* No request of it is prepared any more (prep of closeSession). False when unknown. */
bool session_tracker_set_closing(struct session_tracker *tracker, int64_t id);
bool session_tracker_is_closing(const struct session_tracker *tracker, int64_t id);

/* The next session whose time is over, now marked closing; false when there is none. It stays known
 * (and closing) until session_tracker_remove. Sessions of one bucket come in the order in which
 * they entered it. */
bool session_tracker_expire(struct session_tracker *tracker, uint64_t now_us, int64_t *id);
/* When session_tracker_expire is worth calling next (fx_wake); WAKE_NEVER when no session waits. */
uint64_t session_tracker_due_us(const struct session_tracker *tracker);

struct session_view {
    int64_t session;
    uint32_t timeout_ms;
    uint64_t owner;
    uint64_t due_us;
    bool closing;
};
/* False when unknown. */
bool session_tracker_view(const struct session_tracker *tracker, int64_t id,
                          struct session_view *view);

/* ---- learner ---- */
struct session_touches {
    struct ring items;   /* struct session_touch */
    uint64_t generation; /* counts session_touches_take */
};
struct session_touch {
    int64_t session;
    uint32_t timeout_ms;
};

void session_touches_init(struct session_touches *touches, struct mem *mem);
void session_touches_drop(struct session_touches *touches);
/* Note that `session` was heard of. *seen is the caller's memory of the last generation (0 at
 * first): one session is listed once a generation. Loses the touch when memory runs out. */
void session_touches_put(struct session_touches *touches, struct session_touch touch,
                         uint64_t *seen);
/* Append all as the data of a PING reply ({long session; int timeout}...) and begin anew. */
void session_touches_take(struct session_touches *touches, struct bytes *out);

/* ---- ids and passwords ---- */
struct session_ids {
    uint64_t next;
    uint64_t server_id; /* 1 for a standalone server */
};

/* The first id of this incarnation: server id in the highest byte, 40 bits of wall_ms, 16 zeros. */
void session_ids_init(struct session_ids *ids, uint64_t server_id, int64_t wall_ms);
/* Never hand out `session` or one below it that is ours: call it for every session in the tree at
 * boot and for every createSession that is applied, so that a wall clock that went back does not
 * repeat an id. */
void session_ids_seen(struct session_ids *ids, int64_t session);
/* A fresh id, never 0, with our byte on top. */
int64_t session_ids_next(struct session_ids *ids);

#define SESSION_PASSWORD_SIZE 16u
/* Depends on the id only, so that every server agrees: java.util.Random(id ^ 0xB3415C00). */
void session_password(int64_t session, uint8_t out[SESSION_PASSWORD_SIZE]);
/* True when `password` is that of `session` (which is not 0). */
bool session_password_is(int64_t session, struct span password);

#endif
