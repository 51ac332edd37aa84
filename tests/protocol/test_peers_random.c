/* Whole election ports on a small network of byte streams: chopped, reset, half-open, cut; servers
 * that die. When the faults end, everybody must agree on a leader, and soon. */
#include "base/rand.h"
#include "protocol/election.h"
#include "protocol/peers.h"
#include "tests/expect.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND    UINT64_C(1000000)
#define MS        UINT64_C(1000)
#define NODES_MAX 5u
#define LINKS_MAX 256u

/* One end of a connection. */
struct end {
    uint32_t node; /* 0: nobody hears any more */
    uint32_t conn;
    bool dialed;
    bool opening; /* owes an IN_OPENED */
    bool closing; /* owes an IN_CLOSED, after the data */
    enum err close_err;
    struct bytes data; /* what it has not taken */
    size_t fresh;      /* bytes of `data` it was not offered yet */
};

struct link {
    bool used;
    bool silent; /* half-open: what is sent is lost, closes are not heard */
    struct end ends[2];
};

struct node {
    bool up, looking;
    struct peers peers;
    struct election election;
    struct vote own, result;
    uint64_t result_us;
};

static struct mem_heap heap;
static struct fx fx;
static struct membership membership;
static struct ensemble ensemble;
static struct node nodes[NODES_MAX + 1];
static struct link links[LINKS_MAX];
static bool cut[NODES_MAX + 1][NODES_MAX + 1];
static uint32_t node_count, accepted;
static uint64_t now_us, run_seed;
static struct rand chance;

#define CHECK_SEED(condition)                                                                \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            ck_abort_msg("seed %llu: not so: %s", (unsigned long long)run_seed, #condition); \
        }                                                                                    \
    } while (0)

/* -- the network -- */

static struct link *link_make(void)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (!links[i].used) {
            links[i] = (struct link){.used = true};
            bytes_init(&links[i].ends[0].data, &heap.mem);
            bytes_init(&links[i].ends[1].data, &heap.mem);
            return &links[i];
        }
    }
    ck_abort_msg("too many connections");
    return NULL;
}

static void end_forget(struct end *end)
{
    end->node = 0;
    end->opening = false;
    end->closing = false;
    bytes_drop(&end->data);
    end->fresh = 0;
}

static void link_drop_unused(struct link *link)
{
    if (link->used && link->ends[0].node == 0 && link->ends[1].node == 0) {
        link->used = false;
    }
}

static struct end *end_find(uint32_t node, uint32_t conn, struct link **link)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        for (uint32_t e = 0; links[i].used && e < 2; e++) {
            if (links[i].ends[e].node == node && links[i].ends[e].conn == conn) {
                *link = &links[i];
                return &links[i].ends[e];
            }
        }
    }
    return NULL;
}

static struct end *end_other(struct link *link, struct end *end)
{
    return end == &link->ends[0] ? &link->ends[1] : &link->ends[0];
}

/* `end` is gone; the other one hears of it unless the link is silent. */
static void end_leave(struct link *link, struct end *end, bool abort)
{
    struct end *other = end_other(link, end);

    end_forget(end);
    if (other->node != 0 && !link->silent) {
        if (abort) {
            other->data.len -= other->fresh;
            other->fresh = 0;
        }
        other->closing = true;
        other->close_err = abort ? ERR_IO : ERR_OK;
    }
    link_drop_unused(link);
}

static void carry_dial(uint32_t from, const struct effect *effect)
{
    struct link *link = link_make();
    uint32_t to = effect->bytes.at[2] - (uint32_t)'0';

    link->ends[0] =
        (struct end){.node = from, .conn = effect->id, .dialed = true, .data = link->ends[0].data};
    if (cut[from][to] || cut[to][from]) {
        return; /* nothing comes back */
    }
    if (!nodes[to].up) {
        link->ends[0].closing = true;
        link->ends[0].close_err = ERR_REFUSED;
        return;
    }
    link->ends[0].opening = true;
    link->ends[1].node = to;
    link->ends[1].conn = CONN_ACCEPTED + accepted++;
    link->ends[1].opening = true;
}

