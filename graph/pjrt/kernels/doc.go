// Package kernels multiplies matrices, computes attention, gradients of gates and of frozen heads and a decoder's steps as custom calls of XLA's CPU, with
// AVX-512 and, where there is one, with AMX, the matrix unit of newer Intel processors. XLA itself reaches about half of what AMX can do for bfloat16, takes the scores of attention through
// memory several times, and lets memory wait between the operations of a step.
//
// It is for builds with cgo on Linux.
package kernels

// Bits of the attribute of Product.
const (
	LeftAcross  = 1 << iota // the left matrix lies as [K, M]
	RightAcross             // the right matrix lies as [K, N]
	// AsBF16x3: where there is AMX, float32 numbers may be multiplied as sums of two bfloat16, which have 16 of their 24 bits; of an infinity comes NaN.
	AsBF16x3
)
