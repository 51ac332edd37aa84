/* verbs.h - the words that every scenario file knows without a guest: faults, set-up lines, heads.
 *
 * Constant tables only. The parser reads parameters by them, the runner switches over the enum,
 * explain prints the help; see guest.h for how params and help are written. */
#ifndef SIM_VERBS_H
#define SIM_VERBS_H

#include "sim/guest.h"
#include "sim/scenario.h"

enum scn_fault {
    SCN_CUT,
    SCN_HEAL,
    SCN_PARTITION,
    SCN_ISOLATE,
    SCN_HOLD,
    SCN_DROP,
    SCN_DUP,
    SCN_REORDER,
    SCN_CHOP,
    SCN_RESET,
    SCN_DELAY,
    SCN_BREAK,
    SCN_CRASH,
    SCN_START,
    SCN_RESTART,
    SCN_STOP,
    SCN_PAUSE,
    SCN_RESUME,
    SCN_SKEW,
    SCN_DRIFT,
    SCN_JUMP,
    SCN_LIE_FSYNC,
    SCN_EIO,
    SCN_FULL,
    SCN_STUCK,
    SCN_SLOW,
    SCN_REPAIR,
    SCN_WIPE,
    SCN_ROT,
    SCN_END,
};

/* What stands between a fault verb and its parameters. */
enum scn_scope {
    SCN_SCOPE_NONE,
    SCN_SCOPE_LINK,       /* A -> B or A <-> B */
    SCN_SCOPE_LINK_MAYBE, /* the same, or nothing */
    SCN_SCOPE_ROLES,      /* A */
    SCN_SCOPE_GROUPS,     /* A | B | ... */
};

struct scn_verb {
    const char *name;
    enum scn_fault fault;
    enum scn_scope scope;
    bool can_end; /* takes `for TIME` */
    const struct guest_param *params;
    uint32_t param_count;
    const char *help; /* {1} and {2}: the roles; {->}: the arrow in words */
};

extern const struct scn_verb scn_verbs[];
extern const uint32_t scn_verb_count;

/* Tables of set-up lines; the order is the order of scn_line.args. */
enum scn_cluster_param {
    SCN_CLUSTER_START,
    SCN_CLUSTER_MEMORY,
    SCN_CLUSTER_PARAMS
};
extern const struct guest_param scn_cluster_params[];
enum scn_client_param {
    SCN_CLIENT_START,
    SCN_CLIENT_PARAMS
};
extern const struct guest_param scn_client_params[];
enum scn_link_param {
    SCN_LINK_DELAY,
    SCN_LINK_LOSE,
    SCN_LINK_DUP,
    SCN_LINK_REORDER,
    SCN_LINK_CHOP,
    SCN_LINK_RESET,
    SCN_LINK_RETRANSMIT,
    SCN_LINK_PARAMS
};
extern const struct guest_param scn_link_params[];
enum scn_disk_param {
    SCN_DISK_SYNC,
    SCN_DISK_READ,
    SCN_DISK_KEEP,
    SCN_DISK_TEAR,
    SCN_DISK_PARAMS
};
extern const struct guest_param scn_disk_params[];
enum scn_clock_param {
    SCN_CLOCK_OFFSET,
    SCN_CLOCK_RATE,
    SCN_CLOCK_PARAMS
};
extern const struct guest_param scn_clock_params[];
enum scn_file_param {
    SCN_FILE_DIR,
    SCN_FILE_NAME,
    SCN_FILE_BYTES,
    SCN_FILE_PARAMS
};
extern const struct guest_param scn_file_params[];
enum scn_fuzz_param {
    SCN_FUZZ_SEEDS,
    SCN_FUZZ_CRASH,
    SCN_FUZZ_DOWN,
    SCN_FUZZ_POWER,
    SCN_FUZZ_CUT,
    SCN_FUZZ_CUT_FOR,
    SCN_FUZZ_PAUSE,
    SCN_FUZZ_PAUSE_FOR,
    SCN_FUZZ_BREAK,
    SCN_FUZZ_DELAY,
    SCN_FUZZ_LOSE,
    SCN_FUZZ_DUP,
    SCN_FUZZ_REORDER,
    SCN_FUZZ_CHOP,
    SCN_FUZZ_RESET,
    SCN_FUZZ_SYNC,
    SCN_FUZZ_KEEP,
    SCN_FUZZ_TEAR,
    SCN_FUZZ_SKEW,
    SCN_FUZZ_DRIFT,
    SCN_FUZZ_FROM,
    SCN_FUZZ_QUIET,
    SCN_FUZZ_OMIT,
    SCN_FUZZ_PARAMS
};
extern const struct guest_param scn_fuzz_params[];

/* Parameter indexes of fault verbs that have any. */
enum scn_crash_param {
    SCN_CRASH_DISK,
    SCN_CRASH_KIND,
    SCN_CRASH_PARAMS
};

struct scn_head {
    const char *name;
    enum scn_kind kind;
    const char *usage; /* of the whole line */
    const char *help;
};
extern const struct scn_head scn_heads[];
extern const uint32_t scn_head_count;

enum scn_rot_param {
    SCN_ROT_FILE,
    SCN_ROT_BYTE
};

/* Event words of patterns: "sends", "crashes". */
struct scn_event_word {
    const char *name;
    enum sim_at at;
    const char *help;
};
extern const struct scn_event_word scn_event_words[];
extern const uint32_t scn_event_word_count;

/* Roles that need no guest. */
struct scn_role_word {
    const char *name;
    enum scn_role_kind kind;
    const char *help;
};
extern const struct scn_role_word scn_role_words[];
extern const uint32_t scn_role_word_count;

#endif
