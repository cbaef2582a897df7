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

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
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

// command is one entry of the command table. Its run declares the flags of its own on o, parses args and does the work.
type command struct {
	name    string
	summary string
	recipe  string // the default of -config
	fills   bool   // -out is the folder it fills; a command that only prints leaves a copy of that there
	run     func(ctx context.Context, o *options, args []string) error
}

// stdio is what a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}
