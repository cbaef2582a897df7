// Strips of f32 and of bf16 with AVX-512: see strips.h.
#ifndef BFPO_KERNELS_AVX512_H
#define BFPO_KERNELS_AVX512_H

#include "strips.h"

void pack_floats(const matrix *m, bool right, long row, char *to);
void multiply_floats(const char *left, const char *right, long depth, float *out, long width, bool add);
void multiply_pairs(const char *left, const char *right, long depth, float *out, long width, bool add);

#endif
