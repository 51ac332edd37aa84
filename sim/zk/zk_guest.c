#include "sim/zk/zk_guest.h"

#include "base/bytes.h"
#include "protocol/client.h"
#include "protocol/config.h"
#include "protocol/notes.h"
#include "sim/zk/zk_tables.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* ---- options ---- */

static const struct guest_param options[] = {
    [ZK_OPTION_VOTERS] = {.name = "voters",
                          .kind = GUEST_NUMBER,
                          .flags = GUEST_KEYED,
                          .standard = "3",
                          .help = "servers that vote: s1, s2, ..."},
    [ZK_OPTION_OBSERVERS] = {.name = "observers",
                             .kind = GUEST_NUMBER,
                             .flags = GUEST_KEYED,
                             .standard = "0",
                             .help = "servers that do not, numbered behind the voters"},
    [ZK_OPTION_TICK] = {.name = "tick",
                        .kind = GUEST_TIME,
                        .flags = GUEST_KEYED,
                        .standard = "2s",
                        .help = "tickTime"},
    [ZK_OPTION_INIT] = {.name = "init",
                        .kind = GUEST_NUMBER,
                        .flags = GUEST_KEYED,
                        .standard = "10",
                        .help = "initLimit in ticks"},
    [ZK_OPTION_SYNC] = {.name = "sync",
                        .kind = GUEST_NUMBER,
                        .flags = GUEST_KEYED,
                        .standard = "5",
                        .help = "syncLimit in ticks"},
    [ZK_OPTION_SNAPCOUNT] = {.name = "snapcount",
                             .kind = GUEST_NUMBER,
                             .flags = GUEST_KEYED,
                             .help = "transactions between two snapshots"},
    [ZK_OPTION_COMMITLOG] = {.name = "commitlog",
                             .kind = GUEST_NUMBER,
                             .flags = GUEST_KEYED,
                             .help = "committed transactions kept in memory for DIFF"},
    [ZK_OPTION_CONFIG] = {.name = "config",
                          .kind = GUEST_TEXT,
                          .flags = GUEST_KEYED,
                          .help = "more lines of zoo.cfg, separated by \\n"},
};
_Static_assert(COUNT(options) == ZK_OPTIONS, "every option is named");

static const struct guest_param client_options[] = {
    [ZK_CLIENT_SERVERS] = {.name = "servers",
                           .kind = GUEST_WORD,
                           .flags = GUEST_KEYED,
                           .help = "s1,s2,... to connect to; all voters and observers without it"},
    [ZK_CLIENT_TIMEOUT] = {.name = "timeout",
                           .kind = GUEST_TIME,
                           .flags = GUEST_KEYED,
                           .standard = "6s",
                           .help = "session timeout to ask for"},
    [ZK_CLIENT_ORDER] = {.name = "order",
                         .kind = GUEST_CHOICE,
                         .flags = GUEST_KEYED,
                         .words = "fixed|shuffle",
                         .standard = "fixed",
                         .help = "in which the servers are tried"},
    [ZK_CLIENT_REOPEN] = {.name = "reopen",
                          .kind = GUEST_CHOICE,
                          .flags = GUEST_KEYED,
                          .words = "no|yes",
                          .standard = "no",
                          .help = "a new session by itself when one has expired"},
    [ZK_CLIENT_READONLY] = {.name = "readonly",
                            .kind = GUEST_CHOICE,
                            .flags = GUEST_KEYED,
                            .words = "no|yes",
                            .standard = "no",
                            .help = "is content with a server that can only be read"},
};
_Static_assert(COUNT(client_options) == ZK_CLIENT_OPTIONS, "every option is named");

/* ---- building ---- */

static bool server_name(const struct guest_value *values, uint32_t index, char name[32])
{
    struct text text;

    text_init(&text, name, 32);
    text_char(&text, 's');
    text_u64(&text, index + 1);
    return (int64_t)index < values[ZK_OPTION_VOTERS].number + values[ZK_OPTION_OBSERVERS].number;
}

static void config_line(struct text *text, const char *key, int64_t value)
{
    text_str(text, key);
    text_char(text, '=');
    text_i64(text, value);
    text_char(text, '\n');
}

