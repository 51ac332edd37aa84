#include "sim/plot.h"

#include "base/ensure.h"
#include "base/hash.h"

#define PLOT_WIDTH_PX   1600u
#define PLOT_INNER_PX   1360u /* of the time axis */
#define PLOT_LANE_PX    78u
#define PLOT_CHAR_PX    7u /* of a label, on average */
#define PLOT_LABEL_ROWS 4u
#define PLOT_NAMES_MAX  9u   /* kinds of records with a colour of their own */
#define PLOT_BUCKETS    100u /* arrows of a kind and link: one in each part of the time */
#define PLOT_SEEN_SLOTS 65536u

struct plot {
    const struct run *run;
    const struct run_report *report;
    struct bytes *out;
    uint64_t span_us;
    uint32_t lanes;
    uint64_t label_end_us[PLOT_LABEL_ROWS]; /* of the labels above the lanes */
};

/* ---- writing ---- */

static void put(struct plot *plot, const char *text)
{
    bytes_raw(plot->out, text, strlen(text));
}

static void put_u64(struct plot *plot, uint64_t value)
{
    char room[24];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_u64(&text, value);
    put(plot, room);
}

/* Thousandths as a decimal. */
static void put_milli(struct plot *plot, int64_t milli)
{
    char room[32];
    struct text text;

    text_init(&text, room, sizeof(room));
    if (milli < 0) {
        text_char(&text, '-');
        milli = -milli;
    }
    text_i64(&text, milli / 1000);
    text_char(&text, '.');
    text_padded(&text, milli % 1000, 3);
    put(plot, room);
}

static void put_seconds(struct plot *plot, uint64_t us)
{
    char room[40];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_u64(&text, us / 1000000);
    text_char(&text, '.');
    text_padded(&text, (int64_t)(us % 1000000), 6);
    put(plot, room);
}

/* Text inside double quotes of gnuplot. */
static void put_text(struct plot *plot, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\') {
            put(plot, "'");
        } else {
            bytes_u8(plot->out, (uint8_t)*text);
        }
    }
}

/* "x1 y1 x2 y2 ..." with lanes in thousandths */
static void put_point(struct plot *plot, uint64_t us, int64_t milli)
{
    put_seconds(plot, us);
    put(plot, " ");
    put_milli(plot, milli);
}

static int64_t lane_milli(const struct plot *plot, uint32_t process)
{
    return (int64_t)(plot->lanes - process) * 1000;
}

static uint64_t px_to_us(const struct plot *plot, uint64_t px)
{
    return px * plot->span_us / PLOT_INNER_PX;
}

static uint64_t clip(const struct plot *plot, uint64_t us)
{
    return us > plot->span_us ? plot->span_us : us;
}

/* ---- head: size, axes, lanes ---- */

static void put_head(struct plot *plot, enum plot_format format, const char *path)
{
    uint32_t height = 230 + plot->lanes * PLOT_LANE_PX;

    put(plot, "set encoding utf8\nset terminal ");
    put(plot, format == PLOT_SVG ? "svg size " : "pngcairo size ");
    put_u64(plot, PLOT_WIDTH_PX);
    put(plot, ",");
    put_u64(plot, height);
    put(plot, format == PLOT_SVG
                  ? " dynamic background rgb 'white' font 'sans-serif,12' noenhanced\n"
                  : " background rgb 'white' font 'sans,10' noenhanced\n");
    put(plot, "set output \"");
    put_text(plot, path);
    put(plot, "\"\nset title \"");
    put_text(plot, run_scenario(plot->run)->file);
    if (plot->report->seed != 0) {
        put(plot, ", seed ");
        put_u64(plot, plot->report->seed);
    }
    put(plot, "\"\nset xlabel \"simulated time in seconds\"\nset xrange [0:");
    put_seconds(plot, plot->span_us);
    put(plot, "]\nset yrange [0.35:");
    put_milli(plot, (int64_t)plot->lanes * 1000 + 1250);
    put(plot, "]\nset bmargin 8\nset key bmargin center horizontal samplen 2 spacing 1.2 width "
              "1\nset border 1\nset tics nomirror out\n"
              "set mxtics 5\nset grid xtics lc rgb '#e6e6e6' lw 1 lt 1\nset ytics scale 0 (");
    for (uint32_t p = 0; p < plot->lanes; p++) {
        put(plot, p == 0 ? "\"" : ", \"");
        put_text(plot, run_process_name(plot->run, p));
        put(plot, "\" ");
        put_u64(plot, plot->lanes - p);
    }
    put(plot, ")\n");
}

