//go:build cgo && linux

#include "attention.h"

#ifdef X86_TILES

#include <stdlib.h>

#include "scores.h"

enum { attending = phases - 1, keys = 0, values = 1 };

typedef struct {
  heads heads;
  void *y;
} attention;

static void run(job *j, long phase, long task, int worker);

job *attention_new(inputs in, void *y, int threads) {
  attention *a = calloc(1, sizeof *a);
  if (a == NULL) return NULL;
  heads *h = &a->heads;
  a->y = y;
  heads_init(h, in);
  h->number = 2;
  h->packed[keys] = (packed){.of = in.k};
  h->packed[values] = (packed){.of = in.v, .by_column = true};
  h->job.tasks[attending] = in.rows * in.heads * h->blocks;
  h->job.run = run;
  size_t query = h->columns * h->step, scores = side * h->padded * sizeof(float), weights = h->blocks * h->step;
  return heads_begin(h, threads, 0, query + scores + weights + side * in.width * sizeof(float)) ? &h->job : NULL;
}

// weigh turns the scores of a block of queries into a strip of weights, and returns one over the sum of each query's.
WIDE static void weigh(const heads *h, const float *scores, const uint32_t *bits, const uint8_t *seen, long blocks, char *weights, float *inverse) {
  for (long i = 0; i < side; i++, scores += h->padded, bits += h->blocks) {
    float top = highest(scores, bits, seen, blocks);
    __m512 sum = _mm512_setzero_ps();
    for (long j = 0; j < blocks; j++) {
      if (!seen[j]) continue;
      __m512 first = weight(bits[j] & 0xffff, scores + j * side, top, h->scale), second = weight(bits[j] >> 16, scores + j * side + 16, top, h->scale);
      sum = _mm512_add_ps(sum, _mm512_add_ps(first, second));
      put_left(h->in.kind, weights + j * h->step, i, first, second);
    }
    float total = _mm512_reduce_add_ps(sum);
    inverse[i] = total > 0 ? 1 / total : 0;
  }
}

// attend computes a block of queries of one head.
static void attend(const attention *a, long row, long head, long block, char *own) {
  const heads *h = &a->heads;
  long group = head / (h->in.heads / h->in.groups), strip = h->columns * h->step;
  char *query = own, *weights = query + strip;
  float *scores = (float *)(weights + h->blocks * h->step), *mixed = scores + side * h->padded, inverse[side];
  const uint32_t *bits = h->bits + (row * h->padded + block * side) * h->blocks;
  const uint8_t *seen = h->seen + (row * h->blocks + block) * h->blocks;
  matrix q = heads_matrix(h, h->in.q, h->in.heads, row, head, block * side, side, false);
  pack_strip(h->in.kind, &q, false, 0, query);
  const char *k = heads_strips(h, keys, row, group), *v = heads_strips(h, values, row, group);
  for (long j = 0; j <= block; j++)
    if (seen[j]) multiply_strips(h->in.kind, query, k + j * strip, h->in.width, scores + j * side, h->padded, false);
  weigh(h, scores, bits, seen, block + 1, weights, inverse);
  for (long c = 0; c < h->columns; c++)
    heads_multiply(h, weights, v + c * h->blocks * h->step, seen, block + 1, mixed + c * side, h->in.width);
  heads_write(h, mixed, inverse, a->y, row, block, head);
}

static void run(job *j, long phase, long task, int worker) {
  const attention *a = (attention *)j;
  const heads *h = &a->heads;
  if (phase == preparing) {
    heads_prepare(h, task);
    return;
  }
  long each = h->in.rows * h->in.heads, block = h->blocks - 1 - task / each; // the longest first
  attend(a, task % each / h->in.heads, task % each % h->in.heads, block, h->own + worker * h->each);
}

#endif
