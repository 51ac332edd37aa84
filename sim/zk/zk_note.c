#include "sim/zk/zk_guest.h"

#include "base/ensure.h"
#include "protocol/store_log.h"
#include "protocol/wire_jute.h"

/* ---- small things ---- */

uint32_t zk_process(const struct zk_run *zk, int64_t sid)
{
    return sid >= 1 && sid <= (int64_t)zk->server_count ? (uint32_t)(sid - 1) : SIM_NONE;
}

bool zk_view(const struct zk_run *zk, uint32_t process, struct server_view *view)
{
    const void *self = zk_is_server(zk, process) ? sim_self(zk->run->sim, process) : NULL;

    if (self == NULL) {
        return false;
    }
    server_get_view(self, view);
    return true;
}

bool zk_has_quorum(const struct zk_run *zk, uint64_t bits)
{
    return zk->standalone ? bits != 0 : membership_has_quorum(&zk->config.membership, bits);
}

bool zk_reserve(struct zk_run *zk, void *array, uint32_t *room, uint32_t count, size_t item)
{
    uint32_t more = *room == 0 ? 16 : *room * 2;
    void *old;
    void *grown;

    if (count < *room) {
        return true;
    }
    while (more <= count) {
        more *= 2;
    }
    memcpy(&old, array, sizeof(old));
    grown = mem_grow(zk->run->mem, old, *room * item, more * item);
    if (grown == NULL) {
        zk->ledger.failed = true;
        return false;
    }
    memcpy(array, &grown, sizeof(grown));
    *room = more;
    return true;
}

struct span zk_copy(struct zk_run *zk, struct span span)
{
    uint8_t *at = span.len == 0 ? NULL : mem_get(zk->run->mem, span.len);

    if (at == NULL) {
        return span_make("", 0);
    }
    memcpy(at, span.at, span.len);
    return span_make(at, span.len);
}

void zk_text_zxid(struct text *text, int64_t zxid)
{
    text_i64(text, zxid_epoch(zxid));
    text_char(text, ':');
    text_u64(text, zxid_counter(zxid));
}

void zk_text_server(const struct zk_run *zk, struct text *text, int64_t sid)
{
    uint32_t process = zk_process(zk, sid);

    if (process == SIM_NONE) {
        text_str(text, "server ");
        text_i64(text, sid);
    } else {
        text_str(text, sim_name(zk->run->sim, process));
    }
}

void zk_text_session(const struct zk_run *zk, struct text *text, int64_t session)
{
    const struct zk_session *found = zk_session_find(zk, session);

    text_str(text, "0x");
    text_hex(text, (uint64_t)session);
    if (found != NULL && found->client != SIM_NONE) {
        text_str(text, " (");
        text_str(text, sim_name(zk->run->sim, zk->clients[found->client].process));
        text_char(text, ')');
    }
}

static const char *check_name(enum zk_check check)
{
    switch (check) {
#define X(name, text, help) \
    case ZK_CHECK_##name:   \
        return text;
        ZK_CHECK_MAP(X)
#undef X
    case ZK_CHECKS:
        break;
    }
    UNREACHABLE();
}

void zk_fail(struct zk_run *zk, enum zk_check check, const struct text *text)
{
    if (zk->failed || zk->ledger.failed) {
        return;
    }
    zk->failed = true;
    guest_fail(zk->run, check_name(check), span_make(text->at, text->len));
}

/* ---- events ---- */

bool zk_run_init(struct zk_run *zk)
{
    zk_ledger_init(&zk->ledger, zk->run->mem);
    zk->leader = SIM_NONE;
    zk->leader_before = SIM_NONE;
    zk->standalone = zk->config.standalone;
    zk->servers = mem_get_zero(zk->run->mem, zk->server_count * sizeof(*zk->servers));
    if (zk->servers == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < zk->server_count; i++) {
        zk->servers[i].applied = -1;
        zk->servers[i].bit =
            zk->standalone ? 1 : membership_voter_bit(&zk->config.membership, (int64_t)i + 1);
    }
    return true;
}

void zk_note(struct guest_run *run, const struct sim_event *event)
{
    struct zk_run *zk = run->state;
    uint32_t kind = event->effect->id;

    if (run->telling) {
        zk_story_note(zk, event);
    }
    if (kind >= NOTE_CLIENT_STATE || (kind >= NOTE_SESSION_OPENED && kind <= NOTE_WATCH_FIRED)) {
        zk_clients_note(zk, event);
    } else if (kind >= NOTE_PROPOSE && kind <= NOTE_APPLY) {
        zk_txns_note(zk, event);
    } else {
        zk_servers_note(zk, event);
    }
}

