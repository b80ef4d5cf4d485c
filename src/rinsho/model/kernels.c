/* Products of a few rows of inputs with a matrix, for x86-64 processors with AVX2 and FMA: with
 * weights in fp32 or bf16, and with packed 4-bit ones. What a row gets does not depend on how many rows there
 * are, nor on the number of threads. N rows of weights, K columns, M rows of inputs, G groups of a row.
 *
 * 4 bits: a weight is (code - 8) * scale + offset, with a scale and an offset (bf16) for each group of a row.
 * Inputs are rounded to 8 bits with one step for each group, so that a group's sum of products is
 * exact in integers; groups are added in fp32 in one order. A group is 64 or 128 columns. Packed: of
 * each 64 weights 32 bytes, byte i with weight i in its low and weight 32 + i in its high half.
 */
#include "products.h"

#if defined(__x86_64__)
#include <math.h>

#define ROWS 4 /* inputs that share an unpacked weight */
#define AHEAD 2048 /* bytes by which weights are asked for before they are used */

int rinsho_kernels_are_here(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

TARGET void rinsho_int4_round(
    const float *x, int8_t *numbers, float *steps, float *sums, long n, long group) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (long g = 0; g < n; g++, x += group, numbers += group) {
        __m256 most = _mm256_setzero_ps();
        for (long i = 0; i < group; i += 8)
            most = _mm256_max_ps(most, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
        float lanes[8], largest = 0.0f;
        _mm256_storeu_ps(lanes, most);
        for (int i = 0; i < 8; i++) largest = fmaxf(largest, lanes[i]);
        const __m256 inverse = _mm256_set1_ps(largest > 0.0f ? 127.0f / largest : 0.0f);
        __m256i sum = _mm256_setzero_si256();
        for (long i = 0; i < group; i += 32) {
            __m256i v[4];
            for (int j = 0; j < 4; j++) {
                v[j] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8 * j), inverse));
                sum = _mm256_add_epi32(sum, v[j]);
            }
            const __m256i left = _mm256_packs_epi32(v[0], v[1]), right = _mm256_packs_epi32(v[2], v[3]);
            const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(left, right), in_order);
            _mm256_storeu_si256((__m256i *)(numbers + i), bytes);
        }
        int32_t parts[8], all = 0;
        _mm256_storeu_si256((__m256i *)parts, sum);
        for (int i = 0; i < 8; i++) all += parts[i];
        steps[g] = largest / 127.0f;
        sums[g] = steps[g] * (float)all;
    }
}

