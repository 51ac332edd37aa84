/* world.h - what the files of sim/ share: the world, its processes, connections and disks.
 *
 * Not public; guests include sim/sim.h. Everything here lives in the memory of one arena (arena.h),
 * so that a save is a copy. How the parts work together: docs/simulator.md.
 *
 * Sources of events (a process's wake-up, one direction of a connection, a lane of a disk, a
 * parcel) hold at most one entry in the heap each. A source remembers the `token` of its valid
 * entry, a number used once, so that outdated entries are recognised when they surface and nothing
 * is ever searched. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/hash.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/ring.h"
#include "sim/arena.h"
#include "sim/sim.h"

#include <setjmp.h>

#define SIM_LISTENERS_MAX 8u
#define SIM_NAME_MAX      63u
#define SIM_FILE_NAME_MAX 255u
#define SIM_TAPS_MAX      16u
#define SIM_CODECS_MAX    16u
#define SIM_CELLS         8192u     /* occurrence counters of keyed draws */
#define SIM_FATAL_US      20000000u /* how long a sender tries to reach a host that is gone */
#define SIM_DIAL_US       5000000u  /* how long a connection attempt tries */
#define SIM_WALL_START_MS 1700000000000

/* ---- events ---- */
enum sim_source {
    SOURCE_WAKE,
    SOURCE_LANE,
    SOURCE_WAY,
    SOURCE_PARCEL
};

/* ---- parcels: everything rare or unordered that is due at some time ---- */
enum parcel_kind {
    PARCEL_CALL,
    PARCEL_BOOT,
    PARCEL_LISTENING,
    PARCEL_ASK,
    PARCEL_POST,
    PARCEL_DONE,
    PARCEL_DATA,
    PARCEL_DRAINED,
    PARCEL_REFUSED,  /* a dial that could not even start */
    PARCEL_REPLACED, /* a replace that became durable during a pause */
    PARCEL_OFFER,    /* bytes not taken are offered again */
};
struct sim_parcel {
    uint64_t token;
    enum parcel_kind kind;
    uint32_t index;
    uint32_t next_free;
    uint32_t process;
    uint32_t incarnation; /* of the process it is for; 0 any */
    uint32_t id;          /* sender, listener or connection number */
    enum err err;
    uint64_t tag;
    uint8_t *bytes;
    uint32_t len, room;
    sim_call *fn;
    void *context;
    bool of_sync; /* DONE of a sync */
};

/* ---- streams ---- */
enum segment_mark {
    SEGMENT_BYTES,
    SEGMENT_BREAK,   /* bytes that break the connection on arrival */
    SEGMENT_SYN,     /* a dial reaches the host */
    SEGMENT_OPEN,    /* the answer reaches the dialer */
    SEGMENT_REFUSED, /* ... or a refusal, or a time-out */
    SEGMENT_END,     /* orderly end */
    SEGMENT_RESET,
    SEGMENT_ACCEPT, /* was SYN: the acceptor's process is to be told */
    SEGMENT_GONE,   /* the end's own host gives up: nothing travels */
};
struct sim_segment {
    uint64_t due_us;
    uint64_t end; /* stream position behind its bytes */
    enum segment_mark mark;
};
/* A record that RECEIVE taps will be told of. */
struct sim_passage {
    uint64_t start, end;
    struct sim_record record;
};
/* One direction: bytes at stream positions start <= taken <= arrived <= sent lie in one buffer;
 * segments say when which part arrives. */
