//go:build cgo && linux

package pjrt

// #include "api.h"
import "C"

// Sizes of the largest block, in bytes, that the C library takes from its heap; larger ones come from the system and go back to it.
const (
	coldBlock = 256 << 10
	warmBlock = 32 << 20 // as far as the library goes by itself
)

// Cold tells that programs run for the first time, or that some were closed. A program then makes what it keeps, small pieces, between scratch memory
// that it frees again. With both in one heap that leaves holes which nothing fits into, hundreds of megabytes for a model of a hundred; later, the
// heap hands out the same blocks again and again, which is quicker than asking the system.
//
// The largest blocks are in no heap. They are kept between the runs of programs, since the system clears what it gives; Cold drops them.
func (c *Client) Cold() {
	C.bound_heap(coldBlock)
	C.drop_blocks()
}

// Warm is the opposite of Cold.
func (c *Client) Warm() {
	C.bound_heap(warmBlock)
	C.trim_heap()
}
