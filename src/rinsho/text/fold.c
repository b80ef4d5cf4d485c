/* One form for every character, as `normalize.py` does it with numpy, in one pass. */
#include <stdint.h>

#define MAY_COMPOSE 0x80000000u
#define IS_SAME 1
#define COMPOSES 2

/* Put for each of n code points what stands for it in a table of all. Returns whether all stayed what
 * they were (1), and whether one is marked (2), at which it stops. */
int64_t rinsho_fold(uint32_t *codes, int64_t n, const uint32_t *table) {
    uint32_t changed = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t folded = table[codes[i]];
        if (folded >= MAY_COMPOSE) return COMPOSES;
        changed |= folded ^ codes[i];
        codes[i] = folded;
    }
    return changed ? 0 : IS_SAME;
}
