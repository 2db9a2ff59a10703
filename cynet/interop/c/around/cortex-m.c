/* How a Cortex-M begins: the processor takes its stack and the address of `reset` from the table at address 0. Variables
 * that are not zero are copied out of the flash, the floating-point unit is switched on, and newlib's start goes on: it
 * clears the others and calls main, with words and files that come from the debugger, or the emulator (semihosting). */
#include <stdint.h>

extern uint32_t stack_end, data_source, data_start, data_end;
extern void _start(void);
void reset(void);

static void stop(void)
{
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*entries[15])(void);
} vectors = {&stack_end, {reset, stop, stop, stop, stop, stop, 0, 0, 0, 0, stop, stop, 0, stop, stop}};

void reset(void)
{
    volatile uint32_t *const access = (volatile uint32_t *)0xE000ED88; /* of the coprocessors */
    const uint32_t *from = &data_source;
    *access |= 0xFu << 20;
    __asm volatile("dsb\n\tisb");
    for (uint32_t *to = &data_start; to < &data_end;)
        *to++ = *from++;
    _start();
}
