// The common part of attention and of its gradient.
#ifndef BFPO_KERNELS_HEADS_H
#define BFPO_KERNELS_HEADS_H

#include "job.h"
#include "panels.h"

// attention_inputs are q [rows, length, heads, width], k and v [rows, length, kv_heads, width] of the format's
// elements, and the mask [rows, length, length] of one byte: whether a query sees a key. Keys behind a query are
// never visible. width is a multiple of BLOCK.
typedef struct {
  format format;
  const void *q, *k, *v;
  const uint8_t *mask;
  long rows, length, heads, kv_heads, width;
} attention_inputs;

// panel_set are the panels of k or v for all rows and KV heads.
typedef struct {
  const void *source;
  bool transposed; // a panel is a block of the width with the keys as depth, instead of a block of keys
  char *panels;    // [rows, kv_heads, panels of the head]
} panel_set;

enum { PREPARE = 0, MAX_PANEL_SETS = 3 };

// heads is the first member of such a job. Its first phase, PREPARE, packs k and v and compresses the mask. Queries
// and keys are processed in blocks.
typedef struct {
  job job;
  attention_inputs in;
  long blocks, padded_length, width_blocks; // blocks of the length, their size, blocks of the width
  long step;                                // step_bytes of the format
  float scale;                              // 1 / sqrt(width)
  panel_set panel_sets[MAX_PANEL_SETS];
  int panel_set_count;
  uint32_t *mask_bits; // [rows, padded_length, blocks]: a bit for each key of a block
  uint8_t *visible;    // [rows, blocks, blocks]: whether any query of a block sees any key of a block
  char *shared_memory, *worker_memory;
  size_t worker_bytes;
} heads;

// heads_init sets the sizes for these inputs.
void heads_init(heads *h, attention_inputs in);
// heads_begin completes a job whose other phases and panel sets are set. See job_init.
bool heads_begin(heads *h, int threads, size_t shared_bytes, size_t worker_bytes);
// heads_prepare runs a task of the first phase.
void heads_prepare(const heads *h, long task);
// heads_panels returns the panels of one row and KV head.
const char *heads_panels(const heads *h, int set, long row, long kv_head);
// heads_matrix returns n positions from one on of one head of an array [rows, length, count, width], as a matrix
// [n, width], or as [width, n] if transposed.
matrix heads_matrix(const heads *h, const void *x, long count, long row, long head, long from, long n, bool transposed);
// heads_multiply computes the product of two panels over their first steps, of which it skips those that are not
// visible. See multiply_panels.
void heads_multiply(const heads *h, const char *left, const char *right, const uint8_t *visible, long steps, float *out,
                    long stride);
// heads_store stores a block of positions [BLOCK, width], each times its factor, in one head of an array
// [rows, length, heads, width].
void heads_store(const heads *h, const float *from, const float *factors, void *to, long row, long block, long head);

#endif
