package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
	"github.com/bfpo-go/bfpo/graph/checksum"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// provenance is what a finished stage was made with and what it made, for a pipeline that takes the stage over.
type provenance struct {
	Settings map[string]string    `json:"settings"` // the recipe's keys on which the weights depend
	Identity *checkpoint.Identity `json:"identity"` // digests of the model, the tokenizer, the template and the rows
	Logs     checkpoint.Logs      `json:"logs"`     // lengths and digests of metrics.jsonl and answers.jsonl
	Model    map[string]string    `json:"model"`    // digests of the tensors of the model that it wrote
	Files    map[string]string    `json:"files"`    // digests of the model's other files: configuration, tokenizer
}

// provenanceKey is the key of the checksum of a provenance.
const provenanceKey = "provenance"

// writeProvenance writes the provenance of a stage whose model is written.
func (t *Training) writeProvenance() error {
	p := provenance{Settings: t.stage.Config.StageSettings(), Identity: t.stage.made}
	model, err := pretrained.Open(filepath.Join(t.dir, rundir.Model))
	if err != nil {
		return err
	}
	defer model.Close()
	if p.Model, err = model.TensorDigests(); err != nil {
		return err
	}
	if p.Files, err = digestFiles(model.Path); err != nil {
		return err
	}
	if p.Logs, err = markLogs(t.dir); err != nil {
		return err
	}
	line, err := checksum.Seal(provenanceKey, p)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(t.dir, rundir.Provenance), func(w io.Writer) error {
		_, err := w.Write(line)
		return err
	})
}

// CheckFinished checks that the finished run in dir is the one that the recipe c describes: that it had the same
// settings, model, tokenizer, chat template and rows, and that its model and its logs are as it left them. The error
// names what differs.
func CheckFinished(ctx context.Context, rt models.Runtime, c recipe.Config, dir string) error {
	path := filepath.Join(dir, rundir.Provenance)
	line, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		rt.Log().Warn(fmt.Sprintf("%s was finished by an earlier version: it cannot be checked that it was made with this "+
			"recipe, model and data", dir))
		return nil
	} else if err != nil {
		return err
	}
	var was provenance
	if err := checksum.Open(provenanceKey, line, &was); err != nil {
		return fmt.Errorf("%s: %w: run the stage again, with another -out or with overwrite_output_dir", path, err)
	}
	if c, err = withDate(c, dir); err != nil {
		return err
	}
	now := recipe.WithoutSources(c.StageSettings())
	if key, then := c.ChangedSetting(was.Settings, now); key != "" {
		return usage.Errorf("finished stage %s: it was made with %s: %s, and the recipe now has %s: use the recipe it was "+
			"made with, or another -out", dir, key, then, now[key])
	}
	in, err := data.Open(ctx, rt, c)
	if err != nil {
		return err
	}
	content, err := identify(in)
	if err == nil {
		err = checkIdentity("finished stage "+dir, was.Identity, content, in.Checkpoint, c.LoadBestModelAtEnd)
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	return was.checkOutput(dir)
}

// checkOutput checks that the model and the logs of a finished stage are as the stage left them.
func (p provenance) checkOutput(dir string) error {
	missing, err := checkLogs(dir, p.Logs)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("%s is missing", filepath.Join(dir, missing[0]))
	}
	if err != nil {
		return fmt.Errorf("finished stage %s: %w", dir, err)
	}
	model, err := pretrained.Open(filepath.Join(dir, rundir.Model))
	if err != nil {
		return fmt.Errorf("finished stage %s: %w", dir, err)
	}
	defer model.Close()
	now, err := model.TensorDigests()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != p.Model[name] {
			return fmt.Errorf("finished stage %s: tensor %s of %s is not the one that the stage wrote: "+
				"restore the file, or run the stage again with another -out", dir, name,
				filepath.Join(model.Path, model.TensorFile(name)))
		}
	}
	if p.Files == nil { // written by an earlier version
		return nil
	}
	files, err := digestFiles(model.Path)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		if files[name] != p.Files[name] {
			return fmt.Errorf("finished stage %s: %s is not the file that the stage wrote: restore it, or run the stage again "+
				"with another -out", dir, filepath.Join(model.Path, name))
		}
	}
	return nil
}

// digestFiles returns the SHA-256 of the files of a model's folder that decide how text becomes tokens and tokens
// become numbers, but for the weights.
func digestFiles(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	digests := map[string]string{}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !slices.Contains([]string{".json", ".jinja", ".model", ".txt"}, ext) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		digests[e.Name()] = hex.EncodeToString(sum[:])
	}
	return digests, nil
}
