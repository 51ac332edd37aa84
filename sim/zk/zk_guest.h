/* zk_guest.h - what the files of the ZooKeeper guest share: what is known of a run.
 *
 *   zk_guest.c       options, building, the table of the guest
 *   zk_codec_*.c     records of the three ports; zk_words.c their names
 *   zk_history.c     set-up lines that write log files, snapshots and epochs
 *   zk_note.c        where notes and other events go: the story first, then what follows
 *   zk_servers.c     roles, epochs and disks of servers; checks of leadership and recovery
 *   zk_txns.c        proposals, commits, applies; checks of agreement and durability
 *   zk_clients.c     sessions and operations; checks of what clients see
 *   zk_watches.c     watches left and events had
 *   zk_story.c       the timeline in words
 *   zk_roles.c, zk_verbs.c, zk_conditions.c, zk_asks.c   words of scenario files
 *
 * All of it looks on from outside. What a server says of itself (notes) is compared with what it
 * said before, with what others said, and with what lies open in its memory (server_get_view). */
#ifndef SIM_ZK_ZK_GUEST_H
#define SIM_ZK_ZK_GUEST_H

#include "protocol/config.h"
#include "protocol/notes.h"
#include "protocol/server.h"
#include "sim/zk/zk_ledger.h"
#include "sim/zk/zookeeper.h"
#include "tree/stat.h"

#define ZK_SERVERS_MAX 64u
#define ZK_CONFIG_MAX  8192u /* bytes of one zoo.cfg */
#define ZK_WORDS_MAX   400u  /* bytes of one line of the timeline */

enum zk_option {
    ZK_OPTION_VOTERS,
    ZK_OPTION_OBSERVERS,
    ZK_OPTION_TICK,
    ZK_OPTION_INIT,
    ZK_OPTION_SYNC,
    ZK_OPTION_SNAPCOUNT,
    ZK_OPTION_COMMITLOG,
    ZK_OPTION_CONFIG,
    ZK_OPTIONS
};
enum zk_client_option {
    ZK_CLIENT_SERVERS,
    ZK_CLIENT_TIMEOUT,
    ZK_CLIENT_ORDER,
    ZK_CLIENT_REOPEN,
    ZK_CLIENT_READONLY,
    ZK_CLIENT_OPTIONS
};

/* States that colour the lanes of the plot, and that `s1 is leading` asks for. */
enum zk_lane {
    ZK_LANE_LOADING,
    ZK_LANE_LOOKING,
    ZK_LANE_SYNCING,   /* a follower or observer that does not serve yet */
    ZK_LANE_FOLLOWING, /* serves */
    ZK_LANE_PREPARING, /* elected, not established yet */
    ZK_LANE_LEADING,   /* serves */
    ZK_LANE_OBSERVING, /* serves */
    ZK_LANE_STANDALONE,
    ZK_LANE_READ_ONLY, /* looks for a leader, and serves reads alone */
    ZK_LANE_CONNECTING,
    ZK_LANE_CONNECTED,
    ZK_LANE_EXPIRED,
    ZK_LANE_CLOSED,
    ZK_LANES
};

/* Checks that are always on: X(NAME, "name", "promise"). Codes are those of docs/invariants. */
#define ZK_CHECK_MAP(X)                                                                           \
    X(ONE_LEADER, "one-leader",                                                                   \
      "an epoch has one leader, and only it proposes in it (EP-1, EP-10)")                        \
    X(EPOCHS, "epochs",                                                                           \
      "durable epochs never go back, accepted is never below current, a quorum has accepted "     \
      "before a leader goes on (EP-3 to 5, EP-8)")                                                \
    X(VOTE_TRUTH, "vote-truth",                                                                   \
      "a first vote offers what is on disk, neither more nor less (EP-13)")                       \
    X(AGREEMENT, "agreement",                                                                     \
      "a zxid names one transaction, everywhere and for ever (ZA-7, ZA-8)")                       \
    X(PREFIX, "prefix",                                                                           \
      "servers apply in order, without gaps; who serves applies nothing uncommitted (ZA-1 to 5)") \
    X(DIGEST, "digest", "trees at one zxid have one digest, also after recovery (DT-10, ST-6)")   \
    X(ACK_DURABLE, "ack-durable", "what is acknowledged to a leader is on disk (ZA-11, EP-11)")   \
    X(RECOVERY, "recovery",                                                                       \
      "a restart brings back everything that was acknowledged (ST-4, ZA-11)")                     \
    X(COMMIT_DURABLE, "commit-durable",                                                           \
      "a commit, and the history of a new epoch, is on the disks of a quorum (ZA-15, EP-8)")      \
    X(COMMITTED_KEPT, "committed-kept",                                                           \
      "what was committed is in every later leader, and never leaves a quorum (ZA-9, 10, 14)")    \
    X(ACKNOWLEDGED, "acknowledged",                                                               \
      "a write that a client was told of is committed under the zxid that it was told (CL-6)")    \
    X(SYNC_CHOICE, "sync-choice", "DIFF only to who has a part of the leader's history (ST-14)")  \
    X(SESSION_ORDER, "session-order",                                                             \
      "a session never sees an older state than before (CL-3, CL-4)")                             \
    X(WATCH_ORDER, "watch-order",                                                                 \
      "a watch event comes before any reply of the new state, and does come (WA-1, WA-3)")        \
    X(WATCH_ONCE, "watch-once", "a watch fires at most once (WA-2)")                              \
    X(SESSION_END, "session-end", "nothing of a session is committed after its close (SE-3)")     \
    X(EPHEMERALS, "ephemerals", "ephemerals are there exactly as long as their session (SE-4)")

