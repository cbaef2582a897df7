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
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// runtime opens the device and gathers what stages share. Close it after use.
func (o *options) runtime(c recipe.Config) (models.Runtime, func(), error) {
	return o.runtimeWith(c, device.Options{})
}

// runtimeWith is runtime for a device with some options of its own.
func (o *options) runtimeWith(c recipe.Config, with device.Options) (models.Runtime, func(), error) {
	with.Platform, with.Devices, with.TF32, with.AllowInstaller, with.Log = c.Platform, c.Devices, c.TF32, o.installer, o.log
	device, err := device.Open(with)
	if err != nil {
		return models.Runtime{}, nil, err
	}
	rt := models.Runtime{Device: device, Hub: o.hub(), Out: o.std.out, Results: o.std.out, Version: version()}
	if o.quiet {
		rt.Out = io.Discard
	}
	return rt, func() { o.describe(device); device.Close() }, nil
}

// describe prints what was compiled, with -v.
func (o *options) describe(d *device.Device) {
	if !o.verbose {
		return
	}
	for _, c := range d.Compiled() {
		how := "compiled"
		if c.Cached {
			how = "taken from the cache"
		}
		o.log("program %-12s %s in %.2f s, peak %s (inputs %s, outputs %s, of these in place %s, temporary %s)", c.Name, how, c.Seconds,
			track.FormatBytes(c.Inputs+c.Outputs-c.Aliases+c.Temp), track.FormatBytes(c.Inputs), track.FormatBytes(c.Outputs),
			track.FormatBytes(c.Aliases), track.FormatBytes(c.Temp))
	}
}

func (o *options) hub() *hub.Hub { return hub.FromEnvironment(o.log) }

// output is the folder of a run: -out, the recipe's output_dir, or runs/NAME. A NAME that is taken gets a number, so that a second run
// without -out keeps the first; one that resumes goes on in the newest.
func output(c recipe.Config, text string) string {
	if c.OutputDir != "" {
		return c.OutputDir
	}
	name := strings.TrimSuffix(filepath.Base(text), filepath.Ext(text))
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

// open opens the model that -model or the recipe names, without loading its weights.
func (o *options) open(ctx context.Context, c recipe.Config) (*pretrained.Checkpoint, models.Language, error) {
	checkpoint, err := models.Open(ctx, c.Model, o.hub(), "", o.log)
	if err != nil {
		return nil, models.Language{}, err
	}
	language, err := models.NewLanguage(checkpoint, c.ChatTemplate)
	if err != nil {
		return nil, models.Language{}, errors.Join(err, checkpoint.Close())
	}
	if language.Assumed {
		o.log("%s has no chat template: using zephyr's", c.Model)
	}
	return checkpoint, language, nil
}

// loaded is a model on a device.
type loaded struct {
	models.Runtime
	*mistral.Model
	language models.Language
	config   recipe.Config
	close    func()
}

// load opens the device and loads the model there.
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
	model, err := mistral.LoadOn(rt.Device, c.ReplicatedMesh(), checkpoint, c.ComputeType())
	if err != nil {
		done()
		return loaded{}, errors.Join(err, checkpoint.Close())
	}
	return loaded{rt, model, language, c, func() {
		model.Close()
		checkpoint.Close()
		done()
	}}, nil
}
