/* @{title}
 *
 * See @{name}.h. Kernels come first, then the constants of this net, its weights among them, then its steps. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "@{name}.h"
@{order}
typedef @{place} place; /* a row or a column of a picture, or -1 for none */

@{kernels}
@{constants}
void @{name}_run_in(void *arena, @{parameters})
{
@{body}
}

void @{name}_run(@{parameters})
{
    static union {
        unsigned char bytes[@{NAME}_ARENA];
        double aligned;
        void *pointer;
    } arena;
    @{name}_run_in(&arena, @{arguments});
}
