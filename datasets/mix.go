package datasets

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/hub"
)

// Part is one data set of a mixture.
type Part struct {
	Name     string  // see OpenSource
	Fraction float64 // 0 to 1: of a train split, its first rows are used; other splits are used in full
}

// Mixture names data sets. They are read in their order, their fractions are concatenated, and all rows are shuffled
// together.
type Mixture struct {
	Parts   []Part
	Split   string // train, train_sft, test_prefs, …
	HeldOut bool   // the sets are for evaluation only: a set that is a single file serves as any split
	Base    string // folder that local names are relative to
	Shuffle bool   // false keeps the rows in the order of the files
	Seed    uint64 // of the shuffle, which is datasets.Dataset.shuffle(seed) in Python
	Hub     *hub.Hub
}

// PartCount counts the rows that a data set contributes to a mixture.
type PartCount struct {
	Name  string
	Split string // the name it has in the set; "" for a test split that this set lacks and another set has
	Rows  int    // in the split
	Used  int    // of them in the mixture
}

// OpenMixture is a mixture whose files have been found.
type OpenMixture struct {
	mixture Mixture
	sources []Source // one per set; without Files where a set lacks the split
	missing error    // why the last of those lacks it
}

// Preferences reads the mixture as preferences, and counts the rows of each set. Errors name the file, the row and what
// was expected.
func (m Mixture) Preferences(ctx context.Context) ([]Preference, []PartCount, error) {
	o, err := m.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return o.Preferences(ctx)
}

// Dialogues reads the mixture as dialogues, and counts the rows of each set. Errors name the file, the row and what was
// expected.
func (m Mixture) Dialogues(ctx context.Context) ([]Dialogue, []PartCount, error) {
	o, err := m.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return o.Dialogues(ctx)
}

// Open finds the files of all sets but does not read them: by their Digest a caller can tell whether it read them
// before.
func (m Mixture) Open(ctx context.Context) (OpenMixture, error) {
	o := OpenMixture{mixture: m}
	for _, set := range m.Parts {
		if set.Fraction < 0 || set.Fraction > 1 {
			return o, fmt.Errorf("data set %s: fraction %v is not between 0 and 1", set.Name, set.Fraction)
		}
		source, err := OpenSource(ctx, set.Name, m.Split, m.Base, m.Hub)
		if m.HeldOut && errors.Is(err, errSingleFile) {
			source, err = OpenSource(ctx, set.Name, "train", m.Base, m.Hub)
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
func (o OpenMixture) Digest() ([]byte, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%t %t %d\n", o.mixture.isTrain(), o.mixture.Shuffle, o.mixture.Seed)
	for i, set := range o.mixture.Parts {
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

// Preferences does the work of Mixture.Preferences.
func (o OpenMixture) Preferences(ctx context.Context) ([]Preference, []PartCount, error) {
	schemas := preferenceSchemas()
	return readMixture(ctx, o, func(id string, r row) (Preference, error) {
		p, err := readExample(schemas, r)
		p.ID = id
		return p, err
	})
}

// Dialogues does the work of Mixture.Dialogues.
func (o OpenMixture) Dialogues(ctx context.Context) ([]Dialogue, []PartCount, error) {
	schemas := dialogueSchemas()
	return readMixture(ctx, o, func(id string, r row) (Dialogue, error) {
		d, err := readExample(schemas, r)
		d.ID = id
		return d, err
	})
}

// readMixture reads the rows of all sets with read, takes their fractions and shuffles them.
func readMixture[T any](
	ctx context.Context, o OpenMixture, read func(id string, r row) (T, error),
) ([]T, []PartCount, error) {
	var rows []T
	var counts []PartCount
	for i, set := range o.mixture.Parts {
		source := o.sources[i]
		if len(source.Files) == 0 {
			counts = append(counts, PartCount{Name: set.Name})
			continue
		}
		var all []T
		err := source.rows(func(id string, r row) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			row, err := read(id, r)
			all = append(all, row)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		used := len(all)
		if o.mixture.isTrain() {
			used = int(set.Fraction * float64(len(all)))
		}
		rows = append(rows, all[:used]...)
		counts = append(counts, PartCount{Name: set.Name, Split: source.Split, Rows: len(all), Used: used})
	}
	if len(rows) == 0 && o.missing != nil {
		return nil, nil, o.missing
	}
	if !o.mixture.Shuffle {
		return rows, counts, nil
	}
	shuffled := make([]T, len(rows))
	for to, from := range batch.Order(len(rows), o.mixture.Seed, 0) {
		shuffled[to] = rows[from]
	}
	return shuffled, counts, nil
}
