package datasets

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/hub"
)

// MixtureSet is one data set of a mixture.
type MixtureSet struct {
	Name     string  // see OpenSource
	Fraction float64 // 0 to 1: of a train split, its first rows are used; other splits are used in full
}

// Mixture names data sets. They are read in their order, their fractions are concatenated, and all rows are shuffled
// together.
type Mixture struct {
	Sets       []MixtureSet
	Split      string // train, train_sft, test_prefs, …
	HeldOut    bool   // the sets are for evaluation only: a set that is a single file serves as any split
	BaseFolder string // folder that local names are relative to
	Shuffle    bool   // false keeps the rows in the order of the files
	Seed       uint64 // of the shuffle, which is datasets.Dataset.shuffle(seed) in Python
	TextColumn string // of dialogues: the column to read as text; "": the layout decides
	Strict     bool   // a malformed row is an error, not dropped
	Hub        *hub.Hub
}

// SetCount counts the rows that a data set contributes to a mixture.
type SetCount struct {
	Name  string
	Split string // the name it has in the set; "" for a test split that this set lacks and another set has
	Rows  int    // in the split
	Used  int    // of them taken by the fraction, those in Drops included

	Drops Drops    // rows of the used part that could not be read
	Notes []string // what the user should know about the file, the part that is not used included
}

// DroppedNotices says, for a set whose rows are read in full, how many of them are not used, and adds the Notes.
func (c SetCount) DroppedNotices() (notices []string) {
	for _, reason := range slices.Sorted(maps.Keys(c.Drops.Dropped)) {
		notices = append(notices, fmt.Sprintf("%s: %d of %d rows are not used: %s", c.Name, len(c.Drops.Dropped[reason]),
			c.Rows, reason))
	}
	for _, note := range c.Notes {
		notices = append(notices, c.Name+": "+note)
	}
	return notices
}

// MixtureFiles is a mixture whose files have been found.
type MixtureFiles struct {
	mixture Mixture
	sources []Source // one per set; without Files where a set lacks the split
	missing error    // why the last of those lacks it
}

// ReadPreferences reads the mixture as preferences, and counts the rows of each set. Errors name the file, the row and
// what was expected.
func (m Mixture) ReadPreferences(ctx context.Context) ([]Preference, []SetCount, error) {
	o, err := m.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return o.ReadPreferences(ctx)
}

// ReadDialogues reads the mixture as dialogues, and counts the rows of each set. Errors name the file, the row and what
// was expected.
func (m Mixture) ReadDialogues(ctx context.Context) ([]Dialogue, []SetCount, error) {
	o, err := m.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return o.ReadDialogues(ctx)
}

// Open finds the files of all sets but does not read them: by their Digest a caller can tell whether it read them
// before.
func (m Mixture) Open(ctx context.Context) (MixtureFiles, error) {
	o := MixtureFiles{mixture: m}
	for _, set := range m.Sets {
		if set.Fraction < 0 || set.Fraction > 1 {
			return o, fmt.Errorf("data set %s: fraction %v is not between 0 and 1", set.Name, set.Fraction)
		}
		source, err := OpenSource(ctx, set.Name, m.Split, m.BaseFolder, m.Hub)
		if m.HeldOut && errors.Is(err, errSingleFile) {
			source, err = OpenSource(ctx, set.Name, "train", m.BaseFolder, m.Hub)
		}
		if errors.Is(err, ErrNoSplit) && !m.isTrain() {
			o.missing, err = err, nil
		}
		if err != nil {
			return o, err
		}
		o.sources = append(o.sources, source)
	}
	return o, nil
}

// isTrain reports whether the split is a train split, of which fractions are used.
func (m Mixture) isTrain() bool { return strings.Contains(m.Split, "train") }

// Digest returns a SHA-256 of everything that the rows of the mixture depend on, including the contents of its files.
func (o MixtureFiles) Digest() ([]byte, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%t %t %d %q %t\n", o.mixture.isTrain(), o.mixture.Shuffle, o.mixture.Seed, o.mixture.TextColumn,
		o.mixture.Strict)
	for i, set := range o.mixture.Sets {
		fmt.Fprintf(h, "%q %v %q\n", set.Name, set.Fraction, o.sources[i].Split)
		for _, file := range o.sources[i].Files {
			sum, err := o.sources[i].digest(file)
			if err != nil {
				return nil, fmt.Errorf("data set %s: file %s: %w", set.Name, path.Base(file), err)
			}
			fmt.Fprintf(h, "%q %x\n", file, sum)
		}
	}
	return h.Sum(nil), nil
}

// ReadPreferences does the work of Mixture.ReadPreferences.
func (o MixtureFiles) ReadPreferences(ctx context.Context) ([]Preference, []SetCount, error) {
	return readMixture(ctx, o, preferenceSchemas(), func(id string, p *Preference, r row, f *findings) (err error) {
		p.ID = id
		if p.Prompt != nil {
			if p.Variables, err = r.variables(); err != nil {
				return err
			}
		}
		f.noteUnread(r)
		f.noteUnasked(r, p.Prompt)
		if p.Unlabelled > 0 {
			f.noteLabels(r)
		}
		if _, ok := r["prompt"]; !ok && p.Prompt == nil {
			f.implicit++
		}
		return nil
	})
}

// ReadDialogues does the work of Mixture.ReadDialogues.
func (o MixtureFiles) ReadDialogues(ctx context.Context) ([]Dialogue, []SetCount, error) {
	schemas := dialogueSchemas(o.mixture.TextColumn)
	return readMixture(ctx, o, schemas, func(id string, d *Dialogue, r row, f *findings) (err error) {
		d.ID = id
		f.noteUnread(r)
		if d.Messages != nil {
			if _, both := r["text"]; both {
				f.both++
			}
			d.Variables, err = r.variables()
		}
		return err
	})
}

// readMixture reads the rows of all sets with the schemas, takes their fractions and shuffles them. It passes each
// example to finish together with its row.
func readMixture[T any](
	ctx context.Context, o MixtureFiles, schemas schemas[T], finish finishExample[T],
) ([]T, []SetCount, error) {
	var rows []T
	var counts []SetCount
	for i, set := range o.mixture.Sets {
		source := o.sources[i]
		if len(source.Files) == 0 {
			counts = append(counts, SetCount{Name: set.Name})
			continue
		}
		reader := setReader[T]{schemas: schemas, strict: o.mixture.Strict, finish: finish}
		if err := reader.read(ctx, source); err != nil {
			return nil, nil, err
		}
		count := SetCount{Name: set.Name, Split: source.Split, Rows: reader.total, Used: reader.total}
		if o.mixture.isTrain() {
			count.Used = int(set.Fraction * float64(reader.total))
		}
		rows = append(rows, reader.take(count.Used)...)
		count.Drops, count.Notes = reader.drops, reader.findings.notes()
		counts = append(counts, count)
	}
	if len(rows) == 0 && o.missing != nil {
		return nil, nil, o.missing
	}
	if !o.mixture.Shuffle {
		return rows, counts, nil
	}
	shuffled := make([]T, len(rows))
	for to, from := range batch.EpochOrder(len(rows), o.mixture.Seed, 0) {
		shuffled[to] = rows[from]
	}
	return shuffled, counts, nil
}
