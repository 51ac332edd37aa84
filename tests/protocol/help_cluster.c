#include "help_cluster.h"

#include "tests/expect.h"

#include <stdio.h>

void cluster_open_text(struct cluster *cluster, uint32_t count, const char *membership,
                       uint64_t seed)
{
    struct config_error error;

    *cluster = (struct cluster){.count = count, .delay_min_us = 500, .delay_max_us = 500};
    ck_assert_uint_le(count, CLUSTER_MAX);
    mem_heap_init(&cluster->heap, UINT64_MAX);
    fx_init(&cluster->fx, &cluster->heap.mem);
    rand_init(&cluster->rand, seed);
    ck_assert_int_eq(
        membership_parse(&cluster->membership, &cluster->heap.mem, span_text(membership), &error),
        ERR_OK);
    cluster->ensemble.committed = &cluster->membership;
}

void cluster_open(struct cluster *cluster, uint32_t count, uint32_t observers, uint64_t seed)
{
    char text[1024];
    size_t len = 0;

    for (uint32_t id = 1; id <= count; id++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "server.%u=zk%u:2888:3888:%s\n", id,
                                id, id > count - observers ? "observer" : "participant");
    }
    cluster_open_text(cluster, count, text, seed);
}

void cluster_close(struct cluster *cluster)
{
    for (uint32_t id = 1; id <= cluster->count; id++) {
        cluster_stop(cluster, id);
    }
    membership_drop(&cluster->membership);
    fx_drop(&cluster->fx);
    ck_assert_uint_eq(cluster->heap.mem.used_bytes, 0);
}

static void cluster_post(struct cluster *cluster, const struct mail *mail)
{
    uint64_t due_us = cluster->now_us + cluster->delay_min_us +
                      rand_below(&cluster->rand, cluster->delay_max_us - cluster->delay_min_us + 1);
    uint64_t *last_due_us = &cluster->last_due_us[mail->from][mail->to];
    struct mail *posted;

    if (cluster->cut[mail->from][mail->to] ||
        rand_ppm(rand_next(&cluster->rand), cluster->lose_ppm)) {
        return;
    }
    if (due_us < *last_due_us) {
        due_us = *last_due_us;
    }
    *last_due_us = due_us;
    EXPECT(cluster->mail_count < MAIL_MAX);
    posted = &cluster->mail[cluster->mail_count++];
    *posted = *mail;
    posted->due_us = due_us;
    posted->sequence = cluster->mail_sequence++;
}

/* Post what the machine wants to send, take its result. */
static void cluster_collect(struct cluster *cluster, uint32_t from)
{
    struct cluster_server *server = &cluster->servers[from];
    struct election *election = &server->election;

    for (uint32_t i = 0; i < election->out.count; i++) {
        uint32_t to = (uint32_t)election->out.to[i];
        struct mail *mail = &cluster->last[from][to];

        EXPECT(to != from);
        EXPECT(to >= 1 && to <= cluster->count);
        *mail = (struct mail){.from = from, .to = to, .notice = election->out.notice};
        /* The text is the machine's; the reader of a letter has no use for it here. */
        mail->notice.config = span_make("", 0);
        cluster_post(cluster, mail);
    }
    election_out_clear(election);
    if (election_result(election, &server->result)) {
        server->looking = false;
        server->results++;
        server->result_us = cluster->now_us;
        if (cluster->on_result != NULL) {
            cluster->on_result(cluster, from);
        }
    }
}

void cluster_look(struct cluster *cluster, uint32_t id)
{
    struct cluster_server *server = &cluster->servers[id];

    server->looking = true;
    fx_clear(&cluster->fx);
    election_start(&server->election, &cluster->fx, cluster->now_us, &server->own);
    cluster_collect(cluster, id);
}

void cluster_start(struct cluster *cluster, uint32_t id, int64_t epoch, int64_t zxid)
{
    struct cluster_server *server = &cluster->servers[id];

    ck_assert(!server->up);
    *server = (struct cluster_server){.up = true};
    server->own = (struct vote){.leader = id, .zxid = zxid, .epoch = epoch};
    ck_assert_int_eq(
        election_init(&server->election, &cluster->heap.mem, &cluster->ensemble, (int64_t)id),
        ERR_OK);
    for (uint32_t other = 1; other <= cluster->count; other++) {
        if (cluster->servers[other].up && cluster->last[other][id].from != 0) {
            cluster_post(cluster, &cluster->last[other][id]);
        }
    }
    cluster_look(cluster, id);
}

