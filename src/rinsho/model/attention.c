/* Attention inside segments and its gradient in fp32, for x86-64 processors with AVX2 and FMA.
 *
 * Of a segment and a key-value head, queries and keys are taken in tiles of 48 tokens that stay in
 * the nearest caches; tiles above the diagonal are never computed, and scores never leave the cache
 * (Dao et al. 2022, arXiv 2205.14135). Each segment and key-value head is computed by itself, in
 * one order: results do not depend on what else is in the batch, nor on the number of threads.
 * Softmax is of powers of 2: queries are scaled by log2(e) / sqrt(D), `tops` are log2 of its sums.
 * T tokens of all segments, H query heads, K key-value heads, D head width, n tokens of a segment.
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#define TILE 48 /* tokens; a multiple of ROWS and of COLUMNS */
#define ROWS 6
#define COLUMNS 16
#define SQUARE (TILE * TILE)
#define TARGET __attribute__((target("avx2,fma")))
#define LOG2_E 1.44269504f
#define LN_2 0.693147181f

/* out (6, 16) = or += a (6, n) times b (n, 16); elements of a lie `row` and `column` apart. */
TARGET static inline __attribute__((always_inline)) void small_product(
    const float *a, long row, long column, const float *b, long b_row, float *out, long out_row,
    long n, int adds) {
    __m256 sum[ROWS][2];
    for (int r = 0; r < ROWS; r++)
        for (int h = 0; h < 2; h++)
            sum[r][h] = adds ? _mm256_loadu_ps(out + r * out_row + 8 * h) : _mm256_setzero_ps();
    for (long i = 0; i < n; i++, a += column, b += b_row) {
        const __m256 left = _mm256_loadu_ps(b), right = _mm256_loadu_ps(b + 8);
        for (int r = 0; r < ROWS; r++) {
            const __m256 x = _mm256_broadcast_ss(a + r * row);
            sum[r][0] = _mm256_fmadd_ps(x, left, sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(x, right, sum[r][1]);
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int h = 0; h < 2; h++) _mm256_storeu_ps(out + r * out_row + 8 * h, sum[r][h]);
}

typedef enum { WHOLE, LOWER_OUT, LOWER_A } Part; /* what of a tile on the diagonal is needed */

/* out (rows, m) = or += a (rows, n) times b (n, m); rows of b and out lie `width` apart. rows are
 * rounded up to 6, m to 16. LOWER_OUT: nothing above the diagonal of out is asked for; LOWER_A: all
 * above the diagonal of a, as it lies in memory, is 0. */
TARGET static void product(
    const float *a, long row, long column, const float *b, float *out, long width, long rows,
    long n, long m, Part part, int adds) {
    const int is_turned = row == 1;
    for (long c = 0; c < m; c += COLUMNS)
        for (long r = 0; r < rows; r += ROWS) {
            if (part == LOWER_OUT && c >= r + ROWS) continue;
            const long from = part == LOWER_A && is_turned ? r : 0;
            const long to = part == LOWER_A && !is_turned && r + ROWS < n ? r + ROWS : n;
            small_product(
                a + r * row + from * column, row, column, b + from * width + c, width,
                out + r * width + c, width, to - from, adds);
        }
}

/* 2 to the power of x, for x of at most 127; 0 below -126, NaN of NaN. */
TARGET static inline __m256 power_of_2(__m256 x) {
    const __m256 whole = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 rest = _mm256_sub_ps(x, whole), least = _mm256_set1_ps(-126.0f);
    /* ln(2)^n / n!: from -1/2 to 1/2 the next term is below 1e-8 */
    const float terms[] = {1.54035304e-4f, 1.33335581e-3f, 9.61812911e-3f, 5.55041087e-2f,
                           2.40226507e-1f, 6.93147181e-1f, 1.0f};
    __m256 sum = _mm256_set1_ps(1.52527338e-5f);
    for (int i = 0; i < 7; i++) sum = _mm256_fmadd_ps(sum, rest, _mm256_set1_ps(terms[i]));
    const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(whole), 23);
    const __m256i bits = _mm256_add_epi32(_mm256_castps_si256(sum), exponent);
    return _mm256_and_ps(_mm256_castsi256_ps(bits), _mm256_cmp_ps(x, least, _CMP_NLT_UQ));
}

TARGET static inline float largest(__m256 v) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
}