static void carry_out(uint32_t from)
{
    for (uint32_t i = 0; i < fx.count; i++) {
        const struct effect *effect = &fx.list[i];
        struct link *link;
        struct end *end;

        if (effect->kind == FX_DIAL) {
            carry_dial(from, effect);
        }
        if (effect->kind != FX_SEND && effect->kind != FX_CLOSE) {
            continue;
        }
        end = end_find(from, effect->id, &link);
        if (end == NULL) {
            continue; /* already gone; the process did not know */
        }
        if (effect->kind == FX_CLOSE) {
            end_leave(link, end, effect->a != 0);
        } else if (end_other(link, end)->node != 0 && !link->silent) {
            bytes_raw(&end_other(link, end)->data, effect->bytes.at, effect->bytes.len);
            end_other(link, end)->fresh += effect->bytes.len;
        }
    }
}

/* -- servers -- */

static void node_after(uint32_t id)
{
    struct node *node = &nodes[id];
    struct election_out *out = &node->election.out;

    if (out->count > 0) {
        struct bytes frame;

        bytes_init(&frame, &heap.mem);
        wire_vote_put(&frame, &out->notice);
        for (uint32_t i = 0; i < out->count; i++) {
            peers_send(&node->peers, &fx, now_us, out->to[i], bytes_span(&frame));
        }
        bytes_drop(&frame);
        election_out_clear(&node->election);
    }
    if (election_result(&node->election, &node->result)) {
        node->looking = false;
        node->result_us = now_us;
    }
}

static void node_look(uint32_t id)
{
    nodes[id].looking = true;
    fx_clear(&fx);
    election_start(&nodes[id].election, &fx, now_us, &nodes[id].own);
    node_after(id);
    carry_out(id);
}

static void node_start(uint32_t id)
{
    struct node *node = &nodes[id];
    struct peers_settings settings;

    peers_settings_default(&settings);
    settings.sid = (int64_t)id;
    settings.listener = 1;
    settings.conn_first = 1;
    settings.conn_count = 1000;
    *node = (struct node){.up = true};
    node->own = (struct vote){.leader = (int64_t)id,
                              .epoch = (int64_t)rand_below(&chance, 2),
                              .zxid = (int64_t)rand_below(&chance, 3)};
    CHECK_SEED(peers_init(&node->peers, &heap.mem, &ensemble, &settings) == ERR_OK);
    CHECK_SEED(election_init(&node->election, &heap.mem, &ensemble, (int64_t)id) == ERR_OK);
    node_look(id);
}

static void node_stop(uint32_t id, bool silent)
{
    if (!nodes[id].up) {
        return;
    }
    nodes[id].up = false;
    peers_drop(&nodes[id].peers);
    election_drop(&nodes[id].election);
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        for (uint32_t e = 0; links[i].used && e < 2; e++) {
            if (links[i].ends[e].node == id) {
                links[i].silent = links[i].silent || silent;
                end_leave(&links[i], &links[i].ends[e], true);
            }
        }
    }
}

static bool link_is_cut(const struct link *link)
{
    return cut[link->ends[0].node][link->ends[1].node] ||
           cut[link->ends[1].node][link->ends[0].node];
}

static bool end_is_ready(const struct link *link, const struct end *end)
{
    if (!link->used || end->node == 0) {
        return false;
    }
    return (end->opening || end->fresh > 0 || end->closing) && !link_is_cut(link);
}

static void give_bytes(struct link *link, struct end *end)
{
    struct node *node = &nodes[end->node];
    struct input in = {.kind = IN_BYTES, .mono_us = now_us};
    size_t fresh = 1 + rand_below(&chance, end->fresh);
    uint32_t conn = end->conn;
    uint32_t id = end->node;
    struct wire_vote notice;
    int64_t from;

    in.bytes.conn = conn;
    in.bytes.span = span_make(end->data.at, end->data.len - end->fresh + fresh);
    end->fresh -= fresh;
    peers_on_bytes(&node->peers, &fx, &in);
    while (peers_next(&node->peers, &fx, &from, &notice)) {
        election_on_notification(&node->election, &fx, now_us, from, &notice);
        node_after(id);
    }
    CHECK_SEED(fx.taken <= in.bytes.span.len);
    bytes_consume(&end->data, fx.taken);
    (void)link;
}

