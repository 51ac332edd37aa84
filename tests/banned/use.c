/* Compiled, or not, by the tests banned_*: USE is an expression. A poisoned name must stand in the
 * text, since the command line is read before the poison. */
#include "base/mem.h"

#ifdef USE_ATOI
#define USE atoi("1")
#endif

int main(void);

int main(void)
{
    (void)(USE);
    return 0;
}
