/* help_cluster.h - election machines and a mailbox cranked by hand.
 *
 * Mail of one pair of servers arrives in order, as on a connection, and a server that comes up gets
 * the last letter of each other again, as peers does on a new connection; the order between pairs,
 * delays and losses are the test's. What a server tells itself never passes here. */
#ifndef TESTS_PROTOCOL_HELP_CLUSTER_H
#define TESTS_PROTOCOL_HELP_CLUSTER_H

#include "base/rand.h"
#include "protocol/election.h"

#define CLUSTER_MAX 9u /* servers; their ids are 1.. */
#define MAIL_MAX    4096u

struct mail {
    uint64_t due_us;
    uint64_t sequence;
    uint32_t from, to;
    struct wire_vote notice;
};

struct cluster_server {
    bool up;
    bool looking; /* as the test sees it: no result was taken since the last start */
    struct election election;
    struct vote own; /* what it votes for itself */
    struct vote result;
    uint32_t results; /* how many elections it finished */
    uint64_t result_us;
};

struct cluster {
    struct mem_heap heap;
    struct fx fx;
    struct membership membership;
    struct ensemble ensemble;
    uint32_t count;
    struct cluster_server servers[CLUSTER_MAX + 1]; /* by id */
    uint64_t now_us;
    struct mail mail[MAIL_MAX];
    uint32_t mail_count;
    uint64_t mail_sequence;
    uint64_t last_due_us[CLUSTER_MAX + 1][CLUSTER_MAX + 1];
    struct mail last[CLUSTER_MAX + 1][CLUSTER_MAX + 1]; /* newest letter; from 0: none */
    bool cut[CLUSTER_MAX + 1][CLUSTER_MAX + 1];         /* from, to: mail is lost */

    struct rand rand;
    uint64_t delay_min_us, delay_max_us;
    uint32_t lose_ppm;
    void (*on_result)(struct cluster *cluster, uint32_t id); /* may be NULL */
};

/* Servers 1..count; the last `observers` of them do not vote. All down. */
void cluster_open(struct cluster *cluster, uint32_t count, uint32_t observers, uint64_t seed);
void cluster_open_text(struct cluster *cluster, uint32_t count, const char *membership,
                       uint64_t seed);
void cluster_close(struct cluster *cluster);
/* Bring up a server with an empty memory, voting for itself. */
void cluster_start(struct cluster *cluster, uint32_t id, int64_t epoch, int64_t zxid);
void cluster_stop(struct cluster *cluster, uint32_t id);
/* A new election of a server that is up. */
void cluster_look(struct cluster *cluster, uint32_t id);
/* Give `notice` to a server as if `from` had sent it. */
void cluster_give(struct cluster *cluster, uint32_t to, int64_t from,
                  const struct wire_vote *notice);
/* Handle the next letter or deadline until `until_us`; false when nothing is left before. */
bool cluster_step(struct cluster *cluster, uint64_t until_us);
void cluster_run(struct cluster *cluster, uint64_t duration_us);
/* The leader that every server that is up has chosen, and which agrees; 0 when there is none. */
uint32_t cluster_leader(const struct cluster *cluster);
/* Whether a NOTE_VOTE or NOTE_ELECTED of the last input has this text; looks at the effects of the
 * last input. */
bool cluster_has_note(const struct cluster *cluster, uint32_t kind, const char *text);

#endif
