/* digest.h - the tree digest of version 2: a sum of CRC-32s, one a node.
 *
 * The tree keeps it up to date (tree_digest); a leader predicts it from the change records of
 * transactions that are not yet applied: tree digest - digest of a node as it was + as it will be.
 * Source: Apache DigestCalculator, AdHash. */
#ifndef TREE_DIGEST_H
#define TREE_DIGEST_H

#include "base/span.h"
#include "tree/stat.h"

#define DIGEST_VERSION 2

/* Digest of a node from its fields; 0 for a path below /zookeeper/. "" and "/" are the root. */
uint64_t digest_node(struct span path, struct span data, const struct stat_stored *stat);
/* CRC-32 of path and data only: the start value for digest_finish. */
uint32_t digest_text(struct span path, struct span data);
/* The digest of a node from digest_text of it. */
uint32_t digest_finish(uint32_t text_crc, const struct stat_stored *stat);

#endif
