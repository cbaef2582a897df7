// The gradient of silu(gate) * up.
#ifndef BFPO_KERNELS_GATE_H
#define BFPO_KERNELS_GATE_H

#include <stdint.h>

#include "job.h"

// gate_gradient_new prepares dgate = dy up s (1 + gate (1 - s)) and dup = dy gate s with s = 1 / (1 + e^-gate), for
// a number of bf16 elements, at least one. It computes in f32 and returns NULL if memory is short.
job *gate_gradient_new(const uint16_t *gate, const uint16_t *up, const uint16_t *dy, uint16_t *dgate, uint16_t *dup,
                       long elements, int threads);

#endif
