//go:build cgo && linux

package pjrt

// #include "api.h"
import "C"

// Sizes of the largest block, in bytes, that the C library takes from its heap; larger ones come from the system and go back to it.
const (
	coldBlock = 256 << 10
	warmBlock = C.least_scratch
)

// Cold tells that programs run for the first time, or that some were closed. A program then makes what it keeps, small pieces, between scratch memory
// that it frees again. With both in one heap that leaves holes which nothing fits into, hundreds of megabytes for a model of a hundred; later, the
// heap hands out the same blocks again and again, which is quicker than asking the system.
//
// The scratch memory of large programs is in no heap. It is kept between warm runs, since the system would clear what it gives.
func (c *Client) Cold() {
	C.bound_heap(coldBlock)
	C.keep_scratch(false)
}

// Warm is the opposite of Cold.
func (c *Client) Warm() {
	C.bound_heap(warmBlock)
	C.trim_heap()
	C.keep_scratch(true)
}
