/* One token for each of a few answers, through all layers, in one region of threads: a model of a
 * billion weights has two hundred products a token, and calling each from Python and waking the
 * threads for it costs more than the small ones take.
 *
 * M answers (rows), D d_model, H query heads, K key-value heads, W width of a head. A row's bytes depend neither
 * on the other rows nor on the number of threads: whoever computes a number adds in the same order.
 */
#include "products.h"

#if defined(__x86_64__)
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SPINS 2000 /* looks at the barrier before the core is offered to another process */

typedef struct { /* weights (N, K) in fp32 or bf16 (half), or packed where there are scales */
    const void *weights;
    const uint16_t *scales;
    const float *bias;
    long n, k, group, is_half;
} Matrix;

typedef struct { /* a norm that is not there is NULL; so are the weights of `gate` */
    const float *input_norm, *mlp_norm, *q_norm, *k_norm;
    Matrix q, k, v, o, gate, up, down;
} Layer;

typedef struct {
    const Layer *layers;
    const float *norm;
    Matrix head;
    long n_layers, d_model, n_heads, n_kv_heads, d_head, d_ff;
    float eps;
} Model;

typedef struct { /* caches (layers, K, capacity, W); the turning of the new position (W) */
    float *keys, *values;
    const float *cos, *sin;
    long length, capacity;
} Row;

typedef struct { /* inputs of a product (M, K), plain and rounded */
    float *plain, *steps, *sums;
    int8_t *numbers;
} Inputs;

typedef struct {
    const Model *model;
    const Row *rows;
    long m;
    float *x, *q, *k, *v, *gate, *out, *scores; /* scores: for each thread */
    long n_scores;
    Inputs normed, attended, mapped;
    atomic_long *next; /* of each product: the block that nobody has taken */
    atomic_uint arrived, turn;
    unsigned n_threads;
} Step;

static void wait_for_all(Step *s) {
    const unsigned turn = atomic_load(&s->turn);
    if (atomic_fetch_add(&s->arrived, 1) + 1 == s->n_threads) {
        atomic_store(&s->arrived, 0);
        atomic_fetch_add(&s->turn, 1);
        return;
    }
    for (int n = 0; atomic_load(&s->turn) == turn; n++)
        if (n < SPINS) _mm_pause();
        else sched_yield();
}

/* e^x within 2e-7; below -87 as there. Polynomial: Cephes, expf. */
TARGET ALWAYS __m256 exponential(__m256 x) {
    static const float powers[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                                   1.6666665459e-1f, 5.0000001201e-1f, 1.0f, 1.0f};
    x = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(88.0f)), _mm256_set1_ps(-87.0f));
    const __m256 twos = _mm256_round_ps(
        _mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    x = _mm256_fnmadd_ps(twos, _mm256_set1_ps(0.693359375f), x); /* ln 2 in two parts */
    x = _mm256_fnmadd_ps(twos, _mm256_set1_ps(-2.12194440e-4f), x);
    __m256 y = _mm256_set1_ps(1.9875691500e-4f);
    for (int i = 0; i < 7; i++) y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(powers[i]));
    const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(twos), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y), exponent));
}

TARGET static void rms_norm(const float *x, const float *weight, float *out, long n, float eps) {
    __m256 squares = _mm256_setzero_ps();
    for (long i = 0; i < n; i += 8) {
        const __m256 v = _mm256_loadu_ps(x + i);
        squares = _mm256_fmadd_ps(v, v, squares);
    }
    const __m256 scale = _mm256_set1_ps(1.0f / sqrtf(total(squares) / (float)n + eps));
    for (long i = 0; i < n; i += 8) {
        const __m256 v = _mm256_mul_ps(_mm256_loadu_ps(x + i), scale);
        _mm256_storeu_ps(out + i, _mm256_mul_ps(v, _mm256_loadu_ps(weight + i)));
    }
}

