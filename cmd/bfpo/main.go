// Command bfpo aligns a chat model by Bi-Factorial Preference Optimization and shows what changed.
//
// Without a command it runs the quickstart. `bfpo help` lists the commands, `bfpo COMMAND -h` the flags of a command.
// The work is done by the packages below bfpo. This package reads flags and recipes, prints results and turns errors
// into messages and exit codes. It refuses unknown commands and flags, and names the nearest one.
//
// Files: main.go is the table of commands, flags.go the flags that all commands share, runtime.go opens devices and
// models, and each of the other files is one command or the part that some commands share.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/fault"
)

// commands returns the table of commands in the order of the help text.
func commands() []command {
	return []command{
		{name: "quickstart", summary: "train and evaluate a small real model on built-in rows (the default command)",
			recipe: "quickstart", fillsOut: true, run: runPipeline},
		{name: "sft", summary: "run one supervised stage of a recipe", fillsOut: true, run: runSFT},
		{name: "train", summary: "run one preference stage of a recipe", fillsOut: true, run: runTrain},
		{name: "run", summary: "run all stages of a recipe, each on the model of the stage before",
			fillsOut: true, run: runPipeline},
		{name: "redteam", summary: "train on judged pairs of the model's own answers, and measure it before and after",
			fillsOut: true, run: runRedTeam},
		{name: "eval", summary: "evaluate a model on tasks of lm-evaluation-harness", fillsOut: true, run: runEval},
		{name: "compare", args: "DIR DIR...", summary: "compare evaluations or runs in a table and on a page",
			fillsOut: true, run: runCompare},
		{name: "data", summary: "read, check and show the rows that a recipe would train on", run: runData},
		{name: "plan", summary: "print the memory and arithmetic that training needs, also on GPUs that you do not have",
			run: runPlan},
		{name: "generate", summary: "generate answers to prompts", run: runGenerate},
		{name: "chat", summary: "chat with a model, or with two models side by side", run: runChat},
		{name: "score", summary: "compute log-probabilities of responses, JSON lines in and out", run: runScore},
		{name: "tokenize", summary: "convert text to token ids or back, JSON lines in and out", run: runTokenize},
		{name: "render", summary: "render messages with the chat template, JSON lines in and out", run: runRender},
		{name: "bench", summary: "time the training step on a file of pairs", recipe: "bench", run: runBench},
		{name: "export", summary: "write a model, run or checkpoint as a Hugging Face folder",
			fillsOut: true, run: runExport},
		{name: "version", summary: "print the version, backend, plugin and devices", run: runVersion},
	}
}

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, stdio{os.Stdin, newTerminal(os.Stdout), newTerminal(os.Stderr)}, os.Args[1:]))
}

// Exit codes, a promise to users.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// run runs the command that args name and turns its error into one message and an exit code.
func run(ctx context.Context, std stdio, args []string) int {
	name := "quickstart"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && isHelp(args[0]) {
		name = "help"
	}
	if name == "help" {
		printHelp(std.out)
		return exitDone
	}
	for _, c := range commands() {
		if c.name == name {
			o := newOptions(std, c)
			return exitCode(std.err, errors.Join(o.runRecovered(ctx, args), o.close()), o.verbose)
		}
	}
	fmt.Fprintf(std.err, "bfpo: unknown command %s%s; `bfpo help` lists all commands\n", usage.Quote(name),
		suggestion(name))
	return exitUsage
}

func isHelp(arg string) bool {
	return arg == "-h" || arg == "-help" || arg == "--help"
}

// suggestion returns a question that names the command most like name, or nothing if none is.
func suggestion(name string) string {
	names := make([]string, 0, len(commands()))
	for _, c := range commands() {
		names = append(names, c.name)
	}
	if near := usage.Nearest(name, names); near != "" {
		return fmt.Sprintf(", did you mean %q", near)
	}
	return ""
}

// exitCode prints the message of an error and returns its exit code. Messages may repeat text from files and servers,
// so they are cleaned. The stack of a panic is printed only if verbose is true.
func exitCode(w io.Writer, err error, verbose bool) int {
	if err == nil || errors.Is(err, errHelp) {
		return exitDone
	}
	message, code := err.Error(), exitFailed
	var wrong *usage.Error
	var panicked *fault.Error
	switch {
	case errors.As(err, &panicked):
		if verbose {
			fmt.Fprintf(w, "%s\n", panicked.Stack)
		}
		message += "\n  This is a fault of bfpo. Please report it with the command" + reportAdvice(verbose) +
			" at https://github.com/bfpo-go/bfpo/issues"
	case errors.Is(err, usage.ErrInterrupted):
		code = exitInterrupted
	case errors.Is(err, context.Canceled): // a command that saves nothing
		message, code = "interrupted: "+message, exitInterrupted
	case errors.As(err, &wrong):
		code = exitUsage
	}
	if advice := usage.Advice(err); code == exitFailed && advice != "" {
		message += "\n  what to do: " + advice
	}
	fmt.Fprintln(w, "bfpo:", usage.Clean(message))
	return code
}

// reportAdvice says what a report of a fault needs beside the command.
func reportAdvice(verbose bool) string {
	if verbose {
		return " and the lines above"
	}
	return " and what it prints with -v"
}

// runRecovered runs the command. A panic, which is a fault of the program, becomes an error.
func (o *options) runRecovered(ctx context.Context, args []string) error {
	return fault.Call(func() error { return o.command.run(ctx, o, args) })
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, "bfpo makes a chat model safer without making it less helpful.\n\nUsage: bfpo [COMMAND] [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nA flag is written -name=value or -name value. `bfpo COMMAND -h` lists the flags of a command.\n")
}
