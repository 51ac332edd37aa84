/* Connections: who listens, who dials, how a connection ends. The bytes are way.c's.
 *
 *     dialer  --SYN-->  acceptor            at the host: refused, or IN_OPENED there
 *     dialer  <--OPEN or REFUSED--          IN_OPENED, or IN_CLOSED(REFUSED), here
 *     bytes both ways, first in, first out
 *     END (orderly) or RESET                IN_CLOSED at the other end
 *
 * An end is `open` while its process regards the number as in use. When both are shut the
 * connection is gone with whatever was on its way. A `vanished` end belongs to a host that died
 * without a word: who sends there is reset once the host is back, or after SIM_FATAL_US. */
#include "base/ensure.h"
#include "sim/world.h"

#define STREAM_PORT_FIRST 32768u
#define STREAM_PORT_COUNT 28232u

/* ---- numbers of one process ---- */
static uint32_t numbers_slot(const struct sim_numbers *numbers, uint32_t number)
{
    return (uint32_t)(((uint64_t)number * 0x9e3779b97f4a7c15u) >> 40) & (numbers->room - 1);
}

static struct sim_number *numbers_find(const struct sim_numbers *numbers, uint32_t number)
{
    if (numbers->count == 0) {
        return NULL;
    }
    for (uint32_t i = numbers_slot(numbers, number);; i = (i + 1) & (numbers->room - 1)) {
        if (numbers->slots[i].value == 0) {
            return NULL;
        }
        if (numbers->slots[i].number == number) {
            return &numbers->slots[i];
        }
    }
}

static void numbers_insert(struct sim_numbers *numbers, struct sim_number item)
{
    uint32_t i = numbers_slot(numbers, item.number);

    while (numbers->slots[i].value != 0) {
        i = (i + 1) & (numbers->room - 1);
    }
    numbers->slots[i] = item;
    numbers->count++;
}

static void numbers_put(struct sim *sim, struct sim_numbers *numbers, struct sim_number item)
{
    if ((numbers->count + 1) * 4 > numbers->room * 3) {
        struct sim_numbers old = *numbers;

        numbers->room = old.room == 0 ? 16 : old.room * 2;
        numbers->slots = sim_get_zero(sim, numbers->room * sizeof(*numbers->slots));
        numbers->count = 0;
        for (uint32_t i = 0; i < old.room; i++) {
            if (old.slots[i].value != 0) {
                numbers_insert(numbers, old.slots[i]);
            }
        }
        sim_put(sim, old.slots, old.room * sizeof(*old.slots));
    }
    numbers_insert(numbers, item);
}

/* Take an entry out and close the gap, so that no probe ends too early. */
static void numbers_take(struct sim_numbers *numbers, struct sim_number *slot)
{
    uint32_t mask = numbers->room - 1;
    uint32_t hole = (uint32_t)(slot - numbers->slots);

    for (uint32_t i = (hole + 1) & mask; numbers->slots[i].value != 0; i = (i + 1) & mask) {
        uint32_t home = numbers_slot(numbers, numbers->slots[i].number);

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            numbers->slots[hole] = numbers->slots[i];
            hole = i;
        }
    }
    numbers->slots[hole].value = 0;
    numbers->count--;
}

struct sim_end *sim_end_find(struct sim *sim, struct sim_process *p, uint32_t number,
                             struct sim_conn **conn, uint32_t *side)
{
    const struct sim_number *slot = numbers_find(&p->numbers, number);

    if (slot == NULL) {
        return NULL;
    }
    *conn = sim->conns[(slot->value - 1) / 2];
    *side = (slot->value - 1) % 2;
    return &(*conn)->ends[*side];
}

/* ---- connections ---- */
static struct sim_conn *conn_make(struct sim *sim)
{
    struct sim_conn *conn;

    if (sim->conn_free != UINT32_MAX) {
        conn = sim->conns[sim->conn_free];
        sim->conn_free = conn->next_free;
    } else {
        if (sim->conn_count == sim->conn_room) {
            uint32_t room = sim->conn_room * 2;
            struct sim_conn **grown = sim_get(sim, room * sizeof(*grown));

            memcpy(grown, sim->conns, sim->conn_count * sizeof(*grown));
            sim_put(sim, sim->conns, sim->conn_room * sizeof(*grown));
            sim->conns = grown;
            sim->conn_room = room;
        }
        conn = sim_get_zero(sim, sizeof(*conn));
        conn->index = sim->conn_count;
        sim->conns[sim->conn_count++] = conn;
    }
    memset(conn->ends, 0, sizeof(conn->ends));
    list_init(&conn->ends[0].link);
    list_init(&conn->ends[1].link);
    conn->live = true;
    conn->severed = false;
    conn->accepted = false;
    return conn;
}

