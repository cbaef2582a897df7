//go:build cgo && linux

#include "decoder.h"

#ifdef X86_TILES

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "scores.h"

// The phases of a layer. A task of the first computes one head of the queries, keys or values, of the second what one head of a row mixes, and of the
// others some columns.
enum { projecting, mixing, adding_mixed, gating, adding_gated };

// A task of columns reads about so many bytes of weights, or less: where one begins, memory has to find its way in. They are computed a block at a time,
// of so many columns.
enum { task_bytes = 1 << 19, block = 16 };

// own is the memory of a worker.
typedef struct {
  long phase;    // for which there is normed
  char *normed;  // [tokens, width], of all rows
  float *sums;   // of a task: [tokens, head], or two of [tokens, block], or scores [tokens of a row, columns]
  char *weights; // of scores
} own;

typedef struct {
  job job;
  decoding d;
  long tokens, size;     // of all rows; of a number
  long threads;          // there may be
  char *queries, *mixed; // [rows, heads, tokens of a row, head], [tokens, heads, head]
  float *between;        // [tokens, width]: x and what attention says
  char *gated;           // [tokens, middle]
  own own[];
} decoder;

static void run(job *j, long phase, long task, int worker);

static long lines(long bytes) { return (bytes + 63) / 64 * 64; }
static long upwards(long n, long each) { return (n + each - 1) / each; }

// columns is how many of so many columns a task computes that reads rows so deep. Threads get as many tasks each, as far as blocks allow.
static long columns(const decoder *p, long all, long depth) {
  long tasks = p->threads * upwards(all * depth * p->size, p->threads * task_bytes);
  return upwards(upwards(all, tasks), block) * block;
}

// place gives the memory of all and of each worker its places. It returns the size of the former and, in each, of the latter.
static long place(decoder *p, char *memory, long *each) {
  const decoding *d = &p->d;
  long mixed = lines(p->tokens * d->heads * d->head * p->size), between = lines(p->tokens * d->width * sizeof(float));
  p->queries = memory, p->mixed = p->queries + mixed, p->between = (float *)(p->mixed + mixed), p->gated = (char *)p->between + between;
  long all = 2 * mixed + between + lines(p->tokens * d->middle * p->size);
  long normed = lines(p->tokens * d->width * p->size), scores = d->tokens * (d->columns + block);
  long head = p->tokens * (d->head > block ? d->head + block : 2 * block);
  long sums = lines((scores > head ? scores : head) * sizeof(float));
  *each = normed + sums + lines(d->tokens * d->columns * p->size);
  for (int i = 0; i < p->job.threads; i++) {
    char *at = memory + all + i * *each;
    p->own[i] = (own){.phase = -1, .normed = at, .sums = (float *)(at + normed), .weights = at + normed + sums};
  }
  return all;
}

job *decoder_new(decoding d, int threads) {
  decoder *p = calloc(1, sizeof *p + threads * sizeof(own));
  if (p == NULL) return NULL;
  p->d = d, p->tokens = d.rows * d.tokens, p->size = number_bytes(d.kind), p->threads = threads;
  long *tasks = p->job.tasks, each;
  tasks[projecting] = d.heads + 2 * d.groups, tasks[mixing] = d.rows * d.heads;
  tasks[adding_mixed] = upwards(d.width, columns(p, d.width, d.heads * d.head));
  tasks[gating] = upwards(d.middle, columns(p, d.middle, 2 * d.width));
  tasks[adding_gated] = upwards(d.width, columns(p, d.width, d.middle));
  p->job.rounds = d.layers, p->job.run = run;
  long all = place(p, NULL, &each);
  if (!job_begin(&p->job, threads, all, each)) return NULL;
  place(p, job_memory(&p->job), &each);
  return &p->job;
}

// as is x as a number of the kind.
WIDE static inline __m512 as(strips kind, __m512 x) {
  if (kind == f32) return x;
  uint16_t halves[16];
  rounded_row(halves, 0xffff, x);
  return upper(_mm256_loadu_si256((__m256i *)halves));
}

// weights16 reads 16 weights of a norm.
WIDE static inline __m512 weights16(strips kind, const void *weights, long at) {
  if (kind == f32) return _mm512_loadu_ps((const float *)weights + at);
  return upper(_mm256_loadu_si256((const __m256i *)((const uint16_t *)weights + at)));
}

