#include "sim/plot_in.h"

/* ---- writing ---- */

void plot_put(struct plot *plot, const char *text)
{
    bytes_raw(plot->out, text, strlen(text));
}

void plot_put_u64(struct plot *plot, uint64_t value)
{
    char room[24];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_u64(&text, value);
    plot_put(plot, room);
}

/* Thousandths as a decimal. */
void plot_put_milli(struct plot *plot, int64_t milli)
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
    plot_put(plot, room);
}

void plot_put_seconds(struct plot *plot, uint64_t us)
{
    char room[40];
    struct text text;

    text_init(&text, room, sizeof(room));
    text_u64(&text, us / 1000000);
    text_char(&text, '.');
    text_padded(&text, (int64_t)(us % 1000000), 6);
    plot_put(plot, room);
}

/* Text inside double quotes of gnuplot. */
void plot_put_text(struct plot *plot, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\') {
            plot_put(plot, "'");
        } else {
            bytes_u8(plot->out, (uint8_t)*text);
        }
    }
}

void plot_put_point(struct plot *plot, uint64_t us, int64_t milli)
{
    plot_put_seconds(plot, us);
    plot_put(plot, " ");
    plot_put_milli(plot, milli);
}

int64_t plot_lane(const struct plot *plot, uint32_t process)
{
    return (int64_t)(plot->lanes - process) * 1000;
}

uint64_t plot_px_us(const struct plot *plot, uint64_t px)
{
    return px * plot->span_us / PLOT_INNER_PX;
}

uint64_t plot_clip(const struct plot *plot, uint64_t us)
{
    return us > plot->span_us ? plot->span_us : us;
}

/* ---- head: size, axes, lanes ---- */

static void put_head(struct plot *plot, enum plot_format format, const char *path)
{
    uint32_t height = 230 + plot->lanes * PLOT_LANE_PX;

    plot_put(plot, "set encoding utf8\nset terminal ");
    plot_put(plot, format == PLOT_SVG ? "svg size " : "pngcairo size ");
    plot_put_u64(plot, PLOT_WIDTH_PX);
    plot_put(plot, ",");
    plot_put_u64(plot, height);
    plot_put(plot, format == PLOT_SVG
                       ? " dynamic background rgb 'white' font 'sans-serif,12' noenhanced\n"
                       : " background rgb 'white' font 'sans,10' noenhanced\n");
    plot_put(plot, "set output \"");
    plot_put_text(plot, path);
    plot_put(plot, "\"\nset title \"");
    plot_put_text(plot, run_scenario(plot->run)->file);
    if (plot->report->seed != 0) {
        plot_put(plot, ", seed ");
        plot_put_u64(plot, plot->report->seed);
    }
    plot_put(plot, "\"\nset xlabel \"simulated time in seconds\"\nset xrange [0:");
    plot_put_seconds(plot, plot->span_us);
    plot_put(plot, "]\nset yrange [0.35:");
    plot_put_milli(plot, (int64_t)plot->lanes * 1000 + 1250);
    plot_put(plot,
             "]\nset bmargin 8\nset key bmargin center horizontal samplen 2 spacing 1.2 width "
             "1\nset border 1\nset tics nomirror out\n"
             "set mxtics 5\nset grid xtics lc rgb '#e6e6e6' lw 1 lt 1\nset ytics scale 0 (");
    for (uint32_t p = 0; p < plot->lanes; p++) {
        plot_put(plot, p == 0 ? "\"" : ", \"");
        plot_put_text(plot, run_process_name(plot->run, p));
        plot_put(plot, "\" ");
        plot_put_u64(plot, plot->lanes - p);
    }
    plot_put(plot, ")\n");
}

/* ---- faults of the network: shaded spans, and labels above the lanes ---- */

/* The row in which a label of this length fits at `us`, or the last one. */
static uint32_t label_row(struct plot *plot, uint64_t us, uint64_t len)
{
    uint32_t row = 0;

    while (row + 1 < PLOT_LABEL_ROWS && plot->label_end_us[row] > us) {
        row++;
    }
    plot->label_end_us[row] = us + plot_px_us(plot, len * PLOT_CHAR_PX + 12);
    return row;
}

static void put_label(struct plot *plot, uint64_t us, int64_t milli, const char *words,
                      const char *colour)
{
    size_t len = strlen(words);
    bool right = us + plot_px_us(plot, len * PLOT_CHAR_PX) > plot->span_us;

    plot_put(plot, "set label \"");
    plot_put_text(plot, words);
    plot_put(plot, "\" at ");
    plot_put_seconds(plot, us);
    plot_put(plot, ",");
    plot_put_milli(plot, milli);
    plot_put(plot, right ? " right" : " left");
    plot_put(plot, " front font ',9' tc rgb '");
    plot_put(plot, colour);
    plot_put(plot, right ? "' offset character -0.3,0\n" : "' offset character 0.3,0\n");
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
        plot_put(plot, "set arrow from ");
        plot_put_seconds(plot, tick->at_us);
        plot_put(plot, ",0.35 to ");
        plot_put_seconds(plot, tick->at_us);
        plot_put(plot, ",");
        plot_put_milli(plot, top);
        plot_put(plot, " nohead lc rgb '#d6604d' lw 1 dt 3 back\n");
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
        uint64_t to = plot_clip(plot, record->cuts[i].to_us);

        if (to <= from) {
            continue;
        }
        plot_put(plot, "set object rectangle from ");
        plot_put_seconds(plot, from);
        plot_put(plot, ",0.35 to ");
        plot_put_seconds(plot, to);
        plot_put(plot, ",");
        plot_put_milli(plot, (int64_t)plot->lanes * 1000 + 350);
        plot_put(plot, " behind fc rgb '#fdeee9' fs solid noborder\n");
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
            tick->at_us + plot_px_us(plot, strlen(tick->words) * PLOT_CHAR_PX + 10);
        y = plot_lane(plot, tick->process) + (row == 0 ? 270 : -270);
        plot_put(plot, "set arrow from ");
        plot_put_seconds(plot, tick->at_us);
        plot_put(plot, ",");
        plot_put_milli(plot, plot_lane(plot, tick->process));
        plot_put(plot, " to ");
        plot_put_seconds(plot, tick->at_us);
        plot_put(plot, ",");
        plot_put_milli(plot, y);
        plot_put(plot, " nohead lc rgb '#404040' lw 1 front\n");
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
        ends[op->process] = op->begin_us + plot_px_us(plot, op->label.len * PLOT_CHAR_PX + 8);
        text_init(&text, room, sizeof(room));
        text_span(&text, op->label);
        put_label(plot, op->begin_us, plot_lane(plot, op->process) + 370, room, "#202020");
    }
}

void plot_frame(struct plot *plot, enum plot_format format, const char *path)
{
    put_head(plot, format, path);
    put_cut_spans(plot);
    put_world_ticks(plot);
    put_lane_ticks(plot);
    put_op_labels(plot);
}
