//go:build cgo && linux

package pjrt

// #include "api.h"
import "C"

// Cold tells that programs run for the first time, or that some were closed. A program then makes what it keeps, small pieces, between scratch memory
// that it frees again. With both in one heap that leaves holes which nothing fits into, hundreds of megabytes for a model of a hundred; so blocks of
// some size come from the system and go back to it, and what the heap held for Warm does too.
func (c *Client) Cold() { C.cold_heap() }

// Warm is the opposite of Cold: a program gets its scratch memory again and again from the heap, which keeps it. From the system it would have to be
// cleared first, hundreds of megabytes a step.
func (c *Client) Warm() { C.warm_heap() }
