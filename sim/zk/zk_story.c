/* zk_story.c - a run in words. One line a turn of the plot: elections with their votes and reasons,
 * epochs, synchronisation, who serves, who gives up and why, sessions, watch events, and the road
 * of every write that the scenario gave a name. The rest is detail, shown only on request.
 *
 * Called before the rest of the guest sees the note: what it tells is the state before. */
#include "sim/zk/zk_guest.h"
#include "tree/txn.h"

static const char *mode_name(enum sync_mode mode)
{
    switch (mode) {
    case SYNC_DIFF:
        return "DIFF";
    case SYNC_TRUNC:
        return "TRUNC";
    case SYNC_SNAP:
        return "SNAP";
    }
    return "?";
}

static const char *role_does(enum server_role role)
{
    switch (role) {
    case ROLE_LOADING:
        return "loading";
    case ROLE_LOOKING:
        return "looking";
    case ROLE_FOLLOWING:
        return "following";
    case ROLE_LEADING:
        return "leading";
    case ROLE_OBSERVING:
        return "observing";
    case ROLE_STANDALONE:
        return "serving alone";
    }
    return "?";
}

struct story {
    struct zk_run *zk;
    const struct effect *effect;
    uint32_t process;
    struct text text;
    char room[ZK_WORDS_MAX];
};

static void say(struct story *story, enum guest_level level)
{
    guest_say(story->zk->run, level, story->process, span_make(story->room, story->text.len));
}

static void put(struct story *story, const char *words)
{
    text_str(&story->text, words);
}

static void put_number(struct story *story, const char *words, int64_t number)
{
    put(story, words);
    text_i64(&story->text, number);
}

static void put_zxid(struct story *story, const char *words, int64_t zxid)
{
    put(story, words);
    zk_text_zxid(&story->text, zxid);
}

static void put_server(struct story *story, const char *words, int64_t sid)
{
    put(story, words);
    zk_text_server(story->zk, &story->text, sid);
}

/* Reasons name servers by id: "larger id than server 2". */
static void put_why(struct story *story, struct span why)
{
    static const char word[] = "server ";
    const size_t len = sizeof(word) - 1;
    uint64_t sid;

    if (why.len == 0) {
        return;
    }
    put(story, ": ");
    for (size_t i = 0; i + len < why.len; i++) {
        if (memcmp(why.at + i, word, len) == 0 &&
            text_parse_u64(span_make(why.at + i + len, why.len - i - len), &sid) == ERR_OK) {
            text_span(&story->text, span_make(why.at, i));
            zk_text_server(story->zk, &story->text, (int64_t)sid);
            return;
        }
    }
    text_span(&story->text, why);
}

static void mark(struct story *story, const char *words)
{
    guest_mark(story->zk->run, story->process, span_text(words));
}

static void mark_number(struct story *story, const char *words, int64_t number)
{
    char room[48];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_str(&text, words);
    text_i64(&text, number);
    guest_mark(story->zk->run, story->process, span_make(room, text.len));
}

/* ---- election ---- */

static void tell_looking(struct story *story)
{
    const struct effect *effect = story->effect;

    put_number(story, "looks for a leader, round ", (int64_t)effect->a);
    if ((int64_t)effect->b < 0 || story->zk->servers[story->process].bit == 0) {
        put(story, ", without a vote");
    } else {
        put_zxid(story, ": offers itself with zxid ", (int64_t)effect->b);
        put_number(story, " of epoch ", (int64_t)effect->c);
    }
    say(story, GUEST_SAY_ROLE);
}

static void tell_vote(struct story *story)
{
    const struct effect *effect = story->effect;
    uint32_t round = (uint32_t)(effect->c >> 32);

    put_server(story, "votes for ", (int64_t)effect->a);
    put_zxid(story, " (zxid ", (int64_t)effect->b);
    put_number(story, " of epoch ", (int64_t)(effect->c & UINT32_MAX));
    put(story, ")");
    if (round != story->zk->servers[story->process].round) {
        put_number(story, " in round ", round);
    }
    put_why(story, effect->bytes);
    say(story, story->zk->servers[story->process].bit == 0 ? GUEST_SAY_DETAIL : GUEST_SAY_ROLE);
}

static void tell_elected(struct story *story)
{
    const struct effect *effect = story->effect;
    bool self = (int64_t)effect->a == (int64_t)story->process + 1;
    bool joins = effect->bytes.len > 4 && memcmp(effect->bytes.at, "join", 4) == 0;

    if (self) {
        put_number(story, "is elected in round ", (int64_t)effect->b);
        mark(story, "elected");
    } else {
        put_server(story, "takes ", (int64_t)effect->a);
        put_number(story, " for its leader, round ", (int64_t)effect->b);
    }
    put_why(story, effect->bytes);
    say(story, self || joins ? GUEST_SAY_ROLE : GUEST_SAY_DETAIL);
}

