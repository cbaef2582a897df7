package pjrt

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// gpuOption is a boolean or integer option of XLA's compiler, by its name in XLA_FLAGS.
type gpuOption struct {
	name  string
	isInt bool
	value uint64
}

// gpuOptions returns the options that leave matrix products to cuBLAS and its own heuristics. XLA's default is to
// time its own kernels and some of cuBLAS's during compilation. On an H200, for a step of 61 M weights, that took
// 24.5 s instead of 5.5 s (over a minute in float32) and chose slower kernels (12.4 instead of 10.6 ms a step; 640
// instead of 620 ms for 7 B weights). Its choice can also differ between compilations, so that the same run gives
// different digits.
func gpuOptions() []gpuOption {
	return []gpuOption{
		{name: "xla_gpu_enable_triton_gemm"},
		{name: "xla_gpu_autotune_level", isInt: true},
	}
}

// Field numbers of XLA's CompileOptionsProto and its messages.
const (
	compileOverrides = 7 // map of names to OptionOverrideProto
	overrideKey      = 1
	overrideValue    = 2
	overrideBool     = 2
	overrideInt      = 3
)

// withGPUOptions adds gpuOptions to serialized compile options, except those that flags, the value of XLA_FLAGS,
// set.
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