struct sim_way {
    uint64_t token;
    uint64_t armed_us;
    uint8_t *at;
    uint64_t room;
    uint64_t start;   /* position of at[0] */
    uint64_t taken;   /* consumed by the receiver */
    uint64_t arrived; /* shown to it */
    uint64_t sent;
    uint64_t cut;      /* where the record begins that the codec has not cut off yet */
    bool tell_drained; /* the sender asked for an IN_DRAINED */
    uint64_t last_due_us;
    struct sim_segment *segments;
    uint32_t segment_head, segment_count, segment_room; /* room is a power of two */
    bool waiting;      /* the head is due but the link, or a throttle, holds it */
    bool stalled;      /* by sim_link.stall */
    bool coded;        /* the codec runs on it */
    uint64_t tried_us; /* since when the far host does not answer; 0 it does */
    void *codec_state;
    struct ring passages;
};
struct sim_end {
    struct list link; /* in process->ends while open */
    uint32_t process;
    uint32_t number; /* the process's name for the connection */
    uint32_t listener;
    uint16_t port; /* ephemeral, of the dialer */
    bool open;     /* the process regards the connection as in use */
    bool usable;   /* IN_OPENED was given */
    bool throttled;
    bool vanished; /* gone without a word: who sends there gets a reset in the end */
    bool offering; /* a PARCEL_OFFER is on its way */
};
struct sim_conn {
    struct sim_end ends[2]; /* 0 dialed */
    struct sim_way ways[2]; /* i leads from ends[i] to ends[1 - i] */
    uint32_t index;
    uint32_t next_free;
    uint32_t port;
    bool live;
    bool accepted; /* the acceptor's end was opened */
    bool severed;  /* nothing passes any more */
    const struct sim_codec *codec;
    uint64_t dial_us;
    char host[SIM_NAME_MAX + 1]; /* as dialed */
};

/* Connection numbers of one process -> connection index * 2 + end; open addressing. */
struct sim_number {
    uint32_t number;
    uint32_t value; /* + 1; 0 empty */
};
struct sim_numbers {
    struct sim_number *slots;
    uint32_t count, room; /* room is a power of two */
};

/* ---- disks ---- */
struct sim_write {
    bool truncates;
    uint64_t offset;
    uint64_t len;   /* of the append, or of what the truncation cut off */
    uint8_t *saved; /* cut off bytes, to undo a truncation */
};
struct sim_file {
    enum file_dir dir;
    char name[SIM_FILE_NAME_MAX + 1];
    uint32_t name_len;
    uint32_t refs;      /* by the directory, by lanes and by moves */
    bool entry_durable; /* else the file as such may vanish */
    bool linked;
    bool broken; /* an append failed, and the process has not made good for it */
    uint8_t *at;
    uint64_t size, room;
    struct ring writes; /* struct sim_write not yet durable, oldest first */
};
/* A change of the directory that is not durable yet, and how to undo it. */
struct sim_move {
    enum fx_kind kind; /* RENAME, REPLACE, REMOVE */
    struct sim_file *file;
    struct sim_file *old; /* what had the new name before, or NULL */
    char from[SIM_FILE_NAME_MAX + 1];
    uint32_t from_len;
};
/* A file effect on its way. */
struct sim_job {
    uint64_t due_us;
    uint32_t incarnation; /* who is to hear of it */
    enum fx_kind kind;
    enum err err;
    uint64_t tag;
    uint64_t mark; /* how far a sync reaches in file->writes, a move in disk->moves */
    struct sim_file *file;
    uint8_t *bytes; /* of a read */
    uint64_t len;
};
enum {
    LANE_WRITE,
    LANE_READ,
    LANES
};
struct sim_lane {
    uint64_t token;
    uint64_t last_due_us;
    bool waiting; /* the head is due but the disk is stalled */
    struct ring jobs;
};
struct sim_store {
    struct sim_disk set;
    struct sim_file **files; /* by directory, then name */
    uint32_t count, room;
    struct sim_file *last; /* the file used last: most effects name it again */
    struct ring moves;
    struct sim_lane lanes[LANES];
};

/* ---- processes ---- */
struct sim_listener {
    uint32_t id;
    uint32_t port;
};
struct sim_held {
    uint64_t token;
    uint64_t payload;
};
struct sim_process {
    const struct process_ops *ops;
    void *self;
    uint32_t index;
    uint32_t incarnation;
    bool up; /* started and neither crashed nor halted */
    bool paused;
    bool barrier;  /* a replace is becoming durable */
    bool replaced; /* it is done, but the process was paused */
    enum err replace_err;
    uint8_t replace_doom; /* crash kind + 1, to happen when it is durable */
    bool power_off;
    bool reborn;  /* start again once the pending crash has happened */
    uint8_t doom; /* crash kind + 1, to happen after the current effect */
    uint64_t wake_token, wake_armed_us;
    uint64_t wake_due_us;  /* world time; UINT64_MAX none */
    uint64_t wake_mono_us; /* as the process asked */
    /* clocks: values at base_us of world time */
    uint64_t base_us, base_mono_us;
    int64_t base_wall_us;
    struct sim_clock clock;
    struct sim_numbers numbers;
    struct list ends;
    struct sim_listener listeners[SIM_LISTENERS_MAX];
    uint32_t listener_count;
    uint32_t next_accepted;
    uint16_t next_port;
    struct ring held; /* struct sim_held: due while the process could take no input */
    struct fx *rest;  /* effects behind a replace */
    uint32_t rest_from;
    uint64_t rest_tag;
    struct sim_store disk;
    struct mem *mem;
    struct span config;
    uint32_t name_len;
    char name[SIM_NAME_MAX + 1];
};