/* ---- faults of the network: shaded spans, and labels above the lanes ---- */

/* The row in which a label of this length fits at `us`, or the last one. */
static uint32_t label_row(struct plot *plot, uint64_t us, uint64_t len)
{
    uint32_t row = 0;

    while (row + 1 < PLOT_LABEL_ROWS && plot->label_end_us[row] > us) {
        row++;
    }
    plot->label_end_us[row] = us + px_to_us(plot, len * PLOT_CHAR_PX + 12);
    return row;
}

static void put_label(struct plot *plot, uint64_t us, int64_t milli, const char *words,
                      const char *colour)
{
    size_t len = strlen(words);
    bool right = us + px_to_us(plot, len * PLOT_CHAR_PX) > plot->span_us;

    put(plot, "set label \"");
    put_text(plot, words);
    put(plot, "\" at ");
    put_seconds(plot, us);
    put(plot, ",");
    put_milli(plot, milli);
    put(plot, right ? " right" : " left");
    put(plot, " front font ',9' tc rgb '");
    put(plot, colour);
    put(plot, right ? "' offset character -0.3,0\n" : "' offset character 0.3,0\n");
}

static void put_world_ticks(struct plot *plot)
{
    const struct run_record *record = plot->report->record;

    for (uint32_t i = 0; i < record->tick_count; i++) {
        const struct run_tick *tick = &record->ticks[i];
        int64_t top = (int64_t)plot->lanes * 1000 + 420;

        if (tick->process != SIM_NONE) {
            continue;
        }
        top += 220 * (int64_t)label_row(plot, tick->at_us, strlen(tick->words));
        put(plot, "set arrow from ");
        put_seconds(plot, tick->at_us);
        put(plot, ",0.35 to ");
        put_seconds(plot, tick->at_us);
        put(plot, ",");
        put_milli(plot, top);
        put(plot, " nohead lc rgb '#d6604d' lw 1 dt 3 back\n");
        put_label(plot, tick->at_us, top, tick->words, "#b2182b");
    }
}

/* Times at which any direction is cut, joined to spans. */
static void put_cut_spans(struct plot *plot)
{
    const struct run_record *record = plot->report->record;
    uint64_t end = 0;

    /* Cuts are recorded in order of their beginning. */
    for (uint32_t i = 0; i < record->cut_count; i++) {
        uint64_t from = record->cuts[i].from_us < end ? end : record->cuts[i].from_us;
        uint64_t to = clip(plot, record->cuts[i].to_us);

        if (to <= from) {
            continue;
        }
        put(plot, "set object rectangle from ");
        put_seconds(plot, from);
        put(plot, ",0.35 to ");
        put_seconds(plot, to);
        put(plot, ",");
        put_milli(plot, (int64_t)plot->lanes * 1000 + 350);
        put(plot, " behind fc rgb '#fdeee9' fs solid noborder\n");
        end = to;
    }
}

/* ---- marks on the lanes ---- */

static void put_lane_ticks(struct plot *plot)
{
    const struct run_record *record = plot->report->record;
    uint64_t ends[GUEST_PROCESS_MAX][2] = {{0}};

    for (uint32_t i = 0; i < record->tick_count; i++) {
        const struct run_tick *tick = &record->ticks[i];
        uint32_t row;
        int64_t y;

        if (tick->process == SIM_NONE || tick->process >= plot->lanes) {
            continue;
        }
        row = ends[tick->process][0] <= tick->at_us ? 0 : 1;
        if (ends[tick->process][row] > tick->at_us) {
            continue; /* no room: the bar tells it */
        }
        ends[tick->process][row] =
            tick->at_us + px_to_us(plot, strlen(tick->words) * PLOT_CHAR_PX + 10);
        y = lane_milli(plot, tick->process) + (row == 0 ? 270 : -270);
        put(plot, "set arrow from ");
        put_seconds(plot, tick->at_us);
        put(plot, ",");
        put_milli(plot, lane_milli(plot, tick->process));
        put(plot, " to ");
        put_seconds(plot, tick->at_us);
        put(plot, ",");
        put_milli(plot, y);
        put(plot, " nohead lc rgb '#404040' lw 1 front\n");
        put_label(plot, tick->at_us, y, tick->words,
                  tick->level == GUEST_SAY_FAULT ? "#b2182b" : "#202020");
    }
}