// normalise scales x [tokens, width] for the tasks of a phase, each worker by itself.
WIDE static const char *normalise(const decoder *p, own *o, long phase, const float *x, const void *weights) {
  long width = p->d.width;
  for (long i = 0; i < p->tokens && o->phase != phase; i++, x += width) {
    __m512 sum = _mm512_setzero_ps();
    for (long c = 0; c < width; c += 16) sum = _mm512_fmadd_ps(_mm512_loadu_ps(x + c), _mm512_loadu_ps(x + c), sum);
    __m512 scale = _mm512_set1_ps(1 / sqrtf(_mm512_reduce_add_ps(sum) / width + p->d.epsilon));
    for (long c = 0; c < width; c += 16)
      put(p->d.kind, o->normed, i * width + c, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x + c), scale), weights16(p->d.norms, weights, c)));
  }
  o->phase = phase;
  return o->normed;
}

// multiply_block computes a block of columns of left [tokens, depth] and a matrix [.., depth].
static void multiply_block(const decoder *p, const char *left, long depth, const void *right, long column, float *out, long width) {
  matrix a = {left, p->tokens, depth, false, depth}, b = {right, 0, depth, false, depth};
  for (long c = 0; c < block; c += square) multiply_rows(p->d.kind, &a, &b, column + c, out + c, width);
}

// turn turns a head [tokens, head] by the positions of its tokens (RoPE), and writes it as keys of a layer or as queries.
WIDE static void turn(const decoder *p, const float *x, long head, void *keys) {
  const decoding *d = &p->d;
  long half = d->head / 2;
  for (long i = 0; i < p->tokens; i++, x += d->head) {
    long row = i / d->tokens, at = ((row * d->heads + head) * d->tokens + i % d->tokens) * d->head;
    if (keys != NULL) {
      if (d->now[i] < 0 || d->now[i] >= d->columns) continue; // has no place
      at = ((row * d->groups + head) * d->columns + d->now[i]) * d->head;
    }
    for (long c = 0; c < half; c += 16) {
      __m512 cos = _mm512_loadu_ps(d->cos + i * half + c), sin = _mm512_loadu_ps(d->sin + i * half + c);
      __m512 a = _mm512_loadu_ps(x + c), b = _mm512_loadu_ps(x + half + c);
      put(d->kind, keys != NULL ? keys : p->queries, at + c, _mm512_fmsub_ps(a, cos, _mm512_mul_ps(b, sin)));
      put(d->kind, keys != NULL ? keys : p->queries, at + half + c, _mm512_fmadd_ps(b, cos, _mm512_mul_ps(a, sin)));
    }
  }
}

// keep_values writes a head [tokens, head] into its columns of a layer's values.
static void keep_values(const decoder *p, const float *x, long group, void *values) {
  const decoding *d = &p->d;
  for (long i = 0; i < p->tokens; i++, x += d->head) {
    if (d->now[i] < 0 || d->now[i] >= d->columns) continue;
    long at = (i / d->tokens * d->groups + group) * d->head * d->columns + d->now[i];
    for (long c = 0; c < d->head; c++, at += d->columns)
      if (d->kind == f32) ((float *)values)[at] = x[c];
      else memcpy((uint16_t *)values + at, (const char *)(x + c) + 2, 2); // the upper half; the lower one is zero
  }
}

// project computes a head.
WIDE static void project(const decoder *p, own *o, long phase, const layer *l, long head) {
  const decoding *d = &p->d;
  const char *normed = normalise(p, o, phase, d->x, l->input_norm);
  long key = head - d->heads, value = key - d->groups;
  const void *matrix = value >= 0 ? l->v : key >= 0 ? l->k : l->q;
  long number = value >= 0 ? value : key >= 0 ? key : head;
  for (long c = 0; c < d->head; c += block) multiply_block(p, normed, d->width, matrix, number * d->head + c, o->sums + c, d->head);
  for (long i = 0; i < p->tokens * d->head; i += 16) _mm512_storeu_ps(o->sums + i, as(d->kind, _mm512_loadu_ps(o->sums + i)));
  if (value >= 0) keep_values(p, o->sums, value, l->values);
  else turn(p, o->sums, number, key >= 0 ? l->keys : NULL);
}

// seen16 tells which of 16 columns a token sees.
WIDE static inline __mmask16 seen16(const uint8_t *mask) { return _mm_test_epi8_mask(_mm_loadu_si128((const __m128i *)mask), _mm_set1_epi8(-1)); }

// weigh turns the scores of a token for the first n columns into weights, and returns their sum.
WIDE static float weigh(const decoder *p, const float *scores, const uint8_t *mask, long n, char *weights) {
  __m512 top = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
  for (long t = 0; t < n; t += 16) top = _mm512_mask_max_ps(top, seen16(mask + t), top, _mm512_loadu_ps(scores + t));
  float highest = _mm512_reduce_max_ps(top), scale = 1 / sqrtf(p->d.head);
  for (long t = 0; t < n; t += 16) {
    __m512 x = weight(seen16(mask + t), scores + t, highest, scale);
    sum = _mm512_add_ps(sum, x);
    put(p->d.kind, weights, t, x);
  }
  return _mm512_reduce_add_ps(sum);
}

