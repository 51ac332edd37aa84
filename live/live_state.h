/* live_state.h - inside live/ only: the driver's parts. */
#ifndef LIVE_LIVE_STATE_H
#define LIVE_LIVE_STATE_H

#include "base/list.h"
#include "base/map.h"
#include "base/ring.h"
#include "live/live.h"

#include <uv.h>

#define LIVE_READ_BYTES  262144u
#define LIVE_ADDRESS_MAX 300u

/* ---- disk.c ---- */
struct disk_job {
    struct list link;
    enum fx_kind kind;
    char path[512], to[512];
    uint64_t offset, tag, size;
    uint8_t *bytes; /* to append; read: room for the result */
    size_t len;
    enum err err;
};

struct disk {
    struct live *live;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t wanted;
    uv_async_t finished;
    struct list waiting; /* struct disk_job, in order */
    struct list done;
    bool stopping;
    char open_path[512]; /* the file that was appended to last stays open */
    int open_fd;
};

int disk_start(struct disk *disk, struct live *live);
/* Finish what waits, end the thread. */
void disk_stop(struct disk *disk);
/* Take a file effect; its answer comes as an input from the loop. */
void disk_take(struct disk *disk, const struct effect *effect);
/* FX_REPLACE, on the loop thread. */
enum err disk_replace(const char *path, struct span bytes);
enum err disk_make_directory(const char *path);
enum err disk_err(int number);

/* ---- net.c ---- */
struct live_conn {
    struct list link;  /* of all */
    struct list dirty; /* of those with something to send in this turn */
    struct live *live;
    uint32_t number;
    uint32_t listener; /* that accepted it; 0 */
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    char port[16];
    bool resolving, open, closing, gone, reading, throttled, tell_drained, offering;
    uint8_t *in;
    size_t in_len, in_room;
    struct bytes out; /* of this turn */
    uint64_t queued;  /* given to libuv and not written */
};

struct live_listener {
    struct list link;
    struct live *live;
    uint32_t number;
    uv_tcp_t tcp;
};

void net_dial(struct live *live, uint32_t number, struct span address);
void net_listen(struct live *live, uint32_t number, struct span address);
void net_unlisten(struct live *live, uint32_t number);
void net_send(struct live *live, const struct effect *effect);
void net_close(struct live *live, uint32_t number, bool abort);
void net_throttle(struct live *live, uint32_t number, bool stop);
/* Write what was sent in this turn. */
void net_flush(struct live *live);
/* Offer again what a connection has not taken. */
void net_offer_number(struct live *live, uint32_t number);
void net_stop(struct live *live);

/* ---- live.c ---- */
struct live {
    const struct live_options *options;
    uv_loop_t loop;
    uv_timer_t wake;
    uv_prepare_t turn;
    uv_signal_t signals[2];
    struct mem_heap memory; /* the process's */
    struct mem_heap own;
    struct fx fx;
    void *self;
    uint64_t start_ns;
    struct disk disk;
    struct map conns; /* by number */
    struct list all, dirty, listeners;
    struct ring
        later; /* struct live_later: inputs that effects brought on, given when the step is over */
    uv_idle_t idle; /* active while `later` is not empty */
    uint32_t next_accepted;
    bool stepping, halted;
    int code;
};

/* Give one input and carry out the effects. */
void live_give(struct live *live, struct input *in);
/* Give an input without spans once the present step is over. */
void live_later(struct live *live, const struct input *in);
/* The same for the bytes that a connection has not taken. */
void live_offer_later(struct live *live, uint32_t number);
void live_log(struct live *live, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *live_directory(const struct live *live, uint32_t dir);

#endif
