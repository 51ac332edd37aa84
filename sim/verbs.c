#include "sim/verbs.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

static const struct guest_param verb_rate[] = {
    {.name = "RATE", .kind = GUEST_RATE, .help = "share of records, as 10%"},
};
static const struct guest_param verb_rate_maybe[] = {
    {.name = "RATE",
     .kind = GUEST_RATE,
     .flags = GUEST_OPTIONAL,
     .help = "share of records, as 10%"},
};
static const struct guest_param verb_times[] = {
    {.name = "TIME", .kind = GUEST_TIMES, .help = "as 20ms or 20ms..80ms"},
};
static const struct guest_param verb_offset[] = {
    {.name = "OFFSET", .kind = GUEST_OFFSET, .help = "as +200ms or -3s"},
};
static const struct guest_param verb_slope[] = {
    {.name = "RATE", .kind = GUEST_SLOPE, .help = "as +5% or -200ppm"},
};
static const struct guest_param verb_half_open[] = {
    {.name = "half-open",
     .kind = GUEST_FLAG,
     .flags = GUEST_OPTIONAL,
     .help = "only the second side hears of it"},
};
static const struct guest_param verb_crash[] = {
    [SCN_CRASH_DISK] = {.name = "disk",
                        .kind = GUEST_CHOICE,
                        .flags = GUEST_KEYED,
                        .words = "lose-unsynced|keep|tear",
                        .help = "what happens to unsynced writes"},
    [SCN_CRASH_KIND] = {.name = "KIND",
                        .kind = GUEST_CHOICE,
                        .flags = GUEST_OPTIONAL,
                        .words = "kill|power",
                        .help = "the process, or its machine"},
};

static const struct guest_param verb_rot[] = {
    [SCN_ROT_FILE] = {.name = "FILE",
                      .kind = GUEST_WORD,
                      .help = "a name; log.* is the newest log"},
    [SCN_ROT_BYTE] = {.name = "byte",
                      .kind = GUEST_NUMBER,
                      .flags = GUEST_KEYED,
                      .help = "counted from 0; the middle one without it"},
};

#define PARAMS(array) .params = (array), .param_count = COUNT(array)

