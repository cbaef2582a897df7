package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/graph/graphtest"
)

func TestPlanJSON(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(mustCall(t, "", "plan", "-config=tiny", "-platform=cpu", "-json")), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d stages: %q", len(lines), lines)
	}
	var p map[string]any
	if err := json.Unmarshal([]byte(lines[1]), &p); err != nil {
		t.Fatal(err)
	}
	n := func(key string) float64 {
		value, ok := p[key].(float64)
		if !ok {
			t.Errorf("no %s", key)
		}
		return value
	}
	if n("parameters") != 151872 || n("trainable_parameters") != 20480 || n("devices") != 1 || n("steps") < 1 {
		t.Errorf("plan %v", p)
	}
	if n("bytes_per_device") != n("inputs")+n("temp")+n("outputs")-n("aliases") || n("flops_per_step") <= 0 ||
		n("compile_seconds") <= 0 {
		t.Errorf("plan %v", p)
	}
}

func TestPlanText(t *testing.T) {
	graphtest.CompileOnlyGPUs(t, "a100", 2) // skips where nothing compiles
	out := mustCall(t, "", "plan", "-config=zephyr-7b/bfpo", "-model=tiny", "-set=max_length=128",
		"-set=max_prompt_length=64", "-gpu=a100", "-devices=2",
		"-set=mesh=zero1", "-v")
	for _, want := range []string{"2 NVIDIA A100", "151.9k parameters", "mesh zero1", "0 % of them with float32", "cuDNN",
		"fits",
		"__cudnn$fmhaScaleBiasSoftmaxBackward(", "matmul(bf16["} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A model that is far too large for the machine: the plan is printed, and the exit code is 1.
func TestPlanDoesNotFit(t *testing.T) {
	large := regexp.MustCompile(`MemAvailable: +\d{9,} kB`)
	if info, err := os.ReadFile("/proc/meminfo"); err != nil || large.Match(info) {
		t.Skip("the memory of this machine is unknown or more than 95 GiB")
	}
	r := call(t, "", "plan", "-config=zephyr-7b/bfpo", "-platform=go", "-set=use_selective=false", "-set=bf16=false",
		"-set=max_length=64", "-set=max_prompt_length=32")
	r.wants(t, exitFailed, "stage bfpo does not fit into the memory of the device")
	for _, want := range []string{"WARNING", "does not fit", "-devices=8 -set=mesh=fsdp"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, r.out)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "want one of h100, h200", []string{"-gpu=tpu", "-config=tiny"}},
		{exitUsage, "-gpu=h100: needs -platform=cuda, not go", []string{"-gpu=h100", "-platform=go", "-config=tiny"}},
	} {
		call(t, "", append([]string{"plan"}, c.args...)...).wants(t, c.code, c.want)
	}
}

// On a machine without a GPU, -platform=cuda is one message: what was looked for, where, and what to do.
func TestCUDAWithoutGPU(t *testing.T) {
	if gpus, err := filepath.Glob("/dev/nvidia[0-9]*"); err != nil || len(gpus) > 0 {
		t.Skip("a GPU is here")
	}
	for _, command := range []string{"quickstart", "train", "version", "plan"} {
		args := []string{command, "-platform=cuda", "-config=tiny", "-out=" + t.TempDir()}
		if command == "train" {
			args[2] = "-config=zephyr-7b/bfpo"
		}
		r := call(t, "", args...)
		r.wants(t, exitFailed, "no NVIDIA GPU", "/dev/nvidia", "-platform=cpu", "bfpo plan -platform=cuda -gpu=h100")
		if strings.Count(strings.TrimSpace(r.err), "\n") != 0 {
			t.Errorf("%s prints more than one line:\n%s", command, r.err)
		}
	}
}
