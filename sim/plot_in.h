/* plot_in.h - what the files of the plot share; nobody else includes it. */
#ifndef SIM_PLOT_IN_H
#define SIM_PLOT_IN_H

#include "sim/plot.h"

#define PLOT_WIDTH_PX   1600u
#define PLOT_INNER_PX   1360u /* of the time axis */
#define PLOT_LANE_PX    78u
#define PLOT_CHAR_PX    7u /* of a label, on average */
#define PLOT_LABEL_ROWS 4u

struct plot {
    const struct run *run;
    const struct run_report *report;
    struct bytes *out;
    uint64_t span_us;
    uint32_t lanes;
    uint64_t label_end_us[PLOT_LABEL_ROWS]; /* of the labels above the lanes */
};

void plot_put(struct plot *plot, const char *text);
void plot_put_u64(struct plot *plot, uint64_t value);
/* Thousandths as a decimal. */
void plot_put_milli(struct plot *plot, int64_t milli);
void plot_put_seconds(struct plot *plot, uint64_t us);
/* Text inside double quotes of gnuplot. */
void plot_put_text(struct plot *plot, const char *text);
/* "x1 y1 x2 y2 ..." with lanes in thousandths */
void plot_put_point(struct plot *plot, uint64_t us, int64_t milli);
int64_t plot_lane(const struct plot *plot, uint32_t process);
uint64_t plot_px_us(const struct plot *plot, uint64_t px);
uint64_t plot_clip(const struct plot *plot, uint64_t us);

/* Everything around the data: size, axes, shaded spans, labels, marks. */
void plot_frame(struct plot *plot, enum plot_format format, const char *path);

#endif
