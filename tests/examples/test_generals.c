/* The generals without a world: every process is stepped by hand, round by round, so that all that
 * a traitor can say can be tried. */
#include "base/mem.h"
#include "base/rand.h"
#include "examples/generals/generals.h"
#include "tests/expect.h"

#define START_US 1000u
#define ROUND_US 1000u

/* Memory of one battle; the next one begins anew. */
static _Alignas(16) uint8_t arena[4u << 20];

#define LETTERS_MAX  4096u
#define LETTER_BYTES 40u
struct letter {
    uint32_t from, to;
    size_t len;
    uint8_t bytes[LETTER_BYTES];
};

struct army {
    struct letter letters[LETTERS_MAX]; /* of the round */
    uint32_t letter_count;
    struct generals_config config;
    struct generals_config own[GENERALS_MAX]; /* scripts differ */
    enum generals_order order;
    struct mem *mem;
    void *self[GENERALS_MAX];
    struct fx fx[GENERALS_MAX];
    bool decided[GENERALS_MAX];
    enum generals_order decision[GENERALS_MAX];
    uint32_t ignored; /* messages that could not be true */
};

static void army_step(struct army *army, uint32_t general, struct input *in, uint64_t now_us)
{
    in->mono_us = now_us;
    fx_clear(&army->fx[general]);
    generals_ops.step(army->self[general], in, &army->fx[general]);
}

static void army_take(struct army *army, uint32_t general)
{
    const struct fx *fx = &army->fx[general];

    for (uint32_t i = 0; i < fx->count; i++) {
        if (fx->list[i].kind == FX_NOTE && fx->list[i].id == GENERALS_NOTE_DECIDED) {
            EXPECT(!army->decided[general]);
            army->decided[general] = true;
            army->decision[general] = (enum generals_order)fx->list[i].a;
        }
        if (fx->list[i].kind == FX_NOTE && fx->list[i].id == GENERALS_NOTE_REFUSED) {
            army->ignored++;
        }
    }
}

/* Keep what a general sent until all have spoken. */
static void army_collect(struct army *army, uint32_t from)
{
    const struct fx *fx = &army->fx[from];

    for (uint32_t i = 0; i < fx->count; i++) {
        if (fx->list[i].kind == FX_POST) {
            struct letter *letter = &army->letters[army->letter_count++];

            EXPECT(army->letter_count <= LETTERS_MAX && fx->list[i].bytes.len <= LETTER_BYTES);
            *letter =
                (struct letter){.from = from, .to = fx->list[i].id, .len = fx->list[i].bytes.len};
            memcpy(letter->bytes, fx->list[i].bytes.at, letter->len);
        }
    }
}

/* Receivers only listen: nothing is sent in answer. */
static void army_deliver(struct army *army, uint64_t now_us)
{
    for (uint32_t i = 0; i < army->letter_count; i++) {
        struct letter *letter = &army->letters[i];
        struct input in = {
            .kind = IN_POST,
            .post = {.from = letter->from, .span = span_make(letter->bytes, letter->len)}};

        army_step(army, letter->to, &in, now_us);
        army_take(army, letter->to);
    }
    army->letter_count = 0;
}

static void army_raise(struct army *army, enum generals_order order)
{
    uint8_t said = (uint8_t)order;
    struct input ask = {.kind = IN_ASK, .ask = {.tag = 1, .span = span_make(&said, 1)}};

    army->mem = mem_region_mem(mem_region_init(arena, sizeof(arena), 0xa5));
    army->order = order;
    army->ignored = 0;
    for (uint32_t i = 0; i < army->config.count; i++) {
        struct input boot = {.kind = IN_BOOT, .boot = {.seed = 1000 + army->config.script + i}};
        struct bytes bytes;

        army->decided[i] = false;
        bytes_init(&bytes, army->mem);
        generals_config_write(&army->own[i], &bytes);
        army->self[i] = generals_ops.make(army->mem, bytes_span(&bytes));
        EXPECT(army->self[i] != NULL);
        bytes_drop(&bytes);
        fx_init(&army->fx[i], army->mem);
        army_step(army, i, &boot, 0);
    }
    army_step(army, 0, &ask, 1);
}

/* A traitor who can do more than lie: a message of the test's own in a round. */
struct intruder {
    uint32_t round, from, to;
    struct generals_message message;
};