/* ---- epochs and roles ---- */

static void tell_established(struct story *story)
{
    const struct effect *effect = story->effect;

    put_number(story, "leads epoch ", (int64_t)effect->a);
    put_zxid(story, ": a quorum has its history up to zxid ", (int64_t)effect->b);
    mark_number(story, "epoch ", (int64_t)effect->a);
    say(story, GUEST_SAY_ROLE);
}

static void tell_serving(struct story *story)
{
    const struct zk_server *server = &story->zk->servers[story->process];
    const struct effect *effect = story->effect;

    if (effect->a == ROLE_LEADING) {
        put(story, "serves clients");
        say(story, GUEST_SAY_DETAIL);
        return;
    }
    if (effect->a == ROLE_STANDALONE) {
        put_zxid(story, "serves alone, at zxid ", (int64_t)effect->c);
        say(story, GUEST_SAY_ROLE);
        return;
    }
    put_server(story, effect->a == ROLE_OBSERVING ? "observes " : "follows ", server->follows);
    put_number(story, " in epoch ", (int64_t)effect->b);
    if (server->synced) {
        put(story, ", by ");
        put(story, mode_name(server->mode));
        put_zxid(story, server->synced_from == (int64_t)effect->c ? " at zxid " : " from zxid ",
                 server->synced_from);
        if (server->synced_from != (int64_t)effect->c) {
            put_zxid(story, " to ", (int64_t)effect->c);
        }
        mark(story, mode_name(server->mode));
    }
    put(story, ", and serves clients");
    say(story, GUEST_SAY_ROLE);
}

static void tell_retired(struct story *story)
{
    const struct effect *effect = story->effect;

    put(story, "stops ");
    put(story, role_does((enum server_role)effect->a));
    put_number(story, " in epoch ", (int64_t)effect->b);
    put_zxid(story, " at zxid ", (int64_t)effect->c);
    put_why(story, effect->bytes);
    say(story, GUEST_SAY_ROLE);
}

static void tell_sync_choice(struct story *story)
{
    const struct effect *effect = story->effect;

    put(story, "sends ");
    put(story, mode_name((enum sync_mode)effect->b));
    put_server(story, " to ", (int64_t)effect->a);
    put_zxid(story, ", which has zxid ", (int64_t)effect->c);
    say(story, GUEST_SAY_DETAIL);
}

static void tell_epoch(struct story *story, const char *words)
{
    put_number(story, words, (int64_t)story->effect->a);
    say(story, GUEST_SAY_DETAIL);
}

/* ---- disks ---- */

static void tell_recovered(struct story *story)
{
    const struct effect *effect = story->effect;
    bool fresh = effect->a == 0 && effect->c == 0;

    if (story->zk->servers[story->process].syncing) {
        return; /* TRUNC loads again: its own line tells */
    }
    put_zxid(story, "has zxid ", (int64_t)effect->a);
    if ((int64_t)effect->c >= 0) { /* else stand-alone */
        put_number(story, " of epoch ", (int64_t)effect->c);
    }
    put_zxid(story, " on its disk, from snapshot ", (int64_t)effect->b);
    put(story, " and log");
    say(story, fresh ? GUEST_SAY_DETAIL : GUEST_SAY_ROLE);
}

static void tell_truncated(struct story *story)
{
    put_zxid(story, "has cut its log back to zxid ", (int64_t)story->effect->a);
    mark(story, "cut log");
    say(story, GUEST_SAY_ROLE);
}

static void tell_snapshot(struct story *story)
{
    put_zxid(story, "has written snapshot ", (int64_t)story->effect->a);
    put_number(story, ", bytes: ", (int64_t)story->effect->b);
    say(story, GUEST_SAY_DETAIL);
}

static void tell_disk_error(struct story *story)
{
    put(story, "disk error at ");
    text_span(&story->text, story->effect->bytes);
    put(story, ": ");
    put(story, err_text((enum err)story->effect->a));
    say(story, GUEST_SAY_FAULT);
}

/* ---- transactions of named operations ---- */

static const struct guest_op *named_op(const struct story *story, uint64_t tag)
{
    const struct guest_op *op = guest_op_find(story->zk->run, tag);

    return op != NULL && op->label.len > 0 ? op : NULL;
}

static const struct guest_op *op_of_zxid(const struct story *story)
{
    const struct zk_txn *txn = zk_ledger_find(&story->zk->ledger, (int64_t)story->effect->a);

    return txn == NULL ? NULL : named_op(story, txn->tag);
}

