/* zk_conditions.c - what `when` and `expect` ask about servers and the ensemble. */
#include "sim/zk/zk_asks.h"
#include "sim/zk/zk_guest.h"
#include "sim/zk/zk_tables.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

static void why_process(const struct zk_run *zk, struct guest_answer *answer, uint32_t process,
                        const char *what)
{
    if (process != SIM_NONE) {
        text_str(answer->why, sim_name(zk->run->sim, process));
        text_char(answer->why, ' ');
    }
    text_str(answer->why, what);
}

/* The servers that a condition is about: as given, or all that are up. */
static void who_of(struct guest_run *run, const struct guest_value *value, struct guest_set *set)
{
    if (value->given) {
        *set = value->set;
        return;
    }
    guest_servers(run, set);
    for (uint32_t p = guest_set_next(set, 0); p != SIM_NONE; p = guest_set_next(set, p + 1)) {
        if (!sim_is_up(run->sim, p)) {
            set->bits[p / 64] &= ~(1ull << (p % 64));
        }
    }
}

/* Ask `test` of each server in `value`; the first one that fails is the reason. */
static enum guest_truth
all_of(struct guest_run *run, const struct guest_value *value, struct guest_answer *answer,
       bool (*test)(struct zk_run *zk, uint32_t process, const void *context, struct text *why),
       const void *context)
{
    struct zk_run *zk = run->state;
    struct guest_set set;
    char room[160];
    struct text why;

    who_of(run, value, &set);
    if (guest_set_next(&set, 0) == SIM_NONE) {
        text_str(answer->why, "there is no such server");
        return GUEST_NOT_YET;
    }
    for (uint32_t p = guest_set_next(&set, 0); p != SIM_NONE; p = guest_set_next(&set, p + 1)) {
        text_init(&why, room, sizeof(room));
        if (!zk_is_server(zk, p)) {
            text_str(&why, "is no server");
        } else if (test(zk, p, context, &why)) {
            answer->process = p;
            continue;
        }
        why_process(zk, answer, p, room);
        answer->process = SIM_NONE;
        return GUEST_NOT_YET;
    }
    return GUEST_HOLDS;
}

/* ---- leader ---- */

enum leader_how {
    LEADER_READY,
    LEADER_ELECTED,
    LEADER_NONE
};
static const struct guest_param leader_params[] = {
    {.name = "HOW", .kind = GUEST_CHOICE, .words = "ready|elected|none"}};

static enum guest_truth ask_leader(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    const struct zk_run *zk = run->state;
    uint32_t found = SIM_NONE;

    for (uint32_t p = 0; p < zk->server_count; p++) {
        const struct zk_server *server = &zk->servers[p];
        bool leads = server->role == ROLE_LEADING || server->role == ROLE_STANDALONE;

        if (leads && (values[0].number == LEADER_ELECTED ||
                      (server->serving && server->current >= zk->epoch))) {
            found = p;
        }
    }
    if (values[0].number == LEADER_NONE) {
        if (found == SIM_NONE) {
            return GUEST_HOLDS;
        }
        why_process(zk, answer, found, "leads");
        return GUEST_NOT_YET;
    }
    if (found == SIM_NONE) {
        text_str(answer->why, values[0].number == LEADER_ELECTED ? "nobody is elected"
                                                                 : "nobody leads and serves");
        return GUEST_NOT_YET;
    }
    answer->process = found;
    return GUEST_HOLDS;
}

/* ---- epochs, votes, rounds, zxids ---- */

static bool same_number(struct text *why, const char *what, int64_t is, int64_t wanted)
{
    if (is == wanted) {
        return true;
    }
    text_str(why, "has ");
    text_str(why, what);
    text_char(why, ' ');
    text_i64(why, is);
    return false;
}

static const struct guest_param epoch_params[] = {
    {.name = "EPOCH", .kind = GUEST_NUMBER},
    {.name = "at", .kind = GUEST_CHOICE, .flags = GUEST_OPTIONAL, .words = "at"},
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL},
};

static bool has_epoch(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;

    return same_number(why, "epoch", zk->servers[process].current, values[0].number);
}

static enum guest_truth ask_epoch(struct guest_run *run, const struct guest_value *values,
                                  struct guest_answer *answer)
{
    const struct zk_run *zk = run->state;

    if (values[2].given) {
        return all_of(run, &values[2], answer, has_epoch, values);
    }
    if (zk->epoch == values[0].number) {
        answer->process = zk->leader;
        return GUEST_HOLDS;
    }
    text_str(answer->why, "the newest established epoch is ");
    text_i64(answer->why, zk->epoch);
    return zk->epoch > values[0].number ? GUEST_VIOLATED : GUEST_NOT_YET;
}

