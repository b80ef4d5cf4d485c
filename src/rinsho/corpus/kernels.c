/* Passes over the characters of texts (code points, uint32) for which numpy needs many: the same
 * results as in `repeated_lines.py`, `duplicates.py` and `rules`, each number once in the cache.
 */
#include <stdint.h>
#include <string.h>

#include "wide.h"

#define N_BINS 128
#define BIN_SHIFT 25

typedef struct {
    const uint8_t *is_blank; /* of the first code points; those beyond are none */
    int64_t n;
} Blanks;

static inline int blank(Blanks blanks, uint32_t code) {
    return code < blanks.n && blanks.is_blank[code];
}

/* Hash the lines of `least` or more characters, blanks around them left out, that have one from
 * `first_japanese` on: the number of each among all lines, and its hash. Returns how many. */
int64_t rinsho_hash_lines(
    const uint32_t *codes, int64_t n, const uint8_t *is_blank, int64_t n_blanks, int64_t least,
    uint32_t first_japanese, int64_t *numbers, uint64_t *hashes) {
    const Blanks blanks = {is_blank, n_blanks};
    int64_t n_found = 0, next = 0;
    for (int64_t number = 0; next <= n; number++) {
        int64_t start = next, end = next;
        while (end < n && codes[end] != '\n') end++;
        next = end + 1;
        if (end - start < least) continue;
        while (start < end && blank(blanks, codes[start])) start++;
        while (start < end && blank(blanks, codes[end - 1])) end--;
        if (end - start < least) continue;
        uint64_t hash = 0;
        uint32_t highest = 0;
        for (int64_t i = end; i-- > start;) {
            const uint64_t mixed = codes[i] * 0x9E3779B97F4A7C15u;
            hash = hash * 0x9E3779B97F4A7C15u + (mixed ^ mixed >> 32);
            if (codes[i] > highest) highest = codes[i];
        }
        if (highest < first_japanese) continue;
        hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
        numbers[n_found] = number;
        hashes[n_found++] = hash ^ hash >> 32;
    }
    return n_found;
}

/* Put the hash of each run of 5 of n characters in the place of its first; the last 4 are none. */
WIDE static void hash_runs(uint32_t *codes, int64_t n, const uint32_t *steps) {
    for (int64_t i = 0; i < n - 1; i++) codes[i] = codes[i] * steps[0] + codes[i + 1];
    for (int64_t i = 0; i < n - 3; i++) codes[i] = codes[i] * steps[1] + codes[i + 2];
    for (int64_t i = 0; i < n - 4; i++) {
        uint32_t hash = codes[i] * steps[2] + codes[i + 1];
        hash = (hash ^ hash >> 16) * 0x7FEB352Du;
        hash = (hash ^ hash >> 15) * 0x846CA68Bu;
        codes[i] = hash ^ hash >> 16;
    }
}

/* Copy the characters that are no blanks; returns how many there are. */
static int64_t copy_written(const uint32_t *codes, int64_t n, Blanks blanks, uint32_t *kept) {
    int64_t n_kept = 0;
    for (int64_t i = 0; i < n; i++) {
        kept[n_kept] = codes[i];
        n_kept += !blank(blanks, codes[i]);
    }
    return n_kept;
}

/* Count the different ones of n numbers; `set` has room for twice as many, rounded up to a power of
 * two, which 0 cannot be put into. */
static int64_t count_different(const uint32_t *numbers, int64_t n, uint32_t *set) {
    uint32_t mask = 1, has_zero = 0;
    while (mask < 2 * n) mask = 2 * mask + 1;
    memset(set, 0, ((int64_t)mask + 1) * sizeof *set);
    int64_t n_new = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t slot = numbers[i] & mask;
        while (set[slot] && set[slot] != numbers[i]) slot = (slot + 1) & mask;
        if (!numbers[i]) has_zero = 1;
        else n_new += !set[slot];
        set[slot] = numbers[i];
    }
    return n_new + has_zero;
}

/* Of the hashes of runs of 5 characters of each text: the least in each of 128 equal ranges (a number
 * of another range for one without any), and how many different ones there are. In `codes` a number
 * stands behind each text, which is none of it. `hashes` has room for the longest text. */
void rinsho_least_shingles(
    const uint32_t *codes, const int64_t *lengths, int64_t n_texts, const uint8_t *is_blank,
    int64_t n_blanks, const uint32_t *steps, uint32_t *hashes, uint32_t *set, uint32_t *least,
    int64_t *n_different) {
    const Blanks blanks = {is_blank, n_blanks};
    for (int64_t text = 0; text < n_texts; text++, least += N_BINS) {
        const int64_t n = copy_written(codes, lengths[text], blanks, hashes) - 4;
        hash_runs(hashes, n + 4, steps);
        uint8_t is_full[N_BINS] = {0};
        for (int bin = 0; bin < N_BINS; bin++) least[bin] = UINT32_MAX;
        for (int64_t i = 0; i < n; i++) {
            const uint32_t bin = hashes[i] >> BIN_SHIFT;
            least[bin] = hashes[i] < least[bin] ? hashes[i] : least[bin];
            is_full[bin] = 1;
        }
        for (uint32_t bin = 0; bin < N_BINS; bin++)
            if (!is_full[bin]) least[bin] = ~(bin << BIN_SHIFT);
        n_different[text] = n > 0 ? count_different(hashes, n, set) : 0;
        codes += lengths[text] + 1;
    }
}

/* Leave the blanks out of texts in a row, in which a number stands behind each, which stays: the
 * characters and where each text begins. Returns how many characters there are. */
int64_t rinsho_without_blanks(
    const uint32_t *codes, const int64_t *lengths, int64_t n_texts, const uint8_t *is_blank,
    int64_t n_blanks, uint32_t *kept, int64_t *starts) {
    const Blanks blanks = {is_blank, n_blanks};
    int64_t n_kept = 0;
    for (int64_t text = 0; text < n_texts; text++) {
        starts[text] = n_kept;
        n_kept += copy_written(codes, lengths[text], blanks, kept + n_kept);
        kept[n_kept++] = codes[lengths[text]];
        codes += lengths[text] + 1;
    }
    starts[n_texts] = n_kept;
    return n_kept;
}
