/* What libraft asks of its outside, as effects. */
#include "base/ensure.h"
#include "base/hash.h"
#include "examples/libraft/libraft.h"
#include "examples/libraft/libraft_server.h"
#include "examples/libraft/libraft_wire.h"

#define TAG_SNAPSHOT 2u
#define TAG_FIRST    16u

static struct libraft_server *io_server(const struct raft_io *io)
{
    return io->impl;
}

static struct span file(const char *name)
{
    return span_text(name);
}

/* ---- memory: libraft frees without a size, so each block begins with it. Blocks are zeroed:
 * raft_configuration_encode leaves the padding behind its last server as it was, and what was in
 * memory would reach the disk and the network. (`sim twice` found that.) ---- */

#define BLOCK_HEAD 16u

static void *heap_get(void *data, size_t size)
{
    struct mem *mem = data;
    uint8_t *block = size > SIZE_MAX - BLOCK_HEAD ? NULL : mem_get(mem, size + BLOCK_HEAD);

    if (block == NULL) {
        return NULL;
    }
    memcpy(block, &size, sizeof(size));
    memset(block + BLOCK_HEAD, 0, size);
    return block + BLOCK_HEAD;
}

static size_t block_size(const void *at)
{
    size_t size;

    memcpy(&size, (const uint8_t *)at - BLOCK_HEAD, sizeof(size));
    return size;
}

static void heap_put(void *data, void *at)
{
    if (at != NULL) {
        mem_put(data, (uint8_t *)at - BLOCK_HEAD, block_size(at) + BLOCK_HEAD);
    }
}

static void *heap_get_zero(void *data, size_t count, size_t size)
{
    return size != 0 && count > SIZE_MAX / size ? NULL : heap_get(data, count * size);
}

static void *heap_grow(void *data, void *at, size_t size)
{
    void *grown = heap_get(data, size);

    if (grown != NULL && at != NULL) {
        size_t old = block_size(at);

        memcpy(grown, at, old < size ? old : size);
        heap_put(data, at);
    }
    return grown;
}

/* Only libraft's own disk code wants more than 16. */
static void *heap_get_aligned(void *data, size_t alignment, size_t size)
{
    return alignment > BLOCK_HEAD ? NULL : heap_get(data, size);
}

static void heap_put_aligned(void *data, size_t alignment, void *at)
{
    (void)alignment;
    heap_put(data, at);
}

/* ---- raft_io ---- */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)address;
    return id == io_server(io)->config.id ? 0 : RAFT_BADID;
}

static void io_close(struct raft_io *io, raft_io_close_cb callback)
{
    if (callback != NULL) {
        callback(io);
    }
}

/* Where the log begins for libraft: behind the snapshot but for the trailing entries. Entries that
 * do not meet the snapshot are of no use. */
static uint64_t load_start(struct libraft_server *server)
{
    struct libraft_disk *disk = &server->disk;
    uint64_t index;
    uint64_t term;

    libraft_disk_snapshot_last(disk, &index, &term);
    if (index == 0) {
        return 1;
    }
    if (disk->first > index + 1 || libraft_disk_term_of(disk, index) != term) {
        libraft_disk_trim(disk, disk->first + disk->count + 1);
        disk->first = index + 1;
        fx_replace(server->fx, DIR_LOG, file(LIBRAFT_FILE_LOG), bytes_span(&disk->log), 0);
        return index + 1;
    }
    return disk->first;
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *n_entries)
{
    struct libraft_server *server = io_server(io);
    enum err err = ERR_OK;

    *term = server->disk.term;
    *voted_for = server->disk.vote;
    *snapshot = NULL;
    *start_index = load_start(server);
    if (server->disk.snapshot.len > 0) {
        err = libraft_disk_get_snapshot(&server->disk, snapshot);
    }
    if (err == ERR_OK) {
        err = libraft_disk_entries(&server->disk, *start_index, entries, n_entries);
    }
    return err == ERR_OK ? 0 : (err == ERR_MEMORY ? RAFT_NOMEM : RAFT_CORRUPT);
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                    raft_io_recv_cb receive)
{
    struct libraft_server *server = io_server(io);

    server->tick = tick;
    server->receive = receive;
    server->tick_us = (uint64_t)msecs * 1000;
    server->tick_due_us = server->in->mono_us + 1 + rand_below(&server->rand, server->tick_us);
    return 0;
}

static void write_term(struct libraft_server *server)
{
    struct bytes *out = fx_out(server->fx);

    libraft_disk_write_term(&server->disk, out);
    fx_replace(server->fx, DIR_DATA, file(LIBRAFT_FILE_TERM), bytes_span(out), 0);
}

/* The first entry of every log is the configuration; the term file, written last, says that it is
 * there. */
