// Attention with a mask, computed for a block of queries at a time so that scores stay in the processor's caches.
#ifndef BFPO_KERNELS_ATTENTION_H
#define BFPO_KERNELS_ATTENTION_H

#include "heads.h"

// attention_new prepares y [rows, length, heads, width] = softmax(q k^T / sqrt(width)) v. It returns NULL if memory
// is short.
job *attention_new(attention_inputs in, void *y, int threads);
// attention_gradient_new prepares the gradient of attention: from dy to dq, dk and dv, with the shapes of q, k and
// v.
job *attention_gradient_new(attention_inputs in, const void *dy, void *dq, void *dk, void *dv, int threads);

#endif