struct sim_pair {
    struct sim_link link;
    uint64_t post_due_us; /* of the last datagram that keeps its order */
};
struct sim_tap_entry {
    uint32_t mask;
    sim_tap *tap;
    void *context;
};
struct sim_port {
    uint32_t port;
    const struct sim_codec *codec;
};

struct sim {
    struct arena *arena;
    struct mem *mem;
    uint64_t now_us;
    uint64_t tie;
    uint64_t instant_start; /* tie when now_us was reached */
    uint32_t last_stepped;  /* process */
    struct heap heap;
    uint64_t fingerprint;
    struct sim_counts counts;
    struct sim_process **processes;
    uint32_t process_count, process_room;
    struct sim_pair *pairs; /* from * pair_room + to */
    uint32_t pair_room;
    struct sim_link link_default, link_self; /* of processes to be added */
    struct sim_conn **conns;
    uint32_t conn_count, conn_room, conn_free;
    struct sim_parcel **parcels;
    uint32_t parcel_count, parcel_room, parcel_free;
    struct fx fx;
    struct sim_process *current;  /* whose effects are being carried out */
    struct sim_process *stepping; /* whose code runs */
    jmp_buf *landing;
    uint32_t tap_mask;
    uint32_t tap_count;
    struct sim_tap_entry taps[SIM_TAPS_MAX];
    struct sim_port ports[SIM_CODECS_MAX];
    uint32_t port_count;
    enum sim_crash_kind verdict_kind;
    bool stopped;
    bool found;
    struct sim_finding finding;
    struct sim_options options;
    struct sim_options asked; /* as at the opening, while a journal traces */
    const struct sim_note *notes;
    uint32_t note_count;
    uint32_t *cells;
};

/* ---- world.c ---- */
/* Memory of the world; never NULL: running out ends the world with a finding. */
void *sim_get(struct sim *sim, size_t size) __attribute__((returns_nonnull));
void *sim_get_zero(struct sim *sim, size_t size) __attribute__((returns_nonnull));
void sim_put(struct sim *sim, void *at, size_t size);
/* The world's own memory is used up: ends sim_run with a finding. */
_Noreturn void sim_full(struct sim *sim);
/* A new zeroed item of a ring in the world's memory; never NULL. */
void *sim_ring_push(struct sim *sim, struct ring *ring) __attribute__((returns_nonnull));
/* A finding of kind `assertion` against a process; the world stops. */
void sim_fault(struct sim *sim, uint32_t process, const char *check, struct span why);
/* Let assertions that fail inside a process unwind to sim->landing. */
void sim_set_hook(struct sim *sim);
/* Tell the taps; the strongest verdict. Only for kinds in sim->tap_mask. */
enum sim_verdict sim_tell(struct sim *sim, struct sim_event *event);
static inline bool sim_watched(const struct sim *sim, enum sim_at at)
{
    return (sim->tap_mask & (1u << at)) != 0;
}
static inline bool sim_traces(const struct sim *sim, enum sim_trace level)
{
    return __builtin_expect(sim->options.trace >= level, 0);
}
const struct sim_codec *sim_codec_find(const struct sim *sim, uint32_t port);

