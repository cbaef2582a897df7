// Package gemm multiplies matrices with AMX, the matrix unit of newer Intel processors, as a custom call of XLA's CPU. XLA itself uses about half
// of what AMX can do for bfloat16, and nothing of it for float32.
//
// It is empty but for builds with cgo on Linux.
package gemm
