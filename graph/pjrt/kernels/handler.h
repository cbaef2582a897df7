#ifndef BFPO_KERNELS_HANDLER_H
#define BFPO_KERNELS_HANDLER_H

// The version of XLA's interface that these were written for.
enum { FFI_MAJOR = 0, FFI_MINOR = 4 };

// compiler_version returns the version of the C compiler.
const char *compiler_version(void);

// bfpo_product is XLA's custom call left [M, K] right [N, K]^T -> [M, N]. Its attribute, an int64, has a bit for each of these: the left matrix lies as
// [K, M], the right one as [K, N], and f32 may be multiplied as bf16x3 (see strips.h), where there are tiles for that.
enum { left_across = 1, right_across = 2, as_bf16x3 = 4 }; // as in doc.go
void *bfpo_product(void *frame);
// bfpo_weighed_rows is that of x [M, K] and the largest number of each row, top [M], in f32, and a matrix [K, N] in bf16 -> e^(x - top) times that [M, N],
// f32.
void *bfpo_weighed_rows(void *frame);
// bfpo_rows is that of a few rows [M, K] with a matrix [N, K]^T -> [M, N]: see rows.h.
void *bfpo_rows(void *frame);
// bfpo_attention is that of q, k, v, mask -> y, and bfpo_attention_gradient that of q, k, v, mask, dy -> dq, dk, dv: see attention.h.
void *bfpo_attention(void *frame);
void *bfpo_attention_gradient(void *frame);
// bfpo_gate_gradient is that of gate, up and dy of one shape in bf16 -> dgate, dup: see gate.h.
void *bfpo_gate_gradient(void *frame);
// bfpo_decoder is that of the layers of a decoder for a few tokens: x [B, S, D], now [B, S], cos and sin [B, S, 1, hd/2], mask [B, S, T], epsilon, and then
// keys, values and nine weights for each layer -> what the last layer says, and keys and values of each, which must be the operands' own: see decoder.h.
void *bfpo_decoder(void *frame);

#endif