/* One word of fingerprint from bytes. */
static inline uint64_t sim_hash(struct span span)
{
    return span.len == 0 ? 0x9ae16a3b2f90404fu : hash_bytes(span, 0);
}
/* Mix an input or effect into the fingerprint. */
static inline void sim_mix(struct sim *sim, uint32_t kind, uint32_t process, uint64_t content)
{
    uint64_t x = sim->fingerprint ^ ((sim->now_us << 24) + ((uint64_t)process << 8) + kind);

    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    x ^= content ^ (x >> 29);
    sim->fingerprint = x * 0x9e3779b97f4a7c15u;
}

/* ---- event.c ---- */
void sim_arm(struct sim *sim, uint64_t *token, uint64_t due_us, enum sim_source source,
             uint32_t index);
/* The source is due but `p` takes no input now: it is armed again when it does. */
void sim_hold(struct sim *sim, struct sim_process *p, uint64_t *token, enum sim_source source,
              uint32_t index);
void sim_release(struct sim *sim, struct sim_process *p);
/* The process died: what it was to be given is dropped. */
void sim_unhold(struct sim *sim, struct sim_process *p);
struct sim_parcel *sim_parcel_make(struct sim *sim, enum parcel_kind kind, uint32_t process,
                                   struct span bytes);
void sim_parcel_send(struct sim *sim, struct sim_parcel *parcel, uint64_t due_us);
void sim_parcel_drop(struct sim *sim, struct sim_parcel *parcel);
void sim_parcel_due(struct sim *sim, struct sim_parcel *parcel);

/* ---- process.c ---- */
static inline bool sim_takes_input(const struct sim_process *p)
{
    return !p->paused && !p->barrier;
}
/* One input, its effects carried out. `end` is the receiving end for IN_BYTES, else NULL. */
void sim_step(struct sim *sim, struct sim_process *p, struct input *in, struct sim_end *end);
/* The input with a copy of its span when the process cannot take it now. DONE and DATA only. */
void sim_give(struct sim *sim, struct sim_process *p, struct input *in, bool of_sync);
void sim_wake_due(struct sim *sim, struct sim_process *p);
void sim_wake_set(struct sim *sim, struct sim_process *p, uint64_t mono_us);
void sim_boot(struct sim *sim, struct sim_process *p);
void sim_halt(struct sim *sim, struct sim_process *p, const struct effect *effect);
/* The replace is durable: carry out what stands behind it; or it failed: drop that. */
void sim_replace_done(struct sim *sim, struct sim_process *p, enum err err);
/* Ask the taps about an effect: false when it must not happen. */
bool sim_allow(struct sim *sim, struct sim_process *p, enum sim_at at, const struct effect *effect);
/* Crash now, or after the current effect of the process. */
void sim_doom(struct sim *sim, struct sim_process *p, enum sim_crash_kind kind);

/* ---- effect.c ---- */
/* Carry out fx->list from `from` on. */
void sim_carry_out(struct sim *sim, struct sim_process *p, struct fx *fx, uint32_t from);

/* ---- link.c ---- */
struct sim_fate {
    uint64_t delay_us;
    uint64_t chop_at;       /* length of the first piece; 0 whole */
    uint64_t chop_delay_us; /* of the second piece */
    uint64_t double_delay_us;
    bool lost, doubled, reordered, reset;
};
static inline struct sim_pair *sim_pair_at(const struct sim *sim, uint32_t from, uint32_t to)
{
    return &sim->pairs[(size_t)from * sim->pair_room + to];
}
void sim_pairs_grow(struct sim *sim);
/* Whether the fate of what passes depends on its key. */
static inline bool sim_link_draws(const struct sim *sim, const struct sim_link *link)
{
    return sim->options.seed != 0 && (link->delay_min_us != link->delay_max_us ||
                                      (link->lose_ppm | link->double_ppm | link->reorder_ppm |
                                       link->chop_ppm | link->reset_ppm) != 0);
}
/* One delay for everything, and no faults of streams. */
static inline bool sim_link_is_plain(const struct sim *sim, const struct sim_link *link)
{
    return (link->delay_min_us == link->delay_max_us || sim->options.seed == 0) &&
           (link->lose_ppm | link->chop_ppm | link->reset_ppm) == 0;
}
void sim_fate_stream(struct sim *sim, uint32_t from, uint32_t to, uint64_t key, uint64_t len,
                     struct sim_fate *fate);
