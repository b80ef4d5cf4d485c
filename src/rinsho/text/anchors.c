/* Where rules may begin in a text, as `identifier_anchors.py` finds it with numpy, in one pass: most
 * characters are done with after a look at their mark and at that of the next one.
 */
#include <stdint.h>

#define N_AHEAD 5
#define HASH_SHIFT 15 /* 17 bits are left */
#define FIRST 1
#define SECOND 2
#define ALONE 4

static const uint32_t FACTORS[N_AHEAD + 1] = {
    0x9E3779B1u, 0x85EBCA6Bu, 0xC2B2AE35u, 0x27D4EB2Fu, 0x165667B1u, 0x9E3779F9u};

/* Tables of the rules; a bit of a number stands for a rule. */
typedef struct {
    const uint8_t *marks;    /* of a character */
    const uint32_t *classes; /* of a character */
    const uint8_t *pairs;    /* of two classes: whether they may begin a rule */
    int64_t n_classes;
    const uint64_t *one, *first, *second, *before, *next; /* of a character */
    const uint64_t *longer[N_AHEAD];   /* of the hash of two characters, three, … */
    const uint8_t *is_longer[N_AHEAD]; /* a bit for each: whether it is more than 0 */
} Tables;

/* The rules that the characters from `at` on may begin. */
static uint64_t rules_at(const Tables *tables, const uint16_t *at, uint16_t before) {
    uint64_t bits = tables->one[at[0]] & tables->next[at[1]];
    uint32_t sum = at[0] * FACTORS[0];
    for (int n = 0; n < N_AHEAD; n++) {
        sum += at[n + 1] * FACTORS[n + 1];
        const uint32_t slot = sum >> HASH_SHIFT;
        if (!(tables->is_longer[n][slot >> 3] >> (slot & 7) & 1)) continue;
        const uint64_t begun = tables->longer[n][slot];
        bits |= n + 1 < N_AHEAD ? begun & tables->next[at[n + 2]] : begun;
    }
    /* Hashes alone do not tell: other characters may have the same. */
    return bits & tables->first[at[0]] & tables->second[at[1]] & tables->before[before];
}

/* Find the places of n characters where rules may begin, and the rules of each; N_AHEAD line ends
 * stand behind the last, and one before the first. Returns how many places there are. */
int64_t rinsho_find_begins(
    const Tables *tables, const uint16_t *codes, int64_t n, int32_t *places, uint64_t *rules) {
    int64_t n_found = 0;
    uint8_t mark = n ? tables->marks[codes[0]] : 0;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t own = mark;
        mark = tables->marks[codes[i + 1]];
        if (!(own & FIRST) || !(mark & SECOND || own & ALONE)) continue;
        const int64_t pair = tables->classes[codes[i]] * tables->n_classes + tables->classes[codes[i + 1]];
        if (!tables->pairs[pair]) continue;
        const uint64_t bits = rules_at(tables, codes + i, i ? codes[i - 1] : '\n');
        places[n_found] = i;
        rules[n_found] = bits;
        n_found += bits != 0;
    }
    return n_found;
}
