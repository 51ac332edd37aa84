/* config.h - a zoo.cfg as typed fields, and every limit of the server.
 *
 * Three tables declare each key once: its field, default, range. A key that no table knows is kept
 * as text, in file order. Keys that Apache takes as system properties are named as in its
 * documents, with or without "zookeeper." in front. Keys of our own begin with "terrarium."; all
 * limits of the server are among them. A text alone decides: nothing here reads a file, so the id
 * of a server comes from a key of its own, `myid`, which the simulator uses, or from config_set_id.
 * Source: Apache QuorumPeerConfig and the classes named in docs/configuration.md. */
#ifndef PROTOCOL_CONFIG_H
#define PROTOCOL_CONFIG_H

#include "protocol/quorum.h"

/* X(field, "key", default, least, most); times in the unit of the name. */
#define CONFIG_NUMBER_MAP(X)                                                                     \
    /* time */                                                                                   \
    X(tick_ms, "tickTime", 3000, 1, 3600000)                                                     \
    X(init_ticks, "initLimit", 0, 0, 1000000)                                                    \
    X(sync_ticks, "syncLimit", 0, 0, 1000000)                                                    \
    X(connect_ticks, "connectToLearnerMasterLimit", 0, 0, 1000000) /* 0: initLimit */            \
    X(min_session_ms, "minSessionTimeout", -1, -1, INT32_MAX)      /* resolved: 2 ticks */       \
    X(max_session_ms, "maxSessionTimeout", -1, -1, INT32_MAX)      /* resolved: 20 ticks */      \
    /* ports */                                                                                  \
    X(client_port, "clientPort", 0, 0, 65535) /* 0: none */                                      \
    X(secure_client_port, "secureClientPort", 0, 0, 65535)                                       \
    X(observer_master_port, "observerMasterPort", 0, 0, 65535)                                   \
    X(client_backlog, "clientPortListenBacklog", -1, -1, 65535)                                  \
    X(client_conns_per_host_max, "maxClientCnxns", 60, 0, INT32_MAX) /* 0: no limit */           \
    X(conns_max, "maxCnxns", 0, 0, INT32_MAX)                        /* 0: no limit but ours */  \
    X(sessionless_conn_ms, "nio.sessionlessCnxnTimeout", 10000, 1, INT32_MAX)                    \
    /* election */                                                                               \
    X(election_algorithm, "electionAlg", 3, 3, 3)                                                \
    X(connect_ms, "cnxTimeout", 5000, 1, INT32_MAX)                                              \
    X(election_opening_ms, "quorumCnxnTimeoutMs", -1, -1,                                        \
      INT32_MAX) /* <= 0: tickTime*syncLimit */                                                  \
    X(election_bind_tries, "electionPortBindRetry", 3, 0, INT32_MAX) /* 0: for ever */           \
    X(notification_min_ms, "fastleader.minNotificationInterval", 200, 1, INT32_MAX)              \
    X(notification_max_ms, "fastleader.maxNotificationInterval", 60000, 1, INT32_MAX)            \
    X(leader_epoch_wait_ms, "leader.maxTimeToWaitForEpoch", -1, -1, INT32_MAX)                   \
    X(leader_connect_delay_ms, "leaderConnectDelayDuringRetryMs", 100, 0, INT32_MAX)             \
    X(observer_reconnect_ms, "observer.reconnectDelayMs", 0, 0, INT32_MAX)                       \
    X(observer_election_ms, "observer.election.DelayMs", 200, 0, INT32_MAX)                      \
    X(quorum_cnxn_threads, "quorum.cnxn.threads.size", 20, 1, INT32_MAX)                         \
    X(reachability_check_ms, "multiAddress.reachabilityCheckTimeoutMs", 1000, 1, INT32_MAX)      \
    /* broadcast and synchronisation */                                                          \
    X(outstanding_max, "globalOutstandingLimit", 1000, 1, INT32_MAX)                             \
    X(commit_log_count, "commitLogCount", 500, 1, 1000000)                                       \
    X(snap_syncs_max, "leader.maxConcurrentSnapSyncs", 10, 1, INT32_MAX)                         \
    X(diff_syncs_max, "leader.maxConcurrentDiffSyncs", 100, 1, INT32_MAX)                        \
    X(observer_master_bytes, "observerMaster.sizeLimit", 33554432, 1, INT64_MAX)                 \
    X(batch_max, "maxBatchSize", 1000, 1, INT32_MAX)                                             \
    X(flush_delay_ms, "flushDelay", 0, 0, INT32_MAX)                                             \
    X(write_queue_poll_ms, "maxWriteQueuePollTime", -1, -1, INT32_MAX)                           \
    /* storage */                                                                                \
    X(snap_count, "snapCount", 100000, 2, INT64_MAX)                                             \
    X(snap_size_kib, "snapSizeLimitInKb", 4194304, INT64_MIN, INT64_MAX) /* <= 0: off */         \
    X(prealloc_kib, "preAllocSize", 65536, 0, 4194304)                                           \
    X(log_size_kib, "txnLogSizeLimitInKb", -1, -1, INT64_MAX)                                    \
    X(sync_warning_ms, "fsync.warningthresholdms", 1000, 0, INT64_MAX)                           \
    X(purge_retain, "autopurge.snapRetainCount", 3, 1, INT32_MAX) /* raised to 3 */              \
    X(purge_hours, "autopurge.purgeInterval", 0, 0, INT32_MAX)                                   \
    /* requests */                                                                               \
    X(frame_max, "jute.maxbuffer", 1048575, 1024, INT32_MAX)                                     \
    X(frame_extra, "jute.maxbuffer.extrasize", -1, -1, INT32_MAX) /* resolved: frame_max */      \
    X(throttle_requests, "request_throttle_max_requests", 0, 0, INT32_MAX)                       \
    X(throttle_stall_ms, "request_throttle_stall_time", 100, 0, INT32_MAX)                       \
    X(throttled_op_wait_ms, "throttled_op_wait_time", 0, 0, INT32_MAX)                           \
    X(large_request_bytes, "largeRequestThreshold", -1, -1, INT32_MAX)                           \
    X(large_requests_bytes, "largeRequestMaxBytes", 104857600, 1, INT32_MAX)                     \
    X(container_check_ms, "znode.container.checkIntervalMs", 60000, 1, INT32_MAX)                \
    X(container_per_minute, "znode.container.maxPerMinute", 10000, 1, INT32_MAX)                 \
    X(container_unused_ms, "znode.container.maxNeverUsedIntervalMs", 0, 0, INT64_MAX)            \
    X(response_cache, "maxResponseCacheSize", 400, 0, INT32_MAX)                                 \
    X(children_cache, "maxGetChildrenResponseCacheSize", 400, 0, INT32_MAX)                      \
    /* administration */                                                                         \
    X(admin_port, "admin.serverPort", 8080, 0, 65535)                                            \
    X(admin_idle_ms, "admin.idleTimeout", 30000, 0, INT32_MAX)                                   \
    X(metrics_port, "metricsProvider.httpPort", 7000, 0, 65535)                                  \
    X(pause_warn_ms, "jvm.pause.warn-threshold.ms", 10000, 0, INT64_MAX)                         \
    X(pause_info_ms, "jvm.pause.info-threshold.ms", 1000, 0, INT64_MAX)                          \
    X(pause_sleep_ms, "jvm.pause.sleep.time.ms", 500, 1, INT64_MAX)                              \
    /* limits of our own */                                                                      \
    X(accepted_max, "terrarium.maxConnections", 10000, 1, 1000000)                               \
    X(sessions_max, "terrarium.maxSessions", 1000000, 1, 100000000)                              \
    X(learners_max, "terrarium.maxLearners", 256, 1, 65536)                                      \
    X(session_requests_max, "terrarium.maxSessionRequests", 1000, 1, 1000000)                    \
    X(send_queue_bytes, "terrarium.sendQueueBytes", 1048576, 65536, 1073741824) /* then pause */ \
    X(send_limit_bytes, "terrarium.sendLimitBytes", 268435456, 1048576,                          \
      INT64_MAX)                                                           /* then close */      \
    X(history_bytes, "terrarium.historyBytes", 67108864, 65536, INT64_MAX) /* commit log */      \
    X(proposals_max, "terrarium.maxProposals", 16384, 1, 1000000)          /* in flight */       \
    X(watches_max, "terrarium.maxWatches", 10000000, 1, INT64_MAX)                               \
    X(nodes_max, "terrarium.maxNodes", 100000000, 1, INT64_MAX)                                  \
    X(step_bytes, "terrarium.stepBytes", 65536, 4096, 16777216) /* of long jobs, a step */       \
    X(silence_ms, "terrarium.electionSilenceMs", 5000, 100, INT32_MAX)                           \
    X(settle_ms, "terrarium.electionSettleMs", 200, 0, 60000)

