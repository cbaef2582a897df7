#include "../attention.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

// problem is attention with its gradient: inputs, results, and what the results should be.
typedef struct {
  attention_inputs in;
  array q, k, v, dy, y, dq, dk, dv;
  double *want_y, *want_dq, *want_dk, *want_dv;
} problem;

static long q_index(const problem *p, long row, long position, long head) {
  return ((row * p->in.length + position) * p->in.heads + head) * p->in.width;
}

static long kv_index(const problem *p, long row, long position, long head) {
  long kv_head = head / (p->in.heads / p->in.kv_heads);
  return ((row * p->in.length + position) * p->in.kv_heads + kv_head) * p->in.width;
}

static bool sees(const problem *p, long row, long query, long key) {
  return p->in.mask[(row * p->in.length + query) * p->in.length + key];
}

static double dot(const double *a, const double *b, long n) {
  double sum = 0;
  for (long i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static void add_scaled(double *to, double factor, const double *x, long n) {
  for (long i = 0; i < n; i++) to[i] += factor * x[i];
}

// attend_plain computes the output of one query, and adds its part of the gradients.
static void attend_plain(problem *p, long row, long query, long head) {
  long width = p->in.width, at = q_index(p, row, query, head);
  double scale = 1 / sqrt(width), max = -INFINITY, sum = 0, p_dp = 0;
  double *weights = calloc(p->in.length, sizeof *weights), *dp = calloc(p->in.length, sizeof *dp);
  const double *q = p->q.values + at, *dy = p->dy.values + at;
  for (long t = 0; t < p->in.length; t++)
    if (sees(p, row, query, t)) {
      weights[t] = scale * dot(q, p->k.values + kv_index(p, row, t, head), width);
      dp[t] = dot(dy, p->v.values + kv_index(p, row, t, head), width);
      max = fmax(max, weights[t]);
    }
  for (long t = 0; t < p->in.length; t++)
    if (sees(p, row, query, t)) sum += weights[t] = exp(weights[t] - max);
  for (long t = 0; t < p->in.length && sum > 0; t++) weights[t] /= sum, p_dp += weights[t] * dp[t];
  for (long t = 0; t < p->in.length; t++) {
    if (!sees(p, row, query, t)) continue;
    long kv = kv_index(p, row, t, head);
    double ds = weights[t] * (dp[t] - p_dp);
    add_scaled(p->want_y + at, weights[t], p->v.values + kv, width);
    add_scaled(p->want_dq + at, scale * ds, p->k.values + kv, width);
    add_scaled(p->want_dk + kv, scale * ds, q, width);
    add_scaled(p->want_dv + kv, weights[t], dy, width);
  }
  free(weights), free(dp);
}

// make_mask returns a causal mask of two documents, in which some queries see nothing, whole blocks of them too,
// and others do not see some keys.
static uint8_t *make_mask(const attention_inputs *in) {
  uint8_t *mask = calloc(in->rows * in->length * in->length, 1);
  for (long row = 0; row < in->rows; row++)
    for (long i = 0; i < in->length; i++)
      for (long j = 0; j <= i; j++) {
        long border = in->length * (row + 1) / 3;
        bool same_document = (i < border) == (j < border), blind = i % 17 == 3 || (i >= 64 && i < 96);
        mask[(row * in->length + i) * in->length + j] = same_document && !blind && (i == j || random_below(8) > 0);
      }
  return mask;
}

static problem make_problem(format f, long rows, long length, long heads, long kv_heads, long width) {
  bool bf16 = has_bf16_elements(f);
  long q = rows * length * heads * width, kv = rows * length * kv_heads * width;
  problem p = {
      .in = {.format = f, .rows = rows, .length = length, .heads = heads, .kv_heads = kv_heads, .width = width},
      .q = array_random(bf16, q, 2), .k = array_random(bf16, kv, 2), .v = array_random(bf16, kv, 1),
      .dy = array_random(bf16, q, 1), .y = array_of_nan(bf16, q), .dq = array_of_nan(bf16, q),
      .dk = array_of_nan(bf16, kv), .dv = array_of_nan(bf16, kv),
      .want_y = calloc(q, sizeof(double)), .want_dq = calloc(q, sizeof(double)),
      .want_dk = calloc(kv, sizeof(double)), .want_dv = calloc(kv, sizeof(double)),
  };
  p.in.mask = make_mask(&p.in);
  p.in.q = p.q.data, p.in.k = p.k.data, p.in.v = p.v.data;
  for (long row = 0; row < rows; row++)
    for (long i = 0; i < length; i++)
      for (long head = 0; head < heads; head++) attend_plain(&p, row, i, head);
  return p;
}

static void free_problem(problem *p) {
  array *arrays[] = {&p->q, &p->k, &p->v, &p->dy, &p->y, &p->dq, &p->dk, &p->dv};
  for (unsigned i = 0; i < sizeof arrays / sizeof *arrays; i++) array_free(arrays[i]);
  free(p->want_y), free(p->want_dq), free(p->want_dk), free(p->want_dv);
  free((void *)p->in.mask);
}

// check_blind fails unless queries that see nothing have an output of zeros.
static void check_blind(const problem *p) {
  double *y = array_read(&p->y);
  for (long row = 0; row < p->in.rows; row++)
    for (long i = 0; i < p->in.length; i++) {
      bool any = false;
      for (long j = 0; j <= i; j++) any |= sees(p, row, i, j);
      long at = q_index(p, row, i, 0);
      for (long c = 0; c < p->in.heads * p->in.width && !any; c++) check(y[at + c] == 0, "a blind query has an output");
    }
  free(y);
}

void test_attention(void) {
  static const long sizes[][5] = {{1, 1, 1, 1, 32}, {2, 31, 2, 2, 32}, {1, 64, 4, 2, 64}, {2, 171, 3, 1, 96}};
  static const format formats[] = {BF16, BF16_WIDENED, F32};
  for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (unsigned i = 0; i < sizeof formats / sizeof *formats; i++) {
      problem p = make_problem(formats[i], sizes[s][0], sizes[s][1], sizes[s][2], sizes[s][3], sizes[s][4]);
      double bound = has_bf16_elements(formats[i]) ? 6e-3 : 2e-6;
      run_threads(attention_new(p.in, p.y.data, 3));
      run_threads(attention_gradient_new(p.in, p.dy.data, p.dq.data, p.dk.data, p.dv.data, 3));
      check_near("attention: y", &p.y, p.want_y, bound);
      check_blind(&p);
      if (p.in.length > 1) { // else the softmax is constant
        check_near("attention: dq", &p.dq, p.want_dq, bound);
        check_near("attention: dk", &p.dk, p.want_dk, bound);
      }
      check_near("attention: dv", &p.dv, p.want_dv, bound);
      free_problem(&p);
    }
}
