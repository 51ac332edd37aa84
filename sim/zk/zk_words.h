/* zk_words.h - names that the codecs give to records. */
#ifndef SIM_ZK_ZK_WORDS_H
#define SIM_ZK_ZK_WORDS_H

#include <stdint.h>

/* Name of a request record on the client port by op code: "CREATE"; "UNKNOWN" for others. */
const char *zk_request_name(int32_t op);

#endif