/* X(field, "key", default); true/false, or yes/no where Apache writes so. */
#define CONFIG_FLAG_MAP(X)                                               \
    X(listen_on_all, "quorumListenOnAllIPs", false)                      \
    X(sync_enabled, "syncEnabled", true)                                 \
    X(standalone_enabled, "standaloneEnabled", true)                     \
    X(reconfig_enabled, "reconfigEnabled", false)                        \
    X(local_sessions, "localSessionsEnabled", false)                     \
    X(local_sessions_upgrade, "localSessionsUpgradingEnabled", false)    \
    X(ssl_quorum, "sslQuorum", false)                                    \
    X(ssl_quorum_reload, "sslQuorumReloadCertFiles", false)              \
    X(port_unification, "portUnification", false)                        \
    X(sasl_enabled, "quorum.auth.enableSasl", false)                     \
    X(sasl_learner_required, "quorum.auth.learnerRequireSasl", false)    \
    X(sasl_server_required, "quorum.auth.serverRequireSasl", false)      \
    X(multi_address, "multiAddress.enabled", false)                      \
    X(reachability_check, "multiAddress.reachabilityCheckEnabled", true) \
    X(pause_monitor, "jvm.pause.monitor", false)                         \
    X(force_sync, "forceSync", true)                                     \
    X(leader_serves, "leaderServes", true)                               \
    X(skip_acl, "skipACL", false)                                        \
    X(eager_acl, "enableEagerACLCheck", false)                           \
    X(enforce_quota, "enforceQuota", false)                              \
    X(extended_types, "extendedTypesEnabled", false)                     \
    X(emulate_353_ttl, "emulate353TTLNodes", false)                      \
    X(digest_enabled, "digest.enabled", true)                            \
    X(close_session_txn, "closeSessionTxn.enabled", true)                \
    X(serialize_last_zxid, "serializeLastProcessedZxid.enabled", true)   \
    X(trust_empty_snapshot, "snapshot.trust.empty", false)               \
    X(create_directories, "datadir.autocreate", true)                    \
    X(create_database, "db.autocreate", true)                            \
    X(force_snapshot_sync, "forceSnapshotSync", false)                   \
    X(read_only_enabled, "readonlymode.enabled", false)                  \
    X(client_keep_alive, "clientTcpKeepAlive", false)                    \
    X(quorum_keep_alive, "tcpKeepAlive", false)                          \
    X(learner_async, "learner.asyncSending", false)                      \
    X(learner_close_async, "learner.closeSocketAsync", false)            \
    X(leader_close_async, "leader.closeSocketAsync", false)              \
    X(digest_auth_enabled, "DigestAuthenticationProvider.enabled", true) \
    X(require_client_sasl, "sessionRequireClientSASLAuth", false)        \
    X(enforce_auth, "enforce.auth.enabled", false)                       \
    X(allow_failed_sasl, "allowSaslFailedClients", false)                \
    X(throttle_drop_stale, "request_throttle_drop_stale", true)          \
    X(admin_enabled, "admin.enableServer", true)                         \
    X(audit_enabled, "audit.enable", false)

