package train

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// maxConfig is the largest size of a run's config.yaml in bytes.
const maxConfig = 4 << 20

// TemplateDate returns the date that the chat template of the run in a folder writes, which config.yaml keeps; "" where
// the template writes none, or where there is no such file.
func TemplateDate(run string) (string, error) {
	path := filepath.Join(run, rundir.Config)
	text, err := atomicfile.ReadLimited(path, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	var kept struct {
		Date string `yaml:"chat_template_date"`
	}
	if err := yaml.Unmarshal(text, &kept); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return kept.Date, nil
}

// resumedRun returns the folder of the run that a recipe with the output folder dir continues, or "".
func resumedRun(c recipe.Config, dir string) string {
	switch c.ResumeFromCheckpoint {
	case recipe.Off:
		return ""
	case recipe.On:
		return dir
	}
	return filepath.Dir(filepath.Dir(filepath.Clean(string(c.ResumeFromCheckpoint)))) // of RUN/checkpoints/step-N
}

// withDate gives a recipe that continues a run, and names no date itself, the date of that run: its rows would else
// have other tokens on another day. run is "" where there is none.
func withDate(c recipe.Config, run string) (recipe.Config, error) {
	if run == "" || c.ChatTemplateDate != "" {
		return c, nil
	}
	var err error
	c.ChatTemplateDate, err = TemplateDate(run)
	return c, err
}
