// Package safetensors reads and writes files in the safetensors format: a JSON header with the name, type, shape
// and place of every tensor, followed by the data.
//
// Open maps a file into memory and checks its whole layout before anything is used; tensors are then slices of the
// mapping. Files are not trusted: a header that is too long, lists a tensor twice, has unknown keys or dtypes, or
// places data outside the file or over other data is refused, and the error names the file and the tensor. Floats
// of 8 or fewer bits are not supported.
//
// Write streams tensors to a file one at a time, so that only one of them has to be in memory.
package safetensors
