package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/graph/pjrt"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// Environment variables that name plugins.
const (
	// EnvPlugin holds the path of one plugin.
	EnvPlugin = "BFPO_PJRT_PLUGIN"
	// EnvPluginFolders holds a list of folders with plugins, in the format of $PATH; go-xla reads the same variable.
	EnvPluginFolders = "PJRT_PLUGIN_LIBRARY_PATH"
	// envNoInstall forbids go-xla's installer, whatever Options.AllowInstaller is.
	envNoInstall = "GOMLX_NO_AUTO_INSTALL"
)

// The platforms that Device.Platform returns.
const (
	PlatformCPU  = "cpu"  // XLA on the host's processor
	PlatformCUDA = "cuda" // XLA on NVIDIA GPUs
	PlatformGo   = "go"   // GoMLX's backend in pure Go: one device, no DynamicSlice, much slower than XLA
)

// plugin is a PJRT plugin on disk.
type plugin struct {
	path string
	kind string // PlatformCPU or PlatformCUDA
}

// search looks for plugins on this machine.
type search struct {
	cache          string
	allowInstaller bool
	log            *slog.Logger
}

// pluginKind guesses a plugin's platform from its file name, as go-xla does: a plugin reports it only once it runs.
func pluginKind(path string) string {
	name := strings.ToLower(filepath.Base(path))
	if strings.Contains(name, "cuda") || strings.Contains(name, "gpu") {
		return PlatformCUDA
	}
	return PlatformCPU
}

// explicitPlugin returns the plugin at a path that the user gave in place of a platform's name.
func explicitPlugin(path string) (plugin, error) {
	if !strings.ContainsRune(path, filepath.Separator) && filepath.Ext(path) == "" {
		return plugin{}, fmt.Errorf(
			"unknown platform %q: want auto, cpu, cuda, go or the path of a PJRT plugin (.so)", path)
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
	return plugin{abs, pluginKind(abs)}, nil
}

// environmentKind returns the platform of the plugin that $BFPO_PJRT_PLUGIN names.
func (s search) environmentKind() (string, bool) {
	path := os.Getenv(EnvPlugin)
	return pluginKind(path), path != ""
}

// find returns a plugin of a kind: from the environment, the cache, go-xla's folders, or else the network.
func (s search) find(ctx context.Context, kind string) (plugin, error) {
	if !pjrt.Available {
		return plugin{}, errors.New("this program was built without cgo; build it with cgo on Linux to use XLA")
	}
	if path := os.Getenv(EnvPlugin); path != "" && pluginKind(path) == kind {
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
	if p, ok := findInFolders(folders, kind); ok {
		return p, nil
	}
	if kind == PlatformCPU && wheelsFit() {
		if err := wheel.CheckTrust(cpuWheel(), s.cache); err != nil {
			return plugin{}, err
		}
		if path, ok := wheel.Cached(cpuWheel(), s.cache); ok {
			return plugin{path, kind}, nil
		}
	}
	folders = append(folders, goXLAFolders()...)
	if p, ok := findInFolders(folders, kind); ok {
		return p, nil
	}
	return s.fetch(ctx, kind, folders)
}

// fetch downloads a plugin: the pinned wheel if there is one for this machine, else by go-xla's installer if that is
// allowed. searched are the folders that had none.
func (s search) fetch(ctx context.Context, kind string, searched []string) (plugin, error) {
	err := fmt.Errorf("no %s plugin (%s) in %s", kind, pluginPattern(kind), strings.Join(searched, ", "))
	if wheelsFit() {
		path, fetchErr := s.fetchWheels(ctx, kind)
		if fetchErr == nil {
			return plugin{path, kind}, nil
		}
		err = fmt.Errorf("%w; %w", err, fetchErr)
	}
	if s.allowInstaller && os.Getenv(envNoInstall) == "" {
		s.log.Info(fmt.Sprintf("letting go-xla install its %s plugin, an XLA build that is not pinned", kind))
		installErr := pjrt.Install()
		if installErr == nil {
			if p, ok := findInFolders(searched, kind); ok {
				return p, nil
			}
		} else {
			err = fmt.Errorf("%w; go-xla's installer: %w", err, installErr)
		}
	}
	return plugin{}, fmt.Errorf("%w; set $%s to the path of a plugin", err, EnvPlugin)
}

// fetchWheels downloads the pinned wheels of a kind and returns the path of the plugin in them.
func (s search) fetchWheels(ctx context.Context, kind string) (string, error) {
	if kind == PlatformCUDA {
		return fetchCUDA(ctx, append(cudaCompiler(), cudaLibraries()...), s.cache, s.log)
	}
	return wheel.Fetch(ctx, cpuWheel(), s.cache, s.log)
}

// goXLAFolders returns the folders that go-xla's installer puts plugins into.
func goXLAFolders() []string {
	var folders []string
	if home, err := os.UserHomeDir(); err == nil {
		local := filepath.Join(home, ".local", "lib", "go-xla")
		folders = append(folders, local, filepath.Join(local, "nvidia"))
	}
	return append(folders, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia")
}

// pluginPattern returns the glob pattern of a kind's plugin files; the star stands for a version.
func pluginPattern(kind string) string { return "pjrt_c_api_" + kind + "*_plugin.so" }

// findInFolders returns the first plugin of a kind in folders; an entry may also be the path of a plugin itself.
func findInFolders(folders []string, kind string) (plugin, bool) {
	for _, folder := range folders {
		if strings.HasSuffix(folder, ".so") && pluginKind(folder) == kind {
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
