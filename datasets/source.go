package datasets

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/hub"
)

// ErrNoSplit is wrapped by the errors of OpenSource for a data set that exists but lacks the split that was asked for.
var ErrNoSplit = errors.New("no such split")

// errSingleFile is wrapped together with ErrNoSplit when the set is a single file.
var errSingleFile = errors.New("a single file is the train split")

// quickstartFiles are the small sets that are embedded in the program, named quickstart/….
//
//go:embed quickstart/*.jsonl
var quickstartFiles embed.FS

// PKU-SafeRLHF is read at the revision that the original code pins, unless the recipe names another.
const (
	pkuSafeRLHF         = "PKU-Alignment/PKU-SafeRLHF"
	pkuSafeRLHFRevision = "ff7ba91063016c78a225b0f74e1c0860bb18230f"
)

// Source is the files of one split of a data set.
type Source struct {
	Name  string   // the name in the recipe
	Split string   // the split that was found: train for train_prefs where the set has only train
	Files []string // in the order of reading, as slash-separated paths in the set

	files  fs.FS
	folder bool // Name is a folder or a hub id, so IDs of rows need the name of the file too
}

var (
	dataFile = regexp.MustCompile(`\.(parquet|jsonl|json)(\.gz|\.zst|\.xz)?$`)
	numbered = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?$`)
	hubID    = regexp.MustCompile(`^([\w.-]+/[\w.-]+)(?:@(.+))?$`)
)

// OpenSource finds the files of one split of a data set. The name is the first of these that exists:
//
//   - quickstart/NAME: a set that is embedded in the program;
//   - a local file (.jsonl, .json or .parquet, also .gz, .zst and .xz of one; relative to base): the train split;
//   - a local folder, whose files are named by their splits: train.jsonl, data/train-00000-of-00002.parquet or
//     train/0000.parquet;
//   - ID or ID@REVISION of a data set on the hub, laid out like such a folder.
//
// Where a set lacks train_sft or train_prefs, its split train serves, and test likewise. A set that lacks the split is
// an error that wraps ErrNoSplit.
func OpenSource(ctx context.Context, name, split, base string, hub *hub.Hub) (Source, error) {
	if strings.HasPrefix(name, "quickstart/") {
		file := strings.TrimSuffix(name, ".jsonl") + ".jsonl"
		if _, err := fs.Stat(quickstartFiles, file); err != nil {
			have, _ := fs.Glob(quickstartFiles, "quickstart/*.jsonl")
			return Source{}, fmt.Errorf("data set %s: not embedded; there are %s", name, strings.Join(have, ", "))
		}
		return openFile(name, split, file, quickstartFiles)
	}

	local := name
	if !filepath.IsAbs(local) {
		local = filepath.Join(base, local)
	}
	info, err := os.Stat(local)
	switch {
	case err == nil && info.IsDir():
		return openFolder(name, split, local)
	case err == nil:
		return openFile(name, split, filepath.Base(local), os.DirFS(filepath.Dir(local)))
	case dataFile.MatchString(name) || filepath.IsAbs(name) || strings.HasPrefix(name, "."):
		if wrong, ok := errors.AsType[*fs.PathError](err); ok {
			err = wrong.Err // without the path, which is the name
		}
		return Source{}, fmt.Errorf("data set %s: %w", name, err)
	}

	return openOnHub(ctx, name, split, base, hub)
}

// openOnHub downloads the files of a split of a data set on the hub. base is where a local file of the name was looked
// for.
func openOnHub(ctx context.Context, name, split, base string, hub *hub.Hub) (Source, error) {
	id := hubID.FindStringSubmatch(name)
	if id == nil {
		return Source{}, fmt.Errorf("data set %s: neither a file or folder under %q nor a hub id like ORG/NAME or "+
			"ORG/NAME@REVISION", name, base)
	}
	revision := id[2]
	if revision == "" && id[1] == pkuSafeRLHF {
		revision = pkuSafeRLHFRevision
	}
	if hub == nil {
		return Source{}, fmt.Errorf("data set %s: not a local file or folder, and no hub is given", name)
	}
	var have []string
	dir, err := hub.Snapshot(ctx, "datasets", id[1], revision, func(file string) bool {
		have = append(have, splitOf(file))
		return splitMatches(splitOf(file), split)
	})
	if err != nil {
		return Source{}, fmt.Errorf("data set %s: split %s: %w", name, split, err)
	}
	if len(have) > 0 && !slices.ContainsFunc(have, func(s string) bool { return splitMatches(s, split) }) {
		return Source{}, noSplit(name, split, have)
	}
	return openFolder(name, split, dir)
}

// OpenFiles makes a data set of local files, which are read one after the other: .jsonl, .json and .parquet (also .gz,
// .zst and .xz of one), and .txt, whose lines are rows with the one column text.
func OpenFiles(name string, files []string) (Source, error) {
	s := Source{Name: name, files: os.DirFS("/")}
	for _, f := range files {
		absolute, err := filepath.Abs(f)
		if err != nil {
			return Source{}, fmt.Errorf("data set %s: %w", name, err)
		}
		if !dataFile.MatchString(f) && filepath.Ext(f) != ".txt" {
			return Source{}, fmt.Errorf(
				"data set %s: file %s: want .jsonl, .json, .parquet (or .gz, .zst or .xz of one) or .txt", name, f)
		}
		s.Files = append(s.Files, strings.TrimPrefix(filepath.ToSlash(absolute), "/"))
	}
	return s, nil
}

// OpenConfiguration finds the files of one split of a configuration of a data set on the hub: the files in a folder
// with the configuration's name. Without a configuration it is OpenSource.
func OpenConfiguration(ctx context.Context, id, configuration, split string, hub *hub.Hub) (Source, error) {
	match := hubID.FindStringSubmatch(id)
	if configuration == "" || match == nil || hub == nil {
		return OpenSource(ctx, id, split, "", hub)
	}
	wanted := func(file string) bool {
		inside := slices.Contains(strings.Split(path.Dir(file), "/"), configuration)
		return inside && splitMatches(splitOf(file), split)
	}
	dir, err := hub.Snapshot(ctx, "datasets", match[1], match[2], wanted)
	if err != nil {
		return Source{}, fmt.Errorf("data set %s: configuration %s, split %s: %w", id, configuration, split, err)
	}
	s, err := openFolder(id, split, dir)
	if err != nil {
		return Source{}, err
	}
	// The folder may hold files of other configurations, which were downloaded earlier.
	s.Files = slices.DeleteFunc(s.Files, func(file string) bool { return !wanted(file) })
	if len(s.Files) == 0 {
		return Source{}, fmt.Errorf("data set %s: %w: %s in a folder %s", id, ErrNoSplit, split, configuration)
	}
	return s, nil
}

// IsFileName reports whether a data set's name is that of a single file of rows.
func IsFileName(name string) bool { return dataFile.MatchString(name) }

// openFile makes a source of a single file, which is the train split.
func openFile(name, split, file string, files fs.FS) (Source, error) {
	if !dataFile.MatchString(file) {
		return Source{}, fmt.Errorf("data set %s: want a .jsonl, .json or .parquet file (or .gz, .zst or .xz of one)", name)
	}
	if !splitMatches("train", split) {
		return Source{}, fmt.Errorf("data set %s: %w: %w; for %s use a folder whose files are named by their splits",
			name, ErrNoSplit, errSingleFile, split)
	}
	return Source{Name: name, Split: "train", Files: []string{file}, files: files}, nil
}

// openFolder makes a source of the files of a split in a folder.
func openFolder(name, split, dir string) (Source, error) {
	files := os.DirFS(dir)
	splits := map[string][]string{}
	err := fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hidden := strings.HasPrefix(d.Name(), ".") && file != "."; hidden && d.IsDir() {
			return fs.SkipDir
		} else if s := splitOf(file); !hidden && !d.IsDir() && s != "" {
			splits[s] = append(splits[s], file)
		}
		return nil
	})
	if err != nil {
		return Source{}, fmt.Errorf("data set %s: %w", name, err)
	}
	found := split
	if len(splits[split]) == 0 {
		for s := range splits {
			if splitMatches(s, split) {
				found = s
			}
		}
	}
	if len(splits[found]) == 0 {
		return Source{}, noSplit(name, split, slices.Collect(maps.Keys(splits)))
	}
	if err := checkComplete(splits[found]); err != nil {
		return Source{}, fmt.Errorf("data set %s: split %s: %w", name, found, err)
	}
	return Source{Name: name, Split: found, Files: splits[found], files: files, folder: true}, nil
}

// noSplit is the error for a set that lacks a split and has others.
func noSplit(name, split string, have []string) error {
	have = slices.DeleteFunc(have, func(s string) bool { return s == "" })
	slices.Sort(have)
	if len(have) == 0 {
		return fmt.Errorf("data set %s: %w: %s (it has no .jsonl, .json or .parquet file)", name, ErrNoSplit, split)
	}
	return fmt.Errorf("data set %s: %w: %s (there are: %s)",
		name, ErrNoSplit, split, strings.Join(slices.Compact(have), ", "))
}

// splitOf returns the split that a file belongs to: train for train.jsonl, train-00000-of-00002.parquet,
// train/0000.parquet and harmless-train.jsonl.gz; "" for a file that is not a data file.
func splitOf(file string) string {
	ext := dataFile.FindString(file)
	if ext == "" {
		return ""
	}
	stem := strings.TrimSuffix(path.Base(file), ext)
	if m := numbered.FindStringSubmatch(stem); m != nil {
		stem = m[1]
	}
	if strings.Trim(stem, "0123456789") == "" {
		return path.Base(path.Dir(file))
	}
	for _, s := range []string{"train", "test", "validation"} {
		if strings.HasSuffix(stem, "-"+s) || strings.HasPrefix(stem, s+"-") {
			return s
		}
	}
	return stem
}

// splitMatches reports whether the split have of a set serves as the split want.
func splitMatches(have, want string) bool {
	return have != "" && (have == want || want == have+"_sft" || want == have+"_prefs")
}

// checkComplete refuses a split of which a numbered file is missing, and a split that is stored in two formats.
func checkComplete(files []string) error {
	present := map[string]int{}
	total := map[string]int{}
	for _, f := range files {
		if dataFile.FindStringSubmatch(f)[1] != dataFile.FindStringSubmatch(files[0])[1] {
			return fmt.Errorf("both %s and %s: keep one format", files[0], f)
		}
		if m := numbered.FindStringSubmatch(strings.TrimSuffix(f, dataFile.FindString(f))); m != nil {
			present[m[1]]++
			total[m[1]], _ = strconv.Atoi(m[3])
		}
	}
	for stem, n := range total {
		if present[stem] != n {
			return fmt.Errorf("%d of the %d files %s-…-of-%05d are there", present[stem], n, stem, n)
		}
	}
	return nil
}

// open opens a file. A pipe or a device is refused, since reading it could wait for ever.
func (s Source) open(name string) (fs.File, error) {
	info, err := fs.Stat(s.files, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("a pipe or a device, not a regular file: write its rows to one")
	}
	return s.files.Open(name)
}

// digest returns the SHA-256 of a file.
func (s Source) digest(file string) ([]byte, error) {
	f, err := s.open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}
