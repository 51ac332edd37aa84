/* help_store_case.h - what the tests of the store share: a rig a test, and ways to spoil its disk.
 */
#ifndef TESTS_PROTOCOL_HELP_STORE_CASE_H
#define TESTS_PROTOCOL_HELP_STORE_CASE_H

#include "help_store.h"

#include <check.h>

extern struct rig *rig;
extern struct mem_heap case_heap; /* of the test; empty at its end */

/* Before and after each test. */
void case_begin(void);
void case_end(void);
int64_t case_zxid(int64_t epoch, uint32_t counter);
/* So many further txns, on the disk. */
void case_append(uint32_t count);
/* An ensemble server with (1,1)..(1,count) in its log. */
void case_start(uint32_t count);
/* The same in three log files. */
void case_start_three_files(void);
/* Power loss, then a start on what is left. */
void case_restart(void);
/* The store refuses to start because of `file`, for a reason that contains `why`. */
void case_expect_refused(const char *file, const char *why);
/* What the disk holds; valid until it changes. */
struct span case_file(enum file_dir dir, const char *name);
/* Load a file of tests/vectors/disk onto the disk. */
void case_put_vector(enum file_dir dir, const char *name);
/* Flip bits of one byte on the disk. */
void case_damage(enum file_dir dir, const char *name, size_t offset);
void case_resize(enum file_dir dir, const char *name, size_t len);
/* The first `len` bytes of `whole`, on the disk. */
void case_put_part(enum file_dir dir, const char *name, const struct bytes *whole, size_t len);
void case_erase(enum file_dir dir, const char *name);
/* A test case whose tests have a rig. */
TCase *case_add(Suite *suite, const char *name);

#endif
