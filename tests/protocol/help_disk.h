/* help_disk.h - a disk for one store: carries out file effects, completes them later, and can lose
 * power.
 *
 * Two images of every file: `seen` (what a read gives) and `safe` (what survives). A write changes
 * `seen` at once; `safe` follows when a later sync, or the effect itself, completes. Everything
 * that a power loss may keep or lose stands in a list of open changes in between. */
#ifndef TESTS_PROTOCOL_HELP_DISK_H
#define TESTS_PROTOCOL_HELP_DISK_H

#include "base/step.h"

#include <stdbool.h>

#define DISK_FILES_MAX 128
#define DISK_OPEN_MAX  256
#define DISK_NAME_MAX  64

struct disk_file {
    enum file_dir dir;
    char name[DISK_NAME_MAX];
    uint8_t *at;
    size_t len;
};

struct disk_image {
    struct disk_file files[DISK_FILES_MAX];
    uint32_t count;
};

struct disk_change {
    enum fx_kind kind; /* APPEND, TRUNCATE, RENAME, REMOVE */
    uint64_t serial;   /* in order of emission */
    enum file_dir dir;
    char name[DISK_NAME_MAX];
    char to[DISK_NAME_MAX];
    uint64_t offset;
    uint8_t *at;
    size_t len;
};

/* An answer that is due. */
struct disk_answer {
    struct effect effect; /* its kind, tag, offset; not its spans */
    char name[DISK_NAME_MAX];
    uint64_t serial;
    enum err err;
};

/* What a power loss does with the open changes. */
enum disk_loss {
    DISK_LOSE,       /* nothing of them */
    DISK_KEEP,       /* all */
    DISK_TEAR,       /* the first half of every write */
    DISK_TEAR_HEAD,  /* a few bytes of every write */
    DISK_ZEROS,      /* the length of every write, not its bytes */
    DISK_SECTORS,    /* of every write the sectors with even numbers */
    DISK_SECTORS2,   /* ... or odd ones; the length of it all the same */
    DISK_ALTERNATE,  /* every other change, the first lost */
    DISK_ALTERNATE2, /* every other change, the first kept */
    DISK_LOSS_COUNT
};

struct disk {
    struct disk_image seen, safe;
    struct disk_change open[DISK_OPEN_MAX];
    uint32_t open_count;
    struct disk_answer due[DISK_OPEN_MAX];
    uint32_t due_head, due_tail;
    uint64_t serial;
    uint64_t events;   /* effects carried out and answers given so far */
    uint64_t crash_at; /* the power goes before the event with this number (from 1); 0 never */
    bool crashed;
    /* faults: the effect with this number (from 1) of those of kind fail_kind fails */
    enum fx_kind fail_kind;
    uint32_t fail_nth;
    uint32_t fail_seen;
    bool fail_in_part; /* a failing append leaves half of its bytes, another failing effect is done
                        */
    struct bytes data; /* of the last IN_DATA */
};

struct disk *disk_make(void);
void disk_drop(struct disk *disk);
void disk_put(struct disk *disk, enum file_dir dir, const char *name, struct span bytes);
struct disk_file *disk_find(struct disk *disk, enum file_dir dir, const char *name);
/* Carry out what a step wants; notes are ignored. */
void disk_run(struct disk *disk, const struct fx *fx);
/* The next answer; false when none is due (or the power is gone). */
bool disk_answer(struct disk *disk, struct input *in);
/* The process dies and the machine lives: what is seen stays, as little durable as it was. */
void disk_kill(struct disk *disk);
/* The power comes back: `safe`, and what of the open changes `loss` leaves, is all there is. */
void disk_power_loss(struct disk *disk, enum disk_loss loss);
/* An IN_BOOT; *views is freed by the caller. */
void disk_boot(struct disk *disk, struct input *in, struct file_view **views);

#endif
