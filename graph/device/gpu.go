package device

import (
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/graph/pjrt"
)

// GPU is a model of NVIDIA GPU that programs can be compiled for without having one. The numbers come from NVIDIA's
// data sheets and the compute-capability tables of the CUDA programming guide; XLA chooses tiles and kernels by them.
type GPU struct {
	Name       string  // short, as in -gpu=h100
	Label      string  // the driver's name for it
	Capability [2]int  // compute capability
	Memory     int64   // bytes that the driver leaves to programs
	FLOPS      float64 // peak floating-point operations per second: bfloat16, dense, accumulated in float32

	cores          int // streaming multiprocessors
	threadsPerCore int
	sharedPerCore  int     // bytes of shared memory
	bandwidth      int64   // of the memory, in bytes per second
	l2Cache        int64   // bytes
	clock          float64 // GHz
}

// GPUs returns the known models.
func GPUs() []GPU {
	const kib, mib = 1 << 10, 1 << 20
	return []GPU{
		{"h100", "NVIDIA H100 80GB HBM3", [2]int{9, 0}, 81008 * mib, 989e12,
			132, 2048, 228 * kib, 3352e9, 50 * mib, 1.98},
		{"h200", "NVIDIA H200", [2]int{9, 0}, 143156 * mib, 989e12,
			132, 2048, 228 * kib, 4800e9, 50 * mib, 1.98},
		{"a100", "NVIDIA A100-SXM4-80GB", [2]int{8, 0}, 81051 * mib, 312e12,
			108, 2048, 164 * kib, 2039e9, 40 * mib, 1.41},
		{"a100-40", "NVIDIA A100-SXM4-40GB", [2]int{8, 0}, 40338 * mib, 312e12,
			108, 2048, 164 * kib, 1555e9, 40 * mib, 1.41},
		{"l40s", "NVIDIA L40S", [2]int{8, 9}, 45458 * mib, 362e12,
			142, 1536, 100 * kib, 864e9, 96 * mib, 2.52},
		{"rtx4090", "NVIDIA GeForce RTX 4090", [2]int{8, 9}, 24081 * mib, 165e12,
			128, 1536, 100 * kib, 1008e9, 72 * mib, 2.52},
		{"rtx3090", "NVIDIA GeForce RTX 3090", [2]int{8, 6}, 24126 * mib, 71e12,
			82, 1536, 100 * kib, 936e9, 6 * mib, 1.70},
		{"b200", "NVIDIA B200", [2]int{10, 0}, 182642 * mib, 2250e12,
			148, 2048, 228 * kib, 8000e9, 126 * mib, 1.96},
	}
}

// UsableMemory returns the part of the GPU's memory that a program gets, in bytes.
func (g GPU) UsableMemory() int64 { return int64(pjrt.MemoryFraction * float64(g.Memory)) }

// FindGPU returns the model called name, in upper or lower case.
func FindGPU(name string) (GPU, error) {
	var names []string
	for _, g := range GPUs() {
		if strings.EqualFold(g.Name, name) {
			return g, nil
		}
		names = append(names, g.Name)
	}
	return GPU{}, fmt.Errorf("unknown GPU %q: want one of %s", name, strings.Join(names, ", "))
}

// target returns the GPU as the text of XLA's GpuTargetConfigProto. A block may use the shared memory of a core except
// 1 KiB.
func (g GPU) target() string {
	return fmt.Sprintf(`gpu_device_info {
  cuda_compute_capability { major: %d minor: %d }
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: %d
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  thread_dim_limit_x: 1024 thread_dim_limit_y: 1024 thread_dim_limit_z: 64
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  shared_memory_per_block: 49152 shared_memory_per_core: %d shared_memory_per_block_optin: %d
  core_count: %d fpus_per_core: 128 clock_rate_ghz: %g
  memory_bandwidth: %d l2_cache_size: %d device_memory_size: %d
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 28 patch: 1 }
runtime_version { major: 13 }
device_description_str: %q
`, g.Capability[0], g.Capability[1], g.threadsPerCore, g.sharedPerCore, g.sharedPerCore-1024, g.cores, g.clock,
		g.bandwidth, g.l2Cache, g.Memory, g.Label)
}
