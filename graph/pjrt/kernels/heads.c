//go:build cgo && linux

#include "heads.h"

#ifdef HAVE_KERNELS

#include <math.h>

#include "softmax.h"

static size_t align_to_line(size_t bytes) { return (bytes + 63) / 64 * 64; }

void heads_init(heads *h, attention_inputs in) {
  h->in = in;
  h->blocks = (in.length + BLOCK - 1) / BLOCK, h->padded_length = h->blocks * BLOCK, h->width_blocks = in.width / BLOCK;
  h->step = step_bytes(in.format);
  h->scale = 1 / sqrtf(in.width);
}

bool heads_begin(heads *h, int threads, size_t shared_bytes, size_t worker_bytes) {
  const attention_inputs *in = &h->in;
  int sets = h->panel_set_count;
  size_t set = in->rows * in->kv_heads * h->blocks * h->width_blocks * h->step;
  size_t shared = align_to_line(shared_bytes), visible = align_to_line(in->rows * h->blocks * h->blocks);
  size_t mask_bits = align_to_line(in->rows * h->padded_length * h->blocks * sizeof *h->mask_bits);
  h->job.tasks[PREPARE] = sets * in->rows * in->kv_heads + in->rows * h->blocks;
  h->worker_bytes = align_to_line(worker_bytes);
  if (!job_init(&h->job, threads, shared + mask_bits + visible + sets * set, h->worker_bytes)) return false;
  h->shared_memory = job_memory(&h->job);
  h->mask_bits = (uint32_t *)(h->shared_memory + shared);
  h->visible = (uint8_t *)h->mask_bits + mask_bits;
  for (int i = 0; i < sets; i++) h->panel_sets[i].panels = (char *)h->visible + visible + i * set;
  h->worker_memory = (char *)h->visible + visible + sets * set;
  return true;
}

const char *heads_panels(const heads *h, int set, long row, long kv_head) {
  return h->panel_sets[set].panels + (row * h->in.kv_heads + kv_head) * h->blocks * h->width_blocks * h->step;
}

matrix heads_matrix(const heads *h, const void *x, long count, long row, long head, long from, long n,
                    bool transposed) {
  long first = ((row * h->in.length + from) * count + head) * h->in.width;
  if (n > h->in.length - from) n = h->in.length - from;
  return (matrix){
      .data = (const char *)x + first * element_bytes(h->in.format),
      .rows = transposed ? h->in.width : n,
      .depth = transposed ? n : h->in.width,
      .transposed = transposed,
      .stride = count * h->in.width,
  };
}

// compress_mask sets the mask bits and visible blocks of a block of queries.
WIDE static void compress_mask(const heads *h, long row, long block) {
  uint8_t *visible = h->visible + (row * h->blocks + block) * h->blocks;
  for (long j = 0; j < h->blocks; j++) visible[j] = 0;
  for (long i = block * BLOCK; i < (block + 1) * BLOCK; i++) {
    uint32_t *bits = h->mask_bits + (row * h->padded_length + i) * h->blocks;
    const uint8_t *mask = h->in.mask + (row * h->in.length + i) * h->in.length;
    for (long j = 0; j < h->blocks; j++) {
      long keys = i < h->in.length && j <= block ? h->in.length - j * BLOCK : 0;
      __mmask32 exists = keys >= BLOCK ? 0xffffffff : (1u << (keys > 0 ? keys : 0)) - 1;
      __m256i bytes = _mm256_maskz_loadu_epi8(exists, mask + j * BLOCK);
      bits[j] = _mm256_cmpneq_epi8_mask(bytes, _mm256_setzero_si256());
      visible[j] |= bits[j] != 0;
    }
  }
}

void heads_prepare(const heads *h, long task) {
  long set_tasks = h->in.rows * h->in.kv_heads, set = task / set_tasks;
  if (set >= h->panel_set_count) {
    task -= h->panel_set_count * set_tasks;
    compress_mask(h, task / h->blocks, task % h->blocks);
    return;
  }
  long row = task % set_tasks / h->in.kv_heads, kv_head = task % h->in.kv_heads;
  const panel_set *s = &h->panel_sets[set];
  matrix m = heads_matrix(h, s->source, h->in.kv_heads, row, kv_head, 0, h->in.length, s->transposed);
  char *to = (char *)heads_panels(h, set, row, kv_head);
  long bytes = panel_bytes(h->in.format, m.depth);
  for (long i = 0; i * BLOCK < m.rows; i++) pack_panel(h->in.format, &m, true, i * BLOCK, to + i * bytes);
}

void heads_multiply(const heads *h, const char *left, const char *right, const uint8_t *visible, long steps, float *out,
                    long stride) {
  bool add = false;
  for (long from = 0, to; from < steps; from = to, add = true) {
    while (from < steps && !visible[from]) from++;
    for (to = from; to < steps && visible[to];) to++;
    if (to == from && add) continue;
    long offset = from * h->step; // a depth of zero gives zeros
    multiply_panels(h->in.format, left + offset, right + offset, (to - from) * BLOCK, out, stride, add);
  }
}

WIDE void heads_store(const heads *h, const float *from, const float *factors, void *to, long row, long block,
                      long head) {
  long width = h->in.width;
  for (long i = block * BLOCK; i < (block + 1) * BLOCK && i < h->in.length; i++, from += width, factors++) {
    long at = ((row * h->in.length + i) * h->in.heads + head) * width;
    for (long c = 0; c < width; c += 16)
      store16(h->in.format, to, at + c, _mm512_mul_ps(_mm512_load_ps(from + c), _mm512_set1_ps(*factors)));
  }
}

#endif
