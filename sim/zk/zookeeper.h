/* zookeeper.h - ZooKeeper as a guest of the scenario runner: `cluster zookeeper voters=5`.
 *
 * The servers are protocol/server.h, the clients protocol/client.h, unchanged: this folder gives
 * them names, words and a judge. docs/scenarios-zookeeper.md lists every word. */
#ifndef SIM_ZK_ZOOKEEPER_H
#define SIM_ZK_ZOOKEEPER_H

#include "sim/guest.h"

extern const struct guest zookeeper_guest;

/* What travels on the three ports (sim_set_codec), named as in docs/formats. */
#define ZK_PORT_CLIENT   2181u
#define ZK_PORT_QUORUM   2888u
#define ZK_PORT_ELECTION 3888u
extern const struct sim_codec zk_codec_client;
extern const struct sim_codec zk_codec_quorum;
extern const struct sim_codec zk_codec_election;

#endif
