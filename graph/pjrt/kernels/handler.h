// The kernels as custom calls of XLA. Each function takes an XLA_FFI_CallFrame and returns an XLA_FFI_Error or
// NULL.
#ifndef BFPO_KERNELS_HANDLER_H
#define BFPO_KERNELS_HANDLER_H

// FFI_MAJOR and FFI_MINOR are the version of XLA's foreign function interface that handler.c has been written for.
enum { FFI_MAJOR = 0, FFI_MINOR = 4 };

// compiler_version returns the version of the C compiler.
const char *compiler_version(void);

// bfpo_product computes left [M, K] right [N, K]^T -> [M, N], or a batch of such products along leading axes. Bits
// of its int64 attribute say that the left matrix is stored as [K, M], that the right matrix is stored as [K, N],
// and that f32 matrices may be multiplied as BF16X3 if AMX is available (see panels.h).
enum product_attribute { LEFT_TRANSPOSED = 1, RIGHT_TRANSPOSED = 2, ALLOW_BF16X3 = 4 }; // as in package mlir
void *bfpo_product(void *frame);
// bfpo_rows computes left [M, K] right [N, K]^T -> [M, N] for few rows M: see rows.h.
void *bfpo_rows(void *frame);
// bfpo_attention computes q, k, v, mask -> y, and bfpo_attention_gradient q, k, v, mask, dy -> dq, dk, dv: see
// attention.h.
void *bfpo_attention(void *frame);
void *bfpo_attention_gradient(void *frame);
// bfpo_decoder computes all layers of a decoder for a few tokens. Its arguments are x [B, S, D], slots [B, S], cos
// and sin [B, S, 1, hd/2], mask [B, S, T] and epsilon, then keys, values and nine weights of each layer. Its
// results are the output of the last layer and the keys and values of each layer, in the memory of the arguments:
// see decoder.h.
void *bfpo_decoder(void *frame);

#endif