static int io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    struct libraft_server *server = io_server(io);
    struct raft_entry entry = {.term = 1, .type = RAFT_CHANGE};
    int result = raft_configuration_encode(conf, &entry.buf);

    if (result != 0) {
        return result;
    }
    libraft_disk_init(&server->disk, server->mem);
    if (libraft_disk_append(&server->disk, &entry) != ERR_OK) {
        return RAFT_NOMEM;
    }
    raft_free(entry.buf.base);
    fx_replace(server->fx, DIR_LOG, file(LIBRAFT_FILE_LOG), bytes_span(&server->disk.log), 0);
    server->disk.term = 1;
    server->disk.vote = 0;
    server->disk.has_term = true;
    write_term(server);
    return 0;
}

/* For an operator who lost a majority for good; not part of what this guest shows. */
static int io_recover(struct raft_io *io, const struct raft_configuration *conf)
{
    (void)io;
    (void)conf;
    return RAFT_INVALID;
}

static int io_set_term(struct raft_io *io, raft_term term)
{
    struct libraft_server *server = io_server(io);

    server->disk.term = term;
    server->disk.vote = 0;
    write_term(server);
    return 0;
}

static int io_set_vote(struct raft_io *io, raft_id id)
{
    struct libraft_server *server = io_server(io);

    server->disk.vote = id;
    write_term(server);
    return 0;
}

static int io_send(struct raft_io *io, struct raft_io_send *request,
                   const struct raft_message *message, raft_io_send_cb callback)
{
    struct libraft_server *server = io_server(io);
    struct libraft_done *done = ring_push(&server->done);
    struct bytes *out = fx_out(server->fx);

    if (done == NULL) {
        return RAFT_NOMEM;
    }
    *done = (struct libraft_done){.send = request, .sent = callback};
    libraft_wire_encode(message, out);
    if (message->server_id > 0 && message->server_id <= server->config.servers) {
        fx_post(server->fx, (uint32_t)message->server_id - 1, bytes_span(out));
    }
    return 0;
}

static int io_append(struct raft_io *io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned n, raft_io_append_cb callback)
{
    struct libraft_server *server = io_server(io);
    struct libraft_disk *disk = &server->disk;
    uint64_t start = disk->log.len;
    struct libraft_append *append = ring_push(&server->appends);

    if (append == NULL) {
        return RAFT_NOMEM;
    }
    *append = (struct libraft_append){
        .tag = server->next_tag++, .request = request, .callback = callback};
    for (unsigned i = 0; i < n; i++) {
        enum err err = libraft_disk_append(disk, &entries[i]);

        if (err != ERR_OK) {
            libraft_server_end(server, err_text(err));
            return err == ERR_MEMORY ? RAFT_NOMEM : RAFT_TOOBIG;
        }
    }
    fx_append_lent(server->fx, DIR_LOG, file(LIBRAFT_FILE_LOG), start,
                   fx_copy(server->fx, bytes_tail(&disk->log, start)), 0);
    fx_sync(server->fx, DIR_LOG, file(LIBRAFT_FILE_LOG), append->tag);
    return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    struct libraft_server *server = io_server(io);

    libraft_disk_truncate(&server->disk, index);
    fx_truncate(server->fx, DIR_LOG, file(LIBRAFT_FILE_LOG), server->disk.log.len, 0);
    return 0;
}

/* `trailing` 0: the snapshot came from the leader and the log is of no use any more. */
static int io_snapshot_put(struct raft_io *io, unsigned trailing,
                           struct raft_io_snapshot_put *request,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb callback)
{
    struct libraft_server *server = io_server(io);
    struct libraft_disk *disk = &server->disk;
    uint64_t keep = trailing == 0
                        ? disk->first + disk->count
                        : (snapshot->index > trailing ? snapshot->index - trailing + 1 : 1);
    enum err err;

    if (server->put != NULL) {
        return RAFT_BUSY;
    }
    err = libraft_disk_put_snapshot(disk, snapshot);
    if (err != ERR_OK) {
        return err == ERR_MEMORY ? RAFT_NOMEM : RAFT_TOOBIG;
    }
    server->put = request;
    server->put_callback = callback;
    fx_replace(server->fx, DIR_DATA, file(LIBRAFT_FILE_SNAPSHOT), bytes_span(&disk->snapshot),
               TAG_SNAPSHOT);
    if (trailing == 0) {
        libraft_disk_trim(disk, keep);
        disk->first = snapshot->index + 1;
    } else if (keep > disk->first + disk->count / 2) {
        libraft_disk_trim(disk, keep);
    } else {
        return 0; /* not worth a rewrite yet */
    }
    fx_replace(server->fx, DIR_LOG, file(LIBRAFT_FILE_LOG), bytes_span(&disk->log), 0);
    return 0;
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                           raft_io_snapshot_get_cb callback)
{
    struct libraft_done *done = ring_push(&io_server(io)->done);

    if (done == NULL) {
        return RAFT_NOMEM;
    }
    *done = (struct libraft_done){.get = request, .got = callback};
    return 0;
}