static void conn_drop(struct sim *sim, struct sim_conn *conn)
{
    ENSURE(conn->live);
    sim_way_drop(sim, conn, 0);
    sim_way_drop(sim, conn, 1);
    conn->live = false;
    conn->next_free = sim->conn_free;
    sim->conn_free = conn->index;
}

static void end_open(struct sim *sim, struct sim_conn *conn, uint32_t side, struct sim_process *p,
                     uint32_t number)
{
    struct sim_end *end = &conn->ends[side];

    end->process = p->index;
    end->number = number;
    end->open = true;
    list_push(&p->ends, &end->link);
    numbers_put(sim, &p->numbers,
                (struct sim_number){.number = number, .value = conn->index * 2 + side + 1});
}

void sim_end_shut(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_end *end = &conn->ends[side];
    struct sim_process *p = sim->processes[end->process];

    if (end->open) {
        struct sim_number *slot = numbers_find(&p->numbers, end->number);

        ENSURE(slot != NULL);
        numbers_take(&p->numbers, slot);
        list_take(&end->link);
        end->open = false;
    }
    if (!conn->ends[1 - side].open) {
        conn_drop(sim, conn);
    }
}

/* ---- listening ---- */
/* The number behind the last colon; 0 when there is none. */
static uint32_t stream_port(struct span address, struct span *host)
{
    size_t at = address.len;
    uint64_t port;

    while (at > 0 && address.at[at - 1] != ':') {
        at--;
    }
    if (at == 0 || text_parse_u64(span_make(address.at + at, address.len - at), &port) != ERR_OK ||
        port > UINT16_MAX) {
        return 0;
    }
    *host = span_make(address.at, at - 1);
    return (uint32_t)port;
}

void sim_stream_listen(struct sim *sim, struct sim_process *p, const struct effect *effect)
{
    struct span host;
    uint32_t port = stream_port(effect->bytes, &host);
    struct sim_parcel *parcel =
        sim_parcel_make(sim, PARCEL_LISTENING, p->index, span_make(NULL, 0));

    parcel->id = effect->id;
    parcel->err = port == 0 ? ERR_FORMAT : ERR_OK;
    for (uint32_t i = 0; i < p->listener_count; i++) {
        if (p->listeners[i].port == port) {
            parcel->err = ERR_EXISTS;
        }
        if (p->listeners[i].id == effect->id) {
            sim_fault(sim, p->index, "step contract", span_text("a listener number is in use"));
        }
    }
    if (parcel->err == ERR_OK && p->listener_count == SIM_LISTENERS_MAX) {
        parcel->err = ERR_RANGE;
    }
    if (parcel->err == ERR_OK) {
        p->listeners[p->listener_count++] = (struct sim_listener){.id = effect->id, .port = port};
    }
    sim_parcel_send(sim, parcel, sim->now_us);
}

void sim_stream_unlisten(struct sim_process *p, uint32_t id)
{
    for (uint32_t i = 0; i < p->listener_count; i++) {
        if (p->listeners[i].id == id) {
            p->listeners[i] = p->listeners[--p->listener_count];
            return;
        }
    }
}

/* ---- dialing ---- */
static uint32_t stream_host(const struct sim *sim, const struct sim_process *p, struct span host)
{
    uint32_t process = sim_find(sim, host);

    if (process == SIM_NONE && (span_is(host, "localhost") || span_is(host, "127.0.0.1"))) {
        return p->index;
    }
    return process;
}

static bool stream_cut(const struct sim *sim, uint32_t a, uint32_t b)
{
    return sim_pair_at(sim, a, b)->link.cut || sim_pair_at(sim, b, a)->link.cut;
}

