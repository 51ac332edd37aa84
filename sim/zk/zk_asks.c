#include "sim/zk/zk_asks.h"

#include "sim/zk/zk_guest.h"
#include "tree/code.h"

static const struct zk_client *client_in(struct guest_run *run, const struct guest_value *value,
                                         struct guest_answer *answer)
{
    const struct zk_run *zk = run->state;
    uint32_t process = guest_set_next(&value->set, 0);
    const struct zk_client *client = process == SIM_NONE ? NULL : zk_client_of(zk, process);

    if (client == NULL) {
        text_str(answer->why, "there is no such client");
    }
    return client;
}

/* ---- sessions ---- */

enum session_how {
    SESSION_IS_OPEN,
    SESSION_IS_EXPIRED,
    SESSION_IS_CLOSED,
    SESSION_IS_GONE,
    SESSION_IS_LOCAL
};
const struct guest_param zk_session_params[2] = {
    {.name = "CLIENT", .kind = GUEST_ROLE},
    {.name = "HOW", .kind = GUEST_CHOICE, .words = "open|expired|closed|gone|local"},
};

/* One server knows it for itself, and nobody has it in the table that all share. */
static enum guest_truth ask_local(struct zk_run *zk, int64_t session, struct guest_answer *answer)
{
    const char *why = "no server keeps it for itself";
    enum guest_truth truth = GUEST_NOT_YET;

    for (uint32_t p = 0; p < zk->server_count; p++) {
        struct server_view view;
        struct session_view known;
        int32_t timeout_ms;

        if (!zk_view(zk, p, &view)) {
            continue;
        }
        if (view.locals != NULL && session_tracker_view(view.locals, session, &known)) {
            answer->process = p;
            truth = GUEST_HOLDS;
            why = "";
        }
        if (view.tree != NULL && tree_session_find(view.tree, session, &timeout_ms)) {
            text_str(answer->why, sim_name(zk->run->sim, p));
            text_str(answer->why, " has it in its table");
            return GUEST_NOT_YET;
        }
    }
    text_str(answer->why, why);
    return truth;
}

enum guest_truth zk_ask_session(struct guest_run *run, const struct guest_value *values,
                                struct guest_answer *answer)
{
    struct zk_run *zk = run->state;
    const struct zk_client *client = client_in(run, &values[0], answer);
    bool want_table = values[1].number == SESSION_IS_OPEN;
    bool served = false;

    if (client == NULL) {
        return GUEST_NOT_YET;
    }
    if (client->session == 0) {
        text_str(answer->why, "it has had no session yet");
        return GUEST_NOT_YET;
    }
    if (values[1].number == SESSION_IS_EXPIRED || values[1].number == SESSION_IS_CLOSED) {
        enum client_state wanted =
            values[1].number == SESSION_IS_EXPIRED ? CLIENT_EXPIRED : CLIENT_CLOSED;

        text_str(answer->why, client->state == wanted ? "" : "its client does not think so");
        return client->state == wanted ? GUEST_HOLDS : GUEST_NOT_YET;
    }
    if (values[1].number == SESSION_IS_LOCAL) {
        return ask_local(zk, client->session, answer);
    }
    for (uint32_t p = 0; p < zk->server_count; p++) {
        struct server_view view;
        int32_t timeout_ms;

        if (!zk->servers[p].serving || !zk_view(zk, p, &view) || view.tree == NULL) {
            continue;
        }
        served = true;
        if (tree_session_find(view.tree, client->session, &timeout_ms) != want_table) {
            text_str(answer->why, sim_name(run->sim, p));
            text_str(answer->why, want_table ? " does not know it" : " still knows it");
            return GUEST_NOT_YET;
        }
    }
    text_str(answer->why, served ? "" : "nobody serves");
    return served ? GUEST_HOLDS : GUEST_NOT_YET;
}

const struct guest_param zk_connected_params[3] = {
    {.name = "CLIENT", .kind = GUEST_ROLE},
    {.name = "to", .kind = GUEST_CHOICE, .flags = GUEST_OPTIONAL, .words = "to"},
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL},
};

enum guest_truth zk_ask_connected(struct guest_run *run, const struct guest_value *values,
                                  struct guest_answer *answer)
{
    const struct zk_client *client = client_in(run, &values[0], answer);

    if (client == NULL) {
        return GUEST_NOT_YET;
    }
    if (client->state != CLIENT_CONNECTED || !sim_is_up(run->sim, client->process)) {
        text_str(answer->why, "it is not connected");
        return GUEST_NOT_YET;
    }
    if (values[2].given && !guest_set_has(&values[2].set, client->server)) {
        text_str(answer->why, "it is connected to ");
        text_str(answer->why,
                 client->server == SIM_NONE ? "a stranger" : sim_name(run->sim, client->server));
        return GUEST_NOT_YET;
    }
    answer->process = client->server;
    return GUEST_HOLDS;
}

const struct guest_param zk_ephemerals_params[4] = {
    {.name = "CLIENT", .kind = GUEST_ROLE},
    {.name = "COUNT", .kind = GUEST_NUMBER},
    {.name = "at", .kind = GUEST_CHOICE, .flags = GUEST_OPTIONAL, .words = "at"},
    {.name = "WHO", .kind = GUEST_ROLE, .flags = GUEST_OPTIONAL},
};

enum guest_truth zk_ask_ephemerals(struct guest_run *run, const struct guest_value *values,
                                   struct guest_answer *answer)
{
    struct zk_run *zk = run->state;
    const struct zk_client *client = client_in(run, &values[0], answer);
    bool asked = false;