TARGET static inline float total(__m256 v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}

/* Tokens of a tile, of n of a segment. */
static long n_within(long tile, long n) {
    return n - tile * TILE < TILE ? n - tile * TILE : TILE;
}

static long n_tiles(long n_tokens) { return (n_tokens + TILE - 1) / TILE; }

/* Copy n tokens of a head, `gap` numbers apart, into whole tiles; the rest of the last one is 0. */
static void take(const float *from, long gap, float *to, long n, long d, float scale) {
    for (long t = 0; t < n; t++)
        for (long i = 0; i < d; i++) to[t * d + i] = scale * from[t * gap + i];
    memset(to + n * d, 0, (n_tiles(n) * TILE - n) * d * sizeof(float));
}

/* Turn the tiles (48, D) into tiles (D, 48). */
static void turn(const float *from, float *to, long n, long d) {
    for (long tile = 0; tile < n_tiles(n); tile++, from += TILE * d, to += TILE * d)
        for (long t = 0; t < TILE; t++)
            for (long i = 0; i < d; i++) to[i * TILE + t] = from[t * d + i];
}

static void give(const float *from, float *to, long gap, long n, long d, float scale) {
    for (long t = 0; t < n; t++)
        for (long i = 0; i < d; i++) to[t * gap + i] = scale * from[t * d + i];
}

/* Shut out what queries of a tile do not see of a tile of keys: the future, and past the end. */
static void shut_out(float *scores, long query, long key, long n, int is_causal) {
    if (key + TILE <= n && !(is_causal && key == query)) return;
    for (long r = 0; r < TILE; r++) {
        long n_seen = n - key;
        if (is_causal && query + r - key + 1 < n_seen) n_seen = query + r - key + 1;
        for (long c = n_seen; c < TILE; c++) scores[r * TILE + c] = -INFINITY;
    }
}

/* Turn the scores of a row, TILE of each tile, into powers; return their sum, and their shift. */
TARGET static float powers_of_row(float *scores, long tiles, float *shift) {
    __m256 most = _mm256_set1_ps(-INFINITY), sum = _mm256_setzero_ps();
    for (long j = 0; j < tiles; j++)
        for (long c = 0; c < TILE; c += 8)
            most = _mm256_max_ps(most, _mm256_loadu_ps(scores + j * SQUARE + c));
    *shift = largest(most);
    const __m256 shifts = _mm256_set1_ps(*shift);
    for (long j = 0; j < tiles; j++)
        for (long c = 0; c < TILE; c += 8) {
            float *at = scores + j * SQUARE + c;
            const __m256 power = power_of_2(_mm256_sub_ps(_mm256_loadu_ps(at), shifts));
            _mm256_storeu_ps(at, power);
            sum = _mm256_add_ps(sum, power);
        }
    return total(sum);
}

/* One query head of one segment: q to out and tops (H apart), with tiles of its keys and values. */
TARGET static void attend_head(
    const float *q, const float *turned_k, const float *v, float *out, float *tops, float *memory,
    long n, long n_heads, long d, int is_causal) {
    const long area = TILE * d, gap = n_heads * d;
    float *queries = memory, *found = queries + area, *scores = found + area;
    for (long i = 0; i < n_tiles(n); i++) {
        const long first = i * TILE, n_here = n_within(i, n);
        const long tiles = is_causal ? i + 1 : n_tiles(n);
        take(q + first * gap, gap, queries, n_here, d, LOG2_E / sqrtf((float)d));
        for (long j = 0; j < tiles; j++) {
            float *to = scores + j * SQUARE;
            const Part part = is_causal && j == i ? LOWER_OUT : WHOLE;
            product(
                queries, d, 1, turned_k + j * area, to, TILE, n_here, d, n_within(j, n), part, 0);
            shut_out(to, first, j * TILE, n, is_causal);
        }
        float sums[TILE], shift;
        for (long r = 0; r < n_here; r++) {
            sums[r] = powers_of_row(scores + r * TILE, tiles, &shift);
            tops[(first + r) * n_heads] = shift + log2f(sums[r]);
        }
        for (long j = 0; j < tiles; j++) {
            const Part part = is_causal && j == i ? LOWER_A : WHOLE;
            const float *of_tile = scores + j * SQUARE;
            product(
                of_tile, TILE, 1, v + j * area, found, d, n_here, n_within(j, n), d, part, j > 0);
        }
        for (long r = 0; r < n_here; r++)
            give(found + r * d, out + (first + r) * gap, 0, 1, d, 1.0f / sums[r]);
    }
}

