/* zk_verbs.c - what clients of a scenario do. Each is one ask to the client process. */
#include "protocol/client_ask.h"
#include "sim/zk/zk_guest.h"
#include "sim/zk/zk_tables.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* Remember what was asked, and ask. */
static enum err ask(struct guest_run *run, const struct guest_call *call, struct zk_ask *about,
                    struct bytes *request)
{
    struct zk_run *zk = run->state;
    enum err err = ERR_OK;

    about->client = call->process - zk->server_count;
    about->path = zk_copy(zk, about->path);
    if (!sim_is_up(run->sim, call->process)) {
        err = ERR_MISSING;
    } else if (request->failed || !zk_op_put(zk, call->op->tag, about)) {
        err = ERR_MEMORY;
    } else {
        sim_ask(run->sim, call->process, call->op->tag, bytes_span(request));
    }
    bytes_drop(request);
    return err;
}

/* A path must be one: the server would answer BADARGUMENTS, and who wrote the line would wonder. */
static bool is_path(struct span path)
{
    return path.len > 0 && path.at[0] == '/';
}

/* ---- create, delete, set ---- */

enum create_param {
    CREATE_PATH,
    CREATE_DATA,
    CREATE_E,
    CREATE_S,
    CREATE_PARAMS
};
static const struct guest_param create_params[] = {
    [CREATE_PATH] = {.name = "PATH", .kind = GUEST_WORD},
    [CREATE_DATA] = {.name = "DATA", .kind = GUEST_TEXT, .flags = GUEST_OPTIONAL},
    [CREATE_E] = {.name = "-e", .kind = GUEST_FLAG, .help = "ephemeral"},
    [CREATE_S] = {.name = "-s", .kind = GUEST_FLAG, .help = "sequential"},
};

static enum err run_create(struct guest_run *run, const struct guest_call *call)
{
    const struct guest_value *values = call->values;
    struct zk_ask op = {.op = OP_CREATE, .is_write = true, .path = values[CREATE_PATH].text};
    struct bytes request;

    if (!is_path(op.path)) {
        return ERR_FORMAT;
    }
    op.flags = (values[CREATE_E].given ? MODE_EPHEMERAL : 0) |
               (values[CREATE_S].given ? MODE_PERSISTENT_SEQUENTIAL : 0);
    bytes_init(&request, run->mem);
    client_ask_create(&request, op.path,
                      values[CREATE_DATA].given ? values[CREATE_DATA].text : span_make("", 0),
                      (enum zk_mode)op.flags);
    return ask(run, call, &op, &request);
}

enum version_param {
    VERSION_PATH,
    VERSION_VERSION,
    VERSION_PARAMS
};
static const struct guest_param delete_params[] = {
    [VERSION_PATH] = {.name = "PATH", .kind = GUEST_WORD},
    [VERSION_VERSION] = {.name = "version",
                         .kind = GUEST_NUMBER,
                         .flags = GUEST_KEYED,
                         .standard = "-1",
                         .help = "expected version, -1 any"},
};

static enum err run_delete(struct guest_run *run, const struct guest_call *call)
{
    struct zk_ask op = {.op = OP_DELETE, .is_write = true, .path = call->values[VERSION_PATH].text};
    struct bytes request;

    if (!is_path(op.path)) {
        return ERR_FORMAT;
    }
    bytes_init(&request, run->mem);
    client_ask_delete(&request, op.path, (int32_t)call->values[VERSION_VERSION].number);
    return ask(run, call, &op, &request);
}

enum set_param {
    SET_PATH,
    SET_DATA,
    SET_VERSION,
    SET_PARAMS
};
static const struct guest_param set_params[] = {
    [SET_PATH] = {.name = "PATH", .kind = GUEST_WORD},
    [SET_DATA] = {.name = "DATA", .kind = GUEST_TEXT},
    [SET_VERSION] = {.name = "version",
                     .kind = GUEST_NUMBER,
                     .flags = GUEST_KEYED,
                     .standard = "-1",
                     .help = "expected version, -1 any"},
};

static enum err run_set(struct guest_run *run, const struct guest_call *call)
{
    struct zk_ask op = {.op = OP_SET_DATA, .is_write = true, .path = call->values[SET_PATH].text};
    struct bytes request;

    if (!is_path(op.path)) {
        return ERR_FORMAT;
    }
    bytes_init(&request, run->mem);
    client_ask_set(&request, op.path, call->values[SET_DATA].text,
                   (int32_t)call->values[SET_VERSION].number);
    return ask(run, call, &op, &request);
}

/* ---- get, exists, ls ---- */