/* The lines that all servers have in common. */
static void config_print(const struct guest_value *values, struct text *text)
{
    int64_t voters = values[ZK_OPTION_VOTERS].number;
    int64_t count = voters + values[ZK_OPTION_OBSERVERS].number;

    config_line(text, "tickTime", values[ZK_OPTION_TICK].number / 1000);
    config_line(text, "initLimit", values[ZK_OPTION_INIT].number);
    config_line(text, "syncLimit", values[ZK_OPTION_SYNC].number);
    text_str(text, "dataDir=/data\n");
    if (values[ZK_OPTION_SNAPCOUNT].given) {
        config_line(text, "snapCount", values[ZK_OPTION_SNAPCOUNT].number);
    }
    if (values[ZK_OPTION_COMMITLOG].given) {
        config_line(text, "commitLogCount", values[ZK_OPTION_COMMITLOG].number);
    }
    if (count == 1) { /* stand-alone */
        config_line(text, "clientPort", ZK_PORT_CLIENT);
    }
    for (int64_t i = 1; count > 1 && i <= count; i++) {
        text_str(text, "server.");
        text_i64(text, i);
        text_str(text, "=s");
        text_i64(text, i);
        text_str(text, i > voters ? ":2888:3888:observer;2181\n" : ":2888:3888;2181\n");
    }
    if (values[ZK_OPTION_CONFIG].given) {
        text_span(text, values[ZK_OPTION_CONFIG].text);
        text_char(text, '\n');
    }
}

/* Read the text as a server does, for a better message than a server that halts. */
static enum err config_try(struct zk_run *zk, struct mem *mem, struct span text, struct text *why)
{
    struct config_error error = {0};
    enum err err = config_parse(&zk->config, mem, text, &error);

    if (err == ERR_OK) {
        err = config_check(&zk->config, &error);
    }
    if (err != ERR_OK) {
        config_error_print(&error, why);
    }
    return err;
}

static enum err build(struct guest_run *run, struct text *why)
{
    struct zk_run *zk = run->state;
    int64_t voters = run->options[ZK_OPTION_VOTERS].number;
    int64_t observers = run->options[ZK_OPTION_OBSERVERS].number;
    char room[ZK_CONFIG_MAX];
    struct text text;
    size_t common;

    if (voters < 1 || observers < 0 || voters + observers > ZK_SERVERS_MAX) {
        text_str(why, "voters must be 1 and more, voters and observers together 64 at most");
        return ERR_RANGE;
    }
    zk->run = run;
    zk->server_count = (uint32_t)(voters + observers);
    zk->voter_count = (uint32_t)voters;
    sim_set_codec(run->sim, ZK_PORT_CLIENT, &zk_codec_client);
    sim_set_codec(run->sim, ZK_PORT_QUORUM, &zk_codec_quorum);
    sim_set_codec(run->sim, ZK_PORT_ELECTION, &zk_codec_election);
    sim_set_notes(run->sim, zk_trace_notes, ZK_NOTES);
    text_init(&text, room, sizeof(room));
    config_print(run->options, &text);
    common = text.len;
    for (uint32_t i = 0; i < zk->server_count; i++) {
        char name[32];
        enum err err;

        text.len = common;
        config_line(&text, "myid", i + 1);
        if (text.cut) {
            text_str(why, "config= is too long");
            return ERR_LONG;
        }
        if (i == 0) {
            err = config_try(zk, run->mem, span_make(room, text.len), why);
            if (err != ERR_OK) {
                return err;
            }
        }
        server_name(run->options, i, name);
        sim_add(run->sim, name, &server_ops, span_make(room, text.len));
    }
    return zk_run_init(zk) ? ERR_OK : ERR_MEMORY;
}

/* "s1,s3" with the port behind each name. */
static enum err hosts_print(struct guest_run *run, struct span servers, struct text *text,
                            struct text *why)
{
    size_t start = 0;

    for (size_t at = 0; at <= servers.len; at++) {
        struct span name;

        if (at < servers.len && servers.at[at] != ',') {
            continue;
        }
        name = span_make(servers.at + start, at - start);
        if (sim_find(run->sim, name) == SIM_NONE) {
            text_str(why, "servers= names no server: ");
            text_quoted(why, name);
            return ERR_UNKNOWN;
        }
        text_str(text, start > 0 ? "," : "");
        text_span(text, name);
        text_str(text, ":2181");
        start = at + 1;
    }
    return ERR_OK;
}