/* Scales times steps of a row of weights with n inputs, and what the offsets add up to. */
TARGET ALWAYS void units_of(
    const int n, const uint16_t *scales, const float *steps, const float *sums, long n_groups,
    float units[][MOST_GROUPS], float *rest) {
    __m256 offsets[ROWS];
    for (int m = 0; m < n; m++) offsets[m] = _mm256_setzero_ps();
    for (long g = 0; g < n_groups; g += 8) {
        const __m256i here = _mm256_cmpgt_epi32(
            _mm256_set1_epi32((int)(n_groups - g)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        const __m256i both = _mm256_maskload_epi32((const int *)(scales + 2 * g), here);
        const __m256 scale = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
        const __m256i high = _mm256_and_si256(both, _mm256_set1_epi32((int)0xffff0000));
        const __m256 offset =
            _mm256_fnmadd_ps(_mm256_set1_ps(8.0f), scale, _mm256_castsi256_ps(high));
        for (int m = 0; m < n; m++) {
            const __m256 step = _mm256_maskload_ps(steps + m * n_groups + g, here);
            const __m256 sum = _mm256_maskload_ps(sums + m * n_groups + g, here);
            _mm256_storeu_ps(units[m] + g, _mm256_mul_ps(scale, step));
            offsets[m] = _mm256_fmadd_ps(offset, sum, offsets[m]);
        }
    }
    for (int m = 0; m < n; m++) rest[m] = total(offsets[m]);
}

/* One row of weights with n inputs, 1 to ROWS; each input has the same operations in each case. */
TARGET ALWAYS void int4_row(
    const int n, const uint8_t *packed, const uint16_t *scales, const int8_t *numbers,
    const float *steps, const float *sums, float *out, long k, long group, long n_outputs) {
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    const long n_groups = k / group;
    float units[ROWS][MOST_GROUPS], rest[ROWS];
    __m256 found[ROWS];
    units_of(n, scales, steps, sums, n_groups, units, rest);
    for (int m = 0; m < n; m++) found[m] = _mm256_setzero_ps();
    for (long g = 0; g < n_groups; g++) {
        __m256i sum[ROWS];
        for (int m = 0; m < n; m++) sum[m] = _mm256_setzero_si256();
        for (long at = g * group; at < (g + 1) * group; at += 64, packed += 32) {
            _mm_prefetch((const char *)packed + AHEAD, _MM_HINT_T0);
            const __m256i both = _mm256_loadu_si256((const __m256i *)packed);
            const __m256i first = _mm256_and_si256(both, low);
            const __m256i second = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
            for (int m = 0; m < n; m++) {
                const int8_t *x = numbers + m * k + at;
                const __m256i a = _mm256_loadu_si256((const __m256i *)x);
                const __m256i b = _mm256_loadu_si256((const __m256i *)(x + 32));
                sum[m] = _mm256_add_epi16(sum[m], _mm256_maddubs_epi16(first, a));
                sum[m] = _mm256_add_epi16(sum[m], _mm256_maddubs_epi16(second, b));
            }
        }
        for (int m = 0; m < n; m++) {
            const __m256 whole = _mm256_cvtepi32_ps(_mm256_madd_epi16(sum[m], ones));
            found[m] = _mm256_fmadd_ps(whole, _mm256_broadcast_ss(&units[m][g]), found[m]);
        }
    }
    for (int m = 0; m < n; m++) out[m * n_outputs] = total(found[m]) + rest[m];
}

TARGET void rinsho_int4_rows(
    const int8_t *numbers, const float *steps, const float *sums, const uint8_t *packed,
    const uint16_t *scales, float *out, long m, long n, long k, long group, long first, long end) {
    const long n_groups = k / group;
    for (long input = 0; input < m; input += ROWS) {
        const int8_t *x = numbers + input * k;
        const float *step = steps + input * n_groups, *sum = sums + input * n_groups;
        for (long row = first; row < end; row++) {
            const uint8_t *w = packed + row * (k / 2);
            const uint16_t *s = scales + row * n_groups * 2;
            float *to = out + input * n + row;
            switch (m - input) {
            case 1: int4_row(1, w, s, x, step, sum, to, k, group, n); break;
            case 2: int4_row(2, w, s, x, step, sum, to, k, group, n); break;
            case 3: int4_row(3, w, s, x, step, sum, to, k, group, n); break;
            default: int4_row(4, w, s, x, step, sum, to, k, group, n);
            }
        }
    }
}

/* 8 weights from number i on, in fp32 or bf16 (the upper half of an fp32 number). */
TARGET ALWAYS __m256 weights_at(const int is_half, const void *weights, long i) {
    if (!is_half) return _mm256_loadu_ps((const float *)weights + i);
    const __m128i halves = _mm_loadu_si128((const __m128i *)((const uint16_t *)weights + i));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

/* r rows of weights from number `begin` on with n inputs; each pair has one sum, whatever r and n are. */
TARGET ALWAYS void plain_pairs(
    const int is_half, const int r, const int n, const void *weights, long begin, const float *x,
    float *out, long k, long n_outputs) {
    __m256 found[8];
    for (int i = 0; i < r * n; i++) found[i] = _mm256_setzero_ps();
    const int size = is_half ? 2 : 4, asks = is_half || n > 1;
    for (long at = 0; at < k; at += 8)
        for (int i = 0; i < r; i++) {
            if (asks && at * size % 64 == 0) { /* a line of the cache; the row ends, the next r begin */
                const long later = at + AHEAD / size, rows = later < k ? i : i + r - 1;
                _mm_prefetch((const char *)weights + (begin + rows * k + later) * size, _MM_HINT_T0);
            }
            const __m256 w = weights_at(is_half, weights, begin + i * k + at);
            for (int m = 0; m < n; m++)
                found[i * n + m] =
                    _mm256_fmadd_ps(w, _mm256_loadu_ps(x + m * k + at), found[i * n + m]);
        }
    for (int i = 0; i < r; i++)
        for (int m = 0; m < n; m++) out[m * n_outputs + i] = total(found[i * n + m]);
}

TARGET ALWAYS void plain_rows(
    const int h, const float *x, const void *w, float *out, long m, long n, long k, long first,
    long end) {
    for (long input = 0; input < m; input += ROWS)
        for (long row = first; row < end; row += 4) {
            const float *from = x + input * k;
            float *to = out + input * n + row;
            if (end - row < 4) { /* the last ones of a matrix whose rows are no multiple of 4 */
                for (; row < end; row++, to++)
                    for (long i = 0; i < m - input && i < ROWS; i++)
                        plain_pairs(h, 1, 1, w, row * k, from + i * k, to + i * n, k, n);
                break;
            }
            switch (m - input) {
            case 1: plain_pairs(h, 4, 1, w, row * k, from, to, k, n); break;
            case 2: plain_pairs(h, 4, 2, w, row * k, from, to, k, n); break;
            case 3:
                plain_pairs(h, 2, 3, w, row * k, from, to, k, n);
                plain_pairs(h, 2, 3, w, (row + 2) * k, from, to + 2, k, n);
                break;
            default:
                plain_pairs(h, 2, 4, w, row * k, from, to, k, n);
                plain_pairs(h, 2, 4, w, (row + 2) * k, from, to + 2, k, n);
            }
        }
}

TARGET void rinsho_plain_rows(
    const float *x, const void *weights, int is_half, float *out, long m, long n, long k, long first,
    long end) {
    if (is_half) plain_rows(1, x, weights, out, m, n, k, first, end);
    else plain_rows(0, x, weights, out, m, n, k, first, end);
}

/* All rows of out (M, N) = inputs times weights, by several threads. */
void rinsho_int4_product(
    const int8_t *numbers, const float *steps, const float *sums, const uint8_t *packed,
    const uint16_t *scales, float *out, long m, long n, long k, long group, int n_threads) {
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (long first = 0; first < n; first += BLOCK)
        rinsho_int4_rows(
            numbers, steps, sums, packed, scales, out, m, n, k, group, first, MIN(first + BLOCK, n));
}

void rinsho_plain_product(
    const float *x, const void *weights, int is_half, float *out, long m, long n, long k,
    int n_threads) {
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (long first = 0; first < n; first += BLOCK)
        rinsho_plain_rows(x, weights, is_half, out, m, n, k, first, MIN(first + BLOCK, n));
}

/* out = logits where the bit of a token is set, else minus infinity; the lowest bit of a byte first. */
TARGET void rinsho_mask_logits(const float *logits, const uint8_t *bits, float *out, long n) {
    const __m256i of_token = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256 never = _mm256_set1_ps(-INFINITY);
    long i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i set = _mm256_and_si256(_mm256_set1_epi32(bits[i / 8]), of_token);
        const __m256 may = _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, of_token));
        _mm256_storeu_ps(out + i, _mm256_blendv_ps(never, _mm256_loadu_ps(logits + i), may));
    }
    for (; i < n; i++) out[i] = bits[i / 8] >> (i % 8) & 1 ? logits[i] : -INFINITY;
}

#else

int rinsho_kernels_are_here(void) { return 0; }

#endif