enum read_param {
    READ_PATH,
    READ_W,
    READ_PARAMS
};
static const struct guest_param read_params[] = {
    [READ_PATH] = {.name = "PATH", .kind = GUEST_WORD},
    [READ_W] = {.name = "-w", .kind = GUEST_FLAG, .help = "leave a watch"},
};

static enum err run_read(struct guest_run *run, const struct guest_call *call, int32_t what)
{
    struct zk_ask op = {
        .op = what, .path = call->values[READ_PATH].text, .watch = call->values[READ_W].given};
    struct bytes request;

    if (!is_path(op.path)) {
        return ERR_FORMAT;
    }
    bytes_init(&request, run->mem);
    client_ask_read(&request, what, op.path, op.watch);
    return ask(run, call, &op, &request);
}

static enum err run_get(struct guest_run *run, const struct guest_call *call)
{
    return run_read(run, call, OP_GET_DATA);
}

static enum err run_exists(struct guest_run *run, const struct guest_call *call)
{
    return run_read(run, call, OP_EXISTS);
}

static enum err run_ls(struct guest_run *run, const struct guest_call *call)
{
    return run_read(run, call, OP_GET_CHILDREN);
}

/* ---- sync, and the session ---- */

static const struct guest_param sync_params[] = {
    {.name = "PATH", .kind = GUEST_WORD, .flags = GUEST_OPTIONAL}};

static enum err run_plain(struct guest_run *run, const struct guest_call *call, int32_t what,
                          struct span path)
{
    struct zk_ask op = {.op = what, .path = path};
    struct bytes request;

    bytes_init(&request, run->mem);
    client_ask_plain(&request, what, path);
    return ask(run, call, &op, &request);
}

static enum err run_sync(struct guest_run *run, const struct guest_call *call)
{
    return run_plain(run, call, OP_SYNC,
                     call->values[0].given ? call->values[0].text : span_text("/"));
}

static enum err run_close(struct guest_run *run, const struct guest_call *call)
{
    return run_plain(run, call, OP_CLOSE_SESSION, (struct span){0});
}

static enum err run_reopen(struct guest_run *run, const struct guest_call *call)
{
    return run_plain(run, call, CLIENT_OP_OPEN, (struct span){0});
}

static const struct guest_param move_params[] = {{.name = "SERVER", .kind = GUEST_ROLE}};

static enum err run_move(struct guest_run *run, const struct guest_call *call)
{
    uint32_t server = guest_set_next(&call->values[0].set, 0);
    char room[48];
    struct text text;

    if (server == SIM_NONE || guest_is_client(run, server)) {
        return ERR_MISSING;
    }
    text_init(&text, room, sizeof(room));
    text_str(&text, sim_name(run->sim, server));
    text_str(&text, ":2181");
    return run_plain(run, call, CLIENT_OP_MOVE, span_make(room, text.len));
}

#define PARAMS(array) (array), COUNT(array)

const struct guest_verb zk_verbs[] = {
    {"create", GUEST_ON_CLIENT, true, true, PARAMS(create_params),
     "create the node {PATH}[ with the data {DATA}][ as ephemeral{-e}][ with a number behind its "
     "name{-s}]",
     run_create},
    {"set", GUEST_ON_CLIENT, true, true, PARAMS(set_params),
     "set the data of {PATH} to {DATA} if its version is {version} (-1: any)", run_set},
    {"delete", GUEST_ON_CLIENT, true, true, PARAMS(delete_params),
     "delete {PATH} if its version is {version} (-1: any)", run_delete},
    {"get", GUEST_ON_CLIENT, true, false, PARAMS(read_params),
     "read the data of {PATH}[ and leave a watch{-w}]", run_get},
    {"exists", GUEST_ON_CLIENT, true, false, PARAMS(read_params),
     "ask whether {PATH} exists[ and leave a watch{-w}]", run_exists},
    {"ls", GUEST_ON_CLIENT, true, false, PARAMS(read_params),
     "list the children of {PATH}[ and leave a watch{-w}]", run_ls},
    {"sync", GUEST_ON_CLIENT, true, false, PARAMS(sync_params),
     "wait until the server has what the leader has committed[, at {PATH}]", run_sync},
    {"close", GUEST_ON_CLIENT, true, true, NULL, 0, "close the session", run_close},
    {"reopen", GUEST_ON_CLIENT, true, false, NULL, 0, "open a new session", run_reopen},
    {"move", GUEST_ON_CLIENT, true, false, PARAMS(move_params),
     "leave the server and go to {SERVER} with the same session", run_move},
};
_Static_assert(COUNT(zk_verbs) == ZK_VERBS, "zk_tables.h knows how many");
