/* One direction of a connection: bytes in one buffer, segments that say when which part arrives.
 *
 *     start      taken        arrived                   sent       stream positions
 *       |  done    | offered, |  on its way              |
 *                    not taken  [segment][segment][ ... ]
 *
 * Only the first segment has an entry in the event queue. Bytes are copied once, at the send; what
 * is delivered is a span into the buffer. A codec, where one is used, looks at the bytes in place.
 */
#include "base/ensure.h"
#include "sim/world.h"

#define WAY_ROOM_FIRST 256u
#define WAY_ROOM_KEEP  (64u << 10)  /* what a closed connection may keep for the next one */
#define WAY_RECORD_MAX (8ull << 20) /* longer records are taken for undecodable */

/* ---- life ---- */
void sim_way_init(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    uint8_t *at = way->at;
    struct sim_segment *segments = way->segments;
    uint64_t room = way->room;
    uint32_t segment_room = way->segment_room;

    *way = (struct sim_way){
        .at = at, .room = room, .segments = segments, .segment_room = segment_room};
    ring_init(&way->passages, sim->mem, sizeof(struct sim_passage));
    way->coded = conn->codec != NULL &&
                 (sim->options.seed != 0 || sim->options.trace >= SIM_TRACE_MESSAGES ||
                  sim_watched(sim, SIM_AT_SEND) || sim_watched(sim, SIM_AT_RECEIVE));
    if (way->coded && conn->codec->state_bytes > 0) {
        way->codec_state = sim_get_zero(sim, conn->codec->state_bytes);
    }
}

void sim_way_drop(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];

    way->token = 0;
    if (way->codec_state != NULL) {
        sim_put(sim, way->codec_state, conn->codec->state_bytes);
        way->codec_state = NULL;
    }
    ring_drop(&way->passages);
    if (way->room > WAY_ROOM_KEEP) {
        sim_put(sim, way->at, way->room);
        way->at = NULL;
        way->room = 0;
    }
}

void sim_way_clear(struct sim_way *way)
{
    way->segment_count = 0;
    way->waiting = false;
    way->sent = way->arrived;
    if (way->cut > way->sent) {
        way->cut = way->sent;
    }
    while (ring_count(&way->passages) > 0) {
        const struct sim_passage *last = ring_at(&way->passages, ring_count(&way->passages) - 1);

        if (last->end <= way->arrived) {
            break;
        }
        ring_pop_back(&way->passages);
    }
}

/* ---- queueing ---- */
void sim_way_arm(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    uint64_t due_us;

    if (way->waiting || way->segment_count == 0) {
        return;
    }
    due_us = sim_way_segment(way, 0)->due_us;
    due_us = due_us < sim->now_us ? sim->now_us : due_us;
    if (way->token == 0 || way->armed_us > due_us) {
        way->armed_us = due_us;
        sim_arm(sim, &way->token, due_us, SOURCE_WAY, conn->index * 2 + side);
    }
}

static void way_widen_segments(struct sim *sim, struct sim_way *way)
{
    uint32_t room = way->segment_room == 0 ? 8 : way->segment_room * 2;
    struct sim_segment *grown = sim_get(sim, room * sizeof(*grown));

    for (uint32_t i = 0; i < way->segment_count; i++) {
        grown[i] = *sim_way_segment(way, i);
    }
    sim_put(sim, way->segments, way->segment_room * sizeof(*grown));
    way->segments = grown;
    way->segment_head = 0;
    way->segment_room = room;
}

/* Everything before `end` that is not in a segment yet arrives at `due_us`, never before what was
 * sent earlier. */
static inline void way_queue(struct sim *sim, struct sim_conn *conn, uint32_t side, uint64_t end,
                             struct sim_segment want)
{
    struct sim_way *way = &conn->ways[side];

    want.end = end;
    if (want.due_us < way->last_due_us) {
        want.due_us = way->last_due_us;
    }
    way->last_due_us = want.due_us;
    if (way->segment_count > 0 && want.mark == SEGMENT_BYTES) {
        struct sim_segment *last = sim_way_segment(way, way->segment_count - 1);

        if (last->mark == SEGMENT_BYTES && last->due_us == want.due_us) {
            last->end = end;
            return;
        }
    }
    if (way->segment_count == way->segment_room) {
        way_widen_segments(sim, way);
    }
    *sim_way_segment(way, way->segment_count++) = want;
    sim_way_arm(sim, conn, side);
}

void sim_way_mark(struct sim *sim, struct sim_conn *conn, uint32_t side, enum segment_mark mark,
                  uint64_t due_us)
{
    struct sim_way *way = &conn->ways[side];

    if (mark == SEGMENT_GONE || (mark == SEGMENT_RESET && conn->ends[1 - side].throttled)) {
        sim_way_clear(way);
        way->last_due_us = mark == SEGMENT_GONE ? 0 : way->last_due_us;
    }
    way_queue(sim, conn, side, way->sent, (struct sim_segment){.due_us = due_us, .mark = mark});
}