static enum err add_client(struct guest_run *run, const char *name,
                           const struct guest_value *values, struct text *why)
{
    struct zk_run *zk = run->state;
    char room[ZK_CONFIG_MAX];
    char all[ZK_SERVERS_MAX * 4];
    struct text servers;
    struct text text;
    enum err err;

    text_init(&servers, all, sizeof(all));
    for (uint32_t i = 0; i < zk->server_count; i++) {
        text_str(&servers, i == 0 ? "" : ",");
        text_str(&servers, sim_name(run->sim, i));
    }
    text_init(&text, room, sizeof(room));
    text_str(&text, "timeout=");
    text_i64(&text, values[ZK_CLIENT_TIMEOUT].number / 1000);
    text_str(&text, "\norder=");
    text_span(&text, values[ZK_CLIENT_ORDER].text);
    text_str(&text, "\nreopen=");
    text_span(&text, values[ZK_CLIENT_REOPEN].text);
    text_str(&text, "\nreadonly=");
    text_span(&text, values[ZK_CLIENT_READONLY].text);
    text_str(&text, "\nhosts=");
    err = hosts_print(run,
                      values[ZK_CLIENT_SERVERS].given ? values[ZK_CLIENT_SERVERS].text
                                                      : span_make(all, servers.len),
                      &text, why);
    if (err != ERR_OK) {
        return err;
    }
    if (!zk_reserve(zk, &zk->clients, &zk->client_room, zk->client_count, sizeof(*zk->clients))) {
        return ERR_MEMORY;
    }
    zk->clients[zk->client_count++] = (struct zk_client){
        .process = sim_add(run->sim, name, &client_ops, span_make(room, text.len)),
        .server = SIM_NONE};
    return ERR_OK;
}

/* ---- states ---- */

/* In the order of enum zk_lane. */
static const struct guest_state_kind states[] = {
    {"loading", "#bdbdbd"},    {"looking", "#fdae61"},    {"syncing", "#c7e9c0"},
    {"following", "#41ab5d"},  {"preparing", "#9ecae1"},  {"leading", "#2166ac"},
    {"observing", "#9e9ac8"},  {"standalone", "#2166ac"}, {"readonly", "#8c6bb1"},
    {"connecting", "#fee08b"}, {"connected", "#d9f0d3"},  {"expired", "#f4a582"},
    {"closed", "#d9d9d9"},
};
_Static_assert(COUNT(states) == ZK_LANES, "every state is named");

static int64_t identity(const struct guest_run *run, uint32_t process)
{
    (void)run;
    return (int64_t)process + 1; /* s1 has the id 1 */
}

static const struct guest_check checks[] = {
#define X(name, text, help) {text, help},
    ZK_CHECK_MAP(X)
#undef X
};

const struct guest zookeeper_guest = {
    .name = "zookeeper",
    .summary = "servers of protocol/server.h, clients of protocol/client.h",
    .options = options,
    .option_count = COUNT(options),
    .client_options = client_options,
    .client_option_count = COUNT(client_options),
    .roles = zk_roles,
    .role_count = ZK_ROLES,
    .verbs = zk_verbs,
    .verb_count = ZK_VERBS,
    .setups = zk_setups,
    .setup_count = ZK_SETUPS,
    .conditions = zk_conditions,
    .condition_count = ZK_CONDITIONS,
    .records = zk_records,
    .record_count = ZK_RECORDS,
    .notes = zk_notes,
    .note_count = ZK_NOTES,
    .states = states,
    .state_count = COUNT(states),
    .checks = checks,
    .check_count = COUNT(checks),
    .state_bytes = sizeof(struct zk_run),
    .server_name = server_name,
    .build = build,
    .add_client = add_client,
    .note = zk_note,
    .tap_mask = 1u << SIM_AT_ANSWER | 1u << SIM_AT_START | 1u << SIM_AT_CRASH | 1u << SIM_AT_HALT,
    .tap = zk_tap,
    .finish = zk_finish,
    .identity = identity,
    .about = zk_about,
};