// mix computes what a head of a row says.
WIDE static void mix(const decoder *p, own *o, const layer *l, long row, long head) {
  const decoding *d = &p->d;
  long group = row * d->groups + head / (d->heads / d->groups), all = d->columns, each = d->head * p->size, n = 0;
  for (long s = 0; s < d->tokens; s++) {
    long now = d->now[row * d->tokens + s];
    if (now >= n) n = now + 1;
  }
  n = n < all ? upwards(n, 16) * 16 : all; // what is behind nobody sees
  float *mixed = o->sums + d->tokens * all, sum[p->d.tokens];
  matrix q = {p->queries + (row * d->heads + head) * d->tokens * each, d->tokens, d->head, false, d->head};
  matrix k = {(char *)l->keys + group * all * each, all, d->head, false, d->head};
  for (long t = 0; t < n; t += square) multiply_rows(d->kind, &q, &k, t, o->sums + t, all);
  for (long s = 0; s < d->tokens; s++)
    sum[s] = weigh(p, o->sums + s * all, d->mask + (row * d->tokens + s) * all, n, o->weights + s * all * p->size);
  matrix w = {o->weights, d->tokens, n, false, all}, v = {(char *)l->values + group * all * each, d->head, n, false, all};
  for (long c = 0; c < d->head; c += block) {
    for (long i = 0; i < block; i += square) multiply_rows(d->kind, &w, &v, c + i, mixed + i, block);
    for (long s = 0; s < d->tokens; s++) {
      long at = ((row * d->tokens + s) * d->heads + head) * d->head + c;
      put(d->kind, p->mixed, at, _mm512_div_ps(_mm512_loadu_ps(mixed + s * block), _mm512_set1_ps(sum[s])));
    }
  }
}

// add writes to out [tokens, width] what left [tokens, depth] gives with some rows of a matrix, added to x.
WIDE static void add(const decoder *p, own *o, const char *left, long depth, const void *right, long task, const float *x, float *out) {
  long width = p->d.width, n = columns(p, width, depth), end = (task + 1) * n < width ? (task + 1) * n : width;
  for (long c = task * n; c < end; c += block) {
    multiply_block(p, left, depth, right, c, o->sums, block);
    for (long i = 0; i < p->tokens; i++)
      _mm512_storeu_ps(out + i * width + c, _mm512_add_ps(_mm512_loadu_ps(x + i * width + c), _mm512_loadu_ps(o->sums + i * block)));
  }
}

// silu is x / (1 + e^-x).
WIDE static inline __m512 silu(__m512 x) {
  __m512 e = exponential(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_abs_ps(x))), one = _mm512_set1_ps(1); // e^-|x|
  __m512 above = _mm512_mask_mov_ps(one, _mm512_movepi32_mask(_mm512_castps_si512(x)), e);
  return _mm512_div_ps(_mm512_mul_ps(x, above), _mm512_add_ps(one, e));
}

// gate computes some columns of silu(gate) * up.
WIDE static void gate(const decoder *p, own *o, long phase, const layer *l, long task) {
  const decoding *d = &p->d;
  const char *normed = normalise(p, o, phase, p->between, l->post_norm);
  long n = columns(p, d->middle, 2 * d->width), end = (task + 1) * n < d->middle ? (task + 1) * n : d->middle;
  float *gates = o->sums, *ups = gates + p->tokens * block;
  for (long c = task * n; c < end; c += block) {
    multiply_block(p, normed, d->width, l->gate, c, gates, block);
    multiply_block(p, normed, d->width, l->up, c, ups, block);
    for (long i = 0; i < p->tokens; i++) {
      __m512 gate = as(d->kind, _mm512_loadu_ps(gates + i * block)), up = as(d->kind, _mm512_loadu_ps(ups + i * block));
      put(d->kind, p->gated, i * d->middle + c, _mm512_mul_ps(silu(gate), up));
    }
  }
}

static void run(job *j, long phase, long task, int worker) {
  decoder *p = (decoder *)j;
  const decoding *d = &p->d;
  const layer *l = d->layer + phase / phases;
  own *o = p->own + worker;
  if (phase % phases != mixing) task = job_apart(j, phase, task);
  switch (phase % phases) {
    case projecting: project(p, o, phase, l, task); break;
    case mixing: mix(p, o, l, task / d->heads, task % d->heads); break;
    case adding_mixed: add(p, o, p->mixed, d->heads * d->head, l->o, task, d->x, p->between); break;
    case gating: gate(p, o, phase, l, task); break;
    case adding_gated: add(p, o, p->gated, d->middle, l->down, task, p->between, d->x); break;
  }
}

#endif
