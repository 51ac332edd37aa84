/* zk_guest.h - what the files of the ZooKeeper guest share: the run, and who does what in it. */
#ifndef SIM_ZK_ZK_GUEST_H
#define SIM_ZK_ZK_GUEST_H

#include "protocol/config.h"
#include "protocol/server.h"
#include "sim/zk/zookeeper.h"

#define ZK_SERVERS_MAX 64u
#define ZK_CONFIG_MAX  8192u /* bytes of one zoo.cfg */

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
    ZK_CLIENT_OPTIONS
};

/* States that colour the lanes of the plot, and that `s1 is leading` asks for. */
enum zk_lane {
    ZK_LANE_LOADING,
    ZK_LANE_LOOKING,
    ZK_LANE_SYNCING,   /* a follower that does not serve yet */
    ZK_LANE_FOLLOWING, /* serves */
    ZK_LANE_PREPARING, /* elected, not established yet */
    ZK_LANE_LEADING,   /* serves */
    ZK_LANE_OBSERVING, /* serves */
    ZK_LANE_STANDALONE,
    ZK_LANE_CONNECTING,
    ZK_LANE_CONNECTED,
    ZK_LANE_EXPIRED,
    ZK_LANE_CLOSED,
    ZK_LANES
};

/* Processes 0 .. server_count-1 are s1, s2, ... with ids 1, 2, ...; clients follow. */
struct zk_run {
    struct guest_run *run;
    struct config config; /* of s1 */
    uint32_t server_count, voter_count;
};

#endif
