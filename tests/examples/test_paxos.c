/* Paxos message by message: one process is stepped by hand, its effects are read. */
#include "base/mem.h"
#include "base/rand.h"
#include "examples/paxos/paxos_slots.h"
#include "tests/expect.h"

static _Alignas(16) uint8_t memory[8u << 20];

struct node {
    const struct process_ops *ops;
    struct mem *mem;
    void *self;
    struct fx fx;
    uint64_t now_us;
    uint8_t file[4096]; /* what the test regards as durable: of the last FX_REPLACE */
    size_t file_len;
    char file_name[32];
};

static void node_step(struct node *node, struct input *in)
{
    in->mono_us = ++node->now_us;
    fx_clear(&node->fx);
    node->ops->step(node->self, in, &node->fx);
    for (uint32_t i = 0; i < node->fx.count; i++) {
        const struct effect *effect = &node->fx.list[i];

        if (effect->kind == FX_REPLACE) {
            EXPECT(effect->bytes.len <= sizeof(node->file));
            memcpy(node->file, effect->bytes.at, effect->bytes.len);
            node->file_len = effect->bytes.len;
            memcpy(node->file_name, effect->name.at, effect->name.len);
            node->file_name[effect->name.len] = 0;
        }
    }
}

/* Boot with the durable file, if there is one, and with `log` as the file of accepted values. */
static void node_boot(struct node *node, const struct process_ops *ops, uint32_t id,
                      enum paxos_forget forget, struct span log)
{
    struct paxos_config config = {
        .id = id, .nodes = 3, .forget = forget, .retry_us = 1000000, .heartbeat_us = 100000};
    struct file_view files[2];
    struct input in = {.kind = IN_BOOT, .boot = {.files = files, .seed = 3}};
    struct bytes bytes;

    node->ops = ops;
    node->mem = mem_region_mem(mem_region_init(memory, sizeof(memory), 0x5a));
    fx_init(&node->fx, node->mem);
    bytes_init(&bytes, node->mem);
    paxos_config_write(&config, &bytes);
    node->self = ops->make(node->mem, bytes_span(&bytes));
    EXPECT(node->self != NULL);
    if (node->file_len > 0) {
        files[in.boot.count++] = (struct file_view){.dir = DIR_DATA,
                                                    .whole = true,
                                                    .name = span_text(node->file_name),
                                                    .size = node->file_len,
                                                    .bytes = span_make(node->file, node->file_len)};
    }
    if (log.len > 0) {
        files[in.boot.count++] = (struct file_view){.dir = DIR_LOG,
                                                    .whole = true,
                                                    .name = span_text("accepted"),
                                                    .size = log.len,
                                                    .bytes = log};
    }
    node_step(node, &in);
}

static void node_hear(struct node *node, uint32_t from, const struct paxos_message *message,
                      const struct paxos_vote *vote)
{
    struct bytes bytes;
    struct input in = {.kind = IN_POST, .post = {.from = from}};

    bytes_init(&bytes, node->mem);
    paxos_wire_encode(message, &bytes);
    if (vote != NULL) {
        paxos_wire_put_vote(vote, &bytes);
    }
    in.post.span = bytes_span(&bytes);
    node_step(node, &in);
    bytes_drop(&bytes);
}

static void node_ask(struct node *node, const char *value)
{
    struct input in = {.kind = IN_ASK, .ask = {.tag = 7, .span = span_text(value)}};

    node_step(node, &in);
}

/* The index in the list of the first effect of this kind and, for posts, type; -1 when there is
 * none. */
static int find(const struct node *node, enum fx_kind kind, enum paxos_type type,
                struct paxos_message *message)
{
    struct paxos_message ignored;

    message = message == NULL ? &ignored : message;
    for (uint32_t i = 0; i < node->fx.count; i++) {
        const struct effect *effect = &node->fx.list[i];

        if (effect->kind == kind &&
            (kind != FX_POST ||
             (paxos_wire_decode(effect->bytes, message) == ERR_OK && message->type == type))) {
            return (int)i;
        }
    }
    return -1;
}

static bool decided(const struct node *node)
{
    for (uint32_t i = 0; i < node->fx.count; i++) {
        if (node->fx.list[i].kind == FX_NOTE && node->fx.list[i].id == PAXOS_NOTE_DECIDED) {
            return true;
        }
    }
    return false;
}

static const struct span no_log = {0};

/* ---- the single decree ---- */

