/* What the rules count in each text, in one pass: classes of characters, lines, phrases that come
 * again. What is counted exactly is what `view.py` counts; the rest is at least what
 * `repetition.py` counts, so that few texts need its slower count.
 */
#include <stdint.h>
#include <string.h>

#include "wide.h"

#define N_CLASSES 7
#define BLANK 6
#define NGRAM 8        /* characters */
#define BLOCK 8192     /* characters, at most */
#define SLOT_BITS 16   /* of a counter of n-grams */
#define FULL 255       /* a counter stops here */
#define KEY_BITS 18    /* of a hash of three characters */
#define FEW_CHARS 30   /* shorter lines are no prose */

/* The columns of a text. */
enum {
    CLASSES,
    N_NEW = N_CLASSES, /* characters that differ from the one before */
    N_REPEATS,         /* n-grams that stood in their block before, at most */
    N_TOP,             /* the most frequent n-gram of a block, at most */
    N_LINES,           /* that are not blank */
    N_DIFFERENT_LINES,
    N_OPEN,            /* characters of lines that may break off */
    N_COPYING,         /* ©, 無断, 転載 and 複製 */
    N_COLUMNS
};

typedef struct {
    const uint8_t *class_of; /* of every code point */
    const uint8_t *is_blank; /* of the first code points; those beyond are none */
    int64_t n_blanks;
} Characters;

static inline int blank(const Characters *of, uint32_t code) {
    return code < of->n_blanks && of->is_blank[code];
}

/* Whether a character ends what every notice about copying has. */
static inline int ends_mark(uint32_t before, uint32_t code) {
    if (code != 0xA9 && code != 0x65AD && code != 0x8F09 && code != 0x88FD) return 0;
    const uint32_t first = code == 0x65AD ? 0x7121 : code == 0x8F09 ? 0x8EE2 : 0x8907;
    return code == 0xA9 || before == first;
}

/* Count classes; copy characters that differ from the one before. */
static void count_characters(
    const uint32_t *codes, int64_t n, const Characters *of, uint32_t *new, int64_t *row) {
    int64_t counts[2][8] = {{0}}, n_new = 0, n_copying = 0;
    uint32_t before = UINT32_MAX;
    for (int64_t i = 0; i < n; i++) {
        counts[i & 1][of->class_of[codes[i]]]++;
        new[n_new] = codes[i];
        n_new += codes[i] != before;
        n_copying += ends_mark(before, codes[i]);
        before = codes[i];
    }
    for (int class = 0; class < N_CLASSES; class++)
        row[CLASSES + class] = counts[0][class] + counts[1][class];
    row[N_NEW] = n_new;
    row[N_COPYING] = n_copying;
}

/* Hash the n-grams of n characters into slots, n - NGRAM + 1 of them. */
WIDE static void slots_of(const uint32_t *codes, int64_t n, uint32_t *slots) {
    for (int64_t i = 0; i < n - 1; i++) slots[i] = codes[i] * 0x9E3779B1u + codes[i + 1];
    for (int64_t i = 0; i < n - 3; i++) slots[i] = slots[i] * 0x85EBCA6Bu + slots[i + 2];
    for (int64_t i = 0; i < n - 7; i++) {
        const uint32_t hash = slots[i] * 0xC2B2AE35u + slots[i + 4];
        slots[i] = ((hash ^ hash >> 15) * 0x27D4EB2Fu) >> (32 - SLOT_BITS);
    }
}

/* Count the n-grams of a text block by block, those of one slot as one. */
static void count_ngrams(const uint32_t *codes, int64_t n, int64_t *row) {
    static _Thread_local uint8_t counters[1 << SLOT_BITS];
    uint32_t slots[BLOCK];
    const int64_t n_blocks = n > BLOCK ? (n + BLOCK - 1) / BLOCK : 1, width = n / n_blocks;
    int64_t n_repeats = 0;
    uint8_t top = 0;
    for (int64_t block = 0; block < n_blocks && width >= NGRAM; block++) {
        slots_of(codes + block * width, width, slots);
        memset(counters, 0, sizeof counters);
        for (int64_t i = 0; i < width - NGRAM + 1; i++) {
            const uint8_t count = counters[slots[i]];
            n_repeats += count != 0;
            top = count > top ? count : top;
            counters[slots[i]] = count + (count != FULL);
        }
    }
    row[N_REPEATS] = n_repeats;
    row[N_TOP] = width < NGRAM ? 0 : top == FULL ? INT64_MAX : top + 1;
}

