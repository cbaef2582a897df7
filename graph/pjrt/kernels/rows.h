// Products of a few rows with a large matrix, limited by the speed at which memory delivers the matrix.
#ifndef BFPO_KERNELS_ROWS_H
#define BFPO_KERNELS_ROWS_H

#include "job.h"
#include "panels.h"

// QUAD rows of the right matrix are multiplied together.
enum { QUAD = 4 };

// multiply_rows computes the products of all rows of the left matrix with QUAD rows of the right matrix, from row
// on, as QUAD columns of out, an array with stride columns. Elements are bf16 or f32, and neither matrix is
// transposed. The product of a row does not depend on the other rows.
//
// bf16 is multiplied by vdpbf16ps on all processors: reading memory takes longer.
void multiply_rows(bool bf16, const matrix *left, const matrix *right, long row, float *out, long stride);

// rows_new prepares out [left.rows, right.rows] = left right^T, in f32 or rounded to bf16, of matrices that are not
// transposed. right has at least QUAD rows. It returns NULL if memory is short or the product is empty.
job *rows_new(matrix left, matrix right, bool bf16, void *out, bool to_bf16, int threads);

#endif
