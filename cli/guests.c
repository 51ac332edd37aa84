#include "cli/cli.h"

/* The protocols that this program knows. */

#ifdef HAVE_GUEST_ZOOKEEPER
extern const struct guest zookeeper_guest;
#endif
#ifdef HAVE_GUEST_PAXOS
extern const struct guest paxos_guest;
#endif
#ifdef HAVE_GUEST_GENERALS
extern const struct guest generals_guest;
#endif
#ifdef HAVE_GUEST_LIBRAFT
extern const struct guest libraft_guest;
#endif
#ifdef HAVE_GUEST_PULSE /* tests/sim: the command line is tested with a protocol that never \
                           changes */
extern const struct guest pulse_guest;
#endif

static const struct guest *const guests[] = {
#ifdef HAVE_GUEST_ZOOKEEPER
    &zookeeper_guest,
#endif
#ifdef HAVE_GUEST_PAXOS
    &paxos_guest,
#endif
#ifdef HAVE_GUEST_GENERALS
    &generals_guest,
#endif
#ifdef HAVE_GUEST_LIBRAFT
    &libraft_guest,
#endif
#ifdef HAVE_GUEST_PULSE
    &pulse_guest,
#endif
    NULL,
};

const struct guest *const *cli_guests(uint32_t *count)
{
    *count = sizeof(guests) / sizeof(guests[0]) - 1;
    return guests;
}
