/* config_rules.h - what follows from the pairs of a configuration, and what they must not say
 * together; internal to config. */
#ifndef PROTOCOL_CONFIG_RULES_H
#define PROTOCOL_CONFIG_RULES_H

#include "protocol/config.h"

/* Fill *error without a line, and return `err`. */
enum err config_complain(struct config_error *error, enum err err, const char *key,
                         const char *why);
/* Defaults that depend on other keys, and the mode. */
void config_resolve(struct config *config);
/* Rules between keys. */
enum err config_check_pairs(const struct config *config, struct config_error *error);
/* Rules of the server lines that hold for every server. */
enum err config_check_membership(const struct config *config, struct config_error *error);

#endif
