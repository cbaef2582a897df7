package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

//go:embed card.md
var cardTemplate string

// Card is a model card: the README.md of a model folder, with the front matter that Hugging Face reads.
type Card struct {
	Name       string   // of the new model
	Base       string   // hub id of the model it was trained from, or a description
	License    string   // of the base model; empty where it is not known
	Datasets   []string // as the recipe names them
	Objective  bfpo.Objective
	Trained    string // what was trained, e.g. "26.5M parameters in 30 tensors (down_proj)"
	Settings   []Fact // hyper-parameters
	Results    []Fact // of the training: losses, time, steps
	Comparison Comparison
	Version    string // of this program
}

// frontMatter is the YAML block at the head of a card. What is not an id on the hub is left out of base_model and datasets, which must be ids.
type frontMatter struct {
	BaseModel string   `yaml:"base_model,omitempty"`
	License   string   `yaml:"license,omitempty"`
	Library   string   `yaml:"library_name"`
	Pipeline  string   `yaml:"pipeline_tag"`
	Datasets  []string `yaml:"datasets,omitempty"`
	Tags      []string `yaml:"tags"`
}

// hubID is the form of an id on the hub: owner/name.
var hubID = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$`)

// isHubID tells an id on the hub from the name of a built-in set and of a local file or folder, which may look the same.
func isHubID(name string) bool {
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".parquet", ".gz", ".zst", ".gguf":
		return false
	}
	_, err := os.Stat(name)
	return hubID.MatchString(name) && !strings.HasPrefix(name, recipe.QuickstartPrefix) && err != nil
}

// WriteCard writes the card to a path, atomically.
func WriteCard(path string, c Card) error {
	head := frontMatter{License: c.License, Library: "transformers", Pipeline: "text-generation", Tags: []string{c.Objective.Name, "alignment"}}
	if isHubID(c.Base) {
		head.BaseModel = c.Base
	}
	for _, set := range c.Datasets {
		// Mixers may pin a revision: ID@REV.
		if id, _, _ := strings.Cut(set, "@"); isHubID(id) {
			head.Datasets = append(head.Datasets, id)
		}
	}
	if c.Objective.Name != "bfpo" {
		head.Tags = append(head.Tags, "bfpo")
	}
	front, err := yaml.Marshal(head)
	if err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	page, err := template.New("card").Funcs(template.FuncMap{"cell": markdownCell, "code": markdownCode, "equation": lossEquation}).Parse(cardTemplate)
	if err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	var text bytes.Buffer
	if err := page.Execute(&text, struct {
		Card
		FrontMatter string
	}{c, string(front)}); err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(text.Bytes())
		return err
	})
}

// lossEquation is the objective in plain text.
func lossEquation(o bfpo.Objective) string {
	const h = "h = (log π(y_c|x) − log π(y_r|x)) − (log π_ref(y_c|x) − log π_ref(y_r|x))"
	switch o.Name {
	case "bfpo":
		return fmt.Sprintf("L = (h − s/β)²\n%s\ns = b₁b₃·safe(y_c) − b₃·safe(y_r) − α,   b₃ = 1/(b₁−1)\nβ = %g, b₁ = %g, α = %g", h, o.Beta, o.B1, o.Alpha)
	case "ipo":
		return fmt.Sprintf("L = (h − 1/(2β))²\n%s\nβ = %g", h, o.Beta)
	case "dpo":
		return fmt.Sprintf("L = −log σ(β h)\n%s\nβ = %g", h, o.Beta)
	}
	return "L = −mean over tokens of log π(y_t | y_<t)"
}

// markdownCell keeps text inside one cell of a table and from being read as HTML.
func markdownCell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "`", "'").Replace(s)
}

// markdownCode keeps text inside a code span.
func markdownCode(s string) string {
	return "`" + strings.NewReplacer("`", "'", "\n", " ").Replace(s) + "`"
}