/* Round groups first to end of all rows. */
static void round_groups(const Inputs *inputs, const Matrix *w, long first, long end) {
    if (w->scales == NULL || first >= end) return;
    rinsho_int4_round(
        inputs->plain + first * w->group, inputs->numbers + first * w->group, inputs->steps + first,
        inputs->sums + first, end - first, w->group);
}

static void norm_rows(Step *s, const float *weight, const Matrix *reader, int thread) {
    const long d = s->model->d_model, n_groups = reader->scales ? d / reader->group : 0;
    for (long m = thread; m < s->m; m += s->n_threads) {
        rms_norm(s->x + m * d, weight, s->normed.plain + m * d, d, s->model->eps);
        round_groups(&s->normed, reader, m * n_groups, (m + 1) * n_groups);
    }
    wait_for_all(s);
}

static void round_rows(Step *s, const Inputs *inputs, const Matrix *reader, int thread) {
    if (reader->scales == NULL) return;
    const long n = s->m * (reader->k / reader->group);
    round_groups(inputs, reader, n * thread / s->n_threads, n * (thread + 1) / s->n_threads);
    wait_for_all(s);
}

/* Rows `first` to `end` of the product, for all answers. */
static void multiply(
    const Matrix *w, const Inputs *in, float *out, long m, long first, long end) {
    if (w->scales == NULL)
        rinsho_plain_rows(in->plain, w->weights, (int)w->is_half, out, m, w->n, w->k, first, end);
    else
        rinsho_int4_rows(
            in->numbers, in->steps, in->sums, w->weights, w->scales, out, m, w->n, w->k, w->group,
            first, end);
    if (w->bias != NULL)
        for (long i = 0; i < m; i++)
            for (long row = first; row < end; row++) out[i * w->n + row] += w->bias[row];
}

/* The product, and with `x` what it adds to it; blocks go to whoever is free. */
static void product(Step *s, const Matrix *w, const Inputs *in, float *out, float *x, long stage) {
    long first;
    while ((first = atomic_fetch_add(s->next + stage, BLOCK)) < w->n) {
        const long end = MIN(first + BLOCK, w->n);
        multiply(w, in, out, s->m, first, end);
        if (x != NULL)
            for (long m = 0; m < s->m; m++)
                for (long row = first; row < end; row++) x[m * w->n + row] += out[m * w->n + row];
    }
}

/* silu(gate) * up, or silu(up), into `mapped`. */
TARGET static void mlp_inputs(Step *s, const Layer *layer, long stage) {
    const long f = s->model->d_ff;
    const int is_gated = layer->gate.weights != NULL;
    float *up = s->mapped.plain, *gate = is_gated ? s->gate : up;
    long first;
    while ((first = atomic_fetch_add(s->next + stage, BLOCK)) < f) {
        const long end = MIN(first + BLOCK, f);
        if (is_gated) multiply(&layer->gate, &s->normed, gate, s->m, first, end);
        multiply(&layer->up, &s->normed, up, s->m, first, end);
        for (long m = 0; m < s->m; m++)
            for (long i = m * f + first; i < m * f + end; i += 8) {
                const __m256 g = _mm256_loadu_ps(gate + i);
                const __m256 below = exponential(_mm256_sub_ps(_mm256_setzero_ps(), g));
                const __m256 silu = _mm256_div_ps(g, _mm256_add_ps(_mm256_set1_ps(1.0f), below));
                const __m256 other = is_gated ? _mm256_loadu_ps(up + i) : _mm256_set1_ps(1.0f);
                _mm256_storeu_ps(up + i, _mm256_mul_ps(silu, other));
            }
    }
}

static void turn(const float *head, const Row *row, long width, float *out) {
    const long half = width / 2;
    for (long i = 0; i < half; i++) {
        out[i] = head[i] * row->cos[i] - head[i + half] * row->sin[i];
        out[i + half] = head[i + half] * row->cos[i + half] + head[i] * row->sin[i + half];
    }
}