START_TEST(test_a_promise_is_durable_before_it_leaves)
{
    static struct node node;
    struct paxos_message prepare = {.type = PAXOS_PREPARE, .ballot = paxos_ballot(4, 1), .slot = 1};
    int replace;

    node_boot(&node, &paxos_single_ops, 0, PAXOS_FORGET_NONE, no_log);
    node_hear(&node, 1, &prepare, NULL);
    replace = find(&node, FX_REPLACE, PAXOS_NO_TYPE, NULL);

    EXPECT(replace >= 0);
    EXPECT(replace < find(&node, FX_POST, PAXOS_PROMISE, NULL));
}
END_TEST

static bool accepts_older_after_restart(enum paxos_forget forget)
{
    static struct node node;
    struct paxos_message prepare = {.type = PAXOS_PREPARE, .ballot = paxos_ballot(4, 1), .slot = 1};
    struct paxos_message accept = {
        .type = PAXOS_ACCEPT, .ballot = paxos_ballot(3, 2), .slot = 1, .value = span_text("old")};

    node.file_len = 0;
    node_boot(&node, &paxos_single_ops, 0, forget, no_log);
    node_hear(&node, 1, &prepare, NULL);
    node_boot(&node, &paxos_single_ops, 0, forget, no_log);
    node_hear(&node, 2, &accept, NULL);
    EXPECT((find(&node, FX_POST, PAXOS_REFUSE, NULL) < 0) ==
           (find(&node, FX_POST, PAXOS_ACCEPTED, NULL) >= 0));
    return find(&node, FX_POST, PAXOS_ACCEPTED, NULL) >= 0;
}

START_TEST(test_a_promise_holds_across_a_restart)
{
    EXPECT(!accepts_older_after_restart(PAXOS_FORGET_NONE));
    EXPECT(accepts_older_after_restart(PAXOS_FORGET_PROMISE));
}
END_TEST

START_TEST(test_a_promise_reports_what_was_accepted)
{
    static struct node node;
    struct paxos_message accept = {
        .type = PAXOS_ACCEPT, .ballot = paxos_ballot(3, 2), .slot = 1, .value = span_text("blue")};
    struct paxos_message prepare = {.type = PAXOS_PREPARE, .ballot = paxos_ballot(4, 1), .slot = 1};
    struct paxos_message promise;
    struct paxos_vote vote;

    node_boot(&node, &paxos_single_ops, 0, PAXOS_FORGET_NONE, no_log);
    node_hear(&node, 2, &accept, NULL);
    node_boot(&node, &paxos_single_ops, 0, PAXOS_FORGET_NONE, no_log);
    node_hear(&node, 1, &prepare, NULL);

    EXPECT(find(&node, FX_POST, PAXOS_PROMISE, &promise) >= 0);
    EXPECT(promise.vote_count == 1);
    EXPECT(paxos_wire_vote(&promise.votes, &vote));
    EXPECT(vote.ballot == accept.ballot);
    EXPECT(span_is(vote.value, "blue"));
}
END_TEST

/* What a proposer with the wish "mine" proposes when promises report "low" and "high". */
static void propose_after(struct node *node, enum paxos_forget forget, struct paxos_message *accept)
{
    struct paxos_message prepare;
    struct paxos_message promise = {.type = PAXOS_PROMISE, .vote_count = 1};
    struct paxos_vote low = {.slot = 1, .ballot = paxos_ballot(1, 1), .value = span_text("low")};
    struct paxos_vote high = {.slot = 1, .ballot = paxos_ballot(2, 2), .value = span_text("high")};

    node->file_len = 0;
    node_boot(node, &paxos_single_ops, 0, forget, no_log);
    node_ask(node, "mine");
    EXPECT(find(node, FX_POST, PAXOS_PREPARE, &prepare) >= 0);
    promise.ballot = prepare.ballot;
    node_hear(node, 2, &promise, &high);
    EXPECT(find(node, FX_POST, PAXOS_ACCEPT, NULL) < 0); /* no majority yet */
    node_hear(node, 1, &promise, &low);
    EXPECT(find(node, FX_POST, PAXOS_ACCEPT, accept) >= 0);
}

START_TEST(test_a_proposer_takes_the_value_of_the_highest_ballot)
{
    static struct node node;
    struct paxos_message accept;

    propose_after(&node, PAXOS_FORGET_NONE, &accept);
    EXPECT(span_is(accept.value, "high"));
    propose_after(&node, PAXOS_FORGET_VALUE, &accept);
    EXPECT(span_is(accept.value, "mine"));
}
END_TEST