    if (client == NULL) {
        return GUEST_NOT_YET;
    }
    for (uint32_t p = 0; p < zk->server_count; p++) {
        struct server_view view;
        int64_t count = 0;

        if (values[3].given ? !guest_set_has(&values[3].set, p) : !zk->servers[p].serving) {
            continue;
        }
        if (!zk_view(zk, p, &view) || view.tree == NULL) {
            text_str(answer->why, sim_name(run->sim, p));
            text_str(answer->why, " is down or loading");
            return GUEST_NOT_YET;
        }
        for (const struct node *node = tree_ephemeral_first(view.tree, client->session);
             node != NULL; node = tree_linked_next(view.tree, node)) {
            count++;
        }
        asked = true;
        if (count != values[1].number) {
            text_str(answer->why, sim_name(run->sim, p));
            text_str(answer->why, " has ");
            text_i64(answer->why, count);
            return GUEST_NOT_YET;
        }
    }
    text_str(answer->why, asked ? "" : "nobody serves");
    return asked ? GUEST_HOLDS : GUEST_NOT_YET;
}

/* ---- watches ---- */

const struct guest_param zk_fired_params[4] = {
    {.name = "CLIENT", .kind = GUEST_ROLE},
    {.name = "PATH", .kind = GUEST_WORD},
    {.name = "COUNT", .kind = GUEST_NUMBER},
    {.name = "type",
     .kind = GUEST_CHOICE,
     .flags = GUEST_KEYED,
     .words = "created|deleted|changed|children",
     .help = "which events"},
};

enum guest_truth zk_ask_fired(struct guest_run *run, const struct guest_value *values,
                              struct guest_answer *answer)
{
    const struct zk_client *client = client_in(run, &values[0], answer);
    int64_t count = 0;

    if (client == NULL) {
        return GUEST_NOT_YET;
    }
    for (uint32_t i = 0; i < client->heard_count; i++) {
        const struct zk_heard *heard = &client->heard[i];

        if (span_equal(heard->path, values[1].text) &&
            (!values[3].given || heard->type == EVENT_CREATED + (int32_t)values[3].number)) {
            count++;
        }
    }
    if (count == values[2].number) {
        return GUEST_HOLDS;
    }
    text_str(answer->why, "it has heard ");
    text_i64(answer->why, count);
    return count > values[2].number ? GUEST_VIOLATED : GUEST_NOT_YET;
}

/* ---- what operations returned ---- */

static const struct zk_ask *answered_op(struct guest_run *run, const struct guest_value *value,
                                        struct guest_answer *answer)
{
    const struct zk_ask *op = value->op == NULL ? NULL : zk_op_of(run->state, value->op->tag);

    if (op == NULL) {
        text_str(answer->why, "it was never asked for");
        return NULL;
    }
    if (!op->answered) {
        text_str(answer->why, "it is not answered");
        return NULL;
    }
    return op;
}

const struct guest_param zk_returned_params[2] = {
    {.name = "OP", .kind = GUEST_OP},
    {.name = "DATA", .kind = GUEST_TEXT},
};

/* The next name of a list with spaces between; false at the end. */
static bool name_next(struct span *rest, struct span *name)
{
    size_t len = 0;

    while (rest->len > 0 && rest->at[0] == ' ') {
        *rest = span_make(rest->at + 1, rest->len - 1);
    }
    while (len < rest->len && rest->at[len] != ' ') {
        len++;
    }
    *name = span_make(rest->at, len);
    *rest = span_make(rest->at + len, rest->len - len);
    return len > 0;
}

/* Children come in no order: equal lists have the same length, and each name of one is in the
 * other. */
static bool same_names(struct span is, struct span wanted)
{
    struct span rest = wanted;
    struct span name;
    struct span other;
    bool found = true;

    while (found && name_next(&rest, &name)) {
        struct span all = is;

        found = false;
        while (!found && name_next(&all, &other)) {
            found = span_equal(name, other);
        }
    }
    return found && is.len == wanted.len;
}

enum guest_truth zk_ask_returned(struct guest_run *run, const struct guest_value *values,
                                 struct guest_answer *answer)
{
    const struct zk_ask *op = answered_op(run, &values[0], answer);

    if (op == NULL) {
        return GUEST_NOT_YET;
    }
    if (op->code != ZK_OK) {
        text_str(answer->why, "it has returned ");
        text_str(answer->why, zk_code_name(op->code));
        return GUEST_VIOLATED;
    }
    if (op->op == OP_GET_CHILDREN ? same_names(op->result, values[1].text)
                                  : span_equal(op->result, values[1].text)) {
        return GUEST_HOLDS;
    }
    text_str(answer->why, "it has returned \"");
    text_quoted(answer->why, op->result);
    text_char(answer->why, '"');
    return GUEST_VIOLATED;
}

#define X(name, number) "|" #name
#define CODE_WORDS      ZK_CODE_MAP(X)
const struct guest_param zk_answered_params[2] = {
    {.name = "OP", .kind = GUEST_OP},
    {.name = "CODE", .kind = GUEST_CHOICE, .words = &(CODE_WORDS)[1]},
};
#undef X

enum guest_truth zk_ask_answered(struct guest_run *run, const struct guest_value *values,
                                 struct guest_answer *answer)
{
    const struct zk_ask *op = answered_op(run, &values[0], answer);

    if (op == NULL) {
        return GUEST_NOT_YET;
    }
    if (span_is(values[1].text, zk_code_name(op->code))) {
        return GUEST_HOLDS;
    }
    text_str(answer->why, "it was answered with ");
    text_str(answer->why, zk_code_name(op->code));
    return GUEST_VIOLATED;
}