/* Numbers of memory that a thread needs for segments of at most n tokens. */
long rinsho_attention_memory(long n, long n_shared, long d, int is_backward) {
    const long tokens = n_tiles(n) * TILE, two_tiles = 2 * TILE * d;
    if (!is_backward) return tokens * (3 * d + TILE) + two_tiles;
    return tokens * (4 * d + n_shared * (3 * d + 2)) + two_tiles + 2 * SQUARE;
}

/* starts (n_segments + 1); q, out (T, H, D); k, v (T, K, D); tops (T, H). */
TARGET void rinsho_attention(
    const float *q, const float *k, const float *v, const long *starts, long n_segments,
    long n_heads, long n_kv_heads, long d, int is_causal, float *out, float *tops, float *memory,
    long memory_each, int n_threads) {
    const long n_shared = n_heads / n_kv_heads, gap = n_kv_heads * d;
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (long part = n_segments * n_kv_heads - 1; part >= 0; part--) { /* long ones come last */
        const long start = starts[part / n_kv_heads], n = starts[part / n_kv_heads + 1] - start;
        const long head = part % n_kv_heads, all = n_tiles(n) * TILE * d;
        float *keys = memory + omp_get_thread_num() * memory_each, *values = keys + all;
        float *turned_k = values + all, *rest = turned_k + all;
        take(k + start * gap + head * d, gap, keys, n, d, 1.0f);
        take(v + start * gap + head * d, gap, values, n, d, 1.0f);
        turn(keys, turned_k, n, d);
        for (long h = head * n_shared; h < (head + 1) * n_shared; h++)
            attend_head(
                q + (start * n_heads + h) * d, turned_k, values, out + (start * n_heads + h) * d,
                tops + start * n_heads + h, rest, n, n_heads, d, is_causal);
    }
}

/* Scores of a tile to what softmax gives, and gradients of that to gradients of scores. */
TARGET static void scores_backward(
    float *scores, float *grads, const float *tops, const float *inner, long n_rows,
    long n_columns) {
    for (long r = 0; r < n_rows; r++) {
        const __m256 top = _mm256_set1_ps(tops[r]), mean = _mm256_set1_ps(inner[r]);
        for (long c = r * TILE; c < r * TILE + n_columns; c += 8) {
            const __m256 p = power_of_2(_mm256_sub_ps(_mm256_loadu_ps(scores + c), top));
            const __m256 grad = _mm256_sub_ps(_mm256_loadu_ps(grads + c), mean);
            _mm256_storeu_ps(scores + c, p);
            _mm256_storeu_ps(grads + c, _mm256_mul_ps(p, grad));
        }
    }
}

typedef struct { /* a tile of queries and one of keys, their scores, and all their gradients */
    const float *q, *grad, *k, *turned_k, *turned_v, *top, *inner;
    float *scores, *dscores, *dq, *dk, *dv;
} Pair;

TARGET static void pair_backward(
    const Pair *p, long query, long key, long n, long d, int is_causal) {
    const long n_rows = n_within(query, n), n_keys = n_within(key, n);
    const int on_diagonal = is_causal && query == key;
    const Part out = on_diagonal ? LOWER_OUT : WHOLE, in = on_diagonal ? LOWER_A : WHOLE;
    product(p->q, d, 1, p->turned_k, p->scores, TILE, n_rows, d, n_keys, out, 0);
    product(p->grad, d, 1, p->turned_v, p->dscores, TILE, n_rows, d, n_keys, out, 0);
    shut_out(p->scores, query * TILE, key * TILE, n, is_causal);
    scores_backward(p->scores, p->dscores, p->top, p->inner, n_rows, n_keys);
    product(p->scores, 1, TILE, p->grad, p->dv, d, n_keys, n_rows, d, in, 1);
    product(p->dscores, 1, TILE, p->q, p->dk, d, n_keys, n_rows, d, in, 1);
    product(p->dscores, TILE, 1, p->k, p->dq, d, n_rows, n_keys, d, in, 1);
}

