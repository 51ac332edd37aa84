#include "zk/help_mouth.h"

#include "protocol/client.h"
#include "protocol/client_ask.h"
#include "sim/zk/zk_guest.h"
#include "sim/zk/zookeeper.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* ---- processes that speak ---- */

#define MOUTH_MAGIC 0x6d6f757468u

struct mouth_words {
    uint64_t magic;
    uint32_t kind; /* of a note; 0: FX_ANSWER of tag a with code b */
    uint32_t text_len;
    uint64_t a, b, c;
    char text[64];
};

static void mouth_step(void *self, const struct input *in, struct fx *fx)
{
    struct mouth_words words;

    (void)self;
    if (in->kind != IN_ASK || in->ask.span.len != sizeof(words)) {
        return;
    }
    memcpy(&words, in->ask.span.at, sizeof(words));
    if (words.magic != MOUTH_MAGIC) {
        return;
    }
    if (words.kind == 0) {
        struct bytes *out = fx_out(fx);
        struct client_answer answer = {.code = (int32_t)words.b, .zxid = -1, .op = OP_EXISTS};

        if (words.text_len > 0) { /* of a create */
            answer.op = OP_CREATE;
            answer.has_reply = true;
            wire_reply_encode(out,
                              &(struct wire_reply){.type = OP_CREATE,
                                                   .path = span_make(words.text, words.text_len)});
            struct span record = fx_copy(fx, bytes_span(out));

            out = fx_out(fx);
            client_answer_encode(out, &answer, record);
        } else {
            client_answer_encode(out, &answer, span_make(NULL, 0));
        }
        fx_answer(fx, words.a, bytes_span(out));
        return;
    }
    fx_note(fx, words.kind, words.a, words.b, words.c, span_make(words.text, words.text_len));
}

static void *mouth_make(struct mem *mem, struct span config)
{
    return server_ops.make(mem, config); /* never booted: server_get_view finds nothing in it */
}

static const struct process_ops mouth_ops = {
    .name = "mouth", .make = mouth_make, .step = mouth_step};

static void *mute_make(struct mem *mem, struct span config)
{
    (void)config;
    return mem_get_zero(mem, 16);
}

static const struct process_ops mouth_client_ops = {
    .name = "mouth client", .make = mute_make, .step = mouth_step};

/* ---- their words ---- */

static const struct guest_param say_params[] = {
    {.name = "NOTE", .kind = GUEST_WORD},
    {.name = "A", .kind = GUEST_NUMBER, .flags = GUEST_OPTIONAL, .standard = "0"},
    {.name = "B", .kind = GUEST_NUMBER, .flags = GUEST_OPTIONAL, .standard = "0"},
    {.name = "C", .kind = GUEST_NUMBER, .flags = GUEST_OPTIONAL, .standard = "0"},
    {.name = "text", .kind = GUEST_TEXT, .flags = GUEST_KEYED, .standard = ""},
};

static const struct guest_param answer_params[] = {
    {.name = "TAG", .kind = GUEST_NUMBER},
    {.name = "CODE", .kind = GUEST_NUMBER},
    {.name = "path", .kind = GUEST_TEXT, .flags = GUEST_KEYED, .standard = ""}};
static const struct guest_param ledger_params[] = {{.name = "ZXID", .kind = GUEST_NUMBER},
                                                   {.name = "SESSION", .kind = GUEST_NUMBER},
                                                   {.name = "CXID", .kind = GUEST_NUMBER},
                                                   {.name = "TYPE", .kind = GUEST_NUMBER}};
static const struct guest_param tree_params[] = {{.name = "ZXID", .kind = GUEST_NUMBER},
                                                 {.name = "SESSION", .kind = GUEST_NUMBER},
                                                 {.name = "ephemeral", .kind = GUEST_FLAG},
                                                 {.name = "known", .kind = GUEST_FLAG}};

static uint32_t note_named(struct span word)
{
#define X(name, text, a, b, c, bytes) \
    if (span_is(word, text)) {        \
        return NOTE_##name;           \
    }
    NOTE_MAP(X)
#undef X
    ck_abort_msg("no note %.*s", (int)word.len, (const char *)word.at);
    return 0;
}

static enum err run_say(struct guest_run *run, const struct guest_call *call)
{
    struct mouth_words words = {.magic = MOUTH_MAGIC,
                                .kind = note_named(call->values[0].text),
                                .a = (uint64_t)call->values[1].number,
                                .b = (uint64_t)call->values[2].number,
                                .c = (uint64_t)call->values[3].number,
                                .text_len = (uint32_t)call->values[4].text.len};

    ck_assert_uint_le(words.text_len, sizeof(words.text));
    memcpy(words.text, call->values[4].text.at, words.text_len);
    sim_ask(run->sim, call->process, 0, span_make(&words, sizeof(words)));
    return ERR_OK;
}

static enum err run_answer(struct guest_run *run, const struct guest_call *call)
{
    struct mouth_words words = {.magic = MOUTH_MAGIC,
                                .a = (uint64_t)call->values[0].number,
                                .b = (uint64_t)call->values[1].number,
                                .text_len = (uint32_t)call->values[2].text.len};

    memcpy(words.text, call->values[2].text.at, words.text_len);
    sim_ask(run->sim, call->process, 0, span_make(&words, sizeof(words)));
    return ERR_OK;
}

/* A committed transaction that no server had to propose. */
static enum err run_ledger(struct guest_run *run, const struct guest_call *call)
{
    struct zk_run *zk = run->state;
    struct zk_txn *txn = zk_ledger_put(&zk->ledger, call->values[0].number);

    txn->committed = true;
    txn->session = call->values[1].number;
    txn->cxid = (int32_t)call->values[2].number;
    txn->type = (int32_t)call->values[3].number;
    zk->ledger.committed = txn->zxid;
    zk_clients_committed(zk, txn);
    return ERR_OK;
}