void sim_stream_dial(struct sim *sim, struct sim_process *p, const struct effect *effect)
{
    struct span host = {0};
    uint32_t port = stream_port(effect->bytes, &host);
    uint32_t target = port == 0 ? SIM_NONE : stream_host(sim, p, host);
    struct sim_conn *conn;

    if (effect->id >= CONN_ACCEPTED || numbers_find(&p->numbers, effect->id) != NULL) {
        sim_fault(sim, p->index, "step contract",
                  span_text("a dialed connection number is in use"));
        return;
    }
    conn = conn_make(sim);
    conn->port = port;
    conn->codec = sim_codec_find(sim, port);
    conn->dial_us = sim->now_us;
    conn->ends[0].port = (uint16_t)(STREAM_PORT_FIRST + p->next_port++ % STREAM_PORT_COUNT);
    conn->ends[1].process = target;
    host.len = host.len > SIM_NAME_MAX ? SIM_NAME_MAX : host.len;
    memcpy(conn->host, host.at == NULL ? (const uint8_t *)"" : host.at, host.len);
    conn->host[host.len] = '\0';
    if (target == SIM_NONE) {
        conn->ends[1].process = p->index;
    }
    end_open(sim, conn, 0, p, effect->id);
    sim_way_init(sim, conn, 0);
    sim_way_init(sim, conn, 1);
    if (target == SIM_NONE) {
        sim_way_mark(sim, conn, 1, SEGMENT_REFUSED, sim->now_us);
    } else if (stream_cut(sim, p->index, target)) {
        sim_way_mark(sim, conn, 1, SEGMENT_REFUSED, sim->now_us + SIM_DIAL_US);
    } else {
        sim_way_mark(sim, conn, 0, SEGMENT_SYN,
                     sim->now_us + sim_link_delay(sim, p->index, target, DRAW_SYN));
    }
}

bool sim_stream_syn(struct sim *sim, struct sim_conn *conn)
{
    uint32_t from = conn->ends[0].process;
    struct sim_process *p = sim->processes[conn->ends[1].process];
    uint64_t back_us;
    uint32_t listener = 0;

    if (stream_cut(sim, from, p->index) || p->power_off) {
        sim_way_mark(sim, conn, 1, SEGMENT_REFUSED, conn->dial_us + SIM_DIAL_US);
        sim_way_clear(&conn->ways[0]);
        return false;
    }
    back_us = sim->now_us + sim_link_delay(sim, p->index, from, DRAW_ACCEPT);
    for (uint32_t i = 0; p->up && i < p->listener_count; i++) {
        if (p->listeners[i].port == conn->port) {
            listener = p->listeners[i].id;
        }
    }
    if (listener == 0) {
        sim_way_mark(sim, conn, 1, SEGMENT_REFUSED, back_us);
        sim_way_clear(&conn->ways[0]);
        return false;
    }
    conn->ends[1].listener = listener;
    end_open(sim, conn, 1, p, CONN_ACCEPTED + p->next_accepted++);
    conn->accepted = true;
    sim_way_segment(&conn->ways[0], 0)->mark = SEGMENT_ACCEPT;
    sim_way_mark(sim, conn, 1, SEGMENT_OPEN, back_us);
    return true;
}

static void stream_tell(struct sim *sim, enum sim_at at, const struct sim_conn *conn, uint32_t side)
{
    const struct sim_end *end = &conn->ends[side];
    struct sim_event event = {
        .at = at,
        .process = end->process,
        .peer = conn->ends[1 - side].process,
        .port = conn->port,
        .conn = end->number,
        .dialer = side == 0,
    };
    enum sim_verdict verdict = sim_watched(sim, at) ? sim_tell(sim, &event) : SIM_GO;

    if (verdict == SIM_CRASH_BEFORE || verdict == SIM_CRASH_AFTER) {
        sim_doom(sim, sim->processes[end->process], sim->verdict_kind);
    }
}

static void stream_address(struct text *text, const char *host, uint32_t port)
{
    text_str(text, host);
    text_char(text, ':');
    text_u64(text, port);
}

