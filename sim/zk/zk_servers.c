/* zk_servers.c - roles, epochs and disks of servers, and the checks of leadership and recovery. */
#include "sim/zk/zk_guest.h"

static void text_begin(struct zk_run *zk, struct text *text, char *room, uint32_t process)
{
    text_init(text, room, ZK_WORDS_MAX);
    text_str(text, sim_name(zk->run->sim, process));
}

static void set_lane(struct zk_run *zk, uint32_t process)
{
    const struct zk_server *server = &zk->servers[process];
    enum zk_lane lane = ZK_LANE_LOADING;

    switch (server->role) {
    case ROLE_LOADING:
        break;
    case ROLE_LOOKING:
        lane = server->read_only ? ZK_LANE_READ_ONLY : ZK_LANE_LOOKING;
        break;
    case ROLE_FOLLOWING:
        lane = server->serving ? ZK_LANE_FOLLOWING : ZK_LANE_SYNCING;
        break;
    case ROLE_LEADING:
        lane = server->serving ? ZK_LANE_LEADING : ZK_LANE_PREPARING;
        break;
    case ROLE_OBSERVING:
        lane = server->serving ? ZK_LANE_OBSERVING : ZK_LANE_SYNCING;
        break;
    case ROLE_STANDALONE:
        lane = ZK_LANE_STANDALONE;
        break;
    }
    guest_set_state(zk->run, process, lane);
}

/* ---- starts ---- */

/* An empty disk: wiped, or new. Nothing can be expected of it. */
void zk_servers_started(struct zk_run *zk, uint32_t process)
{
    struct zk_server *server = &zk->servers[process];
    struct file_view file;

    server->role = ROLE_LOADING;
    server->serving = false;
    server->read_only = false;
    server->syncing = false;
    server->applied = -1;
    server->votes_for = 0;
    server->follows = 0;
    if (!sim_file_at(zk->run->sim, process, 0, &file)) {
        server->accepted = 0;
        server->current = 0;
        server->accepted_durable = 0;
        server->current_durable = 0;
        server->durable = 0;
        server->promised = 0;
    }
}

void zk_servers_down(struct zk_run *zk, uint32_t process)
{
    struct zk_server *server = &zk->servers[process];

    server->role = ROLE_LOADING;
    server->serving = false;
    server->read_only = false;
    server->syncing = false;
    server->applied = -1;
}

/* ---- epochs ---- */

static void epoch_fail(struct zk_run *zk, uint32_t process, const char *what, int64_t from,
                       int64_t to)
{
    char room[ZK_WORDS_MAX];
    struct text text;

    text_begin(zk, &text, room, process);
    text_str(&text, what);
    text_i64(&text, from);
    text_str(&text, " to ");
    text_i64(&text, to);
    zk_fail(zk, ZK_CHECK_EPOCHS, &text);
}

static void on_accepted(struct zk_run *zk, uint32_t process, int64_t epoch)
{
    struct zk_server *server = &zk->servers[process];

    if (epoch < server->accepted) {
        epoch_fail(zk, process, ": acceptedEpoch goes back from ", server->accepted, epoch);
    } else if (epoch < server->current) {
        epoch_fail(zk, process, ": acceptedEpoch falls below currentEpoch, from ", server->current,
                   epoch);
    }
    server->accepted = epoch;
    server->accepted_durable = epoch;
}

/* A crash in the middle of replacing a file may leave the new one without anybody having said so.
 */
static void recover_epochs(struct zk_run *zk, uint32_t process, int64_t current,
                           const struct server_view *view)
{
    struct zk_server *server = &zk->servers[process];

    if (current < server->current_durable) {
        epoch_fail(zk, process, ": a restart takes currentEpoch back from ",
                   server->current_durable, current);
    }
    server->current = current;
    if (view->history == NULL) {
        return;
    }
    if (view->accepted < server->accepted_durable) {
        epoch_fail(zk, process, ": a restart takes acceptedEpoch back from ",
                   server->accepted_durable, view->accepted);
    }
    server->accepted = view->accepted;
}

