//go:build cgo && linux

#include "heads.h"

#ifdef X86_TILES

#include <math.h>

#include "scores.h"

static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

void heads_init(heads *h, inputs in) {
  h->in = in;
  h->blocks = (in.length + side - 1) / side, h->padded = h->blocks * side, h->columns = in.width / side;
  h->step = step_bytes(in.kind);
  h->scale = 1 / sqrtf(in.width);
}

bool heads_begin(heads *h, int threads, size_t shared, size_t each) {
  const inputs *in = &h->in;
  size_t strips = in->rows * in->groups * h->blocks * h->columns * h->step, memory = lines(shared);
  size_t bits = lines(in->rows * h->padded * h->blocks * sizeof *h->bits), seen = lines(in->rows * h->blocks * h->blocks);
  int n = h->number;
  h->job.tasks[preparing] = n * in->rows * in->groups + in->rows * h->blocks;
  h->each = lines(each);
  if (!job_begin(&h->job, threads, memory + bits + seen + n * strips, h->each)) return false;
  h->shared = job_memory(&h->job);
  h->bits = (uint32_t *)(h->shared + memory);
  h->seen = (uint8_t *)h->bits + bits;
  for (int i = 0; i < n; i++) h->packed[i].strips = (char *)h->seen + seen + i * strips;
  h->own = (char *)h->seen + seen + n * strips;
  return true;
}

const char *heads_strips(const heads *h, int packed, long row, long group) {
  return h->packed[packed].strips + (row * h->in.groups + group) * h->blocks * h->columns * h->step;
}

matrix heads_matrix(const heads *h, const void *x, long heads, long row, long head, long from, long n, bool across) {
  const char *at = (const char *)x + ((row * h->in.length + from) * heads + head) * h->in.width * number_bytes(h->in.kind);
  if (n > h->in.length - from) n = h->in.length - from;
  return (matrix){at, across ? h->in.width : n, across ? n : h->in.width, across, heads * h->in.width};
}

// read_mask makes bits of the mask for a block of queries.
WIDE static void read_mask(const heads *h, long row, long block) {
  uint8_t *seen = h->seen + (row * h->blocks + block) * h->blocks;
  for (long j = 0; j < h->blocks; j++) seen[j] = 0;
  for (long i = block * side; i < (block + 1) * side; i++) {
    uint32_t *bits = h->bits + (row * h->padded + i) * h->blocks;
    const uint8_t *mask = h->in.mask + (row * h->in.length + i) * h->in.length;
    for (long j = 0; j < h->blocks; j++) {
      long keys = i < h->in.length && j <= block ? h->in.length - j * side : 0;
      __mmask32 there = keys >= side ? 0xffffffff : (1u << (keys > 0 ? keys : 0)) - 1;
      bits[j] = _mm256_cmpneq_epi8_mask(_mm256_maskz_loadu_epi8(there, mask + j * side), _mm256_setzero_si256());
      seen[j] |= bits[j] != 0;
    }
  }
}

void heads_prepare(const heads *h, long task) {
  long each = h->in.rows * h->in.groups, packed = task / each, row = task % each / h->in.groups, group = task % h->in.groups;
  if (packed >= h->number) {
    task -= h->number * each;
    read_mask(h, task / h->blocks, task % h->blocks);
    return;
  }
  matrix m = heads_matrix(h, h->packed[packed].of, h->in.groups, row, group, 0, h->in.length, h->packed[packed].by_column);
  char *to = (char *)heads_strips(h, packed, row, group);
  long bytes = strip_bytes(h->in.kind, m.depth);
  for (long i = 0; i * side < m.rows; i++) pack_strip(h->in.kind, &m, true, i * side, to + i * bytes);
}

void heads_multiply(const heads *h, const char *left, const char *right, const uint8_t *seen, long steps, float *out, long width) {
  bool more = false;
  for (long from = 0, to; from < steps; from = to, more = true) {
    while (from < steps && !seen[from]) from++;
    for (to = from; to < steps && seen[to];) to++;
    if (to > from || !more) multiply_strips(h->in.kind, left + from * h->step, right + from * h->step, (to - from) * side, out, width, more);
  }
}

WIDE void heads_write(const heads *h, const float *from, const float *factors, void *to, long row, long block, long head) {
  long width = h->in.width;
  for (long i = block * side; i < (block + 1) * side && i < h->in.length; i++, from += width, factors++) {
    long at = ((row * h->in.length + i) * h->in.heads + head) * width;
    for (long c = 0; c < width; c += 16) put(h->in.kind, to, at + c, _mm512_mul_ps(_mm512_load_ps(from + c), _mm512_set1_ps(*factors)));
  }
}

#endif
