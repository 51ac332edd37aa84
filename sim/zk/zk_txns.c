/* zk_txns.c - proposals, commits and applies; checks of agreement, order and durability. */
#include "sim/zk/zk_guest.h"

static void fail_zxid(struct zk_run *zk, enum zk_check check, uint32_t process, const char *does,
                      int64_t zxid, const char *what)
{
    char room[ZK_WORDS_MAX];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_str(&text, sim_name(zk->run->sim, process));
    text_str(&text, does);
    zk_text_zxid(&text, zxid);
    text_str(&text, what);
    zk_fail(zk, check, &text);
}

/* ---- proposing ---- */

/* Whose operation it is, from the transaction that lies in the proposer's memory. */
static void txn_describe(struct zk_run *zk, struct zk_txn *txn, uint32_t process)
{
    struct server_view view;
    const struct history_txn *found;
    const struct zk_session *session;
    const struct zk_client *client;

    if (!zk_view(zk, process, &view) || view.history == NULL) {
        return;
    }
    found = history_find(view.history, txn->zxid);
    if (found == NULL) {
        return;
    }
    txn->session = found->session;
    txn->cxid = found->cxid;
    txn->type = found->type;
    session = zk_session_find(zk, txn->session);
    if (session == NULL || session->client == SIM_NONE || txn->cxid <= 0) {
        return;
    }
    client = &zk->clients[session->client];
    if ((uint32_t)txn->cxid < client->tag_room) {
        struct zk_ask *op = zk_op_of(zk, client->tags[txn->cxid]);

        if (op != NULL && op->session == txn->session) {
            struct guest_op *shown = guest_op_find(zk->run, client->tags[txn->cxid]);

            txn->tag = client->tags[txn->cxid];
            op->zxid = txn->zxid;
            if (shown != NULL) {
                shown->c = (uint64_t)txn->zxid;
            }
        }
    }
}

static void on_propose(struct zk_run *zk, uint32_t process, const struct effect *effect)
{
    int64_t zxid = (int64_t)effect->a;
    const struct zk_epoch *epoch = zk_ledger_epoch(&zk->ledger, zxid_epoch(zxid));
    struct zk_txn *txn = zk_ledger_find(&zk->ledger, zxid);

    if (!zk->standalone && (epoch == NULL || !epoch->established || epoch->leader != process)) {
        fail_zxid(zk, ZK_CHECK_ONE_LEADER, process, " proposes zxid ", zxid,
                  ", and is not the established leader of that epoch");
    }
    if (txn != NULL && !zk->standalone) {
        fail_zxid(zk, ZK_CHECK_AGREEMENT, process, " proposes zxid ", zxid,
                  ", which names another transaction already");
    }
    if (zxid_counter(zxid) > 1 && !zk->standalone &&
        zk_ledger_find(&zk->ledger, zxid - 1) == NULL) {
        fail_zxid(zk, ZK_CHECK_PREFIX, process, " proposes zxid ", zxid,
                  " and has left out the one before");
    }
    txn = zk_ledger_put(&zk->ledger, zxid);
    if (txn == NULL) {
        return;
    }
    *txn = (struct zk_txn){.zxid = zxid,
                           .hash = effect->b,
                           .session = (int64_t)effect->c,
                           .proposer = process,
                           .digest_from = SIM_NONE};
    txn_describe(zk, txn, process);
}

/* ---- disks ---- */

static void on_logged(struct zk_run *zk, uint32_t process, int64_t zxid)
{
    struct zk_server *server = &zk->servers[process];

    server->durable_before = server->durable;
    server->durable = zxid;
    if (server->role == ROLE_LEADING || server->role == ROLE_STANDALONE) {
        server->promised = zxid; /* counts in its own quorum from now on */
    }
}

static void on_ack(struct zk_run *zk, uint32_t process, int64_t zxid)
{
    struct zk_server *server = &zk->servers[process];

    if (!zk_ledger_contains(&zk->ledger, server->durable, zxid)) {
        fail_zxid(zk, ZK_CHECK_ACK_DURABLE, process, " acknowledges zxid ", zxid,
                  ", which is not on its disk");
    }
    server->acked_before = server->acked;
    server->acked = zxid;
    server->promised = zxid;
}

/* Servers that vote and have `zxid` on disk. */
static uint64_t durable_bits(const struct zk_run *zk, int64_t zxid)
{
    uint64_t bits = 0;

    for (uint32_t p = 0; p < zk->server_count; p++) {
        if (zk_ledger_contains(&zk->ledger, zk->servers[p].durable, zxid)) {
            bits |= zk->servers[p].bit;
        }
    }
    return bits;
}

void zk_txns_check_kept(struct zk_run *zk, uint32_t process)
{
    uint64_t has;
    uint64_t all = 0;

    if (zk->ledger.committed == 0 ||
        zk_ledger_contains(&zk->ledger, zk->servers[process].durable, zk->ledger.committed)) {
        return;
    }
    has = durable_bits(zk, zk->ledger.committed);
    for (uint32_t p = 0; p < zk->server_count; p++) {
        all |= zk->servers[p].bit;
    }
    if (zk_has_quorum(zk, all & ~has)) {
        fail_zxid(zk, ZK_CHECK_COMMITTED_KEPT, process, " no longer has the committed zxid ",
                  zk->ledger.committed, " on its disk: now a quorum could go on without it");
    }
}

/* ---- commits ---- */

