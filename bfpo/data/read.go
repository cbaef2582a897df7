package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Read reads and tokenises all sets that a recipe trains and evaluates on. An error names the file and the row; for a
// set without usable rows it lists why rows were dropped. Rows that were tokenised before, from files of the same
// content with the same settings, are read from the folder cache/rows; an empty cache means the user's cache folder.
func Read(ctx context.Context, c recipe.Config, m config.Config, t models.ChatTokenizer, hub *hub.Hub, cache string) (
	d Sets, err error) {
	if err := CheckMaxLength(c, m); err != nil {
		return d, err
	}
	r, err := newStageReader(c, m, t, hub, cache)
	if err != nil {
		return d, err
	}
	if d.Main, err = r.readTrain(ctx, mainSet, c.DatasetMixer, "dataset_splits", c.DatasetSplits); err != nil {
		return d, err
	}
	if c.UseBuffer && c.Objective != "sft" {
		d.Buffer, err = r.readTrain(ctx, bufferSet, c.BufferDatasetMixer, "buffer_dataset_splits", c.BufferDatasetSplits)
		if err != nil {
			return d, err
		}
	}
	if !c.DoEval && c.EvaluationStrategy == "no" {
		return d, nil
	}
	mixer, split := c.EvalDatasetMixer, FindSplit(c.DatasetSplits, "test")
	r.heldOut = len(mixer) > 0
	if !r.heldOut {
		mixer = c.DatasetMixer
	}
	if split == "" && r.heldOut {
		split = "test"
	} else if split == "" && c.EvaluatesBeyondLoss() && !c.LoadBestModelAtEnd {
		return d, nil // evaluations consist of tasks or answers only
	} else if split == "" {
		return d, c.UsageErrorf("dataset_splits", "no test split to evaluate on; eval_dataset_mixer names other sets")
	}
	d.HeldOut, err = r.read(ctx, HeldOutSet, mixer, split)
	if !r.heldOut && errors.Is(err, datasets.ErrNoSplit) {
		return d, explainNoHeldOut(c, err)
	}
	NoteOverlap(&d.HeldOut, d.Main, d.Buffer)
	return d, err
}

// explainNoHeldOut is the error of a recipe with evaluations whose datasets lack a test split.
func explainNoHeldOut(c recipe.Config, err error) error {
	key, value := "evaluation_strategy", c.EvaluationStrategy
	if value == "no" {
		key, value = "do_eval", "true"
	}
	rows := "pairs"
	if c.Objective == "sft" {
		rows = "dialogues"
	}
	return c.UsageErrorf(key, "%s needs held-out %s: set eval_dataset_mixer: {./held-out.jsonl: 1.0} (%v)",
		value, rows, err)
}

// ReadHeldOut reads and tokenises only held-out pairs, in the text format of a preference recipe. See Read about
// cache.
func ReadHeldOut(ctx context.Context, c recipe.Config, m config.Config, t models.ChatTokenizer, mixer recipe.Mixer,
	split string, hub *hub.Hub, cache string) (Set, error) {
	r, err := newStageReader(c, m, t, hub, cache)
	if err != nil {
		return Set{}, err
	}
	r.heldOut, r.evaluation = true, true
	return r.read(ctx, HeldOutSet, mixer, split)
}

// stageReader reads the sets of one stage.
type stageReader struct {
	config    recipe.Config
	tokenizer models.ChatTokenizer
	format    datasets.TextFormat
	hub       *hub.Hub
	cache     rowCache
	// evaluation is whether the rows are those of an evaluation stage, which takes pairs that the objective leaves out.
	evaluation bool
	heldOut    bool // the datasets are used for evaluation only; see datasets.Mixture

	name  string       // of the set that is read, in messages and reports: main, buffer or held out
	mixer recipe.Mixer // its datasets
}

