// Products of a few rows with a matrix: as fast as memory gives the matrix.
#ifndef BFPO_KERNELS_ROWS_H
#define BFPO_KERNELS_ROWS_H

#include "job.h"
#include "strips.h"

// rows_new prepares out [left.rows, right.rows] = left right^T of bf16 or f32, in f32 or rounded to bf16. Neither matrix lies across, and the right
// one has four rows at least. A row becomes the same whatever others there are. NULL: out of memory, or nothing to do.
job *rows_new(matrix left, matrix right, strips kind, void *out, bool rounded, int threads);

#endif
