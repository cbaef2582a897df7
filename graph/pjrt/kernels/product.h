// Products of matrices.
#ifndef BFPO_KERNELS_PRODUCT_H
#define BFPO_KERNELS_PRODUCT_H

#include "job.h"
#include "strips.h"

// product_new prepares products of so many pairs of matrices, behind each other, out [number, left.rows, right.rows] = left right^T in f32 or rounded
// to bf16. NULL: out of memory, or nothing to do.
job *product_new(long number, matrix left, matrix right, strips kind, void *out, bool rounded, int threads);

#endif
