package pjrt

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// gpuOption is an option of XLA's compiler by its name in XLA_FLAGS, with a bool or an int.
type gpuOption struct {
	name  string
	isInt bool
	value uint64
}

// gpuOptions leave products to cuBLAS, in the kernel that its heuristics choose. By itself XLA times kernels of its own against some
// of cuBLAS's while it compiles, which takes far longer than compiling (a step of 61 M weights: 24.5 s in place of 5.5 on an H200, and more than a
// minute in float32), chose slower ones (12.4 to 10.6 ms a step; of 7 B weights 640 to 620 ms), and may choose others next time: the same
// run need not give the same digits.
func gpuOptions() []gpuOption {
	return []gpuOption{
		{name: "xla_gpu_enable_triton_gemm"},
		{name: "xla_gpu_autotune_level", isInt: true},
	}
}

// Field numbers of XLA's CompileOptionsProto and what it holds.
const (
	compileOverrides = 7 // map of names to OptionOverrideProto
	overrideKey      = 1
	overrideValue    = 2
	overrideBool     = 2
	overrideInt      = 3
)

// withGPUOptions adds gpuOptions to serialized compile options, but for those that a person has set in the flags of XLA.
func withGPUOptions(options []byte, flags string) []byte {
	set := map[string]bool{}
	for flag := range strings.FieldsSeq(flags) {
		name, _, _ := strings.Cut(flag, "=")
		set[strings.TrimLeft(name, "-")] = true
	}
	for _, o := range gpuOptions() {
		if set[o.name] {
			continue
		}
		field := protowire.Number(overrideBool)
		if o.isInt {
			field = overrideInt
		}
		value := protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), o.value)
		entry := protowire.AppendString(protowire.AppendTag(nil, overrideKey, protowire.BytesType), o.name)
		entry = protowire.AppendBytes(protowire.AppendTag(entry, overrideValue, protowire.BytesType), value)
		options = protowire.AppendBytes(protowire.AppendTag(options, compileOverrides, protowire.BytesType), entry)
	}
	return options
}