const struct scn_verb scn_verbs[] = {
    {"cut", SCN_CUT, SCN_SCOPE_LINK, true, NULL, 0, "let nothing pass from {1} {->} {2}"},
    {"heal", SCN_HEAL, SCN_SCOPE_LINK_MAYBE, false, NULL, 0,
     "undo every fault of the network[ between {1} and {2}]"},
    {"partition", SCN_PARTITION, SCN_SCOPE_GROUPS, true, NULL, 0,
     "let nothing pass between the sides {1}"},
    {"isolate", SCN_ISOLATE, SCN_SCOPE_ROLES, true, NULL, 0, "cut {1} off from everybody else"},
    {"hold", SCN_HOLD, SCN_SCOPE_LINK, true, NULL, 0,
     "hold what is sent on existing connections from {1} {->} {2}; new connections pass"},
    {"drop", SCN_DROP, SCN_SCOPE_LINK_MAYBE, true, PARAMS(verb_rate_maybe),
     "lose the record of the event[ or {RATE} of datagrams from {1} {->} {2}]"},
    {"dup", SCN_DUP, SCN_SCOPE_LINK, true, PARAMS(verb_rate),
     "double {RATE} of datagrams from {1} {->} {2}"},
    {"reorder", SCN_REORDER, SCN_SCOPE_LINK, true, PARAMS(verb_rate),
     "let {RATE} of datagrams from {1} {->} {2} be overtaken"},
    {"chop", SCN_CHOP, SCN_SCOPE_LINK, true, PARAMS(verb_rate),
     "cut {RATE} of stream segments from {1} {->} {2} in two"},
    {"reset", SCN_RESET, SCN_SCOPE_LINK, true, PARAMS(verb_rate),
     "let {RATE} of stream segments from {1} {->} {2} break the connection"},
    {"delay", SCN_DELAY, SCN_SCOPE_LINK, true, PARAMS(verb_times),
     "let records from {1} {->} {2} take {TIME}"},
    {"break", SCN_BREAK, SCN_SCOPE_LINK, false, PARAMS(verb_half_open),
     "break every connection between {1} and {2}[, and only {2} hears of it{half-open}]"},
    {"crash", SCN_CRASH, SCN_SCOPE_ROLES, true, PARAMS(verb_crash),
     "crash {1}[ by {KIND}][; unsynced writes: {disk}]"},
    {"start", SCN_START, SCN_SCOPE_ROLES, false, NULL, 0, "start {1} with what its disk holds"},
    {"restart", SCN_RESTART, SCN_SCOPE_ROLES, false, NULL, 0,
     "kill {1} if it runs, and start it again"},
    {"stop", SCN_STOP, SCN_SCOPE_ROLES, true, NULL, 0, "end {1} and keep all that it wrote"},
    {"pause", SCN_PAUSE, SCN_SCOPE_ROLES, true, NULL, 0, "freeze {1}"},
    {"resume", SCN_RESUME, SCN_SCOPE_ROLES, false, NULL, 0, "let {1} go on; its clocks jump"},
    {"skew", SCN_SKEW, SCN_SCOPE_ROLES, true, PARAMS(verb_offset),
     "set the wall clock of {1} off by {OFFSET}"},
    {"drift", SCN_DRIFT, SCN_SCOPE_ROLES, true, PARAMS(verb_slope),
     "let the clocks of {1} run {RATE} faster"},
    {"jump", SCN_JUMP, SCN_SCOPE_ROLES, false, PARAMS(verb_offset),
     "let the wall clock of {1} jump by {OFFSET}"},
    {"lie-fsync", SCN_LIE_FSYNC, SCN_SCOPE_ROLES, true, NULL, 0,
     "let the disk of {1} report syncs that it does not do"},
    {"eio", SCN_EIO, SCN_SCOPE_ROLES, true, NULL, 0, "let every disk access of {1} fail"},
    {"full", SCN_FULL, SCN_SCOPE_ROLES, true, NULL, 0, "let the disk of {1} be full"},
    {"stuck", SCN_STUCK, SCN_SCOPE_ROLES, true, NULL, 0, "let no disk access of {1} end"},
    {"slow", SCN_SLOW, SCN_SCOPE_ROLES, true, PARAMS(verb_times), "let a sync of {1} take {TIME}"},
    {"repair", SCN_REPAIR, SCN_SCOPE_ROLES, false, NULL, 0, "undo the faults of the disk of {1}"},
    {"wipe", SCN_WIPE, SCN_SCOPE_ROLES, false, NULL, 0,
     "remove all that is on the disk of {1}, which is down"},
    {"rot", SCN_ROT, SCN_SCOPE_ROLES, false, PARAMS(verb_rot),
     "flip a bit of the file {FILE} on the disk of {1}[, in byte {byte}]"},
    {"end", SCN_END, SCN_SCOPE_NONE, false, NULL, 0, "end the run here"},
};
const uint32_t scn_verb_count = COUNT(scn_verbs);

#define KEY(key, what, text)                                                \
    {                                                                       \
        .name = (key), .kind = (what), .flags = GUEST_KEYED, .help = (text) \
    }

