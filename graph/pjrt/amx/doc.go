// Package amx multiplies matrices and computes attention with AMX, the matrix unit of newer Intel processors, as custom calls of XLA's CPU. XLA
// itself uses about half of what AMX can do for bfloat16, nothing of it for float32, and takes the scores of attention through memory several times.
//
// It is for builds with cgo on Linux.
package amx
