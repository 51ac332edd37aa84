/* acl_scheme.h - what each authentication scheme accepts as an id, and whom an id in an ACL means.
 *
 * Source: Apache IPAuthenticationProvider (3.9.4), DigestAuthenticationProvider,
 * X509AuthenticationProvider, SASLAuthenticationProvider; docs/tree.md, "Access control". */
#ifndef TREE_ACL_SCHEME_H
#define TREE_ACL_SCHEME_H

#include "tree/acl.h"

/* Does the connection id `mine` (of the same scheme) match the id `wanted` of an ACL item? */
bool acl_scheme_match(struct span scheme, struct span mine, struct span wanted,
                      const struct acl_policy *policy);
/* Does having an id of this scheme prove who one is (for "auth" items)? An address does not. */
bool acl_scheme_proves(struct span scheme, const struct acl_policy *policy);

#endif
