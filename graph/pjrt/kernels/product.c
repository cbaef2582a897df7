//go:build cgo && linux

#include "product.h"

#ifdef X86_TILES

#include <stdlib.h>

// The matrix with fewer rows, or each of them, is brought into tiles once, by all threads. The other one is cut into groups of blocks, each of which
// a task brings into tiles for itself and multiplies with a part of the first. Long sums are taken apart, so that caches hold what is used again: a
// group the second one, for a piece of the sum, and the first matrix those of all threads, for the pieces of a round.
enum { group = 2, tasks_per_thread = 4, packing = 0, multiplying = phases - 1 };
enum { piece_bytes = 1 << 17, round_bytes = 1 << 19, fetched_bytes = 1 << 23, numbers = side * side }; // rounds: for each thread
enum { terms_apart = 4 * side }; // of pieces: as AVX-512 takes sums apart anyway, so that this changes none

typedef struct {
  job job;
  long number;
  matrix left, right;
  strips kind;
  void *out;
  bool rounded;
  const matrix *whole, *cut;
  long groups, parts; // of the one that is cut, of the whole one
  long piece, round;  // terms of the sum
  size_t whole_bytes, sums_bytes, own_bytes;
} product;

static long blocks(const matrix *m) { return (m->rows + side - 1) / side; }
static long up(long n, long to) { return (n + to - 1) / to; }
static long least(long a, long b) { return a < b ? a : b; }

static void run(job *j, long phase, long task, int worker);

// divide sets the pieces and the rounds, and the memory that they need: blocks of sums are kept from piece to piece by the task, and from round to
// round by all.
static void divide(product *p, int threads) {
  long depth = p->left.depth, strip = strip_bytes(p->kind, depth), all = blocks(p->whole), strips = p->number * all;
  p->piece = up(up(depth, up(strip, piece_bytes)), terms_apart) * terms_apart;
  long pieces = up(depth, p->piece), sums = strips * blocks(p->cut) * numbers * sizeof(float);
  long rounds = least(pieces, up(strips * strip, threads * (long)round_bytes));
  if (sums + strips * strip / rounds > strips * strip) rounds = 1; // it would take more memory
  p->round = up(pieces, rounds) * p->piece;
  bool more_pieces = p->piece < depth, more_rounds = p->round < depth;
  p->whole_bytes = strips * strip_bytes(p->kind, least(p->round, depth));
  p->sums_bytes = more_rounds ? sums : 0;
  p->own_bytes = group * strip_bytes(p->kind, least(p->piece, depth)) + (more_rounds ? 0 : more_pieces ? group * all : 1) * numbers * sizeof(float);
  p->job.rounds = up(depth, p->round);
}

job *product_new(long number, matrix left, matrix right, strips kind, void *out, bool rounded, int threads) {
  if (number * left.rows * right.rows * left.depth == 0) return NULL; // XLA does not ask for it
  product *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->number = number, p->left = left, p->right = right, p->kind = kind, p->out = out, p->rounded = rounded;
  bool whole_left = left.rows <= right.rows;
  p->whole = whole_left ? &p->left : &p->right, p->cut = whole_left ? &p->right : &p->left;
  p->groups = up(blocks(p->cut), group);
  p->parts = least(up(tasks_per_thread * threads, number * p->groups), blocks(p->whole)); // enough tasks for threads of unlike speed
  divide(p, threads);
  p->job.tasks[packing] = number * blocks(p->whole);
  p->job.tasks[multiplying] = number * p->groups * p->parts;
  p->job.run = run;
  return job_begin(&p->job, threads, p->whole_bytes + p->sums_bytes, p->own_bytes) ? &p->job : NULL;
}

// bytes_of is the size of a number of one of the matrices.
static long bytes_of(const product *p, const matrix *m) { return m->below != NULL ? (long)sizeof(float) : number_bytes(p->kind); }

