//go:build cgo && linux

#include "product.h"

#ifdef X86_TILES

#include <stdlib.h>

// The matrix with fewer rows, or each of them, is brought into tiles once, by all threads. The other one is cut into groups of blocks, each of which
// a task brings into tiles for itself and multiplies with a part of the first.
enum { group = 2, tasks_per_thread = 4, packing = 0, multiplying = phases - 1 };

typedef struct {
  job job;
  long number;
  matrix left, right;
  strips kind;
  void *out;
  bool rounded;
  long strip; // bytes of one
  const matrix *whole, *cut;
  long groups, parts; // of the one that is cut, of the whole one
} product;

static long blocks(const matrix *m) { return (m->rows + side - 1) / side; }

static void run(job *j, long phase, long task, int worker);

job *product_new(long number, matrix left, matrix right, strips kind, void *out, bool rounded, int threads) {
  if (number * left.rows * right.rows * left.depth == 0) return NULL; // XLA does not ask for it
  product *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->number = number, p->left = left, p->right = right, p->kind = kind, p->out = out, p->rounded = rounded;
  p->strip = strip_bytes(kind, left.depth);
  bool whole_left = left.rows <= right.rows;
  p->whole = whole_left ? &p->left : &p->right, p->cut = whole_left ? &p->right : &p->left;
  p->groups = (blocks(p->cut) + group - 1) / group;
  p->parts = (tasks_per_thread * threads + number * p->groups - 1) / (number * p->groups); // enough tasks for threads of unlike speed
  if (p->parts > blocks(p->whole)) p->parts = blocks(p->whole);
  p->job.tasks[packing] = number * blocks(p->whole);
  p->job.tasks[multiplying] = number * p->groups * p->parts;
  p->job.run = run;
  return job_begin(&p->job, threads, p->job.tasks[packing] * p->strip, group * p->strip) ? &p->job : NULL;
}

// pack makes a strip of a block of one of the matrices.
static void pack(const product *p, const matrix *m, long number, long block, char *to) {
  matrix one = *m;
  one.data = (const char *)m->data + number * m->rows * m->depth * number_bytes(p->kind);
  pack_strip(p->kind, &one, m == &p->right, block * side, to);
}

// multiply computes a block of the result, of strips.
static void multiply(const product *p, long number, long left, const char *a, long right, const char *b) {
  long row = left * side, column = right * side, width = p->right.rows, at = (number * p->left.rows + row) * width + column;
  long rows = p->left.rows - row, columns = width - column;
  if (!p->rounded && rows >= side && columns >= side) {
    multiply_strips(p->kind, a, b, p->left.depth, (float *)p->out + at, width, false);
    return;
  }
  float local[side * side] __attribute__((aligned(64)));
  multiply_strips(p->kind, a, b, p->left.depth, local, side, false);
  copy_block(local, rows < side ? rows : side, columns < side ? columns : side, p->out, at, width, p->rounded);
}

// multiply_part brings a group of the one that is cut into tiles, and multiplies it with a part of the whole one.
static void multiply_part(const product *p, long task, int worker) {
  char *tiles = job_memory(&p->job), *scratch = tiles + (p->job.tasks[packing] + worker * group) * p->strip;
  long number = task / (p->groups * p->parts), part = task % p->parts, all = blocks(p->whole);
  long from = task / p->parts % p->groups * group, to = from + group < blocks(p->cut) ? from + group : blocks(p->cut);
  for (long i = from; i < to; i++) pack(p, p->cut, number, i, scratch + (i - from) * p->strip);
  for (long j = all * part / p->parts; j < all * (part + 1) / p->parts; j++)
    for (long i = from; i < to; i++) {
      const char *cut = scratch + (i - from) * p->strip, *whole = tiles + (number * all + j) * p->strip;
      if (p->cut == &p->right) multiply(p, number, j, whole, i, cut);
      else multiply(p, number, i, cut, j, whole);
    }
}

static void run(job *j, long phase, long task, int worker) {
  const product *p = (product *)j;
  long each = blocks(p->whole);
  if (phase == packing) pack(p, p->whole, task / each, task % each, job_memory(j) + task * p->strip);
  else multiply_part(p, task, worker);
}

#endif