/* Share of values to `width` numbers of the output, of which c registers are held at a time. */
TARGET ALWAYS void add_values(
    const int c, const float *shares, const float *values, long n, long width, __m256 whole,
    float *out) {
    __m256 found[8];
    for (int i = 0; i < c; i++) found[i] = _mm256_setzero_ps();
    for (long at = 0; at < n; at++) {
        const __m256 share = _mm256_broadcast_ss(shares + at);
        for (int i = 0; i < c; i++) {
            const __m256 v = _mm256_loadu_ps(values + at * width + 8 * i);
            found[i] = _mm256_fmadd_ps(share, v, found[i]);
        }
    }
    for (int i = 0; i < c; i++) _mm256_storeu_ps(out + 8 * i, _mm256_div_ps(found[i], whole));
}

/* One query head over all n keys and values of its key-value head; `scores` has room for n + 8. */
TARGET static void attend(
    const float *q, const float *keys, const float *values, float *scores, long n, long width,
    float *out) {
    const __m256 scale = _mm256_set1_ps(1.0f / sqrtf((float)width));
    for (long at = 0; at < n; at++) {
        __m256 products = _mm256_setzero_ps();
        for (long i = 0; i < width; i += 8)
            products = _mm256_fmadd_ps(
                _mm256_loadu_ps(q + i), _mm256_loadu_ps(keys + at * width + i), products);
        scores[at] = total(products);
    }
    for (long at = n; at < n + 8; at++) scores[at] = -INFINITY;
    __m256 most = _mm256_set1_ps(-INFINITY), sum = _mm256_setzero_ps();
    for (long at = 0; at < n; at += 8) most = _mm256_max_ps(most, _mm256_loadu_ps(scores + at));
    most = _mm256_max_ps(most, _mm256_permute2f128_ps(most, most, 1));
    most = _mm256_max_ps(most, _mm256_shuffle_ps(most, most, 0x4e));
    most = _mm256_max_ps(most, _mm256_shuffle_ps(most, most, 0xb1));
    for (long at = 0; at < n; at += 8) {
        const __m256 over = _mm256_sub_ps(_mm256_loadu_ps(scores + at), most);
        const __m256 share = exponential(_mm256_mul_ps(over, scale));
        sum = _mm256_add_ps(sum, share);
        _mm256_storeu_ps(scores + at, share);
    }
    const __m256 whole = _mm256_set1_ps(total(sum));
    long i = 0;
    for (; i + 64 <= width; i += 64) add_values(8, scores, values + i, n, width, whole, out + i);
    for (; i < width; i += 8) add_values(1, scores, values + i, n, width, whole, out + i);
}

/* Key-value heads of all rows: the new key and value into the cache, then the query heads. */
static void attention(Step *s, long number, long stage, int thread) {
    const Model *model = s->model;
    const Layer *layer = model->layers + number;
    const long w = model->d_head, n_kv = model->n_kv_heads, shared = model->n_heads / n_kv;
    float turned[MOST_HEAD], *scores = s->scores + thread * s->n_scores;
    long task;
    while ((task = atomic_fetch_add(s->next + stage, 1)) < s->m * n_kv) {
        const long m = task / n_kv, head = task % n_kv;
        const Row *row = s->rows + m;
        const long begin = (number * n_kv + head) * row->capacity * w;
        float *keys = row->keys + begin, *values = row->values + begin;
        float *k = s->k + task * w, *v = s->v + task * w;
        if (layer->k_norm != NULL) rms_norm(k, layer->k_norm, k, w, model->eps);
        turn(k, row, w, keys + row->length * w);
        memcpy(values + row->length * w, v, (size_t)w * sizeof(float));
        for (long n = 0; n < shared; n++) {
            float *q = s->q + (task * shared + n) * w;
            if (layer->q_norm != NULL) rms_norm(q, layer->q_norm, q, w, model->eps);
            turn(q, row, w, turned);
            float *out = s->attended.plain + (task * shared + n) * w;
            attend(turned, keys, values, scores, row->length + 1, w, out);
        }
    }
    wait_for_all(s);
}

