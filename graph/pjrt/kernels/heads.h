// What attention and its gradient have in common.
#ifndef BFPO_KERNELS_HEADS_H
#define BFPO_KERNELS_HEADS_H

#include "job.h"
#include "strips.h"

// Arrays are bf16 or f32: q [rows, length, heads, width], k and v [rows, length, groups, width], and of one byte the mask [rows, length, length].
typedef struct {
  strips kind;
  const void *q, *k, *v;
  const uint8_t *mask;
  long rows, length, heads, groups, width;
} inputs;

// A strip of k or v is one of the keys, in the depth of the width (by key), or one of the width, in the depth of the keys (by column).
typedef struct {
  const void *of;
  bool by_column;
  char *strips; // for each row and group those of all blocks
} packed;

enum { preparing = 0, most_packed = 3 };

// The first phase of such a job makes strips of k and v, and bits of the mask. Queries and keys are handled in blocks of side.
typedef struct {
  job job;
  inputs in;
  long blocks, padded, columns; // blocks and their sum of the length, blocks of the width
  long step;                      // bytes of one
  float scale;                    // of products of queries and keys
  packed packed[most_packed];
  int number; // of them
  uint32_t *bits; // [rows, padded, blocks]: which keys of a block a query sees
  uint8_t *seen;  // [rows, blocks, blocks]: whether a block of queries sees any key of a block
  char *shared, *own;
  size_t each; // bytes of own for one worker
} heads;

// heads_init notes the sizes.
void heads_init(heads *h, inputs in);
// heads_begin prepares a job that has its other phases and what is packed, with so much shared memory besides and for each worker. See job_begin.
bool heads_begin(heads *h, int threads, size_t shared, size_t each);
// heads_prepare does a task of the first phase.
void heads_prepare(const heads *h, long task);
// heads_strips are those of a row and a group.
const char *heads_strips(const heads *h, int packed, long row, long group);
// heads_matrix is one head of an array with so many, from a place on and so many of them, as [length, width] or across.
matrix heads_matrix(const heads *h, const void *x, long heads, long row, long head, long from, long n, bool across);
// heads_multiply writes [side, side] = left right^T over the seen of so many steps that both strips have.
void heads_multiply(const heads *h, const char *left, const char *right, const uint8_t *seen, long steps, float *out, long width);
// heads_write brings rows of the width, each times a factor of its own, into the block of one head.
void heads_write(const heads *h, const float *from, const float *factors, void *to, long row, long block, long head);

#endif
