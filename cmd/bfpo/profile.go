package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// startProfile starts a CPU profile of the host in dir/cpu.pprof and lets XLA dump the programs that it compiles to
// dir/xla. Call it before the plugin is loaded, which reads its settings once, and call stop to end the profile. With
// an empty dir it does nothing.
func startProfile(dir string) (stop func() error, err error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "xla"), 0o755); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	flags := fmt.Sprintf("%s --xla_dump_to=%s --xla_dump_hlo_as_text", os.Getenv("XLA_FLAGS"), filepath.Join(dir, "xla"))
	if err := os.Setenv("XLA_FLAGS", flags); err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
