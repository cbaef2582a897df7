package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// otherNames matches what commands write to an output folder beside OutputNames: folders of stages, evaluations and
// pages.
var otherNames = regexp.MustCompile(
	`^(\d+-\w+|eval|redteam|results\.json|unfinished\.jsonl|samples_.*\.jsonl|comparison\.html)$`)

// CheckLinks refuses links and other things than files and folders where a command writes to the folder dir: writing
// there could change a file elsewhere, or wait without end. The error is a *usage.Error that names the first.
func CheckLinks(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); !slices.Contains(OutputNames(), name) && name != Manifest && !otherNames.MatchString(name) {
			continue
		}
		err := filepath.WalkDir(filepath.Join(dir, e.Name()), func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist): // removed meanwhile
				return nil
			case err != nil:
				return err
			case d.Type()&fs.ModeSymlink != 0:
				return usage.Errorf("output folder: %s is a link, which is not followed: remove it, or choose another -out",
					usage.Word(path))
			case !d.IsDir() && !d.Type().IsRegular():
				return usage.Errorf("output folder: %s is no regular file: remove it, or choose another -out", usage.Word(path))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
