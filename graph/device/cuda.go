package device

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/bfpo-go/bfpo/graph/pjrt"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// OpenCompileOnly opens a device that compiles programs for o.Devices GPUs of one host, which need not be present.
// Program.Compile returns the memory and operations of a program; running it fails. The compiler comes from pinned
// wheels, which are downloaded once.
func OpenCompileOnly(gpu GPU, o Options) (*Device, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
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
	return &Device{Backend: client.Backend, platform: PlatformCUDA, plugin: compiler, client: client, targetGPU: &gpu}, nil
}
