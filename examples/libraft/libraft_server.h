/* libraft_server.h - one server: libraft behind the step contract.
 *
 * libraft calls back into a `raft_io` for everything it wants of the outside. Inside a step these
 * calls become effects, in the order in which libraft made them; what libraft expects to hear later
 * is told at the end of the step (a message is sent, a snapshot is read) or when the disk is done
 * (IN_DONE of an append or of a snapshot).
 *
 *     raft_io.send                 FX_POST; its callback at the end of the step
 *     raft_io.append               FX_APPEND, FX_SYNC; its callback at the IN_DONE
 *     raft_io.set_term, set_vote   FX_REPLACE of `term`: a barrier, so that what follows waits
 *     raft_io.truncate             FX_TRUNCATE
 *     raft_io.snapshot_put         FX_REPLACE of `snapshot`; its callback at the IN_DONE
 *     raft_io.time, random         the input's clock, a generator seeded at IN_BOOT
 *
 * libraft keeps its allocator in a global: every step sets it to this server's memory first. */
#ifndef EXAMPLES_LIBRAFT_SERVER_H
#define EXAMPLES_LIBRAFT_SERVER_H

#include "base/rand.h"
#include "base/ring.h"
#include "base/step.h"
#include "examples/libraft/libraft_disk.h"

#define LIBRAFT_SERVERS_MAX 32u

/* Of a server; travels as bytes in the `config` of process_ops.make. */
struct libraft_config {
    uint32_t id;      /* process number + 1 */
    uint32_t servers; /* voters 1..servers, called s1, s2, ... */
    uint32_t election_ms, heartbeat_ms;
    uint32_t snapshot_entries; /* applied entries from one snapshot to the next */
    uint32_t trailing_entries; /* kept behind a snapshot */
    bool pre_vote;
};
void libraft_config_write(const struct libraft_config *config, struct bytes *out);

enum libraft_phase {
    LIBRAFT_READING, /* IN_BOOT named a log that did not come whole */
    LIBRAFT_RUNNING,
    LIBRAFT_ENDED,
};

/* An append that waits for its sync. */
struct libraft_append {
    uint64_t tag;
    struct raft_io_append *request;
    raft_io_append_cb callback;
};
/* A message that left, or a snapshot that was asked for, in this step. */
struct libraft_done {
    struct raft_io_send *send;
    raft_io_send_cb sent;
    struct raft_io_snapshot_get *get;
    raft_io_snapshot_get_cb got;
};

struct libraft_server {
    struct mem *mem;
    struct raft_heap heap;
    struct raft raft;
    struct raft_io io;
    struct raft_fsm fsm;
    struct libraft_config config;
    char names[LIBRAFT_SERVERS_MAX][8];
    enum libraft_phase phase;
    struct rand rand;
    struct libraft_disk disk;
    struct ring appends; /* struct libraft_append, oldest first */
    struct ring done;    /* struct libraft_done */
    uint64_t next_tag;
    struct raft_io_snapshot_put *put; /* in flight, or NULL */
    raft_io_snapshot_put_cb put_callback;
    raft_io_tick_cb tick;
    raft_io_recv_cb receive;
    uint64_t tick_us, tick_due_us;
    /* the state machine: a rolling hash over all commands */
    uint64_t commands, history;
    /* as last noted */
    unsigned short noted_state;
    uint64_t noted_term;
    /* of the step that runs, else NULL */
    const struct input *in;
    struct fx *fx;
};

/* Fill in server->io and server->fsm: libraft_io.c. */
void libraft_io_init(struct libraft_server *server);
/* IN_DONE of an append or of the snapshot. */
void libraft_io_done(struct libraft_server *server, uint64_t tag);
/* Call back for all that was queued in this step, and for what that queues. */
void libraft_io_finish(struct libraft_server *server);
/* The server ends: nothing more is done in its name. */
void libraft_server_end(struct libraft_server *server, const char *why);

#endif
