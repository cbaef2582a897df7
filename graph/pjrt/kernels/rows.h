// Products of a few rows with a matrix: as fast as memory gives the matrix.
#ifndef BFPO_KERNELS_ROWS_H
#define BFPO_KERNELS_ROWS_H

#include "job.h"
#include "strips.h"

// square rows of the right matrix are multiplied at a time.
enum { square = 4 };

// multiply_rows computes the products of all rows of the left matrix with square rows of the right one, of bf16 or f32, from a row on, as square columns of
// an array of so many. Neither lies across. A row becomes the same whatever others there are.
void multiply_rows(strips kind, const matrix *left, const matrix *right, long row, float *out, long width);

// rows_new prepares out [left.rows, right.rows] = left right^T, in f32 or rounded to bf16. The right one has square rows at least. NULL: out of memory,
// or nothing to do.
job *rows_new(matrix left, matrix right, strips kind, void *out, bool rounded, int threads);

#endif
