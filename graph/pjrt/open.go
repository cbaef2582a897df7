//go:build cgo && linux

package pjrt

// #include "api.h"
import "C"

import (
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/gomlx/go-xla/compute/xla"

	"github.com/bfpo-go/bfpo/graph/filecache"
	"github.com/bfpo-go/bfpo/graph/pjrt/kernels"
)

// programMagic begins the files of compiled programs, and is part of their keys: versions of this program with other
// layouts share the folder, and none takes the entries of another for damaged ones.
const programMagic = "bfpo compiled program 2\n"

// Install runs go-xla's installer, which downloads plugins into go-xla's folder. Their versions are not pinned.
func Install() error { return xla.AutoInstall() }

// Open loads the plugin at path and creates a client. Errors name the plugin and the step that failed.
func Open(path string, o Options) (*Client, error) {
	libraries.Lock()
	defer libraries.Unlock()
	l, err := load(path, o.CPU, o.CPU && o.Target == nil)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", path, err)
	}
	backend, pointer, err := l.open(o)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", path, err)
	}
	c := &Client{
		Backend: backend, library: l, pointer: pointer, cpu: o.CPU && o.Target == nil, tf32: o.TF32, inspect: o.Inspect,
		log: o.Log, byTag: map[string]Compiled{}, bf16x3: map[string]bool{},
	}
	c.cache = &filecache.Cache{
		Dir: o.CacheDir, Limit: o.CacheLimit, Magic: programMagic, Suffix: ".xla",
	}
	if o.Target != nil {
		if c.target, err = newTarget(*o.Target); err != nil {
			return nil, err
		}
	}
	platform, err := l.text(C.api_client_platform_version, pointer)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: platform version: %w", path, err)
	}
	major, minor := l.version()
	platform = strings.ReplaceAll(strings.TrimSpace(platform), "\n", ", ")
	c.Version = fmt.Sprintf("PJRT %d.%d, %s", major, minor, platform)
	if len(l.kernels) > 0 {
		c.kernels = maps.Clone(o.Kernels)
		maps.DeleteFunc(c.kernels, func(target string, _ bool) bool { return !l.kernels[target] })
	}
	kinds, err := c.deviceKinds()
	if err != nil {
		return nil, fmt.Errorf("plugin %s: devices: %w", path, err)
	}
	flags := os.Getenv(envFlags)
	if strings.Contains(flags, "--xla_dump_to") {
		c.cache.Dir = "" // XLA dumps only programs that it compiles
	}
	c.context = fmt.Appendf(nil, "%s%s\n%s\n%q\n%s\n%s\n%s\n", programMagic, c.Version, l.build, kinds, processor(), flags,
		kernelContext(c.kernels, kernels.Version()))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.compile[pointer] = c.compile
	return c, nil
}

func (c *Client) deviceKinds() ([]string, error) {
	devices, err := c.library.devices(c.pointer)
	if err != nil {
		return nil, err
	}
	var kinds []string
	for _, device := range devices {
		description, err := c.library.get(C.api_device_get_description, device)
		if err != nil {
			return nil, err
		}
		kind, err := c.library.text(C.api_device_description_kind, description)
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}