static void cluster_forget_mail(struct cluster *cluster, uint32_t index)
{
    cluster->mail[index] = cluster->mail[--cluster->mail_count];
}

void cluster_stop(struct cluster *cluster, uint32_t id)
{
    if (!cluster->servers[id].up) {
        return;
    }
    cluster->servers[id].up = false;
    memset(cluster->last[id], 0, sizeof(cluster->last[id]));
    election_drop(&cluster->servers[id].election);
    for (uint32_t i = cluster->mail_count; i > 0; i--) {
        if (cluster->mail[i - 1].to == id) {
            cluster_forget_mail(cluster, i - 1);
        }
    }
}

void cluster_give(struct cluster *cluster, uint32_t to, int64_t from,
                  const struct wire_vote *notice)
{
    struct cluster_server *server = &cluster->servers[to];

    fx_clear(&cluster->fx);
    election_on_notification(&server->election, &cluster->fx, cluster->now_us, from, notice);
    cluster_collect(cluster, to);
}

/* The letter that is due first; of equals the one sent first. */
static uint32_t cluster_next_mail(const struct cluster *cluster)
{
    uint32_t best = MAIL_MAX;

    for (uint32_t i = 0; i < cluster->mail_count; i++) {
        const struct mail *mail = &cluster->mail[i];

        if (best == MAIL_MAX || mail->due_us < cluster->mail[best].due_us ||
            (mail->due_us == cluster->mail[best].due_us &&
             mail->sequence < cluster->mail[best].sequence)) {
            best = i;
        }
    }
    return best;
}

bool cluster_step(struct cluster *cluster, uint64_t until_us)
{
    uint32_t next = cluster_next_mail(cluster);
    uint64_t due_us = next == MAIL_MAX ? WAKE_NEVER : cluster->mail[next].due_us;
    uint32_t sleeper = 0;

    for (uint32_t id = 1; id <= cluster->count; id++) {
        const struct cluster_server *server = &cluster->servers[id];

        if (server->up && election_wake_us(&server->election) < due_us) {
            due_us = election_wake_us(&server->election);
            sleeper = id;
        }
    }
    if (due_us == WAKE_NEVER || due_us > until_us) {
        cluster->now_us = until_us;
        return false;
    }
    cluster->now_us = due_us;
    if (sleeper != 0) {
        fx_clear(&cluster->fx);
        election_on_time(&cluster->servers[sleeper].election, &cluster->fx, due_us);
        cluster_collect(cluster, sleeper);
    } else {
        struct mail mail = cluster->mail[next];

        cluster_forget_mail(cluster, next);
        if (cluster->servers[mail.to].up && !cluster->cut[mail.from][mail.to]) {
            cluster_give(cluster, mail.to, (int64_t)mail.from, &mail.notice);
        }
    }
    return true;
}

void cluster_run(struct cluster *cluster, uint64_t duration_us)
{
    uint64_t until_us = cluster->now_us + duration_us;

    while (cluster_step(cluster, until_us)) {
    }
}

uint32_t cluster_leader(const struct cluster *cluster)
{
    int64_t leader = 0;

    for (uint32_t id = 1; id <= cluster->count; id++) {
        const struct cluster_server *server = &cluster->servers[id];

        if (!server->up) {
            continue;
        }
        if (server->looking || (leader != 0 && server->result.leader != leader)) {
            return 0;
        }
        leader = server->result.leader;
    }
    if (leader == 0 || !cluster->servers[leader].up ||
        cluster->servers[leader].election.state != VOTE_LEADING) {
        return 0;
    }
    return (uint32_t)leader;
}

bool cluster_has_note(const struct cluster *cluster, uint32_t kind, const char *text)
{
    for (uint32_t i = 0; i < cluster->fx.count; i++) {
        const struct effect *effect = &cluster->fx.list[i];

        if (effect->kind == FX_NOTE && effect->id == kind && span_is(effect->bytes, text)) {
            return true;
        }
    }
    return false;
}
