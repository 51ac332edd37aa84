/* path.h - the rules of znode paths: pure functions over bytes.
 *
 * "" and "/" both name the root inside the server. Text is UTF-8; what is not valid UTF-8 counts as
 * the replacement character, which no path may hold. Source: Apache PathUtils.validatePath. */
#ifndef TREE_PATH_H
#define TREE_PATH_H

#include "base/span.h"

/* Whole-path validation as for a node to be created or changed. */
bool path_valid(struct span path);
/* Cheap first test of create and delete: holds a '/' and no NUL. */
bool path_plausible(struct span path);
/* Part before the last '/': "" for a top-level path. False when there is no '/' or nothing after
 * it. */
bool path_split(struct span path, struct span *parent, struct span *name);
/* The parent as it is named in events: "/" instead of "". "/" itself and "" give "/". */
struct span path_parent(struct span path);
/* Without the trailing form "/": the root becomes "". */
struct span path_canonical(struct span path);
/* True when `path` is `ancestor` or lies below it ("/a" covers "/a/b", not "/ab"; the root covers
 * all). */
bool path_covers(struct span ancestor, struct span path);
/* "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config": cannot be deleted. */
bool path_special(struct span path);
/* Below "/zookeeper/": outside the tree digest. */
bool path_undigested(struct span path);

#define PATH_ZOOKEEPER "/zookeeper"
#define PATH_QUOTA     "/zookeeper/quota"
#define PATH_CONFIG    "/zookeeper/config"

#endif