// pack makes a strip, of some terms, of a block of one of the matrices.
static void pack(const product *p, const matrix *m, long number, long block, long term, long terms, char *to) {
  matrix some = *m;
  some.data = (const char *)m->data + (number * m->rows * m->depth + term * (m->across ? m->stride : 1)) * bytes_of(p, m);
  some.depth = terms;
  pack_strip(p->kind, &some, m == &p->right, block * side, to);
}

// finish writes a block of the result.
static void finish(const product *p, long number, long left, long right, const float *sums) {
  long row = left * side, column = right * side, width = p->right.rows, at = (number * p->left.rows + row) * width + column;
  copy_block(sums, least(p->left.rows - row, side), least(width - column, side), p->out, at, width, p->rounded);
}

// sums_of returns where the sums of a block of the result are kept.
static float *sums_of(const product *p, long number, long cut, long whole, char *own) {
  long all = blocks(p->whole);
  if (p->sums_bytes > 0) return (float *)(job_memory(&p->job) + p->whole_bytes) + ((number * blocks(p->cut) + cut) * all + whole) * numbers;
  return (float *)(own + p->own_bytes) - (p->piece < p->left.depth ? (cut % group + 1) * all - whole : 1) * numbers;
}

// multiply multiplies a group of the one that is cut with a part of the whole one, for a piece of the sum.
static void multiply(const product *p, long number, long of_group, long part, long term, long first, char *own) {
  long depth = p->left.depth, terms = least(p->piece, depth - term), round = least(p->round, depth - first), all = blocks(p->whole);
  long from = of_group * group, to = least(from + group, blocks(p->cut)), cut_strip = strip_bytes(p->kind, terms), strip = strip_bytes(p->kind, round);
  for (long i = from; i < to; i++) pack(p, p->cut, number, i, term, terms, own + (i - from) * cut_strip);
  for (long j = all * part / p->parts; j < all * (part + 1) / p->parts; j++)
    for (long i = from; i < to; i++) {
      const char *cut = own + (i - from) * cut_strip, *whole = job_memory(&p->job) + (number * all + j) * strip + strip_bytes(p->kind, term - first);
      bool cut_right = p->cut == &p->right;
      float *sums = sums_of(p, number, i, j, own);
      multiply_strips(p->kind, cut_right ? whole : cut, cut_right ? cut : whole, terms, sums, side, term > 0);
      if (term + terms == depth) finish(p, number, cut_right ? j : i, cut_right ? i : j, sums);
    }
}

// fetch reads a part of the terms of the one that is cut, if tasks will read columns of it: memory gives rows that follow each other several times as fast,
// and the caches keep them that long.
static void fetch(const product *p, long number, long first, long terms, long part, long parts) {
  const matrix *m = p->cut;
  long row = m->stride * bytes_of(p, m), from = (first + terms * part / parts) * row, to = (first + terms * (part + 1) / parts) * row;
  if (!m->across || terms * row > fetched_bytes) return;
  const char *at = (const char *)m->data + number * m->rows * m->depth * bytes_of(p, m);
  for (long i = from; i < to; i += row_bytes) (void)*(const volatile char *)(at + i);
}

static void run(job *j, long phase, long task, int worker) {
  const product *p = (product *)j;
  long all = blocks(p->whole), first = phase / phases * p->round, terms = least(p->round, p->left.depth - first), part = task % p->parts;
  if (phase % phases == packing) {
    fetch(p, task / all, first, terms, task % all, all);
    pack(p, p->whole, task / all, task % all, first, terms, job_memory(j) + task * strip_bytes(p->kind, terms));
    return;
  }
  char *own = job_memory(j) + p->whole_bytes + p->sums_bytes + worker * p->own_bytes;
  long of_group = task / p->parts % p->groups, number = task / p->parts / p->groups;
  for (long term = first; term < first + terms; term += p->piece) multiply(p, number, of_group, part, term, first, own);
}

#endif
