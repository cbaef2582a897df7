package datasets

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/hub"
)

// Part is one data set of a mixture.
type Part struct {
	Name     string  // as OpenSource takes it
	Fraction float64 // share of the first rows that is used, of a train split; other splits are used whole
}

// Mixture names data sets that are read, cut to their fractions, put one after the other and shuffled together.
type Mixture struct {
	Parts   []Part
	Split   string // train, train_sft, test_prefs, …
	HeldOut bool   // the sets are named for evaluation alone: a single file serves whatever split is asked for
	Base    string // folder that local names are relative to
	Shuffle bool   // false keeps the rows in file order
	Seed    uint64 // of the shuffle: datasets.Dataset.shuffle(seed)
	Hub     *hub.Hub
}

// PartCount says what a data set gave to a mixture.
type PartCount struct {
	Name  string
	Split string // as the set names it; "" if the set lacks it, which is no error for a test split while another set has one
	Rows  int    // in the split
	Used  int    // of them in the mixture
}

// OpenMixture is a mixture whose files have been found.
type OpenMixture struct {
	mixture Mixture
	sources []Source // one a part; no Files where the part lacks the split
	missing error    // why the last of those lacks it
}

// Preferences reads the mixture as preference pairs. Errors name the file, the row and what was expected.
func (m Mixture) Preferences(ctx context.Context) ([]Preference, []PartCount, error) {
	o, err := m.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return o.Preferences(ctx)
}

// Dialogues reads the mixture as supervised dialogues. Errors name the file, the row and what was expected.
func (m Mixture) Dialogues(ctx context.Context) ([]Dialogue, []PartCount, error) {
	o, err := m.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return o.Dialogues(ctx)
}

// Open finds the files of all parts, for Digest to tell whether they were read before.
func (m Mixture) Open(ctx context.Context) (OpenMixture, error) {
	o := OpenMixture{mixture: m}
	for _, part := range m.Parts {
		if part.Fraction < 0 || part.Fraction > 1 {
			return o, fmt.Errorf("data set %s: fraction %v is not between 0 and 1", part.Name, part.Fraction)
		}
		source, err := OpenSource(ctx, part.Name, m.Split, m.Base, m.Hub)
		if m.HeldOut && errors.Is(err, errSingleFile) {
			source, err = OpenSource(ctx, part.Name, "train", m.Base, m.Hub)
		}
		if errors.Is(err, ErrNoSplit) && !m.train() {
			o.missing, err = err, nil
		}
		if err != nil {
			return o, err
		}
		o.sources = append(o.sources, source)
	}
	return o, nil
}

// train says that fractions count.
func (m Mixture) train() bool { return strings.Contains(m.Split, "train") }

// Digest is a SHA-256 over all that the mixture's rows depend on, the contents of its files among it.
func (o OpenMixture) Digest() ([]byte, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%t %t %d\n", o.mixture.train(), o.mixture.Shuffle, o.mixture.Seed)
	for i, part := range o.mixture.Parts {
		fmt.Fprintf(h, "%q %v %q\n", part.Name, part.Fraction, o.sources[i].Split)
		for _, file := range o.sources[i].Files {
			sum, err := o.sources[i].digest(file)
			if err != nil {
				return nil, fmt.Errorf("data set %s: file %s: %w", part.Name, path.Base(file), err)
			}
			fmt.Fprintf(h, "%q %x\n", file, sum)
		}
	}
	return h.Sum(nil), nil
}

// digest is the SHA-256 of a file's content.
func (s Source) digest(file string) ([]byte, error) {
	f, err := s.files.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}

// Preferences is Mixture.Preferences.
func (o OpenMixture) Preferences(ctx context.Context) ([]Preference, []PartCount, error) {
	schemas := preferenceSchemas()
	return readMixture(ctx, o, func(id string, r row) (Preference, error) {
		p, err := readRow(schemas, r)
		p.ID = id
		return p, err
	})
}

// Dialogues is Mixture.Dialogues.
func (o OpenMixture) Dialogues(ctx context.Context) ([]Dialogue, []PartCount, error) {
	schemas := dialogueSchemas()
	return readMixture(ctx, o, func(id string, r row) (Dialogue, error) {
		d, err := readRow(schemas, r)
		d.ID = id
		return d, err
	})
}

func readMixture[T any](ctx context.Context, o OpenMixture, read func(id string, r row) (T, error)) ([]T, []PartCount, error) {
	var rows []T
	var counts []PartCount
	for i, part := range o.mixture.Parts {
		source := o.sources[i]
		if len(source.Files) == 0 {
			counts = append(counts, PartCount{Name: part.Name})
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
		if o.mixture.train() {
			used = int(part.Fraction * float64(len(all)))
		}
		rows = append(rows, all[:used]...)
		counts = append(counts, PartCount{Name: part.Name, Split: source.Split, Rows: len(all), Used: used})
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
