//go:build cgo && linux

package kernels

/*
#cgo LDFLAGS: -lm
#include "cpu.h"
#include "handler.h"
#include "panels.h"
*/
import "C"

import "unsafe"

func compilerVersion() string { return C.GoString(C.compiler_version()) }

// Available reports whether the processor has AVX-512 with its bfloat16 instructions, which all kernels but Product
// need.
func Available() bool { return bool(C.cpu_has_avx512_bf16()) }

// ProductAvailable reports whether the processor has AVX2 and FMA, which Product needs.
func ProductAvailable() bool { return bool(C.cpu_has_avx2()) }

// AMX reports whether this process may use AMX. The first call asks the system for permission.
func AMX() bool { return bool(C.amx_available()) }

// Instructions returns the instructions that multiply bfloat16 matrices, for people.
func Instructions() string {
	switch {
	case !ProductAvailable():
		return "none"
	case AMX():
		return "AMX"
	case C.bf16_format() == C.BF16:
		return "AVX-512 with vdpbf16ps"
	case bool(C.cpu_has_avx512()):
		return "AVX-512, bfloat16 widened to float32"
	}
	return "AVX2, bfloat16 widened to float32"
}

// FastBF16 reports whether kernels multiply bfloat16 matrices faster than float32 matrices on this processor.
func FastBF16() bool { return C.bf16_format() == C.BF16 }

// Product returns the C function of a custom call that multiplies left [M, K] and right [N, K]^T, or a batch of
// such matrices, in float32 or bfloat16, with sums in float32. The result [M, N] is float32, or bfloat16 if the
// matrices are. The attribute is an int64, see enum product_attribute in handler.h.
func Product() unsafe.Pointer { return C.bfpo_product }

// Rows returns the C function for Product with few rows M. It is as fast as right can be read from memory. It
// multiplies float32 in full precision, and the result of a row does not depend on the other rows.
func Rows() unsafe.Pointer { return C.bfpo_rows }

// Attention returns the C function for softmax(q k^T / sqrt(hd)) v. Its arguments are q [B, S, H, hd], k and v [B,
// S, K, hd] in bfloat16 or float32, with hd a multiple of 32, and a mask [B, S, S] of the keys that a query sees,
// none of them behind the query. Its result is [B, S, H*hd]. Scores and sums are float32; with bfloat16,
// exponentials are rounded before they are multiplied by v. A query that sees no key gets zeros.
func Attention() unsafe.Pointer { return C.bfpo_attention }

// AttentionGradient returns the C function for the gradient of Attention: from q, k, v, mask and the gradient of
// the result to the gradients of q, k and v.
func AttentionGradient() unsafe.Pointer { return C.bfpo_attention_gradient }

// Decoder returns the C function for all layers of a decoder on a few new tokens. Its arguments are x [B, S, D]
// float32, the tokens' positions in the cache, int32 [B, S], cosines and sines [B, S, 1, hd/2] float32, a mask [B,
// S, T] of the positions that a token sees, and the norms' epsilon; then, for each layer, keys [B, K, T, hd] and
// values [B, K, hd, T] of the cache and the weights input norm, q, k, v, o, post-attention norm, gate, up and down,
// all in float32 or all in bfloat16 (norms may differ). D, F, hd and T are multiples of 32. Its results are x after
// the last layer and the keys and values of each layer, in the memory of the arguments.
func Decoder() unsafe.Pointer { return C.bfpo_decoder }
