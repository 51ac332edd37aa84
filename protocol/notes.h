/* notes.h - what servers and clients say of themselves, for checkers, timelines and logs.
 *
 * A note (FX_NOTE) changes nothing. It is always emitted; the live driver turns it into a log line,
 * the simulator gives it to its checkers. X(NAME, "word", "a", "b", "c", "bytes") names the meaning
 * of each field, "" = unused; printers use the table, so a new note needs no new code there. Fields
 * named zxid, epoch, session and hash print in hexadecimal. `hash` is hash_bytes(txn bytes, 0). */
#ifndef PROTOCOL_NOTES_H
#define PROTOCOL_NOTES_H

#define NOTE_MAP(X)                                                                                \
    /* election */                                                                                 \
    X(LOOKING, "looking", "round", "zxid", "epoch", "") /* own vote of a new round */              \
    X(VOTE, "votes", "leader", "zxid", "round_epoch",                                              \
      "why") /* changed its vote; c = round<<32 | peerEpoch */                                     \
    X(ELECTED, "elected", "leader", "round", "zxid", "why") /* this server's election ended */     \
    X(ROLE, "role", "role", "epoch", "", "")                /* enum server_role */                 \
    /* discovery and synchronisation */                                                            \
    X(EPOCH_NEW, "new-epoch", "epoch", "zxid", "", "")       /* leader fixed the epoch */          \
    X(EPOCH_ACCEPTED, "accepted-epoch", "epoch", "", "", "") /* durable acceptedEpoch */           \
    X(EPOCH_CURRENT, "current-epoch", "epoch", "", "", "")   /* durable currentEpoch */            \
    X(SYNC_CHOICE, "syncs", "learner", "mode", "zxid",                                             \
      "") /* leader: enum sync_mode, the learner's zxid */                                         \
    X(SYNC_DONE, "synced", "leader", "zxid", "epoch", "") /* learner acknowledged NEWLEADER */     \
    X(ESTABLISHED, "established", "epoch", "zxid", "learners",                                     \
      "") /* leader: a quorum acknowledged NEWLEADER */                                            \
    X(SERVING, "serving", "role", "epoch", "zxid", "")    /* clients are served from here */       \
    X(RETIRED, "retired", "role", "epoch", "zxid", "why") /* left its role */                      \
    X(READ_ONLY, "read-only", "zxid", "", "",                                                      \
      "") /* alone: reads are served from the last state */                                        \
    /* broadcast */                                                                                \
    X(PROPOSE, "proposes", "zxid", "hash", "session", "op")                                        \
    X(LOGGED, "logged", "zxid", "", "", "") /* everything up to zxid is durable here */            \
    X(ACK, "acks", "zxid", "", "", "")                                                             \
    X(COMMIT, "commits", "zxid", "hash", "", "") /* leader decided */                              \
    X(APPLY, "applies", "zxid", "hash", "digest", "")                                              \
    /* storage */                                                                                  \
    X(RECOVERED, "recovered", "zxid", "snapshot_zxid", "epoch", "")                                \
    X(TRUNCATED, "truncated", "zxid", "", "", "")                                                  \
    X(SNAPSHOT, "snapshot", "zxid", "bytes", "", "") /* durable */                                 \
    X(DISK_ERROR, "disk-error", "err", "", "", "file")                                             \
    /* sessions and watches at a server */                                                         \
    X(SESSION_OPENED, "session-opened", "session", "timeout", "zxid", "")                          \
    X(SESSION_EXPIRED, "session-expired", "session", "", "", "") /* leader decided */              \
    X(SESSION_CLOSED, "session-closed", "session", "ephemerals", "zxid", "")                       \
    X(SESSION_UPGRADED, "session-upgraded", "session", "timeout", "zxid",                          \
      "") /* a local one became global */                                                          \
    X(WATCH_FIRED, "watch-fired", "session", "type", "zxid", "path")                               \
    /* peers that misbehave */                                                                     \
    X(PEER_REFUSED, "peer-refused", "peer", "port", "", "why")                                     \
    /* clients */                                                                                  \
    X(CLIENT_STATE, "client", "state", "session", "", "server") /* enum client_state */            \
    X(INVOKE, "invokes", "tag", "op", "", "request")                                               \
    X(SENT, "sent", "tag", "xid", "session", "") /* a request leaves, under this xid */            \
    X(OK, "ok", "tag", "zxid", "op", "reply")                                                      \
    X(FAIL, "fails", "tag", "code", "op",                                                          \
      "why") /* certain: it did not happen (code: ZooKeeper error) */                              \
    X(UNKNOWN, "unknown", "tag", "code", "op", "why")  /* connection lost: it may have happened */ \
    X(EVENT, "event", "type", "zxid", "state", "path") /* a watch event reached the client */

enum note_kind {
    NOTE_NONE = 0,
#define X(name, word, a, b, c, bytes) NOTE_##name,
    NOTE_MAP(X)
#undef X
    NOTE_COUNT
};

enum server_role {
    ROLE_LOADING,
    ROLE_LOOKING,
    ROLE_FOLLOWING,
    ROLE_LEADING,
    ROLE_OBSERVING,
    ROLE_STANDALONE
};
enum sync_mode {
    SYNC_DIFF,
    SYNC_TRUNC,
    SYNC_SNAP
};
enum client_state {
    CLIENT_CONNECTING,
    CLIENT_CONNECTED,
    CLIENT_EXPIRED,
    CLIENT_CLOSED
};

#endif
