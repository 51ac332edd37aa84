#include "protocol/server.h"
#include "cli/cli.h"
#include "live/live.h"
#include "protocol/config.h"
#include "protocol/notes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* `server`: one server in the foreground, on real sockets and files. */

#define SERVER_CONFIG_MAX 65536u

struct server_log {
    int64_t sid;
};

static void server_print(const char *level, struct span text)
{
    struct timespec now;
    struct tm parts;
    char date[64];

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &parts);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
    fprintf(stderr, "%s,%03ld %-5s %.*s\n", date, now.tv_nsec / 1000000, level, (int)text.len,
            (const char *)text.at);
}

static void server_on_log(void *context, const char *level, struct span text)
{
    (void)context;
    server_print(level, text);
}

static const char *const server_roles[] = {"loading", "looking",   "following",
                                           "leading", "observing", "standalone"};

static const char *server_role_name(uint64_t role)
{
    return role < sizeof server_roles / sizeof server_roles[0] ? server_roles[role] : "?";
}

/* The notes that an operator wants to read; the rest are for checkers. */
static void server_on_note(void *context, const struct effect *note)
{
    char room[512];
    struct text text;
    const char *level = "INFO";

    (void)context;
    text_init(&text, room, sizeof room);
    switch (note->id) {
    case NOTE_RECOVERED:
        snprintf(room, sizeof room,
                 "recovered: last zxid 0x%" PRIx64 ", from snapshot 0x%" PRIx64 ", epoch %" PRIu64,
                 note->a, note->b, note->c);
        break;
    case NOTE_ROLE:
        snprintf(room, sizeof room, "now %s, epoch %" PRIu64, server_role_name(note->a), note->b);
        break;
    case NOTE_ELECTED:
        snprintf(room, sizeof room, "server %" PRId64 " elected in round %" PRIu64 ": %.*s",
                 (int64_t)note->a, note->b, (int)note->bytes.len, (const char *)note->bytes.at);
        break;
    case NOTE_ESTABLISHED:
        snprintf(room, sizeof room,
                 "leads epoch %" PRIu64 " with %" PRIu64 " synchronised learners", note->a,
                 note->c);
        break;
    case NOTE_SERVING:
        snprintf(room, sizeof room, "serving clients as %s, epoch %" PRIu64 ", zxid 0x%" PRIx64,
                 server_role_name(note->a), note->b, note->c);
        break;
    case NOTE_RETIRED:
        snprintf(room, sizeof room, "stops %s: %.*s", server_role_name(note->a),
                 (int)note->bytes.len, (const char *)note->bytes.at);
        level = "WARN";
        break;
    case NOTE_SYNC_CHOICE:
        snprintf(room, sizeof room, "synchronises server %" PRId64 " by %s from zxid 0x%" PRIx64,
                 (int64_t)note->a,
                 note->b == SYNC_DIFF    ? "DIFF"
                 : note->b == SYNC_TRUNC ? "TRUNC"
                                         : "SNAP",
                 note->c);
        break;
    case NOTE_SNAPSHOT:
        snprintf(room, sizeof room, "snapshot of zxid 0x%" PRIx64 ", %" PRIu64 " bytes", note->a,
                 note->b);
        break;
    case NOTE_PEER_REFUSED:
        snprintf(room, sizeof room, "dropped server %" PRId64 ": %.*s", (int64_t)note->a,
                 (int)note->bytes.len, (const char *)note->bytes.at);
        level = "WARN";
        break;
    case NOTE_DISK_ERROR:
        snprintf(room, sizeof room, "disk: %.*s", (int)note->bytes.len,
                 (const char *)note->bytes.at);
        level = "ERROR";
        break;
    case NOTE_SESSION_EXPIRED:
        snprintf(room, sizeof room, "session 0x%" PRIx64 " expired", note->a);
        break;
    default:
        return;
    }
    server_print(level, span_text(room));
}

