package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// runtime opens the device and returns what all stages share, with a function that closes the device.
func (o *options) runtime(c recipe.Config) (models.Runtime, func(), error) {
	return o.runtimeWith(c, device.Options{})
}

// runtimeWith opens the device with options that no flag sets. It fills in the others.
func (o *options) runtimeWith(c recipe.Config, with device.Options) (models.Runtime, func(), error) {
	with.Platform, with.Devices, with.TF32 = c.Platform, c.Devices, c.TF32
	with.AllowInstaller, with.Log = o.installer, o.log()
	d, err := device.Open(with)
	if err != nil {
		return models.Runtime{}, nil, err
	}
	rt := models.Runtime{Device: d, Hub: o.hub(), Out: o.std.out, Results: o.std.out, Version: version()}
	if o.quiet {
		rt.Out = io.Discard
	}
	return rt, func() { o.describe(d); d.Close() }, nil
}

// describe logs the programs that a device has compiled, with -v.
func (o *options) describe(d *device.Device) {
	if !o.verbose {
		return
	}
	for _, c := range d.CompiledPrograms() {
		how := "compiled"
		if c.Cached {
			how = "read from the cache"
		}
		size := track.FormatBytes
		o.log().Info(fmt.Sprintf("program %-12s %s in %.2f s, peak %s (inputs %s, outputs %s, of these in place %s, "+
			"temporary %s)", c.Name, how, c.Seconds, size(c.Inputs+c.Outputs-c.Aliases+c.Temp), size(c.Inputs),
			size(c.Outputs), size(c.Aliases), size(c.Temp)))
	}
}

func (o *options) hub() *hub.Hub { return hub.FromEnvironment(o.log()) }

// output returns the output folder of a run: -out, or the recipe's output_dir, or else runs/NAME with the name of a
// recipe or its file. If that folder exists, the run gets runs/NAME-2 and so on, so that earlier runs are kept. A run
// that resumes or overwrites gets the newest of these folders.
func output(c recipe.Config, recipeName string) string {
	if c.OutputDir != "" {
		return c.OutputDir
	}
	name := strings.TrimSuffix(filepath.Base(recipeName), filepath.Ext(recipeName))
	if name == "." || name == "" {
		name = "run"
	}
	first := filepath.Join("runs", name)
	newest, next := "", first
	for i := 2; ; i++ {
		if _, err := os.Stat(next); err != nil {
			break
		}
		newest, next = next, fmt.Sprintf("%s-%d", first, i)
	}
	if newest != "" && (c.ResumeFromCheckpoint == recipe.On || c.OverwriteOutputDir) {
		return newest
	}
	return next
}

// refuseExisting refuses to replace a file of results, unless the recipe says so.
func refuseExisting(path string, c recipe.Config) error {
	if _, err := os.Stat(path); err == nil && !c.OverwriteOutputDir {
		return usage.Errorf("%s exists: choose another -out, or replace it with -set=overwrite_output_dir=true", path)
	}
	return nil
}

// claim creates the output folder dir, unless it exists, and keeps other processes from writing to it until release is
// called. It refuses a folder with links where a command writes. release removes a folder that claim made and that
// stayed empty.
func claim(dir string) (release func(), err error) {
	made := !recipe.PathExists(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w; choose another -out", err)
	}
	unlock, err := rundir.Lock(dir)
	if err != nil {
		return nil, err
	}
	release = func() {
		unlock()
		if made {
			os.Remove(dir) // fails, as it should, where something was written
		}
	}
	if err := rundir.CheckLinks(dir); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// open opens the model of a recipe without loading its weights.
func (o *options) open(ctx context.Context, c recipe.Config) (*pretrained.Model, models.ChatTokenizer, error) {
	checkpoint, err := models.Open(ctx, c.Model, o.hub(), "", o.log())
	if err != nil {
		return nil, models.ChatTokenizer{}, err
	}
	language, err := models.NewChatTokenizer(ctx, checkpoint, c)
	if err != nil {
		return nil, models.ChatTokenizer{}, errors.Join(err, checkpoint.Close())
	}
	o.noteLanguage(language, c.Model)
	return checkpoint, language, nil
}

// noteLanguage says what is unusual about a model's tokenizer and chat template.
func (o *options) noteLanguage(language models.ChatTokenizer, model string) {
	for _, notice := range language.Notices() {
		o.log().Info(notice)
	}
	if language.UsesDefaultTemplate {
		o.log().Info(fmt.Sprintf("%s has no chat template: using the template of zephyr", model))
	}
}

// loaded is a model on a device. Call close after use.
type loaded struct {
	models.Runtime
	*mistral.Model
	language models.ChatTokenizer
	config   recipe.Config
	close    func()

	stored *pretrained.Model
}

// explain names the tensor behind an error about logits that are not finite, if the stored model has such weights.
func (m loaded) explain(err error) error {
	if errors.Is(err, mistral.ErrNotFinite) {
		if found := m.stored.CheckFinite(); found != nil {
			return found
		}
	}
	return err
}

// noteGeneration says what of the model's settings for generation is not read.
func (o *options) noteGeneration(m loaded) {
	if notice := m.stored.GenerationNotice(); notice != "" {
		o.log().Warn(notice)
	}
}

// load opens the device and loads the model of the recipe there.
func (o *options) load(ctx context.Context) (loaded, error) {
	c, err := o.recipe()
	if err != nil {
		return loaded{}, err
	}
	checkpoint, language, err := o.open(ctx, c)
	if err != nil {
		return loaded{}, err
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return loaded{}, errors.Join(err, checkpoint.Close())
	}
	if track.IsTerminal(o.std.err) && !o.quiet { // the weights of a large model take half a minute
		status := track.NewStatus(o.std.err, o.command.name)
		status.Begin("loading " + c.Model)
		defer status.Close()
	}
	model, err := mistral.LoadOnMesh(rt.Device, c.InferenceMesh(), checkpoint, c.ComputeDType(rt.Device.FastBF16()))
	if err != nil {
		done()
		return loaded{}, errors.Join(err, checkpoint.Close())
	}
	closeAll := func() {
		model.Close()
		checkpoint.Close()
		done()
	}
	return loaded{rt, model, language, c, closeAll, checkpoint}, nil
}
