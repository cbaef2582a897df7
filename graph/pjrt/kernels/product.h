// Products of large matrices.
#ifndef BFPO_KERNELS_PRODUCT_H
#define BFPO_KERNELS_PRODUCT_H

#include "job.h"
#include "panels.h"

// product_new prepares a batch of products of matrices that are stored one after the other: out [batch, left.rows,
// right.rows] = left right^T, in f32 or rounded to bf16. It returns NULL if memory is short or the product is
// empty.
job *product_new(long batch, matrix left, matrix right, format f, void *out, bool to_bf16, int threads);

#endif
