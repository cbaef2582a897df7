package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/graph/pjrt"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// cudaPlugin is the place of the CUDA plugin in its wheel: XLA of jaxlib 0.11.2, for CUDA 13. It finds what it needs from there by
// relative paths, so all its wheels are unpacked into one folder.
const cudaPlugin = "jax_plugins/xla_cuda13/xla_cuda_plugin.so"

// cudaFolder is the folder of the cache that all these wheels share.
const cudaFolder = "cuda13"

// cudaCompiler are the wheels that compile: the plugin, the assembler of GPU code and NVIDIA's library of mathematical functions.
func cudaCompiler() []wheel.Wheel {
	return []wheel.Wheel{
		{Package: "jax-cuda13-pjrt", Version: "0.11.2", SHA256: "e5ff589d43064913bb74027682d89639c7ea48f9f81c2bae6fc75117e913f93e",
			Members: []string{cudaPlugin}, Folder: cudaFolder},
		{Package: "nvidia-cuda-nvcc", Version: "13.5.37", SHA256: "f5c4f7ead5d964fb4af42bbf1e6d3ec3c1e6e9d83b53749f691d387e7fcaa3a7",
			Members: []string{"nvidia/cu13/bin/ptxas", "nvidia/cu13/bin/nvlink", "nvidia/cu13/bin/fatbinary"}, Folder: cudaFolder},
		{Package: "nvidia-nvvm", Version: "13.5.37", SHA256: "c41bfa362e407405163f103c2229f0765f8cc2ed7d148b754dc77f228bf7e070",
			Members: []string{"nvidia/cu13/nvvm/libdevice/"}, Folder: cudaFolder},
	}
}

// cudaLibraries are the wheels that running needs besides, some gigabytes.
func cudaLibraries() []wheel.Wheel {
	library := func(name, version, sum, folder string) wheel.Wheel {
		members := []string{"nvidia/" + folder + "/lib/"}
		return wheel.Wheel{Package: name, Version: version, SHA256: sum, Members: members, Folder: cudaFolder}
	}
	return []wheel.Wheel{
		library("nvidia-cuda-runtime", "13.5.37", "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d", "cu13"),
		library("nvidia-cuda-cupti", "13.5.25", "9dcca41c12a734192b14e7128ae116bc9ce1b9da686e2ebf48ae7a4415f76650", "cu13"),
		library("nvidia-cuda-nvrtc", "13.5.37", "86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc", "cu13"),
		library("nvidia-nvjitlink", "13.5.37", "280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb", "cu13"),
		library("nvidia-cublas", "13.10.0.20", "dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84", "cu13"),
		library("nvidia-cufft", "12.5.0.14", "b8be26837a5abad2b5b74f3e92dd29f622a42934b355be0961a48712cbba23ad", "cu13"),
		library("nvidia-cusolver", "12.4.1.2", "b3b8e02fd2f2df869369af075dc3a179d43f6f7b85e94632a7dce556697be044", "cu13"),
		library("nvidia-cusparse", "12.9.4.2", "072667e58c851a318738f5527a12eb225cbf058803f2ea451c722d8cf8edddec", "cu13"),
		library("nvidia-cudnn-cu13", "9.28.1.4", "a54f205b1db1f2895d99f398754db1369816f0569dd459731f925635cf7b65ec", "cudnn"),
		library("nvidia-nccl-cu13", "2.32.3", "1459723080ac889d73a26edfa3e04383a7928ab31ac8f0ec43b3ea9548b04ff3", "nccl"),
		library("nvidia-nvshmem-cu13", "3.8.0", "81a4d1f666543e6d34df6d2ff940c7da1435e34e186aab6f3c2b48861b64ef38", "nvshmem"),
	}
}

// fetchCUDA puts wheels into the cache unless they are there, and returns the path of the plugin, which is in the first.
func fetchCUDA(ctx context.Context, wheels []wheel.Wheel, cache string, log func(format string, args ...any)) (string, error) {
	if !wheelFits() {
		return "", errors.New("the CUDA plugin is built for Linux on amd64 only")
	}
	for _, w := range wheels {
		if _, err := wheel.Fetch(ctx, w, cache, log); err != nil {
			return "", err
		}
	}
	return wheels[0].Path(cache), nil
}