enum zk_check {
#define X(name, text, help) ZK_CHECK_##name,
    ZK_CHECK_MAP(X)
#undef X
    ZK_CHECKS
};

struct zk_server {
    uint64_t bit; /* in quorums; 0 for observers */
    enum server_role role;
    bool serving;
    bool read_only;      /* since it looks for a leader */
    bool syncing;        /* a learner from its role on until it acknowledged NEWLEADER */
    bool synced;         /* the leader has chosen how: */
    enum sync_mode mode; /* of the last time */
    int64_t synced_from; /* its zxid before */
    int64_t votes_for;   /* id, 0 none yet */
    int64_t follows;     /* id of the leader it elected, 0 none */
    uint32_t round;
    int64_t accepted, current; /* epochs on disk; after a kill perhaps not durable yet: */
    int64_t accepted_durable, current_durable;
    int64_t durable;        /* last zxid on disk */
    int64_t durable_before; /* ... before the last note about it */
    int64_t promised;       /* last zxid that a restart must bring back */
    int64_t acked, acked_before;
    int64_t applied; /* last zxid in the tree; -1 unknown */
};

/* A watch event that a server sent and the client has not had yet. */
struct zk_fire {
    int64_t session, zxid;
    struct span path;
    int32_t type;
};
/* A one-shot watch of a client. */
enum zk_watch {
    ZK_WATCH_DATA = 1,
    ZK_WATCH_EXIST = 2,
    ZK_WATCH_CHILD = 4
};
struct zk_armed {
    struct span path;
    uint32_t kinds;
    int64_t mzxid;     /* ZK_WATCH_DATA: of the node when the watch was left */
    uint64_t children; /* ZK_WATCH_CHILD: hash of the names then */
    bool doubtful;     /* what the read showed may never have been committed */
};
/* A watch event that a client has had. */
struct zk_heard {
    struct span path;
    int32_t type;
    int64_t zxid;
};

struct zk_client {
    uint32_t process;
    enum client_state state;
    int64_t session;   /* 0 none yet */
    uint32_t server;   /* process it is connected to, or was last; SIM_NONE */
    int64_t seen_zxid; /* greatest one in this session */
    uint64_t *tags;    /* by xid */
    uint32_t tag_room;
    struct zk_fire *fires;
    uint32_t fire_count, fire_room;
    struct zk_armed *armed;
    uint32_t armed_count, armed_room;
    struct zk_heard *heard;
    uint32_t heard_count, heard_room;
};

/* An ephemeral that a client knows to exist. */
struct zk_ephemeral {
    uint64_t tag; /* of its create */
    struct span path;
    bool contested; /* somebody asks to delete it, or to create it again: its fate says nothing */
};

struct zk_session {
    int64_t id;
    uint32_t client;     /* index in clients; SIM_NONE: of nobody we know */
    int64_t closed_zxid; /* committed closeSession; 0 while open */
    bool expired;        /* by a leader */
    bool read_only;      /* made up by a server that may show what is not committed */
};

/* What a client asked for, and what came back. */
struct zk_ask {
    int32_t op;      /* of enum zk_op or client_op; 0: not ours */
    uint32_t client; /* index */
    struct span path;
    int32_t flags; /* of create */
    bool watch;
    bool answered;
    bool is_write;
    int32_t code;
    int64_t session, zxid;
    int32_t xid;
    struct span result; /* data, names, created path */
    struct zk_stat stat;
    bool has_stat;
};

