/* server_local.c - what a server does without asking the others: local sessions, read-only mode.
 *
 * Source: Apache QuorumPeer.run (the timer of read-only mode), ReadOnlyZooKeeperServer,
 * LocalSessionTracker; docs/session.md. */
#include "base/ensure.h"
#include "protocol/server_state.h"

#define READ_ONLY_MIN_MS 2000

/* ---- local sessions ---- */

void server_begin_locals(struct server *server)
{
    ENSURE(!server->has_locals);
    session_tracker_init(&server->locals, server->mem, (uint32_t)server->config.tick_ms,
                         server->seed);
    server->has_locals = true;
    if (server->prep != NULL) {
        prep_know_locals(server->prep, &server->locals, server->config.own_id);
    }
}

void server_end_locals(struct server *server)
{
    if (server->has_locals) {
        session_tracker_drop(&server->locals);
        server->has_locals = false;
    }
}

void server_expire_locals(struct server *server, struct fx *fx, const struct input *in)
{
    int64_t session;

    if (in->mono_us < server->expire_at_us) {
        return;
    }
    while (session_tracker_expire(&server->locals, in->mono_us, &session)) {
        fx_note(fx, NOTE_SESSION_EXPIRED, (uint64_t)session, 0, 0, span_make(NULL, 0));
        metrics_count(&server->metrics, METRIC_SESSIONS_EXPIRED, 1);
        clients_end_local(server->clients, session, fx);
    }
}

/* ---- read-only mode ---- */

void server_plan_read_only(struct server *server, const struct input *in)
{
    int64_t wait_ms =
        server->config.tick_ms > READ_ONLY_MIN_MS ? server->config.tick_ms : READ_ONLY_MIN_MS;

    if (server->config.read_only_enabled) {
        server->read_only_at_us = in->mono_us + config_us(wait_ms);
    }
}

/* Every session of this mode is local, whatever localSessionsEnabled says: nobody else can be
 * asked.
 */
void server_try_read_only(struct server *server, struct fx *fx, const struct input *in)
{
    struct clients_role role = {.role = ROLE_LOOKING,
                                .read_only = true,
                                .tree = server->tree,
                                .locals = &server->locals,
                                .ids = &server->ids};

    if (in->mono_us < server->read_only_at_us) {
        return;
    }
    server->read_only_at_us = WAKE_NEVER;
    if (server->tree == NULL || !store_is_trusted(server->store)) {
        return; /* what is here may be less than what was acknowledged */
    }
    ENSURE(!server->serving && !server->read_only);
    role.zxid = tree_zxid(server->tree);
    server_begin_locals(server);
    if (clients_serve(server->clients, &role) != ERR_OK) {
        fx_halt(fx, 1, span_text("out of memory"));
        return;
    }
    server->read_only = true;
    fx_note(fx, NOTE_READ_ONLY, (uint64_t)role.zxid, 0, 0, span_make(NULL, 0));
}

void server_end_read_only(struct server *server, struct fx *fx)
{
    server->read_only_at_us = WAKE_NEVER;
    if (server->read_only) {
        clients_drop_all(server->clients, fx);
        server_end_locals(server);
        server->read_only = false;
    }
}

/* ---- isro ---- */

/* Is `word` in the list "a, b" of 4lw.commands.whitelist, or is that "*"? */
static bool word_is_listed(struct span list, struct span want)
{
    if (span_is(list, "*")) {
        return true;
    }
    for (size_t at = 0; at + want.len <= list.len; at++) {
        bool starts = at == 0 || list.at[at - 1] == ',' || list.at[at - 1] == ' ';
        size_t end = at + want.len;
        bool ends = end == list.len || list.at[end] == ',' || list.at[end] == ' ';

        if (starts && ends && span_equal(span_make(list.at + at, want.len), want)) {
            return true;
        }
    }
    return false;
}

enum clients_word server_answer_word(void *context, struct span input, struct bytes *out)
{
    const struct server *server = context;
    struct span word = span_make(input.at, 4);
    const char *answer = "null";

    if (!span_is(word, "isro")) {
        return WORD_NONE;
    }
    if (!server->config.read_only_enabled &&
        !word_is_listed(server->config.four_letter_words, word)) {
        answer = "isro is not executed because it is not in the whitelist.\n";
    } else if (server->serving) {
        answer = "rw";
    } else if (server->read_only) {
        answer = "ro";
    }
    bytes_raw(out, answer, strlen(answer));
    return WORD_ANSWERED;
}
