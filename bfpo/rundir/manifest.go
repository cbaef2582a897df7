package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// maxManifest and maxCard are the largest sizes of a manifest and of a model card in bytes.
const (
	maxManifest = 64 << 20
	maxCard     = 4 << 20
)

// manifest lists what in an output folder is a run's.
type manifest struct {
	Names []string `json:"names"` // files and folders that the run writes, of OutputNames
	Files []string `json:"files"` // what a finished run has written, slash-separated; empty before
}

// unfinishedFile matches the files that a run has written before it is finished.
var unfinishedFile = regexp.MustCompile(`^(checkpoints/step-\d+/[^/]+\.(json|safetensors)` +
	`|runs/events\.out\.tfevents\.[^/]+|eval/step-\d+/(results\.json|unfinished\.jsonl|samples_[^/]+\.jsonl)` +
	`|model/([^/]+\.(json|safetensors|jinja|model)|merges\.txt|vocab\.txt|README\.md)|(.*/)?\.tmp-.*)$`)

// Claim makes the names that a run writes in the folder dir the run's. names are some of OutputNames.
func Claim(dir string, names []string) error {
	return atomicfile.WriteJSON(filepath.Join(dir, Manifest), "", manifest{Names: names})
}

// Record lists the files of a run that has written everything but the results at the top of its folder. It comes
// before TrainResults, so that a run known as finished has a complete list.
func Record(dir string) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	m.Files, err = listFiles(dir, append(slices.Clone(m.Names), EvaluationFolders(dir)...))
	if err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(dir, Manifest), "", m)
}

// CheckForeign returns a *usage.Error if something in the folder dir has a name that a run is about to write, one of
// names, and is not from a run of bfpo. With replace, the files in the folders of an earlier run must be that run's
// too, since the folders are removed.
func CheckForeign(dir string, names []string, replace bool) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		there := filepath.Join(dir, name)
		if _, err := os.Lstat(there); err == nil && !slices.Contains(m.Names, name) {
			return foreign(there)
		}
	}
	if !replace {
		return nil
	}
	files, err := listFiles(dir, append(slices.Clone(names), EvaluationFolders(dir)...))
	if err != nil {
		return err
	}
	for _, file := range files {
		top := !strings.Contains(file, "/") // checked above
		ours := slices.Contains(m.Files, file) || m.Files == nil && unfinishedFile.MatchString(file)
		if !top && !ours {
			return foreign(filepath.Join(dir, filepath.FromSlash(file)))
		}
	}
	return nil
}

// foreign returns the error about a file that is not a run's.
func foreign(path string) error {
	return usage.Errorf("output folder: %s is not from a run of bfpo and is not replaced: move it away, "+
		"or choose another -out", usage.Word(path))
}

// listFiles lists the files of the named files and folders of dir, slash-separated. Missing ones are left out.
func listFiles(dir string, names []string) (files []string, err error) {
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(dir, name), func(file string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
				return nil
			} else if err != nil {
				return err
			}
			relative, err := filepath.Rel(dir, file)
			files = append(files, filepath.ToSlash(relative))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("output folder: %w", err)
		}
	}
	return files, nil
}

// readManifest reads the manifest of a folder. A folder without one gets the names that an earlier version of the
// program, which wrote no manifest, left there.
func readManifest(dir string) (m manifest, err error) {
	file := filepath.Join(dir, Manifest)
	text, err := atomicfile.ReadLimited(file, maxManifest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return manifest{Names: namesBefore(dir)}, nil
	case err != nil:
		return m, fmt.Errorf("output folder: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("output folder: %s is damaged: %w", file, err)
	}
	isName := func(name string) bool { return slices.Contains(OutputNames(), name) }
	m.Names = slices.DeleteFunc(m.Names, func(name string) bool { return !isName(name) })
	m.Files = slices.DeleteFunc(m.Files, func(file string) bool { return path.Clean(file) != file })
	return m, nil
}

// namesBefore returns the names of a run of an earlier version: all, if the folder or the folder of its first stage has
// a recipe that this program resolved. A model card is a run's only if it names the program.
func namesBefore(dir string) []string {
	recipes, err := filepath.Glob(filepath.Join(escapePattern(dir), "[0-9]*-*", Config))
	if err != nil || !slices.ContainsFunc(append(recipes, filepath.Join(dir, Config)), isResolvedRecipe) {
		return nil
	}
	names := OutputNames()
	card, err := atomicfile.ReadLimited(filepath.Join(dir, Card), maxCard)
	if err != nil || !bytes.Contains(card, []byte("with bfpo")) {
		names = slices.DeleteFunc(names, func(name string) bool { return name == Card })
	}
	return names
}

// isResolvedRecipe reports whether a file is a recipe with all its keys, as runs write it.
func isResolvedRecipe(file string) bool {
	text, err := atomicfile.ReadLimited(file, maxCard)
	return err == nil && bytes.Contains(text, []byte("\nbuffer_dataset_mixer:")) &&
		bytes.Contains(text, []byte("\ntext_format:"))
}

// escapePattern returns a pattern of filepath.Glob that matches the given path only.
func escapePattern(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
