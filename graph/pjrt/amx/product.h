// Products of matrices with AMX.
#ifndef BFPO_AMX_PRODUCT_H
#define BFPO_AMX_PRODUCT_H

#include "job.h"
#include "tiles.h"

// product_new prepares products of so many pairs of matrices of one type, behind each other, out [number, left.rows, right.rows] = left right^T. f32
// is multiplied as the sum of two bf16 (16 bits of 24). Sums are f32, and out is so or, of another type, rounded. NULL: out of memory.
job *product_new(long number, matrix left, matrix right, number_type type, void *out, number_type out_type, int threads);

#endif
