//go:build cgo && linux

package pjrt

/*
#include "api.h"
*/
import "C"

import (
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// XLA's CPU multiplies float32 matrices by one of several libraries. oneDNN is about a sixth faster than the one that it takes by itself, but
// a program that uses it cannot be put into the cache. It gets products alone: with what XLA fuses into them when asked for
// LIBRARY_FUSION_TYPE_DOT, backward passes do not compile, and the product of two products is wrong.

// TagOneDNN is Tag for a program whose float32 products are to be computed by oneDNN where the plugin has it.
func (c *Client) TagOneDNN(name string) string {
	name = c.Tag(name)
	if !c.cpu {
		return name
	}
	_, tag := splitName(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.oneDNN[tag] = true
	return name
}

// takesOneDNN tells, once, whether a tag is one of TagOneDNN.
func (c *Client) takesOneDNN(tag string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.oneDNN[tag]
	delete(c.oneDNN, tag)
	return asked
}

// compileOneDNN compiles a program so; false says that the plugin does not know how.
func (c *Client) compileOneDNN(args *C.client_compile_args, text string, options []byte) bool {
	options = withOption(options, "xla_cpu_use_onednn", protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 1))
	options = withOption(options, "xla_cpu_experimental_onednn_fusion_type",
		protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"))
	failed := c.compileText(args, text, options)
	if failed == nil {
		return true
	}
	destroy := C.error_args{error: failed}
	destroy.size = C.sizeof_error_args
	C.call(c.library.table, C.api_error_destroy, unsafe.Pointer(&destroy))
	return false
}

// withOption adds an entry to env_option_overrides of a CompileOptionsProto: an OptionOverrideProto, whose fields are string (1) and bool (2).
func withOption(options []byte, name string, value []byte) []byte {
	entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), value)
	return protowire.AppendBytes(protowire.AppendTag(options[:len(options):len(options)], 7, protowire.BytesType), entry)
}
