/* zk_tables.h - the tables that zk_guest.c puts together, each from the file that fills it. */
#ifndef SIM_ZK_ZK_TABLES_H
#define SIM_ZK_ZK_TABLES_H

#include "sim/guest.h"

/* zk_words.c */
#define ZK_RECORDS 54u
#define ZK_NOTES   35u
extern const struct guest_record zk_records[];
extern const struct guest_note zk_notes[];
extern const struct sim_note zk_trace_notes[];
/* zk_roles.c */
#define ZK_ROLES 11u
extern const struct guest_role zk_roles[];
/* zk_verbs.c */
#define ZK_VERBS 10u
extern const struct guest_verb zk_verbs[];
/* zk_conditions.c, zk_asks.c */
#define ZK_CONDITIONS 20u
extern const struct guest_condition zk_conditions[];
/* zk_history.c */
#define ZK_SETUPS 1u
extern const struct guest_verb zk_setups[];

#endif
