/* help_mouth.h - the ZooKeeper guest with servers and clients that only say what a scenario makes
 * them say: every check can so be shown a violation that no server would commit.
 *
 *     s1 say NOTE [A [B [C]]] [text="..."]     emits that note
 *     c1 tell NOTE [A [B [C]]] [text="..."]    the same for clients
 *     c1 answer TAG CODE [path=CREATED]        ends the ask with this tag: FX_ANSWER
 *     ledger ZXID SESSION CXID TYPE            a transaction is committed
 *     tree ZXID SESSION [ephemeral] [known]    a server shows its tree: at ZXID, with the ephemeral
 * /e of SESSION or not, with SESSION in its table or not */
#ifndef TESTS_ZK_HELP_MOUTH_H
#define TESTS_ZK_HELP_MOUTH_H

#include "sim/runner.h"

/* Play `text` and keep the name of the check that found something in `found` ("" for none); `why`
 * gets its words. */
void mouth_play(const char *text, char found[64], char why[256]);

#endif