START_TEST(test_one_acceptor_counts_once)
{
    static struct node node;
    struct paxos_message prepare;
    struct paxos_message promise = {.type = PAXOS_PROMISE};

    node_boot(&node, &paxos_single_ops, 0, PAXOS_FORGET_NONE, no_log);
    node_ask(&node, "mine");
    find(&node, FX_POST, PAXOS_PREPARE, &prepare);
    promise.ballot = prepare.ballot;
    node_hear(&node, 1, &promise, NULL);
    node_hear(&node, 1, &promise, NULL);

    EXPECT(find(&node, FX_POST, PAXOS_ACCEPT, NULL) < 0);
}
END_TEST

START_TEST(test_a_value_is_chosen_by_a_majority_of_one_ballot)
{
    static struct node node;
    struct paxos_message accepted = {.type = PAXOS_ACCEPTED, .slot = 1};

    node_boot(&node, &paxos_single_ops, 0, PAXOS_FORGET_NONE, no_log);
    accepted.ballot = paxos_ballot(1, 0);
    accepted.value = span_text("red");
    node_hear(&node, 0, &accepted, NULL);
    EXPECT(!decided(&node));
    accepted.ballot = paxos_ballot(1, 1);
    accepted.value = span_text("blue");
    node_hear(&node, 1, &accepted, NULL);
    EXPECT(!decided(&node)); /* two acceptors, two ballots */
    node_hear(&node, 2, &accepted, NULL);
    EXPECT(decided(&node));
}
END_TEST

/* ---- the log ---- */

static const struct effect *effect_of(const struct node *node, enum fx_kind kind)
{
    int at = find(node, kind, PAXOS_NO_TYPE, NULL);

    return at < 0 ? NULL : &node->fx.list[at];
}

START_TEST(test_an_accepted_slot_is_acknowledged_once_it_is_durable)
{
    static struct node node;
    struct paxos_message accept = {
        .type = PAXOS_ACCEPT, .ballot = paxos_ballot(3, 2), .slot = 1, .value = span_text("one")};
    struct input done = {.kind = IN_DONE};
    const struct effect *sync;

    node_boot(&node, &paxos_log_ops, 0, PAXOS_FORGET_NONE, no_log);
    node_hear(&node, 2, &accept, NULL);
    EXPECT(effect_of(&node, FX_APPEND) != NULL);
    sync = effect_of(&node, FX_SYNC);
    EXPECT(sync != NULL);
    EXPECT(find(&node, FX_POST, PAXOS_ACCEPTED, NULL) < 0);
    done.done.tag = sync->b;
    node_step(&node, &done);
    EXPECT(find(&node, FX_POST, PAXOS_ACCEPTED, NULL) >= 0);
}
END_TEST

/* Two numbers, a length, "one", a hash. */
#define FIRST_RECORD 31u

/* Accept "one" in slot 1 and "three" in slot 3; the bytes of the file. */
static size_t accept_two(struct node *node, uint8_t *file)
{
    struct paxos_message accept = {.type = PAXOS_ACCEPT, .ballot = paxos_ballot(3, 2)};
    size_t len = 0;

    node->file_len = 0;
    node_boot(node, &paxos_log_ops, 0, PAXOS_FORGET_NONE, no_log);
    for (uint64_t slot = 1; slot <= 3; slot += 2) {
        const struct effect *append;

        accept.slot = slot;
        accept.value = span_text(slot == 1 ? "one" : "three");
        node_hear(node, 2, &accept, NULL);
        append = effect_of(node, FX_APPEND);
        EXPECT(append != NULL && append->a == len);
        memcpy(file + len, append->bytes.at, append->bytes.len);
        len += append->bytes.len;
    }
    return len;
}

START_TEST(test_a_torn_log_loses_its_tail_only)
{
    static struct node node;
    uint8_t file[512];
    size_t len = accept_two(&node, file);
    struct paxos_message prepare = {.type = PAXOS_PREPARE, .ballot = paxos_ballot(9, 1), .slot = 1};
    struct paxos_message promise;

    for (size_t cut = 0; cut <= len; cut++) {
        uint32_t whole = cut == len ? 2 : (cut >= FIRST_RECORD ? 1 : 0);

        node_boot(&node, &paxos_log_ops, 0, PAXOS_FORGET_NONE, span_make(file, cut));
        node_hear(&node, 1, &prepare, NULL);
        EXPECT(find(&node, FX_POST, PAXOS_PROMISE, &promise) >= 0);
        EXPECT(promise.vote_count == whole);
    }
}
END_TEST