/* " (NODEEXISTS)": why the transaction, which changes nothing, was refused. */
static void put_refusal(struct story *story)
{
    struct server_view view;
    const struct history_txn *entry;
    struct txn txn;

    if (!zk_view(story->zk, story->process, &view) || view.history == NULL) {
        return;
    }
    entry = history_find(view.history, (int64_t)story->effect->a);
    if (entry != NULL && txn_decode(entry->bytes, &txn) == ERR_OK && txn.header.type == OP_ERROR) {
        put(story, " (");
        put(story, zk_code_name(txn.error));
        put(story, ")");
    }
}

static void tell_commit(struct story *story)
{
    const struct guest_op *op = op_of_zxid(story);
    const struct zk_txn *txn = zk_ledger_find(&story->zk->ledger, (int64_t)story->effect->a);
    bool first = true;

    if (op == NULL) {
        return;
    }
    put(story, txn->type == OP_ERROR ? "commits the refusal of " : "commits ");
    text_span(&story->text, op->label);
    put_refusal(story);
    put_zxid(story, ": zxid ", (int64_t)story->effect->a);
    put(story, " is on the disks of ");
    for (uint32_t p = 0; p < story->zk->server_count; p++) {
        if (zk_ledger_contains(&story->zk->ledger, story->zk->servers[p].durable,
                               (int64_t)story->effect->a)) {
            put(story, first ? "" : ", ");
            put(story, sim_name(story->zk->run->sim, p));
            first = false;
        }
    }
    guest_mark(story->zk->run, story->process, op->label);
    say(story, GUEST_SAY_CLIENT);
}

static void tell_apply(struct story *story)
{
    const struct guest_op *op = op_of_zxid(story);

    if (op != NULL) {
        put(story, "applies ");
        text_span(&story->text, op->label);
        say(story, GUEST_SAY_DETAIL);
    }
}

/* Whose transaction it is gets known only after this note: from the session and the ledger later,
 * so a proposal is told by its zxid. */
static void tell_zxid(struct story *story, const char *words)
{
    put_zxid(story, words, (int64_t)story->effect->a);
    say(story, GUEST_SAY_DETAIL);
}

/* ---- sessions and clients ---- */

static void put_session(struct story *story, const char *words)
{
    put(story, words);
    zk_text_session(story->zk, &story->text, (int64_t)story->effect->a);
}

static void tell_session(struct story *story)
{
    const struct effect *effect = story->effect;
    bool leads = story->zk->servers[story->process].role == ROLE_LEADING ||
                 story->zk->servers[story->process].role == ROLE_STANDALONE;

    if (effect->id == NOTE_SESSION_OPENED) {
        put_session(story, effect->c == 0 ? "opens local session " : "opens session ");
        say(story, GUEST_SAY_DETAIL);
    } else if (effect->id == NOTE_SESSION_EXPIRED) {
        put_session(story, "lets session ");
        put(story, " expire: nothing was heard of it for its timeout");
        mark(story, "expires a session");
        say(story, GUEST_SAY_ROLE);
    } else {
        put_session(story, "closes session ");
        put_number(story, ", ephemerals deleted: ", (int64_t)effect->b);
        say(story, leads ? GUEST_SAY_ROLE : GUEST_SAY_DETAIL);
    }
}

static void tell_upgraded(struct story *story)
{
    put_session(story, "makes local session ");
    put_zxid(story, " a global one with zxid ", (int64_t)story->effect->c);
    say(story, GUEST_SAY_ROLE);
}

static void tell_read_only(struct story *story)
{
    put_zxid(story, "has found no quorum: serves reads alone, at zxid ", (int64_t)story->effect->a);
    mark(story, "read-only");
    say(story, GUEST_SAY_ROLE);
}

static void tell_fired(struct story *story)
{
    put(story, "sends ");
    put(story, zk_event_name((int32_t)(int64_t)story->effect->b));
    put(story, " ");
    text_quoted(&story->text, story->effect->bytes);
    put_session(story, " to session ");
    say(story, GUEST_SAY_DETAIL);
}

