// Strips of f32: see strips.h.
#ifndef BFPO_AMX_FLOATS_H
#define BFPO_AMX_FLOATS_H

#include "strips.h"

void pack_floats(const matrix *m, bool right, long row, char *to);
void multiply_floats(const float *left, const float *right, long depth, float *out, long width, bool add);

#endif