struct zk_run {
    struct guest_run *run;
    struct config config; /* of s1 */
    bool standalone;
    uint32_t server_count, voter_count;
    struct zk_server *servers; /* processes 0.. are s1, s2, ... with ids 1, 2, ... */
    struct zk_client *clients; /* processes behind them */
    uint32_t client_count, client_room;
    struct zk_session *sessions;
    uint32_t session_count, session_room;
    struct zk_ask *ops; /* by tag */
    uint32_t op_room;
    struct zk_ephemeral *ephemerals;
    uint32_t ephemeral_count, ephemeral_room;
    struct zk_ledger ledger;
    int64_t epoch;          /* newest established one; 0 none yet */
    uint32_t leader;        /* its leader's process, whatever became of it; SIM_NONE */
    uint32_t leader_before; /* another server that led before it; SIM_NONE */
    bool failed;            /* a check has found something */
};

/* ---- small things: zk_note.c ---- */
static inline bool zk_is_server(const struct zk_run *zk, uint32_t process)
{
    return process < zk->server_count;
}
/* The process with a server id, or SIM_NONE. */
uint32_t zk_process(const struct zk_run *zk, int64_t sid);
/* False when it is down. */
bool zk_view(const struct zk_run *zk, uint32_t process, struct server_view *view);
bool zk_has_quorum(const struct zk_run *zk, uint64_t bits);
/* An array of run->mem with room for one more item; false when memory ran out. */
bool zk_reserve(struct zk_run *zk, void *array, uint32_t *room, uint32_t count, size_t item);
struct span zk_copy(struct zk_run *zk, struct span span);
/* "1:8": epoch and counter. */
void zk_text_zxid(struct text *text, int64_t zxid);
void zk_text_server(const struct zk_run *zk, struct text *text, int64_t sid);
/* "0x1000a3" and "(c1)" when it is one of ours. */
void zk_text_session(const struct zk_run *zk, struct text *text, int64_t session);
/* A check found something; `text` says what. Only the first one counts. */
void zk_fail(struct zk_run *zk, enum zk_check check, const struct text *text);

/* ---- notes ---- */
bool zk_run_init(struct zk_run *zk);
void zk_note(struct guest_run *run, const struct sim_event *event);
enum sim_verdict zk_tap(struct guest_run *run, const struct sim_event *event);
void zk_finish(struct guest_run *run);
bool zk_about(struct guest_run *run, const struct sim_event *event, const struct guest_op *op);

/* zk_servers.c */
void zk_servers_note(struct zk_run *zk, const struct sim_event *event);
void zk_servers_started(struct zk_run *zk, uint32_t process);
void zk_servers_down(struct zk_run *zk, uint32_t process);
/* zk_txns.c */
void zk_txns_note(struct zk_run *zk, const struct sim_event *event);
/* The disk of a server holds a history that ends with `zxid`: can what is committed still be lost?
 */
void zk_txns_check_kept(struct zk_run *zk, uint32_t process);
/* The tree of a server as it is now. */
void zk_txns_check_tree(struct zk_run *zk, uint32_t process, const struct server_view *view);
/* Everything up to `zxid` is committed. */
void zk_txns_commit_history(struct zk_run *zk, int64_t zxid);
/* zk_clients.c */
void zk_clients_note(struct zk_run *zk, const struct sim_event *event);
void zk_clients_answer(struct zk_run *zk, const struct sim_event *event);
/* A transaction is committed: sessions open and close by it. */
void zk_clients_committed(struct zk_run *zk, const struct zk_txn *txn);
/* Sessions and ephemerals in the tree of a server. */
void zk_clients_check_tree(struct zk_run *zk, uint32_t process, const struct server_view *view);
struct zk_client *zk_client_of(const struct zk_run *zk, uint32_t process);
struct zk_session *zk_session_find(const struct zk_run *zk, int64_t session);
struct zk_ask *zk_op_of(const struct zk_run *zk, uint64_t tag);
/* Keep a new operation; false: no memory. */
bool zk_op_put(struct zk_run *zk, uint64_t tag, const struct zk_ask *op);
/* zk_watches.c */
void zk_watches_fired(struct zk_run *zk, uint32_t process, const struct effect *effect);
void zk_watches_heard(struct zk_run *zk, struct zk_client *client, const struct effect *effect);
/* A reply that shows a state must come after the watch events that tell of it. */
void zk_watches_check_reply(struct zk_run *zk, const struct zk_client *client, int64_t zxid);
/* An operation is answered: what it shows must have been told, and it may have left a watch. */
void zk_watches_answer(struct zk_run *zk, const struct zk_ask *op);
/* zk_story.c: before anything else of the note is done */
void zk_story_note(struct zk_run *zk, const struct sim_event *event);

#endif