START_TEST(test_a_damaged_record_ends_the_log)
{
    static struct node node;
    uint8_t file[512];
    size_t len = accept_two(&node, file);
    struct paxos_message prepare = {.type = PAXOS_PREPARE, .ballot = paxos_ballot(9, 1), .slot = 1};
    struct paxos_message promise;

    for (size_t at = 0; at < len; at++) {
        file[at] ^= 0x10;
        node_boot(&node, &paxos_log_ops, 0, PAXOS_FORGET_NONE, span_make(file, len));
        EXPECT(effect_of(&node, FX_TRUNCATE) != NULL);
        node_hear(&node, 1, &prepare, NULL);
        EXPECT(find(&node, FX_POST, PAXOS_PROMISE, &promise) >= 0);
        EXPECT(promise.vote_count <= 1);
        file[at] ^= 0x10;
    }
}
END_TEST

/* Let the node win a ballot with the promise of process 1 and of itself. */
static void make_leader(struct node *node, const struct paxos_vote *vote)
{
    struct input wake = {.kind = IN_WAKE};
    struct paxos_message prepare;
    struct paxos_message promise = {.type = PAXOS_PROMISE};

    node->now_us += 10000000;
    node_step(node, &wake);
    EXPECT(find(node, FX_POST, PAXOS_PREPARE, &prepare) >= 0);
    node_hear(node, 0, &prepare, NULL);
    promise.ballot = prepare.ballot;
    node_hear(node, 0, &promise, NULL);
    promise.vote_count = vote == NULL ? 0 : 1;
    node_hear(node, 1, &promise, vote);
}

START_TEST(test_a_new_leader_fills_gaps)
{
    static struct node node;
    struct paxos_vote vote = {.slot = 2, .ballot = paxos_ballot(1, 1), .value = span_text("two")};
    struct paxos_message message;
    bool filled = false;
    bool repeated = false;

    node.file_len = 0;
    node_boot(&node, &paxos_log_ops, 0, PAXOS_FORGET_NONE, no_log);
    make_leader(&node, &vote);
    for (uint32_t i = 0; i < node.fx.count; i++) {
        if (node.fx.list[i].kind == FX_POST &&
            paxos_wire_decode(node.fx.list[i].bytes, &message) == ERR_OK &&
            message.type == PAXOS_ACCEPT) {
            filled = filled || (message.slot == 1 && message.value.len == 0);
            repeated = repeated || (message.slot == 2 && span_is(message.value, "two"));
        }
    }

    EXPECT(filled);
    EXPECT(repeated);
}
END_TEST

START_TEST(test_slots_are_applied_in_order)
{
    static struct node node;
    struct paxos_message chosen = {.type = PAXOS_CHOSEN, .slot = 2, .value = span_text("two")};

    node.file_len = 0;
    node_boot(&node, &paxos_log_ops, 0, PAXOS_FORGET_NONE, no_log);
    node_hear(&node, 1, &chosen, NULL);
    EXPECT(!decided(&node));
    chosen.slot = 1;
    chosen.value = span_text("one");
    node_hear(&node, 1, &chosen, NULL);
    EXPECT(decided(&node));
}
END_TEST

/* A leader that was overtaken hears that its slot holds another value: its client must not be told
 * that all went well. */
START_TEST(test_a_client_is_not_told_of_another_value)
{
    static struct node node;
    struct paxos_message chosen = {.type = PAXOS_CHOSEN, .slot = 1, .value = span_text("other")};
    const struct effect *answer;

    node.file_len = 0;
    node_boot(&node, &paxos_log_ops, 0, PAXOS_FORGET_NONE, no_log);
    make_leader(&node, NULL);
    node_ask(&node, "mine");
    EXPECT(effect_of(&node, FX_ANSWER) == NULL);
    node_hear(&node, 1, &chosen, NULL);
    answer = effect_of(&node, FX_ANSWER);
    EXPECT(answer != NULL && answer->bytes.at[0] == PAXOS_REFUSED);
}
END_TEST

/* ---- bytes ---- */