static void put_op_labels(struct plot *plot)
{
    uint64_t ends[GUEST_PROCESS_MAX] = {0};

    for (uint32_t i = 0; i < plot->report->op_count; i++) {
        const struct guest_op *op = plot->report->ops[i];
        char room[40];
        struct text text;

        if (op->label.len == 0 || op->process >= plot->lanes || ends[op->process] > op->begin_us) {
            continue;
        }
        ends[op->process] = op->begin_us + px_to_us(plot, op->label.len * PLOT_CHAR_PX + 8);
        text_init(&text, room, sizeof(room));
        text_span(&text, op->label);
        put_label(plot, op->begin_us, lane_milli(plot, op->process) + 370, room, "#202020");
    }
}

/* ---- data blocks ---- */

static void block_begin(struct plot *plot, const char *name, uint32_t index)
{
    put(plot, "$");
    put(plot, name);
    put_u64(plot, index);
    put(plot, " << EOD\n");
}

static void put_box(struct plot *plot, uint64_t from_us, uint64_t to_us, int64_t low, int64_t high)
{
    put_point(plot, from_us, low);
    put(plot, " ");
    put_seconds(plot, from_us);
    put(plot, " ");
    put_seconds(plot, to_us);
    put(plot, " ");
    put_milli(plot, low);
    put(plot, " ");
    put_milli(plot, high);
    put(plot, "\n");
}

/* Bars in one state; how many there are. */
static uint32_t put_bars(struct plot *plot, uint32_t state, uint32_t index)
{
    const struct run_record *record = plot->report->record;
    uint32_t count = 0;

    block_begin(plot, "bar", index);
    for (uint32_t i = 0; i < record->bar_count; i++) {
        const struct run_bar *bar = &record->bars[i];
        int64_t y;

        bool client = run_process_is_client(plot->run, bar->process);

        /* What a client is stands as a thin line below its operations. */
        if (bar->state != state || bar->process >= plot->lanes || bar->to_us <= bar->from_us) {
            continue;
        }
        y = lane_milli(plot, bar->process);
        put_box(plot, clip(plot, bar->from_us), clip(plot, bar->to_us), y - (client ? 390 : 130),
                y + (client ? -330 : 130));
        count++;
    }
    put(plot, "EOD\n");
    return count;
}

static uint32_t put_crashes(struct plot *plot)
{
    const struct run_record *record = plot->report->record;
    uint32_t count = 0;

    block_begin(plot, "crash", 0);
    for (uint32_t i = 0; i < record->bar_count; i++) {
        if (record->bars[i].state == SCN_STATE_DOWN && record->bars[i].process < plot->lanes) {
            put_point(plot, record->bars[i].from_us, lane_milli(plot, record->bars[i].process));
            put(plot, "\n");
            count++;
        }
    }
    put(plot, "EOD\n");
    return count;
}

/* Operations of one fate. Those that overlap on a lane stand in three rows. */
static uint32_t put_ops(struct plot *plot, enum guest_fate fate)
{
    uint64_t ends[GUEST_PROCESS_MAX][3] = {{0}};
    uint64_t least_us = px_to_us(plot, 4);
    uint32_t count = 0;

    block_begin(plot, "op", (uint32_t)fate);
    for (uint32_t i = 0; i < plot->report->op_count; i++) {
        const struct guest_op *op = plot->report->ops[i];
        uint64_t end = clip(plot, op->end_us);
        uint32_t row = 0;
        int64_t y;

        if (op->process >= plot->lanes) {
            continue;
        }
        end = end < op->begin_us + least_us ? op->begin_us + least_us : end;
        while (row < 2 && ends[op->process][row] > op->begin_us) {
            row++;
        }
        ends[op->process][row] = end;
        if (op->fate != fate) {
            continue;
        }
        y = lane_milli(plot, op->process) + 160 - 180 * (int64_t)row;
        put_box(plot, op->begin_us, end, y - 60, y + 60);
        count++;
    }
    put(plot, "EOD\n");
    return count;
}

/* ---- arrows ---- */

#define PLOT_KINDS_MAX 64u /* that are counted */

struct arrow_names {
    const char *names[PLOT_NAMES_MAX]; /* the most frequent kinds */
    uint32_t drawn[PLOT_NAMES_MAX + 1];
    uint32_t count;
};

struct arrow_kinds {
    const char *names[PLOT_KINDS_MAX];
    uint32_t counts[PLOT_KINDS_MAX];
    uint32_t count;
};

