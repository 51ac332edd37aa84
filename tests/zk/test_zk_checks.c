/* Every check of the ZooKeeper guest, shown a violation and its nearest neighbour that is none. The
 * servers here only say what the text makes them say (help_mouth.h). Numbers: zxid 0x100000001 is
 * 1:1; roles 1 looking, 2 following, 3 leading; modes 0 DIFF, 1 TRUNC, 2 SNAP; client states 0
 * connecting, 1 connected. */
#include "zk/help_mouth.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* Three servers in epoch 1 that s3 leads, all of them serving, client c1 with session 0x10 at s1.
 */
#define ENSEMBLE                        \
    "cluster zookeeper voters=3\n"      \
    "client c1\n"                       \
    "at 1ms s1 say role 2 0\n"          \
    "at +0s s2 say role 2 0\n"          \
    "at +0s s3 say role 3 0\n"          \
    "at +0s s1 say accepted-epoch 1\n"  \
    "at +0s s2 say accepted-epoch 1\n"  \
    "at +0s s3 say accepted-epoch 1\n"  \
    "at +0s s1 say current-epoch 1\n"   \
    "at +0s s2 say current-epoch 1\n"   \
    "at +0s s3 say current-epoch 1\n"   \
    "at +0s s1 say synced 3 0 1\n"      \
    "at +0s s2 say synced 3 0 1\n"      \
    "at +0s s3 say established 1 0 2\n" \
    "at +0s s3 say serving 3 1 0\n"     \
    "at +0s s1 say serving 2 1 0\n"     \
    "at +0s s2 say serving 2 1 0\n"     \
    "at +0s c1 tell client 1 0x10 text=\"s1:2181\"\n"
#define PROPOSED ENSEMBLE "at +0s s3 say proposes 0x100000001 0xaa 0x10\n"
#define LOGGED                           \
    PROPOSED                             \
    "at +0s s3 say logged 0x100000001\n" \
    "at +0s s1 say logged 0x100000001\n"
#define COMMITTED \
    LOGGED        \
    "at +0s s1 say acks 0x100000001\nat +0s s3 say commits 0x100000001 0xaa\n"
#define APPLIED COMMITTED "at +0s s3 say applies 0x100000001 0xaa 0xd1\n"

#define EPHEMERAL                                                                       \
    ENSEMBLE "at +0s c1 create /e -e as w1\nat +0s c1 tell sent 1 7 0x10\n"             \
             "at +1ms ledger 0x100000001 0x10 7 1\nat +0s c1 tell ok 1 0x100000001 1\n" \
             "at +0s c1 answer 1 0 path=/e\nat +1ms c1 get /e as r1\n"

