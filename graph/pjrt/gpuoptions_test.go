package pjrt

import (
	"bytes"
	"testing"
)

func TestWithGPUOptions(t *testing.T) {
	// Worked out by hand from XLA's compile_options.proto: field 7 is a map entry, its field 1 the name, its field
	// 2 a message whose field 2 is a bool and whose field 3 is an int64.
	triton := append([]byte{7<<3 | 2, 32, 1<<3 | 2, 26}, append([]byte("xla_gpu_enable_triton_gemm"), 2<<3|2, 2, 2<<3,
		0)...)
	level := append([]byte{7<<3 | 2, 28, 1<<3 | 2, 22}, append([]byte("xla_gpu_autotune_level"), 2<<3|2, 2, 3<<3, 0)...)
	before := []byte{3<<3 | 2, 0}
	for _, c := range []struct {
		flags string
		want  [][]byte
	}{
		{"", [][]byte{before, triton, level}},
		{"--xla_gpu_autotune_level=4", [][]byte{before, triton}},
		{"--xla_gpu_cuda_data_dir=/usr --xla_gpu_enable_triton_gemm=true", [][]byte{before, level}},
		{"--xla_gpu_enable_triton_gemm_int4=true", [][]byte{before, triton, level}}, // another flag
		{"--xla_gpu_enable_triton_gemm --xla_gpu_autotune_level=1", [][]byte{before}},
	} {
		if got := withGPUOptions(bytes.Clone(before), c.flags); !bytes.Equal(got, bytes.Join(c.want, nil)) {
			t.Errorf("%q:\n got %q\nwant %q", c.flags, got, bytes.Join(c.want, nil))
		}
	}
}