static void on_recovered(struct zk_run *zk, uint32_t process, int64_t zxid, int64_t epoch)
{
    struct zk_server *server = &zk->servers[process];
    struct server_view view;
    char room[ZK_WORDS_MAX];
    struct text text;

    server->durable_before = server->durable;
    server->durable = zxid;
    server->applied = zxid;
    if (!server->syncing && !zk_ledger_contains(&zk->ledger, zxid, server->promised)) {
        text_begin(zk, &text, room, process);
        text_str(&text, " had acknowledged up to zxid ");
        zk_text_zxid(&text, server->promised);
        text_str(&text, " and comes back with ");
        zk_text_zxid(&text, zxid);
        zk_fail(zk, ZK_CHECK_RECOVERY, &text);
    }
    zk_txns_check_kept(zk, process);
    if (!zk_view(zk, process, &view)) {
        return;
    }
    if (!zk->standalone) {
        recover_epochs(zk, process, epoch, &view);
    }
    if (view.tree != NULL && tree_zxid(view.tree) == zxid) {
        zk_txns_check_tree(zk, process, &view);
    }
}

/* The leader of an epoch: whoever went on to synchronisation in it. */
static void epoch_led(struct zk_run *zk, uint32_t process, int64_t number)
{
    struct zk_epoch *epoch = zk_ledger_put_epoch(&zk->ledger, number);
    char room[ZK_WORDS_MAX];
    struct text text;

    if (epoch == NULL) {
        return;
    }
    if (epoch->is_led && epoch->leader != process) {
        text_begin(zk, &text, room, process);
        text_str(&text, " leads epoch ");
        text_i64(&text, number);
        text_str(&text, ", which ");
        text_str(&text, sim_name(zk->run->sim, epoch->leader));
        text_str(&text, " has led already");
        zk_fail(zk, ZK_CHECK_ONE_LEADER, &text);
    }
    epoch->is_led = true;
    epoch->leader = process;
}

/* Nobody of a quorum may follow an older leader any more when a new one begins to synchronise. */
static void check_promises(struct zk_run *zk, uint32_t process, int64_t epoch)
{
    char room[ZK_WORDS_MAX];
    struct text text;
    uint64_t bits = 0;

    for (uint32_t p = 0; p < zk->server_count; p++) {
        bits |= zk->servers[p].accepted_durable >= epoch ? zk->servers[p].bit : 0;
    }
    if (zk_has_quorum(zk, bits)) {
        return;
    }
    text_begin(zk, &text, room, process);
    text_str(&text, " goes on to lead epoch ");
    text_i64(&text, epoch);
    text_str(&text, ", which no quorum has promised to follow");
    zk_fail(zk, ZK_CHECK_EPOCHS, &text);
}

static void on_current(struct zk_run *zk, uint32_t process, int64_t epoch)
{
    struct zk_server *server = &zk->servers[process];

    if (epoch < server->current) {
        epoch_fail(zk, process, ": currentEpoch goes back from ", server->current, epoch);
    } else if (epoch > server->accepted) {
        epoch_fail(zk, process, ": currentEpoch passes acceptedEpoch, from ", server->accepted,
                   epoch);
    }
    server->current = epoch;
    server->current_durable = epoch;
    if (server->role == ROLE_LEADING) {
        epoch_led(zk, process, epoch);
        check_promises(zk, process, epoch);
    }
}

/* ---- election ---- */

static void on_looking(struct zk_run *zk, uint32_t process, const struct effect *effect)
{
    struct zk_server *server = &zk->servers[process];
    int64_t zxid = (int64_t)effect->b;
    int64_t epoch = (int64_t)effect->c;
    char room[ZK_WORDS_MAX];
    struct text text;

    server->round = (uint32_t)effect->a;
    server->votes_for = (int64_t)process + 1;
    server->follows = 0;
    if (zxid < 0 || (zxid == server->durable && epoch == server->current)) {
        return; /* zxid < 0: an observer, or a server that may not vote */
    }
    text_begin(zk, &text, room, process);
    text_str(&text, " offers zxid ");
    zk_text_zxid(&text, zxid);
    text_str(&text, " of epoch ");
    text_i64(&text, epoch);
    text_str(&text, ", its disk has ");
    zk_text_zxid(&text, server->durable);
    text_str(&text, " of epoch ");
    text_i64(&text, server->current);
    zk_fail(zk, ZK_CHECK_VOTE_TRUTH, &text);
}