static void tree_do(struct tree *tree, struct mem *mem, struct txn *txn)
{
    struct tree_result result;

    tree_result_init(&result, mem);
    ck_assert_int_eq(tree_apply(tree, txn, &result), ERR_OK);
    tree_result_drop(&result);
}

/* s1 has a tree that stands at ZXID, with the ephemeral /e of SESSION, and with SESSION in its
 * table, or without. */
static enum err run_tree(struct guest_run *run, const struct guest_call *call)
{
    struct zk_run *zk = run->state;
    struct tree_options options = {0};
    struct tree *tree = tree_make(run->mem, &options);
    struct server_view view = {.tree = tree};
    struct txn create = {
        .header = {.client_id = call->values[1].number,
                   .zxid = call->values[0].number,
                   .type = OP_CREATE},
        .create = {
            .path = span_text("/e"), .acl = acl_open(), .ephemeral = true, .parent_cversion = 1}};
    struct txn open = {.header = {.client_id = call->values[1].number,
                                  .zxid = call->values[0].number,
                                  .type = OP_CREATE_SESSION},
                       .timeout_ms = 6000};

    if (call->values[2].given) {
        tree_do(tree, run->mem, &create);
    }
    if (call->values[3].given) {
        tree_do(tree, run->mem, &open);
    }
    tree_set_zxid(tree, call->values[0].number);
    zk_clients_check_tree(zk, 0, &view);
    tree_drop(tree);
    return ERR_OK;
}

/* ---- the guest ---- */

static enum err mouth_build(struct guest_run *run, struct text *why)
{
    char config[2048];
    struct config_error error = {0};
    struct zk_run *zk = run->state;
    uint32_t count = (uint32_t)run->options[ZK_OPTION_VOTERS].number;
    int length = 0;

    (void)why;
    for (uint32_t i = 1; i <= count; i++) {
        length += snprintf(config + length, sizeof(config) - (size_t)length,
                           "server.%u=s%u:2888:3888;2181\n", i, i);
    }
    snprintf(config + length, sizeof(config) - (size_t)length,
             "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/d\nmyid=1\n");
    zk->run = run;
    zk->server_count = count;
    zk->voter_count = count;
    ck_assert_int_eq(config_parse(&zk->config, run->mem, span_text(config), &error), ERR_OK);
    for (uint32_t i = 1; i <= count; i++) {
        char name[16];

        snprintf(name, sizeof(name), "s%u", i);
        sim_add(run->sim, name, &mouth_ops, span_text(config));
    }
    return zk_run_init(zk) ? ERR_OK : ERR_MEMORY;
}

static enum err mouth_add_client(struct guest_run *run, const char *name,
                                 const struct guest_value *values, struct text *why)
{
    struct zk_run *zk = run->state;

    (void)values;
    (void)why;
    ck_assert(
        zk_reserve(zk, &zk->clients, &zk->client_room, zk->client_count, sizeof(*zk->clients)));
    zk->clients[zk->client_count++] =
        (struct zk_client){.process = sim_add(run->sim, name, &mouth_client_ops, (struct span){0}),
                           .server = SIM_NONE};
    return ERR_OK;
}

void mouth_play(const char *text, char found[64], char why[256])
{
    struct guest guest = zookeeper_guest;
    const struct guest *guests[] = {&guest};
    struct guest_verb verbs[16];
    struct scenario *scenario;
    struct run_report report;
    struct run_options options = {.seed = 0};
    struct run *run;
    char whole[8192]; /* what is said in the last line has to be heard as well */

    snprintf(whole, sizeof(whole), "%srun 1s\n", text);
    memcpy(verbs, guest.verbs, guest.verb_count * sizeof(verbs[0]));
    verbs[guest.verb_count++] = (struct guest_verb){
        "say", GUEST_ON_SERVER, false, false, say_params, 5, "say {NOTE}", run_say};
    verbs[guest.verb_count++] = (struct guest_verb){
        "tell", GUEST_ON_CLIENT, false, false, say_params, 5, "tell {NOTE}", run_say};
    verbs[guest.verb_count++] = (struct guest_verb){
        "answer", GUEST_ON_CLIENT, false, false, answer_params, 3, "answer {TAG}", run_answer};
    verbs[guest.verb_count++] = (struct guest_verb){
        "ledger", GUEST_ON_NONE, false, false, ledger_params, 4, "commit {ZXID}", run_ledger};
    verbs[guest.verb_count++] = (struct guest_verb){
        "tree", GUEST_ON_NONE, false, false, tree_params, 4, "look at a tree", run_tree};
    guest.verbs = verbs;
    guest.build = mouth_build;
    guest.add_client = mouth_add_client;
    ck_assert_msg(scenario_parse("mouth.scn", span_text(whole), guests, 1, &scenario) == ERR_OK,
                  "%u:%u %s", scenario->problems[0].line, scenario->problems[0].column,
                  scenario->problems[0].text);
    ck_assert_msg(scenario->problem_count == 0, "%s", scenario->problems[0].text);
    run = run_make(scenario);
    ck_assert_ptr_nonnull(run);
    run_play(run, &options, &report);
    ck_assert_msg(report.defect[0] == 0, "%s", report.defect);
    ck_assert_msg(report.noop_count == 0, "line %u %s", report.noops[0].line, report.noops[0].why);
    found[0] = 0;
    why[0] = 0;
    if (report.found) {
        snprintf(found, 64, "%s",
                 report.finding.check == NULL ? "assertion" : report.finding.check);
        snprintf(why, 256, "%s", report.finding.why);
    }
    run_drop(run);
    scenario_drop(scenario);
}