/* The configuration's text with the id from dataDir/myid behind it. */
static bool server_add_id(const struct config *config, char *text, size_t room)
{
    char path[1024];
    char id[64];
    FILE *file;
    size_t len = strlen(text);

    if (config->standalone || config->own_id >= 0) {
        return true;
    }
    snprintf(path, sizeof path, "%.*s/myid", (int)config->data_dir.len,
             (const char *)config->data_dir.at);
    file = fopen(path, "r");
    if (file == NULL || fgets(id, sizeof id, file) == NULL) {
        cli_error(path, "an ensemble's server needs this file with its number in it");
        if (file != NULL) {
            fclose(file);
        }
        return false;
    }
    fclose(file);
    id[strcspn(id, " \t\r\n")] = '\0';
    snprintf(text + len, room - len, "\nmyid=%s\n", id);
    return true;
}

static int server_run(char *text, size_t room)
{
    struct mem_heap heap;
    struct config config;
    struct config_error error;
    char why[512];
    char data[1024];
    char logs[1024];
    struct text printed;
    struct live_options options = {
        .ops = &server_ops, .note = server_on_note, .log = server_on_log};

    mem_heap_init(&heap, UINT64_MAX);
    if (config_parse(&config, &heap.mem, span_text(text), &error) != ERR_OK) {
        text_init(&printed, why, sizeof why);
        config_error_print(&error, &printed);
        cli_error("configuration", why);
        return CLI_USAGE;
    }
    if (!server_add_id(&config, text, room)) {
        return CLI_USAGE;
    }
    snprintf(data, sizeof data, "%.*s/version-2", (int)config.data_dir.len,
             (const char *)config.data_dir.at);
    snprintf(logs, sizeof logs, "%.*s/version-2", (int)config.log_dir.len,
             (const char *)config.log_dir.at);
    options.directories[DIR_DATA] = data;
    options.directories[DIR_LOG] = logs;
    options.config = span_text(text);
    return live_run(&options);
}

static int server_main(const struct cli_command *command, int argc, char **argv)
{
    static char text[SERVER_CONFIG_MAX + 512];
    struct cli_parse parse = {.command = command, .argc = argc, .argv = argv};
    const char *words[2] = {NULL, NULL};
    const char *value;
    uint32_t count = 0;
    int option;
    struct cli_text file;

    while ((option = cli_next(&parse, &value)) != CLI_END) {
        if (option == CLI_HELP || option == CLI_BAD) {
            return option == CLI_HELP ? CLI_OK : CLI_USAGE;
        }
        if (count == 2) {
            cli_error(value, "one word too many");
            return CLI_USAGE;
        }
        words[count++] = value;
    }
    if (count == 2) {
        snprintf(text, sizeof text, "clientPort=%s\ndataDir=%s\ntickTime=3000\nmaxClientCnxns=0\n",
                 words[0], words[1]);
        return server_run(text, sizeof text);
    }
    if (count == 0) {
        words[0] =
            access("/etc/terrarium/zoo.cfg", R_OK) == 0 ? "/etc/terrarium/zoo.cfg" : "conf/zoo.cfg";
    }
    if (!cli_read(words[0], &file)) {
        return CLI_USAGE;
    }
    if (file.len > SERVER_CONFIG_MAX) {
        cli_error(words[0], "longer than a configuration may be");
        return CLI_USAGE;
    }
    memcpy(text, file.at, file.len);
    text[file.len] = '\0';
    free(file.at);
    return server_run(text, sizeof text);
}

const struct cli_command cli_server = {
    .name = "server",
    .usage = "server [CONFIG | PORT DATADIR]",
    .summary = "Runs one server in the foreground: CONFIG is a zoo.cfg (default\n"
               "/etc/terrarium/zoo.cfg, then conf/zoo.cfg), or a stand-alone one on PORT.",
    .example = "terrarium server conf/zoo.cfg",
    .run = server_main,
};