static void army_fight(struct army *army, const struct intruder *intruder)
{
    uint32_t rounds = army->config.depth + 2; /* the last one only decides */

    for (uint32_t round = 0; round < rounds; round++) {
        uint64_t now_us = START_US + round * ROUND_US;

        for (uint32_t i = 0; i < army->config.count; i++) {
            struct input wake = {.kind = IN_WAKE};

            army_step(army, i, &wake, now_us);
            army_take(army, i);
        }
        for (uint32_t i = 0; i < army->config.count; i++) {
            army_collect(army, i);
        }
        army_deliver(army, now_us + ROUND_US / 2);
        if (intruder != NULL && intruder->round == round + 1) {
            struct bytes bytes;
            struct input in = {.kind = IN_POST, .post = {.from = intruder->from}};

            bytes_init(&bytes, army->mem);
            generals_message_encode(&intruder->message, army->config.is_signed, &bytes);
            in.post.span = bytes_span(&bytes);
            army_step(army, intruder->to, &in, now_us + ROUND_US / 2);
            army_take(army, intruder->to);
            bytes_drop(&bytes);
        }
    }
}

static bool is_loyal(const struct army *army, uint32_t general)
{
    return army->config.lies[general] == GENERALS_LOYAL;
}

/* IC1 and IC2. */
static bool army_agrees(const struct army *army)
{
    enum generals_order first = GENERALS_SILENCE;

    for (uint32_t i = 1; i < army->config.count; i++) {
        if (!is_loyal(army, i)) {
            continue;
        }
        EXPECT(army->decided[i]);
        if (is_loyal(army, 0) && army->decision[i] != army->order) {
            return false;
        }
        if (first != GENERALS_SILENCE && army->decision[i] != first) {
            return false;
        }
        first = army->decision[i];
    }
    return true;
}

/* ---- one battle ---- */

static void army_plan(struct army *army, bool is_signed, uint32_t count, uint32_t depth)
{
    army->config = (struct generals_config){
        .count = count,
        .depth = depth,
        .is_signed = is_signed,
        .start_us = START_US,
        .round_us = ROUND_US,
        .key = 99,
    };
}

static bool battle(struct army *army, enum generals_order order, const struct intruder *intruder)
{
    army_raise(army, order);
    army_fight(army, intruder);
    return army_agrees(army);
}

/* The same with these scripts of the traitors, by process. */
static bool battle_scripts(struct army *army, enum generals_order order, const uint64_t *scripts)
{
    for (uint32_t i = 0; i < army->config.count; i++) {
        army->own[i] = army->config;
        army->own[i].id = i;
        army->own[i].script = scripts[i];
    }
    return battle(army, order, NULL);
}

static uint64_t power(uint64_t base, uint32_t exponent)
{
    uint64_t result = 1;

    for (uint32_t i = 0; i < exponent; i++) {
        result *= base;
    }
    return result;
}

/* Everything that one traitor can say in `messages` messages, under both orders: how often the
 * loyal ones part. */
static uint32_t try_all(struct army *army, uint32_t traitor, uint32_t messages)
{
    uint64_t scripts[GENERALS_MAX] = {0};
    uint32_t parted = 0;

    army->config.lies[traitor] = GENERALS_SCRIPT;
    for (uint64_t script = 0; script < power(3, messages); script++) {
        scripts[traitor] = script;
        parted += battle_scripts(army, GENERALS_ATTACK, scripts) ? 0 : 1;
        parted += battle_scripts(army, GENERALS_RETREAT, scripts) ? 0 : 1;
    }
    army->config.lies[traitor] = GENERALS_LOYAL;
    return parted;
}

/* ---- oral messages ---- */

/* Lamport, Shostak, Pease 1982, theorem 1: OM(m) bears m traitors among more than 3m generals. */
START_TEST(test_four_generals_bear_any_traitor)
{
    static struct army army;

    army_plan(&army, false, 4, 1);
    EXPECT(try_all(&army, 0, 3) == 0);
    for (uint32_t traitor = 1; traitor < 4; traitor++) {
        EXPECT(try_all(&army, traitor, 2) == 0);
    }
}
END_TEST

START_TEST(test_five_generals_bear_any_traitor)
{
    static struct army army;

    army_plan(&army, false, 5, 1);
    EXPECT(try_all(&army, 0, 4) == 0);
    for (uint32_t traitor = 1; traitor < 5; traitor++) {
        EXPECT(try_all(&army, traitor, 3) == 0);
    }
}
END_TEST

/* Section 2: with three generals a traitor among the lieutenants is enough. */
START_TEST(test_three_generals_do_not_bear_a_lieutenant)
{
    static struct army army;

    army_plan(&army, false, 3, 1);
    EXPECT(try_all(&army, 0, 2) == 0);
    EXPECT(try_all(&army, 1, 1) > 0);
    EXPECT(try_all(&army, 2, 1) > 0);
}
END_TEST

