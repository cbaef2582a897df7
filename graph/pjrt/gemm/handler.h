#ifndef BFPO_GEMM_HANDLER_H
#define BFPO_GEMM_HANDLER_H

// GEMM_FFI_MAJOR and GEMM_FFI_MINOR are the version of XLA's interface that gemm_product was written for.
enum { GEMM_FFI_MAJOR = 0, GEMM_FFI_MINOR = 4 };

// gemm_product is XLA's custom call left [M, K] right [N, K]^T -> [M, N]; either may lie as [K, M] and [K, N], which the bits 0 and 1 of the only
// attribute say.
void *gemm_product(void *frame);

#endif