void sim_stream_opened(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_end *end = &conn->ends[side];
    struct sim_process *p = sim->processes[end->process];
    char dialer_at[SIM_NAME_MAX + 8];
    char acceptor_at[SIM_NAME_MAX + 8];
    struct text dialer;
    struct text acceptor;
    struct input in = {.kind = IN_OPENED};
    uint32_t incarnation = p->incarnation;

    stream_tell(sim, SIM_AT_OPENED, conn, side);
    if (!p->up || p->incarnation != incarnation || !conn->live || !end->open) {
        return;
    }
    end->usable = true;
    if (conn->ways[side].tell_drained) {
        sim_way_tell_drained(sim, conn, side); /* asked before it was open */
    }
    text_init(&dialer, dialer_at, sizeof(dialer_at));
    stream_address(&dialer, sim->processes[conn->ends[0].process]->name, conn->ends[0].port);
    text_init(&acceptor, acceptor_at, sizeof(acceptor_at));
    stream_address(&acceptor, side == 0 ? conn->host : p->name, conn->port);
    in.opened.conn = end->number;
    in.opened.listener = end->listener;
    in.opened.peer =
        side == 0 ? span_make(acceptor.at, acceptor.len) : span_make(dialer.at, dialer.len);
    in.opened.local =
        side == 0 ? span_make(dialer.at, dialer.len) : span_make(acceptor.at, acceptor.len);
    in.opened.subject = span_make(NULL, 0);
    sim_step(sim, p, &in, NULL);
}

/* ---- ends ---- */
void sim_stream_closed(struct sim *sim, struct sim_conn *conn, uint32_t side, enum err err)
{
    struct sim_end *end = &conn->ends[side];
    struct sim_process *p = sim->processes[end->process];
    struct input in = {.kind = IN_CLOSED, .closed = {.conn = end->number, .err = err}};
    uint32_t incarnation = p->incarnation;

    stream_tell(sim, SIM_AT_CLOSED, conn, side);
    if (!p->up || p->incarnation != incarnation || !conn->live || !end->open) {
        return;
    }
    sim_end_shut(sim, conn, side);
    sim_step(sim, p, &in, NULL);
}

void sim_stream_close(struct sim *sim, struct sim_process *p, uint32_t number, bool abort)
{
    struct sim_conn *conn;
    uint32_t side;
    struct sim_end *end = sim_end_find(sim, p, number, &conn, &side);
    uint32_t peer;
    bool reached;

    if (end == NULL) {
        return;
    }
    peer = conn->ends[1 - side].process;
    reached = conn->ends[1 - side].open;
    if (abort && reached) {
        uint64_t draw = sim_draw_next(sim, DRAW_ABORT, p->index, peer);

        /* A reset may overtake what the receiver has not read. */
        if (sim_draw_ppm(sim, draw, 500000)) {
            sim_way_clear(&conn->ways[side]);
        }
    }
    if (reached) {
        sim_way_mark(sim, conn, side, abort ? SEGMENT_RESET : SEGMENT_END,
                     sim->now_us + sim_link_delay(sim, p->index, peer, DRAW_END));
    }
    sim_end_shut(sim, conn, side);
}

void sim_stream_throttle(struct sim *sim, struct sim_process *p, uint32_t number, bool stop)
{
    struct sim_conn *conn;
    uint32_t side;
    struct sim_end *end = sim_end_find(sim, p, number, &conn, &side);
    struct sim_way *way;

    if (end == NULL || end->throttled == stop) {
        return;
    }
    end->throttled = stop;
    way = &conn->ways[1 - side];
    if (stop) {
        return;
    }
    if (way->arrived > way->taken && !end->offering) {
        struct sim_parcel *parcel =
            sim_parcel_make(sim, PARCEL_OFFER, p->index, span_make(NULL, 0));

        parcel->id = number;
        end->offering = true;
        sim_parcel_send(sim, parcel, sim->now_us);
    }
    if (way->waiting) {
        way->waiting = false;
        sim_way_arm(sim, conn, 1 - side);
    }
}

void sim_stream_died(struct sim *sim, struct sim_process *p, enum sim_crash_kind kind)
{
    while (!list_empty(&p->ends)) {
        struct sim_end *end = LIST_ITEM(p->ends.next, struct sim_end, link);
        uint32_t side;
        struct sim_conn *conn = sim_conn_of(end, &side);
        uint32_t peer = conn->ends[1 - side].process;
        struct sim_way *way = &conn->ways[side];

        end->vanished = kind == SIM_POWER;
        if (conn->ends[1 - side].open) {
            if (kind == SIM_KILL) {
                uint64_t draw = sim_draw_next(sim, DRAW_ABORT, p->index, peer);

                if (sim_draw_ppm(sim, draw, 250000)) {
                    sim_way_clear(way);
                }
                sim_way_mark(sim, conn, side, SEGMENT_RESET,
                             sim->now_us + sim_link_delay(sim, p->index, peer, DRAW_END));
            } else if (way->waiting) {
                /* What the link held was still in the memory of the host. */
                sim_way_clear(way);
            }
        }
        sim_end_shut(sim, conn, side);
    }
}