/* OM(0) believes the commander. */
START_TEST(test_without_relays_a_commander_parts_them)
{
    static struct army army;

    army_plan(&army, false, 4, 0);
    EXPECT(try_all(&army, 0, 3) > 0);
    EXPECT(try_all(&army, 1, 0) == 0);
}
END_TEST

static uint32_t try_random_pairs(struct army *army, uint32_t rounds)
{
    uint32_t parted = 0;

    for (uint32_t a = 0; a < army->config.count; a++) {
        for (uint32_t b = a + 1; b < army->config.count; b++) {
            uint64_t scripts[GENERALS_MAX] = {0};

            army->config.lies[a] = GENERALS_RANDOM;
            army->config.lies[b] = GENERALS_RANDOM;
            for (uint32_t i = 0; i < rounds; i++) {
                army->config.script = (a * 31 + b) * 1000 + i; /* seeds the generals */
                parted += battle_scripts(army, (enum generals_order)(i % 2), scripts) ? 0 : 1;
            }
            army->config.lies[a] = GENERALS_LOYAL;
            army->config.lies[b] = GENERALS_LOYAL;
        }
    }
    return parted;
}

START_TEST(test_seven_generals_bear_two_traitors)
{
    static struct army army;

    army_plan(&army, false, 7, 2);
    EXPECT(try_random_pairs(&army, 60) == 0);
}
END_TEST

START_TEST(test_six_generals_do_not_bear_two_traitors)
{
    static struct army army;

    army_plan(&army, false, 6, 2);
    EXPECT(try_random_pairs(&army, 60) > 0);
}
END_TEST

/* ---- signed messages ---- */

/* Theorem 2: SM(m) bears m traitors among any number. */
START_TEST(test_three_generals_with_signatures_bear_any_traitor)
{
    static struct army army;

    army_plan(&army, true, 3, 1);
    EXPECT(try_all(&army, 0, 2) == 0);
    EXPECT(try_all(&army, 1, 2) == 0);
    EXPECT(try_all(&army, 2, 2) == 0);
}
END_TEST

/* Commander and a lieutenant conspire: three messages of the one, four of the other. */
START_TEST(test_four_generals_with_signatures_bear_two_traitors)
{
    static struct army army;
    uint64_t scripts[GENERALS_MAX] = {0};

    army_plan(&army, true, 4, 2);
    army.config.lies[0] = GENERALS_SCRIPT;
    army.config.lies[3] = GENERALS_SCRIPT;
    for (uint64_t first = 0; first < power(3, 3); first++) {
        for (uint64_t second = 0; second < power(3, 4); second++) {
            scripts[0] = first;
            scripts[3] = second;
            EXPECT(battle_scripts(&army, GENERALS_ATTACK, scripts));
        }
    }
}
END_TEST

static void sign(const struct army *army, struct generals_message *message)
{
    for (uint32_t i = 0; i < message->hops; i++) {
        message->signatures[i] = generals_signature(army->config.key, message, i);
    }
}

static void own_nothing(struct army *army)
{
    for (uint32_t i = 0; i < army->config.count; i++) {
        army->own[i] = army->config;
        army->own[i].id = i;
    }
}

START_TEST(test_a_forged_signature_is_ignored)
{
    static struct army army;
    struct intruder intruder = {
        .round = 2,
        .from = 2,
        .to = 1,
        .message = {.order = GENERALS_RETREAT, .hops = 2, .path = {0, 2}},
    };

    army_plan(&army, true, 3, 1);
    own_nothing(&army);
    sign(&army, &intruder.message);
    intruder.message.signatures[0] ^= 1;
    EXPECT(battle(&army, GENERALS_ATTACK, &intruder));
    EXPECT(army.ignored == 1);
    EXPECT(army.decision[1] == GENERALS_ATTACK);
}
END_TEST

/* A second order that is shown only in the last round could not be relayed any more. */
START_TEST(test_an_order_with_too_few_signatures_is_ignored)
{
    static struct army army;
    struct intruder intruder = {
        .round = 2,
        .from = 0,
        .to = 1,
        .message = {.order = GENERALS_RETREAT, .hops = 1, .path = {0}},
    };

    army_plan(&army, true, 3, 1);
    army.config.lies[0] = GENERALS_SPLIT;
    own_nothing(&army);
    army.own[0].lies[0] = GENERALS_LOYAL; /* says the same to all in its first round */
    sign(&army, &intruder.message);
    EXPECT(battle(&army, GENERALS_ATTACK, &intruder));
    EXPECT(army.ignored == 1);
}
END_TEST