/* Whether a line that ends so ends a sentence, whatever stands behind it. */
static int ends_surely(uint32_t code) {
    switch (code) {
    case 0x3002: case 0xFF01: case 0xFF1F: case '!': case '?': case 0x266A: case 0x300D: case 0x300F:
        return 1;
    }
    return 0;
}

/* Count the different ones of n hashes; `set` has room for twice as many, rounded up. */
static int64_t count_different(const uint64_t *hashes, int64_t n, uint64_t *set) {
    int64_t size = 2, n_new = 0;
    while (size < 2 * n) size *= 2;
    memset(set, 0, size * sizeof *set);
    for (int64_t i = 0; i < n; i++) {
        const uint64_t hash = hashes[i] | 1; /* 0 is a free slot */
        int64_t slot = hash >> 1 & (size - 1);
        while (set[slot] && set[slot] != hash) slot = (slot + 1) & (size - 1);
        n_new += !set[slot];
        set[slot] = hash;
    }
    return n_new;
}

static void count_lines(
    const uint32_t *codes, int64_t n, const Characters *of, uint64_t *hashes, uint64_t *set,
    int64_t *row) {
    int64_t n_lines = 0, n_open = 0, pending = 0;
    for (int64_t next = 0; next <= n;) {
        int64_t start = next, end = next;
        while (end < n && codes[end] != '\n') end++;
        next = end + 1;
        while (start < end && blank(of, codes[start])) start++;
        while (start < end && blank(of, codes[end - 1])) end--;
        if (start == end) n_open += pending;
        pending = 0;
        if (start == end) continue;
        uint64_t hash = 0;
        for (int64_t i = start; i < end; i++) hash = (hash + codes[i]) * 0x9E3779B97F4A7C15u;
        hashes[n_lines++] = hash ^ hash >> 32;
        const uint32_t last = codes[end - 1];
        if (end - start < FEW_CHARS || ends_surely(last)) continue;
        if (last == 0x2026 || last == '.') n_open += end - start;
        else pending = end - start;
    }
    row[N_OPEN] = n_open + pending;
    row[N_LINES] = n_lines;
    row[N_DIFFERENT_LINES] = count_different(hashes, n_lines, set);
}

/* Count in each text of a row, in which a number stands behind each, which is none of it. `new` has
 * room for the longest text, `hashes` for its lines, `set` for four times as many. */
void rinsho_examine(
    const uint32_t *codes, const int64_t *lengths, int64_t n_texts, const uint8_t *class_of,
    const uint8_t *is_blank, int64_t n_blanks, uint32_t *new, uint64_t *hashes, uint64_t *set,
    int64_t *rows) {
    const Characters of = {class_of, is_blank, n_blanks};
    for (int64_t text = 0; text < n_texts; text++, rows += N_COLUMNS) {
        count_characters(codes, lengths[text], &of, new, rows);
        count_ngrams(new, rows[N_NEW], rows);
        count_lines(codes, lengths[text], &of, hashes, set, rows);
        codes += lengths[text] + 1;
    }
}

/* Find where three characters in a row may be a key of the word lists: the bits of the first and of
 * the last part of their hash are set. Returns how many places. */
int64_t rinsho_find_keys(
    const uint32_t *codes, int64_t n, const uint32_t *steps, const uint8_t *is_key, int32_t *places) {
    int64_t n_found = 0;
    for (int64_t i = 0; i < n - 2; i++) {
        const uint32_t hash = codes[i] * steps[0] + codes[i + 1] * steps[1] + codes[i + 2] * steps[2];
        const uint32_t first = hash >> (32 - KEY_BITS), last = hash & ((1 << KEY_BITS) - 1);
        if (!(is_key[first >> 3] >> (first & 7) & 1)) continue;
        if (is_key[last >> 3] >> (last & 7) & 1) places[n_found++] = i;
    }
    return n_found;
}
