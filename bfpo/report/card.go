package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

//go:embed card.md
var cardTemplate string

// Card is a model card: the README.md of a model folder, with the YAML front matter that the Hugging Face hub reads.
type Card struct {
	Name       string         // the new model's name
	Base       string         // the model that training started from, or that was exported: a hub id, or a path
	License    string         // the base model's; empty if unknown
	Datasets   []string       // named as in the recipe
	Objective  bfpo.Objective // without a name for a model that was not trained
	Trained    string         // what was trained, e.g. "26.5M parameters in 30 tensors (down_proj)"
	Settings   []Fact         // hyperparameters
	Results    []Fact         // losses, steps and time of the training
	Comparison Comparison
	Version    string // the version of bfpo
}

// frontMatter is the YAML block at the head of a card. base_model and datasets take hub ids only, so local models and
// files are left out of them.
type frontMatter struct {
	BaseModel string   `yaml:"base_model,omitempty"`
	License   string   `yaml:"license,omitempty"`
	Library   string   `yaml:"library_name"`
	Pipeline  string   `yaml:"pipeline_tag"`
	Datasets  []string `yaml:"datasets,omitempty"`
	Tags      []string `yaml:"tags"`
}

// WriteCard writes the card to a path, atomically. Beside the card are the model's files or, in the folder of a run,
// the subfolder rundir.Model with them.
func WriteCard(path string, c Card) error {
	head := frontMatter{
		License: c.License, Library: "transformers", Pipeline: "text-generation",
		BaseModel: hubName(originModel(c.Base)),
	}
	if c.Objective.Name != "" {
		head.Tags = []string{c.Objective.Name, "alignment"}
	}
	if c.Objective.Name != "bfpo" {
		head.Tags = append(head.Tags, "bfpo")
	}
	c.Base = ModelName(c.Base)
	c.Datasets = slices.Clone(c.Datasets)
	for i, set := range c.Datasets {
		if id, _, _ := strings.Cut(set, "@"); isHubID(id) { // a mixer may pin a revision: ID@REVISION
			head.Datasets = append(head.Datasets, id)
		}
		c.Datasets[i] = ModelName(set)
	}
	front, err := yaml.Marshal(head)
	if err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	funcs := template.FuncMap{"cell": tableCell, "code": codeSpan, "equation": bfpo.Objective.Equation}
	page, err := template.New("card").Funcs(funcs).Parse(cardTemplate)
	if err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	folder := "PATH_OF_THIS_FOLDER"
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), rundir.Model)); err == nil {
		folder += "/" + rundir.Model
	}
	var text bytes.Buffer
	if err := page.Execute(&text, struct {
		Card
		FrontMatter, Folder string
	}{c, string(front), folder}); err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(text.Bytes())
		return err
	})
}

// tableCell escapes text for a cell of a Markdown table, so that it stays in its cell and is not read as HTML.
func tableCell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", "; ", "<", "&lt;", "`", "'").Replace(s)
}

// codeSpan writes text as a Markdown code span.
func codeSpan(s string) string {
	return "`" + strings.NewReplacer("`", "'", "\n", " ").Replace(s) + "`"
}
