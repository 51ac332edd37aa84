/* words.h - the valid word that is nearest to a wrong one. */
#ifndef SIM_WORDS_H
#define SIM_WORDS_H

#include "base/span.h"

struct scn_near {
    struct span word;
    struct span best; /* nearest so far; empty before the first try */
    uint32_t distance;
};
void scn_near_init(struct scn_near *near, struct span word);
void scn_near_try(struct scn_near *near, const char *candidate);
void scn_near_try_span(struct scn_near *near, struct span candidate);
/* Each word of "a|b|c". */
void scn_near_try_words(struct scn_near *near, const char *words);
/* True when something is near enough to be worth naming. */
bool scn_near_found(const struct scn_near *near);
/* Edits (insert, delete, change, swap neighbours) from a to b; 99 when one is longer than 40 bytes.
 */
uint32_t scn_distance(struct span a, struct span b);

#endif
