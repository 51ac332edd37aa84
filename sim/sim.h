/* sim.h - a deterministic world for processes that keep the step contract (base/step.h).
 *
 * This is the public interface: ZooKeeper (sim/zk) and the guests under examples/ use nothing else
 * of sim/. A world is a pure function of binary, scenario and seed. One thread, one total order of
 * events; time moves only by popping events. Everything a world is lies in one region of memory at
 * a fixed address, so that it can be saved, restored and run again elsewhere.
 *
 * Times are microseconds of world time unless a name says otherwise; a process sees its own clocks.
 * Probabilities are ppm. Every random choice is a keyed draw: hash(seed, kind, who, key, nth).
 * Without a seed nothing is drawn: delays have their default values and no fault happens by itself.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/step.h"
#include "base/text.h"

struct sim;
struct sim_journal;

#define SIM_NONE UINT32_MAX       /* no process */
#define SIM_ALL  (UINT32_MAX - 1) /* every process, where a call allows it */

/* ---- opening a world ---- */
enum sim_trace {
    SIM_TRACE_NONE,
    SIM_TRACE_ROLES,
    SIM_TRACE_MESSAGES,
    SIM_TRACE_FULL
};

struct sim_options {
    uint64_t seed;          /* 0 = no seed: defaults everywhere */
    uint64_t process_bytes; /* memory of one process; 0 = 16 MiB */
    uint8_t fill;           /* what fresh memory contains */
    bool elsewhere;         /* map the region at another base: `sim twice` */
    enum sim_trace trace;
    void (*trace_line)(void *context, struct span line); /* without newline */
    void *trace_context;
    struct sim_journal *journal; /* of twice.h; else NULL */
};

/* NULL when memory ran out. Regions are pooled: opening and closing worlds in a loop is cheap. */
struct sim *sim_open(const struct sim_options *options);
void sim_close(struct sim *sim);

/* ---- processes ---- */
/* A process with a host name (also the host part of addresses "name:port"); numbered from 0 in
 * order. It does not run before sim_start. */
uint32_t sim_add(struct sim *sim, const char *name, const struct process_ops *ops,
                 struct span config);
uint32_t sim_count(const struct sim *sim);
const char *sim_name(const struct sim *sim, uint32_t process);
uint32_t sim_find(const struct sim *sim, struct span name); /* or SIM_NONE */
bool sim_is_up(const struct sim *sim, uint32_t process);
/* The pointer that `make` returned, for an omniscient checker to read; NULL when down. */
const void *sim_self(const struct sim *sim, uint32_t process);
uint32_t sim_incarnation(const struct sim *sim, uint32_t process); /* 0 before the first start */

/* Boot with what the disk holds. No-op when up. */
void sim_start(struct sim *sim, uint32_t process);
enum sim_crash_kind {
    SIM_KILL,  /* the process dies, the machine lives: a drawn prefix of unsynced appends survives
                  (all, without a seed) */
    SIM_POWER, /* the machine dies: each unsynced write is kept, lost or torn as the disk's settings
                  say (lost, without a seed) */
};
void sim_crash(struct sim *sim, uint32_t process, enum sim_crash_kind kind);
/* No input until resumed; then a jump of the clocks. */
void sim_pause(struct sim *sim, uint32_t process);
void sim_resume(struct sim *sim, uint32_t process);
/* Deliver IN_ASK; the answer comes to the tap as SIM_AT_ANSWER. */
void sim_ask(struct sim *sim, uint32_t process, uint64_t tag, struct span span);

/* ---- time ---- */
uint64_t sim_now(const struct sim *sim);
/* Call `fn` at `due_us` (>= now), in the total order of events. Several at one time run in order of
 * scheduling. */
typedef void sim_call(struct sim *sim, void *context, uint64_t argument);
void sim_schedule(struct sim *sim, uint64_t due_us, sim_call *fn, void *context, uint64_t argument);
/* Handle the next event; false when there is none, or its time is past `until_us` (time then is
 * until_us). */
bool sim_next(struct sim *sim, uint64_t until_us);
/* All events up to and including until_us; stops early once sim_stop was called (sim_next then
 * returns false; the next sim_run goes on). */
void sim_run(struct sim *sim, uint64_t until_us);
void sim_stop(struct sim *sim);

/* ---- clocks ---- */
struct sim_clock {
    int64_t offset_ms; /* wall clock minus world time, beyond the common start */
    int32_t rate_ppm;  /* how much faster than world time both clocks run; -500,000 .. 1,000,000 */
};
void sim_set_clock(struct sim *sim, uint32_t process, const struct sim_clock *clock);

