//go:build cgo && linux

#include "gate.h"

#include "scores.h"

#ifdef X86_TILES

#include <stdlib.h>

// A task is so many numbers: what its arrays take of them stays in the second cache.
enum { each = 1 << 15 };

typedef struct {
  job job;
  const uint16_t *gate, *up, *dy;
  uint16_t *dgate, *dup;
  long numbers;
} gradient;

WIDE static void run(job *j, long phase, long task, int worker) {
  const gradient *g = (gradient *)j;
  const __m512 one = _mm512_set1_ps(1), furthest = _mm512_set1_ps(-80); // as graph.Gated has it
  long end = (task + 1) * each < g->numbers ? (task + 1) * each : g->numbers;
  for (long i = task * each; i < end; i += 16) {
    __mmask16 there = first(end - i);
    __m512 x = upper(_mm256_maskz_loadu_epi16(there, g->gate + i)), u = upper(_mm256_maskz_loadu_epi16(there, g->up + i));
    __m512 d = upper(_mm256_maskz_loadu_epi16(there, g->dy + i)), bounded = _mm512_max_ps(furthest, x);
    __m512 s = _mm512_div_ps(one, _mm512_add_ps(one, exponential(_mm512_sub_ps(_mm512_setzero_ps(), bounded))));
    __m512 slope = _mm512_mul_ps(s, _mm512_fmadd_ps(bounded, _mm512_sub_ps(one, s), one));
    rounded_row(g->dgate + i, there, _mm512_mul_ps(_mm512_mul_ps(d, u), slope));
    rounded_row(g->dup + i, there, _mm512_mul_ps(d, _mm512_mul_ps(x, s)));
  }
}

job *gate_gradient_new(const uint16_t *gate, const uint16_t *up, const uint16_t *dy, uint16_t *dgate, uint16_t *dup, long numbers, int threads) {
  gradient *g = calloc(1, sizeof *g);
  if (g == NULL) return NULL;
  g->gate = gate, g->up = up, g->dy = dy, g->dgate = dgate, g->dup = dup, g->numbers = numbers;
  g->job.tasks[0] = (numbers + each - 1) / each;
  g->job.run = run;
  return job_begin(&g->job, threads, 0, 0) ? &g->job : NULL;
}

#endif