void zk_txns_commit_history(struct zk_run *zk, int64_t zxid)
{
    int64_t last = zxid;

    for (; zxid > 0; zxid = zk_ledger_before(&zk->ledger, zxid)) {
        struct zk_txn *txn = zk_ledger_find(&zk->ledger, zxid);

        if (txn == NULL || txn->committed) {
            break;
        }
        txn->committed = true;
    }
    if (last > zk->ledger.committed) {
        int64_t before = zk->ledger.committed;

        zk->ledger.committed = last;
        for (uint32_t i = 0; i < zk->ledger.count; i++) { /* sessions open and close in order */
            const struct zk_txn *txn = &zk->ledger.txns[i];

            if (txn->committed && txn->zxid > before && txn->zxid <= last) {
                zk_clients_committed(zk, txn);
            }
        }
    }
}

static void on_commit(struct zk_run *zk, uint32_t process, const struct effect *effect)
{
    int64_t zxid = (int64_t)effect->a;
    struct zk_txn *txn = zk_ledger_find(&zk->ledger, zxid);
    int64_t before;

    if (txn == NULL) {
        fail_zxid(zk, ZK_CHECK_PREFIX, process, " commits zxid ", zxid,
                  ", which nobody has proposed");
        return;
    }
    if (txn->hash != effect->b) {
        fail_zxid(zk, ZK_CHECK_AGREEMENT, process, " commits another transaction as zxid ", zxid,
                  " than was proposed");
    }
    if (txn->committed) {
        return; /* by a leader that has it from this one */
    }
    before = zk_ledger_before(&zk->ledger, zxid);
    if (before != zk->ledger.committed && before >= 0 && !zk->standalone) {
        fail_zxid(zk, ZK_CHECK_PREFIX, process, " commits zxid ", zxid,
                  " before or after its turn");
    }
    if (!zk_has_quorum(zk, durable_bits(zk, zxid))) {
        fail_zxid(zk, ZK_CHECK_COMMIT_DURABLE, process, " commits zxid ", zxid,
                  ", which is not on the disks of a quorum");
    }
    txn->committed = true;
    zk->ledger.committed = zxid;
    zk_clients_committed(zk, txn);
}

/* ---- applies ---- */

static void digest_fail(struct zk_run *zk, uint32_t process, int64_t zxid, uint32_t other)
{
    char room[ZK_WORDS_MAX];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_str(&text, " on another tree than ");
    text_str(&text, other == SIM_NONE ? "the set-up lines" : sim_name(zk->run->sim, other));
    text_str(&text, " had there");
    fail_zxid(zk, ZK_CHECK_DIGEST, process, " is at zxid ", zxid, room);
}

static void digest_check(struct zk_run *zk, struct zk_txn *txn, uint32_t process, uint64_t digest)
{
    if (!txn->has_digest) {
        txn->has_digest = true;
        txn->digest = digest;
        txn->digest_from = process;
    } else if (txn->digest != digest) {
        digest_fail(zk, process, txn->zxid, txn->digest_from);
    }
}

void zk_txns_check_tree(struct zk_run *zk, uint32_t process, const struct server_view *view)
{
    struct zk_txn *txn = zk_ledger_find(&zk->ledger, tree_zxid(view->tree));

    if (txn != NULL) {
        digest_check(zk, txn, process, tree_digest(view->tree));
    }
}

static void on_apply(struct zk_run *zk, uint32_t process, const struct effect *effect)
{
    struct zk_server *server = &zk->servers[process];
    int64_t zxid = (int64_t)effect->a;
    struct zk_txn *txn = zk_ledger_find(&zk->ledger, zxid);
    int64_t before = zk_ledger_before(&zk->ledger, zxid);

    if (server->applied >= 0 && before >= 0 && before != server->applied && !zk->standalone &&
        !server->syncing) {
        char room[80];
        struct text text;

        text_init(&text, room, sizeof(room));
        text_str(&text, " right after ");
        zk_text_zxid(&text, server->applied);
        fail_zxid(zk, ZK_CHECK_PREFIX, process, " applies zxid ", zxid, room);
    }
    server->applied = zxid;
    if (txn == NULL) { /* from files that no set-up line wrote */
        txn = zk_ledger_put(&zk->ledger, zxid);
        if (txn == NULL) {
            return;
        }
        txn->hash = effect->b;
    }
    if (txn->hash != effect->b) {
        fail_zxid(zk, ZK_CHECK_AGREEMENT, process, " applies another transaction as zxid ", zxid,
                  " than was proposed");
    }
    if (server->serving && !txn->committed) {
        fail_zxid(zk, ZK_CHECK_PREFIX, process, " applies zxid ", zxid,
                  " for its clients, and it is not committed");
    }
    digest_check(zk, txn, process, effect->c);
}

void zk_txns_note(struct zk_run *zk, const struct sim_event *event)
{
    const struct effect *effect = event->effect;
    uint32_t process = event->process;

    if (!zk_is_server(zk, process)) {
        return;
    }
    switch (effect->id) {
    case NOTE_PROPOSE:
        on_propose(zk, process, effect);
        return;
    case NOTE_LOGGED:
        on_logged(zk, process, (int64_t)effect->a);
        return;
    case NOTE_ACK:
        on_ack(zk, process, (int64_t)effect->a);
        return;
    case NOTE_COMMIT:
        on_commit(zk, process, effect);
        return;
    case NOTE_APPLY:
        on_apply(zk, process, effect);
        return;
    default:
        return;
    }
}
