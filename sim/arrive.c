/* The far side of one direction of a connection (way.c): what arrives, what holds it up, what the
 * receiver takes. */
#include "base/ensure.h"
#include "sim/world.h"

#define ARRIVE_RETRY_US 1000000u /* between tries to reach a host that does not answer */

/* The link holds the head. True when it is dealt with. */
static bool arrive_blocked(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    struct sim_segment *head = sim_way_segment(way, 0);

    if (head->mark == SEGMENT_SYN || head->mark == SEGMENT_ACCEPT || head->mark == SEGMENT_GONE) {
        return false;
    }
    if (head->mark != SEGMENT_OPEN && head->mark != SEGMENT_REFUSED) {
        way->waiting = true;
        return true;
    }
    if (sim->now_us < conn->dial_us + SIM_DIAL_US) {
        head->due_us = conn->dial_us + SIM_DIAL_US;
        sim_way_arm(sim, conn, side);
        return true;
    }
    if (head->mark == SEGMENT_OPEN) {
        /* The dialer gave up; the acceptor will hear when the link lets it. */
        head->mark = SEGMENT_REFUSED;
        if (conn->ends[1].open) {
            sim_way_mark(sim, conn, 0, SEGMENT_RESET, sim->now_us);
        }
    }
    return false;
}

/* The head travels to a host that is dead, or does not know the connection any more. */
static void arrive_unheard(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    uint32_t host = conn->ends[1 - side].process;
    uint32_t sender = conn->ends[side].process;

    way->tried_us = way->tried_us == 0 ? sim->now_us : way->tried_us;
    if (!conn->ends[side].open) {
        sim_way_clear(way);
        return;
    }
    if (!conn->severed && !sim->processes[host]->power_off) {
        sim_way_clear(way);
        if (way->tried_us != UINT64_MAX) {
            way->tried_us = UINT64_MAX;
            sim_way_mark(sim, conn, 1 - side, SEGMENT_RESET,
                         sim->now_us + sim_link_delay(sim, host, sender, DRAW_END));
        }
        return;
    }
    if (sim->now_us - way->tried_us >= SIM_FATAL_US) {
        sim_way_clear(way);
        sim_way_mark(sim, conn, 1 - side, SEGMENT_GONE, sim->now_us);
        return;
    }
    sim_way_segment(way, 0)->due_us = sim->now_us + ARRIVE_RETRY_US;
    sim_way_arm(sim, conn, side);
}

/* Tell of the records that have arrived; what a verdict forbids is cut off. Returns what the
 * receiver's process must do after the step: SIM_GO, or SIM_CRASH_AFTER; SIM_DROP for no step at
 * all. */
static enum sim_verdict arrive_tell_receive(struct sim *sim, struct sim_conn *conn, uint32_t side,
                                            uint64_t shown)
{
    struct sim_way *way = &conn->ways[side];
    const struct sim_end *end = &conn->ends[1 - side];
    struct sim_process *p = sim->processes[end->process];

    while (ring_count(&way->passages) > 0) {
        struct sim_passage passage = *(const struct sim_passage *)ring_at(&way->passages, 0);
        bool whole = passage.start >= way->start;
        struct sim_event event = {
            .at = SIM_AT_RECEIVE,
            .now_us = sim->now_us,
            .process = end->process,
            .peer = conn->ends[side].process,
            .port = conn->port,
            .conn = end->number,
            .dialer = side == 1,
            .record = &passage.record,
            .bytes = span_make(whole ? sim_way_byte(way, passage.start) : NULL,
                               whole ? (size_t)(passage.end - passage.start) : 0),
        };
        enum sim_verdict verdict = SIM_GO;

        if (passage.end > way->arrived) {
            break;
        }
        ring_pop(&way->passages);
        if (sim_traces(sim, SIM_TRACE_FULL)) {
            sim_trace_record(sim, &event, "receive");
        }
        if (sim_watched(sim, SIM_AT_RECEIVE)) {
            verdict = sim_tell(sim, &event);
        }
        if (!conn->live || !end->open || !sim_takes_input(p)) {
            return SIM_DROP;
        }
        if (verdict == SIM_DROP && passage.start >= shown) {
            sim_way_remove(way, passage.start, passage.end);
        } else if (verdict == SIM_CRASH_BEFORE || verdict == SIM_CRASH_AFTER) {
            uint64_t last = verdict == SIM_CRASH_BEFORE ? passage.start : passage.end;

            way->arrived = last;
            if (last <= way->taken) {
                sim_doom(sim, p, sim->verdict_kind);
                return SIM_DROP;
            }
            return SIM_CRASH_AFTER;
        }
    }
    return way->arrived > shown ? SIM_GO : SIM_DROP;
}

/* Give the receiver what has arrived and was not taken. */
static void arrive_give(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    struct sim_end *end = &conn->ends[1 - side];
    struct input in;

    in.kind = IN_BYTES;
    in.bytes.conn = end->number;
    in.bytes.span = span_make(sim_way_byte(way, way->taken), (size_t)(way->arrived - way->taken));
    sim_step(sim, sim->processes[end->process], &in, end);
}

