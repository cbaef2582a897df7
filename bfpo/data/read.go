package data

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Read reads and tokenises all that a recipe trains and evaluates on. An error names the file and row, or where the rows of an
// empty set went. What was tokenised before, from files of the same content by the same settings, is read from the folder rows of the
// cache folder cache ("" is the user's).
func Read(ctx context.Context, c recipe.Config, m config.Config, l models.Language, hub *hub.Hub, cache string) (d Stage, err error) {
	if err := FitsModel(c, m); err != nil {
		return d, err
	}
	r := setReader{config: c, language: l, format: TextFormat(c, l, m.MaxPositionEmbeddings), hub: hub, cache: newRowCache(cache)}
	if d.Main, err = r.read(ctx, "main", c.DatasetMixer, SplitOf(c.DatasetSplits, "train")); err != nil {
		return d, err
	}
	if c.UseBuffer && c.Objective != "sft" {
		if d.Buffer, err = r.read(ctx, "buffer", c.BufferDatasetMixer, SplitOf(c.BufferDatasetSplits, "train")); err != nil {
			return d, err
		}
	}
	if !c.DoEval && c.EvaluationStrategy == "no" {
		return d, nil
	}
	mixer, split := c.EvalDatasetMixer, SplitOf(c.DatasetSplits, "test")
	r.heldOut = len(mixer) > 0
	if !r.heldOut {
		mixer = c.DatasetMixer
	}
	if split == "" && r.heldOut {
		split = "test"
	} else if split == "" && c.EvaluatesMore() && !c.LoadBestModelAtEnd {
		return d, nil // there are other things to measure
	} else if split == "" {
		return d, c.KeyErrorf("dataset_splits", "no test split to evaluate on; eval_dataset_mixer names other sets")
	}
	d.Held, err = r.read(ctx, "held out", mixer, split)
	return d, err
}

// ReadHeldOut reads and tokenises held-out pairs alone, in the text format of a preference recipe; see Read for cache.
func ReadHeldOut(ctx context.Context, c recipe.Config, m config.Config, l models.Language, mixer recipe.Mixer, split string, hub *hub.Hub,
	cache string) (Set, error) {
	r := setReader{config: c, language: l, format: TextFormat(c, l, m.MaxPositionEmbeddings), hub: hub, cache: newRowCache(cache), heldOut: true}
	return r.read(ctx, "held out", mixer, split)
}

// setReader reads sets for one objective.
type setReader struct {
	config   recipe.Config
	language models.Language
	format   datasets.TextFormat
	hub      *hub.Hub
	cache    rowCache
	// heldOut says that the sets are named for evaluation alone; see datasets.Mixture.
	heldOut bool
}

func (r setReader) read(ctx context.Context, name string, m recipe.Mixer, split string) (Set, error) {
	mixed := Mixture(r.config, m, split, r.hub)
	mixed.HeldOut = r.heldOut
	s, err := r.readMixture(ctx, mixed)
	if err != nil {
		return s, fmt.Errorf("%s set: %w", name, err)
	}
	s.Name, s.Rows, s.Cases = name, len(s.Pairs)+len(s.Documents), casesOf(s.Pairs)
	return s, nil
}

func (r setReader) readMixture(ctx context.Context, m datasets.Mixture) (Set, error) {
	mixture, err := m.Open(ctx)
	if err != nil {
		return Set{}, err
	}
	key, err := rowsKey(mixture, r.config.Objective == "sft", r.format, r.language)
	if err != nil {
		return Set{}, err
	}
	if s, ok := r.cache.load(key); ok {
		return s, nil
	}
	s, err := r.tokenise(ctx, mixture)
	if err == nil {
		r.cache.store(key, s)
	}
	return s, err
}

func (r setReader) tokenise(ctx context.Context, mixture datasets.OpenMixture) (s Set, err error) {
	var drops datasets.Drops
	if r.config.Objective == "sft" {
		var dialogues []datasets.Dialogue
		if dialogues, s.Counts, err = mixture.Dialogues(ctx); err == nil {
			s.Documents, drops, err = r.format.Documents(ctx, dialogues)
		}
	} else {
		var preferences []datasets.Preference
		if preferences, s.Counts, err = mixture.Preferences(ctx); err == nil {
			s.Pairs, drops, err = r.format.Pairs(ctx, preferences)
		}
	}
	if err == nil && len(s.Pairs)+len(s.Documents) == 0 {
		err = fmt.Errorf("no row is left to use of %s%s", describeCounts(s.Counts), describeDrops(drops))
	}
	s.Drops = dropsOf(drops)
	return s, err
}

func describeCounts(counts []datasets.PartCount) string {
	var names []string
	for _, c := range counts {
		names = append(names, fmt.Sprintf("%s (split %q: %d of %d rows taken)", c.Name, c.Split, c.Used, c.Rows))
	}
	return strings.Join(names, ", ")
}

// describeDrops lists what was dropped or cut by reason, with the first rows' ids.
func describeDrops(d datasets.Drops) (text string) {
	first := func(ids []string) string {
		if len(ids) > 3 {
			return strings.Join(ids[:3], ", ") + ", …"
		}
		return strings.Join(ids, ", ")
	}
	for _, reason := range slices.Sorted(maps.Keys(d.Dropped)) {
		text += fmt.Sprintf("; %d dropped: %s (%s)", len(d.Dropped[reason]), reason, first(d.Dropped[reason]))
	}
	if len(d.Cut) > 0 {
		text += fmt.Sprintf("; %d shortened (%s)", len(d.Cut), first(d.Cut))
	}
	return text
}
