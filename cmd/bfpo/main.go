// Command bfpo aligns a chat model by Bi-Factorial Preference Optimization and shows what changed.
//
// With no command it runs the quickstart. `bfpo help` lists the commands, `bfpo COMMAND -h` the flags of one.
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
)

func commands() []command {
	return []command{
		{"quickstart", "SFT, BFPO and evaluation of a real small model on built-in rows (the default command)", "quickstart", true, runPipeline},
		{"sft", "one supervised stage from a recipe", "", true, runSFT},
		{"train", "one preference stage from a recipe", "", true, runTrain},
		{"run", "the stages that a recipe names, each starting from the one before", "", true, runPipeline},
		{"redteam", "a preference stage on judged pairs of the model's own answers, measured before and after", "", true, runRedTeam},
		{"eval", "lm-evaluation-harness's tasks: numbers for a model", "", true, runEval},
		{"compare", "two or more evaluations or runs side by side: a table and a page", "", true, runCompare},
		{"data", "reads, checks and shows what a recipe would train on", "", false, runData},
		{"plan", "what training would take: memory, arithmetic, compile time, also on GPUs that are not here", "", false, runPlan},
		{"generate", "answers for prompts", "", false, runGenerate},
		{"chat", "talk to a model, or to two side by side", "", false, runChat},
		{"score", "log-probabilities of responses, JSON lines in and out", "", false, runScore},
		{"tokenize", "text to token ids and back, JSON lines in and out", "", false, runTokenize},
		{"render", "messages to text and ids by the chat template, JSON lines in and out", "", false, runRender},
		{"bench", "times the training step on a file of pairs in token ids, beside other programs", "bench", false, runBench},
		{"export", "a run or checkpoint to a Hugging Face folder", "", true, runExport},
		{"version", "version, backend, plugin and devices", "", false, runVersion},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, stdio{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

// Exit codes, as documented for users.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// run finds the command that args name, runs it and turns its error into an exit code and one message.
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
			return exitCode(std.err, errors.Join(c.run(ctx, o, args), o.close()))
		}
	}
	fmt.Fprintf(std.err, "bfpo: unknown command %q%s; `bfpo help` lists them\n", name, suggestion(name))
	return exitUsage
}

func isHelp(arg string) bool {
	return arg == "-h" || arg == "-help" || arg == "--help"
}

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

func exitCode(w io.Writer, err error) int {
	var wrong *usage.Error
	switch {
	case err == nil, errors.Is(err, errHelp):
		return exitDone
	case errors.Is(err, usage.ErrInterrupted):
		fmt.Fprintln(w, "bfpo:", err)
		return exitInterrupted
	case errors.Is(err, context.Canceled): // there was nothing to save
		fmt.Fprintln(w, "bfpo: interrupted:", err)
		return exitInterrupted
	case errors.As(err, &wrong):
		fmt.Fprintln(w, "bfpo:", err)
		return exitUsage
	}
	fmt.Fprintln(w, "bfpo:", err)
	return exitFailed
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, "bfpo makes a chat model safer without making it less helpful.\n\nUsage: bfpo [command] [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nFlags take -name=value or -name value; `bfpo COMMAND -h` shows those of one command.\n")
}
