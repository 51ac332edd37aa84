/* zk_tables.h - the tables that zk_guest.c puts together, each from the file that fills it. */
#ifndef SIM_ZK_ZK_TABLES_H
#define SIM_ZK_ZK_TABLES_H

#include "sim/guest.h"

/* zk_words.c */
#define ZK_RECORDS 54u
#define ZK_NOTES 32u
extern const struct guest_record zk_records[];
extern const struct guest_note zk_notes[];
extern const struct sim_note zk_trace_notes[];

#endif