/* Room for `len` more bytes behind `sent`. */
static void way_reserve(struct sim *sim, struct sim_way *way, size_t len)
{
    uint64_t keep = way->coded && way->cut < way->taken ? way->cut : way->taken;
    uint64_t live = way->sent - keep;

    if (live == 0) {
        way->start = way->sent;
    }
    if (way->sent - way->start + len <= way->room) {
        return;
    }
    if ((live + len) * 2 <= way->room) {
        memmove(way->at, sim_way_byte(way, keep), live);
    } else {
        uint64_t room = way->room == 0 ? WAY_ROOM_FIRST : way->room;
        uint8_t *grown;

        while (room < (live + len) * 2) {
            room *= 2;
        }
        grown = sim_get(sim, room);
        if (live > 0) {
            memcpy(grown, sim_way_byte(way, keep), live);
        }
        sim_put(sim, way->at, way->room);
        way->at = grown;
        way->room = room;
    }
    way->start = keep;
}

/* ---- sending ---- */
static void way_queue_fate(struct sim *sim, struct sim_conn *conn, uint32_t side, uint64_t end,
                           const struct sim_fate *fate)
{
    struct sim_segment segment = {.due_us = sim->now_us + fate->delay_us, .mark = SEGMENT_BYTES};
    uint64_t from = end;

    if (fate->chop_at > 0) {
        const struct sim_way *way = &conn->ways[side];

        from = way->segment_count > 0 ? sim_way_segment(way, way->segment_count - 1)->end
                                      : way->arrived;
    }
    if (from + fate->chop_at < end) {
        way_queue(sim, conn, side, from + fate->chop_at, segment);
        /* One microsecond at least, or the pieces would arrive as one. */
        segment.due_us = conn->ways[side].last_due_us + 1 + fate->chop_delay_us;
    }
    if (fate->reset) {
        segment.mark = SEGMENT_BREAK;
    }
    way_queue(sim, conn, side, end, segment);
}

/* Queue everything before `end` as the link has it: the usual link has one delay and no faults. */
static void way_queue_link(struct sim *sim, struct sim_conn *conn, uint32_t side, uint64_t end,
                           uint64_t key, uint64_t len)
{
    uint32_t from = conn->ends[side].process;
    uint32_t to = conn->ends[1 - side].process;
    const struct sim_link *link = &sim_pair_at(sim, from, to)->link;
    struct sim_fate fate;

    if (__builtin_expect(sim_link_is_plain(sim, link), 1)) {
        way_queue(sim, conn, side, end,
                  (struct sim_segment){.due_us = sim->now_us + link->delay_min_us,
                                       .mark = SEGMENT_BYTES});
        return;
    }
    sim_fate_stream(sim, from, to, key, len, &fate);
    way_queue_fate(sim, conn, side, end, &fate);
}

/* Take bytes [from, end) out, none of which has arrived. */
void sim_way_remove(struct sim_way *way, uint64_t from, uint64_t end)
{
    uint64_t len = end - from;

    memmove(sim_way_byte(way, from), sim_way_byte(way, end), way->sent - end);
    way->sent -= len;
    way->cut -= way->cut >= end ? len : 0;
    way->arrived -= way->arrived >= end ? len : 0;
    for (uint32_t i = 0; i < way->segment_count; i++) {
        struct sim_segment *segment = sim_way_segment(way, i);

        segment->end -= segment->end >= end ? len : (segment->end > from ? segment->end - from : 0);
    }
    for (uint64_t i = 0; i < ring_count(&way->passages); i++) {
        struct sim_passage *passage = ring_at(&way->passages, i);

        if (passage->start >= end) {
            passage->start -= len;
            passage->end -= len;
        }
    }
}

/* Segments beyond `position` are decided anew: the record that begins there is complete now. */
static void way_recall(struct sim_way *way, uint64_t position)
{
    while (way->segment_count > 0) {
        struct sim_segment *last = sim_way_segment(way, way->segment_count - 1);
        uint64_t before = way->segment_count > 1 ? sim_way_segment(way, way->segment_count - 2)->end
                                                 : way->arrived;

        if (last->end <= position || last->mark != SEGMENT_BYTES) {
            return;
        }
        if (before < position) {
            last->end = position;
            return;
        }
        way->segment_count--;
    }
}

/* Tell of a record before it leaves. */
static enum sim_verdict way_tell_send(struct sim *sim, const struct sim_conn *conn, uint32_t side,
                                      struct sim_event *event)
{
    const struct sim_way *way = &conn->ways[side];
    const struct sim_link *link = &sim_pair_at(sim, event->process, event->peer)->link;

    event->now_us = sim->now_us;
    if (event->arrival_us < way->last_due_us) {
        event->arrival_us = way->last_due_us;
    }
    if (link->cut || way->stalled || way->waiting) {
        event->arrival_us = UINT64_MAX;
    }
    if (sim_traces(sim, SIM_TRACE_MESSAGES)) {
        sim_trace_record(sim, event, "send");
    }
    return sim_watched(sim, SIM_AT_SEND) ? sim_tell(sim, event) : SIM_GO;
}

