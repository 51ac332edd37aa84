/* metrics.h - what a server counts and measures while it works, for mntr, stat and exporters.
 *
 * One struct a server. Whoever has something to count holds a pointer to it, which may be NULL:
 * then nothing is counted. Counting is an addition or two, without allocation; times are those of
 * steps, so what happens within one step takes no time. Times are in ms, as Apache has them.
 *
 * The tables name every metric of Apache, in the order in which mntr prints them. X: counted here.
 * O: has no counterpart in this design (docs/admin.md says why) and stays 0; it is printed, so that
 * dashboards find it.
 *
 * Source: Apache ServerMetrics, ServerStats, AvgMinMaxCounter, AvgMinMaxPercentileCounter. */
#ifndef PROTOCOL_METRICS_H
#define PROTOCOL_METRICS_H

#include <stddef.h>

#include <stdbool.h>
#include <stdint.h>

/* Counters; the last METRIC_COUNTERS_39 came with 3.9. */
#define METRIC_COUNTERS_39 4u
#define METRIC_COUNTER_MAP(X, O)                                  \
    X(PROPOSALS, "proposal_count")                                \
    X(WATCH_BYTES, "watch_bytes")                                 \
    X(CHANGES_REMOVED, "outstanding_changes_removed")             \
    X(THROTTLED_OPS, "throttled_ops")                             \
    O("stale_requests_dropped")                                   \
    X(LARGE_REFUSED, "large_requests_rejected")                   \
    O("insecure_admin_count")                                     \
    X(CONNS_REJECTED, "connection_rejected")                      \
    X(CONNS_NOT_SERVING, "cnxn_closed_without_zk_server_running") \
    X(CONNS_EXPIRED, "sessionless_connections_expired")           \
    X(LOOKINGS, "looking_count")                                  \
    O("dead_watchers_queued")                                     \
    O("stale_requests")                                           \
    X(CONNS_DROPPED, "connection_drop_count")                     \
    X(PROPOSALS_RECEIVED, "learner_proposal_received_count")      \
    X(DIGEST_MISMATCHES, "digest_mismatches_count")               \
    O("dead_watchers_cleared")                                    \
    O("response_packet_cache_hits")                               \
    X(BYTES_RECEIVED, "bytes_received_count")                     \
    O("add_dead_watcher_stall_time")                              \
    X(THROTTLE_WAITS, "request_throttle_wait_count")              \
    O("requests_not_forwarded_to_commit_processor")               \
    O("response_packet_cache_misses")                             \
    O("ensemble_auth_success")                                    \
    X(REQUESTS_PREPARED, "prep_processor_request_queued")         \
    X(COMMITS_RECEIVED, "learner_commit_received_count")          \
    O("stale_replies")                                            \
    X(CONNECT_REQUESTS, "connection_request_count")               \
    X(RESPONSE_BYTES, "response_bytes")                           \
    O("ensemble_auth_fail")                                       \
    X(DIFFS, "diff_count")                                        \
    O("response_packet_get_children_cache_misses")                \
    X(CONNS_RENEWED, "connection_revalidate_count")               \
    O("quit_leading_due_to_disloyal_voter")                       \
    X(SNAPS, "snap_count")                                        \
    X(DISK_ERRORS, "unrecoverable_error_count")                   \
    O("unsuccessful_handshake")                                   \
    X(COMMITS, "commit_count")                                    \
    X(SESSIONS_EXPIRED, "stale_sessions_expired")                 \
    O("response_packet_get_children_cache_hits")                  \
    X(LOG_APPENDS, "sync_processor_request_queued")               \
    X(CHANGES_QUEUED, "outstanding_changes_queued")               \
    X(TXNS_APPLIED, "request_commit_queued")                      \
    O("ensemble_auth_skip")                                       \
    O("skip_learner_request_to_next_processor_count")             \
    O("tls_handshake_exceeded")                                   \
    X(REVALIDATIONS, "revalidate_count")                          \
    O("snapshot_error_count")                                     \
    O("snapshot_rate_limited_count")                              \
    O("restore_error_count")                                      \
    O("restore_rate_limited_count")