static void all_layers(Step *s, float *logits, int thread) {
    const Model *model = s->model;
    long stage = 0;
    for (long number = 0; number < model->n_layers; number++) {
        const Layer *layer = model->layers + number;
        norm_rows(s, layer->input_norm, &layer->q, thread);
        product(s, &layer->q, &s->normed, s->q, NULL, stage++);
        product(s, &layer->k, &s->normed, s->k, NULL, stage++);
        product(s, &layer->v, &s->normed, s->v, NULL, stage++);
        wait_for_all(s);
        attention(s, number, stage++, thread);
        round_rows(s, &s->attended, &layer->o, thread);
        product(s, &layer->o, &s->attended, s->out, s->x, stage++);
        wait_for_all(s);
        norm_rows(s, layer->mlp_norm, &layer->up, thread);
        mlp_inputs(s, layer, stage++);
        wait_for_all(s);
        round_rows(s, &s->mapped, &layer->down, thread);
        product(s, &layer->down, &s->mapped, s->out, s->x, stage++);
        wait_for_all(s);
    }
    norm_rows(s, model->norm, &model->head, thread);
    product(s, &model->head, &s->normed, logits, NULL, stage);
}

#define STAGES 7 /* of a layer, that take blocks */

/* Numbers for a product's inputs, from the memory at `*at`. */
static Inputs inputs_at(char **at, long n) {
    Inputs in = {.plain = (float *)*at};
    in.steps = in.plain + n;
    in.sums = in.steps + n / SMALLEST_GROUP + 8;
    in.numbers = (int8_t *)(in.sums + n / SMALLEST_GROUP + 8);
    *at = (char *)in.numbers + (n + 63) / 64 * 64;
    return in;
}

static float *floats_at(char **at, long n) {
    float *here = (float *)*at;
    *at += n * (long)sizeof(float);
    return here;
}

/* Logits (M, V) behind one more token of each row, whose embeddings x (M, D) are used up; the caches get
 * its keys and values. Returns -1 where there is no memory. */
int rinsho_decode_step(
    const Model *model, const Row *rows, float *x, float *logits, long m, int n_threads) {
    const long d = model->d_model, f = model->d_ff, w = model->d_head;
    const long d_q = model->n_heads * w, d_kv = model->n_kv_heads * w;
    Step s = {.model = model, .rows = rows, .m = m, .x = x};
    for (long i = 0; i < m; i++)
        if (rows[i].length + 9 > s.n_scores) s.n_scores = rows[i].length + 9;
    const long n_next = model->n_layers * STAGES + 1;
    const long n_floats = 4 * m * (d + d_q + d_kv + f) + n_threads * s.n_scores + 2 * n_next + 512;
    char *memory = malloc((size_t)n_floats * sizeof(float) * 2), *at = memory;
    if (memory == NULL) return -1;
    s.next = (atomic_long *)at;
    at += n_next * (long)sizeof(atomic_long);
    for (long i = 0; i < n_next; i++) atomic_init(s.next + i, 0);
    s.q = floats_at(&at, m * d_q);
    s.k = floats_at(&at, m * d_kv);
    s.v = floats_at(&at, m * d_kv);
    s.gate = floats_at(&at, m * f);
    s.out = floats_at(&at, m * d);
    s.scores = floats_at(&at, n_threads * s.n_scores);
    s.normed = inputs_at(&at, m * d);
    s.attended = inputs_at(&at, m * d_q);
    s.mapped = inputs_at(&at, m * f);
#pragma omp parallel num_threads(n_threads)
    {
#pragma omp single
        s.n_threads = (unsigned)omp_get_num_threads();
        all_layers(&s, logits, omp_get_thread_num());
    }
    free(memory);
    return 0;
}

#endif
