// Command bfpo aligns a chat model by Bi-Factorial Preference Optimization and shows what changed.
//
// Without a command it runs the quickstart. `bfpo help` lists the commands, `bfpo COMMAND -h` the flags of a command.
// The work is done by the packages below bfpo. This package reads flags and recipes, prints results and turns errors
// into messages and exit codes. It refuses unknown commands and flags, and names the nearest one.
//
// Files: main.go is the table of commands, flags.go the flags that all commands share, describe.go the help of a
// command, runtime.go opens devices and models, interrupt.go handles Ctrl-C, and each of the other files is one command
// or the part that some commands share.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/bench"
	"github.com/bfpo-go/bfpo/bfpo/gate"
	"github.com/bfpo-go/bfpo/bfpo/plan"
	"github.com/bfpo-go/bfpo/bfpo/preview"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/fault"
)

// commands returns the table of commands in the order of the help text.
func commands() []command { return append(runCommands(), toolCommands()...) }

// runCommands returns the commands that train, evaluate and compare.
func runCommands() []command {
	return []command{
		{name: "quickstart", summary: "train and evaluate a small real model on built-in rows (the default command)",
			example: "bfpo quickstart -set=learning_rate=1e-5", recipe: "quickstart", fillsOut: true, stepwise: true,
			run: runPipeline},
		{name: "init", summary: "write a recipe, mine.yaml, and thirty example rows to begin with",
			example: "bfpo init && bfpo run -config=mine.yaml", fillsOut: true, run: runInit},
		{name: "sft", summary: "run one supervised stage of a recipe",
			example: "bfpo sft -config=sft.yaml -out=runs/sft", fillsOut: true, stepwise: true, run: runSFT},
		{name: "train", summary: "run one preference stage of a recipe",
			example: "bfpo train -config=safety.yaml -out=runs/safety", fillsOut: true, stepwise: true, run: runTrain},
		{name: "run", summary: "run all stages of a recipe, each on the model of the stage before",
			example: "bfpo run -config=tiny", fillsOut: true, stepwise: true, run: runPipeline},
		{name: "redteam", summary: "train on judged pairs of the model's own answers, and measure it before and after",
			example: "bfpo redteam -config=tiny/redteam", fillsOut: true, stepwise: true, run: runRedTeam},
		{name: "eval", summary: "evaluate a model on tasks of lm-evaluation-harness",
			example: "bfpo eval -model=tiny -tasks=truthfulqa_mc1 -limit=20 -out=runs/eval", fillsOut: true, run: runEval},
		{name: "compare", args: "DIR [DIR...]", summary: "compare evaluations or runs in a table and on a page",
			example: "bfpo compare runs/quickstart", fillsOut: true, run: runCompare},
		{name: "gate", args: "BEFORE AFTER",
			summary: "measure two models on the same rows, and exit with 1 if the second is worse",
			example: "bfpo gate tiny runs/mine/1-bfpo", recipe: "gate", fillsOut: true, writes: gate.Fields,
			run: runGate},
		{name: "study", summary: "train a model with several objectives on the same rows, and compare the results",
			example: "bfpo study -model=tiny -set=max_steps=2 -out=runs/study", recipe: "study", fillsOut: true,
			stepwise: true, run: runStudy},
	}
}

// toolCommands returns the commands for rows, text and models.
func toolCommands() []command {
	return []command{
		{name: "data", summary: "read, check and show the rows that a recipe would train on",
			example: "bfpo data -config=tiny -json", writes: preview.Fields, run: runData},
		{name: "plan", summary: "print the memory and arithmetic that training needs, also on GPUs that you do not have",
			example: "bfpo plan -config=zephyr-7b/bfpo -platform=cuda -gpu=h100", writes: plan.Fields, run: runPlan},
		{name: "generate", summary: "generate answers to prompts",
			example: "bfpo generate -model=tiny -prompt='How do I boil an egg?'", reads: promptFields,
			writes: own("answerLine"), run: runGenerate},
		{name: "chat", summary: "chat with a model, or with two side by side; /compare MODEL, /new and /quit are commands",
			example: "bfpo chat -model=tiny", endsAnswers: true, run: runChat},
		{name: "score", summary: "compute log-probabilities of responses, JSON lines in and out",
			example: `echo '{"prompt": "Two and two is", "response": " four"}' | bfpo score -model=tiny`,
			reads:   own("scoreInput"), writes: own("scoreLine"), run: runScore},
		{name: "tokenize", summary: "convert text to token ids or back, JSON lines in and out",
			example: `echo '{"text": "Hello"}' | bfpo tokenize -model=tiny`,
			reads:   own("textObject"), writes: own("idsObject"), run: runTokenize},
		{name: "render", summary: "render messages with the chat template, JSON lines in and out",
			example: `echo '{"messages": [{"role": "user", "content": "Hi"}]}' | bfpo render -model=tiny`,
			reads:   own("messagesObject"), writes: own("renderedObject"), run: runRender},
		{name: "bench", summary: "time the training step on a file of pairs",
			example: "bfpo bench -pairs=pairs.jsonl -batch=2 -model=tiny", recipe: "bench", writes: bench.Fields, run: runBench},
		{name: "export", summary: "write a model, run or checkpoint as a Hugging Face folder",
			example: "bfpo export -model=runs/mine/1-bfpo -out=exported", fillsOut: true, run: runExport},
		{name: "version", summary: "print the version, backend, plugin and devices",
			example: "bfpo version", run: runVersion},
	}
}

func main() {
	std := stdio{os.Stdin, newTerminal(os.Stdout), newTerminal(os.Stderr)}
	name, _ := commandName(os.Args[1:])
	c, _ := findCommand(commands(), name) // run reports an unknown command
	os.Exit(run(untilInterrupted(std.err, c), std, os.Args[1:]))
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
	name, args := commandName(args)
	switch name {
	case "help":
		return exitCode(std.err, runHelp(ctx, std.out, commands(), args), false)
	case "--version":
		fmt.Fprintln(std.out, versionLine())
		return exitDone
	}
	c, err := findCommand(commands(), name)
	if err != nil {
		return exitCode(std.err, err, false)
	}
	o := newOptions(std, c)
	return exitCode(std.err, errors.Join(o.runRecovered(ctx, args), o.close()), o.verbose)
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
		where := strings.Replace(message, context.Canceled.Error(), "", 1) // package context's words say nothing
		where = strings.NewReplacer(": ;", ";", ": \n", "\n").Replace("interrupted: " + where)
		message, code = strings.TrimSuffix(strings.TrimSuffix(where, ": "), ": "), exitInterrupted
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