func newStageReader(c recipe.Config, m config.Config, t models.ChatTokenizer, hub *hub.Hub, cache string) (
	r stageReader, err error) {
	r = stageReader{config: c, tokenizer: t, format: NewTextFormat(c, t, m.MaxPositionEmbeddings), hub: hub}
	r.cache, err = newRowCache(cache)
	return r, err
}

// readTrain reads the set to train on: the first of the splits, which the recipe's key names, with train in its name.
func (r stageReader) readTrain(
	ctx context.Context, name string, m recipe.Mixer, key string, splits []string,
) (Set, error) {
	split := FindSplit(splits, "train")
	if split == "" {
		return Set{}, r.config.UsageErrorf(key, "none of %v has train in its name, so there is nothing to train on",
			splits)
	}
	return r.read(ctx, name, m, split)
}

// read reads one set, from the cache if it holds the set.
func (r stageReader) read(ctx context.Context, name string, m recipe.Mixer, split string) (Set, error) {
	r.name, r.mixer = name, m
	if name == bufferSet && r.config.Unlabelled == "drop" {
		r.config.Unlabelled = "" // a buffer, whose pairs are about helpfulness, needs no safety labels
	}
	mixture := NewMixture(r.config, m, split, r.hub)
	mixture.HeldOut = r.heldOut
	s, err := r.readCached(ctx, mixture)
	if errors.Is(err, fs.ErrNotExist) {
		for _, dataset := range m {
			err = fmt.Errorf("%w%s", err, usage.NearestFile(dataset.Name))
		}
	}
	if err != nil {
		return s, fmt.Errorf("%s set: %w", name, err)
	}
	s.Name, s.Rows, s.Cases = name, len(s.Pairs)+len(s.Documents), countCases(s.Pairs)
	if o := r.objective(); o.ReadsLabels() && name != HeldOutSet {
		s.Notes = append(s.Notes, noteLabels(s, r.config.Unlabelled, o.Unlabelled())...)
	}
	if r.evaluation {
		s.Notes = append(s.Notes, noteHeldOutLabels(s)...)
	}
	s.Notes = append(s.Notes, noteTexts(s, !r.tokenizer.UsesDefaultTemplate)...)
	return s, nil
}

// readCached returns the tokenised rows of a mixture: those in the cache, or else new ones, which it stores there.
func (r stageReader) readCached(ctx context.Context, m datasets.Mixture) (Set, error) {
	mixture, err := m.Open(ctx)
	if err != nil {
		return Set{}, err
	}
	key, err := rowsKey(mixture, r.config, r.format, r.tokenizer,
		fmt.Sprint(r.uses(true, true), r.uses(false, false), r.objective().Exchanges(false, true)))
	if err != nil {
		return Set{}, err
	}
	if s, ok := r.cache.load(key); ok {
		return s, nil
	}
	s, err := r.tokenize(ctx, mixture)
	if err == nil {
		r.cache.store(key, s)
	}
	return s, err
}

// tokenize reads the rows of a mixture and turns them into tokens.
func (r stageReader) tokenize(ctx context.Context, mixture datasets.MixtureFiles) (s Set, err error) {
	var drops, unread datasets.Drops
	if r.config.Objective == "sft" {
		s.Documents, drops, err = r.readDialogues(ctx, mixture, &s)
	} else {
		s.Pairs, drops, err = r.readPairs(ctx, mixture, &s)
	}
	for _, c := range s.Counts {
		unread.Add(c.Drops)
		if c.Rows == 0 && c.Split != "" {
			c.Notes = append(c.Notes, "the set holds no rows")
		}
		for _, note := range c.Notes {
			if len(s.Counts) > 1 {
				note = c.Name + ": " + note
			}
			s.Notes = append(s.Notes, note)
		}
	}
	unread.Add(drops)
	if err == nil && len(s.Pairs)+len(s.Documents) == 0 {
		err = explainNoRows(r.name, r.mixer, s.Counts, unread)
	}
	for i := range s.Counts {
		s.Counts[i].Drops, s.Counts[i].Notes = datasets.Drops{}, nil
	}
	s.Drops = countDrops(unread)
	return s, err
}

