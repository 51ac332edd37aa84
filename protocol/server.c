#include "protocol/server.h"

#include "base/ensure.h"
#include "protocol/server_state.h"

#define SERVER_TAG_STORE  (UINT64_C(1) << 60)
#define SERVER_TRACE_MASK 306 /* Apache's: packets, sessions, expiry, read-only */

/* ---- making ---- */

static void *server_make(struct mem *mem, struct span config)
{
    struct server *server = mem_get_zero(mem, sizeof *server);

    if (server == NULL) {
        return NULL;
    }
    server->mem = mem;
    server->role = ROLE_LOADING;
    server->follows = -1;
    server->wake_us = WAKE_NEVER;
    server->reload_at_us = WAKE_NEVER;
    server->look_at_us = WAKE_NEVER;
    server->read_only_at_us = WAKE_NEVER;
    server->trace_mask = SERVER_TRACE_MASK;
    metrics_reset(&server->metrics);
    ring_init(&server->digests, mem, (uint32_t)sizeof(struct server_digest));
    server->config_bad =
        config_parse(&server->config, mem, config, &server->config_error) != ERR_OK;
    return server;
}

/* Stop for good: the configuration or the files cannot be run with. */
static void server_halt(struct fx *fx, uint64_t code, const char *what, const char *why)
{
    char buffer[512];
    struct text text;

    text_init(&text, buffer, sizeof buffer);
    text_str(&text, what);
    text_str(&text, why);
    fx_halt(fx, code, span_make(buffer, text.len));
}

static bool server_read_id(struct server *server, const struct input *in)
{
    if (server->config.own_id >= 0 || server->config.standalone) {
        return true;
    }
    for (uint32_t i = 0; i < in->boot.count; i++) {
        const struct file_view *file = &in->boot.files[i];
        if (file->dir == DIR_DATA && file->whole && span_is(file->name, "myid")) {
            return config_set_id(&server->config, file->bytes, &server->config_error) == ERR_OK;
        }
    }
    return true; /* config_check says what is missing */
}

static struct tree_options server_tree_options(const struct server *server)
{
    const struct config *config = &server->config;

    return (struct tree_options){.hash_seed = server->seed,
                                 .digest_off = !config->digest_enabled,
                                 .extended_types = config->extended_types,
                                 .emulate_353 = config->emulate_353_ttl};
}

static bool server_make_store(struct server *server)
{
    const struct config *config = &server->config;
    struct store_config options;

    store_config_default(&options);
    options.tag_base = SERVER_TAG_STORE;
    options.ensemble = !config->standalone;
    options.autocreate = config->create_database;
    options.trust_empty = config->trust_empty_snapshot;
    options.force_sync = config->force_sync;
    options.snap_count =
        config->snap_count > UINT32_MAX ? UINT32_MAX : (uint32_t)config->snap_count;
    options.snap_size_bytes =
        config->snap_size_kib > 0 ? (uint64_t)config->snap_size_kib * 1024u : 0;
    options.log_size_bytes = config->log_size_kib > 0 ? (uint64_t)config->log_size_kib * 1024u : 0;
    options.scan_enabled = config->snapshot_size_ppm >= 0;
    options.snapshot_factor_ppm =
        config->snapshot_size_ppm > 0 ? (uint32_t)config->snapshot_size_ppm : 0;
    options.metrics = &server->metrics;
    options.tree = server_tree_options(server);
    options.image.no_digest = !config->digest_enabled;
    options.image.no_zxid = !config->serialize_last_zxid || config->compat == CONFIG_COMPAT_38;
    history_init(&server->history, server->mem, (uint32_t)config->commit_log_count,
                 (uint64_t)config->history_bytes);
    server->store = store_make(server->mem, &options, &server->tree, &server->history);
    return server->store != NULL;
}

static bool server_make_clients(struct server *server)
{
    const struct config *config = &server->config;
    struct clients_options options = clients_options_of(config);

    options.metrics = &server->metrics;
    server->clients = clients_make(server->mem, &options, server->seed);
    if (server->clients == NULL) {
        return false;
    }
    clients_set_words(server->clients, server_answer_word, server);
    return true;
}