static const struct {
    const char *name;
    const char *check; /* "" when all is well */
    const char *text;
} cases[] = {
    {"a quiet ensemble", "", ENSEMBLE},
    {"a write from beginning to end", "",
     APPLIED "at +0s s1 say applies 0x100000001 0xaa 0xd1\n"
             "at +0s s2 say logged 0x100000001\nat +0s s2 say applies 0x100000001 0xaa 0xd1\n"},
    {"two leaders of one epoch", "one-leader",
     ENSEMBLE "at +0s s2 say role 3 1\nat +0s s2 say established 1 0 2\n"},
    {"two leaders go to synchronise in one epoch", "one-leader",
     ENSEMBLE "at +0s s2 say role 3 1\nat +0s s2 say current-epoch 1\n"},
    {"the same leader again", "", ENSEMBLE "at +0s s3 say current-epoch 1\n"},
    {"a proposal of a follower", "one-leader",
     ENSEMBLE "at +0s s1 say proposes 0x100000001 0xaa 0x10\n"},
    {"a proposal of another epoch", "one-leader",
     ENSEMBLE "at +0s s3 say proposes 0x200000001 0xaa 0x10\n"},
    {"acceptedEpoch goes back", "epochs",
     ENSEMBLE "at +0s s1 say accepted-epoch 3\nat +0s s1 say accepted-epoch 2\n"},
    {"currentEpoch passes acceptedEpoch", "epochs", ENSEMBLE "at +0s s1 say current-epoch 2\n"},
    {"currentEpoch goes back", "epochs",
     ENSEMBLE "at +0s s1 say accepted-epoch 3\nat +0s s1 say current-epoch 3\n"
              "at +0s s1 say current-epoch 2\n"},
    {"an epoch without promises", "epochs",
     ENSEMBLE "at +0s s3 say accepted-epoch 2\nat +0s s3 say current-epoch 2\n"},
    {"a restart that forgets an epoch", "epochs",
     ENSEMBLE "at +0s s3 say accepted-epoch 2\nat +0s s1 say recovered 0 0 0\n"},
    {"a vote with more than the disk has", "vote-truth",
     ENSEMBLE "at +0s s1 say looking 2 0x100000001 1\n"},
    {"a vote with less than the disk has", "vote-truth", COMMITTED "at +0s s1 say looking 2 0 1\n"},
    {"a vote of another epoch", "vote-truth", COMMITTED "at +0s s1 say looking 2 0x100000001 2\n"},
    {"an honest vote", "", COMMITTED "at +0s s1 say looking 2 0x100000001 1\n"},
    {"a zxid used twice", "agreement", PROPOSED "at +0s s3 say proposes 0x100000001 0xbb 0x10\n"},
    {"a commit of another transaction", "agreement",
     LOGGED "at +0s s3 say commits 0x100000001 0xbb\n"},
    {"an apply of another transaction", "agreement",
     APPLIED "at +0s s1 say applies 0x100000001 0xbb 0xd1\n"},
    {"a gap in what is proposed", "prefix",
     PROPOSED "at +0s s3 say proposes 0x100000003 0xbb 0x10\n"},
    {"a commit of what nobody proposed", "prefix",
     ENSEMBLE "at +0s s3 say commits 0x100000001 0xaa\n"},
    {"a commit out of turn", "prefix",
     LOGGED "at +0s s3 say proposes 0x100000002 0xbb 0x10\nat +0s s3 say logged 0x100000002\n"
            "at +0s s1 say logged 0x100000002\nat +0s s3 say commits 0x100000002 0xbb\n"},
    {"an apply before the commit", "prefix",
     LOGGED "at +0s s1 say applies 0x100000001 0xaa 0xd1\n"},
    {"an apply with a gap", "prefix",
     COMMITTED "at +0s s3 say proposes 0x100000002 0xbb 0x10\nat +0s s3 say logged 0x100000002\n"
               "at +0s s1 say logged 0x100000002\nat +0s s3 say commits 0x100000002 0xbb\n"
               "at +0s s1 say applies 0x100000002 0xbb 0xd2\n"},
    {"an apply twice", "prefix", APPLIED "at +0s s3 say applies 0x100000001 0xaa 0xd1\n"},
    {"serving what is not committed", "prefix",
     LOGGED "at +0s s1 say role 2 1\nat +0s s1 say synced 3 0x100000001 1\n"
            "at +0s s1 say serving 2 1 0x100000001\n"},
    {"another tree at the same zxid", "digest",
     APPLIED "at +0s s1 say applies 0x100000001 0xaa 0xd2\n"},
    {"an acknowledgement of what is not on disk", "ack-durable",
     PROPOSED "at +0s s1 say acks 0x100000001\n"},
    {"an acknowledged epoch without its history", "ack-durable",
     COMMITTED "at +0s s2 say role 2 1\nat +0s s2 say synced 3 0x100000001 1\n"},
    {"an acknowledged epoch that is not on disk", "ack-durable",
     ENSEMBLE "at +0s s2 say role 2 1\nat +0s s2 say synced 3 0 2\n"},
    {"a restart that forgets what was acknowledged", "recovery",
     COMMITTED "at +0s s1 say recovered 0 0 1\n"},
    {"a restart that forgets what was not", "", PROPOSED "at +0s s2 say recovered 0 0 1\n"},
    {"a commit on one disk of three", "commit-durable",
     PROPOSED "at +0s s3 say logged 0x100000001\nat +0s s3 say commits 0x100000001 0xaa\n"},
    {"an epoch that one of three acknowledged", "commit-durable",
     ENSEMBLE "at +0s s3 say accepted-epoch 2\nat +0s s1 say accepted-epoch 2\n"
              "at +0s s3 say current-epoch 2\nat +0s s3 say established 2 0 0\n"},
    {"a new leader without what was committed", "committed-kept",
     COMMITTED "at +0s s2 say role 3 1\nat +0s s2 say accepted-epoch 2\n"
               "at +0s s1 say accepted-epoch 2\nat +0s s2 say current-epoch 2\n"
               "at +0s s1 say current-epoch 2\nat +0s s2 say established 2 0 1\n"},
    {"a new leader with it", "",
     COMMITTED "at +0s s1 say role 3 1\nat +0s s1 say accepted-epoch 2\n"
               "at +0s s3 say accepted-epoch 2\nat +0s s1 say current-epoch 2\n"
               "at +0s s3 say role 2 1\nat +0s s3 say current-epoch 2\n"
               "at +0s s1 say established 2 0x100000001 1\n"},
    {"an old leader that wakes up", "",
     ENSEMBLE "at +0s s1 say role 3 1\nat +0s s1 say accepted-epoch 2\n"
              "at +0s s2 say accepted-epoch 2\nat +0s s1 say current-epoch 2\n"
              "at +0s s2 say current-epoch 2\nat +0s s3 say role 3 1\n"
              "at +0s s2 say accepted-epoch 3\nat +0s s3 say accepted-epoch 3\n"
              "at +0s s3 say current-epoch 3\nat +0s s2 say current-epoch 3\n"
              "at +0s s3 say established 3 0 1\nat +0s s3 say serving 3 3 0\n"
              "at +0s s3 say proposes 0x300000001 0xaa 0x10\nat +0s s3 say logged 0x300000001\n"
              "at +0s s2 say logged 0x300000001\nat +0s s3 say commits 0x300000001 0xaa\n"
              "at +0s s1 say established 2 0 1\n"},
    {"what was committed leaves a quorum of disks", "committed-kept",
     COMMITTED "at +0s s1 say role 2 1\nat +0s s1 say recovered 0 0 1\n"},
    {"what was committed leaves one disk of three", "",
     COMMITTED "at +0s s2 say logged 0x100000001\n"
               "at +0s s2 say role 2 1\nat +0s s2 say recovered 0 0 1\n"},
    {"DIFF to a stranger", "sync-choice",
     "cluster zookeeper voters=3\nhistory s1 zxid=1:5\nhistory {s2, s3} zxid=2:3\n"
     "at 1ms s3 say syncs 1 0 0x100000005\n"},
    {"SNAP to a stranger", "",
     "cluster zookeeper voters=3\nhistory s1 zxid=1:5\nhistory {s2, s3} zxid=2:3\n"
     "at 1ms s3 say syncs 1 2 0x100000005\n"},
    {"an acknowledged write that is not committed", "acknowledged",
     ENSEMBLE "at +0s c1 create /a as w1\nat +0s c1 tell sent 1 7 0x10\n"
              "at +0s s3 say proposes 0x100000001 0xaa 0x10\n"
              "at +0s c1 tell ok 1 0x100000001 1\n"},
    {"an acknowledged write that nobody proposed", "acknowledged",
     ENSEMBLE "at +0s c1 create /a as w1\nat +0s c1 tell sent 1 7 0x10\n"
              "at +0s c1 tell ok 1 0x100000001 1\n"},
    {"an acknowledgement by another transaction", "acknowledged",
     COMMITTED "at +0s c1 create /a as w1\nat +0s c1 tell sent 1 7 0x10\n"
               "at +0s c1 tell ok 1 0x100000001 1\n"},
    {"a reply from the past", "session-order",
     ENSEMBLE "at +0s c1 get /a as r1\nat +0s c1 get /a as r2\n"
              "at +0s c1 tell ok 1 0x100000005 4\nat +0s c1 tell ok 2 0x100000004 4\n"},
    {"replies in order", "",
     ENSEMBLE "at +0s c1 get /a as r1\nat +0s c1 get /a as r2\n"
              "at +0s c1 tell ok 1 0x100000005 4\nat +0s c1 tell ok 2 0x100000005 4\n"},
    {"a new session knows nothing of the past", "",
     ENSEMBLE "at +0s c1 get /a as r1\nat +0s c1 get /a as r2\n"
              "at +0s c1 tell ok 1 0x100000005 4\nat +0s c1 tell client 1 0x11 text=\"s2:2181\"\n"
              "at +0s c1 tell ok 2 0x100000004 4\n"},
    {"a reply before the watch event", "watch-order",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 0\nat +0s c1 get /a as r2\n"
              "at +0s s1 say watch-fired 0x10 3 0x100000002 text=\"/a\"\n"
              "at +0s c1 tell ok 2 0x100000002 4\n"},
    {"a reply of the state before the event", "",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 0\nat +0s c1 get /a as r2\n"
              "at +0s s1 say watch-fired 0x10 3 0x100000002 text=\"/a\"\n"
              "at +0s c1 tell ok 2 0x100000001 4\n"},
    {"the event, then the reply", "",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 0\nat +0s c1 get /a as r2\n"
              "at +0s s1 say watch-fired 0x10 3 0x100000002 text=\"/a\"\n"
              "at +0s c1 tell event 3 0x100000002 3 text=\"/a\"\n"
              "at +0s c1 tell ok 2 0x100000002 4\n"},
    {"an event lost with its connection", "",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 0\nat +0s c1 get /a as r2\n"
              "at +0s s1 say watch-fired 0x10 3 0x100000002 text=\"/a\"\n"
              "at +0s c1 tell client 0 0x10 text=\"s2:2181\"\n"
              "at +0s c1 tell client 1 0x10 text=\"s2:2181\"\n"
              "at +0s c1 tell ok 2 0x100000002 4\n"},
    {"a new state and no event", "watch-order",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 0\n"
              "at +0s c1 exists /a as r2\nat +0s c1 answer 2 -101\n"},
    {"the old state and no event", "",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 0\n"
              "at +0s c1 exists /a as r2\nat +0s c1 answer 2 0\n"},
    {"a node that is there and no event", "watch-order",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 -101\n"
              "at +0s c1 exists /a as r2\nat +0s c1 answer 2 0\n"},
    {"a watch that fires twice", "watch-once",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 0\n"
              "at +0s c1 tell event 3 0x100000002 3 text=\"/a\"\n"
              "at +0s c1 tell event 3 0x100000003 3 text=\"/a\"\n"},
    {"a watch that is left twice", "",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 0\n"
              "at +0s c1 tell event 3 0x100000002 3 text=\"/a\"\n"
              "at +0s c1 exists /a -w as r2\nat +0s c1 answer 2 0\n"
              "at +0s c1 tell event 3 0x100000003 3 text=\"/a\"\n"},
    {"an event without a watch", "watch-once",
     ENSEMBLE "at +0s c1 tell event 3 0x100000002 3 text=\"/a\"\n"},
    {"an event of another kind", "watch-once",
     ENSEMBLE "at +0s c1 exists /a -w as r1\nat +0s c1 answer 1 0\n"
              "at +0s c1 tell event 4 0x100000002 3 text=\"/a\"\n"},
    {"a write of a session that is closed", "session-end",
     ENSEMBLE "at +1ms ledger 0x100000001 0x10 1 -10\nat +1ms ledger 0x100000002 0x10 2 -11\n"
              "at +1ms ledger 0x100000003 0x10 3 1\n"},
    {"a refused write of a session that is closed", "",
     ENSEMBLE "at +1ms ledger 0x100000001 0x10 1 -10\nat +1ms ledger 0x100000002 0x10 2 -11\n"
              "at +1ms ledger 0x100000003 0x10 3 -1\n"},
    {"an ephemeral that outlives its session", "ephemerals",
     ENSEMBLE "at +1ms ledger 0x100000002 0x10 2 -11\nat +1ms tree 0x100000002 0x10 ephemeral\n"},
    {"a session that outlives its end", "ephemerals",
     ENSEMBLE "at +1ms ledger 0x100000002 0x10 2 -11\nat +1ms tree 0x100000002 0x10 known\n"},
    {"a tree of before the end", "",
     ENSEMBLE "at +1ms ledger 0x100000002 0x10 2 -11\n"
              "at +1ms tree 0x100000001 0x10 ephemeral known\n"},
    {"an ephemeral that goes before its session", "ephemerals",
     EPHEMERAL "at +1ms tree 0x100000001 0x10 known\n"},
    {"an ephemeral that stays with its session", "",
     EPHEMERAL "at +1ms tree 0x100000001 0x10 ephemeral known\n"},
    {"an ephemeral that a server does not have yet", "",
     EPHEMERAL "at +1ms tree 0x100000000 0x10 known\n"},
    {"an ephemeral that somebody else deletes", "",
     EPHEMERAL "at +0s c1 delete /e as w2\nat +1ms tree 0x100000001 0x10 known\n"},
};

START_TEST(test_planted)
{
    char found[64];
    char why[256];

    mouth_play(cases[_i].text, found, why);

    ck_assert_msg(strcmp(found, cases[_i].check) == 0, "%s: found \"%s\" (%s), not \"%s\"",
                  cases[_i].name, found, why, cases[_i].check);
}
END_TEST

/* Sessions and ephemerals are judged by transactions and trees that only real servers have. A
 * session is closed, and another server keeps its node: planted in the tree itself by
 * test_zk_trees. */

Suite *suite_zk_checks(void)
{
    Suite *suite = suite_create("zk_checks");
    TCase *tcase = tcase_create("planted");

    tcase_add_loop_test(tcase, test_planted, 0, (int)(sizeof(cases) / sizeof(cases[0])));
    suite_add_tcase(suite, tcase);
    return suite;
}