static raft_time io_time(struct raft_io *io)
{
    return io_server(io)->in->mono_us / 1000;
}

static int io_random(struct raft_io *io, int min, int max)
{
    return max <= min ? min : min + (int)rand_below(&io_server(io)->rand, (uint64_t)(max - min));
}

/* ---- the state machine: what it holds is the hash of all commands in their order ---- */

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct libraft_server *server = fsm->data;
    uint64_t index = raft_last_applied(&server->raft) + 1;
    uint64_t hash = hash_bytes(span_make(buf->base, buf->len), 0);

    server->commands++;
    server->history = hash_u64(server->history, hash ^ (index << 1));
    fx_note(server->fx, LIBRAFT_NOTE_APPLIED, index, hash, server->history,
            span_make(buf->base, buf->len));
    *result = NULL;
    return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct libraft_server *server = fsm->data;
    uint64_t state[2] = {server->commands, server->history};
    struct raft_buffer *buf = raft_malloc(sizeof(*buf));

    if (buf == NULL) {
        return RAFT_NOMEM;
    }
    buf->len = sizeof(state);
    buf->base = raft_malloc(buf->len);
    if (buf->base == NULL) {
        raft_free(buf);
        return RAFT_NOMEM;
    }
    memcpy(buf->base, state, sizeof(state));
    *bufs = buf;
    *n_bufs = 1;
    return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct libraft_server *server = fsm->data;
    uint64_t state[2];
    uint64_t index;
    uint64_t term;

    if (buf->len != sizeof(state)) {
        return RAFT_MALFORMED;
    }
    memcpy(state, buf->base, sizeof(state));
    raft_free(buf->base);
    server->commands = state[0];
    server->history = state[1];
    libraft_disk_snapshot_last(&server->disk, &index, &term);
    fx_note(server->fx, LIBRAFT_NOTE_RESTORED, index, server->commands, server->history,
            span_make(NULL, 0));
    return 0;
}

void libraft_io_init(struct libraft_server *server)
{
    server->heap = (struct raft_heap){
        .data = server->mem,
        .malloc = heap_get,
        .free = heap_put,
        .calloc = heap_get_zero,
        .realloc = heap_grow,
        .aligned_alloc = heap_get_aligned,
        .aligned_free = heap_put_aligned,
    };
    server->io = (struct raft_io){
        .version = 1,
        .impl = server,
        .init = io_init,
        .close = io_close,
        .load = io_load,
        .start = io_start,
        .bootstrap = io_bootstrap,
        .recover = io_recover,
        .set_term = io_set_term,
        .set_vote = io_set_vote,
        .send = io_send,
        .append = io_append,
        .truncate = io_truncate,
        .snapshot_put = io_snapshot_put,
        .snapshot_get = io_snapshot_get,
        .time = io_time,
        .random = io_random,
    };
    server->fsm = (struct raft_fsm){
        .version = 1,
        .data = server,
        .apply = fsm_apply,
        .snapshot = fsm_snapshot,
        .restore = fsm_restore,
    };
    ring_init(&server->appends, server->mem, sizeof(struct libraft_append));
    ring_init(&server->done, server->mem, sizeof(struct libraft_done));
    server->next_tag = TAG_FIRST;
}

/* ---- callbacks ---- */

void libraft_io_done(struct libraft_server *server, uint64_t tag)
{
    if (tag == TAG_SNAPSHOT && server->put != NULL) {
        struct raft_io_snapshot_put *put = server->put;

        server->put = NULL;
        server->put_callback(put, 0);
        return;
    }
    /* Syncs end in order; each covers all that was appended before it. */
    while (tag >= TAG_FIRST && ring_count(&server->appends) > 0) {
        struct libraft_append append = *(struct libraft_append *)ring_at(&server->appends, 0);

        if (append.tag > tag) {
            break;
        }
        ring_pop(&server->appends);
        append.callback(append.request, 0);
    }
}

void libraft_io_finish(struct libraft_server *server)
{
    while (ring_count(&server->done) > 0 && server->phase == LIBRAFT_RUNNING) {
        struct libraft_done done = *(struct libraft_done *)ring_at(&server->done, 0);

        ring_pop(&server->done);
        if (done.send != NULL) {
            if (done.sent != NULL) { /* a TIMEOUT_NOW has none */
                done.sent(done.send, 0);
            }
        } else {
            struct raft_snapshot *snapshot = NULL;
            enum err err = libraft_disk_get_snapshot(&server->disk, &snapshot);

            done.got(done.get, snapshot, err == ERR_OK ? 0 : RAFT_NOTFOUND);
        }
    }
}
