/* Hashes of runs of characters, and look-ups among those of benchmarks: the same numbers as in
 * `ngrams.py` and `benchmark_runs.py`, a piece at a time that stays in the cache.
 */
#include <stdint.h>
#include <string.h>

#include "wide.h"

#define PIECE 1024
#define MOST_JOINED 1024 /* values in one hash */
#define CHARS 4          /* of a probe's value; a probe begins at every fourth character */
#define AHEAD 32         /* bits of a filter that are asked for before one is read */

static inline uint64_t spread(uint64_t value) {
    value *= 0x9E3779B97F4A7C15u;
    return value ^ value >> 32;
}

static inline uint64_t scramble(uint64_t hash) {
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 32;
}

/* Put the hash of each run of `n_joined` spread values in the place of its first. */
WIDE static void join(uint64_t *values, int64_t n_values, int64_t n_joined, const uint64_t *steps) {
    for (int64_t width = 1, step; width < n_joined; width += step, steps++) {
        step = width < n_joined - width ? width : n_joined - width;
        n_values -= step;
        for (int64_t i = 0; i < n_values; i++) values[i] = values[i] * *steps + values[i + step];
    }
    for (int64_t i = 0; i < n_values; i++) values[i] = scramble(values[i]);
}

/* Hash every run of `n_joined` characters, at most 1024, of n. */
void rinsho_hash_ngrams(
    const uint32_t *codes, int64_t n, int64_t n_joined, const uint64_t *steps, uint64_t *hashes) {
    uint64_t values[PIECE + MOST_JOINED];
    const int64_t n_runs = n - n_joined + 1;
    for (int64_t start = 0; start < n_runs; start += PIECE) {
        const int64_t here = n_runs - start < PIECE ? n_runs - start : PIECE;
        for (int64_t i = 0; i < here + n_joined - 1; i++) values[i] = spread(codes[start + i]);
        join(values, here + n_joined - 1, n_joined, steps);
        memcpy(hashes + start, values, here * sizeof *hashes);
    }
}

/* Put the probes that begin at the first `here` fourth characters of n into `values`. */
static void probe(
    const uint32_t *codes, int64_t here, int64_t n_joined, const uint64_t *steps, uint64_t *values) {
    for (int64_t i = 0; i < here + n_joined - 1; i++) {
        const uint32_t *four = codes + CHARS * i;
        values[i] = spread(
            (uint16_t)four[0] | (uint64_t)(uint16_t)four[1] << 16 |
            (uint64_t)(uint16_t)four[2] << 32 | (uint64_t)(uint16_t)four[3] << 48);
    }
    join(values, here + n_joined - 1, n_joined, steps);
}

typedef struct {
    uint8_t *is_set;
    int shift; /* of a hash: what is left is the place of its bit */
} Filter;

static inline uint8_t bit(Filter filter, uint64_t hash) {
    const uint64_t place = hash >> filter.shift;
    return filter.is_set[place >> 3] >> (place & 7) & 1;
}

/* Find the fourth characters where a run of the benchmarks may stand: the number of each. A probe
 * joins `n_joined` values of four characters. Returns how many there are. */
int64_t rinsho_find_probes(
    const uint32_t *codes, int64_t n, int64_t n_joined, const uint64_t *steps, uint8_t *is_set,
    int64_t n_bits, int64_t *places) {
    const Filter filter = {is_set, 64 - (int)n_bits};
    uint64_t values[PIECE + MOST_JOINED];
    const int64_t n_probes = n / CHARS - n_joined + 1;
    int64_t n_found = 0;
    for (int64_t start = 0; start < n_probes; start += PIECE) {
        const int64_t here = n_probes - start < PIECE ? n_probes - start : PIECE;
        probe(codes + CHARS * start, here, n_joined, steps, values);
        for (int64_t i = 0; i < here + AHEAD; i++) {
            if (i < here) __builtin_prefetch(is_set + (values[i] >> filter.shift >> 3));
            if (i < AHEAD || !bit(filter, values[i - AHEAD])) continue;
            if (bit(filter, values[i - AHEAD] << 32)) places[n_found++] = start + i - AHEAD;
        }
    }
    return n_found;
}

/* Set both bits of each hash in a filter. */
void rinsho_fill_filter(const uint64_t *hashes, int64_t n, uint8_t *is_set, int64_t n_bits) {
    const int shift = 64 - (int)n_bits;
    for (int64_t i = 0; i < n + AHEAD; i++) {
        for (int half = 0; half < 64; half += 32) {
            if (i < n) __builtin_prefetch(is_set + (hashes[i] << half >> shift >> 3), 1);
            if (i < AHEAD) continue;
            const uint64_t place = hashes[i - AHEAD] << half >> shift;
            is_set[place >> 3] |= 1 << (place & 7);
        }
    }
}