const struct guest_param scn_cluster_params[] = {
    [SCN_CLUSTER_START] = {.name = "start",
                           .kind = GUEST_CHOICE,
                           .flags = GUEST_KEYED,
                           .words = "all|none",
                           .standard = "all",
                           .help = "which servers start at time 0"},
    [SCN_CLUSTER_MEMORY] = {.name = "memory",
                            .kind = GUEST_NUMBER,
                            .flags = GUEST_KEYED,
                            .standard = "16",
                            .help = "MiB of each process"},
};
const struct guest_param scn_client_params[] = {
    [SCN_CLIENT_START] = {.name = "start",
                          .kind = GUEST_TIME,
                          .flags = GUEST_KEYED,
                          .standard = "0ms",
                          .help = "when it starts"},
};
const struct guest_param scn_link_params[] = {
    [SCN_LINK_DELAY] = KEY("delay", GUEST_TIMES, "of one segment or datagram"),
    [SCN_LINK_LOSE] = KEY("lose", GUEST_RATE, "datagrams lost"),
    [SCN_LINK_DUP] = KEY("dup", GUEST_RATE, "datagrams doubled"),
    [SCN_LINK_REORDER] = KEY("reorder", GUEST_RATE, "datagrams overtaken"),
    [SCN_LINK_CHOP] = KEY("chop", GUEST_RATE, "stream segments cut in two"),
    [SCN_LINK_RESET] = KEY("reset", GUEST_RATE, "stream segments that break the connection"),
    [SCN_LINK_RETRANSMIT] = KEY("retransmit", GUEST_TIME, "cost of a lost stream segment"),
};
const struct guest_param scn_disk_params[] = {
    [SCN_DISK_SYNC] = KEY("sync", GUEST_TIMES, "how long a sync takes"),
    [SCN_DISK_READ] = KEY("read", GUEST_TIME, "how long a read takes"),
    [SCN_DISK_KEEP] = KEY("keep", GUEST_RATE, "unsynced writes that a power loss keeps"),
    [SCN_DISK_TEAR] = KEY("tear", GUEST_RATE, "unsynced writes that a power loss tears"),
};
const struct guest_param scn_clock_params[] = {
    [SCN_CLOCK_OFFSET] = KEY("offset", GUEST_OFFSET, "of the wall clock"),
    [SCN_CLOCK_RATE] = KEY("rate", GUEST_SLOPE, "how much faster both clocks run"),
};
const struct guest_param scn_file_params[] = {
    [SCN_FILE_DIR] = {.name = "DIRECTORY", .kind = GUEST_CHOICE, .words = "data|log|conf"},
    [SCN_FILE_NAME] = {.name = "NAME", .kind = GUEST_WORD},
    [SCN_FILE_BYTES] = {.name = "CONTENT", .kind = GUEST_TEXT},
};
const struct guest_param scn_fuzz_params[] = {
    [SCN_FUZZ_SEEDS] = KEY("seeds", GUEST_NUMBERS, "the worlds to play, as 1..1000"),
    [SCN_FUZZ_CRASH] = KEY("crash", GUEST_NUMBERS, "how many crashes, each with a restart"),
    [SCN_FUZZ_DOWN] = KEY("down", GUEST_TIMES, "how long a crashed server stays down"),
    [SCN_FUZZ_POWER] = KEY("power", GUEST_RATE, "crashes that are power losses"),
    [SCN_FUZZ_CUT] = KEY("cut", GUEST_NUMBERS, "how many cuts and partitions"),
    [SCN_FUZZ_CUT_FOR] = KEY("cut-for", GUEST_TIMES, "how long a cut lasts"),
    [SCN_FUZZ_PAUSE] = KEY("pause", GUEST_NUMBERS, "how many pauses"),
    [SCN_FUZZ_PAUSE_FOR] = KEY("pause-for", GUEST_TIMES, "how long a pause lasts"),
    [SCN_FUZZ_BREAK] = KEY("break", GUEST_NUMBERS, "how many broken connections"),
    [SCN_FUZZ_DELAY] = KEY("delay", GUEST_TIMES, "of every link, drawn for each record"),
    [SCN_FUZZ_LOSE] = KEY("lose", GUEST_RATE, "datagrams lost"),
    [SCN_FUZZ_DUP] = KEY("dup", GUEST_RATE, "datagrams doubled"),
    [SCN_FUZZ_REORDER] = KEY("reorder", GUEST_RATE, "datagrams overtaken"),
    [SCN_FUZZ_CHOP] = KEY("chop", GUEST_RATE, "stream segments cut in two"),
    [SCN_FUZZ_RESET] = KEY("reset", GUEST_RATE, "stream segments that break the connection"),
    [SCN_FUZZ_SYNC] = KEY("sync", GUEST_TIMES, "how long a sync takes"),
    [SCN_FUZZ_KEEP] = KEY("keep", GUEST_RATE, "unsynced writes that a power loss keeps"),
    [SCN_FUZZ_TEAR] = KEY("tear", GUEST_RATE, "unsynced writes that a power loss tears"),
    [SCN_FUZZ_SKEW] = KEY("skew", GUEST_TIME, "wall clocks are off by up to this, either way"),
    [SCN_FUZZ_DRIFT] = KEY("drift", GUEST_RATE, "clocks run faster or slower by up to this"),
    [SCN_FUZZ_FROM] = KEY("from", GUEST_TIME, "no fault before this time"),
    [SCN_FUZZ_QUIET] =
        KEY("quiet", GUEST_TIME, "no fault in the last part of the run: all is healed and started"),
    [SCN_FUZZ_OMIT] = {.name = "omit",
                       .kind = GUEST_CHOICE,
                       .flags = GUEST_KEYED,
                       .words = "none|random",
                       .standard = "none",
                       .help = "random: each seed leaves out a drawn set of the features"},
};