static const struct guest_param number_params[] = {
    {.name = "NUMBER", .kind = GUEST_NUMBER},
    {.name = "at", .kind = GUEST_CHOICE, .flags = GUEST_OPTIONAL, .words = "at"},
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL},
};

static bool has_round(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;

    return same_number(why, "round", zk->servers[process].round, values[0].number);
}

static enum guest_truth ask_round(struct guest_run *run, const struct guest_value *values,
                                  struct guest_answer *answer)
{
    return all_of(run, &values[2], answer, has_round, values);
}

static const struct guest_param vote_params[] = {
    {.name = "LEADER", .kind = GUEST_ROLE},
    {.name = "by", .kind = GUEST_CHOICE, .flags = GUEST_OPTIONAL, .words = "by"},
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL},
};

static bool in_set(const struct zk_run *zk, const struct guest_set *set, int64_t sid,
                   struct text *why, const char *does)
{
    if (sid > 0 && guest_set_has(set, zk_process(zk, sid))) {
        return true;
    }
    text_str(why, does);
    if (sid > 0) {
        zk_text_server(zk, why, sid);
    } else {
        text_str(why, "nobody");
    }
    return false;
}

static bool has_vote(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;

    return in_set(zk, &values[0].set, zk->servers[process].votes_for, why, "votes for ");
}

static enum guest_truth ask_vote(struct guest_run *run, const struct guest_value *values,
                                 struct guest_answer *answer)
{
    return all_of(run, &values[2], answer, has_vote, values);
}

static const struct guest_param follows_params[] = {
    {.name = "WHO", .kind = GUEST_ROLE},
    {.name = "LEADER", .kind = GUEST_ROLE},
};

static bool has_leader(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;
    const struct zk_server *server = &zk->servers[process];

    if (!server->serving) {
        text_str(why, "does not serve");
        return false;
    }
    return in_set(zk, &values[1].set, server->follows, why, "follows ");
}

static enum guest_truth ask_follows(struct guest_run *run, const struct guest_value *values,
                                    struct guest_answer *answer)
{
    return all_of(run, &values[0], answer, has_leader, values);
}

/* "1:8", or a number as in logs */
static bool zxid_read(struct span text, int64_t *zxid)
{
    uint64_t epoch;
    uint64_t counter;

    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == ':') {
            if (text_parse_u64(span_make(text.at, i), &epoch) != ERR_OK ||
                text_parse_u64(span_make(text.at + i + 1, text.len - i - 1), &counter) != ERR_OK ||
                epoch > INT32_MAX || counter > UINT32_MAX) {
                return false;
            }
            *zxid = zxid_make((int64_t)epoch, (uint32_t)counter);
            return true;
        }
    }
    if (text.len > 2 && text.at[0] == '0' && text.at[1] == 'x' &&
        text_parse_hex(span_make(text.at + 2, text.len - 2), &epoch) == ERR_OK) {
        *zxid = (int64_t)epoch;
        return true;
    }
    return false;
}

static const struct guest_param zxid_params[] = {
    {.name = "ZXID", .kind = GUEST_WORD},
    {.name = "at", .kind = GUEST_CHOICE, .flags = GUEST_OPTIONAL, .words = "at"},
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL},
};

static bool has_zxid(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;
    struct server_view view;
    int64_t wanted;

    if (!zxid_read(values[0].text, &wanted)) {
        text_str(why, "is asked for a zxid that is not written EPOCH:COUNTER");
        return false;
    }
    if (!zk_view(zk, process, &view)) {
        text_str(why, "is down");
        return false;
    }
    if (view.last_zxid == wanted) {
        return true;
    }
    text_str(why, "has ");
    zk_text_zxid(why, view.last_zxid);
    return false;
}

static enum guest_truth ask_zxid(struct guest_run *run, const struct guest_value *values,
                                 struct guest_answer *answer)
{
    return all_of(run, &values[2], answer, has_zxid, values);
}

/* ---- converged, synced ---- */

static const struct guest_param who_params[] = {
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL}};

static enum guest_truth ask_converged(struct guest_run *run, const struct guest_value *values,
                                      struct guest_answer *answer)
{
    struct zk_run *zk = run->state;
    struct server_view first = {.tree = NULL};
    struct guest_set set;