static bool server_make_ensemble(struct server *server)
{
    const struct config *config = &server->config;
    struct peers_settings settings;
    struct tree_options tree_options = server_tree_options(server);
    struct zab_deps deps = {.mem = server->mem,
                            .config = config,
                            .ensemble = &server->ensemble,
                            .history = &server->history,
                            .store = server->store,
                            .tree = &server->tree,
                            .sid = config->own_id,
                            .seed = server->seed,
                            .metrics = &server->metrics};

    server->ensemble = (struct ensemble){.committed = &server->config.membership};
    zab_leader_init(&server->leader, &deps);
    zab_learner_init(&server->learner, &deps, &tree_options, SERVER_CONN_LEADER,
                     SERVER_CONN_LEADER_COUNT);
    if (config->standalone) {
        return true;
    }
    peers_settings_default(&settings);
    settings.sid = config->own_id;
    settings.listener = LISTENER_ELECTION;
    settings.conn_first = SERVER_CONN_ELECTION;
    settings.conn_count = SERVER_CONN_ELECTION_COUNT;
    settings.connect_us = config_us(config->connect_ms);
    settings.opening_us =
        config_us(config->election_opening_ms > 0 ? config->election_opening_ms
                                                  : config->tick_ms * config->sync_ticks);
    settings.silence_us = config_us(config->silence_ms);
    settings.bind_tries = (uint32_t)config->election_bind_tries;
    settings.listen_on_all = config->listen_on_all;
    settings.multi_address = config->multi_address;
    if (peers_init(&server->peers, server->mem, &server->ensemble, &settings) != ERR_OK ||
        election_init(&server->election, server->mem, &server->ensemble, config->own_id) !=
            ERR_OK) {
        return false;
    }
    election_set_timing(
        &server->election,
        &(struct election_timing){.settle_us = config_us(config->settle_ms),
                                  .resend_min_us = config_us(config->notification_min_ms),
                                  .resend_max_us = config_us(config->notification_max_ms)});
    return true;
}

static void server_listen(struct server *server, struct fx *fx)
{
    char buffer[300];
    struct text address;

    text_init(&address, buffer, sizeof buffer);
    config_client_address(&server->config, &address);
    if (address.len > 0) {
        fx_listen(fx, LISTENER_CLIENT, fx_copy(fx, span_make(buffer, address.len)));
    }
    if (!server->config.standalone) {
        peers_listen(&server->peers, fx);
    }
}

static void server_boot(struct server *server, struct fx *fx, const struct input *in)
{
    char buffer[512];
    struct text text;

    server->seed = in->boot.seed;
    if (server->config_bad || !server_read_id(server, in) ||
        config_check(&server->config, &server->config_error) != ERR_OK) {
        text_init(&text, buffer, sizeof buffer);
        config_error_print(&server->config_error, &text);
        server_halt(fx, 2, "configuration: ", buffer);
        return;
    }
    session_touches_init(&server->touches, server->mem);
    bytes_init(&server->txn, server->mem);
    tree_result_init(&server->result, server->mem);
    session_ids_init(&server->ids, server->config.standalone ? 1 : (uint64_t)server->config.own_id,
                     in->wall_ms);
    if (!server_make_store(server) || !server_make_clients(server) ||
        !server_make_ensemble(server)) {
        server_halt(fx, 1, "out of memory", "");
        return;
    }
    server->booted = true;
    server_listen(server, fx);
    store_boot(server->store, in, fx);
}

/* ---- routing ---- */

static void server_on_opened(struct server *server, struct fx *fx, const struct input *in)
{
    switch (in->opened.listener) {
    case LISTENER_CLIENT:
        clients_on_opened(server->clients, in, fx);
        return;
    case LISTENER_QUORUM:
        zab_leader_on_opened(&server->leader, fx, in);
        return;
    case LISTENER_ELECTION:
        peers_on_opened(&server->peers, fx, in);
        return;
    default:
        if (zab_learner_owns(&server->learner, in->opened.conn)) {
            zab_learner_on_opened(&server->learner, fx, in->mono_us);
        } else if (!server->config.standalone && peers_owns_conn(&server->peers, in->opened.conn)) {
            peers_on_opened(&server->peers, fx, in);
        }
        return;
    }
}

