/* Products of a few rows of inputs with a matrix, for x86-64 processors with AVX2 and FMA: with
 * weights in fp32, and with packed 4-bit ones. What a row gets does not depend on how many rows there
 * are, nor on the number of threads. N rows of weights, K columns, M rows of inputs.
 *
 * 4 bits: a weight is (code - 8) * scale + offset, with a scale and an offset (bf16) for each group of a row.
 * Inputs are rounded to 8 bits with one step for each group, so that a group's sum of products is
 * exact in integers; groups are added in fp32 in one order. A group is 64 or 128 columns. Packed: of
 * each 64 weights 32 bytes, byte i with weight i in its low and weight 32 + i in its high half.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define ROWS 4 /* inputs that share an unpacked weight */
#define BLOCK 32 /* rows of weights that stay in the cache for all inputs */
#define TARGET __attribute__((target("avx2,fma")))

int rinsho_kernels_are_here(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static inline float from_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

/* Round n groups to 8 bits: their numbers, and of each group its step and what they add up to. */
TARGET void rinsho_int4_round(
    const float *x, int8_t *numbers, float *steps, float *sums, long n, long group) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    for (long g = 0; g < n; g++, x += group, numbers += group) {
        __m256 most = _mm256_setzero_ps();
        for (long i = 0; i < group; i += 8)
            most = _mm256_max_ps(most, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
        float lanes[8], largest = 0.0f;
        _mm256_storeu_ps(lanes, most);
        for (int i = 0; i < 8; i++) largest = fmaxf(largest, lanes[i]);
        const __m256 inverse = _mm256_set1_ps(largest > 0.0f ? 127.0f / largest : 0.0f);
        __m256i sum = _mm256_setzero_si256();
        for (long i = 0; i < group; i += 8) {
            const __m256i v = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), inverse));
            sum = _mm256_add_epi32(sum, v);
            int32_t wide[8];
            _mm256_storeu_si256((__m256i *)wide, v);
            for (int j = 0; j < 8; j++) numbers[i + j] = (int8_t)wide[j];
        }
        int32_t parts[8], all = 0;
        _mm256_storeu_si256((__m256i *)parts, sum);
        for (int i = 0; i < 8; i++) all += parts[i];
        steps[g] = largest / 127.0f;
        sums[g] = steps[g] * (float)all;
    }
}

TARGET static inline float total(__m256 v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}

/* One row of weights with `n` inputs, 1 to ROWS; each input has the same operations in each case. */
#define ONE_ROW(n)                                                                                  \
    TARGET static void one_row_##n(                                                                 \
        const uint8_t *packed, const uint16_t *scales, const int8_t *numbers, const float *steps,   \
        const float *sums, float *out, long k, long group, long n_outputs) {                        \
        const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);                      \
        const long n_groups = k / group;                                                            \
        __m256 found[n];                                                                            \
        float rest[n];                                                                              \
        for (int m = 0; m < n; m++) found[m] = _mm256_setzero_ps(), rest[m] = 0.0f;                 \
        for (long g = 0; g < n_groups; g++) {                                                       \
            __m256i sum[n];                                                                         \
            for (int m = 0; m < n; m++) sum[m] = _mm256_setzero_si256();                            \
            for (long at = g * group; at < (g + 1) * group; at += 64) {                             \
                const __m256i both = _mm256_loadu_si256((const __m256i *)(packed + at / 2));        \
                const __m256i first = _mm256_and_si256(both, low);                                  \
                const __m256i second = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);           \
                for (int m = 0; m < n; m++) {                                                       \
                    const int8_t *x = numbers + m * k + at;                                         \
                    const __m256i a = _mm256_loadu_si256((const __m256i *)x);                       \
                    const __m256i b = _mm256_loadu_si256((const __m256i *)(x + 32));                \
                    sum[m] = _mm256_add_epi16(sum[m], _mm256_maddubs_epi16(first, a));              \
                    sum[m] = _mm256_add_epi16(sum[m], _mm256_maddubs_epi16(second, b));             \
                }                                                                                   \
            }                                                                                       \
            const float scale = from_bf16(scales[2 * g]);                                           \
            const float offset = from_bf16(scales[2 * g + 1]) - 8.0f * scale;                       \
            for (int m = 0; m < n; m++) {                                                           \
                const __m256 whole = _mm256_cvtepi32_ps(_mm256_madd_epi16(sum[m], ones));           \
                const __m256 unit = _mm256_set1_ps(scale * steps[m * n_groups + g]);                \
                found[m] = _mm256_fmadd_ps(whole, unit, found[m]);                                  \
                rest[m] = fmaf(offset, sums[m * n_groups + g], rest[m]);                            \
            }                                                                                       \
        }                                                                                           \
        for (int m = 0; m < n; m++) out[m * n_outputs] = total(found[m]) + rest[m];                 \
    }
