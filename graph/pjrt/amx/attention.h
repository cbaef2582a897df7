// Attention with AMX: scores never leave the processor's own memory.
#ifndef BFPO_AMX_ATTENTION_H
#define BFPO_AMX_ATTENTION_H

#include "heads.h"

// attention_new prepares y [rows, length, heads, width] = softmax(q k^T / sqrt(width)) v. NULL: out of memory.
job *attention_new(inputs in, uint16_t *y, int threads);
// attention_gradient_new prepares the gradient of it: of dy to dq, dk and dv, shaped as q, k and v.
job *attention_gradient_new(inputs in, const uint16_t *dy, uint16_t *dq, uint16_t *dk, uint16_t *dv, int threads);

#endif
