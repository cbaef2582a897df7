// Package kernels has custom calls of XLA's CPU in C: products of matrices, attention and its gradient, and what
// else is listed in its README.md. They use AVX-512 with its bfloat16 instructions and, where the processor has it,
// AMX; products of bfloat16 matrices also work with AVX2. A build without cgo, or for another system than Linux, has
// none of them.
package kernels