// readDialogues reads and tokenises the dialogues of a mixture, and sets what s counts about them.
func (r stageReader) readDialogues(ctx context.Context, mixture datasets.MixtureFiles, s *Set) (
	[]batch.Document, datasets.Drops, error) {
	dialogues, counts, err := mixture.ReadDialogues(ctx)
	if err != nil {
		return nil, datasets.Drops{}, err
	}
	s.Counts, s.Taken = counts, len(dialogues)
	unread := unreadKeys{template: r.format.Template}
	for _, d := range dialogues {
		unread.add(d.Messages)
		if d.Messages == nil && d.InputIDs == nil {
			s.Texts++
		}
	}
	s.Notes = append(s.Notes, unread.notes()...)
	return r.format.TokenizeDialogues(ctx, dialogues)
}

// readPairs reads and tokenises the preferences of a mixture, and sets what s counts about them.
func (r stageReader) readPairs(ctx context.Context, mixture datasets.MixtureFiles, s *Set) (
	[]batch.Pair, datasets.Drops, error) {
	preferences, counts, err := mixture.ReadPreferences(ctx)
	if err != nil {
		return nil, datasets.Drops{}, err
	}
	preferences, unused := datasets.DropRows(preferences, r.whyUnused)
	s.Counts, s.Taken = counts, len(preferences)
	s.Notes = append(s.Notes, r.exchange(preferences)...)
	unread := unreadKeys{template: r.format.Template}
	for _, p := range preferences {
		unread.add(p.Prompt, p.Chosen, p.Rejected)
		switch p.Unlabelled {
		case 1:
			s.Unlabelled.Half++
		case 2:
			s.Unlabelled.Without++
		}
		if p.Prompt == nil {
			s.Texts++
		}
	}
	s.Notes = append(s.Notes, unread.notes()...)
	pairs, drops, err := r.format.TokenizePreferences(ctx, preferences)
	drops.Add(unused)
	return pairs, drops, err
}

// whyUnused returns the reason for which the recipe leaves out a row that is as it should be, or "".
func (r stageReader) whyUnused(p datasets.Preference) string {
	switch {
	case r.config.Unlabelled == "drop" && p.Unlabelled > 0:
		return datasets.DropUnlabelled
	case r.uses(p.ChosenSafe, p.RejectedSafe):
		return ""
	case r.config.PreferenceBy == bfpo.BySafety:
		return datasets.DropSameLabel
	}
	return datasets.DropUnsafe
}

// objective returns the objective with what it makes of the labels of the set that is read. preference_by is about the
// main set and the held-out rows of its loss: the pairs of a buffer are about helpfulness, and an evaluation shows what
// became of the rows as they are.
func (r stageReader) objective() bfpo.Objective {
	o := r.config.TrainingObjective()
	if r.name == bufferSet || r.evaluation {
		o.PreferenceBy = bfpo.ByHelpfulness
	}
	return o
}

// uses reports whether pairs with these safety labels are used.
func (r stageReader) uses(chosenSafe, rejectedSafe bool) bool {
	return r.evaluation || r.objective().Uses(chosenSafe, rejectedSafe)
}

// exchange exchanges the answers of the pairs whose order preference_by decides the other way, and says how many.
func (r stageReader) exchange(rows []datasets.Preference) (notes []string) {
	n := 0
	for i := range rows {
		p := &rows[i]
		if !r.objective().Exchanges(p.ChosenSafe, p.RejectedSafe) {
			continue
		}
		n++
		p.Chosen, p.Rejected = p.Rejected, p.Chosen
		p.ChosenText, p.RejectedText = p.RejectedText, p.ChosenText
		p.ChosenSafe, p.RejectedSafe = p.RejectedSafe, p.ChosenSafe
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("preference_by: %s: the answers of %d of %d pairs are exchanged, since the safe "+
			"one is labelled rejected", r.config.PreferenceBy, n, len(rows)))
	}
	return notes
}
