/* zk_asks.h - conditions about clients: zk_asks.c fills its part of the table. */
#ifndef SIM_ZK_ZK_ASKS_H
#define SIM_ZK_ZK_ASKS_H

#include "sim/guest.h"

#define ZK_ASK(name) \
    enum guest_truth name(struct guest_run *, const struct guest_value *, struct guest_answer *)
ZK_ASK(zk_ask_session);
ZK_ASK(zk_ask_connected);
ZK_ASK(zk_ask_ephemerals);
ZK_ASK(zk_ask_fired);
ZK_ASK(zk_ask_returned);
ZK_ASK(zk_ask_answered);

extern const struct guest_param zk_session_params[2];
extern const struct guest_param zk_connected_params[3];
extern const struct guest_param zk_ephemerals_params[4];
extern const struct guest_param zk_fired_params[4];
extern const struct guest_param zk_returned_params[2];
extern const struct guest_param zk_answered_params[2];

#define ZK_CLIENT_CONDITIONS                                                                      \
    {"session", zk_session_params, 2,                                                             \
     "the session of {CLIENT} is {HOW} (open: in the table of every serving server; expired or "  \
     "closed: the client knows; gone: in no table of a serving server; local: one server knows "  \
     "it "                                                                                        \
     "for itself)",                                                                               \
     zk_ask_session},                                                                             \
        {"connected", zk_connected_params, 3, "{CLIENT} is connected[ to {WHO}]",                 \
         zk_ask_connected},                                                                       \
        {"ephemerals", zk_ephemerals_params, 4,                                                   \
         "the session of {CLIENT} owns {COUNT} nodes in the tree[ of {WHO}]", zk_ask_ephemerals}, \
        {"fired", zk_fired_params, 4,                                                             \
         "{CLIENT} has heard {COUNT} watch events of {PATH}[ of the kind {type}]", zk_ask_fired}, \
        {"returned", zk_returned_params, 2,                                                       \
         "{OP} has returned {DATA} (data; names of children in any order, with spaces between)",  \
         zk_ask_returned},                                                                        \
    {                                                                                             \
        "answered", zk_answered_params, 2, "{OP} was answered with {CODE}", zk_ask_answered       \
    }

#endif