static void server_on_votes(struct server *server, struct fx *fx, const struct input *in)
{
    struct wire_vote notice;
    int64_t from;

    peers_on_bytes(&server->peers, fx, in);
    while (peers_next(&server->peers, fx, &from, &notice)) {
        election_on_notification(&server->election, fx, in->mono_us, from, &notice);
        server_after_election(server, fx, in);
    }
}

static void server_on_bytes(struct server *server, struct fx *fx, const struct input *in)
{
    uint32_t conn = in->bytes.conn;

    if (zab_learner_owns(&server->learner, conn)) {
        server_on_learner_bytes(server, fx, in);
    } else if (zab_leader_owns(&server->leader, conn)) {
        server_on_leader_bytes(server, fx, in);
    } else if (!server->config.standalone && peers_owns_conn(&server->peers, conn)) {
        server_on_votes(server, fx, in);
    } else {
        clients_on_bytes(server->clients, in, fx);
    }
}

static void server_on_closed(struct server *server, struct fx *fx, const struct input *in)
{
    uint32_t conn = in->closed.conn;

    if (zab_learner_owns(&server->learner, conn)) {
        zab_learner_on_closed(&server->learner, fx, in->mono_us);
    } else if (zab_leader_owns(&server->leader, conn)) {
        zab_leader_on_closed(&server->leader, fx, conn, in->mono_us);
    } else if (!server->config.standalone && peers_owns_conn(&server->peers, conn)) {
        peers_on_closed(&server->peers, fx, in);
    } else {
        clients_on_closed(server->clients, conn);
    }
}

static void server_on_drained(struct server *server, struct fx *fx, const struct input *in)
{
    uint32_t conn = in->drained.conn;

    if (zab_leader_owns(&server->leader, conn)) {
        zab_leader_on_drained(&server->leader, fx, conn, in->mono_us);
    } else if (!server->config.standalone && peers_owns_conn(&server->peers, conn)) {
        peers_on_drained(&server->peers, fx, in);
    } else if (!zab_learner_owns(&server->learner, conn)) {
        clients_on_drained(server->clients, in, fx);
    }
}

static void server_on_listening(struct server *server, struct fx *fx, const struct input *in)
{
    switch (in->listening.listener) {
    case LISTENER_QUORUM:
        zab_leader_on_listening(&server->leader, in->listening.err);
        return;
    case LISTENER_ELECTION:
        peers_on_listening(&server->peers, fx, in->mono_us, in);
        return;
    default:
        if (in->listening.err != ERR_OK) {
            server_halt(fx, 1, "the client port cannot be bound: ", err_text(in->listening.err));
        }
        return;
    }
}

static void server_on_store(struct server *server, struct fx *fx, const struct input *in)
{
    uint32_t events = store_on_input(server->store, in, fx);

    if ((events & STORE_GAVE_UP) != 0) {
        server_halt(fx, 3, "", store_why(server->store));
        return;
    }
    if ((events & STORE_BROKE) != 0) {
        server_on_broken(server, fx, in);
        return;
    }
    if ((events & STORE_LOADED) != 0) {
        ring_clear(&server->digests); /* another tree */
    }
    if ((events & STORE_LOADED) != 0 && (events & STORE_TRUNCATED) == 0) {
        server_on_loaded(server, fx, in);
    }
    if ((events & STORE_SCANNED) != 0) {
        zab_leader_on_scanned(&server->leader, fx, in->mono_us);
    }
    if ((events & STORE_SYNCED) != 0) {
        zab_leader_on_logged(&server->leader, fx, store_durable_zxid(server->store), in->mono_us);
    }
    zab_learner_on_store(&server->learner, fx, events, in->mono_us);
}

static void server_route(struct server *server, struct fx *fx, const struct input *in)
{
    switch (in->kind) {
    case IN_BOOT:
        server_boot(server, fx, in);
        return;
    case IN_LISTENING:
        server_on_listening(server, fx, in);
        return;
    case IN_OPENED:
        server_on_opened(server, fx, in);
        return;
    case IN_DRAINED:
        server_on_drained(server, fx, in);
        return;
    case IN_BYTES:
        server_on_bytes(server, fx, in);
        return;
    case IN_CLOSED:
        server_on_closed(server, fx, in);
        return;
    case IN_DONE:
    case IN_DATA:
        server_on_store(server, fx, in);
        return;
    case IN_ASK:
        fx_answer(fx, in->ask.tag, span_make(NULL, 0));
        return;
    case IN_WAKE:
    case IN_POST:
        return;
    }
}