/* Assumption A2: the receiver knows who sent. */
START_TEST(test_nobody_speaks_for_another)
{
    static struct army army;
    struct intruder intruder = {
        .round = 2,
        .from = 3,
        .to = 1,
        .message = {.order = GENERALS_RETREAT, .hops = 2, .path = {0, 2}},
    };

    army_plan(&army, false, 4, 1);
    own_nothing(&army);
    EXPECT(battle(&army, GENERALS_ATTACK, &intruder));
    EXPECT(army.ignored == 1);
}
END_TEST

/* ---- bytes ---- */

START_TEST(test_messages_survive_their_bytes)
{
    struct mem *mem = mem_region_mem(mem_region_init(arena, sizeof(arena), 0));
    struct rand rand;

    rand_init(&rand, 4);
    for (uint32_t i = 0; i < 2000; i++) {
        struct generals_message message = {.order = (enum generals_order)rand_below(&rand, 2),
                                           .hops = 1 + (uint32_t)rand_below(&rand, 4)};
        bool is_signed = rand_below(&rand, 2) == 1;
        struct generals_message back;
        struct bytes bytes;

        for (uint32_t hop = 1; hop < message.hops; hop++) {
            message.path[hop] = (uint8_t)(hop * 3);
        }
        for (uint32_t hop = 0; is_signed && hop < message.hops; hop++) {
            message.signatures[hop] = rand_next(&rand);
        }
        bytes_init(&bytes, mem);
        generals_message_encode(&message, is_signed, &bytes);
        EXPECT(generals_message_decode(bytes_span(&bytes), 16, &back) == ERR_OK);
        EXPECT(back.order == message.order && back.hops == message.hops);
        EXPECT(memcmp(back.path, message.path, sizeof(back.path)) == 0);
        EXPECT(memcmp(back.signatures, message.signatures, sizeof(back.signatures)) == 0);
        for (size_t cut = 0; cut < bytes.len; cut++) {
            bool whole = is_signed && cut == 2 + message.hops; /* the same without signatures */

            EXPECT(whole ==
                   (generals_message_decode(span_make(bytes.at, cut), 16, &back) == ERR_OK));
        }
        bytes_drop(&bytes);
    }
}
END_TEST

START_TEST(test_paths_that_cannot_be_are_refused)
{
    static const uint8_t cases[][6] = {
        {2, 1, 0}, {1, 0}, {1, 5, 0, 1, 2, 3}, {1, 1, 1}, {1, 2, 0, 0}, {1, 2, 0, 9}, {1, 2, 0},
    };
    static const size_t lens[] = {3, 2, 6, 3, 4, 4, 3};
    struct generals_message message;

    for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        EXPECT(generals_message_decode(span_make(cases[i], lens[i]), 4, &message) != ERR_OK);
    }
}
END_TEST

Suite *suite_generals(void)
{
    Suite *suite = suite_create("generals");
    TCase *oral = tcase_create("oral");
    TCase *with = tcase_create("signed");
    TCase *wire = tcase_create("wire");

    tcase_set_timeout(oral, 60);
    tcase_set_timeout(with, 60);
    tcase_add_test(oral, test_four_generals_bear_any_traitor);
    tcase_add_test(oral, test_five_generals_bear_any_traitor);
    tcase_add_test(oral, test_three_generals_do_not_bear_a_lieutenant);
    tcase_add_test(oral, test_without_relays_a_commander_parts_them);
    tcase_add_test(oral, test_seven_generals_bear_two_traitors);
    tcase_add_test(oral, test_six_generals_do_not_bear_two_traitors);
    tcase_add_test(oral, test_nobody_speaks_for_another);
    tcase_add_test(with, test_three_generals_with_signatures_bear_any_traitor);
    tcase_add_test(with, test_four_generals_with_signatures_bear_two_traitors);
    tcase_add_test(with, test_a_forged_signature_is_ignored);
    tcase_add_test(with, test_an_order_with_too_few_signatures_is_ignored);
    tcase_add_test(wire, test_messages_survive_their_bytes);
    tcase_add_test(wire, test_paths_that_cannot_be_are_refused);
    suite_add_tcase(suite, oral);
    suite_add_tcase(suite, with);
    suite_add_tcase(suite, wire);
    return suite;
}
