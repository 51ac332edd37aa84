/* server_role.c - how a server goes from one role to the next. */
#include "base/ensure.h"
#include "protocol/server_state.h"

#define RELOAD_MIN_US 100000u
#define RELOAD_MAX_US 10000000u

static void server_set_role(struct server *server, struct fx *fx, enum server_role role)
{
    server->role = role;
    server->role_us = server->metrics.now_us;
    fx_note(fx, NOTE_ROLE, role, server->booted ? (uint64_t)store_current_epoch(server->store) : 0,
            0, span_make(NULL, 0));
}

/* ---- looking ---- */

static void server_look(struct server *server, struct fx *fx, const struct input *in)
{
    struct vote own = {.leader = server->config.own_id,
                       .zxid = store_is_trusted(server->store) ? history_last_zxid(&server->history)
                                                               : VOTE_ZXID_NONE,
                       .epoch = store_current_epoch(server->store)};

    ENSURE(store_is_settled(server->store));
    ENSURE(history_pending_count(&server->history) == 0);
    server->settling = false;
    server->look_at_us = WAKE_NEVER;
    server->follows = -1;
    server_set_role(server, fx, ROLE_LOOKING);
    server->look_us = in->mono_us;
    metrics_count(&server->metrics, METRIC_LOOKINGS, 1);
    server_plan_read_only(server, in);
    election_start(&server->election, fx, in->mono_us, &own);
    server_after_election(server, fx, in);
}

static void server_enter(struct server *server, struct fx *fx, const struct input *in,
                         const struct vote *vote)
{
    server->follows = vote->leader;
    server_end_read_only(server, fx);
    metrics_add(&server->metrics, METRIC_ELECTION_MS,
                metrics_ms_since(&server->metrics, server->look_us));
    switch (server->election.state) {
    case VOTE_LEADING:
        server_set_role(server, fx, ROLE_LEADING);
        zab_leader_start(&server->leader, fx, in->mono_us, LISTENER_QUORUM);
        return;
    case VOTE_FOLLOWING:
        server_set_role(server, fx, ROLE_FOLLOWING);
        zab_learner_start(&server->learner, fx, in->mono_us, vote->leader, false);
        return;
    case VOTE_OBSERVING:
        server_set_role(server, fx, ROLE_OBSERVING);
        zab_learner_start(&server->learner, fx, in->mono_us, vote->leader, true);
        return;
    case VOTE_LOOKING:
        UNREACHABLE();
    }
}

void server_after_election(struct server *server, struct fx *fx, const struct input *in)
{
    struct election_out *out = &server->election.out;
    struct vote vote;

    if (out->count > 0) {
        struct bytes *bytes = fx_out(fx);
        struct span frame;
        wire_vote_put(bytes, &out->notice);
        frame = fx_copy(fx, bytes_span(bytes));
        for (uint32_t i = 0; i < out->count; i++) {
            peers_send(&server->peers, fx, in->mono_us, out->to[i], frame);
        }
        election_out_clear(&server->election);
    }
    if (server->role == ROLE_LOOKING && election_result(&server->election, &vote)) {
        server_enter(server, fx, in, &vote);
    }
}

/* ---- serving ---- */

static bool server_make_authority(struct server *server, const struct input *in)
{
    struct prep_options options = prep_options_of(&server->config, !server->config.standalone);
    int64_t session = 0;
    int32_t timeout_ms;

    session_tracker_init(&server->tracker, server->mem, (uint32_t)server->config.tick_ms,
                         server->seed);
    while (tree_session_seek(server->tree, session, &session, &timeout_ms)) {
        if (session_tracker_add(&server->tracker, session, (uint32_t)timeout_ms, in->mono_us) !=
            ERR_OK) {
            return false;
        }
        if (session == -1) {
            break; /* ids compare unsigned: this was the last one */
        }
        session += 1;
    }
    server->prep = prep_make(server->mem, &options, server->tree, &server->tracker);
    return server->prep != NULL;
}

/* Ephemerals whose session is in no table: an old snapshot of Apache may hold them. */
static void server_close_orphans(struct server *server, struct fx *fx, const struct input *in)
{
    int64_t owner = 0;
    uint64_t count;
    int32_t timeout_ms;

    while (tree_owner_seek(server->tree, owner, &owner, &count)) {
        if (!tree_session_find(server->tree, owner, &timeout_ms)) {
            struct request request = request_close_session(owner);
            server_execute(server, fx, in, &request);
        }
        if (owner == -1) {
            break;
        }
        owner += 1;
    }
}

/* How long it took from the search for a leader, and from its end, to service. */
static void server_measure_service(struct server *server)
{
    struct metrics *metrics = &server->metrics;
    uint64_t sync_ms = metrics_ms_since(metrics, server->role_us);
    uint64_t away_ms = metrics_ms_since(metrics, server->look_us);

    if (server->role == ROLE_STANDALONE) {
        return;
    }
    metrics_add(metrics, METRIC_UNAVAILABLE_MS, away_ms);
    if (server->role == ROLE_LEADING) {
        server->lead_us = metrics->now_us;
        metrics_add(metrics, METRIC_LEADER_UNAVAILABLE_MS, away_ms);
    } else {
        metrics_add(metrics,
                    server->role == ROLE_FOLLOWING ? METRIC_FOLLOWER_SYNC_MS
                                                   : METRIC_OBSERVER_SYNC_MS,
                    sync_ms);
    }
}

