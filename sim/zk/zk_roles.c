/* zk_roles.c - symbolic roles of scenario files, resolved when a line fires. */
#include "sim/zk/zk_guest.h"
#include "sim/zk/zk_tables.h"

/* The index-th (from 1; 0 means 1) of the servers that `fits`. */
static void resolve_nth(struct guest_run *run, uint32_t index, struct guest_set *set,
                        bool (*fits)(const struct zk_run *zk, uint32_t process))
{
    const struct zk_run *zk = run->state;
    uint32_t nth = index == 0 ? 1 : index;

    for (uint32_t p = 0; p < zk->server_count; p++) {
        if (fits(zk, p) && --nth == 0) {
            guest_set_add(set, p);
            return;
        }
    }
}

static void resolve_leader(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    const struct zk_run *zk = run->state;

    (void)index;
    if (zk->standalone) {
        guest_set_add(set, 0);
    } else if (zk->leader != SIM_NONE && sim_is_up(run->sim, zk->leader) &&
               zk->servers[zk->leader].role == ROLE_LEADING &&
               zk->servers[zk->leader].current == zk->epoch) {
        guest_set_add(set, zk->leader);
    }
}

static void resolve_deposed(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    const struct zk_run *zk = run->state;

    (void)index;
    if (zk->leader_before != SIM_NONE) {
        guest_set_add(set, zk->leader_before);
    }
}

static bool is_follower(const struct zk_run *zk, uint32_t process)
{
    return zk->servers[process].role == ROLE_FOLLOWING;
}

static bool is_observer(const struct zk_run *zk, uint32_t process)
{
    return zk->servers[process].bit == 0;
}

static bool is_voter(const struct zk_run *zk, uint32_t process)
{
    return zk->servers[process].bit != 0;
}

static bool is_looker(const struct zk_run *zk, uint32_t process)
{
    return zk->servers[process].role == ROLE_LOOKING;
}

static void resolve_follower(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    resolve_nth(run, index, set, is_follower);
}

static void resolve_observer(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    resolve_nth(run, index, set, is_observer);
}

static void resolve_voter(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    resolve_nth(run, index, set, is_voter);
}

static void resolve_looker(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    resolve_nth(run, index, set, is_looker);
}

static void resolve_followers(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    const struct zk_run *zk = run->state;

    (void)index;
    for (uint32_t p = 0; p < zk->server_count; p++) {
        if (is_follower(zk, p)) {
            guest_set_add(set, p);
        }
    }
}

static void resolve_observers(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    const struct zk_run *zk = run->state;

    (void)index;
    for (uint32_t p = zk->voter_count; p < zk->server_count; p++) {
        guest_set_add(set, p);
    }
}

/* The leader and, in their order, as many other voters as a quorum needs. */
static void quorum_of(const struct zk_run *zk, struct guest_set *set)
{
    uint64_t bits = 0;

    if (zk->leader != SIM_NONE) {
        guest_set_add(set, zk->leader);
        bits = zk->servers[zk->leader].bit;
    }
    for (uint32_t p = 0; p < zk->server_count && !zk_has_quorum(zk, bits); p++) {
        if (is_voter(zk, p) && p != zk->leader) {
            guest_set_add(set, p);
            bits |= zk->servers[p].bit;
        }
    }
}

static void resolve_quorum(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    (void)index;
    quorum_of(run->state, set);
}

static void resolve_minority(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    const struct zk_run *zk = run->state;
    struct guest_set quorum = {0};

    (void)index;
    quorum_of(zk, &quorum);
    for (uint32_t p = 0; p < zk->server_count; p++) {
        if (is_voter(zk, p) && !guest_set_has(&quorum, p)) {
            guest_set_add(set, p);
        }
    }
}

/* The server that the index-th client is connected to, or was last. */
static void resolve_host(struct guest_run *run, uint32_t index, struct guest_set *set)
{
    const struct zk_run *zk = run->state;
    uint32_t nth = index == 0 ? 0 : index - 1;

    if (nth < zk->client_count && zk->clients[nth].session != 0 &&
        zk->clients[nth].server != SIM_NONE) {
        guest_set_add(set, zk->clients[nth].server);
    }
}

const struct guest_role zk_roles[] = {
    {"leader", false,
     "the server that leads the newest established epoch, if it is up and still does",
     resolve_leader},
    {"deposed", false, "the server that led before the newest leader, whatever became of it",
     resolve_deposed},
    {"follower", true, "a voter that follows, in the order of ids", resolve_follower},
    {"followers", false, "all voters that follow", resolve_followers},
    {"observer", true, "a server that does not vote, in the order of ids", resolve_observer},
    {"observers", false, "all servers that do not vote", resolve_observers},
    {"voter", true, "a server that votes, in the order of ids", resolve_voter},
    {"looker", true, "a server that looks for a leader, in the order of ids", resolve_looker},
    {"quorum", false, "the newest leader and just enough other voters for a quorum",
     resolve_quorum},
    {"minority", false, "the voters that are not in quorum", resolve_minority},
    {"host", true, "the server that the first (or N-th) client is connected to", resolve_host},
};
_Static_assert(sizeof(zk_roles) / sizeof(zk_roles[0]) == ZK_ROLES, "zk_tables.h knows how many");