/* Summaries: average, least, greatest, count, sum; the last METRIC_SUMMARIES_39 came with 3.9. */
#define METRIC_SUMMARIES_39 1u
#define METRIC_SUMMARY_MAP(X, O)                             \
    O("socket_closing_time")                                 \
    O("proposal_process_time")                               \
    X(LEADER_UNAVAILABLE_MS, "leader_unavailable_time")      \
    X(WATCHES_CREATED, "node_created_watch_count")           \
    O("session_queues_drained")                              \
    O("write_commit_proc_req_queued")                        \
    O("connection_token_deficit")                            \
    O("read_commit_proc_req_queued")                         \
    X(WATCHES_DELETED, "node_deleted_watch_count")           \
    X(STARTUP_TXNS_MS, "startup_txns_load_time")             \
    X(LOG_QUEUE, "sync_processor_queue_size")                \
    X(FOLLOWER_SYNC_MS, "follower_sync_time")                \
    O("prep_processor_queue_size")                           \
    X(FSYNC_MS, "fsynctime")                                 \
    X(SNAPS_INFLIGHT, "inflight_snap_count")                 \
    O("reads_issued_from_session_queue")                     \
    O("learner_request_processor_queue_size")                \
    X(SNAPSHOT_MS, "snapshottime")                           \
    X(UNAVAILABLE_MS, "unavailable_time")                    \
    X(STARTUP_TXNS, "startup_txns_loaded")                   \
    O("reads_after_write_in_session_queue")                  \
    X(SESSION_QUEUE, "requests_in_session_queue")            \
    O("write_commit_proc_issued")                            \
    O("prep_process_time")                                   \
    O("pending_session_queue_size")                          \
    O("time_waiting_empty_pool_in_commit_processor_read_ms") \
    O("commit_process_time")                                 \
    X(LOAD_MS, "dbinittime")                                 \
    X(DIFFS_INFLIGHT, "inflight_diff_count")                 \
    O("netty_queued_buffer_capacity")                        \
    X(ELECTION_MS, "election_time")                          \
    O("commit_commit_proc_req_queued")                       \
    X(LOG_BATCH, "sync_processor_batch_size")                \
    X(WATCHES_CHILDREN, "node_children_watch_count")         \
    O("write_batch_time_in_commit_processor")                \
    O("read_commit_proc_issued")                             \
    O("concurrent_request_processing_in_commit_processor")   \
    X(OBSERVER_SYNC_MS, "observer_sync_time")                \
    X(WATCHES_CHANGED, "node_changed_watch_count")           \
    O("sync_process_time")                                   \
    X(STARTUP_SNAP_MS, "startup_snap_load_time")             \
    O("restore_time")

/* Spreads: a summary and percentiles, of times in ms. */
#define METRIC_SPREAD_MAP(X, O)                            \
    O("prep_processor_queue_time_ms")                      \
    O("jvm_pause_time_ms")                                 \
    O("close_session_prep_time")                           \
    O("read_commitproc_time_ms")                           \
    X(UPDATE_MS, "updatelatency")                          \
    O("local_write_committed_time_ms")                     \
    X(THROTTLE_MS, "request_throttle_queue_time_ms")       \
    X(READ_MS, "readlatency")                              \
    X(QUORUM_ACK_MS, "quorum_ack_latency")                 \
    O("om_commit_process_time_ms")                         \
    O("read_final_proc_time_ms")                           \
    X(COMMIT_PROPAGATION_MS, "commit_propagation_latency") \
    O("dead_watchers_cleaner_latency")                     \
    O("write_final_proc_time_ms")                          \
    X(ACK_CREATION_MS, "proposal_ack_creation_latency")    \
    X(PROPOSAL_MS, "proposal_latency")                     \
    O("om_proposal_process_time_ms")                       \
    O("sync_processor_queue_and_flush_time_ms")            \
    X(PROPAGATION_MS, "propagation_latency")               \
    O("server_write_committed_time_ms")                    \
    O("sync_processor_queue_time_ms")                      \
    X(LOG_FLUSH_MS, "sync_processor_queue_flush_time_ms")  \
    O("write_commitproc_time_ms")

#define METRIC_COUNTED(name, text) METRIC_##name,
#define METRIC_LEFT_OUT(text)
enum metric_counter {
    METRIC_COUNTER_MAP(METRIC_COUNTED, METRIC_LEFT_OUT) METRIC_COUNTERS
};
enum metric_summary_kind {
    METRIC_SUMMARY_MAP(METRIC_COUNTED, METRIC_LEFT_OUT) METRIC_SUMMARIES
};
enum metric_spread_kind {
    METRIC_SPREAD_MAP(METRIC_COUNTED, METRIC_LEFT_OUT) METRIC_SPREADS
};

