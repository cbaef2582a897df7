//go:build cgo && linux

#include "attention.h"

#ifdef HAVE_KERNELS

#include <stdlib.h>

#include "softmax.h"

enum { ATTEND = 1, KEYS = 0, VALUES = 1 };

typedef struct {
  heads heads;
  void *y;
} attention;

static void run(job *j, long phase, long task, int worker);

job *attention_new(attention_inputs in, void *y, int threads) {
  attention *a = calloc(1, sizeof *a);
  if (a == NULL) return NULL;
  heads *h = &a->heads;
  a->y = y;
  heads_init(h, in);
  h->panel_set_count = 2;
  h->panel_sets[KEYS] = (panel_set){.source = in.k};
  h->panel_sets[VALUES] = (panel_set){.source = in.v, .transposed = true};
  h->job.tasks[ATTEND] = in.rows * in.heads * h->blocks;
  h->job.run = run;
  size_t query = h->width_blocks * h->step, scores = BLOCK * h->padded_length * sizeof(float);
  size_t weights = h->blocks * h->step, output = BLOCK * in.width * sizeof(float);
  return heads_begin(h, threads, 0, query + weights + scores + output) ? &h->job : NULL;
}

// softmax turns the scores of a block of queries into a left panel of exponentials, and returns one over the sum of
// each query's exponentials in inverse.
WIDE static void softmax(const heads *h, const float *scores, const uint32_t *mask, const uint8_t *visible, long blocks,
                         char *weights, float *inverse) {
  for (long i = 0; i < BLOCK; i++, scores += h->padded_length, mask += h->blocks) {
    float max = max_score(scores, mask, visible, blocks);
    __m512 sum = _mm512_setzero_ps();
    for (long j = 0; j < blocks; j++) {
      if (!visible[j]) continue;
      __m512 low = exp_scores(mask[j] & 0xffff, scores + j * BLOCK, max, h->scale);
      __m512 high = exp_scores(mask[j] >> 16, scores + j * BLOCK + 16, max, h->scale);
      sum = _mm512_add_ps(sum, _mm512_add_ps(low, high));
      store_left(h->in.format, weights + j * h->step, i, low, high);
    }
    float total = _mm512_reduce_add_ps(sum);
    inverse[i] = total > 0 ? 1 / total : 0; // a query that sees nothing gets zeros; NaN in the weights stays NaN
  }
}

// attend computes the output of a block of queries of one head.
static void attend(const attention *a, long row, long head, long block, char *memory) {
  const heads *h = &a->heads;
  format f = h->in.format;
  long kv_head = head / (h->in.heads / h->in.kv_heads), panel = h->width_blocks * h->step;
  char *query = memory, *weights = query + panel;
  float *scores = (float *)(weights + h->blocks * h->step), *output = scores + BLOCK * h->padded_length;
  float inverse[BLOCK];
  const uint32_t *mask = h->mask_bits + (row * h->padded_length + block * BLOCK) * h->blocks;
  const uint8_t *visible = h->visible + (row * h->blocks + block) * h->blocks;
  matrix q = heads_matrix(h, h->in.q, h->in.heads, row, head, block * BLOCK, BLOCK, false);
  pack_panel(f, &q, false, 0, query);
  const char *k = heads_panels(h, KEYS, row, kv_head), *v = heads_panels(h, VALUES, row, kv_head);
  for (long j = 0; j <= block; j++)
    if (visible[j])
      multiply_panels(f, query, k + j * panel, h->in.width, scores + j * BLOCK, h->padded_length, false);
  softmax(h, scores, mask, visible, block + 1, weights, inverse);
  for (long c = 0; c < h->width_blocks; c++) {
    const char *values = v + c * h->blocks * h->step;
    heads_multiply(h, weights, values, visible, block + 1, output + c * BLOCK, h->in.width);
  }
  heads_store(h, output, inverse, a->y, row, block, head);
}

static void run(job *j, long phase, long task, int worker) {
  const attention *a = (attention *)j;
  const heads *h = &a->heads;
  if (phase == PREPARE) {
    heads_prepare(h, task);
    return;
  }
  long tasks = h->in.rows * h->in.heads; // for each block, and the blocks with the most keys first
  long block = h->blocks - 1 - task / tasks, row = task % tasks / h->in.heads, head = task % h->in.heads;
  attend(a, row, head, block, h->worker_memory + worker * h->worker_bytes);
}

#endif
