//go:build cgo && linux

package gemm

/*
#include "handler.h"
#include "product.h"
*/
import "C"

import "unsafe"

// Available asks the system for the use of AMX and tells whether this process may multiply with it.
func Available() bool { return bool(C.can_multiply()) }

// Handler is the C function that XLA is to call. Its arguments are two matrices of float32 or of bfloat16, or as many of each behind one
// another, and its result is their product in float32 or, rounded, in bfloat16; sums are float32. Its one attribute, an int64, tells how they lie: by themselves [M, K] and [N, K]; with bit 0
// the first is [K, M], with bit 1 the second is [K, N].
//
// float32 numbers are multiplied as sums of two bfloat16, which have 16 of their 24 bits; of an infinity comes NaN.
func Handler() unsafe.Pointer { return C.gemm_product }
