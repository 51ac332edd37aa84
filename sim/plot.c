#include "base/ensure.h"
#include "base/hash.h"
#include "sim/plot_in.h"

#define PLOT_NAMES_MAX  9u   /* kinds of records with a colour of their own */
#define PLOT_BUCKETS    100u /* arrows of a kind and link: one in each part of the time */
#define PLOT_SEEN_SLOTS 65536u

/* ---- data blocks ---- */

static void block_begin(struct plot *plot, const char *name, uint32_t index)
{
    plot_put(plot, "$");
    plot_put(plot, name);
    plot_put_u64(plot, index);
    plot_put(plot, " << EOD\n");
}

static void put_box(struct plot *plot, uint64_t from_us, uint64_t to_us, int64_t low, int64_t high)
{
    plot_put_point(plot, from_us, low);
    plot_put(plot, " ");
    plot_put_seconds(plot, from_us);
    plot_put(plot, " ");
    plot_put_seconds(plot, to_us);
    plot_put(plot, " ");
    plot_put_milli(plot, low);
    plot_put(plot, " ");
    plot_put_milli(plot, high);
    plot_put(plot, "\n");
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
        y = plot_lane(plot, bar->process);
        put_box(plot, plot_clip(plot, bar->from_us), plot_clip(plot, bar->to_us),
                y - (client ? 390 : 130), y + (client ? -330 : 130));
        count++;
    }
    plot_put(plot, "EOD\n");
    return count;
}

static uint32_t put_crashes(struct plot *plot)
{
    const struct run_record *record = plot->report->record;
    uint32_t count = 0;

    block_begin(plot, "crash", 0);
    for (uint32_t i = 0; i < record->bar_count; i++) {
        if (record->bars[i].state == SCN_STATE_DOWN && record->bars[i].process < plot->lanes) {
            plot_put_point(plot, record->bars[i].from_us, plot_lane(plot, record->bars[i].process));
            plot_put(plot, "\n");
            count++;
        }
    }
    plot_put(plot, "EOD\n");
    return count;
}

/* Operations of one fate. Those that overlap on a lane stand in three rows. */
static uint32_t put_ops(struct plot *plot, enum guest_fate fate)
{
    uint64_t ends[GUEST_PROCESS_MAX][3] = {{0}};
    uint64_t least_us = plot_px_us(plot, 4);
    uint32_t count = 0;

    block_begin(plot, "op", (uint32_t)fate);
    for (uint32_t i = 0; i < plot->report->op_count; i++) {
        const struct guest_op *op = plot->report->ops[i];
        uint64_t end = plot_clip(plot, op->end_us);
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
        y = plot_lane(plot, op->process) + 160 - 180 * (int64_t)row;
        put_box(plot, op->begin_us, end, y - 60, y + 60);
        count++;
    }
    plot_put(plot, "EOD\n");
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
        from = plot_lane(plot, arrow->from);
        to = plot_lane(plot, arrow->to);
        if (due == UINT64_MAX) { /* held or lost: half of the way */
            due = arrow->sent_us;
            to = (from + to) / 2;
        }
        due = plot_clip(plot, due);
        from += from > to ? -130 : 130;
        to += from > to ? 130 : -130;
        plot_put_point(plot, arrow->sent_us, from);
        plot_put(plot, " ");
        plot_put_seconds(plot, due - arrow->sent_us);
        plot_put(plot, " ");
        plot_put_milli(plot, to - from);
        plot_put(plot, "\n");
        count++;
    }
    plot_put(plot, "EOD\n");
    return count;
}

/* ---- the plot command ---- */

static void put_comma(struct plot *plot, bool *first)
{
    plot_put(plot, *first ? "plot " : ", \\\n  ");
    *first = false;
}

static void put_box_plot(struct plot *plot, bool *first, const char *block, uint32_t index,
                         const char *style, const char *title)
{
    put_comma(plot, first);
    plot_put(plot, "$");
    plot_put(plot, block);
    plot_put_u64(plot, index);
    plot_put(plot, " using 1:2:3:4:5:6 with boxxyerror ");
    plot_put(plot, style);
    plot_put(plot, " title \"");
    plot_put_text(plot, title);
    plot_put(plot, "\"");
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
        plot_put(plot, "$arrow");
        plot_put_u64(plot, i);
        plot_put(plot,
                 " using 1:2:3:4 with vectors head filled size graph 0.004,20 lw 0.7 lc rgb '");
        plot_put(plot, colours[i]);
        plot_put(plot, "' ");
        if (i == PLOT_NAMES_MAX) {
            plot_put(plot, "notitle");
        } else {
            plot_put(plot, "title \"");
            plot_put_text(plot, names->names[i]);
            plot_put(plot, "\"");
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
    plot_frame(&plot, format, path);
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
        plot_put(
            &plot,
            "$crash0 using 1:2 with points pt 2 ps 1.6 lw 2.5 lc rgb '#b2182b' title \"crash\"");
    }
    plot_put(&plot, "\n");
}