/* X(field, "key", "default") */
#define CONFIG_TEXT_MAP(X)                                                           \
    X(data_dir, "dataDir", "")                                                       \
    X(log_dir, "dataLogDir", "") /* resolved: dataDir */                             \
    X(client_address, "clientPortAddress", "")                                       \
    X(secure_client_address, "secureClientPortAddress", "")                          \
    X(dynamic_file, "dynamicConfigFile", "")                                         \
    X(oracle_path, "oraclePath", "")                                                 \
    X(four_letter_words, "4lw.commands.whitelist", "srvr")                           \
    X(snapshot_compression, "snapshot.compression.method", "")                       \
    X(sasl_learner_context, "quorum.auth.learner.saslLoginContext", "QuorumLearner") \
    X(sasl_server_context, "quorum.auth.server.saslLoginContext", "QuorumServer")    \
    X(sasl_principal, "quorum.auth.kerberos.servicePrincipal", "zkquorum/localhost") \
    X(super_digest, "DigestAuthenticationProvider.superDigest", "")                  \
    X(digest_algorithm, "DigestAuthenticationProvider.digestAlg", "SHA1")            \
    X(x509_super_user, "X509AuthenticationProvider.superUser", "")                   \
    X(super_user, "superUser", "")                                                   \
    X(enforced_auth_schemes, "enforce.auth.schemes", "")                             \
    X(admin_address, "admin.serverAddress", "0.0.0.0")                               \
    X(admin_url, "admin.commandURL", "/commands")                                    \
    X(metrics_class, "metricsProvider.className", "")                                \
    X(metrics_host, "metricsProvider.httpHost", "0.0.0.0")