    who_of(run, &values[0], &set);
    for (uint32_t p = guest_set_next(&set, 0); p != SIM_NONE; p = guest_set_next(&set, p + 1)) {
        struct server_view view;

        if (!zk_is_server(zk, p) || !zk_view(zk, p, &view)) {
            why_process(zk, answer, p, "is down");
            return GUEST_NOT_YET;
        }
        if (!zk->servers[p].serving || view.tree == NULL) {
            why_process(zk, answer, p, "does not serve");
            return GUEST_NOT_YET;
        }
        if (first.tree == NULL) {
            first = view;
        } else if (tree_zxid(view.tree) != tree_zxid(first.tree) ||
                   tree_digest(view.tree) != tree_digest(first.tree) ||
                   view.last_zxid != first.last_zxid) {
            why_process(zk, answer, p, "is at ");
            zk_text_zxid(answer->why, tree_zxid(view.tree));
            text_str(answer->why, ", another one at ");
            zk_text_zxid(answer->why, tree_zxid(first.tree));
            return GUEST_NOT_YET;
        }
    }
    if (first.tree == NULL) {
        text_str(answer->why, "nobody is up");
        return GUEST_NOT_YET;
    }
    return GUEST_HOLDS;
}

static const struct guest_param synced_params[] = {
    {.name = "WHO", .kind = GUEST_ROLE},
    {.name = "by", .kind = GUEST_CHOICE, .words = "by"},
    {.name = "MODE", .kind = GUEST_CHOICE, .words = "diff|trunc|snap"},
};

static bool has_synced(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    static const char *const words[] = {"was synced by DIFF", "was synced by TRUNC",
                                        "was synced by SNAP"};
    const struct guest_value *values = context;
    const struct zk_server *server = &zk->servers[process];

    if (!server->serving || server->role == ROLE_LEADING) {
        text_str(why, "does not follow anybody");
        return false;
    }
    if (!server->synced || (int64_t)server->mode != values[2].number) {
        text_str(why, server->synced ? words[server->mode] : "was never synced");
        return false;
    }
    return true;
}

static enum guest_truth ask_synced(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    return all_of(run, &values[0], answer, has_synced, values);
}

/* ---- the tree of servers ---- */

static const struct guest_param value_params[] = {
    {.name = "PATH", .kind = GUEST_WORD},
    {.name = "DATA", .kind = GUEST_TEXT},
    {.name = "at", .kind = GUEST_CHOICE, .flags = GUEST_OPTIONAL, .words = "at"},
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL},
};
static const struct guest_param path_params[] = {
    {.name = "PATH", .kind = GUEST_WORD},
    {.name = "at", .kind = GUEST_CHOICE, .flags = GUEST_OPTIONAL, .words = "at"},
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL},
};

static const struct node *node_at(struct zk_run *zk, uint32_t process, struct span path,
                                  struct text *why)
{
    struct server_view view;
    const struct node *node;

    if (!zk_view(zk, process, &view)) {
        text_str(why, "is down");
        return NULL;
    }
    if (view.tree == NULL) {
        text_str(why, "is loading");
        return NULL;
    }
    node = tree_find(view.tree, path);
    if (node == NULL) {
        text_str(why, "has no ");
        text_quoted(why, path);
    }
    return node;
}

static bool has_value(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;
    const struct node *node = node_at(zk, process, values[0].text, why);

    if (node == NULL) {
        return false;
    }
    if (span_equal(node_data(node), values[1].text)) {
        return true;
    }
    text_str(why, "has \"");
    text_quoted(why, node_data(node));
    text_char(why, '"');
    return false;
}

static enum guest_truth ask_value(struct guest_run *run, const struct guest_value *values,
                                  struct guest_answer *answer)
{
    return all_of(run, &values[3], answer, has_value, values);
}

static bool has_node(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;

    return node_at(zk, process, values[0].text, why) != NULL;
}

static enum guest_truth ask_exists(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    return all_of(run, &values[2], answer, has_node, values);
}

static bool lacks_node(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;
    struct server_view view;

    if (!zk_view(zk, process, &view) || view.tree == NULL) {
        text_str(why, "is down or loading");
        return false;
    }
    if (tree_find(view.tree, values[0].text) == NULL) {
        return true;
    }
    text_str(why, "has ");
    text_quoted(why, values[0].text);
    return false;
}

static enum guest_truth ask_absent(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    return all_of(run, &values[2], answer, lacks_node, values);
}

/* ---- where an operation has come to ---- */

static const struct guest_param op_params[] = {
    {.name = "OP", .kind = GUEST_OP},
    {.name = "at", .kind = GUEST_CHOICE, .flags = GUEST_OPTIONAL, .words = "at"},
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL},
};