static void arrive_bytes(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    struct sim_process *p = sim->processes[conn->ends[1 - side].process];
    uint64_t shown = way->arrived;
    enum sim_verdict verdict = SIM_GO;

    do {
        way->arrived = sim_way_segment(way, 0)->end;
        way->segment_head++;
        way->segment_count--;
    } while (way->segment_count > 0 && sim_way_segment(way, 0)->mark == SEGMENT_BYTES &&
             sim_way_segment(way, 0)->due_us <= sim->now_us);
    sim_way_arm(sim, conn, side);
    if (ring_count(&way->passages) > 0) {
        verdict = arrive_tell_receive(sim, conn, side, shown);
        if (verdict == SIM_DROP) {
            return;
        }
    }
    arrive_give(sim, conn, side);
    if (verdict == SIM_CRASH_AFTER) {
        sim_doom(sim, p, sim->verdict_kind);
    }
}

/* A segment that is not bytes has come. */
static void arrive_mark(struct sim *sim, struct sim_conn *conn, uint32_t side,
                        enum segment_mark mark)
{
    switch (mark) {
    case SEGMENT_ACCEPT:
        sim_stream_opened(sim, conn, 1);
        return;
    case SEGMENT_OPEN:
        sim_stream_opened(sim, conn, 0);
        return;
    case SEGMENT_REFUSED:
        sim_stream_closed(sim, conn, 0, ERR_REFUSED);
        return;
    case SEGMENT_END:
        sim_stream_closed(sim, conn, 1 - side, ERR_OK);
        return;
    case SEGMENT_BREAK:
        sim_way_clear(&conn->ways[1 - side]);
        sim_way_mark(sim, conn, 1 - side, SEGMENT_RESET,
                     sim->now_us + sim_link_delay(sim, conn->ends[1 - side].process,
                                                  conn->ends[side].process, DRAW_END));
        sim_stream_closed(sim, conn, 1 - side, ERR_IO);
        return;
    case SEGMENT_RESET:
    case SEGMENT_GONE:
        sim_stream_closed(sim, conn, 1 - side, conn->ends[1 - side].usable ? ERR_IO : ERR_REFUSED);
        return;
    case SEGMENT_BYTES:
    case SEGMENT_SYN:
        break;
    }
    UNREACHABLE();
}

void sim_way_due(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    const struct sim_end *end = &conn->ends[1 - side];
    struct sim_process *p = sim->processes[end->process];
    enum segment_mark mark;

    way->token = 0;
    if (way->segment_count == 0) {
        return;
    }
    if (sim_way_segment(way, 0)->due_us > sim->now_us) {
        sim_way_arm(sim, conn, side);
        return;
    }
    if ((way->stalled || sim_pair_at(sim, conn->ends[side].process, end->process)->link.cut) &&
        arrive_blocked(sim, conn, side)) {
        return;
    }
    mark = sim_way_segment(way, 0)->mark;
    if (mark == SEGMENT_SYN) {
        sim->counts.events++;
        if (!sim_stream_syn(sim, conn)) {
            return;
        }
        mark = sim_way_segment(way, 0)->mark;
    }
    if ((conn->severed && mark != SEGMENT_GONE) || !end->open) {
        if (conn->severed || end->vanished) {
            arrive_unheard(sim, conn, side);
        } else {
            sim_way_clear(way);
        }
        return;
    }
    if (!sim_takes_input(p)) {
        sim_hold(sim, p, &way->token, SOURCE_WAY, conn->index * 2 + side);
        return;
    }
    if (end->throttled && (mark == SEGMENT_BYTES || mark == SEGMENT_END)) {
        way->waiting = true;
        return;
    }
    if (mark == SEGMENT_BYTES) {
        arrive_bytes(sim, conn, side);
        return;
    }
    way->segment_head++;
    way->segment_count--;
    sim_way_arm(sim, conn, side);
    arrive_mark(sim, conn, side, mark);
}

/* ---- taking ---- */
void sim_way_offer(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    const struct sim_way *way = &conn->ways[side];
    const struct sim_end *end = &conn->ends[1 - side];

    if (end->open && !end->throttled && way->arrived > way->taken) {
        arrive_give(sim, conn, side);
    }
}

static void arrive_offer_later(struct sim *sim, struct sim_end *end)
{
    struct sim_parcel *parcel =
        sim_parcel_make(sim, PARCEL_OFFER, end->process, span_make(NULL, 0));

    parcel->id = end->number;
    end->offering = true;
    sim_parcel_send(sim, parcel, sim->now_us);
}

/* Whoever asked hears once little of what it sent is still on its way. */
static void arrive_check_drained(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    const struct sim_end *sender = &conn->ends[side];
    struct sim_parcel *parcel;

    if (!way->tell_drained || !sender->usable || way->sent - way->taken > SEND_LOW_MARK) {
        return;
    }
    way->tell_drained = false;
    if (sender->open) {
        parcel = sim_parcel_make(sim, PARCEL_DRAINED, sender->process, span_make(NULL, 0));
        parcel->id = sender->number;
        sim_parcel_send(sim, parcel, sim->now_us);
    }
}

void sim_way_tell_drained(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    conn->ways[side].tell_drained = true;
    arrive_check_drained(sim, conn, side);
}

void sim_way_took(struct sim *sim, struct sim_conn *conn, uint32_t side, uint64_t taken)
{
    struct sim_way *way = &conn->ways[side];
    struct sim_end *receiver = &conn->ends[1 - side];
    uint64_t offered = way->arrived - way->taken;

    way->taken += taken < offered ? taken : offered;
    if (taken > 0 && taken < offered && !receiver->offering &&
        sim->processes[receiver->process]->wake_due_us <= sim->now_us) {
        /* It stopped in the middle and wants to go on at once. */
        arrive_offer_later(sim, receiver);
    }
    arrive_check_drained(sim, conn, side);
}
