/* step.h - the contract between a process and its driver: one input in, a list of effects out.
 *
 * A process is a pure machine: it sees its state, its input and nothing else. The same object code
 * runs in the simulator (sim/) and behind real sockets. The rules, all of them, are in
 * docs/step-contract.md; the short form:
 *
 * - Inputs are lent for the call; effects are lent until that process's next step; what a process
 * wants to keep it copies into its own memory.
 * - Effects are carried out in list order. A crash may cut the list anywhere and never reorders it.
 * - FX_REPLACE is a barrier: nothing after it happens before it is durable, and the process gets no
 * input meanwhile. When it fails, the rest of the list is dropped and IN_DONE carries the error.
 * - Nothing is durable before an IN_DONE says so. Syncs are named by tag, not by length.
 * - A step never fails. A peer's misbehaviour becomes FX_CLOSE, a disk's a step down, our own an
 * ENSURE.
 * - Every step sets fx->wake_us. A stale wake-up is harmless: the step looks at its deadlines. */
#ifndef BASE_STEP_H
#define BASE_STEP_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

#define WAKE_NEVER UINT64_MAX

/* The three places a process keeps files in: snapshots and epochs, transaction logs, configuration.
 */
enum file_dir {
    DIR_DATA,
    DIR_LOG,
    DIR_CONF
};

/* A durable file as it is at boot. */
struct file_view {
    enum file_dir dir;
    bool whole;        /* `bytes` holds all of it; only files up to BOOT_FILE_MAX come whole */
    struct span name;  /* without directory */
    uint64_t size;     /* in bytes */
    struct span bytes; /* empty unless whole */
};
#define BOOT_FILE_MAX 65536u
/* See FX_SEND. A process that sends much counts what it sent and, above a mark of its own, asks to
 * be told. */
#define SEND_LOW_MARK 262144u

/* Connection numbers. A process numbers those that it dials (below CONN_ACCEPTED, not in use); the
 * driver numbers accepted ones (CONN_ACCEPTED and up). A number is free again after FX_CLOSE or
 * IN_CLOSED, whichever comes first; after its own FX_CLOSE a process hears nothing more of it. */
#define CONN_ACCEPTED 0x80000000u

enum in_kind {
    IN_BOOT = 1,  /* first input of an incarnation: the durable files, a seed */
    IN_WAKE,      /* the time asked for in fx->wake_us has come */
    IN_LISTENING, /* a listener is bound, or why not */
    IN_OPENED,    /* a connection is usable (TLS done): dialed by us, or accepted */
    IN_DRAINED, /* answer to fx_tell_drained: little of what was sent on a connection still waits */
    IN_BYTES,   /* the next bytes of a connection, in order */
    IN_CLOSED,  /* a connection is gone: refused, reset, timed out or ended by the peer */
    IN_POST,    /* a datagram; may be lost, doubled or reordered */
    IN_DONE,    /* the file effect with this tag is done, or failed */
    IN_DATA,    /* the answer to the FX_READ with this tag */
    IN_ASK,     /* a request from the operator or the workload */
};

struct input {
    enum in_kind kind;
    uint64_t mono_us; /* this process's monotonic clock; never goes back */
    int64_t wall_ms;  /* this process's wall clock; may jump either way */
    union {
        struct {
            const struct file_view *files; /* by directory, then name */
            uint32_t count;
            uint64_t seed; /* fresh for every incarnation */
        } boot;
        struct {
            uint32_t listener;
            enum err err;
        } listening;
        struct {
            uint32_t conn;
            uint32_t listener;   /* which of ours accepted it; 0 when we dialed */
            struct span peer;    /* remote address "host:port" */
            struct span local;   /* our own address of this connection */
            struct span subject; /* TLS subject (RFC 2253), else empty */
        } opened;
        struct {
            uint32_t conn;
        } drained;
        struct {
            uint32_t conn;
            struct span span; /* untaken bytes of earlier inputs first, then new ones */
        } bytes;
        struct {
            uint32_t conn;
            enum err
                err; /* OK = orderly end, REFUSED = could not connect, IO = reset or timed out */
        } closed;
        struct {
            uint32_t from; /* process number */
            struct span span;
        } post;
        struct {
            uint64_t tag;
            enum err err;
        } done;
        struct {
            uint64_t tag;
            enum err err;     /* MISSING when there is no such file */
            struct span span; /* shorter than asked for only at the end of the file */
        } data;
        struct {
            uint64_t tag;
            struct span span;
        } ask;
    };
};