static const struct zk_ask *op_of(const struct zk_run *zk, const struct guest_value *value,
                                  struct text *why)
{
    const struct zk_ask *op = value->op == NULL ? NULL : zk_op_of(zk, value->op->tag);

    if (op == NULL) {
        text_str(why, "knows nothing of it: it was never asked for");
    } else if (op->zxid == 0) {
        text_str(why, "knows nothing of it: nobody has proposed it");
        op = NULL;
    }
    return op;
}

static bool has_logged(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;
    const struct zk_ask *op = op_of(zk, &values[0], why);

    if (op == NULL) {
        return false;
    }
    if (zk_ledger_contains(&zk->ledger, zk->servers[process].durable, op->zxid)) {
        return true;
    }
    text_str(why, "has only ");
    zk_text_zxid(why, zk->servers[process].durable);
    text_str(why, " on disk");
    return false;
}

static enum guest_truth ask_logged(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    return all_of(run, &values[2], answer, has_logged, values);
}

static bool has_applied(struct zk_run *zk, uint32_t process, const void *context, struct text *why)
{
    const struct guest_value *values = context;
    const struct zk_ask *op = op_of(zk, &values[0], why);
    struct server_view view;

    if (op == NULL) {
        return false;
    }
    if (!zk_view(zk, process, &view) || view.tree == NULL) {
        text_str(why, "is down or loading");
        return false;
    }
    if (zk_ledger_contains(&zk->ledger, tree_zxid(view.tree), op->zxid)) {
        return true;
    }
    text_str(why, "is only at ");
    zk_text_zxid(why, tree_zxid(view.tree));
    return false;
}

static enum guest_truth ask_applied(struct guest_run *run, const struct guest_value *values,
                                    struct guest_answer *answer)
{
    return all_of(run, &values[2], answer, has_applied, values);
}

static const struct guest_param one_op_params[] = {{.name = "OP", .kind = GUEST_OP}};

static enum guest_truth ask_committed(struct guest_run *run, const struct guest_value *values,
                                      struct guest_answer *answer)
{
    const struct zk_run *zk = run->state;
    const struct zk_ask *op = values[0].op == NULL ? NULL : zk_op_of(zk, values[0].op->tag);
    const struct zk_txn *txn =
        op == NULL || op->zxid == 0 ? NULL : zk_ledger_find(&zk->ledger, op->zxid);

    if (txn != NULL && txn->committed) {
        return GUEST_HOLDS;
    }
    text_str(answer->why, txn == NULL ? "nobody has proposed it" : "it is proposed, not committed");
    return GUEST_NOT_YET;
}

#define PARAMS(array) (array), COUNT(array)

const struct guest_condition zk_conditions[] = {
    {"leader", PARAMS(leader_params),
     "a server leads: {HOW} (ready: established and serving; elected: by itself; none: nobody "
     "serves as leader)",
     ask_leader},
    {"epoch", PARAMS(epoch_params),
     "the newest established epoch is {EPOCH}[, or the durable currentEpoch of {WHO}]", ask_epoch},
    {"round", PARAMS(number_params), "the election round[ of {WHO}] is {NUMBER}", ask_round},
    {"votes", PARAMS(vote_params), "the vote[ of {WHO}] is for {LEADER}", ask_vote},
    {"follows", PARAMS(follows_params), "{WHO} serve and follow {LEADER}", ask_follows},
    {"zxid", PARAMS(zxid_params), "the history[ of {WHO}] ends with {ZXID} (EPOCH:COUNTER)",
     ask_zxid},
    {"converged", PARAMS(who_params), "all servers that are up[, of {WHO},] serve the same tree",
     ask_converged},
    {"synced", PARAMS(synced_params), "{WHO} serve, and were brought up to their leader by {MODE}",
     ask_synced},
    {"value", PARAMS(value_params), "{PATH} has the data {DATA} in the tree[ of {WHO}]", ask_value},
    {"present", PARAMS(path_params), "{PATH} is in the tree[ of {WHO}]", ask_exists},
    {"absent", PARAMS(path_params), "{PATH} is not in the tree[ of {WHO}]", ask_absent},
    {"logged", PARAMS(op_params), "the transaction of {OP} is on the disk[ of {WHO}]", ask_logged},
    {"applied", PARAMS(op_params), "the transaction of {OP} is in the tree[ of {WHO}]",
     ask_applied},
    {"committed", PARAMS(one_op_params), "the transaction of {OP} is committed", ask_committed},
    ZK_CLIENT_CONDITIONS,
};
_Static_assert(COUNT(zk_conditions) == ZK_CONDITIONS, "zk_tables.h knows how many");
