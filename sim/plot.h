/* plot.h - a space-time diagram of one run, as a gnuplot script that needs no other file.
 *
 * A lane for each process: its role as a coloured bar, crashes, pauses, marks of the guest; thin
 * arrows for essential records (at most one of a kind, a link and a hundredth of the time); a lane
 * for each client with its operations in the colour of their fate; faults of the network as shaded
 * spans with a label; a legend and a time axis. */
#ifndef SIM_PLOT_H
#define SIM_PLOT_H

#include "base/bytes.h"
#include "sim/runner.h"

enum plot_format {
    PLOT_SVG,
    PLOT_PNG
};

/* `report` of a play with options.record; `path` is what gnuplot shall write. */
void plot_script(const struct run *run, const struct run_report *report, enum plot_format format,
                 const char *path, struct bytes *out);

#endif