/* ---- the step ---- */

static void server_on_time(struct server *server, struct fx *fx, const struct input *in)
{
    uint64_t now_us = in->mono_us;

    if (!server->config.standalone) {
        if (now_us >= peers_wake_us(&server->peers)) {
            peers_on_time(&server->peers, fx, now_us);
        }
        if (now_us >= election_wake_us(&server->election)) {
            election_on_time(&server->election, fx, now_us);
            server_after_election(server, fx, in);
        }
    }
    if (now_us >= zab_leader_wake_us(&server->leader)) {
        zab_leader_on_time(&server->leader, fx, now_us);
    }
    if (now_us >= zab_learner_wake_us(&server->learner)) {
        zab_learner_on_time(&server->learner, fx, now_us);
    }
}

static void server_set_wake(struct server *server, struct fx *fx, const struct input *in)
{
    if (!server->config.standalone) {
        fx_wake(fx, peers_wake_us(&server->peers));
        fx_wake(fx, election_wake_us(&server->election));
        fx_wake(fx, zab_leader_wake_us(&server->leader));
        fx_wake(fx, zab_learner_wake_us(&server->learner));
    }
    if (server->serving && server->prep != NULL) {
        uint64_t due_us = session_tracker_due_us(&server->tracker);
        fx_wake(fx, due_us > server->expire_at_us ? due_us : server->expire_at_us);
    }
    if (server->has_locals) {
        uint64_t due_us = session_tracker_due_us(&server->locals);
        fx_wake(fx, due_us > server->expire_at_us ? due_us : server->expire_at_us);
    }
    fx_wake(fx, server->reload_at_us);
    fx_wake(fx, server->read_only_at_us);
    if (server->look_at_us > in->mono_us) {
        fx_wake(fx, server->look_at_us);
    } /* else the disk is not settled yet, and its answer is the next input */
}

/* Woken later than asked, by an eighth of a tick and more: the process was frozen or has too much
 * to do. What was heard of sessions meanwhile waits on its connections, and at the followers for
 * the next ping, so no session is judged before there was time to hear of it. */
static void server_note_freeze(struct server *server, const struct input *in)
{
    uint64_t tick_us = config_us(server->config.tick_ms);

    if (server->wake_us < in->mono_us && in->mono_us - server->wake_us >= tick_us / 8) {
        server->expire_at_us = in->mono_us + tick_us;
    }
}

static void server_step(void *self, const struct input *in, struct fx *fx)
{
    struct server *server = self;

    server->metrics.now_us = in->mono_us;
    server->metrics.wall_ms = in->wall_ms;
    if (server->booted) {
        history_begin_step(&server->history);
        server_note_freeze(server, in);
    }
    server_route(server, fx, in);
    if (!server->booted) {
        return;
    }
    server_on_time(server, fx, in);
    server_check_role(server, fx, in);
    server_work(server, fx, in);
    server_check_role(server, fx, in);
    store_flush(server->store, fx);
    history_trim(&server->history, zab_leader_floor(&server->leader));
    clients_on_time(server->clients, in, fx);
    server_set_wake(server, fx, in);
    server->wake_us = fx->wake_us;
}

const struct process_ops server_ops = {.name = "server", .make = server_make, .step = server_step};

void server_get_view(const void *self, struct server_view *view)
{
    const struct server *server = self;

    *view = (struct server_view){
        .sid = server->config.own_id, .role = server->role, .leader = server->follows};
    if (server->booted) {
        view->serving = server->serving;
        view->epoch = store_current_epoch(server->store);
        view->accepted = store_accepted_epoch(server->store);
        view->last_zxid = history_last_zxid(&server->history);
        view->commit_zxid = history_commit_zxid(&server->history);
        view->durable_zxid = store_durable_zxid(server->store);
        view->tree = server->tree;
        view->history = &server->history;
        view->locals = server->has_locals ? &server->locals : NULL;
        view->read_only = server->read_only;
    }
}
