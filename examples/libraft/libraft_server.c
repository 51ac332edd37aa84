#include "examples/libraft/libraft_server.h"

#include "base/ensure.h"
#include "base/text.h"
#include "examples/libraft/libraft.h"
#include "examples/libraft/libraft_wire.h"

#define TAG_LOG 1u

void libraft_config_write(const struct libraft_config *config, struct bytes *out)
{
    bytes_u32(out, config->id);
    bytes_u32(out, config->servers);
    bytes_u32(out, config->election_ms);
    bytes_u32(out, config->heartbeat_ms);
    bytes_u32(out, config->snapshot_entries);
    bytes_u32(out, config->trailing_entries);
    bytes_bool(out, config->pre_vote);
}

static bool config_read(struct span span, struct libraft_config *config)
{
    struct reader reader;

    reader_init(&reader, span, READER_MAX_DEFAULT);
    config->id = reader_u32(&reader);
    config->servers = reader_u32(&reader);
    config->election_ms = reader_u32(&reader);
    config->heartbeat_ms = reader_u32(&reader);
    config->snapshot_entries = reader_u32(&reader);
    config->trailing_entries = reader_u32(&reader);
    config->pre_vote = reader_bool(&reader);
    return reader_finish(&reader) == ERR_OK && config->servers >= 1 &&
           config->servers <= LIBRAFT_SERVERS_MAX && config->id >= 1 &&
           config->id <= config->servers && config->heartbeat_ms >= 1 &&
           config->heartbeat_ms < config->election_ms;
}

static void *server_make(struct mem *mem, struct span config)
{
    struct libraft_server *server = mem_get_zero(mem, sizeof(*server));

    if (server == NULL || !config_read(config, &server->config)) {
        return NULL;
    }
    server->mem = mem;
    server->noted_state = RAFT_UNAVAILABLE;
    for (uint32_t i = 0; i < server->config.servers; i++) {
        struct text text;

        text_init(&text, server->names[i], sizeof(server->names[i]));
        text_char(&text, 's');
        text_u64(&text, i + 1);
    }
    libraft_disk_init(&server->disk, mem);
    libraft_io_init(server);
    return server;
}

void libraft_server_end(struct libraft_server *server, const char *why)
{
    if (server->phase != LIBRAFT_ENDED) {
        server->phase = LIBRAFT_ENDED;
        fx_note(server->fx, LIBRAFT_NOTE_ENDED, 0, 0, 0, span_text(why));
        fx_halt(server->fx, 1, span_text(why));
    }
}

/* ---- start ---- */

static int set_up(struct libraft_server *server)
{
    struct raft_configuration conf;
    int result = 0;

    raft_configuration_init(&conf);
    for (uint32_t i = 0; result == 0 && i < server->config.servers; i++) {
        result = raft_configuration_add(&conf, i + 1, server->names[i], RAFT_VOTER);
    }
    if (result == 0) {
        result = raft_bootstrap(&server->raft, &conf);
    }
    raft_configuration_close(&conf);
    return result;
}

/* The files are here: set up a fresh server, start libraft. */
static void server_start(struct libraft_server *server)
{
    const struct libraft_config *config = &server->config;
    struct raft *raft = &server->raft;
    int result =
        raft_init(raft, &server->io, &server->fsm, config->id, server->names[config->id - 1]);

    server->phase = LIBRAFT_RUNNING;
    if (result == 0) {
        raft_set_election_timeout(raft, config->election_ms);
        raft_set_heartbeat_timeout(raft, config->heartbeat_ms);
        raft_set_snapshot_threshold(raft, config->snapshot_entries);
        raft_set_snapshot_trailing(raft, config->trailing_entries);
        raft_set_pre_vote(raft, config->pre_vote);
        result = server->disk.has_term ? 0 : set_up(server);
    }
    if (result == 0) {
        result = raft_start(raft);
    }
    if (result != 0) {
        libraft_server_end(server, raft_strerror(result));
    }
}