/* ---- network: one setting a direction ---- */
struct sim_link {
    uint32_t delay_min_us,
        delay_max_us;     /* of one segment or datagram; without a seed the minimum */
    uint32_t lose_ppm;    /* datagrams; on a stream a lost segment costs `retransmit_us` instead */
    uint32_t double_ppm;  /* datagrams */
    uint32_t reorder_ppm; /* datagrams: overtaken by later ones */
    uint32_t chop_ppm;    /* streams: a segment arrives in two pieces */
    uint32_t reset_ppm;   /* streams: a segment breaks the connection */
    uint32_t retransmit_us;
    bool cut;   /* nothing passes: streams hold what is sent until healed, datagrams are lost,
                   connection attempts time out after 5 s */
    bool stall; /* as cut for what exists, but new connections pass */
};
void sim_link_default(struct sim_link *link); /* 500..500 us, no faults (with a seed 200..2000) */
/* from, to: processes or SIM_ALL (which does not include from == to unless named). */
void sim_set_link(struct sim *sim, uint32_t from, uint32_t to, const struct sim_link *link);
void sim_get_link(const struct sim *sim, uint32_t from, uint32_t to, struct sim_link *link);
/* Break every connection between two processes: both hear of it (reset), or only `hears` does
 * (half-open). */
void sim_break(struct sim *sim, uint32_t a, uint32_t b,
               uint32_t hears /* SIM_ALL both, SIM_NONE none */);

/* ---- disk ---- */
struct sim_disk {
    uint32_t sync_min_us, sync_max_us; /* default 1000; with a seed 200..4000 */
    uint32_t read_us;                  /* default 100 */
    uint32_t keep_ppm;                 /* a power loss keeps an unsynced write */
    uint32_t tear_ppm; /* ... or keeps a part of it, torn at a 512-byte sector or inside it */
    bool lie;  /* syncs are reported done and are not: a power loss takes synced data since then too
                */
    bool eio;  /* every effect fails with ERR_IO */
    bool full; /* appends fail with ERR_NO_SPACE */
    bool stall; /* no file effect completes until cleared */
};
void sim_disk_default(struct sim_disk *disk);
void sim_set_disk(struct sim *sim, uint32_t process, const struct sim_disk *disk);
void sim_get_disk(const struct sim *sim, uint32_t process, struct sim_disk *disk);
/* Durable content, for setting up and for checkers; a process that is up does not hear of it. */
enum err sim_file_put(struct sim *sim, uint32_t process, enum file_dir dir, struct span name,
                      struct span bytes);
enum err sim_file_remove(struct sim *sim, uint32_t process, enum file_dir dir, struct span name);
/* Bit rot: the lowest bit of one byte flips, silently. ERR_MISSING; ERR_RANGE past the end. */
enum err sim_file_rot(struct sim *sim, uint32_t process, enum file_dir dir, struct span name,
                      uint64_t offset);
/* The i-th file by (dir, name); false past the end. `bytes` is what the process would read now. */
bool sim_file_at(const struct sim *sim, uint32_t process, uint32_t index, struct file_view *view);
void sim_disk_wipe(struct sim *sim, uint32_t process);

/* ---- what travels: one codec a port ---- */
#define SIM_FIELDS_MAX 8
struct sim_record {
    const char *name; /* of the message, from a constant table: "PROPOSAL" */
    uint64_t key;     /* equal for equal messages: keys draws, so no counters and no times in it */
    uint32_t field_count;
    struct {
        const char *name;
        int64_t value;
    } fields[SIM_FIELDS_MAX];
    bool essential; /* worth drawing and printing at level messages (pings are not) */
};
struct sim_codec {
    const char *name;
    size_t state_bytes; /* per direction of a connection; starts zeroed */
    /* Cut the next record off `input`: its length, or 0 when incomplete (or not decodable: then the
     * rest of the stream counts as one unknown record). `from_dialer` tells the direction. */
    size_t (*cut)(void *state, bool from_dialer, struct span input, struct sim_record *record);
};
/* For connections dialed to `port`, and for datagrams (port 0). */
void sim_set_codec(struct sim *sim, uint32_t port, const struct sim_codec *codec);