struct metric_summary {
    uint64_t count, sum, min, max; /* min and max are 0 while count is */
};

/* How often which value came: exact below 8, then four steps to each doubling. */
#define METRIC_STEPS 80u
struct metric_spread {
    struct metric_summary summary;
    uint64_t steps[METRIC_STEPS];
};

/* Sizes in bytes; -1 before the first. */
struct metric_sizes {
    int64_t last, min, max;
};

struct metrics {
    uint64_t now_us; /* of the step */
    int64_t wall_ms;
    struct metric_summary latency; /* of all requests of clients, ms */
    uint64_t received, sent;       /* frames of clients; words count, too */
    uint64_t auth_failed;
    struct metric_sizes responses; /* replies and events, without the length in front */
    struct metric_sizes proposals; /* transactions proposed by this leader */
    uint64_t counters[METRIC_COUNTERS];
    struct metric_summary summaries[METRIC_SUMMARIES];
    struct metric_spread spreads[METRIC_SPREADS];
};

/* Everything as at the start; the clocks stay. */
void metrics_reset(struct metrics *metrics);

static inline void metric_summary_add(struct metric_summary *summary, uint64_t value)
{
    if (summary->count == 0 || value < summary->min) {
        summary->min = value;
    }
    if (value > summary->max) {
        summary->max = value;
    }
    summary->count += 1;
    summary->sum += value;
}

static inline void metric_sizes_add(struct metric_sizes *sizes, int64_t bytes)
{
    sizes->last = bytes;
    if (sizes->min < 0 || bytes < sizes->min) {
        sizes->min = bytes;
    }
    if (bytes > sizes->max) {
        sizes->max = bytes;
    }
}

static inline void metrics_count(struct metrics *metrics, enum metric_counter which, uint64_t more)
{
    if (metrics != NULL) {
        metrics->counters[which] += more;
    }
}

static inline void metrics_add(struct metrics *metrics, enum metric_summary_kind which,
                               uint64_t value)
{
    if (metrics != NULL) {
        metric_summary_add(&metrics->summaries[which], value);
    }
}

/* The step of a value. */
uint32_t metric_step(uint64_t value);
/* The least value of a step. */
uint64_t metric_step_value(uint32_t step);

static inline void metrics_spread(struct metrics *metrics, enum metric_spread_kind which,
                                  uint64_t ms)
{
    if (metrics != NULL) {
        struct metric_spread *spread = &metrics->spreads[which];

        metric_summary_add(&spread->summary, ms);
        spread->steps[ms < 8 ? ms : metric_step(ms)] += 1;
    }
}

/* The same for a time since `wall_ms` on the wall clocks of two servers, which may disagree: what
 * lies in the future is not counted. Source: Apache Request.logLatency. */
static inline void metrics_spread_since(struct metrics *metrics, enum metric_spread_kind which,
                                        int64_t wall_ms)
{
    if (metrics != NULL && metrics->wall_ms >= wall_ms) {
        metrics_spread(metrics, which, (uint64_t)metrics->wall_ms - (uint64_t)wall_ms);
    }
}

/* Now, on the clock of deadlines; 0 without metrics. */
static inline uint64_t metrics_now_us(const struct metrics *metrics)
{
    return metrics != NULL ? metrics->now_us : 0;
}

/* Whole ms from `from_us` (a metrics_now_us) until now. */
static inline uint64_t metrics_ms_since(const struct metrics *metrics, uint64_t from_us)
{
    return metrics != NULL && metrics->now_us > from_us ? (metrics->now_us - from_us) / 1000u : 0;
}

/* The value that `per_mille` of all are not above, to within a quarter; 0 when there is none. */
uint64_t metric_spread_percentile(const struct metric_spread *spread, uint32_t per_mille);
/* The average in ten-thousandths, rounded half up; 0 when there is none. */
uint64_t metric_summary_average(const struct metric_summary *summary);

/* One entry of the tables above. */
struct metric_name {
    const char *text;
    int32_t index; /* of the enum; -1: always 0 */
};
/* The n-th of a table in the order of mntr; NULL at the end. */
const struct metric_name *metric_counter_name(uint32_t n);
const struct metric_name *metric_summary_name(uint32_t n);
const struct metric_name *metric_spread_name(uint32_t n);

#endif