enum sim_verdict zk_tap(struct guest_run *run, const struct sim_event *event)
{
    struct zk_run *zk = run->state;

    switch (event->at) {
    case SIM_AT_ANSWER:
        zk_clients_answer(zk, event);
        break;
    case SIM_AT_START:
        if (zk_is_server(zk, event->process)) {
            zk_servers_started(zk, event->process);
        } else if (zk_client_of(zk, event->process) != NULL) {
            zk_client_of(zk, event->process)->armed_count = 0; /* it has forgotten all */
        }
        break;
    case SIM_AT_CRASH:
    case SIM_AT_HALT:
        if (zk_is_server(zk, event->process)) {
            zk_servers_down(zk, event->process);
        }
        break;
    default:
        break;
    }
    return SIM_GO;
}

void zk_finish(struct guest_run *run)
{
    struct zk_run *zk = run->state;
    struct server_view view;

    for (uint32_t p = 0; p < zk->server_count; p++) {
        if (zk_view(zk, p, &view) && view.serving) {
            zk_txns_check_tree(zk, p, &view);
            zk_clients_check_tree(zk, p, &view);
        }
    }
}

/* ---- what is about an operation ---- */

static bool field_of(const struct sim_record *record, const char *name, int64_t *value)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, name) == 0) {
            *value = record->fields[i].value;
            return true;
        }
    }
    return false;
}

static bool record_about(const struct sim_event *event, const struct zk_ask *op, uint32_t client)
{
    const struct sim_record *record = event->record;
    int64_t session;
    int64_t value;

    if (event->port == ZK_PORT_CLIENT) {
        return (event->process == client || event->peer == client) &&
               field_of(record, "xid", &value) && op->xid != 0 && value == op->xid;
    }
    if (field_of(record, "session", &session)) {
        return field_of(record, "cxid", &value) && op->xid != 0 && session == op->session &&
               value == op->xid;
    }
    return op->zxid != 0 && field_of(record, "zxid", &value) && value == op->zxid &&
           (strcmp(record->name, "ACK") == 0 || strcmp(record->name, "COMMIT") == 0);
}

/* Is its transaction among the log records of this append? */
static bool append_about(const struct effect *effect, const struct zk_ask *op)
{
    struct span rest = effect->bytes;
    struct txn_header header;

    if (effect->a == 0 && rest.len >= LOG_HEADER_BYTES) {
        rest = span_make(rest.at + LOG_HEADER_BYTES, rest.len - LOG_HEADER_BYTES);
    }
    while (rest.len >= LOG_RECORD_BYTES) {
        size_t len = wire_get_u32(rest.at + 8);

        if (len > rest.len - LOG_RECORD_BYTES) {
            return false;
        }
        if (txn_decode_header(span_make(rest.at + 12, len), &header) == ERR_OK &&
            header.client_id == op->session && header.cxid == op->xid) {
            return true;
        }
        rest = span_make(rest.at + len + LOG_RECORD_BYTES, rest.len - len - LOG_RECORD_BYTES);
    }
    return false;
}

static bool note_about(const struct zk_run *zk, const struct sim_event *event,
                       const struct zk_ask *op, uint64_t tag)
{
    const struct effect *effect = event->effect;
    int64_t zxid = (int64_t)effect->a;
    const struct zk_server *server =
        zk_is_server(zk, event->process) ? &zk->servers[event->process] : NULL;

    switch (effect->id) {
    case NOTE_PROPOSE:
    case NOTE_COMMIT:
    case NOTE_APPLY:
        return op->zxid != 0 && zxid == op->zxid;
    case NOTE_LOGGED:
        return server != NULL && op->zxid > server->durable_before && op->zxid <= zxid;
    case NOTE_ACK:
        return server != NULL && op->zxid > server->acked_before && op->zxid <= zxid;
    case NOTE_INVOKE:
    case NOTE_SENT:
    case NOTE_OK:
    case NOTE_FAIL:
    case NOTE_UNKNOWN:
        return effect->a == tag;
    default:
        return false;
    }
}

bool zk_about(struct guest_run *run, const struct sim_event *event, const struct guest_op *op)
{
    struct zk_run *zk = run->state;
    const struct zk_ask *known = zk_op_of(zk, op->tag);

    if (known == NULL) {
        return false;
    }
    if (event->record != NULL) {
        return record_about(event, known, op->process);
    }
    if (event->at == SIM_AT_APPEND) {
        return known->xid != 0 && append_about(event->effect, known);
    }
    return event->at == SIM_AT_NOTE && note_about(zk, event, known, op->tag);
}