START_TEST(test_messages_survive_their_bytes)
{
    struct mem *mem = mem_region_mem(mem_region_init(memory, sizeof(memory), 0));
    static const uint8_t value[256];
    struct rand rand;

    rand_init(&rand, 8);
    for (uint32_t i = 0; i < 3000; i++) {
        struct paxos_message message = {.type = (enum paxos_type)(1 + rand_below(&rand, 9)),
                                        .ballot = rand_next(&rand),
                                        .slot = rand_next(&rand),
                                        .promised = rand_next(&rand),
                                        .value = span_make(value, rand_below(&rand, 201)),
                                        .vote_count = (uint32_t)rand_below(&rand, 3)};
        struct paxos_message back;
        struct paxos_vote vote = {.slot = i, .ballot = rand_next(&rand), .value = span_text("v")};
        struct bytes bytes;

        bytes_init(&bytes, mem);
        paxos_wire_encode(&message, &bytes);
        for (uint32_t v = 0; v < message.vote_count; v++) {
            paxos_wire_put_vote(&vote, &bytes);
        }
        EXPECT(paxos_wire_decode(bytes_span(&bytes), &back) == ERR_OK);
        EXPECT(back.type == message.type && back.ballot == message.ballot);
        EXPECT(back.slot == message.slot && back.promised == message.promised);
        EXPECT(span_equal(back.value, message.value) && back.vote_count == message.vote_count);
        for (uint32_t v = 0; v < back.vote_count; v++) {
            struct paxos_vote got;

            EXPECT(paxos_wire_vote(&back.votes, &got));
            EXPECT(got.slot == vote.slot && got.ballot == vote.ballot && span_is(got.value, "v"));
        }
        EXPECT(paxos_wire_decode(span_make(bytes.at, rand_below(&rand, bytes.len)), &back) !=
               ERR_OK);
        bytes_drop(&bytes);
    }
}
END_TEST

/* Whatever comes: no assertion, no memory error. */
START_TEST(test_noise_is_survived)
{
    static struct node node;
    struct rand rand;

    rand_init(&rand, 15);
    for (uint32_t round = 0; round < 20; round++) {
        node.file_len = 0;
        node_boot(&node, round % 2 == 0 ? &paxos_log_ops : &paxos_single_ops, 0, PAXOS_FORGET_NONE,
                  no_log);
        for (uint32_t i = 0; i < 500; i++) {
            uint8_t noise[64];
            struct input in = {.kind = IN_POST,
                               .post = {.from = (uint32_t)rand_below(&rand, 4),
                                        .span = span_make(noise, rand_below(&rand, 65))}};

            for (uint32_t b = 0; b < sizeof(noise); b++) {
                noise[b] = rand_below(&rand, 3) == 0 ? (uint8_t)rand_next(&rand) : 0;
            }
            noise[0] = (uint8_t)rand_below(&rand, 11);
            noise[29] = noise[29] > 40 ? 0 : noise[29];
            node_step(&node, &in);
        }
    }
}
END_TEST

Suite *suite_paxos(void)
{
    Suite *suite = suite_create("paxos");
    TCase *single = tcase_create("single");
    TCase *log = tcase_create("log");
    TCase *wire = tcase_create("wire");

    tcase_add_test(single, test_a_promise_is_durable_before_it_leaves);
    tcase_add_test(single, test_a_promise_holds_across_a_restart);
    tcase_add_test(single, test_a_promise_reports_what_was_accepted);
    tcase_add_test(single, test_a_proposer_takes_the_value_of_the_highest_ballot);
    tcase_add_test(single, test_one_acceptor_counts_once);
    tcase_add_test(single, test_a_value_is_chosen_by_a_majority_of_one_ballot);
    tcase_add_test(log, test_an_accepted_slot_is_acknowledged_once_it_is_durable);
    tcase_add_test(log, test_a_torn_log_loses_its_tail_only);
    tcase_add_test(log, test_a_damaged_record_ends_the_log);
    tcase_add_test(log, test_a_new_leader_fills_gaps);
    tcase_add_test(log, test_slots_are_applied_in_order);
    tcase_add_test(log, test_a_client_is_not_told_of_another_value);
    tcase_add_test(wire, test_messages_survive_their_bytes);
    tcase_add_test(wire, test_noise_is_survived);
    suite_add_tcase(suite, single);
    suite_add_tcase(suite, log);
    suite_add_tcase(suite, wire);
    return suite;
}
