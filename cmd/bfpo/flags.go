package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/edit"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// errHelp ends a command after -h. It is not a failure.
var errHelp = errors.New("help")

// options are the flags that every command takes, and what lasts while the command runs.
type options struct {
	command command
	set     *flag.FlagSet
	std     stdio

	platform, config, out, model, profile string
	prompts, judge                        string // of redteam only
	devices                               int
	sets                                  values
	quiet, verbose, installer             bool

	endProfile func() error
	printed    *bytes.Buffer // a copy of standard output for -out; nil if the command fills -out itself, or without -out
}

// values is a flag that may be given several times.
type values []string

// String implements flag.Value.
func (v *values) String() string { return strings.Join(*v, " ") }

// Set implements flag.Value. It appends a value.
func (v *values) Set(value string) error {
	*v = append(*v, value)
	return nil
}

// newOptions declares the flags that all commands share. Close the options after the run.
func newOptions(std stdio, c command) *options {
	o := &options{command: c, set: flag.NewFlagSet("bfpo "+c.name, flag.ContinueOnError), std: std}
	out := "`folder` for a copy of the printed output"
	if c.fillsOut {
		out = "output `folder`"
	}
	switch {
	case c.name == "init":
		out += " (default: the working directory)"
	case c.fillsOut && c.name != "export":
		out += " (default runs/NAME)"
	}
	o.set.SetOutput(io.Discard) // parseFlags prints better messages
	o.set.StringVar(&o.platform, "platform", "",
		"`platform`: auto, cpu, cuda, go or the path of a PJRT plugin; auto (the default) takes cuda if there is a GPU,\n"+
			"else cpu, else go")
	o.set.IntVar(&o.devices, "devices", 1, "number `N` of devices")
	o.set.StringVar(&o.config, "config", c.recipe, "`recipe`: a built-in name or a YAML file")
	o.set.Var(&o.sets, "set", "`key=value` for one key of the recipe; may be repeated. It overrides every file, and it\n"+
		"reaches each training stage of a recipe with stages")
	o.set.StringVar(&o.out, "out", "", out)
	o.set.StringVar(&o.model, "model", "", "`model`: a folder, a .gguf file, a hub id[@revision] or a built-in name")
	o.set.StringVar(&o.profile, "profile", "",
		"`folder` for a CPU profile of the host and XLA's dump of the compiled programs")
	o.set.BoolVar(&o.quiet, "q", false, "print only results and errors")
	o.set.BoolVar(&o.verbose, "v", false, "print the memory and compile time of every compiled program")
	o.set.BoolVar(&o.installer, "allow-installer", false,
		"let go-xla download an XLA plugin whose version is not pinned, if no other plugin is found")
	return o
}

// parse reads the flags of a command without arguments and sets up what they ask for. A wrong flag is a usage error
// that names the nearest flag. -h prints all flags and returns errHelp.
func (o *options) parse(args []string) error {
	others, err := o.parseFlags(args)
	switch {
	case err != nil:
		return err
	case len(others) > 0:
		return usage.Errorf("unexpected argument %q: a flag is written -name=value%s; see %s -h", others[0],
			o.flagFor(others[0]), o.set.Name())
	}
	return o.setUp()
}

// flagFor suggests the flag that takes an argument that stands alone, such as a recipe's file.
func (o *options) flagFor(argument string) string {
	name := ""
	switch ext := strings.ToLower(filepath.Ext(argument)); {
	case ext == ".yaml", ext == ".yml":
		name = "config"
	case ext == ".gguf", recipe.PathExists(filepath.Join(argument, "config.json")):
		name = "model"
	}
	if name == "" || o.set.Lookup(name) == nil {
		return ""
	}
	return fmt.Sprintf(" (did you mean -%s=%s?)", name, argument)
}

