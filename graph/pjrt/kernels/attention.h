// Attention, which has the scores of a block of queries at a time.
#ifndef BFPO_KERNELS_ATTENTION_H
#define BFPO_KERNELS_ATTENTION_H

#include "heads.h"

// attention_new prepares y [rows, length, heads, width] = softmax(q k^T / sqrt(width)) v. NULL: out of memory.
job *attention_new(inputs in, void *y, int threads);
// attention_gradient_new prepares the gradient of it: of dy to dq, dk and dv, shaped as q, k and v.
job *attention_gradient_new(inputs in, const void *dy, void *dq, void *dk, void *dv, int threads);

#endif
