package main

import (
	"embed"
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/fields"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/train"
)

// capitalized returns a phrase as the beginning of a sentence.
func capitalized(phrase string) string { return strings.ToUpper(phrase[:1]) + phrase[1:] }

// fieldList returns the fields of JSON that a command reads or writes; nil for a command without.
type fieldList func() ([]fields.Field, error)

// describe returns what a command does, an example, and the JSON that it reads and writes; of a command that trains,
// also the JSON of the files that a stage writes.
func describe(summary, example string, reads, writes fieldList, trains bool) (string, error) {
	text := fmt.Sprintf("%s.\n\nExample:\n  %s\n", capitalized(summary), example)
	type part struct {
		title string
		list  fieldList
	}
	parts := []part{{"JSON in", reads}, {"JSON out", writes}}
	if trains {
		metrics := func() ([]fields.Field, error) { return track.Fields(), nil }
		parts = append(parts, part{"metrics.jsonl of a stage, a line for each step and each evaluation", metrics},
			part{"provenance.json of a finished stage, below its key value", train.ProvenanceFields})
	}
	for _, part := range parts {
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
//go:embed generate.go score.go tokens.go
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

// promptFields lists the two forms of a prompt, which datasets.ParsePrompt reads.
func promptFields() ([]fields.Field, error) {
	return []fields.Field{
		{Name: "messages", Type: "list of {role, content}", Comment: "rendered with the chat template"},
		{Name: "tools", Type: "list", Comment: "with messages: what a template writes as tools; or such a list as JSON text"},
		{Name: "documents", Type: "list", Comment: "with messages: what a template writes as documents"},
		{Name: "chat_template_kwargs", Type: "object", Comment: "with messages: further variables of the template"},
		{Name: "prompt", Type: "text", Comment: "in place of messages: continued as it stands, without the template"},
	}, nil
}