// parseFlags reads the flags and returns the other arguments, wherever they stand.
func (o *options) parseFlags(args []string) (others []string, err error) {
	for {
		err := o.set.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			if err := o.printUsage(); err != nil {
				return nil, err
			}
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

// printUsage prints what the command does, an example, the JSON that it reads and writes, and all flags.
func (o *options) printUsage() error {
	line := o.set.Name() + " [flags]"
	if o.command.args != "" {
		line += " " + o.command.args
	}
	c := o.command
	about, err := describe(c.summary, c.example, c.reads, c.writes, c.stepwise)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.std.out, "Usage: %s\n\n%s\nFlags:\n", line, about)
	o.set.SetOutput(o.std.out)
	o.set.PrintDefaults()
	return nil
}

// setUp starts the profile and the copy of the output, if flags ask for them.
func (o *options) setUp() (err error) {
	if o.out != "" && !o.command.fillsOut {
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
		o.printed = &bytes.Buffer{}
		o.std.out = io.MultiWriter(o.std.out, o.printed)
	}
	o.endProfile, err = startProfile(o.profile)
	return err
}

// close ends the profile and writes the copy of the output.
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

// nearestFlag returns a question that names the flag most like an unknown one, or nothing if err is not about that.
func (o *options) nearestFlag(err error) string {
	_, unknown, ok := strings.Cut(err.Error(), "flag provided but not defined: -")
	if !ok {
		return ""
	}
	if recipe.IsKey(unknown) {
		return fmt.Sprintf(" (it is a key of the recipe: -set=%s=VALUE)", unknown)
	}
	var names []string
	o.set.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if near := edit.Nearest(unknown, names); near != "" {
		return fmt.Sprintf(" (did you mean -%s?)", near)
	}
	return ""
}

// given reports whether a flag stands on the command line.
func (o *options) given(name string) bool {
	found := false
	o.set.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

//go:embed recipes
var recipeFiles embed.FS

// recipes returns the built-in recipes. The recipe zephyr-7b/bfpo is the file zephyr-7b/bfpo.yaml.
func recipes() (fs.FS, error) { return fs.Sub(recipeFiles, "recipes") }

// recipe loads the recipe of -config. The keys of -set override it, and so do the flags that stand for a key.
func (o *options) recipe() (recipe.Config, error) {
	files, err := recipes()
	if err != nil {
		return recipe.Config{}, err
	}
	return recipe.Load(files, o.config, o.sets, o.keyFlags()...)
}

// keyFlags returns the flags that stand for a key of the recipe.
func (o *options) keyFlags() (typed []recipe.Flag) {
	for _, f := range []struct{ flag, key, value string }{
		{"platform", "platform", o.platform}, {"model", "model_name_or_path", o.model}, {"out", "output_dir", o.out},
		{"prompts", "redteam_prompts", o.prompts}, {"judge", "redteam_judge", o.judge},
	} {
		if o.given(f.flag) || f.value != "" { // chat sets the model without the flag
			typed = append(typed, recipe.Flag{
				Key: f.key, Value: quoted(f.value), Typed: fmt.Sprintf("-%s=%s", f.flag, f.value),
			})
		}
	}
	if o.given("devices") {
		value := strconv.Itoa(o.devices)
		typed = append(typed, recipe.Flag{Key: "devices", Value: value, Typed: "-devices=" + value})
	}
	return typed
}

// quoted returns a text as a YAML string.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// log returns a logger that prints notices to the standard error output, unless -q.
func (o *options) log() *slog.Logger {
	if o.quiet {
		return slog.New(slog.DiscardHandler)
	}
	return track.NewLogger(o.std.err)
}

// command is one entry of the command table. Its function run declares the command's own flags, parses args and does
// the work.
type command struct {
	name     string
	args     string // what follows the flags, for the help text
	summary  string // one phrase for the help text
	example  string // one line for the shell
	recipe   string // the default of -config
	fillsOut bool   // the command writes files to -out; otherwise -out gets a copy of the printed output

	stepwise    bool // after Ctrl-C the command ends the step that it is in, and saves
	endsAnswers bool // the command handles Ctrl-C itself

	reads, writes fieldList // JSON on standard input and output
	run           func(ctx context.Context, o *options, args []string) error
}

// commandName splits the program's arguments into the command and its own arguments. Flags without a command belong to
// the quickstart.
func commandName(args []string) (name string, rest []string) {
	switch {
	case len(args) == 0:
		return "quickstart", nil
	case !strings.HasPrefix(args[0], "-"):
		return args[0], args[1:]
	}
	switch args[0] {
	case "-h", "-help", "--help":
		return "help", args[1:]
	case "-version", "--version":
		return "--version", args[1:]
	}
	return "quickstart", args
}

// findCommand finds a command by its name. The error of an unknown one names the nearest.
func findCommand(all []command, name string) (command, error) {
	names := []string{"help"}
	for _, c := range all {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	near := ""
	if n := edit.Nearest(name, names); n != "" {
		near = fmt.Sprintf(", did you mean %q", n)
	}
	return command{}, usage.Errorf("unknown command %q%s; `bfpo help` lists all commands", name, near)
}

// stdio holds the standard streams of a command.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}
