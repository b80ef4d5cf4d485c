/* Products of some rows of weights with a few rows of inputs; kernels.c has what stands here. */
#pragma once
#include <stdint.h>

#define BLOCK 32 /* rows of weights that stay in the cache for all inputs */
#define MOST_GROUPS 512 /* of a row of packed weights */
#define SMALLEST_GROUP 64
#define MOST_HEAD 256 /* width of an attention head */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define TARGET __attribute__((target("avx2,fma")))
#define ALWAYS static inline __attribute__((always_inline))

/* Round n groups to 8 bits: their numbers, and of each group its step and what they add up to. */
void rinsho_int4_round(
    const float *x, int8_t *numbers, float *steps, float *sums, long n, long group);

/* Rows `first` to `end` of out (M, N) = inputs (M, K, rounded) times packed weights (N, K). */
void rinsho_int4_rows(
    const int8_t *numbers, const float *steps, const float *sums, const uint8_t *packed,
    const uint16_t *scales, float *out, long m, long n, long k, long group, long first, long end);

/* The same with weights in fp32 or bf16, computed in fp32; K is a multiple of 8, `first` of 4. */
void rinsho_plain_rows(
    const float *x, const void *weights, int is_half, float *out, long m, long n, long k, long first,
    long end);

#if defined(__x86_64__)
#include <immintrin.h>

TARGET ALWAYS float total(__m256 v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}
#endif
