#ifndef BFPO_AMX_HANDLER_H
#define BFPO_AMX_HANDLER_H

// The version of XLA's interface that these were written for.
enum { AMX_FFI_MAJOR = 0, AMX_FFI_MINOR = 4 };

// amx_product is XLA's custom call left [M, K] right [N, K]^T -> [M, N]; either may lie as [K, M] and [K, N], which the bits 0 and 1 of the only
// attribute say.
void *amx_product(void *frame);
// amx_rows is that of a few rows [M, K] with a matrix [N, K]^T -> [M, N]: see rows.h.
void *amx_rows(void *frame);
// amx_attention is that of q, k, v, mask -> y, and amx_attention_gradient that of q, k, v, mask, dy -> dq, dk, dv: see attention.h.
void *amx_attention(void *frame);
void *amx_attention_gradient(void *frame);

#endif
