package device

import (
	"context"
	"errors"
	"log/slog"
	"runtime"

	"github.com/bfpo-go/bfpo/graph/wheel"
)

// cpuWheel is the CPU plugin that this project's numbers were measured with: XLA of jaxlib 0.11.2, PJRT C API 0.115.
func cpuWheel() wheel.Wheel {
	return wheel.Wheel{
		Package: "lammps-jax-pjrt-cpu",
		Version: "0.11.2",
		SHA256:  "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
		Members: []string{"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"},
	}
}

// cudaPlugin is the path of the CUDA plugin in its wheel: XLA of jaxlib 0.11.2, for CUDA 13. The plugin finds its
// libraries by relative paths, so all CUDA wheels are unpacked into one folder.
const cudaPlugin = "jax_plugins/xla_cuda13/xla_cuda_plugin.so"

// cudaFolder is the folder of the cache that the CUDA wheels share.
const cudaFolder = "cuda13"

// cudaCompiler returns the wheels that compiling for GPUs needs: the plugin, the assembler and linker of GPU code, and
// NVIDIA's library of mathematical functions.
func cudaCompiler() []wheel.Wheel {
	return []wheel.Wheel{
		{
			Package: "jax-cuda13-pjrt", Version: "0.11.2",
			SHA256:  "e5ff589d43064913bb74027682d89639c7ea48f9f81c2bae6fc75117e913f93e",
			Members: []string{cudaPlugin}, Folder: cudaFolder,
		},
		{
			Package: "nvidia-cuda-nvcc", Version: "13.5.37",
			SHA256:  "f5c4f7ead5d964fb4af42bbf1e6d3ec3c1e6e9d83b53749f691d387e7fcaa3a7",
			Members: []string{"nvidia/cu13/bin/ptxas", "nvidia/cu13/bin/nvlink", "nvidia/cu13/bin/fatbinary"},
			Folder:  cudaFolder,
		},
		{
			Package: "nvidia-nvvm", Version: "13.5.37",
			SHA256:  "c41bfa362e407405163f103c2229f0765f8cc2ed7d148b754dc77f228bf7e070",
			Members: []string{"nvidia/cu13/nvvm/libdevice/"}, Folder: cudaFolder,
		},
	}
}

// cudaLibraries returns the wheels that running on GPUs needs in addition, some gigabytes.
func cudaLibraries() []wheel.Wheel {
	library := func(name, version, folder, sum string) wheel.Wheel {
		members := []string{"nvidia/" + folder + "/lib/"}
		return wheel.Wheel{Package: name, Version: version, SHA256: sum, Members: members, Folder: cudaFolder}
	}
	return []wheel.Wheel{
		library("nvidia-cuda-runtime", "13.5.37", "cu13",
			"df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d"),
		library("nvidia-cuda-cupti", "13.5.25", "cu13",
			"9dcca41c12a734192b14e7128ae116bc9ce1b9da686e2ebf48ae7a4415f76650"),
		library("nvidia-cuda-nvrtc", "13.5.37", "cu13",
			"86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc"),
		library("nvidia-nvjitlink", "13.5.37", "cu13",
			"280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb"),
		library("nvidia-cublas", "13.10.0.20", "cu13",
			"dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84"),
		library("nvidia-cufft", "12.5.0.14", "cu13",
			"b8be26837a5abad2b5b74f3e92dd29f622a42934b355be0961a48712cbba23ad"),
		library("nvidia-cusolver", "12.4.1.2", "cu13",
			"b3b8e02fd2f2df869369af075dc3a179d43f6f7b85e94632a7dce556697be044"),
		library("nvidia-cusparse", "12.9.4.2", "cu13",
			"072667e58c851a318738f5527a12eb225cbf058803f2ea451c722d8cf8edddec"),
		library("nvidia-cudnn-cu13", "9.28.1.4", "cudnn",
			"a54f205b1db1f2895d99f398754db1369816f0569dd459731f925635cf7b65ec"),
		library("nvidia-nccl-cu13", "2.32.3", "nccl",
			"1459723080ac889d73a26edfa3e04383a7928ab31ac8f0ec43b3ea9548b04ff3"),
		library("nvidia-nvshmem-cu13", "3.8.0", "nvshmem",
			"81a4d1f666543e6d34df6d2ff940c7da1435e34e186aab6f3c2b48861b64ef38"),
	}
}

// fetchCUDA downloads the wheels that the cache does not have yet, and returns the path of the plugin, which is
// in the first wheel.
func fetchCUDA(ctx context.Context, wheels []wheel.Wheel, cache string,
	log *slog.Logger) (string, error) {
	if !wheelsFit() {
		return "", errors.New("the CUDA plugin is built for Linux on amd64 only")
	}
	for _, w := range wheels {
		if _, err := wheel.Fetch(ctx, w, cache, log); err != nil {
			return "", err
		}
	}
	return wheels[0].Path(cache), nil
}

// wheelsFit reports whether the pinned wheels are built for this machine.
func wheelsFit() bool { return runtime.GOOS == "linux" && runtime.GOARCH == "amd64" }
