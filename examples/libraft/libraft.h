/* libraft.h - Debian's libraft 0.15 as a guest of the simulator.
 *
 * libraft_ops is a Raft server made of the unchanged library; libraft_guest are the words by which
 * scenario files speak of it (docs/guests.md). Only this folder links libraft (LGPL 3), and nothing
 * of it is copied here. */
#ifndef EXAMPLES_LIBRAFT_H
#define EXAMPLES_LIBRAFT_H

#include "base/step.h"
#include "sim/guest.h"

extern const struct guest libraft_guest;
extern const struct process_ops libraft_ops; /* config: libraft_config_write */

/* Notes of a server. */
enum libraft_note {
    LIBRAFT_NOTE_STATE = 1, /* a = state of raft.h, b = term */
    LIBRAFT_NOTE_APPLIED,   /* a = index, b = hash of the command, c = hash of all commands so far,
                               bytes = the command */
    LIBRAFT_NOTE_RESTORED,  /* from a snapshot: a = index, b = commands, c = hash of all commands */
    LIBRAFT_NOTE_ENDED,     /* bytes = why */
};

/* First byte of an IN_ASK; the rest is its argument. */
enum libraft_ask {
    LIBRAFT_ASK_APPLY = 'a',    /* the command */
    LIBRAFT_ASK_TRANSFER = 't', /* u32 id of the server that shall lead */
};
/* First byte of an FX_ANSWER; the index of the entry (u64) follows LIBRAFT_OK. */
enum libraft_answer {
    LIBRAFT_OK,
    LIBRAFT_REFUSED, /* nothing was appended */
    LIBRAFT_LOST,    /* leadership was lost: it may still happen */
};

#endif