/* ---- watching ---- */
enum sim_at {
    SIM_AT_START = 1,
    SIM_AT_CRASH,
    SIM_AT_PAUSE,
    SIM_AT_RESUME,
    SIM_AT_HALT,
    SIM_AT_SEND,    /* before a record leaves: process, peer, record, port; conn 0 for datagrams */
    SIM_AT_RECEIVE, /* before a record is given to `process`; peer sent it */
    SIM_AT_APPEND,  /* before an append is carried out */
    SIM_AT_SYNC,    /* before a sync begins */
    SIM_AT_SYNCED,  /* before IN_DONE of a sync is given to the process */
    SIM_AT_REPLACE, /* before a replace begins */
    SIM_AT_NOTE,
    SIM_AT_ANSWER,
    SIM_AT_OPENED,
    SIM_AT_CLOSED,
};
struct sim_event {
    enum sim_at at;
    uint64_t now_us;
    uint32_t process, peer; /* peer SIM_NONE where there is none */
    uint32_t port;          /* of the connection, 0 for datagrams */
    uint32_t conn;
    bool dialer;         /* `process` dialed this connection */
    uint64_t arrival_us; /* SEND: when it is due at the peer (estimate, UINT64_MAX when held) */
    const struct sim_record *record; /* SEND, RECEIVE */
    const struct effect *effect;     /* APPEND, SYNC, REPLACE, NOTE, ANSWER, HALT */
    struct span bytes;               /* of the record */
};
enum sim_verdict {
    SIM_GO,
    SIM_CRASH_BEFORE, /* the process dies (SIM_KILL) before this effect or input */
    SIM_CRASH_AFTER,  /* ... right after it: later effects of the list never happen */
    SIM_DROP, /* SEND of a datagram or stream record, RECEIVE: it is lost (streams stay usable) */
};
typedef enum sim_verdict sim_tap(void *context, struct sim *sim, const struct sim_event *event);
/* Called for every event whose bit (1u << at) is in `mask`; several taps run in the order of adding
 * and the strongest verdict holds. Taps may call any function above except sim_next, sim_run,
 * sim_close; a sim_crash of the process that is being stepped takes effect after the current
 * effect. */
void sim_add_tap(struct sim *sim, uint32_t mask, sim_tap *tap, void *context);
/* How the next crash by verdict treats the disk (default SIM_KILL). */
void sim_crash_verdict_kind(struct sim *sim, enum sim_crash_kind kind);

/* ---- names for trace lines ---- */
struct sim_note {
    uint32_t kind;    /* of FX_NOTE */
    const char *word; /* "elected" */
    const char *a, *b, *c,
        *bytes; /* names of the fields; NULL or "" when unused. Fields whose name
                   ends in zxid, epoch, session, hash or digest print in hexadecimal */
    bool role;  /* worth a line at level roles */
};
/* The table (constant, lent for the life of the world) of the notes that processes emit. */
void sim_set_notes(struct sim *sim, const struct sim_note *notes, uint32_t count);
/* Change the level during a run; what happens in the world does not depend on it. Connections
 * opened without any use for records show bytes instead of records later on. */
void sim_set_trace(struct sim *sim, enum sim_trace level);

/* ---- results ---- */
struct sim_counts {
    uint64_t events, inputs, messages, message_bytes, syncs, crashes;
};
void sim_get_counts(const struct sim *sim, struct sim_counts *counts);
/* Rolling xxHash over every input and effect so far. */
uint64_t sim_fingerprint(const struct sim *sim);
/* A sum of the logical state: every process that has a digest, its files, what is on its way; times
 * relative to now. Equal sums count as the same state in an exploration. */
uint64_t sim_digest(const struct sim *sim);
/* A checker's finding; the first one is kept, the world stops. `check` is a constant name. */
void sim_fail(struct sim *sim, const char *check, struct span why);
struct sim_finding {
    const char *check;
    char why[256];
    uint64_t at_us;
    uint32_t process;
    bool assertion; /* an ENSURE of ours failed inside `process`, or it ran out of memory */
};
bool sim_get_finding(const struct sim *sim, struct sim_finding *finding);

/* ---- keyed draws for workloads and guests ---- */
uint64_t sim_draw(struct sim *sim, uint64_t kind, uint64_t who, uint64_t nth);

/* ---- saving: a copy of the whole world, valid in this run of this binary ---- */
struct sim_image;
struct sim_image *sim_save(const struct sim *sim);
void sim_load(struct sim *sim, const struct sim_image *image);
void sim_image_drop(struct sim_image *image);

#endif
