// Packing of f32 panels, and products of panels without AMX.
#ifndef BFPO_KERNELS_F32_H
#define BFPO_KERNELS_F32_H

#include "panels.h"

// pack_f32_panel packs a panel of F32 or BF16_WIDENED. See pack_panel.
void pack_f32_panel(format f, const matrix *m, bool right, long row, char *to);
// multiply_f32_panels multiplies panels of F32 or BF16_WIDENED. See multiply_panels.
void multiply_f32_panels(const char *left, const char *right, long depth, float *out, long stride, bool add);
// multiply_bf16_panels multiplies panels of BF16 with vdpbf16ps. See multiply_panels.
void multiply_bf16_panels(const char *left, const char *right, long depth, float *out, long stride, bool add);

#endif