static uint32_t name_index(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (names[i] == name || strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void count_kinds(const struct plot *plot, struct arrow_kinds *kinds)
{
    const struct run_record *record = plot->report->record;

    for (uint32_t i = 0; i < record->arrow_count; i++) {
        uint32_t index = name_index(kinds->names, kinds->count, record->arrows[i].name);

        if (index == UINT32_MAX && kinds->count < PLOT_KINDS_MAX) {
            index = kinds->count++;
            kinds->names[index] = record->arrows[i].name;
        }
        if (index != UINT32_MAX) {
            kinds->counts[index]++;
        }
    }
}

/* The most frequent kinds, in the order of their first appearance; the rest shares one colour. */
static void collect_names(const struct plot *plot, struct arrow_names *names)
{
    struct arrow_kinds kinds = {.count = 0};

    count_kinds(plot, &kinds);
    for (uint32_t i = 0; i < kinds.count; i++) {
        uint32_t rank = 0;

        for (uint32_t j = 0; j < kinds.count; j++) {
            rank +=
                kinds.counts[j] > kinds.counts[i] || (kinds.counts[j] == kinds.counts[i] && j < i)
                    ? 1u
                    : 0u;
        }
        if (rank < PLOT_NAMES_MAX) {
            names->names[names->count++] = kinds.names[i];
        }
    }
}

/* True for the first arrow of its kind and link in its part of the time. */
static bool arrow_first(const struct plot *plot, const struct run_arrow *arrow, uint32_t name,
                        uint64_t *seen)
{
    uint64_t bucket = arrow->sent_us * PLOT_BUCKETS / (plot->span_us + 1);
    uint64_t key = (((bucket << 8 | arrow->from) << 8 | arrow->to) << 8 | name) + 1;
    uint64_t slot = hash_u64(key, 0) % PLOT_SEEN_SLOTS;

    for (uint32_t tries = 0; tries < 64; tries++, slot = (slot + 1) % PLOT_SEEN_SLOTS) {
        if (seen[slot] == key) {
            return false;
        }
        if (seen[slot] == 0) {
            seen[slot] = key;
            return true;
        }
    }
    return false;
}

static uint32_t put_arrows(struct plot *plot, const struct arrow_names *names, uint32_t wanted,
                           uint64_t *seen)
{
    const struct run_record *record = plot->report->record;
    uint32_t count = 0;

    block_begin(plot, "arrow", wanted);
    for (uint32_t i = 0; i < record->arrow_count; i++) {
        const struct run_arrow *arrow = &record->arrows[i];
        uint32_t index = name_index(names->names, names->count, arrow->name);
        uint64_t due = arrow->due_us;
        int64_t from;
        int64_t to;

        index = index == UINT32_MAX ? PLOT_NAMES_MAX : index;
        if (index != wanted || arrow->from >= plot->lanes || arrow->to >= plot->lanes ||
            arrow->sent_us > plot->span_us || !arrow_first(plot, arrow, index, seen)) {
            continue;
        }
        from = lane_milli(plot, arrow->from);
        to = lane_milli(plot, arrow->to);
        if (due == UINT64_MAX) { /* held or lost: half of the way */
            due = arrow->sent_us;
            to = (from + to) / 2;
        }
        due = clip(plot, due);
        from += from > to ? -130 : 130;
        to += from > to ? 130 : -130;
        put_point(plot, arrow->sent_us, from);
        put(plot, " ");
        put_seconds(plot, due - arrow->sent_us);
        put(plot, " ");
        put_milli(plot, to - from);
        put(plot, "\n");
        count++;
    }
    put(plot, "EOD\n");
    return count;
}

/* ---- the plot command ---- */

static void put_comma(struct plot *plot, bool *first)
{
    put(plot, *first ? "plot " : ", \\\n  ");
    *first = false;
}

static void put_box_plot(struct plot *plot, bool *first, const char *block, uint32_t index,
                         const char *style, const char *title)
{
    put_comma(plot, first);
    put(plot, "$");
    put(plot, block);
    put_u64(plot, index);
    put(plot, " using 1:2:3:4:5:6 with boxxyerror ");
    put(plot, style);
    put(plot, " title \"");
    put_text(plot, title);
    put(plot, "\"");
}

static void put_colour_style(struct plot *plot, const char *colour, char room[80])
{
    struct text text;

    (void)plot;
    text_init(&text, room, 80);
    text_str(&text, "fs solid noborder lc rgb '");
    text_str(&text, colour);
    text_str(&text, "'");
}

static void put_state_plots(struct plot *plot, bool *first, const bool *used)
{
    const struct guest *guest = run_scenario(plot->run)->guest;
    char style[80];

    for (uint32_t i = 0; i < guest->state_count; i++) {
        if (used[i]) {
            put_colour_style(plot, guest->states[i].colour, style);
            put_box_plot(plot, first, "bar", i, style, guest->states[i].name);
        }
    }
    if (used[guest->state_count]) {
        put_box_plot(plot, first, "bar", guest->state_count,
                     "fs pattern 4 noborder lc rgb '#a0a0a0'", "down");
    }
    if (used[guest->state_count + 1]) {
        put_box_plot(plot, first, "bar", guest->state_count + 1,
                     "fs solid noborder lc rgb '#fec44f'", "paused");
    }
}

static void put_arrow_plots(struct plot *plot, bool *first, const struct arrow_names *names)
{
    static const char *const colours[PLOT_NAMES_MAX + 1] = {
        "#883b6fb6", "#88e08214", "#8835978f", "#88c51b7d", "#887fbc41",
        "#888073ac", "#88a6611a", "#88d6604d", "#88404040", "#aa888888"};

    for (uint32_t i = 0; i <= PLOT_NAMES_MAX; i++) {
        if (names->drawn[i] == 0) {
            continue;
        }
        put_comma(plot, first);
        put(plot, "$arrow");
        put_u64(plot, i);
        put(plot, " using 1:2:3:4 with vectors head filled size graph 0.004,20 lw 0.7 lc rgb '");
        put(plot, colours[i]);
        put(plot, "' ");
        if (i == PLOT_NAMES_MAX) {
            put(plot, "notitle");
        } else {
            put(plot, "title \"");
            put_text(plot, names->names[i]);
            put(plot, "\"");
        }
    }
}

static void put_op_plots(struct plot *plot, bool *first, const uint32_t *counts)
{
    static const char *const titles[] = {"no answer", "acknowledged", "failed", "fate unknown"};
    static const char *const colours[] = {"#969696", "#1a9850", "#d73027", "#fdae61"};
    char style[80];

    for (uint32_t i = 0; i < 4; i++) {
        if (counts[i] > 0) {
            put_colour_style(plot, colours[i], style);
            put_box_plot(plot, first, "op", i, style, titles[i]);
        }
    }
}

void plot_script(const struct run *run, const struct run_report *report, enum plot_format format,
                 const char *path, struct bytes *out)
{
    struct plot plot = {.run = run, .report = report, .out = out, .lanes = run_process_count(run)};
    const struct guest *guest = run_scenario(run)->guest;
    struct arrow_names names = {.count = 0};
    bool used[64] = {false};
    uint32_t op_counts[4];
    uint32_t crashes;
    uint64_t *seen;
    bool first = true;

    ENSURE(report->record != NULL);
    ENSURE(guest->state_count + 2 <= sizeof(used));
    plot.span_us = report->sim_us == 0 ? 1 : report->sim_us;
    seen = mem_get_zero(out->mem, PLOT_SEEN_SLOTS * sizeof(*seen));
    if (seen == NULL) {
        out->failed = true;
        return;
    }
    put_head(&plot, format, path);
    put_cut_spans(&plot);
    put_world_ticks(&plot);
    put_lane_ticks(&plot);
    put_op_labels(&plot);
    for (uint32_t i = 0; i < guest->state_count; i++) {
        used[i] = put_bars(&plot, i, i) > 0;
    }
    used[guest->state_count] = put_bars(&plot, SCN_STATE_DOWN, guest->state_count) > 0;
    used[guest->state_count + 1] = put_bars(&plot, SCN_STATE_PAUSED, guest->state_count + 1) > 0;
    crashes = put_crashes(&plot);
    for (uint32_t i = 0; i < 4; i++) {
        op_counts[i] = put_ops(&plot, (enum guest_fate)i);
    }
    collect_names(&plot, &names);
    for (uint32_t i = 0; i <= PLOT_NAMES_MAX; i++) {
        names.drawn[i] = put_arrows(&plot, &names, i, seen);
    }
    mem_put(out->mem, seen, PLOT_SEEN_SLOTS * sizeof(*seen));
    put_arrow_plots(&plot, &first, &names);
    put_state_plots(&plot, &first, used);
    put_op_plots(&plot, &first, op_counts);
    if (crashes > 0) {
        put_comma(&plot, &first);
        put(&plot,
            "$crash0 using 1:2 with points pt 2 ps 1.6 lw 2.5 lc rgb '#b2182b' title \"crash\"");
    }
    put(&plot, "\n");
}