/* Give this end what it is owed next. */
static void end_give(struct link *link, struct end *end)
{
    struct input in = {.mono_us = now_us};
    uint32_t id = end->node;

    fx_clear(&fx);
    if (end->opening) {
        end->opening = false;
        in.kind = IN_OPENED;
        in.opened.conn = end->conn;
        in.opened.listener = end->dialed ? 0 : 1;
        peers_on_opened(&nodes[id].peers, &fx, &in);
    } else if (end->fresh > 0) {
        give_bytes(link, end);
    } else {
        in.kind = IN_CLOSED;
        in.closed.conn = end->conn;
        in.closed.err = end->close_err;
        end_forget(end);
        link_drop_unused(link);
        peers_on_closed(&nodes[id].peers, &fx, &in);
    }
    node_after(id);
    carry_out(id);
}

static uint64_t node_wake_us(const struct node *node)
{
    uint64_t a = peers_wake_us(&node->peers);
    uint64_t b = election_wake_us(&node->election);

    return a < b ? a : b;
}

static void wake_nodes(void)
{
    for (uint32_t id = 1; id <= node_count; id++) {
        if (nodes[id].up && node_wake_us(&nodes[id]) <= now_us) {
            fx_clear(&fx);
            peers_on_time(&nodes[id].peers, &fx, now_us);
            election_on_time(&nodes[id].election, &fx, now_us);
            node_after(id);
            carry_out(id);
        }
    }
}

/* One input, or a jump to the next deadline. */
static void crank(uint64_t until_us)
{
    uint32_t first = (uint32_t)rand_below(&chance, 2 * LINKS_MAX);
    uint64_t wake_us = until_us;

    for (uint32_t i = 0; i < 2 * LINKS_MAX; i++) {
        uint32_t at = (first + i) % (2 * LINKS_MAX);
        struct link *link = &links[at / 2];

        if (end_is_ready(link, &link->ends[at % 2])) {
            now_us += rand_below(&chance, 2 * MS);
            end_give(link, &link->ends[at % 2]);
            wake_nodes();
            return;
        }
    }
    for (uint32_t id = 1; id <= node_count; id++) {
        if (nodes[id].up && node_wake_us(&nodes[id]) < wake_us) {
            wake_us = node_wake_us(&nodes[id]);
        }
    }
    now_us = wake_us > now_us ? wake_us : now_us;
    wake_nodes();
}

static bool is_cut_off(uint32_t a, uint32_t b)
{
    return cut[a][b] || cut[b][a];
}

/* As discovery would: nobody keeps a role that the others do not confirm. */
static bool disagree(uint32_t id)
{
    const struct node *node = &nodes[id];
    uint32_t followers = 0;

    if (!node->up || node->looking || now_us - node->result_us < SECOND) {
        return false;
    }
    for (uint32_t other = 1; other <= node_count; other++) {
        followers += nodes[other].up && !nodes[other].looking && !is_cut_off(id, other) &&
                             nodes[other].result.leader == (int64_t)id
                         ? 1
                         : 0;
    }
    if (node->result.leader == (int64_t)id) {
        return followers <= node_count / 2;
    }
    return !nodes[node->result.leader].up || is_cut_off(id, (uint32_t)node->result.leader) ||
           nodes[node->result.leader].election.state != VOTE_LEADING;
}

static void run(uint64_t duration_us)
{
    uint64_t until_us = now_us + duration_us;
    uint64_t look_us = now_us + 100 * MS;

    while (now_us < until_us) {
        crank(look_us < until_us ? look_us : until_us);
        for (uint32_t id = 1; now_us >= look_us && id <= node_count; id++) {
            if (disagree(id)) {
                node_look(id);
            }
        }
        look_us = now_us >= look_us ? now_us + 100 * MS : look_us;
    }
}

