package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// errHelp ends a command that was asked for its flags; that is no failure.
var errHelp = errors.New("help")

// options are the flags that every command takes, and what they set up for the command's run.
type options struct {
	command command
	set     *flag.FlagSet
	std     stdio

	platform, config, out, model, profile string
	prompts, judge                        string // of redteam
	devices                               int
	sets                                  values
	quiet, verbose, installer             bool

	endProfile func() error
	printed    *bytes.Buffer // what a command that only prints leaves in -out; nil without -out
}

// values is a flag that may be given several times.
type values []string

func (v *values) String() string { return strings.Join(*v, " ") }

// Set appends a value.
func (v *values) Set(value string) error {
	*v = append(*v, value)
	return nil
}

// newOptions declares the flags that a command shares with all others. Close the options after the run.
func newOptions(std stdio, c command) *options {
	o := &options{command: c, set: flag.NewFlagSet("bfpo "+c.name, flag.ContinueOnError), std: std}
	out := "`folder` that gets a copy of what is printed"
	if c.fills {
		out = "output `folder`"
	}
	if c.fills && c.name != "export" {
		out += " (runs/NAME when not given)"
	}
	o.set.SetOutput(io.Discard) // parse says it better
	o.set.StringVar(&o.platform, "platform", "", "auto, cpu, cuda, go or the `path` of a PJRT plugin (auto: cuda when a GPU is there, else cpu, else go)")
	o.set.IntVar(&o.devices, "devices", 1, "`number` of devices")
	o.set.StringVar(&o.config, "config", c.recipe, "`recipe`: a built-in name or a YAML file")
	o.set.Var(&o.sets, "set", "`key=value`: one key of the recipe, beats every file; repeatable")
	o.set.StringVar(&o.out, "out", "", out)
	o.set.StringVar(&o.model, "model", "", "`model`: a folder, a .gguf file, a hub id[@revision] or a built-in name")
	o.set.StringVar(&o.profile, "profile", "", "`folder` for a CPU profile of the host and XLA's dump of the compiled programs")
	o.set.BoolVar(&o.quiet, "q", false, "print results and errors only")
	o.set.BoolVar(&o.verbose, "v", false, "tell of every compiled program: its memory, and how long it took")
	o.set.BoolVar(&o.installer, "allow-installer", false, "let go-xla download its own, unpinned XLA plugin when no other is found")
	return o
}

// parse reads the flags and sets up what they ask for. A wrong flag is a usage error that names the nearest one; -h prints them all.
func (o *options) parse(args []string) error {
	others, err := o.parseFlags(args)
	switch {
	case err != nil:
		return err
	case len(others) > 0:
		return usage.Errorf("unexpected argument %q: flags are written -name=value; see %s -h", others[0], o.set.Name())
	}
	return o.setUp()
}

// parseFlags reads the flags and returns the arguments that stand before, between and behind them.
func (o *options) parseFlags(args []string) (others []string, err error) {
	for {
		err := o.set.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			fmt.Fprintf(o.std.out, "Usage of %s:\n", o.set.Name())
			o.set.SetOutput(o.std.out)
			o.set.PrintDefaults()
			return nil, errHelp
		case err != nil:
			return nil, usage.Errorf("%v%s; see %s -h", err, o.nearestFlag(err), o.set.Name())
		}
		if o.set.NArg() == 0 {
			return others, nil
		}
		others, args = append(others, o.set.Arg(0)), o.set.Args()[1:]
	}
}

// setUp begins what the flags ask for besides the command's own work.
func (o *options) setUp() (err error) {
	if o.out != "" && !o.command.fills {
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
		o.printed = &bytes.Buffer{}
		o.std.out = io.MultiWriter(o.std.out, o.printed)
	}
	o.endProfile, err = startProfile(o.profile)
	return err
}

// close ends the profile and leaves the copy of what was printed.
func (o *options) close() error {
	var errs []error
	if o.endProfile != nil {
		errs = append(errs, o.endProfile())
	}
	if o.printed != nil {
		errs = append(errs, atomicfile.Write(filepath.Join(o.out, o.command.name+".txt"), func(w io.Writer) error {
			_, err := o.printed.WriteTo(w)
			return err
		}))
	}
	return errors.Join(errs...)
}

func (o *options) nearestFlag(err error) string {
	_, unknown, ok := strings.Cut(err.Error(), "flag provided but not defined: -")
	if !ok {
		return ""
	}
	var names []string
	o.set.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if near := usage.Nearest(unknown, names); near != "" {
		return fmt.Sprintf(" (did you mean -%s?)", near)
	}
	return ""
}

// recipe loads the configuration: the recipe, then -set, then the flags that stand for a key.
func (o *options) recipe() (recipe.Config, error) {
	sets := append([]string{}, o.sets...)
	given := map[string]bool{}
	o.set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, f := range []struct{ flag, key, value string }{
		{"platform", "platform", o.platform}, {"model", "model_name_or_path", o.model}, {"out", "output_dir", o.out},
		{"prompts", "redteam_prompts", o.prompts}, {"judge", "redteam_judge", o.judge},
	} {
		if given[f.flag] || f.value != "" { // chat changes the model
			sets = append(sets, f.key+"="+quoted(f.value))
		}
	}
	if given["devices"] {
		sets = append(sets, fmt.Sprintf("devices=%d", o.devices))
	}
	files, err := recipes()
	if err != nil {
		return recipe.Config{}, err
	}
	return recipe.Load(files, o.config, sets)
}

// quoted is a flag's text as a YAML string.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// log prints a notice unless -q.
func (o *options) log(format string, args ...any) {
	if !o.quiet {
		fmt.Fprintf(o.std.err, format+"\n", args...)
	}
}

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
