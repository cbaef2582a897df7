package main

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/fields"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

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
	if n := usage.Nearest(name, names); n != "" {
		near = fmt.Sprintf(", did you mean %q", n)
	}
	return command{}, usage.Errorf("unknown command %q%s; `bfpo help` lists all commands", name, near)
}

// capitalized returns a phrase as the beginning of a sentence.
func capitalized(phrase string) string { return strings.ToUpper(phrase[:1]) + phrase[1:] }

// fieldList returns the fields of JSON that a command reads or writes; nil for a command without.
type fieldList func() ([]fields.Field, error)

// describe returns the command's summary, example and JSON.
func (c command) describe() (string, error) {
	text := fmt.Sprintf("%s.\n\nExample:\n  %s\n", capitalized(c.summary), c.example)
	for _, part := range []struct {
		title string
		list  fieldList
	}{{"JSON in", c.reads}, {"JSON out", c.writes}} {
		if part.list == nil {
			continue
		}
		all, err := part.list()
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("\n%s:\n%s", part.title, fields.Text(all, "  "))
	}
	return text, nil
}

// jsonSources are the files that define what commands read and write as JSON.
//
//go:embed data.go generate.go score.go tokens.go
var jsonSources embed.FS

// own lists the JSON fields of a struct of this package.
func own(typeName string) fieldList {
	return func() ([]fields.Field, error) {
		files, err := jsonSources.ReadDir(".")
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			source, err := jsonSources.ReadFile(f.Name())
			if err != nil {
				return nil, err
			}
			if strings.Contains(string(source), "\ntype "+typeName+" struct") {
				return fields.Parse(string(source), typeName, "json")
			}
		}
		return nil, fmt.Errorf("help: no file defines %s", typeName)
	}
}

// dataFields lists what bfpo data -json prints: an object of stages, and the fields of their parts.
func dataFields() (all []fields.Field, err error) {
	for _, part := range []struct{ prefix, typeName string }{
		{"stages[].", "stageView"}, {"stages[].sets[].", "setView"}, {"stages[].sets[].sources[].", "sourceView"},
	} {
		list, err := own(part.typeName)()
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			f.Name = part.prefix + f.Name
			all = append(all, f)
		}
	}
	return all, nil
}

// promptFields lists the two forms of a prompt, which datasets.ParsePrompt reads.
func promptFields() ([]fields.Field, error) {
	return []fields.Field{
		{Name: "messages", Type: "list of {role, content}", Comment: "rendered with the chat template"},
		{Name: "prompt", Type: "text", Comment: "in place of messages: continued as it stands, without the template"},
	}, nil
}