static void disturb(void)
{
    uint32_t id = 1 + (uint32_t)rand_below(&chance, node_count);
    uint32_t other = 1 + (uint32_t)rand_below(&chance, node_count);
    struct link *link = &links[rand_below(&chance, LINKS_MAX)];

    switch (rand_below(&chance, 8)) {
    case 0:
        node_stop(id, rand_below(&chance, 2) == 0);
        break;
    case 1:
    case 2:
        if (!nodes[id].up) {
            node_start(id);
        }
        break;
    case 3:
        cut[id][other] = id != other;
        break;
    case 4:
    case 5:
        cut[id][other] = false;
        cut[other][id] = false;
        break;
    case 6: /* reset: both ends hear of it */
        for (uint32_t e = 0; link->used && e < 2; e++) {
            if (link->ends[e].node != 0) {
                link->ends[e].closing = true;
                link->ends[e].close_err = ERR_IO;
            }
        }
        break;
    default: /* half-open: nobody hears of it */
        link->silent = link->used;
        break;
    }
}

static bool all_agree(void)
{
    int64_t leader = nodes[1].result.leader;

    for (uint32_t id = 1; id <= node_count; id++) {
        if (!nodes[id].up || nodes[id].looking || nodes[id].result.leader != leader) {
            return false;
        }
    }
    return nodes[leader].election.state == VOTE_LEADING;
}

static void open_world(uint64_t seed, uint32_t count)
{
    struct config_error error;
    char text[512];
    size_t len = 0;

    run_seed = seed;
    node_count = count;
    now_us = SECOND;
    accepted = 0;
    memset(nodes, 0, sizeof(nodes));
    memset(links, 0, sizeof(links));
    memset(cut, 0, sizeof(cut));
    rand_init(&chance, seed);
    mem_heap_init(&heap, UINT64_MAX);
    fx_init(&fx, &heap.mem);
    for (uint32_t id = 1; id <= count; id++) {
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "server.%u=zk%u:2888:3888\n", id, id);
    }
    CHECK_SEED(membership_parse(&membership, &heap.mem, span_text(text), &error) == ERR_OK);
    ensemble = (struct ensemble){.committed = &membership};
}

static void close_world(void)
{
    for (uint32_t id = 1; id <= node_count; id++) {
        node_stop(id, false);
    }
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        for (uint32_t e = 0; links[i].used && e < 2; e++) {
            bytes_drop(&links[i].ends[e].data);
        }
    }
    membership_drop(&membership);
    fx_drop(&fx);
    CHECK_SEED(heap.mem.used_bytes == 0);
}

/* No faults: one election is enough, whoever starts first. */
START_TEST(test_a_healthy_network_elects_at_once)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        open_world(seed, 3 + (uint32_t)(seed % 3));
        for (uint32_t i = 0; i < node_count; i++) {
            uint32_t id = 1 + (i + (uint32_t)seed) % node_count;

            node_start(id);
            run(rand_below(&chance, 300 * MS));
        }
        for (uint32_t i = 0; !all_agree() && i < 40; i++) {
            run(100 * MS);
        }
        CHECK_SEED(all_agree());
        close_world();
    }
}
END_TEST

START_TEST(test_agreement_returns_after_faults_of_connections)
{
    for (uint64_t seed = 1; seed <= 600; seed++) {
        open_world(seed, 3 + (uint32_t)(seed % 3));
        for (uint32_t i = 0; i < 40; i++) {
            disturb();
            run(rand_below(&chance, SECOND));
        }
        memset(cut, 0, sizeof(cut));
        for (uint32_t id = 1; id <= node_count; id++) {
            if (!nodes[id].up) {
                node_start(id);
            }
        }
        for (uint32_t i = 0; !all_agree() && i < 120; i++) {
            run(SECOND);
        }
        CHECK_SEED(all_agree());
        close_world();
    }
}
END_TEST

Suite *suite_peers_random(void);
Suite *suite_peers_random(void)
{
    Suite *suite = suite_create("peers_random");
    TCase *tcase = tcase_create("peers_random");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, test_a_healthy_network_elects_at_once);
    tcase_add_test(tcase, test_agreement_returns_after_faults_of_connections);
    suite_add_tcase(suite, tcase);
    return suite;
}
