/* code.h - ZooKeeper's numbers: error codes, operations, watch events, permissions, create modes.
 *
 * Numbers that come from a peer or a file may be unlisted; such values travel as int32_t and only
 * become an enum after zk_op_known() or a comparison. Source: Apache KeeperException.Code, ZooDefs,
 * Watcher.Event, CreateMode. */
#ifndef TREE_CODE_H
#define TREE_CODE_H

#include <stdbool.h>
#include <stdint.h>

#define ZK_CODE_MAP(X)                    \
    X(OK, 0)                              \
    X(SYSTEMERROR, -1)                    \
    X(RUNTIMEINCONSISTENCY, -2)           \
    X(DATAINCONSISTENCY, -3)              \
    X(CONNECTIONLOSS, -4)                 \
    X(MARSHALLINGERROR, -5)               \
    X(UNIMPLEMENTED, -6)                  \
    X(OPERATIONTIMEOUT, -7)               \
    X(BADARGUMENTS, -8)                   \
    X(UNKNOWNSESSION, -12)                \
    X(NEWCONFIGNOQUORUM, -13)             \
    X(RECONFIGINPROGRESS, -14)            \
    X(APIERROR, -100)                     \
    X(NONODE, -101)                       \
    X(NOAUTH, -102)                       \
    X(BADVERSION, -103)                   \
    X(NOCHILDRENFOREPHEMERALS, -108)      \
    X(NODEEXISTS, -110)                   \
    X(NOTEMPTY, -111)                     \
    X(SESSIONEXPIRED, -112)               \
    X(INVALIDCALLBACK, -113)              \
    X(INVALIDACL, -114)                   \
    X(AUTHFAILED, -115)                   \
    X(SESSIONMOVED, -118)                 \
    X(NOTREADONLY, -119)                  \
    X(EPHEMERALONLOCALSESSION, -120)      \
    X(NOWATCHER, -121)                    \
    X(REQUESTTIMEOUT, -122)               \
    X(RECONFIGDISABLED, -123)             \
    X(SESSIONCLOSEDREQUIRESASLAUTH, -124) \
    X(QUOTAEXCEEDED, -125)                \
    X(THROTTLEDOP, -127)

enum zk_code {
#define X(name, number) ZK_##name = number,
    ZK_CODE_MAP(X)
#undef X
};

/* "NONODE" for -101; "UNKNOWN" for an unlisted number. */
const char *zk_code_name(int32_t code);

#define ZK_OP_MAP(X)                                        \
    X(NOTIFICATION, 0, "notification")                      \
    X(CREATE, 1, "create")                                  \
    X(DELETE, 2, "delete")                                  \
    X(EXISTS, 3, "exists")                                  \
    X(GET_DATA, 4, "getData")                               \
    X(SET_DATA, 5, "setData")                               \
    X(GET_ACL, 6, "getACL")                                 \
    X(SET_ACL, 7, "setACL")                                 \
    X(GET_CHILDREN, 8, "getChildren")                       \
    X(SYNC, 9, "sync")                                      \
    X(PING, 11, "ping")                                     \
    X(GET_CHILDREN2, 12, "getChildren2")                    \
    X(CHECK, 13, "check")                                   \
    X(MULTI, 14, "multi")                                   \
    X(CREATE2, 15, "create2")                               \
    X(RECONFIG, 16, "reconfig")                             \
    X(CHECK_WATCHES, 17, "checkWatches")                    \
    X(REMOVE_WATCHES, 18, "removeWatches")                  \
    X(CREATE_CONTAINER, 19, "createContainer")              \
    X(DELETE_CONTAINER, 20, "deleteContainer")              \
    X(CREATE_TTL, 21, "createTTL")                          \
    X(MULTI_READ, 22, "multiRead")                          \
    X(AUTH, 100, "auth")                                    \
    X(SET_WATCHES, 101, "setWatches")                       \
    X(SASL, 102, "sasl")                                    \
    X(GET_EPHEMERALS, 103, "getEphemerals")                 \
    X(GET_ALL_CHILDREN_NUMBER, 104, "getAllChildrenNumber") \
    X(SET_WATCHES2, 105, "setWatches2")                     \
    X(ADD_WATCH, 106, "addWatch")                           \
    X(WHO_AM_I, 107, "whoAmI")                              \
    X(CREATE_SESSION, -10, "createSession")                 \
    X(CLOSE_SESSION, -11, "closeSession")                   \
    X(ERROR, -1, "error")

enum zk_op {
#define X(name, number, text) OP_##name = number,
    ZK_OP_MAP(X)
#undef X
};

/* "create" for 1; "unknown" for an unlisted number. */
const char *zk_op_name(int32_t op);
bool zk_op_known(int32_t op);

/* Types of watch events as sent by a server; the negative and the removal types exist in clients
 * only. */
#define ZK_EVENT_MAP(X)                            \
    X(NONE, -1, "None")                            \
    X(CREATED, 1, "NodeCreated")                   \
    X(DELETED, 2, "NodeDeleted")                   \
    X(DATA_CHANGED, 3, "NodeDataChanged")          \
    X(CHILDREN_CHANGED, 4, "NodeChildrenChanged")  \
    X(DATA_WATCH_REMOVED, 5, "DataWatchRemoved")   \
    X(CHILD_WATCH_REMOVED, 6, "ChildWatchRemoved") \
    X(PERSISTENT_WATCH_REMOVED, 7, "PersistentWatchRemoved")

enum zk_event {
#define X(name, number, text) EVENT_##name = number,
    ZK_EVENT_MAP(X)
#undef X
};
const char *zk_event_name(int32_t event);

/* Permission bits of an ACL entry. */
enum zk_perm {
    PERM_READ = 1,
    PERM_WRITE = 2,
    PERM_CREATE = 4,
    PERM_DELETE = 8,
    PERM_ADMIN = 16,
    PERM_ALL = 31
};

/* The flags field of a create request. */
enum zk_mode {
    MODE_PERSISTENT = 0,
    MODE_EPHEMERAL = 1,
    MODE_PERSISTENT_SEQUENTIAL = 2,
    MODE_EPHEMERAL_SEQUENTIAL = 3,
    MODE_CONTAINER = 4,
    MODE_PERSISTENT_TTL = 5,
    MODE_PERSISTENT_SEQUENTIAL_TTL = 6
};

#endif
