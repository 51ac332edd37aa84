/* help_pulse.h - a small protocol for testing the scenario language: the lowest server that is
 * heard leads.
 *
 * Servers p1, p2, ... send BEAT to each other; who hears nobody lower leads, and notes it. A client
 * sends PUT to all servers; the leader appends to a file, syncs, and answers STORED. Two leaders
 * are easy to get with a cut: the check `one-leader` then fails, on purpose. */
#ifndef TESTS_SIM_HELP_PULSE_H
#define TESTS_SIM_HELP_PULSE_H

#include "sim/guest.h"

extern const struct guest pulse_guest;

#endif