/* What becomes of a record that the taps have judged; false when nothing behind it leaves. */
static bool way_send_judged(struct sim *sim, struct sim_conn *conn, uint32_t side,
                            const struct sim_event *event, enum sim_verdict verdict)
{
    struct sim_way *way = &conn->ways[side];
    uint64_t from = way->cut;
    uint64_t to = from + event->bytes.len;

    if (verdict == SIM_DROP && way->arrived <= from) {
        sim_way_remove(way, from, to);
        return true;
    }
    if (verdict == SIM_CRASH_BEFORE || verdict == SIM_CRASH_AFTER) {
        sim_doom(sim, sim->processes[event->process], sim->verdict_kind);
    }
    if (verdict == SIM_CRASH_BEFORE) {
        way_recall(way, from);
        way->sent = way->arrived <= from ? from : way->arrived;
        return false;
    }
    way->cut = to;
    if (sim->options.seed != 0) {
        sim->counts.messages++;
        way_queue_link(sim, conn, side, to, event->record->key, event->bytes.len);
    }
    if (sim_watched(sim, SIM_AT_RECEIVE) || sim_traces(sim, SIM_TRACE_FULL)) {
        *(struct sim_passage *)sim_ring_push(sim, &way->passages) =
            (struct sim_passage){.start = from, .end = to, .record = *event->record};
    }
    if (verdict == SIM_CRASH_AFTER) {
        way->sent = to;
    }
    return verdict != SIM_CRASH_AFTER;
}

/* The record of `len` bytes at way->cut leaves; false when nothing behind it does. */
static bool way_send_record(struct sim *sim, struct sim_conn *conn, uint32_t side, size_t len,
                            const struct sim_record *record)
{
    struct sim_way *way = &conn->ways[side];
    const struct sim_end *end = &conn->ends[side];
    uint64_t to = way->cut + len;
    struct sim_event event = {
        .at = SIM_AT_SEND,
        .process = end->process,
        .peer = conn->ends[1 - side].process,
        .port = conn->port,
        .conn = end->number,
        .dialer = side == 0,
        .record = record,
        .bytes = span_make(sim_way_byte(way, way->cut), len),
    };
    enum sim_verdict verdict = SIM_GO;

    if (sim->options.seed != 0) {
        way_recall(way, way->cut);
    }
    if (sim_watched(sim, SIM_AT_SEND) || sim_traces(sim, SIM_TRACE_MESSAGES)) {
        event.arrival_us =
            sim->now_us + sim_fate_delay(sim, event.process, event.peer, record->key);
        verdict = way_tell_send(sim, conn, side, &event);
        if (!conn->live || !end->open || way->sent < to) {
            return false;
        }
    }
    return way_send_judged(sim, conn, side, &event, verdict);
}

/* Cut what was sent into records. What is left of an incomplete one leaves as it is; without a seed
 * the whole send does, so that watching records changes nothing. */
static void way_send_coded(struct sim *sim, struct sim_conn *conn, uint32_t side)
{
    struct sim_way *way = &conn->ways[side];
    bool more = true;
    uint64_t queued;

    while (more && way->cut < way->sent) {
        size_t left = (size_t)(way->sent - way->cut);
        struct sim_record record;
        size_t len;

        record.name = "?";
        record.key = 0;
        record.field_count = 0;
        record.essential = false;
        len = conn->codec->cut(way->codec_state, side == 0,
                               span_make(sim_way_byte(way, way->cut), left), &record);
        if (len == 0 || len > left) {
            break;
        }
        more = way_send_record(sim, conn, side, len, &record);
        if (!conn->live || !conn->ends[side].open) {
            return; /* a tap broke it */
        }
    }
    if (way->sent - way->cut > WAY_RECORD_MAX) {
        way->coded = false; /* one unknown record for the rest of the connection */
    }
    queued =
        way->segment_count > 0 ? sim_way_segment(way, way->segment_count - 1)->end : way->arrived;
    if (queued < way->sent) {
        sim->counts.messages += sim->options.seed == 0 ? 1 : 0;
        way_queue_link(sim, conn, side, way->sent, 0, way->sent - queued);
    }
}

void sim_way_send(struct sim *sim, struct sim_conn *conn, uint32_t side, struct span bytes)
{
    struct sim_way *way = &conn->ways[side];
    const struct sim_end *peer = &conn->ends[1 - side];

    if (conn->accepted && !peer->open && !peer->vanished && !conn->severed) {
        return;
    }
    way_reserve(sim, way, bytes.len);
    memcpy(sim_way_byte(way, way->sent), bytes.at, bytes.len);
    way->sent += bytes.len;
    sim->counts.message_bytes += bytes.len;
    if (way->coded) {
        way_send_coded(sim, conn, side);
        return;
    }
    sim->counts.messages++;
    way_queue_link(sim, conn, side, way->sent, 0, bytes.len);
}