static void server_serve(struct server *server, struct fx *fx, const struct input *in)
{
    bool authority = server->role == ROLE_LEADING || server->role == ROLE_STANDALONE;
    struct clients_role role = {.role = server->role,
                                .tree = server->tree,
                                .tracker = authority ? &server->tracker : NULL,
                                .touches = authority ? NULL : &server->touches,
                                .ids = &server->ids,
                                .zxid = tree_zxid(server->tree)};
    bool has_locals = server->config.local_sessions && !server->config.standalone;
    int64_t epoch = store_current_epoch(server->store);
    int64_t session = 0;
    int32_t timeout_ms;

    ENSURE(!server->serving && server->tree != NULL);
    ENSURE(tree_zxid(server->tree) == history_commit_zxid(&server->history));
    while (tree_session_seek(server->tree, session, &session, &timeout_ms)) {
        session_ids_seen(&server->ids, session);
        if (session == -1) {
            break;
        }
        session += 1;
    }
    if (authority && !server_make_authority(server, in)) {
        fx_halt(fx, 1, span_text("out of memory"));
        return;
    }
    if (has_locals) {
        server_begin_locals(server);
        role.locals = &server->locals;
    }
    server->serving = true;
    server_measure_service(server);
    server->reload_wait_us = 0; /* a full disk can be read: only who serves is well again */
    clients_serve(server->clients, &role);
    fx_note(fx, NOTE_SERVING, server->role, (uint64_t)epoch, (uint64_t)tree_zxid(server->tree),
            span_make(NULL, 0));
    if (!server->config.standalone) {
        election_set_epoch(&server->election, epoch);
    }
    if (authority) {
        server_close_orphans(server, fx, in);
    }
}

static void server_unserve(struct server *server, struct fx *fx)
{
    clients_drop_all(server->clients, fx);
    if (server->prep != NULL) {
        prep_drop(server->prep);
        session_tracker_drop(&server->tracker);
        server->prep = NULL;
    }
    server_end_locals(server);
    server->serving = false;
}

/* ---- losing a role ---- */

static void server_leave(struct server *server, struct fx *fx, const struct input *in,
                         const char *why)
{
    bool broken = server->learner.tree_broken;

    fx_note(fx, NOTE_RETIRED, server->role, (uint64_t)store_current_epoch(server->store),
            (uint64_t)history_last_zxid(&server->history), span_text(why));
    server_end_read_only(server, fx);
    server_unserve(server, fx);
    zab_leader_stop(&server->leader, fx);
    zab_learner_stop(&server->learner, fx);
    if (!server->config.standalone) {
        election_rest(&server->election);
    }
    if (server->role == ROLE_OBSERVING) {
        struct rand rand;
        rand_init(&rand, server->seed ^ in->mono_us);
        server->look_at_us =
            in->mono_us + rand_below(&rand, config_us(server->config.observer_election_ms) + 1);
    }
    server->follows = -1;
    server_set_role(server, fx, ROLE_LOADING);
    if (broken && store_state(server->store) != STORE_FAILED) {
        server->learner.tree_broken = false;
        store_reload(server->store, fx);
    } else {
        server->settling = true;
    }
}

void server_on_broken(struct server *server, struct fx *fx, const struct input *in)
{
    if (server->role != ROLE_LOADING) {
        server_leave(server, fx, in, store_why(server->store));
    }
    server->settling = false;
    server->learner.tree_broken = false;
    server->reload_wait_us =
        server->reload_wait_us == 0 ? RELOAD_MIN_US : 2 * server->reload_wait_us;
    if (server->reload_wait_us > RELOAD_MAX_US) {
        server->reload_wait_us = RELOAD_MAX_US;
    }
    server->reload_at_us = in->mono_us + server->reload_wait_us;
}

void server_on_loaded(struct server *server, struct fx *fx, const struct input *in)
{
    ENSURE(server->role == ROLE_LOADING);
    if (server->config.standalone) {
        server_set_role(server, fx, ROLE_STANDALONE);
        server_serve(server, fx, in);
        return;
    }
    server->settling = true;
}

/* A role that ended left its log settled: the tail whose commit nobody told us is applied, as
 * recovery would, and a leader is looked for. */
static void server_try_settled(struct server *server, struct fx *fx, const struct input *in)
{
    if (!store_is_settled(server->store) ||
        (server->look_at_us != WAKE_NEVER && in->mono_us < server->look_at_us)) {
        return;
    }
    server_apply_tail(server, fx);
    server_look(server, fx, in);
}

void server_check_role(struct server *server, struct fx *fx, const struct input *in)
{
    if (server->reload_at_us <= in->mono_us) {
        server->reload_at_us = WAKE_NEVER;
        store_reload(server->store, fx);
    }
    switch (server->role) {
    case ROLE_LOADING:
        if (server->settling) {
            server_try_settled(server, fx, in);
        }
        return;
    case ROLE_LEADING:
        if (server->leader.phase == LEADER_RETIRED) {
            server_leave(server, fx, in, server->leader.retired_why);
        } else if (server->leader.phase == LEADER_BROADCAST && !server->serving) {
            server_serve(server, fx, in);
        }
        return;
    case ROLE_FOLLOWING:
    case ROLE_OBSERVING:
        if (server->learner.phase == LEARNER_LEFT) {
            server_leave(server, fx, in, server->learner.left_why);
        } else if (server->learner.phase == LEARNER_ACTIVE && !server->serving) {
            server_apply(server, fx, in);
            server_serve(server, fx, in);
        }
        return;
    case ROLE_LOOKING:
        server_try_read_only(server, fx, in);
        return;
    case ROLE_STANDALONE:
        return;
    }
}
