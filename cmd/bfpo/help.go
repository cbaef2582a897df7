package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/bfpo/fields"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/edit"
)

// helpTopics are the words after help that are no command.
const helpTopics = "keys, tasks or recipes"

// runHelp prints the list of commands, the help of one command, or a list: keys, tasks or recipes.
func runHelp(ctx context.Context, w io.Writer, commands []command, args []string) error {
	var words []string
	asJSON := false
	for _, arg := range args {
		switch {
		case arg == "-json" || arg == "--json":
			asJSON = true
		case strings.HasPrefix(arg, "-"):
			return usage.Errorf("help: unknown flag %s: only -json is there", arg)
		default:
			words = append(words, arg)
		}
	}
	if len(words) > 1 {
		return usage.Errorf("help: want one command, or %s, not %q", helpTopics, words)
	}
	topic := strings.Join(words, "")
	switch topic {
	case "":
		return printCommands(w, commands, asJSON)
	case "keys":
		return printKeys(w, asJSON)
	case "tasks":
		return printTasks(w, asJSON)
	case "recipes":
		return printRecipes(w, asJSON)
	}
	if asJSON {
		return usage.Errorf("help %s: -json is for the lists: %s", topic, helpTopics)
	}
	c, err := findCommand(commands, topic)
	if err != nil {
		return fmt.Errorf("%w, `bfpo help` also has %s", err, helpTopics)
	}
	o := newOptions(stdio{strings.NewReader(""), w, io.Discard}, c)
	return c.run(ctx, o, []string{"-h"})
}

// listed is one entry of a list in help.
type listed struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

// printList prints a list, as text or as one JSON array.
func printList(w io.Writer, all []listed, asJSON bool) error {
	if asJSON {
		return writeLine(w, all)
	}
	width := 0
	for _, l := range all {
		width = max(width, len(l.Name))
	}
	for _, l := range all {
		fmt.Fprintf(w, "  %-*s  %s\n", width, l.Name, l.About)
	}
	return nil
}

// printCommands prints all commands.
func printCommands(w io.Writer, commands []command, asJSON bool) error {
	var all []listed
	for _, c := range commands {
		all = append(all, listed{c.name, c.summary})
	}
	if asJSON {
		return printList(w, all, true)
	}
	fmt.Fprint(w, "bfpo makes a chat model safer without making it less helpful.\n\nUsage: bfpo [COMMAND] [flags]\n\n")
	if err := printList(w, all, false); err != nil {
		return err
	}
	_, err := fmt.Fprint(w, `
A flag is written -name=value or -name value.

  bfpo help COMMAND    what a command does, an example, its JSON and its flags (the same as bfpo COMMAND -h)
  bfpo help keys       the keys of a recipe
  bfpo help tasks      the tasks of bfpo eval
  bfpo help recipes    the built-in recipes
  bfpo --version       the version
`)
	return err
}

// printKeys prints all keys of a recipe by section.
func printKeys(w io.Writer, asJSON bool) error {
	keys, err := recipe.Keys()
	if err != nil || asJSON {
		if err == nil {
			err = writeLine(w, keys)
		}
		return err
	}
	for len(keys) > 0 {
		section := keys[0].Section
		n := slices.IndexFunc(keys, func(f fields.Field) bool { return f.Section != section })
		if n < 0 {
			n = len(keys)
		}
		fmt.Fprintf(w, "%s\n%s\n", section, fields.Text(keys[:n], "  "))
		keys = keys[n:]
	}
	stage, err := recipe.EvalStageKeys()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "A stage eval, in stages\n%s\n", fields.Text(stage, "  "))
	gate, err := recipe.GateKeys()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "The mapping gate of bfpo gate, beside the keys of a stage eval\n%s\n", fields.Text(gate, "  "))
	fmt.Fprintf(w, "The mapping study of bfpo study, beside the keys of a stage eval\n%s\n",
		fields.Text(recipe.StudyKeys(), "  "))
	_, err = fmt.Fprintf(w,
		"Accepted without effect: they are about the Python process, or about what is off here, such as LoRA:\n  %s\n",
		strings.Join(recipe.KeysWithoutEffect(), ", "))
	return err
}

// printTasks prints the built-in tasks of bfpo eval.
func printTasks(w io.Writer, asJSON bool) error {
	catalog, err := task.NewCatalog("", edit.Nearest)
	if err != nil {
		return err
	}
	tasks, _, err := catalog.Select(catalog.Names())
	if err != nil {
		return err
	}
	var all []listed
	for _, t := range tasks {
		var metrics []string
		for _, m := range t.Metrics {
			metrics = append(metrics, m.Name)
		}
		about := strings.ReplaceAll(t.Output, "_", " ") + ", " + strings.Join(metrics, ", ")
		if t.Judged() {
			about += " (a judge rates the answers)"
		}
		all = append(all, listed{t.Name, about})
	}
	return printList(w, all, asJSON)
}

// printRecipes prints the built-in recipes with the first sentence of their comments.
func printRecipes(w io.Writer, asJSON bool) error {
	files, err := recipes()
	if err != nil {
		return err
	}
	var all []listed
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(files, name)
		all = append(all, listed{strings.TrimSuffix(name, ".yaml"), firstSentence(string(text))})
		return err
	})
	if err != nil {
		return err
	}
	return printList(w, all, asJSON)
}

// firstSentence returns the first sentence of the comment that a recipe begins with.
func firstSentence(text string) string {
	var words []string
	for line := range strings.Lines(text) {
		line, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !ok || strings.TrimSpace(line) == "" {
			break
		}
		words = append(words, strings.Fields(line)...)
	}
	sentence, _, _ := strings.Cut(strings.Join(words, " "), ". ")
	return strings.TrimSuffix(sentence, ".")
}