/* ---- links ---- */
void sim_stream_stall(struct sim *sim, uint32_t from, uint32_t to)
{
    struct list *ends = &sim->processes[from]->ends;

    for (struct list *at = ends->next; at != ends; at = at->next) {
        uint32_t side;
        struct sim_conn *conn = sim_conn_of(LIST_ITEM(at, struct sim_end, link), &side);

        if (conn->ends[1 - side].process == to) {
            conn->ways[side].stalled = true;
        }
    }
}

/* The answer to a dial that was held up may come now, and not only when the dialer gives up. */
static void stream_hasten(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    struct sim_segment *head = sim_way_segment(way, 0);
    uint64_t soon_us;

    if (way->segment_count == 0 || head->mark != SEGMENT_OPEN) {
        return;
    }
    soon_us = sim->now_us + sim_link_delay(sim, conn->ends[side].process,
                                           conn->ends[1 - side].process, DRAW_ACCEPT);
    if (head->due_us > soon_us) {
        head->due_us = soon_us;
        sim_way_arm(sim, conn, side);
    }
}

/* Ends that `from` has shut may have bytes on their way, so look from the receiver's side. */
void sim_stream_heal(struct sim *sim, uint32_t from, uint32_t to)
{
    const struct sim_link *link = &sim_pair_at(sim, from, to)->link;
    struct list *ends = &sim->processes[to]->ends;

    for (struct list *at = ends->next; at != ends; at = at->next) {
        uint32_t side;
        struct sim_end *end = LIST_ITEM(at, struct sim_end, link);
        struct sim_conn *conn = sim_conn_of(end, &side);
        struct sim_way *way = &conn->ways[1 - side];

        if (conn->ends[1 - side].process != from) {
            continue;
        }
        way->stalled = way->stalled && link->stall;
        stream_hasten(sim, conn, 1 - side);
        if (way->waiting && !link->cut && !way->stalled && !end->throttled) {
            way->waiting = false;
            sim_way_segment(way, 0)->due_us = sim->now_us + sim_link_delay(sim, from, to, DRAW_END);
            sim_way_arm(sim, conn, 1 - side);
        }
    }
}

/* One end hears of the break at once, or nobody does. */
static void stream_break(struct sim *sim, struct sim_conn *conn, uint32_t hears)
{
    for (uint32_t side = 0; side < 2; side++) {
        sim_way_clear(&conn->ways[side]);
    }
    conn->severed = hears == SIM_NONE;
    for (uint32_t side = 0; side < 2; side++) {
        bool hears_here = hears == SIM_ALL || conn->ends[side].process == hears;

        if (!hears_here && side == 0 && conn->ends[0].open && !conn->ends[0].usable) {
            /* It still waits for the answer to its dial: it will give up. */
            sim_way_mark(sim, conn, 1, SEGMENT_GONE, conn->dial_us + SIM_DIAL_US);
        }
        if (hears_here && conn->ends[side].open) {
            conn->ends[side].vanished = hears != SIM_ALL;
            conn->ways[1 - side].waiting = false;
            sim_way_mark(sim, conn, 1 - side, SEGMENT_GONE, sim->now_us);
        }
    }
}

void sim_break(struct sim *sim, uint32_t a, uint32_t b, uint32_t hears)
{
    struct list *ends;

    ENSURE(a < sim->process_count && b < sim->process_count);
    ends = &sim->processes[a]->ends;
    for (struct list *at = ends->next; at != ends; at = at->next) {
        uint32_t side;
        struct sim_conn *conn = sim_conn_of(LIST_ITEM(at, struct sim_end, link), &side);

        if (conn->ends[1 - side].process == b && conn->accepted && !conn->severed) {
            stream_break(sim, conn, hears);
        }
    }
}