/* Decimal fractions between 0 and 1, as parts per million; above 1 counts as the default, below 0
 * is kept negative (off). X(field, "key", default in ppm) */
#define CONFIG_RATIO_MAP(X) X(snapshot_size_ppm, "snapshotSizeFactor", 330000)

#define CONFIG_TEXT_MAX  65536u /* bytes of a whole zoo.cfg */
#define CONFIG_KEYS_MAX  1024u  /* pairs kept as text */
#define CONFIG_VALUE_MAX 8192u  /* bytes of one value */

enum config_compat {
    CONFIG_COMPAT_38,
    CONFIG_COMPAT_39
};

/* A pair that no table knows. */
struct config_pair {
    struct span key;
    struct span value;
    uint32_t line;
};

struct config {
    struct mem *mem;
#define X(field, key, initial, least, most) int64_t field;
    CONFIG_NUMBER_MAP(X)
#undef X
#define X(field, key, initial) bool field;
    CONFIG_FLAG_MAP(X)
#undef X
#define X(field, key, initial) struct span field;
    CONFIG_TEXT_MAP(X)
#undef X
#define X(field, key, initial) int64_t field;
    CONFIG_RATIO_MAP(X)
#undef X
    enum config_compat compat;  /* terrarium.compat, default 3.9 */
    enum member_role peer_type; /* as written; the own server line wins */
    bool has_peer_type;
    bool has_membership;          /* server lines were there */
    bool standalone;              /* server lines, if any, are not used */
    int64_t own_id;               /* -1 until known */
    struct membership membership; /* empty when there are no server lines */
    uint32_t other_count;
    struct config_pair *others;
    uint8_t *text; /* what the spans lie in */
    size_t text_size;
};

/* Parse a zoo.cfg and check what can be checked without knowing the machine.
 *
 * Errors: ERR_FORMAT, ERR_RANGE, ERR_LONG, ERR_MISSING (a required key), ERR_MEMORY; *error then
 * says where and why, and `config` is untouched. */
enum err config_parse(struct config *config, struct mem *mem, struct span text,
                      struct config_error *error);
void config_drop(struct config *config);
/* The id from the file `myid`: one number, blanks around it allowed. Then, or when the key gave it,
 * config_check says whether this server can run: own id listed, limits given.
 * Errors: ERR_FORMAT, ERR_RANGE, ERR_MISSING. */
enum err config_set_id(struct config *config, struct span myid, struct config_error *error);
enum err config_check(const struct config *config, struct config_error *error);

/* Take the membership from the text of the dynamic file, whose name gave `version`.
 * Errors: as config_parse; the configuration cannot be used then. */
enum err config_set_membership(struct config *config, struct span text, uint64_t version,
                               struct config_error *error);

/* The own server line, or NULL when standalone. */
const struct member *config_own(const struct config *config);
/* Where clients are served: "host:port" from the own server line, else from clientPort; written to
 * `out`. Empty when there is no client port. */
void config_client_address(const struct config *config, struct text *out);
/* The value of a pair that no table knows; an empty span when absent. */
struct span config_other(const struct config *config, const char *key);
/* Milliseconds of a field above (>= 0) in the unit of clocks and deadlines. */
static inline uint64_t config_us(int64_t ms)
{
    return (uint64_t)ms * 1000u;
}

#endif