/* What the fields of an effect mean, by kind. "tag" 0: only a failure is reported by IN_DONE. */
enum fx_kind {
    FX_LISTEN = 1, /* id listener (> 0), bytes "host:port"; answered by IN_LISTENING */
    FX_UNLISTEN,   /* id listener; its accepted connections stay */
    FX_DIAL,       /* id conn, bytes "host:port", resolved at each dial; answered by IN_OPENED or
                      IN_CLOSED */
    FX_SEND,  /* id conn, bytes; a = 1: IN_DRAINED follows once at most SEND_LOW_MARK bytes of the
                 connection wait in the driver (at once, as a later input, when that is so already)
               */
    FX_CLOSE, /* id conn, a = 0 flush first, 1 abort (reset) */
    FX_THROTTLE, /* id conn, a = 1 stop reading, 0 resume */
    FX_POST,     /* id process, bytes: a datagram */
    FX_READ,     /* id dir, name, a = offset, b = tag, c = length; answered by IN_DATA */
    FX_APPEND,   /* id dir, name, a = offset (must be the file's end), b = tag, bytes; creates; not
                    durable */
    FX_SYNC,     /* id dir, name, b = tag; durable with its directory entry when IN_DONE says so */
    FX_TRUNCATE, /* id dir, name, a = new size, b = tag; durable when done */
    FX_RENAME, /* id dir, name, bytes = new name (replaced if it exists), b = tag; durable when done
                */
    FX_REPLACE, /* id dir, name, bytes, b = tag: small file, atomic, durable, a barrier */
    FX_REMOVE,  /* id dir, name, b = tag */
    FX_ANSWER,  /* b = tag of the IN_ASK, bytes */
    FX_NOTE,    /* id note kind, a, b, c, bytes: for checkers and logs; no effect */
    FX_HALT,    /* a = exit code, bytes = why; the process gets no further input */
};

struct effect {
    enum fx_kind kind;
    uint32_t id;
    uint64_t a, b, c;
    struct span name;
    struct span bytes;
};

/* The answer of one step. Made and cleared by the driver. */
struct fx {
    uint64_t wake_us; /* on the process's monotonic clock; WAKE_NEVER, or now to be stepped again at
                         once */
    uint64_t taken;   /* bytes of IN_BYTES consumed; the driver offers the rest again with more */
    uint32_t count, room;
    struct effect *list;
    struct mem *mem;         /* the driver's, not the process's */
    struct bytes out;        /* scratch of fx_out */
    struct fx_chunk *chunks; /* where copied bytes live until the next step */
    struct fx_chunk *chunk;  /* the one being filled */
    size_t chunk_len;        /* how far */
    bool failed;             /* the driver ran out of memory: it stops the process */
};

struct digest; /* sim/: rolling sum of a state, for exploration */

/* What a kind of process is. All state hangs off the pointer that `make` returns. */
struct process_ops {
    const char *name;
    /* A fresh process in `mem` (its only memory); `config` is lent for the call. NULL: memory ran
     * out, or the configuration cannot run. There is no counterpart: dying is not an operation. */
    void *(*make)(struct mem *mem, struct span config);
    void (*step)(void *self, const struct input *in, struct fx *fx);
    /* Optional: logical content in a fixed order, deadlines relative to now_us. */
    void (*digest)(const void *self, uint64_t now_us, struct digest *out);
};

/* -- for drivers -- */
void fx_init(struct fx *fx, struct mem *mem);
/* Before each step: no effects, wake_us = WAKE_NEVER, taken = 0; memory is kept. */
void fx_clear(struct fx *fx);
void fx_drop(struct fx *fx);

/* -- for processes -- */
/* An empty growing buffer to encode into; its contents last until the next fx_out. */
struct bytes *fx_out(struct fx *fx);
/* A stable copy of `span`, lent until the next step. */
struct span fx_copy(struct fx *fx, struct span span);
/* Append an effect; its spans must live until the next step (fx_copy, process memory, or
 * constants). */
void fx_emit(struct fx *fx, struct effect effect);
/* wake_us = min(wake_us, at_us). */
void fx_wake(struct fx *fx, uint64_t at_us);

/* The usual effects. Spans named `bytes` are copied; `lent` ones are not. */
void fx_listen(struct fx *fx, uint32_t listener, struct span address);
void fx_unlisten(struct fx *fx, uint32_t listener);
void fx_dial(struct fx *fx, uint32_t conn, struct span address);
void fx_send(struct fx *fx, uint32_t conn, struct span bytes);
void fx_send_lent(struct fx *fx, uint32_t conn, struct span lent);
/* Ask for an IN_DRAINED on `conn` (an empty FX_SEND with a = 1). One request gives one answer. */
void fx_tell_drained(struct fx *fx, uint32_t conn);
void fx_close(struct fx *fx, uint32_t conn, bool abort);
void fx_throttle(struct fx *fx, uint32_t conn, bool stop);
void fx_post(struct fx *fx, uint32_t process, struct span bytes);
void fx_read(struct fx *fx, enum file_dir dir, struct span name, uint64_t offset, uint64_t length,
             uint64_t tag);
void fx_append_lent(struct fx *fx, enum file_dir dir, struct span name, uint64_t offset,
                    struct span lent, uint64_t tag);
void fx_sync(struct fx *fx, enum file_dir dir, struct span name, uint64_t tag);
void fx_truncate(struct fx *fx, enum file_dir dir, struct span name, uint64_t size, uint64_t tag);
void fx_rename(struct fx *fx, enum file_dir dir, struct span from, struct span to, uint64_t tag);
void fx_replace(struct fx *fx, enum file_dir dir, struct span name, struct span bytes,
                uint64_t tag);
void fx_remove(struct fx *fx, enum file_dir dir, struct span name, uint64_t tag);
void fx_answer(struct fx *fx, uint64_t tag, struct span bytes);
/* `bytes` copied; note kinds are numbered by who owns them (protocol/notes.h, a guest's header). */
void fx_note(struct fx *fx, uint32_t kind, uint64_t a, uint64_t b, uint64_t c, struct span bytes);
void fx_halt(struct fx *fx, uint64_t code, struct span why);

const char *in_kind_name(enum in_kind kind);
const char *fx_kind_name(enum fx_kind kind);

#endif