static void read_log(struct libraft_server *server, struct span log)
{
    enum err err = libraft_disk_read_log(&server->disk, log);

    if (err != ERR_OK) {
        libraft_server_end(server, err_text(err));
        return;
    }
    if (server->disk.log.len < log.len) {
        fx_truncate(server->fx, DIR_LOG, span_text(LIBRAFT_FILE_LOG), server->disk.log.len, 0);
    }
    server_start(server);
}

static void on_boot(struct libraft_server *server)
{
    const struct file_view *log = NULL;
    enum err err = ERR_OK;

    rand_init(&server->rand, server->in->boot.seed);
    for (uint32_t i = 0; i < server->in->boot.count; i++) {
        const struct file_view *file = &server->in->boot.files[i];

        if (span_is(file->name, LIBRAFT_FILE_LOG)) {
            log = file;
        } else if (err == ERR_OK && span_is(file->name, LIBRAFT_FILE_TERM)) {
            err = libraft_disk_read_term(&server->disk, file->bytes);
        } else if (err == ERR_OK && span_is(file->name, LIBRAFT_FILE_SNAPSHOT)) {
            err = libraft_disk_read_snapshot(&server->disk, file->bytes);
        }
    }
    if (err != ERR_OK) {
        libraft_server_end(server, err_text(err));
    } else if (log != NULL && !log->whole) {
        fx_read(server->fx, DIR_LOG, log->name, 0, log->size, TAG_LOG);
    } else {
        read_log(server, log == NULL ? span_make(NULL, 0) : log->bytes);
    }
}

/* ---- requests ---- */

struct apply {
    struct raft_apply request; /* first */
    struct libraft_server *server;
    uint64_t tag;
};

static void answer(struct libraft_server *server, uint64_t tag, enum libraft_answer what,
                   uint64_t index)
{
    struct bytes *out = fx_out(server->fx);

    bytes_u8(out, (uint8_t)what);
    bytes_u64(out, index);
    fx_answer(server->fx, tag, bytes_span(out));
}

static void apply_over(struct raft_apply *request, int status, void *result)
{
    struct apply *apply = (struct apply *)request;

    (void)result;
    answer(apply->server, apply->tag, status == 0 ? LIBRAFT_OK : LIBRAFT_LOST, request->index);
    raft_free(apply);
}

static void ask_apply(struct libraft_server *server, uint64_t tag, struct span command)
{
    struct raft_buffer buf = {.base = raft_malloc(command.len + 1), .len = command.len};
    struct apply *apply = raft_malloc(sizeof(*apply));
    int result = RAFT_NOMEM;

    if (buf.base != NULL && apply != NULL && command.len <= LIBRAFT_DATA_MAX) {
        memset(apply, 0, sizeof(*apply));
        if (command.len > 0) {
            memcpy(buf.base, command.at, command.len);
        }
        apply->server = server;
        apply->tag = tag;
        result = raft_apply(&server->raft, &apply->request, &buf, 1, apply_over);
    }
    if (result != 0) {
        raft_free(buf.base);
        raft_free(apply);
        answer(server, tag, LIBRAFT_REFUSED, 0);
    }
}

struct transfer {
    struct raft_transfer request; /* first */
    struct libraft_server *server;
    uint64_t tag;
};

/* libraft says only that it is over; who leads now tells whether it worked. */
static void transfer_over(struct raft_transfer *request)
{
    struct transfer *transfer = (struct transfer *)request;
    raft_id leader;
    const char *address;

    raft_leader(&transfer->server->raft, &leader, &address);
    answer(transfer->server, transfer->tag, leader == request->id ? LIBRAFT_OK : LIBRAFT_LOST, 0);
    raft_free(transfer);
}

static void ask_transfer(struct libraft_server *server, uint64_t tag, struct span to)
{
    struct transfer *transfer = raft_malloc(sizeof(*transfer));
    struct reader reader;
    int result = RAFT_NOMEM;

    reader_init(&reader, to, READER_MAX_DEFAULT);
    if (transfer != NULL) {
        memset(transfer, 0, sizeof(*transfer));
        transfer->server = server;
        transfer->tag = tag;
        result =
            raft_transfer(&server->raft, &transfer->request, reader_u32(&reader), transfer_over);
    }
    if (result != 0) {
        raft_free(transfer);
        answer(server, tag, LIBRAFT_REFUSED, 0);
    }
}