/* q, out, grad, grad_q (T, H, D); k, v, grad_k, grad_v (T, K, D); tops of `rinsho_attention`. */
TARGET void rinsho_attention_backward(
    const float *q, const float *k, const float *v, const float *out, const float *tops,
    const float *grad, const long *starts, long n_segments, long n_heads, long n_kv_heads, long d,
    int is_causal, float *grad_q, float *grad_k, float *grad_v, float *memory, long memory_each,
    int n_threads) {
    const long n_shared = n_heads / n_kv_heads, gap = n_heads * d, kv_gap = n_kv_heads * d;
    const long area = TILE * d;
    const float scale = 1.0f / sqrtf((float)d);
#pragma omp parallel for num_threads(n_threads) schedule(dynamic)
    for (long part = n_segments * n_kv_heads - 1; part >= 0; part--) {
        const long start = starts[part / n_kv_heads], n = starts[part / n_kv_heads + 1] - start;
        const long head = part % n_kv_heads, tiles = n_tiles(n), all = tiles * area;
        const long n_rows = tiles * TILE, kv_at = start * kv_gap + head * d;
        float *keys = memory + omp_get_thread_num() * memory_each, *values = keys + all;
        float *turned_k = values + all, *turned_v = turned_k + all, *queries = turned_v + all;
        float *grads = queries + n_shared * all, *dq = grads + n_shared * all;
        float *dk = dq + n_shared * all, *dv = dk + area;
        float *scores = dv + area;
        float *top = scores + 2 * SQUARE, *inner = top + n_shared * n_rows;
        take(k + kv_at, kv_gap, keys, n, d, 1.0f);
        take(v + kv_at, kv_gap, values, n, d, 1.0f);
        turn(keys, turned_k, n, d);
        turn(values, turned_v, n, d);
        memset(dq, 0, n_shared * all * sizeof(float));
        memset(top, 0, 2 * n_shared * n_rows * sizeof(float));
        for (long g = 0; g < n_shared; g++) {
            const long h = head * n_shared + g, at = start * gap + h * d;
            take(q + at, gap, queries + g * all, n, d, LOG2_E * scale);
            take(grad + at, gap, grads + g * all, n, d, 1.0f);
            for (long t = 0; t < n; t++) {
                __m256 sum = _mm256_setzero_ps();
                for (long i = at + t * gap; i < at + t * gap + d; i += 8)
                    sum = _mm256_fmadd_ps(_mm256_loadu_ps(out + i), _mm256_loadu_ps(grad + i), sum);
                inner[g * n_rows + t] = total(sum);
                top[g * n_rows + t] = tops[(start + t) * n_heads + h];
            }
        }
        for (long j = 0; j < tiles; j++) {
            const long n_keys = n_within(j, n);
            memset(dk, 0, 2 * area * sizeof(float));
            for (long g = 0; g < n_shared; g++)
                for (long i = is_causal ? j : 0; i < tiles; i++) {
                    const long at = g * all + i * area, row = g * n_rows + i * TILE;
                    const Pair pair = {
                        queries + at, grads + at, keys + j * area, turned_k + j * area,
                        turned_v + j * area, top + row, inner + row, scores, scores + SQUARE,
                        dq + at, dk, dv};
                    pair_backward(&pair, i, j, n, d, is_causal);
                }
            give(dk, grad_k + kv_at + j * TILE * kv_gap, kv_gap, n_keys, d, LN_2);
            give(dv, grad_v + kv_at + j * TILE * kv_gap, kv_gap, n_keys, d, 1.0f);
        }
        for (long g = 0; g < n_shared; g++)
            give(dq + g * all, grad_q + start * gap + (head * n_shared + g) * d, gap, n, d, scale);
    }
}

#endif