static void on_role(struct zk_run *zk, uint32_t process, enum server_role role)
{
    struct zk_server *server = &zk->servers[process];

    server->role = role;
    server->serving = false;
    server->read_only = false;
    server->syncing = role == ROLE_FOLLOWING || role == ROLE_OBSERVING;
    if (server->syncing) {
        server->synced = false; /* how, it will be told */
        /* From here on a leader may take back what it never committed. */
        server->promised = zk_ledger_common(&zk->ledger, server->promised, zk->ledger.committed);
    }
    set_lane(zk, process);
}

/* ---- synchronisation ---- */

static void on_sync_choice(struct zk_run *zk, uint32_t leader, const struct effect *effect)
{
    uint32_t learner = zk_process(zk, (int64_t)effect->a);
    int64_t zxid = (int64_t)effect->c;
    struct server_view view;
    char room[ZK_WORDS_MAX];
    struct text text;

    if (learner == SIM_NONE) {
        return;
    }
    zk->servers[learner].synced = true;
    zk->servers[learner].mode = (enum sync_mode)effect->b;
    zk->servers[learner].synced_from = zxid;
    if (effect->b != SYNC_DIFF || zxid_counter(zxid) == 0 || !zk_view(zk, leader, &view) ||
        zk_ledger_contains(&zk->ledger, view.last_zxid, zxid)) {
        return;
    }
    text_begin(zk, &text, room, leader);
    text_str(&text, ", whose history ends with ");
    zk_text_zxid(&text, view.last_zxid);
    text_str(&text, ", sends DIFF to ");
    text_str(&text, sim_name(zk->run->sim, learner));
    text_str(&text, ", which has ");
    zk_text_zxid(&text, zxid);
    zk_fail(zk, ZK_CHECK_SYNC_CHOICE, &text);
}

static void on_sync_done(struct zk_run *zk, uint32_t process, const struct effect *effect)
{
    struct zk_server *server = &zk->servers[process];
    int64_t zxid = (int64_t)effect->b;
    int64_t epoch = (int64_t)effect->c;
    char room[ZK_WORDS_MAX];
    struct text text;

    if (zxid != server->durable || epoch != server->current_durable) {
        text_begin(zk, &text, room, process);
        text_str(&text, " acknowledges epoch ");
        text_i64(&text, epoch);
        text_str(&text, " with zxid ");
        zk_text_zxid(&text, zxid);
        text_str(&text, "; on its disk are epoch ");
        text_i64(&text, server->current_durable);
        text_str(&text, " and zxid ");
        zk_text_zxid(&text, server->durable);
        zk_fail(zk, ZK_CHECK_ACK_DURABLE, &text);
    }
    server->syncing = false;
    server->promised = zxid;
}

static void established_fail(struct zk_run *zk, uint32_t process, enum zk_check check,
                             int64_t number, int64_t zxid, const char *what)
{
    char room[ZK_WORDS_MAX];
    struct text text;

    text_begin(zk, &text, room, process);
    text_str(&text, " begins epoch ");
    text_i64(&text, number);
    text_str(&text, " with zxid ");
    zk_text_zxid(&text, zxid);
    text_str(&text, what);
    zk_fail(zk, check, &text);
}

static void on_established(struct zk_run *zk, uint32_t process, int64_t number, int64_t zxid)
{
    struct zk_epoch *epoch;
    uint64_t bits = 0;

    epoch_led(zk, process, number);
    epoch = zk_ledger_put_epoch(&zk->ledger, number);
    if (epoch == NULL) {
        return;
    }
    if (epoch->has_base && epoch->base != zxid) {
        established_fail(zk, process, ZK_CHECK_ONE_LEADER, number, zxid,
                         ", and the epoch has begun with another one before");
    }
    epoch->has_base = true;
    epoch->base = zxid;
    epoch->established = true;
    epoch->established_us = sim_now(zk->run->sim);
    for (uint32_t p = 0; p < zk->server_count; p++) {
        const struct zk_server *server = &zk->servers[p];

        if (server->current_durable >= number &&
            zk_ledger_contains(&zk->ledger, server->durable, zxid)) {
            bits |= server->bit;
        }
    }
    if (!zk_has_quorum(zk, bits)) {
        established_fail(zk, process, ZK_CHECK_COMMIT_DURABLE, number, zxid,
                         ", which is not on the disks of a quorum");
    }
    if (number < zk->epoch) {
        return; /* woke up too late to get anything committed: the others have promised not to */
    }
    if (!zk_ledger_contains(&zk->ledger, zxid, zk->ledger.committed)) {
        char room[80];
        struct text text;

        text_init(&text, room, sizeof(room));
        text_str(&text, " and without the committed ");
        zk_text_zxid(&text, zk->ledger.committed);
        established_fail(zk, process, ZK_CHECK_COMMITTED_KEPT, number, zxid, room);
    }
    zk_txns_commit_history(zk, zxid);
    if (number > zk->epoch) {
        if (zk->leader != SIM_NONE && zk->leader != process) {
            zk->leader_before = zk->leader;
        }
        zk->epoch = number;
        zk->leader = process;
    }
}