static void tell_client(struct story *story, const struct zk_client *client)
{
    const struct effect *effect = story->effect;
    struct span host = effect->bytes;

    for (size_t i = 0; i < host.len; i++) {
        if (host.at[i] == ':') {
            host.len = i;
        }
    }
    switch ((enum client_state)effect->a) {
    case CLIENT_CONNECTING:
        if (client->state != CLIENT_CONNECTED) {
            put(story, "tries ");
            text_span(&story->text, host);
            say(story, GUEST_SAY_DETAIL);
            return;
        }
        put(story, "has lost ");
        put(story, client->server == SIM_NONE ? "its server"
                                              : sim_name(story->zk->run->sim, client->server));
        say(story, GUEST_SAY_CLIENT);
        return;
    case CLIENT_CONNECTED:
        put(story, "is connected to ");
        text_span(&story->text, host);
        put(story,
            client->session == (int64_t)effect->b ? ", same session 0x" : ", new session 0x");
        text_hex(&story->text, effect->b);
        say(story, GUEST_SAY_CLIENT);
        return;
    case CLIENT_EXPIRED:
        put(story, "hears that its session has expired");
        say(story, GUEST_SAY_CLIENT);
        return;
    case CLIENT_CLOSED:
        put(story, "has closed its session");
        say(story, GUEST_SAY_CLIENT);
        return;
    }
}

static void tell_event(struct story *story)
{
    put(story, "hears ");
    put(story, zk_event_name((int32_t)(int64_t)story->effect->a));
    put(story, " ");
    text_quoted(&story->text, story->effect->bytes);
    if ((int64_t)story->effect->b > 0) {
        put_zxid(story, " of zxid ", (int64_t)story->effect->b);
    } else {
        put(story, ", missed while it had no server");
    }
    say(story, GUEST_SAY_CLIENT);
}

/* That a leader gives a learner up is half of why the learner goes. */
static void tell_refused(struct story *story)
{
    bool leads = story->zk->servers[story->process].serving && (int64_t)story->effect->a > 0;

    put_server(story, "drops ", (int64_t)story->effect->a);
    put_why(story, story->effect->bytes);
    say(story, leads ? GUEST_SAY_ROLE : GUEST_SAY_DETAIL);
}

/* ---- all notes ---- */

/* Of elections, epochs and roles; false for other notes. */
static bool tell_role(struct story *story)
{
    switch (story->effect->id) {
    case NOTE_LOOKING:
        tell_looking(story);
        return true;
    case NOTE_VOTE:
        tell_vote(story);
        return true;
    case NOTE_ELECTED:
        tell_elected(story);
        return true;
    case NOTE_EPOCH_NEW:
        tell_epoch(story, "proposes to lead epoch ");
        return true;
    case NOTE_EPOCH_ACCEPTED:
        tell_epoch(story, "promises to follow nobody older than epoch ");
        return true;
    case NOTE_EPOCH_CURRENT:
        tell_epoch(story, "is in epoch ");
        return true;
    case NOTE_SYNC_CHOICE:
        tell_sync_choice(story);
        return true;
    case NOTE_ESTABLISHED:
        tell_established(story);
        return true;
    case NOTE_SERVING:
        tell_serving(story);
        return true;
    case NOTE_RETIRED:
        tell_retired(story);
        return true;
    case NOTE_READ_ONLY:
        tell_read_only(story);
        return true;
    case NOTE_PEER_REFUSED:
        tell_refused(story);
        return true;
    default:
        return false;
    }
}

/* Of transactions, files, sessions and watches. */
static void tell_data(struct story *story)
{
    switch (story->effect->id) {
    case NOTE_PROPOSE:
        tell_zxid(story, "proposes zxid ");
        return;
    case NOTE_LOGGED:
        tell_zxid(story, "has on disk all up to zxid ");
        return;
    case NOTE_COMMIT:
        tell_commit(story);
        return;
    case NOTE_APPLY:
        tell_apply(story);
        return;
    case NOTE_RECOVERED:
        tell_recovered(story);
        return;
    case NOTE_TRUNCATED:
        tell_truncated(story);
        return;
    case NOTE_SNAPSHOT:
        tell_snapshot(story);
        return;
    case NOTE_DISK_ERROR:
        tell_disk_error(story);
        return;
    case NOTE_SESSION_UPGRADED:
        tell_upgraded(story);
        return;
    case NOTE_SESSION_OPENED:
    case NOTE_SESSION_EXPIRED:
    case NOTE_SESSION_CLOSED:
        tell_session(story);
        return;
    case NOTE_WATCH_FIRED:
        tell_fired(story);
        return;
    default:
        return;
    }
}

void zk_story_note(struct zk_run *zk, const struct sim_event *event)
{
    const struct zk_client *client = zk_client_of(zk, event->process);
    struct story story = {.zk = zk, .effect = event->effect, .process = event->process};

    text_init(&story.text, story.room, sizeof(story.room));
    if (zk_is_server(zk, event->process)) {
        if (!tell_role(&story)) {
            tell_data(&story);
        }
    } else if (client != NULL && event->effect->id == NOTE_CLIENT_STATE) {
        tell_client(&story, client);
    } else if (client != NULL && event->effect->id == NOTE_EVENT) {
        tell_event(&story);
    }
}
