package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bfpo-go/bfpo/graph/pjrt"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// Environment variables that name plugins.
const (
	// EnvPlugin is the path of one plugin.
	EnvPlugin = "BFPO_PJRT_PLUGIN"
	// EnvPluginFolders is a list of folders with plugins, separated as $PATH is; go-xla reads the same variable.
	EnvPluginFolders = "PJRT_PLUGIN_LIBRARY_PATH"
	// envNoInstall forbids go-xla's installer whatever the options say.
	envNoInstall = "GOMLX_NO_AUTO_INSTALL"
)

// plugin is a PJRT plugin on disk.
type plugin struct {
	path string
	kind string // PlatformCPU or PlatformCUDA
}

// cpuWheel is the CPU plugin that the numbers of this project were measured with: XLA of jaxlib 0.11.2, PJRT C API 0.115.
func cpuWheel() wheel.Wheel {
	return wheel.Wheel{
		Package: "lammps-jax-pjrt-cpu",
		Version: "0.11.2",
		SHA256:  "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
		Members: []string{"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"},
	}
}

// search looks for plugins on this machine.
type search struct {
	cache          string
	allowInstaller bool
	log            func(format string, args ...any)
}

// kindOf guesses a plugin's platform from its file name, as go-xla does: a plugin does not say before it is started.
func kindOf(path string) string {
	name := strings.ToLower(filepath.Base(path))
	if strings.Contains(name, "cuda") || strings.Contains(name, "gpu") {
		return PlatformCUDA
	}
	return PlatformCPU
}

// explicitPlugin is the plugin at a path that a person wrote in place of a platform's name.
func explicitPlugin(path string) (plugin, error) {
	if !strings.ContainsRune(path, filepath.Separator) && filepath.Ext(path) == "" {
		return plugin{}, fmt.Errorf("unknown platform %q: want auto, cpu, cuda, go or the path of a PJRT plugin (.so)", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return plugin{}, err
	}
	if info, err := os.Stat(abs); err != nil {
		return plugin{}, fmt.Errorf("plugin: %w", err)
	} else if info.IsDir() {
		return plugin{}, fmt.Errorf("plugin %s is a folder: name the .so file in it", abs)
	}
	return plugin{abs, kindOf(abs)}, nil
}

// environmentKind returns the platform of the plugin that $BFPO_PJRT_PLUGIN names.
func (s search) environmentKind() (string, bool) {
	path := os.Getenv(EnvPlugin)
	return kindOf(path), path != ""
}

// find returns the plugin of a kind: from the environment, the cache, go-xla's folders, or else the network.
func (s search) find(ctx context.Context, kind string) (plugin, error) {
	if !pjrt.Available {
		return plugin{}, errors.New("this program was built without cgo; build it with cgo on Linux to use XLA")
	}
	if path := os.Getenv(EnvPlugin); path != "" && kindOf(path) == kind {
		p, err := explicitPlugin(path)
		if err != nil {
			return plugin{}, fmt.Errorf("$%s: %w", EnvPlugin, err)
		}
		return p, nil
	}
	if kind == PlatformCUDA {
		if err := checkGPU("/"); err != nil {
			return plugin{}, err
		}
	}
	folders := filepath.SplitList(os.Getenv(EnvPluginFolders))
	if p, ok := inFolders(folders, kind); ok {
		return p, nil
	}
	if kind == PlatformCPU && wheelFits() {
		if path, ok := wheel.Cached(cpuWheel(), s.cache); ok {
			return plugin{path, kind}, nil
		}
	}
	folders = append(folders, goXLAFolders()...)
	if p, ok := inFolders(folders, kind); ok {
		return p, nil
	}
	return s.fetch(ctx, kind, folders)
}

// fetch gets a plugin from the network: the pinned wheel where there is one for this machine, else go-xla's installer if allowed.
func (s search) fetch(ctx context.Context, kind string, looked []string) (plugin, error) {
	err := fmt.Errorf("no %s plugin (%s) in %s", kind, pluginPattern(kind), strings.Join(looked, ", "))
	if wheelFits() {
		path, fetchErr := s.fetchWheels(ctx, kind)
		if fetchErr == nil {
			return plugin{path, kind}, nil
		}
		err = fmt.Errorf("%w; %w", err, fetchErr)
	}
	if s.allowInstaller && os.Getenv(envNoInstall) == "" {
		s.log("letting go-xla install its %s plugin, an XLA build that is not pinned", kind)
		installErr := pjrt.Install()
		if installErr == nil {
			if p, ok := inFolders(looked, kind); ok {
				return p, nil
			}
		} else {
			err = fmt.Errorf("%w; go-xla's installer: %w", err, installErr)
		}
	}
	return plugin{}, fmt.Errorf("%w; set $%s to the path of a plugin", err, EnvPlugin)
}

// fetchWheels gets a kind's pinned wheels and returns the path of the plugin in them.
func (s search) fetchWheels(ctx context.Context, kind string) (string, error) {
	if kind == PlatformCUDA {
		return fetchCUDA(ctx, append(cudaCompiler(), cudaLibraries()...), s.cache, s.log)
	}
	return wheel.Fetch(ctx, cpuWheel(), s.cache, s.log)
}

// wheelFits tells whether the pinned wheels are built for this machine.
func wheelFits() bool { return runtime.GOOS == "linux" && runtime.GOARCH == "amd64" }

// hasGPU tells whether a GPU is here, usable or not.
func hasGPU() bool {
	files, err := filepath.Glob(gpuFiles)
	return err == nil && len(files) > 0
}

// goXLAFolders are the folders where go-xla's installer puts plugins.
func goXLAFolders() []string {
	var folders []string
	if home, err := os.UserHomeDir(); err == nil {
		local := filepath.Join(home, ".local", "lib", "go-xla")
		folders = append(folders, local, filepath.Join(local, "nvidia"))
	}
	return append(folders, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia")
}

// pluginPattern matches the file names of a kind's plugins; the star is for a version.
func pluginPattern(kind string) string { return "pjrt_c_api_" + kind + "*_plugin.so" }

// inFolders returns the first plugin of a kind in folders; an entry may also be a plugin itself.
func inFolders(folders []string, kind string) (plugin, bool) {
	for _, folder := range folders {
		if strings.HasSuffix(folder, ".so") && kindOf(folder) == kind {
			if p, err := explicitPlugin(folder); err == nil {
				return p, true
			}
		}
		files, err := filepath.Glob(filepath.Join(folder, pluginPattern(kind)))
		if err == nil && len(files) > 0 {
			return plugin{files[len(files)-1], kind}, true // the highest version in the order of names
		}
	}
	return plugin{}, false
}