/* The delay that the next segment with this key will have. */
uint64_t sim_fate_delay(const struct sim *sim, uint32_t from, uint32_t to, uint64_t key);
void sim_fate_post(struct sim *sim, uint32_t from, uint32_t to, uint64_t key,
                   struct sim_fate *fate);
/* Delay of what has no content: a handshake, an end, a reset. */
uint64_t sim_link_delay(struct sim *sim, uint32_t from, uint32_t to, uint64_t kind);

/* ---- draw.c ---- */
enum sim_draw_kind {
    DRAW_LINK = 0x6c696e6b,
    DRAW_LOSE,
    DRAW_DOUBLE,
    DRAW_DOUBLE_DELAY,
    DRAW_REORDER,
    DRAW_REORDER_DELAY,
    DRAW_CHOP,
    DRAW_CHOP_AT,
    DRAW_CHOP_DELAY,
    DRAW_RESET,
    DRAW_RETRANSMIT,
    DRAW_SYN,
    DRAW_ACCEPT,
    DRAW_END,
    DRAW_ABORT,
    DRAW_SYNC,
    DRAW_KEEP,
    DRAW_TEAR,
    DRAW_TEAR_AT,
    DRAW_TEAR_HOW,
    DRAW_KILL,
    DRAW_BOOT,
    DRAW_WORLD,
    DRAW_POST,
};
/* 64 bits for the nth occurrence of (kind, who, key), counting it. */
uint64_t sim_draw_next(struct sim *sim, enum sim_draw_kind kind, uint64_t who, uint64_t key);
/* The same without counting it: what the next one will be. */
uint64_t sim_draw_peek(const struct sim *sim, enum sim_draw_kind kind, uint64_t who, uint64_t key);
/* A further draw of the same occasion. */
static inline uint64_t sim_draw_more(uint64_t base, enum sim_draw_kind kind)
{
    return hash_u64(base, (uint64_t)kind * 0x9e3779b97f4a7c15u);
}
/* `ppm` >= 1,000,000 is certain and needs no seed. */
static inline bool sim_draw_ppm(const struct sim *sim, uint64_t draw, uint32_t ppm)
{
    return ppm >= 1000000 ||
           (ppm != 0 && sim->options.seed != 0 && (uint32_t)(((draw >> 32) * 1000000) >> 32) < ppm);
}
/* Uniform in [least, most]; `least` without a seed. */
uint64_t sim_draw_range(const struct sim *sim, uint64_t draw, uint64_t least, uint64_t most);

/* ---- stream.c ---- */
struct sim_end *sim_end_find(struct sim *sim, struct sim_process *p, uint32_t number,
                             struct sim_conn **conn, uint32_t *side);
void sim_stream_listen(struct sim *sim, struct sim_process *p, const struct effect *effect);
void sim_stream_unlisten(struct sim_process *p, uint32_t id);
void sim_stream_dial(struct sim *sim, struct sim_process *p, const struct effect *effect);
void sim_stream_close(struct sim *sim, struct sim_process *p, uint32_t number, bool abort);
void sim_stream_throttle(struct sim *sim, struct sim_process *p, uint32_t number, bool stop);
/* The end leaves its process: off the table; the connection goes when both are off. */
void sim_end_shut(struct sim *sim, struct sim_conn *conn, uint32_t side);
/* Every connection of a process that died or exited. */
void sim_stream_died(struct sim *sim, struct sim_process *p, enum sim_crash_kind kind);
/* Connections that exist between the two stop passing bytes in this direction. */
void sim_stream_stall(struct sim *sim, uint32_t from, uint32_t to);
/* The link changed: what waits may pass, as far as cut and stall allow now. */
void sim_stream_heal(struct sim *sim, uint32_t from, uint32_t to);
/* The dial has reached the host: turns the SYN into an ACCEPT, or refuses and returns false. */
bool sim_stream_syn(struct sim *sim, struct sim_conn *conn);
void sim_stream_opened(struct sim *sim, struct sim_conn *conn, uint32_t side);
void sim_stream_closed(struct sim *sim, struct sim_conn *conn, uint32_t side, enum err err);

