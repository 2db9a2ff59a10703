/* @{title}
 *
 * @{name}_run(@{arguments}) computes one sample. It needs no operating system and no heap: what it works in is one
 * static array of @{NAME}_ARENA bytes, the arena, where values lie at the places of others that nobody needs any more.
 * Besides that it takes less than two kilobytes of stack, and of the C library @{library}.
 *
 * There is one arena, so only one thread may be in @{name}_run at a time. @{name}_run_in is for any number of threads,
 * each with an arena of its own, aligned as malloc aligns. Nothing in an arena counts from one call to the next.
 *
@{layout}
 */
#ifndef @{NAME}_H
#define @{NAME}_H

#include <stdint.h>

@{sizes}

#ifdef __cplusplus
extern "C" {
#endif

void @{name}_run(@{parameters});
void @{name}_run_in(void *arena, @{parameters});
@{classes}
#ifdef __cplusplus
}
#endif

#endif