ONE_ROW(1)
ONE_ROW(2)
ONE_ROW(3)
ONE_ROW(4)

/* out (M, N) = inputs (M, K, rounded) times packed weights (N, K). */
void rinsho_int4_product(
    const int8_t *numbers, const float *steps, const float *sums, const uint8_t *packed,
    const uint16_t *scales, float *out, long m, long n, long k, long group, int n_threads) {
    const long n_groups = k / group, n_blocks = (n + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (long block = 0; block < n_blocks; block++) {
        const long end = (block + 1) * BLOCK < n ? (block + 1) * BLOCK : n;
        for (long first = 0; first < m; first += ROWS) {
            const int8_t *x = numbers + first * k;
            const float *step = steps + first * n_groups, *sum = sums + first * n_groups;
            for (long row = block * BLOCK; row < end; row++) {
                const uint8_t *w = packed + row * (k / 2);
                const uint16_t *s = scales + row * n_groups * 2;
                float *to = out + first * n + row;
                switch (m - first) {
                case 1: one_row_1(w, s, x, step, sum, to, k, group, n); break;
                case 2: one_row_2(w, s, x, step, sum, to, k, group, n); break;
                case 3: one_row_3(w, s, x, step, sum, to, k, group, n); break;
                default: one_row_4(w, s, x, step, sum, to, k, group, n);
                }
            }
        }
    }
}

/* r rows of weights with n inputs; each pair has one sum, whatever r and n are. */
TARGET static inline __attribute__((always_inline)) void some_rows(
    const int r, const int n, const float *weights, const float *x, float *out, long k,
    long n_outputs) {
    __m256 found[8];
    for (int i = 0; i < r * n; i++) found[i] = _mm256_setzero_ps();
    for (long at = 0; at < k; at += 8)
        for (int i = 0; i < r; i++) {
            const __m256 w = _mm256_loadu_ps(weights + i * k + at);
            for (int m = 0; m < n; m++)
                found[i * n + m] =
                    _mm256_fmadd_ps(w, _mm256_loadu_ps(x + m * k + at), found[i * n + m]);
        }
    for (int i = 0; i < r; i++)
        for (int m = 0; m < n; m++) out[m * n_outputs + i] = total(found[i * n + m]);
}

/* out (M, N) = inputs (M, K) times weights (N, K); K is a multiple of 8, N of 4. */
TARGET void rinsho_fp32_product(
    const float *x, const float *weights, float *out, long m, long n, long k, int n_threads) {
    const long n_blocks = (n + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (long block = 0; block < n_blocks; block++) {
        const long end = (block + 1) * BLOCK < n ? (block + 1) * BLOCK : n;
        for (long first = 0; first < m; first += ROWS) {
            const float *from = x + first * k;
            for (long row = block * BLOCK; row < end; row += 4) {
                const float *w = weights + row * k;
                float *to = out + first * n + row;
                switch (m - first) {
                case 1: some_rows(4, 1, w, from, to, k, n); break;
                case 2: some_rows(4, 2, w, from, to, k, n); break;
                case 3:
                    some_rows(2, 3, w, from, to, k, n);
                    some_rows(2, 3, w + 2 * k, from, to + 2, k, n);
                    break;
                default:
                    some_rows(2, 4, w, from, to, k, n);
                    some_rows(2, 4, w + 2 * k, from, to + 2, k, n);
                }
            }
        }
    }
}

#else

int rinsho_kernels_are_here(void) { return 0; }

#endif
