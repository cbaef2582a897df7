package datasets

import (
	"context"
	"errors"
	"fmt"
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

// ErrNoSplit is wrapped by OpenSource when a data set exists but lacks the split that was asked for.
var ErrNoSplit = errors.New("no such split")

// errSingleFile is wrapped by OpenSource, beside ErrNoSplit, when the set is one file.
var errSingleFile = errors.New("a single file is the train split")

// pkuSafeRLHF is read at the revision the reference implementation pins.
const (
	pkuSafeRLHF         = "PKU-Alignment/PKU-SafeRLHF"
	pkuSafeRLHFRevision = "ff7ba91063016c78a225b0f74e1c0860bb18230f"
)

// Source is the files of one split of one data set.
type Source struct {
	Name  string   // as the recipe names it
	Split string   // the split found: train for train_prefs where the set has only train
	Files []string // in reading order, slash-separated within the set

	files  fs.FS
	folder bool // Name is a folder or a hub id, so that only the file's name says where a row comes from
}

var (
	dataFile = regexp.MustCompile(`\.(parquet|jsonl|json)(\.gz|\.zst|\.xz)?$`)
	shard    = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?$`)
	hubID    = regexp.MustCompile(`^([\w.-]+/[\w.-]+)(?:@(.+))?$`)
)

// OpenSource finds the files of a split. A name is, in this order:
//
//   - quickstart/NAME: a set embedded in the program;
//   - a local file (.jsonl, .json or .parquet, also .gz, .zst; relative to base), which is the train split;
//   - a local folder, whose splits are its split-named files: train.jsonl, data/train-00000-of-00002.parquet, train/0000.parquet;
//   - ID or ID@REV of a data set on the hub, laid out like such a folder.
//
// A split train_sft or train_prefs is the split train of a set that has only that, and test likewise. A set without the split is an
// error that wraps ErrNoSplit.
func OpenSource(ctx context.Context, name, split, base string, hub *hub.Hub) (Source, error) {
	if strings.HasPrefix(name, "quickstart/") {
		file := strings.TrimSuffix(name, ".jsonl") + ".jsonl"
		if _, err := fs.Stat(quickstartFiles, file); err != nil {
			have, _ := fs.Glob(quickstartFiles, "quickstart/*.jsonl")
			return Source{}, fmt.Errorf("data set %s: not embedded; there are %s", name, strings.Join(have, ", "))
		}
		return singleFile(name, split, file, quickstartFiles)
	}

	local := name
	if !filepath.IsAbs(local) {
		local = filepath.Join(base, local)
	}
	info, err := os.Stat(local)
	switch {
	case err == nil && info.IsDir():
		return folder(name, split, local)
	case err == nil:
		return singleFile(name, split, filepath.Base(local), os.DirFS(filepath.Dir(local)))
	case dataFile.MatchString(name) || filepath.IsAbs(name) || strings.HasPrefix(name, "."):
		return Source{}, fmt.Errorf("data set %s: %w", name, err)
	}

	id := hubID.FindStringSubmatch(name)
	if id == nil {
		return Source{}, fmt.Errorf("data set %s: neither a file or folder under %q nor a hub id like ORG/NAME or ORG/NAME@REVISION", name, base)
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
	return folder(name, split, dir)
}

func singleFile(name, split, file string, files fs.FS) (Source, error) {
	if !dataFile.MatchString(file) {
		return Source{}, fmt.Errorf("data set %s: want a .jsonl, .json or .parquet file (or .gz, .zst of one)", name)
	}
	if !splitMatches("train", split) {
		return Source{}, fmt.Errorf("data set %s: %w: %w; for %s use a folder with split-named files", name, ErrNoSplit, errSingleFile, split)
	}
	return Source{Name: name, Split: "train", Files: []string{file}, files: files}, nil
}

func folder(name, split, dir string) (Source, error) {
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
	if err := complete(splits[found]); err != nil {
		return Source{}, fmt.Errorf("data set %s: split %s: %w", name, found, err)
	}
	return Source{Name: name, Split: found, Files: splits[found], files: files, folder: true}, nil
}

func noSplit(name, split string, have []string) error {
	have = slices.DeleteFunc(have, func(s string) bool { return s == "" })
	slices.Sort(have)
	if len(have) == 0 {
		return fmt.Errorf("data set %s: %w: %s (it has no .jsonl, .json or .parquet file)", name, ErrNoSplit, split)
	}
	return fmt.Errorf("data set %s: %w: %s (there are: %s)", name, ErrNoSplit, split, strings.Join(slices.Compact(have), ", "))
}

// splitOf names the split a file belongs to, or "" for a file that holds no data: train for train.jsonl, train-00000-of-00002.parquet,
// train/0000.parquet and harmless-train.jsonl.gz.
func splitOf(file string) string {
	ext := dataFile.FindString(file)
	if ext == "" {
		return ""
	}
	stem := strings.TrimSuffix(path.Base(file), ext)
	if m := shard.FindStringSubmatch(stem); m != nil {
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

func splitMatches(have, want string) bool {
	return have != "" && (have == want || want == have+"_sft" || want == have+"_prefs")
}

// complete reports a shard that is missing from a split's files, and a split that is stored twice in two formats.
func complete(files []string) error {
	present := map[string]int{}
	total := map[string]int{}
	for _, f := range files {
		if dataFile.FindStringSubmatch(f)[1] != dataFile.FindStringSubmatch(files[0])[1] {
			return fmt.Errorf("both %s and %s: keep one format", files[0], f)
		}
		if m := shard.FindStringSubmatch(strings.TrimSuffix(f, dataFile.FindString(f))); m != nil {
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