static void on_ask(struct libraft_server *server)
{
    struct span span = server->in->ask.span;
    uint64_t tag = server->in->ask.tag;
    uint8_t kind = span.len == 0 ? 0 : span.at[0];

    if (server->phase == LIBRAFT_RUNNING && kind == LIBRAFT_ASK_APPLY) {
        ask_apply(server, tag, span_make(span.at + 1, span.len - 1));
    } else if (server->phase == LIBRAFT_RUNNING && kind == LIBRAFT_ASK_TRANSFER) {
        ask_transfer(server, tag, span_make(span.at + 1, span.len - 1));
    } else {
        answer(server, tag, LIBRAFT_REFUSED, 0);
    }
}

/* ---- steps ---- */

static void on_post(struct libraft_server *server)
{
    uint32_t from = server->in->post.from;
    struct raft_message message;

    if (server->phase != LIBRAFT_RUNNING || from >= server->config.servers ||
        libraft_wire_decode(server->in->post.span, &message) != ERR_OK) {
        return;
    }
    message.server_id = from + 1;
    message.server_address = server->names[from];
    server->receive(&server->io, &message);
}

static void tick(struct libraft_server *server)
{
    uint64_t now_us = server->in->mono_us;

    if (server->phase == LIBRAFT_RUNNING && now_us >= server->tick_due_us) {
        server->tick_due_us += server->tick_us;
        if (server->tick_due_us <= now_us) {
            server->tick_due_us = now_us + server->tick_us; /* after a pause */
        }
        server->tick(&server->io);
    }
}

/* Tell what libraft has become in this step. */
static void note_state(struct libraft_server *server)
{
    const struct raft *raft = &server->raft;

    if (raft->state == server->noted_state && raft->current_term == server->noted_term) {
        return;
    }
    server->noted_state = raft->state;
    server->noted_term = raft->current_term;
    fx_note(server->fx, LIBRAFT_NOTE_STATE, raft->state, raft->current_term, 0, span_make(NULL, 0));
    if (raft->state == RAFT_UNAVAILABLE) {
        libraft_server_end(server, "libraft gave up");
    }
}

static void handle(struct libraft_server *server)
{
    const struct input *in = server->in;

    switch (in->kind) {
    case IN_BOOT:
        on_boot(server);
        return;
    case IN_POST:
        on_post(server);
        return;
    case IN_DONE:
        if (in->done.err != ERR_OK) {
            libraft_server_end(server, err_text(in->done.err));
        } else if (server->phase == LIBRAFT_RUNNING) {
            libraft_io_done(server, in->done.tag);
        }
        return;
    case IN_DATA:
        if (in->data.err != ERR_OK) {
            libraft_server_end(server, err_text(in->data.err));
        } else if (server->phase == LIBRAFT_READING) {
            read_log(server, in->data.span);
        }
        return;
    case IN_ASK:
        on_ask(server);
        return;
    case IN_WAKE:
    case IN_LISTENING:
    case IN_OPENED:
    case IN_DRAINED:
    case IN_BYTES:
    case IN_CLOSED:
        return; /* only datagrams are used */
    }
    UNREACHABLE();
}

static void server_step(void *self, const struct input *in, struct fx *fx)
{
    struct libraft_server *server = self;

    if (server->phase == LIBRAFT_ENDED) {
        return;
    }
    raft_heap_set(&server->heap);
    server->in = in;
    server->fx = fx;
    handle(server);
    tick(server);
    if (server->phase == LIBRAFT_RUNNING) {
        libraft_io_finish(server);
        note_state(server);
        fx_wake(fx, server->tick_due_us);
    }
    server->in = NULL;
    server->fx = NULL;
    raft_heap_set_default();
}

const struct process_ops libraft_ops = {
    .name = "libraft",
    .make = server_make,
    .step = server_step,
};