// OpenFor opens a device whose programs are compiled for o.Devices GPUs of one host, none of which need be here: Program.Compile says
// what they take and do, and they cannot run. The compiler comes from pinned wheels that are fetched once.
func OpenFor(gpu GPU, o Options) (*Device, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	cache, err := wheel.CacheDir(o.CacheDir)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	host, err := search{cache: cache, allowInstaller: o.AllowInstaller, log: o.Log}.find(ctx, PlatformCPU)
	if err != nil {
		return nil, fmt.Errorf("compiling for %s: %w", gpu.Label, err)
	}
	compiler, err := fetchCUDA(ctx, cudaCompiler(), cache, o.Log)
	if err != nil {
		return nil, fmt.Errorf("compiling for %s: %w", gpu.Label, err)
	}
	n := max(1, o.Devices)
	client, err := pjrt.Open(host.path, pjrt.Options{
		CPU: true, Devices: n, TF32: o.TF32, Log: o.Log, Inspect: true,
		Target: &pjrt.Target{Plugin: compiler, Config: gpu.target(), Topology: fmt.Sprintf("1x1x%d", n)},
	})
	if err != nil {
		return nil, fmt.Errorf("compiling for %s: %w", gpu.Label, err)
	}
	return &Device{Backend: client.Backend, platform: PlatformCUDA, plugin: compiler, client: client, ahead: &gpu}, nil
}

// Driver of NVIDIA: what of it must be here.
const (
	gpuFiles      = "/dev/nvidia[0-9]*" // one for each GPU
	driverVersion = "/proc/driver/nvidia/version"
	leastDriver   = 580 // of CUDA 13
)

// driverLibraries are the places of the driver's library, besides those of $LD_LIBRARY_PATH.
var driverLibraries = [...]string{"/usr/lib/x86_64-linux-gnu/libcuda.so.1", "/usr/lib64/libcuda.so.1", "/usr/lib/libcuda.so.1",
	"/usr/local/nvidia/lib64/libcuda.so.1", "/usr/local/cuda/compat/libcuda.so.1", "/run/opengl-driver/lib/libcuda.so.1"}

// checkGPU says what is missing for running on a GPU, what was looked for, and what to do.
func checkGPU(root string) error {
	devices, _ := filepath.Glob(filepath.Join(root, gpuFiles)) // the pattern is well-formed
	if len(devices) == 0 {
		return fmt.Errorf("no NVIDIA GPU on this machine: no device file %s (a container needs --gpus=all); "+
			"run with -platform=cpu, or see what a GPU would need with `bfpo plan -platform=cuda -gpu=h100`", gpuFiles)
	}
	places := driverLibraries[:]
	for _, folder := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		places = append(places, filepath.Join(folder, "libcuda.so.1"))
	}
	found := false
	for _, place := range places {
		_, err := os.Stat(filepath.Join(root, place))
		found = found || err == nil
	}
	if !found {
		return fmt.Errorf("a GPU is here (%s) but not its driver's library: no %s; install NVIDIA's driver %d or newer "+
			"(a container needs --gpus=all and NVIDIA_DRIVER_CAPABILITIES=compute,utility)", devices[0], strings.Join(places, ", "), leastDriver)
	}
	text, err := os.ReadFile(filepath.Join(root, driverVersion))
	if err != nil {
		return nil // not every container shows it; the plugin says itself what it cannot use
	}
	if version := driverOf(string(text)); version > 0 && version < leastDriver {
		return fmt.Errorf("NVIDIA's driver here is version %d (%s), CUDA 13 needs %d or newer: update the driver", version, driverVersion, leastDriver)
	}
	return nil
}

// driverOf reads the major version in "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  …", or 0.
func driverOf(text string) int {
	line, _, _ := strings.Cut(text, "\n")
	for _, word := range strings.Fields(line) {
		major, minor, ok := strings.Cut(word, ".")
		if n, err := strconv.Atoi(major); ok && err == nil && n >= 100 && minor != "" {
			return n
		}
	}
	return 0
}

// checkCapability refuses GPUs that multiply no bfloat16; text is a compute capability such as 9.0, empty where the plugin does not tell.
func checkCapability(device int, text string) error {
	major, _, _ := strings.Cut(text, ".")
	if n, err := strconv.Atoi(major); err != nil || n >= 8 {
		return nil
	}
	return fmt.Errorf("GPU %d has compute capability %s; bfloat16 products and cuDNN's attention need 8.0 (A100, RTX 30) or newer: "+
		"choose another GPU with CUDA_VISIBLE_DEVICES, or run with -platform=cpu", device, text)
}
