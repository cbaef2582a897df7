//go:build cgo && linux

#include "gate.h"

#include "panels.h"

#ifdef HAVE_KERNELS

#include <stdlib.h>

#include "simd.h"

// The arrays of TASK_ELEMENTS elements fit into the second-level cache.
enum { TASK_ELEMENTS = 1 << 15 };

typedef struct {
  job job;
  const uint16_t *gate, *up, *dy;
  uint16_t *dgate, *dup;
  long elements;
} gradient;

WIDE_INLINE __m512 load(const uint16_t *from, __mmask16 mask) { return widen(_mm256_maskz_loadu_epi16(mask, from)); }

WIDE static void run(job *j, long phase, long task, int worker) {
  const gradient *g = (gradient *)j;
  const __m512 one = _mm512_set1_ps(1), lowest = _mm512_set1_ps(-80); // as in graph.Gated
  long end = (task + 1) * TASK_ELEMENTS < g->elements ? (task + 1) * TASK_ELEMENTS : g->elements;
  for (long i = task * TASK_ELEMENTS; i < end; i += 16) {
    __mmask16 mask = lane_mask(end - i);
    __m512 x = load(g->gate + i, mask), up = load(g->up + i, mask), dy = load(g->dy + i, mask);
    __m512 bounded = _mm512_max_ps(lowest, x), e = exp16(_mm512_sub_ps(_mm512_setzero_ps(), bounded));
    __m512 s = _mm512_div_ps(one, _mm512_add_ps(one, e));
    __m512 slope = _mm512_mul_ps(s, _mm512_fmadd_ps(bounded, _mm512_sub_ps(one, s), one));
    store_bf16(g->dgate + i, mask, _mm512_mul_ps(_mm512_mul_ps(dy, up), slope));
    store_bf16(g->dup + i, mask, _mm512_mul_ps(dy, _mm512_mul_ps(x, s)));
  }
}

job *gate_gradient_new(const uint16_t *gate, const uint16_t *up, const uint16_t *dy, uint16_t *dgate, uint16_t *dup,
                       long elements, int threads) {
  gradient *g = calloc(1, sizeof *g);
  if (g == NULL) return NULL;
  g->gate = gate, g->up = up, g->dy = dy, g->dgate = dgate, g->dup = dup, g->elements = elements;
  g->job.tasks[0] = (elements + TASK_ELEMENTS - 1) / TASK_ELEMENTS;
  g->job.run = run;
  return job_init(&g->job, threads, 0, 0) ? &g->job : NULL;
}

#endif
