// Panels of F32 and BF16_WIDENED on processors without AVX-512.
#ifndef BFPO_KERNELS_AVX2_H
#define BFPO_KERNELS_AVX2_H

#include "panels.h"

// These functions do what the functions without avx2_ in panels.h do.
void avx2_pack_panel(format f, const matrix *m, bool right, long row, char *to);
void avx2_multiply_panels(const char *left, const char *right, long depth, float *out, long stride, bool add);
void avx2_store_block(const float *block, long rows, long columns, void *out, long at, long stride, bool to_bf16);

#endif