const struct scn_head scn_heads[] = {
    {"cluster", SCN_CLUSTER, "cluster [GUEST] [name=value ...]",
     "which protocol, and how many servers"},
    {"client", SCN_CLIENT, "client NAME [name=value ...]", "a client"},
    {"link", SCN_LINK, "link [A -> B | A <-> B] name=value ...",
     "how the network is from the start"},
    {"disk", SCN_DISK, "disk [ROLE] name=value ...", "how disks are from the start"},
    {"clock", SCN_CLOCK, "clock ROLE name=value ...", "how clocks are from the start"},
    {"file", SCN_FILE, "file ROLE data|log|conf NAME \"CONTENT\"",
     "a file that is there before the start"},
    {"run", SCN_RUN, "run TIME", "how long the world lasts"},
    {"fuzz", SCN_FUZZ, "fuzz seeds=A..B [name=value ...]",
     "which seeds, and what is drawn from them"},
    {"must", SCN_MUST, "must fail CHECK",
     "a canary: the run is good only when this check is violated"},
    {"at", SCN_AT, "at TIME ACTION | at +TIME ACTION",
     "at that time, or so long after the line before"},
    {"when", SCN_WHEN, "when CONDITION [as NAME]", "wait until it holds"},
    {"on", SCN_ON, "on EVENT", "wait for the event; act right after it"},
    {"after", SCN_ON, "after EVENT", "the same as `on`"},
    {"before", SCN_ON, "before EVENT", "wait for the event; act before it has an effect"},
    {"whenever", SCN_WHENEVER, "whenever [before|after] EVENT", "from here on, each time"},
    {"every", SCN_EVERY, "every TIME [until TIME] ACTION", "from here on, again and again"},
    {"within", SCN_WITHIN, "within TIME expect CONDITION [as NAME]",
     "it must come true in time; wait for it"},
    {"always", SCN_ALWAYS, "always expect CONDITION [from TIME]", "it must hold all the time"},
    {"never", SCN_NEVER, "never expect CONDITION [from TIME]", "it may not hold at any time"},
    {"finally", SCN_FINALLY, "finally expect CONDITION", "it must hold at the end"},
    {"sometimes", SCN_SOMETIMES, "sometimes expect CONDITION",
     "it must come true in at least one seed"},
};
const uint32_t scn_head_count = COUNT(scn_heads);

const struct scn_event_word scn_event_words[] = {
    {"sends", SIM_AT_SEND, "a record leaves"},
    {"receives", SIM_AT_RECEIVE, "a record arrives"},
    {"appends", SIM_AT_APPEND, "bytes are written to the end of a file, not yet durable"},
    {"syncs", SIM_AT_SYNC, "a sync begins"},
    {"synced", SIM_AT_SYNCED, "a sync is done"},
    {"replaces", SIM_AT_REPLACE, "a small file is replaced durably"},
    {"notes", SIM_AT_NOTE, "a process says something of itself"},
    {"starts", SIM_AT_START, "a process starts"},
    {"crashes", SIM_AT_CRASH, "a process crashes"},
    {"pauses", SIM_AT_PAUSE, "a process is frozen"},
    {"resumes", SIM_AT_RESUME, "a process goes on"},
    {"halts", SIM_AT_HALT, "a process ends itself"},
    {"opens", SIM_AT_OPENED, "a connection is usable"},
    {"closes", SIM_AT_CLOSED, "a connection is gone"},
};
const uint32_t scn_event_word_count = COUNT(scn_event_words);

const struct scn_role_word scn_role_words[] = {
    {"all", SCN_ROLE_ALL, "every server of the cluster"},
    {"clients", SCN_ROLE_CLIENTS, "every client"},
    {"everyone", SCN_ROLE_EVERYONE, "servers and clients"},
    {"any", SCN_ROLE_ANY, "whichever process it is"},
    {"rest", SCN_ROLE_REST, "the servers not named before in the line and not part of the event"},
    {"self", SCN_ROLE_SELF, "the process of the event"},
    {"peer", SCN_ROLE_PEER, "the other process of the event"},
};
const uint32_t scn_role_word_count = COUNT(scn_role_words);