static void on_serving(struct zk_run *zk, uint32_t process, int64_t zxid)
{
    struct zk_server *server = &zk->servers[process];
    struct server_view view;
    char room[ZK_WORDS_MAX];
    struct text text;

    server->serving = true;
    server->applied = zxid;
    set_lane(zk, process);
    if (!zk_ledger_contains(&zk->ledger, zk->ledger.committed, zxid) && !zk->standalone) {
        text_begin(zk, &text, room, process);
        text_str(&text, " serves zxid ");
        zk_text_zxid(&text, zxid);
        text_str(&text, ", which is not committed");
        zk_fail(zk, ZK_CHECK_PREFIX, &text);
    }
    if (zk_view(zk, process, &view) && view.tree != NULL) {
        zk_txns_check_tree(zk, process, &view);
        zk_clients_check_tree(zk, process, &view);
    }
}

/* ---- all of them ---- */

static void on_disk(struct zk_run *zk, uint32_t process, const struct effect *effect)
{
    struct zk_server *server = &zk->servers[process];

    if (effect->id == NOTE_RECOVERED) {
        on_recovered(zk, process, (int64_t)effect->a, (int64_t)effect->c);
    } else if (effect->id == NOTE_TRUNCATED) {
        server->promised = (int64_t)effect->a;
    } else if (effect->id == NOTE_SNAPSHOT && server->syncing && server->synced &&
               server->mode == SYNC_SNAP) {
        server->durable_before = server->durable;
        server->durable = (int64_t)effect->a; /* the tree that the leader streamed */
        server->applied = -1;
        zk_txns_check_kept(zk, process);
    }
}

void zk_servers_note(struct zk_run *zk, const struct sim_event *event)
{
    const struct effect *effect = event->effect;
    uint32_t process = event->process;

    if (!zk_is_server(zk, process)) {
        return;
    }
    switch (effect->id) {
    case NOTE_LOOKING:
        on_looking(zk, process, effect);
        return;
    case NOTE_VOTE:
        zk->servers[process].votes_for = (int64_t)effect->a;
        zk->servers[process].round = (uint32_t)(effect->c >> 32);
        return;
    case NOTE_ELECTED:
        zk->servers[process].follows = (int64_t)effect->a;
        zk->servers[process].round = (uint32_t)effect->b;
        return;
    case NOTE_ROLE:
        on_role(zk, process, (enum server_role)effect->a);
        return;
    case NOTE_EPOCH_ACCEPTED:
        on_accepted(zk, process, (int64_t)effect->a);
        return;
    case NOTE_EPOCH_CURRENT:
        on_current(zk, process, (int64_t)effect->a);
        return;
    case NOTE_SYNC_CHOICE:
        on_sync_choice(zk, process, effect);
        return;
    case NOTE_SYNC_DONE:
        on_sync_done(zk, process, effect);
        return;
    case NOTE_ESTABLISHED:
        on_established(zk, process, (int64_t)effect->a, (int64_t)effect->b);
        return;
    case NOTE_READ_ONLY:
        zk->servers[process].read_only = true;
        set_lane(zk, process);
        return;
    case NOTE_SERVING:
        on_serving(zk, process, (int64_t)effect->c);
        return;
    case NOTE_RECOVERED:
    case NOTE_TRUNCATED:
    case NOTE_SNAPSHOT:
        on_disk(zk, process, effect);
        return;
    default:
        return;
    }
}
