package device

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/graph/pjrt"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// bareMachine sets the environment of a machine without plugins, Python or a cache, and returns its home folder.
func bareMachine(t *testing.T) (home string) {
	t.Helper()
	if !pjrt.Available {
		t.Skip("built without cgo")
	}
	home = t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "PATH": t.TempDir(), wheel.EnvCache: t.TempDir(),
		EnvPlugin: "", EnvPluginFolders: "", envNoInstall: "1",
	} {
		t.Setenv(name, value)
	}
	return home
}

// touch creates a file that is no library, with its folders, and returns its path.
func touch(t *testing.T, parts ...string) string {
	t.Helper()
	file := filepath.Join(parts...)
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte("not a library"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFindOrder(t *testing.T) {
	home := bareMachine(t)
	s := search{cache: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	find := func(want string) {
		t.Helper()
		p, err := s.find(context.Background(), PlatformCPU)
		if err != nil || p.path != want || p.kind != PlatformCPU {
			t.Errorf("found %+v, %v, want %s", p, err, want)
		}
	}
	installed := touch(t, home, ".local", "lib", "go-xla", "pjrt_c_api_cpu_v0.114.0_plugin.so")
	find(installed)

	folders := t.TempDir()
	touch(t, folders, "b", "pjrt_c_api_cuda_plugin.so")
	inFolder := touch(t, folders, "b", "pjrt_c_api_cpu_plugin.so")
	t.Setenv(EnvPluginFolders, filepath.Join(folders, "a")+string(filepath.ListSeparator)+filepath.Join(folders, "b"))
	find(inFolder)
	t.Setenv(EnvPluginFolders, inFolder)
	find(inFolder)

	named := touch(t, t.TempDir(), "my_plugin.so")
	t.Setenv(EnvPlugin, named)
	find(named)
	t.Setenv(EnvPlugin, named+".gone")
	_, err := s.find(context.Background(), PlatformCPU)
	if err == nil || !strings.Contains(err.Error(), "$"+EnvPlugin) {
		t.Errorf("a plugin path that does not exist: error %v", err)
	}
}

func TestFindNothing(t *testing.T) {
	home := bareMachine(t)
	s := search{cache: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	_, err := s.find(context.Background(), PlatformCPU)
	folder := filepath.Join(home, ".local", "lib", "go-xla")
	for _, want := range []string{"no cpu plugin", folder, "install Python with pip", "$" + EnvPlugin} {
		if err == nil || !strings.Contains(err.Error(), want) && wheelsFit() {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if hasGPU() {
		t.Skip("this machine has a GPU")
	}
	if _, err := Open(Options{Platform: PlatformCUDA}); err == nil || !strings.Contains(err.Error(), gpuFiles) {
		t.Errorf("cuda without a GPU: error %v", err)
	}
}

func TestOpenAutoFallsBack(t *testing.T) {
	for _, broken := range []bool{false, true} {
		home := bareMachine(t)
		if broken {
			touch(t, home, ".local", "lib", "go-xla", "pjrt_c_api_cpu_plugin.so")
		}
		var out strings.Builder
		d, err := Open(Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if d.Platform() != PlatformGo || d.NumDevices() != 1 || d.Plugin() != "" || len(d.CompiledPrograms()) != 0 {
			t.Errorf("platform %s, %s", d.Platform(), d.Describe())
		}
		if _, ok := d.Memory(0); ok {
			t.Error("the Go backend reports memory")
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-1]; !strings.Contains(last, "pure Go backend") || strings.Contains(last, `\n`) {
			t.Errorf("logged %q, want one line on the pure Go backend", lines)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	bareMachine(t)
	for platform, want := range map[string]string{
		"tpu":                              `unknown platform "tpu"`,
		"./gone.so":                        "gone.so",
		t.TempDir():                        "is a folder",
		touch(t, t.TempDir(), "broken.so"): "broken.so",
	} {
		if _, err := Open(Options{Platform: platform}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("platform %s: error %v, want one with %q", platform, err, want)
		}
	}
}
