//go:build cgo && linux

package kernels

/*
#cgo LDFLAGS: -lm
#include "handler.h"
#include "strips.h"
*/
import "C"

import "unsafe"

func compilerVersion() string { return C.GoString(C.compiler_version()) }

// Available tells whether this processor has what the calls need: AVX-512 with its instructions for bfloat16.
func Available() bool { return bool(C.can_multiply()) }

// Tiles asks the system for the use of AMX and tells whether this process may use it.
func Tiles() bool { return bool(C.have_tiles()) }

// Product is the C function that XLA is to call for products. Its arguments are two matrices of float32 or of bfloat16, or as many of each behind
// one another, and its result is their product in float32 or, rounded, in bfloat16; sums are float32. By themselves the matrices lie as [M, K] and
// [N, K]. Its one attribute, an int64, is the sum of LeftAcross, RightAcross and AsBF16x3 as they apply.
func Product() unsafe.Pointer { return C.bfpo_product }

// WeighedRows is the C function for e^(x - top) times a matrix: of x [M, K] float32, the largest number of each row, top [M] float32, and the matrix [K, N]
// bfloat16, its result is [M, N] float32. Exponentials are rounded to bfloat16, sums are float32.
func WeighedRows() unsafe.Pointer { return C.bfpo_weighed_rows }

// Rows is Product for a few rows [M, K], as fast as memory gives the matrix [N, K], and with float32 in full precision. A row of the result is the same
// whatever others there are.
func Rows() unsafe.Pointer { return C.bfpo_rows }

// Attention is the C function for softmax(q k^T / sqrt(hd)) v. Its arguments are q [B, S, H, hd], k and v [B, S, K, hd] in bfloat16 or float32, with hd
// a multiple of 32, and a mask [B, S, S] of which key a query sees, which must be none behind it. Its result is [B, S, H*hd]. Scores and sums are float32; with
// bfloat16, exponentials are rounded before they meet the values. A query that sees nothing gets zeros.
func Attention() unsafe.Pointer { return C.bfpo_attention }

// AttentionGradient is the C function for the gradient of Attention: of q, k, v, mask and the adjoint of the result to those of q, k and v.
func AttentionGradient() unsafe.Pointer { return C.bfpo_attention_gradient }

// GateGradient is the C function for the gradient of silu(gate) up: of gate, up and the adjoint of that, of one shape in bfloat16, to the adjoints of gate
// and up. It computes in float32.
func GateGradient() unsafe.Pointer { return C.bfpo_gate_gradient }

// Decoder is the C function for all layers of a decoder on a few new tokens. Its arguments are x [B, S, D] float32, the columns of the cache that tokens
// take, int32 [B, S], cosines and sines [B, S, 1, hd/2] float32, a mask [B, S, T] of the columns that a token sees, the norms' epsilon and then, for each layer,
// keys [B, K, T, hd] and values [B, K, hd, T] of the cache and input norm, q, k, v, o, post-attention norm, gate, up and down, all in float32 or in bfloat16
// (norms may differ). D, F, hd and T are multiples of 32. Its results are x after the layers, and keys and values of each layer, which lie where the
// arguments lie.
func Decoder() unsafe.Pointer { return C.bfpo_decoder }
