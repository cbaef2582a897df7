package main

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

func TestNaNLoss(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	r := call(t, "", "train", "-platform=go", "-config="+writeRecipe(t, ""), "-set=learning_rate=1e30",
		"-set=save_steps=1", "-out="+out)
	r.wants(t, exitFailed, "step 2", "NaN", "rows of the step: quickstart/safety#", "quickstart/helpful#",
		"last good checkpoint is "+
			filepath.Join(out, "checkpoints", "step-1"))
	noLeftovers(t, out)
	absent(t, filepath.Join(out, "model"))
	absent(t, filepath.Join(out, "checkpoints", "step-2"))
	records, err := track.ReadMetrics(filepath.Join(out, "metrics.jsonl"))
	if err != nil || len(records) != 1 {
		t.Errorf("metrics: %d records, %v", len(records), err)
	}
	// What was kept can be exported.
	model := filepath.Join(t.TempDir(), "model")
	mustCall(t, "", "export", "-model="+filepath.Join(out, "checkpoints", "step-1"), "-out="+model)
	mustCall(t, "", "render", "-model="+model)
}

func TestNaNWeights(t *testing.T) {
	model := tinyFolder(t)
	rewriteWeights(t, model, func(d *safetensors.Tensor) {
		if d.Name == "model.layers.0.mlp.up_proj.weight" {
			binary.LittleEndian.PutUint32(d.Bytes, math.Float32bits(float32(math.NaN())))
		}
	})
	out := filepath.Join(t.TempDir(), "out")
	call(t, "", "train", "-platform=go", "-config="+writeRecipe(t, ""), "-model="+model, "-out="+out).
		wants(t, exitFailed, model, "model.safetensors", "tensor model.layers.0.mlp.up_proj.weight: element 0 is NaN")
	absent(t, out)
}

func TestUnwritableOutput(t *testing.T) {
	// Below a regular file: a folder without write permission is no obstacle to root.
	file := write(t, filepath.Join(t.TempDir(), "file"), "")
	out := filepath.Join(file, "out")
	for _, args := range [][]string{
		{"train", "-platform=go", "-config=" + writeRecipe(t, "")},
		{"run", "-platform=go", "-config=tiny"},
		{"export", "-model=tiny"},
		{"tokenize", "-model=tiny"},
	} {
		call(t, "", append(args, "-out="+out)...).wants(t, exitFailed, file, "not a directory")
	}
	if os.Getuid() == 0 {
		t.Log("run as root: a folder of mode 0555 was not tried")
		return
	}
	dir := filepath.Join(t.TempDir(), "readonly")
	if err := os.Mkdir(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	call(t, "", "train", "-platform=go", "-config="+writeRecipe(t, ""), "-out="+dir).wants(t, exitFailed, dir,
		"permission denied", "make the folder "+dir+" writable")
}

func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=800k"); err != nil {
		t.Skipf("a small disk needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	out := filepath.Join(disk, "out")
	args := []string{"train", "-platform=go", "-config=" + writeRecipe(t, ""), "-set=use_selective=true",
		"-set=selected_layers=down_proj",
		"-set=max_steps=2", "-set=save_steps=1", "-out=" + out}
	call(t, "", args...).wants(t, exitFailed, "no space left on device", "model",
		"what to do: free space in "+out) // checkpoints fit, the model does not
	noLeftovers(t, out)
	absent(t, filepath.Join(out, "model"))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	mustCall(t, "", append(args, "-set=resume_from_checkpoint=true")...)
	noLeftovers(t, out)
	elsewhere := filepath.Join(t.TempDir(), "out")
	mustCall(t, "", append(args[:len(args)-1:len(args)-1], "-out="+elsewhere)...)
	sameFile(t, elsewhere, out, "model/model.safetensors")
}

// A disk that is full at the second checkpoint costs neither the first one nor the run.
func TestFullDiskAtCheckpoint(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("a small disk needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	out := filepath.Join(disk, "out")
	args := []string{"train", "-platform=go", "-config=" + writeRecipe(t, ""), "-set=use_selective=false",
		"-set=max_steps=2", "-set=save_steps=1", "-out=" + out}
	call(t, "", args...).wants(t, exitFailed, "no space left on device",
		"the last good checkpoint is "+filepath.Join(out, "checkpoints", "step-1")+": continue there with",
		"what to do: free space in "+filepath.Join(out, "checkpoints")+",")
	noLeftovers(t, out)
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	mustCall(t, "", append(args, "-set=resume_from_checkpoint=true")...)
}

func TestOutputFolderInUse(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	args := []string{"train", "-platform=go", "-config=" + writeRecipe(t, ""), "-set=max_steps=1", "-out=" + out}
	mustCall(t, "", append(args, "-q")...)
	config := string(read(t, filepath.Join(out, "config.yaml")))
	call(t, "", args...).wants(t, exitUsage, out+" holds a finished run", "overwrite_output_dir=true")
	// What cannot run must not cost what is there.
	call(t, "", append(args, "-set=overwrite_output_dir=true", "-set=dataset_mixer=none.jsonl")...).wants(t, exitFailed,
		"none.jsonl")
	if string(read(t, filepath.Join(out, "config.yaml"))) != config || !rundir.Finished(out) {
		t.Error("a run that could not begin changed the folder of another")
	}
	mustCall(t, "", append(args, "-set=overwrite_output_dir=true", "-set=seed=1")...)
	noLeftovers(t, out)
}