/* ---- way.c, arrive.c ---- */
static inline struct sim_segment *sim_way_segment(const struct sim_way *way, uint32_t i)
{
    return &way->segments[(way->segment_head + i) & (way->segment_room - 1)];
}
static inline uint8_t *sim_way_byte(const struct sim_way *way, uint64_t position)
{
    return way->at + (position - way->start);
}
/* Take bytes [from, end) out, none of which has arrived. */
void sim_way_remove(struct sim_way *way, uint64_t from, uint64_t end);
void sim_way_init(struct sim *sim, struct sim_conn *conn, uint32_t side);
void sim_way_drop(struct sim *sim, struct sim_conn *conn, uint32_t side);
/* Forget what is on its way. */
void sim_way_clear(struct sim_way *way);
void sim_way_mark(struct sim *sim, struct sim_conn *conn, uint32_t side, enum segment_mark mark,
                  uint64_t due_us);
/* Arm it for its head unless it is, or waits. */
void sim_way_arm(struct sim *sim, struct sim_conn *conn, uint32_t side);
void sim_way_send(struct sim *sim, struct sim_conn *conn, uint32_t side, struct span bytes);
/* FX_SEND with a = 1. */
void sim_way_tell_drained(struct sim *sim, struct sim_conn *conn, uint32_t side);
void sim_way_due(struct sim *sim, struct sim_conn *conn, uint32_t side);
/* Offer bytes that arrived and were not taken. */
void sim_way_offer(struct sim *sim, struct sim_conn *conn, uint32_t side);
void sim_way_took(struct sim *sim, struct sim_conn *conn, uint32_t side, uint64_t taken);
static inline struct sim_conn *sim_conn_of(struct sim_end *end, uint32_t *side)
{
    /* ends lie side by side at the start of the connection; ends[0] has no accepted number */
    *side = end->number < CONN_ACCEPTED ? 0 : 1;
    return LIST_ITEM(end - *side, struct sim_conn, ends);
}

/* ---- datagram.c ---- */
void sim_post(struct sim *sim, struct sim_process *p, const struct effect *effect);
void sim_post_due(struct sim *sim, struct sim_parcel *parcel);

/* ---- disk.c, directory.c, loss.c ---- */
void sim_store_init(struct sim *sim, struct sim_process *p);
void sim_store_effect(struct sim *sim, struct sim_process *p, const struct effect *effect);
void sim_lane_due(struct sim *sim, struct sim_process *p, uint32_t index);
void sim_store_crash(struct sim *sim, struct sim_process *p, enum sim_crash_kind kind);
struct file_view sim_file_view(const struct sim_file *file);
struct sim_file *sim_file_find(struct sim_store *disk, enum file_dir dir, struct span name);
struct sim_file *sim_file_make(struct sim *sim, enum file_dir dir, struct span name);
void sim_file_link(struct sim *sim, struct sim_store *disk, struct sim_file *file);
void sim_file_unlink(struct sim_store *disk, struct sim_file *file);
void sim_file_name(struct sim_file *file, const char *name, uint32_t len);
void sim_file_free(struct sim *sim, struct sim_file *file);
void sim_file_resize(struct sim *sim, struct sim_file *file, uint64_t size);
/* Forget how to undo the first writes, up to sequence `mark`. */
void sim_file_settle(struct sim *sim, struct sim_file *file, uint64_t mark);
void sim_moves_settle(struct sim *sim, struct sim_store *disk, uint64_t mark);
void sim_move_undo(struct sim *sim, struct sim_store *disk, struct sim_move *move);

/* ---- clock.c ---- */
void sim_clock_init(struct sim_process *p);
uint64_t sim_clock_mono(const struct sim_process *p, uint64_t now_us);
int64_t sim_clock_wall_ms(const struct sim_process *p, uint64_t mono_us);
/* The first world time at which the monotonic clock shows at least `mono_us`. */
uint64_t sim_clock_due(const struct sim_process *p, uint64_t mono_us);

/* ---- trace.c ---- */
void sim_trace_input(struct sim *sim, const struct sim_process *p, const struct input *in);
void sim_trace_effect(struct sim *sim, const struct sim_process *p, const struct effect *effect);
void sim_trace_record(struct sim *sim, const struct sim_event *event, const char *what);
void sim_trace_life(struct sim *sim, const struct sim_process *p, const char *what,
                    const char *detail);

#endif
