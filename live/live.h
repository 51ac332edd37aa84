/* live.h - a process behind real sockets, files and clocks: the thin driver of the step contract on
 * libuv.
 *
 * It decides nothing. One loop thread runs the process; one more thread carries out file effects,
 * in order, so that an fdatasync stops nobody. What a process sends in one turn of the loop leaves
 * as one write a connection; appends that wait are written together and synced once. docs/live.md.
 */
#ifndef LIVE_LIVE_H
#define LIVE_LIVE_H

#include "base/step.h"

struct live;

struct live_options {
    const struct process_ops *ops;
    struct span config;
    const char
        *directories[3]; /* by enum file_dir: data (the version-2 of dataDir), log, configuration */
    void (*note)(void *context, const struct effect *note); /* FX_NOTE; may be NULL */
    void (*log)(void *context, const char *level, struct span text);
    void *context;
};

/* Run the process until it halts, or a signal (INT, TERM) ends it. The exit code: that of FX_HALT,
 * 0 after a signal, 3 when a directory cannot be used, 1 when the driver itself fails. */
int live_run(const struct live_options *options);

#endif
